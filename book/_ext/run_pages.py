"""Sphinx extension: the executed notebook of every complete run becomes a page of the book.

The pages are copies in `run_pages/` (git-ignored) with a title, the plan's label and a table of settings and
provenance in front. A broken recorded run stops the build with its name, before any chapter is executed; the chapters
use what was read and checked for this (`studylib.runs.checked`). Chapters are read anew at every build, because their
numbers come from run folders, which Sphinx does not watch.
"""

import copy
import json
import re
from functools import cache, partial
from pathlib import Path

from sphinx.addnodes import toctree
from sphinx.application import Sphinx
from sphinx.errors import ConfigError
from sphinx.search.en import SearchEnglish

from studylib.book.tables import page_name
from studylib.runs import checked
from studylib.runs.plan import PlanError
from studylib.runs.results import Run, complete_runs, load_all_runs
from studylib.runs.run_reading import BrokenRun
from studylib.video.files import write_text

PAGES = "run_pages/"
NOT_CHAPTERS = (PAGES, "experiments/")
LONG_OUTPUT = 30  # lines: longer printed output scrolls


def setup(app: Sphinx) -> dict:
    """Write the pages before the table of contents looks for them (sphinx-external-toc: priority 900)."""
    app.connect("config-inited", write_pages, priority=100)
    app.connect("env-get-outdated", chapters)
    app.connect("env-updated", leave_out_of_navigation)
    app.connect("html-page-context", partial(share_navigation, {}), priority=400)  # before the theme (500) asks for it
    app.connect("build-finished", lambda _app, _error: checked.forget())
    app.add_search_language(English)
    return {"version": "1", "parallel_read_safe": True}


def write_pages(app: Sphinx, _config: object) -> None:
    """Make `run_pages/` hold exactly one page for each complete run; unchanged ones are left alone."""
    folder, built = Path(app.srcdir) / "run_pages", Path(app.outdir)
    checked.forget()
    files = {path: checked.files_of(path) for path in (folder.parent.parent / "runs").glob("*/*/*")}
    try:
        runs = load_all_runs()
    except (BrokenRun, PlanError) as error:
        raise ConfigError(str(error)) from None
    checked.keep(built.parent / "checked_runs.pickle", {run: files.get(run.folder, ()) for run in complete_runs(runs)})
    labels = dict(zip(runs["plan"], runs["label"], strict=True))
    pages = {}
    for run in complete_runs(runs):
        plan, experiment, name = run.folder.parts[-3:]
        pages[f"{page_name(plan, experiment, name)}.ipynb"] = json.dumps(page(run, labels[plan]), indent=1) + "\n"
    folder.mkdir(exist_ok=True)
    # of a run that is gone, neither the page nor what an earlier build made of it stays
    for old in (*folder.iterdir(), *built.glob("run_pages/*.html"), *built.glob("_sources/run_pages/*.ipynb")):
        if f"{old.stem}.ipynb" not in pages:
            old.unlink()
    for name, content in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != content:
            write_text(path, content)


def chapters(_app: Sphinx, env: object, _added: set, _changed: set, _removed: set) -> list[str]:
    """The pages to read again: all that are computed at build."""
    return [name for name in env.found_docs if not name.startswith(NOT_CHAPTERS)]


def leave_out_of_navigation(_app: Sphinx, env: object) -> None:
    """The side bar of every page would list every run, hundreds; the provenance chapter links to them.

    They keep their places in the order of pages.
    """
    for contents in env.tocs.values():
        for tree in contents.findall(toctree):
            tree["entries"] = [(title, name) for title, name in tree["entries"] if not name.startswith(PAGES)]


def share_navigation(made: dict, _app: Sphinx, page: str, _template: str, context: dict, _doctree: object) -> None:
    """The side bar of a run's page, which is in none, is that of all of them: made once, into `made`."""
    if not page.startswith(PAGES):
        return
    make = context["toctree"]

    def toctree(**options: object) -> str:
        key = tuple(sorted(options.items()))
        if key not in made:
            made[key] = make(**options)
        return made[key]

    context["toctree"] = toctree


class English(SearchEnglish):
    """Sphinx's, which finds the stem of every word of every page; runs' pages have the same words."""

    def init(self, options: dict) -> None:
        """Keep what was found."""
        super().init(options)
        self.stem = cache(super().stem)


def page(run: Run, label: str) -> dict:
    """The run's notebook with a title and its settings in front, its own headings a level lower."""
    notebook = copy.deepcopy(json.loads((run.folder / "notebook.ipynb").read_text()))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = lower_headings(cell["source"])
        elif printed_lines(cell) > LONG_OUTPUT:
            cell["metadata"].setdefault("tags", []).append("output_scroll")
    front = {"cell_type": "markdown", "id": "about-this-run", "metadata": {}, "source": about(run, label)}
    notebook["cells"].insert(0, front)
    # papermill's record holds paths of the machine it ran on; the colouring of the code is asked for by name
    notebook["metadata"].pop("papermill", None)
    notebook["metadata"].setdefault("language_info", {"name": "python"})["pygments_lexer"] = "ipython3"
    return notebook


def about(run: Run, label: str) -> str:
    """Title, label and table as Markdown."""
    plan, _, name = run.folder.parts[-3:]
    provenance, dataset = run.provenance, run.provenance["dataset"]
    rows = {key: f"`{value}`" for key, value in vars(run.spec).items()}
    rows["commit"] = commit(provenance)
    for session in provenance.get("resumed", []):
        rows[f"resumed {session['started']}"] = commit(session)
    rows["device"] = f"{provenance['device']}; {provenance['cpu']}, {provenance['threads']} threads"
    rows["precision"] = provenance.get("precision_reason", provenance["precision"])
    rows["started, ended"] = f"{provenance['started']}, {provenance['ended']}"
    rows["training time"] = f"{run.metrics['seconds'] / 60:.1f} minutes"
    rows["videos"] = f"{dataset.get('videos', 'unknown')} in `{dataset['name']}`"
    rows["dataset's manifest"] = f"`{dataset.get('manifest_hash', 'unknown')}`"
    rows["packages"] = ", ".join(f"{package} {version}" for package, version in provenance["versions"].items())
    rows["spec hash"] = f"`{run.metrics['spec_hash']}`"
    lines = [f"| {key} | {str(value).replace('|', '/')} |" for key, value in rows.items()]
    title = f"# {run.net}, {plan}: {name}"
    return "\n".join([title, "", f"*{label}*", "", "| setting | value |", "|---|---|", *lines, ""])


def commit(session: dict) -> str:
    """The commit of a session's sources and whether they were changed, or why it is unknown."""
    if session["commit"] == "unknown":
        return f"unknown: {session.get('commit_reason', 'no checkout')}"
    return f"`{session['commit']}`" + ("" if session["source_clean"] else ", sources modified")


def lower_headings(text: str) -> str:
    """ "# A" -> "## A" outside code blocks, so that the page has one title."""
    fenced, lines = False, []
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        lines.append("#" + line if not fenced and re.match(r"#{1,5} ", line) else line)
    return "\n".join(lines)


def printed_lines(cell: dict) -> int:
    """Lines of text that a code cell printed."""
    streams = [o for o in cell.get("outputs", []) if o["output_type"] == "stream"]
    return sum("".join(o["text"]).count("\n") for o in streams)
