"""Prepared datasets: the same frames in other files; whatever stops the making, what is done stays."""

import errno
import json
import os
import re
import shutil
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
from studylib.datasets.building import build_from_folders
from studylib.datasets.index import DatasetError, Index, write_index
from studylib.datasets.preparing import Format, compare, prepare
from studylib.video.reading import VideoError, encode, read_clips, scan, write_video
from tests.made_videos import NUM_FRAMES, Kind, encode_kind, files_limited_to, make, number_shown, numbered_frames
from tests.video_folders import read_video
from tests.waiting import wait_for

SMALL = Format(resolution=28)  # 32 x 43
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
    return prepare(index, SMALL, workers=1)


def shown(index: Index) -> dict[str, list[int]]:
    """The numbers that the frames of every video show, read as a run reads them."""
    numbers = {}
    for row, path in enumerate(index.table["path"].to_pylist()):
        video, known = index.video(row)
        clip = read_clips(video, [0], known.info.num_frames, SMALL.size, known)[0]
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


@pytest.fixture(scope="module")
def prepared(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    before = contents(originals)
    index = prepare(build_from_folders("mine", originals, data_root=tmp_path_factory.mktemp("data"), workers=1), SMALL)
    assert contents(originals) == before
    return index


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


def test_frame_i_shows_frame_i_of_the_original(prepared: Index) -> None:
    numbers = {f"count/{Path(name).stem}.mp4": list(range(NUM_FRAMES)) for name in KINDS} | {"count/single.mp4": [0]}
    assert shown(prepared) == dict(sorted(numbers.items()))


def test_keyframes_come_every_few_frames_and_no_frame_waits_for_a_later_one(prepared: Index) -> None:
    for path in prepared.table["path"].to_pylist():
        known = scan(prepared.path(path))
        num_frames = known.info.num_frames
        assert known.keyframes.tolist() == list(range(0, num_frames, SMALL.gop))
        assert known.packets.numbers.tolist() == list(range(num_frames))
        assert (known.info.height, known.info.width, known.rotation) == (*SMALL.size, 0)


def test_the_index_tells_how_like_a_video_is_to_its_original(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(0), np.linspace(0, 6, 240)[:, None]
    smooth = [120 + 60 * np.sin(rows + np.linspace(0, 9, 320) + i / 5) + rng.normal(0, 4, (240, 320)) for i in range(9)]
    video = np.stack([np.clip(np.stack([f, f * 0.9, 250 - f], -1), 0, 255).astype(np.uint8) for f in smooth])
    write_video(tmp_path / "videos" / "smooth.mp4", video, 25, crf=10)
    index = prepare(index_of(tmp_path, "smooth"), workers=1)
    before, after = (read_video(path, (128, 171)) for path in (tmp_path / "videos/smooth.mp4", index.video(0)[0]))
    psnr = index.table["psnr"][0].as_py()
    assert index.name == "smooth-128x171"
    assert psnr == pytest.approx(10 * np.log10(255**2 / np.mean((before.astype(float) - after) ** 2)), abs=0.01)
    assert psnr > 36


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


def test_a_damaged_video_is_left_out_and_told(prepared: Index) -> None:
    assert len(prepared.table) == len(KINDS) + 1
    unreadable = prepared.facts["prepared"]["unreadable"]
    assert list(unreadable) == ["count/damaged.mp4"]
    assert re.match(r"frame \d+ cannot be decoded", unreadable["count/damaged.mp4"])


def test_a_frame_that_shows_something_else_is_found(tmp_path: Path) -> None:
    frames = numbered_frames(12)
    write_video(tmp_path / "a.mp4", frames, 25)
    frames[7] = 128
    write_video(tmp_path / "b.mp4", frames, 25)
    with pytest.raises(VideoError, match=r"a\.mp4: frame 7 shows something else"):
        compare(tmp_path / "a.mp4", tmp_path / "b.mp4", SMALL.size)
    noise = np.random.default_rng(0).integers(
        0, 256, (4, 128, 172, 3), np.uint8
    )  # in all colours, a video as any other
    (tmp_path / "videos").mkdir()
    encode_kind(tmp_path / "videos" / "noise.mkv", Kind("ffv1", pix_fmt="bgr0"), noise)
    assert prepare(index_of(tmp_path, "noise"), workers=1).table["path"].to_pylist() == ["noise.mp4"]


@pytest.mark.parametrize("rate", [0.0001, 1000])
def test_any_frame_rate_will_do(tmp_path: Path, rate: float) -> None:
    (tmp_path / "videos").mkdir()
    for name, fps in (("a", rate), ("b", 25)):
        kind = Kind("libx264", {"qp": "0"}, times=[round(1000 * i / fps) for i in range(20)])  # lossless
        encode_kind(tmp_path / "videos" / f"{name}.mp4", kind, numbered_frames(20))
    index = again(index_of(tmp_path, "rates"))
    assert shown(index) == {"a.mp4": list(range(20)), "b.mp4": list(range(20))}
    assert index.table["fps"].to_pylist() == pytest.approx([rate, 25], rel=0.1)  # the originals'
    one, other = index.table["psnr"].to_pylist()
    assert one == pytest.approx(other, abs=1)  # dB; x264 would take a frame of a millisecond less seriously


def test_two_videos_of_one_stem_and_one_of_a_long_name_are_three(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    longest = "x" * 251
    for number, name in enumerate(("a.avi", "a.mp4", f"{longest}.avi")):
        content = encode(numbered_frames(number + 1), 72, 96, 25, {"crf": "21"})
        (tmp_path / "videos" / name).write_bytes(content)
    index = again(index_of(tmp_path, "names"))
    assert shown(index) == {"a.avi.mp4": [0], "a.mp4.mp4": [0, 1], f"{longest}.mp4": [0, 1, 2]}


# --- what is there is not made again ---------------------------------------------------------------------------------


def test_the_same_videos_make_the_same_files_whatever_the_number_of_workers(five: Index) -> None:
    first = again(five)
    files = contents(first.root)
    shutil.rmtree(first.folder)
    second = prepare(five, SMALL, workers=2)
    assert second.manifest_hash == first.manifest_hash
    assert contents(second.root) == files


def test_a_call_makes_what_is_gone_cut_or_made_of_a_changed_original_and_nothing_else(
    five: Index, made: list[str]
) -> None:
    index = again(five)
    before = contents(index.root)
    assert again(five).manifest_hash == index.manifest_hash
    assert made == sorted(FIVE)
    assert len((index.folder / "prepared.jsonl").read_text().splitlines()) == 5
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


def test_of_two_videos_that_the_journal_puts_in_one_place_the_later_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"later")
    one, later = (preparing.Prepared(path, [1, 1], "a.mp4", 5, 1, 40.0, "") for path in ("a.avi", "a.mp4"))
    (tmp_path / "prepared.jsonl").write_bytes(
        "".join(f"{json.dumps(video)}\n" for video in (later, one, later)).encode()
    )
    assert preparing.videos_done(tmp_path) == {"a.mp4": later}


def test_what_is_made_stays_when_its_original_is_gone_or_no_longer_listed(five: Index, made: list[str]) -> None:
    first = again(five)
    (five.root / "0.mp4").rename(five.root.parent / "0.mp4")
    assert shown(again(five)) == FIVE
    fewer = again(index_of(five.folder.parent))
    assert shown(fewer) == {name: numbers for name, numbers in FIVE.items() if name != "0.mp4"}
    (five.root.parent / "0.mp4").rename(five.root / "0.mp4")
    assert shown(again(index_of(five.folder.parent))) == FIVE
    assert made == sorted(FIVE)
    assert again(five).manifest_hash == first.manifest_hash


MANY = """
import sys
from pathlib import Path
from studylib.datasets.index import load_index
from studylib.datasets.preparing import Format, prepare
prepare(load_index("many", Path(sys.argv[1])), Format(28), workers=1)
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
    done = preparing.videos_done(journal.parent)
    assert 5 <= len(done) < 40
    assert not (journal.parent / "manifest.json").exists()
    prepared = again(index)
    assert sorted(made) == sorted({f"{number:02d}.mp4" for number in range(40)} - set(done))
    assert set(map(tuple, shown(prepared).values())) == {tuple(range(NUM_FRAMES))}
    assert {path.name for path in journal.parent.iterdir()} == {
        ".lock", "index.arrow", "manifest.json", "prepared.jsonl", "settings.json", "videos",
    }  # fmt: skip


def test_a_full_disk_is_one_error_that_says_what_stays(five: Index, made: list[str], tmp_path: Path) -> None:
    write_video(five.root / "3.mp4", numbered_frames(120), 25)
    index = index_of(five.folder.parent)
    sizes = prepare(index, SMALL, data_root=tmp_path / "roomy", workers=1).table["bytes"].to_pylist()
    message = r"five-32x43: stopped after 3 of 5 videos \(.*they stay: call again to go on"
    with files_limited_to(sizes[3] - 1), pytest.raises(OSError, match=message) as raised:
        again(index)
    assert raised.value.errno == errno.EFBIG
    made.clear()
    assert len(again(index).table) == 5
    assert made == ["3.mp4", "4.mp4"]


def test_videos_prepared_otherwise_are_not_mixed(five: Index) -> None:
    first = again(five)
    with pytest.raises(DatasetError, match=rf"five-32x43/settings\.json: .*crf {SMALL.crf}, not 30"):
        prepare(five, Format(28, crf=30), workers=1)
    with pytest.raises(DatasetError, match="five-32x43: is prepared already"):
        again(first)


def test_a_dataset_of_which_nothing_can_be_prepared_is_refused(five: Index) -> None:
    for path in five.root.iterdir():
        path.write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"five: none of 5 videos can be prepared, such as 0\.mp4: cannot be read"):
        again(five)
    write_video(five.root / "3.mp4", numbered_frames(9), 25)
    assert shown(again(five)) == {"3.mp4": list(range(9))}  # tried again


# --- the option --prepare of the commands ----------------------------------------------------------------------------


def test_the_command_prepares_what_it_indexed_and_reports_both(
    originals: Path, data_root: Path, capsys: pytest.CaptureFixture
) -> None:
    call = ["folder", "--root", str(originals), "--out", str(data_root / "mine"), "--workers", "1"]
    assert command.main([*call, "--prepare", "--resolution", "28"]) == 0
    index, prepared = capsys.readouterr().out.split("\n\nmine-32x43")
    assert index.startswith("mine: 8 videos of 1 classes")
    size = sum(path.stat().st_size for path in (data_root / "mine-32x43" / "videos").rglob("*.mp4"))
    before = sum(path.stat().st_size for path in originals.rglob("*.*") if path.stem != "damaged")
    assert prepared.startswith(": 7 videos prepared, ")
    assert "1 could not be prepared (left out)\n    count/damaged.mp4: frame " in prepared
    assert f"{size / 1e6:,.1f} MB, {size / before:.2f} of the originals' {before / 1e6:,.1f} MB" in prepared
    assert re.search(r"PSNR \d\d\.\d dB on average, \d\d\.\d dB at the lowest \(count/\w+\.mp4\)", prepared)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--resolution", "224"], "--resolution says how videos are prepared: give --prepare, too"),
        (["--prepare", "--resolution", "-1"], "--resolution must be at least 16, not -1"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_done(
    data_root: Path, options: list[str], complaint: str, capsys: pytest.CaptureFixture
) -> None:
    assert command.main(["folder", "--root", str(data_root), "--name", "mine", *options]) == 1
    assert capsys.readouterr().err == f"error: {complaint}\n"
    assert not data_root.exists()
