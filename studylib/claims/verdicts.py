"""What recorded runs say of the paper's empirical claims, by rules written down as code.

A rule, in words in evidence/claims.csv, takes the runs of one plan and gives the parts of its claim (see `parts`); it
is the same for every plan. The size of a difference is no part of a claim, only its side: it depends on the data.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from math import inf

import numpy as np
import pandas as pd

from studylib.claims import published
from studylib.claims.parts import (
    ABOVE,
    CONTRADICTED,
    EQUAL,
    INCONCLUSIVE,
    NOT_RUN,
    REPRODUCED,
    UNDECIDABLE,
    Part,
    Verdict,
    combine,
    contrast,
    exact,
    over_seeds,
)
from studylib.claims.published import CLOSE, FEWEST_LENGTHS, FEWEST_SEEDS, LARGEST_WEIGHT, MOST, SAME, WITHIN
from studylib.datasets.index import SHOWN
from studylib.nets.table import NETS, PRINTED_NAMES
from studylib.runs.results import Run
from studylib.stats import NotComparable
from studylib.stats.estimates import OFFICIAL_SPLITS, Measure, Outcomes, Scores, outcomes, scores_of
from studylib.stats.fusion import fuse
from studylib.training.evaluation import WAYS, Predictions
from studylib.training.run_files import CONV1, read_conv1
from studylib.training.spec import RunSpec, parse_init_from

# Plans that decide nothing, whatever their intervals, and claims that no run decides; and why.
WITHOUT_VERDICTS = {
    "quick": "the plan quick is a smoke check: few videos, few epochs",
    "calibration": "the settings of the study were chosen by the plan calibration, on its test videos",
    "ucf101_subset": "the plan ucf101_subset has too few videos to conclude from",
}
UNPLANNED = {
    "run-finetune-time": "it follows from the numbers of epochs, which a plan chooses and the paper does not print",
    "run-flow-quality": "TV-L1 flow is not computed here, and no plan has a network trained on it",
    "run-flow-speed": "TV-L1 flow is not computed here, and no plan has a timing of it",
}

# --- the networks of a plan and their runs
#
# A network is all its planned runs, a run a seed (and an official split, where there are several). A rule has a verdict
# only when every one of them is complete, or it would change with each new run. Two networks are compared only where
# they differ in nothing else than what the claim is about.

CLIP, VIDEO = "clip@1", "video@1"
MEASURES = {CLIP: "clip_top1", VIDEO: "video_top1"}  # -> key of `estimates.MEASURES`
USUAL = {"depth": 18, "modality": "rgb", "frame_order": "normal"}  # of a network, unless a rule says another
# What a run that trains nothing sets itself; everything else of it is what its weights were trained with.
OF_THE_TEST = (
    "experiment", "dataset", "split", "seed", "clip_length", "frame_step", "resolution", "test_clips", "test_sampling",
    "frame_order", "standardise", "amp",
)  # fmt: skip
DRAWN = ("seed", "split", "init_from")  # in which the runs of one network differ
# What may always differ between two networks: who they are, and what changes no result.
NEVER_MATTERS = ("experiment", "net", *DRAWN, "new_head", "recompute")
OF_TRAINING = (
    "epochs", "clips_per_epoch", "batch_size", "lr", "lr_schedule", "lr_step", "warmup_epochs", "weight_decay",
)  # fmt: skip
Key = tuple[int, int]  # seed, split


class NotRunYet(Exception):
    """A rule lacks recorded runs, those of `Evidence.missing`."""


class Undecidable(NotComparable):
    """No run of this plan can decide the claim; the message says why."""


@dataclass(frozen=True, eq=False)
class Planned:
    """One run of the plan; `run` is there where it is complete."""

    folder: str  # from the repository on
    spec: RunSpec
    state: str
    run: Run | None


@dataclass(frozen=True, eq=False)
class Network:
    """A network that a plan has."""

    name: str
    runs: Mapping[Key, Planned]
    weights: Mapping[Key, str]  # folder of the run that trained what each tested
    spec: RunSpec | None  # of one of its runs; training as of the run that trained it
    known: dict[Measure, Outcomes] = field(default_factory=dict, init=False)

    def of_seeds(self, other: "Network") -> "Network":
        """Its runs of the seeds that the other has: a plan may test fewer seeds again than it trained."""
        keys = [key for key in self.runs if key[0] in {seed for seed, _ in other.runs}]
        return replace(self, runs={k: self.runs[k] for k in keys}, weights={k: self.weights[k] for k in keys})

    def tests(self) -> Scores:
        """Seed -> split -> scores, of a network all of whose runs are complete."""
        return scores_of(planned.run for planned in self.runs.values())

    def outcomes(self, measure: Measure) -> Outcomes:
        """Of each seed and video; by `CLIP`, `VIDEO` or a function. Errors as of `estimates.outcomes`."""
        if measure not in self.known:  # a rule asks for them in each of its comparisons
            self.known[measure] = outcomes(self.tests(), MEASURES.get(measure, measure))
        return self.known[measure]


class Evidence:
    """The runs of a plan, what was looked at and what is missing."""

    def __init__(self, runs: pd.DataFrame, plan: str) -> None:
        """`runs`: a table of `results.load_plan_runs` or `results.table`; ValueError if it has none of the plan."""
        rows = runs[runs["plan"] == plan]
        if rows.empty:
            raise ValueError(f"the table of runs has none of the plan {plan!r}; it has {', '.join(set(runs['plan']))}")
        folders = "runs/" + rows["plan"] + "/" + rows["experiment"] + "/" + rows["run"]
        columns = folders, rows["spec"], rows["state"], rows["result"]
        self.planned = [Planned(*own) for own in zip(*columns, strict=True)]
        self.used: list[str] = []
        self.missing: list[str] = []
        self._by_folder = {planned.folder: planned for planned in self.planned}

    def net(
        self,
        name: str,
        experiments: Sequence[str],
        accept: Callable[[Planned], bool] = lambda planned: True,
        splits: Sequence[int] = (),
        fewest_seeds: int = 1,
        **wanted: object,
    ) -> Network:
        """The network whose runs have the `wanted` fields and are accepted, of the first experiment that plans one.

        Notes what was looked at and what is missing (see `require`): any run of it, one that is not complete, one of
        each of the `splits`, or as many seeds. Undecidable where the plan has several, or runs not recorded alike.
        """
        wanted = USUAL | wanted
        accepted = [p for p in self.planned if all(getattr(p.spec, name) == v for name, v in wanted.items())]
        accepted = [p for p in accepted if p.spec.experiment in experiments and accept(p)]
        chosen = next((e for e in experiments if any(p.spec.experiment == e for p in accepted)), None)
        own = [p for p in accepted if p.spec.experiment == chosen]
        specs = [self.trained_as(p) for p in own]
        runs = {(p.spec.seed, p.spec.split): p for p in own}
        other = {name for spec in specs[1:] for name in _differences(specs[0], spec)} - {*DRAWN}
        if other or len(runs) < len(own):
            how = f"differ in {', '.join(sorted(other))}" if other else "have the same seed and split"
            raise Undecidable(f"the plan has several runs of {name} that {how}, and the rule needs one")
        net = Network(name, runs, {key: self.trainer(p).folder for key, p in runs.items()}, specs[0] if specs else None)
        self.used += [p.folder for p in own]
        missing = [f"{p.folder} ({p.state})" for p in own if p.run is None]
        missing = missing if own else [f"{name} (no such run in the plan)"]
        seeds, tested = ({key[i] for key in runs} for i in (0, 1))
        missing += [f"{name}, split {split}" for split in splits if own and split not in tested]
        if own and len(seeds) < fewest_seeds:
            missing.append(f"{fewest_seeds} seeds of {name} (the plan has {len(seeds)})")
        self.missing += missing
        if not missing:
            _require_recorded_alike([net])
        return net

    def require(self, nets: Iterable[Network] = (), *but: str) -> None:
        """NotRunYet where anything that was asked for is missing, Undecidable where networks differ in other fields
        than `but`."""
        if self.missing:
            raise NotRunYet
        nets = list(nets)
        for net in nets[1:]:
            if other := [name for name in _differences(nets[0].spec, net.spec) if name not in (*NEVER_MATTERS, *but)]:
                raise Undecidable(f"{nets[0].name} and {net.name} were run with other settings ({', '.join(other)})")
        _require_recorded_alike(nets)

    def require_data(self, families: Iterable[str], why: str) -> None:
        """Raises Undecidable where the plan has none of these datasets (first words of their names)."""
        if not any(planned.spec.dataset_family in families for planned in self.planned):
            raise Undecidable(why)

    def start(self, planned: Planned) -> Planned | None:
        """The run of this plan that gave the first weights."""
        source = parse_init_from(planned.spec.init_from)
        return None if source is None or source.kind != "run" else self._by_folder.get(f"runs/{source.name}")

    def trainer(self, planned: Planned) -> Planned:
        """The run that trained the weights that this one tested: itself, or where it trained nothing its start."""
        start = self.start(planned)
        return planned if planned.spec.epochs > 0 or start is None else self.trainer(start)

    def trained_as(self, planned: Planned) -> RunSpec:
        """Its settings; of a run without training, those of training from the run that trained its weights."""
        return replace(self.trainer(planned).spec, **{name: getattr(planned.spec, name) for name in OF_THE_TEST})


def _require_recorded_alike(nets: Iterable[Network]) -> None:
    """Raises Undecidable where the runs differ in what the settings leave open: the videos of a dataset, by its
    manifest, and the precision, since bf16 falls back to fp32 where a device computes it wrongly."""
    known: dict[str, tuple[str, object]] = {}
    for name, run in ((net.name, planned.run) for net in nets for planned in net.runs.values()):
        manifest = run.provenance["dataset"].get("manifest_hash")
        recorded = {f"manifest of {run.spec.dataset}": manifest, "precision": run.provenance.get("precision")}
        for what, value in recorded.items():
            first, other = known.setdefault(what, (name, value))
            if other != value:
                raise Undecidable(
                    f"a run of {first} and one of {name} were recorded with another {what}: "
                    f"{str(other)[:SHOWN]} and {str(value)[:SHOWN]} in provenance.json"
                )


def require_same_weights(first: Network, second: Network) -> None:
    """Raises Undecidable where two tests were not of the same trained networks, seed by seed: of the same run, which
    may have been trained again between them."""
    if first.weights != second.weights:
        raise Undecidable(f"{first.name} and {second.name} are not tests of the same trained networks")
    for key in first.weights:
        runs = [net.runs[key].run for net in (first, second)]  # a run that trained them has no hash of them
        hashes = [r.spec.epochs == 0 and (r.provenance.get("init_from") or {}).get("sha256") for r in runs]
        if all(hashes) and hashes[0] != hashes[1]:
            raise Undecidable(
                f"{first.name} and {second.name} are not tests of the same trained network of seed {key[0]}: "
                f"init_from.sha256 is {' and '.join(own[:SHOWN] for own in hashes)} in provenance.json"
            )


def _differences(a: RunSpec, b: RunSpec) -> list[str]:
    return [own.name for own in fields(RunSpec) if getattr(a, own.name) != getattr(b, own.name)]


def printed(net: str, depth: int = 18) -> str:
    """ "R(2+1)D-18"."""
    return f"{PRINTED_NAMES[net]}-{depth}"


def minus(first: Network, second: Network, claimed: tuple[float, float] = ABOVE) -> Part:
    """One network minus another, clip accuracy."""
    return contrast(
        f"{first.name} minus {second.name}, {CLIP}", [first.outcomes(CLIP)], [second.outcomes(CLIP)], claimed
    )


# --- types of convolution: Table 2, and where its differences come from (section 4.2)

FLAT = ("r2d", "f_r2d")
MC, RMC = ("mc2", "mc3", "mc4", "mc5"), ("rmc2", "rmc3", "rmc4", "rmc5")
OVER_TIME = ("r3d", *MC, *RMC)  # "R3D or mixed convolutional models", the nets of the first finding of section 4.2
Pair = tuple[tuple[str, ...], tuple[str, ...]]  # nets whose mean is compared with the mean of others
# The id of a claim -> its pairs, the first minus the second, and where the claim puts each of these differences. With
# 1, 2, 3 and 4 groups over time: MC(k + 1) has them in its first k groups, rMC(6 - k) in its last k; the sum of these
# four differences is that of MCx and rMCx with equal x.
PAIRS: dict[str, tuple[list[Pair], tuple[float, float]]] = {
    "run-3d-over-2d": ([((net,), (flat,)) for net in OVER_TIME for flat in FLAT], ABOVE),
    "run-best": ([(("r2plus1d",), (other,)) for other in NETS if other != "r2plus1d"], ABOVE),
    "run-mc-r3d": ([((net,), ("r3d",)) for net in MC], EQUAL),
    "run-mc-rmc": ([(MC, RMC)], ABOVE),
    "run-early-motion": ([((early,), (late,)) for early, late in zip(MC, reversed(RMC), strict=True)], ABOVE),
}
WITHOUT_MC2 = "Without MC2, which convolves over time in conv1 only"
MOTIONLESS = ("shuffled", "frozen")


def name_of(pair: Pair) -> str:
    """ "R(2+1)D-18 minus R3D-18", "mean MC2–5 minus mean rMC2–5"."""
    names = [[PRINTED_NAMES[net] for net in group] for group in pair]
    return " minus ".join(f"{own[0]}-18" if len(own) == 1 else f"mean {own[0]}–{own[-1][-1]}" for own in names)


def table2(evidence: Evidence, pairs: Sequence[Pair], claimed: tuple[float, float]) -> Verdict:
    """Differences of nets that were trained and tested alike; beside it, what they say without MC2."""
    keys = dict.fromkeys(net for side in zip(*pairs, strict=True) for group in side for net in group)
    nets = {net: evidence.net(printed(net), ["conv_types"], net=net) for net in keys}
    evidence.require(nets.values())
    rest = [tuple(tuple(net for net in group if net != "mc2") for group in pair) for pair in pairs]
    rest = [pair for pair in rest if all(pair)]

    parts = {}
    for pair in dict.fromkeys([*pairs, *rest]):
        measured = ([nets[net].outcomes(CLIP) for net in group] for group in pair)
        parts[pair] = contrast(f"{name_of(pair)}, {CLIP}", *measured, claimed)
    aside = {WITHOUT_MC2: [parts[pair] for pair in rest]} if any("mc2" in plus for plus, _ in pairs) else {}
    asked = tuple(parts[pair] for pair in pairs)
    return Verdict(combine(asked), asked, aside=aside)


def nonlinearity(evidence: Evidence) -> list[Part]:
    """R(2+1)D is better than R3D, and than itself without the inner ReLU. R3D with added ReLUs decides nothing: the
    paper's are those that factorising makes room for."""
    whole, full = (evidence.net(printed(net), ["mechanism", "conv_types"], net=net) for net in ("r2plus1d", "r3d"))
    without = evidence.net("R(2+1)D-18 without inner ReLU", ["mechanism"], net="r2plus1d_no_inner_relu")
    evidence.require([whole, full, without])
    return [minus(whole, full), minus(whole, without)]


def motion(evidence: Evidence) -> Verdict:
    """Networks over time are ahead of f-R2D, and more than `MOST` of that gap goes where the frames do not move.

    With gap the accuracy minus f-R2D's, whose own loss that takes off, MOST x gap(in order) - gap(other order) is above
    0. What this cannot tell: a network may also lose because it never saw such frames.
    """
    planned = {p.spec.net for p in evidence.planned if p.spec.frame_order in MOTIONLESS}
    nets = ["r3d", *[net for net in NETS if net in planned and net not in ("r3d", *FLAT)]]
    normal, moved = {}, {}
    for net in ("f_r2d", *nets):
        normal[net] = evidence.net(printed(net), ["cues", "conv_types"], net=net)
        for order in MOTIONLESS:
            what = f"{printed(net)} on {order} frames"
            moved[net, order] = evidence.net(what, ["cues"], net=net, frame_order=order)
    evidence.require([*normal.values(), *moved.values()], "frame_order")
    left: dict[tuple[str, str], Outcomes] = {}
    for (net, order), own in moved.items():
        same = normal[net].of_seeds(own)
        require_same_weights(same, own)
        require_same_weights(moved[net, MOTIONLESS[0]], own)
        left[net, order] = own.outcomes(CLIP).minus(same.outcomes(CLIP), MOST)
    alone = {}
    for net in nets:
        what = f"{MOST:.0%} of the lead of {printed(net)} over f-R2D minus what is left on {{}} frames, {CLIP}"
        gone = [contrast(what.format(order), [left["f_r2d", order]], [left[net, order]]) for order in MOTIONLESS]
        alone[f"{printed(net)} alone"] = [minus(normal[net], normal["f_r2d"]), *gone]
    parts = tuple(part for own in alone.values() for part in own)
    return Verdict(combine(parts), parts, aside=alone)


# --- training and test errors with 18 and 34 layers (Figure 4)


def of_depth(evidence: Evidence, depth: int, seeds: int = 1) -> list[Network]:
    """R3D and R(2+1)D of one depth, trained; those of 18 layers may be Table 2's."""
    wanted = {"accept": lambda p: p.spec.epochs > 0, "fewest_seeds": seeds, "depth": depth}
    return [
        evidence.net(printed(net, depth), ["depth", "conv_types"], net=net, **wanted) for net in ("r3d", "r2plus1d")
    ]


def training_error(evidence: Evidence, *depths: int) -> list[Part]:
    """R3D's training error of the last epoch minus R(2+1)D's; of two depths, that gap at the first minus at the second.
    It is one number a run, so the interval is over seeds."""
    nets = [net for depth in depths for net in of_depth(evidence, depth, FEWEST_SEEDS)]
    evidence.require(nets, "depth")
    errors = [[float(p.run.history["train_error"].iloc[-1]) for p in net.runs.values()] for net in nets]
    gaps = [f"{full.name} minus {factorised.name}" for full, factorised in zip(nets[::2], nets[1::2], strict=True)]
    # of two gaps the second is subtracted: its R3D's with it, its R(2+1)D's against it
    return [over_seeds(f"training error, {', less that of '.join(gaps)}", errors[::3], errors[1:3])]


def test_error(evidence: Evidence) -> list[Part]:
    """Clip accuracy of the final test, R(2+1)D minus R3D, at each depth: R3D's test error minus R(2+1)D's."""
    pairs = [of_depth(evidence, depth) for depth in (18, 34)]
    for nets in pairs:
        evidence.require(nets)
    return [minus(ours, other) for other, ours in pairs]


# --- R(2+1)D-18 trained at several clip lengths (Figure 5), moved and fine-tuned; and resolution (section 4.3)
#
# What a plan calls short and long is read from it: the length of the network that is tested as it is, or fine-tuned, at
# another length. Frames of a clip are as far apart as the plan's closest (consecutive ones in the paper). A fine-tuned
# network has something in common with the one it started from, seed by seed; its intervals do not use that, and are
# rather too wide.

SCRATCH, MOVED, FINETUNED = "from scratch", "tested at another length", "fine-tuned to a longer length"


def of_lengths(evidence: Evidence) -> dict[str, list[Planned]]:
    """The experiment's runs of R(2+1)D-18, of the closest frames that it plans: those that test weights from scratch at
    the length that they were trained at, those that test weights as they are on longer clips than they were trained
    on, and those that go on training on longer clips."""
    wanted = "clip_length", "r2plus1d", 18
    every = [p for p in evidence.planned if (p.spec.experiment, p.spec.net, p.spec.depth) == wanted]
    found = {SCRATCH: [], MOVED: [], FINETUNED: []}
    for planned in (p for p in every if p.spec.frame_step == min(own.spec.frame_step for own in every)):
        own, start, length = evidence.trainer(planned).spec, evidence.start(planned), planned.spec.clip_length
        if not own.init_from and own.clip_length == length:
            found[SCRATCH].append(planned)
        if own.clip_length < length:
            found[MOVED].append(planned)
        if planned.spec.epochs > 0 and start is not None and start.spec.clip_length < length:
            found[FINETUNED].append(planned)
    return found


def net_of_lengths(evidence: Evidence, name: str, how: str, **wanted: object) -> Network:
    """R(2+1)D-18 of those runs of `of_lengths`."""
    accept = of_lengths(evidence)[how].__contains__
    return evidence.net(f"R(2+1)D-18 {name}", ["clip_length"], accept, net="r2plus1d", **wanted)


def by_length(evidence: Evidence, measure: Measure) -> dict[int, Outcomes]:
    """Length -> the network trained from scratch and tested at it, in order of length."""
    lengths = sorted({p.spec.clip_length for p in of_lengths(evidence)[SCRATCH]})
    nets = {length: net_of_lengths(evidence, f"at {length} frames", SCRATCH, clip_length=length) for length in lengths}
    if len(nets) < FEWEST_LENGTHS:
        evidence.missing.append(f"R(2+1)D-18 trained at {FEWEST_LENGTHS} clip lengths (the plan has {len(nets)})")
    evidence.require(nets.values(), "clip_length")
    return {length: net.outcomes(measure) for length, net in nets.items()}


def short_and_long(evidence: Evidence, how: str) -> tuple[Network, Network, Network]:
    """The networks trained at the short and at the long length, and the one that came from short to long."""
    found, runs, ends = net_of_lengths(evidence, how, how), of_lengths(evidence), {}
    starts = [start for p in runs[how] if (start := evidence.start(p)) is not None]
    for end, own in (("short", starts), ("long", runs[how])):
        if at := {p.spec.clip_length for p in own} & {p.spec.clip_length for p in runs[SCRATCH]}:
            ends[end] = net_of_lengths(evidence, f"at {max(at)} frames", SCRATCH, clip_length=max(at))
        elif runs[how]:
            evidence.missing.append(f"R(2+1)D-18 trained from scratch at the {end} length of the one {how}")
    evidence.require()
    return ends["short"], ends["long"], replace(found, name=f"{found.name} ({found.spec.clip_length} frames)")


def clip_rises(evidence: Evidence) -> list[Part]:
    """Each length against the one before it."""
    clip = by_length(evidence, CLIP)
    steps = zip(list(clip)[1:], clip, strict=False)
    return [contrast(f"{b} frames minus {a}, {CLIP}", [clip[b]], [clip[a]]) for b, a in steps]


def video_peaks(evidence: Evidence) -> Verdict:
    """Some length in between is better than the shortest and than the longest.

    The best of m lengths is sought, so reproduced by intervals of level 1 - 0.05 / m; contradicted when of every length
    one of its two differences is below 0, by the interval of level 1 - 0.05 / 2.
    """
    video = by_length(evidence, VIDEO)
    first, *between, last = video
    pairs = [
        [contrast(f"{length} frames minus {end}, {VIDEO}", [video[length]], [video[end]]) for end in (first, last)]
        for length in between
    ]
    outcome, among, edge = INCONCLUSIVE, len(between), 0  # an interval is above 0 by its low end
    if any(all(part.outcome_among(len(between)) == REPRODUCED for part in ends) for ends in pairs):
        outcome = REPRODUCED
    elif all(any(part.outcome_among(2) == CONTRADICTED for part in ends) for ends in pairs):
        outcome, among, edge = CONTRADICTED, 2, 1  # and below 0 by its high end

    # of the length in between that comes closest to a peak, the end over which it is less high
    height = {part: part.among(among)[edge] for ends in pairs for part in ends}
    closest = max((min(ends, key=height.get) for ends in pairs), key=height.get)
    return Verdict(outcome, tuple(part for ends in pairs for part in ends), decides=(closest, among))


def short_at_long(evidence: Evidence) -> list[Part]:
    """The short-clip network on short clips minus the same weights on long ones."""
    short, _, at_long = short_and_long(evidence, MOVED)
    evidence.require([short, at_long], "clip_length")
    same = short.of_seeds(at_long)
    require_same_weights(same, at_long)
    own = same.outcomes(CLIP).minus(at_long.outcomes(CLIP))
    return [contrast(f"{short.name} minus the same network on {at_long.spec.clip_length}, {CLIP}", [own])]


def finetuned(evidence: Evidence) -> list[Part]:
    """Fine-tuned to long clips: equal to the network trained on them from scratch, and better than the short one."""
    short, long, tuned = short_and_long(evidence, FINETUNED)
    evidence.require([short, long], "clip_length")
    evidence.require([long, tuned], "clip_length", *OF_TRAINING)
    return [minus(tuned, long, EQUAL), minus(tuned, short)]


def long_patterns(evidence: Evidence) -> list[Part]:
    """On the same long clips, networks trained on them (from scratch, fine-tuned) minus the one trained on short."""
    _, long, at_long = short_and_long(evidence, MOVED)
    _, _, tuned = short_and_long(evidence, FINETUNED)
    evidence.require([at_long, long])
    evidence.require([at_long, tuned], *OF_TRAINING)
    return [minus(net, at_long) for net in (long, tuned)]


def more_correlated(evidence: Evidence) -> list[Part]:
    """The correlation of clips of one video, longest length minus shortest; see `clip_correlation`. Undecidable where
    videos have too few frames for two clips of the longest: which ones do depends on the length."""

    def of_all(predictions: Predictions) -> np.ndarray:
        if min(map(len, predictions.clip_scores)) < 2:
            raise Undecidable("some videos were tested on one clip only: there are no two to correlate")
        return clip_correlation(predictions)

    correlation = by_length(evidence, of_all)
    first, *_, last = correlation
    what = f"correlation of the right class's score in two clips of a video, {last} frames minus {first}"
    return [contrast(what, [correlation[last]], [correlation[first]], unit="", digits=3)]


def clip_correlation(predictions: Predictions) -> np.ndarray:
    """(V,) whose mean is the intraclass correlation of the right class's score over the clips of a video.

    How alike two clips of one video are, beside two clips of any two videos: with p the score (of all right classes,
    where there are several) and m its mean over videos, the mean over videos of (p_i - m) (p_j - m) over all pairs of
    clips of the video, by that of (p_i - m)^2. At 1 all clips of a video score the same; at 0 they differ as those of
    different videos do. A video's part is how far it moves that ratio; one with a single clip moves it not at all.
    Undecidable where no video has two.
    """
    scored = zip(predictions.whole_clip_scores, predictions.right_classes, strict=True)
    scores_of_right = [scores[:, own].astype(float).sum(1) for scores, own in scored]
    several = np.array([len(scores) > 1 for scores in scores_of_right])
    if not several.any():
        raise Undecidable("every video was tested on one clip: there are no two to correlate")
    p = [scores for scores in scores_of_right if len(scores) > 1]
    centre = np.mean([own.mean() for own in p])
    clips, sums = np.array([len(own) for own in p]), np.array([(own - centre).sum() for own in p])  # (V,)
    squares = np.array([((own - centre) ** 2).mean() for own in p])
    pairs = (sums**2 - clips * squares) / (clips * (clips - 1))  # over ordered pairs of different clips
    ratio = pairs.mean() / squares.mean()
    parts = np.full(len(several), ratio)
    parts[several] += (pairs - ratio * squares) / squares.mean() / several.mean()
    return parts


def resolution(evidence: Evidence) -> list[Part]:
    """The plan's higher resolution against half of it, clip and video accuracy, equal."""
    side = max((p.spec.resolution for p in evidence.planned if p.spec.experiment == "resolution"), default=0)
    what, half = "R(2+1)D-18 at the higher resolution", side // 2
    high = evidence.net(what, ["resolution"], net="r2plus1d", resolution=side)
    if high.spec is None:
        evidence.require()
    wanted = {"net": "r2plus1d", "resolution": half, "clip_length": high.spec.clip_length}
    low = evidence.net(f"R(2+1)D-18 at {half} x {half}", ["resolution", "conv_types"], **wanted)
    evidence.require([low, high], "resolution")
    what = f"{2 * half} x {2 * half} minus {half} x {half}"
    return [contrast(f"{what}, {m}", [high.outcomes(m)], [low.outcomes(m)], EQUAL) for m in (CLIP, VIDEO)]


# --- Tables 3 to 5: accuracies, two streams, pretraining (section 4.4)
#
# Accuracies on Kinetics, Sports-1M, UCF101 and HMDB51 can be measured on these only: on other data such a claim cannot
# be decided, whatever is run. That averaging two streams gains is said of networks, and is decided wherever both
# streams are trained.

RGB, FLOW, FUSED = "RGB", "Flow", "Two-Stream"  # as in the paper's tables
TWO_STREAMS = ("two_stream", "kinetics", "sports1m", "transfer")  # experiments that may have both
# Where the first weights come from, as Tables 4 and 5 name it -> the experiment of the run that gave them.
PRETRAINING = {"Sports-1M": "sports1m", "Kinetics-400": "kinetics"}
KINETICS, TRANSFER = {"kinetics400": "Kinetics"}, {"ucf101": "UCF101", "hmdb51": "HMDB51"}  # dataset's first word
OTHER_DATA = "an accuracy on {} is measured on that dataset, which this plan does not use"
Streams = dict[str, Network]


def streams(evidence: Evidence, what: str, *arguments: object, **wanted: object) -> Streams:
    """R(2+1)D-34 on RGB and on flow; arguments as of `Evidence.net`."""
    wanted |= {"net": "r2plus1d", "depth": 34}
    return {s: evidence.net(f"{what}, {s}", *arguments, modality=s.lower(), **wanted) for s in (RGB, FLOW)}


def both(rgb: Network, flow: Network) -> Outcomes:
    """Video accuracy of two streams' scores averaged, seed by seed and split by split."""
    if rgb.runs.keys() != flow.runs.keys():
        raise Undecidable(f"{rgb.name} and {flow.name} do not have the same seeds and splits")
    others = flow.tests()
    scores = {s: {split: fuse(own[split], others[s][split]) for split in own} for s, own in rgb.tests().items()}
    return outcomes(scores)


def scored(nets: Streams) -> dict[str, Outcomes]:
    """Video accuracy of each stream and of both averaged."""
    return {stream: net.outcomes(VIDEO) for stream, net in nets.items()} | {FUSED: both(nets[RGB], nets[FLOW])}


def as_published(what: str, own: Outcomes, value: float, measure: str = VIDEO) -> Part:
    """A measured accuracy minus the published one, to be equal."""
    return contrast(f"{what}, {measure} minus the published {value:.1f}", [own], claimed=EQUAL, published=value)


def pretrained(
    evidence: Evidence, sets: Mapping[str, str], experiment: str, starts: Iterable[str], splits: Sequence[int] = ()
) -> dict[tuple[str, str], Streams]:
    """(dataset's first word, pretraining) -> streams of R(2+1)D-34, all of them complete; from scratch for "none"."""
    found = {}
    for family, start in ((family, start) for family in sets for start in starts):

        def accept(planned: Planned, family: str = family, start: str = start) -> bool:
            source = evidence.start(planned)
            given = source.spec.experiment if source else planned.spec.init_from  # by a run of the plan, or a file
            return planned.spec.dataset_family == family and given == PRETRAINING.get(start, "")

        what = f"R(2+1)D-34 on {sets[family]}, pretraining {start}"
        found[family, start] = streams(evidence, what, [experiment], accept, splits)
    evidence.require()
    return found


def sports(evidence: Evidence) -> list[Part]:
    """Clip accuracy of R(2+1)D-34 and R3D-34 on RGB, video accuracy of both streams, at 32 frames, as in Table 3."""
    evidence.require_data(["sports1m"], OTHER_DATA.format("Sports-1M"))
    table = published.table("table3_sports1m").set_index("method")
    ours = streams(evidence, "R(2+1)D-34 on Sports-1M", ["sports1m"], clip_length=32)
    other = evidence.net("R3D-34 on Sports-1M", ["sports1m"], net="r3d", depth=34, clip_length=32)
    evidence.require()
    clip, video = table["clip_top1"], table["video_top1"]
    return [
        as_published("R(2+1)D-34 RGB", ours[RGB].outcomes(CLIP), clip["R(2+1)D-RGB-32frame"], CLIP),
        as_published("R3D-34 RGB", other.outcomes(CLIP), clip["R3D"], CLIP),
        as_published("R(2+1)D-34 two streams", scored(ours)[FUSED], video["R(2+1)D-Two-Stream-32frame"]),
    ]


def benchmark(evidence: Evidence, table: str, sets: Mapping[str, str], *runs: object) -> list[Part]:
    """Video accuracy of the rows of R(2+1)D-34 in a table; of three official splits their mean."""
    evidence.require_data(sets, OTHER_DATA.format(" or ".join(sets.values())))
    rows = published.table(table).set_index(["method", "pretraining"]).rename(columns={"top1": "kinetics400"})
    return [
        as_published(f"{stream} on {sets[family]}, pretraining {start}", own, rows[family][f"R(2+1)D-{stream}", start])
        for (family, start), nets in pretrained(evidence, sets, *runs).items()
        for stream, own in scored(nets).items()
    ]


def pretraining(evidence: Evidence) -> list[Part]:
    """From Kinetics minus from Sports-1M, each stream and both, on UCF101 and on HMDB51."""
    why = "which of two datasets is the better one to start from is a property of these, which this plan does not use"
    evidence.require_data(TRANSFER, why)
    found, parts = pretrained(evidence, TRANSFER, "transfer", PRETRAINING, OFFICIAL_SPLITS), []
    for family, name in TRANSFER.items():
        starts = [found[family, start] for start in ("Kinetics-400", "Sports-1M")]
        evidence.require([net for nets in starts for net in nets.values()], "modality")
        ours, others = map(scored, starts)
        what = f"{{}} on {name} from Kinetics minus from Sports-1M, {VIDEO}"
        parts += [contrast(what.format(stream), [ours[stream]], [others[stream]]) for stream in ours]
    return parts


def fusion(evidence: Evidence) -> list[Part]:
    """Both streams averaged minus each alone, seeds paired, of every network of which the plan trains both."""

    def but_the_stream(planned: Planned) -> tuple:
        """What two streams of one network have in common, over all seeds and splits: settings, and their start. Each is
        standardised in its own way."""
        own, start = asdict(evidence.trained_as(planned)), evidence.start(planned)
        kept = [value for name, value in own.items() if name not in (*DRAWN, "experiment", "modality", "standardise")]
        return (*kept, planned.spec.init_from != "", start and start.spec.experiment)

    experiments = (*TWO_STREAMS, "conv_types")
    fusible = [p for p in evidence.planned if p.spec.experiment in experiments and p.spec.frame_order == "normal"]
    keys = {p.folder: but_the_stream(p) for p in fusible}
    groups = {(p.spec.experiment, keys[p.folder]): p for p in fusible if p.spec.modality == "flow"}
    if not groups:
        evidence.missing.append("networks on RGB and on optical flow (the plan has no pair of them)")
    found = []
    for (experiment, key), one in groups.items():
        name = f"{one.spec.experiment} on {one.spec.dataset}, {one.spec.clip_length} frames"
        if (start := evidence.start(one)) is not None:
            name += f", from {start.spec.experiment}"
        same = [p for p in fusible if keys[p.folder] == key].__contains__
        places = {"rgb": [experiment, "conv_types"], "flow": [experiment]}  # Table 2's RGB, where no other is planned
        rgb, flow = (
            evidence.net(f"{name}, {stream}", places[stream], same, modality=stream, depth=one.spec.depth)
            for stream in places
        )
        found.append([rgb.of_seeds(flow), flow])
    evidence.require()
    evidence.used = [planned.folder for pair in found for net in pair for planned in net.runs.values()]
    return [
        contrast(
            f"RGB and flow minus {stream}, {VIDEO}" + f" ({net.name})" * (len(found) > 1),
            [fused.minus(net.outcomes(VIDEO))],
        )
        for pair in found
        for fused in [both(*pair)]
        for stream, net in zip(("RGB", "flow"), pair, strict=True)
    ]


# --- joining the scores of a video's clips in another way than by their mean (section 5)


def right_by(way: str, predictions: Predictions) -> np.ndarray:
    """(V,): 100 for each video that its clips' scores, joined in this way of `WAYS`, name right, else 0."""
    answers = zip(predictions.answers_by(way), predictions.right_classes, strict=True)
    return np.array([100.0 * (answer in own) for answer, own in answers])


def joined(evidence: Evidence) -> Verdict:
    """The best way gains more than `CLOSE` points over the mean of the scores, averaged over Table 2's networks, by the
    interval of level 1 - 0.05 / ways; contradicted when all gain less."""
    planned = {p.spec.net for p in evidence.planned if p.spec.experiment == "conv_types"}
    nets = [evidence.net(printed(net), ["conv_types"], net=net) for net in NETS if net in planned]
    if not nets:
        evidence.missing.append("networks of Table 2 (the plan has none)")
    evidence.require()
    parts = []
    for way in WAYS:
        gains = [net.outcomes(partial(right_by, way)).minus(net.outcomes(VIDEO)) for net in nets]
        parts.append(contrast(f"gain by {way}, {VIDEO}", gains, claimed=(CLOSE, inf)))
    outcome = CONTRADICTED if all(part.outcome == CONTRADICTED for part in parts) else INCONCLUSIVE
    if any(part.outcome_among(len(parts)) == REPRODUCED for part in parts):
        outcome = REPRODUCED
    edge, among = (0, len(parts)) if outcome == REPRODUCED else (1, 1)
    best = max(parts, key=lambda part: part.among(among)[edge])
    return Verdict(outcome, tuple(parts), decides=(best, among))


# --- claims that no accuracy decides

FILTER_EXPERIMENTS = ("filters", "conv_types")  # whose runs keep them
# First word of a dataset's name -> its name, videos and classes as printed in section 4.4.
PRINTED_SIZES = {
    "sports1m": ("Sports-1M", 1_100_000, 487),
    "kinetics400": ("Kinetics", 300_000, 400),
    "ucf101": ("UCF101", 13_000, 101),
    "hmdb51": ("HMDB51", 6_000, 51),
}


def filters(evidence: Evidence) -> list[Part]:
    """Of each seed's R(2+1)D-18, the share of conv1's spatial and temporal weights that are within Figure 6's scale."""
    why = "the size of weights follows from the data and from the width, and this plan is not on Kinetics"
    evidence.require_data(KINETICS, why)
    net = evidence.net(printed("r2plus1d"), FILTER_EXPERIMENTS, net="r2plus1d")
    evidence.require()
    parts = []
    for (seed, _), planned in net.runs.items():
        if (weights := read_conv1(planned.run.folder)) is None:
            evidence.missing.append(f"{CONV1} of {net.name}, seed {seed}")
            continue
        for kind, array in zip(("spatial", "temporal"), weights, strict=True):
            what = f"{kind} weights of {net.name} within {LARGEST_WEIGHT}, share, seed {seed}"
            share = float((np.abs(array) <= LARGEST_WEIGHT).mean())
            parts.append(exact(what, share, (WITHIN - 1e-9, 2), digits=4))
    evidence.require()
    return parts


def sizes(evidence: Evidence) -> Verdict:
    """Videos and classes of the indexes that complete runs were made on, the largest of each dataset; fewer videos do
    not contradict a printed number, since some have been withdrawn."""
    evidence.require_data(PRINTED_SIZES, "the sizes are those of datasets that this plan does not use")
    parts, lost = [], []
    for family, (name, videos, classes) in PRINTED_SIZES.items():
        runs = [p for p in evidence.planned if p.spec.dataset_family == family and p.run is not None]
        if not runs:
            evidence.missing.append(f"a complete run on {name}")
            continue
        largest = max(runs, key=lambda p: p.run.provenance["dataset"]["videos"])
        evidence.used.append(largest.folder)
        counted = largest.run.provenance["dataset"]["videos"] / videos
        of_videos = exact(f"videos of {name} by the printed {videos:,}", counted, (1 - SAME, 1 + SAME))
        (lost if counted < 1 - SAME else parts).append(of_videos)
        missing = len(largest.run.predictions.classes) - classes
        parts.append(exact(f"classes of {name} minus the printed {classes}", missing, (-0.5, 0.5), digits=0))
    evidence.require()
    outcome = combine(parts)
    return Verdict(INCONCLUSIVE if lost and outcome == REPRODUCED else outcome, (*parts, *lost))


# The id of an empirical claim in evidence/claims.csv -> what decides it; the others are `UNPLANNED`.
RULES: dict[str, Callable[[Evidence], list[Part] | Verdict]] = {
    **{id: partial(table2, pairs=pairs, claimed=claimed) for id, (pairs, claimed) in PAIRS.items()},
    "run-motion": motion,
    "run-nonlinearity": nonlinearity,
    "run-train-error-18": lambda evidence: training_error(evidence, 18),
    "run-train-error-34": lambda evidence: training_error(evidence, 34),
    "run-gap-depth": lambda evidence: training_error(evidence, 34, 18),
    "run-test-error": test_error,
    "run-clip-rises": clip_rises,
    "run-video-peak": video_peaks,
    "run-8-at-32": short_at_long,
    "run-finetune": finetuned,
    "run-long-patterns": long_patterns,
    "run-correlation": more_correlated,
    "run-resolution": resolution,
    "run-sports": sports,
    "run-kinetics": lambda runs: benchmark(runs, "table4_kinetics", KINETICS, "kinetics", ("none", "Sports-1M")),
    "run-fusion": fusion,
    "run-transfer": lambda runs: benchmark(runs, "table5_transfer", TRANSFER, "transfer", PRETRAINING, OFFICIAL_SPLITS),
    "run-pretraining": pretraining,
    "run-filters": filters,
    "run-aggregation": joined,
    "run-sizes": sizes,
}


def decide(claim_id: str, runs: pd.DataFrame, plan: str) -> Verdict:
    """The verdict of one plan's recorded runs on an empirical claim.

    Args:
        runs: a table of `results.load_plan_runs` or `results.table`; those of other plans are not looked at.

    Raises:
        ValueError: no rule for that id, or no run of that plan in the table.
    """
    if claim_id not in RULES and claim_id not in UNPLANNED:
        raise ValueError(f"{claim_id!r} is no empirical claim: there is no rule for it in {__name__}.RULES")
    evidence = Evidence(runs, plan)
    if why := WITHOUT_VERDICTS.get(plan) or UNPLANNED.get(claim_id):
        return Verdict(UNDECIDABLE, why=why)
    try:
        found = RULES[claim_id](evidence)
        verdict = found if isinstance(found, Verdict) else Verdict(combine(found), tuple(found))
    except NotRunYet:
        verdict = Verdict(NOT_RUN, missing=tuple(dict.fromkeys(evidence.missing)))
    except NotComparable as reason:
        verdict = Verdict(UNDECIDABLE, why=str(reason))
    if not verdict.covers_seeds:
        verdict = replace(verdict, outcome=INCONCLUSIVE)
    return replace(verdict, folders=tuple(dict.fromkeys(evidence.used)))
