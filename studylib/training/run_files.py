"""What lies in a run folder beside its spec, and what makes it complete (see `results` for reading many of them)."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from studylib.training.spec import load_spec, recorded_hash
from studylib.video.files import write_text

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
