"""Estimates as texts, with two figures and a unit that fits."""

from math import isnan


def two(value: float) -> str:
    """Two figures: an estimate says no more."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def span(low: float, high: float) -> str:
    """ "26" or "11 to 43"."""
    return two(low) if two(low) == two(high) else f"{two(low)} to {two(high)}"


def duration(low: float | None, high: float | None = None) -> str:
    """Seconds, or from `low` to `high` of them, as "40 s", "11 min", "6.9 hours", "26 to 110 days" or "3 years", in the
    unit that fits the longer; "–" for None and nan."""
    if low is None or isnan(low):
        return "–"
    high = low if high is None else high
    for unit, length in (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600), ("min", 60)):
        if high >= 2 * length:
            return f"{span(low / length, high / length)} {unit}"
    return f"{span(low, high)} s"


def disk(size: float | None) -> str:
    """Bytes as "0.8 GB" or "25 MB"; "–" for None."""
    if size is None:
        return "–"
    units = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6))
    unit, length = next(((u, n) for u, n in units if size >= 0.995 * n), ("kB", 1e3))
    return f"{two(size / length)} {unit}"
