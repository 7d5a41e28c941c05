"""What a verdict is, and how 95% intervals make one.

A claim says one or several things, its parts: a number with its interval, and the region that the claim puts it in.

* A part is reproduced when the whole interval lies in the region, contradicted when none of it does, else inconclusive.
* A claim is reproduced when all its parts are; an intersection-union test needs no correction for their number.
* A claim is contradicted when one part is, by an interval that is wide enough for their number (Bonferroni's: of k
  parts at the level 1 - 0.05 / k).
* Else it is inconclusive, and so is a claim with an interval that leaves out how seeds differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isinf, nan, sqrt

import numpy as np

from studylib.claims.published import CLOSE
from studylib.stats.estimates import Outcomes, combined
from studylib.stats.intervals import freedom, student_quantile

REPRODUCED, CONTRADICTED, INCONCLUSIVE = "reproduced", "contradicted", "inconclusive"
NOT_RUN, UNDECIDABLE = "not run", "cannot be decided here"

ABOVE = (0.0, inf)  # better, larger, longer
EQUAL = (-CLOSE - 1e-9, CLOSE + 1e-9)  # points: "as accurate as", "comes close"; the ends belong to it
POINTS = " points"  # the unit of a difference of two percentages
ONE_SEED = (
    "A network has one seed: the intervals cover the draw of the test videos and leave out, or have only in part, how "
    "another seed would come out. That decides nothing."
)


def signed(points: float, digits: int = 1) -> str:
    """ "+1.2" or "−1.2"; what rounds to zero is "0.0", since of it no sign is shown to be right."""
    text = f"{points:+.{digits}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]


@dataclass(frozen=True)
class Part:
    """One number that a claim is about, with its 95% interval and the region that the claim puts it in."""

    what: str
    points: float
    low: float
    high: float
    claimed: tuple[float, float] = ABOVE
    freedom: float = inf  # degrees of freedom of Student's t behind the interval
    covers_seeds: bool = True  # false where a network has one seed only
    unit: str = POINTS
    digits: int = 1

    @property
    def outcome(self) -> str:
        """Of this part by itself."""
        return self.outcome_among(1)

    def among(self, parts: int) -> tuple[float, float]:
        """The interval (low, high) at the level 1 - 0.05 / parts, as wide by Student's t of its own freedom."""
        if parts == 1:
            return self.low, self.high
        factor = student_quantile(1 - 0.025 / parts, self.freedom) / student_quantile(0.975, self.freedom)
        ends = self.points - factor * (self.points - self.low), self.points + factor * (self.high - self.points)
        return possible(*ends) if self.unit == POINTS else ends

    def outcome_among(self, parts: int) -> str:
        """As `outcome`, by the interval `among` so many; one that touches the edge of the region holds it."""
        (low, high), (least, most) = self.among(parts), self.claimed
        if least < low and high < most:
            return REPRODUCED
        return CONTRADICTED if high < least or low > most else INCONCLUSIVE

    def text_of(self, *values: float) -> str:
        """Numbers as the part shows its own, "−0.5 to +3.0"."""
        return " to ".join(signed(value, self.digits) for value in values)

    def __str__(self) -> str:
        exactly = self.low == self.high and isinf(self.freedom)
        span = "" if exactly else f" (95% interval {self.text_of(self.low, self.high)})"
        return f"{self.what}: {self.text_of(self.points)}{self.unit}{span}"


@dataclass(frozen=True)
class Verdict:
    """What the recorded runs of one plan say of a claim."""

    outcome: str  # one of the five above
    parts: tuple[Part, ...] = ()
    folders: tuple[str, ...] = ()  # of the runs that were looked at, from the repository on
    missing: tuple[str, ...] = ()  # what "not run" waits for
    why: str = ""  # of "cannot be decided here"
    # Parts put together in another way, by what that is; they decide nothing.
    aside: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    # Where the rule is another than that all parts hold: the part that decides, and for how many its interval is.
    decides: tuple[Part, int] | None = None

    @property
    def covers_seeds(self) -> bool:
        """Whether every interval covers the draw of the seeds too."""
        return all(part.covers_seeds for part in self.parts)


def combine(parts: Sequence[Part]) -> str:
    """The outcome of a claim that says all of its parts, one at least; see above."""
    if not parts:
        raise ValueError("a claim has at least one part")
    if all(part.outcome == REPRODUCED for part in parts):
        return REPRODUCED
    contradicted = any(part.outcome_among(len(parts)) == CONTRADICTED for part in parts)
    return CONTRADICTED if contradicted else INCONCLUSIVE


def contrast(
    what: str,
    plus: Sequence[Outcomes],
    minus: Sequence[Outcomes] = (),
    claimed: tuple[float, float] = ABOVE,
    published: float = 0.0,
    unit: str = POINTS,
    digits: int = 1,
) -> Part:
    """The mean of some networks minus the mean of others and a published number, with its 95% interval; NotComparable
    where they were not tested on the same videos, labels and classes."""
    networks = [replace(own, values=own.values / len(side)) for side in (plus, minus) for own in side]
    found = combined(networks, [1] * len(plus) + [-1] * len(minus))
    ends = found.low - published, found.high - published
    if unit == POINTS:
        ends = possible(*ends)
    return Part(what, found.points - published, *ends, claimed, found.freedom, found.covers_seeds, unit, digits)


def over_seeds(what: str, plus: Sequence[Sequence[float]], minus: Sequence[Sequence[float]] = ()) -> Part:
    """A sum of means over seeds minus another, for what is one number a seed, with Welch's 95% interval
    (Satterthwaite's degrees of freedom), nan where a network has a single seed."""
    groups = [np.asarray(own, float) for own in (*plus, *minus)]
    signs = [1] * len(plus) + [-1] * len(minus)
    points = float(sum(sign * own.mean() for sign, own in zip(signs, groups, strict=True)))
    if min(map(len, groups)) == 1:
        return Part(what, points, nan, nan, covers_seeds=False)
    variances = [own.var(ddof=1) / len(own) for own in groups]
    degrees = freedom(variances, [len(own) - 1 for own in groups])
    half = 0.0 if isinf(degrees) else student_quantile(0.975, degrees) * sqrt(sum(variances))
    return Part(what, points, *possible(points - half, points + half), ABOVE, degrees)


def exact(what: str, value: float, claimed: tuple[float, float], digits: int = 2) -> Part:
    """A counted number: nothing of it is drawn, its interval is the number."""
    return Part(what, value, value, value, claimed, unit="", digits=digits)


def possible(low: float, high: float) -> tuple[float, float]:
    """The ends of an interval of a difference of two accuracies, which is 100 points at most."""
    return float(np.clip(low, -100, 100)), float(np.clip(high, -100, 100))
