"""A way around oneDNN's 3D convolutions of one or two frames on a CPU; nothing else of a network depends on it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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


def cpu_bf16_is_on(x: Tensor) -> bool:
    """True where a convolution of `x` will run in bf16 on the CPU."""
    if x.device.type != "cpu":
        return False
    return x.dtype == torch.bfloat16 or (
        torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )
