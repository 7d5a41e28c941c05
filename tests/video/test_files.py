"""One process at a time: locks of files, with the system's locks and where the file system has none."""

import errno
import fcntl
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from studylib.video.files import locked
from tests.waiting import wait_for


def flock_fails(number: int) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    fcntl.flock = flock


def hold(path: Path, number: int) -> None:
    """What another process does: take the lock and keep it."""
    if number:
        flock_fails(number)
    with locked(path, ""):
        path.with_name("taken").touch()
        signal.pause()


@pytest.mark.parametrize("number", [0, errno.ENOSYS], ids=["flock", "none"])
def test_a_lock_keeps_others_out_until_its_process_is_killed(number, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    path = tmp_path / "file"
    holder = multiprocessing.get_context("spawn").Process(target=hold, args=(path, number))
    holder.start()
    wait_for((tmp_path / "taken").exists, holder)
    if number:
        flock_fails(number)
    with (
        pytest.raises(TimeoutError, match="somebody works; wait until it has ended, or stop it"),
        locked(path, "somebody works", patience=0.5),
    ):
        pass
    assert capsys.readouterr().out == "somebody works; waiting for it\n"
    holder.kill()
    holder.join()
    with locked(path, "somebody works", patience=60.0):
        pass
    capsys.readouterr()
    with locked(path, "nobody works", patience=0.0):
        assert not capsys.readouterr().out


def test_a_file_that_cannot_be_locked_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    flock_fails(errno.EIO)
    with (
        pytest.raises(OSError, match=r"a\.lock: cannot be locked \(Input/output error\)"),
        locked(tmp_path / "a.lock", ""),
    ):
        pass
