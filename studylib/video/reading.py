"""Video files by PyAV (FFmpeg): where their frames are, clips of them frame-exactly, scaled and as RGB, and new files.

Frame i is always the i-th that decoding the file from its start gives, the same bytes from every function here, and
never one that FFmpeg made up. `scan` makes a file's `Timeline` from the packets alone where that is safe, else by
decoding it, or says why it is no good video. It fits into a few hundred bytes and is kept in a dataset's index, so that
a clip is reached from the keyframe at or before it without looking through its file again. Where the times cannot be
trusted, or a keyframe turns out not to be one, the file is decoded from its start, which is slower and never wrong.
"""

import io
import json
import os
import platform
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, dropwhile
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.stream import Discard, Disposition
from av.video.frame import PictureType
from av.video.reformatter import Interpolation, VideoReformatter

from studylib.video.files import write_bytes

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
_NO_TIME = -(2**63)
# Containers that keep a frame's bytes together; in others, streams, a parser looks for where each begins.
_FRAMING_CONTAINERS = _TIMED_CONTAINERS | {"avi", "flv"}
# The same bytes on every processor: FFmpeg's other paths round differently from one instruction set to another.
SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_DAMAGED = "cannot be decoded; the file is damaged: fetch or make it again"
_KEPT_DECODERS = 8  # of each thread: opening one takes as long as decoding a frame


class VideoError(ValueError):
    """A video that cannot be read; the message names the file and the reason, in one line."""


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
    """Where the frames of a video are, by which clips of it are reached."""

    info: VideoInfo
    file_size: int  # bytes
    rotation: int = 0  # quarter turns counter-clockwise that bring a decoded frame upright
    times: np.ndarray | None = None  # (N,) int64, ascending; None where frames can only be counted from the start
    keyframes: np.ndarray | None = None  # (K,) int64, frame numbers, ascending
    packets: Packets | None = None  # None where their bytes are not found at a known place, as in Matroska
    # (N,) int64, where frames can only be counted and some are damaged: of each packet its frame's number, -1 if lost
    numbers: np.ndarray | None = None

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


def read_clips(
    video: Path | str,
    starts: Sequence[int],
    length: int,
    size: tuple[int, int] = (128, 171),
    known: Timeline | None = None,
    step: int = 1,
) -> np.ndarray:
    """The clips of `length` frames, every `step`-th, from `starts` on: uint8 RGB (N, T, H, W, 3), in one forward pass.

    Clips may overlap and stand in any order; one that runs past the end repeats the last frame. Frames are scaled to
    `size` = (height, width). `known` is the file's timeline (`scan`), where an index has it: the file is not looked
    through then. Errors: as of `clip_frames`; VideoError: the file is bad, or a frame cannot be decoded.
    """
    known = known or scan(video)
    rows = clip_frames(starts, length, known.info.num_frames, video, step)  # (N, T)
    wanted, inverse = np.unique(rows, return_inverse=True)
    shown = np.empty((len(wanted), *size, 3), np.uint8)
    _decode(video, wanted.tolist(), shown, known)
    return shown[inverse.reshape(rows.shape)]


def frames(
    video: Path | str, size: tuple[int, int] = (128, 171), known: Timeline | None = None
) -> Iterator[np.ndarray]:
    """All frames in order, one at a time, as uint8 RGB (H, W, 3), scaled to `size`: for videos of any length. Errors:
    VideoError naming the first frame that cannot be decoded, after those before it."""
    known, given = known or scan(video), 0
    for number, frame in _from_start(video, known.info.num_frames - 1):
        out = np.empty((*size, 3), np.uint8)
        _write(frame, out, known.rotation)
        yield out
        given = number + 1
    if given < known.info.num_frames:
        raise VideoError(f"{video}: frame {given} {_DAMAGED}")


def decode_into(video: Path | str, out: np.ndarray, known: Timeline | None = None) -> None:
    """Fill `out`, uint8 RGB (num_frames, H, W, 3), with all frames of `video` scaled to its size. Errors: VideoError
    when the file is bad or has another number of frames than `out`."""
    known = known or scan(video)
    if len(out) != known.info.num_frames:
        raise VideoError(
            f"{video}: has {known.info.num_frames} frames where {len(out)} were expected; "
            "the file has changed since it was indexed: make the index again"
        )
    _decode(video, list(range(len(out))), out, known)


def clip_frames(starts: Sequence[int], length: int, num_frames: int, path: Path | str, step: int = 1) -> np.ndarray:
    """Frame numbers of clips, (N, T): `start`, `start + step`, ...; the one place where the last frame is repeated.
    Errors: ValueError naming `path`."""
    if len(starts) == 0 or min(length, step) < 1:
        raise ValueError(f"{path}: no clip has {length} frames {step} apart from {len(starts)} starts")
    for start in starts:
        if not 0 <= start < num_frames:
            raise ValueError(f"{path}: no clip starts at frame {start}; its frames are 0 to {num_frames - 1}")
    return np.minimum(np.asarray(starts, np.int64)[:, None] + step * np.arange(length), num_frames - 1)


def write_video(path: Path | str, frames: np.ndarray, fps: float, crf: int = 21) -> None:
    """Write uint8 RGB `frames` (T, H, W, 3), H and W even, as H.264 mp4 (yuv420p) on one thread, whole or not at all.
    Errors: OSError (a full disk, say) naming the file, an earlier file staying intact."""
    # Into memory first: the file is then written by Python, which reports every failed write.
    write_bytes(Path(path), encode(frames, *frames.shape[1:3], fps, {"crf": str(crf), "preset": "veryfast"}))


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
    """The bytes of a video of uint8 RGB frames (H, W, 3), made on one thread; `options` are the encoder's. `pixels`
    "yuv420p" stores colours at half size and plays everywhere; "yuv444p" stores them whole, at any size."""
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


def scan(path: Path | str) -> Timeline:
    """Read the packets of `path`, and decode its first frame; all of it where frames can only be counted that way.
    Errors: VideoError for a file that is missing, empty, truncated, no video or without a video stream."""
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"{path}: no such file; check the path")
    if (file_size := path.stat().st_size) == 0:
        raise VideoError(f"{path}: empty file (0 bytes); fetch or make it again")
    packets, contents, end = [], {}, 0.0  # end: seconds, of any stream, as the sound may be longer than the picture
    with opened(path) as (container, stream):
        for packet in (packet for packet in container.demux() if packet.size):
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index == stream.index:
                if packet.is_keyframe and len(contents) < _CHECKED_PACKETS:
                    contents[packet.pos] = bytes(packet)
                time, head = _NO_TIME if packet.pts is None else packet.pts, packet.has_sidedata("new_extradata")
                flags = (packet.is_keyframe, packet.is_discard, packet.is_corrupt, head)
                packets.append((time, packet.pos or 0, packet.size, *flags))
        kinds = set(container.format.name.split(","))
        # The table of an mp4 tells where each frame's bytes are, of frames behind an edit's end too.
        beyond = "mov" in kinds and any(entry.pos + entry.size > file_size for entry in stream.index_entries)
        duration = (container.duration or 0) / 1e6 if "matroska" in kinds else 0.0  # its header counts no frames
        fps, context = float(stream.average_rate or stream.guessed_rate or 0), stream.codec_context
        codec, one_a_packet = context.name, context.codec.canonical_name in _ONE_FRAME_A_PACKET
        extradata, colours = bytes(context.extradata or b""), (context.colorspace, context.color_range)
    with path.open("rb") as file:
        # An AVI file may be shorter than its outermost chunk says; 0 stands in one that was never closed.
        cut = "avi" in kinds and int.from_bytes(file.read(8)[4:], "little") + 8 > file_size
        in_place = all(
            pos is not None and os.pread(file.fileno(), len(data), pos) == data for pos, data in contents.items()
        )
    times, positions, sizes, keys, discarded, corrupt, other_head = np.array(packets, np.int64).reshape(-1, 7).T.copy()
    if not packets or corrupt[-1] or beyond or cut or end < 0.95 * duration:
        raise VideoError(f"{path}: truncated, ends after {len(packets)} frames; fetch or make it again")
    timed = kinds & _TIMED_CONTAINERS and one_a_packet and _NO_TIME not in times
    # A file cut out of a longer one may begin with frames that cannot be decoded.
    from_keyframe = keys[0] and times[0] == times.min()
    if not (timed and from_keyframe and len(np.unique(times)) == len(times)) or discarded.any() or corrupt.any():
        first, num_frames = None, 0  # the times cannot be trusted: frames are counted by decoding them
        with opened(path) as (container, stream):
            try:
                for frame in whole_frames(container, stream):
                    first = first or frame
                    num_frames += 1
            except av.FFmpegError:
                past = _past_damage(path, fps) if kinds & _FRAMING_CONTAINERS else None
                if past is None:
                    raise
                return past
        return _as_shown(path, first, num_frames, fps)
    order = np.argsort(times, kind="stable")  # packet numbers in the order of showing
    numbers = np.argsort(order)
    keyframes = np.sort(numbers[keys > 0])
    placed = in_place and not other_head.any()
    table = Packets(codec, extradata, colours, numbers, positions, sizes) if placed else None
    with opened(path) as (container, stream):
        first = next(container.decode(stream), None)
        return _as_shown(path, first, len(times), fps, times=times[order], keyframes=keyframes, packets=table)


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
    """What is shown when decoding begins at the packet `head`, up to the next damage: the first frame; the places of
    all frames' packets; how many packets lie ahead of the next frame that is no B-frame, None where none is shown; how
    many frames the decoder holds back."""
    first, places, ahead = None, [], 1 if head == 0 else None
    with opened(path) as (container, stream), suppress(av.FFmpegError):
        context = stream.codec_context

        def decoded() -> Iterator[av.VideoFrame]:
            for packet in _numbered(container.demux(stream), lambda place, _: place, begin=head):
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


def _decode(video: Path | str, wanted: list[int], out: np.ndarray, known: Timeline) -> None:
    """Decode the frames `wanted` (ascending, each once) into `out`, uint8 RGB (len(wanted), H, W, 3), at its size.
    Errors: VideoError naming the file and the frame."""
    row_of = {number: row for row, number in enumerate(wanted)}
    # The start is also the last resort: a seek can land too late (an index by decoding time), and after a keyframe that
    # is only a recovery point the decoder holds frames back.
    ways = [_from_start(video, wanted[-1])]
    if known.packets is not None:
        ways.insert(0, _from_packets(video, known, wanted))
    elif known.times is not None:
        ways.insert(0, _from_container(video, known, wanted))
    elif known.numbers is not None:
        ways = [_from_counted(video, known, wanted)]
    for way in ways:
        for number, frame in way:
            if number in row_of:
                _write(frame, out[row_of.pop(number)], known.rotation)
        if not row_of:
            return
    raise VideoError(f"{video}: frame {min(row_of)} {_DAMAGED}")


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


def _from_packets(video: Path | str, known: Timeline, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames from the packets' known places, without FFmpeg's opening the file."""
    table, decoders = known.packets, _thread.decoders
    packet_of = np.argsort(table.numbers)
    try:
        file = open(video, "rb", buffering=0)  # noqa: SIM115 (closed by the next statement)
    except OSError as error:
        raise VideoError(f"{video}: cannot be opened ({error.strerror}); check the path") from None
    with file:
        if os.fstat(file.fileno()).st_size != known.file_size:
            told = f"is no longer the file of {known.file_size} bytes that was indexed; make the index again"
            raise VideoError(f"{video}: {told}")
        for keyframe, numbers in _stretches(known, wanted):
            rows = slice(int(packet_of[keyframe]), int(packet_of[numbers].max()) + 1)
            positions, sizes = table.positions[rows], table.sizes[rows]
            begin = int(positions.min())
            data = os.pread(file.fileno(), int((positions + sizes).max()) - begin, begin)
            places = zip((positions - begin).tolist(), sizes.tolist(), strict=True)
            packets = (av.Packet(data[place : place + size]) for place, size in places)
            of_rows = table.numbers[rows].tolist()
            if (context := decoders.pop(table[:3], None)) is None:
                context = av.CodecContext.create(table.codec, "r")
                context.extradata = table.extradata
                context.colorspace, context.color_range = table.colours
                context.thread_count = 1
                context.options = NO_CONCEALING
            yield from _decoded(context, _numbered(packets, lambda place, _, of=of_rows: of[place]), numbers)
            decoders[table[:3]] = context
            while len(decoders) > _KEPT_DECODERS:
                decoders.pop(next(iter(decoders)))


def _from_container(video: Path | str, known: Timeline, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames by seeking to the keyframes before them."""
    number_at = {time: number for number, time in enumerate(known.times.tolist())}
    with opened(video) as (container, stream):
        for keyframe, numbers in _stretches(known, wanted):
            container.seek(int(known.times[keyframe]), stream=stream)
            packets = _numbered(container.demux(stream), lambda _, packet: number_at.get(packet.pts, -1))
            head = next(packets, None)
            if head is None or head.pts > keyframe:
                return
            yield from _decoded(stream.codec_context, chain([head], packets), numbers)


def _from_counted(video: Path | str, known: Timeline, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames of a damaged file without times, by counting its packets up to the keyframes before them."""
    number_at = dict(enumerate(known.numbers.tolist()))
    for keyframe, numbers in _stretches(known, wanted):
        with opened(video) as (container, stream):
            packets = _numbered(container.demux(stream), lambda place, _: number_at.get(place, -1))
            rest = dropwhile(lambda packet, first=keyframe: packet.pts != first, packets)
            yield from _decoded(stream.codec_context, rest, numbers)


def _numbered(
    packets: Iterable[av.Packet], number_of: Callable[[int, av.Packet], int], begin: int = 0
) -> Iterator[av.Packet]:
    """The packets of frames, whose frames will say for their time what `number_of(place, packet)` is."""
    for place, packet in enumerate(packet for packet in packets if packet.size):
        packet.pts = number_of(place, packet)
        if place >= begin:
            yield packet


def _stretches(known: Timeline, wanted: list[int]) -> list[tuple[int, list[int]]]:
    """(keyframe, wanted frames reached from it); what lies between two stretches is skipped."""
    stretches: list[tuple[int, list[int]]] = []
    before = known.keyframes[np.searchsorted(known.keyframes, wanted, "right") - 1].tolist()
    for number, keyframe in zip(wanted, before, strict=True):
        if stretches and keyframe <= stretches[-1][1][-1] + 1:
            stretches[-1][1].append(number)
        else:
            stretches.append((keyframe, [number]))
    return stretches


def _decoded(
    context: av.VideoCodecContext, packets: Iterable[av.Packet], wanted: list[int]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(number, frame) of numbered packets until all wanted ones are out, and others on the way; they end where the file
    is damaged."""
    missing = set(wanted)

    def decoded() -> Iterator[av.VideoFrame]:
        with suppress(av.FFmpegError):
            for packet in packets:
                # A frame of H.264 that says it is no reference is none: those on the way need no decoding. (HEVC's and
                # VP9's may be used by others all the same.)
                if context.name == "h264":
                    context.skip_frame = "DEFAULT" if packet.pts in missing else "NONREF"
                missing.discard(packet.pts)
                yield from context.decode(packet)
                if not missing:
                    break
        yield from context.decode(None)  # after an error too: good frames, held back until their turn came

    with suppress(av.FFmpegError):
        for frame in sound(decoded(), context):
            yield frame.pts, frame
    context.flush_buffers()
    context.skip_frame = "DEFAULT"


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
    """Every frame from the start of the file to where it is damaged. Errors: av.FFmpegError there; not before the first
    frame, as a file cut out of a longer one may begin with packets that lack their keyframe."""
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
    """The frames up to the first that FFmpeg calls corrupt, and to those shown before it that may refer to it. Errors:
    av.InvalidDataError at a corrupt frame; not at the first of all where a `cut` may have left it so."""
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


class _Thread(threading.local):
    """What a thread keeps from one clip to the next: decoders that nobody uses, the latest last."""

    def __init__(self) -> None:
        self.reformatter, self.decoders = VideoReformatter(), {}  # by codec, head and colours


_thread = _Thread()
