"""What one process trains and tests with: data, network, optimiser, precision, and who else does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studylib.datasets.index import Index, load_index
from studylib.nets.build import build_net
from studylib.nets.precision import choose_precision
from studylib.training import devices
from studylib.training.distributed import Processes, replicate
from studylib.training.optimizer import make_optimizer
from studylib.training.parts import Part, open_parts
from studylib.training.provenance import describe, now
from studylib.training.recompute import recompute_blocks
from studylib.training.spec import RunSpec
from studylib.training.sync_bn import synchronise_bn
from studylib.video.faults import Faults

SECONDS_BETWEEN_LINES = 10  # that say how far an epoch or the test at the end is


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says where it stood and what to do."""


@dataclass(frozen=True, eq=False)
class Session:
    """One process's side of a run, from its start to its end."""

    run_folder: Path
    spec: RunSpec
    processes: Processes
    device: torch.device
    pin: bool  # memory of loaded clips, for copies to a GPU beside its work
    precision: str  # "bf16" or "fp32"
    index: Index
    training_part: Part | None  # None where nothing is trained
    test_part: Part
    net: nn.Module
    replica: nn.Module  # the net such that gradients are averaged over processes; the net itself where it is alone
    optimizer: torch.optim.SGD
    faults: Faults
    provenance: dict[str, Any]

    def say(self, line: str) -> None:
        """Print, once for all processes."""
        if self.processes.leads:
            print(line, flush=True)


def open_session(run_folder: Path, spec: RunSpec, processes: Processes, device: devices.Device) -> Session:
    """Data, a freshly initialised net and its optimiser. All processes call it together.

    Raises:
        DatasetError, SpecError, ValueError: name the dataset or the field, and say what to do.
    """
    index = load_index(spec.dataset)
    provenance = describe(index, device.torch) | {"processes": processes.count, "started": now()}
    training_part, test_part = open_parts(index, spec)
    torch.manual_seed(spec.seed)
    net = build_net(
        spec.net,
        spec.depth,
        len(index.classes),
        clip_length=spec.clip_length,
        in_channels=spec.in_channels,
        width=spec.width,
        resolution=spec.resolution,
        initialisation=spec.initialisation,
    )
    net = devices.prepare(net, device)
    clip_shape = (spec.in_channels, spec.clip_length, spec.resolution, spec.resolution)
    precision, reason = choose_precision(spec.amp, net, clip_shape, spec.batch_size, device.torch)
    if any(processes.largest([precision == "fp32"])) and precision != "fp32":
        precision, reason = "fp32", "fp32: bf16 is not right on the device of another process"
    provenance |= {"precision": precision, "precision_reason": reason}
    if spec.recompute:
        recompute_blocks(net)
    if spec.sync_bn and processes.count > 1:
        synchronise_bn(net)
    devices.compile_if_asked(net)
    session = Session(
        run_folder,
        spec,
        processes,
        device.torch,
        device.pin,
        precision,
        index,
        training_part,
        test_part,
        net,
        replicate(net, processes, device.torch),
        make_optimizer(net, spec, device.fused),
        Faults(),
        provenance,
    )
    with_others = f", {processes.count} processes" if processes.count > 1 else ""
    if "commit_reason" in provenance:
        session.say(f"the commit is recorded as unknown: {provenance['commit_reason']}")
    session.say(f"{spec.net}-{spec.depth} on {spec.dataset}, {provenance['device']}{with_others}; {reason}")
    return session
