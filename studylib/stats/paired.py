"""The difference of two networks on the same test videos, over the official splits, with an interval.

Of one seed each; `seeds` has the difference over several.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from studylib.training.evaluation import Predictions, named_right

FEW = 20  # distinct values, of which each is counted
DRAWS_A_COUNT = 25  # values are drawn in the time in which one distinct value is counted


@dataclass(frozen=True)
class SplitDifference:
    """On one split: points between the accuracies, and how many videos only one of the two names right."""

    points: float
    only_first: int
    only_second: int
    videos: int


@dataclass(frozen=True)
class PairedDifference:
    """First minus second, in points: the plain mean over splits with a 95% interval, and each split's."""

    points: float
    low: float
    high: float
    by_split: dict[int, SplitDifference]


def paired_difference(
    first: Mapping[int, Predictions], second: Mapping[int, Predictions], resamples: int = 10_000, seed: int = 0
) -> PairedDifference:
    """The difference of video accuracies, first minus second, mean over splits.

    The interval is the percentile bootstrap's: of each split as many test videos are drawn, with replacement, as it
    has, and a video brings what both networks made of it. It covers the draw of the test videos, not that of the seed,
    and holds only what these videos show: where no video tells the two apart, it has no width.

    Args:
        first, second: split -> predictions on its test part.

    Errors: ValueError where the two were not tested on the same splits and videos, or a video is in two test parts.
    """
    if set(first) != set(second) or not first:
        raise ValueError(
            f"tested on the splits {sorted(first)} and {sorted(second)}: they must be the same, at least one"
        )
    for i, j in combinations(sorted(first), 2):
        if shared := set(first[i].videos) & set(first[j].videos):
            raise ValueError(f"{min(shared)} is tested in splits {i} and {j}: they cannot be drawn apart")
    by_split = {split: _difference(split, first[split], second[split]) for split in sorted(first)}
    rng = np.random.default_rng(seed)
    drawn = np.zeros(resamples)
    for d in by_split.values():
        per_video = np.repeat(
            [100.0, -100.0, 0.0], [d.only_first, d.only_second, d.videos - d.only_first - d.only_second]
        )
        drawn += resampled_means(per_video, resamples, rng) / len(by_split)
    low, high = np.percentile(drawn, [2.5, 97.5])
    points = float(np.mean([d.points for d in by_split.values()]))
    return PairedDifference(points, float(low), float(high), by_split)


def _difference(split: int, first: Predictions, second: Predictions) -> SplitDifference:
    if first.videos != second.videos or first.classes != second.classes:
        raise ValueError(f"split {split}: the two were not tested on the same videos of the same classes")
    a, b = named_right(first), named_right(second)
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    return SplitDifference(100 * (only_first - only_second) / len(a), only_first, only_second, len(a))


def resampled_means(values: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(resamples,): means of as many of the (N,) values as there are, drawn with replacement.

    A resample matters only by how often each distinct value is in it, and outcomes have few: right or wrong, in a
    mean over a few seeds or clips. That is exact, and as fast for a million videos as for a hundred. Where many values
    are distinct, as of scores, the values themselves are drawn.
    """
    distinct, times = np.unique(np.round(values, 9), return_counts=True)  # what differs in the last bits is the same
    if len(distinct) > max(FEW, len(values) / DRAWS_A_COUNT):
        at_once = max(1, 1_000_000 // len(values))  # resamples, to keep what is drawn within 16 MB
        sizes = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]
        return np.concatenate([values[rng.integers(len(values), size=(size, len(values)))].mean(1) for size in sizes])
    order = np.lexsort((-distinct, -abs(distinct)))  # large before small: the recorded numbers were drawn in this order
    distinct, share = distinct[order], times[order] / len(values)
    at_once = max(1, 1_000_000 // len(distinct))  # resamples, to keep the counts within 8 MB
    sizes = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]
    return np.concatenate([rng.multinomial(len(values), share, size) @ distinct / len(values) for size in sizes])
