"""Prepared datasets: the same frames in other files; whatever stops the making, what is done stays."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from studylib import REPOSITORY
from studylib.datasets import __main__ as command
from studylib.datasets import preparing
from studylib.datasets.building import read_journal
from studylib.datasets.index import DatasetError, Index, load_index, write_index
from studylib.datasets.preparing import FORMAT, prepare
from studylib.video.reading import encode, read_clips, scan, write_video
from tests.made_videos import NUM_FRAMES, Kind, encode_kind, files_limited_to, make, number_shown, numbered_frames
from tests.waiting import wait_for

SIZE = (32, 43)  # of resolution 28
KINDS = ("b_frames.mp4", "mpeg4_odd.avi", "one_keyframe.mp4", "open_gops.mkv", "turned_90.mp4", "uneven.mkv")
FIVE = {f"{number}.mp4": list(range(6 + number)) for number in range(5)}


def index_of(root: Path, name: str = "five", **columns: list) -> Index:
    """The videos in `root`/videos as they are now."""
    paths = sorted(path.name for path in (root / "videos").iterdir())
    infos = [scan(root / "videos" / path).info for path in paths]
    facts = {key: [getattr(info, key) for info in infos] for key in ("num_frames", "fps", "width", "height")}
    parts = {"split1": ["train", "test", *["test"] * (len(paths) - 2)][: len(paths)]}
    columns = {"path": paths, "label": [0] * len(paths), **facts, **parts, **columns}
    return write_index(name, root / "videos", ["a", "b"], columns, {"dataset": name}, root)


def again(index: Index) -> Index:
    return prepare(index, 28, workers=1)


def shown(index: Index) -> dict[str, list[int]]:
    """The numbers that the frames of every video show, read as a run reads them."""
    numbers = {}
    for row, path in enumerate(index.table["path"].to_pylist()):
        video, known = index.video(row)
        clip = read_clips(video, [0], known.info.num_frames, SIZE, known)[0]
        numbers[path] = [number_shown(frame) for frame in clip]
    return numbers


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of 40 frames that show their numbers, one of a single frame, and one that is damaged in the middle."""
    root = tmp_path_factory.mktemp("originals") / "count"
    root.mkdir()
    for name in KINDS:
        make(name, root)
    write_video(root / "single.mp4", numbered_frames(1), 25)
    content = bytearray((root / "b_frames.mp4").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = b"\x55" * 600
    (root / "damaged.mp4").write_bytes(content)
    return root.parent


@pytest.fixture
def five(tmp_path: Path) -> Index:
    for number in range(5):
        write_video(tmp_path / "videos" / f"{number}.mp4", numbered_frames(6 + number), 25)
    return index_of(tmp_path)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the originals that are transcoded from now on."""
    names, transcode = [], preparing.transcode
    monkeypatch.setattr(preparing, "transcode", lambda path, *rest: names.append(path.name) or transcode(path, *rest))
    return names


def test_frame_i_shows_frame_i_of_the_original_and_lies_near_a_keyframe(
    originals: Path, data_root: Path, capsys: pytest.CaptureFixture
) -> None:
    before = contents(originals)
    call = ["folder", "--root", str(originals), "--name", "mine", "--workers", "1"]
    assert command.main([*call, "--prepare", "28"]) == 0
    assert contents(originals) == before
    index = load_index("mine-32x43")
    numbers = {f"count/{Path(name).stem}.mp4": list(range(NUM_FRAMES)) for name in KINDS} | {"count/single.mp4": [0]}
    assert shown(index) == dict(sorted(numbers.items()))
    for path in index.table["path"].to_pylist():
        known = scan(index.path(path))
        assert known.keyframes.tolist() == list(range(0, known.info.num_frames, FORMAT["gop"]))
        assert known.packets.numbers.tolist() == list(range(known.info.num_frames))  # none waits for a later one
        assert (known.info.height, known.info.width, known.rotation) == (*SIZE, 0)
    unreadable = index.facts["prepared"]["unreadable"]
    assert list(unreadable) == ["count/damaged.mp4"]
    assert re.match(r"frame \d+ cannot be decoded", unreadable["count/damaged.mp4"])
    indexed, prepared = capsys.readouterr().out.split("\n\nmine-32x43")
    assert indexed.startswith("mine: 8 videos of 1 classes")
    assert prepared.startswith(": 7 videos prepared, ")
    assert "1 could not be prepared (left out)\n    count/damaged.mp4: frame " in prepared


def test_the_rows_keep_labels_splits_and_what_else_the_dataset_tells(five: Index) -> None:
    labels = pa.array([[0], [0, 1], [0], [0], [0]])
    columns = {"labels": labels, "split2": ["test"] * 5, "cue": list("abcde"), "sha256": ["of the original"] * 5}
    source = index_of(five.folder.parent, **columns)
    index = again(source)
    for column in ("labels", "label", "split1", "split2", "cue", "fps"):
        assert index.table[column].to_pylist() == source.table[column].to_pylist()
    assert "sha256" not in index.table.column_names
    assert (index.classes, index.facts["dataset"]) == (source.classes, "five")
    assert index.facts["prepared"]["from"] == source.manifest_hash
    with pytest.raises(DatasetError, match="five-32x43: is prepared already"):
        again(index)


def test_a_frame_that_shows_something_else_is_found_and_noise_is_no_such_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "videos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (4, 128, 172, 3), np.uint8)
    encode_kind(tmp_path / "videos" / "noise.mkv", Kind("ffv1", pix_fmt="bgr0"), noise)
    assert prepare(index_of(tmp_path, "noise"), workers=1).table["path"].to_pylist() == ["noise.mp4"]

    def spoilt(frames, *how):
        return encode((frame if n != 2 else 255 - frame for n, frame in enumerate(frames)), *how)

    write_video(tmp_path / "a.mp4", numbered_frames(12), 25)
    monkeypatch.setattr(preparing, "encode", spoilt)
    with pytest.raises(ValueError, match=r"a\.mp4: frame 2 shows something else"):
        preparing.transcode(tmp_path / "a.mp4", tmp_path / "b.mp4", 28)


@pytest.mark.parametrize("rate", [0.0001, 1000])
def test_any_frame_rate_will_do(tmp_path: Path, rate: float) -> None:
    (tmp_path / "videos").mkdir()
    for name, fps in (("a", rate), ("b", 25)):
        kind = Kind("libx264", {"qp": "0"}, times=[round(1000 * i / fps) for i in range(20)])  # lossless
        encode_kind(tmp_path / "videos" / f"{name}.mp4", kind, numbered_frames(20))
    index = again(index_of(tmp_path, "rates"))
    assert shown(index) == {"a.mp4": list(range(20)), "b.mp4": list(range(20))}
    assert index.table["fps"].to_pylist() == pytest.approx([rate, 25], rel=0.1)  # the originals'
    one, other = index.table["bytes"].to_pylist()
    assert one == pytest.approx(other, rel=0.1)  # x264 would take a frame of a millisecond less seriously


def test_two_videos_of_one_stem_are_two(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for number, name in enumerate(("a.avi", "a.mp4")):
        (tmp_path / "videos" / name).write_bytes(encode(numbered_frames(number + 1), 72, 96, 25, {"crf": "21"}))
    assert shown(again(index_of(tmp_path, "names"))) == {"a.avi.mp4": [0], "a.mp4.mp4": [0, 1]}


def test_a_call_makes_what_is_gone_cut_or_made_of_a_changed_original_and_nothing_else(
    five: Index, made: list[str]
) -> None:
    index = again(five)
    before = contents(index.root)
    assert again(five).manifest_hash == index.manifest_hash
    assert made == sorted(FIVE)
    made.clear()
    (index.root / "0.mp4").unlink()
    os.truncate(index.root / "2.mp4", len(before["2.mp4"]) - 1)
    again(five)
    assert made == ["0.mp4", "2.mp4"]
    assert contents(index.root) == before
    write_video(five.root / "2.mp4", numbered_frames(20), 25)
    changed = again(index_of(five.folder.parent))
    assert made == ["0.mp4", "2.mp4", "2.mp4"]
    assert shown(changed) == FIVE | {"2.mp4": list(range(20))}
    assert changed.manifest_hash != index.manifest_hash


def test_what_is_made_stays_when_its_original_is_gone_or_no_longer_listed(five: Index, made: list[str]) -> None:
    first = again(five)
    (five.root / "0.mp4").rename(five.root.parent / "0.mp4")
    assert shown(again(five)) == FIVE
    fewer = again(index_of(five.folder.parent))
    assert shown(fewer) == {name: numbers for name, numbers in FIVE.items() if name != "0.mp4"}
    (five.root.parent / "0.mp4").rename(five.root / "0.mp4")
    assert again(index_of(five.folder.parent)).manifest_hash == first.manifest_hash
    assert made == sorted(FIVE)


MANY = """
import sys
from pathlib import Path
from studylib.datasets.index import load_index
from studylib.datasets.preparing import prepare
prepare(load_index("many", Path(sys.argv[1])), 28, workers=1)
"""


def test_a_kill_in_the_middle_loses_nothing_that_is_done(tmp_path: Path, made: list[str]) -> None:
    (tmp_path / "videos").mkdir()
    content = encode(numbered_frames(), 72, 96, 25, {"crf": "21"})
    for number in range(40):
        (tmp_path / "videos" / f"{number:02d}.mp4").write_bytes(content)
    index = index_of(tmp_path, "many")
    journal = tmp_path / "many-32x43" / "prepared.jsonl"
    call = [sys.executable, "-c", MANY, str(tmp_path)]
    process = subprocess.Popen(call, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.DEVNULL)
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 12, process, every=0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {video.path for video in read_journal(journal, preparing.Prepared._make)}
    assert 5 <= len(done) < 40
    assert not (journal.parent / "manifest.json").exists()
    prepared = again(index)
    assert sorted(made) == sorted({f"{number:02d}.mp4" for number in range(40)} - done)
    assert set(map(tuple, shown(prepared).values())) == {tuple(range(NUM_FRAMES))}
    assert not list(journal.parent.rglob("*.partial"))


def test_a_full_disk_is_one_error_that_says_what_stays(five: Index, made: list[str], tmp_path: Path) -> None:
    write_video(five.root / "3.mp4", numbered_frames(120), 25)
    index = index_of(five.folder.parent)
    sizes = prepare(index, 28, data_root=tmp_path / "roomy", workers=1).table["bytes"].to_pylist()
    message = r"five-32x43: stopped after 3 of 5 videos \(.*they stay: call again to go on"
    with files_limited_to(sizes[3] - 1), pytest.raises(OSError, match=message) as raised:
        again(index)
    assert raised.value.errno == errno.EFBIG
    made.clear()
    assert len(again(index).table) == 5
    assert made == ["3.mp4", "4.mp4"]


def test_a_dataset_of_which_nothing_can_be_prepared_is_refused(five: Index) -> None:
    for path in five.root.iterdir():
        path.write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"five: none of 5 videos can be prepared, such as 0\.mp4: cannot be read"):
        again(five)
    write_video(five.root / "3.mp4", numbered_frames(9), 25)
    assert shown(again(five)) == {"3.mp4": list(range(9))}  # tried again


def test_a_size_that_makes_no_sense_is_refused_before_anything_is_done(
    data_root: Path, capsys: pytest.CaptureFixture
) -> None:
    assert command.main(["folder", "--root", str(data_root), "--name", "mine", "--prepare", "-1"]) == 1
    assert capsys.readouterr().err == "error: --prepare must be at least 16, not -1\n"
    assert not data_root.exists()
