"""Save and load the state of a training, whole or not at all. Checkpoints stay in the data folder, never in results."""

import pickle
from pathlib import Path
from typing import Any

import torch

from studylib.datasets.index import data_root
from studylib.files import write_atomically


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message names the file and what to do."""


def checkpoint_path(spec_hash: str) -> Path:
    """Where the last checkpoint of a run lies, by the hash of its recorded spec."""
    return data_root() / "checkpoints" / spec_hash[:16] / "last.pt"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, texts, lists and dicts of them) in one step.

    Raises:
        OSError: the disk is full or forbids writing; the previous checkpoint is intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(file: Any) -> None:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch's zip writer hides the OSError of the file it writes to
            cause = error.__cause__ or error.__context__
            raise cause if isinstance(cause, OSError) else OSError(None, str(error).splitlines()[0]) from None

    write_atomically(path, write)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """The saved state, or None where there is no checkpoint. Nothing but plain data is unpickled.

    Raises:
        CheckpointError: the file is not a checkpoint of ours, or damaged.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({reason}); remove it to start the run anew"
        ) from None
