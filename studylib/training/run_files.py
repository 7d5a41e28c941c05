"""What lies in a run folder beside its spec, and what makes it complete (see `results` for reading many of them).

`conv1.npz` holds the filters of a factorised conv1, which Figure 6 (appendix) shows of R(2+1)D: a run keeps them
because its checkpoints stay on the machine that trained it. Nets with a conv1 in one piece have no such file, nor has
a run that was recorded before there was one.
"""

import csv
import io
import json
import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studylib.training.spec import load_spec, recorded_hash
from studylib.video.files import write_atomically, write_text

if TYPE_CHECKING:
    from torch import nn

CONV1 = "conv1.npz"

METRICS = (
    "spec_hash",
    "clip_top1",  # percent, as every accuracy and error
    "video_top1",
    "video_top5",
    "train_error",  # of the last epoch, running, on augmented clips
    "test_error",  # of the last epoch, one centre clip a video
    "params",
    "flops",  # multiply-adds of a clip, see `complexity`
    "seconds",  # of training, over all its sessions
    "clips_per_second",  # of training
    "peak_memory",  # bytes, of the session that ended the run
)
# Of training: null where there was none (epochs 0).
OF_TRAINING = ("train_error", "test_error", "clips_per_second")
HISTORY = (
    "epoch",
    "step",
    "lr",  # of the last step, over all processes
    "train_loss",
    "train_error",
    "test_loss",
    "test_error",
    "clips_per_second",
    "seconds",  # of training, over all sessions
    "data_wait",  # share of them that waited for data
)
CLOCKS = ("clips_per_second", "seconds", "data_wait")  # columns in which a repetition differs
SINCE_THEN = ("data_wait",)  # columns that runs recorded before they were thought of do not have
# Always there; a run that starts from other weights has `init_from` too.
PROVENANCE = (
    "commit",
    "source_clean",
    "versions",
    "device",
    "cpu",
    "threads",
    "precision",
    "started",
    "ended",
    "dataset",
)
DATASET = ("name", "manifest_hash")  # always there in its `dataset`, as texts


class RunFolderError(ValueError):
    """A file of a run folder that is not what it should be; the message names it and says what to do."""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON in one step, a line a key."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_history(run_folder: Path, rows: list[dict[str, float]]) -> None:
    """Write `history.csv` whole, an epoch a line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(run_folder / "history.csv", text.getvalue())


def read_metrics(run_folder: Path) -> dict[str, Any] | None:
    """The metrics of a finished run, None where there are none yet; those `OF_TRAINING` are None without training.

    Raises:
        SpecError: no readable `spec.json`.
        RunFolderError: not JSON, a number missing, not a number or not finite, or the metrics of another spec.
    """
    path = run_folder / "metrics.json"
    if not path.exists():
        return None
    advice = "restore it, or remove it and run the experiment again"
    try:
        metrics = json.loads(path.read_text())
    except ValueError as error:
        raise RunFolderError(f"{path}: not JSON ({error}); {advice}") from None
    if not isinstance(metrics, dict) or (missing := [name for name in METRICS if name not in metrics]):
        raise RunFolderError(f"{path}: has no {', '.join(missing) if isinstance(metrics, dict) else 'names'}; {advice}")
    absent = OF_TRAINING if load_spec(run_folder).epochs == 0 else ()
    if told := [name for name in absent if metrics[name] is not None]:
        raise RunFolderError(f"{path}: {told[0]} is {metrics[told[0]]!r} although the run trained nothing; {advice}")
    numbers = [name for name in METRICS[1:] if name not in absent]
    if wrong := [name for name in numbers if not _finite(metrics[name])]:
        raise RunFolderError(f"{path}: {wrong[0]} is {metrics[wrong[0]]!r}, not a finite number; {advice}")
    if metrics["spec_hash"] != recorded_hash(run_folder):
        raise RunFolderError(f"{path}: belongs to another spec than the spec.json beside it; {advice}")
    return metrics


def _finite(value: Any) -> bool:
    """Whether it is a number, and neither infinite nor nan, which Python's JSON has names for."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def conv1_filters(net: "nn.Module") -> tuple[np.ndarray, np.ndarray] | None:
    """Weights of conv1's two factors; None of a net whose conv1 is one convolution, and of C3D.

    Args:
        net: of `build_net`, not the copy that DistributedDataParallel makes of it.

    Returns:
        float32, axes as in torch's Conv3d (outputs, inputs, time, height, width), on the CPU: spatial
        (45, 3, 1, 7, 7) and temporal (64, 45, 3, 1, 1) in the paper's R(2+1)D; 2 inputs on flow.
    """
    from torch import nn  # here, because who only reads filters, as the book does, can do without torch

    factors = [module for module in getattr(net, "stem", ()) if isinstance(module, nn.Conv3d)]
    if len(factors) != 2:
        return None
    spatial, temporal = (factor.weight.detach().float().cpu().contiguous().numpy() for factor in factors)
    return spatial, temporal


def write_conv1(run_folder: Path, net: "nn.Module") -> None:
    """Write `conv1.npz` (arrays `spatial` and `temporal`, see `conv1_filters`) in one step, where the net has them.

    The same weights give the same bytes.

    Raises:
        OSError: the file cannot be written; an earlier one is intact.
    """
    if (filters := conv1_filters(net)) is not None:
        spatial, temporal = filters
        write_atomically(run_folder / CONV1, lambda file: np.savez(file, spatial=spatial, temporal=temporal))


def read_conv1(run_folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Spatial (M, C, 1, 7, 7) and temporal filters (N, M, 3, 1, 1) of a run, float32; None where it has no `conv1.npz`.

    Raises:
        RunFolderError: the file is no archive of both, or they are not such filters or not all finite.
    """
    path = run_folder / CONV1
    if not path.exists():
        return None
    try:
        with np.load(path) as archive:
            spatial, temporal = archive["spatial"], archive["temporal"]
        for array, kernel in ((spatial, (1, 7, 7)), (temporal, (3, 1, 1))):
            if array.dtype != np.float32 or array.ndim != 5 or array.shape[2:] != kernel:
                raise ValueError(f"{array.dtype} {array.shape} instead of float32 filters of {kernel}")
            if not np.isfinite(array).all():
                raise ValueError("weights that are not finite")
        if temporal.shape[1] != spatial.shape[0]:
            raise ValueError(f"temporal reads {temporal.shape[1]} channels, spatial gives {spatial.shape[0]}")
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        advice = "restore it, or remove the folder and run it again"
        raise RunFolderError(f"{path}: not the two factors of a conv1 ({reason}); {advice}") from None
    return spatial, temporal
