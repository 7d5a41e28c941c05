"""All frames of a dataset, decoded once and scaled, in one file that several processes share read-only.

For a dataset that fits the memory this makes the networks, not the decoder, set the pace of training.
"""

import errno
import json
import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from studylib.datasets.index import Index
from studylib.files import locked, write_text
from studylib.video import clip_frames, decode_into

log = logging.getLogger(__name__)

_FORMAT = 1  # goes up when the bytes of the frames change, with the way of scaling say


@dataclass(frozen=True, eq=False)
class FrameCache:
    """The frames of all videos of an index, one after the other: video `row` has `offsets[row]` .. `offsets[row + 1]`.

    Can be sent to other processes (it opens the file again there); the memory is the system's page cache, shared.
    """

    path: Path
    size: tuple[int, int]  # (H, W)
    offsets: np.ndarray  # (videos + 1,) int64

    @cached_property
    def frames(self) -> np.ndarray:
        """All frames, uint8 RGB (sum of num_frames, H, W, 3), a read-only map of the file."""
        return np.memmap(self.path, np.uint8, "r", shape=(int(self.offsets[-1]), *self.size, 3))

    def clip(self, row: int, start: int, length: int) -> np.ndarray:
        """Frames `start` .. `start + length - 1` of the video in `row` of the index's table, uint8 (T, H, W, 3).

        A copy; frames and rules are those of `video.read_clip` at this size. Errors: IndexError for a row there is
        not, ValueError for a start outside the video.
        """
        if not 0 <= row < len(self.offsets) - 1:
            raise IndexError(f"{self.path}: no row {row}; the rows are 0 to {len(self.offsets) - 2}")
        first, after = self.offsets[row], self.offsets[row + 1]
        return self.frames[first + clip_frames([start], length, int(after - first), f"{self.path}, row {row}")[0]]

    def __getstate__(self) -> dict:
        # Without the map: pickle would copy all of its gigabytes.
        return {name: value for name, value in self.__dict__.items() if name != "frames"}


def open_frames(
    index: Index, size: tuple[int, int], budget_bytes: int | None = None, workers: int | None = None
) -> FrameCache | None:
    """The frame cache of `index` at `size` = (height, width), built first if there is none that fits the index.

    Returns None, and logs why, when the frames take more than `budget_bytes`; by default the budget is the
    environment's STUDY_CACHE_GB, else a quarter of the memory. Of several processes that call at once, one builds and
    the others wait. `workers` threads decode (FFmpeg works outside Python's lock, so they are as fast as processes).
    Errors: VideoError for a video that cannot be decoded or has changed; OSError naming the file when the disk is full.
    Nothing of a failed build stays.
    """
    height, width = size
    offsets = np.concatenate([[0], np.cumsum(index.table["num_frames"].to_numpy(), dtype=np.int64)])
    needed = int(offsets[-1]) * height * width * 3
    budget = default_budget() if budget_bytes is None else budget_bytes
    if needed > budget:
        log.warning(
            "%s: no frame cache, clips are decoded as they are needed: the frames at %dx%d take %.2f GB, the budget is "
            "%.2f GB (set STUDY_CACHE_GB to change it)", index.name, height, width, needed / 1e9, budget / 1e9,
        )  # fmt: skip
        return None
    path = index.folder / f"frames_{height}x{width}.u8"
    facts = {"format": _FORMAT, "manifest_hash": index.manifest_hash, "size": [height, width], "bytes": needed}
    if not _is_built(path, facts):
        with locked(path.with_suffix(".lock"), f"{index.name}: another process is building the frame cache"):
            if not _is_built(path, facts):  # else another process has built it while this one waited
                _build(index, path, offsets, size, workers)
                write_text(path.with_suffix(".json"), json.dumps(facts, indent=1) + "\n")
    return FrameCache(path, (height, width), offsets)


def default_budget() -> int:
    """Bytes a cache may take: the environment's STUDY_CACHE_GB, else a quarter of the memory of machine or container.

    Errors: ValueError for a STUDY_CACHE_GB that is no number of gigabytes.
    """
    given = os.environ.get("STUDY_CACHE_GB")
    if given:
        try:
            if (gigabytes := float(given)) >= 0:
                return int(gigabytes * 1e9)
        except (ValueError, OverflowError):
            pass
        raise ValueError(f"STUDY_CACHE_GB={given}: give a number of gigabytes, 0 for no cache")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")  # a container's, "max" if it has none
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        memory = min(memory, int(text))
    return memory // 4


def _is_built(path: Path, facts: dict) -> bool:
    try:
        return json.loads(path.with_suffix(".json").read_bytes()) == facts and path.stat().st_size == facts["bytes"]
    except (OSError, ValueError):
        return False


def _build(index: Index, path: Path, offsets: np.ndarray, size: tuple[int, int], workers: int | None) -> None:
    """Decode every video into its place of a temporary file, which then becomes `path`."""
    frame_bytes = size[0] * size[1] * 3
    needed = int(offsets[-1]) * frame_bytes
    # One name for all builders, who hold the lock: what a killed one left is used up by the next.
    temporary = path.with_name(f".{path.name}.partial")

    def fill(row: int, row_path: str) -> None:
        frames = np.empty((int(offsets[row + 1] - offsets[row]), *size, 3), np.uint8)
        decode_into(index.path(row_path), frames)
        # Written, not mapped: on a full disk a write raises an error, a mapped page kills the process.
        with open(temporary, "r+b") as file:
            file.seek(int(offsets[row]) * frame_bytes)
            file.write(frames)

    try:
        temporary.write_bytes(b"")
        if shutil.disk_usage(path.parent).free < needed:  # now, not after an hour
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(fill, row, row_path) for row, row_path in enumerate(index.table["path"].to_pylist())]
            try:
                title = f"{index.name}: frames at {size[0]}x{size[1]}"
                for job in tqdm(as_completed(jobs), title, len(jobs), unit="video", disable=None):
                    job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        temporary.replace(path)
    except OSError as error:
        message = (
            f"{path}: cannot write the frame cache of {needed / 1e9:.2f} GB ({error.strerror}); what was there before "
            "is intact; make room, or set STUDY_CACHE_GB=0 to do without"
        )
        raise OSError(error.errno, message) from error
    finally:
        temporary.unlink(missing_ok=True)
