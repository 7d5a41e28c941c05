"""A training that is asked to stop saves at the next step, says so by its exit code, and goes on when called again."""

import os
import signal

import pytest

from studylib.training.launch import EXIT_CODE
from tests.trainings import assert_same_end, checkpoints, ended, last_state, said, start, trainer
from tests.waiting import wait_for

LONG = {"epochs": 20, "clips_per_epoch": 24}  # some seconds


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_saves_at_the_next_step_and_the_run_goes_on_from_it(name, tiny_data, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        start(folder, **LONG)
    # no checkpoint but those after epochs and at the signal; with loader processes, which get the signal as well
    process = trainer(stopped, STUDY_CHECKPOINT_MINUTES="60", STUDY_WORKERS="1", STUDY_CACHE_GB="0")
    wait_for(lambda: "epoch 2/20" in said(stopped))
    os.kill(process.pid, getattr(signal, name))
    assert ended(process, 20) == EXIT_CODE == 75
    assert f"stopped by {name} " in said(stopped)
    assert "saved, start it again to go on" in said(stopped).splitlines()[-1]
    state = last_state(stopped)
    assert len(state["history"]) < LONG["epochs"]
    assert not (stopped / "metrics.json").exists()
    assert ended(trainer(stopped, STUDY_WORKERS="0")) == 0
    assert "going on in epoch" in said(stopped)
    assert ended(trainer(whole, STUDY_WORKERS="0")) == 0
    assert_same_end(whole, stopped)


def test_a_signal_in_the_last_test_ends_the_run_and_the_test_starts_anew(tiny_data, tmp_path):
    start(tmp_path / "run", epochs=1, test_clips=3000)
    process = trainer(tmp_path / "run")
    wait_for(lambda: "testing" in said(tmp_path / "run"))
    os.kill(process.pid, signal.SIGTERM)
    assert ended(process, 30) == EXIT_CODE
    assert "stopped by SIGTERM in the test at the end" in said(tmp_path / "run")
    assert len(last_state(tmp_path / "run")["history"]) == 1


def test_two_processes_do_not_train_the_same_run(tiny_data, tmp_path):
    """Nor one run folder with another data root, nor two folders with the same spec."""
    run, copy = tmp_path / "run", tmp_path / "copy"
    for folder in (run, copy):
        start(folder, **LONG | {"epochs": 1000})  # all are killed at work
    first = trainer(run)
    wait_for(lambda: any(checkpoints(run).glob("[0-9]*.pt")))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pantomime-tiny").symlink_to(tiny_data / "pantomime-tiny")
    same_folder = trainer(run, STUDY_DATA=str(elsewhere))
    same_spec = trainer(copy, STUDY_DATA=str(tmp_path / "run-data"))
    wait_for(lambda: f"{run}: another process is training this run; waiting for it" in said(run))
    wait_for(lambda: f"{copy}: another process is training this run; waiting for it" in said(copy))
    assert first.is_alive()
    assert not any((elsewhere / "checkpoints").glob("*/[0-9]*.pt"))  # who waits trains nothing
    assert "going on in epoch" not in said(copy)
    os.kill(first.pid, signal.SIGKILL)  # the system lifts its locks: the others go on
    wait_for(lambda: "going on in epoch" in said(copy))
    wait_for(lambda: any((elsewhere / "checkpoints").glob("*/[0-9]*.pt")))
    for process in (same_folder, same_spec):
        assert process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert last_state(run)["steps"] > 0
