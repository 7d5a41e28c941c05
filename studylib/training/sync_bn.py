"""Batch normalisation over the clips of all processes; the paper's statistics are those of one GPU.

It makes W processes with B clips each compute what one computes with W x B clips. torch's own runs on GPUs alone.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """A sum over all processes, and so the gradient of what all of them make of it."""

    @staticmethod
    def forward(_ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class SyncBatchNorm(nn.BatchNorm3d):
    """`nn.BatchNorm3d` whose training statistics are over all processes; float32 inside, as torch's."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W), normalised in training by all processes' clips, else by the running statistics."""
        if not self.training:
            return super().forward(x)
        values, dims = x.float(), (0, 2, 3, 4)
        count = _Sum.apply(torch.tensor([float(x.numel() // x.shape[1])], device=x.device))
        mean = _Sum.apply(values.sum(dims)) / count
        centred = values - mean.view(1, -1, 1, 1, 1)
        variance = _Sum.apply(centred.square().sum(dims)) / count
        with torch.no_grad():
            unbiased = variance * count / (count - 1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
            self.num_batches_tracked += 1
        scale = (self.weight * torch.rsqrt(variance + self.eps)).view(1, -1, 1, 1, 1)
        return (centred * scale + self.bias.view(1, -1, 1, 1, 1)).to(x.dtype)


def synchronise_bn(net: nn.Module) -> None:
    """Make every BN layer of `net` a synchronised one, in place; parameters and statistics stay."""
    for layer in net.modules():
        if type(layer) is nn.BatchNorm3d:
            layer.__class__ = SyncBatchNorm
