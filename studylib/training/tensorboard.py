"""The history of a run for TensorBoard, where the environment's STUDY_TENSORBOARD names a folder for it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studylib.video.files import user_path

# Columns of run_files.HISTORY, and where TensorBoard shows them: what starts with the same word side by side.
TAGS = {
    "train_loss": "loss/train",
    "test_loss": "loss/test",
    "train_error": "error/train",
    "test_error": "error/test",
    "lr": "training/lr",
    "clips_per_second": "training/clips_per_second",
    "data_wait": "training/data_wait",
}

_writers: dict[Path, Any] = {}  # torch's SummaryWriter by folder; None where it cannot write, which has been told


def write_row(run_folder: Path | str, row: Mapping[str, float]) -> None:
    """Write an epoch's row of `history.csv`, its step being the epoch; without STUDY_TENSORBOARD do nothing.

    A run that goes on after an interruption adds to what it wrote before; an epoch that it trains again replaces what
    was there. What goes wrong is told in one line, once, and the training goes on without.
    """
    root = os.environ.get("STUDY_TENSORBOARD")
    if not root:
        return
    folder = user_path(root) / run_name(run_folder)
    try:
        if folder not in _writers:
            _writers[folder] = None  # until there is one
            from torch.utils.tensorboard import SummaryWriter

            _writers[folder] = SummaryWriter(str(folder), purge_step=row["epoch"])
        if (writer := _writers[folder]) is None:
            return
        for column, tag in TAGS.items():
            if row.get(column) is not None:
                writer.add_scalar(tag, row[column], row["epoch"])
        writer.flush()
    except Exception as error:
        _writers[folder] = None
        if isinstance(error, ImportError):
            reason = f"the package tensorboard cannot be imported ({error}); pip install tensorboard"
        else:
            reason = f"{folder}: {type(error).__name__}: {error}"
        print(f"nothing is written for TensorBoard: {reason}", flush=True)


def run_name(run_folder: Path | str) -> str:
    """ "mini_depth_r3d-18_8f_seed0" of a plan's run in `runs/`, as its page in the book; else the folder's name."""
    parts = Path(run_folder).resolve().parts
    return "_".join(parts[-3:]) if parts[-4:-3] == ("runs",) else parts[-1]
