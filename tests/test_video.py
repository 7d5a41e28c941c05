"""What is asked of a video and what is written as one; that the frames are the right ones is for `test_codecs`."""

from pathlib import Path

import numpy as np
import pytest

from studylib.video import probe, read_clip, read_video, write_video
from tests.made_videos import NUM_FRAMES, make, number_shown, numbered_frames

SIZE = (36, 45)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    make("b_frames.mp4", folder)
    return folder


def test_the_probe_reports_what_is_stored(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(13), fps=29.97)
    info = probe(tmp_path / "a.mp4")
    assert (info.num_frames, info.width, info.height) == (13, 96, 72)
    assert info.fps == pytest.approx(29.97, abs=1e-3)


def test_a_clip_longer_than_its_video_repeats_the_last_frame(videos: Path) -> None:
    clip = read_clip(videos / "b_frames.mp4", NUM_FRAMES - 3, 10, (72, 96)).numpy()
    assert [number_shown(frame) for frame in clip] == [37, 38, *[39] * 8]
    np.testing.assert_array_equal(clip[3:], np.broadcast_to(clip[2], clip[3:].shape))
    assert read_clip(videos / "b_frames.mp4", 0, 100, SIZE).shape == (100, *SIZE, 3)


@pytest.mark.parametrize(("start", "length"), [(-1, 8), (NUM_FRAMES, 8), (0, 0)])
def test_a_clip_that_starts_outside_its_video_is_refused(videos: Path, start: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"b_frames\.mp4"):
        read_clip(videos / "b_frames.mp4", start, length)


def test_a_written_video_shows_what_was_given(tmp_path: Path) -> None:
    frames = numbered_frames()
    write_video(tmp_path / "new" / "a.mp4", frames, fps=25)
    read = read_video(tmp_path / "new" / "a.mp4", (72, 96)).numpy()
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 8
    assert [number_shown(frame) for frame in read] == list(range(NUM_FRAMES))


def test_the_same_frames_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, numbered_frames(10), fps=25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("shape", [(4, 71, 96, 3), (0, 72, 96, 3), (72, 96, 3)])
def test_frames_that_make_no_video_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"a\.mp4"):
        write_video(tmp_path / "a.mp4", np.zeros(shape, np.uint8), fps=25)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, numbered_frames(10), fps=25)
    assert probe(path).num_frames == 10
    write_video(path, numbered_frames(20), fps=25)
    assert probe(path).num_frames == 20
