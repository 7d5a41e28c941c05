"""The weights a run goes on from, its checkpoints, and those it starts from: `init_from` of its spec.

Checkpoints are whole or not there; the last two are kept, in the data folder, never in results. A file is called by
how many clips its training has seen and by the SHA-256 of its bytes, so that damage shows before any of it is used.
"""

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studylib import REPOSITORY
from studylib.datasets.index import Index, data_root, load_index
from studylib.nets.weights import WeightsError, load_weights, read_weights
from studylib.training.run_files import read_metrics
from studylib.training.spec import RunSpec, Source, SpecError, load_spec, parse_init_from, recorded_hash
from studylib.video.files import partial_path

DIGITS = 16  # of the SHA-256, in a file's name


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message names the file and what to do."""


def checkpoint_folder(spec_hash: str) -> Path:
    """Where the checkpoints of a run lie, by the hash of its recorded spec."""
    return data_root() / "checkpoints" / spec_hash[:16]


def save_checkpoint(folder: Path, clips: int, state: dict[str, Any]) -> Path:
    """Write `state` (tensors, numbers, texts, lists and dicts of them) after so many training `clips`, in one step;
    all older files but one go after that. The caller holds the lock of the run's `folder`. Errors: OSError: the disk is
    full or forbids writing; the checkpoints that were there are intact."""
    partial = partial_path(folder / "checkpoint")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(".*.partial"):  # of a process that was killed
            left_over.unlink()
        with partial.open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # torch's zip writer hides the OSError of the file it writes to
                cause = error.__cause__ or error.__context__
                raise cause if isinstance(cause, OSError) else OSError(None, str(error).splitlines()[0]) from None
            file.flush()
            os.fsync(file.fileno())
        path = folder / f"{clips:014d}-{_sha256(partial)[:DIGITS]}.pt"
        partial.replace(path)
    except OSError as error:
        line = f"{folder}: cannot write a checkpoint ({error.strerror or error}); those that were there are intact"
        raise OSError(error.errno, line) from None
    finally:
        partial.unlink(missing_ok=True)
    # what claims to have seen more was damaged, or this training would have gone on from it
    before = [other for other in checkpoints(folder) if other.name < f"{clips:014d}"]
    for old in {*checkpoints(folder)} - {path, *before[-1:]}:
        old.unlink()
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Those of a run, oldest first."""
    return sorted(folder.glob("[0-9]*-*.pt"))


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is intact, None where none was written; damaged ones are told and passed over. Errors:
    CheckpointError: all are damaged."""
    paths = checkpoints(folder)
    for path in reversed(paths):
        if path.stem.endswith("-" + _sha256(path)[:DIGITS]):
            return path
        print(f"checkpoint {path.name} is damaged: its SHA-256 is not the one in its name", flush=True)
    if paths:
        raise CheckpointError(f"{folder}: all {len(paths)} checkpoints are damaged; remove it to start the run anew")
    return None


def clips_seen(path: Path) -> int:
    """Training clips that a checkpoint had seen, by its name."""
    return int(path.stem.partition("-")[0])


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The saved state; nothing but plain data is unpickled. Errors: CheckpointError: no checkpoint of ours."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({reason}); remove it to go on from the one before"
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def initialise_from(net: nn.Module, init_from: str, new_head: bool = False) -> dict[str, object]:
    """Load what a run's `init_from` names into `net`; gives what provenance records of it. Errors: WeightsError."""
    path = weights_path(parse_init_from(init_from))
    weights = read_weights(path)
    load_weights(net, weights, new_head)
    facts = {"form": weights.form, "sha256": _sha256(path), "bn_eps": weights.bn_eps, "new_head": new_head}
    return {"source": init_from, **facts}


def require_strangers(spec: RunSpec, index: Index) -> None:
    """Where a dataset names its speakers: none that the run is tested on may have trained its first weights, back along
    `init_from` from run to run; of weights made elsewhere nothing is known. Errors: SpecError: names the speakers and
    both runs' splits, or a checkpoint that is named as a file, without its run."""
    tested = _speakers(index, spec.split, "test")
    name, seen = spec.init_from, {""}
    while tested and name not in seen and (source := parse_init_from(name)).kind != "torchvision":
        seen.add(name)
        if source.kind == "file":
            if read_weights(weights_path(source)).form == "checkpoint":
                raise SpecError(f"init_from: {name} does not tell whom its run heard; name the run (run: or folder:)")
            return
        start = load_spec(_run_folder(source))
        heard = _speakers(load_index(start.dataset), start.split, "train")
        if both := sorted(tested & heard):
            raise SpecError(
                f"init_from: {name} was trained on split {start.split} of {start.dataset}, with {', '.join(both)}, "
                f"who are tested in split {spec.split} of {spec.dataset}; start from a run of the same split"
            )
        name = start.init_from


def _speakers(index: Index, split: int, part: str) -> set[str]:
    videos = index.table.take(index.rows(split, part))
    return set(videos["speaker"].to_pylist()) if "speaker" in videos.column_names else set()


def _run_folder(source: Source) -> Path:
    return REPOSITORY / "runs" / source.name if source.kind == "run" else Path(source.name)


def weights_path(source: Source) -> Path:
    """The file that holds the weights of a source; torchvision's are downloaded where they are not there yet. Errors:
    WeightsError: they cannot be had, or those of a run are not from the end of its training."""
    if source.kind == "file":
        return data_root() / "weights" / source.name
    if source.kind == "torchvision":
        import torchvision  # here: it takes seconds to import, and few runs start from its weights

        released = torchvision.models.get_model_weights(source.name).DEFAULT
        try:
            released.get_state_dict(progress=False, check_hash=True)
        except OSError as error:
            raise WeightsError(f"torchvision:{source.name}: {released.url} cannot be had ({error})") from None
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(released.url).name
    folder = _run_folder(source)
    named = f"{source.kind}:{source.name}"
    if not (folder / "spec.json").exists() or read_metrics(folder) is None:
        raise WeightsError(f"{named}: is not a finished run; run it first")
    path, spec = newest_checkpoint(checkpoint_folder(recorded_hash(folder))), load_spec(folder)
    if path is None:
        why = "it trained nothing" if spec.epochs == 0 else "checkpoints stay where a run was made"
        raise WeightsError(f"{named}: has no checkpoint in the data folder ({why}); run it here")
    # the run was finished elsewhere and begun here, or the last checkpoint is damaged and an earlier one is not
    if (seen := clips_seen(path)) != (whole := spec.epochs * spec.clips_per_epoch):
        raise WeightsError(
            f"{named}: its checkpoint {path.name} in the data folder has seen {seen:,} of the {whole:,} clips of its "
            "training; finish it here: remove its metrics.json and run it again, it goes on from there"
        )
    return path
