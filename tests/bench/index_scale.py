"""What an index costs from a thousand to ten million videos: `python -m tests.bench index_scale [--most ROWS]`.

A synthetic index in the form of Sports-1M (five minutes a video, several labels) is written, and loaded in a process
of its own, which then draws training clips, alone and in four loader workers; nothing is decoded. Memory is what
belongs to a process alone (private pages): the mapped table is shared by all. Times are the clock's, on an idle
machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from studylib.datasets.index import load_index, write_index
from studylib.training.loading import EpochBatches, Part, TrainingClips
from studylib.training.spec import RunSpec
from studylib.video.reading import Timeline, VideoInfo

SPORTS1M = 1_133_158
NAME, CLASSES, FRAMES, DRAWS, WORKERS = "sports1m-synthetic", 487, 7500, 4000, 4
SPEC = RunSpec(experiment="bench", net="r2plus1d", dataset=NAME, clips_per_epoch=DRAWS)


def main(arguments: Sequence[str] = ()) -> dict[str, list[dict]]:
    """Print the table and return it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=10**7, help="rows of the largest index (default: %(default)s)")
    most = parser.parse_args(arguments).most
    rows = []
    for count in (n for n in (10**3, 10**4, 10**5, 10**6, SPORTS1M, 10**7) if n <= most):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            write(count, Path(folder))
            row = {"rows": count, "write_s": time.perf_counter() - begun}
            row["file_mb"] = (Path(folder) / NAME / "index.arrow").stat().st_size / 1e6
            command = [sys.executable, "-m", "tests.bench.index_scale", folder]
            row |= json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        rows.append(row)
        print(
            "  ".join(
                f"{key} {value:,.1f}" if isinstance(value, float) else f"{key} {value:,}" for key, value in row.items()
            )
        )
    return {"scale": rows}


def write(count: int, data_root: Path) -> None:
    """A synthetic index of `count` videos."""
    rng = np.random.default_rng(0)
    times, keyframes = np.arange(FRAMES, dtype=np.int64) * 512, np.arange(0, FRAMES, 125, dtype=np.int64)
    kept = Timeline(VideoInfo(FRAMES, 25.0, 320, 240), 10**7, 0, times, keyframes).to_bytes()
    label = rng.integers(0, CLASSES, count, np.int32)
    several = pa.ListArray.from_arrays(np.arange(0, 2 * count + 1, 2, np.int32), np.repeat(label, 2))
    columns = {
        "path": pa.array([f"videos/{i % 1000:03d}/{i:011d}.mp4" for i in range(count)]),
        "label": label,
        "labels": several,
        "num_frames": np.full(count, FRAMES, np.int32),
        "fps": np.full(count, 25.0, np.float32),
        "width": np.full(count, 320, np.int32),
        "height": np.full(count, 240, np.int32),
        "split1": pa.array(np.where(rng.random(count) < 0.8, "train", "test")),
        "timeline": pa.array([kept] * count, pa.large_binary()),
    }
    write_index(NAME, data_root, [f"class {i}" for i in range(CLASSES)], columns, {}, data_root)


class Draws(TrainingClips):
    """The draw of a clip and the way to its frames, without decoding; gives the worker's own memory in MB."""

    def __getitem__(self, key: tuple[int, int, int]) -> float:
        self.draw(*key)
        self.part.index.video(int(self.part.rows[key[2]]))
        return private_mb() if key[1] >= DRAWS - 2 * WORKERS else 0.0


def measure(data_root: Path) -> dict[str, float]:
    """In a process of its own: seconds to load, MB that loading adds, us a draw, MB that a worker adds."""
    from torch.utils.data import DataLoader

    before = private_mb()
    begun = time.perf_counter()
    index = load_index(NAME, data_root)
    loaded = time.perf_counter() - begun
    part = Part(index, "train", index.rows(1, "train"), (128, 171), "rgb", None)
    part.num_frames, part.labels  # noqa: B018 - made when first asked for
    keys = EpochBatches(SPEC, len(part.rows))
    clips = Draws(part, SPEC)
    ready = private_mb()
    all_keys = [key for batch in keys for key in batch]  # the first one orders the videos
    with_order = private_mb()
    begun = time.perf_counter()
    for key in all_keys[: DRAWS // 2]:
        clips[key]
    drawn = (time.perf_counter() - begun) / (DRAWS // 2)
    # fresh workers, before anything else of the table is touched in them
    loader = DataLoader(clips, batch_sampler=keys, num_workers=WORKERS, collate_fn=list)
    worker = max(mb for batch in loader for mb in batch)
    return {
        "load_s": loaded,
        "load_mb": ready - before,
        "order_mb": with_order - ready,
        "worker_mb": worker,
        "draw_us": 1e6 * drawn,
    }


def private_mb() -> float:
    """MB of memory that this process shares with no other."""
    text = Path(f"/proc/{os.getpid()}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) / 1e3


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
