"""What the chapter on speed shows beside tables: a picture of where a step's time goes, sentences of the records."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from studylib.book.figures import COLOURS, STYLE, WIDTH
from studylib.nets.table import PAPER_NAMES
from studylib.runs.benchmarks import FOLDER, rows_of

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
GEOMETRIES = {"paper": "8 x 112 x 112, all cores", "mini": "8 x 56 x 56, width 16, one thread"}


def segments(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a net (its printed name), a column a segment, each row adding up to 1.

    Args:
        rows: a table of the benchmark `profile`.
    """
    parts = pd.DataFrame({name: rows[list(columns)].sum(axis=1) for name, columns in SEGMENTS.items()})
    parts[REST] = 1 - parts.sum(axis=1)
    return parts.set_axis([PAPER_NAMES.get(net, net) for net in rows["net"]])


def step_shares(tables: dict[str, pd.DataFrame]) -> Figure:
    """Shares of a training step by kind of operator: a panel a geometry, a bar a net.

    Args:
        tables: title of the panel -> `segments`.
    """
    with matplotlib.rc_context(STYLE):
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
        plt.close(figure)
        return figure


def profile_figure(folder: Path = FOLDER) -> Figure | Markdown:
    """`step_shares` of the recorded benchmark `profile`; a sentence where it is not recorded."""
    tables = {title: rows_of("profile", key, folder) for key, title in GEOMETRIES.items()}
    tables = {title: segments(rows) for title, rows in tables.items() if not rows.empty}
    return step_shares(tables) if tables else Markdown("*Not recorded.*")


def peak_note(folder: Path = FOLDER) -> Markdown:
    """The peak that shares are of, and what our nets reach beside torchvision's, in sentences."""
    rows, products = rows_of("training_step", "paper", folder), rows_of("training_step", "paper_products", folder)
    if rows.empty or products.empty:
        return Markdown("*The rates of the nets and of the matrix product are not recorded.*")
    best = products.sort_values("product_gmac_per_second").groupby("precision").last()
    ours = rows["precision"].iloc[0]
    rate, size = best.loc[ours, "product_gmac_per_second"], best.loc[ours, "size"]
    told = [
        f"The fastest {ours} product is that of {size} x {size} matrices, {rate:.0f} G multiply-adds a second with "
        f"{rows['threads'].iloc[0]} threads."
    ]
    if ours != "fp32":
        times = rate / best.loc["fp32", "product_gmac_per_second"]
        told.append(
            f"That is {times:.1f} times the fastest one in fp32: what a step gains beyond it over one in fp32 is not "
            "precision."
        )
    for row in rows.dropna(subset=["times_torchvision"]).to_dict("records"):
        told.append(
            f"{PAPER_NAMES[row['net']]} takes {row['step_s']:.2f} seconds for a step of {row['batch_size']} clips, "
            f"{row['times_torchvision']:.2f} times as fast as torchvision's."
        )
    return Markdown(" ".join(told))


def stall_note(folder: Path = FOLDER) -> Markdown:
    """The largest share of a step that was spent waiting, and whose it was."""
    rows = rows_of("stall", "stall", folder)
    if rows.empty:
        return Markdown("*How long steps wait for clips is not recorded.*")
    most, limit = rows.loc[rows["waiting_share"].idxmax()], 0.05
    above = rows[rows["waiting_share"] > limit]
    whose = f"{PAPER_NAMES[most['network']]} at {most['clips']} from {most['from']}"
    told = f"The longest waiting was that of {whose}: {most['waiting_share']:.1%} of a step. "
    told += f"{len(above)} of the {len(rows)} rows" if len(above) else "No row"
    told += f" {'are' if len(above) > 1 else 'is'} above {limit:.0%}."
    return Markdown(told)


def gpu_note(folder: Path = FOLDER) -> Markdown:
    """How fast steps at the paper's size were on the GPU that was measured, or that none was."""
    rows = rows_of("gpu", "paper", folder)
    if rows.empty:
        return Markdown(
            "**No step on a GPU was measured.** The code for GPUs is there; nothing here says how fast it is. "
            "No step has run as a CUDA graph: tests emulate its capture on a processor."
        )
    told = [f"Measured on {rows['device'].iloc[0]}."]
    for row in rows.dropna(subset=["times_torchvision"]).to_dict("records"):
        told.append(
            f"{PAPER_NAMES[row['net']]} ({row['way']}) takes {1e3 * row['step_s']:.0f} ms for a step of "
            f"{row['batch_size']} clips, {row['counted_share']:.0%} of the {row['precision']} peak, "
            f"{row['times_torchvision']:.2f} times as fast as the faster of torchvision's."
        )
    return Markdown(" ".join(told))
