"""95% intervals of sums of networks' accuracies: over videos and seeds, and over speakers."""

from collections.abc import Sequence
from math import inf, isinf, nan, sqrt

import numpy as np
from scipy.special import ndtri, stdtrit

Z95 = float(ndtri(0.975))
FEW = 20  # distinct values, of which each is counted
DRAWS_A_COUNT = 25  # values are drawn in the time in which one distinct value is counted


class NotComparable(ValueError):
    """Tests of networks on other videos, labels, classes or speakers; the message says which."""


def student_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t with so many degrees of freedom, which may be infinite."""
    # that of scipy.stats takes most of a rule's time with the arguments' shapes
    return float(ndtri(probability) if isinf(degrees) else stdtrit(degrees, probability))


def crossed_interval(
    outcomes: Sequence[np.ndarray], signs: Sequence[int], resamples: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """95% interval of the sum over networks of sign times mean outcome: (low, high, degrees of freedom).

    Every seed is tested on every video, so the draws of seeds and videos are crossed. Of network g, seed s and video v
    the outcome (right or not, or the share of the clips that are right) is taken as

        outcome = mean_g + a_gs + u_gv + e_gsv

    with a the seed's own part, u the video's, the same in all seeds, and e what only this seed makes of this video.

    A bootstrap over videos and seeds. A resample draws as many videos as there are, with replacement, all networks and
    seeds on the same ones; and of each network as many seeds as it has. Two things are mended for few seeds:

    * The mean of n seeds drawn with replacement from n varies (n - 1) / n as much as it should, two thirds for three:
      the seeds' deviations from their mean are drawn sqrt(n / (n - 1)) times as large.
    * The variance between a few seeds is itself a guess: the resamples' distances from the measured value are
      stretched by Student's t over the normal quantile, 1.96, with Satterthwaite's degrees of freedom: n - 1 for the
      seeds of each network, whose variances need not be the same, and V - 1 for the videos.

    What only one seed makes of a video (e) is counted twice, in the spread of the seeds' means and in that of the
    videos' means over seeds: the interval is rather too wide than too narrow. In simulated studies (three seeds with a
    deviation of 0 to 3 points, 1,000 or 2,000 videos) it covered the truth in 94 to 99 of a hundred, and in 93 where
    the seeds of one network differed six times as much as the other's. A network of one seed adds no spread of seeds.

    `outcomes` are those of each network (n seeds, V videos), in points: 100 for right, 0 for wrong; a sign is 1 or -1.
    """
    rng = np.random.default_rng(seed)
    per_video = sum(sign * own.mean(0) for own, sign in zip(outcomes, signs, strict=True))  # (V,)
    variances, degrees = [per_video.var(ddof=1) / len(per_video)], [len(per_video) - 1]
    drawn = resampled_means(per_video - per_video.mean(), resamples, rng)
    for own, sign in zip(outcomes, signs, strict=True):
        if (n := len(own)) > 1:
            means = own.mean(1)
            variances, degrees = [*variances, means.var(ddof=1) / n], [*degrees, n - 1]
            drawn += sign * resampled_means(sqrt(n / (n - 1)) * (means - means.mean()), resamples, rng)
    of_sum = freedom(variances, degrees)
    low, high = per_video.mean() + student_quantile(0.975, of_sum) / Z95 * np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high), of_sum


def freedom(variances: Sequence[float], degrees: Sequence[float]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances that have so many each: (sum of variances)^2 / sum of
    (variance^2 / degrees); infinite where nothing varies."""
    parts = [(variance, own) for variance, own in zip(variances, degrees, strict=True) if variance > 0]
    if not parts:
        return inf
    return sum(variance for variance, _ in parts) ** 2 / sum(variance**2 / own for variance, own in parts)


def resampled_means(values: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(resamples,): means of as many of the (N,) values as there are, drawn with replacement.

    A resample matters only by how often each distinct value is in it, and outcomes have few. Where many values are
    distinct, as of scores, the values themselves are drawn.
    """
    n = len(values)
    distinct, times = np.unique(np.round(values, 9), return_counts=True)  # what differs in the last bits is the same
    counted = len(distinct) <= max(FEW, n / DRAWS_A_COUNT)
    order = np.lexsort((-distinct, -abs(distinct)))  # large before small: the recorded numbers were drawn in this order
    distinct, share = distinct[order], times[order] / n
    at_once = max(1, 1_000_000 // (len(distinct) if counted else n))  # resamples, to keep what is drawn within 16 MB
    means = []
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        if counted:
            means.append(rng.multinomial(n, share, size) @ distinct / n)
        else:
            means.append(values[rng.integers(n, size=(size, n))].mean(1))
    return np.concatenate(means)


def speakers_interval(values: Sequence[np.ndarray], folds: np.ndarray) -> tuple[float, float, float]:
    """(low, high, degrees of freedom) of the sum over networks of their means; nan of one seed in one fold, of which
    nothing tells how another run would have come out.

    Clips of one person go together, so speakers are drawn, not clips. Each is tested in one fold, by networks that
    never saw them. Of speaker p in fold f and seed s, accuracy is taken as

        accuracy = mean + P_p + R_fs + E_ps

    with P the speaker's own part, R the run's, which the speakers of its fold share, and E the rest. The mean over S
    speakers in F folds and n seeds then has the variance P / S + R / (F n) + E / (S n). The spread of the speakers'
    means over seeds has all of P and E in it but too little of R; what is missing is added from the spread of a fold's
    seeds. Degrees of freedom are Satterthwaite's. Speakers' means that lie close by chance would make P negative: the
    interval is at least as wide as the spread of a fold's seeds alone makes it, (R + E / m) / (F n) with m speakers a
    fold. Where a network has one seed, the folds are the only replicates of its runs: the interval is Student's t over
    their means, with F - 1 degrees of freedom.

    Simulated studies of 15 speakers, five folds and 1, 3 or 6 seeds are covered in 94 to 97 of 100 cases; Student's t
    over the speakers' means alone would cover 86 to 95.

    `values` are those of each network (n seeds, S speakers), in points, with its sign; `folds` (S,) has the fold in
    which each speaker is tested.
    """
    per_speaker = sum(own.mean(0) for own in values)  # (S,)
    numbers, of_fold = np.unique(folds, return_inverse=True)
    if min(map(len, values)) == 1 and len(numbers) == 1:
        return nan, nan, nan
    if min(map(len, values)) == 1:
        means = np.bincount(of_fold, per_speaker) / np.bincount(of_fold)
        reach, of_sum = _reach([(means.var(ddof=1) / len(means), len(means) - 1)])
    else:
        of_seeds, missing = zip(*(_spread_of_runs(own, of_fold, len(numbers)) for own in values), strict=True)
        of_speakers = (per_speaker.var(ddof=1) / len(per_speaker), len(per_speaker) - 1)
        reach, of_sum = max(_reach([of_speakers, *missing]), _reach(of_seeds))
    points = float(per_speaker.mean())
    return points - reach, points + reach, of_sum


def _reach(terms: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Half the width of a 95% interval, and its degrees of freedom, by (variance, degrees of freedom) of each term."""
    variances, degrees = zip(*terms, strict=True)
    of_sum = freedom(variances, degrees)
    return student_quantile(0.975, of_sum) * sqrt(sum(variances)), of_sum


def _spread_of_runs(values: np.ndarray, of_fold: np.ndarray, folds: int) -> tuple[tuple[float, int], tuple[float, int]]:
    """Of a network's mean the variance by the spread of each fold's seeds, R and E; and what the spread of the speakers
    lacks of R; each with its degrees of freedom. `values` (n seeds, S speakers), the folds' numbers (S,)."""
    n, speakers = values.shape
    m = speakers / folds  # speakers a fold
    cells = np.stack([values[:, of_fold == fold].mean(1) for fold in range(folds)], 1)  # (n, F)
    within = values - cells[:, of_fold]
    rest = within - within.mean(0)  # E alone
    of_rest = (rest**2).sum() / ((n - 1) * (speakers - folds))
    of_cell, freedom_of_seeds = float(cells.var(0, ddof=1).mean()), folds * (n - 1)
    of_run = max(0.0, of_cell - of_rest / m)
    # the speakers' spread has 1 - (m - 1) / (S - 1) of the m R that is in the mean over the speakers of a fold
    missing = (m - 1 + (m - 1) / (speakers - 1)) * of_run / (speakers * n)
    return (of_cell / (folds * n), freedom_of_seeds), (missing, freedom_of_seeds)
