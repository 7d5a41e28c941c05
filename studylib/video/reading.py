"""Read clips of video files frame-exactly, scaled and as RGB, and write videos.

Frame i is always the frame that decoding the file from its start gives as i-th; all functions here give identical bytes
for it. Frames are reached from the keyframe at or before them and picked by their time (`timeline`). Where the times
cannot be trusted, or a keyframe turns out not to be one, the file is decoded from its start, which is slower and never
wrong. FFmpeg scales and turns frames to RGB in one pass, always the same.
"""

import io
import os
import platform
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain, dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from studylib.video.files import write_bytes
from studylib.video.timeline import (
    NO_CONCEALING,
    Timeline,
    VideoError,
    VideoInfo,
    opened,
    scan,
    sound,
    timeline,
    whole_frames,
)

if TYPE_CHECKING:  # torch takes seconds to import; processes that only write videos or fill caches do without it
    import torch

__all__ = [
    "Timeline", "VideoError", "VideoInfo", "clip_frames", "decode_into", "encode", "frames", "probe", "read_clip",
    "read_clips", "read_video", "scan", "write_video",
]  # fmt: skip

# The same bytes on every processor: FFmpeg's other paths round differently from one instruction set to another.
SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_KEPT_DECODERS = 8  # of each thread: opening one takes as long as decoding a frame


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
    right = frames.ndim == 4 and frames.shape[-1] == 3 and frames.dtype == np.uint8 and 0 not in frames.shape
    if not right or frames.shape[1] % 2 or frames.shape[2] % 2:
        told = f"{frames.dtype} {frames.shape}"
        raise ValueError(f"{path}: frames must be uint8 (T, H, W, 3) with an even height and width, not {told}")
    # Into memory first: the file is then written by Python, which reports every failed write.
    write_bytes(Path(path), encode(frames, *frames.shape[1:3], fps, {"crf": str(crf), "preset": preset}))


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


def decode(video: Path | str, wanted: list[int], out: np.ndarray, known: Timeline | None = None) -> None:
    """Decode the frames `wanted` (ascending, each once) into `out`, uint8 RGB (len(wanted), H, W, 3), at its size.

    `known` is the file's timeline, if an index has it.
    Errors: VideoError naming the file and the frame that cannot be decoded.
    """
    times = known or timeline(video)
    row_of = {number: row for row, number in enumerate(wanted)}
    ways = [_from_start(video, wanted[-1])]
    if times.packets is not None:
        ways.insert(0, _from_packets(video, times, wanted))
    elif times.times is not None:
        ways.insert(0, _from_container(video, times, wanted))
    elif times.numbers is not None:
        ways = [_past_damage(video, times, wanted)]
    # The start is also the last resort: a seek can land too late (an index by decoding time), and after a keyframe that
    # is only a recovery point the decoder holds frames back.
    for frames in ways:
        for number, frame in frames:
            if number in row_of:
                _write(frame, out[row_of.pop(number)], times.rotation)
        if not row_of:
            return
    raise _damaged(video, min(row_of))


def frames(
    video: Path | str, size: tuple[int, int] = (128, 171), known: Timeline | None = None
) -> Iterator[np.ndarray]:
    """All frames in order, one at a time, as uint8 RGB (H, W, 3), scaled to `size`: for videos of any length.

    Errors: VideoError naming the first frame that cannot be decoded, after those before it.
    """
    known, given = known or timeline(video), 0
    for number, frame in _from_start(video, known.info.num_frames - 1):
        out = np.empty((*size, 3), np.uint8)
        _write(frame, out, known.rotation)
        yield out
        given = number + 1
    if given < known.info.num_frames:
        raise _damaged(video, given)


def _damaged(video: Path | str, number: int) -> VideoError:
    return VideoError(f"{video}: frame {number} cannot be decoded; the file is damaged: fetch or make it again")


def _write(frame: av.VideoFrame, out: np.ndarray, turns: int) -> None:
    """Scale a frame into `out`, uint8 RGB (H, W, 3), turned upright by quarters counter-clockwise."""
    upright = out if turns == 0 else np.empty((*out.shape[1::-1], 3) if turns % 2 else out.shape, np.uint8)
    height, width = upright.shape[:2]
    # The same bytes as rgb24 where the width is odd, in a third of the time.
    layout = "gbrp" if width % 2 else "rgb24"
    scaled = _thread.reformatter.reformat(frame, width, height, layout, interpolation=SCALING, threads=1)
    if layout == "gbrp":
        green, blue, red = (np.frombuffer(plane, np.uint8)[None] for plane in scaled.planes)  # lines are padded
        lines = cv2.merge((red, green, blue)).reshape(-1, scaled.planes[0].line_size, 3)
        upright[:] = lines[:height, :width]
    else:
        upright[:] = scaled.to_ndarray()
    if turns:
        out[:] = np.rot90(upright, turns)


def _from_start(video: Path | str, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """(number, frame) up to the frame `last`, or to where the file is damaged."""
    with opened(video) as (container, stream), suppress(av.FFmpegError):
        yield from zip(range(last + 1), whole_frames(container, stream), strict=False)


def _from_packets(video: Path | str, times: Timeline, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames from the packets' known places, without FFmpeg's opening the file."""
    table, size = times.packets, times.file_size
    packet_of = np.empty_like(table.numbers)
    packet_of[table.numbers] = np.arange(len(packet_of))
    try:
        file = open(video, "rb", buffering=0)  # noqa: SIM115 (closed by the next statement)
    except OSError as error:
        raise VideoError(f"{video}: cannot be opened ({error.strerror}); check the path") from None
    with file:
        if os.fstat(file.fileno()).st_size != size:
            raise VideoError(f"{video}: is no longer the file of {size} bytes that was indexed; make the index again")
        for keyframe, numbers in _stretches(times, wanted):
            rows = slice(int(packet_of[keyframe]), int(packet_of[numbers].max()) + 1)
            positions, sizes = table.positions[rows], table.sizes[rows]
            begin = int(positions.min())
            data = os.pread(file.fileno(), int((positions + sizes).max()) - begin, begin)
            places = zip((positions - begin).tolist(), sizes.tolist(), table.numbers[rows].tolist(), strict=True)
            packets = (_numbered(number, av.Packet(data[place : place + length])) for place, length, number in places)
            context = _thread.decoders.pop(table[:3], None) or _decoder(*table[:3])
            for frame in _decoded(context, packets, numbers):
                yield frame.pts, frame
            _thread.decoders[table[:3]] = context
            while len(_thread.decoders) > _KEPT_DECODERS:
                _thread.decoders.pop(next(iter(_thread.decoders)))


def _numbered(number: int, packet: av.Packet) -> tuple[int, av.Packet]:
    """A packet whose frame will say its number for its time."""
    packet.pts = number
    return number, packet


def _from_container(video: Path | str, times: Timeline, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames by seeking to the keyframes before them."""
    number_at = {time: number for number, time in enumerate(times.times.tolist())}
    with opened(video) as (container, stream):
        for keyframe, numbers in _stretches(times, wanted):
            container.seek(int(times.times[keyframe]), stream=stream)
            packets = ((number_at.get(packet.pts, -1), packet) for packet in container.demux(stream) if packet.size)
            head = next(packets, None)
            if head is None or head[0] > keyframe:
                return
            for frame in _decoded(stream.codec_context, chain([head], packets), numbers):
                yield number_at.get(frame.pts, -1), frame


def _past_damage(video: Path | str, times: Timeline, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames of a damaged file without times, by counting its packets up to the keyframes before them."""
    for keyframe, numbers in _stretches(times, wanted):
        with opened(video) as (container, stream):
            packets = map(_numbered, times.numbers.tolist(), (p for p in container.demux(stream) if p.size))
            rest = dropwhile(lambda one, first=keyframe: one[0] != first, packets)
            for frame in _decoded(stream.codec_context, rest, numbers):
                yield frame.pts, frame


def _stretches(times: Timeline, wanted: list[int]) -> list[tuple[int, list[int]]]:
    """(keyframe, wanted frames reached from it); what lies between two stretches is skipped."""
    stretches: list[tuple[int, list[int]]] = []
    before = times.keyframes[np.searchsorted(times.keyframes, wanted, "right") - 1].tolist()
    for number, keyframe in zip(wanted, before, strict=True):
        if stretches and keyframe <= stretches[-1][1][-1] + 1:
            stretches[-1][1].append(number)
        else:
            stretches.append((keyframe, [number]))
    return stretches


def _decoded(
    context: av.VideoCodecContext, packets: Iterable[tuple[int, av.Packet]], wanted: list[int]
) -> Iterator[av.VideoFrame]:
    """The frames that (number, packet) pairs give until all wanted ones are out, and others on the way; they end where
    the file is damaged."""
    missing = set(wanted)

    def decoded() -> Iterator[av.VideoFrame]:
        with suppress(av.FFmpegError):
            for number, packet in packets:
                # A frame of H.264 that says it is no reference is none: those on the way need no decoding. (HEVC's and
                # VP9's may be used by others all the same.)
                if context.name == "h264":
                    context.skip_frame = "DEFAULT" if number in missing else "NONREF"
                missing.discard(number)
                yield from context.decode(packet)
                if not missing:
                    break
        yield from context.decode(None)  # after an error too: good frames, held back until their turn came

    with suppress(av.FFmpegError):
        yield from sound(decoded(), context)
    context.flush_buffers()
    context.skip_frame = "DEFAULT"


def _decoder(codec: str, extradata: bytes, colours: tuple[int, int]) -> av.VideoCodecContext:
    context = av.CodecContext.create(codec, "r")
    context.extradata = extradata
    context.colorspace, context.color_range = colours
    context.thread_count = 1
    context.options = NO_CONCEALING
    return context


class _Thread(threading.local):
    """What a thread keeps from one clip to the next: decoders that nobody uses, the latest last."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()
        self.decoders: dict[tuple[str, bytes, tuple[int, int]], av.VideoCodecContext] = {}


_thread = _Thread()
