"""Decode numbered frames of a video file with PyAV (FFmpeg): what lies under `studylib.video`.

Frame i is the frame that decoding the file from its start gives as i-th. A file is demuxed once, without decoding, to
learn the presentation time of every frame and where the keyframes are; frames are then reached by seeking to the
keyframe at or before them and picked by their time. Where these times cannot be trusted the file is decoded from its
start instead, which is slower and never wrong. FFmpeg scales and turns frames to RGB in one pass, always the same.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter

# Containers that store a presentation time for every frame, and codecs that give one frame for each packet. AVI stores
# no times (those FFmpeg makes up come out of order for H.264), VP8 has packets that show nothing.
_TIMED_CONTAINERS = {"mov", "mp4", "matroska", "webm"}
_ONE_FRAME_A_PACKET = {"h264", "hevc", "vp9", "av1"}
# The same bytes on every processor: FFmpeg's other paths round differently from one instruction set to another.
_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class VideoError(ValueError):
    """A video that cannot be read; the message names the file and the reason, in one line."""


@dataclass(frozen=True)
class VideoInfo:
    """Number of frames that decoding gives, frames per second (0 if unknown), and the stored size in pixels."""

    num_frames: int
    fps: float
    width: int
    height: int


@dataclass(frozen=True)
class Timeline:
    """What one pass over a file tells: the times of all frames and the numbers of the keyframes, both ascending.

    `times` is None where frames can only be counted from the start."""

    info: VideoInfo
    times: tuple[int, ...] | None = None
    keyframes: tuple[int, ...] = ()


def timeline(path: Path | str) -> Timeline:
    """The timeline of `path`, from memory if the file has not changed. Errors: VideoError for whatever is no video."""
    if not Path(path).is_file():
        raise VideoError(f"{path}: no such file; check the path")
    status = Path(path).stat()
    if status.st_size == 0:
        raise VideoError(f"{path}: empty file (0 bytes); fetch or make it again")
    return _read_timeline(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16384)  # about 10 kB for a video of 300 frames
def _read_timeline(path: str, mtime_ns: int, file_size: int) -> Timeline:
    packets, end = [], 0.0  # end: seconds, of any stream, as the sound may be longer than the picture
    with _opened(path) as (container, stream):
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.size and packet.stream_index == stream.index:
                packets.append((packet.pts, packet.is_keyframe, packet.is_discard or packet.is_corrupt))
        kinds, header_frames = set(container.format.name.split(",")), stream.frames
        duration = (container.duration or 0) / 1e6 if "matroska" in kinds else 0.0  # its header counts no frames
        fps, context = float(stream.average_rate or stream.guessed_rate or 0), stream.codec_context
        codec, width, height = context.name, context.width, context.height
    # 5 %: the header of an old AVI file also counts frames that were dropped on recording.
    if not packets or packets[-1][2] or len(packets) < 0.95 * header_frames or end < 0.95 * duration:
        promised = f" of {header_frames}" if header_frames else ""
        raise VideoError(f"{path}: truncated, ends after {len(packets)}{promised} frames; fetch or make it again")
    times = [time for time, _, _ in packets]
    if (
        kinds & _TIMED_CONTAINERS
        and codec in _ONE_FRAME_A_PACKET
        and None not in times
        and len(set(times)) == len(times)
        # A file cut out of a longer one may begin with frames that cannot be decoded.
        and packets[0][1]
        and times[0] == min(times)
        and not any(suspect for _, _, suspect in packets)
    ):
        packets.sort()
        keyframes = tuple(number for number, (_, is_keyframe, _) in enumerate(packets) if is_keyframe)
        return Timeline(VideoInfo(len(times), fps, width, height), tuple(sorted(times)), keyframes)
    with _opened(path) as (container, stream):
        num_frames = sum(1 for _ in container.decode(stream))
    if num_frames == 0:
        raise VideoError(f"{path}: no frame can be decoded; fetch or make it again")
    return Timeline(VideoInfo(num_frames, fps, width, height))


@contextmanager
def _opened(path: Path | str) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open the first video stream for decoding in the calling thread; FFmpeg's errors become VideoError."""
    try:
        with av.open(str(path)) as container:
            # The cover of a sound file is a video stream to FFmpeg; so are a picture and, for some endings, a text.
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if container.format.name.endswith("_pipe") or container.format.name in ("image2", "tty"):
                raise VideoError(f"{path}: is a picture or a text, not a video; give a video file")
            if not streams:
                raise VideoError(f"{path}: holds no video stream; give a video file")
            # Clips are small and read by many workers: threads inside a decoder would only fight over the cores.
            streams[0].codec_context.thread_count = 1
            yield container, streams[0]
    except av.FFmpegError as error:
        reason = f"cannot be read as video ({error.strerror}); it is truncated, damaged or no video"
        raise VideoError(f"{path}: {reason}: fetch or make it again") from None


def decode(path: Path | str, wanted: list[int], out: np.ndarray) -> None:
    """Decode the frames `wanted` (ascending, each once) into `out`, uint8 RGB (len(wanted), H, W, 3), at its size.

    Errors: VideoError naming the file and the frame that cannot be decoded.
    """
    height, width = out.shape[1:3]
    reformatter = VideoReformatter()
    times = timeline(path)
    filled = 0
    with _opened(path) as (container, stream):
        try:
            for number, frame in _numbered_frames(container, stream, times, wanted):
                if number > wanted[filled]:
                    break
                if number == wanted[filled]:
                    scaled = reformatter.reformat(frame, width, height, "rgb24", interpolation=_SCALING, threads=1)
                    out[filled] = scaled.to_ndarray()
                    filled += 1
                    if filled == len(wanted):
                        return
        except av.FFmpegError:
            pass  # told below, with the number of the frame
    raise VideoError(f"{path}: frame {wanted[filled]} cannot be decoded; the file is damaged: fetch or make it again")


def _numbered_frames(
    container: av.container.InputContainer, stream: av.VideoStream, timeline: Timeline, wanted: list[int]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decoded frames with their numbers: `wanted` and whatever has to be decoded on the way to them."""
    if timeline.times is None:
        yield from enumerate(container.decode(stream))
        return
    times, keyframes = timeline.times, timeline.keyframes
    number_at = {time: number for number, time in enumerate(times)}
    stretches: list[list[int]] = []  # [keyframe, first, last wanted frame]; what lies between two stretches is skipped
    for number in wanted:
        keyframe = keyframes[bisect_right(keyframes, number) - 1]
        if stretches and keyframe <= stretches[-1][2] + 1:
            stretches[-1][2] = number
        else:
            stretches.append([keyframe, number, number])
    for keyframe, first, last in stretches:
        for target in (times[keyframe], times[0]):
            container.seek(target, stream=stream)
            packets = container.demux(stream)
            head = next(packets)
            frames = _decoded(stream, chain([head], packets))
            start = next(frames, None)
            # A seek can land too late (an index by decoding time), and after a keyframe that is only a recovery point
            # the decoder holds frames back: then decode from the start.
            if head.pts is not None and head.pts <= target and start and number_at.get(start.pts, -1) <= first:
                break
        for frame in chain([start] if start else [], frames):
            number = number_at.get(frame.pts, -1)
            yield number, frame
            if number >= last:
                break


def _decoded(stream: av.VideoStream, packets: Iterable[av.Packet]) -> Iterator[av.VideoFrame]:
    for packet in packets:
        try:
            yield from packet.decode()
        except av.FFmpegError:
            yield from stream.codec_context.decode(None)  # good frames, held back until their turn came
            raise
