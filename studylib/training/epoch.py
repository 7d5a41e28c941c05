"""From a batch to its gradient: what a process trains with, a training step, an epoch, and the quick test after it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from functools import cache, partial
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader

from studylib.datasets.index import load_index
from studylib.nets.build import BasicBlock, build_net
from studylib.nets.precision import autocast, choose_precision
from studylib.nets.weights import bn_eps
from studylib.training.checkpoint import checkpoint_folder, save_checkpoint
from studylib.training.devices import Processes, Stopped, asked, prepare, replicate
from studylib.training.loading import Batch, EpochBatches, open_parts
from studylib.training.run_files import Faults, now, of_code
from studylib.training.spec import RunSpec, recorded_hash
from studylib.video.flow import FLOW_MEAN, FLOW_STD
from studylib.video.machine import number, switched_on

MOMENTUM = 0.9  # Nesterov, VMZ
SECONDS_BETWEEN_LINES = 10  # that say how far an epoch or the test at the end is
RGB_MEAN = (0.43216, 0.394666, 0.37645)  # VMZ's, of frames in [0, 1]
RGB_STD = (0.22803, 0.22145, 0.216989)
DROPOUT = 6  # stream of its random numbers, beside those of `loading`


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says where it stood and what to do."""


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

    @property
    def epoch(self) -> int:
        """The present epoch, from 0."""
        return len(self.history)

    def end_epoch(self, row: dict[str, float]) -> None:
        """Note the row of the epoch that ended."""
        self.history.append(row)
        self.seconds += self.epoch_seconds
        self.position, self.loss_sum, self.wrong, self.epoch_seconds, self.epoch_waited = 0, 0.0, 0, 0.0, 0.0

    @classmethod
    def of_state(cls, saved: dict[str, Any], processes: Processes) -> "Progress":
        """From a checkpoint; where the number of processes changed, the leading one takes all of their sums."""
        progress = cls(**{f.name: saved[f.name] for f in fields(cls)})
        for name in ("loss_sum", "wrong"):
            sums = saved[name]
            own = sum(sums) if processes.leads else type(sums[0])(0)
            setattr(progress, name, sums[processes.rank] if len(sums) == processes.count else own)
        return progress


class Session:
    """One process's side of a run: data, a new net with its optimiser, and where its training stands."""

    def __init__(self, run_folder: Path, spec: RunSpec, processes: Processes, device: torch.device) -> None:
        """All processes call it together. Errors: DatasetError, ValueError: name the dataset or the field."""
        if spec.sync_bn and processes.count > 1 and device.type != "cuda":
            raise ValueError("sync_bn: works between GPUs alone; set it to false")
        takes = "a number of minutes from 0 (a checkpoint every step) on"
        self.seconds_between_saves = 60 * number("STUDY_CHECKPOINT_MINUTES", takes, 15.0, kind=float)
        self.run_folder, self.spec, self.processes, self.device = run_folder, spec, processes, device
        self.checkpoints = checkpoint_folder(recorded_hash(run_folder))
        self.progress = Progress()
        self.faults = Faults()  # videos that turn out to be broken
        self.index = load_index(spec.dataset)
        dataset = {"name": spec.dataset, "manifest_hash": self.index.manifest_hash, "videos": len(self.index.table)}
        self.provenance = of_code() | {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "threads": torch.get_num_threads(),
            "dataset": dataset,
            "processes": processes.count,
            "started": now(),
        }
        self.training_part, self.test_part = open_parts(self.index, spec)  # the first is None where nothing is trained
        torch.manual_seed(spec.seed)
        net = build_net(**spec.network(len(self.index.classes)), initialisation=spec.initialisation)
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
            nn.SyncBatchNorm.convert_sync_batchnorm(net)
        if switched_on("STUDY_COMPILE"):
            net.compile()  # in place; names of its state stay as they were
        self.replica = replicate(net, processes, device)  # its backward pass averages over the processes
        self.optimizer = make_optimizer(net, spec)
        if "commit_reason" in self.provenance:
            self.say(f"the commit is recorded as unknown: {self.provenance['commit_reason']}")
        several = f", {processes.count} processes" if processes.count > 1 else ""
        self.say(f"{spec.net}-{spec.depth} on {spec.dataset}, {self.provenance['device']}{several}; {reason}")

    def say(self, line: str) -> None:
        """Print, once for all processes."""
        if self.processes.leads:
            print(line, flush=True)

    def save(self) -> None:
        """Write a checkpoint; all processes call it together. Errors: TooManyFaults: of all processes together."""
        progress = self.progress
        gathered = self.processes.gather((progress.loss_sum, progress.wrong, self.faults.rows()))
        if self.processes.leads:
            # each process's own sums, so that going on adds the same numbers in the same order
            loss_sums, wrong, found = map(list, zip(*gathered, strict=True))
            faults = Faults(row for rows in found for row in rows)
            faults.require_few("train", len(self.training_part.rows))
            faults.write(self.run_folder)
            state = asdict(progress) | {
                "loss_sum": loss_sums,
                "wrong": wrong,
                "provenance": self.provenance,
                "net": self.net.state_dict(),
                "bn_eps": bn_eps(self.net),
                "optimizer": self.optimizer.state_dict(),
                "faults": faults.rows(),
            }
            clips = progress.epoch * self.spec.clips_per_epoch + progress.position
            save_checkpoint(self.checkpoints, clips, state)
        self.processes.largest([0])  # none ends while the leading one writes: torchrun would end that, too


def learning_rate(spec: RunSpec, progress: float) -> float:
    """The learning rate at `progress` epochs (a step in mid-epoch has a fraction). "step": divided by 10 every
    `lr_step` epochs (section 4.1); "cosine": to 0 at the end. Both after a linear warm-up."""
    if progress < spec.warmup_epochs:
        return spec.lr * progress / spec.warmup_epochs
    if spec.lr_schedule == "step":
        return spec.lr * 0.1 ** (int(progress) // spec.lr_step)
    share = (progress - spec.warmup_epochs) / (spec.epochs - spec.warmup_epochs)
    return spec.lr * 0.5 * (1 + cos(pi * share))


def make_optimizer(net: nn.Module, spec: RunSpec) -> torch.optim.SGD:
    """SGD with Nesterov momentum; weight decay on convolution, FC and BN scale, not on BN shift and FC bias."""
    weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in net.named_parameters() if not name.endswith("weight")]
    groups = [{"params": weights, "weight_decay": spec.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=spec.lr, momentum=MOMENTUM, nesterov=True, fused=True)


def train_step(
    net: nn.Module,
    batch: Batch,
    optimizer: torch.optim.SGD,
    spec: RunSpec,
    precision: str,
    device: torch.device,
    weight: float | None = None,
) -> tuple[Tensor, Tensor]:
    """One step on a batch; each clip's loss (B,) and scores (B, K), detached. `weight` is that of a clip's loss in
    the sum that is minimised, by default one over the batch, for the mean."""
    labels = batch.labels.to(device, non_blocking=True)
    scores = scores_of(net, batch.clips, batch.windows, spec, precision, device)
    losses = F.cross_entropy(scores.float(), labels, reduction="none")
    optimizer.zero_grad(set_to_none=True)
    (losses.sum() * (1 / len(labels) if weight is None else weight)).backward()
    optimizer.step()
    return losses.detach(), scores.detach()


def scores_of(
    net: nn.Module, clips: Tensor, windows: Tensor, spec: RunSpec, precision: str, device: torch.device
) -> Tensor:
    """(B, K) of clips (B, T, H, W, C) cut by windows (B, 3), see `to_input`."""
    x = to_input(clips, windows, spec, device)
    with autocast(device, precision):
        return net(x)


def to_input(clips: Tensor, windows: Tensor, spec: RunSpec, device: torch.device) -> Tensor:
    """Crop, flip and normalise clips (B, T, H, W, C) of uint8 RGB, or of float16 flow in pixels a frame, by windows
    (B, 3) of top, left, and 1 where flipped left-right: float32 (B, C, T, crop, crop), channels_last_3d (section 4.1).

    A few operations on the whole batch that ask nothing of the host, so that a GPU is not left waiting. Call it outside
    autocast, which knows no float16 on a CPU.
    """
    clips, windows = (tensor.to(device, non_blocking=True) for tensor in (clips, windows))
    flow, crop = spec.modality == "flow", spec.resolution
    b, t, h, w, c = clips.shape
    top, left, flip = windows.T[:, :, None]  # (B, 1) each
    side = torch.arange(crop, device=device)
    rows, columns = top + side, left + torch.where(flip > 0, crop - 1 - side, side)  # (B, crop)
    frames = torch.arange(b * t, device=device).view(b, t, 1, 1)
    pixels = (frames * h + rows[:, None, :, None]) * w + columns[:, None, None, :]  # (B, T, crop, crop)
    cut = clips.flatten(0, 3).index_select(0, pixels.flatten()).view(b, t, crop, crop, c)
    if flow:  # what moved to the right moves to the left
        signs = torch.stack((1 - 2 * flip, torch.ones_like(flip)), -1)  # (B, 1, 2)
        cut = cut * signs[:, :, None, None].to(cut.dtype)
    x = cut.permute(0, 4, 1, 2, 3).float()
    if not flow:
        x.div_(255)
    if spec.standardise == "clip":
        mean = x.mean((1, 2, 3, 4), keepdim=True)
        return x.sub_(mean).div_(x.std((1, 2, 3, 4), keepdim=True).clamp_min(1e-3))
    mean, std = _statistics(flow, device)
    return x.sub_(mean).div_(std)


@cache
def _statistics(flow: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the datasets, (1, C, 1, 1, 1) each; a copy to a GPU, made once."""
    both = torch.tensor((FLOW_MEAN, FLOW_STD) if flow else (RGB_MEAN, RGB_STD), device=device)
    return tuple(both.view(2, 1, -1, 1, 1, 1))


def train_epoch(session: Session, loader: DataLoader, batches: EpochBatches) -> dict[str, float]:
    """Train the rest of the present epoch; the training columns of its row of the history.

    Saves when it is time to and when a signal asks to stop; never weights or losses that are no numbers. All processes
    call this together, and speak, save and stop together. Errors: Stopped: a signal came; the state is saved.
    TrainingError: a loss or a weight is no number.
    """
    spec, processes, progress = session.spec, session.processes, session.progress
    batches.epoch, batches.position = progress.epoch, progress.position
    session.net.train()
    step_size, clips = batches.step_size, spec.clips_per_epoch
    steps = -(-clips // step_size)
    # doubles, and always the same additions: when they are looked at changes nothing
    loss_sum = torch.tensor(progress.loss_sum, dtype=torch.float64, device=session.device)
    wrong = torch.tensor(progress.wrong, device=session.device)
    waited = 0.0
    spoken = saved = since = time.perf_counter()
    handed_out = iter(loader)
    for positions in batches.steps():
        waiting = time.perf_counter()
        batch = next(handed_out)
        waited += time.perf_counter() - waiting
        session.faults.add("train", batch.faults, len(session.training_part.rows))
        middle = (positions[0] / step_size + 0.5) / steps  # of the step, as a share of the epoch
        progress.lr = processes.count * learning_rate(spec, progress.epoch + middle)
        for group in session.optimizer.param_groups:
            group["lr"] = progress.lr
        own = len(positions[processes.share(len(positions))])  # 0: this process's clip counts nothing
        # dropout (of C3D) draws the same at this place of the training, whatever was drawn before
        seed = np.random.SeedSequence([spec.seed, DROPOUT, progress.epoch, positions[0], processes.rank])
        torch.manual_seed(int(seed.generate_state(1)[0]))
        weight = processes.count * (own > 0) / len(positions)
        losses, scores = train_step(
            session.replica, batch, session.optimizer, spec, session.precision, session.device, weight
        )
        if own:
            loss_sum += losses.double().sum()
            wrong += count_wrong(scores, batch.label_sets.to(session.device, non_blocking=True))
        progress.position, progress.steps = positions[-1] + 1, progress.steps + 1

        now, last = time.perf_counter(), progress.position == clips
        speak = last or now - spoken > SECONDS_BETWEEN_LINES
        keep = processes.leads and now - saved > session.seconds_between_saves
        speak, keep, stop = processes.largest([speak, keep, asked()])
        if not (speak or keep or stop):
            continue
        progress.loss_sum, progress.wrong = float(loss_sum), int(wrong)  # waits for the device
        require_finite(session)
        now = time.perf_counter()
        progress.epoch_seconds += now - since
        progress.epoch_waited += waited
        since, waited = now, 0.0
        if speak and not last:
            spoken, rate = now, progress.position / progress.epoch_seconds
            seen = progress.position / processes.count  # this process's own, near enough for a line
            left = ((spec.epochs - progress.epoch) * clips - progress.position) / rate
            session.say(
                f"epoch {progress.epoch + 1}/{spec.epochs} step {progress.position // step_size}/{steps}  "
                f"loss {progress.loss_sum / seen:.3f}  error {100 * progress.wrong / seen:.1f}  "
                f"lr {progress.lr:.2g}  {pace(rate, progress.epoch_waited / progress.epoch_seconds, left)}"
            )
        if keep or stop:
            session.save()
            saved = since = time.perf_counter()
        if stop:
            raise Stopped(stop, f"in epoch {progress.epoch + 1}")
    total_loss, total_wrong, seconds, waited = processes.sums(
        [progress.loss_sum, progress.wrong, progress.epoch_seconds, progress.epoch_waited]
    )
    return {
        "epoch": progress.epoch + 1,
        "step": progress.steps,
        "lr": progress.lr,
        "train_loss": total_loss / clips,
        "train_error": 100 * total_wrong / clips,
        "clips_per_second": clips / progress.epoch_seconds,
        "seconds": progress.epoch_seconds,
        "data_wait": waited / seconds,
    }


def require_finite(session: Session) -> None:
    """Of the loss and the weights, which can be infinite after a step whose loss is not."""
    progress = session.progress
    wrong = [] if isfinite(progress.loss_sum) else ["the loss"]
    wrong += [name for name, weight in session.net.named_parameters() if not torch.isfinite(weight).all()]
    if wrong:
        raise TrainingError(
            f"{wrong[0]} is not finite after epoch {progress.epoch + 1}, clip {progress.position}, learning rate "
            f"{progress.lr:.2g}; lower lr, or set amp to fp32. The last checkpoint, of before, is kept"
        )


def count_wrong(scores: Tensor, label_sets: Tensor) -> Tensor:
    """How many of scores (B, K) are highest at none of the right classes (B, M)."""
    return (scores.argmax(1)[:, None] != label_sets).all(1).sum()


def pace(clips_per_second: float, data_wait: float, seconds_left: float) -> str:
    """Speed, share of the time that waited for data, time left."""
    left = timedelta(seconds=round(seconds_left))
    return f"{clips_per_second:.0f} clips/s  waiting for data {data_wait:.1%}  {left} left"


@torch.no_grad()
def centre_test(session: Session, loader: DataLoader) -> dict[str, float]:
    """test_loss and test_error (percent) on one clip a video, its middle: the curve of Figure 4, not the final test.
    Each process tests its part of the videos, with the leading one's BN statistics. Errors: Stopped, of one process."""
    spec, processes = session.spec, session.processes
    processes.spread_statistics(session.net)
    session.net.eval()
    loss, wrong, seen = 0.0, 0, 0
    for batch in loader:
        if processes.count == 1 and asked():
            raise Stopped(asked(), "in a test after an epoch")
        session.faults.add("test", batch.faults, len(session.test_part.rows))
        if len(batch.labels) == 0:
            continue
        scores = scores_of(session.net, batch.clips, batch.windows, spec, session.precision, session.device)
        scores = scores.float().cpu()
        loss += float(F.cross_entropy(scores, batch.labels, reduction="sum"))
        wrong += int(count_wrong(scores, batch.label_sets))
        seen += len(batch.labels)
    loss, wrong, seen = processes.sums([loss, wrong, seen])
    return {"test_loss": loss / seen, "test_error": 100 * wrong / seen}


def recompute_blocks(net: nn.Module) -> None:
    """Make the backward pass compute the inside of residual blocks again instead of keeping it: the same result with
    less memory and a third more multiply-adds. In place, before DistributedDataParallel wraps the net. Errors:
    ValueError: it has no residual blocks."""
    blocks = [module for module in net.modules() if isinstance(module, BasicBlock)]
    if not blocks:
        raise ValueError(f"recompute: {type(net).__name__} has no residual blocks; set it to false")
    for block in blocks:
        # the compiler cannot trace `context_fn`: in a compiled net the blocks stay as they are
        block.forward = torch.compiler.disable(partial(_recomputed, block, block.forward))


def _recomputed(block: BasicBlock, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The block's forward pass; in training its inside is dropped at once."""
    if not (block.training and torch.is_grad_enabled()):
        return forward(x)
    contexts = nullcontext(), _statistics_kept(block)  # no block draws random numbers
    return checkpoint(forward, x, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: contexts)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Within it BN layers of `block` update copies of their running statistics, which are dropped at its end: the
    second forward pass would count each batch again."""
    layers = [layer for layer in block.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    kept = [(layer, name, buffer) for layer in layers for name, buffer in layer.named_buffers(recurse=False)]
    try:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer.clone())
        yield
    finally:  # also where torch stops it halfway because it has all it needs
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)
