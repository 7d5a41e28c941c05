"""Read the packets of every video once, in parallel, and keep what was read: a call that was stopped goes on.

The journal has a line for each video that could be read, with the file's size and time, by which a changed file is
told. An unreadable one is tried again by each call: what was wrong may have been the disk.
"""

import base64
import json
import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

from studylib.video.files import on_disk
from studylib.video.parallel import in_processes, progress_bar
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
    probed = read_journal(journal, stamps)
    jobs = {path: (str(on_disk(root, path)),) for path in stamps if path not in probed}
    few = len(jobs) < _FEW
    bar = progress_bar(f"{root.name}: probing", len(paths), len(paths) - len(jobs), disable=None if few else False)
    results = in_processes(probe_one, jobs, 1 if few else workers)
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        with bar, open(journal, "ab+") as file, closing(results):
            _end_torn_line(file)
            for path, result in results:
                if isinstance(result, str):
                    unreadable[path] = result
                else:
                    probed[path] = result
                    file.write(_line(path, stamps[path], result))
                    file.flush()
                bar.update()
    except OSError as error:
        done = f"stopped after {len(probed)} of {len(paths)} videos ({error.strerror or error})"
        raise OSError(error.errno, f"{journal}: {done}; what is probed stays: call again to go on") from error
    in_order = {path: probed[path] for path in paths if path in probed}
    return in_order, {path: unreadable[path] for path in paths if path in unreadable}


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


def read_journal(journal: Path, stamps: dict[str, Stamp]) -> dict[str, Probed]:
    """What is known of those files whose size and time are still as they were."""
    known: dict[str, Probed] = {}
    if not journal.exists():
        return known
    with open(journal, "rb") as lines:
        for line in lines:
            try:
                version, path, *stamp_and_values, timeline = json.loads(line)
                stamp, values = tuple(stamp_and_values[:2]), stamp_and_values[2:]
                if version == JOURNAL_VERSION and stamps.get(path) == stamp:
                    known[path] = Probed(*values, stamp[0], base64.b64decode(timeline))
            except (ValueError, TypeError):
                continue  # a kill can tear a line
    return known


def _line(path: str, stamp: Stamp, probed: Probed) -> bytes:
    timeline = base64.b64encode(probed.timeline).decode()
    return json.dumps([JOURNAL_VERSION, path, *stamp, *probed[:4], timeline]).encode() + b"\n"


def _end_torn_line(file: BinaryIO) -> None:
    """See to it that the next line begins on its own."""
    if file.tell() > 0:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


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
