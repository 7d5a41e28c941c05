"""Train and test one run: `torchrun -m studylib.training RUN_FOLDER` (paper, section 4.1); with `epochs` 0, test only.

The run folder holds `spec.json`; history, predictions, provenance and, last, metrics are written beside it. A
checkpoint is kept in the data folder after each epoch: called again, the run goes on where it stopped, and a finished
one does nothing.
"""

import os
import sys
import time
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from studylib.checkpoint import CheckpointError, checkpoint_path, load_checkpoint, save_checkpoint
from studylib.complexity import count_by_name
from studylib.convolutions import BN_EPS
from studylib.datasets.index import load_index
from studylib.evaluation import clip_top1, predict, video_top_k, write_predictions
from studylib.files import locked
from studylib.launch import stop_with_launcher
from studylib.loading import Part, centre_clips, open_parts, steps_per_epoch, to_input, training_loader
from studylib.nets import build_net
from studylib.optimizer import learning_rate, make_optimizer
from studylib.precision import autocast, choose_precision
from studylib.provenance import describe, now, peak_memory
from studylib.run_files import read_metrics, write_history, write_json
from studylib.spec import RunSpec, SpecError, load_spec, recorded_hash
from studylib.weights import bn_eps, initialise_from, set_bn_eps

SECONDS_BETWEEN_LINES = 10


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says where it stood and what to do."""


def run(run_folder: Path) -> None:
    """Train, test and write the results of the run whose `spec.json` lies in `run_folder`.

    Raises:
        SpecError, CheckpointError, TrainingError, OSError, ValueError: one line that names what is wrong.
    """
    spec = load_spec(run_folder)
    lock = checkpoint_path(recorded_hash(run_folder)).with_name(".lock")
    with locked(lock, f"{run_folder}: another process is training this run"):
        run_alone(run_folder, spec)


def run_alone(run_folder: Path, spec: RunSpec) -> None:
    """`run` while no other process trains the same spec."""
    if read_metrics(run_folder) is not None:
        print(f"{run_folder}: finished already", flush=True)
        return
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise TrainingError("a run trains in one process; start torchrun with --nproc-per-node 1")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    index = load_index(spec.dataset)
    provenance = describe(index, device) | {"started": now()}
    training_part, test_part = open_parts(index, spec)

    torch.manual_seed(spec.seed)
    sizes = {"clip_length": spec.clip_length, "width": spec.width, "resolution": spec.resolution}
    net = build_net(spec.net, spec.depth, len(index.classes), **sizes)
    net = net.to(device, memory_format=torch.channels_last_3d)
    clip_shape = (3, spec.clip_length, spec.resolution, spec.resolution)
    precision, reason = choose_precision(spec.amp, net, clip_shape, spec.batch_size, device)
    provenance |= {"precision": precision, "precision_reason": reason}
    print(f"{spec.net}-{spec.depth} on {spec.dataset}, {provenance['device']}; {reason}", flush=True)

    state = train(net, training_part, test_part, spec, precision, device, run_folder, provenance)
    test(net, test_part, spec, precision, device, run_folder, state)


def test(
    net: nn.Module,
    part: Part,
    spec: RunSpec,
    precision: str,
    device: torch.device,
    run_folder: Path,
    state: dict[str, Any],
) -> None:
    """Test the net by the spec's protocol; write predictions, provenance and, last, metrics. `state` is `train`'s."""
    print("testing", flush=True)
    predictions = predict(net, part, spec, precision, device)
    classes = len(part.index.classes)
    complexity = count_by_name(spec.net, spec.depth, classes, spec.clip_length, 3, spec.width, spec.resolution)
    last = state["history"][-1] if spec.epochs else {"train_error": None, "test_error": None}
    write_predictions(run_folder / "predictions.parquet", predictions)
    write_json(run_folder / "provenance.json", state["provenance"] | {"ended": now()})
    metrics = {
        "spec_hash": recorded_hash(run_folder),
        "clip_top1": clip_top1(predictions),
        "video_top1": video_top_k(predictions, 1),
        "video_top5": video_top_k(predictions, 5),
        "train_error": last["train_error"],
        "test_error": last["test_error"],
        "params": complexity.params,
        "flops": complexity.flops,
        "seconds": state["seconds"],
        "clips_per_second": spec.epochs * spec.clips_per_epoch / state["seconds"] if spec.epochs else None,
        "peak_memory": peak_memory(device),
    }
    write_json(run_folder / "metrics.json", metrics)  # last: its presence says that the rest is there
    print(f"clip@1 {metrics['clip_top1']:.1f}  video@1 {metrics['video_top1']:.1f}", flush=True)


def train(
    net: nn.Module,
    training_part: Part | None,
    test_part: Part,
    spec: RunSpec,
    precision: str,
    device: torch.device,
    run_folder: Path,
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Train from the last checkpoint or the start; the state after the last epoch (history, seconds, provenance).

    The start is the net as it is, or the weights of `init_from`; with no epochs to train, that is all.
    """
    path = checkpoint_path(recorded_hash(run_folder))
    manifest_hash = provenance["dataset"]["manifest_hash"]
    optimizer = make_optimizer(net, spec)
    state: dict[str, Any] = {"history": [], "seconds": 0.0, "provenance": provenance}
    saved = load_checkpoint(path, device)
    if saved is not None:
        if saved["provenance"]["dataset"]["manifest_hash"] != manifest_hash:
            raise CheckpointError(
                f"{path}: was trained on another {spec.dataset} (its manifest hash differs); remove it to start anew"
            )
        net.load_state_dict(saved["net"])
        set_bn_eps(net, saved.get("bn_eps", BN_EPS))
        optimizer.load_state_dict(saved["optimizer"])
        state = {key: saved[key] for key in state}
        session = {key: provenance[key] for key in ("commit", "source_clean", "started")}
        state["provenance"] = state["provenance"] | {"resumed": [*state["provenance"].get("resumed", []), session]}
        print(f"going on after epoch {len(state['history'])}", flush=True)
    elif spec.init_from:
        provenance["init_from"] = initialise_from(net, spec.init_from, spec.new_head)
        print(f"weights from {spec.init_from}", flush=True)
    if spec.epochs == 0:
        write_history(run_folder, [])
        return state
    loader, batches = training_loader(training_part, spec, pin=device.type == "cuda")
    for epoch in range(len(state["history"]), spec.epochs):
        begun = time.perf_counter()
        batches.epoch = epoch
        row = train_epoch(net, loader, optimizer, spec, epoch, precision, device)
        seconds = time.perf_counter() - begun
        row |= centre_test(net, test_part, spec, precision, device)
        row |= {"clips_per_second": spec.clips_per_epoch / seconds, "seconds": seconds}
        state["history"].append(row)
        state["seconds"] += seconds
        weights = {"net": net.state_dict(), "bn_eps": bn_eps(net)}
        save_checkpoint(path, weights | {"optimizer": optimizer.state_dict(), **state})
        write_history(run_folder, state["history"])
        left = (spec.epochs - epoch - 1) * state["seconds"] / (epoch + 1)
        print(
            f"epoch {epoch + 1}/{spec.epochs}  train error {row['train_error']:.1f}  test error {row['test_error']:.1f}"
            f"  {row['clips_per_second']:.0f} clips/s  {left / 60:.1f} min left",
            flush=True,
        )
    write_history(run_folder, state["history"])
    return state


def train_epoch(
    net: nn.Module, loader: Any, optimizer: torch.optim.SGD, spec: RunSpec, epoch: int, precision: str, device: Any
) -> dict[str, float]:
    """One epoch; epoch, step, lr, train_loss and train_error (percent, running, on the augmented clips)."""
    net.train()
    steps = steps_per_epoch(spec)
    loss_sum, wrong = torch.zeros((), device=device), torch.zeros((), device=device)
    spoken, lr, seen = time.perf_counter(), 0.0, 0
    for step, (clips, labels) in enumerate(loader):
        lr = learning_rate(spec, epoch + (step + 0.5) / steps)
        for group in optimizer.param_groups:
            group["lr"] = lr
        labels = labels.to(device, non_blocking=True)
        with autocast(device, precision):
            scores = net(to_input(clips, spec.standardise, device))
        loss = F.cross_entropy(scores.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seen += len(labels)
        loss_sum += loss.detach() * len(labels)
        wrong += (scores.detach().argmax(1) != labels).sum()
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


def require_finite(loss: torch.Tensor, where: str) -> None:
    """Stop a training whose loss is no number any more; the checkpoint of the epoch before stays."""
    if not isfinite(float(loss)):
        raise TrainingError(f"the loss is {float(loss)} at {where}; lower lr, or set amp to fp32")


@torch.no_grad()
def centre_test(net: nn.Module, part: Part, spec: RunSpec, precision: str, device: torch.device) -> dict[str, float]:
    """test_loss and test_error (percent) on one clip a video, its middle: the curve of Figure 4, not the final test."""
    net.eval()
    loss, wrong = 0.0, 0
    for clips, labels in centre_clips(part, spec):
        with autocast(device, precision):
            scores = net(to_input(clips, spec.standardise, device)).float().cpu()
        loss += float(F.cross_entropy(scores, labels, reduction="sum"))
        wrong += int((scores.argmax(1) != labels).sum())
    return {"test_loss": loss / len(part.rows), "test_error": 100 * wrong / len(part.rows)}


def main(arguments: list[str]) -> int:
    """Command line: one run folder. Exit code 1 and one line starting with "error:" where the run cannot go on."""
    if len(arguments) != 1:
        print("usage: torchrun -m studylib.training RUN_FOLDER", file=sys.stderr)
        return 2
    stop_with_launcher()
    try:
        run(Path(arguments[0]))
    except (SpecError, CheckpointError, TrainingError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
