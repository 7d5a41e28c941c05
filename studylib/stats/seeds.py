"""The difference of two networks over several seeds and the same test videos, with a 95% interval.

A measured accuracy depends on which seeds were trained and on which videos were tested; every seed is tested on every
video, so the two draws are crossed. Of network g, seed s and video v the outcome (right or not, or the share of the
clips that are right) is taken as

    outcome = mean_g + a_gs + u_gv + e_gsv

with a the seed's own part, u the video's, the same in all seeds, and e what only this seed makes of this video. All are
drawn at random; the seeds of one network apart from those of another, whatever their numbers. The difference of two
networks, or a difference of differences, is a sum of the networks' means with signs. `paired` has the difference of
one seed each over the official splits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

import numpy as np

from studylib.stats.intervals import Z95, student_quantile
from studylib.stats.paired import resampled_means
from studylib.training.evaluation import Predictions, clips_named_right, named_right

Measure = Literal["video_top1", "clip_top1"]
Seeds = Mapping[int, Predictions]  # seed -> what the network trained with it scored

ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class SeedDifference:
    """First minus second, in points: the mean over seeds with its 95% interval."""

    points: float
    low: float
    high: float
    seeds: tuple[tuple[int, ...], ...]  # of each network, in the order they were given
    videos: int

    @property
    def half_width(self) -> float:
        """Half the width of the interval, points."""
        return (self.high - self.low) / 2

    @property
    def contains_0(self) -> bool:
        """Whether the interval leaves open which of the two is ahead."""
        return self.low <= 0 <= self.high

    @property
    def covers_seeds(self) -> bool:
        """Whether every network has two seeds or more. Where one has a single seed, nothing tells how far another would
        have come out, and the interval does not cover it; where all have one, it covers the draw of the videos only."""
        return all(len(own) > 1 for own in self.seeds)

    @property
    def seeds_first(self) -> tuple[int, ...]:
        """Seeds of the first network."""
        return self.seeds[0]

    @property
    def seeds_second(self) -> tuple[int, ...]:
        """Seeds of the second network."""
        return self.seeds[1]


def difference(
    first: Seeds, second: Seeds, measure: Measure = "video_top1", resamples: int = 10_000, seed: int = 0
) -> SeedDifference:
    """The difference of two networks' accuracies, first minus second, each the mean over its seeds.

    Args:
        first, second: seed -> predictions; each at least one seed, not the same ones nor as many.
        measure: "video_top1" (video@1) or "clip_top1" (clip@1).
        resamples, seed: of the bootstrap, see `crossed_interval`.

    Raises:
        ValueError: a network without a seed, runs tested on other videos or classes (it names the first such), or
            another measure.
    """
    return _contrast((first, second), (1, -1), measure, resamples, seed)


def difference_of_differences(
    gap: tuple[Seeds, Seeds],
    other_gap: tuple[Seeds, Seeds],
    measure: Measure = "video_top1",
    resamples: int = 10_000,
    seed: int = 0,
) -> SeedDifference:
    """A gap of two networks minus the gap of two others, as (R(2+1)D - R3D at 34 layers) - (the same at 18).

    `seeds` of the result has all four networks'; errors as of `difference`.
    """
    return _contrast((*gap, *other_gap), (1, -1, -1, 1), measure, resamples, seed)


def crossed_interval(
    outcomes: Sequence[np.ndarray], signs: Sequence[int], resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """95% interval (low, high) of the sum over networks of sign times mean outcome.

    A bootstrap over videos and seeds. A resample draws as many videos as there are, with replacement, all networks and
    seeds on the same ones; and of each network as many seeds as it has. Two things are mended for few seeds:

    * The mean of n seeds drawn with replacement from n varies (n - 1) / n as much as it should, two thirds for three:
      the seeds' deviations from their mean are drawn sqrt(n / (n - 1)) times as large.
    * The variance between a few seeds is itself a guess: the resamples' distances from the measured value are
      stretched by Student's t over the normal quantile, 1.96, with Satterthwaite's degrees of freedom: n - 1 for the
      seeds of each network, whose variances need not be the same, and V - 1 for the videos.

    What only one seed makes of a video (e) is counted twice, in the spread of the seeds' means and in that of the
    videos' means over seeds: the interval is rather too wide than too narrow, and the more so the less the seeds
    differ. In simulated studies (three seeds with a deviation of 0 to 3 points, 1,000 or 2,000 videos) it covered the
    truth in 94 to 99 of a hundred, and in 93 where the seeds of one network differed six times as much as the other's.
    A network of one seed adds no spread of seeds. Where nothing in the outcomes differs, the interval has no width.

    Args:
        outcomes: of each network (n seeds, V videos), in points: 100 for right, 0 for wrong.
        signs: of each network, 1 or -1.
    """
    rng = np.random.default_rng(seed)
    per_video = per_video_sum(outcomes, signs)
    drawn = resampled_means(per_video - per_video.mean(), resamples, rng)
    for own, sign in zip(outcomes, signs, strict=True):
        if (n := len(own)) > 1:
            means = own.mean(1)
            drawn += sign * resampled_means(sqrt(n / (n - 1)) * (means - means.mean()), resamples, rng)
    of_seeds = [own.mean(1).var(ddof=1) / len(own) if len(own) > 1 else 0.0 for own in outcomes]
    variances = [per_video.var(ddof=1) / len(per_video), *of_seeds]
    stretch = student([len(per_video), *map(len, outcomes)], variances) / Z95
    low, high = per_video.mean() + stretch * np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _contrast(
    nets: Sequence[Seeds], signs: Sequence[int], measure: Measure, resamples: int, seed: int
) -> SeedDifference:
    nets = require_alike(nets)
    outcomes = [outcomes_of(net, measure) for net in nets]
    per_video = per_video_sum(outcomes, signs)
    low, high = crossed_interval(outcomes, signs, resamples, seed)
    return SeedDifference(float(per_video.mean()), low, high, tuple(tuple(net) for net in nets), len(per_video))


def require_alike(nets: Sequence[Seeds]) -> list[Seeds]:
    """The networks with their seeds in order, all tested on the same videos of the same classes."""
    for name, net in zip(ORDINALS, nets, strict=False):
        if not net:
            raise ValueError(f"the {name} network has no seed: give it at least one")
    nets = [dict(sorted(net.items())) for net in nets]
    first_seed, reference = next(iter(nets[0].items()))
    for name, net in zip(ORDINALS, nets, strict=False):
        for seed, own in net.items():
            if own.videos != reference.videos or own.classes != reference.classes:
                raise ValueError(
                    f"seed {seed} of the {name} network was not tested on the same videos of the same classes as "
                    f"seed {first_seed} of the first: compare runs of one test part"
                )
    return nets


def outcomes_of(net: Seeds, measure: Measure) -> np.ndarray:
    """(n seeds, V videos) in points, whose mean over videos is the seed's accuracy in percent."""
    if measure not in MEASURES:
        raise ValueError(f"measure is {measure!r}: it is one of {', '.join(MEASURES)}")
    return 100 * np.stack([MEASURES[measure](predictions) for predictions in net.values()])


def _clips_right(predictions: Predictions) -> np.ndarray:
    """(V,): the share of a video's clips that are right.

    Every clip counts the same, also where videos have unequal numbers of them: clip@1 is a ratio of two means over
    videos, and a video's part in it is how far it moves that ratio (its linearisation), so that the mean is clip@1.
    """
    clips = np.array([len(scores) for scores in predictions.clip_scores])
    right = np.add.reduceat(clips_named_right(predictions).astype(int), np.cumsum(clips) - clips)  # of each video
    return (right - right.sum() / clips.sum() * (clips - clips.mean())) / clips.mean()


MEASURES: dict[str, Callable[[Predictions], np.ndarray]] = {"video_top1": named_right, "clip_top1": _clips_right}


def per_video_sum(outcomes: Sequence[np.ndarray], signs: Sequence[int]) -> np.ndarray:
    """(V,): of each video the sum over networks of sign times mean over seeds."""
    return sum(sign * own.mean(0) for own, sign in zip(outcomes, signs, strict=True))


def freedom(variances: Sequence[float], numbers: Sequence[int]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances, each of a mean over so many seeds or videos: (sum of
    variances)^2 / sum of (variance^2 / (number - 1)); infinite where nothing varies."""
    parts = [(variance, number - 1) for variance, number in zip(variances, numbers, strict=True) if variance > 0]
    if not parts:
        return inf
    return sum(variance for variance, _ in parts) ** 2 / sum(variance**2 / own for variance, own in parts)


def student(numbers: Sequence[int], variances: Sequence[float]) -> float:
    """The 97.5% quantile of Student's t for a sum of variances, each estimated from so many seeds or videos."""
    return student_quantile(0.975, freedom(variances, numbers))
