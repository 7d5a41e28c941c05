"""Sports-1M by its official lists: several labels a video, and file names that are YouTube's ids."""

from pathlib import Path

import pytest

from studylib.datasets import sports1m
from studylib.datasets.building import build
from studylib.datasets.index import DatasetError
from tests.video_folders import put_lines, put_video, rows_by_stem

pytestmark = pytest.mark.usefixtures("data_root")

WATCH = "https://www.youtube.com/watch?v="


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    put_lines(folder / "labels.txt", "boomerang", "boxing", "bowling", "jai alai")
    put_lines(
        folder / "train_partition.txt",
        f"{WATCH}UDqivjS-lpI 3,1",
        f"{WATCH}aaaaaaaaaaA 0",
        f"{WATCH}bothbothbot 2",
        f"{WATCH}UDqivjS-lpI 3,1",
    )
    put_lines(
        folder / "test_partition.txt", "http://youtu.be/aaaaaaaaaaa 1", f"{WATCH}bothbothbot 2", f"{WATCH}gonegonegon 0"
    )
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    put_video(root / "UD" / "UDqivjS-lpI.mp4")
    put_video(root / "aaaaaaaaaaA.flv")
    put_video(root / "aaaaaaaaaaa.webm")  # ids tell upper from lower case
    put_video(root / "bothbothbot.mp4")
    return root


def test_a_video_has_all_its_labels_and_the_first_is_its_label(root: Path, lists: Path) -> None:
    rows = rows_by_stem(build("s", root, sports1m.read(lists)).table)
    assert {stem: row["labels"] for stem, row in rows.items()} == {
        "UDqivjS-lpI": [3, 1],
        "aaaaaaaaaaA": [0],
        "aaaaaaaaaaa": [1],
        "bothbothbot": [2],
    }
    assert all(row["label"] == row["labels"][0] for row in rows.values())


def test_a_video_of_both_partitions_is_trained_on_only(root: Path, lists: Path) -> None:
    index = build("s", root, sports1m.read(lists))
    assert {stem: row["split1"] for stem, row in rows_by_stem(index.table).items()} == {
        "UDqivjS-lpI": "train",
        "aaaaaaaaaaA": "train",
        "aaaaaaaaaaa": "test",
        "bothbothbot": "train",
    }
    assert (index.facts["conflicting_lines"], index.facts["repeated_lines"], index.facts["missing"]) == (1, 1, 1)


def test_only_present_renumbers_all_labels_together(root: Path, lists: Path) -> None:
    (root / "aaaaaaaaaaA.flv").unlink()
    (root / "bothbothbot.mp4").unlink()
    index = build("s", root, sports1m.read(lists), only_present=True)
    assert index.classes == ("boxing", "jai alai")
    assert index.table["labels"].to_pylist() == [[1, 0], [0]]
    assert index.table["label"].to_pylist() == [1, 0]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"{WATCH}../../../etc 1", "expected 'https://www.youtube.com/watch"),
        (f"{WATCH}UDqivjS-lpI", "expected 'https"),
        ("/etc/passwd 1", "expected 'https"),
        (f"{WATCH}UDqivjS-lpI 1,4", r"label 4 must be 0 to 3 by labels\.txt"),
        (f"{WATCH}UDqivjS-lpI -1", "expected 'https"),
    ],
)
def test_a_wrong_line_is_refused_by_file_and_line(root: Path, lists: Path, line: str, complaint: str) -> None:
    put_lines(lists / "test_partition.txt", f"{WATCH}gonegonegon 0", line)
    with pytest.raises(DatasetError, match=rf"test_partition\.txt:2: {complaint}"):
        build("s", root, sports1m.read(lists))
