"""Open a video file with PyAV (FFmpeg), and its timeline: the time of every frame, the keyframes, the packets' places.

Only whole frames are taken, never one that FFmpeg made up. `scan` makes a timeline from the packets alone where that is
safe, else by decoding the file, or says why it is no good video. A timeline fits into a few hundred bytes and is kept
in a dataset's index, so that a clip is reached without looking through its file again (`reading`).
"""

import json
import os
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.stream import Discard, Disposition
from av.video.frame import PictureType

# By default FFmpeg paints over what it cannot decode and says nothing.
NO_CONCEALING = {"err_detect": "explode"}
# Bytes of a kept timeline up to which the packets' places are part of it: half a minute of video, not the minutes of
# Sports-1M, whose index would grow to tens of gigabytes. Such a file is opened by FFmpeg at each clip (1 ms).
_MOST_BYTES = 4096
# Containers that store a presentation time for every frame, and codecs that give one frame for each packet. AVI stores
# no times (those FFmpeg makes up come out of order for H.264), VP8 has packets that show nothing.
_TIMED_CONTAINERS = {"mov", "mp4", "matroska", "webm"}
_ONE_FRAME_A_PACKET = {"h264", "hevc", "vp9", "av1"}
_CHECKED_PACKETS = 8
# Containers that keep a frame's bytes together; in others, streams, a parser looks for where each begins.
_FRAMING_CONTAINERS = _TIMED_CONTAINERS | {"avi", "flv"}


class VideoError(ValueError):
    """A video that cannot be read; the message names the file and the reason, in one line."""


@contextmanager
def opened(path: Path | str) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open the first video stream for decoding in the calling thread; FFmpeg's errors become VideoError."""
    try:
        # A title in Latin-1 is no reason to refuse a video.
        with av.open(str(path), metadata_errors="replace") as container:
            # The cover of a sound file is a video stream to FFmpeg; so are a picture and, for some endings, a text.
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if container.format.name.endswith("_pipe") or container.format.name in ("image2", "tty"):
                raise VideoError(f"{path}: is a picture or a text, not a video; give a video file")
            if not streams:
                raise VideoError(f"{path}: holds no video stream; give a video file")
            if streams[0].codec_context is None:
                raise VideoError(f"{path}: its codec is unknown or damaged; give a video that FFmpeg can decode")
            # Clips are small and read by many workers: threads inside a decoder would only fight over the cores.
            streams[0].codec_context.thread_count = 1
            streams[0].codec_context.options = NO_CONCEALING
            yield container, streams[0]
    except av.FFmpegError as error:
        reason = f"cannot be read as video ({error.strerror}); it is truncated, damaged or no video"
        raise VideoError(f"{path}: {reason}: fetch or make it again") from None


def whole_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Every frame from the start of the file to where it is damaged.

    Errors: av.FFmpegError there; not before the first frame, as a file cut out of a longer one may begin with packets
    that lack their keyframe.
    """
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all

    def decoded() -> Iterator[av.VideoFrame]:
        begun = False
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    begun = True
                    yield frame
            except av.FFmpegError:
                if begun:
                    raise

    yield from sound(decoded(), stream.codec_context, cut=True)


def sound(frames: Iterator[av.VideoFrame], context: av.VideoCodecContext, cut: bool = False) -> Iterator[av.VideoFrame]:
    """The frames up to the first that FFmpeg calls corrupt, and to those shown before it that may refer to it.

    Errors: av.InvalidDataError at a corrupt frame; not at the first of all where a `cut` may have left it so.
    """
    held: deque[av.VideoFrame] = deque()
    for frame in frames:
        if frame.is_corrupt and not cut:
            raise av.InvalidDataError(av.error.tag_to_code(b"INDA"), f"frame at {frame.pts} is corrupt")
        cut = False
        held.append(frame)
        # A B-frame may refer to any up to the next that is none; where all are, 16 are the most that a decoder keeps.
        while len(held) > (context.reorder_depth if frame.pict_type != PictureType.B else 16):
            yield held.popleft()
    yield from held


@dataclass(frozen=True)
class VideoInfo:
    """Number of frames that decoding gives, frames per second (0 if unknown), and the size in pixels as shown."""

    num_frames: int
    fps: float
    width: int
    height: int


class Packets(NamedTuple):
    """Where the frames' packets lie in the file, in the order of decoding, and what a decoder must know first."""

    codec: str
    extradata: bytes
    colours: tuple[int, int]  # FFmpeg's matrix and range by the container; frames that say their own have those
    numbers: np.ndarray  # (N,) int64, the number of the frame that packet i gives
    positions: np.ndarray  # (N,) int64, bytes from the start of the file
    sizes: np.ndarray  # (N,) int64, bytes


@dataclass(frozen=True, eq=False)
class Timeline:
    """`times` and `keyframes` (frame numbers), both ascending; `times` is None where frames can only be counted from
    the start. `packets` is None where their bytes are not found at a known place, as in Matroska. `numbers` is there
    where frames can only be counted and some are damaged: of each packet the number of its frame, -1 of those lost."""

    info: VideoInfo
    file_size: int  # bytes
    rotation: int = 0  # quarter turns counter-clockwise that bring a decoded frame upright
    times: np.ndarray | None = None  # (N,) int64
    keyframes: np.ndarray | None = None  # (K,) int64
    packets: Packets | None = None
    numbers: np.ndarray | None = None  # (N,) int64

    def to_bytes(self) -> bytes:
        """The timeline without its info, compressed, for the column `timeline` of an index; without the packets' places
        where they would make it long."""
        head = {"size": self.file_size, "rotation": self.rotation}
        arrays, ascending = [], self.numbers if self.times is None else self.times
        if ascending is not None:
            head |= {"counted" if self.times is None else "frames": len(ascending), "keyframes": len(self.keyframes)}
            arrays = [np.diff(ascending, prepend=0), np.diff(self.keyframes, prepend=0)]
        if (packets := self.packets) is not None:
            head |= {"codec": packets.codec, "extradata": packets.extradata.hex(), "colours": packets.colours}
            ends = np.concatenate([[0], packets.positions[:-1] + packets.sizes[:-1]])
            arrays += [packets.numbers - np.arange(len(packets.numbers)), packets.positions - ends, packets.sizes]
        # small differences, so that most of their bytes are zeros
        numbers = np.concatenate(arrays).astype("<i8").tobytes() if arrays else b""
        kept = zlib.compress(json.dumps(head).encode() + b"\n" + numbers)
        return kept if packets is None or len(kept) <= _MOST_BYTES else replace(self, packets=None).to_bytes()

    @classmethod
    def from_bytes(cls, info: VideoInfo, data: bytes) -> "Timeline":
        """What `to_bytes` gave for a video of this info."""
        text, _, numbers = zlib.decompress(data).partition(b"\n")
        head, values = json.loads(text), np.frombuffer(numbers, "<i8")
        known = cls(info, head["size"], head["rotation"])
        n = head.get("frames") or head.get("counted")
        if not n:
            return known
        k = head.get("keyframes", len(values) - n)
        ascending, keyframes = values[:n].cumsum(), values[n : n + k].cumsum()
        if "counted" in head:
            return replace(known, keyframes=keyframes, numbers=ascending)
        packets = None
        if "codec" in head:
            ranks, gaps, sizes = values[n + k :].reshape(3, n)
            positions = (gaps + sizes).cumsum() - sizes
            extradata, colours = bytes.fromhex(head["extradata"]), tuple(head.get("colours", (2, 0)))  # unspecified
            packets = Packets(head["codec"], extradata, colours, ranks + np.arange(n), positions, sizes)
        return replace(known, times=ascending, keyframes=keyframes, packets=packets)


def timeline(path: Path | str) -> Timeline:
    """The timeline of `path`, from memory if the file has not changed. Errors: VideoError for whatever is no video."""
    status = _status(path)
    return _remembered(str(path), status.st_mtime_ns, status.st_size)


def _status(path: Path | str) -> os.stat_result:
    if not Path(path).is_file():
        raise VideoError(f"{path}: no such file; check the path")
    return Path(path).stat()


@lru_cache(maxsize=4096)  # about 8 kB for a video of 300 frames
def _remembered(path: str, mtime_ns: int, file_size: int) -> Timeline:
    return scan(path)


def scan(path: Path | str) -> Timeline:
    """Read the packets of `path`, and decode its first frame; all of it where frames can only be counted that way.

    Errors: VideoError for a file that is missing, empty, truncated, no video or without a video stream.
    """
    path = Path(path)
    file_size = _status(path).st_size
    if file_size == 0:
        raise VideoError(f"{path}: empty file (0 bytes); fetch or make it again")
    packets, contents, end = [], {}, 0.0  # end: seconds, of any stream, as the sound may be longer than the picture
    with opened(path) as (container, stream):
        for packet in (packet for packet in container.demux() if packet.size):
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index == stream.index:
                if packet.is_keyframe and len(contents) < _CHECKED_PACKETS:
                    contents[packet.pos] = bytes(packet)
                placed = not packet.has_sidedata("new_extradata")
                flags = (packet.is_keyframe, packet.is_discard, packet.is_corrupt, placed)
                packets.append((packet.pts, packet.pos, packet.size, *flags))
        kinds = set(container.format.name.split(","))
        # The table of an mp4 tells where each frame's bytes are, of frames behind an edit's end too.
        beyond = "mov" in kinds and any(entry.pos + entry.size > file_size for entry in stream.index_entries)
        duration = (container.duration or 0) / 1e6 if "matroska" in kinds else 0.0  # its header counts no frames
        fps, context = float(stream.average_rate or stream.guessed_rate or 0), stream.codec_context
        codec, one_a_packet = context.name, context.codec.canonical_name in _ONE_FRAME_A_PACKET
        extradata, colours = bytes(context.extradata or b""), (context.colorspace, context.color_range)
    columns = list(zip(*packets, strict=True)) or [()] * 7
    pts, positions, sizes, keys, discarded, corrupt, placed = columns
    short = beyond or end < 0.95 * duration or ("avi" in kinds and _is_cut_riff(path))
    if not packets or corrupt[-1] or short:
        raise VideoError(f"{path}: truncated, ends after {len(packets)} frames; fetch or make it again")
    times = np.array([-1 if time is None else time for time in pts], np.int64)
    if not (
        kinds & _TIMED_CONTAINERS
        and one_a_packet
        and None not in pts
        and len(np.unique(times)) == len(times)
        # A file cut out of a longer one may begin with frames that cannot be decoded.
        and keys[0]
        and times[0] == times.min()
        and not any(discarded)
        and not any(corrupt)
    ):
        return _counted(path, fps)
    order = np.argsort(times, kind="stable")  # packet numbers in the order of showing
    numbers = np.empty_like(order)
    numbers[order] = np.arange(len(order))
    keyframes = np.sort(numbers[np.array(keys)])
    table = None
    if all(placed) and _lie_there(path, contents):
        places = (np.array([place or 0 for place in column], np.int64) for column in (positions, sizes))
        table = Packets(codec, extradata, colours, numbers, *places)
    with opened(path) as (container, stream):
        first = next(container.decode(stream), None)
        return _as_shown(path, first, len(times), fps, times=times[order], keyframes=keyframes, packets=table)


def _counted(path: Path, fps: float) -> Timeline:
    """The timeline of a file whose times cannot be trusted: its frames are counted by decoding them."""
    first, num_frames = None, 0
    with opened(path) as (container, stream):
        try:
            for frame in whole_frames(container, stream):
                first = first or frame
                num_frames += 1
        except av.FFmpegError:
            framed = _FRAMING_CONTAINERS & set(container.format.name.split(","))
            if not framed or (timeline := _past_damage(path, fps)) is None:
                raise
            return timeline
    return _as_shown(path, first, num_frames, fps)


def _past_damage(path: Path, fps: float) -> Timeline | None:
    """The timeline of a damaged file whose frames can only be counted; None where its packets do not tell them either.

    Each packet must give one frame. Decoding begins again at each keyframe after a damage. The number of a keyframe is
    that of its packet, plus the B-frames that follow it and are shown before it; they are lost with what is damaged.
    """
    with opened(path) as (container, stream):
        keys = np.array([packet.is_keyframe for packet in container.demux(stream) if packet.size])
    numbers, first, head = np.full(len(keys), -1), None, 0
    while head is not None:
        frame, places, ahead, held = _shown_from(path, head)
        if places[:1] == [head]:
            behind = places[1:] or [head]
            if len(set(places)) < len(places) or max(behind) - min(behind) + 1 - len(behind) > held:
                return None
            if ahead is not None:
                first, numbers[places] = first or frame, ahead - 1 + np.arange(len(places))
        passed = max(places, default=head) + 1
        head = next((passed + int(place) for place in np.flatnonzero(keys[passed:])), None)
    if first is None:
        return None
    keyframes = np.sort(numbers[keys & (numbers >= 0)])
    return _as_shown(path, first, len(numbers), fps, keyframes=keyframes, numbers=numbers)


def _shown_from(path: Path, head: int) -> tuple[av.VideoFrame | None, list[int], int | None, int]:
    """What is shown when decoding begins at the packet `head`, up to the next damage.

    The first frame; the places of all frames' packets; how many packets lie ahead of the next frame that is no B-frame,
    None where none is shown; how many frames the decoder holds back.
    """
    first, places, ahead = None, [], 1 if head == 0 else None
    with opened(path) as (container, stream), suppress(av.FFmpegError):
        context = stream.codec_context

        def decoded() -> Iterator[av.VideoFrame]:
            for place, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
                if place >= head:
                    packet.pts = place
                    yield from context.decode(packet)
            yield from context.decode(None)

        for frame in sound(decoded(), context):
            first = first or frame
            places.append(frame.pts)
            if ahead is None and (context.reorder_depth == 0 or (len(places) > 1 and frame.pict_type != PictureType.B)):
                ahead = head + 1 if context.reorder_depth == 0 else frame.pts
    return first, places, ahead, context.reorder_depth


def _as_shown(path: Path, first: av.VideoFrame | None, num_frames: int, fps: float, **places: object) -> Timeline:
    """The timeline of a video with this first frame, upright, and `places` where its frames are."""
    if first is None:
        raise VideoError(f"{path}: no frame can be decoded; fetch or make it again")
    turns = round(first.rotation / 90) % 4
    width, height = (first.width, first.height) if turns % 2 == 0 else (first.height, first.width)
    return Timeline(VideoInfo(num_frames, fps, width, height), path.stat().st_size, turns, **places)


def _is_cut_riff(path: Path) -> bool:
    """Whether an AVI file is shorter than its outermost chunk says; 0 stands in a file that was never closed."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little")
    return size + 8 > path.stat().st_size


def _lie_there(path: Path, contents: dict[int | None, bytes]) -> bool:
    """Whether the packets' bytes stand at their positions as they are."""
    with open(path, "rb") as file:
        return all(pos is not None and os.pread(file.fileno(), len(b), pos) == b for pos, b in contents.items())
