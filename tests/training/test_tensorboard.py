"""What TensorBoard gets of a run, read back with its own reader."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from studylib.training import tensorboard
from studylib.training.tensorboard import TAGS, run_name, write_row

ROW = {
    "epoch": 1,
    "step": 40,
    "lr": 0.01,
    "train_loss": 2.5,
    "train_error": 80.0,
    "test_loss": 2.7,
    "test_error": 85.0,
    "clips_per_second": 55.0,
    "seconds": 12.0,
    "data_wait": 0.25,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that STUDY_TENSORBOARD names."""
    monkeypatch.setenv("STUDY_TENSORBOARD", str(tmp_path / "board"))
    monkeypatch.setattr(tensorboard, "_writers", {})
    return tmp_path / "board"


def scalars(folder):
    """tag -> [(step, value), ...] as TensorBoard shows them."""
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def test_losses_errors_rate_and_speed_are_written_by_epoch(folder):
    for epoch in (1, 2):
        write_row("somewhere/r3d", ROW | {"epoch": epoch, "test_error": 85.0 / epoch})
    written = scalars(folder / "r3d")
    assert set(written) == set(TAGS.values())
    assert written["error/test"] == [(1, 85.0), (2, 42.5)]
    assert written["training/data_wait"] == [(1, 0.25), (2, 0.25)]


def test_a_run_that_goes_on_doubles_no_epoch(folder, monkeypatch):
    for epoch in (1, 2, 3):
        write_row("r3d", ROW | {"epoch": epoch, "train_loss": float(epoch)})
    monkeypatch.setattr(tensorboard, "_writers", {})  # another process, which found the checkpoint of epoch 2
    for epoch in (3, 4):
        write_row("r3d", ROW | {"epoch": epoch, "train_loss": 10.0 * epoch})
    assert len(list((folder / "r3d").iterdir())) == 2
    assert scalars(folder / "r3d")["loss/train"] == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0)]


def test_what_a_row_does_not_have_is_left_out(folder):
    write_row("r3d", {name: value for name, value in ROW.items() if name != "data_wait"})
    assert set(scalars(folder / "r3d")) == set(TAGS.values()) - {"training/data_wait"}


def test_without_the_variable_nothing_is_written(folder, monkeypatch):
    monkeypatch.delenv("STUDY_TENSORBOARD")
    write_row("r3d", ROW)
    assert not folder.exists()


def test_without_the_package_one_line_says_so_and_training_goes_on(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for epoch in (1, 2):
        write_row("r3d", ROW | {"epoch": epoch})
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.startswith("nothing is written for TensorBoard: the package tensorboard cannot be imported")
    assert "pip install tensorboard" in said


def test_a_folder_that_cannot_be_written_is_named_once_and_training_goes_on(folder, capsys):
    folder.write_text("a file is in the way")
    for epoch in (1, 2):
        write_row("r3d", ROW | {"epoch": epoch})
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert str(folder / "r3d") in said


def test_a_run_of_a_plan_is_named_as_its_page_and_another_as_its_folder(tmp_path):
    assert run_name(tmp_path / "runs" / "mini" / "depth" / "r3d_seed0") == "mini_depth_r3d_seed0"
    assert run_name(tmp_path / "elsewhere" / "mini" / "depth" / "r3d_seed0") == "r3d_seed0"
