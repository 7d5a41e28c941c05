"""What the notebook of an experiment calls: from its parameters to a run, its training as it goes, its result."""

import base64
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from studylib import REPOSITORY
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.results import Run, load_run
from studylib.training import launch as launching
from studylib.training.evaluation import wilson
from studylib.training.spec import RunSpec, SpecError, load_spec
from studylib.video.files import user_path

if TYPE_CHECKING:  # drawing is imported where a curve is drawn: it stops no run
    from matplotlib.figure import Figure

__all__ = ["launch", "load_run", "spec_of_parameters", "summary"]

PLAIN = (str, int, float, bool, list, dict, type(None))  # what papermill can set
NOT_PARAMETERS = ("run_folder", "In", "Out")  # the last two are IPython's own


def spec_of_parameters(names: Mapping[str, Any]) -> tuple[RunSpec, Path]:
    """The spec and the run folder of a notebook whose only names so far, its `globals()`, are its parameters; saves
    `spec.json`.

    Raises:
        SpecError: names the parameter and what it takes (papermill defines any name, misspelt ones too), or the run
            folder that holds another run.
    """
    # Paths are from the root, where papermill is called; an editor starts the notebook in its own folder.
    if Path.cwd().is_relative_to(REPOSITORY / "book"):
        os.chdir(REPOSITORY)
    parameters = {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and name not in NOT_PARAMETERS and isinstance(value, PLAIN)
    }
    run_folder = names.get("run_folder")
    if not isinstance(run_folder, str | Path) or not str(run_folder):
        raise SpecError(f"run_folder: {run_folder!r} is not the path of a folder for the results")
    spec, folder = RunSpec.from_parameters(parameters), user_path(run_folder)
    spec.save(folder)
    return spec, folder


def launch(run_folder: Path | str) -> None:
    """Train and test the run of a folder, with its error curve as it grows; errors as of `training.launch.launch`."""
    with shown(user_path(run_folder)) as show:
        launching.launch(run_folder, show)


def summary(run: Run) -> pd.DataFrame:
    """What came out of one run, a quantity a line, formatted; `load_run` it first."""
    m, videos = run.metrics, run.videos
    low, high = wilson(round(m["video_top1"] * videos / 100), videos)
    start, training = run.provenance.get("init_from"), {}
    if start:
        training["weights from"] = f"{start['source']} (SHA-256 {start['sha256'][:16]}...)"
    if run.spec.epochs == 0:
        training["training"] = "none"
    else:
        training["training error, last epoch"] = f"{m['train_error']:.1f}%"
        training["test error, last epoch, centre clips"] = f"{m['test_error']:.1f}%"
        training["training time"] = f"{m['seconds'] / 60:.1f} min ({m['clips_per_second']:.0f} clips/s)"
    lines = {
        "net": run.net,
        "clip@1": f"{m['clip_top1']:.1f}%",
        "video@1": f"{m['video_top1']:.1f}% (95% interval {low:.1f} to {high:.1f}, {videos} videos)",
        "video@5": f"{m['video_top5']:.1f}%",
        **training,
        "parameters": f"{m['params']:,}",
        "FLOPs of a clip": f"{m['flops'] / 1e9:.3f} G",
        "peak memory": f"{m['peak_memory'] / 2**30:.2f} GiB",
    }
    return pd.DataFrame({"value": lines})


STEP = re.compile(r"(epoch \d+/\d+ step|testing) \d+/\d+")  # lines that the next one of their kind replaces
EPOCH = re.compile(r"epoch \d+/\d+ ")
SECONDS_BETWEEN_PICTURES = 30


@contextmanager
def shown(run_folder: Path) -> Iterator[Callable[[str], None]]:
    """A function that shows the trainer's lines, each with its line break; in a notebook the curve of `history.csv`
    and, of the lines within an epoch, the newest."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):  # a terminal's Python
        yield lambda line: print(line, end="", flush=True)
        return
    progress = Progress(run_folder)
    try:
        yield progress.show
    finally:
        progress.end()


def curve(run_folder: Path) -> "Figure | None":
    """Training and test error of the epochs so far, as in Figure 4; None before the first has ended."""
    from studylib.book.figures import error_curves

    path = run_folder / "history.csv"
    history = pd.read_csv(path) if path.exists() else pd.DataFrame()
    if history.empty:
        return None
    spec = load_spec(run_folder)
    return error_curves(history.assign(title=f"{spec.depth} layers", net=PRINTED_NAMES[spec.net]))


class Progress:
    """The outputs of a notebook's cell that change while its run trains: a line and a picture."""

    def __init__(self, run_folder: Path) -> None:
        self.run_folder = run_folder
        self.line = self.picture = None  # IPython's handles of what is displayed
        self.due = 0.0  # time.monotonic() from which on the next picture may be drawn

    def show(self, line: str) -> None:
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
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + SECONDS_BETWEEN_PICTURES
        try:
            if (figure := curve(self.run_folder)) is not None:
                self.picture = self._display(figure, self.picture)
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

        shown = {"text/plain": content}
        if not isinstance(content, str):  # 16 colours: a quarter of the bytes, and hundreds of notebooks have a picture
            from PIL import Image

            drawn, small = io.BytesIO(), io.BytesIO()
            content.savefig(drawn, dpi=100, bbox_inches="tight")
            Image.open(drawn).convert("RGB").quantize(16).save(small, "png", optimize=True)
            shown = {"image/png": base64.b64encode(small.getvalue()).decode()}
        if handle is None:
            return display(shown, display_id=True, raw=True)
        handle.update(shown, raw=True)
        return handle
