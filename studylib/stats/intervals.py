"""Intervals of measured proportions, and agreement of rankings."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf, sqrt

import numpy as np
from scipy.special import ndtri, stdtrit
from scipy.stats import kendalltau

Z95 = float(ndtri(0.975))


class NotComparable(ValueError):
    """Tests of networks on other videos, labels, classes or speakers; the message says which."""


def student_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t with so many degrees of freedom, of the normal distribution with infinitely many.

    That of scipy.stats takes most of a rule's time with the arguments' shapes.
    """
    return float(ndtri(probability) if isinf(degrees) else stdtrit(degrees, probability))


def difference_margin(a: float, b: float, videos: int) -> float:
    """95% half-width, in points, of the difference of two accuracies (percent), each on `videos` videos.

    As if on different videos: for two nets on the same videos, whose errors go together, it is too wide, never too
    narrow. It does not cover the draw of the seed.
    """
    p, q = a / 100, b / 100
    return 100 * Z95 * sqrt((p * (1 - p) + q * (1 - q)) / videos)


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau of two rankings of the same items, with a 95% interval."""

    tau: float
    low: float
    high: float


def rank_agreement(x: Sequence[float], y: Sequence[float], resamples: int = 10_000, seed: int = 0) -> Agreement:
    """Kendall's tau-b (it allows for ties) and its percentile interval from resampling the items with replacement.

    A pair of two copies of one item says nothing and is left out, as tau-b does with any tie in both rankings.

    Raises:
        ValueError: fewer than three items, or not as many in one as in the other.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3:
        raise ValueError(f"rankings of {x.size} and {y.size} items: needs the same number in both, at least 3")
    # signs of all pairs; a resample is how often each item is in it, and counts each pair that often
    signs_x, signs_y = (np.sign(v[:, None] - v[None, :]) for v in (x, y))  # (n, n)
    times = np.random.default_rng(seed).multinomial(len(x), np.full(len(x), 1 / len(x)), resamples).astype(float)
    together, ordered_x, ordered_y = (
        ((times @ pairs) * times).sum(1) for pairs in (signs_x * signs_y, signs_x**2, signs_y**2)
    )
    known = (ordered_x > 0) & (ordered_y > 0)  # a resample of one item only has no ranking
    taus = together[known] / np.sqrt(ordered_x[known] * ordered_y[known])
    low, high = np.percentile(taus, [2.5, 97.5])
    return Agreement(float(kendalltau(x, y).statistic), float(low), float(high))
