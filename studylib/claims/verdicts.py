"""What recorded runs say of the paper's empirical claims, by rules written down as code.

A rule takes the runs of one plan and gives the parts of its claim, each a number with a 95% interval, and a verdict
from them (see `parts`). It is the same for every plan: networks are found by what they are (see `networks`), and a
claim about a dataset is decided on that dataset only. The rules in words are in evidence/claims.csv. The size of a
difference is no part of a claim, only its side: how many points two networks are apart depends on the data.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from math import inf

import numpy as np
import pandas as pd

from studylib.claims import published
from studylib.claims.networks import (
    CLIP,
    OF_TRAINING,
    VIDEO,
    Evidence,
    Network,
    NotRunYet,
    Planned,
    Undecidable,
    printed,
    require_same_weights,
)
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
from studylib.nets.table import NETS
from studylib.stats import NotComparable
from studylib.stats.estimates import OFFICIAL_SPLITS, Measure, Outcomes, Scores, outcomes
from studylib.stats.fusion import fuse
from studylib.training.evaluation import WAYS, Predictions
from studylib.training.run_files import CONV1, read_conv1

# Plans that decide nothing, whatever their intervals, and why.
WITHOUT_VERDICTS = {
    "quick": "the plan quick is a smoke check: few videos, few epochs",
    "calibration": "the settings of the study were chosen by the plan calibration, on its test videos",
    "ucf101_subset": "the plan ucf101_subset has too few videos to conclude from",
}


def minus(first: Network, second: Network, claimed: tuple[float, float] = ABOVE, measure: Measure = CLIP) -> Part:
    """One network minus another."""
    what = f"{first.name} minus {second.name}, {measure}"
    return contrast(what, [first.outcomes(measure)], [second.outcomes(measure)], claimed)


# --- types of convolution: Table 2, and where its differences come from (section 4.2)

FLAT = ("r2d", "f_r2d")
MC, RMC = ("mc2", "mc3", "mc4", "mc5"), ("rmc2", "rmc3", "rmc4", "rmc5")
OVER_TIME = ("r3d", *MC, *RMC)  # "R3D or mixed convolutional models", the nets of the first finding of section 4.2
# Which nets a claim compares, the first minus the second. With 1, 2, 3 and 4 groups over time: MC(k + 1) has them in
# its first k groups, rMC(6 - k) in its last k; the sum of these four differences is that of MCx and rMCx with equal x.
OVER_FLAT = tuple((net, flat) for net in OVER_TIME for flat in FLAT)
BEST = tuple(("r2plus1d", other) for other in NETS if other != "r2plus1d")
MIXED_AS_3D = tuple((net, "r3d") for net in MC)
EARLY_OVER_LATE = tuple(zip(MC, reversed(RMC), strict=True))
WITHOUT_MC2 = "Without MC2, which convolves over time in conv1 only"
MOTIONLESS = ("shuffled", "frozen")


def table2(evidence: Evidence, nets: Iterable[str]) -> dict[str, Network]:
    """These nets of Table 2, trained and tested alike."""
    found = {net: evidence.net(printed(net), ["conv_types"], net=net) for net in nets}
    evidence.require(found.values())
    return found


def of_pairs(
    evidence: Evidence,
    pairs: Sequence[tuple[str, str]],
    claimed: tuple[float, float] = ABOVE,
    beside_mc2: bool = True,
) -> Verdict:
    """Each pair's first net minus its second; beside it, what the pairs without MC2 say."""
    nets = table2(evidence, dict.fromkeys(net for side in zip(*pairs, strict=True) for net in side))
    parts = {pair: minus(*(nets[net] for net in pair), claimed) for pair in pairs}
    rest = [part for pair, part in parts.items() if "mc2" not in pair]
    return Verdict(combine([*parts.values()]), tuple(parts.values()), aside={WITHOUT_MC2: rest} if beside_mc2 else {})


def mixed_over_reversed(evidence: Evidence) -> Verdict:
    """The mean of the four MCx against the mean of the four rMCx."""
    nets = table2(evidence, (*MC, *RMC))
    whole, rest = (
        contrast(
            f"mean of {mixed[0].upper()} to MC5 minus mean of rMC2 to rMC5, {CLIP}",
            *([nets[net].outcomes(CLIP) for net in side] for side in (mixed, RMC)),
        )
        for mixed in (MC, MC[1:])
    )
    return Verdict(combine([whole]), (whole,), aside={WITHOUT_MC2: [rest]})


def nonlinearity(evidence: Evidence) -> list[Part]:
    """R(2+1)D is better than R3D, and better than itself without the ReLU between its two convolutions.

    R3D with added ReLUs decides nothing: the paper's ReLUs are those that factorising makes room for.
    """
    whole, full = (evidence.net(printed(net), ["mechanism", "conv_types"], net=net) for net in ("r2plus1d", "r3d"))
    without = evidence.net("R(2+1)D-18 without inner ReLU", ["mechanism"], net="r2plus1d_no_inner_relu")
    evidence.require([whole, full, without])
    return [minus(whole, full), minus(whole, without)]


def motion(evidence: Evidence) -> Verdict:
    """Networks over time are ahead of f-R2D, and more than `MOST` of that gap goes where the frames do not move.

    The trained networks are tested as they are, on shuffled and on frozen frames: R3D, and whichever other nets over
    time the plan tests so. With gap the accuracy minus f-R2D's, MOST x gap(frames in order) - gap(other order) is above
    0: the lead is less than half of what it was. f-R2D's own loss from a frozen frame is taken off by that. What this
    cannot tell: a network may also lose because it never saw such frames.
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
    parts = [part for own in alone.values() for part in own]
    return Verdict(combine(parts), tuple(parts), aside=alone)


# --- training and test errors with 18 and 34 layers (Figure 4)
#
# A training error is one number a run, the share of the last epoch's augmented training clips that were named wrong. It
# has no videos to pair: its interval is over seeds (Welch's), of which each network needs `FEWEST_SEEDS`.

DEPTHS = (18, 34)


def of_depth(evidence: Evidence, depth: int, seeds: int = 1) -> list[Network]:
    """R3D and R(2+1)D of one depth, trained; those of 18 layers may be Table 2's."""

    def net(key: str) -> Network:
        wanted = {"fewest_seeds": seeds, "net": key, "depth": depth}
        return evidence.net(printed(key, depth), ["depth", "conv_types"], lambda p: p.spec.epochs > 0, **wanted)

    return [net("r3d"), net("r2plus1d")]


def last_errors(net: Network) -> list[float]:
    """Training error of the last epoch, percent, a number a run."""
    return [float(planned.run.history["train_error"].iloc[-1]) for planned in net.runs.values()]


def training_error(evidence: Evidence, depth: int) -> list[Part]:
    """R3D's minus R(2+1)D's, last epoch."""
    nets = of_depth(evidence, depth, FEWEST_SEEDS)
    evidence.require(nets)
    full, factorised = nets
    what = f"training error of {full.name} minus that of {factorised.name}"
    return [over_seeds(what, [last_errors(full)], [last_errors(factorised)])]


def gap_grows(evidence: Evidence) -> list[Part]:
    """That difference with 34 layers minus the same with 18."""
    nets = [net for depth in reversed(DEPTHS) for net in of_depth(evidence, depth, FEWEST_SEEDS)]
    evidence.require(nets, "depth")
    deep_3d, deep, shallow_3d, shallow = map(last_errors, nets)
    what = "gap in training error of R3D and R(2+1)D, with 34 layers minus with 18"
    return [over_seeds(what, [deep_3d, shallow], [deep, shallow_3d])]


def test_error(evidence: Evidence) -> list[Part]:
    """Clip accuracy of the final test, R(2+1)D minus R3D, at each depth: R3D's test error minus R(2+1)D's."""
    pairs = [of_depth(evidence, depth) for depth in DEPTHS]
    for nets in pairs:
        evidence.require(nets)
    return [minus(ours, other) for other, ours in pairs]


# --- R(2+1)D-18 trained at several clip lengths (Figure 5), moved and fine-tuned; and resolution (section 4.3)
#
# What a plan calls short and long is read from it: the length of the network that is tested as it is, or fine-tuned, at
# another length. Frames of a clip are as far apart as the plan's closest (consecutive ones in the paper). A fine-tuned
# network has something in common with the one it started from, seed by seed; its intervals do not use that, and are
# rather too wide.

Choice = Callable[[Evidence, Planned], bool]


def of_lengths(evidence: Evidence) -> list[Planned]:
    """The experiment's runs of R(2+1)D-18, of the closest frames that it plans."""
    own = [p for p in evidence.planned if (p.spec.experiment, p.spec.net) == ("clip_length", "r2plus1d")]
    own = [p for p in own if p.spec.depth == 18]
    return [p for p in own if p.spec.frame_step == min(q.spec.frame_step for q in own)]


def is_at_its_own(evidence: Evidence, planned: Planned) -> bool:
    """Whether it tests weights, trained from scratch, at the length that they were trained at."""
    trainer = evidence.trainer(planned).spec
    return not trainer.init_from and trainer.clip_length == planned.spec.clip_length


def is_moved(evidence: Evidence, planned: Planned) -> bool:
    """Whether it tests weights as they are, on longer clips than those they were trained on."""
    return evidence.trainer(planned).spec.clip_length < planned.spec.clip_length


def is_finetuned(evidence: Evidence, planned: Planned) -> bool:
    """Whether it goes on training, on longer clips, from weights of the plan."""
    start = evidence.start(planned)
    return planned.spec.epochs > 0 and start is not None and start.spec.clip_length < planned.spec.clip_length


def net_of_lengths(evidence: Evidence, what: str, accept: Choice, **wanted: object) -> Network:
    """The network of `of_lengths` whose runs are accepted."""
    known = [p for p in of_lengths(evidence) if accept(evidence, p)]
    return evidence.net(f"R(2+1)D-18 {what}", ["clip_length"], known.__contains__, net="r2plus1d", **wanted)


def trained_at(evidence: Evidence, length: int) -> Network:
    """The network trained from scratch on clips of this length and tested at it."""
    return net_of_lengths(evidence, f"at {length} frames", is_at_its_own, clip_length=length)


def planned_lengths(evidence: Evidence) -> list[int]:
    """The lengths that networks are trained at from scratch and tested at, the shortest first."""
    return sorted({p.spec.clip_length for p in of_lengths(evidence) if is_at_its_own(evidence, p)})


def by_length(evidence: Evidence, measure: Measure) -> dict[int, Outcomes]:
    """Length -> the network trained and tested at it, in order of length."""
    nets = {length: trained_at(evidence, length) for length in planned_lengths(evidence)}
    if len(nets) < FEWEST_LENGTHS:
        evidence.missing.append(f"R(2+1)D-18 trained at {FEWEST_LENGTHS} clip lengths (the plan has {len(nets)})")
    evidence.require(nets.values(), "clip_length")
    return {length: net.outcomes(measure) for length, net in nets.items()}


def short_and_long(evidence: Evidence, how: str, accept: Choice) -> tuple[Network, Network, Network]:
    """The networks trained at the short and at the long length, and the one that came from short to long."""
    found = net_of_lengths(evidence, how, accept)
    moved = [p for p in of_lengths(evidence) if accept(evidence, p)]
    starts = [start for p in moved if (start := evidence.start(p)) is not None]
    ends, known = {}, planned_lengths(evidence)
    for name, own in (("short", starts), ("long", moved)):
        if at := {p.spec.clip_length for p in own} & set(known):
            ends[name] = trained_at(evidence, max(at))
        elif moved:
            evidence.missing.append(f"R(2+1)D-18 trained from scratch at the {name} length of the one {how}")
    evidence.require()
    return ends["short"], ends["long"], replace(found, name=f"{found.name} ({found.spec.clip_length} frames)")


MOVED = "tested at another length", is_moved
FINETUNED = "fine-tuned to a longer length", is_finetuned


def clip_rises(evidence: Evidence) -> list[Part]:
    """Each length against the one before it."""
    clip = by_length(evidence, CLIP)
    steps = zip(list(clip)[1:], clip, strict=False)
    return [contrast(f"{b} frames minus {a}, {CLIP}", [clip[b]], [clip[a]]) for b, a in steps]


def video_peaks(evidence: Evidence) -> Verdict:
    """Some length in between is better than the shortest and than the longest.

    Reproduced when for one of the m lengths in between both differences are above 0; the best of m is sought, so both
    intervals are those of level 1 - 0.05 / m. Contradicted when for every length in between one of its two differences
    is below 0, by the interval of level 1 - 0.05 / 2.
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

    def height(part: Part) -> float:
        return part.among(among)[edge]

    # of the length in between that comes closest to a peak, the end over which it is less high
    closest = max((min(ends, key=height) for ends in pairs), key=height)
    return Verdict(outcome, tuple(part for ends in pairs for part in ends), decides=(closest, among))


def short_at_long(evidence: Evidence) -> list[Part]:
    """The short-clip network on short clips minus the same weights on long ones."""
    short, _, at_long = short_and_long(evidence, *MOVED)
    evidence.require([short, at_long], "clip_length")
    require_same_weights(short, at_long)
    own = short.outcomes(CLIP).minus(at_long.outcomes(CLIP))
    return [contrast(f"{short.name} minus the same network on {at_long.spec.clip_length}, {CLIP}", [own])]


def finetuned(evidence: Evidence) -> list[Part]:
    """Fine-tuned to long clips: equal to the network trained on them from scratch, and better than the short one."""
    short, long, tuned = short_and_long(evidence, *FINETUNED)
    evidence.require([short, long], "clip_length")
    evidence.require([long, tuned], "clip_length", *OF_TRAINING)
    return [minus(tuned, long, EQUAL), minus(tuned, short)]


def long_patterns(evidence: Evidence) -> list[Part]:
    """On the same long clips, networks trained on them (from scratch, fine-tuned) minus the one trained on short."""
    _, long, at_long = short_and_long(evidence, *MOVED)
    _, _, tuned = short_and_long(evidence, *FINETUNED)
    evidence.require([at_long, long])
    evidence.require([at_long, tuned], *OF_TRAINING)
    return [minus(net, at_long) for net in (long, tuned)]


def more_correlated(evidence: Evidence) -> list[Part]:
    """The correlation of clips of one video, longest length minus shortest; see `clip_correlation`."""
    correlation = by_length(evidence, clip_correlation)
    first, *_, last = correlation
    what = f"correlation of the right class's score in two clips of a video, {last} frames minus {first}"
    return [contrast(what, [correlation[last]], [correlation[first]], unit="", digits=3)]


def clip_correlation(predictions: Predictions) -> np.ndarray:
    """(V,) whose mean is the intraclass correlation of the right class's score over the clips of a video.

    How alike two clips of one video are, beside two clips of any two videos: with p the score (of all right classes,
    where there are several) and m its mean over videos, the mean over videos of (p_i - m) (p_j - m) over all pairs of
    clips of the video, by that of (p_i - m)^2. At 1 all clips of a video score the same and their mean is no better
    than one; at 0 they differ as those of different videos do. A video's part is how far it moves that ratio.

    Raises:
        Undecidable: a video has one clip only.
    """
    scored = zip(predictions.whole_clip_scores, predictions.right_classes, strict=True)
    p = [scores[:, own].astype(float).sum(1) for scores, own in scored]
    if single := [video for video, own in zip(predictions.videos, p, strict=True) if len(own) < 2]:
        raise Undecidable(f"{single[0]} was tested on one clip: there are no two to correlate")
    centre = np.mean([own.mean() for own in p])
    clips, sums = np.array([len(own) for own in p]), np.array([(own - centre).sum() for own in p])  # (V,)
    squares = np.array([((own - centre) ** 2).mean() for own in p])
    pairs = (sums**2 - clips * squares) / (clips * (clips - 1))  # over ordered pairs of different clips
    ratio = pairs.mean() / squares.mean()
    return ratio + (pairs - ratio * squares) / squares.mean()


def resolution(evidence: Evidence) -> list[Part]:
    """The plan's higher resolution against half of it, clip and video accuracy, equal."""
    sides = [p.spec.resolution for p in evidence.planned if p.spec.experiment == "resolution"]
    name = "R(2+1)D-18 at the higher resolution"
    high = evidence.net(name, ["resolution"], lambda p: p.spec.resolution == max(sides), net="r2plus1d")
    if high.spec is None:
        evidence.require()
    half = high.spec.resolution // 2
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
SETS = {"ucf101": "UCF101", "hmdb51": "HMDB51"}  # first word of a dataset's name -> its name
OTHER_DATA = "an accuracy on {} is measured on that dataset, which this plan does not use"
Streams = dict[str, Network]


def streams(evidence: Evidence, what: str, *arguments: object, **wanted: object) -> Streams:
    """R(2+1)D-34 on RGB and on flow; arguments as of `Evidence.net`."""
    wanted |= {"net": "r2plus1d", "depth": 34}
    return {
        stream: evidence.net(f"{what}, {stream}", *arguments, modality=stream.lower(), **wanted)
        for stream in (RGB, FLOW)
    }


def both(rgb: Network, flow: Network) -> Scores:
    """The scores of two streams averaged, seed by seed and split by split.

    Raises:
        Undecidable: they have not the same seeds and splits.
    """
    if rgb.runs.keys() != flow.runs.keys():
        raise Undecidable(f"{rgb.name} and {flow.name} do not have the same seeds and splits")
    return {s: {split: fuse(own[split], flow.tests[s][split]) for split in own} for s, own in rgb.tests.items()}


def scored(nets: Streams) -> dict[str, Outcomes]:
    """Video accuracy of each stream and of both averaged."""
    alone = {stream: net.outcomes(VIDEO) for stream, net in nets.items()}
    return alone | {FUSED: outcomes(both(nets[RGB], nets[FLOW]))}


def as_published(what: str, own: Outcomes, value: float, measure: str = VIDEO) -> Part:
    """A measured accuracy minus the published one, to be equal."""
    return contrast(f"{what}, {measure} minus the published {value:.1f}", [own], claimed=EQUAL, published=value)


def starts_from(evidence: Evidence, start: str, family: str = "") -> Callable[[Planned], bool]:
    """Whether a run starts from scratch ("none"), or from weights that the named dataset's experiment trained; and is
    on a dataset of that family, if one is named."""

    def accept(planned: Planned) -> bool:
        source = evidence.start(planned)
        same = source is not None and source.spec.experiment == PRETRAINING.get(start)
        return (not planned.spec.init_from if start == "none" else same) and family in ("", planned.spec.dataset_family)

    return accept


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


def kinetics(evidence: Evidence) -> list[Part]:
    """Video accuracy of the six rows of R(2+1)D-34 in Table 4."""
    evidence.require_data(["kinetics400"], OTHER_DATA.format("Kinetics"))
    table = published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"]
    found = {}
    for start in ("none", "Sports-1M"):
        name = f"R(2+1)D-34 on Kinetics, pretraining {start}"
        found[start] = streams(evidence, name, ["kinetics"], starts_from(evidence, start))
    evidence.require()
    return [
        as_published(f"{stream}, pretraining {start}", own, table[f"R(2+1)D-{stream}", start])
        for start, nets in found.items()
        for stream, own in scored(nets).items()
    ]


def transferred(evidence: Evidence) -> dict[tuple[str, str], Streams]:
    """(family, pretraining) -> streams, of Table 5; all of them complete, on the three official splits."""
    found = {}
    for family, name in SETS.items():
        for start in PRETRAINING:
            accept = starts_from(evidence, start, family)
            found[family, start] = streams(
                evidence, f"R(2+1)D-34 on {name} from {start}", ["transfer"], accept, OFFICIAL_SPLITS
            )
    evidence.require()
    return found


def transfer(evidence: Evidence) -> list[Part]:
    """Video accuracy, mean of the three splits, of the six rows of R(2+1)D-34 in Table 5, on both datasets."""
    evidence.require_data(SETS, OTHER_DATA.format("UCF101 or HMDB51"))
    table = published.table("table5_transfer").set_index(["method", "pretraining"])
    return [
        as_published(f"{stream} on {SETS[family]} from {start}", own, table[family][f"R(2+1)D-{stream}", start])
        for (family, start), nets in transferred(evidence).items()
        for stream, own in scored(nets).items()
    ]


def pretraining(evidence: Evidence) -> list[Part]:
    """From Kinetics minus from Sports-1M, each stream and both, on UCF101 and on HMDB51."""
    why = "which of two datasets is the better one to start from is a property of these, which this plan does not use"
    evidence.require_data(SETS, why)
    found, parts = transferred(evidence), []
    for family, name in SETS.items():
        kinetics_first, sports_first = (found[family, start] for start in ("Kinetics-400", "Sports-1M"))
        evidence.require([*kinetics_first.values(), *sports_first.values()], "modality")
        ours, others = scored(kinetics_first), scored(sports_first)
        what = f"{{}} on {name} from Kinetics minus from Sports-1M, {VIDEO}"
        parts += [contrast(what.format(stream), [ours[stream]], [others[stream]]) for stream in ours]
    return parts


def fusion(evidence: Evidence) -> list[Part]:
    """Both streams averaged minus each alone, of every network of which the plan trains both.

    The fused scores are made of the same runs, seed by seed, so that the seeds are paired.
    """

    def but_the_stream(planned: Planned) -> tuple:
        """What two streams of one network have in common, over all seeds and splits: settings, and their start."""
        own, start = asdict(evidence.trained_as(planned)), evidence.start(planned)
        kept = [value for name, value in own.items() if name not in ("seed", "split", "modality", "init_from")]
        return (*kept, planned.spec.init_from != "", start and start.spec.experiment)

    fusible = [p for p in evidence.planned if p.spec.experiment in TWO_STREAMS and p.spec.frame_order == "normal"]
    keys = {p.folder: but_the_stream(p) for p in fusible}
    groups = {keys[p.folder]: p for p in fusible if p.spec.modality == "flow"}
    if not groups:
        evidence.missing.append("networks on RGB and on optical flow (the plan has no pair of them)")
    found = []
    for key, one in groups.items():
        name = f"{one.spec.experiment} on {one.spec.dataset}, {one.spec.clip_length} frames"
        if (start := evidence.start(one)) is not None:
            name += f", from {start.spec.experiment}"
        wanted = {"net": one.spec.net, "depth": one.spec.depth}
        same = [p for p in fusible if keys[p.folder] == key].__contains__
        own = partial(evidence.net, experiments=[one.spec.experiment], accept=same, **wanted)
        found.append([own(f"{name}, {modality}", modality=modality) for modality in ("rgb", "flow")])
    evidence.require()
    return [
        contrast(f"both minus {net.name}, {VIDEO}", [outcomes(both(*pair)).minus(net.outcomes(VIDEO))])
        for pair in found
        for net in pair
    ]


# --- joining the scores of a video's clips in another way than by their mean (section 5)


def right_by(way: str) -> Callable[[Predictions], np.ndarray]:
    """Of predictions 100 for each video that the joined scores name right, else 0: (V,)."""

    def of_each(predictions: Predictions) -> np.ndarray:
        answers = predictions.answers_by(way)
        if predictions.label_sets is None:
            return 100.0 * (answers == predictions.labels)
        return np.array([100.0 * (a in own) for a, own in zip(answers, predictions.label_sets, strict=True)])

    return of_each


def joined(evidence: Evidence) -> Verdict:
    """One of the ways gains more than `CLOSE` points over the mean of the scores, on average over Table 2's networks.

    The best of the ways is sought, so its interval is that of level 1 - 0.05 / ways; contradicted when all of them gain
    less. It says nothing of ways that are trained.
    """
    planned = {p.spec.net for p in evidence.planned if p.spec.experiment == "conv_types"}
    nets = [evidence.net(printed(net), ["conv_types"], net=net) for net in NETS if net in planned]
    if not nets:
        evidence.missing.append("networks of Table 2 (the plan has none)")
    evidence.require()
    parts = []
    for way in WAYS:
        gains = [net.outcomes(right_by(way)).minus(net.outcomes(VIDEO)) for net in nets]
        parts.append(contrast(f"{way} instead of mean, {VIDEO}", gains, claimed=(CLOSE, inf)))
    if any(part.outcome_among(len(parts)) == REPRODUCED for part in parts):
        outcome = REPRODUCED
    else:
        outcome = CONTRADICTED if all(part.outcome == CONTRADICTED for part in parts) else INCONCLUSIVE
    best = max(parts, key=lambda part: part.high)
    return Verdict(outcome, tuple(parts), decides=(best, len(parts) if outcome == REPRODUCED else 1))


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
    """Of each seed's R(2+1)D-18, the share of conv1's spatial and temporal weights that are within Figure 6's scale.

    That temporal filters show structure is no part of it: the paper says it of a picture, and a measure (such as how
    much of their energy does not change over time) departs from that of random filters as soon as anything is learnt.
    """
    why = "the size of weights follows from the data and from the width, and this plan is not on Kinetics"
    evidence.require_data(["kinetics400"], why)
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
    """Videos and classes of the indexes that complete runs were made on, the largest of each dataset.

    Classes are equal, videos within `SAME` of the printed number. Fewer videos than that do not contradict it: videos
    have been withdrawn since.
    """
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


def unplanned(evidence: Evidence, why: str) -> list[Part]:
    """A claim that no run of this study decides, and why."""
    raise Undecidable(why)


# The id of an empirical claim in evidence/claims.csv -> what decides it.
RULES: dict[str, Callable[[Evidence], list[Part] | Verdict]] = {
    "run-3d-over-2d": partial(of_pairs, pairs=OVER_FLAT),
    "run-motion": motion,
    "run-best": partial(of_pairs, pairs=BEST, beside_mc2=False),
    "run-mc-r3d": partial(of_pairs, pairs=MIXED_AS_3D, claimed=EQUAL),
    "run-mc-rmc": mixed_over_reversed,
    "run-early-motion": partial(of_pairs, pairs=EARLY_OVER_LATE),
    "run-nonlinearity": nonlinearity,
    "run-train-error-18": partial(training_error, depth=18),
    "run-train-error-34": partial(training_error, depth=34),
    "run-test-error": test_error,
    "run-gap-depth": gap_grows,
    "run-clip-rises": clip_rises,
    "run-video-peak": video_peaks,
    "run-8-at-32": short_at_long,
    "run-finetune": finetuned,
    "run-finetune-time": partial(
        unplanned, why="it follows from the numbers of epochs, which a plan chooses and the paper does not print"
    ),
    "run-long-patterns": long_patterns,
    "run-correlation": more_correlated,
    "run-resolution": resolution,
    "run-sports": sports,
    "run-kinetics": kinetics,
    "run-fusion": fusion,
    "run-transfer": transfer,
    "run-pretraining": pretraining,
    "run-flow-quality": partial(
        unplanned, why="TV-L1 flow is not computed here, and no plan has a network trained on it"
    ),
    "run-flow-speed": partial(unplanned, why="TV-L1 flow is not computed here, and no plan has a timing of it"),
    "run-filters": filters,
    "run-aggregation": joined,
    "run-sizes": sizes,
}


def decide(claim_id: str, runs: pd.DataFrame, plan: str) -> Verdict:
    """The verdict of one plan's recorded runs on an empirical claim.

    Args:
        claim_id: of evidence/claims.csv.
        runs: a table of `results.load_plan_runs` or `results.table`.
        plan: whose runs; those of other plans are not looked at.

    Raises:
        ValueError: no rule for that id, or no run of that plan in the table.
    """
    if claim_id not in RULES:
        raise ValueError(f"{claim_id!r} is no empirical claim: there is no rule for it in {__name__}.RULES")
    evidence = Evidence(runs, plan)
    if plan in WITHOUT_VERDICTS:
        return Verdict(UNDECIDABLE, why=WITHOUT_VERDICTS[plan])
    try:
        found = RULES[claim_id](evidence)
    except NotRunYet as lack:
        found = Verdict(NOT_RUN, missing=lack.missing)
    except NotComparable as reason:
        found = Verdict(UNDECIDABLE, why=str(reason))
    verdict = found if isinstance(found, Verdict) else Verdict(combine(found), tuple(found))
    if not verdict.covers_seeds:
        verdict = replace(verdict, outcome=INCONCLUSIVE)
    return replace(verdict, folders=tuple(dict.fromkeys(evidence.used)))
