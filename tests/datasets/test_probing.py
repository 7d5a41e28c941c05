"""Probing many files: whatever stops it, what is done stays and the next call does the rest."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from studylib import REPOSITORY
from studylib.datasets import building
from studylib.video.machine import in_processes
from studylib.video.reading import scan
from tests.video_folders import put_video


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five videos, one with a picture more, and a file that is none."""
    for number in range(5):
        put_video(tmp_path / "videos" / f"{number}.mp4", 10 + (number == 3))
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"no video")
    return tmp_path / "videos"


def probe(root: Path, *paths: str) -> tuple[dict, dict]:
    paths = paths or tuple(sorted(path.name for path in root.iterdir()))
    return building.probe_all(root, paths, root.parent / "probed.jsonl", workers=1)


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are looked into."""
    names = []
    monkeypatch.setattr(building, "scan", lambda path: names.append(Path(path).name) or scan(path))
    return names


def test_a_second_call_looks_only_into_what_is_new_changed_or_was_unreadable(root: Path, scanned: list[str]) -> None:
    first, unreadable = probe(root, "0.mp4", "1.mp4", "2.mp4", "bad.mp4")
    assert (first["0.mp4"].num_frames, first["0.mp4"].fps, first["0.mp4"].width) == (10, 25.0, 48)
    assert str(root) not in unreadable["bad.mp4"]
    scanned.clear()
    put_video(root / "1.mp4", 12)
    videos, again = probe(root)
    assert sorted(scanned) == ["1.mp4", "3.mp4", "4.mp4", "bad.mp4"]
    assert [video.num_frames for video in videos.values()] == [10, 12, 10, 11, 10]
    assert videos["0.mp4"] == first["0.mp4"]
    assert again == unreadable


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (b"caf\xe9".decode, "UnicodeDecodeError: 'utf-8' codec can't decode"),
        (lambda: bytes(2**62), "MemoryError"),
        (lambda: Path("/nowhere").stat(), "No such file or directory"),
    ],
)
def test_no_file_stops_the_others_whatever_its_reading_raises(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: Callable, reason: str
) -> None:
    monkeypatch.setattr(building, "scan", lambda path: error() if path.endswith("2.mp4") else scan(path))
    videos, unreadable = probe(root)
    assert list(videos) == ["0.mp4", "1.mp4", "3.mp4", "4.mp4"]
    assert unreadable["2.mp4"].startswith(reason)


WITHOUT_GUARD = """
import sys
from studylib.datasets.building import build_from_folders
from studylib.datasets.preparing import prepare
print("script begins")
index = build_from_folders("mine", sys.argv[1], data_root=sys.argv[2], workers=2)
print(len(prepare(index, 32, workers=2).table))
"""


def test_a_script_without_a_guard_indexes_and_prepares_any_number_of_videos(tmp_path: Path) -> None:
    for number in range(40):
        put_video(tmp_path / "videos" / "wave" / f"{number}.mp4", 8)
    (tmp_path / "script.py").write_text(WITHOUT_GUARD)
    command = [sys.executable, tmp_path / "script.py", tmp_path / "videos", tmp_path / "data"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split("\n")[:2] == ["script begins", "40"]


def end_the_process(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_jobs_run_in_processes_and_a_killed_one_is_an_error_not_a_wait_for_ever() -> None:
    jobs = {f"job {number}": (-number,) for number in range(20)}
    expected = {f"job {number}": number for number in range(20)}
    assert dict(in_processes(abs, jobs, 2)) == dict(in_processes(abs, jobs, 1)) == expected
    assert dict(in_processes(abs, {})) == {}
    with pytest.raises(OSError, match="a worker process was killed"):
        list(in_processes(end_the_process, {number: (number,) for number in range(40)}, 2))
