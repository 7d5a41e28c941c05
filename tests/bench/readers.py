"""Ways to read a clip of a video, ours and others', each on one thread."""

import importlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import torch

from studylib.video.reading import Timeline, read_clips

LENGTH, SIZE = 8, (128, 171)

Reader = Callable[[int, int], object]  # (number of the video, first frame) -> LENGTH frames scaled to SIZE


def our_reader(paths: list[Path], timelines: list[Timeline]) -> Reader:
    """`read_clips` with a timeline from an index."""
    return lambda i, start: read_clips(paths[i], [start], LENGTH, SIZE, timelines[i])


def optional(module: str, package: str) -> ModuleType | None:
    """A module that the study does not need; a line on the screen where it is missing."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # torchcodec raises others where it finds no FFmpeg
        reason = "not installed" if isinstance(error, ModuleNotFoundError) else "cannot be imported"
        print(f"{package}: {reason}: pip install {package}")
        return None


def peers(paths: list[Path], timelines: list[Timeline]) -> dict[str, Reader]:
    """The other readers that are installed, each on one thread, all frame-exact by what they promise."""
    readers: dict[str, Reader] = {}
    if codec := optional("torchcodec.decoders", "torchcodec"):
        resize = importlib.import_module("torchcodec.transforms").Resize(SIZE)

        def decoder(i: int, **more: object) -> object:
            return codec.VideoDecoder(paths[i], seek_mode="exact", num_ffmpeg_threads=1, **more)

        def resized(i: int, start: int) -> torch.Tensor:
            return decoder(i, transforms=[resize]).get_frames_in_range(start, start + LENGTH).data

        def interpolated(i: int, start: int) -> torch.Tensor:
            frames = decoder(i).get_frames_in_range(start, start + LENGTH).data  # (T, 3, H, W)
            return torch.nn.functional.interpolate(frames, SIZE, mode="bilinear", antialias=True)

        mappings = [frame_mapping(known) for known in timelines]

        def mapped(i: int, start: int) -> torch.Tensor:
            reader = codec.VideoDecoder(
                paths[i], num_ffmpeg_threads=1, custom_frame_mappings=mappings[i], transforms=[resize]
            )
            return reader.get_frames_in_range(start, start + LENGTH).data

        readers |= {"torchcodec, its Resize": resized, "torchcodec, interpolate": interpolated}
        readers["torchcodec, told the frames"] = mapped
    if decord := optional("decord", "decord"):

        def decorded(i: int, start: int) -> np.ndarray:
            reader = decord.VideoReader(str(paths[i]), width=SIZE[1], height=SIZE[0], num_threads=1)
            return reader.get_batch(range(start, start + LENGTH)).asnumpy()

        readers["decord"] = decorded
    readers["OpenCV"] = lambda i, start: opencv_clip(paths[i], start)
    return readers


def frame_mapping(known: Timeline) -> str:
    """A timeline in the form of ffprobe's, with which torchcodec need not look through the file either."""
    steps = np.diff(known.times, append=2 * known.times[-1] - known.times[-2]).tolist()
    keys = set(known.keyframes.tolist())
    frames = [
        {"pts": time, "duration": step, "key_frame": int(number in keys)}
        for number, (time, step) in enumerate(zip(known.times.tolist(), steps, strict=True))
    ]
    return json.dumps({"frames": frames})


def opencv_clip(path: Path, start: int) -> np.ndarray:
    """A clip by `VideoCapture`."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    capture.set(cv2.CAP_PROP_POS_FRAMES, start)
    clip = np.empty((LENGTH, *SIZE, 3), np.uint8)
    for out in clip:
        _, frame = capture.read()
        cv2.cvtColor(cv2.resize(frame, SIZE[::-1], interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB, out)
    capture.release()
    return clip


def random_clips(timelines: list[Timeline], seed: int) -> list[tuple[int, int]]:
    """One random clip of each video, in random order."""
    rng = np.random.default_rng(seed)
    starts = [int(rng.integers(max(1, known.info.num_frames - LENGTH + 1))) for known in timelines]
    return [(int(i), starts[i]) for i in rng.permutation(len(timelines))]


def seconds(read: Callable[..., object], jobs: Iterable[tuple]) -> float:
    """Time of reading all jobs."""
    begun = time.process_time()
    for job in jobs:
        read(*job)
    return time.process_time() - begun
