"""The plan quick, which each `make book` runs: all that a notebook can do, in a few minutes."""

from studylib import REPOSITORY
from studylib.runs.cost import costs_of
from studylib.runs.plan import load_plan
from tests.notebook_heads import ALL, DOWNLOADED

PLAN = load_plan(REPOSITORY / "runs" / "quick.yaml")
SPECS = [run.spec for run in PLAN.runs]
TABLE2 = "conv_types"


def test_every_notebook_is_run_but_the_one_that_needs_a_download():
    assert {spec.experiment for spec in SPECS} == {*ALL} - {*DOWNLOADED}


def test_all_but_table_2_is_as_good_as_nothing_to_compute(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path))
    costs = costs_of(PLAN)
    of_table2 = costs.loc[costs["experiment"] == TABLE2, "multiply_adds"].sum()
    assert costs["multiply_adds"].sum() < 1.05 * of_table2
    rendered = sum(own["train_videos"] + own["test_videos"] for own in PLAN.datasets.values())
    assert rendered < 1.2 * (960 + 160)
