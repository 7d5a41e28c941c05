"""Accuracy over the official splits of UCF101 and HMDB51: their mean, with an interval (paper, section 4.4, Table 5).

The interval covers the draw of the test videos alone. The training parts of the splits overlap, so the networks' errors
go together in a way that no count of test videos shows; nor does it cover the draw of the seed. UCF101's test parts
share no video, HMDB51's share 7 to 10% of theirs: what a shared video adds to the spread is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from studylib.training.evaluation import Predictions, named_right, wilson

OFFICIAL_SPLITS = (1, 2, 3)


@dataclass(frozen=True)
class SplitMean:
    """A mean over splits, percent, with its 95% interval."""

    accuracy: float
    low: float
    high: float
    by_split: dict[int, float]  # split -> percent
    videos: int  # tested in all splits together, a video of two test parts twice


def split_mean(
    results: Iterable[tuple[int, Predictions]], splits: Sequence[int] = OFFICIAL_SPLITS, k: int = 1
) -> SplitMean:
    """The plain mean of the splits' video accuracies, right where the class is among the `k` highest scores.

    Each split's Wilson interval is a distance from its accuracy down and one up; the mean's are the root of their sum
    of squares (with the covariance of shared videos) by the number of splits, so that one split gives its own Wilson
    interval, and many videos the stratified sqrt(sum p (1 - p) / n) / S (Newcombe's way, Stat. Med. 17, 1998).

    Args:
        results: (split, predictions on its test part), of one stream or of `fusion.fuse`, in any order.
        splits: the splits there must be, each once.

    Errors: ValueError for a split that is missing, there twice or not one of `splits`, for two splits tested on the
    same videos, and for other classes in one than in another.
    """
    results = list(results)
    _require_each_once([split for split, _ in results], splits)
    by_split = dict(sorted(results))
    _require_tests_of_their_own(by_split)
    right = {s: dict(zip(p.videos, named_right(p, k).tolist(), strict=True)) for s, p in by_split.items()}
    intervals = {split: wilson(sum(r.values()), len(r)) for split, r in right.items()}
    accuracies = {split: 100 * float(np.mean(list(r.values()))) for split, r in right.items()}
    correlation = _correlation(list(right.values()))
    p, low, high = (np.array(list(v)) for v in (accuracies.values(), *zip(*intervals.values(), strict=True)))
    down, up = (float(np.sqrt(d @ correlation @ d)) / len(p) for d in (p - low, high - p))
    return SplitMean(p.mean(), p.mean() - down, p.mean() + up, accuracies, sum(map(len, right.values())))


def _correlation(right: list[dict[str, bool]]) -> np.ndarray:
    """(S, S): how the draws of S accuracies go together because of the videos that two test parts share."""
    correlation = np.eye(len(right))
    spreads = [np.std(list(r.values())) * np.sqrt(len(r)) for r in right]
    for i, j in combinations(range(len(right)), 2):
        mean_i, mean_j = (np.mean(list(right[n].values())) for n in (i, j))
        together = sum((right[i][v] - mean_i) * (right[j][v] - mean_j) for v in right[i].keys() & right[j].keys())
        if together:
            correlation[i, j] = correlation[j, i] = together / (spreads[i] * spreads[j])
    return correlation


def _require_each_once(given: list[int], splits: Sequence[int]) -> None:
    wanted = ", ".join(map(str, splits))
    if twice := sorted({split for split in given if given.count(split) > 1}):
        raise ValueError(f"split {twice[0]} is there {given.count(twice[0])} times; give each of {wanted} once")
    if missing := [split for split in splits if split not in given]:
        raise ValueError(f"split {missing[0]} is missing; the mean is that of the splits {wanted}")
    if other := [split for split in given if split not in splits]:
        raise ValueError(f"split {other[0]} is not one of {wanted}")


def _require_tests_of_their_own(by_split: dict[int, Predictions]) -> None:
    for (i, a), (j, b) in combinations(by_split.items(), 2):
        if a.classes != b.classes:
            raise ValueError(f"splits {i} and {j} have other classes; they are not of one dataset")
        if set(a.videos) == set(b.videos):
            raise ValueError(f"splits {i} and {j} were tested on the same {len(a.videos)} videos; one is mislabelled")
