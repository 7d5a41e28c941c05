"""Checkpoints of a training: whole or not there, verified by hash, the last two and the best kept.

A file is called by how many clips its training has seen and by the SHA-256 of its bytes, so that one step, a rename,
makes it appear, and damage shows before anything of it is used. They stay in the data folder, never in results.
"""

import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any, BinaryIO

import torch

from studylib.datasets.index import data_root
from studylib.video.files import partial_path

KEPT = 2  # the newest and the one before it
DIGITS = 16  # of the SHA-256, in a file's name


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message names the file and what to do."""


def checkpoint_folder(spec_hash: str) -> Path:
    """Where the checkpoints of a run lie, by the hash of its recorded spec."""
    return data_root() / "checkpoints" / spec_hash[:16]


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()


def save_checkpoint(folder: Path, clips: int, state: dict[str, Any], best: bool = False) -> Path:
    """Write `state` (tensors, numbers, texts, lists and dicts of them) in one step; older files go after that.

    Args:
        folder: of the run, whose lock the caller holds.
        clips: training clips seen so far.
        best: keep it as the best one so far, too.

    Raises:
        OSError: the disk is full or forbids writing; the checkpoints that were there are intact.
    """
    partial = partial_path(folder / "checkpoint")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(".*.partial"):  # of a process that was killed
            left_over.unlink()
        with partial.open("wb") as file:
            hashed = _Hashed(file)
            try:
                torch.save(state, hashed)
            except RuntimeError as error:  # torch's zip writer hides the OSError of the file it writes to
                cause = error.__cause__ or error.__context__
                raise cause if isinstance(cause, OSError) else OSError(None, str(error).splitlines()[0]) from None
            file.flush()
            os.fsync(file.fileno())
        path = folder / f"{clips:014d}-{hashed.sha256.hexdigest()[:DIGITS]}.pt"
        partial.replace(path)
        if best:
            shutil.copyfile(path, partial)
            partial.replace(folder / f"best-{path.name}")
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            error.errno, f"{folder}: cannot write a checkpoint ({reason}); those that were there are intact"
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    # what claims to have seen more was damaged, or this training would have gone on from it
    numbered = [other for other in _numbered(folder) if other.name < f"{clips:014d}"]
    for old in {*_numbered(folder)} - {path, *numbered[-(KEPT - 1) :]}:
        old.unlink()
    for old in sorted(folder.glob("best-*.pt"))[:-1]:
        old.unlink()
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is intact, None where none was written; damaged ones are told and passed over.

    Raises:
        CheckpointError: there are checkpoints, and all are damaged.
    """
    paths = [*_numbered(folder)[::-1], *sorted(folder.glob("best-*.pt"))]
    for path in paths:
        with path.open("rb") as file:
            if path.stem.endswith("-" + hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]):
                return path
        print(f"checkpoint {path.name} is damaged: its SHA-256 is not the one in its name", flush=True)
    if paths:
        raise CheckpointError(f"{folder}: all {len(paths)} checkpoints are damaged; remove it to start the run anew")
    return None


def clips_seen(path: Path) -> int:
    """Training clips that a checkpoint had seen, by its name."""
    return int(path.stem.split("-")[-2])


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The saved state. Nothing but plain data is unpickled.

    Raises:
        CheckpointError: the file is not a checkpoint of ours.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({reason}); remove it to go on from the one before"
        ) from None


def _numbered(folder: Path) -> list[Path]:
    """The checkpoints in order, oldest first."""
    return sorted(folder.glob("[0-9]*-*.pt"))
