"""Where the time of reading a clip goes, and how much of FFmpeg's own decoding rate arrives."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import torch
from torch.utils.data import default_collate

from studylib.video import reading
from studylib.video.reading import Timeline
from tests.bench.readers import LENGTH, SIZE, our_reader, random_clips, seconds

BATCH = 32


def decoder_rate(paths: list[Path]) -> float:
    """Frames/s of libavcodec through PyAV on whole files, nothing scaled; the first third of the videos."""
    frames, begun = 0, time.process_time()
    for path in paths[::3]:
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            frames += sum(1 for _ in container.decode(video=0))
    return frames / (time.process_time() - begun)


def ffmpeg_rate(paths: list[Path], folder: Path) -> float | None:
    """Frames/s of CPU time of the same files by the ffmpeg command, all in one call; None where it is not installed."""
    if not shutil.which("ffmpeg"):
        return None
    names = folder / "files.txt"
    names.write_text("".join(f"file '{path.resolve()}'\n" for path in paths[::3]))
    quiet = ["ffmpeg", "-hide_banner", "-benchmark", "-threads", "1"]
    source, sink = ["-f", "concat", "-safe", "0", "-i", str(names)], ["-fps_mode", "passthrough", "-f", "null", "-"]
    command = [*quiet, *source, "-map", "0:v:0", *sink]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    names.unlink()
    frames, spent = re.findall(r"frame= *(\d+)", told), re.findall(r"utime=([\d.]+)s stime=([\d.]+)s", told)
    return int(frames[-1]) / sum(map(float, spent[-1])) if frames and spent else None


def break_down(name: str, paths: list[Path], timelines: list[Timeline], rate: float, cli: float | None) -> dict:
    """Milliseconds of a random clip by step, and the share of FFmpeg's rate at which frames pass the decoder."""
    clips = random_clips(timelines, 0)
    spent = dict.fromkeys(("decoding", "scaling", "copying", "collating"), 0.0)
    out = np.empty((LENGTH, *SIZE, 3), np.uint8)
    passed = 0
    seconds(our_reader(paths, timelines), clips[:20])
    for i, start in clips:
        wanted, known = list(range(start, start + LENGTH)), timelines[i]
        marks = [time.process_time()]
        frames = [frame for number, frame in frames_of(paths[i], known, wanted) if number in wanted]
        marks.append(time.process_time())
        for frame in frames:
            scale(frame)
        marks.append(time.process_time())
        for frame, target in zip(frames, out, strict=True):
            reading._write(frame, target, 0)
        marks.append(time.process_time())
        decoded, scaled, written = np.diff(marks)
        spent["decoding"] += decoded
        spent["scaling"] += scaled
        spent["copying"] += written - scaled
        passed += frames_passed(known, wanted)
    batch = [torch.from_numpy(out.copy()) for _ in range(BATCH)]
    default_collate(batch)
    begun = time.process_time()
    for _ in range(10):
        default_collate(batch)
    spent["collating"] = len(clips) * (time.process_time() - begun) / (10 * BATCH)
    whole = seconds(our_reader(paths, timelines), clips)
    print(f"{name}: a clip takes {1e3 * whole / len(clips):.2f} ms and passes {passed / len(clips):.1f} frames; of it")
    for step, total in spent.items():
        print(f"  {step:10} {1e3 * total / len(clips):6.2f} ms" + (" (beside it)" if step == "collating" else ""))
    print(
        f"  frames/s through the decoder: {passed / whole:.0f}, while decoding alone {passed / spent['decoding']:.0f};"
    )
    print(f"  whole files: PyAV {rate:.0f} (share {passed / whole / rate:.2f})", end="")
    print(f", ffmpeg {cli:.0f} (share {passed / whole / cli:.2f})" if cli else ", no ffmpeg command found")
    steps = {f"{step}_ms": 1e3 * total / len(clips) for step, total in spent.items()}
    row = {"videos": name, "clip_ms": 1e3 * whole / len(clips), **steps, "frames_a_clip": passed / len(clips)}
    return row | {"frames_per_second": passed / whole, "whole_files": rate, "ffmpeg": cli}


def frames_of(path: Path, known: Timeline, wanted: list[int]) -> Iterable[tuple[int, av.VideoFrame]]:
    """Decoded frames as `reading` gets them first."""
    way = reading._from_packets if known.packets is not None else reading._from_container
    return way(path, known, wanted)


def scale(frame: av.VideoFrame) -> av.VideoFrame:
    """The scaling of `reading`, without the copy."""
    height, width = SIZE
    reformat = reading._thread.reformatter.reformat
    return reformat(frame, width, height, "gbrp", interpolation=reading.SCALING, threads=1)


def frames_passed(known: Timeline, wanted: list[int]) -> int:
    """Packets from the keyframe to the last frame wanted, in the order of decoding (some may be skipped unseen)."""
    keyframe = known.keyframes[np.searchsorted(known.keyframes, wanted[0], "right") - 1]
    if known.packets is None:
        return wanted[-1] - int(keyframe) + 1
    packet_of = np.argsort(known.packets.numbers)
    return int(packet_of[wanted].max() - packet_of[keyframe]) + 1
