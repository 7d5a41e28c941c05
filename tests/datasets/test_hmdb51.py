"""HMDB51 by its official lists, whose file names hold nearly every sign there is."""

import shutil
from pathlib import Path

import pytest

from studylib.datasets import hmdb51
from studylib.datasets.building import build
from studylib.datasets.index import DatasetError
from tests.video_folders import put_lines, put_video, rows_by_stem

pytestmark = pytest.mark.usefixtures("data_root")

# Class/name -> its number in the three lists: 1 train, 2 test, 0 neither.
LISTED = {
    "chew/#2_Gum_chew_h_nm_np1_fr_med_0": "120",
    "chew/(HQ)_Rauf!!_&_Faik;)_chew_u_nm_np1_ba_goo_1": "211",
    "climb/A[1]+~_climb_f_cm_np1_ba_bad_2": "012",
    "climb_stairs/BIG FISH_climb_stairs_f_nm_np1_fr_med_15": "101",
}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for a_class in ("chew", "climb", "climb_stairs"):
        for split in (1, 2, 3):
            lines = [
                f"{key.split('/')[1]}.avi {numbers[split - 1]} "
                for key, numbers in LISTED.items()
                if key.split("/")[0] == a_class
            ]
            put_lines(tmp_path / "lists" / f"{a_class}_test_split{split}.txt", *lines)
    put_lines(tmp_path / "lists" / "class_list.txt", "chew", "climb", "climb_stairs")
    return tmp_path / "lists"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, key in enumerate(LISTED):
        put_video(tmp_path / "hmdb51" / f"{key}.{'avi' if number % 2 else 'mp4'}")
    return tmp_path / "hmdb51"


def test_each_video_has_its_official_part_in_each_split(root: Path, lists: Path) -> None:
    index = build("h", root, hmdb51.read(lists))
    assert index.classes == ("chew", "climb", "climb_stairs")
    rows = rows_by_stem(index.table)
    for key, numbers in LISTED.items():
        a_class, stem = key.split("/")
        assert index.classes[rows[stem]["label"]] == a_class
        for split in (1, 2, 3):
            assert rows[stem][f"split{split}"] == ["", "train", "test"][int(numbers[split - 1])]


def test_a_folder_in_other_letter_case_and_one_that_is_a_link_are_found(root: Path, lists: Path) -> None:
    (root / "climb").rename(root / "Climb")
    (root / "chew").rename(root.parent / "elsewhere")
    (root / "chew").symlink_to(root.parent / "elsewhere")
    (root / "chew" / "loop").symlink_to(root)
    index = build("h", root, hmdb51.read(lists))
    assert len(index.table) == 4
    assert index.facts["missing"] == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("../../etc/passwd.avi 1", "expected '<name>.avi 0'"),
        (r"..\secret.avi 1", "expected '<name>.avi 0'"),
        ("a.avi 3", "not 'a.avi 3'"),
        ("a.avi", "not 'a.avi'"),
    ],
)
def test_a_wrong_line_is_refused_by_file_and_line(root: Path, lists: Path, line: str, complaint: str) -> None:
    put_lines(lists / "climb_test_split2.txt", "b.avi 1", line)
    with pytest.raises(DatasetError, match=rf"climb_test_split2\.txt:2: .*{complaint}"):
        build("h", root, hmdb51.read(lists))


def test_a_video_in_both_parts_of_a_split_and_a_missing_list_are_refused(root: Path, lists: Path) -> None:
    put_lines(lists / "climb_test_split2.txt", "b.avi 1", "b.avi 2")
    with pytest.raises(DatasetError, match=r"climb_test_split2\.txt:2: 'b\.avi' has another part in split 2"):
        build("h", root, hmdb51.read(lists))
    (lists / "climb_test_split2.txt").unlink()
    with pytest.raises(DatasetError, match=r"climb_test_split2\.txt: cannot read this official list"):
        build("h", root, hmdb51.read(lists))
    shutil.rmtree(lists)
    with pytest.raises(DatasetError, match=r"no <class>_test_split<1-3>\.txt here"):
        build("h", root, hmdb51.read(lists))
