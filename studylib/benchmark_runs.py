"""The runs of a plan that stand for a row of the paper's Tables 3 to 5 (section 4.4), and their accuracy so far.

A row is found by what its runs are, never by their names, as the rules of the claims find them
(`verdicts_benchmarks`); only the sizes are the plan's own: the depth, and for "8-frame" and "32-frame" the shortest and
the longest clip that it trains. The row of two streams is computed from the recorded scores of both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from studylib import published
from studylib.evaluation import Predictions, named_right
from studylib.fusion import PAPER_RGB_WEIGHT, fuse
from studylib.splits import split_mean
from studylib.verdicts_benchmarks import FLOW, FUSED, RGB, SETS, STREAMS, starts_from
from studylib.verdicts_evidence import Evidence, Planned
from studylib.verdicts_intervals import CLIP, VIDEO, Outcomes, Tests, contrast, outcomes

PLANS = ("paper", "mini")
SHORTEST, LONGEST = "shortest", "longest"
VIDEO5 = "video@5"


@dataclass(frozen=True)
class Row:
    """What a run has to be to stand for a row."""

    experiment: str
    stream: str  # RGB, FLOW or FUSED
    net: str = "r2plus1d"
    length: str = ""  # SHORTEST or LONGEST of the plan's networks, "" for whatever it trains
    start: str = "none"  # what it is fine-tuned from, a key of `verdicts_benchmarks.PRETRAINING`
    target: str = ""  # of Table 5: "ucf101" or "hmdb51"


# The paper's own rows: key of its table -> which runs. It prints no length for the R3D of Table 3; the rule of that
# claim takes the one of the R(2+1)D that the text holds beside it.
TABLE3 = {"R3D": Row("sports1m", RGB, net="r3d", length=LONGEST)} | {
    f"R(2+1)D-{stream}-{frames}frame": Row("sports1m", stream, length=length)
    for frames, length in ((8, SHORTEST), (32, LONGEST))
    for stream in STREAMS
}
TABLE4 = {
    (f"R(2+1)D-{stream}", start): Row("kinetics", stream, start=start)
    for start in ("none", "Sports-1M")
    for stream in STREAMS
}
TABLE5 = {
    (f"R(2+1)D-{stream}", start, target): Row("transfer", stream, start=start, target=target)
    for start in ("Sports-1M", "Kinetics-400")
    for stream in STREAMS
    for target in SETS
}


@dataclass(frozen=True, eq=False)
class Found:
    """The planned runs of a row: one of each seed and split, or for two streams one of RGB and one of flow."""

    runs: Mapping[tuple[int, int], tuple[Planned, ...]]  # (seed, split) -> the runs it takes

    @property
    def done(self) -> dict[tuple[int, int], tuple[Planned, ...]]:
        """Those that are complete."""
        return {key: own for key, own in self.runs.items() if all(planned.run is not None for planned in own)}

    @property
    def state(self) -> str:
        """ "complete", "k of n runs", "unfinished", "not run" or "not planned"."""
        if not self.runs:
            return "not planned"
        if len(self.done) == len(self.runs):
            return "complete"
        if self.done:
            return f"{len(self.done)} of {len(self.runs)} {'pairs' if self.fused else 'runs'}"
        begun = any(p.state == "unfinished" for own in self.runs.values() for p in own)
        return "unfinished" if begun else "not run"

    @property
    def fused(self) -> bool:
        """Whether it is of two streams."""
        return any(len(own) > 1 for own in self.runs.values())

    def scores(self, rgb_weight: float = PAPER_RGB_WEIGHT) -> Tests:
        """Seed -> split -> scores, of the seeds of which every planned split is complete; empty where none is.

        A mean over some of the splits only is another quantity than the table's.
        """
        splits = {split for _, split in self.runs}
        found: dict[int, dict[int, Predictions]] = {}
        for (seed, split), own in sorted(self.done.items()):
            one = [planned.run.predictions for planned in own]
            found.setdefault(seed, {})[split] = fuse(*one, rgb_weight) if len(one) > 1 else one[0]
        return {seed: own for seed, own in found.items() if set(own) == splits}


@dataclass(frozen=True)
class Accuracy:
    """Percent, with its 95% interval."""

    value: float
    low: float
    high: float


def find(evidence: Evidence, row: Row) -> Found:
    """The runs of a plan that stand for a row; none where the plan has no such.

    Raises:
        ValueError: two runs of the same seed and split stand for it.
    """
    if row.stream == FUSED:
        rgb, flow = (find(evidence, replace(row, stream=stream)).runs for stream in (RGB, FLOW))
        return Found({key: rgb[key] + flow[key] for key in rgb if key in flow})
    accept = starts_from(evidence, row.start)
    own = [p for p in evidence.planned if p.spec.experiment == row.experiment and p.spec.net == row.net and accept(p)]
    if row.length and own:
        wanted = {SHORTEST: min, LONGEST: max}[row.length](p.spec.clip_length for p in own)
        own = [p for p in own if p.spec.clip_length == wanted]
    if row.target:
        own = [p for p in own if p.spec.dataset == targets(evidence).get(row.target)]
    runs: dict[tuple[int, int], tuple[Planned, ...]] = {}
    for planned in own:
        if planned.spec.modality == {RGB: "rgb", FLOW: "flow"}[row.stream]:
            key = planned.spec.seed, planned.spec.split
            if key in runs:
                raise ValueError(f"{runs[key][0].folder} and {planned.folder} both stand for {row}")
            runs[key] = (planned,)
    return Found(runs)


def targets(evidence: Evidence) -> dict[str, str]:
    """ "ucf101" and "hmdb51" -> the dataset of the plan that is it, or else plays it: of two others UCF101, the larger,
    is the one whose epochs have more clips, as in VMZ's settings of the two."""
    tuned = [p.spec for p in evidence.planned if p.spec.experiment == "transfer" and p.spec.init_from]
    if own := {spec.dataset_family: spec.dataset for spec in tuned if spec.dataset_family in SETS}:
        return own
    sizes = {spec.dataset: spec.clips_per_epoch for spec in tuned}
    return dict(zip(SETS, sorted(sizes, key=sizes.get, reverse=True), strict=False))


def accuracy(scores: Tests, measure: str) -> Accuracy:
    """Accuracy of a network, its splits' plain mean and that over its seeds.

    The interval of one seed covers the draw of the test videos: Wilson's, over splits the root of squares (`splits`),
    and for clips, of which those of a video go together, the bootstrap over videos. That of several seeds is the
    crossed bootstrap over videos and seeds (`seeds`), as in the verdicts.

    Args:
        scores: seed -> split -> scores, not empty.
        measure: `CLIP`, `VIDEO` or `VIDEO5`.
    """
    if len(scores) == 1 and measure != CLIP:
        (own,) = scores.values()
        mean = split_mean(own.items(), sorted(own), k=5 if measure == VIDEO5 else 1)
        return Accuracy(mean.accuracy, mean.low, mean.high)
    part = contrast(measure, [outcomes(scores, _of_each(measure))])
    return Accuracy(part.points, max(part.low, 0.0), min(part.high, 100.0))


def gain(fused: Tests, alone: Tests) -> Accuracy:
    """Video@1 of two streams minus that of one of them, seed by seed, points, as the rule of that claim has it."""
    both, one = (outcomes({seed: scores[seed] for seed in fused}, VIDEO) for scores in (fused, alone))
    return _difference([both.minus(one)])


def advantage(first: Tests, second: Tests) -> Accuracy:
    """Video@1 of one network minus that of another on the same test videos, points."""
    return _difference([outcomes(first, VIDEO)], [outcomes(second, VIDEO)])


def printed_video_top1() -> dict[Row, float]:
    """Video@1 that the paper prints of its own rows, percent; NaN where it prints none."""
    sports = published.table("table3_sports1m").set_index("method")["video_top1"]
    kinetics = published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"]
    transfer = published.table("table5_transfer").set_index(["method", "pretraining"])
    values = {row: sports[method] for method, row in TABLE3.items()}
    values |= {row: kinetics[key] for key, row in TABLE4.items()}
    return values | {row: transfer[row.target][key[:2]] for key, row in TABLE5.items()}


def _difference(plus: Sequence[Outcomes], minus: Sequence[Outcomes] = ()) -> Accuracy:
    part = contrast("", plus, minus)
    return Accuracy(part.points, part.low, part.high)


def _of_each(measure: str) -> str | Callable[[Predictions], np.ndarray]:
    return (lambda predictions: 100.0 * named_right(predictions, 5)) if measure == VIDEO5 else measure
