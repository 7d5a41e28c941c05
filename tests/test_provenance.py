"""Whether the sources of a run are its commit's."""

import shutil
import subprocess

import pytest

from studylib import provenance
from tests import system


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A committed repository of a few sources, without a .gitignore."""
    system.need("git", "" if shutil.which("git") else "provenance is not tested: no git here (apt-get install git)")
    for name in ("studylib/nets.py", "runs/quick.yaml", "runs/Snakefile", "book/experiments/a.ipynb", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a line\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "sources"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    return tmp_path


def clean() -> bool:
    return provenance.of_code()["source_clean"]


def test_sources_of_the_commit_are_clean(repository):
    assert clean()


def test_compiled_bytecode_is_no_change_of_the_sources(repository):
    for folder in ("studylib", "studylib/datasets"):
        (repository / folder / "__pycache__").mkdir(parents=True)
        (repository / folder / "__pycache__" / "nets.cpython-311.pyc").write_bytes(b"\0")
    assert clean()


@pytest.mark.parametrize("name", ["studylib/nets.py", "studylib/new.py", "studylib/datasets/new.py", "runs/quick.yaml"])
def test_a_changed_or_added_source_is_a_change(repository, name):
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("another line\n")
    assert not clean()


def test_run_folders_and_chapters_are_no_sources(repository):
    for name in ("runs/quick/conv_types/r3d/metrics.json", "book/index.md"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("{}\n")
    assert clean()


def test_outside_a_checkout_it_is_not_said_to_be_clean(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    assert not clean()
