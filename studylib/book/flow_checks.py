"""How far the flow that is used here is from VMZ's and from what OpenCV computes, measured anew on Pantomime."""

from itertools import pairwise

import cv2
import numpy as np
import pandas as pd

from studylib.book.tables import Table
from studylib.datasets.pantomime import frames
from studylib.video.clips import centre_window
from studylib.video.flow import FARNEBACK, flow_clip

LENGTH, CROP = 8, 112


def deviations(names: tuple[str, ...], seed: int = 0) -> dict[str, np.ndarray]:
    """Distances in pixels, over all pixels of a clip of `LENGTH` flows of each action, centre crop.

    Keys: "cropping" (the whole frame's flow, cropped, against the crop's), "rounding" (float16 against float32) and
    "flow" (the length of the flow itself).
    """
    parts: dict[str, list[np.ndarray]] = {"cropping": [], "rounding": [], "flow": []}
    for name in names:
        clip = frames(name, "train", 0, seed)[: LENGTH + 1]
        top, left = centre_window(clip.shape[1:3], CROP)
        window = slice(top, top + CROP), slice(left, left + CROP)
        flows = flow_clip(clip).astype(np.float32)
        ours = flows[:, *window]
        theirs = flow_clip(clip[:, *window]).astype(np.float32)
        parts["cropping"].append(np.hypot(*np.moveaxis(ours - theirs, -1, 0)).ravel())
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
        exact = [cv2.calcOpticalFlowFarneback(a, b, None, **FARNEBACK) for a, b in pairwise(grey)]
        parts["rounding"].append(np.hypot(*np.moveaxis(flows - np.stack(exact), -1, 0)).ravel())
        parts["flow"].append(np.hypot(*np.moveaxis(ours, -1, 0)).ravel())
    return {key: np.concatenate(own) for key, own in parts.items()}


def deviations_table(names: tuple[str, ...]) -> Table:
    """The deviations beside the flow itself, in pixels a frame."""
    measured = deviations(names)
    texts = {
        "cropping": "flow of the whole frame, cropped, against flow of the crop (VMZ)",
        "rounding": "float16 against OpenCV's float32",
        "flow": "for comparison: how far pixels move",
    }
    rows = [
        {
            "what": texts[key],
            "median": f"{np.median(own):.4f}",
            "mean": f"{own.mean():.4f}",
            "99% are below": f"{np.percentile(own, 99):.4f}",
        }
        for key, own in measured.items()
    ]
    return Table(
        pd.DataFrame(rows),
        f"Pixels a frame, over the centre crop of {CROP} x {CROP} of {LENGTH} flows of each of the {len(names)} "
        "actions above; computed when this page was built.",
    )
