"""Weights from elsewhere into our networks, whole or not at all: torchvision's, VMZ's, and those of other runs.

A file does not say the epsilon of its batch normalisation, and it matters: torchvision's is 1e-5, VMZ's and ours 1e-3.
Loading sets it in the net's BN layers; our checkpoints carry it, so that a run that goes on, or another that starts
from it, computes the same function. A file of another epsilon can be written all the same: the running variance takes
up the difference.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from studylib.caffe2_weights import blob_names, parameters_of, read_blobs, write_blobs
from studylib.checkpoint import checkpoint_folder, clips_seen, newest_checkpoint
from studylib.convolutions import BN_EPS, TEMPORAL_EXTENT
from studylib.datasets.index import Index, data_root, load_index
from studylib.files import write_atomically
from studylib.init_from import Source, parse
from studylib.plan import REPOSITORY
from studylib.run_files import read_metrics
from studylib.spec import RunSpec, SpecError, load_spec, recorded_hash

TORCHVISION_BN_EPS = 1e-5  # torch's default
COUNTER = "num_batches_tracked"  # of torch's BN; with a fixed momentum nothing depends on it, and VMZ has none
HEAD = ("fc.weight", "fc.bias")


class WeightsError(ValueError):
    """Weights that cannot be had or do not fit; the message names them, what is wrong, and the net is as it was."""


@dataclass(frozen=True)
class Weights:
    """What a file holds."""

    tensors: dict[str, Tensor]  # by the names of its form
    form: str  # "torchvision" (a state dict), "checkpoint" (ours) or "vmz"
    bn_eps: float
    name: str  # of the file, for messages


def read_weights(path: Path | str) -> Weights:
    """Read a `.pkl` of VMZ, or a `.pt`/`.pth`: a state dict (taken for torchvision's) or a checkpoint of ours.

    Raises:
        WeightsError: the file is not there, or is none of these. Nothing in it is executed.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path.name}: no such file in {path.parent}; put it there")
    if path.suffix == ".pkl":
        try:
            blobs = read_blobs(path)
        except ValueError as error:
            raise WeightsError(str(error)) from None
        arrays = parameters_of(blobs, "last_out")
        tensors = {name: torch.from_numpy(array.astype("float32")) for name, array in arrays.items()}
        return Weights(tensors, "vmz", BN_EPS, path.name)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign bytes stop the reader in many ways
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path.name}: not a readable file of PyTorch weights ({reason})") from None
    ours = isinstance(content, dict) and isinstance(content.get("net"), dict)
    tensors = content["net"] if ours else content
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise WeightsError(f"{path.name}: neither a state dict nor a checkpoint of a run")
    eps = content.get("bn_eps", BN_EPS) if ours else TORCHVISION_BN_EPS
    return Weights(dict(tensors), "checkpoint" if ours else "torchvision", eps, path.name)


def load_weights(net: nn.Module, weights: Weights, new_head: bool = False) -> None:
    """Copy `weights` into `net` and set the epsilon of its BN layers.

    Args:
        net: a network of `build_net`.
        weights: of the same network.
        new_head: keep the net's own classifier whatever the file has, to fine-tune to other classes.

    Raises:
        WeightsError: names the first missing, unexpected and ill-shaped tensors; nothing has been copied then.
    """
    state = net.state_dict()
    try:
        theirs = file_names(net, weights.form)
    except ValueError as error:
        raise WeightsError(f"{weights.name}: {error}") from None
    wanted = {theirs[name]: tensor for name, tensor in state.items() if name in theirs}
    given = {name: tensor for name, tensor in weights.tensors.items() if not name.endswith(COUNTER)}
    if new_head:
        for name in HEAD:
            wanted.pop(theirs[name])
            given.pop(theirs[name], None)
    problems = []
    for what, names in (("missing", wanted.keys() - given.keys()), ("unexpected", given.keys() - wanted.keys())):
        tensors = wanted if what == "missing" else given
        if first := next((name for name in tensors if name in names), None):
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            problems.append(f"{what}: {first} {tuple(tensors[first].shape)}{more}")
    unlike = [name for name in wanted if name in given and wanted[name].shape != given[name].shape]
    if unlike:
        first, more = unlike[0], f" and {len(unlike) - 1} more" if len(unlike) > 1 else ""
        sizes = f"{tuple(given[first].shape)} in the file, {tuple(wanted[first].shape)} in the net"
        problems.append(f"shape: {first} is {sizes}{more}")
    if problems:
        shapes = {ours: (given[name].shape, wanted[name].shape) for ours, name in theirs.items() if name in unlike}
        advice = [_advice(net, name, *both) for name, both in shapes.items()]
        if len(problems) == 1 and all(advice):  # a setting explains every shape, and nothing else is wrong
            problems += dict.fromkeys(advice)
        raise WeightsError(f"{weights.name} does not fit the net: {'; '.join(problems)}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(given[name])
    set_bn_eps(net, weights.bn_eps)


def _advice(net: nn.Module, name: str, in_file: torch.Size, in_net: torch.Size) -> str | None:
    """What to do about a tensor of another shape, where one setting of the run explains it."""
    if name in HEAD:
        return "for other classes ask for a new head (new_head)"
    folded = name == "stem.0.weight" and net.stem[0].padding[0] == 0 and in_net[2] > 1  # R2D's conv1
    if folded and in_file[2] > TEMPORAL_EXTENT and in_file[:2] + in_file[3:] == in_net[:2] + in_net[3:]:
        return f"R2D's conv1 has weights for each frame: it takes clip_length {in_file[2]} alone, as it was trained"
    if name == "fc6.weight" and in_file[0] == in_net[0]:
        return "C3D's fc6 has weights for each place: it takes only the clip_length and resolution it was trained at"
    return None


def file_names(net: nn.Module, form: str) -> dict[str, str]:
    """Name of each parameter and running statistic in the net's state dict -> its name in a file of the form."""
    if form != "vmz":
        return {name: name for name in net.state_dict() if not name.endswith(COUNTER)}
    # a file's classifier is called by its classes; here by none, so that other classes are a matter of shape
    return blob_names(net) | {"fc.weight": "last_out_w", "fc.bias": "last_out_b"}


def bn_eps(net: nn.Module) -> float:
    """The epsilon of the net's BN layers, which is one for all (C3D has none)."""
    return next((module.eps for module in net.modules() if isinstance(module, nn.BatchNorm3d)), BN_EPS)


def set_bn_eps(net: nn.Module, eps: float) -> None:
    """Set the epsilon of every BN layer."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eps = eps


def save_vmz(net: nn.Module, path: Path | str) -> None:
    """Write `net` in VMZ's form (epsilon 1e-3).

    Raises:
        ValueError: VMZ has no names for this net, or see `state_at`.
        OSError: the file cannot be written; an earlier one is intact.
    """
    names, state = blob_names(net), state_at(net, BN_EPS)
    blobs = {names[name]: tensor.contiguous().numpy() for name, tensor in state.items() if name in names}
    write_atomically(Path(path), lambda file: write_blobs(file, blobs))


def save_torchvision(net: nn.Module, path: Path | str) -> None:
    """Write `net` as a state dict that torchvision's own network of that kind takes (epsilon 1e-5).

    Raises:
        ValueError, OSError: as `save_vmz`.
    """
    state = {name: tensor.contiguous() for name, tensor in state_at(net, TORCHVISION_BN_EPS).items()}
    write_atomically(Path(path), lambda file: torch.save(state, file))


def state_at(net: nn.Module, eps: float) -> dict[str, Tensor]:
    """The state dict, on the CPU, with running variances such that BN with `eps` computes what the net computes.

    Raises:
        ValueError: a variance would be negative.
    """
    difference = bn_eps(net) - eps
    state = {name: tensor.detach().cpu() for name, tensor in net.state_dict().items()}
    if difference:
        for name in [name for name in state if name.endswith("running_var")]:
            state[name] = state[name] + difference
            if (state[name] < 0).any():
                raise ValueError(f"{name}: too small a variance to be written for BN with epsilon {eps:g}")
    return state


def initialise_from(net: nn.Module, init_from: str, new_head: bool = False) -> dict[str, object]:
    """Load what a run's `init_from` names into `net`; gives what provenance records of it.

    Raises:
        WeightsError: as `read_weights` and `load_weights`, or a run that is not finished here.
        ValueError: `init_from` names no weights.
    """
    path = weights_path(parse(init_from))
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
    name, seen = spec.init_from, set()
    while tested and (source := parse(name)) is not None and source.kind in ("run", "folder") and name not in seen:
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
