"""Files that are whole or not there, and folders that one process at a time works in."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)  # what flock says where there are none
SILENT = 150.0  # seconds; other machines may see a minute later that a file was touched


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
    """Hold the lock of the file `path`; the system lifts it when a process dies, however that happens.

    While another process holds it, `occupied` is printed once and this one waits: for ever, or `patience` seconds.
    Where the file system has no locks (Lustre without `-o flock`, some NFS), a file beside it stands for one: `_Mark`.

    Raises:
        TimeoutError: it was still held after that.
        OSError: names the file that cannot be locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    latest, waiting = time.monotonic() + (float("inf") if patience is None else patience), False
    with path.open("a") as file, closing(_Mark(path)) as mark:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pass
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise OSError(error.errno, f"{path}: cannot be locked ({error.strerror})") from error
                if mark.take():
                    break
            if not waiting:
                print(f"{occupied}; waiting for it", flush=True)
            elif time.monotonic() > latest:
                raise TimeoutError(f"{occupied}; wait until it has ended, or stop it")
            waiting = True
            time.sleep(0.2)
        yield


class _Mark:
    """A file that stands for the lock of `path` as long as its owner, on whatever machine, keeps touching it.

    A process that is killed leaves it behind; whoever waits takes it once it has not changed for `SILENT` seconds.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.with_name(f".{path.name}.held")
        self.owned, self.ended = False, threading.Event()
        self.touched, self.since = -1, 0.0  # when the owner touched it last; since when that is known here

    def take(self) -> bool:
        """Make the file, unless another process has it; remove it where that one is silent."""
        try:
            self.file.touch(exist_ok=False)
        except FileExistsError:
            with suppress(FileNotFoundError):
                if (touched := self.file.stat().st_mtime_ns) != self.touched:
                    self.touched, self.since = touched, time.monotonic()
                elif time.monotonic() - self.since > SILENT:
                    self.file.unlink()
            return False
        self.owned = True
        threading.Thread(target=self._keep, daemon=True).start()
        return True

    def _keep(self) -> None:
        while not self.ended.wait(SILENT / 10):
            with suppress(OSError):
                os.utime(self.file)

    def close(self) -> None:
        """Remove the file, if it was made here."""
        self.ended.set()
        if self.owned:
            self.file.unlink(missing_ok=True)
