"""All frames of a dataset, decoded once and scaled, or their optical flow, in one file that processes share read-only.

For a dataset that fits the memory this makes the networks, not the decoder, set the pace of training.
"""

import errno
import json
import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from studylib.datasets.index import LARGEST_SHARE, Index
from studylib.video.files import locked, write_text
from studylib.video.flow import FARNEBACK, flow_video
from studylib.video.machine import available_cores, machine_memory, number
from studylib.video.reading import VideoError, clip_frames, decode_into

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FrameCache:
    """The frames of all videos of an index, one after the other: video `row` has `offsets[row]` .. `offsets[row + 1]`.

    Can be sent to other processes (it opens the file again there); the memory is the system's page cache, shared.
    """

    path: Path
    frame: np.dtype  # of one frame: uint8 (H, W, 3), or float16 (H, W, 2) for the flow to the next
    offsets: np.ndarray  # (videos + 1,) int64
    broken: dict[int, str]  # row -> why its video could not be decoded

    @cached_property
    def frames(self) -> np.ndarray:
        """All frames, (sum of num_frames,) of `frame`; a read-only map of the file."""
        return np.memmap(self.path, self.frame, "r", shape=int(self.offsets[-1]))

    def clip(self, row: int, start: int, length: int, step: int = 1) -> np.ndarray:
        """`length` frames from `start` on, every `step`-th, of the video in row `row` of the index: (T,) of `frame`, a
        copy. Rules and errors are those of `reading.read_clips` at this size."""
        if row in self.broken:
            raise VideoError(self.broken[row])
        first, after = self.offsets[row], self.offsets[row + 1]
        return self.frames[first + clip_frames([start], length, int(after - first), f"{self.path}, row {row}", step)[0]]

    def __getstate__(self) -> dict:
        # Without the map: pickle would copy all of its gigabytes.
        return {name: value for name, value in self.__dict__.items() if name != "frames"}


def open_frames(index: Index, size: tuple[int, int], modality: str = "rgb") -> FrameCache | None:
    """The cache of `index` at `size` = (height, width), of frames ("rgb") or of the flow between them ("flow"), built
    first if there is none that fits the index.

    Returns None, and logs why, when the frames take more than STUDY_CACHE_GB, by default a quarter of the memory of
    machine or container. Of several processes that call at once, one builds and the others wait. A video that cannot be
    decoded is noted (`FrameCache.broken`). Errors: ValueError for a STUDY_CACHE_GB that is no number from 0 on;
    VideoError when more than 5% cannot be decoded; OSError when the disk is full. Nothing of a failed build stays.
    """
    height, width = size
    offsets = np.concatenate([[0], np.cumsum(index.table["num_frames"].to_numpy(), dtype=np.int64)])
    frame = np.dtype((np.uint8, (*size, 3)) if modality == "rgb" else (np.float16, (*size, 2)))
    needed = int(offsets[-1]) * frame.itemsize
    gigabytes = number("STUDY_CACHE_GB", "a number of gigabytes from 0 (no cache) on", None, kind=float)
    budget = machine_memory() // 4 if gigabytes is None else int(gigabytes * 1e9)
    if needed > budget:
        log.warning(
            "%s: no frame cache, clips are decoded as they are needed: the frames at %dx%d take %.2f GB, the budget is "
            "%.2f GB (set STUDY_CACHE_GB to change it)", index.name, height, width, needed / 1e9, budget / 1e9,
        )  # fmt: skip
        return None
    path = index.folder / f"{'frames' if modality == 'rgb' else 'flow'}_{height}x{width}.bin"
    # raise the format when the bytes of the frames change, with the way of scaling say
    facts = {"format": 1, "manifest_hash": index.manifest_hash, "size": [height, width], "bytes": needed}
    if modality == "flow":
        facts["farneback"] = FARNEBACK
    broken = _built(path, facts, index)
    if broken is None:
        with locked(path.with_suffix(".lock"), f"{index.name}: another process is building the frame cache"):
            broken = _built(path, facts, index)
            if broken is None:  # else another process has built it while this one waited
                broken = _build(index, path, offsets, frame, modality)
                write_text(path.with_suffix(".json"), json.dumps(facts | {"broken": broken}, indent=1) + "\n")
    return FrameCache(path, frame, offsets, broken)


def _built(path: Path, facts: dict, index: Index) -> dict[int, str] | None:
    """The broken videos of a cache that is there and fits the facts; None where there is none, or one of them has been
    mended since."""
    try:
        told = json.loads(path.with_suffix(".json").read_bytes())
        broken = {int(row): reason for row, reason in told.pop("broken").items()}
        if told != facts or path.stat().st_size != facts["bytes"]:
            return None
        made, videos = path.stat().st_mtime, [index.video(row)[0] for row in broken]
        return None if any(video.exists() and video.stat().st_ctime > made for video in videos) else broken
    except (OSError, ValueError, KeyError):
        return None


def _build(index: Index, path: Path, offsets: np.ndarray, frame: np.dtype, modality: str) -> dict[int, str]:
    """Decode every video into its place of a temporary file, which then becomes `path`; the broken ones, by row."""
    needed, videos, size = int(offsets[-1]) * frame.itemsize, len(offsets) - 1, frame.shape[:2]
    broken: dict[int, str] = {}
    # One name for all builders, who hold the lock: what a killed one left is used up by the next.
    temporary = path.with_name(f".{path.name}.partial")

    def fill(row: int) -> None:
        frames = np.empty((int(offsets[row + 1] - offsets[row]), *size, 3), np.uint8)
        video, known = index.video(row)
        try:
            decode_into(video, frames, known)
        except VideoError as error:
            broken[row] = str(error).removeprefix(f"{video}: ")
            if len(broken) > LARGEST_SHARE * videos:
                raise
            return
        # Written, not mapped: on a full disk a write raises an error, a mapped page kills the process.
        with open(temporary, "r+b") as file:
            file.seek(int(offsets[row]) * frame.itemsize)
            file.write(frames if modality == "rgb" else flow_video(frames))

    try:
        temporary.write_bytes(b"")
        if shutil.disk_usage(path.parent).free < needed:  # now, not after an hour
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with ThreadPoolExecutor(available_cores()) as pool:  # FFmpeg works outside Python's lock
            filled = pool.map(fill, range(videos))  # an error, or Ctrl-C, leaves out what has not begun
            for _ in tqdm(filled, f"{index.name}: {path.stem}", videos, unit="video", disable=None):
                pass
        os.truncate(temporary, needed)  # the last video may be a broken one
        temporary.replace(path)
    except OSError as error:
        message = (
            f"{path}: cannot write the frame cache of {needed / 1e9:.2f} GB ({error.strerror}); what was there before "
            "is intact; make room, or set STUDY_CACHE_GB=0 to do without"
        )
        raise OSError(error.errno, message) from error
    finally:
        temporary.unlink(missing_ok=True)
    return broken
