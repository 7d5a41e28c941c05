"""How many test videos and seeds it takes to tell two networks apart, from a few recorded runs of both."""

from collections.abc import Sequence
from itertools import product
from math import sqrt

import numpy as np
import pandas as pd

from studylib.seeds import ORDINALS, Measure, Seeds, outcomes_of, per_video_sum, require_alike, student


def needed(
    first: Seeds,
    second: Seeds,
    half_width: float = 3.0,
    measure: Measure = "video_top1",
    videos: Sequence[int] = (400, 1000, 2000, 4000),
    seeds: Sequence[int] = (1, 2, 3, 5),
) -> pd.DataFrame:
    """How wide the interval of `difference` is expected to be with other numbers of test videos and seeds.

    Returns a row for each of the `videos` and `seeds`: videos, seeds, half_width (points, see `expected_half_width`),
    covers_seeds (not with one seed, whose interval is narrower only because it says nothing of another), enough (covers
    the seeds, in at most `half_width` points).

    Errors: as of `difference`, and ValueError where a network has one seed only.
    """
    nets = require_alike((first, second))
    if single := [name for name, net in zip(ORDINALS, nets, strict=False) if len(net) < 2]:
        raise ValueError(f"the {single[0]} network has one seed: how seeds differ takes two or more")
    outcomes = [outcomes_of(net, measure) for net in nets]
    sizes = list(product(videos, seeds))
    table = pd.DataFrame(sizes, columns=["videos", "seeds"])
    table["half_width"] = [expected_half_width(outcomes, (1, -1), *size) for size in sizes]
    table["covers_seeds"] = table["seeds"] > 1
    table["enough"] = table["covers_seeds"] & (table["half_width"] <= half_width)
    return table


def expected_half_width(outcomes: Sequence[np.ndarray], signs: Sequence[int], videos: int, seeds: int) -> float:
    """Half the width, in points, of `crossed_interval` on V `videos` with n `seeds` of each network.

    The variances of a, u and e are estimated from recorded outcomes, N seeds of each network on M videos (the crossed
    analysis of variance; none is less than 0):

        var e_g = sum over s, v of (outcome - mean of s - mean of v + mean of all)^2 / ((N - 1) (M - 1))
        var a_g = (variance of the seeds' means) - var e_g / M
        var u   = (variance over videos of the signed sum of the means over seeds) - sum over g of var e_g / N

    With them, the interval is expected to be as wide as its parts, in which e is counted twice, say:

        of videos  = (var u + sum over g of var e_g / n) / V
        of seeds_g = (var a_g + var e_g / V) / n,   0 where n is 1
        half width = t sqrt(of videos + sum over g of of seeds_g)

    with t the 97.5% quantile of Student's distribution and Satterthwaite's degrees of freedom, as `crossed_interval`
    takes them: about the median of the widths that come out, which with two or three seeds vary much from study to
    study. From two or three recorded seeds var a_g is a rough guess, and so is this width.
    """
    recorded = outcomes[0].shape[1]
    var_e = np.array([_interaction(own) for own in outcomes])
    var_a = np.maximum(0, [own.mean(1).var(ddof=1) - e / recorded for own, e in zip(outcomes, var_e, strict=True)])
    var_u = max(0, per_video_sum(outcomes, signs).var(ddof=1) - sum(var_e / [len(own) for own in outcomes]))
    of_videos = (var_u + var_e.sum() / seeds) / videos
    of_seeds = (var_a + var_e / videos) / seeds if seeds > 1 else np.zeros(len(outcomes))
    variances = [of_videos, *of_seeds]
    return student([videos, *[seeds] * len(outcomes)], variances) * sqrt(sum(variances))


def _interaction(outcomes: np.ndarray) -> float:
    """The variance of e: what is left of the outcomes without the means of seeds and of videos."""
    left = outcomes - outcomes.mean(0) - outcomes.mean(1, keepdims=True) + outcomes.mean()
    return (left**2).sum() / ((outcomes.shape[0] - 1) * (outcomes.shape[1] - 1))
