"""What it gains to average the scores of several clips of a video (section 4.3), or to join them in another way."""

import re
from collections import defaultdict
from html import escape

import numpy as np
import pandas as pd

from studylib.book.cells import cell
from studylib.book.tables import Table
from studylib.claims.verdicts_evidence import Undecidable
from studylib.claims.verdicts_intervals import contrast
from studylib.claims.verdicts_joining import WAYS, gains
from studylib.stats.estimates import MEASURES, Scores
from studylib.training.evaluation import Predictions


def choices(clips: int, of: int) -> list[tuple[int, ...]]:
    """Which `clips` of the `of` clips of a video are averaged: spread as evenly over them as they can be, in each
    rotation, so that every clip counts the same: (0, 5), (1, 6), ... for 2 of 10.

    The first ones would be another thing: of evenly spaced clips they show the beginning of the video only.
    """
    spread = np.arange(clips) * of // clips
    return sorted({tuple(sorted((spread + turn) % of)) for turn in range(of)})


def right_with(predictions: Predictions, clips: int) -> np.ndarray:
    """(V,): in which share of the `choices` the mean of so many clips names the video right.

    Its mean over videos is clip@1 (as a share) with one clip, and video@1 with all of them.

    Raises:
        Undecidable: the videos have not all as many clips, or fewer than that.
    """
    counts = {len(own) for own in predictions.clip_scores}
    if len(counts) != 1 or min(counts) < clips:
        raise Undecidable(f"{clips} clips of each video cannot be averaged: the videos have {sorted(counts)}")
    scores = np.stack(predictions.whole_clip_scores).astype(np.float32)  # (V, N clips, K)
    right = np.zeros(scores[:, 0].shape, bool)  # (V, K)
    if predictions.label_sets is None:
        right[np.arange(len(right)), predictions.labels] = True
    for video, own in enumerate(predictions.label_sets or ()):
        right[video, own] = True
    ways = choices(clips, scores.shape[1])
    named = np.zeros(len(scores))
    for way in ways:
        # the rounding of `Predictions.scores`, so that with all clips this is video@1 to the digit
        best = scores[:, way].mean(1).astype(np.float16).argmax(1)
        named += right[np.arange(len(scores)), best]
    return named / len(ways)


def gain_of(predictions: Predictions, clips: int) -> np.ndarray:
    """(V,) points, whose mean is what averaging so many clips gains over one clip: 0 with one, video@1 - clip@1 with
    all."""
    return 100 * (right_with(predictions, clips) - MEASURES["clip_top1"](predictions))


def joining_table(runs: pd.DataFrame) -> Table:
    """What other ways to join clip scores gain over their mean, a row a plan and test set with complete runs on RGB.

    Args:
        runs: `results.load_all_runs()`.
    """
    done = runs[(runs["state"] == "complete") & (runs["modality"] == "rgb") & (runs["frame_order"] == "normal")]
    rows = []
    for (plan, dataset, frames), own in done.groupby(["plan", "dataset", "clip_length"], sort=False):
        for splits, tests in _by_splits(own).items():
            row = {"plan": escape(plan), "test videos of": f"{escape(dataset)}, split {', '.join(map(str, splits))}"}
            row |= {"frames": frames, "networks": len(tests)}
            rows.append(row | {way: cell(contrast(way, [gain]), sign=True) for way, gain in gains(tests).items()})
    return Table(
        pd.DataFrame(rows, columns=["plan", "test videos of", "frames", "networks", *WAYS]),
        "Video@1 by other ways to join the scores of a video's clips, minus that by their mean: points, mean over the "
        "networks, with 95% intervals over test videos and networks; of one network over the videos alone.",
    )


def _by_splits(runs: pd.DataFrame) -> dict[tuple[int, ...], Scores]:
    """Splits -> the tests of every network that these runs tested on just these."""
    networks = defaultdict(dict)
    for row in runs.to_dict("records"):
        name = row["experiment"], re.sub(r"_split\d+", "", row["run"])
        networks[name][row["split"]] = row["result"].predictions
    found = defaultdict(dict)
    for number, own in enumerate(networks.values()):
        found[tuple(sorted(own))][number] = own
    return found
