"""Pictures of the calibration: accuracy by cue group against difficulty, and against the span of a clip."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.book import calibration
from studylib.book.calibration import GROUPS, OVERALL, Calibration
from studylib.book.figures import COLOURS, MARKERS, STYLE, WIDTH, looks
from studylib.datasets.pantomime.actions import CUES

BOUND = {"color": "black", "linewidth": 1.2, "linestyle": (0, (4, 2)), "label": "bound of a net\nblind to order"}


def difficulty(study: Calibration) -> Figure | Markdown:
    """`by_difficulty` of the recorded runs; a sentence where there are none."""
    table = calibration.by_difficulty(study)
    return Markdown("*Not run.*") if table.empty else by_difficulty(table)


def time_scale(study: Calibration) -> Figure | Markdown:
    """`by_span` of the recorded runs; a sentence where there are none."""
    table = calibration.by_span(study)
    return Markdown("*Not run.*") if table.empty else by_span(table)


def by_difficulty(table: pd.DataFrame) -> Figure:
    """Video@1 against difficulty: a panel for all videos and for each cue group, a line a net, with 95% intervals.

    Args:
        table: `calibration.by_difficulty`; nets may be missing at a difficulty.
    """
    nets = list(dict.fromkeys(table["net"]))
    levels = np.sort(table["difficulty"].unique())
    # nets side by side at a difficulty, where their intervals would cover each other
    width = 0.2 * (np.diff(levels).min() if len(levels) > 1 else 1)
    beside = dict(zip(nets, np.linspace(-width, width, len(nets)) if len(nets) > 1 else [0.0], strict=True))
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(3, 2, figsize=(WIDTH, 8.6), sharex=True, sharey=True)
        for axes, cue in zip(grid.flat, GROUPS, strict=False):
            own = table[table["cue"] == cue]
            for net, look in looks(nets).items():
                rows = own[own["net"] == net].sort_values("difficulty")
                _line(axes, rows["difficulty"] + beside[net], rows, label=net, linewidth=1.2, **look)
            if len(own):
                axes.axhline(own["order_blind"].iloc[0], **BOUND)
            axes.set(title=cue, ylim=(-3, 103), xticks=levels, xticklabels=[f"{level:g}" for level in levels])
            axes.grid(axis="x", visible=False)
            axes.tick_params(labelbottom=True)
        for axes in grid[:, 0]:
            axes.set_ylabel("video@1 (%)")
        for axes in (grid[1, 1], grid[2, 0]):
            axes.set_xlabel("difficulty")
        grid[2, 1].axis("off")
        handles, names = grid[0, 0].get_legend_handles_labels()
        grid[2, 1].legend(handles, names, loc="center", labelspacing=0.6)
        plt.close(figure)
        return figure


def by_span(table: pd.DataFrame) -> Figure:
    """Video@1 by cue group against the frames that a clip spans: a panel a net, a line a group through clips of
    consecutive frames; clips of frames further apart are open markers off the lines.

    Args:
        table: `calibration.by_span`.
    """
    nets = list(dict.fromkeys(table["net"]))
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(len(nets), 1, figsize=(WIDTH, 4.2 * len(nets)), squeeze=False)
        for axes, net in zip(grid[:, 0], nets, strict=True):
            own = table[(table["net"] == net) & (table["cue"] != OVERALL)]
            for i, cue in enumerate(CUES):
                rows = own[own["cue"] == cue]
                look = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 7}
                shift = 0.3 * (i - 1.5)  # frames, so that intervals do not cover each other
                for step, part in rows.groupby("step"):
                    apart = {"label": cue} if step == 1 else {"linestyle": "none", "markerfacecolor": "white"}
                    _line(axes, part["span"] + shift, part, **look, **apart)
            axes.axhline(own.loc[own["cue"] == "sequence", "order_blind"].iloc[0], **BOUND)
            axes.plot([], [], "o", color="#666666", markerfacecolor="white", label=_apart(own))
            spans = np.sort(own["span"].unique())
            axes.set(title=net, ylabel="video@1 (%)", xlabel="frames of the video that a clip spans", ylim=(-3, 103))
            axes.set(xticks=spans, xticklabels=spans)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, ncols=3, loc="outside lower center", columnspacing=1.2)
        plt.close(figure)
        return figure


def _apart(rows: pd.DataFrame) -> str:
    """What the open markers are."""
    apart = rows[rows["step"] > 1].drop_duplicates(["frames", "step"])
    return "\n".join(f"{r.frames} frames, {r.step} apart" for r in apart.itertuples()) or "frames apart: not run"


def _line(axes: Axes, x: pd.Series, rows: pd.DataFrame, **look: object) -> None:
    spread = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
    axes.errorbar(x, rows["accuracy"], spread, capsize=2, elinewidth=1, **({"markersize": 5} | look))
