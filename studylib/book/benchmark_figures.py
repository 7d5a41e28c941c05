"""The plots of the chapters on the benchmarks, in the style of `figures`."""

from math import ceil

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, GREY, MARKERS, STYLE, VERMILION, WIDTH
from studylib.claims.verdicts_benchmarks import FLOW, FUSED, RGB
from studylib.stats.fusion import PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT

MARKED = ((PAPER_RGB_WEIGHT, "paper", BLUE, (0, (4, 2))), (VMZ_RGB_WEIGHT, "VMZ", VERMILION, (0, (1, 1))))
INPUTS = {RGB: "RGB", FLOW: "flow", FUSED: "both"}


def fusion_panels(curves: pd.DataFrame, title: str = "") -> Figure:
    """Video accuracy against the weight of RGB with its 95% interval as a band, a panel a pair.

    Args:
        curves: `two_streams.curves`, not empty.
    """
    pairs = list(curves.groupby("pair", sort=False))
    rows = ceil(len(pairs) / 2)
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(rows, 2, figsize=(WIDTH, 2.2 * rows + 0.8), sharex=True, squeeze=False)
        for axes, (pair, own) in zip(grid.flat, pairs, strict=False):
            axes.fill_between(own["rgb_weight"], own["low"], own["high"], color="#CCCCCC", linewidth=0)
            axes.plot(own["rgb_weight"], own["accuracy"], color="black", marker="o", markersize=4)
            for weight, _, colour, dash in MARKED:
                axes.axvline(weight, color=colour, linestyle=dash, linewidth=1.4)
            axes.set_title(f"as {pair}\n{own['data'].iloc[0]}", fontsize=11)
            axes.tick_params(colors=GREY, labelcolor="black", labelbottom=True)
        for axes in grid.flat[len(pairs) :]:
            axes.axis("off")
        for axes in grid.flat[max(0, len(pairs) - 2) : len(pairs)]:
            axes.set_xlabel("weight of RGB\n(0: flow alone, 1: RGB alone)")
        for axes in grid[:, 0]:
            axes.set_ylabel("video@1 (%)")
        marks = [plt.Line2D([], [], color=colour, linestyle=dash) for _, _, colour, dash in MARKED]
        names = [f"{name}, {weight:g}" for weight, name, _, _ in MARKED]
        band = plt.Rectangle((0, 0), 1, 1, color="#CCCCCC")
        figure.legend([*marks, band], [*names, "95% interval"], ncols=3, loc="outside lower center")
        figure.suptitle(title, fontsize=12.5)
        plt.close(figure)
        return figure


def transfer(points: pd.DataFrame, title: str = "") -> Figure:
    """Accuracy after fine-tuning by input and by what the network was pretrained on, a panel a dataset.

    Args:
        points: `transfer_tables.transfer_points` of one plan, not empty.
    """
    with matplotlib.rc_context(STYLE):
        panels, starts = list(points.groupby("dataset", sort=False)), list(dict.fromkeys(points["start"]))
        figure, grid = plt.subplots(
            len(panels), 1, figsize=(WIDTH, 2.9 * len(panels) + 0.5), squeeze=False, sharex=True
        )
        for axes, (dataset, own) in zip(grid[:, 0], panels, strict=True):
            for i, start in enumerate(starts):
                rows = own[own["start"] == start]
                x = [list(INPUTS).index(stream) + 0.24 * (i - (len(starts) - 1) / 2) for stream in rows["stream"]]
                spread = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
                axes.errorbar(x, rows["accuracy"], spread, fmt=MARKERS[i], color=(BLUE, VERMILION)[i], capsize=3,
                              markersize=7, label=f"pretrained on {start}")  # fmt: skip
            axes.set(title=dataset, ylabel="video@1 (%)", xlim=(-0.5, len(INPUTS) - 0.5))
            axes.set_xticks(range(len(INPUTS)), INPUTS.values())
            axes.tick_params(labelbottom=True)
            axes.grid(axis="x", visible=False)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center")
        figure.suptitle(title, fontsize=12.5)
        plt.close(figure)
        return figure
