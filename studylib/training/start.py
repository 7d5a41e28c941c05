"""Where a run's first weights come from: `init_from` of its spec, found, checked and loaded into its network."""

import hashlib
from pathlib import Path

import torch
import torchvision
from torch import nn

from studylib import REPOSITORY
from studylib.datasets.index import Index, data_root, load_index
from studylib.nets.weights import WeightsError, load_weights, read_weights
from studylib.training.checkpoint import checkpoint_folder, clips_seen, newest_checkpoint
from studylib.training.run_files import read_metrics
from studylib.training.spec import RunSpec, Source, SpecError, load_spec, parse_init_from, recorded_hash


def initialise_from(net: nn.Module, init_from: str, new_head: bool = False) -> dict[str, object]:
    """Load what a run's `init_from` names into `net`; gives what provenance records of it.

    Raises:
        WeightsError: as `read_weights` and `load_weights`, or a run that is not finished here.
        ValueError: `init_from` names no weights.
    """
    path = weights_path(parse_init_from(init_from))
    weights = read_weights(path)
    load_weights(net, weights, new_head)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"source": init_from, "form": weights.form, "sha256": sha256, "bn_eps": weights.bn_eps, "new_head": new_head}


def require_strangers(spec: RunSpec, index: Index) -> None:
    """Where a dataset names its speakers: none that the run is tested on may have trained its first weights.

    Goes back along `init_from` from run to run; of weights from elsewhere nothing is known.

    Raises:
        SpecError: names the speakers and both runs' splits.
    """
    tested = _speakers(index, spec.split, "test")
    name, seen = spec.init_from, {""}
    while tested and name not in seen and (source := parse_init_from(name)).kind in ("run", "folder"):
        seen.add(name)
        start = load_spec(_run_folder(source))
        if start.dataset_family == spec.dataset_family:
            heard = _speakers(load_index(start.dataset), start.split, "train")
            if both := sorted(tested & heard):
                raise SpecError(
                    f"init_from: {name} was trained on split {start.split} of {start.dataset}, with {', '.join(both)}, "
                    f"who are tested in split {spec.split} of {spec.dataset}; start from a run of the same split"
                )
        name = start.init_from


def _speakers(index: Index, split: int, part: str) -> set[str]:
    """The speakers of a part; none where the dataset does not name them."""
    return set(index.subset(split, part)["speaker"].to_pylist()) if "speaker" in index.table.column_names else set()


def _run_folder(source: Source) -> Path:
    return REPOSITORY / "runs" / source.name if source.kind == "run" else Path(source.name)


def weights_path(source: Source) -> Path:
    """The file that holds the weights of a source; torchvision's are downloaded where they are not there yet.

    Raises:
        WeightsError: they cannot be had, or those of a run are not from the end of its training.
    """
    if source.kind == "file":
        return data_root() / "weights" / source.name
    if source.kind == "torchvision":
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
