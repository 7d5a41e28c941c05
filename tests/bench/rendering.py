"""Milliseconds a frame of rendering, encoding and decoding Pantomime, one thread: `python -m tests.bench rendering`."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from studylib.datasets import pantomime
from studylib.video import reading

VIDEOS = 16


def main(_arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    classes = [action.name for action in pantomime.VOCABULARIES["source"]]
    seconds, frames, size = {"render": 0.0, "encode": 0.0, "decode and scale": 0.0}, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(VIDEOS):
            path = Path(folder) / f"{number}.mp4"
            marks = [time.perf_counter()]
            video = pantomime.frames(classes[number % len(classes)], "train", number)
            marks.append(time.perf_counter())
            reading.write_video(path, video, 16)
            marks.append(time.perf_counter())
            list(reading.frames(path, (64, 86)))
            marks.append(time.perf_counter())
            for name, begun, ended in zip(seconds, marks, marks[1:], strict=False):
                seconds[name] += ended - begun
            frames, size = frames + len(video), size + path.stat().st_size
    for name, total in seconds.items():
        print(f"{name:18} {1e3 * total / frames:6.2f} ms/frame")
    print(f"{size / VIDEOS / 1024:.0f} KiB a video")
