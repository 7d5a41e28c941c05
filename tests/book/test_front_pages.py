"""Page 1, what is still open, and the table to take away: their numbers are those of the runs."""

import pandas as pd
import pytest

from studylib import REPOSITORY
from studylib.book import index, still_open
from studylib.book.tables import Table
from studylib.runs.plan import load_plan
from studylib.runs.results import load_plan_runs


def test_a_reversed_clip_counts_as_flipped_where_it_is_called_the_other_class_of_its_pair():
    rows = [
        ("a", "circle_cw", "backwards", "circle_ccw", 0.75),
        ("a", "circle_cw", "backwards", "circle_cw", 0.25),
        ("b", "circle_ccw", "backwards", "circle_ccw", 1.0),
        ("c", "march_slow", "backwards", "march_fast", 1.0),  # no direction
        ("a", "circle_cw", "forwards", "circle_ccw", 1.0),
    ]
    answered = pd.DataFrame(rows, columns=["video", "label", "order", "named", "share"]).assign(net="R3D")
    assert index.flipped(answered)["R3D"] == pytest.approx(100 * 0.75 / 2)


def test_every_printed_number_has_its_runs_in_the_papers_plan():
    planned = load_plan_runs(load_plan(REPOSITORY / "runs" / "paper.yaml"))
    numbers = still_open.numbers()
    chosen = [planned.query(query, engine="python") for query in numbers["runs"]]
    assert min(own["seed"].nunique() for own in chosen) >= 2  # one seed decides nothing
    two_streams = numbers["what"].str.contains("Two-Stream")
    assert [own["modality"].nunique() for own in chosen] == [2 if both else 1 for both in two_streams]
    trained = planned[(planned["experiment"] != "cues") & (planned["experiment"] != "mechanism")]
    assert set(trained.index) - {i for own in chosen for i in own.index} <= set(
        planned[(planned["net"] == "R3D") & (planned["experiment"] == "sports1m") & (planned["clip_length"] == 8)].index
    )  # the paper prints one R3D of Table 3, at a length that it does not tell


def test_the_table_to_take_away_has_a_row_a_complete_run_and_every_column_explained(study, shown):
    tables = [value.frame for value in shown("runs") if isinstance(value, Table)]
    taken = pd.read_csv("_build/recorded_runs.csv")  # from the folder that the cells ran in
    assert len(taken) == (study["state"] == "complete").sum()
    assert list(taken) == list(next(table for table in tables if "what it is" in table and "column" in table)["column"])
    assert taken["video_top1"].between(taken["low"], taken["high"]).all()
    of_mini = next(table for table in tables if "commit" in table and len(table) == (study["plan"] == "mini").sum())
    assert "run_pages/mini_conv_types_r3d-18_8f_seed0.html" in of_mini["run"].str.cat()
