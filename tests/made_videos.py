"""Small videos made for the tests, whose frames show their number: one of each codec and container; and a full disk."""

import os
import platform
import resource
from collections.abc import Iterator
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
    """The file `name` of KINDS, made in `folder` if it is not there."""
    if not (folder / name).exists():
        encode_kind(folder / name, KINDS[name], numbered_frames(NUM_FRAMES, *KINDS[name].size))
    return folder / name


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


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """The kernel refuses to write a file beyond `size` bytes: a write error as on a full disk, for any user."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
