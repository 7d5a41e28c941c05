"""Read the packets of every video once, in parallel, and keep what was read: a call that was stopped goes on.

The journal has a line for each video that could be read, with the file's size and time, by which a changed file is
told. An unreadable one is tried again by each call: what was wrong may have been the disk.
"""

import base64
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from studylib.datasets.production import going_on_later, read_journal, work
from studylib.video.files import on_disk
from studylib.video.reading import VideoError, scan

JOURNAL_VERSION = 2  # raise it with any change of what a scan gives
_FEW = 32  # files that are sooner read than processes are started


class Probed(NamedTuple):
    """What an index says of a readable video."""

    num_frames: int
    fps: float
    width: int  # pixels
    height: int
    bytes: int  # size of the file
    timeline: bytes  # Timeline.to_bytes


Stamp = tuple[int, int]  # a file's size in bytes, and when it was last changed in ns


def probe_all(
    root: Path, paths: Iterable[str], journal: Path, workers: int | None = None
) -> tuple[dict[str, Probed], dict[str, str]]:
    """Probe the files `paths`, relative to `root`: ({path: what it is}, {path: why it cannot be read}), in order.

    Errors: OSError when a worker process was killed or the journal cannot be written; what is done stays in the
    journal and the next call goes on from there. So it does after Ctrl-C or a kill.
    """
    paths = list(paths)
    stamps, unreadable = _stamps(root, paths)
    probed = known_files(journal, stamps)
    jobs = {path: (str(on_disk(root, path)),) for path in stamps if path not in probed}

    def tell(path: str, result: Probed | str) -> list | None:
        if isinstance(result, str):
            return None
        return [JOURNAL_VERSION, path, *stamps[path], *result[:4], base64.b64encode(result.timeline).decode()]

    with going_on_later(journal, lambda: len(probed), len(paths)):
        workers = 1 if len(jobs) < _FEW else workers
        for path, result in work(probe_one, jobs, journal, tell, f"{root.name}: probing", len(paths), workers):
            (unreadable if isinstance(result, str) else probed)[path] = result
    return tuple({path: results[path] for path in paths if path in results} for results in (probed, unreadable))


def probe_one(file: str) -> Probed | str:
    """What a file is, or in one line why it cannot be read, without its path: two machines give the same line."""
    try:
        timeline = scan(file)
        info = timeline.info
        return Probed(info.num_frames, info.fps, info.width, info.height, timeline.file_size, timeline.to_bytes())
    except Exception as error:
        return in_one_line(error, file)


def in_one_line(error: Exception, file: Path | str) -> str:
    """Why a file cannot be read, in one line and without its path.

    Any exception is taken: what FFmpeg and PyAV did not foresee of one file must not stop an index of a million.
    """
    text = str(getattr(error, "strerror", None) or error).removeprefix(f"{file}: ")
    kind = "" if isinstance(error, VideoError | OSError) else f"{type(error).__name__}: "
    return kind + " ".join(text.split())


def known_files(journal: Path, stamps: dict[str, Stamp]) -> dict[str, Probed]:
    """What is known of those files whose size and time are still as they were."""

    def parse(line: list) -> tuple[str, Probed] | None:
        version, path, size, changed, *values, timeline = line
        if version != JOURNAL_VERSION or stamps.get(path) != (size, changed):
            return None
        return path, Probed(*values, size, base64.b64decode(timeline))

    return dict(filter(None, read_journal(journal, parse)))


def _stamps(root: Path, paths: list[str]) -> tuple[dict[str, Stamp], dict[str, str]]:
    """Size and time of the files; of those that have none, such as links that lead nowhere, the reason."""
    stamps, unreadable = {}, {}
    for path in paths:
        try:
            file = on_disk(root, path)
            status = os.stat(file)  # noqa: PTH116 (a million times)
            stamps[path] = (status.st_size, status.st_mtime_ns)
        except OSError as error:
            unreadable[path] = f"broken link ({error.strerror})" if file.is_symlink() else str(error.strerror)
    return stamps, unreadable
