"""Every chapter on a study that is complete: its cells execute, and what they show has numbers."""

import re

import pytest

from studylib import REPOSITORY
from tests.chapters import cells_of, html_of

CHAPTERS = sorted(path.stem for path in (REPOSITORY / "book").glob("*.md") if "results.table(" in path.read_text())


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_shows_numbers_and_misses_none_where_every_run_is_there(chapter, shown):
    assert cells_of(chapter)
    html = " ".join(html_of(value) for value in shown(chapter))
    assert not re.search(r"<th[^>]*>\(", html)  # a name of two levels, printed as a tuple
    text = re.sub("<[^>]*>", " ", html)
    assert re.search(r"\d", text)
    assert "nan" not in re.findall(r"\w+", text)
    assert "not run yet" not in text
