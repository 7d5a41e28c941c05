"""Write many videos on all cores so that a kill or a full disk costs nothing but the videos under way.

A folder keeps, beside its videos, `settings.json` (what they are made with) and `videos.jsonl` (the SHA-256 of each
finished video, a line added when it is whole): a call makes what is not recorded or no longer fits its record.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from studylib.datasets.index import DatasetError
from studylib.video.files import write_text
from studylib.video.parallel import in_processes, progress_bar


def produce(
    folder: Path,
    settings: dict,
    jobs: dict[str, tuple],
    write: Callable[..., None],
    workers: int | None = None,
    progress: bool = True,
) -> dict[str, str]:
    """See to it that each file of `jobs` is in `folder`, whole; returns the SHA-256 of each, in their order.

    `jobs` maps a path in the folder to arguments of `write(path, *arguments)`, a function at the top of a module, so
    that other processes can call it. Call it inside `locked(folder)`.

    Errors: DatasetError when the folder's files are made with other settings; OSError when the disk is full or a
    worker process was killed. What is finished stays.
    """
    claim(folder / "settings.json", json.loads(json.dumps(settings)))  # tuples become lists, as they will be read
    hashes = whole_files(folder)
    missing = {path: (folder, path, write, arguments) for path, arguments in jobs.items() if path not in hashes}
    bar = progress_bar(folder.name, len(jobs), len(jobs) - len(missing), disable=not progress)
    try:
        finished = in_processes(write_and_hash, missing, workers)
        with bar, open(folder / "videos.jsonl", "a", encoding="utf-8") as journal, closing(finished):
            for path, sha256 in finished:
                journal.write(record(path, sha256))
                journal.flush()
                hashes[path] = sha256
                bar.update()
    except OSError as error:
        reason = error.strerror or error
        done = sum(path in hashes for path in jobs)
        message = f"{folder}: stopped after {done} of {len(jobs)} videos ({reason}); they stay: call again to go on"
        raise OSError(error.errno, message) from error
    return {path: hashes[path] for path in jobs}


def claim(path: Path, settings: dict) -> None:
    """Record what the files beside `path` are made with, or refuse to mix them with others."""
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


def whole_files(folder: Path) -> dict[str, str]:
    """Path to SHA-256 of the recorded files that are there and whole; forgets the others, removes half-written ones."""
    for leftover in folder.glob("videos/*/.*.partial"):
        leftover.unlink()
    recorded, journal = {}, folder / "videos.jsonl"
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []:
        try:
            entry = json.loads(line)
            recorded[entry["path"]] = entry["sha256"]
        except (ValueError, KeyError, TypeError):
            continue  # a kill can tear the last line
    whole = {path: sha256 for path, sha256 in recorded.items() if file_hash(folder / path) == sha256}
    write_text(journal, "".join(record(*entry) for entry in whole.items()))
    return whole


def record(path: str, sha256: str) -> str:
    """The line of `videos.jsonl` for a video that is finished."""
    return json.dumps({"path": path, "sha256": sha256}) + "\n"


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file, None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def write_and_hash(folder: Path, path: str, write: Callable[..., None], arguments: tuple) -> str:
    """Write one video, in a process of its own; returns its SHA-256."""
    write(folder / path, *arguments)
    return file_hash(folder / path)
