"""Milliseconds of a core a flow, computed or read from a file, and decoding beside it: `python -m tests.bench flow`."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from studylib.datasets import pantomime
from studylib.video.clips import scaled_size
from studylib.video.flow import flow_clip, flow_video
from studylib.video.reading import read_clips, scan, write_video
from tests.video_folders import REAL_VIDEOS

CLIP, REPEATS = 8, 20


def main(_arguments: Sequence[str] = ()) -> dict[str, list[dict]]:
    """Print the table and return it."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        videos = REAL_VIDEOS[5:150:60]
        print(f"{'UCF101' if videos else 'Pantomime'}, clips of {CLIP} flows, one thread")
        if not videos:
            videos = [Path(folder) / "pantomime.mp4"]
            write_video(videos[0], pantomime.frames(next(iter(pantomime.ACTIONS)), "train", 0), 16)
        print("frames       decode clip  flow of clip  flow's share     a flow  read a flow")
        rows = [_row(videos, scaled_size(resolution), Path(folder)) for resolution in (112, 56)]
    for row in rows:
        print(
            f"{row['frames']:9} {row['decode_clip_ms']:10.2f} ms {row['flow_of_clip_ms']:10.2f} ms "
            f"{row['share']:13.0%} {row['flow_ms']:6.2f} ms {row['read_flow_ms']:9.3f} ms"
        )
    return {"flow": rows}


def _row(videos: list[Path], size: tuple[int, int], folder: Path) -> dict[str, str | float]:
    rng = np.random.default_rng(0)
    decode, compute, read = 0.0, 0.0, 0.0
    for video in videos:
        known = scan(video)
        decode += _milliseconds(lambda start, it=(video, known): read_clips(it[0], [start], CLIP + 1, size, it[1]), rng)
        frames = read_clips(video, [0], 41, size, known)[0]
        compute += _milliseconds(lambda start, frames=frames: flow_clip(frames[start : start + CLIP + 1]), rng)
        path = folder / "flow.f16"
        flows = flow_video(frames)
        flows.tofile(path)
        stored = np.memmap(path, np.float16, "r", shape=flows.shape)
        read += _milliseconds(lambda start, stored=stored: np.array(stored[start : start + CLIP]), rng)
    decode, compute, read = (total / len(videos) for total in (decode, compute, read))
    return {
        "frames": f"{size[0]} x {size[1]}",
        "decode_clip_ms": decode,
        "flow_of_clip_ms": compute,
        "share": compute / (compute + decode),
        "flow_ms": compute / CLIP,
        "read_flow_ms": read / CLIP,
    }


def _milliseconds(function: Callable[[int], object], rng: np.random.Generator) -> float:
    """Mean processor time of a call, which other programs disturb little, after one that does not count.

    Each call starts at a random one of the first 32 frames.
    """
    function(0)
    starts = rng.integers(0, 32, REPEATS).tolist()
    begun = time.process_time()
    for start in starts:
        function(start)
    return 1e3 * (time.process_time() - begun) / REPEATS
