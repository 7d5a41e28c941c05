"""Folders of small videos and official lists, laid out as users have them, for the tests of the datasets' indexes."""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from studylib.video.reading import Timeline, decode_into, read_clips, scan, write_video

SHARED = Path(os.environ.get("STUDY_UCF101", Path(__file__).parents[2] / "shared" / "data"))
REAL_VIDEOS = sorted((SHARED / "ucf101_subset").glob("*/*"))  # of UCF101, where they are at hand
OFFICIAL = SHARED / "splits"  # the official lists, where they are at hand
needs_official_lists = pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the official lists are not at hand")


@cache
def video_bytes(num_frames: int) -> bytes:
    """An mp4 file of 48 x 32 pixels."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, np.full((num_frames, 32, 48, 3), 90, np.uint8), fps=25)
        return path.read_bytes()


def put_video(path: Path, num_frames: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(video_bytes(num_frames))
    return path


def put_lines(path: Path, *lines: str, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def table_rows(text: str) -> list[list[str]]:
    """The words of every line that was printed."""
    return [line.split() for line in text.splitlines()]


def rows_by_stem(table) -> dict[str, dict]:
    """{name of the file without its ending: row} of an index's table."""
    return {Path(row["path"]).stem: row for row in table.to_pylist()}


def read_clip(
    video: Path, start: int, length: int, size=(128, 171), known: Timeline | None = None, step: int = 1
) -> np.ndarray:
    """One clip: uint8 RGB (T, H, W, 3)."""
    return read_clips(video, [start], length, size, known, step)[0]


def read_video(video: Path, size=(128, 171)) -> np.ndarray:
    """All frames: uint8 RGB (N, H, W, 3)."""
    known = scan(video)
    frames = np.empty((known.info.num_frames, *size, 3), np.uint8)
    decode_into(video, frames, known)
    return frames
