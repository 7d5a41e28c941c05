"""Accuracies, differences and their 95% intervals, over videos, seeds, splits and speakers.

    stats.accuracy(runs), stats.difference(runs, others)  # points, low, high, unit

of runs as `runs.results.table` has them. Imports runs and what is below them, no book.
"""

from studylib.stats.estimates import Estimate, accuracy, difference, difference_of_differences
from studylib.stats.intervals import NotComparable

__all__ = ["Estimate", "NotComparable", "accuracy", "difference", "difference_of_differences"]
