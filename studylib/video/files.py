"""Files that are whole or not there, and folders that one process at a time works in."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout


def write_together(writers: Mapping[Path, Callable[[BinaryIO], object]]) -> None:
    """Give each writer an open binary file beside its path; when all are written, move them into place, in order.

    Folders are made. Whatever stops it (a full disk, a kill) leaves earlier files at the paths as they were.
    Errors: OSError names the path, the reason and what is kept.
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


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    write_together({path: lambda file: file.write(content)})


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step (UTF-8)."""
    write_bytes(path, text.encode())


def user_path(given: Path | str) -> Path:
    """A path as a user gives it: `~` is the home folder, as in a shell."""
    return Path(os.path.expanduser(given))  # noqa: PTH111 (Path's own raises an error for the home of nobody)


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
    """Hold the lock that the empty file `path` stands for; the system lifts it when a process dies, however that
    happens. While another process holds it, `occupied` is printed once and this one waits: for ever, or `patience`
    seconds. Where the file system has no locks (Lustre without `-o flock`), the file's being there is the lock.

    Errors: TimeoutError: it was still held after that; OSError names a file that cannot be locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{occupied}; waiting for it", flush=True)
            lock.acquire(timeout=-1 if patience is None else patience, poll_interval=0.2)
    except Timeout as error:
        raise TimeoutError(f"{occupied}; wait until it has ended, or stop it") from error
    except OSError as error:
        raise OSError(error.errno, f"{path}: cannot be locked ({error.strerror})") from error
    try:
        yield
    finally:
        lock.release()
