"""What the book may show of a run folder, and what stops its build."""

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from studylib.book import conv_types, cues, tables
from studylib.book.experiment import summary
from studylib.claims import published
from studylib.runs import results
from studylib.runs.plan import Plan, PlannedRun
from studylib.runs.results import BrokenRun, load_plan_runs, load_planned_run, load_run
from studylib.training.evaluation import Predictions, read_predictions, wilson, write_predictions
from studylib.training.spec import RunSpec, recorded_hash
from tests.fake_runs import PANTOMIME, fake_predictions, write_fake_run, write_notebook

SPEC = RunSpec(experiment="conv_types", net="r2plus1d", dataset="pantomime-quick", epochs=5, width=16)
PLANNED = PlannedRun("quick", "r2plus1d-18_8f_seed0", SPEC)


@pytest.fixture
def folder(tmp_path):
    """The folder of a complete run of PLANNED in the repository `tmp_path`."""
    return write_fake_run(tmp_path / PLANNED.folder, SPEC)


def change_json(path, **changes):
    """Set keys of a JSON file, or take those out that are given as None."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_complete_run_gives_its_numbers(folder, tmp_path):
    state, run = load_planned_run(PLANNED, tmp_path)
    assert state == "complete"
    assert run.net == "R(2+1)D-18"
    assert list(run.history["epoch"]) == [1, 2, 3, 4, 5]
    assert run.metrics["video_top1"] == pytest.approx(
        100 * np.mean(run.predictions.scores.argmax(1) == run.predictions.labels)
    )
    assert f"{run.metrics['video_top1']:.1f}%" in summary(run).loc["video@1", "value"]


def test_a_planned_run_without_a_folder_is_not_run(tmp_path):
    assert load_planned_run(PLANNED, tmp_path) == ("not run", None)


@pytest.mark.parametrize("left", [(), ("spec.json",), ("spec.json", "history.csv", "notebook.ipynb")])
def test_a_run_without_metrics_is_unfinished_and_shows_no_number(folder, tmp_path, left):
    write_notebook(folder, ended=False)
    for file in folder.iterdir():
        if file.name not in left:
            file.unlink()
    table = load_plan_runs(Plan("quick", "quick: a check", {}, (PLANNED,)), tmp_path)
    assert table["state"].tolist() == ["unfinished"]
    assert "video_top1" not in table


def test_a_run_whose_notebook_is_in_its_last_cells_is_unfinished(folder, tmp_path):
    write_notebook(folder, ended=False)
    assert load_planned_run(PLANNED, tmp_path)[0] == "unfinished"
    assert load_run(folder).spec == SPEC  # which the notebook's own last cells read


def shorten_history(folder):
    lines = (folder / "history.csv").read_text().splitlines()
    (folder / "history.csv").write_text("\n".join(lines[:-1]) + "\n")


def change_history(folder, column, value, row=-1):
    """Another number, or a text, in one place of the history; everything else stays as it is to the last digit."""
    history = pd.read_csv(folder / "history.csv", dtype=str)
    history.loc[history.index[row], column] = value
    history.to_csv(folder / "history.csv", index=False)


def swap_a_label(folder):
    """The accuracies in metrics.json were not measured on these predictions."""
    write_fake_run(folder.parent / "other", SPEC, fake_predictions(clips=10, seed=9, skill=0.5))
    (folder.parent / "other" / "predictions.parquet").replace(folder / "predictions.parquet")


def repeat_clips(folder):
    """Of each video twice as many clips as the spec says, which give the same accuracies."""
    path = folder / "predictions.parquet"
    found = read_predictions(path)
    write_predictions(path, replace(found, clip_scores=[np.repeat(own, 2, 0) for own in found.clip_scores]))


BREAKS = {
    "metrics.json is not JSON": (lambda f: (f / "metrics.json").write_text("{"), "not JSON"),
    "a metric is missing": (lambda f: change_json(f / "metrics.json", video_top5=None), "has no video_top5"),
    "a metric is no number": (lambda f: change_json(f / "metrics.json", seconds="long"), "seconds is 'long'"),
    "metrics of another spec": (lambda f: change_json(f / "metrics.json", spec_hash="0" * 64), "another spec"),
    "a spec that is none": (lambda f: change_json(f / "spec.json", epochs="many"), "epochs"),
    "a spec that is not the plan's": (lambda f: change_json(f / "spec.json", lr=0.5), "lr is 0.5, wanted 0.01"),
    "the spec is missing": (lambda f: (f / "spec.json").unlink(), "spec.json: missing"),
    "the history is missing": (lambda f: (f / "history.csv").unlink(), "no history.csv"),
    "the history is empty": (lambda f: (f / "history.csv").write_text(""), "history.csv cannot be read"),
    "the history lacks an epoch": (shorten_history, "not the 5 epochs"),
    "the history lacks a column": (lambda f: (f / "history.csv").write_text("epoch\n1\n"), "no column step"),
    "the history has a text": (
        lambda f: change_history(f, "train_loss", "high", 1),
        "history.csv has train_loss high in epoch 2, not a finite number; restore the file",
    ),
    "the history has no number": (lambda f: change_history(f, "test_loss", "", 2), "has test_loss nan in epoch 3"),
    "the history has an infinite number": (lambda f: change_history(f, "lr", "inf", 0), "has lr inf in epoch 1"),
    "the history ends with another training error": (
        lambda f: change_history(f, "train_error", "12.125"),
        "history.csv 12.125 in the last epoch",
    ),
    "the history ends with another test error": (
        lambda f: change_history(f, "test_error", "31.25"),
        "history.csv 31.25 in the last epoch",
    ),
    "the metrics have another training error than the history": (
        lambda f: change_json(f / "metrics.json", train_error=12.125),
        "metrics.json has train_error 12.125",
    ),
    "a metric is not finite": (lambda f: change_json(f / "metrics.json", clips_per_second=float("nan")), "is nan, not"),
    "a metric is infinite": (lambda f: change_json(f / "metrics.json", flops=float("inf")), "flops is inf, not a fin"),
    "the predictions are missing": (lambda f: (f / "predictions.parquet").unlink(), "no predictions.parquet"),
    "the predictions are damaged": (lambda f: (f / "predictions.parquet").write_bytes(b"PAR1"), "cannot be read"),
    "the predictions have every clip twice": (
        repeat_clips,
        "predictions.parquet has 20 clips of videos/test/hands_up_00000.mp4, spec.json says test_clips 10; restore",
    ),
    "the predictions give other accuracies": (swap_a_label, "predictions.parquet gives"),
    "the provenance is missing": (lambda f: (f / "provenance.json").unlink(), "no provenance.json"),
    "the provenance has no commit": (lambda f: change_json(f / "provenance.json", commit=None), "has no commit"),
    "the provenance has a list for its dataset": (
        lambda f: change_json(f / "provenance.json", dataset=[]),
        "provenance.json has no name, manifest_hash in dataset; restore the file",
    ),
    "the provenance does not say which videos": (
        lambda f: change_json(f / "provenance.json", dataset={"name": "pantomime-quick"}),
        "provenance.json has no manifest_hash in dataset",
    ),
    "the provenance names another dataset": (
        lambda f: change_json(f / "provenance.json", dataset={"name": "pantomime-mini", "manifest_hash": "ab" * 32}),
        "another dataset",
    ),
    "the notebook failed": (lambda f: write_notebook(f, error="the loss is nan"), "RunFailed: the loss is nan"),
    "the notebook is missing": (lambda f: (f / "notebook.ipynb").unlink(), "no notebook.ipynb"),
    "the notebook has other settings": (
        lambda f: write_notebook(f, lr=0.5),
        "notebook.ipynb was executed with lr 0.5, not 0.01: it is that of another run; restore the file",
    ),
    "the notebook left a setting at its default": (lambda f: write_notebook(f, width=64), "width 64, not 16"),
    "the notebook is that of another folder": (
        lambda f: write_notebook(f, run_folder="runs/mini/conv_types/r2plus1d-18_8f_seed0"),
        "run_folder 'runs/mini/conv_types/r2plus1d-18_8f_seed0', not 'runs/quick/conv_types/r2plus1d-18_8f_seed0'",
    ),
    "the notebook says nothing of its parameters": (
        lambda f: change_json(f / "notebook.ipynb", metadata={"papermill": {"end_time": "2020-01-02T03:06:06"}}),
        "notebook.ipynb was executed with width 64, not 16",
    ),
    "the notebook is no notebook": (
        lambda f: change_json(f / "notebook.ipynb", cells=[1]),
        "notebook.ipynb is no notebook",
    ),
    "the notebook is not JSON": (lambda f: (f / "notebook.ipynb").write_text("<html>"), "notebook.ipynb is not JSON"),
}


def assert_refused(how, folder, repository):
    """A run that is broken in this way is refused with its name and what is wrong."""
    break_it, message = BREAKS[how]
    break_it(folder)
    with pytest.raises(BrokenRun) as refusal:
        load_planned_run(PLANNED, repository)
    assert message in str(refusal.value)
    assert PLANNED.folder.name in str(refusal.value)


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_run_is_refused_with_its_name(folder, tmp_path, how):
    assert_refused(how, folder, tmp_path)


def test_a_notebook_that_ran_in_a_repository_elsewhere_and_left_defaults_alone_is_that_of_the_run(folder, tmp_path):
    usual = {field.name: field.default for field in fields(RunSpec)}
    path = folder / "notebook.ipynb"
    notebook = json.loads(path.read_text())
    given = {name: value for name, value in vars(SPEC).items() if value != usual[name]}
    given["run_folder"] = f"/somewhere/else/{PLANNED.folder}"
    notebook["metadata"]["papermill"]["parameters"] = given
    path.write_text(json.dumps(notebook))
    assert "lr" not in given
    assert load_planned_run(PLANNED, tmp_path)[0] == "complete"


def test_a_failed_notebook_is_refused_even_where_nothing_else_was_written(tmp_path):
    folder = tmp_path / PLANNED.folder
    folder.mkdir(parents=True)
    write_notebook(folder, error="epochs: 'many' is not a whole number")
    with pytest.raises(BrokenRun, match="is not a whole number"):
        load_planned_run(PLANNED, tmp_path)


def test_a_dense_test_has_as_many_clips_of_a_video_as_fit_into_it(tmp_path):
    dense = PlannedRun("quick", "dense_seed0", replace(SPEC, test_sampling="dense"))
    found = fake_predictions(clips=7)
    found.clip_scores[3] = found.clip_scores[3][:2]
    write_fake_run(tmp_path / dense.folder, dense.spec, found)
    assert load_planned_run(dense, tmp_path)[0] == "complete"


def test_a_run_on_other_videos_than_the_plan_fixes_is_refused(folder, tmp_path):
    assert load_planned_run(replace(PLANNED, manifest="ab" * 32), tmp_path)[0] == "complete"
    with pytest.raises(BrokenRun, match="seed0: dataset pantomime-quick: its manifest is abab"):
        load_planned_run(replace(PLANNED, manifest="cd" * 32), tmp_path)


def test_the_plans_of_this_repository_have_a_row_for_each_run():
    runs = results.table()
    assert {"quick", "mini", "paper", "calibration"} <= set(runs["plan"])
    assert set(runs["state"]) <= {"complete", "unfinished", "not run"}
    assert not runs.duplicated(["plan", "experiment", "run"]).any()


def test_wilson_interval_of_eight_right_in_ten():
    assert wilson(8, 10) == pytest.approx((49.02, 94.33), abs=0.01)
    assert wilson(0, 10)[0] == 0


def test_every_pair_has_two_classes_of_one_cue_and_poses_have_none():
    classes = cues.classes()
    pairs = classes[classes["cue"] != "pose"].groupby("pair")
    assert all(len(own) == 2 and own["cue"].nunique() == 1 for _, own in pairs)
    assert set(classes[classes["cue"] == "pose"]["pair"]) == {""}
    assert {"circle_cw | circle_ccw", "march_slow | march_fast"} <= set(classes["pair"])


def test_a_net_that_guesses_members_has_every_pair_right_and_half_of_the_members(folder):
    labels = np.tile(np.arange(16), 2)
    guess = labels.copy()
    guess[:16] = np.where(labels[:16] >= 4, labels[:16] ^ 1, labels[:16])  # the other member, but poses are right
    scores = [np.eye(16, dtype=np.float16)[[g]] for g in guess]
    own = folder.with_name("guesses")
    one_clip = replace(SPEC, test_clips=1)
    write_fake_run(own, one_clip, Predictions([f"{i}.mp4" for i in labels], labels, scores, PANTOMIME))
    shares = cues.named(load_run(own)).groupby("cue")[["right", "in_pair"]].mean()
    assert shares.loc["pose"].tolist() == [1, 0]
    for cue in ("direction", "tempo", "sequence"):
        assert shares.loc[cue].tolist() == [0.5, 1]


def test_cue_groups_are_refused_for_other_data(folder):
    write_fake_run(folder, SPEC, fake_predictions(classes=("Archery", "Bowling"), clips=10))
    with pytest.raises(ValueError, match="Archery"):
        cues.named(load_run(folder))


@pytest.fixture
def table(tmp_path):
    """A table of runs as the chapters get it: quick complete, mini with two of three seeds, paper not run."""
    plans = []
    for name, seeds in (("paper", [0]), ("mini", [0, 1, 2]), ("quick", [0])):
        base = replace(SPEC, dataset="kinetics400", width=64, epochs=45) if name == "paper" else SPEC
        specs = [replace(base, seed=seed) for seed in seeds]
        runs = tuple(PlannedRun(name, f"r2plus1d-18_8f_seed{s.seed}", s) for s in specs)
        plans.append(Plan(name, f"{name}: <its> title", {}, runs))
        for run in runs[:2] if name != "paper" else ():
            write_fake_run(tmp_path / run.folder, run.spec, fake_predictions(clips=10, seed=run.spec.seed + 5))
    return pd.concat([load_plan_runs(plan, tmp_path) for plan in plans], ignore_index=True)


def test_counted_numbers_round_to_the_published_ones():
    rows = published.table2().merge(conv_types.counted(), on="net")
    assert (rows["params"].round(1) - rows["vmz_params"]).abs().max() < 1e-9
    assert (rows["gflops"].round(1) - rows["vmz_gflops"]).abs().max() < 1e-9


def test_a_note_says_what_is_not_run(table):
    note = tables.plan_note(table, ["paper", "mini", "quick"]).data
    assert "2 of 3 runs are recorded" in note
    assert "full scale" in note.splitlines()[-1]  # which has nothing yet


def test_settings_that_differ_from_plan_paper_are_listed_and_no_others(table):
    frame = tables.settings_table(table, "mini", "quick").frame
    assert frame["field"].tolist() == ["<code>dataset</code>", "<code>width</code>", "<code>epochs</code>"]
    assert frame["paper"].tolist() == ["kinetics400", "64", "45"]
    assert frame["quick"].tolist() == [SPEC.dataset, str(SPEC.width), str(SPEC.epochs)]


def test_published_tables_name_the_source_of_every_row():
    for name in published.SOURCES:
        rows = published.table(name)
        assert len(rows) > 0
        assert rows["source"].str.len().min() > 10
    with pytest.raises(ValueError, match="table2_conv_types"):
        published.table("table9")
    paper = published.table2().set_index("net")
    assert paper.loc["R(2+1)D", "paper_video_top1"] == 63.9
    assert paper["vmz_gflops"].notna().all()


def test_a_run_recorded_before_a_field_of_the_spec_existed_is_still_read(folder):
    change_json(folder / "spec.json", amp=None)
    with pytest.raises(BrokenRun, match="belongs to another spec"):
        load_run(folder)
    change_json(folder / "metrics.json", spec_hash=recorded_hash(folder))
    assert load_run(folder).spec.amp == "bf16"


def test_a_run_recorded_before_a_column_was_thought_of_is_read(folder):
    path = folder / "history.csv"
    pd.read_csv(path, dtype=str).drop(columns="data_wait").to_csv(path, index=False)
    run = load_run(folder)
    assert "data_wait" not in run.history
