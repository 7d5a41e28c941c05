"""Prepared datasets: the same frames, in files or in shards; whatever stops the making, what is done stays."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from studylib import timeline, training
from studylib.clips import scaled_size
from studylib.datasets import __main__ as command
from studylib.datasets import folder, packing, preparing, transcoding
from studylib.datasets.index import DatasetError, Index, write_index
from studylib.datasets.preparing import Format, prepare, report
from studylib.evaluation import read_predictions
from studylib.files import locked
from studylib.plan import REPOSITORY
from studylib.timeline import Piece
from studylib.video import VideoError, encode, probe, read_clips, read_video, scan, write_video
from tests.made_videos import (
    NUM_FRAMES,
    Kind,
    encode_kind,
    files_limited_to,
    make,
    number_shown,
    numbered_frames,
)
from tests.test_loading import make_index
from tests.trainings import start
from tests.video_folders import REAL_VIDEOS

SMALL = Format(resolution=28)  # 32 x 43
SIZE = scaled_size(28)
KINDS = ("b_frames.mp4", "mpeg4_odd.avi", "one_keyframe.mp4", "open_gops.mkv", "turned_90.mp4", "uneven.mkv")
REAL = REAL_VIDEOS[::70]
MANY = """
import sys
from pathlib import Path
from studylib.datasets.index import load_index
from studylib.datasets.preparing import Format, prepare
if __name__ == "__main__":
    prepare(load_index("many", Path(sys.argv[1])), Format(28), pack=int(sys.argv[2]), workers=1)
"""


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
def source(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return folder.make("mine", originals, data_root=tmp_path_factory.mktemp("data"), workers=1)


@pytest.fixture(scope="module")
def in_files(source: Index, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return prepare(source, SMALL, data_root=tmp_path_factory.mktemp("files"), workers=1)


@pytest.fixture(scope="module")
def in_shards(source: Index, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return prepare(source, SMALL, pack=3, data_root=tmp_path_factory.mktemp("shards"), workers=1)


@pytest.fixture
def five(tmp_path: Path) -> Index:
    """Five videos of a few frames, in `tmp_path`/videos."""
    for number in range(5):
        write_video(tmp_path / "videos" / f"{number}.mp4", numbered_frames(6 + number), 25)
    return index_of(tmp_path)


def index_of(root: Path, name: str = "five", **columns: list) -> Index:
    """The videos in `root`/videos as they are now."""
    paths = sorted(path.name for path in (root / "videos").iterdir())
    infos = [probe(root / "videos" / path) for path in paths]
    told = {key: [getattr(info, key) for info in infos] for key in ("num_frames", "fps", "width", "height")}
    parts = {"split1": ["train", "test", *["test"] * (len(paths) - 2)][: len(paths)]}
    columns = {"path": paths, "label": [0] * len(paths), **told, **parts, **columns}
    return write_index(name, root / "videos", ["a", "b"], columns, {"dataset": name}, root)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the originals that are transcoded."""
    names: list[str] = []

    def noted(original: Path, *arguments: object) -> tuple[bytes, dict]:
        names.append(original.name)
        return transcoding.transcode(original, *arguments)

    monkeypatch.setattr(preparing, "transcode", noted)
    return names


def again(index: Index, pack: int = 1) -> Index:
    return prepare(index, SMALL, pack=pack, workers=1)


def shown(index: Index) -> dict[str, list[int]]:
    """The numbers that the frames of every video show, read as a run reads them."""
    rows = ((row, *index.video(row)) for row in range(len(index.table)))
    clips = {row: read_clips(video, [0], known.info.num_frames, SIZE, known)[0].numpy() for row, video, known in rows}
    return {index.table["path"][row].as_py(): [number_shown(frame) for frame in clip] for row, clip in clips.items()}


def stop(*_: object, **__: object) -> None:
    """In the place of a function: Ctrl-C."""
    raise KeyboardInterrupt


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


FIVE = {f"{number}.mp4": list(range(6 + number)) for number in range(5)}
BOTH = pytest.mark.parametrize("pack", [1, 2])


# What is prepared


def test_frame_i_shows_frame_i_of_the_original(in_files: Index, in_shards: Index) -> None:
    numbers = {f"count/{Path(name).stem}.mp4": list(range(NUM_FRAMES)) for name in KINDS} | {"count/single.mp4": [0]}
    assert shown(in_files) == shown(in_shards) == dict(sorted(numbers.items()))


def test_files_and_shards_give_the_same_bytes_of_any_clip(in_files: Index, in_shards: Index) -> None:
    assert in_files.manifest_hash == in_shards.manifest_hash
    rng = np.random.default_rng(0)
    for row in range(len(in_files.table)):
        (file, known), (piece, known_too) = in_files.video(row), in_shards.video(row)
        assert isinstance(file, Path)
        assert isinstance(piece, Piece)
        starts = rng.integers(0, known.info.num_frames, 5).tolist()
        for step in (1, 4):
            clips = read_clips(file, starts, 8, SIZE, known, step).numpy()
            np.testing.assert_array_equal(clips, read_clips(piece, starts, 8, SIZE, known_too, step).numpy())
            # without the index's help
            np.testing.assert_array_equal(clips, read_clips(file, starts, 8, SIZE, step=step).numpy())


def test_keyframes_come_every_few_frames_and_no_frame_waits_for_a_later_one(in_files: Index) -> None:
    for path in in_files.table["path"].to_pylist():
        known = scan(in_files.path(path))
        num_frames = known.info.num_frames
        assert known.keyframes.tolist() == list(range(0, num_frames, SMALL.gop))
        assert known.packets.numbers.tolist() == list(range(num_frames))
        assert (known.info.height, known.info.width, known.rotation) == (*SMALL.size, 0)


def test_a_shard_holds_as_many_videos_as_asked_for_and_nothing_between(in_shards: Index) -> None:
    rows = in_shards.table.to_pylist()
    shards = sorted({row["shard"] for row in rows})
    assert [sum(row["shard"] == shard for row in rows) for shard in shards] == [2, 3, 2]  # of 3, 3, 2 one is damaged
    assert sum((in_shards.root / shard).stat().st_size for shard in shards) == sum(row["bytes"] for row in rows)
    assert not (in_shards.folder / "unpacked").exists()


def test_a_long_video_can_be_read_from_a_shard(five: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "_MOST_BYTES", 0)  # where an index of files leaves the packets' places out
    assert again(five).video(0)[1].packets is None
    shutil.rmtree(five.folder.parent / "five-32x43")
    assert shown(again(five, pack=2)) == FIVE


def likeness(original: Path, prepared: Path, size: tuple[int, int]) -> float:
    errors = read_video(original, size).numpy().astype(float) - read_video(prepared, size).numpy()
    return 10 * np.log10(255**2 / np.mean(errors**2))


def test_the_index_tells_how_like_a_video_is_to_its_original(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(0), np.linspace(0, 6, 240)[:, None]
    smooth = [120 + 60 * np.sin(rows + np.linspace(0, 9, 320) + i / 5) + rng.normal(0, 4, (240, 320)) for i in range(9)]
    video = np.stack([np.clip(np.stack([f, f * 0.9, 250 - f], -1), 0, 255).astype(np.uint8) for f in smooth])
    write_video(tmp_path / "videos" / "smooth.mp4", video, 25, crf=10)
    index = prepare(index_of(tmp_path, "smooth"), workers=1)
    psnr = index.table["psnr"][0].as_py()
    assert index.name == "smooth-128x171"
    assert psnr == pytest.approx(likeness(tmp_path / "videos" / "smooth.mp4", index.video(0)[0], (128, 171)), abs=0.01)
    assert psnr > 36


@pytest.mark.parametrize("origin", ["made", *(["real"] if REAL else [])])
def test_videos_come_out_like_their_originals(tmp_path: Path, origin: str) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "made").mkdir()
    made = [make(name, tmp_path / "made") for name in ("b_frames.mp4", "one_keyframe.mp4")]
    originals = REAL if origin == "real" else made
    for path in originals:
        (tmp_path / "videos" / path.name).symlink_to(path)
    index = prepare(index_of(tmp_path, "real"), pack=2, workers=1)
    assert len(index.table) == len(originals)
    for row in index.table.to_pylist():
        assert row["psnr"] > 30
        assert row["num_frames"] == probe(tmp_path / "videos" / row["path"]).num_frames


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


def test_originals_are_not_touched(source: Index, originals: Path, tmp_path: Path) -> None:
    def state() -> dict:
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in originals.rglob("*.*")}

    before = state()
    prepare(source, SMALL, pack=4, data_root=tmp_path, workers=1)
    assert state() == before


def test_a_damaged_video_is_left_out_and_told(in_files: Index, in_shards: Index) -> None:
    for index in (in_files, in_shards):
        assert len(index.table) == len(KINDS) + 1
        unreadable = index.facts["prepared"]["unreadable"]
        assert list(unreadable) == ["count/damaged.mp4"]
        assert re.match(r"frame \d+ cannot be decoded", unreadable["count/damaged.mp4"])
    lines = report(in_shards).splitlines()
    assert lines[0] == f"mine-32x43: 7 videos prepared in 3 shards, {in_shards.folder}"
    assert lines[1] == "  1 could not be prepared (left out)"
    assert lines[2].startswith("    count/damaged.mp4: frame ")
    assert lines[-1] == f"  manifest {in_shards.manifest_hash}"


def test_a_frame_that_shows_something_else_is_found(tmp_path: Path) -> None:
    frames = numbered_frames(12)
    write_video(tmp_path / "a.mp4", frames, 25)
    frames[7] = 128
    write_video(tmp_path / "b.mp4", frames, 25)
    with pytest.raises(VideoError, match=r"a\.mp4: frame 7 shows something else"):
        transcoding.compare(tmp_path / "a.mp4", tmp_path / "b.mp4", SIZE)


def test_noise_in_all_colours_is_a_video_as_any_other(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 128, 172, 3), np.uint8)
    (tmp_path / "videos").mkdir()
    encode_kind(tmp_path / "videos" / "noise.mkv", Kind("ffv1", pix_fmt="bgr0"), noise)
    index = prepare(index_of(tmp_path, "noise"), workers=1)
    assert index.table["path"].to_pylist() == ["noise.mp4"]


@pytest.mark.parametrize("rate", [0.0001, 0.3, 30000 / 1001, 1000])
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


@BOTH
def test_two_videos_of_one_stem_and_one_of_a_long_name_are_three(tmp_path: Path, pack: int) -> None:
    (tmp_path / "videos").mkdir()
    longest = "x" * 251
    for number, name in enumerate(("a.avi", "a.mp4", f"{longest}.avi")):
        content = encode(numbered_frames(number + 1), 72, 96, 25, {"crf": "21"})
        (tmp_path / "videos" / name).write_bytes(content)
    index = again(index_of(tmp_path, "names"), pack)
    assert shown(index) == {"a.avi.mp4": [0], "a.mp4.mp4": [0, 1], f"{longest}.mp4": [0, 1, 2]}


def test_a_run_predicts_the_same_from_files_and_from_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE_GB", "0")
    monkeypatch.setenv("STUDY_WORKERS", "0")
    predictions = []
    for pack in (1, 25):
        root = tmp_path / str(pack)
        monkeypatch.setenv("STUDY_DATA", str(root))
        index = again(make_index(root), pack=pack)
        start(root / "run", dataset=index.name, resolution=28, clips_per_epoch=16, epochs=1)
        training.run(root / "run")
        predictions.append(read_predictions(root / "run" / "predictions.parquet"))
    one, other = predictions
    assert one.videos == other.videos == [f"test/{i}.mp4" for i in range(40)]
    np.testing.assert_array_equal(one.clip_scores, other.clip_scores)


# What is done stays


@BOTH
def test_the_same_videos_make_the_same_files_whatever_the_number_of_workers(five: Index, pack: int) -> None:
    first = again(five, pack)
    files = contents(first.root)
    shutil.rmtree(first.folder)
    second = prepare(five, SMALL, pack=pack, workers=2)
    assert second.manifest_hash == first.manifest_hash
    assert contents(second.root) == files


@BOTH
def test_a_second_call_makes_nothing(five: Index, made: list[str], pack: int) -> None:
    first = again(five, pack)
    assert made == sorted(FIVE)
    files = {path: path.stat().st_mtime_ns for path in first.root.rglob("*")}
    assert again(five, pack).manifest_hash == first.manifest_hash
    assert made == sorted(FIVE)
    assert {path: path.stat().st_mtime_ns for path in first.root.rglob("*")} == files
    assert len((first.folder / "prepared.jsonl").read_text().splitlines()) == 5


@BOTH
def test_a_changed_original_is_made_again_and_no_other(five: Index, made: list[str], pack: int) -> None:
    first = again(five, pack)
    made.clear()
    write_video(five.root / "2.mp4", numbered_frames(20), 25)
    index = again(index_of(five.folder.parent), pack)
    assert made == ["2.mp4"]
    assert shown(index) == FIVE | {"2.mp4": list(range(20))}
    assert index.manifest_hash != first.manifest_hash
    assert len(contents(index.root)) == (5 if pack == 1 else 3)  # nothing else is left


@BOTH
def test_a_prepared_file_that_is_gone_or_cut_is_made_again_and_no_other(
    five: Index, made: list[str], pack: int
) -> None:
    index = again(five, pack)
    before = contents(index.root)
    made.clear()
    gone, _, cut, *_ = sorted(before)
    (index.root / gone).unlink()
    with (index.root / cut).open("r+b") as file:
        file.truncate(len(before[cut]) - 1)
    again(five, pack)
    assert made == {1: ["0.mp4", "2.mp4"], 2: ["0.mp4", "1.mp4", "4.mp4"]}[pack]
    assert contents(index.root) == before


@BOTH
def test_a_renamed_original_is_a_new_one(five: Index, made: list[str], pack: int) -> None:
    again(five, pack)
    made.clear()
    (five.root / "1.mp4").rename(five.root / "1b.mp4")
    index = again(index_of(five.folder.parent), pack)
    assert made == ["1b.mp4"]
    assert shown(index) == {name.replace("1.", "1b."): numbers for name, numbers in FIVE.items()}


@BOTH
def test_a_torn_line_costs_one_video(five: Index, made: list[str], pack: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first = again(five, pack)
    made.clear()
    journal = first.folder / "prepared.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "write_index", stop)
        with pytest.raises(KeyboardInterrupt):
            again(five, pack)
    assert again(five, pack).manifest_hash == first.manifest_hash
    assert made == ["4.mp4"]


def test_of_two_videos_that_the_journal_puts_in_one_place_the_later_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"later")
    one, later = (packing.Prepared(path, [1, 1], "a.mp4", 0, 5, 1, 40.0, "") for path in ("a.avi", "a.mp4"))
    with (tmp_path / "prepared.jsonl").open("wb") as journal:
        packing.tell(journal, [later, one, later])
    assert packing.read_journal(tmp_path) == {"a.mp4": later}


@BOTH
def test_what_is_made_stays_when_its_original_is_gone_or_no_longer_listed(
    five: Index, made: list[str], pack: int
) -> None:
    first = again(five, pack)
    (five.root / "0.mp4").rename(five.root.parent / "0.mp4")
    assert shown(again(five, pack)) == FIVE
    fewer = again(index_of(five.folder.parent), pack)
    assert shown(fewer) == {name: numbers for name, numbers in FIVE.items() if name != "0.mp4"}
    (five.root.parent / "0.mp4").rename(five.root / "0.mp4")
    assert shown(again(index_of(five.folder.parent), pack)) == FIVE
    assert made == sorted(FIVE)
    assert again(five, pack).manifest_hash == first.manifest_hash


@BOTH
def test_a_new_video_in_front_moves_the_others_and_is_made_alone(five: Index, made: list[str], pack: int) -> None:
    again(five, pack)
    made.clear()
    write_video(five.root / "!.mp4", numbered_frames(3), 25)
    index = again(index_of(five.folder.parent), pack)
    assert made == ["!.mp4"]
    assert shown(index) == {"!.mp4": [0, 1, 2]} | FIVE
    assert len(contents(index.root)) == (6 if pack == 1 else 3)


def test_an_index_stays_readable_while_its_shards_are_made_anew(five: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    before = again(five, pack=2)
    write_video(five.root / "0.mp4", numbered_frames(9), 25)

    monkeypatch.setattr(preparing, "write_index", stop)
    with pytest.raises(KeyboardInterrupt):
        again(index_of(five.folder.parent), pack=2)
    assert len(contents(before.root)) == 4  # the new shard is there
    assert shown(before) == FIVE


@BOTH
def test_ctrl_c_loses_nothing_that_is_done(
    five: Index, made: list[str], pack: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = preparing.transcode

    def interrupted(*arguments: object) -> tuple[bytes, dict]:
        if len(made) == 3:
            raise KeyboardInterrupt
        return noted(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "transcode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            again(five, pack)
    assert shown(again(five, pack)) == FIVE
    assert made == sorted(FIVE)  # each once


@BOTH
def test_a_kill_in_the_middle_loses_nothing_that_is_done(tmp_path: Path, made: list[str], pack: int) -> None:
    (tmp_path / "videos").mkdir()
    content = encode(numbered_frames(), 72, 96, 25, {"crf": "21"})
    for number in range(60):
        (tmp_path / "videos" / f"{number:02d}.mp4").write_bytes(content)
    index = index_of(tmp_path, "many")
    script, pack = tmp_path / "many.py", 25 if pack == 2 else 1
    script.write_text(MANY)
    journal = tmp_path / "many-32x43" / "prepared.jsonl"
    call = [sys.executable, str(script), str(tmp_path), str(pack)]
    process = subprocess.Popen(call, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.DEVNULL)
    while not journal.exists() or journal.read_bytes().count(b"\n") < 32:  # with 25 in a shard: in the second one
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = packing.read_journal(journal.parent)
    assert 5 <= len(done) < 60
    assert not (journal.parent / "manifest.json").exists()
    prepared = again(index, pack)
    assert sorted(made) == sorted({f"{number:02d}.mp4" for number in range(60)} - set(done))
    assert set(map(tuple, shown(prepared).values())) == {tuple(range(NUM_FRAMES))}
    assert {path.name for path in journal.parent.iterdir()} == {
        ".lock", "index.arrow", "manifest.json", "prepared.jsonl", "settings.json", "videos",
    }  # fmt: skip


@BOTH
def test_a_full_disk_is_one_error_that_says_what_stays(five: Index, made: list[str], pack: int, tmp_path: Path) -> None:
    write_video(five.root / "3.mp4", numbered_frames(120), 25)
    index = index_of(five.folder.parent)
    sizes = prepare(index, SMALL, data_root=tmp_path / "roomy", workers=1).table["bytes"].to_pylist()
    made.clear()
    with files_limited_to(sizes[3] - 1), pytest.raises(OSError) as raised:  # noqa: PT011
        again(index, pack)
    assert raised.value.errno == errno.EFBIG
    folder = five.folder.parent / "five-32x43"
    assert str(raised.value).startswith(f"[Errno {errno.EFBIG}] {folder}: stopped after 3 of 5 videos (")
    assert "they stay: call again to go on" in str(raised.value)
    made.clear()
    assert len(again(index, pack).table) == 5
    assert made == ["3.mp4", "4.mp4"]


def test_a_second_process_waits_for_the_first(five: Index, capsys: pytest.CaptureFixture) -> None:
    with locked(five.folder.parent / "five-32x43" / ".lock", ""):
        second = threading.Thread(target=again, args=(five,))
        second.start()
        second.join(0.5)
        assert second.is_alive()
        assert "five-32x43: another process is preparing these videos; waiting for it" in capsys.readouterr().out
        assert not (five.folder.parent / "five-32x43" / "settings.json").exists()
    second.join()
    assert (five.folder.parent / "five-32x43" / "manifest.json").exists()


# What is refused


def test_videos_prepared_otherwise_are_not_mixed(five: Index) -> None:
    first = again(five)
    for how, pack, differing in ((Format(28, crf=30), 1, f"crf {SMALL.crf}, not 30"), (SMALL, 2, "pack 1, not 2")):
        with pytest.raises(DatasetError, match=rf"five-32x43/settings\.json: .*{differing}"):
            prepare(five, how, pack, workers=1)
    with pytest.raises(DatasetError, match="five-32x43: is prepared already"):
        again(first)


def test_a_dataset_of_which_nothing_can_be_prepared_is_refused(five: Index) -> None:
    for path in five.root.iterdir():
        path.write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"five: none of 5 videos can be prepared, such as 0\.mp4: cannot be read"):
        again(five)
    write_video(five.root / "3.mp4", numbered_frames(9), 25)
    assert shown(again(five)) == {"3.mp4": list(range(9))}  # tried again


# The command


def test_the_command_prepares_what_it_indexed_and_reports_both(
    originals: Path, data_root: Path, capsys: pytest.CaptureFixture
) -> None:
    call = ["folder", "--root", str(originals), "--out", str(data_root / "mine"), "--workers", "1"]
    assert command.main([*call, "--prepare", "--pack", "4", "--resolution", "28"]) == 0
    index, prepared = capsys.readouterr().out.split("\n\nmine-32x43")
    assert index.startswith("mine: 8 videos of 1 classes")
    size = sum(path.stat().st_size for path in (data_root / "mine-32x43" / "videos").iterdir())
    before = sum(path.stat().st_size for path in originals.rglob("*.*") if path.stem != "damaged")
    told = f"{size / 1e6:,.1f} MB, {size / before:.2f} of the originals' {before / 1e6:,.1f} MB"
    assert prepared.startswith(": 7 videos prepared in 2 shards, ")
    assert "1 could not be prepared (left out)\n    count/damaged.mp4: frame " in prepared
    assert told in prepared
    assert re.search(r"PSNR \d\d\.\d dB on average, \d\d\.\d dB at the lowest \(count/\w+\.mp4\)", prepared)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--pack", "500"], "--pack says how videos are prepared: give --prepare, too"),
        (["--resolution", "224"], "--resolution says how videos are prepared: give --prepare, too"),
        (["--prepare", "--pack", "0"], "--pack must be at least 1, not 0"),
        (["--prepare", "--resolution", "-1"], "--resolution must be at least 16, not -1"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_done(
    originals: Path, data_root: Path, options: list[str], complaint: str, capsys: pytest.CaptureFixture
) -> None:
    assert command.main(["folder", "--root", str(originals), "--name", "mine", *options]) == 1
    assert capsys.readouterr().err == f"error: {complaint}\n"
    assert not data_root.exists()


def test_every_command_can_prepare(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple] = []

    def noted(name: str) -> Callable:
        return lambda *arguments, **options: asked.append((name, *arguments[1:])) or name

    for name in ("build", "report", "load_index", "report_prepared"):
        monkeypatch.setattr(command, name, lambda *_, **__: "")
    monkeypatch.setattr(command, "prepare", noted("prepare"))
    monkeypatch.setattr("studylib.datasets.pantomime.main", lambda args: None)
    monkeypatch.setattr(
        command, "LISTED", {name: (module, lambda _: None) for name, (module, _) in command.LISTED.items()}
    )
    for dataset in command.LISTED:
        command.main([dataset, "--root", "videos", "--lists", "lists", "--prepare", "--pack", "500"])
    command.main(["pantomime", "--prepare", "--resolution", "56"])
    assert asked == [("prepare", Format(), 500)] * len(command.LISTED) + [("prepare", Format(56), 1)]
