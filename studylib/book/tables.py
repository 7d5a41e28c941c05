"""The book's tables, and how pages write the accuracies and differences of networks in rows of the table of runs."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from html import escape
from math import isnan

import pandas as pd
from IPython.display import Markdown

from studylib import stats
from studylib.claims.parts import Part, signed
from studylib.runs.results import Run
from studylib.stats import Estimate
from studylib.stats.estimates import Measure
from studylib.training.spec import RunSpec

NOT_RUN = "not run yet"
# The plans whose runs are evidence, as pages name them to readers, in the order in which they are shown.
PLANS = {"lips": "real video (lips)", "mini": "synthetic video (Pantomime)", "paper": "full scale (Kinetics-400)"}
# In these the runs of one table differ, or they only say where something lies.
NO_SETTINGS = ("experiment", "net", "dataset", "split", "seed", "modality", "init_from")


def lacking(what: str) -> str:
    """A cell, or its part, that says what is missing: "not run", "2 of 3 runs"."""
    return f'<span class="not-run">{what}</span>'


def with_interval(value: float, low: float, high: float) -> str:
    """A percentage with its 95% interval as HTML, "72.0 (70–74)".

    Ends less than two points apart have a decimal, "(71.3–72.7)": whole numbers might leave the value itself outside.
    """
    digits = 1 if high - low < 2 else 0
    return f'{value:.1f} <span class="interval">({low:.{digits}f}–{high:.{digits}f})</span>'


@dataclass(frozen=True)
class Table:
    """A table as a notebook shows it, scrolling sideways where it is too wide. Cells of `frame` are Estimates, None
    (not run), or finished HTML; column names of two levels become a group and a name."""

    frame: pd.DataFrame
    caption: str

    def _repr_html_(self) -> str:
        cells = self.frame.map(self._cell)
        if isinstance(next(iter(cells), None), tuple):  # as rows of dicts have them
            cells.columns = pd.MultiIndex.from_tuples(cells.columns)
        html = cells.to_html(index=False, escape=False, border=0, classes="study-table", na_rep="")
        head, _, body = html.partition("<thead>")
        caption = escape(self.caption)
        # focusable, so that a wide table can be scrolled from the keyboard
        return (
            f'<div class="table-scroll" role="region" tabindex="0" aria-label="{caption}">'
            f"{head}<caption>{caption}</caption><thead>{body}</div>"
        )

    @staticmethod
    def _cell(value: object) -> object:
        if isinstance(value, Estimate):
            return with_interval(value.points, value.low, value.high)
        return lacking("not run") if value is None else value


def prose(text: str) -> str:
    """A cell of words: as wide as they need to be read."""
    return f'<span class="prose">{escape(text)}</span>'


def page_name(plan: str, experiment: str, run: str) -> str:
    """The book's page of a run, below `run_pages/` and without suffix."""
    return f"{plan}_{experiment}_{run}"


def run_link(plan: str, experiment: str, run: str, text: str) -> str:
    """A link from a chapter at the book's top to the page of a run."""
    return f'<a href="run_pages/{page_name(plan, experiment, run)}.html">{escape(text)}</a>'


def links(rows: pd.DataFrame) -> str:
    """The complete runs among these, folded: a link to the page of each, named by network, seed and split."""
    done = rows[rows["state"] == "complete"]
    named = [
        run_link(row["plan"], row["experiment"], row["run"], f"{row['net']} {row['seed']}.{row['split']}")
        for row in done.to_dict("records")
    ]
    title = "1 run" if len(named) == 1 else f"{len(named)} runs"
    return f"<details><summary>{title}</summary>{', '.join(named)}</details>" if named else ""


def runs_of(rows: pd.DataFrame) -> list[Run]:
    """The complete runs among all planned ones of a network in one setting, of those seeds of which every split is
    complete: a mean over some splits only would be another quantity."""
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


def text(found: Estimate | Part | None, sign: bool = False, digits: int = 1) -> str:
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


def settings_table(runs: pd.DataFrame, *plans: str) -> Table:
    """Fields of the RunSpec in which these plans with rows differ from the plan `paper`, a row a field, a column a
    plan."""
    there = [plan for plan in ("paper", *plans) if (runs["plan"] == plan).any()]
    rows = []
    for name in ("dataset", *(f.name for f in fields(RunSpec) if f.name not in NO_SETTINGS)):
        values = {plan: [f"{v}" for v in runs.loc[runs["plan"] == plan, name].unique()] for plan in there}
        if any(sorted(own) != sorted(values["paper"]) for own in values.values()):
            rows.append({"field": f"<code>{name}</code>"} | {plan: ", ".join(own) for plan, own in values.items()})
    return Table(
        pd.DataFrame(rows),
        f"Settings of these runs in which plan {' or '.join(there[1:])} differs from plan paper; all others are equal. "
        "Plan paper has the paper's settings, and where the paper is silent those of VMZ or the book's own choice: "
        "see Discrepancies.",
    )


def plan_note(runs: pd.DataFrame, plans: Iterable[str] = PLANS) -> Markdown:
    """How much of each of these plans is run; those of which nothing is are named in one line."""
    states = {plan: own["state"] == "complete" for plan, own in runs.groupby("plan") if plan in plans}
    labels = runs.groupby("plan")["label"].first()
    titles = {plan: PLANS.get(plan) or labels[plan] for plan in plans if plan in states}
    told = [f"{titles[p]}: {states[p].sum()} of {len(states[p])} runs are recorded" for p in titles if states[p].any()]
    if none := [title for plan, title in titles.items() if not states[plan].any()]:
        told.append(f"not run yet, see [Still open](still_open.html): {', '.join(none)}")
    return Markdown("\n".join(f"* {line[0].upper()}{line[1:]}." for line in told))
