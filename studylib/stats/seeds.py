"""The interval of a sum of networks' accuracies over several seeds and the same test videos.

A measured accuracy depends on which seeds were trained and on which videos were tested; every seed is tested on every
video, so the two draws are crossed. Of network g, seed s and video v the outcome (right or not, or the share of the
clips that are right) is taken as

    outcome = mean_g + a_gs + u_gv + e_gsv

with a the seed's own part, u the video's, the same in all seeds, and e what only this seed makes of this video. All are
drawn at random; the seeds of one network apart from those of another, whatever their numbers. The difference of two
networks, or a difference of differences, is a sum of the networks' means with signs.
"""

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np

from studylib.stats.intervals import Z95, student_quantile

FEW = 20  # distinct values, of which each is counted
DRAWS_A_COUNT = 25  # values are drawn in the time in which one distinct value is counted


def crossed_interval(
    outcomes: Sequence[np.ndarray], signs: Sequence[int], resamples: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """95% interval of the sum over networks of sign times mean outcome: (low, high, degrees of freedom).

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
    per_video = sum(sign * own.mean(0) for own, sign in zip(outcomes, signs, strict=True))  # (V,)
    variances, numbers = [per_video.var(ddof=1) / len(per_video)], [len(per_video)]
    drawn = resampled_means(per_video - per_video.mean(), resamples, rng)
    for own, sign in zip(outcomes, signs, strict=True):
        if (n := len(own)) > 1:
            means = own.mean(1)
            variances, numbers = [*variances, means.var(ddof=1) / n], [*numbers, n]
            drawn += sign * resampled_means(sqrt(n / (n - 1)) * (means - means.mean()), resamples, rng)
    degrees = freedom(variances, numbers)
    low, high = per_video.mean() + student_quantile(0.975, degrees) / Z95 * np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high), degrees


def freedom(variances: Sequence[float], numbers: Sequence[int]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances, each of a mean over so many seeds or videos: (sum of
    variances)^2 / sum of (variance^2 / (number - 1)); infinite where nothing varies."""
    parts = [(variance, number - 1) for variance, number in zip(variances, numbers, strict=True) if variance > 0]
    if not parts:
        return inf
    return sum(variance for variance, _ in parts) ** 2 / sum(variance**2 / own for variance, own in parts)


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
