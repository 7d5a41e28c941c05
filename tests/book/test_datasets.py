"""The chapter on data: its commands are those there are, its estimates are what they say, its pictures show flow."""

import json
import re
import shlex

import numpy as np
import pytest

from studylib import REPOSITORY
from studylib.book import datasets, gallery
from studylib.book.tables import Table
from studylib.datasets import index
from studylib.datasets.__main__ import parser
from studylib.datasets.index import OPTIONAL, REQUIRED, SPLITS
from studylib.datasets.preparing import FORMAT
from studylib.training.spec import DATASET_FAMILIES
from tests.book.test_benchmarks import RECORD

PAGES = (REPOSITORY / "book" / "datasets.md", REPOSITORY / "README.md")


def commands(page):
    return re.findall(r"^python -m studylib\.datasets (.*)$", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_the_pages_are_those_there_are(page):
    given = [parser().parse_args(shlex.split(command, comments=True)) for command in commands(page)]
    assert {"kinetics400", "folder"} <= {args.dataset for args in given}
    for args in given:
        assert args.name.partition("-")[0] in DATASET_FAMILIES


def test_every_column_of_an_index_is_explained_and_the_counts_are_the_published_ones(shown):
    tables = [value.frame for value in shown("datasets") if isinstance(value, Table)]
    columns = next(table for table in tables if "in the hash" in table).set_index("column")["in the hash"]
    assert set(columns.index) == {*REQUIRED, *SPLITS, *OPTIONAL}
    assert set(columns.index[columns == "no"]) == set(index.NOT_HASHED)
    counts = next(table for table in tables if "split" in table)
    ucf101 = counts.iloc[counts.index[counts["dataset"] == "UCF101"][0] :].head(3)
    assert ucf101["train"].tolist() == ["9,537", "9,586", "9,624"]
    kinetics = counts[counts["dataset"] == "Kinetics-400"].iloc[0]
    assert (kinetics["train"], kinetics["test"]) == ("246,535", "19,907")


def record(folder, rows):
    told = RECORD | {"name": "preparing", "tables": {"settings": rows}}
    (folder / "preparing.json").write_text(json.dumps(told))
    return folder


def setting(**changes):
    """A row of the benchmark at the settings that `--prepare` has, or others."""
    return FORMAT | {"bytes_a_frame": 1000.0, "prepared_per_second": 500.0} | changes


def test_the_estimates_take_the_row_of_the_format_that_is_made(tmp_path):
    rows = [setting(crf=0, bytes_a_frame=9.0), setting(tune="none", bytes_a_frame=8.0), setting()]
    assert datasets.measured_preparing(record(tmp_path, rows)) == (1000, 2)


def test_a_format_that_is_not_measured_gives_no_estimate(tmp_path):
    folder = record(tmp_path, [setting(gop=1)])
    assert datasets.measured_preparing(folder) is None
    assert (datasets.estimates(folder)["prepared"] == "–").all()


def test_estimates_by_hand(tmp_path):
    """UCF101: 27 hours at 25 frames a second, 1000 bytes and 2 ms a frame, 16 cores."""
    rows = datasets.estimates(record(tmp_path, [setting()])).set_index("dataset")
    ucf101 = rows.loc["UCF101"]
    assert ucf101["frames"] == "2.4\u00a0M"
    assert ucf101["prepared"] == "2.4 GB"
    assert ucf101["preparing, 16 cores"] == "5.1 min"  # 2.43 M x 2 ms / 16
    assert ucf101["frames at 128 x 171"] == "160 GB"
    assert ucf101["their flow"] == "210 GB"
    assert rows.loc["Kinetics-400", "videos"] == "266,442"  # 246,535 + 19,907
    assert rows.loc["Kinetics-400", "frames"] == "80\u00a0M"


def test_the_flow_sheet_has_a_described_picture_of_each_action_and_a_key():
    html = gallery.flow_sheet(("circle_cw", "stork")).data
    alts = re.findall(r'alt="([^"]*)"', html)
    assert len(alts) == 3
    assert alts[0].startswith("Above, 5 frames of circle_cw")
    assert "red right" in alts[2]
    assert re.search(r"full from \d+\.\d pixels a frame", html)


def test_directions_have_the_hues_of_the_colour_wheel_and_rest_is_white() -> None:
    flows = np.array([[[0, 0], [2, 0], [-2, 0], [1, 0], [9, 0]]], np.float16)  # 1 x 5 pixels
    red, cyan, pink = (255, 0, 0), (0, 255, 255), (255, 128, 128)
    shown = gallery.flow_image(flows, largest=2)[0]
    assert [tuple(colour) for colour in shown] == [(255, 255, 255), red, cyan, pink, red]
    assert gallery.flow_image(np.zeros((4, 64, 86, 2), np.float16), 1).shape == (4, 64, 86, 3)


def test_cropping_before_or_after_makes_little_of_the_flow_and_rounding_next_to_nothing():
    measured = datasets.deviations(("circle_cw",))
    flow = measured["flow"].mean()
    assert 0 < measured["cropping"].mean() < 0.5 * flow
    assert np.percentile(measured["rounding"], 99) < 0.001 * measured["flow"].max()
