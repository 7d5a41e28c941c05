"""Our networks as files of others, to be read back: VMZ's pickles and torchvision's state dicts."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from studylib.nets.build import BN_EPS
from studylib.nets.weights import TORCHVISION_BN_EPS, blob_names, bn_eps


def save_vmz(net: nn.Module, path: Path | str) -> None:
    """Write `net` in VMZ's form (epsilon 1e-3).

    Raises:
        ValueError: VMZ has no names for this net, or see `state_at`.
    """
    names, state = blob_names(net), state_at(net, BN_EPS)
    blobs = {names[name]: tensor.contiguous().numpy() for name, tensor in state.items() if name in names}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(pickle.dumps({"blobs": blobs}, protocol=2))  # the newest that Python 2 reads


def save_torchvision(net: nn.Module, path: Path | str) -> None:
    """Write `net` as a state dict that torchvision's own network of that kind takes (epsilon 1e-5).

    Raises:
        ValueError: see `state_at`.
    """
    state = {name: tensor.contiguous() for name, tensor in state_at(net, TORCHVISION_BN_EPS).items()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


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
