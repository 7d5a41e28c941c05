"""Transcode a dataset once to short groups of pictures at the scaled size, so that any clip is a few frames away.

    python -m studylib.datasets ucf101 --root UCF-101 --lists LISTS --prepare

What is prepared is a dataset of its own, `<name>-128x171`, with the same videos, labels and splits. The originals are
not touched. A call makes what is missing by the journal, and what is made of an original that has changed.
"""

import base64
import math
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import pyarrow as pa
import pyarrow.compute as pc

from studylib.datasets.building import claim, complete, fault_lines, in_one_line, read_journal, stamp_of
from studylib.datasets.index import OPTIONAL, DatasetError, Index, index_folder, write_index
from studylib.video.clips import scaled_size
from studylib.video.files import locked, on_disk, write_bytes
from studylib.video.reading import Timeline, VideoError, encode, frames, scan

# How videos are prepared: the trade-off that the chapter on data shows.
FORMAT = {
    "gop": 12,  # frames from one keyframe to the next
    "crf": 18,  # x264's constant quality, lower is better
    "preset": "veryfast",
    # Without arithmetic coding and deblocking a frame is decoded in half the time, for a tenth more bytes; without
    # x264's psychovisual moves of bits it is nearer to the original by 1 dB.
    "tune": "psnr,fastdecode",
    # Colours as large as the picture: the very pixels that are read, at any size. Halved ones cap the PSNR at 39 dB.
    "pixels": "yuv444p",
}
# Coloured noise can lose as much as another picture differs (10 dB). Whether a frame is the right one is told by
# the mean colours of its cells: in real videos they differ by 2 of 255 where it is, by 50 where it is not.
_CELLS = (8, 6)  # across, down
_MOST_DIFFERENT = 20  # root mean square, of 255


class Prepared(NamedTuple):
    """A video that is done, as a line of the journal tells."""

    file: str  # relative to the folder of the prepared videos
    path: str  # of the original, relative to its dataset's root
    stamp: list[int]  # the original's size in bytes, and when it was last changed in ns
    size: int  # bytes
    num_frames: int
    timeline: str  # base64 of Timeline.to_bytes


def prepare(
    source: Index, resolution: int = 112, data_root: Path | str | None = None, workers: int | None = None
) -> Index:
    """Transcode the videos of `source`, on all cores, for crops of `resolution` pixels (`clips.scaled_size`), and write
    the index of the prepared ones, by default beside the source's.

    A video that cannot be decoded to its end is left out and told (`facts["prepared"]["unreadable"]`); each call tries
    it again. A second process waits for the first. Errors: DatasetError when no video can be prepared, or the folder
    holds videos prepared otherwise; OSError when the disk is full or a worker died: what is finished stays.
    """
    if "prepared" in source.facts:
        raise DatasetError(f"{source.name}: is prepared already; prepare the original videos")
    height, width = scaled_size(resolution)
    name = f"{source.name}-{height}x{width}"
    folder = index_folder(name, data_root or source.folder.parent)
    paths, journal = source.table["path"].to_pylist(), folder / "prepared.jsonl"
    # The original's name with another ending, or with one more where two would be one (a.avi and a.mp4).
    files = [str(PurePosixPath(path).with_suffix(".mp4")) for path in paths]
    uses = Counter(files)
    files = [file if uses[file] == 1 else f"{path}.mp4" for file, path in zip(files, paths, strict=True)]
    with locked(folder / ".lock", f"{name}: another process is preparing these videos"):
        settings = {"resolution": resolution, **FORMAT}
        claim(folder, settings)
        known = {video.file: video for video in read_journal(journal, Prepared._make)}
        done: dict[str, Prepared] = {}
        jobs = {}
        for file, path in zip(files, paths, strict=True):
            original, made, before = source.path(path), on_disk(folder / "videos", file), known.get(file)
            whole = before and made.is_file() and made.stat().st_size == before.size
            # An original that is gone is as it was: what is made of it stays.
            if whole and before.path == path and stamp_of(original) in (before.stamp, None):
                done[file] = before
            else:
                jobs[file] = (file, path, original, made, resolution)
        reasons = complete(_prepare_one, jobs, done, journal, f"{source.name}: preparing", workers)
        unreadable = {path: reasons[file] for file, path in zip(files, paths, strict=True) if file in reasons}
        rows = [row for row, file in enumerate(files) if file in done]
        if not rows:
            path, reason = next(iter(unreadable.items()))
            raise DatasetError(f"{source.name}: none of {len(paths)} videos can be prepared, such as {path}: {reason}")
        videos = [done[files[row]] for row in rows]
        table = source.table.take(rows)
        columns = {column: table[column] for column in table.column_names if column != "sha256"}  # the original's
        columns |= {
            "path": [video.file for video in videos],
            "num_frames": [video.num_frames for video in videos],
            "width": [width] * len(videos),
            "height": [height] * len(videos),
            "bytes": [video.size for video in videos],
            "timeline": pa.array([base64.b64decode(video.timeline) for video in videos], OPTIONAL["timeline"]),
        }
        facts = {"prepared": settings | {"from": source.manifest_hash, "unreadable": unreadable}}
        return write_index(name, folder / "videos", source.classes, columns, source.facts | facts, folder.parent)


def _prepare_one(file: str, path: str, original: Path, made: Path, resolution: int) -> Prepared | str:
    """Prepare one video, or say in one line, without naming the machine's folders, why it cannot be."""
    stamp = stamp_of(original)  # before it is read: a change meanwhile will be seen
    try:
        known = transcode(original, made, resolution)
    except OSError:  # a full disk; those of the original are VideoErrors
        raise
    except Exception as error:
        return in_one_line(error, original)
    timeline = base64.b64encode(known.to_bytes()).decode()
    return Prepared(file, path, stamp, made.stat().st_size, known.info.num_frames, timeline)


def transcode(original: Path, made: Path, resolution: int = 112) -> Timeline:
    """Write the prepared video of `original` to `made`, an mp4; its timeline. Errors: VideoError when a frame of the
    original cannot be decoded, or the result does not show the same frames; OSError when the disk is full."""
    size = scaled_size(resolution)
    try:
        known = scan(original)
    except OSError as error:  # a folder that may not be entered, a disk that fails
        raise VideoError(f"{original}: cannot be read ({error.strerror})") from error
    # x264 without B-frames: a clip's frames come in order, and none waits for a later one.
    options = {"crf": str(FORMAT["crf"]), "preset": FORMAT["preset"], "tune": FORMAT["tune"], "g": str(FORMAT["gop"])}
    options |= {"bf": "0", "sc_threshold": "0"}
    # Rates that no camera has are those of a container's clock (1000) or unknown (0). x264 gives a frame fewer bits the
    # shorter it is shown, so they would cost quality; frames are read by number.
    fps = known.info.fps if 5 <= known.info.fps <= 60 else 25.0
    write_bytes(made, encode(frames(original, size, known), *size, fps, options, FORMAT["pixels"]))
    timeline = scan(made)
    if timeline.info.num_frames != known.info.num_frames:
        raise VideoError(f"{original}: has {known.info.num_frames} frames, prepared {timeline.info.num_frames}")
    pairs = zip(frames(original, size, known), frames(made, size, timeline), strict=True)
    for number, pair in enumerate(pairs):
        cells = [cv2.resize(frame, _CELLS, interpolation=cv2.INTER_AREA) for frame in pair]
        if cv2.norm(*cells, cv2.NORM_L2) > _MOST_DIFFERENT * math.sqrt(cells[0].size):
            raise VideoError(f"{original}: frame {number} shows something else once it is prepared")
    return timeline


def report(index: Index) -> str:
    """What the command prints of a prepared dataset, as lines of text."""
    unreadable = index.facts["prepared"]["unreadable"]
    return "\n".join(
        [
            f"{index.name}: {len(index.table)} videos prepared, {index.folder}",
            f"  {len(unreadable)} could not be prepared (left out)",
            *fault_lines(unreadable, index),
            f"  {pc.sum(index.table['bytes']).as_py() / 1e6:,.1f} MB",
            f"  manifest {index.manifest_hash}",
        ]
    )
