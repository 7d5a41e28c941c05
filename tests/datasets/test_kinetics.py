"""Kinetics by its official lists: a root as years of downloading leave it, and the numbers that weights speak in."""

from pathlib import Path

import pytest

from studylib.datasets import kinetics
from studylib.datasets.__main__ import main
from studylib.datasets.building import build
from studylib.datasets.index import DatasetError, load_index
from tests.video_folders import put_lines, put_video, rows_by_stem, table_rows

pytestmark = pytest.mark.usefixtures("data_root")

HEADER = "label,youtube_id,time_start,time_end,split,is_cc"
TRAIN = [
    "riding a bike,trainspaces,0,10,train,0",
    "riding a bike,trainunders,5,15,train,0",
    "massaging person's head,trainquotes,1,11,train,0",
    "zumba,trainmissin,1,11,train,0",
    "zumba,trainbroken,1,11,train,0",
    "riding a bike,trainspaces,30,40,train,0",  # another clip of the same video
    "zumba,traintwices,7,17,train,0",
]
VAL = ["abseiling,valfileflat,2,12,val,0", "zumba,-valdash_99,100,110,val,0", "abseiling,valtooshort,3,13,val,0"]


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    put_lines(tmp_path / "lists" / "kinetics_train.csv", HEADER, *TRAIN)
    put_lines(tmp_path / "lists" / "kinetics_val.csv", HEADER, *VAL, end="\r\n")
    return tmp_path / "lists"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Both spellings of class folders and files without any; one missing, one damaged, one twice, one not listed."""
    root = tmp_path / "videos"
    put_video(root / "train" / "riding a bike" / "trainspaces_000000_000010.mp4")
    put_video(root / "train" / "riding a bike" / "trainspaces_000030_000040.mp4")
    put_video(root / "train" / "riding_a_bike" / "trainunders_000005_000015.mkv")
    put_video(root / "train" / "massaging_person's_head" / "trainquotes_000001_000011.mp4")
    damaged = put_video(root / "train" / "zumba" / "trainbroken_000001_000011.mp4")
    damaged.write_bytes(damaged.read_bytes()[:700])
    put_video(root / "train" / "zumba" / "traintwices_000007_000017.mp4", 12)
    put_video(root / "old" / "traintwices_000007_000017.mp4", 11)
    put_video(root / "valfileflat_000002_000012.webm")
    put_video(root / "val" / "zumba" / "-valdash_99_000100_000110.MP4")
    put_video(root / "val" / "abseiling" / "valtooshort_000003_000013.mp4", 3)
    put_video(root / "val" / "abseiling" / "notinalists_000003_000013.mp4")
    (root / "val" / "abseiling" / "valfileflat.part").write_bytes(b"half")
    return root


def test_every_listed_clip_is_found_whatever_its_folder_is_called(root: Path, lists: Path) -> None:
    index = build("k", root, kinetics.read_400(lists))
    classes = {stem: index.classes[row["label"]] for stem, row in rows_by_stem(index.table).items()}
    assert classes == {
        "trainspaces_000000_000010": "riding a bike",
        "trainspaces_000030_000040": "riding a bike",
        "trainunders_000005_000015": "riding a bike",
        "trainquotes_000001_000011": "massaging person's head",
        "traintwices_000007_000017": "zumba",
        "valfileflat_000002_000012": "abseiling",
        "-valdash_99_000100_000110": "zumba",
        "valtooshort_000003_000013": "abseiling",
    }
    assert index.counts() == {"split1": {"train": 5, "test": 3}}


def test_a_few_classes_still_have_their_official_numbers(root: Path, lists: Path) -> None:
    index = build("k", root, kinetics.read_400(lists))
    assert len(index.classes) == 400
    assert index.classes.index("abseiling") == 0
    assert index.classes.index("zumba") == 399


def test_the_faults_of_the_folder_are_counted(root: Path, lists: Path) -> None:
    facts = build("k", root, kinetics.read_400(lists)).facts
    assert (facts["listed"], facts["found"], facts["missing"]) == (10, 9, 1)
    assert (facts["duplicates"], facts["not_listed"], facts["too_short"]) == (1, 1, 1)
    assert list(facts["unreadable"]) == ["train/zumba/trainbroken_000001_000011.mp4"]
    assert str(root) not in str(facts)


def test_a_copy_that_can_be_read_wins_over_one_that_cannot(root: Path, lists: Path) -> None:
    """The Common Visual Data Foundation leaves corrupt videos where they are, and has good copies beside."""
    broken = "train/zumba/trainbroken_000001_000011.mp4"
    for place, num_frames in (("old", 13), ("zumba", 14)):  # in its class, but not in its part
        put_video(root / place / Path(broken).name, num_frames)
    index = build("k", root, kinetics.read_400(lists))
    assert rows_by_stem(index.table)["trainbroken_000001_000011"]["num_frames"] == 14
    assert (index.facts["unreadable"], index.facts["found"]) == ({}, 9)
    named = {name: reason for reason, told in index.facts["passed_over"].items() for name in told["names"]}
    assert named[broken].startswith("cannot be read")
    assert named[f"old/{Path(broken).name}"] == "further files of a listed video"


def test_a_replacement_wins_over_the_video_that_it_replaces(root: Path, lists: Path) -> None:
    replacements = root / "replacement" / "replacement_for_corrupted_k400"
    put_video(replacements / "traintwices_000007_000017.mp4", 15)  # its first frame can be read, which says little
    put_video(replacements / "trainspaces_000000_000010.mp4").write_bytes(b"a download that failed")
    rows = rows_by_stem(build("k", root, kinetics.read_400(lists)).table)
    assert rows["traintwices_000007_000017"]["num_frames"] == 15
    assert rows["trainspaces_000000_000010"]["path"].startswith("train/")


def test_the_hidden_test_set_is_in_no_part(root: Path, lists: Path) -> None:
    put_lines(lists / "test.csv", "youtube_id,time_start,time_end,split", "notinalists,3,13,test")
    index = build("k", root, kinetics.read_400(lists))
    assert (index.facts["lines_without_label"], index.facts["not_listed"]) == (1, 1)
    put_lines(lists / "test.csv", HEADER, "abseiling,notinalists,3,13,test,0")
    index = build("k", root, kinetics.read_400(lists))
    assert rows_by_stem(index.table)["notinalists_000003_000013"]["split1"] == ""
    assert index.counts() == {"split1": {"train": 5, "test": 3}}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("zumba,../../../etc,0,10,train,0", r"youtube_id '\.\./\.\./\.\./etc' must be 11"),
        ("zumba,/etc/passwd,0,10,train,0", "must be 11 letters"),
        (r"zumba,..\..\..\abc,0,10,train,0", "must be 11 letters"),
        ("zumba,0123456789,0,10,train,0", "must be 11 letters"),
        ("zumba,0123456789a,0.5,10,train,0", "time_start '0.5' must be a whole number"),
        ("zumba,0123456789a,0,-10,train,0", "time_end '-10' must be a whole number"),
        ("zumba,0123456789a,0,10,dev,0", "split 'dev' must be one of train, val"),
        ("zumbo,0123456789a,0,10,train,0", "'zumbo' is no class of Kinetics-400; is it 'zumba'"),
        (",0123456789a,0,10,train,0", "no label"),
    ],
)
def test_a_wrong_line_is_refused_by_file_and_line(root: Path, lists: Path, line: str, complaint: str) -> None:
    put_lines(lists / "wrong.csv", HEADER, TRAIN[0], line)
    with pytest.raises(DatasetError, match=rf"wrong\.csv:3: .*{complaint}") as raised:
        build("k", root, kinetics.read_400(lists))
    assert "\n" not in str(raised.value)


def test_a_csv_file_of_something_else_is_refused(root: Path, lists: Path) -> None:
    put_lines(lists / "other.csv", "path,label", "a.mp4,3")
    with pytest.raises(DatasetError, match=r"other\.csv:1: expected the official header label,youtube_id"):
        build("k", root, kinetics.read_400(lists))
    with pytest.raises(DatasetError, match="no csv file here"):
        build("k", root, kinetics.read_400(root))
    with pytest.raises(DatasetError, match=r"nowhere: cannot read this official list"):
        build("k", root, kinetics.read_400(lists / "nowhere"))


def test_the_larger_editions_take_their_numbers_from_complete_lists(tmp_path: Path) -> None:
    names = [f"class {n:03d}" for n in range(600)]
    lines = [f"{name},{n:011d},0,10,validate" for n, name in enumerate(names)]
    put_lines(tmp_path / "k600" / "validate.csv", HEADER.removesuffix(",is_cc"), *lines)
    put_video(tmp_path / "videos" / "class_599" / f"{599:011d}_000000_000010.mp4")
    index = build("k600", tmp_path / "videos", kinetics.read_600(tmp_path / "k600"))
    assert index.classes == tuple(names)
    assert index.table["label"].to_pylist() == [599]
    with pytest.raises(DatasetError, match="names 600 classes where Kinetics-700 has 700"):
        kinetics.read_700(tmp_path / "k600")


def test_the_command_reports_what_is_there_beside_the_published_counts(
    root: Path, lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["kinetics400", "--root", str(root), "--lists", str(lists), "--out", str(tmp_path / "other" / "k400")]
    assert main([*command, "--min-frames", "11"]) == 0
    out = capsys.readouterr().out
    assert "k400: 8 videos of 400 classes" in out
    assert ["train", "7", "5", "246,535"] in table_rows(out)
    assert ["val", "3", "3", "19,907"] in table_rows(out)
    assert "of 10 listed 1 are missing and 1 unreadable" in out
    assert "7 are shorter than 11 frames: kept" in out
    assert "trainbroken_000001_000011.mp4: " in out
    assert len(load_index("k400", tmp_path / "other").table) == 8


def test_no_listed_video_is_an_error_that_says_what_was_expected(lists: Path, tmp_path: Path) -> None:
    put_video(tmp_path / "empty" / "train" / "trainspaces.mp4")
    with pytest.raises(DatasetError, match=r"none of the 10 listed videos is here; .*<youtube_id>_<start:06d>"):
        build("k", tmp_path / "empty", kinetics.read_400(lists))
