"""Small videos made for the tests, whose frames show their number: of each codec and container, and odd ones."""

import os
import platform
import resource
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation

NUM_FRAMES = 40
os.environ.setdefault("SVT_LOG", "1")  # the encoder of AV1 tells its settings otherwise


def numbered_frames(num_frames: int = NUM_FRAMES, height: int = 72, width: int = 96) -> np.ndarray:
    """(T, H, W, 3): frame i shows the bits of i as six black or white columns, and a moving texture."""
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (width, height))
    frames = np.stack([np.roll(texture, 3 * i, axis=1) for i in range(num_frames)])
    column = width // 6
    for i in range(num_frames):
        for bit in range(6):
            frames[i, : height // 3, bit * column : (bit + 1) * column] = 255 * (i >> bit & 1)
    return frames


def number_shown(frame: np.ndarray) -> int:
    height, width = frame.shape[:2]
    return sum(int(frame[height // 6, (2 * bit + 1) * width // 12].mean() > 127) << bit for bit in range(6))


class Kind(NamedTuple):
    """How a file is encoded. `turned`: degrees counter-clockwise that bring the stored frames upright."""

    codec: str
    options: dict[str, str] = {}  # noqa: RUF012
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (72, 96)  # height, width, upright
    turned: int = 0
    times: list[int] | None = None  # milliseconds
    format: str | None = None
    tag: str | None = None
    container_options: dict[str, str] = {}  # noqa: RUF012


ODD = (71, 97)
B_FRAMES = {"g": "12", "bf": "3"}
OPEN_GOPS = {"x264-params": "open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0"}
HEVC = {
    "preset": "ultrafast",
    "x265-params": "log-level=none:pools=none:frame-threads=1:keyint=12:bframes=3:open-gop=0",
}
HEVC_OPEN = HEVC | {"x265-params": HEVC["x265-params"].replace("open-gop=0", "open-gop=1")}
AV1 = {"preset": "10", "svtav1-params": "lp=1:keyint=12"}
VPX = {"g": "12", "deadline": "realtime", "cpu-used": "8"}
HIDDEN = {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "5", "b": "200k"}
JPEG = {"qmin": "2", "qmax": "5"}
UNEVEN = [40 * i + 7 * (i % 3) + 500 * (i // 20) for i in range(NUM_FRAMES)]

_KINDS = {
    # H.264: B-frames, sparse and odd keyframes, kinds of colour, containers with and without times
    "b_frames.mp4": Kind("libx264", B_FRAMES),
    "one_keyframe.mp4": Kind("libx264", {"g": "250", "bf": "3"}),
    "tiny_gops.mp4": Kind("libx264", {"g": "2", "bf": "1"}),
    "open_gops.mp4": Kind("libx264", OPEN_GOPS),
    "open_gops.mkv": Kind("libx264", OPEN_GOPS),
    "open_gops.ts": Kind("libx264", OPEN_GOPS),
    "intra_refresh.mp4": Kind("libx264", {"x264-params": "intra-refresh=1:keyint=15:bframes=0"}),
    "interlaced.mp4": Kind("libx264", {"x264-params": "interlaced=1:keyint=12"}),
    "uneven.mp4": Kind("libx264", B_FRAMES, times=UNEVEN),
    "uneven.mkv": Kind("libx264", B_FRAMES, times=UNEVEN),
    "fragments.mp4": Kind("libx264", B_FRAMES, container_options={"movflags": "frag_keyframe+empty_moov"}),
    "table_first.mp4": Kind("libx264", B_FRAMES, container_options={"movflags": "faststart"}),
    "b_frames.mkv": Kind("libx264", B_FRAMES),
    "b_frames.mov": Kind("libx264", B_FRAMES),
    "b_frames.ts": Kind("libx264", B_FRAMES),
    "b_frames.flv": Kind("libx264", B_FRAMES),
    "wrong_times.avi": Kind("libx264", B_FRAMES),
    "no_container.h264": Kind("libx264", B_FRAMES),
    "grey_odd.mp4": Kind("libx264", B_FRAMES, "gray", ODD),
    "full_colour_odd.mp4": Kind("libx264", B_FRAMES, "yuv444p", ODD),
    "full_range.mp4": Kind("libx264", B_FRAMES, "yuvj420p"),
    "ten_bits.mp4": Kind("libx264", B_FRAMES, "yuv420p10le"),
    "turned_90.mp4": Kind("libx264", B_FRAMES, turned=90),
    "turned_180.mp4": Kind("libx264", B_FRAMES, turned=180),
    "turned_270.mp4": Kind("libx264", B_FRAMES, turned=270),
    "turned_90.mkv": Kind("libx264", B_FRAMES, turned=90),
    # HEVC, AV1, VP9, VP8
    "hevc.mp4": Kind("libx265", HEVC),
    "hevc_open_gops.mp4": Kind("libx265", HEVC_OPEN),
    "hevc_open_gops.mkv": Kind("libx265", HEVC_OPEN),
    "hevc.ts": Kind("libx265", HEVC),
    "hevc_ten_bits.mp4": Kind("libx265", HEVC, "yuv420p10le"),
    "hevc_turned_270.mp4": Kind("libx265", HEVC, turned=270),
    "av1.mp4": Kind("libsvtav1", AV1),
    "av1_odd.webm": Kind("libsvtav1", AV1, size=ODD),
    "av1_ten_bits.mkv": Kind("libsvtav1", AV1, "yuv420p10le"),
    "vp9_odd.webm": Kind("libvpx-vp9", VPX, size=ODD),
    "vp9_hidden_frames.webm": Kind("libvpx-vp9", HIDDEN),
    "vp9_hidden_frames.mp4": Kind("libvpx-vp9", HIDDEN),
    "vp8_odd.webm": Kind("libvpx", VPX, size=ODD),
    "vp8_hidden_frames.webm": Kind("libvpx", HIDDEN | {"deadline": "realtime"}),
    # MPEG-4 part 2 as of Xvid and DivX, and older
    "mpeg4_odd.avi": Kind("mpeg4", {"g": "12"}, size=ODD),
    "no_times.avi": Kind("mpeg4", {"g": "12", "bf": "2"}),
    "one_b_frame.avi": Kind("mpeg4", {"g": "12", "bf": "1"}),
    "xvid.avi": Kind("mpeg4", {"g": "12", "bf": "2", "flags": "+mv4+qpel"}, tag="XVID"),
    "mpeg4.mp4": Kind("mpeg4", {"g": "12", "bf": "2"}),
    "mpeg4.mkv": Kind("mpeg4", {"g": "12", "bf": "2"}),
    "msmpeg4.avi": Kind("msmpeg4", {"g": "12"}),
    "wmv2.wmv": Kind("wmv2", {"g": "12"}),
    "h263.3gp": Kind("h263", {"g": "12"}, size=(144, 176)),
    "mpeg2.mpg": Kind("mpeg2video", {"g": "12", "bf": "2"}, format="vob"),
    "mpeg2.ts": Kind("mpeg2video", {"g": "12", "bf": "2"}),
    "mpeg1.mpg": Kind("mpeg1video", {"g": "12", "bf": "2"}),
    # Every frame by itself
    "mjpeg_odd.avi": Kind("mjpeg", JPEG, "yuvj420p", ODD),
    "mjpeg.mov": Kind("mjpeg", JPEG, "yuvj420p"),
    "ffv1_odd.mkv": Kind("ffv1", size=ODD),
    "huffyuv.avi": Kind("huffyuv", pix_fmt="rgb24"),
    "palette.gif": Kind("gif", pix_fmt="rgb8"),
    "prores.mov": Kind("prores_ks", pix_fmt="yuv422p10le"),
}


def _has_encoder(codec: str) -> bool:
    try:
        return av.Codec(codec, "w").type == "video"
    except av.codec.codec.UnknownCodecError:
        return False


KINDS = {name: kind for name, kind in _KINDS.items() if _has_encoder(kind.codec)}


def make(name: str, folder: Path) -> Path:
    """The file `name` of KINDS or REWRITTEN, made in `folder` if it is not there."""
    path = folder / name
    if name in REWRITTEN and not path.exists():
        REWRITTEN[name].rewrite(make(REWRITTEN[name].source, folder), path)
    elif not path.exists():
        encode_kind(path, KINDS[name], numbered_frames(NUM_FRAMES, *KINDS[name].size))
    return path


def encode_kind(path: Path, kind: Kind, frames: np.ndarray) -> None:
    """Write upright RGB `frames` (T, H, W, 3) to `path`."""
    options = {"threads": "1", **kind.options}
    # x264's AVX-512 code gives other bytes from call to call; every x86-64 machine that runs NumPy has SSE4.2.
    if kind.codec == "libx264" and platform.machine().lower() in ("x86_64", "amd64"):
        options["x264-params"] = ":".join(filter(None, [options.get("x264-params"), "asm=sse4.2"]))
    frames = np.rot90(frames, -kind.turned // 90, axes=(1, 2))
    with av.open(str(path), "w", format=kind.format, options=kind.container_options) as container:
        stream = container.add_stream(kind.codec, rate=1000 if kind.times else 25, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = kind.pix_fmt
        if kind.tag:
            stream.codec_tag = kind.tag
        if kind.turned:
            stream.set_display_rotation(kind.turned)
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            if kind.times:
                frame.pts, frame.time_base = kind.times[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def decode_from_start(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Every frame in order, upright, with nothing of ours but the way of scaling, which comes before the turning."""
    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    frames = []
    with av.open(str(path), metadata_errors="replace") as container:
        for frame in container.decode(video=0):
            turns = frame.rotation // 90 % 4  # counter-clockwise
            height, width = size[::-1] if turns % 2 else size
            scaled = frame.reformat(width=width, height=height, format="rgb24", interpolation=exact).to_ndarray()
            frames.append(np.rot90(scaled, turns))
    return np.stack(frames)


def decode_by_opencv(path: Path) -> list[np.ndarray]:
    """Every frame in order, RGB (H, W, 3), upright and in its own size, as OpenCV gives it."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1][..., ::-1])
    capture.release()
    return frames


# Videos whose frames are whole and whose container is odd: made from the good ones by moving packets and bytes.

Change = Callable[[int, av.Packet], av.Packet | None]


class Rewritten(NamedTuple):
    """`rewrite(source, target)` makes the file of the one of KINDS; it shows the numbers `shown`."""

    source: str
    rewrite: Callable[[Path, Path], None]
    shown: list[int] = list(range(NUM_FRAMES))  # noqa: RUF012


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


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """The kernel refuses to write a file beyond `size` bytes: a write error as on a full disk, for any user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
