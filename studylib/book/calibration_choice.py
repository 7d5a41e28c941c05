"""The settings that the study takes from its calibration, by rules that stood here before the runs they choose by.

One setting is for all networks. The base's value stays, except:

* of settings that cost the same (`BY_ACCURACY`) another value is taken where the mean of R(2+1)D's and R3D's accuracy
  is higher than at the base's value by more than its 95% interval and by more than the study's error bar
  (`HALF_WIDTH`), because the interval of single runs does not cover how another seed would come out; of several such
  the best;
* of the precision, tried with several seeds, float32 is taken where the difference of the two changes by more than its
  95% interval.

Length and width stay, whatever comes out: more of either takes more time. Where the difference of the two changes by
more than its interval, what the study finds holds for its length and width only.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from IPython.display import Markdown

from studylib.book.calibration import FIRST, SECOND, Calibration, comparison, complete
from studylib.book.calibration_checks import HALF_WIDTH
from studylib.book.calibration_gaps import value_text
from studylib.book.calibration_tables import listed
from studylib.book.tables import NOT_RUN, Table
from studylib.claims.recorded import of_rows
from studylib.claims.verdicts_intervals import VIDEO, contrast, outcomes
from studylib.claims.verdicts_parts import Part
from studylib.runs.plan import Plan
from studylib.training.magnitudes import signed, with_interval

BY_ACCURACY = ("lr", "initialisation", "standardise")
LABELS = {
    "lr": "learning rate", "initialisation": "initialisation", "standardise": "standardised by", "amp": "precision",
    "epochs": "epochs", "width": "width",
}  # fmt: skip


def mean_change(rows: pd.DataFrame, reference: pd.DataFrame) -> Part | None:
    """Video@1, mean of R(2+1)D and R3D, in one setting minus that in another; None where a network is in neither run.

    Args:
        rows, reference: planned runs, of the base's value in `reference`.
    """
    groups = []
    for own in (rows, reference):
        nets = [complete(own, net) for net in (FIRST, SECOND)]
        if any(net.empty for net in nets):
            return None
        groups.append([outcomes(of_rows("", net).tests, VIDEO) for net in nets])
    return contrast("", *groups)


def changes(study: Calibration, name: str) -> pd.DataFrame:
    """`calibration.comparison` of a field, with the column mean_change: a Part, None at the base's value and where runs
    are missing."""
    rows = comparison(study, name)
    at_base = [own for own, base in zip(rows["runs"], rows["is_base"], strict=True) if base]  # one, or none is planned
    found = [None if r.is_base else mean_change(r.runs, *at_base) for r in rows.itertuples()]
    return rows.assign(mean_change=found)


def chosen(study: Calibration, name: str) -> Any | None:
    """The value of a field that the rules take; None until a run at each of its values is complete for both networks.

    Further seeds that are planned are not waited for.
    """
    return _chosen(name, study.base[name], changes(study, name))


def _chosen(name: str, base: Any, rows: pd.DataFrame) -> Any | None:
    others = rows[~rows["is_base"].astype(bool)]
    if name in BY_ACCURACY:
        if others["mean_change"].isna().any():
            return None
        found = {r.value: r.mean_change for r in others.itertuples()}
        better = {value: part.points for value, part in found.items() if part.low > 0 and part.points > HALF_WIDTH}
        return max(better, key=better.get) if better else base
    if others["change"].isna().any():
        return None
    if name == "amp" and not all(c.contains_0 for c in others["change"]):
        return "fp32"
    return base


def choices_table(study: Calibration, plan: Plan) -> Table:
    """A row a setting: what was tried, what the rules say, and what the plan has."""
    planned = next(run.spec for run in plan.runs if (run.spec.experiment, run.spec.net) == ("conv_types", "r2plus1d"))
    rows = []
    for name, label in LABELS.items():
        found = changes(study, name)
        choice = _chosen(name, study.base[name], found)
        known = NOT_RUN if choice is None else f"<strong>{escape(value_text(choice))}</strong>"
        rows.append(
            {
                "setting": label,
                "base": escape(value_text(study.base[name])),
                "tried: mean of the two networks minus the base's, points": _tried(found, "mean_change"),
                "change of their difference, points": _tried(found, "change"),
                "by the rules": known if len(found) else "not tried",
                f"plan {escape(plan.name)}": escape(value_text(getattr(planned, name))),
            }
        )
    return Table(
        pd.DataFrame(rows),
        f"What was chosen by video@1 of {FIRST} and {SECOND} on the same test videos. In brackets 95% intervals, over "
        "videos and seeds; where a network has a single seed, over the videos alone as far as that network goes.",
    )


def settings_note(study: Calibration) -> Markdown:
    """The values of settings at which the difference of the two networks is another than at the base's."""
    moved = []
    for name, label in LABELS.items():
        for value, _, _, _, change in comparison(study, name).itertuples(index=False):
            if change is not None and not change.contains_0:
                interval = f"{signed(change.low)} to {signed(change.high)}"
                moved.append(f"{label} {value_text(value)} ({signed(change.points)} points, {interval})")
    if not moved:
        return Markdown("No setting that was tried changes the difference of the two by more than its interval.")
    return Markdown(
        f"**The difference of {FIRST} and {SECOND} depends on the setting.** It changes by more than its interval at "
        f"{listed(moved)}. What the study finds of these two holds for its own settings only. Of single runs an "
        "interval leaves out how seeds differ."
    )


def _tried(rows: pd.DataFrame, column: str) -> str:
    values: Mapping[Any, Any] = dict(zip(rows["value"], rows[column], strict=True))
    bases = set(rows.loc[rows["is_base"], "value"])
    return "<br>".join(
        f"{escape(value_text(value))}: "
        + (NOT_RUN if part is None else with_interval(part.points, part.low, part.high, sign=True))
        for value, part in values.items()
        if value not in bases
    )
