"""Work on many videos on all cores so that a kill or a full disk costs nothing but the videos under way.

Beside what it makes, a folder keeps `settings.json` (what it is made with) and a journal, a line of JSON for each video
that is done: the next call does what the journal does not tell of.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from studylib.datasets.index import DatasetError
from studylib.video.files import write_text
from studylib.video.parallel import in_processes, progress_bar

Line = TypeVar("Line")
Result = TypeVar("Result")
_FEW = 32  # jobs that are done without a word on the way, if it goes to a log


def claim(folder: Path, settings: dict) -> None:
    """Record what the videos of `folder` are made with, or refuse to mix them with others."""
    path = folder / "settings.json"
    if not path.exists():
        write_text(path, json.dumps(settings, indent=1))
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    keys = [key for key in {**settings, **there} if settings.get(key) != there.get(key)]
    if keys:
        differing = "; ".join(f"{key} {there.get(key)}, not {settings.get(key)}" for key in keys)
        raise DatasetError(
            f"{path}: the videos there are made with {differing}: take another name, or remove that folder first"
        )


def read_journal(journal: Path, parse: Callable[[Any], Line]) -> Iterator[Line]:
    """`parse` of each line, in order; one that a kill has torn, or that another version wrote, is passed over."""
    if journal.exists():
        with open(journal, "rb") as lines:
            for line in lines:
                with suppress(ValueError, TypeError, KeyError):
                    yield parse(json.loads(line))


def journal_line(told: object) -> bytes:
    """A line of a journal."""
    return json.dumps(told).encode() + b"\n"


def work(
    function: Callable[..., Result],
    jobs: Mapping[str, tuple],
    journal: Path,
    tell: Callable[[str, Result], object | None],
    title: str,
    total: int,
    workers: int | None = None,
) -> Iterator[tuple[str, Result]]:
    """`in_processes` with a progress bar over `total` videos, of which `jobs` are missing, and a line of the journal
    for each that is done: what `tell` makes of it, unless that is None."""
    few = None if len(jobs) < _FEW else False
    bar = progress_bar(title, total, total - len(jobs), disable=few)
    journal.parent.mkdir(parents=True, exist_ok=True)
    with bar, open(journal, "ab+") as file, closing(in_processes(function, jobs, workers)) as results:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            file.write(b"" if file.read(1) == b"\n" else b"\n")  # ends a torn line
        for key, result in results:
            if (told := tell(key, result)) is not None:
                file.write(journal_line(told))
                file.flush()
            bar.update()
            yield key, result


@contextmanager
def going_on_later(place: Path, done: Callable[[], int], total: int) -> Iterator[None]:
    """An error of the disk or of a worker process says how many of `total` videos are `done`, and that they stay."""
    try:
        yield
    except OSError as error:
        stopped = f"{place}: stopped after {done()} of {total} videos ({error.strerror or error})"
        raise OSError(error.errno, f"{stopped}; they stay: call again to go on") from error


def produce(
    folder: Path, settings: dict, jobs: dict[str, tuple], write: Callable[..., None], workers: int | None = None
) -> dict[str, str]:
    """See to it that each file of `jobs` is in `folder`, whole; returns the SHA-256 of each, in their order.

    `jobs` maps a path in the folder to arguments of `write(path, *arguments)`, a function at the top of a module, so
    that other processes can call it. A file that no longer fits its record is made again. Call it inside
    `locked(folder)`.

    Errors: DatasetError when the folder's files are made with other settings; OSError when the disk is full or a
    worker process was killed. What is finished stays.
    """
    claim(folder, json.loads(json.dumps(settings)))  # tuples become lists, as they will be read
    hashes = whole_files(folder)
    missing = {path: (folder, path, write, arguments) for path, arguments in jobs.items() if path not in hashes}
    with going_on_later(folder, lambda: sum(path in hashes for path in jobs), len(jobs)):
        for path, sha256 in work(
            write_and_hash, missing, folder / "videos.jsonl", _record, folder.name, len(jobs), workers
        ):
            hashes[path] = sha256
    return {path: hashes[path] for path in jobs}


def whole_files(folder: Path) -> dict[str, str]:
    """Path to SHA-256 of the recorded files that are there and whole; forgets the others, removes half-written ones."""
    for leftover in folder.glob("videos/*/.*.partial"):
        leftover.unlink()
    journal = folder / "videos.jsonl"
    recorded = dict(read_journal(journal, lambda entry: (entry["path"], entry["sha256"])))
    whole = {path: sha256 for path, sha256 in recorded.items() if file_hash(folder / path) == sha256}
    write_text(journal, "".join(journal_line(_record(*entry)).decode() for entry in whole.items()))
    return whole


def _record(path: str, sha256: str) -> dict[str, str]:
    return {"path": path, "sha256": sha256}


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file, None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def write_and_hash(folder: Path, path: str, write: Callable[..., None], arguments: tuple) -> str:
    """Write one video, in a process of its own; returns its SHA-256."""
    write(folder / path, *arguments)
    return file_hash(folder / path)
