"""The difference of R(2+1)D and R3D at each value of a setting, as the book shows it."""

from html import escape
from typing import Any

import pandas as pd
from IPython.display import Markdown

from studylib.book.calibration import FIRST, SECOND, Calibration, comparison, complete, variations
from studylib.book.calibration_checks import HALF_WIDTH, covers
from studylib.book.calibration_tables import MISSING, listed, video_accuracy, word
from studylib.book.cells import INTERVALS
from studylib.book.tables import NOT_RUN, Table
from studylib.stats.seeds import SeedDifference
from studylib.training.magnitudes import with_interval

CAPTION = (
    f"Video@1 in percent, and {FIRST} minus {SECOND} in points on the same videos, with 95% intervals. Those of "
    "differences are a bootstrap over videos and seeds. Videos only: of one seed each, which covers the draw of the "
    "test videos only. Seeds in part: some network has a single seed, so how another would come out is not covered. "
    f"Of accuracies: {INTERVALS[0].lower()}{INTERVALS[1:]}"
)


def comparison_table(rows: pd.DataFrame, label: str, training: bool = False) -> Table | Markdown:
    """Both networks and their difference at each value of a field of the spec, and how far the difference moves.

    The last column tells which hardware the runs of a row were made on.

    Args:
        rows: `calibration.comparison`.
        label: what the field is called in the head of the table.
        training: whether to show the accuracy on training clips of the last epoch, too.
    """
    if all(complete(own).empty for own in rows["runs"]):
        return MISSING
    epochs = listed([str(n) for n in sorted(pd.concat(list(rows["runs"]))["epochs"].unique())])
    cells = []
    for value, is_base, runs, difference, change in rows.itertuples(index=False):
        row = {label: f"{escape(value_text(value))}{' (as in the base)' if is_base else ''}"}
        for net in (FIRST, SECOND):
            own = runs[runs["net"] == net]
            row[f"{net}, video@1"] = video_accuracy(own)
            if training:
                done = complete(own)
                row[f"{net}, training clips"] = NOT_RUN if done.empty else f"{100 - done['train_error'].mean():.1f}"
        row["difference, points"] = _points(difference)
        row["change of the difference"] = "" if is_base else _points(change)
        row["hardware"] = escape(", ".join(hardware(complete(runs))))
        cells.append(row)
    of_training = " Training clips: right in the last epoch, while they are trained on." if training else ""
    return Table(pd.DataFrame(cells), f"{CAPTION}{of_training} Epochs: {epochs}.")


def hardware(done: pd.DataFrame) -> list[str]:
    """What complete runs were made on, "CPU" for any processor, each once."""
    devices = {run.provenance["device"] for run in done["result"]}
    return sorted("CPU" if device == "cpu" else device for device in devices)


def order_note(rows: pd.DataFrame) -> Markdown:
    """Whether the two networks come in the same order at every value of a `comparison`, and how sure that is."""
    if rows.empty or rows["gap"].isna().all():
        return MISSING
    done = rows[rows["gap"].notna()]
    ahead = {net: [] for net in (FIRST, SECOND, "neither")}
    for value, d in zip(done["value"], done["gap"], strict=True):
        ahead[FIRST if d.points > 0 else SECOND if d.points < 0 else "neither"].append(value_text(value))
    ahead = {net: values for net, values in ahead.items() if values}
    if len(done) == 1:
        told = [
            f"Of {word(len(rows))} values only {value_text(done['value'].iloc[0])} has been run: no order to compare."
        ]
    elif len(ahead) == 1:
        winner = next(iter(ahead))
        told = [f"In {'both' if len(done) == 2 else f'all {word(len(done))}'} the order of the two is the same: "]
        told[0] += "neither is ahead." if winner == "neither" else f"{winner} is ahead."
    else:
        where = ", ".join(f"{net} is ahead at {listed(values)}" for net, values in ahead.items())
        told = [f"The order of the two changes: {where}."]
    told += _within(done)
    if len(done) > 1 and (missing := [value_text(v) for v in rows.loc[rows["gap"].isna(), "value"]]):
        told.append(f"*Not run:* {listed(missing)}.")
    return Markdown(" ".join(told))


def _within(done: pd.DataFrame) -> list[str]:
    """What the intervals say of the order and of its change."""
    gaps = {value_text(value): d for value, d in zip(done["value"], done["gap"], strict=True)}
    unsure = [value for value, d in gaps.items() if d.contains_0]
    told = [f"The interval of the difference contains 0 at {listed(unsure)}."] if unsure else []
    changes = {value_text(value): c for value, c in zip(done["value"], done["change"], strict=True) if c is not None}
    moved = [value for value, c in changes.items() if not c.contains_0]
    if moved:
        told.append(f"Against the base's value, the difference changes by more than its interval at {listed(moved)}.")
    elif changes:
        told.append("Nowhere does the difference change by more than its interval.")
    if any(not d.covers_seeds for d in [*gaps.values(), *changes.values()]):
        told.append("Where a network has a single seed, intervals do not cover that another would come out otherwise.")
    return told


def precision_note(study: Calibration) -> Markdown:
    """Whether runs that asked for bf16 were trained in it: it is checked before it is used."""
    asked = complete(variations(study, "amp"))
    asked = asked[asked["amp"] == "bf16"]
    if asked.empty:
        return MISSING
    used = sum(run.provenance["precision"] == "bf16" for run in asked["result"])
    told = f"Of {len(asked)} runs that asked for bf16, {used} were trained in it."
    changes = [c for c in comparison(study, "amp")["change"] if c is not None]
    if changes and (width := max(c.half_width for c in changes)) > HALF_WIDTH:
        told += f" The change is known to ±{width:.1f} points only: one of the {HALF_WIDTH:g} points that the study "
        told += "asks for need not have been seen."
    return Markdown(told)


def _points(d: SeedDifference | None) -> str:
    if d is None:
        return NOT_RUN
    note = f"; {covers(d)}" if covers(d) else ""
    return with_interval(d.points, d.low, d.high, sign=True, note=note)


def value_text(value: Any) -> str:
    """A value of a field of the spec."""
    return value if isinstance(value, str) else f"{value:g}"
