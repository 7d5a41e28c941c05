"""Runs that a build has read and checked, kept for the kernels of its chapters: each of them shows runs of every plan.

Only within a build, which says where they are by the environment variable `KEPT` and writes them anew each time
(`book/_ext/run_pages.py`). A run is taken from there as long as no file of its folder has changed since before it was
read; otherwise, and outside of a build, it is read and checked.
"""

import os
import pickle
from collections.abc import Mapping
from copy import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.video.files import write_bytes

if TYPE_CHECKING:
    from studylib.runs.results import Run

KEPT = "STUDYLIB_CHECKED_RUNS"  # the file of this build

Files = tuple[tuple[str, int, int, int], ...]  # of a folder: name, bytes, when its content and when anything changed


def files_of(folder: Path) -> Files:
    """What tells whether a file of a folder has come, gone or changed; empty where there is no folder."""
    if not folder.is_dir():
        return ()
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.stat()) for entry in entries]
    return tuple(sorted((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found))


def keep(path: Path, runs: Mapping["Run", Files]) -> None:
    """Write runs, with the files of their folders from before they were read, and name `path` to other processes."""
    kept = {run.folder.resolve(): (files, run) for run, files in runs.items()}
    write_bytes(path, pickle.dumps(kept))
    _kept.cache_clear()
    os.environ[KEPT] = str(path)


def forget() -> None:
    """What has been kept is not used from now on."""
    os.environ.pop(KEPT, None)


def find(folder: Path) -> "Run | None":
    """The run of a folder as it was kept; None where there is none, or a file has changed since."""
    path = os.environ.get(KEPT)
    files, run = _kept(path).get(folder.resolve(), ((), None)) if path else ((), None)
    # a copy has no scores yet, so that what one chapter has read of them does not stay in memory for the next
    return copy(run) if files and files == files_of(folder) else None


@cache
def _kept(path: str) -> dict[Path, tuple[Files, "Run"]]:
    return pickle.loads(Path(path).read_bytes())
