"""The appendix on datasets: published counts, disk and hours, the columns of an index, how flow differs from VMZ's."""

from itertools import pairwise
from math import isnan
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from studylib.book import benchmarks
from studylib.book.tables import prose
from studylib.datasets.index import NOT_HASHED, OPTIONAL, REQUIRED, SPLITS
from studylib.datasets.lists import published_counts
from studylib.datasets.pantomime import frames
from studylib.datasets.preparing import FORMAT
from studylib.runs.cost import dataset_sizes
from studylib.runs.magnitudes import disk, duration, two
from studylib.video.clips import centre_window, scaled_size
from studylib.video.flow import FARNEBACK, flow_clip

CORES = 16
RGB_BYTES, FLOW_BYTES = 3, 4  # a pixel of the frame cache: uint8 x 3, float16 x 2
LENGTH, CROP = 8, 112  # of the clips whose flow is compared
MEANINGS = {
    "path": "the video's file, relative to the root, with forward slashes; none leads outside",
    "label": "number of its class, from 0",
    "num_frames": "frames that decoding gives, not what the header says",
    "fps": "frames a second, 0 where it is unknown",
    "width": "pixels, as shown",
    "height": "pixels, as shown",
    "split1": "train, test or nothing (in neither part)",
    **dict.fromkeys(SPLITS[1:], "the same of a further split"),
    "labels": "all right classes, where a video may have several (Sports-1M); label is the first",
    "timeline": "times, keyframes and places of its frames, so that no file is looked through again",
    "sha256": "SHA-256 of the file, of generated videos",
}


def counts() -> pd.DataFrame:
    """The published counts with their sources, a row a dataset and split."""
    rows = []
    for size in dataset_sizes():
        parts = published_counts(size.dataset)
        source = next((source for _, source in parts.values()), size.videos_source)
        for n, split in enumerate(sorted({part.split()[0] for part in parts if " " in part}) or [""]):
            row = {"dataset": "", "videos": "", "split": split.removeprefix("split"), "train": "", "test": ""}
            for column, name in (("train", "train"), ("test", "test"), ("test", "val")):
                if (key := f"{split} {name}".strip()) in parts:
                    row[column] = f"{parts[key][0]:,}"
            if n == 0:
                row |= {"dataset": size.dataset, "videos": f"{size.videos:,}", "source": prose(source)}
            rows.append(row)
    return pd.DataFrame(rows).fillna("")


def measured_preparing(folder: Path = benchmarks.FOLDER) -> tuple[float, float] | None:
    """(bytes, milliseconds of one core) a frame of the format that `--prepare` makes, by the benchmark `preparing` at
    `FORMAT`; None where it is not recorded."""
    rows = benchmarks.rows_of("preparing", "settings", folder)
    if len(rows):
        rows = rows[(rows[list(FORMAT)] == list(FORMAT.values())).all(axis=1)]
    if rows.empty:
        return None
    return float(rows["bytes_a_frame"].iloc[0]), 1e3 / float(rows["prepared_per_second"].iloc[0])


def estimates(folder: Path = benchmarks.FOLDER) -> pd.DataFrame:
    """Frames, disk and hours of each dataset to two figures; "–" for what needs a benchmark that is not recorded."""
    measured = measured_preparing(folder)
    height, width = scaled_size(112)
    rows = []
    for size in dataset_sizes():
        prepared, seconds = (
            (None, None) if measured is None else (size.frames * measured[0], size.frames * measured[1] / 1e3)
        )
        rows.append(
            {
                "dataset": size.dataset,
                "videos": f"{size.videos:,}",
                "frames": f"{two(size.frames / 1e6)}\u00a0M",
                "originals": disk(None if isnan(size.original_gb) else size.original_gb * 1e9),
                "prepared": disk(prepared),
                f"preparing, {CORES} cores": duration(None if seconds is None else seconds / CORES),
                f"frames at {height} x {width}": disk(size.frames * height * width * RGB_BYTES),
                "their flow": disk(size.frames * height * width * FLOW_BYTES),
            }
        )
    return pd.DataFrame(rows)


def assumptions() -> pd.DataFrame:
    """What the estimates rest on, a row a dataset."""
    return pd.DataFrame(
        [
            {
                "dataset": size.dataset,
                "length": prose(size.length_source),
                "frames a second": prose(f"{size.fps:g}, {size.fps_source}"),
                "originals": prose(size.original_source or "unknown"),
            }
            for size in dataset_sizes()
        ]
    )


def columns() -> pd.DataFrame:
    """The columns of an index: type, meaning, whether every index has them, whether the hash covers them."""
    types = REQUIRED | dict.fromkeys(SPLITS, "string") | OPTIONAL
    return pd.DataFrame(
        [
            {
                "column": column,
                "type": str(kind),
                "what": prose(MEANINGS[column]),
                "there": "always" if column in {*REQUIRED, SPLITS[0]} else "where it applies",
                "in the hash": "no" if column in NOT_HASHED else "yes",
            }
            for column, kind in types.items()
        ]
    )


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
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
        exact = [cv2.calcOpticalFlowFarneback(a, b, None, **FARNEBACK) for a, b in pairwise(grey)]
        for key, flow in (("cropping", ours - theirs), ("rounding", flows - np.stack(exact)), ("flow", ours)):
            parts[key].append(np.hypot(*np.moveaxis(flow, -1, 0)).ravel())
    return {key: np.concatenate(own) for key, own in parts.items()}
