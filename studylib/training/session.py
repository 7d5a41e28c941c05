"""What one process trains and tests with, and how far it is: data, network, optimiser, precision, progress."""

from dataclasses import asdict, dataclass, field, fields
from math import cos, pi
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studylib.datasets.index import load_index
from studylib.nets.build import build_net
from studylib.nets.precision import choose_precision
from studylib.training.devices import Processes, prepare, replicate, synchronise_bn
from studylib.training.loading import open_parts
from studylib.training.memory import recompute_blocks
from studylib.training.provenance import describe, now
from studylib.training.spec import RunSpec
from studylib.video.faults import Faults
from studylib.video.machine import switched_on

MOMENTUM = 0.9  # Nesterov, VMZ
SECONDS_BETWEEN_LINES = 10  # that say how far an epoch or the test at the end is


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says where it stood and what to do."""


class Session:
    """One process's side of a run, from its start to its end: data, a freshly initialised net and its optimiser."""

    def __init__(self, run_folder: Path, spec: RunSpec, processes: Processes, device: torch.device) -> None:
        """All processes call it together.

        Raises:
            DatasetError, SpecError, ValueError: name the dataset or the field, and say what to do.
        """
        self.run_folder, self.spec, self.processes, self.device = run_folder, spec, processes, device
        self.faults = Faults()  # videos that turn out to be broken
        self.index = load_index(spec.dataset)
        self.provenance = describe(self.index, device) | {"processes": processes.count, "started": now()}
        self.training_part, self.test_part = open_parts(self.index, spec)  # the first is None where nothing is trained
        torch.manual_seed(spec.seed)
        net = build_net(
            spec.net,
            spec.depth,
            len(self.index.classes),
            clip_length=spec.clip_length,
            in_channels=spec.in_channels,
            width=spec.width,
            resolution=spec.resolution,
            initialisation=spec.initialisation,
        )
        self.net = prepare(net, device)
        clip_shape = (spec.in_channels, spec.clip_length, spec.resolution, spec.resolution)
        precision, reason = choose_precision(spec.amp, net, clip_shape, spec.batch_size, device)
        if any(processes.largest([precision == "fp32"])) and precision != "fp32":
            precision, reason = "fp32", "fp32: bf16 is not right on the device of another process"
        self.precision = precision  # "bf16" or "fp32"
        self.provenance |= {"precision": precision, "precision_reason": reason}
        if spec.recompute:
            recompute_blocks(net)
        if spec.sync_bn and processes.count > 1:
            synchronise_bn(net)
        if switched_on("STUDY_COMPILE"):
            net.compile()  # in place; names of its state stay as they were
        self.replica = replicate(net, processes, device)  # its backward pass averages over the processes
        self.optimizer = make_optimizer(net, spec)
        if "commit_reason" in self.provenance:
            self.say(f"the commit is recorded as unknown: {self.provenance['commit_reason']}")
        with_others = f", {processes.count} processes" if processes.count > 1 else ""
        self.say(f"{spec.net}-{spec.depth} on {spec.dataset}, {self.provenance['device']}{with_others}; {reason}")

    def say(self, line: str) -> None:
        """Print, once for all processes."""
        if self.processes.leads:
            print(line, flush=True)


def learning_rate(spec: RunSpec, progress: float) -> float:
    """The learning rate at `progress` epochs (a step in mid-epoch has a fraction).

    "step": divided by 10 every `lr_step` epochs (section 4.1); "cosine": to 0 at the end. Both after a linear warm-up.
    """
    if progress < spec.warmup_epochs:
        return spec.lr * progress / spec.warmup_epochs
    if spec.lr_schedule == "step":
        return spec.lr * 0.1 ** (int(progress) // spec.lr_step)
    share = (progress - spec.warmup_epochs) / (spec.epochs - spec.warmup_epochs)
    return spec.lr * 0.5 * (1 + cos(pi * share))


def make_optimizer(net: nn.Module, spec: RunSpec, fused: bool = True) -> torch.optim.SGD:
    """SGD with Nesterov momentum, in one kernel where `fused`; weight decay on convolution, FC and BN scale, not on BN
    shift and FC bias."""
    weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in net.named_parameters() if not name.endswith("weight")]
    groups = [{"params": weights, "weight_decay": spec.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=spec.lr, momentum=MOMENTUM, nesterov=True, fused=fused)


@dataclass
class Progress:
    """Where a training stands: what a checkpoint holds beside weights. An epoch ends when it has been tested, too."""

    history: list[dict[str, float]] = field(default_factory=list)  # a row an epoch that ended, see run_files.HISTORY
    position: int = 0  # clips of the present epoch that all processes have trained on
    steps: int = 0  # of the optimiser, since the start
    lr: float = 0.0  # of the last one, over all processes
    loss_sum: float = 0.0  # over this process's clips of the present epoch
    wrong: int = 0  # of them
    epoch_seconds: float = 0.0  # of training, of the present epoch
    epoch_waited: float = 0.0  # of those, for data
    seconds: float = 0.0  # of training in the epochs that ended, over all sessions
    best_error: float = float("inf")  # percent, test_error of the best epoch so far
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The present epoch, from 0."""
        return len(self.history)

    def end_epoch(self, row: dict[str, float]) -> bool:
        """Note the row of the epoch that ended; whether it is the best one so far."""
        self.history.append(row)
        self.seconds += self.epoch_seconds
        self.position, self.loss_sum, self.wrong, self.epoch_seconds, self.epoch_waited = 0, 0.0, 0, 0.0, 0.0
        best = row["test_error"] < self.best_error
        self.best_error = min(self.best_error, row["test_error"])
        return best

    def state(self, processes: Processes) -> dict[str, Any]:
        """What a checkpoint holds, at the leading process; each process's own sums, so that going on adds the same
        numbers in the same order. All processes call it together."""
        sums = processes.gather((self.loss_sum, self.wrong))
        return asdict(self) | {"loss_sum": [own for own, _ in sums], "wrong": [own for _, own in sums]}

    @classmethod
    def of_state(cls, saved: dict[str, Any], processes: Processes) -> "Progress":
        """From a checkpoint; where the number of processes changed, the leading one takes all of their sums."""
        progress = cls(**{f.name: saved[f.name] for f in fields(cls)})
        for name in ("loss_sum", "wrong"):
            own = saved[name]
            if len(own) == processes.count:
                setattr(progress, name, own[processes.rank])
            else:
                setattr(progress, name, sum(own) if processes.leads else type(own[0])(0))
        return progress
