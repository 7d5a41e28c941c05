"""What the settings of prepared videos cost and give: bytes, likeness, clips/s and encoded frames/s of one core.

    STUDY_UCF101=FOLDER python -m tests.bench preparing [--every 8]

For each setting every 8th of the real videos is scaled and encoded as H.264 without B-frames, then random 8-frame clips
are read through `read_clips` with timelines at hand. Bytes are files' (one mp4 a video) and relative to the originals;
the PSNR is that of the RGB frames at 128x171 that a run reads against those that it reads from the originals: of all
pixels, and of the worst video. Seconds are CPU time of the process. Encoding is scaling and x264 without decoding the
original.
"""

import argparse
import io
import math
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import Interpolation, VideoReformatter

from studylib.datasets.preparing import FORMAT, transcode
from studylib.video.reading import Timeline, read_clips, scan
from tests.video_folders import REAL_VIDEOS, SHARED, read_video

LENGTH, SIZE = 8, (128, 171)
CLIPS_A_VIDEO, ROUNDS = 4, 3
SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class Setting(NamedTuple):
    """One way to encode: 4:2:0 needs an even width, 4:4:4 stores the very pixels that are read."""

    gop: int = 12
    crf: int = 18
    preset: str = "veryfast"
    tune: str = "psnr,fastdecode"  # fastdecode: no deblocking, CAVLC; psnr: bits where the squares are
    pixels: str = "yuv444p"

    @property
    def width(self) -> int:
        """Pixels stored."""
        return SIZE[1] if self.pixels == "yuv444p" else SIZE[1] + SIZE[1] % 2


SETTINGS = (
    *(Setting(gop=gop) for gop in (1, 4, 8, 12, 16, 32)),
    *(Setting(crf=crf) for crf in (12, 16, 20, 23)),
    Setting(preset="medium"),
    Setting(crf=20, preset="medium"),
    Setting(tune="fastdecode"),
    Setting(tune="psnr"),
    Setting(tune=""),
    Setting(crf=16, tune="", pixels="yuv420p"),
    Setting(crf=16, tune="fastdecode", pixels="yuv420p"),
    Setting(crf=18, pixels="yuv420p"),
    Setting(crf=0, pixels="yuv420p"),
)


def main(arguments: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Print the table and return it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=8, help="take every so manieth video")
    every = parser.parse_args(arguments).every
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    originals = REAL_VIDEOS[::every]
    if not originals:
        print(f"no videos in {SHARED / 'ucf101_subset'}; set STUDY_UCF101")
        return {}
    references = [read_video(path, SIZE) for path in originals]
    decoded = {path: decode(path) for path in originals}
    bytes_before, frames = sum(path.stat().st_size for path in originals), sum(map(len, references))
    print(f"{len(originals)} videos, {frames} frames, {bytes_before / frames:.0f} bytes a frame")
    print("pixels   gop crf preset   tune             bytes/frame  of orig.  PSNR  worst  clips/s    ms  encoded/s")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for setting in SETTINGS:
            files = [Path(folder) / f"{number}.mp4" for number in range(len(originals))]
            begun = time.process_time()
            for path, file in zip(originals, files, strict=True):
                file.write_bytes(encode(*decoded[path], setting))
            encoding = time.process_time() - begun
            timelines = [scan(file) for file in files]
            errors = [error(read_video(file, SIZE), frames) for file, frames in zip(files, references, strict=True)]
            mean = np.average(errors, weights=[len(frames) for frames in references])
            size, spent = sum(file.stat().st_size for file in files), seconds_a_clip(files, timelines)
            told = f"{setting.pixels:8} {setting.gop:3} {setting.crf:3} {setting.preset:8} {setting.tune:15}"
            likeness = f"{decibel(mean):6.2f} {decibel(max(errors)):6.2f}"
            rates = f"{1 / spent:8.0f} {1e3 * spent:5.2f} {frames / encoding:10.0f}"
            print(f"{told} {size / frames:12.0f} {size / bytes_before:9.2f} {likeness} {rates}", flush=True)
            row = {"bytes_a_frame": size / frames, "of_originals": size / bytes_before, "psnr": decibel(mean)}
            row |= {"worst_psnr": decibel(max(errors)), "clips_per_second": 1 / spent}
            row |= {"encoded_per_second": frames / encoding, "prepared_per_second": None}
            if setting._asdict() == FORMAT:
                row["prepared_per_second"] = frames / preparing(originals, Path(folder))
                print(f"  this one is used: {row['prepared_per_second']:.0f} frames/s from original to checked file")
            rows.append(setting._asdict() | row)
    return {"settings": rows}


def preparing(originals: list[Path], folder: Path) -> float:
    """Seconds of preparing the videos as the study does: decoded, scaled, encoded and compared with the originals."""
    begun = time.process_time()
    for path in originals:
        transcode(path, folder / "made.mp4")
    return time.process_time() - begun


def decode(path: Path) -> tuple[list[av.VideoFrame], float]:
    """All frames as they are stored, and the frames per second."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return list(container.decode(stream)), stream.average_rate


def encode(frames: list[av.VideoFrame], rate: float, setting: Setting) -> bytes:
    """The prepared video; the frames are scaled in their own colours, without a detour over RGB."""
    options = {"g": setting.gop, "bf": 0, "sc_threshold": 0, "crf": setting.crf, "preset": setting.preset, "threads": 1}
    options |= {"tune": setting.tune} if setting.tune else {}
    options |= {"x264-params": "asm=sse4.2"} if platform.machine().lower() in ("x86_64", "amd64") else {}
    reformatter, buffer = VideoReformatter(), io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={k: str(v) for k, v in options.items()})
        stream.height, stream.width, stream.pix_fmt = SIZE[0], setting.width, setting.pixels
        for number, frame in enumerate(frames):
            scaled = reformatter.reformat(
                frame, setting.width, SIZE[0], setting.pixels, interpolation=SCALING, threads=1
            )
            scaled.pts, scaled.time_base, scaled.pict_type = number, 1 / rate, 0
            container.mux(stream.encode(scaled))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def seconds_a_clip(files: list[Path], timelines: list[Timeline]) -> float:
    """CPU time of `read_clips` for random clips of all files, the best of a few rounds over the same clips."""
    rng, times = np.random.default_rng(0), []
    clips = [
        (file, [int(rng.integers(known.info.num_frames - LENGTH + 1))], LENGTH, SIZE, known)
        for _ in range(CLIPS_A_VIDEO)
        for file, known in zip(files, timelines, strict=True)
    ]
    for _ in range(ROUNDS):
        begun = time.process_time()
        for clip in clips:
            read_clips(*clip)
        times.append(time.process_time() - begun)
    return min(times) / len(clips)


def error(one: np.ndarray, other: np.ndarray) -> float:
    """Mean square of the difference of two videos, uint8 (N, H, W, 3)."""
    return float(np.mean([np.square(a.astype(np.float32) - b).mean() for a, b in zip(one, other, strict=True)]))


def decibel(mean_square: float) -> float:
    """PSNR of 8-bit values."""
    return 10 * math.log10(255**2 / max(mean_square, 1e-9))
