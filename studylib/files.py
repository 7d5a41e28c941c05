"""Files that are whole or not there, and folders that one process at a time works in."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO


def write_together(writers: Mapping[Path, Callable[[BinaryIO], object]]) -> None:
    """Give each writer an open binary file beside its path; when all are written, move them into place, in order.

    Folders are made. Whatever stops it (a full disk, a kill) leaves earlier files at the paths as they were.

    Raises:
        OSError: names the path, the reason and what is kept.
    """
    path = Path()
    try:
        for path, write in writers.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial_path(path).open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
        for path in writers:
            partial_path(path).replace(path)
    except OSError as error:
        kept = "what was there before is intact" if path.exists() else "no file was left"
        raise OSError(error.errno, f"{path}: cannot write ({error.strerror or error}); {kept}") from error
    finally:
        for path in writers:
            partial_path(path).unlink(missing_ok=True)


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """`write_together` of one file."""
    write_together({Path(path): write})


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    write_atomically(path, lambda file: file.write(content))


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step (UTF-8)."""
    write_bytes(path, text.encode())


def name_of(path: bytes | str | Path) -> str:
    """A file's name as text that is the same in every locale: as UTF-8, bytes that are none as lone surrogates."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def on_disk(folder: Path, name: str) -> Path:
    """The path below `folder` that `name_of` calls `name`."""
    return folder / os.fsdecode(name.encode("utf-8", "surrogateescape"))


def partial_path(path: Path) -> Path:
    """Where a file grows before it moves to `path`; the process id keeps two writers apart."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


@contextmanager
def locked(path: Path, occupied: str, patience: float | None = None) -> Iterator[None]:
    """Hold the lock of the file `path`; the system lifts it when a process dies, however that happens.

    While another process holds it, `occupied` is printed once and this one waits: for ever, or `patience` seconds.

    Raises:
        TimeoutError: it was still held after that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{occupied}; waiting for it", flush=True)
            _wait_for(lock, occupied, patience)
        yield


def _wait_for(lock: IO, occupied: str, patience: float | None) -> None:
    if patience is None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return
    latest = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > latest:
                raise TimeoutError(f"{occupied}; wait until it has ended, or stop it") from None
            time.sleep(0.2)
