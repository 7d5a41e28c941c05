"""How many test videos and seeds it takes to tell two networks apart, from a few recorded runs of both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from studylib.stats.estimates import Measure, Network, outcomes
from studylib.stats.intervals import NotComparable, freedom, student_quantile


@dataclass(frozen=True)
class Variances:
    """Variances of the parts of an outcome, points squared (`intervals.crossed_interval` has the model)."""

    of_seeds: tuple[float, ...]  # a, of each network
    of_rest: tuple[float, ...]  # e, of each network
    of_videos: float  # u, of the signed sum over the networks

    def of(self, *nets: int) -> "Variances":
        """With the parts of these networks, by their number, in place of its own."""
        seeds, rest = (tuple(own[net] for net in nets) for own in (self.of_seeds, self.of_rest))
        return replace(self, of_seeds=seeds, of_rest=rest)


def recorded_variances(first: Network, second: Network, measure: Measure = "video_top1") -> Variances:
    """Of first minus second, from their recorded runs; errors as of `estimates.difference`, or for a single seed."""
    nets = [outcomes(network, measure) for network in (first, second)]
    if nets[0].tested != nets[1].tested:
        raise NotComparable("the networks were not tested on the same videos, labels and classes")
    if min(len(net.seeds) for net in nets) < 2:
        raise ValueError("a network has one seed: how seeds differ takes two or more")
    return variances([net.values for net in nets], (1, -1))


def variances(values: Sequence[np.ndarray], signs: Sequence[int]) -> Variances:
    """From outcomes of N seeds of each network on M videos (the crossed analysis of variance; none is less than 0):

        var e_g = sum over s, v of (outcome - mean of s - mean of v + mean of all)^2 / ((N - 1) (M - 1))
        var a_g = (variance of the seeds' means) - var e_g / M
        var u   = (variance over videos of the signed sum of the means over seeds) - sum over g of var e_g / N

    From two or three recorded seeds var a_g is a rough guess. `values` are in points, N is 2 or more, a sign 1 or -1.
    """
    a, e, u = [], [], sum(sign * own.mean(0) for own, sign in zip(values, signs, strict=True)).var(ddof=1)
    for own in values:
        n, videos = own.shape
        left = own - own.mean(0) - own.mean(1, keepdims=True) + own.mean()
        e.append(float((left**2).sum() / ((n - 1) * (videos - 1))))
        a.append(max(0.0, own.mean(1).var(ddof=1) - e[-1] / videos))
        u -= e[-1] / n
    return Variances(tuple(a), tuple(e), max(0.0, u))


def mean_variances(studies: Sequence[Variances]) -> Variances:
    """The mean over studies of as many seeds each, part by part."""
    of_seeds, of_rest = (np.mean([getattr(own, name) for own in studies], axis=0) for name in ("of_seeds", "of_rest"))
    return Variances(tuple(of_seeds), tuple(of_rest), float(np.mean([own.of_videos for own in studies])))


def expected_half_width(known: Variances, videos: int, seeds: Sequence[int]) -> float:
    """Half the width, in points, of `intervals.crossed_interval` on V `videos` with n_g `seeds` of each network.

    The interval is expected to be as wide as its parts, in which e is counted twice, say:

        of videos  = (var u + sum over g of var e_g / n_g) / V
        of seeds_g = (var a_g + var e_g / V) / n_g,   0 where n_g is 1
        half width = t sqrt(of videos + sum over g of of seeds_g)

    with t the 97.5% quantile of Student's distribution and Satterthwaite's degrees of freedom, as `crossed_interval`
    takes them: about the median of the widths that come out, which with two or three seeds vary much from study to
    study.
    """
    e, n = np.array(known.of_rest), np.array(seeds)
    of_videos = (known.of_videos + (e / n).sum()) / videos
    of_seeds = np.where(n > 1, (np.array(known.of_seeds) + e / videos) / n, 0)
    parts = [of_videos, *of_seeds]
    return student_quantile(0.975, freedom(parts, [videos - 1, *(n - 1)])) * sqrt(sum(parts))
