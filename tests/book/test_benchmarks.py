"""Recorded benchmarks: what may be shown of them, and with what."""

import json
import re

import pytest
from IPython.display import Markdown

from studylib.book.benchmarks import cell, rows_of, show
from studylib.runs.benchmarks import load

RECORD = {
    "name": "reading",
    "command": "python -m tests.bench reading --rounds 5",
    "measured": "2020-01-02T03:04:05+00:00",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "source_clean": True,
    "cpu": "Imagined CPU (x86_64)",
    "threads": 1,
    "versions": {"python": "3.11.2"},
    "tables": {
        "clips": [{"reader": "ours", "ms": 5.125, "ratio": 1.0}, {"reader": "a <b>", "ms": 9.7, "ratio": None}],
        "new": [{"share": 0.625, "load_s": 0.01234}],
    },
}


@pytest.fixture
def record(tmp_path):
    """Writes the record of `reading` with changes, a key that is given as None left out; gives the folder."""

    def write(**changes):
        told = {key: value for key, value in (RECORD | changes).items() if value is not None}
        (tmp_path / "reading.json").write_text(json.dumps(told))
        return tmp_path

    return write


def test_what_is_not_recorded_is_said_to_be_so_with_the_command(tmp_path):
    assert load("reading", tmp_path) is None
    assert rows_of("reading", "clips", tmp_path).empty
    shown = show("reading", {"clips": "Clips"}, folder=tmp_path)
    assert isinstance(shown, Markdown)
    assert "python -m tests.bench reading --record" in shown.data


@pytest.mark.parametrize(
    "changes",
    [
        {"commit": None},
        {"cpu": 7},
        {"tables": [1]},
        {"tables": {"clips": []}},
        {"tables": {"clips": [1]}},
        {"name": "flow"},
    ],
)
def test_a_file_that_is_no_record_is_refused_by_its_name(record, changes):
    with pytest.raises(ValueError, match=r"reading\.json: .*record it again"):
        load("reading", record(**changes))


@pytest.mark.parametrize("text", ["{", "[]", '"text"'])
def test_json_of_something_else_is_refused_by_its_name(tmp_path, text):
    (tmp_path / "reading.json").write_text(text)
    with pytest.raises(ValueError, match=r"reading\.json: "):
        load("reading", tmp_path)


def test_a_table_says_where_when_and_on_which_commit_it_was_measured_and_escapes_text(record):
    html = show("reading", {"clips": "Random clips", "gone": "Gone", "new": "New"}, folder=record()).data
    captions = re.findall("<caption>(.*?)</caption>", html)
    assert [caption.partition(".")[0] for caption in captions] == ["Random clips", "New"]
    for told in ("Imagined CPU", "1 thread,", "2020-01-02", "0123456789", "python -m tests.bench reading --rounds 5"):
        assert told in captions[0]
    assert "a &lt;b&gt;" in html
    assert "(modified)" not in html
    assert "(modified)" in show("reading", {"clips": "Clips"}, folder=record(source_clean=False)).data


def test_columns_come_as_they_are_and_keep_their_units(record):
    shown = show("reading", {"new": "New"}, ["load_s", "share", "gone"], record()).data
    assert re.findall("<t[hd]>(.*?)</t[hd]>", shown) == ["load (s)", "share", "0.0123", "62%"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1234.5, "1,234"), (9.999, "10.0"),
     (7, "7"), (1_133_158, "1,133,158"), (None, "–"), (float("nan"), "–"), ("", "–"), (True, "True"), (-0.5, "-0.500")],
)  # fmt: skip
def test_numbers_have_three_figures_and_whole_ones_all(value, text):
    assert cell("anything", value) == text
