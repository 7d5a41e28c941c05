"""A chapter's code cells: as they stand in its file, and executed without a kernel on runs that are made up."""

import ast
import re
import tempfile
from functools import partial
from typing import Any

import IPython.display
import pandas as pd
import pytest

from studylib import REPOSITORY
from studylib.book import figures
from studylib.runs import results


def cells_of(chapter: str) -> list[tuple[str, str]]:
    """(head, code) of each code cell of book/`chapter`.md."""
    text = (REPOSITORY / "book" / f"{chapter}.md").read_text()
    return re.findall(r"```\{code-cell\} ipython3\n(---\n.*?---\n|(?::[^\n]*\n)*)(.*?)```", text, re.DOTALL)


def shown_by(chapter: str, runs: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that the code cells of a chapter show with `runs` as the recorded ones; a figure comes with its words."""
    shown: list[Any] = []
    monkeypatch.setattr(results, "table", partial(_table, runs))
    monkeypatch.setattr(figures, "in_book", lambda: None)  # which only a kernel knows
    # what is glued is displayed raw, to stand in a sentence
    monkeypatch.setattr(IPython.display, "display", lambda *what, raw=False, **_: None if raw else shown.extend(what))
    names: dict[str, Any] = {}
    monkeypatch.chdir(tempfile.mkdtemp())  # where a chapter's file to take away goes
    for head, code in cells_of(chapter):
        before = len(shown)
        *body, last = ast.parse(code).body
        exec(compile(ast.Module(body, []), chapter, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), chapter, "eval"), names)
            shown += [] if value is None else [value]
        else:
            exec(compile(ast.Module([last], []), chapter, "exec"), names)
        assert "alt:" in head or not figures_in(shown[before:]), f"{chapter}: a figure without words, by {code}"
    return shown


def _table(runs: pd.DataFrame, plan: str | None = None, experiment: str | None = None) -> pd.DataFrame:
    """As `results.table`, of these runs."""
    chosen = runs if plan is None else runs[runs["plan"] == plan]
    return chosen if experiment is None else chosen[chosen["experiment"] == experiment]


def figures_in(shown: list[Any]) -> list[Any]:
    """The figures among them."""
    return [value for value in shown if hasattr(value, "axes") and not isinstance(value, pd.DataFrame)]


def html_of(value: Any) -> str:
    """What a notebook shows of a table or of Markdown; of a figure, which has no text, its name."""
    html = value._repr_html_() if hasattr(value, "_repr_html_") else getattr(value, "data", None)
    return str(value) if html is None else html
