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


def pixels(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]


def test_a_video_shows_every_frame_once_and_unscaled_with_its_edge_repeated_around_it(crops: Path) -> None:
    index = make(crops)
    row = index.table["path"].to_pylist().index("F04/words/01/03.mkv")
    shown = read_video(index.video(row)[0], (22, 30))
    pictures = sorted((crops / "F04/words/01/03").iterdir())
    assert len(shown) == len(pictures) == index.table["num_frames"][row].as_py()
    for frame, picture in zip(shown, map(pixels, pictures), strict=True):
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


def test_settings_are_chosen_on_speakers_that_split_6_does_not_test(made_crops: Path) -> None:
    index = make(made_crops, validation=True)
    assert set(index.table["speaker"].to_pylist()) == set(SPEAKERS) - {"F10", "F11", "M08"}
    folds = [set(index.table["speaker"].take(index.rows(split, "test")).to_pylist()) for split in index.splits]
    assert sorted(s for fold in folds for s in fold) == sorted(set(SPEAKERS) - {"F10", "F11", "M08"})


def test_the_manifest_is_that_of_the_frames_and_not_of_the_files(crops: Path, tmp_path: Path) -> None:
    first = make(crops).manifest_hash
    picture = crops / "F01/words/01/03/color_001.jpg"
    picture.write_bytes(picture.read_bytes()[:2] + b"\xff\xfe\x00\x06note" + picture.read_bytes()[2:])  # a comment
    assert make(crops).manifest_hash == first
    cv2.imwrite(str(picture), 255 - cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE))
    assert make(crops).manifest_hash != first


def break_end(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:-20])


def widen(picture: Path) -> None:
    cv2.imwrite(str(picture), np.zeros((12, MOUTH + 2), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda picture: picture.write_bytes(b""), "color_002.jpg is empty"),
        (lambda picture: picture.write_bytes(b"no picture"), "color_002.jpg is broken"),
        (break_end, "color_002.jpg is broken"),
        (widen, "color_002.jpg is 22 pixels wide, most others are 20"),
        (lambda picture: [p.unlink() for p in picture.parent.iterdir()], "holds no color_NNN.jpg"),
    ],
)
def test_a_take_with_a_frame_that_cannot_be_used_is_left_out_and_named(crops: Path, spoil, reason: str) -> None:
    spoil(crops / "M02/words/10/03/color_002.jpg")
    index = make(crops)
    assert index.facts["unreadable"] == {"M02/words/10/03": reason}
    assert "M02/words/10/03.mkv" not in index.table["path"].to_pylist()
    assert len(index.table) == 29


def test_a_missing_take_and_a_gap_in_the_numbers_are_named(crops: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.rmtree(crops / "M07/words/01/03")
    (crops / "F05/words/10/03/color_002.jpg").unlink()
    assert main(["miracl", "--root", str(crops), "--task", "words", "--name", "miracl-words", "--workers", "1"]) == 0
    said, facts = capsys.readouterr().out, load_index("miracl-words").facts
    assert facts["listed"] == 1500
    assert facts["missing"] == 1500 - 29
    assert "M07/words/01/03" in facts["missing_takes"]
    assert facts["gaps"] == {"F05/words/10/03": ["color_002.jpg"]}
    assert "missing: M07/words/01/03" in said
    assert "F05/words/10/03 has no color_002.jpg" in said


def test_a_wrong_root_says_which_folder_it_takes(crops: Path) -> None:
    for wrong in (crops.parent, crops / "F01"):
        with pytest.raises(DatasetError, match=rf"<speaker>/words/<class>/<take>.*give --root {crops}$"):
            make(wrong)
    with pytest.raises(DatasetError, match="holds no speaker's folder"):
        make(crops / "nowhere")


def test_a_task_or_a_speaker_that_is_not_there_is_named(crops: Path) -> None:
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
    made = [miracl.write_take(take, tmp_path / "videos" / f"{take.name}.mkv", canvas) for take in takes]
    assert len(made) == 10
    assert made[0].gaps == ["color_006.jpg"]
    assert [take.num_frames for take in made] == [len(list(take.glob("*.jpg"))) for take in takes]
    assert len({take.frames_sha256 for take in made}) == 10
