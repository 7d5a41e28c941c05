"""How a claim of the paper is written down and how arithmetic decides it: claims, decisions and the rules' tolerances.

A printed number is compared with the same quantity recomputed from the paper's other printed numbers, or from a count:

* "holds": equal to the printed digit;
* "rounding": off by no more than what the rounding of the printed inputs can produce;
* "does not hold": off by more, or an order, a count or a structure that is not what is stated.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

HOLDS, ROUNDING, FAILS = "holds", "rounding", "does not hold"
OUTCOMES = (HOLDS, ROUNDING, FAILS)
NOT_RUN = "not run"

HALF_UNIT = 0.05  # points: what rounding to one decimal can hide in each accuracy of the paper's tables
# Points: the most that "as accurate as", "on par", "comparable", "slightly", "almost" and "close" may mean, itself
# included, of the paper's numbers here and of recorded runs in `verdicts_parts`.
CLOSE = 2.0
SAME = 0.05  # relative: the most by which two costs or sizes that are "roughly the same" may differ
# Rows of the official validation list of Kinetics-400: the videos behind each accuracy of Table 2, at most.
KINETICS_VALIDATION = 19_906
_EPSILON = 1e-9  # for binary fractions: 57.0 - 47.9 is not exactly 9.1


@dataclass(frozen=True)
class Decision:
    """What arithmetic says of a claim."""

    recomputed: str  # the numbers, made by code
    outcome: str  # one of OUTCOMES
    reading: str = ""  # which reading was decided, and what another one would give


@dataclass(frozen=True)
class Claim:
    """A claim of the paper in our own words."""

    id: str
    section: str
    text: str
    printed: str  # the paper's numbers, as printed; "no number" for an order or a property
    rule: str  # what decides it
    decide: Callable[[], Decision] | None = None  # now, for arithmetic claims
    experiment: str = ""  # whose runs will decide it, for empirical claims

    @property
    def kind(self) -> str:
        """ "arithmetic": decided now, by code; "empirical": decided by recorded runs, later."""
        return "empirical" if self.decide is None else "arithmetic"


def half_digit(printed: str) -> float:
    """Half a unit of the last printed digit: 0.05 for "2.8", 0.5 for "4"."""
    return 0.5 * 10.0 ** Decimal(printed).as_tuple().exponent


def compare(printed: str, value: float, hidden: float = 0.0) -> str:
    """The outcome for one printed number.

    Args:
        printed: as in the paper, without unit.
        value: recomputed.
        hidden: the most by which rounding of the inputs can have moved `value`: `HALF_UNIT` for each accuracy used.
    """
    off = abs(float(printed) - value)
    if off <= half_digit(printed) + _EPSILON:
        return HOLDS
    return ROUNDING if off <= half_digit(printed) + hidden + _EPSILON else FAILS


def worst(outcomes: Iterable[str]) -> str:
    """The outcome of a claim that says several things at once."""
    return max(outcomes, key=OUTCOMES.index)


def number(printed: str, value: float, hidden: float = 0.0, recomputed: str = "", reading: str = "") -> Decision:
    """One printed number against its recomputed value, shown with one digit more than printed unless text is given."""
    digits = max(0, -Decimal(printed).as_tuple().exponent)
    return Decision(recomputed or f"{value:.{digits}f}", compare(printed, value, hidden), reading)


def span(low: str, high: str, values: Iterable[float], hidden: float, reading: str = "") -> Decision:
    """A printed range against the smallest and largest of the recomputed values."""
    values = list(values)
    outcome = worst((compare(low, min(values), hidden), compare(high, max(values), hidden)))
    return Decision(f"{min(values):.1f} to {max(values):.1f}", outcome, reading)


def statement(true: bool, recomputed: str, reading: str = "") -> Decision:
    """An order, a count or a property without a printed number to compare."""
    return Decision(recomputed, HOLDS if true else FAILS, reading)


def at_least(difference: float, threshold: float) -> bool:
    """`difference` >= `threshold`, undisturbed by binary fractions."""
    return difference >= threshold - _EPSILON


def listed(values: dict[str, float], form: str = "{:.1f}") -> str:
    """ "MC2 49.2, MC3 50.4"."""
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())
