"""What was tried to make a training step faster, and what it gives: R3D and R(2+1)D, against the trainer's own way.

    python -m tests.bench options [--rounds 5] [--geometry paper mini] [--compile-minutes 10]

Options within a process take turns. Kept freed memory and `torch.compile` are of a whole process: with and without run
in processes one after the other. A ratio above 1 is faster than the trainer's way; of each, the median of the rounds.
"""

import argparse
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from studylib.nets.build import Conv3d
from studylib.training.devices import choose
from studylib.training.epoch import make_optimizer, recompute_blocks
from tests.bench.child import job, run
from tests.bench.steps import (
    GEOMETRIES,
    Geometry,
    Step,
    new_net,
    random_batch,
    ratios,
    spec_of,
    step_of,
    take_turns,
    threads,
)

NETS = ("r3d", "r2plus1d")
OURS = "the trainer's way"


class TimePaddedBefore(Conv3d):
    """How `Conv3d` was before: zeros are put around time, and multiplied."""

    def forward(self, x: Tensor) -> Tensor:
        t, h, w = self.padding
        if t and torch.is_autocast_enabled("cpu"):
            return F.conv3d(F.pad(x, (0, 0, 0, 0, t, t)), self.weight, self.bias, self.stride, (0, h, w))
        return super().forward(x)


def main(arguments: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Print the tables and return them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--geometry", nargs="+", choices=GEOMETRIES, default=list(GEOMETRIES))
    parser.add_argument("--compile-minutes", type=float, default=10, help="how long to wait for a compiled net")
    options = parser.parse_args(arguments)
    device, rows = choose(), []
    for name in options.geometry:
        geometry = GEOMETRIES[name]
        for net in NETS:
            with threads(geometry.threads):
                seconds = take_turns(ways(net, geometry, device), options.rounds)
            for option, spent in seconds.items():
                if option != OURS:
                    rows.append(_row(name, net, option, ratios(spent, seconds[OURS])))
            rows.append(kept_memory(name, net, options.rounds))
            rows.append(compiled(name, net, 60 * options.compile_minutes))
            torch.compiler.reset()
    return {"options": rows}


def ways(net: str, geometry: Geometry, device: torch.device) -> dict[str, Step]:
    """The trainer's step and the others, each with a net of its own."""
    spec, batch, steps = spec_of(net, geometry), random_batch(geometry), {}

    def add(option: str, change=lambda own: None, precision: str = "bf16", **how: bool) -> None:
        own = new_net(spec, geometry, device)
        change(own)
        optimizer = make_optimizer(own, spec)
        if how:
            groups = [{"params": g["params"], "weight_decay": g["weight_decay"]} for g in optimizer.param_groups]
            optimizer = torch.optim.SGD(groups, lr=spec.lr, momentum=0.9, nesterov=True, **how)
        steps[option] = step_of(own, spec, batch, device, precision, optimizer)

    add(OURS)
    add("time padded beforehand", pad_time_before)
    add("default memory format", lambda own: own.to(memory_format=torch.contiguous_format))
    add("fp32", precision="fp32")
    add("SGD tensor by tensor", foreach=False, fused=False)
    add("SGD in groups (foreach)", foreach=True)
    add("blocks recomputed", recompute_blocks)
    return steps


def pad_time_before(net: torch.nn.Module) -> None:
    """Let every convolution pad time beforehand."""
    for layer in net.modules():
        if type(layer) is Conv3d:
            layer.__class__ = TimePaddedBefore


def kept_memory(name: str, net: str, rounds: int) -> dict[str, Any]:
    """What is lost when freed memory goes back to the system."""
    found = []
    for _ in range(max(2, rounds // 2)):
        kept, given_back = (median(run(job(net, name, keep_memory=keep))[0].seconds) for keep in (True, False))
        found.append(kept / given_back)
    return _row(name, net, "freed memory given back", sorted(found))


def compiled(name: str, net: str, timeout: float) -> dict[str, Any]:
    """torch.compile, if it is done in time; the reason where it is not."""
    try:
        (own,) = run(job(net, name, compiled=True), timeout=timeout)
    except (RuntimeError, TimeoutError) as error:
        return _row(name, net, "torch.compile", [], f"no result: {' '.join(str(error).split())[:160]}")
    (plain,) = run(job(net, name))
    found = ratios(own.seconds, [median(plain.seconds)] * len(own.seconds))
    return _row(name, net, "torch.compile", found, f"first step {own.first_s:.0f} s")


def _row(geometry: str, net: str, option: str, found: list[float], note: str = "") -> dict[str, Any]:
    row = {"clips": str(GEOMETRIES[geometry]), "network": net, "option": option}
    ratio = ""
    if found:
        row |= {"times_as_fast": median(found), "lowest": found[0], "highest": found[-1], "rounds": len(found)}
        ratio = f"{median(found):.3f} ({found[0]:.3f} to {found[-1]:.3f})"
    print(f"{row['clips']} {net:9} {option:26} {ratio} {note}", flush=True)
    return row | {"note": note}
