"""Small videos made for the tests, whose frames show their number; and a full disk."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation

NUM_FRAMES = 40


def numbered_frames(num_frames: int = NUM_FRAMES, height: int = 72, width: int = 96) -> np.ndarray:
    """(T, H, W, 3): frame i shows the bits of i as six black or white columns, and a moving texture."""
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (width, height))
    frames = np.stack([np.roll(texture, 3 * i, axis=1) for i in range(num_frames)])
    for i in range(num_frames):
        for bit in range(6):
            frames[i, :24, bit * 16 : bit * 16 + 16] = 255 * (i >> bit & 1)
    return frames


def number_shown(frame: np.ndarray) -> int:
    height, width = frame.shape[:2]
    return sum(int(frame[height // 6, (2 * bit + 1) * width // 12].mean() > 127) << bit for bit in range(6))


def encode(path: Path, codec: str, options: dict[str, str], frames: np.ndarray, **container_options: str) -> None:
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=25, options={"threads": "1", **options})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def decode_from_start(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Every frame in order, with nothing of ours but the way of scaling."""
    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    with av.open(str(path)) as container:
        frames = [
            frame.reformat(width=size[1], height=size[0], format="rgb24", interpolation=exact).to_ndarray()
            for frame in container.decode(video=0)
        ]
    return np.stack(frames)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """The kernel refuses to write a file beyond `size` bytes: a write error as on a full disk, for any user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
