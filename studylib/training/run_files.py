"""What lies in a run folder beside its spec, what makes it complete (see `results` for reading many of them), and where
a result comes from: code, packages, hardware. No host names, no paths.
"""

import csv
import importlib.metadata
import io
import json
import os
import platform
import re
import subprocess
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from studylib import REPOSITORY
from studylib.datasets.index import LARGEST_SHARE
from studylib.training.spec import load_spec, recorded_hash
from studylib.video.files import write_text, write_together

if TYPE_CHECKING:
    from torch import nn

CONV1 = "conv1.npz"

METRICS = (
    "spec_hash",
    "clip_top1",  # percent, as every accuracy and error
    "video_top1",
    "video_top5",
    "train_error",  # of the last epoch, running, on augmented clips
    "test_error",  # of the last epoch, one centre clip a video
    "params",
    "flops",  # multiply-adds of a clip, see `complexity`
    "seconds",  # of training, over all its sessions
    "clips_per_second",  # of training
    "peak_memory",  # bytes, of the session that ended the run
)
# Of training: null where there was none (epochs 0).
OF_TRAINING = ("train_error", "test_error", "clips_per_second")
HISTORY = (
    "epoch",
    "step",
    "lr",  # of the last step, over all processes
    "train_loss",
    "train_error",
    "test_loss",
    "test_error",
    "clips_per_second",
    "seconds",  # of training, over all sessions
    "data_wait",  # share of them that waited for data
)
CLOCKS = ("clips_per_second", "seconds", "data_wait")  # columns in which a repetition differs
SINCE_THEN = ("data_wait",)  # columns that runs recorded before they were thought of do not have
# Always there; a run that starts from other weights has `init_from` too.
PROVENANCE = (
    "commit", "source_clean", "versions", "device", "cpu", "threads", "precision", "started", "ended", "dataset",
)  # fmt: skip
DATASET = ("name", "manifest_hash")  # always there in its `dataset`, as texts
# What a result depends on; run folders and the book's pages may change without touching it.
SOURCES = ("studylib", "book/experiments", ":(glob)runs/*.yaml", "runs/Snakefile", "pyproject.toml")
# Python writes it as it imports the sources; git lists it where the repository was copied without its .gitignore.
BYTECODE = ":(exclude,glob)**/__pycache__/**"
OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
PACKAGES = ("torch", "torchvision", "numpy", "av", "opencv-python-headless", "pyarrow")


class Fault(NamedTuple):
    """A video that could not be read, by its path in the dataset, and why."""

    video: str
    reason: str


class TooManyFaults(RuntimeError):
    """More of a part's videos are broken than a run may go on with."""


class Faults:
    """The videos that a run finds broken, of each part ("train", "test"), why, and how many clips they cost; replaced
    in training, left out in testing. A few must not end a week of training; many mean that something else is wrong."""

    def __init__(self, rows: Iterable[tuple[str, str, str, int]] = ()) -> None:
        """`rows` of a checkpoint, or of several processes: clips of the same video add up."""
        self._found: dict[tuple[str, str], tuple[str, int]] = {}
        for part, video, reason, clips in rows:
            _, before = self._found.get((part, video), ("", 0))
            self._found[part, video] = (reason, before + clips)

    def add(self, part: str, faults: Iterable[Fault], videos: int) -> None:
        """Count `faults` of a part that has so many `videos`. Errors: TooManyFaults, see `require_few`."""
        if faults:
            self._found = Faults([*self.rows(), *((part, *fault, 1) for fault in faults)])._found
            self.require_few(part, videos)

    def require_few(self, part: str, videos: int) -> None:
        """Go on only where few of a part's `videos` are broken. Errors: TooManyFaults: more than `LARGEST_SHARE`."""
        broken = [(video, reason) for (of, video), (reason, _) in self._found.items() if of == part]
        if len(broken) > LARGEST_SHARE * videos:
            video, reason = broken[-1]
            raise TooManyFaults(
                f"{len(broken)} of the {videos} {part} videos cannot be read, more than {LARGEST_SHARE:.0%}; the last: "
                f"{video}: {reason}. They are listed in faults.csv: mend or remove them and make the index again"
            )

    def rows(self) -> list[tuple[str, str, str, int]]:
        """(part, video, reason, clips) of each, in the order they were found, for a checkpoint."""
        return [(part, video, reason, clips) for (part, video), (reason, clips) in self._found.items()]

    def counts(self) -> dict[str, int]:
        """{"train": videos, "test": videos}."""
        return {part: sum(of == part for of, _ in self._found) for part in ("train", "test")}

    def write(self, run_folder: Path) -> None:
        """Write `faults.csv` if there are any: part, video, clips (replaced or left out) and reason."""
        if self._found:
            rows = ((part, video, clips, reason) for part, video, reason, clips in self.rows())
            _write_csv(run_folder / "faults.csv", ("part", "video", "clips", "reason"), rows)


class RunFolderError(ValueError):
    """A file of a run folder that is not what it should be; the message names it and says what to do."""


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON in one step, a line a key."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_history(run_folder: Path, rows: list[dict[str, float]]) -> None:
    """Write `history.csv` whole, an epoch a line."""
    _write_csv(run_folder / "history.csv", HISTORY, ([row.get(name) for name in HISTORY] for row in rows))


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    write_text(path, text.getvalue())


def read_metrics(run_folder: Path) -> dict[str, Any] | None:
    """The metrics of a finished run, None where there are none yet; those `OF_TRAINING` are None without training.
    Errors: SpecError: no readable `spec.json`. RunFolderError: not JSON, a number missing, not a number or not finite,
    or the metrics of another spec."""
    path = run_folder / "metrics.json"
    if not path.exists():
        return None
    advice = "restore it, or remove it and run the experiment again"
    try:
        metrics = json.loads(path.read_text())
    except ValueError as error:
        raise RunFolderError(f"{path}: not JSON ({error}); {advice}") from None
    if not isinstance(metrics, dict) or (missing := [name for name in METRICS if name not in metrics]):
        raise RunFolderError(f"{path}: has no {', '.join(missing) if isinstance(metrics, dict) else 'names'}; {advice}")
    absent = OF_TRAINING if load_spec(run_folder).epochs == 0 else ()
    if told := [name for name in absent if metrics[name] is not None]:
        raise RunFolderError(f"{path}: {told[0]} is {metrics[told[0]]!r} although the run trained nothing; {advice}")
    numbers = [name for name in METRICS[1:] if name not in absent]
    # Python's JSON has names for numbers that are infinite or nan, and its True is a number
    if wrong := [name for name in numbers if type(metrics[name]) not in (int, float) or not abs(metrics[name]) < inf]:
        raise RunFolderError(f"{path}: {wrong[0]} is {metrics[wrong[0]]!r}, not a finite number; {advice}")
    if metrics["spec_hash"] != recorded_hash(run_folder):
        raise RunFolderError(f"{path}: belongs to another spec than the spec.json beside it; {advice}")
    return metrics


def write_conv1(run_folder: Path, net: "nn.Module") -> None:
    """Write `conv1.npz`, see `read_conv1`, of a net whose conv1 is factorised: Figure 6 shows these filters, and
    checkpoints stay on the machine that trained the run. The same weights give the same bytes."""
    from torch import nn

    factors = [module for module in getattr(net, "stem", ()) if isinstance(module, nn.Conv3d)]
    if len(factors) == 2:
        spatial, temporal = (factor.weight.detach().float().cpu().contiguous().numpy() for factor in factors)
        write_together({run_folder / CONV1: lambda file: np.savez(file, spatial=spatial, temporal=temporal)})


def read_conv1(run_folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Spatial (M, C, 1, 7, 7) and temporal filters (N, M, 3, 1, 1) of a run, float32; None where it has no `conv1.npz`.
    Errors: RunFolderError: the file is no archive of both, or they are not such filters or not all finite."""
    path = run_folder / CONV1
    if not path.exists():
        return None
    try:
        with np.load(path) as archive:
            spatial, temporal = archive["spatial"], archive["temporal"]
        if spatial.shape[2:] != (1, 7, 7) or temporal.shape[1:] != (len(spatial), 3, 1, 1):
            raise ValueError(f"filters of {spatial.shape} and {temporal.shape}")
        if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in (spatial, temporal)):
            raise ValueError("weights that are not finite numbers of float32")
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        advice = "restore it, or remove the folder and run it again"
        raise RunFolderError(f"{path}: not the two factors of a conv1 ({reason}); {advice}") from None
    return spatial, temporal


def of_code() -> dict[str, Any]:
    """Commit, whether the sources are the commit's, versions of packages, and the processor. Of sources that are no
    checkout of their own the commit is "unknown", and `commit_reason` says why."""
    import torch  # here, because who only reads results, as the book does, can do without it

    try:
        commit = {"commit": _git("rev-parse", "HEAD")}
        clean = not _git("status", "--porcelain", "--untracked-files=all", "--", *SOURCES, BYTECODE)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        reason = " ".join(told.split()).replace(str(REPOSITORY), "REPOSITORY")
        commit, clean = {"commit": "unknown", "commit_reason": reason}, False
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"^model name[^:]*:(.*)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.M)
    cpu = model[1].strip() if model else platform.processor() or "unknown"
    return commit | {
        "source_clean": clean,
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
        "cpu": f"{cpu} ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})",
    }


def now() -> str:
    """UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(*arguments: str) -> str:
    """What git prints of the repository that these sources are. Errors: OSError: there is no git.
    CalledProcessError: the sources are no repository, or one that git refuses."""
    # not of one in which the sources merely lie, nor of one whose hook calls this
    environ = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER}
    environ |= {"GIT_CEILING_DIRECTORIES": str(REPOSITORY.parent), "LC_ALL": "C"}
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=True
    ).stdout.removesuffix("\n")
