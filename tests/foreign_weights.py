"""Our networks as files of others, to be read back: VMZ's pickles and torchvision's state dicts."""

import pickle
from pathlib import Path

import torch
from torch import nn

from studylib.nets.weights import blob_names


def save_vmz(net: nn.Module, path: Path) -> None:
    """Write `net` in VMZ's form. Errors: ValueError where VMZ has no names for it."""
    names = blob_names(net)
    blobs = {names[n]: tensor.contiguous().numpy() for n, tensor in net.state_dict().items() if n in names}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"blobs": blobs}, protocol=2))  # the newest that Python 2 reads


def save_torchvision(net: nn.Module, path: Path) -> None:
    """Write the state dict of `net`, which torchvision's own network of that kind takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), path)
