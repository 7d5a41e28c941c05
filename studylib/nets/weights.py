"""Weights from elsewhere into our networks, whole or not at all: torchvision's, VMZ's, and those of other runs.

A file does not say the epsilon of its batch normalisation, and it matters: torchvision's is 1e-5, VMZ's and ours 1e-3.
Loading sets it in the net's BN layers; our checkpoints carry it, so that a run that goes on, or another that starts
from it, computes the same function. A file of another epsilon can be written all the same: the running variance takes
up the difference.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from studylib.nets.caffe2_weights import blob_names, parameters_of, read_blobs
from studylib.nets.convolutions import BN_EPS, TEMPORAL_EXTENT

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
