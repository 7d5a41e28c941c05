"""The share of a training step in which it waits for its clips, which the trainer reports as data_wait.

    python -m tests.bench stall [--steps 30] [--geometry paper mini] [--keep FOLDER]

Steps of the trainer on clips from its own loader: from a warm frame cache, and decoded from prepared videos by as many
loader processes as the trainer starts. Beside it the same step on one batch over and over, without a loader: loader
processes also take processor time from the step. Videos are UCF101's where they are at hand (`STUDY_UCF101`), else
Pantomime's.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from studylib.datasets import pantomime
from studylib.datasets.frame_cache import open_frames
from studylib.datasets.index import Index, write_index
from studylib.training.devices import choose
from studylib.training.epoch import make_optimizer, train_step
from studylib.training.loading import Part, training_loader
from studylib.video.clips import scaled_size
from tests.bench.reading import columns_of, prepare
from tests.bench.steps import GEOMETRIES, new_net, precision_of, spec_of, step_of, threads
from tests.video_folders import REAL_VIDEOS

NETS = ("r2d", "r3d", "r2plus1d")  # R2D is by far the fastest of the twelve: it would wait first
WARM_UP = 3  # steps: the loader's processes start, and hand out what they made meanwhile


def main(arguments: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Print the table and return it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--videos", type=int, default=64)
    parser.add_argument("--geometry", nargs="+", choices=GEOMETRIES, default=list(GEOMETRIES))
    parser.add_argument("--keep", type=Path, help="folder to keep the prepared videos in, and to take them from")
    options = parser.parse_args(arguments)
    device, rows = choose(), []
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        index = prepared_index(folder, options.videos)
        for name in options.geometry:
            for net in NETS:
                for from_cache in (True, False):
                    with threads(GEOMETRIES[name].threads):
                        rows.append(waiting(name, net, index, from_cache, options.steps, device))
    return {"stall": rows}


def prepared_index(folder: Path, videos: int) -> Index:
    """An index of prepared videos below `folder`, made where they are not there yet."""
    originals = REAL_VIDEOS[:: max(1, len(REAL_VIDEOS) // videos)]
    if not originals:
        pantomime.make("pantomime-stall", videos, 16, data_root=folder)
        originals = sorted((folder / "pantomime-stall").rglob("*.mp4"))
    files = prepare(originals, folder / "prepared")
    return write_index("ucf101-stall", folder / "prepared", ["any"], columns_of(files), {}, folder)


def waiting(name: str, net: str, index: Index, from_cache: bool, steps: int, device: torch.device) -> dict[str, Any]:
    """The row of a net at a geometry with clips from the cache or from files."""
    geometry = GEOMETRIES[name]
    clips = (steps + WARM_UP) * geometry.batch_size
    spec = replace(spec_of(net, geometry, clips_per_epoch=clips), dataset=index.name)
    size = scaled_size(spec.resolution)
    cache = open_frames(index, size) if from_cache else None
    if cache is not None:
        cache.frames.sum(dtype="u8")  # every page is in memory
    part = Part(index, "train", index.rows(1, "train"), size, "rgb", cache)
    own = new_net(spec, geometry, device)
    precision = precision_of(own, spec, device)
    optimizer = make_optimizer(own, spec)
    loader, _ = training_loader(part, spec)
    handed_out, waited, whole = iter(loader), [], []
    for _ in range(steps + WARM_UP):
        begun = time.perf_counter()
        batch = next(handed_out)
        arrived = time.perf_counter()
        train_step(own, batch, optimizer, spec, precision, device)
        waited.append(arrived - begun)
        whole.append(time.perf_counter() - begun)
    step = step_of(own, spec, batch, device, precision, optimizer)
    del handed_out  # its processes end
    alone = []
    for _ in range(max(3, steps // 3)):
        begun = time.perf_counter()
        step()
        alone.append(time.perf_counter() - begun)
    row = {"clips": str(geometry), "network": net, "from": "frame cache" if from_cache else "prepared videos"}
    row |= {
        "loader_processes": loader.num_workers,
        "step_s": median(whole[WARM_UP:]),
        "without_loader_s": median(alone),
    }
    row |= {"waiting_share": sum(waited[WARM_UP:]) / sum(whole[WARM_UP:]), "steps": steps}
    print(
        f"{geometry} {net:9} {row['from']:16} {row['step_s']:.3f} s a step, waits {row['waiting_share']:.2%} of it; "
        f"{row['without_loader_s']:.3f} s without loader",
        flush=True,
    )
    return row
