"""What a training step needs of memory, from shapes alone, and how it needs less (`recompute_blocks`).

Most of it is activations that wait for the backward pass, in bf16 where the run computes in bf16. What the libraries
take beside tensors (workspaces, the device's context, Python) is not counted; `HEADROOM` is left for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from studylib.nets.build import BasicBlock, build_net
from studylib.training.spec import RunSpec
from studylib.video.clips import scaled_size

HEADROOM = 0.1  # share of the memory that is left to libraries and fragmentation; assumed
GIB = 2**30
# Bytes of a parameter beside activations: fp32 weight, gradient and momentum; under autocast a bf16 copy too.
PARAMETER_BYTES = {"fp32": 12, "bf16": 14}


@dataclass(frozen=True)
class Memory:
    """Bytes of one process in training."""

    per_clip: int  # of the batch: activations kept for the backward pass, and the clip itself
    fixed: int  # weights, gradients and momentum

    def needed(self, batch_size: int) -> int:
        """Bytes at a batch size."""
        return self.fixed + batch_size * self.per_clip


@dataclass(frozen=True)
class Saved:
    """Bytes that the backward pass of one clip waits for, by where they arise in the forward pass."""

    outside: int  # stem, pooling and classifier
    blocks: tuple[tuple[int, int, int], ...]  # of each residual block: inside it, its output, the largest inside

    @property
    def all(self) -> int:
        """With everything kept."""
        return self.outside + sum(inside + output for inside, output, _ in self.blocks)

    @property
    def recomputed(self) -> int:
        """With blocks that keep their output only and compute the rest again when their turn comes: the peak."""
        kept, peak = self.outside, self.outside + sum(output for _, output, _ in self.blocks)
        for inside, output, largest in self.blocks:  # the backward pass has dropped what follows the block
            kept += output
            peak = max(peak, kept + inside + output + largest)  # the last two for the gradients on their way
        return peak


def memory_of(spec: RunSpec) -> Memory:
    """Bytes of one process of `spec` in training, by its clips, network, `amp` and `recompute`.

    `amp: bf16` is taken at its word; a device that falls back to fp32 needs about twice as much a clip.
    """
    sizes = (spec.net, spec.depth, spec.clip_length, spec.in_channels, spec.width, spec.resolution)
    saved, params = _dry_run(*sizes, spec.amp)
    clip = spec.in_channels * spec.clip_length * spec.resolution**2 * 4  # float32, see `epoch.to_input`
    frames = prod(scaled_size(spec.resolution)) * spec.clip_length * (4 if spec.modality == "flow" else 3)
    activations = saved.recomputed if spec.recompute else saved.all
    return Memory(activations + clip + frames, params * PARAMETER_BYTES[spec.amp])


def largest_batch(spec: RunSpec, available_bytes: int) -> int:
    """The largest batch size that fits into `available_bytes` less `HEADROOM`; 0 where not one clip does."""
    memory = memory_of(spec)
    return max(0, int((1 - HEADROOM) * available_bytes - memory.fixed) // memory.per_clip)


def out_of_memory(spec: RunSpec, available_bytes: int | None) -> str:
    """The line for a run whose memory ran out: what it needs, and which setting to lower by how much.

    Args:
        spec: the run, at whose `batch_size` it happened.
        available_bytes: all of the device's memory (of the machine's, on a CPU); None where it is not known.
    """
    needed, side = memory_of(spec).needed(spec.batch_size), spec.resolution
    line = f"out of memory at batch_size {spec.batch_size} with clips of {spec.clip_length}x{side}x{side}: "
    line += f"about {gib(needed)} needed"
    fitting = spec.batch_size // 2  # where the memory is not known, or the estimate says that the batch fits
    if available_bytes is not None:
        line += f", {gib(available_bytes)} there"
        if needed <= (1 - HEADROOM) * available_bytes:
            line += ", so other processes may hold some of it"
        else:
            fitting = largest_batch(spec, available_bytes)
    ways, then = [], replace(spec, recompute=True)
    if fitting:
        batch = 1 << (fitting.bit_length() - 1)  # a power of two, which kernels like
        ways.append(f"lower batch_size to {batch} and lr to {spec.lr * batch / spec.batch_size:.3g}")
    saves = memory_of(then).per_clip < memory_of(spec).per_clip  # not of a net without blocks, or one that does so
    if saves and (available_bytes is None or largest_batch(then, available_bytes)):
        ways.append("set recompute to true")
    return f"{line}; {', or '.join(ways) or 'not one clip fits: lower clip_length, resolution or width'}"


def gib(size: float) -> str:
    """Bytes as "61 GiB" or "0.44 GiB": two figures, since it is an estimate."""
    rounded = float(f"{size / GIB:.2g}")
    return f"{rounded:,.0f} GiB" if rounded >= 10 else f"{rounded:g} GiB"


@cache
def _dry_run(
    name: str, depth: int, clip_length: int, in_channels: int, width: int, resolution: int, amp: str
) -> tuple[Saved, int]:
    """(what a clip leaves for its backward pass, number of parameters)."""
    with torch.device("meta"):
        net = build_net(
            name, depth, clip_length=clip_length, in_channels=in_channels, width=width, resolution=resolution
        )
        # the meta device knows no autocast: a net in bf16 leaves what a net under autocast does
        dtype = torch.bfloat16 if amp == "bf16" else torch.float32
        clips = [torch.zeros(b, in_channels, clip_length, resolution, resolution, dtype=dtype) for b in (1, 2)]
    one, two = (saved_bytes(net.to(dtype), batch) for batch in clips)
    # what a second clip adds: statistics of BN and the like are there once
    blocks = tuple(
        tuple(b - a for a, b in zip(*block, strict=True)) for block in zip(one.blocks, two.blocks, strict=True)
    )
    return Saved(two.outside - one.outside, blocks), sum(p.numel() for p in net.parameters())


def saved_bytes(net: nn.Module, clips: Tensor) -> Saved:
    """What the forward pass of `clips` (B, C, T, H, W) and its loss leave for the backward pass, parameters aside.

    A storage counts once, at the place where it is first left behind: a block's output there, not as the next one's
    input. The net's mode stays; autocast is the caller's.
    """
    blocks = [module for module in net.modules() if isinstance(module, BasicBlock)]
    kept: list[list[int]] = [[] for _ in range(len(blocks) + 1)]  # bytes of each storage; the last list: outside
    numbers = {block: number for number, block in enumerate(blocks)}
    outputs, place = [0] * len(blocks), [-1]
    held = {p.untyped_storage()._cdata: p for p in net.parameters()}  # holds, too: an address is used again when free

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in held:
            held[storage._cdata] = tensor
            kept[place[0]].append(storage.nbytes())
        return tensor

    def enter(block: nn.Module, _inputs: tuple) -> None:
        place[0] = numbers[block]

    def leave(block: nn.Module, _inputs: tuple, output: Tensor) -> None:
        place[0] = -1
        outputs[numbers[block]] = output.untyped_storage().nbytes()

    hooks = [block.register_forward_pre_hook(enter) for block in blocks]
    hooks += [block.register_forward_hook(leave) for block in blocks]
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            F.cross_entropy(net(clips).float(), torch.zeros(len(clips), dtype=torch.int64, device=clips.device))
    finally:
        for hook in hooks:
            hook.remove()
    # the ReLU at a block's end keeps its own output, which is the block's
    inside = zip(kept, outputs, strict=False)
    return Saved(sum(kept[-1]), tuple((sum(sizes) - output, output, max(sizes)) for sizes, output in inside))


def recompute_blocks(net: nn.Module) -> None:
    """Make the backward pass compute the inside of residual blocks again instead of keeping it: the same result with
    less memory and a third more multiply-adds. In place; names of parameters and buffers stay.

    Call it once, before DistributedDataParallel wraps the net.

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
    return checkpoint(
        forward,
        x,
        use_reentrant=False,
        preserve_rng_state=False,  # a block draws no random numbers
        context_fn=lambda: (nullcontext(), _spared_statistics(block)),
    )


@contextmanager
def _spared_statistics(block: nn.Module) -> Iterator[None]:
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
