"""SGD and its learning rate over a run (paper, section 4.1; VMZ where the paper is silent)."""

from math import cos, pi

import torch
from torch import nn

from studylib.training.spec import RunSpec

MOMENTUM = 0.9  # Nesterov, VMZ


def learning_rate(spec: RunSpec, progress: float) -> float:
    """The learning rate at `progress` epochs (a step in mid-epoch has a fraction).

    "step": divided by 10 every `lr_step` epochs (section 4.1); "cosine": to 0 at the end. Both after a linear warm-up.
    """
    if progress < spec.warmup_epochs:
        return spec.lr * progress / spec.warmup_epochs
    if spec.lr_schedule == "step":
        return spec.lr * 0.1 ** (int(progress) // spec.lr_step)
    share = (progress - spec.warmup_epochs) / (spec.epochs - spec.warmup_epochs)
    return spec.lr * 0.5 * (1 + cos(pi * share))


def make_optimizer(net: nn.Module, spec: RunSpec, fused: bool = False) -> torch.optim.SGD:
    """SGD with Nesterov momentum; weight decay on convolution, FC and BN scale, not on BN shift and FC bias.

    Args:
        fused: all in one kernel; the same up to rounding.
    """
    weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in net.named_parameters() if not name.endswith("weight")]
    groups = [{"params": weights, "weight_decay": spec.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=spec.lr, momentum=MOMENTUM, nesterov=True, fused=fused or None)
