"""Clips and written videos; that the frames are the right ones is for `test_codecs`."""

from pathlib import Path

import numpy as np
import pytest
import torch

from studylib.video.reading import probe, read_clip, read_video, write_video
from tests.made_videos import NUM_FRAMES, make, number_shown, numbered_frames

SIZE = (36, 45)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    make("b_frames.mp4", folder)
    return folder


def test_a_clip_longer_than_its_video_repeats_the_last_frame(videos: Path) -> None:
    clip = read_clip(videos / "b_frames.mp4", NUM_FRAMES - 3, 10, (72, 96)).numpy()
    assert [number_shown(frame) for frame in clip] == [37, 38, *[39] * 8]
    np.testing.assert_array_equal(clip[3:], np.broadcast_to(clip[2], clip[3:].shape))
    assert read_clip(videos / "b_frames.mp4", 0, 100, SIZE).shape == (100, *SIZE, 3)


def test_frames_4_apart_are_every_fourth_of_the_video_and_the_last_is_repeated(videos: Path) -> None:
    path = videos / "b_frames.mp4"
    clip = read_clip(path, 3, 8, (72, 96), step=4)
    assert [number_shown(frame) for frame in clip.numpy()] == [3, 7, 11, 15, 19, 23, 27, 31]
    assert torch.equal(clip, read_video(path, (72, 96))[3:32:4])
    short = read_clip(path, 24, 6, (72, 96), step=4).numpy()
    assert [number_shown(frame) for frame in short] == [24, 28, 32, 36, 39, 39]
    with pytest.raises(ValueError, match=r"b_frames\.mp4: the frames of a clip lie at least 1 apart, not 0"):
        read_clip(path, 3, 8, step=0)
    for start, length in ((-1, 8), (NUM_FRAMES, 8), (0, 0)):
        with pytest.raises(ValueError, match=r"b_frames\.mp4"):
            read_clip(path, start, length)


def test_a_written_video_shows_what_was_given(tmp_path: Path) -> None:
    frames = numbered_frames()
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / "new" / name, frames, fps=25)
    assert (tmp_path / "new" / "a.mp4").read_bytes() == (tmp_path / "new" / "b.mp4").read_bytes()
    read = read_video(tmp_path / "new" / "a.mp4", (72, 96)).numpy()
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 8
    assert [number_shown(frame) for frame in read] == list(range(NUM_FRAMES))


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
