"""Intervals of measured proportions."""

from scipy.stats import binomtest


def wilson(right: int, total: int) -> tuple[float, float]:
    """95% Wilson interval of `right` out of `total` videos, in percent: (low, high).

    It covers the draw of the test videos, not that of the seed.
    """
    interval = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    return 100 * interval.low, 100 * interval.high
