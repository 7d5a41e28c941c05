"""Sphinx extension: every complete run has a page: its result first, then its curve, its settings and its provenance.

The pages are plain files that the build writes beside the chapters; hundreds of pages of Sphinx's own would take most
of its time. A broken recorded run stops the build with its name, before any chapter is executed; the chapters use what
was read and checked for this (`results.keep_checked`). Chapters are read anew at every build, because their numbers
come from run folders, which Sphinx does not watch.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from html import escape
from pathlib import Path
from string import Template

import pandas as pd
from sphinx.application import Sphinx
from sphinx.errors import ConfigError

from studylib.book import scoreboard
from studylib.book.experiment import summary
from studylib.book.tables import page_name
from studylib.runs import results
from studylib.runs.plan import PlanError, load_plans
from studylib.runs.results import BrokenRun, Run, complete_runs, load_planned_run
from studylib.video.machine import available_cores

PAGE = Template((Path(__file__).parent.parent / "_templates" / "plain.html").read_text(encoding="utf-8"))
WIDTH, HEIGHT = 640, 260  # of the curve's plot, units of its SVG


def setup(app: Sphinx) -> dict:
    """Read the runs before anything else; write their pages when the others are there."""
    app.connect("config-inited", read_runs, priority=100)
    app.connect("env-get-outdated", chapters)
    app.connect("build-finished", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def read_runs(app: Sphinx, _config: object) -> None:
    """Read and check every recorded run, on all cores, and keep them for the chapters' kernels."""
    built, repository = Path(app.outdir), Path(app.srcdir).parent
    os.environ.pop(results.KEPT, None)
    files = {path: results.files_of(path) for path in (repository / "runs").glob("*/*/*")}
    try:
        planned = [run for plan in load_plans(repository) for run in plan.runs]
        load = partial(load_planned_run, repository=repository)
        with ProcessPoolExecutor(available_cores()) as readers:
            complete = [run for _, run in readers.map(load, planned, chunksize=16) if run]
        results.keep_checked(built.parent / "checked_runs.pickle", {run: files.get(run.folder, ()) for run in complete})
        app.study_runs = results.table(repository=repository)
        scoreboard.keep_verdicts(app.study_runs)
    except (BrokenRun, PlanError) as error:
        raise ConfigError(str(error)) from None


def write_pages(app: Sphinx, error: Exception | None) -> None:
    """Make `run_pages/` of the built book hold exactly one page for each complete run."""
    os.environ.pop(results.KEPT, None)
    if error is not None:
        return
    folder = Path(app.outdir) / "run_pages"
    folder.mkdir(exist_ok=True)
    labels = dict(zip(app.study_runs["plan"], app.study_runs["label"], strict=True))
    pages = {}
    for run in complete_runs(app.study_runs):
        plan, experiment, name = run.folder.parts[-3:]
        pages[f"{page_name(plan, experiment, name)}.html"] = page(run, labels[plan])
    for old in folder.iterdir():
        if old.name not in pages:
            old.unlink()
    for name, content in pages.items():
        (folder / name).write_text(content, encoding="utf-8")


def chapters(_app: Sphinx, env: object, _added: set, _changed: set, _removed: set) -> list[str]:
    """The pages to read again: all that are computed at build."""
    return [name for name in env.found_docs if not name.startswith("experiments/")]


def page(run: Run, label: str) -> str:
    """The page of a run."""
    plan, experiment, name = run.folder.parts[-3:]
    parts = {
        "Result": table(summary(run)["value"].to_dict()),
        "Error curve": curve(run.history),
        "Settings": table(vars(run.spec)),
        "Provenance": table(provenance(run)),
    }
    body = f"<p><em>{escape(label)}</em></p>" + "".join(f"<h2>{head}</h2>{part}" for head, part in parts.items())
    body += "<p>Scores of every test clip, filters, history and the executed notebook: "
    body += f"<code>{escape(f'runs/{plan}/{experiment}/{name}')}</code> of the repository. "
    body += '<a href="../runs.html">All runs</a></p>'
    return PAGE.substitute(title=escape(f"{run.net}, {plan}: {name}"), style="", width=46, body=body)


def table(values: dict[str, object]) -> str:
    """Names and values as the rows of a table."""
    rows = (
        f"<tr><th scope='row'>{escape(key)}</th><td>{escape(str(value))}</td></tr>" for key, value in values.items()
    )
    return f"<table>{''.join(rows)}</table>"


def curve(history: pd.DataFrame) -> str:
    """Training error (thin) and test error (thick) against epochs as SVG; a sentence where nothing was trained."""
    if history.empty:
        return "<p>Nothing was trained: the run tests weights of another.</p>"
    last = max(int(history["epoch"].max()), 2)

    def line(column: str) -> str:
        places = zip(history["epoch"], history[column], strict=True)
        points = " ".join(f"{(e - 1) / (last - 1) * WIDTH:.1f},{HEIGHT * (1 - y / 100):.1f}" for e, y in places)
        return f'<polyline class="{column}" points="{points}"/>'

    levels = "".join(
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT * (1 - y / 100)}" y2="{HEIGHT * (1 - y / 100)}"/>'
        f'<text x="-6" y="{HEIGHT * (1 - y / 100) + 4}" text-anchor="end">{y}</text>'
        for y in (0, 25, 50, 75, 100)
    )
    return (
        f'<svg viewBox="-40 -10 {WIDTH + 50} {HEIGHT + 40}" role="img" aria-label="Training and test error by epoch">'
        f'{levels}{line("train_error")}{line("test_error")}<text x="0" y="{HEIGHT + 20}">epoch 1</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 20}" text-anchor="end">{last}</text></svg>'
        "<p>Error in percent: of the training clips while they are trained on (thin), and of one clip from the middle "
        "of each test video after each epoch (thick).</p>"
    )


def provenance(run: Run) -> dict[str, object]:
    """Where the result comes from."""
    told, dataset = run.provenance, run.provenance["dataset"]
    rows = {"commit": commit(told)}
    rows |= {f"resumed {session['started']}": commit(session) for session in told.get("resumed", [])}
    rows["device"] = f"{told['device']}; {told['cpu']}, {told['threads']} threads"
    rows["precision"] = told.get("precision_reason", told["precision"])
    rows["started, ended"] = f"{told['started']}, {told['ended']}"
    rows["videos"] = f"{dataset.get('videos', 'unknown')} in {dataset['name']}"
    rows["dataset's manifest"] = dataset.get("manifest_hash", "unknown")
    rows["packages"] = ", ".join(f"{package} {version}" for package, version in told["versions"].items())
    rows["spec hash"] = run.metrics["spec_hash"]
    return rows


def commit(session: dict) -> str:
    """The commit of a session's sources and whether they were changed, or why it is unknown."""
    if session["commit"] == "unknown":
        return f"unknown: {session.get('commit_reason', 'no checkout')}"
    return session["commit"] + ("" if session["source_clean"] else ", sources modified")
