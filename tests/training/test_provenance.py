"""Whether the sources of a run are its commit's."""

import shutil
import subprocess

import pytest

from studylib.training import run_files
from tests import system


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A committed repository of a few sources, without a .gitignore."""
    system.need("git", "" if shutil.which("git") else "provenance is not tested: no git here (apt-get install git)")
    for name in (
        "studylib/nets/build.py",
        "runs/quick.yaml",
        "runs/Snakefile",
        "book/experiments/a.ipynb",
        "pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a line\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(tmp_path)
    monkeypatch.setattr(run_files, "REPOSITORY", tmp_path)
    return tmp_path


def commit(root):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["add", "-A"], ["commit", "-q", "-m", "sources"]):
        subprocess.run([*git, *arguments], cwd=root, check=True)


def clean() -> bool:
    return run_files.of_code()["source_clean"]


@pytest.mark.parametrize(
    "name", ["studylib/nets/build.py", "studylib/new.py", "studylib/datasets/new.py", "runs/quick.yaml"]
)
def test_a_changed_or_added_source_is_a_change_and_bytecode_results_and_chapters_are_none(repository, name):
    for other in ("studylib/__pycache__/a.cpython-311.pyc", "runs/quick/conv_types/r3d/metrics.json", "book/index.md"):
        (repository / other).parent.mkdir(parents=True, exist_ok=True)
        (repository / other).write_text("{}\n")
    assert clean()
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("another line\n")
    assert not clean()


@pytest.fixture
def unpacked(repository, monkeypatch):
    """Sources without a repository of their own, inside another one, which may ignore them."""
    root = repository / "it's unpacked"
    shutil.copytree(repository / "studylib", root / "studylib")
    monkeypatch.setattr(run_files, "REPOSITORY", root)
    return root


@pytest.mark.parametrize("ignored", ["", "*unpacked*"])
def test_another_repository_around_the_sources_or_whose_hook_runs_them_is_not_theirs(unpacked, ignored, monkeypatch):
    (unpacked.parent / ".gitignore").write_text(ignored)
    if ignored:
        monkeypatch.setenv("GIT_DIR", str(unpacked.parent / ".git"))
    told = run_files.of_code()
    assert (told["commit"], told["source_clean"]) == ("unknown", False)
    assert "not a git repository" in told["commit_reason"]


def test_a_checkout_that_git_refuses_says_why_its_commit_is_unknown_and_no_path(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its own tests
    told = run_files.of_code()
    assert (told["commit"], told["source_clean"]) == ("unknown", False)
    assert "dubious ownership in repository at 'REPOSITORY'" in told["commit_reason"]
    assert "git config --global --add safe.directory REPOSITORY" in told["commit_reason"]


def test_without_git_the_commit_is_unknown(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    told = run_files.of_code()
    assert (told["commit"], told["source_clean"]) == ("unknown", False)
    assert "'git'" in told["commit_reason"]
