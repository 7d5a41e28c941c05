"""UCF101 by its official lists, from a few videos made here and, where they are at hand, from real ones."""

import shutil
from pathlib import Path

import numpy as np
import papermill
import pytest

from studylib import REPOSITORY
from studylib.datasets import ucf101
from studylib.datasets.__main__ import main
from studylib.datasets.building import build
from studylib.datasets.index import DatasetError, load_index
from studylib.runs.results import load_run
from studylib.video.reading import write_video
from tests.video_folders import SHARED as REAL

pytestmark = pytest.mark.usefixtures("data_root")

REAL_COUNTS = {"split1": (141, 56), "split2": (148, 49), "split3": (143, 54)}
REAL_OR_MADE = ["made", *(["real"] if (REAL / "ucf101_subset").is_dir() else [])]
RUNS = [(source, 56 if source == "real" else 28) for source in REAL_OR_MADE]
CLASSES = ["Archery", "Biking", "Bowling", "Diving"]
# Class/stem -> the splits it is tested in; it trains the others.
LISTED = {
    "Archery/v_Archery_g01_c01": {1},
    "Archery/v_Archery_g02_c01": {2},
    "Biking/v_Biking_g01_c01": {1},
    "Diving/v_Diving_g01_c01": {3},
    "Diving/v_Diving_g02_c01": {1, 2},
    "Bowling/v_Bowling_g01_c01": {2},
}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """The official files, line ends and all: CRLF, `.avi`, labels from 1 and only in the training lists."""
    folder = tmp_path / "lists"
    folder.mkdir()
    write_list(folder / "classInd.txt", [f"{n} {name}" for n, name in enumerate(CLASSES, 1)])
    for split in (1, 2, 3):
        test = [f"{stem}.avi" for stem, tested in LISTED.items() if split in tested]
        train = [
            f"{stem}.avi {CLASSES.index(stem.split('/')[0]) + 1}"
            for stem, tested in LISTED.items()
            if split not in tested
        ]
        write_list(folder / f"testlist0{split}.txt", test)
        write_list(folder / f"trainlist0{split}.txt", train)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four good videos, one of them twice, one that cannot be read, one missing (Bowling), one that no list names."""
    folder = tmp_path / "videos"
    good = [stem for stem in LISTED if "Bowling" not in stem and "Biking" not in stem]
    for n, stem in enumerate([*good, "Diving/v_Diving_g09_c09"]):
        write_video(folder / f"{stem}.mp4", np.full((10 + n, 32, 48, 3), 40 * n, np.uint8), fps=25)
    shutil.copy(folder / f"{good[0]}.mp4", folder / f"{good[0]}.avi")
    (folder / "Biking").mkdir()
    (folder / "Biking" / "v_Biking_g01_c01.mp4").touch()
    (folder / "Biking" / "notes.txt").write_text("not a video")
    return folder


def write_list(path: Path, lines: list[str]) -> None:
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())


def test_each_video_has_its_official_part_in_each_split(root: Path, lists: Path) -> None:
    index = build("ucf", root, ucf101.read(lists))
    for row in index.table.to_pylist():
        stem = row["path"].rsplit(".", 1)[0]
        for split in (1, 2, 3):
            assert row[f"split{split}"] == ("test" if split in LISTED[stem] else "train")
    assert index.counts() == {
        "split1": {"train": 2, "test": 2},
        "split2": {"train": 2, "test": 2},
        "split3": {"train": 3, "test": 1},
    }


def test_only_present_keeps_the_order_of_the_classes_that_have_a_video(root: Path, lists: Path) -> None:
    index = build("ucf", root, ucf101.read(lists), only_present=True)
    assert index.classes == ("Archery", "Diving")
    assert index.table["label"].to_pylist() == [0, 0, 1, 1]


def test_what_is_missing_unreadable_or_not_listed_is_counted_and_left_out(root: Path, lists: Path) -> None:
    facts = build("ucf", root, ucf101.read(lists)).facts
    assert (facts["listed"], facts["missing"], facts["not_listed"], facts["duplicates"]) == (6, 1, 1, 1)
    assert facts["unreadable"] == {
        "Biking/v_Biking_g01_c01.mp4": "empty file (0 bytes); fetch or make it again",
    }


def test_the_official_file_wins_over_its_conversion(root: Path, lists: Path) -> None:
    paths = build("ucf", root, ucf101.read(lists)).table["path"].to_pylist()
    assert paths[0] == "Archery/v_Archery_g01_c01.avi"
    assert all(path.endswith(".mp4") for path in paths[1:])


@pytest.mark.parametrize(
    ("file", "lines", "complaint"),
    [
        ("classInd.txt", ["1 Archery", "3 Biking"], r"classInd\.txt:2: expected '2 <Class>'"),
        ("trainlist02.txt", ["Archery/v_Archery_g01_c01.avi 2"], r"trainlist02\.txt:1: label 2 is not that of Archery"),
        ("testlist01.txt", ["Cooking/v_Cooking_g01_c01.avi"], r"testlist01\.txt:1: expected '<Class>/<video>'"),
        ("testlist01.txt", ["../v_Archery_g01_c01.avi"], r"testlist01\.txt:1: expected '<Class>/<video>'"),
        ("testlist01.txt", [r"Archery/..\v_x.avi"], r"testlist01\.txt:1: expected '<Class>/<video>'"),
        ("testlist03.txt", ["Archery/v_Archery_g01_c01.avi"], r"testlist03\.txt:1: .* stands twice in split 3"),
        ("testlist02.txt", None, r"testlist02\.txt: cannot read this official list"),
    ],
)
def test_a_wrong_list_is_refused_by_file_and_line(
    root: Path, lists: Path, file: str, lines: list[str] | None, complaint: str
) -> None:
    if lines is None:
        (lists / file).unlink()
    else:
        write_list(lists / file, lines)
    with pytest.raises(DatasetError, match=complaint):
        build("ucf", root, ucf101.read(lists))


def test_the_command_writes_the_index_and_reports_counts(
    root: Path, lists: Path, data_root: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["ucf101", "--root", str(root), "--lists", str(lists), "--name", "mine", "--only-present"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "mine: 4 videos of 2 classes" in out
    assert "split1: 2 train, 2 test" in out
    assert "of 6 listed 1 are missing and 1 unreadable (left out), 1 files are in no list" in out
    assert "v_Biking_g01_c01.mp4: empty file" in out
    assert len(load_index("mine", data_root).table) == 4


def test_a_command_that_fails_says_why_in_one_line(lists: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["ucf101", "--root", "nowhere", "--lists", str(lists)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: nowhere: no such folder")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("source", "resolution"), RUNS)
def test_a_few_steps_and_a_test_go_through_the_experiment_notebook(
    root: Path, lists: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, resolution: int
) -> None:
    if source == "real":
        root, lists = REAL / "ucf101_subset", REAL / "splits" / "ucf101"
        monkeypatch.setenv("STUDY_CACHE_GB", "0")  # clips are read from the files then
    index = build("ucf101-try", root, ucf101.read(lists), only_present=True)
    parameters = {"dataset": "ucf101-try", "net": "r2plus1d", "resolution": resolution, "width": 4, "batch_size": 8}
    parameters |= {"epochs": 1, "clips_per_epoch": 16, "test_clips": 2, "test_sampling": "uniform"}
    folder = tmp_path / "run"
    papermill.execute_notebook(
        REPOSITORY / "book" / "experiments" / "conv_types.ipynb",
        tmp_path / "notebook.ipynb",
        parameters | {"run_folder": str(folder)},
        progress_bar=False,
    )
    run = load_run(folder)
    assert run.predictions.videos == index.subset(1, "test")["path"].to_pylist()
    assert all(scores.shape == (2, len(index.classes)) for scores in run.predictions.clip_scores)
    assert run.provenance["dataset"]["manifest_hash"] == index.manifest_hash
