"""Work on many videos on all cores so that a kill or a full disk costs nothing but the videos under way.

Beside what it makes, a folder keeps `settings.json` (what it is made with) and a journal, a line of JSON for each video
that is done: the next call does what the journal does not tell of.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from studylib.datasets.index import DatasetError
from studylib.video.files import write_text
from studylib.video.machine import in_processes

Record = TypeVar("Record")
_FEW = 32  # fewer jobs than this show no progress in a log


def claim(folder: Path, settings: dict) -> None:
    """Record what the videos of `folder` are made with, or refuse to mix them with others."""
    path = folder / "settings.json"
    settings = json.loads(json.dumps(settings))  # tuples become lists, as they will be read
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


def read_journal(journal: Path, parse: Callable[[Any], Record]) -> Iterator[Record]:
    """`parse` of each line, in order; one that a kill has torn, or that another version wrote, is passed over."""
    if journal.exists():
        with open(journal, "rb") as lines:
            for line in lines:
                with suppress(ValueError, TypeError, KeyError):
                    yield parse(json.loads(line))


def complete(
    function: Callable[..., Record | str],
    jobs: Mapping[str, tuple],
    done: dict[str, Record],
    journal: Path,
    title: str,
    workers: int | None = None,
) -> dict[str, str]:
    """Call `function(*arguments)` for all `jobs` in processes and add its records to `done` and to the journal; return,
    by key, the texts that it gives instead where there can be no record.

    Errors: OSError of the disk or of a worker process, which says how many videos are done; they stay.
    """
    reasons, total = {}, len(done) + len(jobs)
    quiet = None if len(jobs) < _FEW else False  # None: on a screen only; a log gets a line every ten seconds
    every = 0.1 if sys.stderr.isatty() else 10
    bar = tqdm(total=total, initial=len(done), desc=title, unit="video", disable=quiet, mininterval=every)
    journal.parent.mkdir(parents=True, exist_ok=True)
    try:
        with bar, open(journal, "ab+") as file, closing(in_processes(function, jobs, workers)) as results:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read(1) == b"\n" else b"\n")  # ends a torn line
            for key, result in results:
                if isinstance(result, str):
                    reasons[key] = result
                else:
                    done[key] = result
                    file.write(json.dumps(result).encode() + b"\n")
                    file.flush()
                bar.update()
    except OSError as error:
        stopped = f"{journal.parent}: stopped after {len(done)} of {total} videos ({error.strerror or error})"
        raise OSError(error.errno, f"{stopped}; they stay: call again to go on") from error
    return reasons
