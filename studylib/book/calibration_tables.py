"""The calibration as the book shows it: requirements, difficulty and time scale, from the recorded runs."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
from IPython.display import Markdown

from studylib.book.calibration import (
    OVERALL,
    SECOND,
    Calibration,
    accuracies,
    by_difficulty,
    by_span,
    complete,
    difficulty_runs,
    hours,
    time_scale_runs,
)
from studylib.book.calibration_checks import COLUMNS, HEADROOM, clips
from studylib.book.cells import INTERVALS, accuracy
from studylib.book.tables import NOT_RUN, Table
from studylib.claims.recorded import of_rows
from studylib.claims.verdicts_intervals import VIDEO
from studylib.training.magnitudes import with_interval

MISSING = Markdown("*Not run.*")


def checks_table(checks: pd.DataFrame, about: str = "") -> Table:
    """A row a requirement: what was asked, what came out, and whether it is met."""
    rows = [
        {
            "requirement": f'<span class="prose">{escape(c.what)}</span>',
            "asked": escape(c.required),
            "measured (95% interval)": NOT_RUN if c.verdict == "not run" else _measured(c),
            "verdict": NOT_RUN if c.verdict == "not run" else c.verdict,
        }
        for c in checks[COLUMNS].itertuples()
    ]
    return Table(pd.DataFrame(rows), f"What was required, and what the recorded runs show. {about}".strip())


def _measured(check: Any) -> str:
    if pd.isna(check.measured):
        return "no such video"
    if pd.isna(check.low):
        return f"{check.measured:.{_digits(check)}f}"
    note = f"; {check.note}" if check.note else ""
    sign = "points" in check.what
    return with_interval(check.measured, check.low, check.high, sign, note, 1 if sign else _digits(check))


def _digits(check: Any) -> int:
    """Digits behind the point: two where one would make the number a limit, and not tell on which side it is."""
    limits = {float(limit) for limit in re.findall(r"\d+(?:\.\d+)?", check.required)}
    return 2 if float(f"{check.measured:.1f}") in limits else 1


def checks_note(checks: pd.DataFrame) -> Markdown:
    """How many requirements are met, and which are not."""
    counts = checks["verdict"].value_counts()
    told = [f"{counts.get('met', 0)} of {len(checks)} requirements are met."]
    if failed := list(checks.loc[checks["verdict"] == "not met", "what"]):
        told.append(f"Not met: {'; '.join(failed)}.")
    if waiting := counts.get("not run", 0):
        told.append(f"*Not run:* {waiting}.")
    return Markdown(" ".join(told))


def difficulty_table(study: Calibration) -> Table | Markdown:
    """Accuracy of each net at each difficulty, with links to the runs."""
    rows = difficulty_runs(study)
    if complete(rows).empty:
        return MISSING
    datasets = sorted(rows["dataset"].unique(), key=study.difficulty.__getitem__)
    cells = [
        {"net": escape(net)}
        | {_of_difficulty(study, name): video_accuracy(own[own["dataset"] == name]) for name in datasets}
        for net, own in rows.groupby("net", sort=False)
    ]
    return Table(
        pd.DataFrame(cells),
        f"Video@1 in percent at {word(len(datasets))} difficulties, the mean over seeds where there are several. "
        f"{INTERVALS}",
    )


def video_accuracy(rows: pd.DataFrame) -> str:
    """Video@1 of a network over the seeds of one setting, with links to the runs; `rows` has a row a seed."""
    return accuracy(of_rows("", rows), VIDEO)


def _of_difficulty(study: Calibration, dataset: str) -> str:
    chosen = " (chosen)" if dataset == study.base["dataset"] else ""
    return f"difficulty {study.difficulty[dataset]:g}{chosen}"


def difficulty_note(study: Calibration) -> Markdown:
    """At which difficulties R3D is where it was wanted, and where at none, which comes nearest."""
    table = by_difficulty(study)
    least, most = HEADROOM[OVERALL]
    if table.empty or (own := table[(table["net"] == SECOND) & (table["cue"] == OVERALL)]).empty:
        return MISSING
    # two decimals: a mean over seeds can be beside its limit by less than one of them
    told = ", ".join(f"{r.accuracy:.2f}% at {r.difficulty:g}" for r in own.itertuples())
    off = (own["accuracy"] - own["accuracy"].clip(least, most)).abs()
    if (off == 0).any():
        where = f"at {listed([f'{d:g}' for d in own.loc[off == 0, 'difficulty']])}."
    else:
        nearest = own.loc[off.idxmin()]
        reaches = "reaches" if nearest["low"] <= most and nearest["high"] >= least else "does not reach"
        where = (
            f"at none of them. Nearest is {nearest['difficulty']:g}, {off.min():.2f} points outside; its interval over "
            f"the test videos, {nearest['low']:.1f} to {nearest['high']:.1f}%, {reaches} into that range."
        )
    return Markdown(f"Video@1 of {SECOND} by difficulty: {told}. It is between {least} and {most}% {where}")


def time_scale_table(study: Calibration) -> Table | Markdown:
    """Accuracy by cue group with clips of each span, a row a net and span."""
    planned, table = time_scale_runs(study), by_span(study)
    if table.empty:
        return MISSING
    rows = []
    for (net, frames, step), own in planned.groupby(["net", "clip_length", "frame_step"], sort=False):
        done = complete(own)
        cells = {"net": escape(net), "clip": clips(frames, step), "spans": f"{own['span'].iloc[0]} frames"}
        if done.empty:
            rows.append(cells | {OVERALL: NOT_RUN})
            continue
        cells[OVERALL] = video_accuracy(own)
        groups = accuracies(own)
        for g in groups[groups["cue"] != OVERALL].itertuples():
            cells[g.cue] = with_interval(g.accuracy, g.low, g.high)
        rows.append(cells)
    epochs = listed([str(n) for n in sorted(planned["epochs"].unique())])
    return Table(
        pd.DataFrame(rows),
        f"Video@1 in percent by cue group with clips of several lengths and spans, {epochs} epochs, the same videos. "
        "Wilson intervals; they cover the draw of the videos only.",
    )


def hours_note(study: Calibration) -> Markdown:
    """What the calibration took."""
    if complete(study.runs).empty:
        return MISSING
    spent = [f"{time:.1f} hours on {device}" for device, time in hours(study.runs).items()]
    return Markdown(
        f"The recorded runs were trained in {listed(spent)}, their tests not counted: the time of each run, also of "
        "those that shared a GPU, and on a CPU times its cores."
    )


def listed(texts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def word(number: int) -> str:
    """ "three" of 3, and larger ones in figures."""
    return {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}.get(number, str(number))
