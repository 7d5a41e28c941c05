"""Locks of files: on file systems that have them, and on those that have none."""

import errno
import fcntl
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from studylib.video import files
from studylib.video.files import locked
from tests.waiting import wait_for

NO_LOCKS = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP]


def flock_fails(number: int) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    fcntl.flock = flock


def hold(path: Path, number: int, silent: float) -> None:
    """What another process does: take the lock and keep it."""
    if number:
        flock_fails(number)
    files.SILENT = silent
    with locked(path, ""):
        path.with_name("taken").touch()
        signal.pause()


@pytest.fixture(params=[0, *NO_LOCKS], ids=lambda number: errno.errorcode.get(number, "flock"))
def holder(request, tmp_path, monkeypatch):
    """A process that holds the lock of tmp_path / "file"; where it is killed, its lock is lifted within seconds."""
    monkeypatch.setattr(files, "SILENT", 4.0)
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path / "file", request.param, 4.0))
    process.start()
    wait_for((tmp_path / "taken").exists, process)
    if request.param:
        flock_fails(request.param)
    yield process
    process.kill()
    process.join()


def test_a_lock_keeps_others_out_until_its_process_is_killed(holder, tmp_path, capsys):
    path = tmp_path / "file"
    with (
        pytest.raises(TimeoutError, match="somebody works; wait until it has ended, or stop it"),
        locked(path, "somebody works", patience=6.0),
    ):
        pass
    assert capsys.readouterr().out == "somebody works; waiting for it\n"
    holder.kill()
    with locked(path, "somebody works"):
        pass
    with locked(path, "nobody works", patience=0.0):
        capsys.readouterr()
    assert not capsys.readouterr().out
    assert {file.name for file in tmp_path.iterdir()} == {"file", "taken"}


def test_a_file_that_cannot_be_locked_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", fcntl.flock)
    flock_fails(errno.EIO)
    with (
        pytest.raises(OSError, match=r"spec\.json: cannot be locked \(Input/output error\)"),
        locked(tmp_path / "spec.json", ""),
    ):
        pass
