"""The twelve networks of Table 2 as one table and one builder (paper, sections 3 and 4.1).

A network is a choice of convolution for each of the five groups conv1..conv5 of a residual network with basic blocks.
Parameter names follow torchvision (`stem`, `layer1..4`, `conv1.0`, `downsample`, `fc`), so its weights load by name.
"""

from torch import Tensor, nn

from studylib.c3d import C3D
from studylib.convolutions import UNCHANGED, Conv3d, Variant, batch_norm, convolution, stem_convolution

# How each group convolves: "3d" t x d x d, "2d" 1 x d x d, "2+1d" 1 x d x d then t x 1 x 1,
# "folded" only as R2D's conv1: all L frames become channels, a kernel of L x d x d without temporal padding.
NETS: dict[str, tuple[str, str, str, str, str]] = {
    #            conv1     conv2   conv3   conv4   conv5
    "r2d":      ("folded", "2d",   "2d",   "2d",   "2d"),
    "f_r2d":    ("2d",     "2d",   "2d",   "2d",   "2d"),
    "r3d":      ("3d",     "3d",   "3d",   "3d",   "3d"),
    "mc2":      ("3d",     "2d",   "2d",   "2d",   "2d"),
    "mc3":      ("3d",     "3d",   "2d",   "2d",   "2d"),
    "mc4":      ("3d",     "3d",   "3d",   "2d",   "2d"),
    "mc5":      ("3d",     "3d",   "3d",   "3d",   "2d"),
    "rmc2":     ("2d",     "3d",   "3d",   "3d",   "3d"),
    "rmc3":     ("2d",     "2d",   "3d",   "3d",   "3d"),
    "rmc4":     ("2d",     "2d",   "2d",   "3d",   "3d"),
    "rmc5":     ("2d",     "2d",   "2d",   "2d",   "3d"),
    "r2plus1d": ("2+1d",   "2+1d", "2+1d", "2+1d", "2+1d"),
}  # fmt: skip

PAPER_NAMES: dict[str, str] = {
    "r2d": "R2D", "f_r2d": "f-R2D", "r3d": "R3D", "mc2": "MC2", "mc3": "MC3", "mc4": "MC4", "mc5": "MC5",
    "rmc2": "rMC2", "rmc3": "rMC3", "rmc4": "rMC4", "rmc5": "rMC5", "r2plus1d": "R(2+1)D",
}  # fmt: skip

# One thing changed at a time, for the question which part of (2+1)D makes the difference. P3D-B and P3D-C have no free
# M: what they are to be compared with is M = N_out, which has as many weights or nearly so, and not R(2+1)D itself.
VARIANTS: dict[str, Variant] = {
    "r2plus1d_per_block": Variant("r2plus1d", "R(2+1)D, M per block", midplanes="per_block"),
    "r2plus1d_stem83": Variant("r2plus1d", "R(2+1)D, 83 in conv1", stem_middle=83),
    "r2plus1d_half_m": Variant("r2plus1d", "R(2+1)D, M halved", middle_factor=0.5),
    "r2plus1d_double_m": Variant("r2plus1d", "R(2+1)D, M doubled", middle_factor=2),
    "r2plus1d_no_inner_relu": Variant("r2plus1d", "R(2+1)D, no inner ReLU", inner_relu=False),
    "r2plus1d_no_inner_bn_relu": Variant("r2plus1d", "R(2+1)D, no inner BN, ReLU", inner_bn=False, inner_relu=False),
    "r2plus1d_temporal_first": Variant("r2plus1d", "R(2+1)D, temporal first", order="temporal_first"),
    "r2plus1d_m_is_n_out": Variant("r2plus1d", "R(2+1)D, M = N out (P3D-A)", midplanes="n_out"),
    "r2plus1d_parallel": Variant("r2plus1d", "R(2+1)D, parallel (P3D-B)", midplanes="n_out", order="parallel"),
    "r2plus1d_skip": Variant("r2plus1d", "R(2+1)D, skip (P3D-C)", midplanes="n_out", order="skip"),
    "r3d_added_relu": Variant("r3d", "R3D, added ReLU", added_relu=True),
}

# Every name `build_net` takes -> how it is printed. C3D is the baseline from outside the family (section 4.3, VMZ).
PRINTED_NAMES: dict[str, str] = {
    **PAPER_NAMES,
    **{name: variant.printed for name, variant in VARIANTS.items()},
    "c3d": "C3D",
}

# Blocks in conv2..conv5 (Table 1).
BLOCKS: dict[int, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}

# What the variance of a convolution's first weights is 2 over, see `initialise`.
INITIALISATIONS = ("fan_out", "fan_in")


class BasicBlock(nn.Module):
    """z_i = z_{i-1} + F(z_{i-1}), two convolutions without a bottleneck (section 3, equation 1)."""

    def __init__(self, kind: str, n_in: int, n_out: int, downsample: bool, variant: Variant = UNCHANGED) -> None:
        super().__init__()
        stride_t, stride_s = block_stride(kind, downsample)
        relu = nn.ReLU(inplace=True)
        first = convolution(kind, n_in, n_out, stride_t, stride_s, variant=variant)
        second = convolution(kind, n_out, n_out, variant=variant, block_in=n_in)
        self.conv1 = nn.Sequential(first, batch_norm(n_out), relu)
        self.conv2 = nn.Sequential(second, batch_norm(n_out))
        self.relu = relu
        self.downsample = None
        if downsample or n_in != n_out:
            projection = Conv3d(n_in, n_out, 1, (stride_t, stride_s, stride_s), bias=False)
            self.downsample = nn.Sequential(projection, batch_norm(n_out))

    def forward(self, x: Tensor) -> Tensor:  # (B, N_in, T, H, W) -> (B, N_out, T', H', W')
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


def block_stride(kind: str, downsample: bool) -> tuple[int, int]:
    """(temporal, spatial) stride of a block; only convolutions over time stride in time (section 4.1)."""
    if not downsample:
        return 1, 1
    return (1, 2) if kind == "2d" else (2, 2)


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

    Returns:
        A network that takes float clips (B, in_channels, L, H, W) and gives scores (B, num_classes).

    Raises:
        ValueError: names the argument that is wrong and what it takes.
    """
    if name not in PRINTED_NAMES:
        raise ValueError(f"net: {name!r} is not one of {', '.join(PRINTED_NAMES)}")
    if depth not in BLOCKS:
        raise ValueError(f"depth: {depth!r} is not one of {', '.join(map(str, BLOCKS))}")
    if initialisation not in INITIALISATIONS:
        raise ValueError(f"initialisation: {initialisation!r} is not one of {', '.join(INITIALISATIONS)}")
    sizes = {"num_classes": num_classes, "clip_length": clip_length, "in_channels": in_channels, "width": width}
    sizes["resolution"] = resolution
    for argument, value in sizes.items():
        if value < 1:
            raise ValueError(f"{argument}: {value!r} is not a positive whole number")

    if name == "c3d":
        net = C3D(num_classes, clip_length, in_channels, width, resolution)
        initialise(net, initialisation)
        return net

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
    """He normal for convolutions, BN as the identity, a small normal FC layer; the paper does not say.

    `mode` is what the variance of a convolution's weights is 2 over: "fan_out", t d^2 N_out, or "fan_in", t d^2 N_in.
    Both draw the same numbers and scale them differently.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm3d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
