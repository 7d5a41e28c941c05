"""Where the time of a training step goes, by kind of operator.

    python -m tests.bench profile [--steps 5] [--geometry paper mini]

torch's own profiler, on the trainer's step; what is not within an operator is Python between them and counts as other.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from studylib.training import epoch
from studylib.training.devices import choose
from tests.bench.steps import GEOMETRIES, NETS, Step, new_net, precision_of, random_batch, spec_of, step_of, threads

INPUT = "input preparation"
# Kind -> what the outermost operators that belong to it have in their names; the first that fits counts.
KINDS = {
    "input_preparation": (INPUT,),
    "optimiser": ("Optimizer.",),
    "convolution_backward": ("ConvolutionBackward",),
    "convolution_forward": ("aten::conv2d", "aten::conv3d"),
    "bn": ("batch_norm", "BatchNormBackward"),
    "relu": ("relu", "ReluBackward", "ThresholdBackward"),
    "pooling_fc_loss": ("pool", "MeanBackward", "linear", "Addmm", "cross_entropy", "NllLoss", "Softmax"),
    "additions": ("aten::add", "AddBackward"),
    # weights in bf16 and frames as channels, there and back; gradients that become those of parameters
    "copies_and_casts": (
        "aten::to", "ToCopyBackward", "cat", "Cat", "stack", "Stack", "unbind", "Unbind", "chunk", "Split",
        "contiguous", "Clone", "select", "Select", "AccumulateGrad",
    ),
}  # fmt: skip


def main(arguments: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Print the tables and return them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--geometry", nargs="+", choices=GEOMETRIES, default=list(GEOMETRIES))
    options = parser.parse_args(arguments)
    device = choose()
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in options.geometry:
        geometry, rows = GEOMETRIES[name], []
        with threads(geometry.threads):
            for net in NETS:
                spec = spec_of(net, geometry)
                own = new_net(spec, geometry, device)
                step = step_of(own, spec, random_batch(geometry), device, precision_of(own, spec, device))
                rows.append({"net": net, **shares(step, options.steps)})
                told = "  ".join(f"{k[:-6]} {v:.1%}" for k, v in rows[-1].items() if k.endswith("_share"))
                print(f"{net} at {geometry}: {rows[-1]['step_s']:.3f} s a step: {told}", flush=True)
        tables[name] = rows
    return tables


def shares(step: Step, steps: int) -> dict[str, float]:
    """Seconds of a step and, by kind, the share of it."""
    for _ in range(2):
        step()
    with marked_input(), profile(activities=[ProfilerActivity.CPU]) as profiler:
        begun = time.perf_counter()
        for _ in range(steps):
            step()
        spent = time.perf_counter() - begun
    totals = dict.fromkeys([*KINDS, "other"], 0.0)
    for event in profiler.events():
        if event.cpu_parent is None:
            totals[kind_of(event)] += event.cpu_time_total / 1e6
    totals["other"] += spent - sum(totals.values())
    return {"step_s": spent / steps} | {f"{kind}_share": total / spent for kind, total in totals.items()}


@contextmanager
def marked_input() -> Iterator[None]:
    """What prepares the input is one event of its own."""
    to_input = epoch.to_input

    def marked(*arguments: object) -> torch.Tensor:
        with record_function(INPUT):
            return to_input(*arguments)

    with patch.object(epoch, "to_input", marked):
        yield


def kind_of(event: FunctionEvent) -> str:
    """The kind of an outermost event."""
    return next((kind for kind, parts in KINDS.items() if any(part in event.name for part in parts)), "other")
