"""One network over its seeds, as chapters show it: which runs it is, how many of them are there, and its numbers.

A chapter shows what is recorded so far and says how much that is; a verdict waits for all of it (see `verdicts`). The
networks are chosen as the rules choose them, and the intervals are theirs: 95%, over test videos and seeds.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from math import inf, isnan, nan

import numpy as np
import pandas as pd
from IPython.display import Markdown

from studylib.evaluation import Predictions
from studylib.magnitudes import signed
from studylib.results import Run
from studylib.seeds import SeedDifference
from studylib.tables import NOT_RUN, run_link
from studylib.verdicts_evidence import USUAL
from studylib.verdicts_intervals import contrast, outcomes, over_seeds
from studylib.verdicts_parts import ABOVE, Part


def planned(runs: pd.DataFrame, plan: str, experiments: Sequence[str], **wanted: object) -> pd.DataFrame:
    """The runs that a plan has of one network, a row a seed, of the first experiment that plans it.

    Args:
        runs: `results.load_all_runs()`.
        wanted: fields of the RunSpec; those of `verdicts_evidence.USUAL` where nothing else is said.
    """
    wanted = USUAL | wanted
    chosen = runs[runs["plan"] == plan]
    for field, value in wanted.items():
        chosen = chosen[chosen["net_key" if field == "net" else field] == value]
    for experiment in experiments:
        if (chosen["experiment"] == experiment).any():
            return chosen[chosen["experiment"] == experiment].sort_values("seed")
    return chosen.iloc[:0]


def complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of the rows that are complete."""
    return rows[rows["state"] == "complete"]


def tests(rows: pd.DataFrame) -> dict[int, dict[int, Predictions]]:
    """Seed -> split -> scores, of the complete rows."""
    found: dict[int, dict[int, Predictions]] = {}
    for run in complete(rows)["result"]:
        found.setdefault(run.spec.seed, {})[run.spec.split] = run.predictions
    return found


def accuracy(rows: pd.DataFrame, measure: str) -> Part | None:
    """The mean over the seeds that are complete, percent; None where none is.

    Args:
        measure: a key of `verdicts_intervals.ACCURACIES`.
    """
    found = tests(rows)
    return bounded(contrast("", [outcomes(found, measure)])) if found else None


def bounded(share: Part) -> Part:
    """A percentage whose interval does not leave 0 to 100, which that of few seeds can."""
    low, high = np.clip([share.low, share.high], 0, 100)  # nan, of a single seed, stays nan
    return replace(share, low=float(low), high=float(high))


def difference(first: pd.DataFrame, second: pd.DataFrame, measure: str) -> Part | None:
    """First minus second on the same test videos, points; None where one has no complete run.

    Raises:
        Undecidable: they were not tested on the same videos.
    """
    sides = tests(first), tests(second)
    if not all(sides):
        return None
    return contrast("", [outcomes(sides[0], measure)], [outcomes(sides[1], measure)])


def numbers(rows: pd.DataFrame, of_run: Callable[[Run], float]) -> list[float]:
    """One number a complete run."""
    return [float(of_run(run)) for run in complete(rows)["result"]]


def sum_over_seeds(plus: Sequence[list[float]], minus: Sequence[list[float]] = ()) -> Part | None:
    """Means over seeds added and subtracted, with the interval of Student's t; it is nan where one has a single seed,
    and all is None where one has none."""
    groups = [*plus, *minus]
    if not all(groups):
        return None
    if min(map(len, groups)) > 1:
        return over_seeds("", plus, minus)
    points = sum(sum(own) / len(own) for own in plus) - sum(sum(own) / len(own) for own in minus)
    return Part("", points, nan, nan, ABOVE, inf, covers_seeds=False)


def lack(*networks: pd.DataFrame) -> str:
    """What is missing of networks that a number needs: "not planned", "not run", "2 of 3 seeds"; "" for nothing."""
    if any(rows.empty for rows in networks):
        return "not planned"
    if any(complete(rows).empty for rows in networks):
        return "not run"
    counts = [f"{len(complete(rows))} of {len(rows)} seeds" for rows in networks if len(complete(rows)) < len(rows)]
    return ", ".join(dict.fromkeys(counts))


def cell(part: Part | SeedDifference | None, lacks: str = "", sign: bool = False, after: str = "") -> str:
    """A number of a table with its interval, what is missing of it, and a last line `after`."""
    if part is None:
        return NOT_RUN if lacks in ("", "not run") else f'<span class="not-run">{lacks}</span>'
    text = signed if sign else "{:.1f}".format
    notes = [] if isnan(part.low) else [f"({text(part.low)} to {text(part.high)})"]
    notes += [] if part.covers_seeds else ["one seed"]
    shown = f'{text(part.points)} <span class="interval">{", ".join(notes)}</span>'
    if lacks:
        shown += f' <span class="not-run">{lacks}</span>'
    return f'{shown}<br><span class="interval">{after}</span>' if after else shown


def seed_links(rows: pd.DataFrame) -> str:
    """Links to the pages of the complete runs, by seed; "" where there is none."""
    links = [run_link(r["plan"], r["experiment"], r["run"], str(r["seed"])) for _, r in complete(rows).iterrows()]
    return f"seed{'s' if len(links) > 1 else ''} {' '.join(links)}" if links else ""


def grouped(rows: Sequence[dict[tuple[str, str], str]]) -> pd.DataFrame:
    """The frame of a `Table` whose columns have a group and a name, from rows by (group, name)."""
    frame = pd.DataFrame(rows)
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return frame


def made_of(rows: pd.DataFrame) -> Markdown:
    """A sentence on the runs behind a figure: plan, datasets, seeds, how many of the planned ones are complete."""
    if rows.empty:
        return Markdown("*Not run:* the plan has no such run.")
    plan, done = rows["plan"].iloc[0], complete(rows)
    told = f"{len(done)} of {len(rows)} planned runs complete."
    if done.empty:
        return Markdown(f"*Not run:* plan *{escape(plan)}*, {told}")
    datasets = ", ".join(f"`{name}`" for name in dict.fromkeys(done["dataset"]))
    seeds = sorted(set(done["seed"]))
    listed = ", ".join(map(str, seeds))
    return Markdown(f"Plan *{escape(plan)}*, dataset {datasets}, seed{'s' if len(seeds) > 1 else ''} {listed}: {told}")
