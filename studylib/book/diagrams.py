"""Drawings of the networks as they are built: the kinds of Figure 1 and the (2+1)D block of Figure 2."""

import matplotlib
import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from studylib.book.figures import GREY, STYLE, WIDTH
from studylib.nets.build import build_net, middle_channels
from studylib.nets.complexity import output_sizes
from studylib.nets.table import NETS, PAPER_NAMES

# Light tints, dark text on them: what a convolution covers. In words as well, colour alone says nothing.
SPATIAL, TEMPORAL, FULL, PLAIN = "#CFE8F7", "#FBE3B5", "#F3C9B0", "#EEEEEE"
KINDS_DRAWN = ("r2d", "f_r2d", "mc3", "rmc3", "r3d", "r2plus1d")


def kinds(clip_length: int = 8) -> Figure:
    """One network of each kind of Figure 1, input below, scores above; the frames that leave each group in its box.

    Residual connections are left out, as in the paper's figure.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH, 6.2))
        axes.set(xlim=(-0.62, len(KINDS_DRAWN) - 0.4), ylim=(-0.45, 7.3))
        axes.axis("off")
        for column, name in enumerate(KINDS_DRAWN):
            _network(axes, column, name, clip_length)
        for row in range(5):
            axes.text(
                -0.52, row + 1.0, f"conv{row + 1}", ha="center", va="center", fontsize=10, color=GREY, rotation=90
            )
        handles = [Rectangle((0, 0), 1, 1, facecolor=c, edgecolor=GREY) for c in (SPATIAL, TEMPORAL, FULL)]
        axes.legend(handles, ["over space", "over time", "over both"], ncols=3, loc="lower center",
                    bbox_to_anchor=(0.5, -0.07), fontsize=11)  # fmt: skip
        plt.close(figure)
        return figure


def _network(axes: Axes, x: int, name: str, clip_length: int) -> None:
    with torch.device("meta"):
        sizes = output_sizes(build_net(name, clip_length=clip_length), (3, clip_length, 112, 112))
    groups = ("stem", "layer1", "layer2", "layer3", "layer4")
    _box(axes, x, 0.12, 0.4, f"{clip_length} frames", "white")
    for row, (group, kind) in enumerate(zip(groups, NETS[name], strict=True)):
        side, y = 7 if row == 0 else 3, row + 1.0
        frames = sizes[group][1]
        _arrow(axes, (x, y - 0.66 if row else 0.32), (x, y - 0.38))
        if kind == "2+1d":
            _box(axes, x, y - 0.19, 0.36, f"1×{side}×{side}", SPATIAL)
            _box(axes, x, y + 0.19, 0.36, f"3×1×1 T={frames}", TEMPORAL)
            continue
        time = {"3d": 3, "folded": clip_length}.get(kind, 1)
        _box(axes, x, y, 0.74, f"{time}×{side}×{side}\nT={frames}", SPATIAL if kind == "2d" else FULL)
    _arrow(axes, (x, 5.38), (x, 5.66))
    _box(axes, x, 5.86, 0.4, "pool", PLAIN)
    _arrow(axes, (x, 6.06), (x, 6.34))
    _box(axes, x, 6.54, 0.4, "fc", PLAIN)
    axes.text(x, 7.05, PAPER_NAMES[name], ha="center", va="center", fontsize=12, fontweight="bold")


def _box(axes: Axes, x: float, y: float, height: float, text: str, colour: str, width: float = 0.86) -> None:
    style = "round,pad=0,rounding_size=0.05"
    axes.add_patch(
        FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle=style, facecolor=colour, edgecolor=GREY)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=10, linespacing=1.15)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=GREY, linewidth=0.9, shrinkA=1, shrinkB=1)
    )


def factorised_block(n_in: int = 64, n_out: int = 64, t: int = 3, d: int = 3) -> Figure:
    """Figure 2 with numbers: a t x d x d filter, and the (2+1)D block of as many weights that takes its place."""
    middle = middle_channels(n_in, n_out, t, d)
    full, spatial, temporal = t * d * d * n_in * n_out, d * d * n_in * middle, t * middle * n_out
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 5.2))
        for axes, title in ((left, "3D convolution"), (right, "(2+1)D convolution")):
            axes.set(xlim=(0, 8), ylim=(0, 12.6), title=title)
            axes.set_aspect("equal")
            axes.axis("off")
        _label(left, 0.2, f"{n_in} channels in")
        _arrow(left, (4, 0.6), (4, 3.1))
        _label(left, 3.6, f"{n_out} filters {t}×{d}×{d}")
        _cuboid(left, 2.6, 4.4, t, d, FULL)
        _arrow(left, (4, 7.5), (4, 10.0))
        _label(left, 10.4, f"{n_out} channels out")
        _label(left, 11.6, f"{full:,} weights", bold=True)
        _label(right, 0.2, f"{n_in} channels in")
        _arrow(right, (4, 0.6), (4, 1.3))
        _label(right, 1.8, f"M = {middle} filters 1×{d}×{d}")
        _cuboid(right, 3.0, 2.6, 1, d, SPATIAL)
        _arrow(right, (4, 5.0), (4, 5.6))
        _box(right, 4, 6.0, 0.8, "BN, ReLU", PLAIN, width=3.0)
        _arrow(right, (4, 6.4), (4, 7.0))
        _label(right, 7.5, f"{n_out} filters {t}×1×1")
        _cuboid(right, 3.3, 8.1, t, 1, TEMPORAL)
        _arrow(right, (4, 9.5), (4, 10.0))
        _label(right, 10.4, f"{n_out} channels out")
        _label(right, 11.6, f"{spatial:,} + {temporal:,}\n= {spatial + temporal:,} weights", bold=True)
        left.set_ylim(right.get_ylim())
        plt.close(figure)
        return figure


def _label(axes: Axes, y: float, text: str, bold: bool = False) -> None:
    weight = "bold" if bold else "normal"
    axes.text(4, y, text, ha="center", va="center", fontsize=11, fontweight=weight, linespacing=1.2)


def _cuboid(axes: Axes, x: float, y: float, t: int, d: int, colour: str) -> None:
    """A filter of t x d x d cells in oblique view, time going to the upper right, its front's lower left at (x, y)."""
    cell, dx, dy = 0.62, 0.42, 0.26

    def face(corners: list[tuple[float, float]]) -> None:
        axes.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor="black", linewidth=0.8))

    for i in range(d):
        for j in range(d):  # front
            a, b = x + i * cell, y + j * cell
            face([(a, b), (a + cell, b), (a + cell, b + cell), (a, b + cell)])
        for k in range(t):
            u, v = k * dx, k * dy
            a, b = x + i * cell + u, y + d * cell + v  # top
            face([(a, b), (a + cell, b), (a + cell + dx, b + dy), (a + dx, b + dy)])
            a, b = x + d * cell + u, y + i * cell + v  # right
            face([(a, b), (a + dx, b + dy), (a + dx, b + cell + dy), (a, b + cell)])
