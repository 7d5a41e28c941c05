"""What the benchmarks of training have in common: sizes, one step of ours as the trainer takes it, and turns taken."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from studylib.nets.build import build_net
from studylib.nets.precision import choose_precision
from studylib.training import devices
from studylib.training.devices import prepare
from studylib.training.epoch import make_optimizer, train_step
from studylib.training.loading import Batch
from studylib.training.spec import RunSpec
from studylib.video.machine import available_cores

Step = Callable[[], object]


@dataclass(frozen=True)
class Geometry:
    """Sizes of a training step, and the threads it runs with."""

    resolution: int
    width: int
    batch_size: int
    classes: int
    threads: int
    clip_length: int = 8

    def __str__(self) -> str:
        return f"{self.clip_length} x {self.resolution} x {self.resolution}"


PAPER = Geometry(112, 64, 8, 400, available_cores())  # Table 2's, but for the batch of 32
MINI = Geometry(56, 16, 16, 16, 1)  # of the plan "mini", which trains two runs side by side
GEOMETRIES = {"paper": PAPER, "mini": MINI}
NETS = ("r3d", "mc3", "r2plus1d", "f_r2d", "r2d", "rmc3")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of torch within it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_without_kept_memory() -> torch.device:
    """`devices.choose`, but freed memory goes back to the system as in any process: that cannot be undone later."""
    keep, devices.keep_freed_memory = devices.keep_freed_memory, lambda: False
    try:
        return devices.choose()
    finally:
        devices.keep_freed_memory = keep


def spec_of(net: str, geometry: Geometry, **changes: object) -> RunSpec:
    """The settings of a run that takes such steps."""
    sizes = {name: getattr(geometry, name) for name in ("resolution", "width", "batch_size", "clip_length")}
    return RunSpec(experiment="bench", dataset="pantomime", net=net, **sizes | changes)


def random_batch(geometry: Geometry) -> Batch:
    """Clips of noise, already cut to the crop, with any labels."""
    generator = torch.Generator().manual_seed(0)
    b, crop = geometry.batch_size, geometry.resolution
    clips = torch.randint(0, 256, (b, geometry.clip_length, crop, crop, 3), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, geometry.classes, (b,), generator=generator)
    return Batch(clips, torch.zeros(b, 3, dtype=torch.int64), labels, labels[:, None], [])


def new_net(spec: RunSpec, geometry: Geometry, device: torch.device) -> nn.Module:
    """The net of `spec` as the trainer has it, with the same weights every time."""
    torch.manual_seed(0)
    sizes = {"clip_length": spec.clip_length, "width": spec.width, "resolution": spec.resolution}
    return prepare(build_net(spec.net, spec.depth, geometry.classes, **sizes), device).train()


def precision_of(net: nn.Module, spec: RunSpec, device: torch.device) -> str:
    """ "bf16" where it is native and right, as in the trainer; prints why."""
    shape = (spec.in_channels, spec.clip_length, spec.resolution, spec.resolution)
    precision, reason = choose_precision(spec.amp, net, shape, spec.batch_size, device)
    print(f"{spec.net}: {reason}", flush=True)
    return precision


def step_of(
    net: nn.Module,
    spec: RunSpec,
    batch: Batch,
    device: torch.device,
    precision: str,
    optimizer: torch.optim.SGD | None = None,
) -> Step:
    """One training step, the trainer's own, on the same batch each time."""
    optimizer = optimizer or make_optimizer(net, spec)

    def step() -> None:
        train_step(net, batch, optimizer, spec, precision, device)
        synchronise(device)

    return step


def times(count: int, step: Step, device: torch.device) -> Step:
    """So many of a step one after the other, to their end: a GPU is given the next before it has done the last."""

    def steps() -> None:
        for _ in range(count):
            step()
        synchronise(device)

    return steps


def synchronise(device: torch.device) -> None:
    """Wait for what a GPU has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def take_turns(steps: Mapping[str, Step], rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Seconds of each step in each round; within a round every one has its turn."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(-warm_up, rounds):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            if number >= 0:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratios(of: list[float], to: list[float]) -> list[float]:
    """How many times faster `of` is than `to`, in each round, sorted."""
    return sorted(b / a for a, b in zip(of, to, strict=True))
