"""From the scores of networks to a part of a claim: accuracies and their differences over seeds, videos and splits.

The intervals are those of `stats.estimates`: over the test videos, each once however many of the official splits test
it, and the seeds; where the dataset names its speakers, over them.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf, sqrt
from typing import Any

import numpy as np

from studylib.claims.verdicts_evidence import Net, Undecidable
from studylib.claims.verdicts_parts import ABOVE, POINTS, Part, possible
from studylib.stats import estimates
from studylib.stats.estimates import Estimate, Measure, Outcomes, Scores
from studylib.stats.fusion import fuse
from studylib.stats.intervals import student_quantile
from studylib.stats.seeds import freedom

CLIP, VIDEO, VIDEO5 = "clip@1", "video@1", "video@5"
NAMES = {CLIP: "clip_top1", VIDEO: "video_top1", VIDEO5: "video_top5"}  # -> key of `estimates.MEASURES`


def tests(net: Net) -> Scores:
    """What a network's runs scored."""
    return {s: {split: run.predictions for split, run in own.items()} for s, own in net.runs.items()}


def both(rgb: Net, flow: Net) -> Scores:
    """The scores of two streams averaged, seed by seed and split by split.

    Raises:
        Undecidable: they have not the same seeds and splits.
    """
    if {s: set(own) for s, own in rgb.runs.items()} != {s: set(own) for s, own in flow.runs.items()}:
        raise Undecidable(f"{rgb.name} and {flow.name} do not have the same seeds and splits")
    streams = tests(rgb), tests(flow)
    return {s: {split: fuse(own[split], streams[1][s][split]) for split in own} for s, own in streams[0].items()}


def outcomes(scored: Net | Scores, measure: Measure) -> Outcomes:
    """The outcomes of a network by a key of `NAMES`, or a function that gives points a video.

    Raises:
        Undecidable: its seeds were not tested on the same videos.
    """
    try:
        return estimates.outcomes(tests(scored) if isinstance(scored, Net) else scored, NAMES.get(measure, measure))
    except ValueError as error:
        raise Undecidable(str(error)) from None


def part_of(
    what: str,
    own: Estimate,
    claimed: tuple[float, float] = ABOVE,
    published: float = 0.0,
    unit: str = POINTS,
    digits: int = 1,
) -> Part:
    """An estimate minus a published number, as a part of a claim."""
    ends = own.low - published, own.high - published
    if unit == POINTS:
        ends = possible(*ends)
    return Part(what, own.points - published, *ends, claimed, own.freedom, own.covers_seeds, unit, digits)


def contrast(
    what: str,
    plus: Sequence[Outcomes],
    minus: Sequence[Outcomes] = (),
    claimed: tuple[float, float] = ABOVE,
    **options: Any,
) -> Part:
    """The mean of some networks minus the mean of others, with its 95% interval; further arguments as of `part_of`.

    Raises:
        Undecidable: the networks were not tested on the same videos, labels and classes.
    """
    networks = [replace(own, values=own.values / len(side)) for side in (plus, minus) for own in side]
    try:
        own = estimates.combined(networks, [1] * len(plus) + [-1] * len(minus))
    except ValueError as error:
        raise Undecidable(f"{what}: {error}") from None
    return part_of(what, own, claimed, **options)


def over_seeds(what: str, plus: Sequence[Sequence[float]], minus: Sequence[Sequence[float]]) -> Part:
    """A sum of means over seeds minus another, with the 95% interval of Student's t, for what is one number a seed.

    Variances of the networks need not be equal: Welch's interval, with Satterthwaite's degrees of freedom. Every
    network has two seeds or more.
    """
    groups = [np.asarray(own, float) for own in (*plus, *minus)]
    signs = [1] * len(plus) + [-1] * len(minus)
    points = float(sum(sign * own.mean() for sign, own in zip(signs, groups, strict=True)))
    variances = [own.var(ddof=1) / len(own) for own in groups]
    degrees = freedom(variances, list(map(len, groups)))
    half = 0.0 if degrees == inf else student_quantile(0.975, degrees) * sqrt(sum(variances))
    return Part(what, points, *possible(points - half, points + half), ABOVE, degrees)
