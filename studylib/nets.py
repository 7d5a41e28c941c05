"""The twelve networks of Table 2 as one table and one builder (paper, sections 3 and 4.1).

A network is a choice of convolution for each of the five groups conv1..conv5 of a residual network with basic blocks.
Parameter names follow torchvision (`stem`, `layer1..4`, `conv1.0`, `downsample`, `fc`), so its weights load by name.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from studylib.precision import cpu_bf16_is_on

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

# Blocks in conv2..conv5 (Table 1).
BLOCKS: dict[int, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}

TEMPORAL_EXTENT = 3  # t, section 3.3
BN_EPS = 1e-3  # VMZ's spatial BN; the paper does not say
BN_MOMENTUM = 0.1  # PyTorch's meaning; Caffe2 writes the complement, 0.9


class Conv3d(nn.Conv3d):
    """`nn.Conv3d` that pads time by itself where oneDNN's own padding is wrong.

    In bf16 on a CPU, oneDNN's weight gradient is garbage for an input of 2 frames, a kernel of 3 and temporal padding 1
    (conv4 of R3D and R(2+1)D at 8 frames). With time padded beforehand every layer is right; see `precision`.
    """

    def forward(self, x: Tensor) -> Tensor:  # (B, C, T, H, W)
        t, h, w = self.padding
        if t and cpu_bf16_is_on(x):
            x = F.pad(x, (0, 0, 0, 0, t, t))
            return F.conv3d(x, self.weight, self.bias, self.stride, (0, h, w))
        return super().forward(x)


class BasicBlock(nn.Module):
    """z_i = z_{i-1} + F(z_{i-1}), two convolutions without a bottleneck (section 3, equation 1)."""

    def __init__(self, kind: str, n_in: int, n_out: int, downsample: bool) -> None:
        super().__init__()
        stride_t, stride_s = block_stride(kind, downsample)
        relu = nn.ReLU(inplace=True)
        self.conv1 = nn.Sequential(convolution(kind, n_in, n_out, stride_t, stride_s), batch_norm(n_out), relu)
        self.conv2 = nn.Sequential(convolution(kind, n_out, n_out), batch_norm(n_out))
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


def middle_channels(n_in: int, n_out: int, t: int = TEMPORAL_EXTENT, d: int = 3) -> int:
    """M of section 3.5, floor(t d^2 N_in N_out / (d^2 N_in + t N_out)): as many weights as in t x d x d."""
    return t * d * d * n_in * n_out // (d * d * n_in + t * n_out)


def stem_middle_channels(width: int) -> int:
    """Spatial filters of R(2+1)D's conv1: 45 beside 64 (appendix), the same ratio at another width, at least 1."""
    return max(1, 45 * width // 64)


def block_stride(kind: str, downsample: bool) -> tuple[int, int]:
    """(temporal, spatial) stride of a block; only convolutions over time stride in time (section 4.1)."""
    if not downsample:
        return 1, 1
    return (1, 2) if kind == "2d" else (2, 2)


def batch_norm(channels: int) -> nn.BatchNorm3d:
    """Batch normalisation after a convolution; statistics per GPU."""
    return nn.BatchNorm3d(channels, eps=BN_EPS, momentum=BN_MOMENTUM)


def convolution(kind: str, n_in: int, n_out: int, stride_t: int = 1, stride_s: int = 1) -> nn.Module:
    """One convolution of a residual block, 3 wide: "2d", "3d" or "2+1d" (with its inner BN and ReLU, section 3.5)."""
    t = TEMPORAL_EXTENT
    if kind == "3d":
        return Conv3d(n_in, n_out, (t, 3, 3), (stride_t, stride_s, stride_s), (t // 2, 1, 1), bias=False)
    spatial_out = middle_channels(n_in, n_out) if kind == "2+1d" else n_out
    spatial = Conv3d(n_in, spatial_out, (1, 3, 3), (1, stride_s, stride_s), (0, 1, 1), bias=False)
    if kind == "2d":
        return spatial
    temporal = Conv3d(spatial_out, n_out, (t, 1, 1), (stride_t, 1, 1), (t // 2, 0, 0), bias=False)
    return nn.Sequential(spatial, batch_norm(spatial_out), nn.ReLU(inplace=True), temporal)


def stem_convolution(kind: str, in_channels: int, width: int, clip_length: int) -> nn.Sequential:
    """conv1: 7 wide, stride 1 x 2 x 2, BN and ReLU, and no max-pooling after it (Table 1)."""
    t = TEMPORAL_EXTENT
    # (temporal extent, temporal padding) of the one convolution, or of the spatial one in (2+1)D
    extent, padding = {"3d": (t, t // 2), "folded": (clip_length, 0)}.get(kind, (1, 0))
    spatial_out = stem_middle_channels(width) if kind == "2+1d" else width
    stem: list[nn.Module] = [
        Conv3d(in_channels, spatial_out, (extent, 7, 7), (1, 2, 2), (padding, 3, 3), bias=False),
        batch_norm(spatial_out),
        nn.ReLU(inplace=True),
    ]
    if kind == "2+1d":
        temporal = Conv3d(spatial_out, width, (t, 1, 1), 1, (t // 2, 0, 0), bias=False)
        stem += [temporal, batch_norm(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*stem)


def build_net(
    name: str,
    depth: int = 18,
    num_classes: int = 400,
    clip_length: int = 8,
    in_channels: int = 3,
    width: int = 64,
) -> VideoResNet:
    """One of the twelve networks of Table 2, initialised.

    Args:
        name: a key of `NETS`.
        depth: 18 or 34 (Table 1).
        num_classes: outputs of the FC layer.
        clip_length: frames L of a clip; only R2D's weights depend on it, the others take any length.
        in_channels: 3 for RGB, 2 for optical flow.
        width: filters of conv1 and conv2 (64 in the paper); conv3..conv5 have 2, 4 and 8 times as many.

    Returns:
        A network that takes float clips (B, in_channels, L, H, W) and gives scores (B, num_classes).

    Raises:
        ValueError: names the argument that is wrong and what it takes.
    """
    if name not in NETS:
        raise ValueError(f"net: {name!r} is not one of {', '.join(NETS)}")
    if depth not in BLOCKS:
        raise ValueError(f"depth: {depth!r} is not one of {', '.join(map(str, BLOCKS))}")
    sizes = {"num_classes": num_classes, "clip_length": clip_length, "in_channels": in_channels, "width": width}
    for argument, value in sizes.items():
        if value < 1:
            raise ValueError(f"{argument}: {value!r} is not a positive whole number")

    stem_kind, *kinds = NETS[name]
    layers, n_in = [], width
    for group, (kind, blocks) in enumerate(zip(kinds, BLOCKS[depth], strict=True)):
        n_out = width * 2**group
        layer = [BasicBlock(kind, n_in, n_out, downsample=group > 0)]
        layer += [BasicBlock(kind, n_out, n_out, downsample=False) for _ in range(blocks - 1)]
        layers.append(nn.Sequential(*layer))
        n_in = n_out
    net = VideoResNet(stem_convolution(stem_kind, in_channels, width, clip_length), layers, n_in, num_classes)
    initialise(net)
    return net


def initialise(net: nn.Module) -> None:
    """He normal by fan-out for convolutions, BN as the identity, a small normal FC layer; the paper does not say."""
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm3d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
