"""Every plot of the book: functions of tidy tables that return a matplotlib Figure, in one style."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from html import escape
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.stats import Estimate

WIDTH = 7.0  # inches: the book's column; 12 points in it are still 8 on a phone
# Okabe and Ito's colours, told apart by colour-blind readers; black is left for what is no net.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
COLOURS = (VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY, "#555555")
GREY = "#666666"
STYLE = {
    "font.size": 12,
    "axes.titlesize": 12.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "study",  # the same ids at every build
}
# Kinds of Table 2's nets -> colour and marker, the same on all pages; an x stands for 2 to 5.
KINDS = {
    "R2D": (SKY, "P"),
    "f-R2D": (ORANGE, "D"),
    "MCx": (GREEN, "^"),
    "rMCx": (PURPLE, "v"),
    "R3D": (BLUE, "o"),
    "R(2+1)D": (VERMILION, "s"),
}
P = ParamSpec("P")
Drawing = TypeVar("Drawing")  # a Figure, or an Inline with one


def drawn(draw: Callable[P, Drawing]) -> Callable[P, Drawing]:
    """A function that draws in the book's style, out of pyplot's hands: a cell shows its value, once."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Drawing:
        with matplotlib.rc_context(STYLE):
            drawing = draw(*args, **kwargs)
            plt.close(drawing.figure)
        return drawing

    return in_style


def in_book() -> None:
    """Show figures as SVG in this kernel, whatever MPLBACKEND says: sharp at every size."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    matplotlib.use("module://matplotlib_inline.backend_inline")
    set_matplotlib_formats("svg")


@dataclass(frozen=True)
class Inline:
    """A figure within the page itself, where a pointer on a part of it shows the part's values, without a script."""

    figure: Figure
    values: Mapping[str, str]  # gid of an artist -> what it shows
    alt: str

    def _repr_html_(self) -> str:
        text = io.StringIO()
        with matplotlib.rc_context(STYLE):
            self.figure.savefig(text, format="svg", metadata={"Date": None})
        svg = text.getvalue()[text.getvalue().index("<svg") :]
        for gid, value in self.values.items():
            svg = svg.replace(f'<g id="{gid}">', f'<g id="{gid}"><title>{escape(value)}</title>', 1)
        return svg.replace("<svg", f'<svg class="inline-figure" role="img" aria-label="{escape(self.alt)}"', 1)


def kind_of(name: str) -> str:
    """Of `KINDS` the one of a net, after whose name depth and settings may follow; "" for none."""
    return next((kind for kind in KINDS if name.startswith(kind.removesuffix("x"))), "")


def intervals(axes: Axes, estimates: Iterable[Estimate], places: Sequence, across: bool = False, **look: Any) -> None:
    """Estimates as points with their 95% intervals, at places on the x axis, or `across` on the y axis."""
    points, low, high = np.array([(own.points, own.low, own.high) for own in estimates]).reshape(-1, 3).T
    ends = {"xerr" if across else "yerr": [points - low, high - points]}
    axes.errorbar(*((points, places) if across else (places, points)), **ends, **look)


@drawn
def stacked_bars(panels: Mapping[str, pd.DataFrame], what: str, totals: bool = False) -> Figure:
    """A panel a title -> table, in it a bar a row, with a segment a column; with `totals` its length behind it."""
    rows = [len(table) for table in panels.values()]
    size = (WIDTH, 0.34 * sum(rows) + 1.5 * len(rows))
    figure, grid = plt.subplots(len(rows), 1, figsize=size, squeeze=False, height_ratios=rows)
    for axes, (title, table) in zip(grid[:, 0], panels.items(), strict=True):
        ends = table.cumsum(axis=1)
        for colour, name in zip(COLOURS, table.columns, strict=False):
            axes.barh(table.index, table[name], left=ends[name] - table[name], color=colour, edgecolor="white",
                      linewidth=0.8, label=name)  # fmt: skip
        longest = ends.iloc[:, -1].max()
        for y, total in enumerate(ends.iloc[:, -1] if totals else ()):
            axes.text(total + 0.01 * longest, y, f"{total:.1f}", va="center", fontsize=11)
        axes.invert_yaxis()
        axes.set(title=title, xlim=(0, 1.1 * longest if totals else longest))
        axes.grid(axis="y", visible=False)
    grid[-1, 0].set_xlabel(what)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), ncols=3, loc="outside upper center", columnspacing=1.2)
    return figure


@drawn
def error_curves(histories: pd.DataFrame) -> Figure:
    """Figure 4: training error left, test error right, a row of panels a title, each line with its network's name.

    Args:
        histories: of runs, one under the other, at least one, with columns title (of its panels) and net; the runs of a
            network in one title are averaged.
    """
    titles = list(dict.fromkeys(histories["title"]))
    means = histories.groupby(["title", "epoch", "net"])[["train_error", "test_error"]].mean()
    size = (WIDTH, 3 * len(titles))
    figure, grid = plt.subplots(len(titles), 2, figsize=size, sharex="row", sharey="row", squeeze=False)
    for row, title in zip(grid, titles, strict=True):
        for axes, (column, what) in zip(row, {"train_error": "training", "test_error": "test"}.items(), strict=True):
            lines, height = means.loc[title, column].unstack("net"), -np.inf
            for net in lines.iloc[-1].sort_values().index:
                colour = KINDS.get(kind_of(net), [GREY])[0]
                axes.plot(lines[net], color=colour, linewidth=2, marker="o" if len(lines) == 1 else "")
                height = max(lines[net].iloc[-1], height + 9)  # names lie at least 9 percent of error apart
                axes.annotate(net, (lines.index[-1], height), (5, 0), textcoords="offset points", color=colour,
                              va="center", fontsize=11)  # fmt: skip
            axes.set(xlabel="epoch", ylim=(0, 100), title=f"{title}:\n{what} error")
            axes.xaxis.get_major_locator().set_params(integer=True)
        row[0].set_ylabel("error (%)")
    return figure


def label_points(axes: Axes, table: pd.DataFrame) -> None:
    """Name each point (net, gflops, accuracy) where its name covers no point and no other name, with a thin line where
    it had to move away."""
    axes.figure.canvas.draw()  # the layout settles first; positions below are in pixels
    points = axes.transData.transform(table[["gflops", "accuracy"]].to_numpy(float))
    scale = axes.figure.dpi / 72
    height, letter = 12 * scale, 6.9 * scale  # of the names, 11 points
    taken = [(x - 5 * scale, y - 5 * scale, x + 5 * scale, y + 5 * scale) for x, y in points]
    frame = axes.get_window_extent()
    directions = [(np.cos(a), np.sin(a)) for a in np.arange(0, 2 * np.pi, np.pi / 8)]
    for (x, y), name in zip(points, table["net"], strict=True):
        width, best = letter * len(name) + 4 * scale, None
        for radius in (9, 16, 24, 34, 46):
            for dx, dy in directions:
                left = x + dx * radius * scale + (dx - 1) / 2 * width
                bottom = y + dy * radius * scale + (dy - 1) / 2 * height
                box = (left, bottom, left + width, bottom + height)
                covered = sum(_overlap(box, other) for other in taken)
                outside = max(0, frame.x0 - box[0]) + max(0, box[2] - frame.x1) + max(0, box[3] - frame.y1)
                cost = 10 * covered + 50 * outside + radius
                if best is None or cost < best[0]:
                    best = (cost, box, radius)
        _, box, radius = best
        taken.append(box)
        centre = axes.transData.inverted().transform(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        arrow = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkB": 3} if radius > 9 else None
        at = axes.transData.inverted().transform((x, y))
        axes.annotate(name, at, centre, ha="center", va="center", fontsize=11, arrowprops=arrow)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Area that two boxes (left, bottom, right, top) share."""
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
