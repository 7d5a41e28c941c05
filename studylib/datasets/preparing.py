"""Transcode a dataset once to short groups of pictures at the scaled size, so that any clip is a few frames away.

    python -m studylib.datasets ucf101 --root UCF-101 --lists LISTS --prepare

What is prepared is a dataset of its own, `<name>-128x171`, with the same videos, labels and splits; runs name it and
read it as any other. Its videos are H.264 files with a keyframe every few frames and no B-frames; the originals are not
touched. A file is whole or not there, and a journal tells of each video that is done: a call makes what is missing and
what is made of an original that has changed.
"""

import base64
import math
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import av
import cv2
import pyarrow as pa
import pyarrow.compute as pc

from studylib.datasets.building import in_one_line, unreadable_lines
from studylib.datasets.index import OPTIONAL, DatasetError, Index, index_folder, write_index
from studylib.datasets.production import claim, complete, read_journal
from studylib.video.clips import scaled_size
from studylib.video.files import locked, on_disk, write_bytes
from studylib.video.reading import Timeline, VideoError, encode, frames, scan

# Coloured noise can lose as much as another picture differs (10 dB). Whether a frame is the right one is told by
# the mean colours of its cells: in real videos they differ by 2 of 255 where it is, by 50 where it is not.
_CELLS = (8, 6)  # across, down
_MOST_DIFFERENT = 20  # root mean square, of 255


@dataclass(frozen=True)
class Format:
    """How videos are prepared; the defaults are the trade-off that the chapter on data shows."""

    resolution: int = 112  # pixels, the crop that runs will take; frames are scaled in proportion (`clips.scaled_size`)
    gop: int = 12  # frames from one keyframe to the next
    crf: int = 18  # x264's constant quality, lower is better
    preset: str = "veryfast"
    # Without arithmetic coding and deblocking a frame is decoded in half the time, for a tenth more bytes; without
    # x264's psychovisual moves of bits it is nearer to the original by 1 dB.
    tune: str = "psnr,fastdecode"
    # Colours as large as the picture: the very pixels that are read, at any size. Halved ones cap the PSNR at 39 dB.
    pixels: str = "yuv444p"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames stored: those that are read."""
        return scaled_size(self.resolution)


class Prepared(NamedTuple):
    """A video that is done, as a line of the journal tells."""

    path: str  # of the original, relative to its dataset's root
    stamp: list[int]  # the original's size in bytes, and when it was last changed in ns
    file: str  # where the video lies, relative to the new dataset's folder
    size: int  # bytes
    num_frames: int
    psnr: float  # dB
    timeline: str  # base64 of Timeline.to_bytes


def prepare(
    source: Index, how: Format = Format(), data_root: Path | str | None = None, workers: int | None = None
) -> Index:
    """Transcode the videos of `source`, on all cores, and write the index of the prepared ones.

    Args:
        source: the dataset as it is.
        how: size and quality.
        data_root: where the prepared videos and their index will live; by default where the source's index does.
        workers: processes.

    A video that cannot be decoded to its end is left out and told (`facts["prepared"]["unreadable"]`); each call tries
    it again. A second process waits for the first. Errors: DatasetError when no video can be prepared, or the folder
    holds videos prepared otherwise; OSError when the disk is full or a worker died: what is finished stays.
    """
    if "prepared" in source.facts:
        raise DatasetError(f"{source.name}: is prepared already; prepare the original videos")
    height, width = how.size
    name = f"{source.name}-{height}x{width}"
    folder = index_folder(name, data_root or source.folder.parent)
    with locked(folder / ".lock", f"{name}: another process is preparing these videos"):
        claim(folder, asdict(how))
        shutil.rmtree(folder / "unfinished", ignore_errors=True)
        names, done = _names(source.table["path"].to_pylist()), videos_done(folder)
        jobs = {}
        for row, (path, file) in enumerate(names.items()):
            original = source.path(path)
            # An original that is gone is as it was: what is made of it stays.
            if path not in done or _stamp(original) not in (done[path].stamp, None) or done[path].file != file:
                done.pop(path, None)
                jobs[path] = (path, original, folder, file, row, how)
        unreadable = complete(_prepare_one, jobs, done, folder / "prepared.jsonl", f"{source.name}: preparing", workers)
        shutil.rmtree(folder / "unfinished", ignore_errors=True)
        index = _write(source, folder, how, done, unreadable)
        used = {on_disk(folder, video.file) for video in done.values()}
        for path in (folder / "videos").rglob("*"):  # after that: an index that is replaced names its videos until then
            if path not in used and path.is_file():
                path.unlink()
        return index


def _names(paths: list[str]) -> dict[str, str]:
    """Where the prepared video of each path lies: its name with another ending, or with one more where two would be one
    (a.avi and a.mp4)."""
    names = [str(PurePosixPath(path).with_suffix(".mp4")) for path in paths]
    uses = Counter(names)
    return {p: f"videos/{name if uses[name] == 1 else f'{p}.mp4'}" for p, name in zip(paths, names, strict=True)}


def videos_done(folder: Path) -> dict[str, Prepared]:
    """The videos that are done and whose files are there and whole, by their originals' paths.

    Those of originals that the index no longer lists are among them: it may list them again.
    """
    latest = {video.file: video for video in read_journal(folder / "prepared.jsonl", lambda line: Prepared(*line))}
    return {v.path: v for v in latest.values() if (_stamp(on_disk(folder, v.file)) or [None])[0] == v.size}


def _stamp(path: Path) -> list[int] | None:
    """Size in bytes and time of change in ns; None where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _prepare_one(path: str, original: Path, folder: Path, file: str, row: int, how: Format) -> Prepared | str:
    """Prepare one video, or say in one line, without naming the machine's folders, why it cannot be."""
    scratch = folder / "unfinished" / f"{row}.mp4"  # not beside `file`, whose name may leave no room for an ending
    stamp = _stamp(original)  # before it is read: a change meanwhile will be seen
    try:
        content, made, psnr = transcode(original, how, scratch)
    except OSError:  # a full disk; those of the original are VideoErrors
        raise
    except Exception as error:
        return in_one_line(error, original)
    write_bytes(scratch, content)
    place = on_disk(folder, file)
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch.replace(place)
    return Prepared(
        path, stamp, file, len(content), made.info.num_frames, psnr, base64.b64encode(made.to_bytes()).decode()
    )


def _write(source: Index, folder: Path, how: Format, done: dict[str, Prepared], unreadable: dict[str, str]) -> Index:
    """The index of what is prepared: the source's rows and facts, with the new videos' places, sizes and timelines."""
    paths = source.table["path"].to_pylist()
    rows = [row for row, path in enumerate(paths) if path in done]
    videos = [done[paths[row]] for row in rows]
    if not videos:
        path, reason = next(iter(unreadable.items()))
        raise DatasetError(f"{source.name}: none of {len(paths)} videos can be prepared, such as {path}: {reason}")
    height, width = how.size
    new = {
        "path": [video.file.removeprefix("videos/") for video in videos],
        "num_frames": [video.num_frames for video in videos],
        "width": [width] * len(videos),
        "height": [height] * len(videos),
        "bytes": [video.size for video in videos],
        "psnr": pa.array([video.psnr for video in videos], pa.float32()),
        "timeline": pa.array([base64.b64decode(video.timeline) for video in videos], OPTIONAL["timeline"]),
    }
    table = source.table.take(rows)
    kept = {column: table[column] for column in table.column_names if column != "sha256"}  # it is the original's
    facts = asdict(how) | {
        "from": source.manifest_hash,
        "original_bytes": sum(video.stamp[0] for video in videos),
        "unreadable": unreadable,
    }
    facts = {**source.facts, "prepared": facts}
    return write_index(folder.name, folder / "videos", source.classes, kept | new, facts, folder.parent)


def report(index: Index) -> str:
    """What the command prints of a prepared dataset, as lines of text."""
    facts, table = index.facts["prepared"], index.table
    size, before = pc.sum(table["bytes"]).as_py(), facts["original_bytes"]
    psnr, unreadable = table["psnr"].to_numpy(), facts["unreadable"]
    lowest = table["path"][int(psnr.argmin())].as_py()
    return "\n".join(
        [
            f"{index.name}: {len(table)} videos prepared, {index.folder}",
            f"  {len(unreadable)} could not be prepared (left out)",
            *unreadable_lines(unreadable, index),
            f"  {size / 1e6:,.1f} MB, {size / before:.2f} of the originals' {before / 1e6:,.1f} MB",
            f"  PSNR {psnr.mean():.1f} dB on average, {psnr.min():.1f} dB at the lowest ({lowest})",
            f"  manifest {index.manifest_hash}",
        ]
    )


def transcode(original: Path, how: Format, scratch: Path) -> tuple[bytes, Timeline, float]:
    """The prepared video as the bytes of an mp4, its timeline, and its PSNR against the original in dB.

    Frames are streamed, only the result is in memory. `scratch` is a path for a file that is gone afterwards.
    Errors: VideoError when a frame of the original cannot be decoded or encoded, or the result does not show the same
    frames; OSError when the disk is full.
    """
    try:
        known = scan(original)
    except OSError as error:  # a folder that may not be entered, a disk that fails
        raise VideoError(f"{original}: cannot be read ({error.strerror})") from error
    # x264 without B-frames: a clip's frames come in order, and none waits for a later one.
    options = {"crf": str(how.crf), "preset": how.preset, "tune": how.tune, "g": str(how.gop)}
    options |= {"bf": "0", "sc_threshold": "0"}
    # Rates that no camera has are those of a container's clock (1000) or unknown (0). x264 gives a frame fewer bits the
    # shorter it is shown, so they would cost quality; frames are read by number.
    fps = known.info.fps if 5 <= known.info.fps <= 60 else 25.0
    try:
        content = encode(frames(original, how.size, known), *how.size, fps, options, how.pixels)
    except av.FFmpegError as error:
        raise VideoError(f"{original}: its frames cannot be encoded ({error.strerror})") from error
    try:
        write_bytes(scratch, content)
        made = scan(scratch)
        if made.info.num_frames != known.info.num_frames or made.packets is None:
            raise VideoError(f"{original}: has {known.info.num_frames} frames, prepared {made.info.num_frames}")
        return content, made, compare(original, scratch, how.size, known, made)
    finally:
        scratch.unlink(missing_ok=True)


def compare(
    original: Path, prepared: Path, size: tuple[int, int], known: Timeline | None = None, made: Timeline | None = None
) -> float:
    """PSNR in dB, over all frames of a video as a run reads them, RGB at `size`; 100 where they are equal. `known` and
    `made` are the two files' timelines, if they are at hand.

    Errors: VideoError naming the first frame that shows something else.
    """
    squares, values = 0.0, 0
    pairs = zip(frames(original, size, known), frames(prepared, size, made), strict=True)
    for number, (one, other) in enumerate(pairs):
        cells = [cv2.resize(frame, _CELLS, interpolation=cv2.INTER_AREA) for frame in (one, other)]
        if cv2.norm(*cells, cv2.NORM_L2) > _MOST_DIFFERENT * math.sqrt(cells[0].size):
            raise VideoError(f"{original}: frame {number} shows something else once it is prepared")
        squares += cv2.norm(one, other, cv2.NORM_L2SQR)  # a sum of whole numbers: the same on every machine
        values += one.size
    return round(min(100.0, 10 * math.log10(255**2 * values / max(squares, 1e-9))), 3)
