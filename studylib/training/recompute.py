"""Activations of a residual block computed again in the backward pass instead of kept: less memory, the same result.

A third more multiply-adds; a step then keeps what lies between the blocks, and the inside of one block at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from studylib.nets.build import BasicBlock


def recompute_blocks(net: nn.Module) -> None:
    """Make every residual block of `net` recompute in training, in place; names of parameters and buffers stay.

    Call it once, in any order with moving the net to a device, and before DistributedDataParallel wraps it.

    Raises:
        ValueError: the net has no residual blocks.
    """
    blocks = [module for module in net.modules() if isinstance(module, BasicBlock)]
    if not blocks:
        raise ValueError(f"recompute: {type(net).__name__} has no residual blocks; set it to false")
    for block in blocks:
        block.forward = partial(_forward, block, block.forward)


@torch.compiler.disable  # which cannot trace `context_fn`: in a compiled net the blocks stay as they are
def _forward(block: BasicBlock, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The block's forward pass; in training its inside is dropped at once."""
    if not (block.training and torch.is_grad_enabled()):
        return forward(x)

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), spare_statistics(block)

    # a block draws no random numbers, so their state is not kept
    return checkpoint(forward, x, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


@contextmanager
def spare_statistics(block: nn.Module) -> Iterator[None]:
    """Within it, BN layers of `block` update copies of their running statistics, which are dropped at its end.

    Otherwise the second forward pass would count each batch again. On a GPU it runs in a thread of the backward pass;
    the one that called it waits meanwhile, so that nobody else sees the copies.
    """
    layers = [layer for layer in block.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    kept = [(layer, name, buffer) for layer in layers for name, buffer in layer.named_buffers(recurse=False)]
    try:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer.clone())
        yield
    finally:  # also where torch stops it halfway because it has all it needs
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)
