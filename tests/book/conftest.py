"""What tests of chapters share."""

import os
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock

from tests.chapters import shown_by
from tests.small_study import small_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Every run of every plan, made up and complete: `results.table()` of a repository that has them. Made once for all
    processes that test."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    kept = root / "study.pickle"
    with FileLock(root / "study.lock"):
        if not kept.exists():
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(os, "fsync", lambda file: None)  # thousands of files that need not outlive the test
                small_study(root / "study").to_pickle(kept)
    return pd.read_pickle(kept)


@pytest.fixture
def shown(study: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    """Executes the code cells of book/`chapter`.md on the made-up study; gives all that they show."""
    return lambda chapter: shown_by(chapter, study, monkeypatch)
