"""How one convolution of a network is made, and the variants that change it (paper, sections 3.3 to 3.5)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studylib.nets.precision import cpu_bf16_is_on
from studylib.nets.table import UNCHANGED, Variant

TEMPORAL_EXTENT = 3  # t, section 3.3
BN_EPS = 1e-3  # VMZ's spatial BN; the paper does not say
BN_MOMENTUM = 0.1  # PyTorch's meaning; Caffe2 writes the complement, 0.9


class Conv3d(nn.Conv3d):
    """`nn.Conv3d` that does not multiply padding on a CPU where hardly a frame is left.

    With 1 or 2 frames, which is conv4 and conv5 at 8 frames, a third or two of the temporal taps fall on zeros. Left to
    pad by itself, oneDNN skips them, but its weight gradient there is slow in fp32, and garbage in bf16 for 2 frames;
    see `precision`. Without gradients fp32 is left to oneDNN.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, N_in, T, H, W) -> (B, N_out, T', H', W'); on a CPU T of 1 or 2 goes by `frames_as_channels`."""
        if self.padding[0] and x.shape[2] <= 2:
            if cpu_bf16_is_on(x):
                return frames_as_channels(x, self.weight.to(torch.bfloat16), self.stride, self.padding)
            if x.device.type == "cpu" and self.training and torch.is_grad_enabled():
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


class TwoPaths(nn.Module):
    """Spatial and temporal convolution whose outputs are summed (P3D-B and P3D-C, Qiu et al. 2017).

    P3D-B ("parallel"): relu(bn(spatial(x))) + temporal(x). P3D-C ("skip"): y + temporal(y), y = relu(bn(spatial(x))),
    where y gives every second frame when the temporal convolution strides.
    """

    def __init__(self, n_in: int, n_out: int, stride_t: int, stride_s: int, variant: Variant) -> None:
        super().__init__()
        self.parallel = variant.order == "parallel"
        if self.parallel:  # each branch strides in time and in space
            spatial = spatial_convolution(n_in, n_out, stride_s, stride_t)
            self.temporal = temporal_convolution(n_in, n_out, stride_t, stride_s)
        else:
            spatial = spatial_convolution(n_in, n_out, stride_s)
            self.temporal = temporal_convolution(n_out, n_out, stride_t)
        self.spatial = nn.Sequential(spatial, *inner(n_out, variant))
        self.frame_step = 1 if self.parallel else stride_t

    def forward(self, x: Tensor) -> Tensor:
        """(B, N_in, T, H, W) -> (B, N_out, T', H', W'), the sum of both paths."""
        y = self.spatial(x)
        return y[:, :, :: self.frame_step] + self.temporal(x if self.parallel else y)


def middle_channels(n_in: int, n_out: int, t: int = TEMPORAL_EXTENT, d: int = 3) -> int:
    """M of section 3.5, floor(t d^2 N_in N_out / (d^2 N_in + t N_out)): as many weights as in t x d x d."""
    return t * d * d * n_in * n_out // (d * d * n_in + t * n_out)


def stem_middle_channels(width: int, filters: float = 45) -> int:
    """Spatial filters of R(2+1)D's conv1: 45 beside 64 (appendix), the same ratio at another width, at least 1."""
    return max(1, int(filters * width // 64))


def batch_norm(channels: int) -> nn.BatchNorm3d:
    """Batch normalisation after a convolution; statistics per GPU."""
    return nn.BatchNorm3d(channels, eps=BN_EPS, momentum=BN_MOMENTUM)


def spatial_convolution(n_in: int, n_out: int, stride_s: int = 1, stride_t: int = 1) -> Conv3d:
    """1 x 3 x 3."""
    return Conv3d(n_in, n_out, (1, 3, 3), (stride_t, stride_s, stride_s), (0, 1, 1), bias=False)


def temporal_convolution(n_in: int, n_out: int, stride_t: int = 1, stride_s: int = 1) -> Conv3d:
    """t x 1 x 1."""
    t = TEMPORAL_EXTENT
    return Conv3d(n_in, n_out, (t, 1, 1), (stride_t, stride_s, stride_s), (t // 2, 0, 0), bias=False)


def inner(channels: int, variant: Variant) -> list[nn.Module]:
    """BN and ReLU between two factors; what a variant leaves out keeps its place, so that weights load by name."""
    return [
        batch_norm(channels) if variant.inner_bn else nn.Identity(),
        nn.ReLU(inplace=True) if variant.inner_relu else nn.Identity(),
    ]


def convolution(
    kind: str,
    n_in: int,
    n_out: int,
    stride_t: int = 1,
    stride_s: int = 1,
    variant: Variant = UNCHANGED,
    block_in: int | None = None,
) -> nn.Module:
    """One convolution of a residual block, 3 wide: "2d", "3d" or "2+1d" (with its inner BN and ReLU, section 3.5).

    Args:
        block_in: input channels of the block, which a rule of M once a block reads; None for `n_in`.
    """
    t = TEMPORAL_EXTENT
    if kind == "2d":
        return spatial_convolution(n_in, n_out, stride_s)
    if kind == "3d":
        full = Conv3d(n_in, n_out, (t, 3, 3), (stride_t, stride_s, stride_s), (t // 2, 1, 1), bias=False)
        return nn.Sequential(full, batch_norm(n_out), nn.ReLU(inplace=True)) if variant.added_relu else full
    if variant.order in ("parallel", "skip"):
        return TwoPaths(n_in, n_out, stride_t, stride_s, variant)
    temporal_first = variant.order == "temporal_first"
    m_in = block_in if variant.midplanes == "per_block" and block_in is not None else n_in
    if variant.midplanes == "n_out":
        middle = n_out
    else:  # as many weights as in t x d x d; where the two factors change places, so do N_in and N_out
        middle = middle_channels(n_out, m_in) if temporal_first else middle_channels(m_in, n_out)
    middle = max(1, int(middle * variant.middle_factor))
    if temporal_first:
        first, last = temporal_convolution(n_in, middle, stride_t), spatial_convolution(middle, n_out, stride_s)
    else:
        first, last = spatial_convolution(n_in, middle, stride_s), temporal_convolution(middle, n_out, stride_t)
    return nn.Sequential(first, *inner(middle, variant), last)


def stem_convolution(
    kind: str, in_channels: int, width: int, clip_length: int, variant: Variant = UNCHANGED
) -> nn.Sequential:
    """conv1: 7 wide, stride 1 x 2 x 2, BN and ReLU, and no max-pooling after it (Table 1)."""
    t = TEMPORAL_EXTENT
    # (temporal extent, temporal padding) of the one convolution, or of the spatial one in (2+1)D
    extent, padding = {"3d": (t, t // 2), "folded": (clip_length, 0)}.get(kind, (1, 0))
    first_out = stem_middle_channels(width, variant.stem_middle * variant.middle_factor) if kind == "2+1d" else width
    first = Conv3d(in_channels, first_out, (extent, 7, 7), (1, 2, 2), (padding, 3, 3), bias=False)
    after = [batch_norm(width), nn.ReLU(inplace=True)]
    if kind == "2+1d":
        return nn.Sequential(first, *inner(first_out, variant), temporal_convolution(first_out, width), *after)
    added = [batch_norm(width), nn.ReLU(inplace=True)] if variant.added_relu and kind == "3d" else []
    return nn.Sequential(first, *added, *after)
