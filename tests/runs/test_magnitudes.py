"""Numbers as the book shows them: signs, zeros and intervals."""

import pytest

from studylib.book.tables import with_interval
from studylib.claims.parts import Part, signed


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.23, 1, "+1.2"), (-1.23, 1, "−1.2"), (-0.0501, 1, "−0.1"), (0.046, 2, "+0.05"), (10, 0, "+10"), (-20, 0, "−20")],
)
def test_a_difference_has_its_sign(value, digits, text):
    assert signed(value, digits) == text


@pytest.mark.parametrize(("value", "digits"), [(0.0, 1), (-0.0, 1), (-0.04, 1), (0.04, 1), (-0.0049, 2), (-0.4, 0)])
def test_what_rounds_to_zero_has_no_sign(value, digits):
    assert signed(value, digits) == f"{0:.{digits}f}"


def test_a_percentage_stands_before_its_interval():
    assert with_interval(72.04, 69.6, 74.2) == '72.0 <span class="interval">(70–74)</span>'


def test_a_narrow_interval_has_a_decimal_so_that_it_holds_its_value():
    assert with_interval(20.1, 19.91, 20.33) == '20.1 <span class="interval">(19.9–20.3)</span>'


def test_a_verdict_shows_its_numbers_alike():
    assert str(Part("a minus b", -0.04, -1.0, 0.92)) == "a minus b: 0.0 points (95% interval −1.0 to +0.9)"
