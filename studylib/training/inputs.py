"""From stored clips to what a network takes: crop, flip and normalisation, on the device (paper, section 4.1).

Workers hand over whole scaled frames in the type they are stored in, uint8 for RGB, and say which window to cut; what
multiplies the bytes, the turn to floats, happens where the network is. There it is a few operations on the whole batch
that ask nothing of the host, so that a GPU is not left waiting for the next one.
"""

from functools import cache

import torch
from torch import Tensor

from studylib.training.spec import RunSpec
from studylib.video.flow import FLOW_MEAN, FLOW_STD

RGB_MEAN = (0.43216, 0.394666, 0.37645)  # VMZ's, of frames in [0, 1]
RGB_STD = (0.22803, 0.22145, 0.216989)


def to_input(clips: Tensor, windows: Tensor, spec: RunSpec, device: torch.device) -> Tensor:
    """Clips of whole frames -> what the network takes, float32 (B, C, T, crop, crop), in channels_last_3d memory.

    Call it outside autocast, which knows no float16 on a CPU.

    Args:
        clips: (B, T, H, W, C), uint8 RGB or float16 flow in pixels a frame, on the CPU or on `device`.
        windows: (B, 3) of whole numbers, there too: top, left, and 1 where the clip is flipped left-right.
        spec: crop, way of normalising and modality of the run.
        device: where the network is.
    """
    clips, windows = (tensor.to(device, non_blocking=True) for tensor in (clips, windows))
    flow, crop = spec.modality == "flow", spec.resolution
    b, t, h, w, c = clips.shape
    top, left, flip = windows.T[:, :, None]  # (B, 1) each
    side = torch.arange(crop, device=device)
    rows, columns = top + side, left + torch.where(flip > 0, crop - 1 - side, side)  # (B, crop)
    frames = torch.arange(b * t, device=device).view(b, t, 1, 1)
    pixels = (frames * h + rows[:, None, :, None]) * w + columns[:, None, None, :]  # (B, T, crop, crop)
    cut = clips.flatten(0, 3).index_select(0, pixels.flatten()).view(b, t, crop, crop, c)
    if flow:  # what moved to the right moves to the left
        signs = torch.stack((1 - 2 * flip, torch.ones_like(flip)), -1)  # (B, 1, 2)
        cut = cut * signs[:, :, None, None].to(cut.dtype)
    x = cut.permute(0, 4, 1, 2, 3).float()
    if not flow:
        x.div_(255)
    if spec.standardise == "clip":
        mean = x.mean((1, 2, 3, 4), keepdim=True)
        return x.sub_(mean).div_(x.std((1, 2, 3, 4), keepdim=True).clamp_min(1e-3))
    mean, std = _statistics(flow, device)
    return x.sub_(mean).div_(std)


@cache
def _statistics(flow: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the datasets, (1, C, 1, 1, 1) each; a copy to a GPU, made once."""
    mean, std = (FLOW_MEAN, FLOW_STD) if flow else (RGB_MEAN, RGB_STD)
    return torch.tensor(mean, device=device).view(1, -1, 1, 1, 1), torch.tensor(std, device=device).view(1, -1, 1, 1, 1)
