"""How many multiply-adds a training step cannot do without, beside the three times a forward pass that are counted.

The count of a convolution (`complexity`) takes every tap of every output. Taps that fall on padding meet zeros, and the
gradient with regard to the clip is nobody's: neither has to be computed.
"""

from torch import nn

from studylib.nets.complexity import built, calls, count
from studylib.training.spec import RunSpec

PASSES = 3  # forward, gradient of the input, gradient of the weights


def taps_inside(size: int, kernel: int, stride: int, padding: int) -> int:
    """Along one dimension: pairs of an output and a tap of its kernel that meets an input, not padding."""
    outputs = (size + 2 * padding - kernel) // stride + 1
    return sum(0 <= o * stride - padding + tap < size for o in range(outputs) for tap in range(kernel))


def of_step(spec: RunSpec, classes: int) -> tuple[int, int]:
    """(counted, needed) multiply-adds of a training step for one clip."""
    sizes = {name: getattr(spec, name) for name in ("clip_length", "in_channels", "width", "resolution")}
    net = built(spec.net, spec.depth, num_classes=classes, **sizes)
    clip_shape = (spec.in_channels, spec.clip_length, spec.resolution, spec.resolution)
    return PASSES * count(net, clip_shape).flops, needed(net, clip_shape)


def needed(net: nn.Module, clip_shape: tuple[int, int, int, int]) -> int:
    """Multiply-adds of convolutions and FC that forward and backward pass of a clip (C, T, H, W) need."""
    total = 0
    layers = [(name, m) for name, m in net.named_modules() if isinstance(m, nn.Conv3d | nn.Linear)]
    for _, layer, inputs, _ in calls(net, clip_shape, layers):
        # the first layer that is called is the one on the clip
        passes = PASSES - (total == 0)
        if isinstance(layer, nn.Linear):
            total += passes * layer.weight.numel()
            continue
        pairs = layer.in_channels * layer.out_channels // layer.groups
        for args in zip(inputs[1:], layer.kernel_size, layer.stride, layer.padding, strict=True):
            pairs *= taps_inside(*args)
        total += passes * pairs
    return total
