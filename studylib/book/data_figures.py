"""The plots of the chapters on data and on real video, in the style of `figures`."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, COLOURS, GREY, MARKERS, STYLE, VERMILION, WIDTH
from studylib.stats.fusion import PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT

# Panel of the scale figure -> its columns of the benchmark `index_scale` and how the legend calls them.
SCALE = {
    "loading (s)": {"load_s": "load"},
    "drawing a clip (µs)": {"draw_us": "draw"},
    "memory of a process (MB)": {
        "load_mb": "main, loading",
        "order_mb": "main, order",
        "worker_mb": "a worker",
    },
}


def index_scale(rows: pd.DataFrame) -> Figure:
    """Load time, cost of a draw and memory against the number of videos, both axes logarithmic.

    Args:
        rows: the table `scale` of the benchmark `index_scale`; columns that it lacks are left out.
    """
    panels = {label: {c: n for c, n in columns.items() if c in rows} for label, columns in SCALE.items()}
    panels = {label: columns for label, columns in panels.items() if columns}
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(1, len(panels), figsize=(WIDTH, 3.6), squeeze=False)
        for axes, (label, columns) in zip(grid[0], panels.items(), strict=True):
            for i, (column, name) in enumerate(columns.items()):
                marks = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 5}
                axes.plot(rows["rows"], rows[column], label=name, **marks)
            values = rows[list(columns)].to_numpy(float)
            if (values > 0).all():  # whole decades, so that what hardly grows looks like that
                low, high = np.floor(np.log10(values.min())), np.ceil(np.log10(values.max()))
                axes.set(yscale="log", ylim=(10**low, 10 ** max(high, low + 2)))
            else:  # a cost may be measured as nothing at all, which has no logarithm
                axes.set_yscale("symlog", linthresh=1)
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
            axes.set(xscale="log", xlabel="videos", title=label)
            if len(columns) > 1:
                axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), fontsize=10.5)
        plt.close(figure)
        return figure


def fusion_curves(curves: pd.DataFrame) -> Figure:
    """Video accuracy against the weight of RGB: a thin line a split, a thick one for their mean.

    Args:
        curves: `real_video.fusion_curves`.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
        for i, (split, own) in enumerate(curves.groupby("split", sort=False)):
            colour, width = ("black", 2.6) if split == "mean" else (COLOURS[i + 1], 1.1)
            label = "mean of the splits" if split == "mean" else f"split {split}"
            axes.plot(
                own["rgb_weight"],
                own["video_top1"],
                marker=MARKERS[i % 7],
                markersize=4,
                label=label,
                color=colour,
                lw=width,
            )
        for weight, name, colour in ((PAPER_RGB_WEIGHT, "paper", BLUE), (VMZ_RGB_WEIGHT, "VMZ", VERMILION)):
            axes.axvline(weight, color=colour, linewidth=1, linestyle=(0, (4, 2)))
            axes.annotate(
                name, (weight, 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                ha="right" if name == "paper" else "left", color=colour, fontsize=11,
            )  # fmt: skip
        axes.set(xlabel="weight of RGB (0: flow alone, 1: RGB alone)", ylabel="video@1 (%)", ylim=(0, None))
        axes.tick_params(colors=GREY, labelcolor="black")
        axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.2))
        plt.close(figure)
        return figure
