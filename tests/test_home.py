"""`~` is the home folder, wherever a user gives a path."""

from pathlib import Path

import pytest

from studylib.book.experiment import spec_of_parameters
from studylib.datasets.__main__ import main
from studylib.datasets.index import data_root, load_index
from studylib.runs.plan import PlanError, load_plan
from studylib.runs.results import BrokenRun, import_results, load_run
from studylib.training import run as training
from studylib.training.launch import RunFailed, launch
from studylib.video.files import user_path
from tests.fake_runs import write_fake_run
from tests.trainings import TINY
from tests.video_folders import put_lines, put_video


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder; another one is the working directory, in which nothing may come to lie."""
    for name in ("home", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    yield tmp_path / "home"
    assert not list(Path().iterdir())


def test_a_run_lies_in_it(home: Path, capsys: pytest.CaptureFixture) -> None:
    spec, folder = spec_of_parameters(TINY | {"run_folder": "~/run"})
    assert folder == home / "run"
    write_fake_run(home / "done", spec)
    assert load_run("~/done").spec == spec
    with pytest.raises(RunFailed, match=f"^{home}/none: cannot write"):
        launch("~/none")
    assert training.main(["~/none"]) == 1
    assert f"error: {home}/none" in capsys.readouterr().err


def test_an_index_is_made_of_videos_and_lists_in_it(
    home: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_DATA", "~/data")
    put_video(home / "videos" / "wave" / "a.mp4")
    put_lines(home / "names.txt", "wave")
    assert main(["folder", "--root", "~/videos", "--name", "folder-mine", "--classes", "~/names.txt"]) == 0
    assert load_index("folder-mine", home / "data").path("wave/a.mp4") == home / "videos" / "wave" / "a.mp4"
    assert main(["ucf101", "--root", "~/videos", "--lists", "~/none"]) == 1
    assert str(home / "none") in capsys.readouterr().err


def test_data_plans_and_results_are_found_in_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_DATA", "~/data")
    assert data_root() == home / "data"
    with pytest.raises(PlanError, match=f"^{home}/none.yaml: no such plan"):
        load_plan("~/none.yaml")
    with pytest.raises(BrokenRun, match=f"^{home}/results: holds no folder"):
        list(import_results("~/results"))


def test_the_home_of_nobody_is_a_name_like_any_other() -> None:
    assert user_path("~no-such-user/run") == Path("~no-such-user/run")
