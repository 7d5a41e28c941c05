"""Parameters and multiply-adds of a network, the x-axis of Figure 3.

Convention, everywhere in this study: one multiply-add counts 1; convolutions and the FC layer only, no BN, ReLU,
pooling or additions; one clip. It is the convention of VMZ's released table, which it reproduces digit by digit.
Counters such as `torch.utils.flop_counter` count 2 a multiply-add, others count BN as well: their numbers differ.

fvcore counts. It traces a network with a batch of no clips, which has every shape and costs next to nothing. Its
tracer needs real tensors; those of a network that is `built` here are allocated and never filled.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import torch
from torch import nn

from studylib.nets.build import build_net


@dataclass(frozen=True)
class Complexity:
    """Counts of one network for one clip."""

    params: int  # every learnable number, BN's scale and shift among them
    weights: int  # of convolutions and FC layers, without any bias: the parameter column of VMZ's table
    conv_fc_params: int  # the same with the biases of FC layers: one a class more in a residual network
    flops: int  # multiply-adds of convolutions and FC
    by_layer: dict[str, int]  # name of each convolution and of the FC layer -> its multiply-adds, in order


def count(net: nn.Module, clip_shape: tuple[int, int, int, int]) -> Complexity:
    """Count `net`, on a CPU or GPU, for one clip of `clip_shape` = (C, T, H, W)."""
    device = next(net.parameters()).device
    with warnings.catch_warnings():  # importing fvcore calls a part of torch that is deprecated
        warnings.simplefilter("ignore", FutureWarning)
        from fvcore.nn import FlopCountAnalysis
        from fvcore.nn.jit_handles import conv_flop_count, get_shape

    def convolution(inputs: list[Any], outputs: list[Any]) -> int:
        x, weight, y = map(get_shape, (*inputs[:2], outputs[0]))
        return conv_flop_count([1, *x[1:]], weight, y)

    def fc(inputs: list[Any], _outputs: list[Any]) -> int:
        return prod(get_shape(inputs[1]))

    was_training = net.training
    try:
        analysis = FlopCountAnalysis(net.eval(), torch.zeros(0, *clip_shape, device=device))
        # without warnings about every BN, ReLU and addition: not to count them is the convention
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.set_op_handle("aten::_convolution", convolution, "aten::linear", fc)
        flops = {name: int(of["_convolution"] + of["linear"]) for name, of in analysis.by_module_and_operator().items()}
    finally:
        net.train(was_training)
    counted = {name: m for name, m in net.named_modules() if isinstance(m, nn.Conv3d | nn.Linear)}
    by_layer = {name: flops[name] for name in counted}
    return Complexity(
        params=sum(p.numel() for p in net.parameters()),
        weights=sum(m.weight.numel() for m in counted.values()),
        conv_fc_params=sum(p.numel() for m in counted.values() for p in m.parameters()),
        flops=sum(by_layer.values()),
        by_layer=by_layer,
    )


def built(name: str, depth: int = 18, **sizes: int) -> nn.Module:
    """A network of `build_net` (`sizes` are its further arguments) to be counted, not computed with: its weights are
    memory that was never filled."""
    with torch.device("meta"):
        net = build_net(name, depth, **sizes)
    return net.to_empty(device="cpu")


@cache
def count_by_name(
    name: str, depth: int = 18, *, in_channels: int = 3, clip_length: int = 8, resolution: int = 112, **others: int
) -> Complexity:
    """Count a network of `build_net` (`others`: its further arguments): a fraction of a second, once in a process."""
    sizes = {"in_channels": in_channels, "clip_length": clip_length, "resolution": resolution}
    return count(built(name, depth, **sizes, **others), (in_channels, clip_length, resolution, resolution))


def count_relus(net: nn.Module, clip_shape: tuple[int, int, int, int]) -> int:
    """How often a clip of `clip_shape` = (C, T, H, W) passes a ReLU layer, as called: a block's ReLU serves twice."""
    return len(calls(net, clip_shape, [(name, m) for name, m in net.named_modules() if isinstance(m, nn.ReLU)]))


def output_sizes(net: nn.Module, clip_shape: tuple[int, int, int, int]) -> dict[str, tuple[int, ...]]:
    """Output (channels, T, H, W) of each convolution, FC layer and group for a clip of `clip_shape`, as called."""
    modules = {name: m for name, m in net.named_modules() if isinstance(m, nn.Conv3d | nn.Linear)}
    called = calls(net, clip_shape, [*modules.items(), *net.named_children()])
    return {name: output for name, _, _, output in called}


def calls(
    net: nn.Module, clip_shape: tuple[int, ...], modules: Iterable[tuple[str, nn.Module]]
) -> list[tuple[str, nn.Module, tuple[int, ...], tuple[int, ...]]]:
    """(name, module, shape of its input, of its output) of each call of one of `modules` while a clip passes the net in
    its mode of testing; shapes without the batch."""
    noted: list[tuple[str, nn.Module, tuple[int, ...], tuple[int, ...]]] = []

    def note(name: str) -> Callable:
        return lambda module, inputs, output: noted.append(
            (name, module, tuple(inputs[0].shape[1:]), tuple(output.shape[1:]))
        )

    hooks = [module.register_forward_hook(note(name)) for name, module in modules]
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(0, *clip_shape, device=next(net.parameters()).device))
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return noted
