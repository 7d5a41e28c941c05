"""Any user's own videos, in a folder for each class."""

import os
from pathlib import Path

import pytest

from studylib.datasets import folder
from studylib.datasets.__main__ import main, name_and_data_root
from studylib.datasets.index import DatasetError, Index, index_folder, load_index
from tests.video_folders import put_lines, put_video

pytestmark = pytest.mark.usefixtures("data_root")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("wave/a.mp4", "wave/b.mp4", "jump high/c.webm"):
        put_video(tmp_path / "mine" / path)
    return tmp_path / "mine"


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """The same stem in both parts, and a class that only one part has."""
    for path in ("train/wave/a.mp4", "train/jump/b.mp4", "val/wave/a.mp4", "val/bow/c.mp4"):
        put_video(tmp_path / "parted" / path)
    return tmp_path / "parted"


def labelled(index: Index) -> dict[str, str]:
    return {row["path"]: index.classes[row["label"]] for row in index.table.to_pylist()}


def parts(index: Index) -> dict[str, str]:
    return {row["path"]: row["split1"] for row in index.table.to_pylist()}


def test_the_folders_are_the_classes_in_alphabetical_order(root: Path) -> None:
    index = folder.make("mine", root)
    assert index.classes == ("jump high", "wave")
    assert labelled(index) == {"jump high/c.webm": "jump high", "wave/a.mp4": "wave", "wave/b.mp4": "wave"}
    assert set(parts(index).values()) == {"test"}
    assert set(parts(folder.make("mine", root, part="train")).values()) == {"train"}


def test_folders_train_and_val_are_the_parts(parted: Path) -> None:
    index = folder.make("mine", parted)
    assert index.classes == ("bow", "jump", "wave")
    assert parts(index) == {
        "train/jump/b.mp4": "train",
        "train/wave/a.mp4": "train",
        "val/bow/c.mp4": "test",
        "val/wave/a.mp4": "test",
    }
    assert labelled(index)["train/wave/a.mp4"] == labelled(index)["val/wave/a.mp4"] == "wave"


def test_beside_a_test_folder_validation_is_in_neither_part(parted: Path) -> None:
    put_video(parted / "test" / "wave" / "d.mp4")
    assert parts(folder.make("mine", parted)) == {
        "test/wave/d.mp4": "test",
        "train/jump/b.mp4": "train",
        "train/wave/a.mp4": "train",
        "val/bow/c.mp4": "",
        "val/wave/a.mp4": "",
    }


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    put_video(tmp_path / "vehicles" / "train" / "a.mp4")
    put_video(tmp_path / "vehicles" / "test" / "b.mp4")
    assert folder.make("mine", tmp_path / "vehicles").classes == ("test", "train")


def test_a_file_of_names_gives_the_order_whichever_way_the_folders_are_spelt(root: Path, tmp_path: Path) -> None:
    names = put_lines(tmp_path / "names.txt", "wave", "bow", "jump_high")
    index = folder.make("mine", root, classes=names)
    assert index.classes == ("wave", "bow", "jump_high")
    assert labelled(index)["jump high/c.webm"] == "jump_high"
    assert folder.make("mine", root, classes=names, only_present=True).classes == ("wave", "jump_high")
    with pytest.raises(DatasetError, match=r"few\.txt: has no class 'jump high', which is a folder of"):
        folder.make("mine", root, classes=put_lines(tmp_path / "few.txt", "wave"))


def test_a_conversion_counts_as_a_duplicate_and_deeper_files_as_not_listed(root: Path) -> None:
    put_video(root / "wave" / "a.avi")
    put_video(root / "wave" / "raw" / "a.mp4")
    put_video(root / "wave" / "._a.mp4")  # a Mac's shadow of a file
    index = folder.make("mine", root)
    assert sorted(labelled(index)) == ["jump high/c.webm", "wave/a.avi", "wave/b.mp4"]
    assert (index.facts["duplicates"], index.facts["not_listed"]) == (1, 1)


def test_links_are_followed_but_not_in_circles(root: Path) -> None:
    (root / "greet").symlink_to(root / "wave")
    (root / "wave" / "up").symlink_to(root)
    (root / "wave" / "gone.mp4").symlink_to(root / "nowhere.mp4")
    index = folder.make("mine", root)
    assert {"greet/a.mp4", "wave/a.mp4"} <= labelled(index).keys()
    assert index.facts["unreadable"]["wave/gone.mp4"].startswith("broken link")


@pytest.mark.parametrize("name", [b"\xff.mp4", b"a\\b.mp4"])
def test_a_file_name_that_an_index_cannot_hold_is_refused(root: Path, name: bytes) -> None:
    (root / "wave" / os.fsdecode(name)).write_bytes(b"video")
    with pytest.raises(DatasetError, match="rename this file"):
        folder.make("mine", root)


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none" / "wave").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"none: no video in <class>/<video>"):
        folder.make("mine", tmp_path / "none")
    (tmp_path / "none" / "wave" / "a.mp4").touch()
    with pytest.raises(DatasetError, match=r"can be read: 1 cannot, such as wave/a\.mp4: empty file"):
        folder.make("mine", tmp_path / "none")
    with pytest.raises(DatasetError, match=r"nowhere: no such folder"):
        folder.make("mine", tmp_path / "nowhere")


def test_out_is_the_folder_of_the_index(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["folder", "--root", str(root), "--out", str(tmp_path / "there" / "mine")]
    assert main([*command, "--part", "train"]) == 0
    assert load_index("mine", tmp_path / "there").counts() == {"split1": {"train": 3, "test": 0}}
    assert main([*command, "--name", "mine"]) == 0
    assert main([*command, "--name", "yours"]) == 1
    assert "two names for one index" in capsys.readouterr().err
    assert main(command[:-2]) == 1
    assert "--name NAME, or --out DATA_ROOT/NAME" in capsys.readouterr().err


def test_out_and_name_say_where_an_index_goes(tmp_path: Path) -> None:
    assert name_and_data_root(None, None, "ucf101") == ("ucf101", None)
    assert name_and_data_root(None, "mine", "ucf101") == ("mine", None)
    assert name_and_data_root(tmp_path / "mine", None, "ucf101") == ("mine", tmp_path)
    assert name_and_data_root(tmp_path / "mine", "ucf101", "ucf101") == ("mine", tmp_path)


def test_a_generated_dataset_goes_where_out_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("studylib.datasets.pantomime.main", lambda args: made.append(index_folder(args.name, None)))
    assert main(["pantomime", "--out", str(tmp_path / "there" / "small")]) == 0
    assert main(["pantomime"]) == 0
    assert made == [tmp_path / "there" / "small", tmp_path / "data" / "pantomime-mini"]
