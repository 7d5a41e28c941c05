"""From stored clips to what a network takes: crop, flip and normalisation, on the device (paper, section 4.1).

Workers hand over whole scaled frames in the type they are stored in, uint8 for RGB, and say which window to cut; what
multiplies the bytes, the turn to floats, happens where the network is.
"""

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
        clips: (B, T, H, W, C), uint8 RGB or float16 flow in pixels a frame, on the CPU.
        windows: (B, 3) of whole numbers on the CPU: top, left, and 1 where the clip is flipped left-right.
        spec: crop, way of normalising and modality of the run.
        device: where the network is.
    """
    clips = clips.to(device, non_blocking=True)
    flow, crop = spec.modality == "flow", spec.resolution
    cut = []
    for clip, (top, left, flip) in zip(clips, windows.tolist(), strict=True):
        window = clip[:, top : top + crop, left : left + crop]  # (T, crop, crop, C)
        if flip:
            window = window.flip(2)
            if flow:  # what moved to the right moves to the left
                window = window * torch.tensor((-1, 1), dtype=window.dtype, device=device)
        cut.append(window)
    x = torch.stack(cut).permute(0, 4, 1, 2, 3).float()
    if not flow:
        x.div_(255)
    if spec.standardise == "clip":
        mean = x.mean((1, 2, 3, 4), keepdim=True)
        return x.sub_(mean).div_(x.std((1, 2, 3, 4), keepdim=True).clamp_min(1e-3))
    statistics = (FLOW_MEAN, FLOW_STD) if flow else (RGB_MEAN, RGB_STD)
    mean, std = (torch.tensor(v, device=device).view(1, -1, 1, 1, 1) for v in statistics)
    return x.sub_(mean).div_(std)
