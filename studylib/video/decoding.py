"""Decode numbered frames of a video file with PyAV (FFmpeg): what lies under `studylib.video.reading`.

Frame i is the frame that decoding the file from its start gives as i-th. Frames are reached from the keyframe at or
before them and picked by their time (`timeline`). Where the times cannot be trusted, or a keyframe turns out not to be
one, the file is decoded from its start instead, which is slower and never wrong. FFmpeg scales and turns frames to RGB
in one pass, always the same.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, dropwhile
from pathlib import Path
from typing import BinaryIO

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from studylib.video.containers import NO_CONCEALING, VideoError, opened, sound, whole_frames
from studylib.video.timeline import Timeline, timeline

# The same bytes on every processor: FFmpeg's other paths round differently from one instruction set to another.
SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_KEPT_DECODERS = 8  # of each thread: opening one takes as long as decoding a frame


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
    raise VideoError(f"{video}: frame {min(row_of)} cannot be decoded; the file is damaged: fetch or make it again")


def frames(
    video: Path | str, size: tuple[int, int] = (128, 171), known: Timeline | None = None
) -> Iterator[np.ndarray]:
    """All frames in order, one at a time, as uint8 RGB (H, W, 3), scaled to `size`: for videos of any length.

    Errors: VideoError naming the first frame that cannot be decoded, after those before it.
    """
    known, given = known or timeline(video), 0
    for _, frame in _from_start(video, known.info.num_frames - 1):
        out = np.empty((*size, 3), np.uint8)
        _write(frame, out, known.rotation)
        yield out
        given += 1
    if given < known.info.num_frames:
        raise VideoError(f"{video}: frame {given} cannot be decoded; the file is damaged: fetch or make it again")


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
    with _opened_raw(video) as file:
        if os.fstat(file.fileno()).st_size != size:
            raise VideoError(f"{video}: is no longer the file of {size} bytes that was indexed; make the index again")
        for keyframe, numbers in _stretches(times, wanted):
            rows = slice(int(packet_of[keyframe]), int(packet_of[numbers].max()) + 1)
            positions, sizes = table.positions[rows], table.sizes[rows]
            begin = int(positions.min())
            data = os.pread(file.fileno(), int((positions + sizes).max()) - begin, begin)
            places = zip((positions - begin).tolist(), sizes.tolist(), table.numbers[rows].tolist(), strict=True)
            packets = ((number, _packet(data[place : place + length], number)) for place, length, number in places)
            context = _thread.decoder(*table[:3])
            for frame in _decoded(context, packets, numbers):
                yield frame.pts, frame
            _thread.keep(context, *table[:3])


def _opened_raw(path: Path | str) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise VideoError(f"{path}: cannot be opened ({error.strerror}); check the path") from None


def _packet(data: bytes, number: int) -> av.Packet:
    """A packet whose frame will say its number for its time."""
    packet = av.Packet(data)
    packet.pts = number
    return packet


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

    def numbered(packet: av.Packet, number: int) -> tuple[int, av.Packet]:
        packet.pts = number
        return number, packet

    for keyframe, numbers in _stretches(times, wanted):
        with opened(video) as (container, stream):
            packets = map(numbered, (p for p in container.demux(stream) if p.size), times.numbers.tolist())
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
    with suppress(av.FFmpegError):
        yield from sound(_all_decoded(context, packets, wanted), context)
    context.flush_buffers()
    context.skip_frame = "DEFAULT"


def _all_decoded(
    context: av.VideoCodecContext, packets: Iterable[tuple[int, av.Packet]], wanted: list[int]
) -> Iterator[av.VideoFrame]:
    missing = set(wanted)
    # A frame of H.264 that says it is no reference is none: those on the way need no decoding. (HEVC's and VP9's may be
    # used by others all the same.)
    skips = context.name == "h264"
    skipping = False
    with suppress(av.FFmpegError):
        for number, packet in packets:
            if skips and skipping == (number in missing):
                skipping = not skipping
                context.skip_frame = "NONREF" if skipping else "DEFAULT"
            missing.discard(number)
            yield from context.decode(packet)
            if not missing:
                break
    yield from context.decode(None)  # after an error too: good frames, held back until their turn came


class _Thread(threading.local):
    """What a thread keeps from one clip to the next."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()
        self.decoders: OrderedDict[tuple[str, bytes, tuple[int, int]], av.VideoCodecContext] = OrderedDict()

    def decoder(self, codec: str, extradata: bytes, colours: tuple[int, int]) -> av.VideoCodecContext:
        """A decoder that nobody uses; give it back with `keep`."""
        context = self.decoders.pop((codec, extradata, colours), None)
        if context is None:
            context = av.CodecContext.create(codec, "r")
            context.extradata = extradata
            context.colorspace, context.color_range = colours
            context.thread_count = 1
            context.options = NO_CONCEALING
        return context

    def keep(self, context: av.VideoCodecContext, *key: str | bytes | tuple[int, int]) -> None:
        self.decoders[key] = context
        while len(self.decoders) > _KEPT_DECODERS:
            self.decoders.popitem(last=False)


_thread = _Thread()
