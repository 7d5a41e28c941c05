"""The twelve networks of Table 2, their variants and C3D (paper, sections 3 and 4.1): from a convolution to a network.

A network is a choice of convolution for each of the five groups conv1..conv5 of a residual network with basic blocks.
Parameter names follow torchvision (`stem`, `layer1..4`, `conv1.0`, `downsample`, `fc`), so its weights load by name.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studylib.nets.table import BLOCKS, INITIALISATIONS, NETS, PRINTED_NAMES, UNCHANGED, VARIANTS, Variant

TEMPORAL_EXTENT = 3  # t, section 3.3
BN_EPS = 1e-3  # VMZ's spatial BN; the paper does not say
# Filters of the convolutions beside 64 of the first one; a pooling follows each group.
C3D_GROUPS: dict[str, tuple[int, ...]] = {"1": (64,), "2": (128,), "3": (256, 256), "4": (512, 512), "5": (512, 512)}


class Conv3d(nn.Conv3d):
    """`nn.Conv3d` that does not multiply padding on a CPU where hardly a frame is left.

    With 1 or 2 frames, which is conv4 and conv5 at 8 frames, a third or two of the temporal taps fall on zeros. oneDNN
    skips them, but its weight gradient there is slow in fp32, and garbage in bf16 for 2 frames. Without gradients fp32
    is left to it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, N_in, T, H, W) -> (B, N_out, T', H', W'); on a CPU T of 1 or 2 goes by `frames_as_channels`."""
        if self.padding[0] and x.shape[2] <= 2 and x.device.type == "cpu":
            autocast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
            if torch.bfloat16 in (x.dtype, autocast):
                return frames_as_channels(x, self.weight.to(torch.bfloat16), self.stride, self.padding)
            if self.training and torch.is_grad_enabled():
                return frames_as_channels(x, self.weight, self.stride, self.padding)
        return super().forward(x)


def frames_as_channels(x: Tensor, weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...]) -> Tensor:
    """A 3D convolution, of kernel 3 in time and padded by 1, of one or two frames: as a 2D one of all frames at once.

    Each output frame is a row of blocks, the taps that meet a frame: of two frames [[w1, w2], [w0, w1]], of one [[w1]].
    """
    frames, t = x.shape[2], padding[0]
    outputs = (frames + 2 * t - weight.shape[2]) // stride[0] + 1
    taps = [[weight[:, :, i - o * stride[0] + t] for i in range(frames)] for o in range(outputs)]
    rows = torch.cat([torch.cat(row, 1) for row in taps]).contiguous(memory_format=torch.channels_last)
    y = F.conv2d(torch.cat(x.unbind(2), 1), rows, None, stride[1:], padding[1:])  # (B, outputs * N_out, H', W')
    return torch.stack(y.chunk(outputs, 1), 2).contiguous(memory_format=torch.channels_last_3d)


def middle_channels(n_in: int, n_out: int, t: int = TEMPORAL_EXTENT, d: int = 3) -> int:
    """M of section 3.5, floor(t d^2 N_in N_out / (d^2 N_in + t N_out)): as many weights as in t x d x d."""
    return t * d * d * n_in * n_out // (d * d * n_in + t * n_out)


def stem_middle_channels(width: int, filters: float = 45) -> int:
    """Spatial filters of R(2+1)D's conv1: 45 beside 64 (appendix), the same ratio at another width, at least 1."""
    return max(1, int(filters * width // 64))


def batch_norm(channels: int) -> nn.BatchNorm3d:
    """Batch normalisation after a convolution; statistics per GPU. PyTorch's momentum of 0.1 is Caffe2's 0.9."""
    return nn.BatchNorm3d(channels, eps=BN_EPS)


def plain_convolution(n_in: int, n_out: int, t: int, d: int, stride_t: int = 1, stride_s: int = 1) -> Conv3d:
    """t x d x d, padded so that only the strides change the size."""
    return Conv3d(n_in, n_out, (t, d, d), (stride_t, stride_s, stride_s), (t // 2, d // 2, d // 2), bias=False)


def inner(channels: int, variant: Variant) -> list[nn.Module]:
    """BN and ReLU between two factors; what a variant leaves out keeps its place, so that weights load by name."""
    return [
        batch_norm(channels) if variant.inner_bn else nn.Identity(),
        nn.ReLU(inplace=True) if variant.inner_relu else nn.Identity(),
    ]


def convolution(
    kind: str, n_in: int, n_out: int, stride: tuple[int, int], block_in: int, variant: Variant
) -> nn.Module:
    """One convolution of a residual block, 3 wide: "2d", "3d" or "2+1d" (with its inner BN and ReLU, section 3.5).

    `stride` is (temporal, spatial); `block_in` the input channels of the block, which a rule of M once a block reads.
    """
    t, (stride_t, stride_s) = TEMPORAL_EXTENT, stride
    if kind == "2d":
        return plain_convolution(n_in, n_out, 1, 3, 1, stride_s)
    if kind == "3d":
        full = plain_convolution(n_in, n_out, t, 3, stride_t, stride_s)
        return nn.Sequential(full, batch_norm(n_out), nn.ReLU(inplace=True)) if variant.added_relu else full
    if variant.order in ("parallel", "skip"):
        return TwoPaths(n_in, n_out, stride_t, stride_s, variant)
    temporal_first = variant.order == "temporal_first"
    m_in = block_in if variant.midplanes == "per_block" else n_in
    if variant.midplanes == "n_out":
        middle = n_out
    else:  # as many weights as in t x d x d; where the two factors change places, so do N_in and N_out
        middle = middle_channels(n_out, m_in) if temporal_first else middle_channels(m_in, n_out)
    middle = max(1, int(middle * variant.middle_factor))
    spatial, temporal = (1, 3, 1, stride_s), (t, 1, stride_t, 1)
    first, last = (temporal, spatial) if temporal_first else (spatial, temporal)
    between = inner(middle, variant)
    return nn.Sequential(plain_convolution(n_in, middle, *first), *between, plain_convolution(middle, n_out, *last))


class TwoPaths(nn.Module):
    """Spatial and temporal convolution whose outputs are summed (P3D-B and P3D-C, Qiu et al. 2017).

    P3D-B ("parallel"): relu(bn(spatial(x))) + temporal(x). P3D-C ("skip"): y + temporal(y), y = relu(bn(spatial(x))),
    where y gives every second frame when the temporal convolution strides.
    """

    def __init__(self, n_in: int, n_out: int, stride_t: int, stride_s: int, variant: Variant) -> None:
        super().__init__()
        self.parallel = variant.order == "parallel"
        if self.parallel:  # each branch strides in time and in space
            spatial = plain_convolution(n_in, n_out, 1, 3, stride_t, stride_s)
            self.temporal = plain_convolution(n_in, n_out, TEMPORAL_EXTENT, 1, stride_t, stride_s)
        else:
            spatial = plain_convolution(n_in, n_out, 1, 3, 1, stride_s)
            self.temporal = plain_convolution(n_out, n_out, TEMPORAL_EXTENT, 1, stride_t)
        self.spatial = nn.Sequential(spatial, *inner(n_out, variant))
        self.frame_step = 1 if self.parallel else stride_t

    def forward(self, x: Tensor) -> Tensor:
        """(B, N_in, T, H, W) -> (B, N_out, T', H', W'), the sum of both paths."""
        y = self.spatial(x)
        return y[:, :, :: self.frame_step] + self.temporal(x if self.parallel else y)


def stem_convolution(kind: str, in_channels: int, width: int, clip_length: int, variant: Variant) -> nn.Sequential:
    """conv1: 7 wide, stride 1 x 2 x 2, BN and ReLU, and no max-pooling after it (Table 1)."""
    t = TEMPORAL_EXTENT
    # (temporal extent, temporal padding) of the one convolution, or of the spatial one in (2+1)D
    extent, padding = {"3d": (t, t // 2), "folded": (clip_length, 0)}.get(kind, (1, 0))
    first_out = stem_middle_channels(width, variant.stem_middle * variant.middle_factor) if kind == "2+1d" else width
    first = Conv3d(in_channels, first_out, (extent, 7, 7), (1, 2, 2), (padding, 3, 3), bias=False)
    after = [batch_norm(width), nn.ReLU(inplace=True)]
    if kind == "2+1d":
        return nn.Sequential(first, *inner(first_out, variant), plain_convolution(first_out, width, t, 1), *after)
    added = [batch_norm(width), nn.ReLU(inplace=True)] if variant.added_relu and kind == "3d" else []
    return nn.Sequential(first, *added, *after)


def block_stride(kind: str, downsample: bool) -> tuple[int, int]:
    """(temporal, spatial) stride of a block; only convolutions over time stride in time (section 4.1)."""
    if not downsample:
        return 1, 1
    return (1, 2) if kind == "2d" else (2, 2)


class BasicBlock(nn.Module):
    """z_i = z_{i-1} + F(z_{i-1}), two convolutions without a bottleneck (section 3, equation 1)."""

    def __init__(self, kind: str, n_in: int, n_out: int, downsample: bool, variant: Variant = UNCHANGED) -> None:
        super().__init__()
        stride = block_stride(kind, downsample)
        first = convolution(kind, n_in, n_out, stride, n_in, variant)
        second = convolution(kind, n_out, n_out, (1, 1), n_in, variant)
        self.conv1 = nn.Sequential(first, batch_norm(n_out), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(second, batch_norm(n_out))
        self.relu = self.conv1[2]
        self.downsample = None
        if downsample or n_in != n_out:
            self.downsample = nn.Sequential(plain_convolution(n_in, n_out, 1, 1, *stride), batch_norm(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N_in, T, H, W) -> (B, N_out, T', H', W'); ReLU after the sum."""
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.conv2(self.conv1(x)) + shortcut)


class VideoResNet(nn.Module):
    """Stem, four groups of basic blocks, global spatiotemporal average pooling, one FC layer (Table 1)."""

    def __init__(self, stem: nn.Sequential, layers: list[nn.Sequential], features: int, num_classes: int) -> None:
        super().__init__()
        self.stem = stem
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, C, L, H, W) -> class scores before the softmax (B, num_classes)."""
        x = self.stem(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc(self.avgpool(x).flatten(1))


class C3D(nn.Module):
    """Eight 3 x 3 x 3 convolutions with BN and ReLU, five max-poolings, three FC layers (Tran et al., ICCV 2015).

    VMZ's C3D: BN after each convolution (the original has none, and biases instead), pool5 without padding, so that fc6
    sees 1 x 3 x 3 at 16 x 112 x 112. pool1 leaves time alone, the others halve it.
    """

    def __init__(self, num_classes: int, clip_length: int, in_channels: int, width: int, resolution: int) -> None:
        super().__init__()
        time, side = clip_length // 16, resolution // 32
        if not time:
            raise ValueError(f"clip_length: C3D pools time to a sixteenth, {clip_length} frames leave nothing; take 16")
        if not side:
            raise ValueError(f"resolution: C3D pools space to 1/32, {resolution} pixels leave nothing; take 112")
        features = nn.Sequential()
        n_in = in_channels
        for group, filters in C3D_GROUPS.items():
            for letter, beside_64 in zip("ab", filters, strict=False):
                n_out = beside_64 * width // 64
                features.add_module(f"conv{group}{letter}", Conv3d(n_in, n_out, 3, padding=1, bias=False))
                features.add_module(f"bn{group}{letter}", batch_norm(n_out))
                features.add_module(f"relu{group}{letter}", nn.ReLU(inplace=True))
                n_in = n_out
            features.add_module(f"pool{group}", nn.MaxPool3d((1, 2, 2) if group == "1" else 2))
        self.features = features
        self.fc6 = nn.Linear(n_in * time * side * side, 64 * width)  # 4096 beside 64 filters
        self.fc7 = nn.Linear(64 * width, 64 * width)
        self.fc = nn.Linear(64 * width, num_classes)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, C, L, H, W) -> class scores before the softmax (B, num_classes)."""
        x = self.features(x).flatten(1)
        x = self.dropout(self.relu(self.fc6(x)))
        return self.fc(self.dropout(self.relu(self.fc7(x))))


def build_net(
    name: str,
    depth: int = 18,
    num_classes: int = 400,
    clip_length: int = 8,
    in_channels: int = 3,
    width: int = 64,
    resolution: int = 112,
    initialisation: str = "fan_out",
) -> VideoResNet | C3D:
    """One of the twelve networks of Table 2, a variant of one, or C3D; initialised.

    Args:
        name: a key of `PRINTED_NAMES`: of `NETS`, of `VARIANTS`, or "c3d".
        depth: 18 or 34 (Table 1); C3D has one depth and does not read it.
        num_classes: outputs of the FC layer.
        clip_length: frames L of a clip; only R2D's and C3D's weights depend on it, the others take any length.
        in_channels: 3 for RGB, 2 for optical flow.
        width: filters of conv1 and conv2 (64 in the paper); conv3..conv5 have 2, 4 and 8 times as many.
        resolution: side of the crop in pixels; only C3D's weights depend on it.
        initialisation: of the convolutions, see `initialise`.

    The network takes float clips (B, in_channels, L, H, W) and gives scores (B, num_classes). Errors: ValueError: names
    the argument that is wrong and what it takes.
    """
    args = {"net": (name, PRINTED_NAMES), "depth": (depth, BLOCKS), "initialisation": (initialisation, INITIALISATIONS)}
    for argument, (value, values) in args.items():
        if value not in values:
            raise ValueError(f"{argument}: {value!r} is not one of {', '.join(map(str, values))}")
    if min(num_classes, clip_length, in_channels, width, resolution) < 1:
        sizes = f"{num_classes}, {clip_length}, {in_channels}, {width}, {resolution}"
        raise ValueError(f"num_classes, clip_length, in_channels, width, resolution: {sizes} are not all positive")
    if name == "c3d":
        net = C3D(num_classes, clip_length, in_channels, width, resolution)
    else:
        variant = VARIANTS.get(name, UNCHANGED)
        stem_kind, *kinds = NETS[variant.base or name]
        layers, n_in = [], width
        for group, (kind, blocks) in enumerate(zip(kinds, BLOCKS[depth], strict=True)):
            n_out = width * 2**group
            layer = [BasicBlock(kind, n_in, n_out, downsample=group > 0, variant=variant)]
            layer += [BasicBlock(kind, n_out, n_out, downsample=False, variant=variant) for _ in range(blocks - 1)]
            layers.append(nn.Sequential(*layer))
            n_in = n_out
        stem = stem_convolution(stem_kind, in_channels, width, clip_length, variant)
        net = VideoResNet(stem, layers, n_in, num_classes)
    initialise(net, initialisation)
    return net


def initialise(net: nn.Module, mode: str = "fan_out") -> None:
    """He normal for convolutions, a small normal FC layer, BN as torch has it, the identity; the paper does not say.

    `mode` is what the variance of a convolution's weights is 2 over: "fan_out", t d^2 N_out, or "fan_in", t d^2 N_in.
    Both draw the same numbers and scale them differently. On the `meta` device there is nothing to draw.
    """
    if next(net.parameters()).is_meta:  # pretending to draw takes longer than counting the network
        return
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
