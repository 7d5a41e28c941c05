"""The cache gives the frames that reading the files gives, and is never half there."""

import errno
import fcntl
import itertools
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from studylib.datasets import frame_cache
from studylib.datasets.frame_cache import open_frames
from studylib.datasets.index import Index, write_index
from studylib.video.reading import VideoError, write_video
from tests.made_videos import files_limited_to
from tests.video_folders import read_clip
from tests.waiting import wait_for

SIZE = (24, 32)
LENGTHS = (12, 5, 20)


def make_index(folder: Path, lengths: tuple[int, ...] = LENGTHS) -> Index:
    rng = np.random.default_rng(len(lengths))
    names = [f"{row}.mp4" for row in range(len(lengths))]
    for name, length in zip(names, lengths, strict=True):
        write_video(folder / "small" / name, rng.integers(0, 255, (length, 48, 64, 3), np.uint8), fps=25)
    same = {"label": 0, "fps": 25.0, "width": 64, "height": 48, "split1": "train"}
    columns = {"path": names, "num_frames": lengths, **{key: [value] * len(names) for key, value in same.items()}}
    return write_index("small", folder / "small", ["noise"], columns, {}, folder)


@pytest.fixture(autouse=True)
def usual_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDY_CACHE_GB", raising=False)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return make_index(tmp_path)


def files(index: Index) -> set[str]:
    return {path.name for path in index.folder.iterdir() if path.suffix != ".mp4"}


def test_a_video_that_is_mended_is_read_again(tmp_path: Path) -> None:
    index = make_index(tmp_path, (9,) * 21)
    video = index.path("3.mp4")
    video.rename(tmp_path / "away")
    assert list(open_frames(index, SIZE).broken) == [3]
    (tmp_path / "away").rename(video)
    assert not open_frames(index, SIZE).broken
    video.rename(tmp_path / "away")
    (index.folder / "frames_24x32.bin").unlink()
    assert list(open_frames(index, SIZE).broken) == [3]
    assert not open_frames(make_index(tmp_path, (9,) * 2), SIZE).broken  # of fewer videos than the broken one's row


def test_a_cached_clip_is_the_clip_of_the_file(index: Index) -> None:
    cache = open_frames(index, SIZE)
    for row, length in enumerate(LENGTHS):
        for start, step in itertools.product((0, 1, length // 2, length - 1), (1, 4)):  # some run past the end
            expected = read_clip(index.path(f"{row}.mp4"), start, 8, SIZE, step=step)
            np.testing.assert_array_equal(cache.clip(row, start, 8, step), expected)
    np.testing.assert_array_equal(cache.clip(2, 3, 4, 4), cache.clip(2, 0, 20)[[3, 7, 11, 15]])
    np.testing.assert_array_equal(cache.clip(0, 3, 4, 4), cache.clip(0, 0, 12)[[3, 7, 11, 11]])  # not the next video's
    for start in (-1, 12):
        with pytest.raises(ValueError, match=r"frames_24x32\.bin, row 0: no clip starts at frame"):
            cache.clip(0, start, 8)


def test_a_cache_of_another_index_is_built_anew(index: Index, tmp_path: Path) -> None:
    old = open_frames(index, SIZE)
    old_clip = old.clip(0, 0, 8)
    another = make_index(tmp_path, (9, 9))
    new, expected = open_frames(another, SIZE), read_clip(index.path("1.mp4"), 0, 8, SIZE)
    np.testing.assert_array_equal(new.clip(1, 0, 8), expected)
    np.testing.assert_array_equal(old.clip(0, 0, 8), old_clip)  # whoever reads the old one goes on undisturbed
    os.truncate(new.path, 1000)  # one that was cut short is no cache either
    np.testing.assert_array_equal(open_frames(another, SIZE).clip(1, 0, 8), expected)


def test_another_process_reads_the_same_file(index: Index) -> None:
    cache = open_frames(index, SIZE)
    expected = cache.clip(1, 0, 5)
    pickled = pickle.dumps(cache)
    assert len(pickled) < 2000  # the way to the file, not its contents
    program = "import pickle, sys; sys.stdout.buffer.write(pickle.load(sys.stdin.buffer).clip(1, 0, 5).tobytes())"
    child = subprocess.run([sys.executable, "-c", program], input=pickled, capture_output=True, check=True)
    assert child.stdout == expected.tobytes()


def test_frames_that_do_not_fit_the_budget_are_not_cached(
    index: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    needed = sum(LENGTHS) * 24 * 32 * 3
    monkeypatch.setenv("STUDY_CACHE_GB", repr((needed - 1) / 1e9))
    assert open_frames(index, SIZE) is None
    assert len(caplog.records) == 1
    assert "no frame cache" in caplog.text
    monkeypatch.setenv("STUDY_CACHE_GB", "0")
    assert open_frames(index, SIZE) is None
    assert files(index) == {"index.arrow", "manifest.json"}
    monkeypatch.setenv("STUDY_CACHE_GB", repr((needed + 1) / 1e9))
    assert open_frames(index, SIZE) is not None


def test_one_process_builds_while_another_waits(index: Index, capsys: pytest.CaptureFixture) -> None:
    built = open_frames(index, SIZE).path
    inode, facts = built.stat().st_ino, built.with_suffix(".json")
    finished = facts.read_bytes()
    facts.unlink()  # as if this process were still building
    opened = []
    with open(built.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = threading.Thread(target=lambda: opened.append(open_frames(index, SIZE)))
        other.start()
        wait_for(lambda: "another process is building the frame cache; waiting for it" in capsys.readouterr().out)
        assert opened == []
        facts.write_bytes(finished)
    other.join()
    assert opened[0].clip(0, 0, 4).shape == (4, *SIZE, 3)
    assert built.stat().st_ino == inode  # not built a second time


def test_a_bad_video_is_named_and_leaves_no_cache(index: Index) -> None:
    path = index.path("1.mp4")
    write_video(path, np.zeros((7, 48, 64, 3), np.uint8), fps=25)
    with pytest.raises(VideoError, match=r"1\.mp4: has 7 frames where 5 were expected"):
        open_frames(index, SIZE)
    path.unlink()
    with pytest.raises(VideoError, match=r"1\.mp4: "):
        open_frames(index, SIZE)
    assert files(index) == {"index.arrow", "manifest.json", "frames_24x32.lock"}


def test_a_full_disk_leaves_the_earlier_cache_and_no_half_one(tmp_path: Path) -> None:
    earlier = open_frames(make_index(tmp_path), SIZE).path.read_bytes()
    index = make_index(tmp_path, (40,))
    before = files(index)
    message = r"frames_24x32\.bin: cannot write.*intact.*STUDY_CACHE_GB=0"
    with files_limited_to(50_000), pytest.raises(OSError, match=message) as raised:
        open_frames(index, SIZE)
    assert raised.value.errno == errno.EFBIG
    assert (index.folder / "frames_24x32.bin").read_bytes() == earlier
    assert files(index) == before


def test_too_little_room_is_told_before_any_work(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr(frame_cache, "decode_into", lambda *_: pytest.fail("decoded"))
    with pytest.raises(OSError, match=r"frames_24x32\.bin: cannot write") as raised:
        open_frames(index, SIZE)
    assert raised.value.errno == errno.ENOSPC
    assert "frames_24x32.bin" not in files(index)
