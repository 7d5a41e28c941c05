"""VMZ's released files: Caffe2 blobs in a Python-2 pickle, to and from our networks (facebookresearch/VMZ).

The blobs of a residual block are named by its number, counted from 0 through the whole net, and the convolution's, 1 or
2: `comp_3_conv_1_middle_w` is the spatial convolution of the first (2+1)D convolution of the fourth block. Shapes are
ours already: convolutions (N, C, t, d, d) without bias, R2D's conv1 (64, C, L, 7, 7). `_riv` is, in spite of its name,
the running variance.
"""

import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

BN_PARTS = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
# What can only be a parameter of a network; other blobs of a file (momentum, learning rate, iteration) are ignored.
PARAMETER = re.compile(
    r"(conv1|comp_\d+_conv_\d|shortcut_projection_\d+|last_out_L\d+)(_middle)?_[wb]"
    r"|(conv1(_middle)?_spatbn_relu|comp_\d+_spatbn_\d(_middle)?|shortcut_projection_\d+_spatbn)_(s|b|rm|riv)"
)
_REALS = (np.float16, np.float32, np.float64)
HEAD = re.compile(r"last_out_L\d+_([wb])")


def blob_names(net: nn.Module) -> dict[str, str]:
    """Name of each parameter and running statistic of `net` in its state dict -> name of VMZ's blob.

    Raises:
        ValueError: the net has convolutions that VMZ's form has no names for.
    """
    if not hasattr(net, "stem"):
        raise ValueError(f"VMZ's form of {type(net).__name__} is not known here; it holds the networks of Table 2 only")
    names = dict(_convolution(net.stem, "stem", "conv1", "_w", "conv1{middle}_spatbn_relu"))
    number = 0
    for group in range(1, 5):
        for k, block in enumerate(getattr(net, f"layer{group}")):
            prefix = f"layer{group}.{k}"
            for j in (1, 2):
                conv, name = getattr(block, f"conv{j}"), f"{prefix}.conv{j}"
                norm = f"comp_{number}_spatbn_{j}{{middle}}"
                names |= _convolution(conv, name, f"comp_{number}_conv_{j}", "_w", norm)
            if block.downsample is not None:
                shortcut = f"shortcut_projection_{number}"
                names |= _convolution(block.downsample, f"{prefix}.downsample", shortcut, "_w", f"{shortcut}_spatbn")
            number += 1
    classes = net.fc.out_features
    names |= {"fc.weight": f"last_out_L{classes}_w", "fc.bias": f"last_out_L{classes}_b"}
    unnamed = [name for name in net.state_dict() if name not in names and not name.endswith("num_batches_tracked")]
    if unnamed:
        raise ValueError(f"VMZ's form has no name for {unnamed[0]}; it holds the networks of Table 2 only")
    return names


def _convolution(module: nn.Module, name: str, conv: str, suffix: str, norm: str) -> Iterator[tuple[str, str]]:
    """Names within conv + BN; of (2+1)D the first convolution and its BN are the `middle` ones."""
    kinds = (nn.Conv3d, nn.BatchNorm3d)
    parts = [(f"{name}.{key}", part) for key, part in module.named_modules() if isinstance(part, kinds)]
    if [type(part) is nn.BatchNorm3d for _, part in parts] not in ([False, True], [False, True, False, True]):
        raise ValueError(f"VMZ's form has no name for {name}; it holds the networks of Table 2 only")
    for i in range(0, len(parts), 2):
        middle = "_middle" if len(parts) == 4 and i == 0 else ""
        yield f"{parts[i][0]}.weight", f"{conv}{middle}{suffix}"
        for ours, theirs in BN_PARTS.items():
            yield f"{parts[i + 1][0]}.{ours}", f"{norm.format(middle=middle)}_{theirs}"


def parameters_of(blobs: dict[str, Any], head: str) -> dict[str, np.ndarray]:
    """The parameters among a file's blobs; the classifier is named `head` ("last_out_L400") whatever its classes."""
    arrays = {n: a for n, a in blobs.items() if isinstance(n, str) and getattr(a, "dtype", None) in _REALS}
    return {
        f"{head}_{found[1]}" if (found := HEAD.fullmatch(name)) else name: array
        for name, array in arrays.items()
        if PARAMETER.fullmatch(name)
    }


def read_blobs(path: Path) -> dict[str, np.ndarray]:
    """The blobs of a file of VMZ. Nothing of the file is executed: it may hold NumPy arrays and plain containers only.

    Raises:
        ValueError: names the file where it is no such pickle.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            content = _Unpickler(file, encoding="latin1").load()
        except pickle.UnpicklingError as error:
            raise ValueError(f"{path.name}: not a weight file of VMZ ({error}); nothing of it was executed") from None
        except Exception as error:  # foreign bytes stop the reader in many ways
            raise ValueError(f"{path.name}: not a readable pickle ({type(error).__name__}: {error})") from None
    blobs = content.get("blobs", content) if isinstance(content, dict) else None
    if not isinstance(blobs, dict) or not any(isinstance(blob, np.ndarray) for blob in blobs.values()):
        raise ValueError(f"{path.name}: not a weight file of VMZ (no dict of NumPy arrays, nor one under 'blobs')")
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
