"""Accuracy of every network on frames in each order, a panel a cue group."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, GREY, ORANGE, STYLE, VERMILION, WIDTH
from studylib.book.frame_orders import ORDERS
from studylib.datasets.pantomime.actions import CUES
from studylib.nets.table import PAPER_NAMES

LOOKS = {
    "normal": {"color": "black", "marker": "o"},
    "shuffled": {"color": ORANGE, "marker": "s"},
    "reversed": {"color": BLUE, "marker": "<"},
    "frozen": {"color": VERMILION, "marker": "D", "markerfacecolor": "white"},
}


def by_order(table: pd.DataFrame, num_classes: int) -> Figure:
    """Video@1 with 95% intervals: a panel a cue group, a row a net, a mark an order of the frames.

    Args:
        table: `Study.by_order` of `frame_orders`, with at least one row.
        num_classes: for the line of chance.
    """
    nets = list(PAPER_NAMES.values())
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(2, 2, figsize=(WIDTH, 11.5), sharex=True, sharey=True)
        for axes, cue in zip(grid.flat, CUES, strict=True):
            _panel(axes, table[table["group"] == cue], nets)
            axes.axvline(100 / num_classes, color="black", linewidth=1.2, linestyle=(0, (1, 1.5)), label="chance")
            if cue != "pose":
                level = table.loc[table["group"] == cue, "order_blind"].iloc[0]
                look = {"color": "black", "linewidth": 1.2, "linestyle": (0, (4, 2))}
                axes.axvline(level, label="right pair, member guessed", **look)
            axes.set(title=cue, xlim=(-3, 103), ylim=(len(nets) - 0.5, -0.5), xticks=(0, 25, 50, 75, 100))
            axes.set_yticks(range(len(nets)), nets)
            axes.grid(axis="y", visible=False)
            axes.tick_params(labelbottom=True, left=False)
        for axes in grid[1]:
            axes.set_xlabel("video@1 (%)")
        handles, names = grid[0, 1].get_legend_handles_labels()
        figure.legend(handles, names, ncols=2, loc="outside lower center", columnspacing=1.2, handletextpad=0.5)
        plt.close(figure)
        return figure


def _panel(axes: Axes, table: pd.DataFrame, nets: list[str]) -> None:
    for y in range(1, len(nets), 2):  # stripes lead the eye from the name to its marks
        axes.axhspan(y - 0.5, y + 0.5, color="#F3F3F3", zorder=0)
    for i, (order, look) in enumerate(LOOKS.items()):
        rows = table[table["order"] == order]
        y = np.array([nets.index(net) for net in rows["net"]]) + 0.21 * (i - 1.5)
        spread = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
        axes.errorbar(rows["accuracy"], y, xerr=spread, linestyle="none", markersize=5, elinewidth=1, capsize=0,
                      label=f"frames {ORDERS[order]}", **look)  # fmt: skip
    for y, net in enumerate(nets):
        if not (table["net"] == net).any():
            axes.text(50, y, "not run", ha="center", va="center", color=GREY, style="italic", fontsize=11)
