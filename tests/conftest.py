"""What several tests share."""

import shutil
import sys
from pathlib import Path

import pytest

from studylib import REPOSITORY
from studylib.datasets import pantomime

# Minutes by nature: a Slurm cluster, batches, kills, several processes, a browser.
SLOW = {"test_slurm", "test_batch", "test_kills", "test_stopping", "test_launch", "test_distributed", "test_check_site"}


def pytest_collection_modifyitems(items):
    """Mark them, so that `pytest -m "not slow"` leaves them out; first, as others fill the time in which they wait."""
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker("slow")
    items.sort(key=lambda item: (item.path.stem != "test_slurm", item.path.stem not in SLOW))


@pytest.fixture(scope="session")
def tiny_pantomime(tmp_path_factory):
    """A folder with the dataset pantomime-tiny: 32 training and 16 test videos, made once."""
    root = tmp_path_factory.mktemp("data")
    pantomime.make("pantomime-tiny", 32, 16, seed=3, data_root=root)
    return root / "pantomime-tiny"


@pytest.fixture
def tiny_data(tiny_pantomime, tmp_path_factory, monkeypatch):
    """A data root of the test's own that holds pantomime-tiny: checkpoints are not shared between tests."""
    root = tmp_path_factory.mktemp("the data")
    (root / "pantomime-tiny").symlink_to(tiny_pantomime)
    monkeypatch.setenv("STUDY_DATA", str(root))
    return root


@pytest.fixture
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data root of the test's own."""
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def name_of_checkout() -> str:
    """A folder's name that a shell takes for several words."""
    return 'it\'s a "check out"'


@pytest.fixture
def checkout(name_of_checkout: str, tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a plan needs of the repository, without plans."""
    root = tmp_path / name_of_checkout
    root.mkdir()
    (root / ".venv").symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "executable", str(root / ".venv" / Path(sys.executable).relative_to(sys.prefix)))
    for name in ("studylib", "book/experiments", "runs/profiles"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "runs" / "Snakefile", root / "runs")
    monkeypatch.setenv("PYTHONPATH", str(root))
    return root
