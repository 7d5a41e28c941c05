"""The training step on a GPU: whether it is right, how fast it is, what it takes of memory, beside torchvision's.

    python -m tests.bench gpu --record   # on a machine with a GPU; at most eight minutes
    python -m tests.bench gpu --tiny     # what a CPU can do of it, on tiny clips, to try this script; never recorded

Steps of the trainer take turns with torchvision's under autocast, and with the matrix product whose rate is the peak
that shares are of. Of each as many as `STEPS` are given to the GPU before it is waited
for, as in training. Parts come in the order of their weight. What cannot be measured, and that for which no time is
left, is named with the reason, and the others go on.
"""

import argparse
import gc
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any
from unittest.mock import patch

import torch

from studylib.datasets.frame_cache import open_frames
from studylib.datasets.index import Index
from studylib.nets.precision import bf16_is_native
from studylib.training.devices import choose
from studylib.training.epoch import make_optimizer, train_step
from studylib.training.loading import Batch, Part, training_loader
from studylib.video.clips import scaled_size
from studylib.video.machine import available_cores
from tests.bench.child import Job
from tests.bench.multiply_adds import of_step
from tests.bench.processes import rate
from tests.bench.same_gradients import torchvisions
from tests.bench.stall import prepared_index
from tests.bench.steps import (
    MINI,
    NETS,
    PAPER,
    Geometry,
    Step,
    new_net,
    random_batch,
    ratios,
    spec_of,
    synchronise,
    take_turns,
    times,
)
from tests.bench.training_step import likeness, product, theirs

# torchvision's nets -> ours that compute the same, and ours that are timed beside them
SAME = {"torchvision r3d_18": "r3d", "torchvision mc3_18": "mc3", "torchvision r2plus1d_18": "r2plus1d_per_block"}
BESIDE = {"r3d": "torchvision r3d_18", "mc3": "torchvision mc3_18", "r2plus1d": "torchvision r2plus1d_18"}
EAGER = "eager"
WARM_UP = 5

Row = dict[str, Any]


class OutOfTime(BaseException):
    """The time for all of it is over: nothing on the way takes it for an error of its own."""


class NotMeasured(Exception):
    """Why a part, or one of its rows, is not there."""


@dataclass(frozen=True)
class Sizes:
    """How large everything is."""

    paper: Geometry
    small: Geometry
    long: Geometry
    long_depth: int
    products: tuple[int, ...]  # rows and columns of the matrices
    rounds: int
    steps: int  # of each in a round
    videos: int
    batches: int  # that are loaded


FULL = Sizes(
    replace(PAPER, batch_size=32),
    replace(MINI, threads=available_cores()),
    replace(PAPER, batch_size=32, clip_length=32),
    34,
    (4096, 8192, 16384),
    rounds=5,
    steps=10,
    videos=64,
    batches=60,
)
TINY_CLIPS = Geometry(resolution=28, width=4, batch_size=2, classes=5, threads=1)
TINY = Sizes(
    TINY_CLIPS, TINY_CLIPS, replace(TINY_CLIPS, clip_length=16), 18, (64, 128), rounds=1, steps=1, videos=16, batches=2
)


def main(arguments: Sequence[str] = ()) -> dict[str, list[Row]]:
    """Print the tables and return them; none of a CPU's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true", help="what a CPU can do, on tiny clips")
    parser.add_argument("--minutes", type=float, default=7.5, help="time for all of it (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not (options.tiny or torch.cuda.is_available()):
        print("not measured: it takes a machine with a GPU that torch can use (to try the script on a CPU: --tiny)")
        return {}
    bench = Bench(choose(), TINY if options.tiny else FULL, time.monotonic() + 60 * options.minutes)
    tables = bench.measure()
    return {} if options.tiny else tables


@dataclass
class Bench:
    """A run of this benchmark: what it has measured so far, and until when it may go on."""

    device: torch.device
    sizes: Sizes
    latest: float  # by time.monotonic
    tables: dict[str, list[Row]] = field(default_factory=dict)
    peak_size: int = 0  # of the matrices with the fastest product

    @property
    def on_gpu(self) -> bool:
        """Whether there is one."""
        return self.device.type == "cuda"

    @property
    def precision(self) -> str:
        """bf16 where the device has it."""
        return "bf16" if bf16_is_native(self.device) else "fp32"

    @property
    def name(self) -> str:
        """Of the device."""
        return torch.cuda.get_device_name(self.device) if self.on_gpu else "cpu"

    def parts(self) -> dict[str, tuple[float, Callable[[], None]]]:
        """Name of a part -> seconds that it may need, and the part."""
        at_paper = {f"{net} at the paper's size": (40, partial(self.steps_of, "paper", net)) for net in BESIDE}
        at_paper |= {
            f"{net} at the paper's size": (25, partial(self.steps_of, "paper", net)) for net in ("f_r2d", "r2d")
        }
        small = {f"{net} at the small size": (15, partial(self.steps_of, "small", net)) for net in NETS}
        compiled = {f"{peer} compiled": (75, partial(self.compiled, net)) for net, peer in BESIDE.items()}
        r3d = next(iter(compiled))
        return {
            "loss and gradients": (40, self.same),
            "matrix products": (15, self.products),
            **at_paper,
            **small,
            r3d: compiled[r3d],
            "r2plus1d-34 at 32 frames": (40, partial(self.steps_of, "long", "r2plus1d")),
            "loading": (40, self.loading),
            "side by side": (60, self.side_by_side),
            **compiled,
        }

    def measure(self) -> dict[str, list[Row]]:
        """All parts for which there is time."""
        for name, (seconds, part) in self.parts().items():
            print(f"-- {name}", flush=True)
            left = self.latest - time.monotonic()
            try:
                if left < seconds and self.on_gpu:
                    raise NotMeasured(f"{left:.0f} s are left, it may need {seconds:.0f}")
                with limit(left):
                    part()
            except (Exception, OutOfTime) as error:
                self.leave_out(name, error)
            gc.collect()
            if self.on_gpu:
                torch.cuda.empty_cache()
        return self.tables

    def leave_out(self, what: str, error: BaseException) -> None:
        """Name what is not measured."""
        reason = " ".join(str(error).split())[:300]
        if not isinstance(error, NotMeasured):
            reason = f"{type(error).__name__}: {reason}"
        print(f"{what}: not measured: {reason}", flush=True)
        self.tables.setdefault("not_measured", []).append({"what": what, "reason": reason})

    def add(self, table: str, **row: Any) -> None:
        """Keep and print a row."""
        row = {"device": self.name} | row
        self.tables.setdefault(table, []).append(row)
        told = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()}
        print("  ".join(f"{key} {value}" for key, value in told.items()), flush=True)

    def same(self) -> None:
        """Loss and gradients against torchvision's, in fp32 and in the precision of steps."""
        geometry = replace(self.sizes.paper, batch_size=min(8, self.sizes.paper.batch_size))
        for precision in dict.fromkeys(("fp32", self.precision)):
            for row in likeness(geometry, SAME, precision, self.device):
                self.tables.setdefault("same_gradients", []).append({"device": self.name} | row)

    def products(self) -> None:
        """The peak."""
        steps = {str(size): product(self.precision, size, self.device) for size in self.sizes.products}
        rates = {int(n): int(n) ** 3 / median(spent) for n, spent in take_turns(steps, 2 * self.sizes.rounds).items()}
        for size, found in rates.items():
            self.add("products", precision=self.precision, size=size, product_gmac_per_second=found / 1e9)
        self.peak_size = max(rates, key=rates.__getitem__)

    def steps_of(self, table: str, net: str) -> None:
        """A net's step, and torchvision's beside it where there is one."""
        geometry = getattr(self.sizes, table)
        ways = {(net, EAGER): partial(self.ours, net, geometry)}
        if table == "paper" and net in BESIDE:
            ways |= {
                (BESIDE[net], how): partial(self.peer, BESIDE[net], geometry, memory_format)
                for how, memory_format in (
                    (EAGER, torch.contiguous_format),
                    ("eager, channels last", torch.channels_last_3d),
                )
            }
        self.take_turns(table, geometry, ways)

    def compiled(self, net: str) -> None:
        """torchvision's net compiled beside ours."""
        if not self.on_gpu:
            raise NotMeasured("the benchmark options does it on a CPU")
        geometry = self.sizes.paper
        ways = {
            (net, EAGER): partial(self.ours, net, geometry),
            (BESIDE[net], "torch.compile"): partial(
                self.peer, BESIDE[net], geometry, torch.channels_last_3d, compiled=True
            ),
        }
        self.take_turns("compiled", geometry, ways)

    def take_turns(self, table: str, geometry: Geometry, ways: dict[tuple[str, str], Callable[[Batch], Step]]) -> None:
        """Rows of ways to take a step, each as (net, way) -> what gives the step on a batch."""
        batch = random_batch(geometry)
        if self.on_gpu:
            batch = batch._replace(**{k: getattr(batch, k).pin_memory() for k in ("clips", "windows", "labels")})
        steps: dict[tuple[str, str], Step] = {}
        memory: dict[tuple[str, str], float | None] = {}
        for (net, way), make in ways.items():
            try:
                with self.peak_memory() as taken:
                    step = times(self.sizes.steps, make(batch), self.device)
                    step()
                memory[net, way], steps[net, way] = taken.get("gb"), step
            except Exception as error:
                self.leave_out(f"{net} at {geometry}, {way}", error)
        size = self.peak_size or self.sizes.products[0]
        turns = {str(key): step for key, step in steps.items()}
        seconds = take_turns(turns | {"product": product(self.precision, size, self.device)}, self.sizes.rounds, 1)
        peak = size**3 / median(seconds["product"])
        theirs_fastest = min(
            (key for key in steps if key[0] in SAME), key=lambda key: median(seconds[str(key)]), default=None
        )
        for net, way in steps:
            spent = median(seconds[str((net, way))]) / self.sizes.steps
            depth = self.sizes.long_depth if geometry is self.sizes.long else 18
            counted, needed = (
                geometry.batch_size * n
                for n in of_step(spec_of(SAME.get(net, net), geometry, depth=depth), geometry.classes)
            )
            row = {"net": net, "way": way, "precision": self.precision, "depth": depth}
            row |= {k: getattr(geometry, k) for k in ("clip_length", "resolution", "width", "batch_size")}
            row |= {"step_s": spent, "clips_per_second": geometry.batch_size / spent}
            row |= {"counted_gmac_per_second": counted / spent / 1e9, "counted_share": counted / spent / peak}
            row |= {"needed_share": needed / spent / peak, "memory_gb": memory[net, way], "rounds": self.sizes.rounds}
            if theirs_fastest and net not in SAME:
                found = ratios(seconds[str((net, way))], seconds[str(theirs_fastest)])
                row["times_torchvision"] = median(found)
            self.add(table, **row)

    @contextmanager
    def peak_memory(self) -> Iterator[dict[str, float]]:
        """Within it a step is made and taken; afterwards, GB that the GPU's memory had to hold for it ("gb")."""
        taken: dict[str, float] = {}
        if not self.on_gpu:
            yield taken
            return
        gc.collect()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved(self.device)
        yield taken
        taken["gb"] = (torch.cuda.memory_reserved(self.device) - before) / 1e9

    def ours(self, net: str, geometry: Geometry, batch: Batch) -> Step:
        """The trainer's step on one batch, not waited for."""
        spec = spec_of(net, geometry, depth=self.sizes.long_depth if geometry is self.sizes.long else 18)
        own = new_net(spec, geometry, self.device)
        optimizer = make_optimizer(own, spec)
        take = partial(train_step, own, batch, optimizer, spec, self.precision, self.device)
        for _ in range(WARM_UP):
            take()
        self.forget_search()
        return take

    def peer(
        self, peer: str, geometry: Geometry, memory_format: torch.memory_format, batch: Batch, compiled: bool = False
    ) -> Step:
        """torchvision's step under autocast, with plain SGD as its reference script has it."""
        net = torchvisions(peer.split()[1], geometry.classes, 64 // geometry.width)
        if compiled:
            net.compile()
        take = theirs(net, batch, self.device, self.precision, memory_format)
        for _ in range(WARM_UP):
            take()
        self.forget_search()
        return take

    def forget_search(self) -> None:
        """Give back the memory that the search for the fastest kernels has taken."""
        synchronise(self.device)
        if self.on_gpu:
            torch.cuda.empty_cache()

    def loading(self) -> None:
        """Clips a second of the trainer's loader, alone and with R3D's small steps beside it."""
        cores = available_cores()
        with tempfile.TemporaryDirectory() as folder:
            index = prepared_index(Path(folder), self.sizes.videos)
            for source, readers in (("frame cache", 0), ("frame cache", cores), ("prepared videos", cores)):
                try:
                    self.add("loading", **self.loaded(index, source, readers))
                except Exception as error:
                    self.leave_out(f"loading from {source}, {readers} readers", error)

    def loaded(self, index: Index, source: str, readers: int) -> Row:
        """A row of `loading`."""
        geometry, count = self.sizes.small, self.sizes.batches
        spec = spec_of("r3d", geometry, clips_per_epoch=2 * (count + WARM_UP) * geometry.batch_size)
        spec = replace(spec, dataset=index.name)
        size = scaled_size(spec.resolution)
        cache = open_frames(index, size) if source == "frame cache" else None
        part = Part(index, "train", index.rows(1, "train"), size, "rgb", cache)
        with patch.dict(os.environ, STUDY_WORKERS=str(readers)):
            batches = iter(training_loader(part, spec)[0])
        row: Row = {"from": source, "readers": readers, "clips": str(geometry)}
        row["loader_clips_per_second"] = self.pace(batches, count, lambda batch: None)
        own = new_net(spec, geometry, self.device)
        optimizer = make_optimizer(own, spec)
        row["with_steps_clips_per_second"] = self.pace(
            batches, count, lambda batch: train_step(own, batch, optimizer, spec, self.precision, self.device)
        )
        return row

    def pace(self, batches: Iterator[Batch], count: int, take: Callable[[Batch], object]) -> float:
        """Clips a second of `take` on the next batches, after a few that do not count."""
        for _ in range(WARM_UP):
            take(next(batches))
        synchronise(self.device)
        begun = time.perf_counter()
        for _ in range(count):
            take(next(batches))
        synchronise(self.device)
        return count * self.sizes.small.batch_size / (time.perf_counter() - begun)

    def side_by_side(self) -> None:
        """Clips a second of several processes that share the GPU, all together."""
        if not self.on_gpu:
            raise NotMeasured("the benchmark processes does it on a CPU")
        alone = 0.0
        for count in (1, 2, 4):
            geometry = replace(self.sizes.small, threads=max(1, available_cores() // count))
            found = rate([Job("r3d", geometry, steps=100, warm_up=5)] * count)
            alone = alone or found
            self.add("side_by_side", net="r3d", clips=str(geometry), processes=count, together_clips_per_second=found,
                     times_one=found / alone)  # fmt: skip


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """OutOfTime within it after so many seconds, as soon as Python runs."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"{max(0, seconds):.0f} s were left for it")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
