"""Milliseconds of a forward pass of each of the twelve networks: `python -m tests.bench latency [--rounds 20]`.

One clip of 8 x 112 x 112, in fp32, in the mode of testing, on all cores. All twelve take turns in one process, so that
whatever else the machine does meets them alike; the median of the rounds counts.
"""

import argparse
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch

from studylib.nets.build import build_net
from studylib.nets.complexity import count
from studylib.nets.table import NETS
from tests.bench.steps import PAPER, Geometry, Step, take_turns, threads


def main(arguments: Sequence[str] = (), geometry: Geometry = PAPER) -> dict[str, list[dict[str, Any]]]:
    """Print the table and return it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args(arguments).rounds
    shape = (3, geometry.clip_length, geometry.resolution, geometry.resolution)
    nets = {name: build_net(name, num_classes=geometry.classes, width=geometry.width).eval() for name in NETS}
    with threads(geometry.threads):
        seconds = take_turns({name: forward(net, torch.rand(1, *shape)) for name, net in nets.items()}, rounds)
    rows = []
    for name, spent in seconds.items():
        gmacs = count(nets[name], shape).flops / 1e9
        rows.append({"net": name, "gmacs": gmacs, "pass_s": median(spent), "gmac_per_second": gmacs / median(spent)})
        rows[-1] |= {"threads": geometry.threads, "rounds": rounds}
        print(f"{name:10} {gmacs:6.2f} GMAC {1e3 * median(spent):8.1f} ms", flush=True)
    return {"latency": rows}


def forward(net: torch.nn.Module, clip: torch.Tensor) -> Step:
    """One forward pass without gradients."""

    def step() -> None:
        with torch.inference_mode():
            net(clip)

    return step
