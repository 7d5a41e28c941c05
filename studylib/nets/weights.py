"""Weights from elsewhere into our networks, whole or not at all: torchvision's, VMZ's, and those of other runs.

A file does not say the epsilon of its batch normalisation, and it matters: torchvision's is 1e-5, VMZ's and ours 1e-3.
Loading sets it in the net's BN layers; our checkpoints carry it.

VMZ's released files (facebookresearch/VMZ) are Caffe2 blobs in a Python-2 pickle. The blobs of a residual block are
named by its number, counted from 0 through the whole net, and the convolution's, 1 or 2: `comp_3_conv_1_middle_w` is
the spatial convolution of the first (2+1)D convolution of the fourth block. Shapes are ours already: convolutions
(N, C, t, d, d) without bias, R2D's conv1 (64, C, L, 7, 7). `_riv` is, in spite of its name, the running variance.
"""

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from studylib.nets.build import BN_EPS, TEMPORAL_EXTENT, BasicBlock

TORCHVISION_BN_EPS = 1e-5  # torch's default
COUNTER = "num_batches_tracked"  # of torch's BN; with a fixed momentum nothing depends on it, and VMZ has none
HEAD = ("fc.weight", "fc.bias")
BATCH_NORM = nn.modules.batchnorm._BatchNorm  # `nn.BatchNorm3d`, and `nn.SyncBatchNorm` that may replace it

VMZ_BN_PARTS = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
# What can only be a parameter of a network; other blobs of a file (momentum, learning rate, iteration) are ignored.
VMZ_PARAMETER = re.compile(
    r"(conv1|comp_\d+_conv_\d|shortcut_projection_\d+|last_out_L\d+)(_middle)?_[wb]"
    r"|(conv1(_middle)?_spatbn_relu|comp_\d+_spatbn_\d(_middle)?|shortcut_projection_\d+_spatbn)_(s|b|rm|riv)"
)
_REALS = (np.float16, np.float32, np.float64)


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
    """Read a `.pkl` of VMZ, or a `.pt`/`.pth`: a state dict (taken for torchvision's) or a checkpoint of ours. Nothing
    in it is executed. Errors: WeightsError: the file is not there, or is none of these."""
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path.name}: no such file in {path.parent}; put it there")
    if path.suffix == ".pkl":
        parameters = {
            # a file's classifier is called by its classes; here by none, so that other classes are a matter of shape
            re.sub(r"^last_out_L\d+", "last_out", name): torch.from_numpy(blob.astype("float32"))
            for name, blob in read_blobs(path).items()
            if isinstance(name, str) and VMZ_PARAMETER.fullmatch(name) and getattr(blob, "dtype", None) in _REALS
        }
        return Weights(parameters, "vmz", BN_EPS, path.name)
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
    """Copy `weights` into `net`, which is of the same network, and set the epsilon of its BN layers. `new_head` keeps
    the net's own classifier whatever the file has, to fine-tune to other classes. Errors: WeightsError: names the first
    missing, unexpected and ill-shaped tensors; nothing has been copied then."""
    state = net.state_dict()
    theirs = {name: name for name in state if not name.endswith(COUNTER)}  # name in the net -> name in the file
    if weights.form == "vmz":
        try:
            theirs = blob_names(net) | {"fc.weight": "last_out_w", "fc.bias": "last_out_b"}
        except WeightsError as error:
            raise WeightsError(f"{weights.name}: {error}") from None
    wanted = {theirs[name]: tensor for name, tensor in state.items() if name in theirs}
    given = {name: tensor for name, tensor in weights.tensors.items() if not name.endswith(COUNTER)}
    if new_head:
        for name in HEAD:
            wanted.pop(theirs[name])
            given.pop(theirs[name], None)
    unlike = [name for name in wanted if name in given and wanted[name].shape != given[name].shape]
    size = {name: tuple(tensor.shape) for name, tensor in (wanted | given).items()}
    wrong = {
        "missing": [f"{name} {size[name]}" for name in wanted if name not in given],
        "unexpected": [f"{name} {size[name]}" for name in given if name not in wanted],
        "shape": [f"{n} is {size[n]} in the file, {tuple(wanted[n].shape)} in the net" for n in unlike],
    }
    more = {what: f" and {len(some) - 1} more" if len(some) > 1 else "" for what, some in wrong.items()}
    problems = [f"{what}: {some[0]}{more[what]}" for what, some in wrong.items() if some]
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


def bn_eps(net: nn.Module) -> float:
    """The epsilon of the net's BN layers, which is one for all (C3D has none)."""
    return next((module.eps for module in net.modules() if isinstance(module, BATCH_NORM)), BN_EPS)


def set_bn_eps(net: nn.Module, eps: float) -> None:
    """Set the epsilon of every BN layer."""
    for module in net.modules():
        if isinstance(module, BATCH_NORM):
            module.eps = eps


def blob_names(net: nn.Module) -> dict[str, str]:
    """Name of each parameter and running statistic of `net` in its state dict -> name of VMZ's blob; WeightsError where
    VMZ's form has no names for them."""
    names: dict[str, str] = {}

    def add(name: str, conv: str, norm: str) -> None:
        """Names within conv + BN; of (2+1)D the first convolution and its BN are the `middle` ones."""
        kinds = (nn.Conv3d, BATCH_NORM)
        parts = [(f"{name}.{key}", m) for key, m in net.get_submodule(name).named_modules() if isinstance(m, kinds)]
        if [isinstance(part, BATCH_NORM) for _, part in parts] not in ([False, True], [False, True, False, True]):
            return
        for i in range(0, len(parts), 2):
            middle = "_middle" if len(parts) == 4 and i == 0 else ""
            names[f"{parts[i][0]}.weight"] = f"{conv}{middle}_w"
            for ours, theirs in VMZ_BN_PARTS.items():
                names[f"{parts[i + 1][0]}.{ours}"] = f"{norm.format(middle=middle)}_{theirs}"

    if hasattr(net, "stem"):
        add("stem", "conv1", "conv1{middle}_spatbn_relu")
    blocks = [(name, module) for name, module in net.named_modules() if isinstance(module, BasicBlock)]
    for number, (name, block) in enumerate(blocks):
        for j in (1, 2):
            add(f"{name}.conv{j}", f"comp_{number}_conv_{j}", f"comp_{number}_spatbn_{j}{{middle}}")
        if block.downsample is not None:
            add(f"{name}.downsample", f"shortcut_projection_{number}", f"shortcut_projection_{number}_spatbn")
    names |= {f"fc.{part}": f"last_out_L{net.fc.out_features}_{part[0]}" for part in ("weight", "bias")}
    unnamed = [name for name in net.state_dict() if name not in names and not name.endswith(COUNTER)]
    if unnamed:
        raise WeightsError(f"VMZ's form has no name for {unnamed[0]}; it holds the networks of Table 2 only")
    return names


def read_blobs(path: Path) -> dict[str, np.ndarray]:
    """The blobs of a file of VMZ, of which nothing is executed: it may hold NumPy arrays and plain containers only.
    Errors: WeightsError names a file that is none."""
    with path.open("rb") as file:
        try:
            content = _Unpickler(file, encoding="latin1").load()
        except pickle.UnpicklingError as error:
            raise WeightsError(f"{path.name}: not a weight file of VMZ ({error}); nothing of it was executed") from None
        except Exception as error:  # foreign bytes stop the reader in many ways
            raise WeightsError(f"{path.name}: not a readable pickle ({type(error).__name__}: {error})") from None
    blobs = content.get("blobs", content) if isinstance(content, dict) else None
    if not isinstance(blobs, dict) or not any(isinstance(blob, np.ndarray) for blob in blobs.values()):
        raise WeightsError(f"{path.name}: not a weight file of VMZ (no dict of NumPy arrays, nor one under 'blobs')")
    return blobs


class _Unpickler(pickle.Unpickler):
    """Unpickles NumPy arrays, scalars and plain containers; every other name in the file is refused."""

    def find_class(self, module: str, name: str) -> Callable:
        if (module, name) == ("_codecs", "encode"):
            return _as_bytes
        module = re.sub(r"^numpy\.core\b", "numpy._core", module)  # the name before NumPy 2
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return _ADMITTED[module, name]


def _as_bytes(text: str, encoding: str = "latin1") -> bytes:
    """What Python 3 writes for bytes in protocol 2: no other codec is looked up."""
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError(f"it asks for the codec {encoding!r}")
    return text.encode("latin1")


# The functions that NumPy's own pickles name, taken from such pickles: their modules moved between its versions.
_ADMITTED: dict[tuple[str, str], Callable] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy._core.multiarray", "_reconstruct"): np.zeros(1).__reduce__()[0],
    ("numpy._core.multiarray", "scalar"): np.float32(0).__reduce__()[0],
    ("numpy._core.numeric", "_frombuffer"): np.zeros(1).__reduce_ex__(5)[0],
}
