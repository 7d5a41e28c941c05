"""Every plot of the book: functions of tidy tables that return a matplotlib Figure, in one style."""

import io
from collections.abc import Callable, Mapping, Sequence
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

WIDTH = 7.0  # inches: the book's column; 12 points in it are still 8 on a phone
# Okabe and Ito's colours, told apart by colour-blind readers; black is left for what is no net.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
COLOURS = (VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY, "#555555")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))  # where colours do not suffice
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
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


def looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dash of each name in a figure: nets have those of their kind, of which the second is dashed,
    and so on; other names have colours by order."""
    found: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(names):
        kind = kind_of(name)
        before = sum(kind_of(other) == kind for other in names[:i])
        colour, marker = KINDS[kind] if kind else (COLOURS[before % 7], MARKERS[before % 7])
        dash = DASHES[(before if kind else before // 7) % len(DASHES)]
        found[name] = {"color": colour, "marker": marker, "linestyle": dash}
    return found


@drawn
def training_curves(table: pd.DataFrame) -> Figure:
    """Training error (thin) and test error (thick) against epochs, as in Figure 4.

    Args:
        table: histories of runs, with columns net (which gives a line its look) and run.
    """
    names, lines = list(dict.fromkeys(table["net"])), []
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    for name, look in looks(names).items():
        line = look | {"marker": ""}
        for _, run in table[table["net"] == name].groupby("run", sort=False):
            axes.plot(run["epoch"], run["train_error"], linewidth=1.0, **line)
            axes.plot(run["epoch"], run["test_error"], linewidth=2.6, **line)
        lines.append(plt.Line2D([], [], linewidth=2, **line))
    axes.set(xlabel="epoch", ylabel="error (%)", ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    lines += [plt.Line2D([], [], color="black", linewidth=w) for w in (1.0, 2.6)]
    axes.legend(lines, [*names, "training", "test"], ncols=min(4, len(lines)), loc="upper center",
                bbox_to_anchor=(0.5, -0.2))  # fmt: skip
    return figure


def label_points(axes: Axes, table: pd.DataFrame) -> None:
    """Name each point where its name covers no point and no other name, with a thin line where it had to move away.

    Args:
        table: columns net, gflops and accuracy, the places of the points.
    """
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


@drawn
def cue_groups(table: pd.DataFrame) -> Figure:
    """Accuracy by cue group and net with Wilson intervals, chance, and the level of a net blind to order.

    Args:
        table: rows of one measure of `cues.by_cue`.
    """
    cues = list(dict.fromkeys(table["cue"]))
    names = list(dict.fromkeys(table["net"]))
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    for i, (name, look) in enumerate(looks(names).items()):
        rows = table[table["net"] == name]
        x = [cues.index(cue) + 0.5 * ((i + 0.5) / len(names) - 0.5) for cue in rows["cue"]]
        spread = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
        dots = look | {"linestyle": "none"}
        axes.errorbar(x, rows["accuracy"], spread, capsize=3, label=name, markersize=7, **dots)
    for column, dash, label in (
        ("order_blind", (0, (4, 2)), "order-blind: right pair, member guessed"),
        ("chance", (0, (1, 1.5)), "chance"),
    ):
        levels = table.drop_duplicates("cue").set_index("cue").loc[cues, column]
        axes.hlines(levels, np.arange(len(cues)) - 0.4, np.arange(len(cues)) + 0.4, color="black", linewidth=1.2,
                    linestyle=dash, label=label)  # fmt: skip
    axes.set(xticks=range(len(cues)), xticklabels=cues, ylabel="video@1 (%)", ylim=(-3, 105))
    axes.grid(axis="x", visible=False)
    axes.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    return figure
