"""The chapter on resolution: its table is what the runs say, with those that are missing; made up, never trained."""

import re

import numpy as np
import pytest

from studylib import REPOSITORY
from studylib.book.resolutions import band, resolution_table, resolutions_of
from studylib.book.tables import NOT_RUN
from studylib.claims.verdicts import decide
from studylib.claims.verdicts_intervals import CLIP
from studylib.nets.complexity import count_by_name
from studylib.runs.plan import load_plan
from studylib.training.evaluation import clip_top1
from tests.book.test_length_chapter import STUDY, both_plans, no_datasets, nothing  # noqa: F401
from tests.chapters import html_of, shown_by
from tests.verdict_runs import PLAN, complete, table, trained


def runs(low=75, high=80):
    return trained("low", low) + trained("high", high, experiment="resolution", resolution=224)


def rows_of(made):
    return resolution_table([resolutions_of(table(made), STUDY)]).frame.set_index("pixels")


def test_the_row_of_each_size_has_its_counted_cost_its_accuracy_and_its_runs():
    made = runs()
    rows = rows_of(made)
    assert list(rows.index) == ["112 x 112", "224 x 224", "difference"]
    counted = count_by_name("r2plus1d", 18, 16, resolution=224).flops
    assert rows["GFLOPs a clip"]["224 x 224"] == f"{counted / 1e9:.3f}"
    expected = np.mean([clip_top1(run.predictions) for name, run in made if name.startswith("high")])
    assert rows["clip@1 (%)"]["224 x 224"].startswith(f"{expected:.1f} ")
    assert "run_pages/study_resolution_high_seed1.html" in rows["runs"]["224 x 224"]


def test_the_difference_is_that_of_the_verdict():
    made = runs()
    own = resolutions_of(table(made), STUDY).difference(CLIP)
    part = decide("run-resolution", table(made), PLAN).parts[0]
    assert own.low < own.points < own.high
    assert (own.points, own.low, own.high) == (part.points, part.low, part.high)
    assert rows_of(made)["clip@1 (%)"]["difference"].startswith(f"{part.points:+.1f}")


def test_the_band_is_the_one_of_the_rule():
    part = decide("run-resolution", table(runs()), PLAN).parts[0]
    assert band() == f"−{-part.claimed[0]:g} to +{part.claimed[1]:g} points"


def test_what_is_not_run_is_said_to_be_and_the_costs_are_there():
    rows = rows_of(nothing(runs()))
    assert (rows[["clip@1 (%)", "video@1 (%)"]] == NOT_RUN).all(axis=None)
    assert float(rows["GFLOPs a clip"]["224 x 224"]) > 3.9 * float(rows["GFLOPs a clip"]["112 x 112"])
    assert re.fullmatch(r"4\.\d\d times|3\.9\d times", rows["GFLOPs a clip"]["difference"])


def test_a_resolution_that_is_run_in_part_is_compared_by_the_seeds_that_are_there():
    made = [(name, run.spec if name == "high_seed2" else run) for name, run in runs()]
    rows = rows_of(made)
    assert "2 of 3 runs" in rows["clip@1 (%)"]["224 x 224"]
    assert "2 of 3 runs" in rows["clip@1 (%)"]["difference"]
    two = np.mean([clip_top1(run.predictions) for name, run in made if name in ("high_seed0", "high_seed1")])
    three = np.mean([clip_top1(run.predictions) for name, run in made if name.startswith("low")])
    assert rows["clip@1 (%)"]["difference"].startswith(f"{two - three:+.1f}")
    none = [(name, run.spec if name.startswith("high") else run) for name, run in runs()]
    assert rows_of(none)["clip@1 (%)"]["difference"] == NOT_RUN


def test_a_plan_without_a_second_resolution_is_not_planned():
    assert resolutions_of(table(trained("low", 75)), STUDY) is None
    assert "not planned" in resolution_table([None]).frame.iloc[0, 0]


@pytest.mark.parametrize(("plan", "sizes"), [("mini", (56, 112)), ("paper", (112, 224))])
def test_the_plans_of_the_study_compare_twice_the_size_of_table_2(plan, sizes):
    loaded = load_plan(REPOSITORY / "runs" / f"{plan}.yaml")
    own = resolutions_of(complete(loaded), loaded)
    assert tuple(net.planned[0].spec.resolution for net in (own.low, own.high)) == sizes
    assert own.difference(CLIP) is not None


def test_the_page_shows_what_is_recorded_and_what_is_not(monkeypatch):
    shown = [html_of(value) for value in shown_by("resolution", both_plans(), monkeypatch)]
    assert f"**{band()}.**" in shown
    [page_table] = [value for value in shown if "two resolutions" in value]
    assert "run_pages/mini_resolution_r2plus1d-18_8f_resolution112_seed0.html" in page_table
    assert page_table.count(NOT_RUN) == 8  # the plan paper: two accuracies and the runs of both sizes, two differences
