"""Random 8-frame clips at 128x171 from real videos: clips/s of one process and one thread, ours beside other readers.

    STUDY_UCF101=FOLDER python -m tests.bench reading [--rounds 5] [--videos 197] [--keep FOLDER]

FOLDER holds `ucf101_subset/<class>/<video>.mp4`. Each reader opens a file anew for each clip, as a shuffled dataset
makes it do; ours knows the file's timeline, as an index keeps it. Readers take turns within a round, all on the same
clips, and a ratio is the median of the rounds' ratios. Then: prepared videos; the ten clips of a test; where our time
goes; and how much of FFmpeg's own decoding rate arrives. The other readers are no dependencies: those that are missing
are named. Seconds are the CPU time of the process with all its threads, which other processes disturb little; only the
training loader's are the clock's.
"""

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch

from studylib.datasets.index import write_index
from studylib.datasets.preparing import FORMAT, transcode
from studylib.training.loading import Part, training_loader
from studylib.training.spec import RunSpec
from studylib.video.clips import starts_for_test
from studylib.video.reading import Timeline, VideoInfo, read_clips, scan
from tests.bench.readers import LENGTH, SIZE, Reader, optional, our_reader, peers, random_clips, seconds
from tests.bench.reading_steps import break_down, decoder_rate, ffmpeg_rate
from tests.video_folders import REAL_VIDEOS, SHARED

LOADED = 2400  # clips
TEST_CLIPS = 10

Tables = dict[str, list[dict[str, Any]]]  # rows by the name of a table


def main(arguments: Sequence[str] = ()) -> Tables:
    """Print the tables and return them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--videos", type=int, default=10**6, help="take so many, evenly spaced")
    parser.add_argument("--keep", type=Path, help="folder to keep the prepared videos in, and to take them from")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = REAL_VIDEOS
    if not found:
        print(f"no videos in {SHARED / 'ucf101_subset'}; set STUDY_UCF101")
        return {}
    paths = found[:: max(1, len(found) // options.videos)]
    begun = time.process_time()
    timelines = [scan(path) for path in paths]
    looking = 1e3 * (time.process_time() - begun) / len(paths)
    frames = sum(known.info.num_frames for known in timelines)
    print(f"{len(paths)} videos, {frames} frames; looking through one for its timeline: {looking:.1f} ms")

    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        prepared = prepare(paths, folder)
        readers = {
            "ours": our_reader(paths, timelines),
            **peers(paths, timelines),
            "ours, prepared videos": our_reader(prepared, [scan(path) for path in prepared]),
        }
        tables = {"clips": compare(f"random {LENGTH}-frame clips", readers, timelines, options.rounds)}
        tables["tests"] = compare_tests(paths, timelines, options.rounds)
        tables["steps"] = []
        for name, files in (("originals", paths), ("prepared", prepared)):
            rate = decoder_rate(files)
            cli = ffmpeg_rate(files, Path(folder))
            tables["steps"].append(break_down(name, files, [scan(path) for path in files], rate, cli))
        tables["loader"] = [
            loader_rate(name, files, Path(folder)) for name, files in (("originals", paths), ("prepared", prepared))
        ]
    return tables


def prepare(paths: list[Path], folder: Path) -> list[Path]:
    """The prepared form of the videos, made where it is not there yet; prints what it costs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / path.with_suffix(".mp4").name for path in paths]
    missing = [pair for pair in zip(paths, files, strict=True) if not pair[1].exists()]
    begun, frames = time.process_time(), 0
    for path, file in missing:
        frames += transcode(path, file).info.num_frames
    seconds = time.process_time() - begun
    size = sum(file.stat().st_size for file in files) / sum(path.stat().st_size for path in paths)
    rate = f", {frames / seconds:.0f} frames/s to prepare and check" if missing else ""
    print(f"prepared as {FORMAT}: {size:.2f} of the originals' bytes{rate}")
    return files


def compare(title: str, readers: dict[str, Reader], timelines: list[Timeline], rounds: int) -> list[dict]:
    """Clips/s and ms of each reader, and how many times ours takes that; median of the rounds after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in readers}
    for seed in range(-1, rounds):
        clips = random_clips(timelines, seed % 2**32)
        for name, read in readers.items():
            spent = seconds(read, clips[: 20 if seed < 0 else None])
            if seed >= 0:
                times[name].append(spent / len(clips))
    rows = show(title, "clips", times)
    best = {
        name: spent for name, spent in times.items() if name in ("torchcodec, its Resize", "torchcodec, interpolate")
    }
    if best:
        name = min(best, key=lambda one: median(best[one]))
        for other in ("ours", "ours, prepared videos"):
            ratios = [b / a for a, b in zip(times[other], times[name], strict=True)]
            print(f"{other}: {median(ratios):.2f} times the rate of {name} on the originals")
    return rows


def show(title: str, unit: str, times: dict[str, list[float]]) -> list[dict]:
    """A table of seconds by reader and round; the first reader is the measure of the others."""
    first, rows = next(iter(times.values())), []
    print(f"{title:32} {unit + '/s':>9} {'ms':>8}   rate, first = 1 (lowest to highest round)")
    for name, spent in times.items():
        ratios = sorted(a / b for a, b in zip(first, spent, strict=True))
        typical = median(spent)
        spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"  {name:30} {1 / typical:9.1f} {1e3 * typical:8.2f}   {median(ratios):.2f} {spread}")
        row = {"reader": name, "per": unit, "rate": 1 / typical, "ms": 1e3 * typical, "ratio": median(ratios)}
        rows.append(row | {"lowest": ratios[0], "highest": ratios[-1], "rounds": len(ratios)})
    return rows


def compare_tests(paths: list[Path], timelines: list[Timeline], rounds: int) -> list[dict]:
    """The ten evenly spaced clips of a video's test: in one pass, one by one, and by torchcodec's list of frames."""
    rng = np.random.default_rng(0)
    starts = [
        [int(s) for s in starts_for_test("uniform", known.info.num_frames, LENGTH, TEST_CLIPS, rng)]
        for known in timelines
    ]
    videos = [(i,) for i in range(0, len(paths), 4)]
    readers: dict[str, Callable[[int], object]] = {
        "one pass": lambda i: read_clips(paths[i], starts[i], LENGTH, SIZE, timelines[i]),
        "ten passes": lambda i: [read_clips(paths[i], [s], LENGTH, SIZE, timelines[i]) for s in starts[i]],
    }
    if codec := optional("torchcodec.decoders", "torchcodec"):
        resize = importlib.import_module("torchcodec.transforms").Resize(SIZE)

        def listed(i: int) -> torch.Tensor:
            decoder = codec.VideoDecoder(paths[i], seek_mode="exact", num_ffmpeg_threads=1, transforms=[resize])
            return decoder.get_frames_at([s + t for s in starts[i] for t in range(LENGTH)]).data

        readers["torchcodec, get_frames_at"] = listed
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            times[name].append(seconds(read, videos) / len(videos))
    return show(f"{TEST_CLIPS} clips of a video, originals", "videos", times)


def columns_of(paths: list[Path]) -> dict[str, Any]:
    """The columns of an index of videos that are all of one class and for training."""
    known = [scan(path) for path in paths]
    return {
        "path": [path.name for path in paths],
        "label": [0] * len(paths),
        **{field: [getattr(k.info, field) for k in known] for field in VideoInfo.__dataclass_fields__},
        "split1": ["train"] * len(paths),
        "timeline": pa.array([k.to_bytes() for k in known], pa.large_binary()),
    }


def loader_rate(name: str, paths: list[Path], folder: Path) -> dict:
    """Clips/s by the clock of the training loader, a worker on every core: drawn, read, collated and handed over."""
    columns = columns_of(paths)
    links = folder / f"{name}-links"
    links.mkdir(exist_ok=True)
    for path in paths:
        if not (links / path.name).exists():
            (links / path.name).symlink_to(path.resolve())
    index = write_index(f"ucf101-{name}", links, ["any"], columns, {}, folder)
    spec = RunSpec(experiment="bench", net="r2plus1d", dataset=index.name, clips_per_epoch=LOADED)
    loader, _ = training_loader(Part(index, "train", index.rows(1, "train"), SIZE, "rgb", None), spec)
    batches = iter(loader)
    next(batches)  # the workers have started
    begun = time.perf_counter()
    clips = sum(len(batch.labels) for batch in batches)
    rate = clips / (time.perf_counter() - begun)
    workers = loader.num_workers
    print(f"{name}: the training loader gives {rate:.0f} clips/s with {workers} workers, {rate / workers:.0f} a worker")
    return {"videos": name, "workers": workers, "clips_per_second": rate, "a_worker": rate / workers}
