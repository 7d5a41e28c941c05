"""From the scores of networks to a part of a claim: accuracies and their differences over seeds, videos and splits.

The interval is that of `seeds.crossed_interval`: what it resamples are the test videos, each once however many of the
official splits test it (HMDB51's share some), and the seeds. Where the dataset names its speakers, splits are folds,
all test clips of a seed are one sample, and the interval is that of `speakers`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np

from studylib.claims.verdicts_evidence import Net, Undecidable
from studylib.claims.verdicts_parts import ABOVE, POINTS, Part, possible
from studylib.stats.fusion import fuse
from studylib.stats.intervals import student_quantile
from studylib.stats.seeds import MEASURES, crossed_interval, freedom
from studylib.stats.speakers import BySpeaker, by_speaker, estimate
from studylib.training.evaluation import Predictions, named_right

CLIP, VIDEO, VIDEO5 = "clip@1", "video@1", "video@5"
# Of each video of a test part a number, (V,), whose mean is the accuracy in percent.
ACCURACIES: dict[str, Callable[[Predictions], np.ndarray]] = {
    CLIP: lambda predictions: 100 * MEASURES["clip_top1"](predictions),
    VIDEO: lambda predictions: 100 * MEASURES["video_top1"](predictions),
    VIDEO5: lambda predictions: 100.0 * named_right(predictions, 5),
}
Tests = Mapping[int, Mapping[int, Predictions]]  # seed -> split -> scores


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Of a network, of each seed and video a number, whose mean over the videos is what is measured of the seed."""

    values: np.ndarray  # (n seeds, V videos), or S speakers where the dataset names them
    seeds: tuple[int, ...]
    tested: tuple  # what must be the same in networks that are compared: splits, their videos, labels and classes
    people: BySpeaker | None = None  # of whom the values are

    def minus(self, other: "Outcomes", share: float = 1.0) -> "Outcomes":
        """This minus `share` of another test of the same weights, seed by seed: what the seeds have in common falls
        out, which it would not as a difference of two networks.

        Raises:
            Undecidable: not the same seeds, videos, labels or classes.
        """
        if (self.seeds, self.tested) != (other.seeds, other.tested):
            raise Undecidable("two tests of the same weights are not of the same seeds on the same videos")
        return replace(self, values=self.values - share * other.values)


def tests(net: Net) -> Tests:
    """What a network's runs scored."""
    return {s: {split: run.predictions for split, run in own.items()} for s, own in net.runs.items()}


def both(rgb: Net, flow: Net) -> Tests:
    """The scores of two streams averaged, seed by seed and split by split.

    Raises:
        Undecidable: they have not the same seeds and splits.
    """
    if {s: set(own) for s, own in rgb.runs.items()} != {s: set(own) for s, own in flow.runs.items()}:
        raise Undecidable(f"{rgb.name} and {flow.name} do not have the same seeds and splits")
    streams = tests(rgb), tests(flow)
    return {s: {split: fuse(own[split], streams[1][s][split]) for split in own} for s, own in streams[0].items()}


def outcomes(scored: Net | Tests, measure: str | Callable[[Predictions], np.ndarray]) -> Outcomes:
    """The outcomes of a network, over splits their plain mean.

    With x of video v in split s, a_s its mean over the n_s videos, S splits and V videos in all of them, a video's
    outcome is mean_s a_s + sum over its splits of V / (S n_s) (x_sv - a_s): of one split this is x, and the mean over
    the videos is that of the splits' means.

    Args:
        measure: a key of `ACCURACIES`, or a function as in `ACCURACIES`.
    """
    scored = tests(scored) if isinstance(scored, Net) else scored
    of_each = ACCURACIES[measure] if isinstance(measure, str) else measure
    first = next(iter(scored.values()))
    tested = _tested(first)
    for seed, own in scored.items():
        if _tested(own) != tested:
            raise Undecidable(f"seed {seed} was not tested on the same videos, labels and classes as the others")
    if all(predictions.speakers for predictions in first.values()):
        people = by_speaker(scored, of_each)
        return Outcomes(people.values, tuple(sorted(scored)), tested, people)
    place = {video: i for i, video in enumerate(dict.fromkeys(v for _, p in sorted(first.items()) for v in p.videos))}
    rows = []
    for own in scored.values():
        row, means = np.zeros(len(place)), []
        for split in sorted(own):
            x = of_each(own[split])
            means.append(x.mean())
            weight = len(place) / (len(own) * len(x))
            np.add.at(row, [place[video] for video in own[split].videos], weight * (x - x.mean()))
        rows.append(row + np.mean(means))
    return Outcomes(np.stack(rows), tuple(scored), tested)


def _tested(own: Mapping[int, Predictions]) -> tuple:
    """Split, videos, their labels and the classes, of each split: numbers of two tests are compared where these are
    the same."""
    return tuple(
        (split, tuple(p.videos), tuple(tuple(sorted(of_video.tolist())) for of_video in p.right_classes), p.classes)
        for split, p in sorted(own.items())
    )


def contrast(
    what: str,
    plus: Sequence[Outcomes],
    minus: Sequence[Outcomes] = (),
    claimed: tuple[float, float] = ABOVE,
    published: float = 0.0,
    unit: str = POINTS,
    digits: int = 1,
) -> Part:
    """The mean of some networks minus the mean of others, minus a published number, with its 95% interval.

    Raises:
        Undecidable: the networks were not tested on the same videos, labels and classes.
    """
    if any(own.tested != plus[0].tested for own in (*plus, *minus)):
        raise Undecidable(f"{what}: the networks were not tested on the same videos, labels and classes")
    if plus[0].people is not None:
        people = [replace(own.people, values=own.values) for own in (*plus, *minus)]
        found = estimate(people, [1 / len(plus)] * len(plus) + [-1 / len(minus) for _ in minus])
        low, high, degrees, seeds = found.low, found.high, found.freedom, True
        points = found.points
    else:
        values = [own.values / len(side) for side in (plus, minus) for own in side]
        signs = [1] * len(plus) + [-1] * len(minus)
        low, high = crossed_interval(values, signs)
        per_video = sum(sign * own.mean(0) for own, sign in zip(values, signs, strict=True))
        several = [own for own in values if len(own) > 1]
        variances = [per_video.var(ddof=1) / len(per_video), *(own.mean(1).var(ddof=1) / len(own) for own in several)]
        degrees = freedom(variances, [len(per_video), *map(len, several)])
        points, seeds = float(per_video.mean()), len(several) == len(values)
    ends = low - published, high - published
    if unit == POINTS:
        ends = possible(*ends)
    return Part(what, points - published, *ends, claimed, degrees, seeds, unit, digits)


def over_seeds(what: str, plus: Sequence[Sequence[float]], minus: Sequence[Sequence[float]]) -> Part:
    """A sum of means over seeds minus another, with the 95% interval of Student's t, for what is one number a seed.

    Variances of the networks need not be equal: Welch's interval, with Satterthwaite's degrees of freedom. Every
    network has two seeds or more.
    """
    groups = [np.asarray(own, float) for own in (*plus, *minus)]
    signs = [1] * len(plus) + [-1] * len(minus)
    points = float(sum(sign * own.mean() for sign, own in zip(signs, groups, strict=True)))
    variances = [own.var(ddof=1) / len(own) for own in groups]
    degrees = freedom(variances, list(map(len, groups)))
    half = 0.0 if degrees == inf else student_quantile(0.975, degrees) * sqrt(sum(variances))
    return Part(what, points, *possible(points - half, points + half), ABOVE, degrees)
