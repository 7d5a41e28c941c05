"""Where a result comes from: code, packages, hardware, data. No host names, no paths."""

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
from datetime import UTC, datetime
from typing import Any

import torch

from studylib import REPOSITORY
from studylib.datasets.index import Index

# What a result depends on; run folders and the book's pages may change without touching it.
SOURCES = ("studylib", "book/experiments", ":(glob)runs/*.yaml", "runs/Snakefile", "pyproject.toml")
# Python writes it as it imports the sources; git lists it where the repository was copied without its .gitignore.
BYTECODE = ":(exclude,glob)**/__pycache__/**"
OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
PACKAGES = ("torch", "torchvision", "numpy", "av", "opencv-python-headless", "pyarrow")


def describe(index: Index, device: torch.device) -> dict[str, Any]:
    """The part of `provenance.json` that is known before a run starts."""
    return of_code() | {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "dataset": {"name": index.name, "manifest_hash": index.manifest_hash, "videos": index.table.num_rows},
    }


def of_code() -> dict[str, Any]:
    """Commit, whether the sources are the commit's, versions of packages, and the processor.

    Of sources that are no checkout of their own the commit is "unknown", and `commit_reason` says why.
    """
    try:
        commit = {"commit": _git("rev-parse", "HEAD")}
        status = _git("status", "--porcelain", "-z", "--untracked-files=all", "--", *SOURCES, BYTECODE)
        clean = all(_has_only_run(entry) for entry in status.split("\0") if entry)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        reason = " ".join(told.split()).replace(str(REPOSITORY), "REPOSITORY")
        commit, clean = {"commit": "unknown", "commit_reason": reason}, False
    return commit | {
        "source_clean": clean,
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
        "cpu": f"{_cpu_model()} ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})",
    }


def peak_memory(device: torch.device) -> int:
    """Bytes: the GPU's peak allocation, or the process's peak resident size (mapped frames included)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def now() -> str:
    """UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(*arguments: str) -> str:
    """What git prints of the repository that these sources are.

    Raises:
        OSError: there is no git.
        CalledProcessError: the sources are no repository, or one that git refuses, such as another user's.
    """
    # no repository in which the sources merely lie, nor the one whose hook calls this
    environ = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER}
    environ |= {"GIT_CEILING_DIRECTORIES": str(REPOSITORY.parent), "LC_ALL": "C"}
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=True
    ).stdout.removesuffix("\n")


def _has_only_run(entry: str) -> bool:
    """Whether a file that git says is changed is a notebook with the commit's cells, run and saved in an editor."""
    state, path = entry[:2].strip(), entry[3:]
    if state not in ("M", "MM") or not path.endswith(".ipynb"):
        return False
    try:
        return _cells(_git("show", f"HEAD:{path}")) == _cells((REPOSITORY / path).read_text(encoding="utf-8"))
    except (ValueError, KeyError):
        return False


def _cells(notebook: str) -> list[tuple[str, str, list[str]]]:
    """Kind, text and tags of each cell of a notebook's file."""
    cells = json.loads(notebook)["cells"]
    return [(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in cells]


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"
