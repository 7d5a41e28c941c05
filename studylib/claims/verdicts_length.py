"""Rules for section 4.3: R(2+1)D-18 trained at several clip lengths (Figure 5), moved and fine-tuned; and resolution.

What a plan calls short and long is read from it: the length of the network that is tested as it is, or fine-tuned, at
another length. Frames of a clip are as far apart as the plan's closest (consecutive ones in the paper). A fine-tuned
network has something in common with the one it started from, seed by seed; its intervals do not use that, and are
rather too wide.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from studylib.claims.published import FEWEST_LENGTHS
from studylib.claims.verdicts_evidence import (
    OF_TRAINING,
    Evidence,
    Net,
    Planned,
    Undecidable,
    require_comparable,
    require_same_weights,
)
from studylib.claims.verdicts_intervals import CLIP, VIDEO, Outcomes, contrast, outcomes
from studylib.claims.verdicts_parts import (
    CONTRADICTED,
    EQUAL,
    INCONCLUSIVE,
    REPRODUCED,
    Part,
    Verdict,
)
from studylib.training.evaluation import Predictions


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
    pairs = []
    for length in between:
        ends = [
            contrast(f"{length} frames minus {end}, {VIDEO}", [video[length]], [video[end]]) for end in (first, last)
        ]
        pairs.append(ends)
    if any(all(part.outcome_among(len(between)) == REPRODUCED for part in ends) for ends in pairs):
        outcome = REPRODUCED
    elif all(any(part.outcome_among(2) == CONTRADICTED for part in ends) for ends in pairs):
        outcome = CONTRADICTED
    else:
        outcome = INCONCLUSIVE
    among = 2 if outcome == CONTRADICTED else len(between)
    edge = 1 if outcome == CONTRADICTED else 0  # an interval is below 0 by its high end, above 0 by its low end

    def height(part: Part) -> float:
        return part.among(among)[edge]

    # of the length in between that comes closest to a peak, the end over which it is less high
    closest = max((min(ends, key=height) for ends in pairs), key=height)
    return Verdict(outcome, tuple(part for ends in pairs for part in ends), decides=(closest, among))


def short_at_long(evidence: Evidence) -> list[Part]:
    """The short-clip network on short clips minus the same weights on long ones."""
    short, _, at_long = short_and_long(evidence, "tested at another length", is_moved)
    require_comparable([short, at_long], "clip_length")
    require_same_weights(short, at_long)
    own = outcomes(short, CLIP).minus(outcomes(at_long, CLIP))
    return [contrast(f"{short.name} minus the same network on {at_long.spec.clip_length}, {CLIP}", [own])]


def finetuned(evidence: Evidence) -> list[Part]:
    """Fine-tuned to long clips: equal to the network trained on them from scratch, and better than the short one."""
    short, long, tuned = short_and_long(evidence, "fine-tuned to a longer length", is_finetuned)
    require_comparable([short, long], "clip_length")
    require_comparable([long, tuned], "clip_length", *OF_TRAINING)
    own = outcomes(tuned, CLIP)
    return [
        contrast(f"{tuned.name} minus {long.name}, {CLIP}", [own], [outcomes(long, CLIP)], EQUAL),
        contrast(f"{tuned.name} minus {short.name}, {CLIP}", [own], [outcomes(short, CLIP)]),
    ]


def long_patterns(evidence: Evidence) -> list[Part]:
    """On the same long clips, networks trained on them (from scratch, fine-tuned) minus the one trained on short."""
    _, long, at_long = short_and_long(evidence, "tested at another length", is_moved)
    _, _, tuned = short_and_long(evidence, "fine-tuned to a longer length", is_finetuned)
    require_comparable([at_long, long])
    require_comparable([at_long, tuned], *OF_TRAINING)
    moved = outcomes(at_long, CLIP)
    return [contrast(f"{n.name} minus {at_long.name}, {CLIP}", [outcomes(n, CLIP)], [moved]) for n in (long, tuned)]


def more_correlated(evidence: Evidence) -> list[Part]:
    """The correlation of clips of one video, longest length minus shortest; see `clip_correlation`."""
    correlation = by_length(evidence, clip_correlation)
    first, *_, last = correlation
    what = f"correlation of the right class's score in two clips of a video, {last} frames minus {first}"
    return [contrast(what, [correlation[last]], [correlation[first]], unit="", digits=3)]


def resolution(evidence: Evidence) -> list[Part]:
    """The plan's higher resolution against half of it, clip and video accuracy, equal."""
    asked = "R(2+1)D-18 at the higher resolution", ["resolution"], is_highest(evidence)
    high, planned = evidence.net(*asked, net="r2plus1d"), evidence.choose(*asked, net="r2plus1d")
    if not planned:
        evidence.require()
    half = planned[0].spec.resolution // 2
    wanted = {"net": "r2plus1d", "resolution": half, "clip_length": planned[0].spec.clip_length}
    low = evidence.net(f"R(2+1)D-18 at {half} x {half}", ["resolution", "conv_types"], **wanted)
    evidence.require()
    require_comparable([low, high], "resolution")
    what = f"{2 * half} x {2 * half} minus {half} x {half}"
    return [contrast(f"{what}, {m}", [outcomes(high, m)], [outcomes(low, m)], EQUAL) for m in (CLIP, VIDEO)]


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


def by_length(evidence: Evidence, measure: str | Callable[[Predictions], np.ndarray]) -> dict[int, Outcomes]:
    """Length -> the network trained and tested at it, in order of length."""
    nets = {length: trained_at(evidence, length) for length in planned_lengths(evidence)}
    if len(nets) < FEWEST_LENGTHS:
        evidence.lacks(f"R(2+1)D-18 trained at {FEWEST_LENGTHS} clip lengths (the plan has {len(nets)})")
    evidence.require()
    require_comparable(list(nets.values()), "clip_length")
    return {length: outcomes(net, measure) for length, net in nets.items()}


def trained_at(evidence: Evidence, length: int) -> Net | None:
    """The network trained from scratch on clips of this length and tested at it."""

    def accept(planned: Planned) -> bool:
        return is_at_its_own(evidence, planned)

    return _net(evidence, f"R(2+1)D-18 at {length} frames", accept, clip_length=length)


def planned_lengths(evidence: Evidence) -> list[int]:
    """The lengths that networks are trained at from scratch and tested at, the shortest first."""
    return sorted({p.spec.clip_length for p in of_lengths(evidence) if is_at_its_own(evidence, p)})


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


def short_and_long(evidence: Evidence, how: str, accept: Callable[[Evidence, Planned], bool]) -> tuple[Net, Net, Net]:
    """The networks trained at the short and at the long length, and the one that came from short to long."""
    found = _net(evidence, f"R(2+1)D-18 {how}", lambda planned: accept(evidence, planned))
    moved = [p for p in of_lengths(evidence) if accept(evidence, p)]
    starts = [start for p in moved if (start := evidence.start(p)) is not None]
    ends, known = {}, planned_lengths(evidence)
    for name, own in (("short", starts), ("long", moved)):
        if at := {p.spec.clip_length for p in own} & set(known):
            ends[name] = trained_at(evidence, max(at))
        elif moved:
            evidence.lacks(f"R(2+1)D-18 trained from scratch at the {name} length of the one {how}")
    evidence.require()
    return ends["short"], ends["long"], replace(found, name=f"R(2+1)D-18 {how} ({found.spec.clip_length} frames)")


def is_highest(evidence: Evidence) -> Callable[[Planned], bool]:
    """Whether a run has the highest resolution of the experiment."""
    sides = [p.spec.resolution for p in evidence.planned if p.spec.experiment == "resolution"]
    return lambda planned: planned.spec.resolution == max(sides)


def of_lengths(evidence: Evidence) -> list[Planned]:
    """The experiment's runs of R(2+1)D-18, of the closest frames that it plans."""
    own = [p for p in evidence.planned if p.spec.experiment == "clip_length" and p.spec.net == "r2plus1d"]
    own = [p for p in own if p.spec.depth == 18]
    return [p for p in own if p.spec.frame_step == min(q.spec.frame_step for q in own)]


def _net(evidence: Evidence, what: str, accept: Callable[[Planned], bool], **wanted: object) -> Net | None:
    known = of_lengths(evidence)
    return evidence.net(what, ["clip_length"], lambda p: p in known and accept(p), net="r2plus1d", **wanted)
