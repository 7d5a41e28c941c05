"""Rules for training and test errors of R3D and R(2+1)D with 18 and 34 layers (Figure 4).

A training error is one number a run, the share of the last epoch's augmented training clips that were named wrong. It
has no videos to pair: its interval is over seeds (Welch's), of which each network needs two.
"""

from studylib.claims.published import FEWEST_SEEDS
from studylib.claims.verdicts_evidence import Evidence, Net, Planned, printed, require_comparable
from studylib.claims.verdicts_intervals import CLIP, contrast, outcomes, over_seeds
from studylib.claims.verdicts_parts import Part

DEPTHS = (18, 34)
EXPERIMENTS = ("depth", "conv_types")  # whose runs these are: those of 18 layers may be Table 2's


def training_error(evidence: Evidence, depth: int) -> list[Part]:
    """R3D's minus R(2+1)D's, last epoch."""
    nets = pair(evidence, depth, FEWEST_SEEDS)
    evidence.require()
    require_comparable(nets)
    errors = [last_errors(net) for net in nets]
    return [over_seeds(f"training error of {nets[0].name} minus that of {nets[1].name}", errors[:1], errors[1:])]


def gap_grows(evidence: Evidence) -> list[Part]:
    """That difference with 34 layers minus the same with 18."""
    nets = [net for depth in reversed(DEPTHS) for net in pair(evidence, depth, FEWEST_SEEDS)]
    evidence.require()
    require_comparable(nets, "depth")
    deep_3d, deep, shallow_3d, shallow = (last_errors(net) for net in nets)
    what = "gap in training error of R3D and R(2+1)D, with 34 layers minus with 18"
    return [over_seeds(what, [deep_3d, shallow], [deep, shallow_3d])]


def test_error(evidence: Evidence) -> list[Part]:
    """Clip accuracy of the final test, R(2+1)D minus R3D, at each depth: R3D's test error minus R(2+1)D's."""
    pairs = [pair(evidence, depth) for depth in DEPTHS]
    evidence.require()
    for nets in pairs:
        require_comparable(nets)
    return [
        contrast(f"{ours.name} minus {other.name}, {CLIP}", [outcomes(ours, CLIP)], [outcomes(other, CLIP)])
        for other, ours in pairs
    ]


def pair(evidence: Evidence, depth: int, seeds: int = 1) -> list[Net | None]:
    """R3D and R(2+1)D of one depth, trained."""

    def trained(planned: Planned) -> bool:
        return planned.spec.epochs > 0

    def net(name: str) -> Net | None:
        return evidence.net(printed(name, depth), EXPERIMENTS, trained, fewest_seeds=seeds, net=name, depth=depth)

    return [net("r3d"), net("r2plus1d")]


def last_errors(net: Net) -> list[float]:
    """Percent, a number a seed."""
    return [float(run.history["train_error"].iloc[-1]) for own in net.runs.values() for run in own.values()]
