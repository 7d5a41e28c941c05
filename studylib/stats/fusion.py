"""Two streams as one: RGB and flow scores averaged, from stored predictions (paper, section 4.4, Tables 3 to 5)."""

from dataclasses import replace
from itertools import zip_longest

import numpy as np

from studylib.training.evaluation import Predictions

PAPER_RGB_WEIGHT = 0.5  # "fuse the prediction scores by averaging"
VMZ_RGB_WEIGHT = 0.6


def fuse(rgb: Predictions, flow: Predictions, rgb_weight: float = PAPER_RGB_WEIGHT) -> Predictions:
    """The weighted mean of two streams' scores, rgb_weight x RGB + (1 - rgb_weight) x flow, as predictions of its own.

    Where both have equally many clips of every video, clip i is fused with clip i: the same moment of the video where
    both were tested by the same rule with clips of the same length, and the clip accuracy then is that of fused clips.
    Otherwise every video gets one clip, the fused video scores, and clip and video accuracy are the same number. The
    video scores are the weighted mean of the streams' in both cases, up to float16's rounding. Errors: ValueError:
    names the first difference where the streams have other videos, another order, other labels or classes; or a weight
    outside [0, 1].
    """
    if not 0 <= rgb_weight <= 1:
        raise ValueError(f"rgb_weight: {rgb_weight} is not between 0 (flow alone) and 1 (RGB alone)")
    labels = [[sorted(own.tolist()) for own in stream.right_classes] for stream in (rgb, flow)]  # Sports-1M: several
    each = (("class", rgb.classes, flow.classes), ("video", rgb.videos, flow.videos), ("labels", *labels))
    for what, ours, theirs in each:
        for i, (a, b) in enumerate(zip_longest(ours, theirs)):
            if a != b:
                place = f"{rgb.videos[i]} has the labels" if what == "labels" else f"{what} {i} is"
                raise ValueError(
                    f"RGB and flow cannot be fused: {place} {a} in RGB and {b} in flow; test both on the same videos"
                )
    clips = [rgb.whole_clip_scores, flow.whole_clip_scores]
    if any(len(a) != len(b) for a, b in zip(*clips, strict=True)):
        clips = [list(stream.scores[:, None]) for stream in (rgb, flow)]  # V arrays (1, K)
    fused = [
        (rgb_weight * a.astype(np.float32) + (1 - rgb_weight) * b.astype(np.float32)).astype(np.float16)
        for a, b in zip(*clips, strict=True)
    ]
    return replace(rgb, clip_scores=fused)
