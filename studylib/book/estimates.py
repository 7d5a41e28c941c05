"""Accuracies and differences of networks, from rows of the table of runs, and how pages write them."""

from math import isnan

import pandas as pd

from studylib import stats
from studylib.book.tables import PLANS as PLANS
from studylib.book.tables import run_link
from studylib.runs.magnitudes import signed
from studylib.runs.results import Run
from studylib.stats import Estimate
from studylib.stats.estimates import Measure

NOT_RUN = "not run yet"


def runs_of(rows: pd.DataFrame) -> list[Run]:
    """The complete runs of a network, of those seeds of which every planned split is complete: a mean over some
    splits only would be another quantity.

    Args:
        rows: all planned runs of one network in one setting.
    """
    whole = rows.groupby("seed")["state"].transform(lambda states: (states == "complete").all())
    return list(rows.loc[whole.astype(bool), "result"])


def accuracy(rows: pd.DataFrame, measure: Measure = "clip_top1") -> Estimate | None:
    """`stats.accuracy` of `runs_of` these rows, percent; None without such runs."""
    found = runs_of(rows)
    return stats.accuracy(found, measure) if found else None


def difference(rows: pd.DataFrame, others: pd.DataFrame, measure: Measure = "clip_top1") -> Estimate | None:
    """`stats.difference` of `runs_of` both, in points; None where one has no such runs."""
    first, second = runs_of(rows), runs_of(others)
    return stats.difference(first, second, measure) if first and second else None


def links(rows: pd.DataFrame) -> str:
    """The complete runs among these, folded: a link to the page of each, named by network, seed and split."""
    done = rows[rows["state"] == "complete"]
    named = [
        run_link(row["plan"], row["experiment"], row["run"], f"{row['net']} {row['seed']}.{row['split']}")
        for row in done.to_dict("records")
    ]
    return (
        f"<details><summary>{len(named)} run{'s' * (len(named) > 1)}</summary>{', '.join(named)}</details>"
        if named
        else ""
    )


def text(found: Estimate | None, sign: bool = False, digits: int = 1) -> str:
    """ "72.0 (70.1 to 73.9)", "not run yet" for None; with `sign` as a difference. Where the interval leaves out how
    another seed would come out it says "one seed"."""
    if found is None:
        return NOT_RUN
    point, low, high = (
        signed(value, digits) if sign else f"{value:.{digits}f}".replace("-", "−")
        for value in (found.points, found.low, found.high)
    )
    if isnan(found.low):
        return f"{point} (no interval)"
    return f"{point} ({low} to {high}{'' if found.covers_seeds else ', one seed'})"
