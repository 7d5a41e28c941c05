"""The book's tables and the sentences that hang on results: from tidy tables to HTML and Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.runs.magnitudes import with_interval
from studylib.runs.results import Run, title_of
from studylib.stats import Estimate
from studylib.training.spec import RunSpec


def lacking(what: str) -> str:
    """A cell, or its part, that says what is missing: "not run", "2 of 3 runs"."""
    return f'<span class="not-run">{what}</span>'


NOT_RUN = lacking("not run")
# The plans whose runs are evidence, as pages name them to readers, in the order in which they are shown.
PLANS = {"lips": "real video (lips)", "mini": "synthetic video (Pantomime)", "paper": "full scale (Kinetics-400)"}
# In these the runs of one table differ, or they only say where something lies.
NO_SETTINGS = ("experiment", "net", "dataset", "split", "seed", "modality", "init_from")


@dataclass(frozen=True)
class Table:
    """A table as a notebook shows it: with a caption, without row numbers, scrolling sideways where it is too wide.

    Column names of two levels become a group and a name. Cells of `frame` are Estimates, None (not run), or finished
    HTML.
    """

    frame: pd.DataFrame
    caption: str

    def _repr_html_(self) -> str:
        html = self.frame.map(cell_html).to_html(index=False, escape=False, border=0, classes="study-table", na_rep="")
        head, _, body = html.partition("<thead>")
        caption = escape(self.caption)
        # focusable, so that a wide table can be scrolled from the keyboard
        return (
            f'<div class="table-scroll" role="region" tabindex="0" aria-label="{caption}">'
            f"{head}<caption>{caption}</caption><thead>{body}</div>"
        )


def cell_html(value: object) -> object:
    """What a cell of a `Table` shows."""
    if isinstance(value, Estimate):
        return with_interval(value.points, value.low, value.high)
    return NOT_RUN if value is None else value


def prose(text: str) -> str:
    """A cell of words: as wide as they need to be read."""
    return f'<span class="prose">{escape(text)}</span>'


def page_name(plan: str, experiment: str, run: str) -> str:
    """The book's page of a run, below `run_pages/` and without suffix."""
    return f"{plan}_{experiment}_{run}"


def run_link(plan: str, experiment: str, run: str, text: str) -> str:
    """A link from a chapter at the book's top to the page of a run."""
    return f'<a href="run_pages/{page_name(plan, experiment, run)}.html">{escape(text)}</a>'


def plans_table(runs: pd.DataFrame) -> Table:
    """How much of each plan has been run."""
    rows = []
    for plan, own in runs.groupby("plan", sort=False):
        states = own["state"].value_counts()
        rows.append(
            {
                "plan": escape(plan),
                "what it is": escape(own["label"].iloc[0]),
                "dataset": ", ".join(dict.fromkeys(own["dataset"])),
                "runs planned": len(own),
                "complete": states.get("complete", 0) or NOT_RUN,
                "unfinished": states.get("unfinished", 0),
            }
        )
    return Table(pd.DataFrame(rows), "Plans of this study (runs/*.yaml) and how much of each has been run.")


def runs_table(runs: pd.DataFrame, plan: str) -> Table | Markdown:
    """The complete runs of a plan with settings, result, time, hardware and commit; a sentence where there are none."""
    own = runs[runs["plan"] == plan]
    done = own[own["state"] == "complete"]
    if done.empty:
        return Markdown(f"Not run: none of the {len(own)} runs of this plan is recorded.")
    rows = [
        {
            "run": run_link(r["plan"], r["experiment"], r["run"], r["run"]),
            "net": f"{escape(r['net'])}-{r['depth']}",
            "clip@1": f"{r['clip_top1']:.1f}",
            "video@1 (95% interval)": with_interval(r["video_top1"], r["low"], r["high"]),
            "minutes": f"{r['seconds'] / 60:.1f}",
            "settings": prose(settings_line(r["result"])),
            "hardware": prose(r["hardware"]),
            "commit": commit(r["result"]),
            "started (UTC)": f'<span class="interval">{escape(r["started"][:16].replace("T", " "))}</span>',
        }
        for _, r in done.iterrows()
    ]
    return Table(pd.DataFrame(rows), f"{done['label'].iloc[0]}. {len(done)} of {len(own)} runs complete.")


def settings_line(run: Run) -> str:
    """The settings that differ between plans, in one line."""
    s, count = run.spec, run.provenance.get("processes", 1)
    batch = f"{count} x {s.batch_size}" if count > 1 else f"{s.batch_size}"
    frames = f"{s.clip_length} x" if s.frame_step == 1 else f"{s.clip_length} frames, {s.frame_step} apart,"
    order = "" if s.frame_order == "normal" else f", tested on {s.frame_order} frames"
    return (
        f"{s.dataset}, split {s.split}, {s.modality}{order}; {frames} {s.resolution} x {s.resolution}, "
        f"width {s.width}; {s.epochs} epochs of {s.clips_per_epoch:,} clips, batch {batch}, lr {s.lr:g} "
        f"{s.lr_schedule}, seed {s.seed}"
    )


def commit(run: Run) -> str:
    """The commit a run was made from, shortened; "modified" where the sources were not the commit's."""
    unknown = run.provenance["commit"] == "unknown"
    note = "" if run.provenance["source_clean"] or unknown else " (modified)"
    return f"<code>{escape(run.provenance['commit'][:10])}</code>{note}"


def settings_table(runs: pd.DataFrame, *plans: str) -> Table:
    """Fields of the RunSpec in which a plan differs from the plan `paper`, a row a field, a column a plan.

    Args:
        runs: rows of `results.table()`, those of the plan `paper` among them.
        plans: those compared; one without rows is left out.
    """
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
    titles = {plan: PLANS.get(plan) or title_of(runs, plan) for plan in plans if plan in states}
    told = [f"{titles[p]}: {states[p].sum()} of {len(states[p])} runs are recorded" for p in titles if states[p].any()]
    if none := [title for plan, title in titles.items() if not states[plan].any()]:
        told.append(f"not run yet, see [Still open](still_open.html): {', '.join(none)}")
    return Markdown("\n".join(f"* {line[0].upper()}{line[1:]}." for line in told))
