"""The picture that other sites show beside a link to the book: its title and the three ways to convolve a video."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from studylib.book.figures import GREY, STYLE
from studylib.book.networks import FULL, SPATIAL, TEMPORAL

SIZE = (1200, 630)  # pixels, the shape that sites ask for
DPI = 100
FRAMES, STEP = 3, 22  # frames of a kernel; pixels between two frames, as drawn


def draw(path: Path) -> None:
    """Write the picture as PNG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(SIZE[0] / DPI, SIZE[1] / DPI), dpi=DPI, facecolor="white", layout="none")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, SIZE[0]), ylim=(0, SIZE[1]), aspect="equal")
        axes.axis("off")
        axes.text(70, 540, "A closer look at", fontsize=30, color=GREY, va="center")
        axes.text(70, 480, "spatiotemporal convolutions,", fontsize=40, weight="bold", va="center")
        axes.text(70, 420, "reproduced", fontsize=40, weight="bold", va="center")
        kernel(axes, 90, SPATIAL, frames=1, side=130)
        kernel(axes, 420, FULL, frames=FRAMES, side=130)
        kernel(axes, 780, SPATIAL, frames=1, side=130)
        axes.text(952, 215, "+", fontsize=36, color=GREY, ha="center", va="center")
        kernel(axes, 990, TEMPORAL, frames=FRAMES, side=40)
        for x, name in ((155, "2D"), (507, "3D"), (935, "(2+1)D")):
            axes.text(x, 90, name, fontsize=26, ha="center", va="center")
        figure.savefig(path, metadata={"Software": None})


def kernel(axes: object, x: float, colour: str, frames: int, side: float) -> None:
    """A kernel as its frames, one behind the other, centred on one height."""
    bottom = 215 - (side + (frames - 1) * STEP) / 2
    for frame in reversed(range(frames)):
        corner = (x + frame * STEP, bottom + frame * STEP)
        axes.add_patch(Rectangle(corner, side, side, facecolor=colour, edgecolor=GREY, linewidth=2))
