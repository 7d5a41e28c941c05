"""Official lists, and roots as years of downloading leave them: what is found, how it is numbered, what is refused."""

import shutil
from pathlib import Path

import papermill
import pytest

from studylib import REPOSITORY
from studylib.datasets.__main__ import main
from studylib.datasets.building import build
from studylib.datasets.index import DatasetError, Index, load_index
from studylib.datasets.lists import READERS, kinetics, published_counts
from studylib.runs.results import load_run
from tests.video_folders import OFFICIAL, SHARED, needs_official_lists, put_lines, put_video, rows_by_stem, table_rows

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
WATCH = "https://www.youtube.com/watch?v="
UCF101_CLASSES = ["Archery", "Biking", "Bowling", "Diving"]
UCF101 = {  # Class/stem -> the splits it is tested in; it trains the others
    "Archery/v_Archery_g01_c01": {1},
    "Archery/v_Archery_g02_c01": {2},
    "Biking/v_Biking_g01_c01": {1},
    "Diving/v_Diving_g01_c01": {3},
    "Diving/v_Diving_g02_c01": {1, 2},
    "Bowling/v_Bowling_g01_c01": {2},
}
HMDB51 = {  # class/name -> its number in the three lists: 1 train, 2 test, 0 neither
    "chew/#2_Gum_chew_h_nm_np1_fr_med_0": "120",
    "chew/(HQ)_Rauf!!_&_Faik;)_chew_u_nm_np1_ba_goo_1": "211",
    "climb/A[1]+~_climb_f_cm_np1_ba_bad_2": "012",
    "climb_stairs/BIG FISH_climb_stairs_f_nm_np1_fr_med_15": "101",
}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """The official files of each dataset, in a folder of its name."""
    folder = tmp_path / "lists"
    put_lines(folder / "kinetics400" / "kinetics_train.csv", HEADER, *TRAIN)
    put_lines(folder / "kinetics400" / "kinetics_val.csv", HEADER, *VAL, end="\r\n")
    put_lines(folder / "sports1m" / "labels.txt", "boomerang", "boxing", "bowling", "jai alai")
    train = ["UDqivjS-lpI 3,1", "aaaaaaaaaaA 0", "bothbothbot 2", "UDqivjS-lpI 3,1"]
    put_lines(folder / "sports1m" / "train_partition.txt", *(WATCH + line for line in train))
    test = ["http://youtu.be/aaaaaaaaaaa 1", f"{WATCH}bothbothbot 2", f"{WATCH}gonegonegon 0"]
    put_lines(folder / "sports1m" / "test_partition.txt", *test)
    put_lines(folder / "ucf101" / "classInd.txt", *(f"{n} {c}" for n, c in enumerate(UCF101_CLASSES, 1)), end="\r\n")
    for split in (1, 2, 3):  # labels from 1, and only in the training lists
        tested = {stem for stem, splits in UCF101.items() if split in splits}
        train = [f"{s}.avi {UCF101_CLASSES.index(s.split('/')[0]) + 1}" for s in UCF101 if s not in tested]
        put_lines(folder / "ucf101" / f"trainlist0{split}.txt", *train, end="\r\n")
        put_lines(folder / "ucf101" / f"testlist0{split}.txt", *(f"{stem}.avi" for stem in tested), end="\r\n")
        for a_class in {key.split("/")[0] for key in HMDB51}:
            lines = [f"{k.split('/')[1]}.avi {n[split - 1]} " for k, n in HMDB51.items() if k.startswith(f"{a_class}/")]
            put_lines(folder / "hmdb51" / f"{a_class}_test_split{split}.txt", *lines)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The videos of each dataset, in a folder of its name."""
    root = tmp_path / "videos"
    # Both spellings of class folders and files without any; one missing, one damaged, one twice, one not listed.
    k = root / "kinetics400"
    put_video(k / "train" / "riding a bike" / "trainspaces_000000_000010.mp4")
    put_video(k / "train" / "riding a bike" / "trainspaces_000030_000040.mp4")
    put_video(k / "train" / "riding_a_bike" / "trainunders_000005_000015.mkv")
    put_video(k / "train" / "massaging_person's_head" / "trainquotes_000001_000011.mp4")
    damaged = put_video(k / "train" / "zumba" / "trainbroken_000001_000011.mp4")
    damaged.write_bytes(damaged.read_bytes()[:700])
    put_video(k / "train" / "zumba" / "traintwices_000007_000017.mp4", 12)
    put_video(k / "old" / "traintwices_000007_000017.mp4", 11)
    put_video(k / "valfileflat_000002_000012.webm")
    put_video(k / "val" / "zumba" / "-valdash_99_000100_000110.MP4")
    put_video(k / "val" / "abseiling" / "valtooshort_000003_000013.mp4", 3)
    put_video(k / "val" / "abseiling" / "notinalists_000003_000013.mp4")
    for name in ("UD/UDqivjS-lpI.mp4", "aaaaaaaaaaA.flv", "aaaaaaaaaaa.webm", "bothbothbot.mp4"):
        put_video(root / "sports1m" / name)  # ids tell upper from lower case
    # One twice, one empty, one missing, one that no list names.
    for stem in [*UCF101, "Diving/v_Diving_g09_c09"]:
        if "Bowling" not in stem:
            put_video(root / "ucf101" / f"{stem}.mp4")
    put_video(root / "ucf101" / "Archery/v_Archery_g01_c01.avi")
    (root / "ucf101" / "Biking" / "v_Biking_g01_c01.mp4").write_bytes(b"")
    for number, key in enumerate(HMDB51):
        put_video(root / "hmdb51" / f"{key}.{'avi' if number % 2 else 'mp4'}")
    return root


def made(dataset: str, root: Path, lists: Path, **options: object) -> Index:
    return build(dataset, root / dataset, READERS[dataset](lists / dataset), **options)


def test_every_listed_clip_is_found_whatever_its_folder_is_called(root: Path, lists: Path) -> None:
    index = made("kinetics400", root, lists)
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
    # a few classes still have their official numbers
    assert (len(index.classes), index.classes.index("abseiling"), index.classes.index("zumba")) == (400, 0, 399)


def test_a_copy_that_can_be_read_wins_over_one_that_cannot(root: Path, lists: Path) -> None:
    """The Common Visual Data Foundation leaves corrupt videos where they are, and has good copies beside."""
    broken = "train/zumba/trainbroken_000001_000011.mp4"
    for place, num_frames in (("old", 13), ("zumba", 14)):  # in its class, but not in its part
        put_video(root / "kinetics400" / place / Path(broken).name, num_frames)
    index = made("kinetics400", root, lists)
    assert rows_by_stem(index.table)["trainbroken_000001_000011"]["num_frames"] == 14
    assert (index.facts["unreadable"], index.facts["found"]) == ({}, 9)
    named = {name: reason for reason, names in index.facts["passed_over"].items() for name in names}
    assert named[broken].startswith("1 passed over, cannot be read")
    assert named[f"old/{Path(broken).name}"].endswith("passed over, further files of a listed video")


def test_a_replacement_wins_over_the_video_that_it_replaces(root: Path, lists: Path) -> None:
    replacements = root / "kinetics400" / "replacement" / "replacement_for_corrupted_k400"
    put_video(replacements / "traintwices_000007_000017.mp4", 15)  # its first frame can be read, which says little
    put_video(replacements / "trainspaces_000000_000010.mp4").write_bytes(b"a download that failed")
    rows = rows_by_stem(made("kinetics400", root, lists).table)
    assert rows["traintwices_000007_000017"]["num_frames"] == 15
    assert rows["trainspaces_000000_000010"]["path"].startswith("train/")


def test_the_hidden_test_set_is_in_no_part(root: Path, lists: Path) -> None:
    hidden = lists / "kinetics400" / "test.csv"
    put_lines(hidden, "youtube_id,time_start,time_end,split", "notinalists,3,13,test")
    index = made("kinetics400", root, lists)
    assert (index.facts["lines_without_label"], index.facts["not_listed"]) == (1, 1)
    put_lines(hidden, HEADER, "abseiling,notinalists,3,13,test,0")
    index = made("kinetics400", root, lists)
    assert rows_by_stem(index.table)["notinalists_000003_000013"]["split1"] == ""
    assert index.counts() == {"split1": {"train": 5, "test": 3}}


def test_the_larger_editions_of_kinetics_take_their_numbers_from_complete_lists(tmp_path: Path) -> None:
    names = [f"class {n:03d}" for n in range(600)]
    lines = [f"{name},{n:011d},0,10,validate" for n, name in enumerate(names)]
    put_lines(tmp_path / "k600" / "validate.csv", HEADER.removesuffix(",is_cc"), *lines)
    put_video(tmp_path / "videos" / "class_599" / f"{599:011d}_000000_000010.mp4")
    index = build("k600", tmp_path / "videos", kinetics(tmp_path / "k600", 600))
    assert index.classes == tuple(names)
    assert index.table["label"].to_pylist() == [599]
    with pytest.raises(DatasetError, match="names 600 classes where Kinetics-700 has 700"):
        kinetics(tmp_path / "k600", 700)


def test_a_video_of_sports1m_has_all_its_labels_and_one_part(root: Path, lists: Path) -> None:
    index = made("sports1m", root, lists)
    assert {stem: (row["label"], row["labels"], row["split1"]) for stem, row in rows_by_stem(index.table).items()} == {
        "UDqivjS-lpI": (3, [3, 1], "train"),
        "aaaaaaaaaaA": (0, [0], "train"),
        "aaaaaaaaaaa": (1, [1], "test"),
        "bothbothbot": (2, [2], "train"),  # of both partitions
    }
    assert (index.facts["conflicting_lines"], index.facts["repeated_lines"], index.facts["missing"]) == (1, 1, 1)


def test_only_present_numbers_the_classes_that_have_a_video(root: Path, lists: Path) -> None:
    index = made("ucf101", root, lists, only_present=True)
    assert (index.classes, index.table["label"].to_pylist()) == (("Archery", "Diving"), [0, 0, 1, 1])
    (root / "sports1m" / "aaaaaaaaaaA.flv").unlink()
    (root / "sports1m" / "bothbothbot.mp4").unlink()
    index = made("sports1m", root, lists, only_present=True)
    assert index.classes == ("boxing", "jai alai")
    assert (index.table["labels"].to_pylist(), index.table["label"].to_pylist()) == ([[1, 0], [0]], [1, 0])


def test_each_video_has_its_official_part_in_each_split(root: Path, lists: Path) -> None:
    rows = rows_by_stem(made("ucf101", root, lists).table)
    # the official file wins over its conversion
    assert sorted(Path(row["path"]).suffix for row in rows.values()) == [".avi", ".mp4", ".mp4", ".mp4"]
    parts = {stem: ["test" if n in UCF101[stem] else "train" for n in (1, 2, 3)] for stem in UCF101}
    assert len(rows) == 4
    for key in (key for key in UCF101 if Path(key).name in rows):
        assert [rows[Path(key).name][f"split{n}"] for n in (1, 2, 3)] == parts[key]
    rows = rows_by_stem(made("hmdb51", root, lists).table)
    for key, numbers in HMDB51.items():
        row = rows[key.split("/")[1]]
        assert [row[f"split{n}"] for n in (1, 2, 3)] == [["", "train", "test"][int(n)] for n in numbers]


def test_a_folder_in_other_letter_case_and_one_that_is_a_link_are_found(root: Path, lists: Path) -> None:
    hmdb51 = root / "hmdb51"
    (hmdb51 / "climb").rename(hmdb51 / "Climb")
    (hmdb51 / "chew").rename(root / "elsewhere")
    (hmdb51 / "chew").symlink_to(root / "elsewhere")
    (hmdb51 / "chew" / "loop").symlink_to(hmdb51)
    index = made("hmdb51", root, lists)
    assert (len(index.table), index.facts["missing"]) == (4, 0)


WRONG, CLIMB, TEST_PARTITION = "kinetics400/wrong.csv", "hmdb51/climb_test_split2.txt", "sports1m/test_partition.txt"


@pytest.mark.parametrize(
    ("file", "lines", "complaint"),
    [
        (WRONG, [HEADER, "zumba,../../../etc,0,10,train,0"], r"wrong\.csv:2: youtube_id '.*etc' must be 11"),
        (WRONG, [HEADER, TRAIN[0], "zumba,0123456789,0,10,train,0"], r"wrong\.csv:3: .*must be 11 letters"),
        (WRONG, [HEADER, "zumba,0123456789a,0.5,10,train,0"], "time_start '0.5' must be a whole number"),
        (WRONG, [HEADER, "zumba,0123456789a,0,-10,train,0"], "time_end '-10' must be a whole number"),
        (WRONG, [HEADER, "zumba,0123456789a,0,10,dev,0"], "split 'dev' must be one of train, val"),
        (WRONG, [HEADER, "zumbo,0123456789a,0,10,train,0"], "'zumbo' is no class of Kinetics-400; is it 'zumba'"),
        (WRONG, [HEADER, ",0123456789a,0,10,train,0"], r"wrong\.csv:2: no label"),
        (WRONG, ["path,label", "a.mp4,3"], r"wrong\.csv:1: expected the official header label,youtube_id"),
        (TEST_PARTITION, [f"{WATCH}../../../etc 1"], r"test_partition\.txt:1: expected 'https://www.youtube.com/watch"),
        (TEST_PARTITION, [f"{WATCH}UDqivjS-lpI"], "expected 'https"),
        (TEST_PARTITION, ["/etc/passwd 1"], "expected 'https"),
        (TEST_PARTITION, [f"{WATCH}UDqivjS-lpI 1,4"], r"label 4 must be 0 to 3 by labels\.txt"),
        ("sports1m/labels.txt", None, r"no labels\.txt here; --lists is the folder"),
        ("ucf101/classInd.txt", ["1 Archery", "3 Biking"], r"classInd\.txt:2: expected '2 <Class>'"),
        ("ucf101/trainlist02.txt", ["Archery/v_x.avi 2"], r"trainlist02\.txt:1: label 2 is not that of Archery"),
        ("ucf101/testlist01.txt", ["../v_x.avi"], r"testlist01\.txt:1: expected '<Class>/<video>'"),
        ("ucf101/testlist01.txt", [r"Archery/..\v_x.avi"], r"testlist01\.txt:1: expected '<Class>/<video>'"),
        ("ucf101/testlist03.txt", ["Archery/v_Archery_g01_c01.avi"], r"testlist03\.txt:1: .* another part in split 3"),
        ("ucf101/testlist02.txt", None, r"testlist02\.txt: cannot read this official list"),
        (CLIMB, ["b.avi 1", "../../etc/passwd.avi 1"], r"climb_test_split2\.txt:2: expected '<name>.avi 0'"),
        (CLIMB, [r"..\secret.avi 1"], "expected '<name>.avi 0'"),
        (CLIMB, ["a.avi 3"], "not 'a.avi 3'"),
        (CLIMB, ["a.avi"], "not 'a.avi'"),
        (CLIMB, ["b.avi 1", "b.avi 2"], r"split2\.txt:2: 'climb/b\.avi' has another part in split 2"),
    ],
)  # fmt: skip
def test_a_wrong_list_is_refused_by_file_and_line(
    lists: Path, file: str, lines: list[str] | None, complaint: str
) -> None:
    if lines is None:
        (lists / file).unlink()
    else:
        put_lines(lists / file, *lines)
    dataset = file.split("/")[0]
    with pytest.raises(DatasetError, match=complaint) as raised:
        READERS[dataset](lists / dataset)
    assert "\n" not in str(raised.value)


def test_a_place_without_lists_is_refused(tmp_path: Path) -> None:
    for dataset, complaint in (
        ("kinetics400", "no csv file here"),
        ("hmdb51", r"no <class>_test_split<1-3>\.txt here"),
        ("ucf101", r"classInd\.txt: cannot read this official list"),
    ):
        with pytest.raises(DatasetError, match=complaint):
            READERS[dataset](tmp_path)


def test_the_command_reports_what_is_there_beside_the_published_counts(
    root: Path, lists: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["kinetics400", "--root", str(root / "kinetics400"), "--lists", str(lists / "kinetics400")]
    assert main([*command, "--name", "k400"]) == 0
    out = capsys.readouterr().out
    assert str(root) not in str(load_index("k400").facts)
    assert "1 further files of a listed video are not used" in out
    assert "k400: 8 videos of 400 classes" in out
    assert ["train", "7", "5", "246,535"] in table_rows(out)
    assert ["val", "3", "3", "19,907"] in table_rows(out)
    assert "of 10 listed 1 are missing and 1 unreadable (left out), 1 files are in no list" in out
    assert "1 are shorter than 8 frames: kept" in out
    assert "trainbroken_000001_000011.mp4: " in out


def test_a_command_that_fails_says_why_in_one_line(lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["kinetics400", "--lists", str(lists / "kinetics400"), "--root"]
    assert main([*command, "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: nowhere: no such folder")
    put_video(tmp_path / "empty" / "train" / "trainspaces.mp4")
    assert main([*command, str(tmp_path / "empty")]) == 1
    error = capsys.readouterr().err
    assert "none of the 10 listed videos is here; they are expected as <youtube_id>_<start:06d>" in error
    assert error.count("\n") == 1


@needs_official_lists
@pytest.mark.parametrize(
    ("dataset", "name", "ends"),
    [("ucf101", "UCF101", (101, "ApplyEyeMakeup", "YoYo")), ("hmdb51", "HMDB51", (51, "brush_hair", "wave"))],
)
def test_the_official_lists_count_as_published(dataset: str, name: str, ends: tuple) -> None:
    lists = READERS[dataset](OFFICIAL / dataset)
    listed = lists.facts()["listed_in_part"]
    counts = {f"{split} {part}": n for split, parts in listed.items() for part, n in parts.items() if n}
    published = {part: videos for part, (videos, _) in published_counts(name).items()}
    assert published.pop("all") == len(lists.videos)
    assert {part: n for part, n in counts.items() if "neither" not in part} == published
    assert (len(lists.classes), lists.classes[0], lists.classes[-1]) == ends


@needs_official_lists
def test_kinetics_and_sports1m_have_their_classes_in_order(tmp_path: Path) -> None:
    lists = kinetics(OFFICIAL / "kinetics400_val.csv", 400)
    assert len(lists.videos) == 19906  # one less than at release
    assert {video.parts for video in lists.videos.values()} == {("test",)}
    assert {video.labels[0] for video in lists.videos.values()} == set(range(400))
    for part in ("train", "test"):
        put_lines(tmp_path / f"{part}_partition.txt")
    shutil.copy(OFFICIAL / "sports1m_labels.txt", tmp_path)
    classes = READERS["sports1m"](tmp_path).classes
    assert (len(classes), classes[0], classes[1], classes[-1]) == (487, "boomerang", "boxing", "model aircraft")


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=needs_official_lists)])
def test_a_few_steps_and_a_test_go_through_the_experiment_notebook(
    root: Path, lists: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    videos, official = root / "ucf101", lists / "ucf101"
    if real:
        videos, official = SHARED / "ucf101_subset", OFFICIAL / "ucf101"
        monkeypatch.setenv("STUDY_CACHE_GB", "0")  # clips are read from the files then
    index = build("ucf101-try", videos, READERS["ucf101"](official), only_present=True)
    parameters = {"dataset": "ucf101-try", "net": "r2plus1d", "resolution": 56 if real else 28, "width": 4}
    parameters |= {"batch_size": 8, "epochs": 1, "clips_per_epoch": 16, "test_clips": 2, "test_sampling": "uniform"}
    folder = tmp_path / "run"
    papermill.execute_notebook(
        REPOSITORY / "book" / "experiments" / "conv_types.ipynb",
        tmp_path / "notebook.ipynb",
        parameters | {"run_folder": str(folder)},
        progress_bar=False,
    )
    run = load_run(folder)
    assert run.predictions.videos == index.table["path"].take(index.rows(1, "test")).to_pylist()
    assert all(scores.shape == (2, len(index.classes)) for scores in run.predictions.clip_scores)
    assert run.provenance["dataset"]["manifest_hash"] == index.manifest_hash
