"""The plots of the chapter on clip length, in the style of `figures`: a panel a plan, since data differ."""

from collections.abc import Callable, Mapping

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, COLOURS, DASHES, MARKERS, STYLE, VERMILION, WIDTH

LINES = {"clip@1": (BLUE, "o", "-"), "video@1": (VERMILION, "s", DASHES[1])}


def accuracy_by_length(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Figure 5: clip and video accuracy against clip length, with 95% intervals.

    Args:
        panels: title -> `lengths.accuracies`.
    """

    def draw(axes: Axes, table: pd.DataFrame) -> None:
        for measure, (colour, marker, dash) in LINES.items():
            own = table[table["measure"] == measure]
            _line(axes, own, colour=colour, marker=marker, linestyle=dash, label=measure)
        axes.margins(y=0.12)
        axes.legend(loc="best")

    return _by_length(panels, 3.7, "accuracy (%)", draw)


def correlation_by_length(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Correlation of the clips of a video against clip length, with 95% intervals.

    Args:
        panels: title -> `lengths.correlations`.
    """

    def draw(axes: Axes, table: pd.DataFrame) -> None:
        _line(axes, table, colour=BLUE, marker="o", linestyle="-")
        axes.margins(y=0.15)

    return _by_length(panels, 3.2, "correlation of clips", draw)


def gain_by_clips(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """What averaging gains against the number of clips, a line a length; the intervals are those of all clips.

    Args:
        panels: title -> `lengths.gains`.
    """
    with matplotlib.rc_context(STYLE):
        figure, grid = _panels(len(panels), 4.2)
        for axes, (title, table) in zip(grid, panels.items(), strict=True):
            for i, (length, own) in enumerate(table.groupby("length")):
                style = {"color": COLOURS[i % 7], "marker": MARKERS[i % 7], "linestyle": DASHES[i % 3]}
                axes.plot(own["clips"], own["points"], markersize=5, label=f"{length} frames", **style)
                last = own.iloc[-1]
                at = last["clips"] + 0.25 + 0.16 * i  # side by side, to the right of the lines
                spread = [[last["points"] - last["low"]], [last["high"] - last["points"]]]
                axes.errorbar(at, last["points"], spread, fmt=MARKERS[i % 7], color=COLOURS[i % 7], capsize=2, ms=4)
            axes.set(title=title, ylabel="gain over one clip (points)", xticks=sorted(set(table["clips"])))
            axes.axhline(0, color="black", linewidth=0.8)
        grid[-1].set_xlabel("clips of a video whose scores are averaged")
        names = grid[-1].get_legend_handles_labels()
        grid[-1].legend(*names, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2))
        plt.close(figure)
        return figure


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    figure, grid = plt.subplots(count, 1, figsize=(WIDTH, height * count), squeeze=False)
    return figure, list(grid[:, 0])


def _by_length(
    panels: Mapping[str, pd.DataFrame], height: float, ylabel: str, draw: Callable[[Axes, pd.DataFrame], None]
) -> Figure:
    """A panel for each table, with what `draw` makes of it against clip length."""
    with matplotlib.rc_context(STYLE):
        figure, grid = _panels(len(panels), height)
        for axes, (title, table) in zip(grid, panels.items(), strict=True):
            draw(axes, table)
            axes.set(title=title, ylabel=ylabel, xticks=sorted(set(table["length"])))
        grid[-1].set_xlabel("frames of a clip, in training and test")
        plt.close(figure)
        return figure


def _line(axes: Axes, table: pd.DataFrame, colour: str, **style: object) -> None:
    """Points joined by a line, with their intervals."""
    spread = [table["points"] - table["low"], table["high"] - table["points"]]
    axes.errorbar(table["length"], table["points"], spread, color=colour, capsize=3, markersize=7, **style)
