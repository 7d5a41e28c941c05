"""MIRACL-VC1: takes of JPEG frames become lossless videos, and nobody who is tested was trained on."""

import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from studylib.datasets import miracl
from studylib.datasets.__main__ import main
from studylib.datasets.index import DatasetError, load_index
from studylib.training.loading import open_parts
from studylib.training.spec import RunSpec
from tests.trainings import TINY
from tests.video_folders import SHARED, read_video

pytestmark = pytest.mark.usefixtures("data_root")

REAL = sorted((SHARED / "miracl_vc1").glob("*.tar"))
SPEAKERS = sorted(miracl.FRAMES_A_WORD)
MOUTH = 20  # pixels wide: frames are 30 x 22 then


def put_take(folder: Path, frames: int, seed: int, height: int = 12) -> None:
    """Grey pictures color_001.jpg, ... of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(1, frames + 1):
        cv2.imwrite(str(folder / f"color_{number:03d}.jpg"), rng.integers(0, 256, (height + number, MOUTH), np.uint8))


@pytest.fixture(scope="session")
def made_crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("miracl") / "cropped"
    for s, speaker in enumerate(SPEAKERS):
        for label in ("01", "10"):
            put_take(root / speaker / "words" / label / "03", 3 + s % 4, seed=s)
    return root


@pytest.fixture
def crops(made_crops: Path, tmp_path: Path) -> Path:
    """Two takes a speaker, a copy of the test's own."""
    return shutil.copytree(made_crops, tmp_path / "cropped")


def make(root: Path, **options: object) -> miracl.Index:
    return miracl.make("miracl-words", root, "words", workers=1, **options)


def test_a_video_shows_every_frame_once_and_unscaled_with_its_edge_repeated_around_it(crops: Path) -> None:
    index = make(crops)
    row = index.table["path"].to_pylist().index("F04/words/01/03.mkv")
    shown = read_video(index.video(row)[0], (22, 30))
    pictures = sorted((crops / "F04/words/01/03").iterdir())
    assert len(shown) == len(pictures) == index.table["num_frames"][row].as_py()
    for frame, path in zip(shown, pictures, strict=True):
        picture = cv2.imread(str(path))[..., ::-1]
        top = (22 - len(picture)) // 2
        np.testing.assert_array_equal(frame[top : top + len(picture), 5:25], picture)
        np.testing.assert_array_equal(frame[:, :5], np.repeat(frame[:, 5:6], 5, 1))
        np.testing.assert_array_equal(frame[:top], np.repeat(frame[top : top + 1], top, 0))


def test_rows_beyond_the_frame_are_cut_above_and_below_and_counted(crops: Path) -> None:
    tall = np.arange(30, dtype=np.uint8)[:, None, None] * np.ones((1, MOUTH, 3), np.uint8)
    assert miracl.Canvas.around(250, close=False)[1:] == (384, 288)  # the middle window takes 65% of the width
    canvas = miracl.Canvas.around(MOUTH, close=True)  # 20 x 16
    assert miracl.on_canvas(tall, canvas)[:, 0, 0].tolist() == list(range(7, 7 + canvas.height))
    shutil.rmtree(crops / "F01/words/01/03")
    put_take(crops / "F01/words/01/03", 2, seed=0, height=40)
    assert make(crops).facts["cut"] == 2


def test_every_speaker_is_tested_once_in_splits_1_to_5_and_never_trained_beside(crops: Path) -> None:
    index = make(crops)
    assert index.splits == (1, 2, 3, 4, 5, 6)
    tested, speakers = [], index.table["speaker"]
    for split in index.splits:
        parts = {part: set(speakers.take(index.rows(split, part)).to_pylist()) for part in ("train", "test")}
        assert parts["train"].isdisjoint(parts["test"])
        assert parts["train"] | parts["test"] == set(SPEAKERS)
        assert len(parts["test"]) == 3
        tested.append(parts["test"])
    assert sorted(s for fold in tested[:5] for s in fold) == SPEAKERS
    assert tested[5] == {"F10", "F11", "M08"}
    with pytest.raises(DatasetError, match=r"^miracl-words: no part 'train' of split 7; splits: 1, 2, 3, 4, 5, 6;.*$"):
        open_parts(index, RunSpec(**TINY | {"dataset": "miracl-words", "split": 7}))


def test_settings_are_chosen_on_speakers_that_split_6_does_not_test(made_crops: Path) -> None:
    index, others = make(made_crops, validation=True), sorted({*SPEAKERS} - {"F10", "F11", "M08"})
    assert sorted({*index.table["speaker"].to_pylist()}) == others
    folds = [{*index.table["speaker"].take(index.rows(split, "test")).to_pylist()} for split in index.splits]
    assert sorted(s for fold in folds for s in fold) == others


def test_the_manifest_is_that_of_the_frames_and_not_of_the_files(crops: Path, tmp_path: Path) -> None:
    first = make(crops).manifest_hash
    picture = crops / "F01/words/01/03/color_001.jpg"
    picture.write_bytes(picture.read_bytes()[:2] + b"\xff\xfe\x00\x06note" + picture.read_bytes()[2:] + b"\n")
    picture = picture.rename(picture.with_name("color_001.JPG"))
    assert make(crops).manifest_hash == first
    cv2.imwrite(str(picture), 255 - cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE))
    assert make(crops).manifest_hash != first


def test_a_take_with_a_frame_that_cannot_be_used_is_left_out_and_named(crops: Path) -> None:
    second = {speaker: crops / speaker / "words/10/03/color_002.jpg" for speaker in SPEAKERS}
    whole, end = second["F01"].read_bytes(), b"\xff\xd9"  # of every JPEG; decoders ask for no more
    broken = [b"no picture", whole[:-20], whole[: len(whole) // 2] + end, whole[:-20] + end + b"\n"]
    for speaker, content in zip(("F01", "F02", "F04", "F05", "F06"), [b"", *broken], strict=True):
        second[speaker].write_bytes(content)
    cv2.imwrite(str(second["F07"]), np.zeros((12, MOUTH + 2), np.uint8))
    second["F08"].unlink()
    second["F08"].mkdir()
    second["F09"].unlink()
    second["F09"].symlink_to("nowhere")
    second["F10"].with_name("color_2.jpg").write_bytes(whole)
    for picture in second["F11"].parent.iterdir():
        picture.unlink()
    index = make(crops)
    of_second = ["is empty", *["is broken"] * 4, "is 22 pixels wide, most others are 20"]
    of_second += [f"cannot be read ({why})" for why in ("Is a directory", "No such file or directory")]
    of_second += ["and color_2.jpg have the same number"]
    reasons = [*(f"color_002.jpg {reason}" for reason in of_second), "holds no color_NNN.jpg"]
    left_out = [f"{speaker}/words/10/03" for speaker in SPEAKERS[:10]]
    assert index.facts["unreadable"] == dict(zip(left_out, reasons, strict=True))
    assert len(index.table) == 20
    assert not {f"{key}.mkv" for key in left_out} & set(index.table["path"].to_pylist())


def test_called_again_it_goes_on_and_no_index_is_left_of_old_and_new_videos(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, write_take, stops = [], miracl.write_take, [5, 31]

    def write(take: Path, *rest: object) -> object:
        if len(made) in stops:
            stops.remove(len(made))
            raise KeyboardInterrupt
        made.append(take)
        return write_take(take, *rest)

    monkeypatch.setattr(miracl, "write_take", write)
    for total in (30, 32):  # of a first making, and of two changed takes
        with pytest.raises(KeyboardInterrupt):
            make(crops)
        with pytest.raises(DatasetError, match=r"no dataset.* -m studylib\.datasets miracl .*--name miracl-words"):
            load_index("miracl-words")
        finished = make(crops).manifest_hash
        assert (make(crops).manifest_hash, len(made)) == (finished, total)
        for take in ("F04/words/01/03", "M08/words/10/03"):
            shutil.copy(crops / take / "color_001.jpg", crops / take / "color_002.jpg")
    assert miracl.make("new", crops, "words", workers=1).manifest_hash == finished


def test_a_name_in_use_is_refused_and_nothing_there_is_touched(crops: Path, data_root: Path) -> None:
    make(crops)
    for speaker in SPEAKERS:
        (crops / speaker / "phrases").symlink_to("words")
    before = {path: path.stat().st_mtime_ns for path in data_root.rglob("[!.]*")}
    for task, options, differing in (
        ("words", {"close": True}, r"close False, not True; canvas \[20, 30, 22\], not \[20, 20, 16\]: take another"),
        ("words", {"validation": True}, "validation False, not True"),
        ("phrases", {}, "task words, not phrases"),
    ):
        with pytest.raises(DatasetError, match=differing):
            miracl.make("miracl-words", crops, task, workers=1, **options)
    assert {path: path.stat().st_mtime_ns for path in data_root.rglob("[!.]*")} == before
    (data_root / "miracl-words" / "settings.json").unlink()  # as in an index of another dataset
    with pytest.raises(DatasetError, match="holds an index that does not record how its videos are made: take another"):
        make(crops)


def test_missing_takes_and_gaps_in_the_numbers_are_named(crops: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.rmtree(crops / "F01/words/01/03")
    (crops / "F05/words/10/03/color_002.jpg").unlink()
    (crops / "F06/words/10/03/color_001.jpg").rename(crops / "F06/words/10/03/color_005.jpg")
    for number in range(7, 47, 2):
        shutil.copy(crops / "F06/words/10/03/color_005.jpg", crops / f"F06/words/10/03/color_{number:03d}.jpg")
    (crops / "F07/words/10/03/color_002.jpg").rename(crops / "F07/words/10/03/color_99999999.jpg")
    assert main(["miracl", "--root", str(crops), "--task", "words", "--name", "miracl-words", "--workers", "1"]) == 0
    said, facts = capsys.readouterr().out, load_index("miracl-words").facts
    assert (facts["listed"], facts["missing"], len(facts["missing_takes"])) == (1500, 1471, 1471)
    assert facts["gaps"] == {
        "F05/words/10/03": ["color_002.jpg"],
        "F06/words/10/03": [f"color_{number:03d}.jpg" for number in (1, *range(4, 46, 2))],
        "F07/words/10/03": ["color_002.jpg", "color_005.jpg to color_99999998.jpg"],
    }
    assert said.count(": missing\n") == 20
    assert "    and 1451 more: " in said
    assert "F05/words/10/03: kept without color_002.jpg\n" in said
    assert ", color_018.jpg, ...\n" in said


def test_a_wrong_root_or_task_and_a_missing_speaker_say_what_is_expected(crops: Path) -> None:
    for wrong in (crops.parent, crops / "F01"):
        with pytest.raises(DatasetError, match=rf"<speaker>/words/<class>/<take>.*give --root {crops}$"):
            make(wrong)
    with pytest.raises(DatasetError, match="nowhere: holds no speaker's words; expected"):
        make(crops / "nowhere")
    with pytest.raises(DatasetError, match="cropped: holds no speaker's phrases, only words; expected"):
        miracl.make("miracl-phrases", crops, "phrases")
    with pytest.raises(DatasetError, match="--task word: take one of words, phrases"):
        miracl.make("miracl-words", crops, "word")
    shutil.rmtree(crops / "F07")
    with pytest.raises(DatasetError, match="F07/words is missing"):
        make(crops)


@pytest.mark.skipif(not REAL, reason="the crops are not at hand")
def test_takes_of_a_real_speaker_are_as_the_card_says(tmp_path: Path) -> None:
    with tarfile.open(next(path for path in REAL if path.stem == "F04")) as tar:
        tar.extractall(tmp_path, filter="data")
    takes = sorted((tmp_path / "cropped/F04/phrases/08").iterdir())
    canvas = miracl.Canvas.around(250, close=False)
    made = [miracl.write_take(take, [], tmp_path / "videos" / f"{take.name}.mkv", canvas) for take in takes]
    assert made[0].gaps == ["color_006.jpg"]
    assert [take.num_frames for take in made] == [len(list(take.glob("*.jpg"))) for take in takes]
    assert len({take.frames_sha256 for take in made}) == 10
