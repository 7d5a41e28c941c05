"""The appendix on datasets: what they take in disk and hours, and how flow differs from VMZ's."""

from itertools import pairwise
from math import isnan
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from studylib.book.benchmarks import rows_of
from studylib.datasets.pantomime import frames
from studylib.datasets.preparing import FORMAT
from studylib.runs.benchmarks import FOLDER
from studylib.runs.cost import dataset_sizes
from studylib.runs.magnitudes import disk, duration, two
from studylib.video.clips import centre_window, scaled_size
from studylib.video.flow import FARNEBACK, flow_clip

CORES = 16
RGB_BYTES, FLOW_BYTES = 3, 4  # a pixel of the frame cache: uint8 x 3, float16 x 2
LENGTH, CROP = 8, 112  # of the clips whose flow is compared


def measured_preparing(folder: Path = FOLDER) -> tuple[float, float] | None:
    """(bytes, milliseconds of one core) a frame of the format that `--prepare` makes, by the benchmark `preparing` at
    `FORMAT`; None where it is not recorded."""
    rows = rows_of("preparing", "settings", folder)
    if len(rows):
        rows = rows[(rows[list(FORMAT)] == list(FORMAT.values())).all(axis=1)]
    if rows.empty:
        return None
    return float(rows["bytes_a_frame"].iloc[0]), 1e3 / float(rows["prepared_per_second"].iloc[0])


def estimates(folder: Path = FOLDER) -> pd.DataFrame:
    """Frames, disk and hours of each dataset to two figures; "–" for what needs a benchmark that is not recorded."""
    measured = measured_preparing(folder)
    height, width = scaled_size(112)
    rows = []
    for size in dataset_sizes():
        prepared, milliseconds = (None, None) if measured is None else (size.frames * own for own in measured)
        row = {"dataset": size.dataset, "videos": f"{size.videos:,}", "frames": f"{two(size.frames / 1e6)}\u00a0M"}
        row["originals"] = disk(None if isnan(size.original_gb) else size.original_gb * 1e9)
        row["prepared"] = disk(prepared)
        row[f"preparing, {CORES} cores"] = duration(None if measured is None else milliseconds / 1e3 / CORES)
        row[f"frames at {height} x {width}"] = disk(size.frames * height * width * RGB_BYTES)
        rows.append(row | {"their flow": disk(size.frames * height * width * FLOW_BYTES)})
    return pd.DataFrame(rows)


def deviations(names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Distances in pixels, over all pixels of a clip of `LENGTH` flows of each action, centre crop.

    Keys: "cropping" (the whole frame's flow, cropped, against the crop's), "rounding" (float16 against float32) and
    "flow" (the length of the flow itself).
    """
    parts: dict[str, list[np.ndarray]] = {"cropping": [], "rounding": [], "flow": []}
    for name in names:
        clip = frames(name, "train", 0, 0)[: LENGTH + 1]
        top, left = centre_window(clip.shape[1:3], CROP)
        window = slice(top, top + CROP), slice(left, left + CROP)
        flows = flow_clip(clip).astype(np.float32)
        ours = flows[:, *window]
        theirs = flow_clip(clip[:, *window]).astype(np.float32)
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
        exact = [cv2.calcOpticalFlowFarneback(a, b, None, **FARNEBACK) for a, b in pairwise(grey)]
        for key, flow in (("cropping", ours - theirs), ("rounding", flows - np.stack(exact)), ("flow", ours)):
            parts[key].append(np.hypot(*np.moveaxis(flow, -1, 0)).ravel())
    return {key: np.concatenate(own) for key, own in parts.items()}
