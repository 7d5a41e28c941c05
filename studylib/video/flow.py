"""Farneback's optical flow of clips, what the second stream sees (paper, section 4.4).

A flow says for each pixel of a frame where it has gone in the next one: (dx, dy) in pixels of the scaled frame, right
and down positive. The settings are VMZ's. Before using it:

* Values are float16, 4 bytes a pixel of a cache: within 0.05% of what OpenCV computes, 0.02% on average.
* Nothing bounds a flow but float16's largest number, 65504. Along black bars and other edges without texture the
  estimate is undetermined and may be thousands of pixels; VMZ's networks were trained with that.
* Two frames that look the same have no flow; OpenCV itself reports some along the right and the lower border then.
* VMZ crops and mirrors the frames and takes the flow of the crop; here the flow of the whole frame is cropped, so that
  it can be stored (`book/datasets.md` measures the difference). For VMZ's own way give `flow_clip` the cropped frames.
* The flow is the same whatever the number of OpenCV's threads. It is never set here: `cv2.setNumThreads` hangs in a
  forked child of a process that has used them; the environment's OPENCV_FOR_THREADS_NUM=1 does it for a loader.
"""

from itertools import pairwise
from math import sqrt

import cv2
import numpy as np

# VMZ's, of flows in pixels a frame: horizontal, vertical.
FLOW_MEAN = (0.0046635, 0.0046261)
FLOW_STD = (0.972347, 0.755146)

FARNEBACK = {
    "pyr_scale": sqrt(1 / 2),
    "levels": 5,
    "winsize": 10,
    "iterations": 2,
    "poly_n": 7,
    "poly_sigma": 1.5,
    "flags": cv2.OPTFLOW_FARNEBACK_GAUSSIAN,
}
_LARGEST = float(np.finfo(np.float16).max)


def flow_clip(frames: np.ndarray) -> np.ndarray:
    """The L flows between L + 1 frames: uint8 RGB (L + 1, H, W, 3) -> float16 (L, H, W, 2), pixels a frame."""
    return flow_video(frames)[:-1]


def flow_video(frames: np.ndarray) -> np.ndarray:
    """A flow for each frame of a video, to the next one; the last one zero: uint8 RGB (N, H, W, 3) -> float16
    (N, H, W, 2). Clips that run past the end repeat the last row, as `reading.clip_frames` has it for frames."""
    flows = np.zeros((*frames.shape[:3], 2), np.float16)
    # A crop or a mirrored view is not laid out as OpenCV needs it.
    grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    for i, (previous, following) in enumerate(pairwise(grey)):
        if not np.array_equal(previous, following):
            flow = cv2.calcOpticalFlowFarneback(previous, following, None, **FARNEBACK)
            flows[i] = np.clip(flow, -_LARGEST, _LARGEST)
    return flows
