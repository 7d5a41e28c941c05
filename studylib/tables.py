"""The book's tables and the sentences that hang on results: from tidy tables to HTML and Markdown."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib import published
from studylib.magnitudes import interval, with_interval
from studylib.net_table import NETS, PAPER_NAMES
from studylib.recorded import lack_of_states
from studylib.results import Run
from studylib.spec import RunSpec


def lacking(what: str) -> str:
    """A cell, or its part, that says what is missing: "not run", "2 of 3 runs"."""
    return f'<span class="not-run">{what}</span>'


NOT_RUN = lacking("not run")
# Plans that Table 2 has a column for, the paper's own settings first.
TABLE2_PLANS = ("paper", "mini", "quick")


@dataclass(frozen=True)
class Table:
    """A table as a notebook shows it: with a caption, without row numbers, scrolling sideways where it is too wide.

    `frame` holds finished HTML; column names of two levels become a group and a name.
    """

    frame: pd.DataFrame
    caption: str

    def _repr_html_(self) -> str:
        html = self.frame.to_html(index=False, escape=False, border=0, classes="study-table", na_rep="")
        head, _, body = html.partition("<thead>")
        caption = escape(self.caption)
        # focusable, so that a wide table can be scrolled from the keyboard
        return (
            f'<div class="table-scroll" role="region" tabindex="0" aria-label="{caption}">'
            f"{head}<caption>{caption}</caption><thead>{body}</div>"
        )


def page_name(plan: str, experiment: str, run: str) -> str:
    """The book's page of a run, below `run_pages/` and without suffix."""
    return f"{plan}_{experiment}_{run}"


def run_link(plan: str, experiment: str, run: str, text: str) -> str:
    """A link from a chapter at the book's top to the page of a run."""
    return f'<a href="run_pages/{page_name(plan, experiment, run)}.html">{escape(text)}</a>'


def counted() -> pd.DataFrame:
    """The twelve nets counted now, 18 layers and clips of 8 x 112 x 112 for 400 classes, in the paper's order.

    Columns: net (the paper's name), params (millions, convolutions and FC without BN, as in the paper) and gflops.
    """
    from studylib.complexity import count_by_name  # torch, which the other tables do without

    rows = []
    for key in NETS:
        complexity = count_by_name(key)
        rows.append(
            {"net": PAPER_NAMES[key], "params": complexity.conv_fc_params / 1e6, "gflops": complexity.flops / 1e9}
        )
    return pd.DataFrame(rows)


def table2(runs: pd.DataFrame, counts: pd.DataFrame) -> Table:
    """Table 2: a row a net; published, counted and measured columns.

    Args:
        runs: `results.load_all_runs()`.
        counts: `counted()`.
    """
    rows = published.table2().merge(counts, on="net", validate="one_to_one")
    columns = {
        ("", "net"): rows["net"],
        ("parameters (M)", "paper"): rows["paper_params"].map("{:.1f}".format),
        ("parameters (M)", "counted"): rows["params"].map("{:.3f}".format),
        ("GFLOPs", "VMZ"): rows["vmz_gflops"].map("{:.1f}".format),
        ("GFLOPs", "counted"): rows["gflops"].map("{:.3f}".format),
        ("paper, Kinetics-400", "clip@1"): rows["paper_clip_top1"].map("{:.1f}".format),
        ("paper, Kinetics-400", "video@1"): rows["paper_video_top1"].map("{:.1f}".format),
        ("VMZ, Kinetics-400", "clip@1"): rows["vmz_clip_top1"].map("{:.1f}".format),
        ("VMZ, Kinetics-400", "video@1"): rows["vmz_video_top1"].map("{:.1f}".format),
    }
    for plan in TABLE2_PLANS:
        heading = "quick (smoke check)" if plan == "quick" else plan
        columns["ours, video@1 (95% interval)", heading] = [_measured(runs, plan, net) for net in rows["net"]]
    caption = (
        f"Types of convolution, 18 layers, clips of 8 frames. Paper: {published.PAPER}, Table 2. VMZ: {published.VMZ}. "
        "Accuracies in percent, to be compared within a column: data or training differ from column to column."
    )
    return Table(pd.DataFrame(columns), caption)


def _measured(runs: pd.DataFrame, plan: str, net: str) -> str:
    """Video accuracy of a net over the seeds of a plan, with links to the runs."""
    return measured(runs[(runs["plan"] == plan) & (runs["experiment"] == "conv_types") & (runs["net"] == net)])


def measured(planned: pd.DataFrame) -> str:
    """Video accuracy over the seeds of one setting of a net, with links to the runs.

    Args:
        planned: its rows of `results.load_plan_runs`, a row a seed.
    """
    done, lack = planned[planned["state"] == "complete"], lack_of_states(list(planned["state"]))
    if done.empty:
        return lacking(lack)
    low, high = mean_interval(done)
    accuracy = f"{done['video_top1'].mean():.1f}"
    if len(planned) == 1:
        row = done.iloc[0]
        return run_link(row["plan"], row["experiment"], row["run"], accuracy) + f" {interval(low, high)}"
    seeds = " ".join(run_link(r["plan"], r["experiment"], r["run"], str(r["seed"])) for _, r in done.iterrows())
    told, seed = f" {lacking(lack)}" if lack else "", "seeds" if len(done) > 1 else "seed"
    return f'{accuracy} {interval(low, high)}{told}<br><span class="interval">{seed} {seeds}</span>'


def mean_interval(done: pd.DataFrame) -> tuple[float, float]:
    """The 95% interval of the mean video@1 over seeds, for the draw of the test videos alone: the mean of the runs'."""
    return float(done["low"].mean()), float(done["high"].mean())


def figure3_panels(counts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Published accuracies against counted FLOPs, a panel a source, for `figures.accuracy_against_flops`."""
    rows = published.table2().merge(counts, on="net")
    return {
        "Paper (Table 2), Kinetics-400 validation": rows.rename(columns={"paper_video_top1": "accuracy"}),
        "VMZ's released models, 8 frames, Kinetics-400 validation": rows.rename(columns={"vmz_video_top1": "accuracy"}),
    }


def our_panels(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Measured accuracies of each plan with complete runs against FLOPs counted at that plan's sizes; {} for none."""
    panels = {}
    for plan in TABLE2_PLANS:
        done = runs[(runs["plan"] == plan) & (runs["experiment"] == "conv_types") & (runs["state"] == "complete")]
        if done.empty:
            continue
        rows = [
            {"net": net, "gflops": own["flops"].iloc[0] / 1e9, "accuracy": own["video_top1"].mean()}
            | dict(zip(("low", "high"), mean_interval(own), strict=True))
            for net, own in done.groupby("net", sort=False)
        ]
        panels[f"{done['label'].iloc[0]}\n({done['dataset'].iloc[0]})"] = pd.DataFrame(rows)
    return panels


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
            "settings": f'<span class="prose">{settings_line(r["result"])}</span>',
            "hardware": f'<span class="prose">{escape(r["hardware"])}</span>',
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
    return escape(
        f"{s.dataset}, split {s.split}, {s.modality}{order}; {frames} {s.resolution} x {s.resolution}, "
        f"width {s.width}; {s.epochs} epochs of {s.clips_per_epoch:,} clips, batch {batch}, lr {s.lr:g} "
        f"{s.lr_schedule}, seed {s.seed}"
    )


def commit(run: Run) -> str:
    """The commit a run was made from, shortened; "modified" where the sources were not the commit's."""
    note = "" if run.provenance["source_clean"] else " (modified)"
    return f"<code>{escape(run.provenance['commit'][:10])}</code>{note}"


def deviations_table(runs: pd.DataFrame, plans: Sequence[str]) -> Table:
    """Fields of the RunSpec in which a plan is not at the paper's value, a row a field, a column a plan."""
    paper = {field.name: field.default for field in fields(RunSpec) if field.default is not MISSING}
    there = [plan for plan in plans if (runs["plan"] == plan).any()]
    rows = [{"field": "dataset", "the paper": "Kinetics-400"}]
    rows[0] |= {plan: ", ".join(dict.fromkeys(runs.loc[runs["plan"] == plan, "dataset"])) for plan in there}
    for name, value in paper.items():
        theirs = {plan: list(dict.fromkeys(runs.loc[runs["plan"] == plan, name])) for plan in there}
        if name != "seed" and any(values != [value] for values in theirs.values()):
            texts = {plan: ", ".join(f"{v}" for v in values) for plan, values in theirs.items()}
            rows.append({"field": f"<code>{name}</code>", "the paper": str(value)} | texts)
    return Table(pd.DataFrame(rows), "Settings that differ from the paper's in some plan; all others are the paper's.")


def cue_table(table: pd.DataFrame) -> Table:
    """`cues.by_cue` as a table: a row a net and cue group, a column a measure."""
    names = {"class": "right class", "pair": "right pair", "member": "right member of the right pair"}
    rows = []
    for (net, cue), own in table.groupby(["net", "cue"], sort=False):
        cells = {"net": escape(net), "cue group": escape(cue)}
        by_measure = own.set_index("measure")
        for measure, name in names.items():
            if measure in by_measure.index:
                m = by_measure.loc[measure]
                counts = f"; {m['right']} of {m['total']}"
                cells[name] = with_interval(m["accuracy"], m["low"], m["high"], note=counts)
            else:
                cells[name] = ""
        rows.append(cells)
    return Table(pd.DataFrame(rows), "Videos named right, in percent, with 95% Wilson intervals and counts.")


def plan_note(runs: pd.DataFrame, plans: Sequence[str]) -> Markdown:
    """What each plan is and how much of it has been run, a line a plan; quick's line says what it is not."""
    lines = []
    for plan in plans:
        own = runs[runs["plan"] == plan]
        if own.empty:
            continue
        done, label = int((own["state"] == "complete").sum()), own["label"].iloc[0]
        state = "**not run**" if not done else f"{done} of {len(own)} runs complete"
        lines.append(f"* *{label}*: {state}.")
    return Markdown("\n".join(lines))
