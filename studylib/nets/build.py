"""One builder for the twelve networks of Table 2 and their variants (paper, sections 3 and 4.1).

A network is a choice of convolution for each of the five groups conv1..conv5 of a residual network with basic blocks.
Parameter names follow torchvision (`stem`, `layer1..4`, `conv1.0`, `downsample`, `fc`), so its weights load by name.
"""

from torch import Tensor, nn

from studylib.nets.c3d import C3D
from studylib.nets.convolutions import Conv3d, batch_norm, convolution, stem_convolution
from studylib.nets.table import BLOCKS, INITIALISATIONS, NETS, PRINTED_NAMES, UNCHANGED, VARIANTS, Variant


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
    Both draw the same numbers and scale them differently. On the `meta` device there is nothing to draw.
    """
    if next(net.parameters()).is_meta:  # pretending to draw takes longer than counting the network
        return
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm3d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
