"""Any user's own videos, in a folder for each class."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studylib import REPOSITORY
from studylib.datasets.__main__ import main
from studylib.datasets.building import build_from_folders
from studylib.datasets.index import HOW_TO_PART, DatasetError, Index, load_index
from studylib.training.loading import open_parts
from studylib.training.spec import RunSpec
from tests.trainings import TINY
from tests.video_folders import put_lines, put_video, read_clip

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
    index = build_from_folders("mine", root)
    assert index.classes == ("jump high", "wave")
    assert labelled(index) == {"jump high/c.webm": "jump high", "wave/a.mp4": "wave", "wave/b.mp4": "wave"}
    assert set(parts(index).values()) == {"test"}
    assert set(parts(build_from_folders("mine", root, part="train")).values()) == {"train"}


def test_folders_train_and_val_are_the_parts(parted: Path) -> None:
    index = build_from_folders("mine", parted)
    assert index.classes == ("bow", "jump", "wave")
    shown = {"train/jump/b.mp4", "train/wave/a.mp4", "val/bow/c.mp4", "val/wave/a.mp4"}
    assert parts(index) == {path: "train" if path.startswith("train/") else "test" for path in shown}
    assert labelled(index)["train/wave/a.mp4"] == labelled(index)["val/wave/a.mp4"] == "wave"
    put_video(parted / "test" / "wave" / "d.mp4")  # beside it, validation is in neither part
    index = build_from_folders("mine", parted)
    assert [row["split1"] for row in index.table.to_pylist()] == ["test", "train", "train", "", ""]


def test_a_file_of_names_gives_the_order_whichever_way_the_folders_are_spelt(root: Path, tmp_path: Path) -> None:
    names = put_lines(tmp_path / "names.txt", "wave", "bow", "jump_high")
    index = build_from_folders("mine", root, classes=names)
    assert index.classes == ("wave", "bow", "jump_high")
    assert labelled(index)["jump high/c.webm"] == "jump_high"
    assert build_from_folders("mine", root, classes=names, only_present=True).classes == ("wave", "jump_high")
    with pytest.raises(DatasetError, match=r"few\.txt: has no class 'jump high', which is a folder of"):
        build_from_folders("mine", root, classes=put_lines(tmp_path / "few.txt", "wave"))


def test_links_are_followed_but_not_in_circles(root: Path) -> None:
    (root / "greet").symlink_to(root / "wave")
    (root / "wave" / "up").symlink_to(root)
    (root / "wave" / "gone.mp4").symlink_to(root / "nowhere.mp4")
    index = build_from_folders("mine", root)
    assert {"greet/a.mp4", "wave/a.mp4"} <= labelled(index).keys()
    assert index.facts["unreadable"]["wave/gone.mp4"].startswith("broken link")


def passed_over(index: Index) -> dict[str, str]:
    """{name: reason} as the facts tell; with each reason stands how many there are."""
    told = [(what.split(" passed over, "), names) for what, names in index.facts.get("passed_over", {}).items()]
    assert all(int(count) == len(names) for (count, _), names in told)
    return {name: reason for (_, reason), names in told for name in names}


def test_folders_without_a_video_are_no_classes(root: Path) -> None:
    before = build_from_folders("mine", root)
    assert (before.facts["duplicates"], before.facts["not_listed"]) == (0, 0)
    for path in ("__MACOSX/wave/._a.mp4", "empty/read.me", "bow/raw/c.mp4", "wave/.thumbs/a.mp4", "wave/a.mkv"):
        put_video(root / path)
    (root / "nothing").mkdir()
    index = build_from_folders("mine", root)
    assert (index.classes, labelled(index)) == (before.classes, labelled(before))
    assert passed_over(before) == {}
    assert (index.facts["duplicates"], index.facts["not_listed"]) == (1, 1)
    assert passed_over(index) == {
        "wave/a.mkv": "further files of a listed video",
        "__MACOSX/wave/._a.mp4": "hidden, as their names begin with a dot",
        "bow/raw/c.mp4": "not as <class>/<video>, or {train,test}/<class>/<video>",
        "empty/read.me": "their names have no ending of a video",
        "wave/.thumbs": "hidden, as their names begin with a dot",
    }


@pytest.mark.parametrize(
    ("name", "shown"), [(b"\xff.mp4", "wave/\\udcff.mp4"), (b"a\\b.mp4", "wave/a\\b.mp4"), (b"a.xyz", "wave/a.xyz")]
)
def test_what_is_passed_over_is_named_and_changes_no_hash(
    root: Path, name: bytes, shown: str, capsys: pytest.CaptureFixture
) -> None:
    before = build_from_folders("mine", root).manifest_hash
    (root / "wave" / os.fsdecode(name)).write_bytes(b"video")
    assert main(["folder", "--root", str(root), "--name", "mine"]) == 0
    index = load_index("mine")
    assert list(passed_over(index)) == [shown]
    assert index.manifest_hash == before
    assert shown in capsys.readouterr().out


def test_a_folder_that_may_not_be_read_stops_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "lost+found").mkdir()
    scandir = os.scandir

    def refused(path: Path) -> object:  # a mode that forbids it means nothing to root
        if Path(path).name in ("lost+found", "locked"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    index = build_from_folders("mine", root)
    assert index.classes == ("jump high", "wave")
    assert passed_over(index) == {"lost+found/": "folders that cannot be read (Permission denied)"}
    with pytest.raises(DatasetError, match=r"locked: cannot be read \(Permission denied\)"):
        build_from_folders("mine", root.rename(root.with_name("locked")))


def test_an_index_is_the_same_whatever_the_locale(root: Path, tmp_path: Path) -> None:
    put_video(root / "grüßen" / "日本.mp4")
    (root / "grüßen" / "ß.txt").touch()
    command = [sys.executable, "-m", "studylib.datasets", "folder", "--root", root, "--name", "mine"]
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment = {**os.environ, **locale, "PYTHONPATH": str(REPOSITORY), "STUDY_DATA": str(tmp_path / "c")}
    subprocess.run([*command, "--prepare", "--workers", "1"], env=environment, check=True)
    index, made = load_index("mine", tmp_path / "c"), load_index("mine-128x171", tmp_path / "c")
    assert index.manifest_hash == build_from_folders("mine", root).manifest_hash
    assert labelled(made)["grüßen/日本.mp4"] == "grüßen"
    assert list(passed_over(index)) == ["grüßen/ß.txt"]
    for video, known in [of.video(row) for of in (index, made) for row in range(len(of.table))]:
        assert read_clip(video, 0, 8, (32, 48), known).shape == (8, 32, 48, 3)


def test_a_folder_of_one_part_says_how_to_make_two(root: Path, capsys: pytest.CaptureFixture) -> None:
    spec = RunSpec(**TINY | {"dataset": "folder-flat"})
    for options, lacking in (([], "train"), (["--part", "train"], "test")):
        assert main(["folder", "--root", str(root), "--name", "folder-flat", *options]) == 0
        assert HOW_TO_PART in capsys.readouterr().out
        with pytest.raises(DatasetError, match=rf"split 1 has no {lacking} videos; .*train/<class>/.*--part"):
            open_parts(load_index("folder-flat"), spec)


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none" / "wave").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"none: no video in <class>/<video>"):
        build_from_folders("mine", tmp_path / "none")
    (tmp_path / "none" / "wave" / "a.mp4").touch()
    with pytest.raises(DatasetError, match=r"can be read: 1 cannot, such as wave/a\.mp4: empty file"):
        build_from_folders("mine", tmp_path / "none")
    with pytest.raises(DatasetError, match=r"nowhere: no such folder"):
        build_from_folders("mine", tmp_path / "nowhere")
