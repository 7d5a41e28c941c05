"""Prepared datasets: whatever stops the making, what is done stays, and what is there is not made again."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studylib import REPOSITORY
from studylib.datasets import preparing
from studylib.datasets.index import DatasetError, Index
from studylib.datasets.preparing import Format, prepare
from studylib.datasets.production import journal_line
from studylib.video.reading import encode, write_video
from tests.made_videos import NUM_FRAMES, files_limited_to, numbered_frames
from tests.prepared_videos import FIVE, SMALL, again, contents, index_of, make_five, note_transcoded, shown
from tests.waiting import wait_for

MANY = """
import sys
from pathlib import Path
from studylib.datasets.index import load_index
from studylib.datasets.preparing import Format, prepare
if __name__ == "__main__":
    prepare(load_index("many", Path(sys.argv[1])), Format(28), workers=1)
"""


@pytest.fixture
def five(tmp_path: Path) -> Index:
    return make_five(tmp_path)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return note_transcoded(monkeypatch)


def test_the_same_videos_make_the_same_files_whatever_the_number_of_workers(five: Index) -> None:
    first = again(five)
    files = contents(first.root)
    shutil.rmtree(first.folder)
    second = prepare(five, SMALL, workers=2)
    assert second.manifest_hash == first.manifest_hash
    assert contents(second.root) == files


def test_a_second_call_makes_nothing(five: Index, made: list[str]) -> None:
    first = again(five)
    assert made == sorted(FIVE)
    files = {path: path.stat().st_mtime_ns for path in first.root.rglob("*")}
    assert again(five).manifest_hash == first.manifest_hash
    assert made == sorted(FIVE)
    assert {path: path.stat().st_mtime_ns for path in first.root.rglob("*")} == files
    assert len((first.folder / "prepared.jsonl").read_text().splitlines()) == 5


def test_a_changed_original_is_made_again_and_no_other(five: Index, made: list[str]) -> None:
    first = again(five)
    made.clear()
    write_video(five.root / "2.mp4", numbered_frames(20), 25)
    index = again(index_of(five.folder.parent))
    assert made == ["2.mp4"]
    assert shown(index) == FIVE | {"2.mp4": list(range(20))}
    assert index.manifest_hash != first.manifest_hash
    assert len(contents(index.root)) == 5  # nothing else is left


def test_a_prepared_file_that_is_gone_or_cut_is_made_again_and_no_other(five: Index, made: list[str]) -> None:
    index = again(five)
    before = contents(index.root)
    made.clear()
    gone, _, cut, *_ = sorted(before)
    (index.root / gone).unlink()
    with (index.root / cut).open("r+b") as file:
        file.truncate(len(before[cut]) - 1)
    again(five)
    assert made == ["0.mp4", "2.mp4"]
    assert contents(index.root) == before


def test_of_two_videos_that_the_journal_puts_in_one_place_the_later_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"later")
    one, later = (preparing.Prepared(path, [1, 1], "a.mp4", 5, 1, 40.0, "") for path in ("a.avi", "a.mp4"))
    (tmp_path / "prepared.jsonl").write_bytes(b"".join(map(journal_line, (later, one, later))))
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


def test_a_kill_in_the_middle_loses_nothing_that_is_done(tmp_path: Path, made: list[str]) -> None:
    (tmp_path / "videos").mkdir()
    content = encode(numbered_frames(), 72, 96, 25, {"crf": "21"})
    for number in range(60):
        (tmp_path / "videos" / f"{number:02d}.mp4").write_bytes(content)
    index = index_of(tmp_path, "many")
    script = tmp_path / "many.py"
    script.write_text(MANY)
    journal = tmp_path / "many-32x43" / "prepared.jsonl"
    call = [sys.executable, str(script), str(tmp_path)]
    process = subprocess.Popen(call, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.DEVNULL)
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 32, process, every=0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = preparing.videos_done(journal.parent)
    assert 5 <= len(done) < 60
    assert not (journal.parent / "manifest.json").exists()
    prepared = again(index)
    assert sorted(made) == sorted({f"{number:02d}.mp4" for number in range(60)} - set(done))
    assert set(map(tuple, shown(prepared).values())) == {tuple(range(NUM_FRAMES))}
    assert {path.name for path in journal.parent.iterdir()} == {
        ".lock", "index.arrow", "manifest.json", "prepared.jsonl", "settings.json", "videos",
    }  # fmt: skip


def test_a_full_disk_is_one_error_that_says_what_stays(five: Index, made: list[str], tmp_path: Path) -> None:
    write_video(five.root / "3.mp4", numbered_frames(120), 25)
    index = index_of(five.folder.parent)
    sizes = prepare(index, SMALL, data_root=tmp_path / "roomy", workers=1).table["bytes"].to_pylist()
    made.clear()
    with files_limited_to(sizes[3] - 1), pytest.raises(OSError) as raised:  # noqa: PT011
        again(index)
    assert raised.value.errno == errno.EFBIG
    folder = five.folder.parent / "five-32x43"
    assert str(raised.value).startswith(f"[Errno {errno.EFBIG}] {folder}: stopped after 3 of 5 videos (")
    assert "they stay: call again to go on" in str(raised.value)
    made.clear()
    assert len(again(index).table) == 5
    assert made == ["3.mp4", "4.mp4"]


# What is refused


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
