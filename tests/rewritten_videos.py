"""Videos whose frames are whole and whose container is odd: made from the good ones by moving packets and bytes."""

import shutil
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

from tests.made_videos import KINDS, NUM_FRAMES, Kind, encode_kind, make, numbered_frames

Change = Callable[[int, av.Packet], av.Packet | None]


class Rewritten(NamedTuple):
    """`rewrite(source, target)` makes the file of the one of KINDS; it shows the numbers `shown`."""

    source: str
    rewrite: Callable[[Path, Path], None]
    shown: list[int] = list(range(NUM_FRAMES))  # noqa: RUF012


def make_any(name: str, folder: Path) -> Path:
    """The file `name` of KINDS or REWRITTEN, made in `folder` if it is not there."""
    if name in REWRITTEN and not (folder / name).exists():
        REWRITTEN[name].rewrite(make(REWRITTEN[name].source, folder), folder / name)
    return folder / name if name in REWRITTEN else make(name, folder)


def numbers_of(name: str) -> list[int]:
    return REWRITTEN[name].shown if name in REWRITTEN else list(range(NUM_FRAMES))


def remuxed(change: Change, title: str = "", **container_options: str) -> Callable[[Path, Path], None]:
    """Copies the packets as `change(i, packet)` gives them, leaving out those for which that is None."""

    def rewrite(source: Path, target: Path) -> None:
        with av.open(str(source)) as read, av.open(str(target), "w", options=container_options) as written:
            stream = written.add_stream_from_template(read.streams.video[0])
            written.metadata["title"] = stream.metadata["title"] = title
            for i, packet in enumerate(packet for packet in read.demux(video=0) if packet.size):
                if changed := change(i, packet):
                    changed.stream = stream
                    written.mux(changed)

    return rewrite


def later_by(seconds: Fraction | int, from_packet: int = 0) -> Change:
    def change(i: int, packet: av.Packet) -> av.Packet:
        if i >= from_packet:
            packet.pts += int(seconds / packet.time_base)
            packet.dts += int(seconds / packet.time_base)
        return packet

    return change


def as_it_is(i: int, packet: av.Packet) -> av.Packet:
    return packet


def without_first(packets: int) -> Change:
    return lambda i, packet: packet if i >= packets else None


def twelve_at_the_time_of_eleven(i: int, packet: av.Packet) -> av.Packet:
    frame = Fraction(1, 25) / packet.time_base
    if packet.pts == 12 * frame:
        packet.pts = int(11 * frame)
    return packet


def edited(first: int, last: int = NUM_FRAMES - 1) -> Callable[[Path, Path], None]:
    """The edit list of an mp4 leaves only the frames `first` .. `last`."""

    def rewrite(source: Path, target: Path) -> None:
        data = bytearray(source.read_bytes())
        entry = data.index(b"elst") + 12  # after type, version and flags, and count
        media_time = struct.unpack_from(">i", data, entry + 4)[0]
        struct.pack_into(">Ii", data, entry, 40 * (last - first + 1), media_time + 512 * first)  # ms; 1/12800 s
        target.write_bytes(data)

    return rewrite


def counting(frames: int) -> Callable[[Path, Path], None]:
    """The headers of an AVI file, of the file and of the stream, count `frames` frames."""

    def rewrite(source: Path, target: Path) -> None:
        data = bytearray(source.read_bytes())
        struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, frames)
        struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, frames)
        target.write_bytes(data)

    return rewrite


def renamed_chunk(old: bytes, new: bytes) -> Callable[[Path, Path], None]:
    return lambda source, target: target.write_bytes(source.read_bytes().replace(old, new, 1))


def coloured(kind: bytes, matrix: int, full_range: bool = False) -> Callable[[Path, Path], None]:
    """The container, not the stream, says how colours are stored: in a box `colr` of an mp4, an element of Matroska."""
    colr = struct.pack(">I4s4sHHHBx", 20, b"colr", kind, 1, 1, matrix, full_range << 7)

    def rewrite(source: Path, target: Path) -> None:
        data = bytearray(source.read_bytes())
        start = data.index(b"btrt") - 4  # a box of the same length, which tells the bit rate
        data[start : start + len(colr)] = colr
        mp4 = target if target.suffix == ".mp4" else target.with_name(f"{target.name}.mp4")
        mp4.write_bytes(data)
        if mp4 != target:
            remuxed(as_it_is)(mp4, target)

    return rewrite


def latin1_titled(source: Path, target: Path) -> None:
    remuxed(as_it_is, title="caf@")(source, target)
    data = target.read_bytes()
    assert b"caf@" in data
    target.write_bytes(data.replace(b"caf@", "café".encode("latin-1")))


def twice(source: Path, target: Path) -> None:
    target.write_bytes(2 * source.read_bytes())


def followed_by_a_larger_picture(source: Path, target: Path) -> None:
    larger = target.with_name(f"larger_{target.name}")
    encode_kind(larger, Kind("libx264", {"g": "12"}), numbered_frames(NUM_FRAMES, 144, 192))
    target.write_bytes(source.read_bytes() + larger.read_bytes())


def followed_by_zeros(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes() + bytes(5000))


def packed(source: Path, target: Path) -> None:
    """B-frames as of DivX 5: a chunk holds a P-frame and the B-frame shown before it, the next chunk nothing."""
    with av.open(str(source)) as read:
        frames = [bytes(packet) for packet in read.demux(video=0) if packet.size]
    start_of_frame = b"\0\0\1\xb6"
    head, first = frames[0].split(start_of_frame, 1)
    head = head.split(b"\0\0\1\xb2")[0] + b"\0\0\1\xb2DivX503b1393p"  # p: packed
    frames[0] = head + start_of_frame + first
    chunks: list[bytes] = []
    for frame in frames:
        if frame[frame.index(start_of_frame) + 4] >> 6 == 2:  # a B-frame
            chunks[-1] += frame
            chunks.append(start_of_frame + bytes([0b01010000, 0b01011111]))  # "as the frame before"
        else:
            chunks.append(frame)
    with av.open(str(target), "w") as written:
        stream = written.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.codec_tag = 96, 72, "DX50"
        for i, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.pts = packet.dts = i
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 25), stream, i == 0
            written.mux(packet)


_ALL = list(range(NUM_FRAMES))
_REWRITTEN = {
    # Times: large, negative, none, doubled, running over the 33 bits of MPEG-TS
    "late.mp4": Rewritten("b_frames.mp4", remuxed(later_by(1000))),
    "late.mkv": Rewritten("b_frames.mp4", remuxed(later_by(80000))),
    "late.ts": Rewritten("b_frames.mp4", remuxed(later_by(8000))),
    "clock_runs_over.ts": Rewritten("b_frames.mp4", remuxed(later_by(2**33 // 90000 - 2), mpegts_copyts="1")),
    "early.mp4": Rewritten("b_frames.mp4", remuxed(later_by(Fraction(-5, 25)), avoid_negative_ts="disabled"), _ALL[5:]),
    "some_without_times.mkv": Rewritten(
        "b_frames.mp4", remuxed(later_by(Fraction(-5, 25)), avoid_negative_ts="disabled")
    ),
    "two_at_a_time.mp4": Rewritten("b_frames.mp4", remuxed(twelve_at_the_time_of_eleven)),
    "two_at_a_time.mkv": Rewritten("b_frames.mp4", remuxed(twelve_at_the_time_of_eleven)),
    "no_edit_list.mp4": Rewritten("b_frames.mp4", renamed_chunk(b"edts", b"free")),
    # Edit lists that begin within a group of frames, in a later group, and end early
    "edited_start.mp4": Rewritten("b_frames.mp4", edited(5), _ALL[5:]),
    "edited_groups.mp4": Rewritten("b_frames.mp4", edited(15), _ALL[15:]),
    "edited_end.mp4": Rewritten("b_frames.mp4", edited(0, 34), _ALL[:35]),
    "edited_both.mp4": Rewritten("b_frames.mp4", edited(15, 20), _ALL[15:21]),
    # Cut out of a longer file: they begin with frames that refer to a keyframe that is not there.
    "cut_out.mp4": Rewritten("b_frames.mp4", remuxed(without_first(7)), _ALL[12:]),
    "cut_out.mkv": Rewritten("b_frames.mp4", remuxed(without_first(7)), _ALL[12:]),
    "cut_out.ts": Rewritten("b_frames.mp4", remuxed(without_first(7)), _ALL[12:]),
    "cut_out_open.mkv": Rewritten("open_gops.mp4", remuxed(without_first(10)), _ALL[20:]),
    # AVI: headers that count too few and too many, dropped frames, no index, B-frames packed
    **{f"counts_{n}.avi": Rewritten("mpeg4_odd.avi", counting(n)) for n in (0, 10, 41, 100, 10**6)},
    "counts_10_b_frames.avi": Rewritten("no_times.avi", counting(10)),
    "counts_100_b_frames.avi": Rewritten("no_times.avi", counting(100)),
    "counts_100_h264.avi": Rewritten("wrong_times.avi", counting(100)),
    "five_dropped.avi": Rewritten("mpeg4_odd.avi", remuxed(later_by(Fraction(5, 25), 20))),
    "no_index.avi": Rewritten("mpeg4_odd.avi", renamed_chunk(b"idx1", b"JUNK")),
    "packed.avi": Rewritten("one_b_frame.avi", packed),
    # Matrix and range: BT.709, BT.2020, full range, and one of them unknown
    "in_box_bt709.mp4": Rewritten("b_frames.mp4", coloured(b"nclx", 1)),
    "in_box_full_range.mp4": Rewritten("b_frames.mp4", coloured(b"nclx", 2, full_range=True)),
    "in_box_bt2020_of_unknown_range.mp4": Rewritten("b_frames.mp4", coloured(b"nclc", 9)),
    "in_box_not_as_in_stream.mp4": Rewritten("hevc.mp4", coloured(b"nclx", 9, full_range=True)),
    "in_element_bt709_full_range.mkv": Rewritten("b_frames.mp4", coloured(b"nclx", 1, full_range=True)),
    # Titles of the file and of its stream that are not UTF-8
    **{f"latin1_title.{kind}": Rewritten("b_frames.mp4", latin1_titled) for kind in ("mp4", "mkv")},
    "latin1_title.avi": Rewritten("mpeg4_odd.avi", latin1_titled),
    # Names that tell nothing of the container
    "an_avi.mp4": Rewritten("mpeg4_odd.avi", shutil.copy),
    "a_webm.mp4": Rewritten("vp9_odd.webm", shutil.copy),
    "an_mp4.avi": Rewritten("b_frames.mp4", shutil.copy),
    "a_matroska.avi": Rewritten("b_frames.mkv", shutil.copy),
    "a_stream.mp4": Rewritten("b_frames.ts", shutil.copy),
    "raw_h264.mp4": Rewritten("no_container.h264", shutil.copy),
    "no_ending": Rewritten("b_frames.mp4", shutil.copy),
    # One after the other in one file
    "twice.ts": Rewritten("b_frames.ts", twice, 2 * _ALL),
    "twice.avi": Rewritten("mpeg4_odd.avi", twice, 2 * _ALL),
    "two_sizes.ts": Rewritten("b_frames.ts", followed_by_a_larger_picture, 2 * _ALL),
    "zeros_follow.mp4": Rewritten("b_frames.mp4", followed_by_zeros),
}
REWRITTEN = {name: rewritten for name, rewritten in _REWRITTEN.items() if rewritten.source in KINDS}


def overwritten(path: Path, packet: int, byte: int, target: Path) -> None:
    """`path` with the second half of a packet of its picture, in the order of the file, filled with `byte`."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        place, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][packet]
    data[place + size // 2 : place + size] = bytes([byte]) * (size - size // 2)
    target.write_bytes(data)
