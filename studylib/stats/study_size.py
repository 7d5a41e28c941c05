"""How many test videos and seeds it takes to tell two networks apart, from a few recorded runs of both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import sqrt

import numpy as np
import pandas as pd

from studylib.stats.estimates import Measure, Network, outcomes
from studylib.stats.intervals import student_quantile
from studylib.stats.seeds import freedom, per_video_sum


@dataclass(frozen=True)
class Variances:
    """Variances of the parts of an outcome, points squared (`seeds` has the model)."""

    of_seeds: tuple[float, ...]  # a, of each network
    of_rest: tuple[float, ...]  # e, of each network
    of_videos: float  # u, of the signed sum over the networks

    def of(self, *nets: int) -> "Variances":
        """With the parts of these networks, by their number, in place of its own."""
        return replace(
            self,
            of_seeds=tuple(self.of_seeds[net] for net in nets),
            of_rest=tuple(self.of_rest[net] for net in nets),
        )


def recorded_variances(first: Network, second: Network, measure: Measure = "video_top1") -> Variances:
    """Of first minus second, from their recorded runs.

    Raises:
        ValueError: as of `estimates.difference`, or a network has one seed only.
    """
    nets = [outcomes(network, measure) for network in (first, second)]
    if nets[0].tested != nets[1].tested:
        raise ValueError("the networks were not tested on the same videos, labels and classes")
    if min(len(net.seeds) for net in nets) < 2:
        raise ValueError("a network has one seed: how seeds differ takes two or more")
    return variances([net.values for net in nets], (1, -1))


def variances(values: Sequence[np.ndarray], signs: Sequence[int]) -> Variances:
    """From outcomes of N seeds of each network on M videos (the crossed analysis of variance; none is less than 0):

        var e_g = sum over s, v of (outcome - mean of s - mean of v + mean of all)^2 / ((N - 1) (M - 1))
        var a_g = (variance of the seeds' means) - var e_g / M
        var u   = (variance over videos of the signed sum of the means over seeds) - sum over g of var e_g / N

    From two or three recorded seeds var a_g is a rough guess.

    Args:
        values: of each network (N seeds, M videos), in points, N of 2 or more.
        signs: of each network, 1 or -1.
    """
    recorded = values[0].shape[1]
    e = [_interaction(own) for own in values]
    a = [max(0.0, own.mean(1).var(ddof=1) - rest / recorded) for own, rest in zip(values, e, strict=True)]
    of_means = sum(rest / len(own) for own, rest in zip(values, e, strict=True))
    return Variances(tuple(a), tuple(e), max(0.0, per_video_sum(values, signs).var(ddof=1) - of_means))


def mean_variances(studies: Sequence[Variances]) -> Variances:
    """The mean over studies of as many seeds each, part by part."""
    of_seeds = np.mean([own.of_seeds for own in studies], axis=0)
    of_rest = np.mean([own.of_rest for own in studies], axis=0)
    return Variances(tuple(of_seeds), tuple(of_rest), float(np.mean([own.of_videos for own in studies])))


def expected_half_width(known: Variances, videos: int, seeds: Sequence[int]) -> float:
    """Half the width, in points, of `seeds.crossed_interval` on V `videos` with n_g `seeds` of each network.

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
    return student_quantile(0.975, freedom(parts, [videos, *seeds])) * sqrt(sum(parts))


def needed(
    first: Network,
    second: Network,
    half_width: float = 3.0,
    measure: Measure = "video_top1",
    videos: Sequence[int] = (400, 1000, 2000, 4000),
    seeds: Sequence[int] = (1, 2, 3, 5),
) -> pd.DataFrame:
    """How wide the interval of `estimates.difference` is expected to be with other numbers of test videos and seeds.

    Returns a row for each of the `videos` and `seeds`: videos, seeds (as many of each network), half_width (points,
    see `expected_half_width`), covers_seeds (not with one seed, whose interval is narrower only because it says nothing
    of another), enough (covers the seeds, in at most `half_width` points).

    Errors: as of `recorded_variances`.
    """
    known = recorded_variances(first, second, measure)
    table = pd.DataFrame(product(videos, seeds), columns=["videos", "seeds"])
    table["half_width"] = [expected_half_width(known, v, (n, n)) for v, n in table.values.tolist()]
    table["covers_seeds"] = table["seeds"] > 1
    table["enough"] = table["covers_seeds"] & (table["half_width"] <= half_width)
    return table


def _interaction(outcomes: np.ndarray) -> float:
    """The variance of e: what is left of the outcomes without the means of seeds and of videos."""
    left = outcomes - outcomes.mean(0) - outcomes.mean(1, keepdims=True) + outcomes.mean()
    return float((left**2).sum() / ((outcomes.shape[0] - 1) * (outcomes.shape[1] - 1)))
