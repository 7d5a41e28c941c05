"""One epoch of training, and the quick test after it that gives the curve of Figure 4."""

import time
from math import isfinite

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from studylib.faults import Faults
from studylib.inputs import to_input
from studylib.loading import Batch, steps_per_epoch
from studylib.optimizer import learning_rate
from studylib.precision import autocast
from studylib.spec import RunSpec

SECONDS_BETWEEN_LINES = 10


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says where it stood and what to do."""


def train_epoch(
    net: nn.Module,
    loader: DataLoader,
    optimizer: torch.optim.SGD,
    spec: RunSpec,
    epoch: int,
    precision: str,
    device: torch.device,
    faults: Faults,
) -> dict[str, float]:
    """One epoch; epoch, step, lr, train_loss and train_error (percent, running, on the augmented clips)."""
    net.train()
    steps = steps_per_epoch(spec)
    loss_sum, wrong = torch.zeros((), device=device), torch.zeros((), device=device)
    spoken, lr, seen = time.perf_counter(), 0.0, 0
    for step, batch in enumerate(loader):
        faults.add("train", batch.faults, len(loader.dataset.part.rows))
        lr = learning_rate(spec, epoch + (step + 0.5) / steps)
        for group in optimizer.param_groups:
            group["lr"] = lr
        loss, scores = train_step(net, batch, optimizer, spec, precision, device)
        seen += len(batch.labels)
        loss_sum += loss * len(batch.labels)
        wrong += count_wrong(scores, batch.label_sets.to(device, non_blocking=True))
        if time.perf_counter() - spoken > SECONDS_BETWEEN_LINES or step + 1 == steps:
            spoken = time.perf_counter()
            require_finite(loss_sum, f"epoch {epoch + 1}, step {step + 1} of {steps}, learning rate {lr:.2g}")
            if step + 1 < steps:
                print(f"epoch {epoch + 1}/{spec.epochs} step {step + 1}/{steps} loss {loss_sum / seen:.3f}", flush=True)
    return {
        "epoch": epoch + 1,
        "step": (epoch + 1) * steps,
        "lr": lr,
        "train_loss": float(loss_sum) / seen,
        "train_error": 100 * float(wrong) / seen,
    }


def train_step(
    net: nn.Module, batch: Batch, optimizer: torch.optim.SGD, spec: RunSpec, precision: str, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step on a batch; its mean loss and scores (B, K), detached."""
    labels = batch.labels.to(device, non_blocking=True)
    x = to_input(batch.clips, batch.windows, spec, device)
    with autocast(device, precision):
        scores = net(x)
    loss = F.cross_entropy(scores.float(), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach(), scores.detach()


def require_finite(loss: torch.Tensor, where: str) -> None:
    """Stop a training whose loss is no number any more; the checkpoint of the epoch before stays."""
    if not isfinite(float(loss)):
        raise TrainingError(f"the loss is {float(loss)} at {where}; lower lr, or set amp to fp32")


def count_wrong(scores: torch.Tensor, label_sets: torch.Tensor) -> torch.Tensor:
    """How many of scores (B, K) are highest at none of the right classes (B, M)."""
    return (scores.argmax(1)[:, None] != label_sets).all(1).sum()


@torch.no_grad()
def centre_test(
    net: nn.Module, loader: DataLoader, spec: RunSpec, precision: str, device: torch.device, faults: Faults
) -> dict[str, float]:
    """test_loss and test_error (percent) on one clip a video, its middle: the curve of Figure 4, not the final test."""
    net.eval()
    loss, wrong, seen = 0.0, 0, 0
    for batch in loader:
        faults.add("test", batch.faults, len(loader.dataset))
        if len(batch.labels) == 0:
            continue
        x = to_input(batch.clips, batch.windows, spec, device)
        with autocast(device, precision):
            scores = net(x).float().cpu()
        loss += float(F.cross_entropy(scores, batch.labels, reduction="sum"))
        wrong += int(count_wrong(scores, batch.label_sets))
        seen += len(batch.labels)
    return {"test_loss": loss / seen, "test_error": 100 * wrong / seen}
