"""The page on speed: the picture of where a training step's time goes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studylib.book.figures import COLOURS, WIDTH, drawn
from studylib.nets.table import PAPER_NAMES

# Segment of a bar -> columns of the benchmark `profile`; what is in none of them is the last segment, the rest.
SEGMENTS = {
    "convolution, forward": ("convolution_forward_share",),
    "convolution, backward": ("convolution_backward_share",),
    "BN": ("bn_share",),
    "ReLU, additions": ("relu_share", "additions_share"),
    "copies, casts": ("copies_and_casts_share",),
    "optimiser": ("optimiser_share",),
}
REST = "the rest"


def segments(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a net (its printed name), a column a segment, each row adding up to 1.

    Args:
        rows: a table of the benchmark `profile`.
    """
    parts = pd.DataFrame({name: rows[list(columns)].sum(axis=1) for name, columns in SEGMENTS.items()})
    parts[REST] = 1 - parts.sum(axis=1)
    return parts.set_axis([PAPER_NAMES.get(net, net) for net in rows["net"]])


@drawn
def step_shares(tables: dict[str, pd.DataFrame]) -> Figure:
    """Shares of a training step by kind of operator: a panel a geometry, a bar a net.

    Args:
        tables: title of the panel -> `segments`.
    """
    bars = sum(map(len, tables.values()))
    figure, grid = plt.subplots(
        len(tables),
        1,
        figsize=(WIDTH, 0.34 * bars + 1.5 * len(tables)),
        squeeze=False,
        height_ratios=[len(table) for table in tables.values()],
    )
    for axes, (title, table) in zip(grid[:, 0], tables.items(), strict=True):
        left = np.zeros(len(table))
        for colour, part in zip(COLOURS, table.columns, strict=True):
            share = 100 * table[part].to_numpy()
            axes.barh(table.index, share, left=left, color=colour, edgecolor="white", linewidth=0.8, label=part)
            left += share
        axes.invert_yaxis()
        axes.set(title=title, xlim=(0, 100))
        axes.grid(axis="y", visible=False)
    grid[-1, 0].set_xlabel("share of a training step (%)")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=3, loc="outside upper center", columnspacing=1.2)
    return figure
