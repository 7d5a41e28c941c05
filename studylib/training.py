"""Train and test one run: `torchrun -m studylib.training RUN_FOLDER` (paper, section 4.1); with `epochs` 0, test only.

The run folder holds `spec.json`; history, predictions, provenance and, last, metrics are written beside it. A
checkpoint is kept in the data folder after each epoch: called again, the run goes on where it stopped, and a finished
one does nothing.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studylib.checkpoint import CheckpointError, checkpoint_path, load_checkpoint, save_checkpoint
from studylib.complexity import count_by_name
from studylib.convolutions import BN_EPS
from studylib.datasets.index import load_index
from studylib.epoch import TrainingError, centre_test, train_epoch
from studylib.evaluation import clip_top1, predict, video_top_k, write_predictions
from studylib.faults import Faults, TooManyFaults
from studylib.files import locked
from studylib.launch import stop_with_launcher
from studylib.loading import centre_loader, training_loader
from studylib.nets import build_net
from studylib.optimizer import make_optimizer
from studylib.parts import Part, open_parts
from studylib.precision import choose_precision
from studylib.provenance import describe, now, peak_memory
from studylib.run_files import read_metrics, write_history, write_json
from studylib.spec import RunSpec, SpecError, load_spec, recorded_hash
from studylib.weights import bn_eps, initialise_from, set_bn_eps


def run(run_folder: Path) -> None:
    """Train, test and write the results of the run whose `spec.json` lies in `run_folder`.

    Raises:
        SpecError, CheckpointError, TrainingError, TooManyFaults, OSError, ValueError: one line that says what is wrong.
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
    net = build_net(spec.net, spec.depth, len(index.classes), in_channels=spec.in_channels, **sizes)
    net = net.to(device, memory_format=torch.channels_last_3d)
    clip_shape = (spec.in_channels, spec.clip_length, spec.resolution, spec.resolution)
    precision, reason = choose_precision(spec.amp, net, clip_shape, spec.batch_size, device)
    provenance |= {"precision": precision, "precision_reason": reason}
    print(f"{spec.net}-{spec.depth} on {spec.dataset}, {provenance['device']}; {reason}", flush=True)

    faults = Faults()
    try:
        state = train(net, training_part, test_part, spec, precision, device, run_folder, provenance, faults)
        test(net, test_part, spec, precision, device, run_folder, state, faults)
    finally:
        faults.write(run_folder)


def test(
    net: nn.Module,
    part: Part,
    spec: RunSpec,
    precision: str,
    device: torch.device,
    run_folder: Path,
    state: dict[str, Any],
    faults: Faults,
) -> None:
    """Test the net by the spec's protocol; write predictions, provenance and, last, metrics. `state` is `train`'s."""
    print("testing", flush=True)
    predictions = predict(net, part, spec, precision, device, faults)
    classes = len(part.index.classes)
    complexity = count_by_name(
        spec.net, spec.depth, classes, spec.clip_length, spec.in_channels, spec.width, spec.resolution
    )
    last = state["history"][-1] if spec.epochs else {"train_error": None, "test_error": None}
    write_predictions(run_folder / "predictions.parquet", predictions)
    write_json(run_folder / "provenance.json", state["provenance"] | {"ended": now(), "faults": faults.counts()})
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
    faults: Faults,
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
        faults.resume(saved.get("faults", []))
        session = {key: provenance[key] for key in ("commit", "source_clean", "started")}
        state["provenance"] = state["provenance"] | {"resumed": [*state["provenance"].get("resumed", []), session]}
        print(f"going on after epoch {len(state['history'])}", flush=True)
    elif spec.init_from:
        provenance["init_from"] = initialise_from(net, spec.init_from, spec.new_head)
        print(f"weights from {spec.init_from}", flush=True)
    if spec.epochs == 0:
        write_history(run_folder, [])
        return state
    pin = device.type == "cuda"
    loader, batches = training_loader(training_part, spec, pin)
    centre = centre_loader(test_part, spec, pin)
    for epoch in range(len(state["history"]), spec.epochs):
        begun = time.perf_counter()
        batches.epoch = epoch
        row = train_epoch(net, loader, optimizer, spec, epoch, precision, device, faults)
        seconds = time.perf_counter() - begun
        row |= centre_test(net, centre, spec, precision, device, faults)
        row |= {"clips_per_second": spec.clips_per_epoch / seconds, "seconds": seconds}
        state["history"].append(row)
        state["seconds"] += seconds
        weights = {"net": net.state_dict(), "bn_eps": bn_eps(net)}
        save_checkpoint(path, weights | {"optimizer": optimizer.state_dict(), "faults": faults.rows(), **state})
        write_history(run_folder, state["history"])
        faults.write(run_folder)
        left = (spec.epochs - epoch - 1) * state["seconds"] / (epoch + 1)
        print(
            f"epoch {epoch + 1}/{spec.epochs}  train error {row['train_error']:.1f}  test error {row['test_error']:.1f}"
            f"  {row['clips_per_second']:.0f} clips/s  {left / 60:.1f} min left",
            flush=True,
        )
    write_history(run_folder, state["history"])
    return state


def main(arguments: list[str]) -> int:
    """Command line: one run folder. Exit code 1 and one line starting with "error:" where the run cannot go on."""
    if len(arguments) != 1:
        print("usage: torchrun -m studylib.training RUN_FOLDER", file=sys.stderr)
        return 2
    stop_with_launcher()
    try:
        run(Path(arguments[0]))
    except (SpecError, CheckpointError, TrainingError, TooManyFaults, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
