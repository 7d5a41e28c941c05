"""`make book` builds the book again when something that it shows has changed, and only then."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from studylib import REPOSITORY
from studylib.runs.results import LEFT

INDEX = Path("book", "_build", "html", "index.html")
RUN = Path("runs", "mini", "conv_types", "r3d-18_8f_seed0")
SOURCES = (
    *(Path("book", name) for name in ("index.md", "_config.yml", "_static/study.css", "experiments/depth.ipynb")),
    *(Path("studylib", name) for name in ("nets.py", "evidence/claims.csv")),
    *(Path("runs", name) for name in ("mini.yaml", "benchmarks/flow.json")),
    *(RUN / name for name in ("spec.json", "metrics.json", "history.csv", "predictions.parquet", "provenance.json")),
    *(RUN / name for name in ("conv1.npz", "notebook.ipynb")),
    *(Path("book", name) for name in ("experiments/depth copy.ipynb", 'it\'s 100%: a "new" #1, $x (2).md')),
)
NO_SOURCES = (RUN / "train.log", Path("book", "_build", "html", "conv_types.html"))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A set-up repository whose book is as new as all that it is made of."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for name in ("pyproject.toml", ".venv/installed", *SOURCES, *NO_SOURCES, INDEX):
        touch(tmp_path / name, at=1000)
    return tmp_path


def touch(path: Path, at: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (at, at))


def is_new(root: Path) -> bool:
    """Make has nothing to do for the book; nothing is run."""
    asked = subprocess.run(["make", "--question", INDEX], cwd=root, capture_output=True, text=True)
    assert asked.returncode in (0, 1), asked.stderr
    return asked.returncode == 0


@pytest.mark.parametrize("name", SOURCES, ids=str)
def test_the_book_is_old_when_a_file_that_it_is_made_of_is_newer(built: Path, name: Path) -> None:
    assert is_new(built)
    touch(built / name, at=2000)
    assert not is_new(built)


@pytest.mark.parametrize("name", NO_SOURCES, ids=str)
def test_what_the_book_does_not_show_leaves_it_as_it_is(built: Path, name: Path) -> None:
    touch(built / name, at=2000)
    assert is_new(built)


def test_every_kind_of_file_that_is_recorded_of_a_run_is_among_them() -> None:
    files = (REPOSITORY / "runs").glob("*/*/*/[!.]*")  # hidden ones are still being written
    recorded = {path.suffix for path in files if path.name not in LEFT}
    assert recorded
    assert recorded <= {path.suffix for path in SOURCES}
