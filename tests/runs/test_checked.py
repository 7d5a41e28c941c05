"""What a build has checked is not checked again by its chapters, and what has changed since then is."""

import json
import os

import pytest

from studylib.runs import results
from studylib.runs.plan import PlannedRun
from studylib.runs.results import BrokenRun, load_planned_run
from studylib.training.spec import RunSpec
from tests.fake_runs import fake_predictions, write_fake_run
from tests.runs.test_results import PLANNED, SPEC, assert_refused


@pytest.fixture
def folder(tmp_path):
    """The folder of a complete run of PLANNED in the repository `tmp_path`, kept as a build keeps it."""
    folder = write_fake_run(tmp_path / PLANNED.folder, SPEC)
    files = results.files_of(folder)
    _, run = load_planned_run(PLANNED, tmp_path)
    results.keep_checked(tmp_path / "checked", {run: files})
    yield folder
    os.environ.pop(results.KEPT, None)


@pytest.fixture
def reads(monkeypatch):
    """How often predictions are read from now on, a path each time."""
    paths, read = [], results.read_predictions
    monkeypatch.setattr(results, "read_predictions", lambda path: paths.append(path) or read(path))
    return paths


def test_a_checked_run_is_not_checked_again_and_has_the_same_numbers(folder, tmp_path, reads):
    state, run = load_planned_run(PLANNED, tmp_path)
    assert state == "complete"
    assert run.videos == len(fake_predictions().labels)
    assert run.spec == SPEC
    assert run.metrics == json.loads((folder / "metrics.json").read_text())
    assert reads == []


def test_scores_of_a_checked_run_are_read_when_they_are_asked_for(folder, tmp_path, reads):
    _, run = load_planned_run(PLANNED, tmp_path)
    assert run.predictions.videos == fake_predictions().videos
    assert reads == [folder / "predictions.parquet"]


def test_scores_that_were_read_do_not_stay_in_memory(folder, tmp_path, reads):
    for _ in range(2):
        load_planned_run(PLANNED, tmp_path)[1].predictions  # noqa: B018 (it reads)
    assert reads == [folder / "predictions.parquet"] * 2


@pytest.mark.parametrize("how", ["metrics.json is not JSON", "the predictions are damaged", "the notebook failed"])
def test_a_run_that_breaks_after_it_was_checked_is_refused(folder, tmp_path, how):
    assert_refused(how, folder, tmp_path)


def test_a_run_that_is_replaced_after_it_was_checked_shows_its_new_numbers(folder, tmp_path):
    before = load_planned_run(PLANNED, tmp_path)[1].metrics["video_top1"]
    write_fake_run(folder, SPEC, fake_predictions(clips=10, seed=5, skill=0.5))
    after = load_planned_run(PLANNED, tmp_path)[1].metrics["video_top1"]
    assert after != before
    assert after == json.loads((folder / "metrics.json").read_text())["video_top1"]


def test_a_checked_run_is_refused_where_the_plan_asks_for_another(folder, tmp_path):
    other = RunSpec(**vars(SPEC) | {"lr": 0.5})
    with pytest.raises(BrokenRun, match=r"lr is 0\.01, wanted 0\.5"):
        load_planned_run(PlannedRun("quick", PLANNED.name, other), tmp_path)


def test_a_file_that_changed_while_it_was_read_is_read_again(folder, tmp_path, reads):
    files = results.files_of(folder)
    _, run = load_planned_run(PLANNED, tmp_path)
    (folder / "notes.txt").write_text("came later")
    results.keep_checked(tmp_path / "checked", {run: files})
    assert load_planned_run(PLANNED, tmp_path)[0] == "complete"
    assert reads == [folder / "predictions.parquet"]


def test_outside_of_a_build_every_run_is_checked(folder, tmp_path, reads):
    os.environ.pop(results.KEPT, None)
    assert load_planned_run(PLANNED, tmp_path)[0] == "complete"
    assert reads == [folder / "predictions.parquet"]
