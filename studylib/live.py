"""What is seen of a run while it trains: its lines; in a notebook, its error curve, which grows, and few lines."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.net_table import PRINTED_NAMES
from studylib.spec import load_spec

if TYPE_CHECKING:  # drawing is imported where a curve is drawn: the trainer needs none of it, and it stops no run
    from matplotlib.figure import Figure

STEP = re.compile(r"(epoch \d+/\d+ step|testing) \d+/\d+")  # lines that the next one of their kind replaces
EPOCH = re.compile(r"epoch \d+/\d+ ")
SECONDS_BETWEEN_PICTURES = 5
SHARE_OF_TIME = 0.05  # that drawing may take of a long run


@contextmanager
def shown(run_folder: Path) -> Iterator[Callable[[str], None]]:
    """A function that shows the trainer's lines, each with its line break.

    In a notebook the curve of `history.csv` stands below the first lines and grows, and of the lines within an epoch
    only the newest is seen: what an executed notebook keeps is one picture and the lines of the epochs.
    """
    if not in_notebook():
        yield lambda line: print(line, end="", flush=True)
        return
    progress = Progress(run_folder)
    try:
        yield progress.show
    finally:
        progress.end()


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook, and not a terminal's Python."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


def curve(run_folder: Path) -> "Figure | None":
    """Training and test error of the epochs so far, as in Figure 4; None before the first has ended."""
    import pandas as pd

    from studylib.figures import training_curves

    path = run_folder / "history.csv"
    history = pd.read_csv(path) if path.exists() else pd.DataFrame()
    if history.empty:
        return None
    spec = load_spec(run_folder)
    figure = training_curves(history.assign(net=f"{PRINTED_NAMES[spec.net]}-{spec.depth}", run=run_folder.name))
    if len(history) == 1:  # a line through one point is not seen
        for line in figure.axes[0].lines:
            line.set_marker("o")
    return figure


class Progress:
    """The outputs of a notebook's cell that change while its run trains: a line and a picture."""

    def __init__(self, run_folder: Path) -> None:
        self.run_folder = run_folder
        self.line = self.picture = None  # IPython's handles of what is displayed
        self.due = 0.0  # time.monotonic() from which on the next picture may be drawn

    def show(self, line: str) -> None:
        """Show a line of the trainer's."""
        if STEP.match(line):
            self.line = self._display(line.rstrip(), self.line)
            if self.picture is None:  # of the epochs before an interruption
                self.draw()
            return
        if EPOCH.match(line):
            self.draw()  # before the line, so that the picture stands above the lines of epochs
        print(line, end="", flush=True)

    def draw(self) -> None:
        """Draw the curve anew, unless it was drawn a moment ago. No picture is worth a run: what goes wrong is told."""
        begun = time.monotonic()
        if begun < self.due:
            return
        try:
            if self.picture is None and in_notebook():
                from studylib.figures import in_kernel

                in_kernel()
            if (figure := curve(self.run_folder)) is not None:
                self.picture = self._display(figure, self.picture)
            took = time.monotonic() - begun
            self.due = begun + took + max(SECONDS_BETWEEN_PICTURES, took / SHARE_OF_TIME)
        except Exception as error:
            self.due = float("inf")
            print(f"the curve is not drawn: {type(error).__name__}: {error}", flush=True)

    def end(self) -> None:
        """Leave what an executed notebook should keep."""
        if self.due < float("inf"):
            self.due = 0.0
            self.draw()
        if self.line is not None:
            self._display("All lines are in train.log.", self.line)

    @staticmethod
    def _display(content: "str | Figure", handle: object | None) -> object:
        """Display a line or a figure, in place of what `handle` shows where there is one; gives the handle."""
        from IPython.display import display

        what = {"raw": True} if isinstance(content, str) else {}
        content = {"text/plain": content} if isinstance(content, str) else content
        if handle is None:
            return display(content, display_id=True, **what)
        handle.update(content, **what)
        return handle
