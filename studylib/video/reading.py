"""Read clips of video files frame-exactly, scaled and as RGB, and write videos.

Frame i is always the frame that decoding the file from its start gives as i-th; all functions here give identical bytes
for it.
"""

import io
import platform
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from studylib.video.containers import VideoError
from studylib.video.decoding import SCALING, decode, frames
from studylib.video.files import write_bytes
from studylib.video.timeline import Timeline, VideoInfo, scan, timeline

if TYPE_CHECKING:  # torch takes seconds to import; processes that only write videos or fill caches do without it
    import torch

__all__ = [
    "Timeline",
    "VideoError",
    "VideoInfo",
    "clip_frames",
    "decode_into",
    "encode",
    "frames",
    "probe",
    "read_clip",
    "read_clips",
    "read_video",
    "scan",
    "write_video",
]


def probe(path: Path | str) -> VideoInfo:
    """Count the frames of `path` and read its size and rate: from its packets alone (milliseconds) where that is safe,
    else by decoding it once.

    Errors: VideoError for a file that is missing, empty, truncated, no video or without a video stream.
    """
    return timeline(path).info


def read_clip(
    video: Path | str,
    start: int,
    length: int,
    size: tuple[int, int] = (128, 171),
    known: Timeline | None = None,
    step: int = 1,
) -> "torch.Tensor":
    """`length` frames from `start` on, every `step`-th, as uint8 RGB (T, H, W, 3), scaled to `size` = (height, width).

    A clip that runs past the end repeats the last frame. `known` is the file's timeline (`scan`), which an index keeps:
    the file is not looked through then. Errors: ValueError when `start` is negative or beyond the last frame, or
    `length` or `step` is not positive; VideoError for a bad file or a frame that cannot be decoded.
    """
    return read_clips(video, [start], length, size, known, step)[0]


def read_clips(
    video: Path | str,
    starts: Sequence[int],
    length: int,
    size: tuple[int, int] = (128, 171),
    known: Timeline | None = None,
    step: int = 1,
) -> "torch.Tensor":
    """The clips of `length` frames, `step` apart, at `starts`, as uint8 RGB (N, T, H, W, 3), in one forward pass.

    Clips may overlap and stand in any order; same rules and errors as `read_clip`.
    """
    import torch

    known = known or timeline(video)
    rows = clip_frames(starts, length, known.info.num_frames, video, step)  # (N, T)
    wanted, inverse = np.unique(rows, return_inverse=True)
    shown = np.empty((len(wanted), *size, 3), np.uint8)
    decode(video, wanted.tolist(), shown, known)
    if len(rows) == 1 and len(wanted) == length:
        return torch.from_numpy(shown[None])
    return torch.from_numpy(shown[inverse.reshape(rows.shape)])


def read_video(video: Path | str, size: tuple[int, int] = (128, 171), known: Timeline | None = None) -> "torch.Tensor":
    """All frames as uint8 RGB (N, H, W, 3), scaled to `size` = (height, width). Errors: VideoError."""
    import torch

    known = known or timeline(video)
    shown = np.empty((known.info.num_frames, *size, 3), np.uint8)
    decode_into(video, shown, known)
    return torch.from_numpy(shown)


def decode_into(video: Path | str, out: np.ndarray, known: Timeline | None = None) -> None:
    """Fill `out`, uint8 RGB (num_frames, H, W, 3), with all frames of `video` scaled to its size.

    Errors: VideoError when the file is bad or has another number of frames than `out`.
    """
    known = known or timeline(video)
    num_frames = known.info.num_frames
    if len(out) != num_frames:
        raise VideoError(
            f"{video}: has {num_frames} frames where {len(out)} were expected; "
            "the file has changed since it was indexed: make the index again"
        )
    decode(video, list(range(num_frames)), out, known)


def clip_frames(starts: Sequence[int], length: int, num_frames: int, path: Path | str, step: int = 1) -> np.ndarray:
    """Frame numbers of the clips at `starts`, (N, T): `start`, `start + step`, ..., and the one place of the rule that
    the last frame is repeated.

    Errors: ValueError naming `path` for no start, a start outside the video, or a length or step that is not positive.
    """
    if step < 1:
        raise ValueError(f"{path}: the frames of a clip lie at least 1 apart, not {step}")
    if length < 1 or len(starts) == 0:
        raise ValueError(f"{path}: ask for at least one clip of at least one frame, not {len(starts)} of {length}")
    for start in starts:
        if not 0 <= start < num_frames:
            raise ValueError(f"{path}: no clip starts at frame {start}; its frames are 0 to {num_frames - 1}")
    return np.minimum(np.asarray(starts, np.int64)[:, None] + step * np.arange(length), num_frames - 1)


def write_video(path: Path | str, frames: np.ndarray, fps: float, crf: int = 21, preset: str = "veryfast") -> None:
    """Write uint8 RGB `frames` (T, H, W, 3), H and W even, as H.264 mp4 (yuv420p) on one thread, whole or not at all.

    Errors: ValueError for other frames; OSError (a full disk, say) naming the file, an earlier file staying intact.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ValueError(f"{path}: frames must be uint8 (T, H, W, 3), not {frames.dtype} {frames.shape}")
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"{path}: 4:2:0 video needs an even height and width, not {height}x{width}")
    # Into memory first: the file is then written by Python, which reports every failed write.
    write_bytes(Path(path), encode(frames, height, width, fps, {"crf": str(crf), "preset": preset}))


def encode(
    frames: Iterable[np.ndarray],
    height: int,
    width: int,
    fps: float,
    options: Mapping[str, str],
    pixels: str = "yuv420p",
    codec: str = "libx264",
    container_format: str = "mp4",
) -> bytes:
    """The bytes of a video of uint8 RGB frames (H, W, 3), made on one thread; `options` are the encoder's.

    `pixels` "yuv420p" stores colours at half size and plays everywhere; "yuv444p" stores them whole, at any size.
    """
    buffer, reformatter = io.BytesIO(), VideoReformatter()
    with av.open(buffer, "w", format=container_format) as container:
        options = {**options, "threads": "1"}
        # x264's AVX-512 code gives other bytes from call to call; every x86-64 machine that runs NumPy has SSE4.2.
        if codec == "libx264" and platform.machine().lower() in ("x86_64", "amd64"):
            options["x264-params"] = "asm=sse4.2"
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for array in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
            if pixels != "yuv420p":  # as clips are read; 4:2:0 is left to PyAV, which made the recorded datasets so
                frame = reformatter.reformat(frame, format=pixels, interpolation=SCALING, threads=1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()
