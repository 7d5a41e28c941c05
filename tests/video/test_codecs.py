"""A clip is the frames it says, whatever the codec and the container; a written video shows what it was given."""

from pathlib import Path

import numpy as np
import pytest

from studylib.video.reading import Timeline, read_clips, scan, write_video
from tests.made_videos import (
    KINDS,
    NUM_FRAMES,
    REWRITTEN,
    decode_by_opencv,
    decode_from_start,
    make,
    number_shown,
    numbered_frames,
)
from tests.video_folders import REAL_VIDEOS, read_clip, read_video

SIZE = (36, 45)
# OpenCV's FFmpeg has no decoder of AV1 in software, and turns interlaced frames to no colours: "Cannot convert
# interlaced to progressive frames". It scales all frames of a file to the size of the first.
OPENCV_SHOWS_OTHERWISE = {"interlaced.mp4", "two_sizes.ts"}
OPENCV_READS = [name for name in [*KINDS, *REWRITTEN] if not name.startswith("av1")]


def real_videos() -> list[Path]:
    """Three UCF101 videos where the folder is at hand."""
    return REAL_VIDEOS[5:150:60]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.mark.parametrize("name", [*KINDS, *REWRITTEN, *real_videos()], ids=lambda name: Path(name).name)
def test_frame_i_is_the_ith_that_decoding_from_the_start_gives(videos: Path, name: str | Path) -> None:
    path = name if isinstance(name, Path) else make(name, videos)
    expected = decode_from_start(path, SIZE)
    known, n = scan(path), len(expected)
    assert known.info.num_frames == n
    np.testing.assert_array_equal(read_video(path, SIZE), expected)
    for start in sorted({0, 1, n // 3, n // 2, max(n - 9, 0), n - 1}, reverse=True):
        rows = np.minimum(np.arange(start, start + 8), n - 1)
        np.testing.assert_array_equal(read_clip(path, start, 8, SIZE, known), expected[rows])
    starts = [n - 2, 3, n // 2, 5, 3]
    rows = np.minimum(np.array(starts)[:, None] + np.arange(6), n - 1)
    for kept in (known, Timeline.from_bytes(known.info, known.to_bytes())):
        np.testing.assert_array_equal(read_clips(path, starts, 6, SIZE, kept), expected[rows])


@pytest.mark.parametrize("name", [*KINDS, *REWRITTEN])
def test_the_frames_show_their_numbers_upright(videos: Path, name: str) -> None:
    path = make(name, videos)
    source, _, numbers = REWRITTEN.get(name, (name, None, list(range(NUM_FRAMES))))
    info = scan(path).info
    assert info.num_frames == len(numbers)
    assert (info.height, info.width) == KINDS[source].size
    frames = read_video(path, (info.height, info.width))
    assert [number_shown(frame) for frame in frames] == numbers
    middle = len(numbers) // 2
    clip = read_clip(path, middle, 9, (info.height, info.width))
    assert [number_shown(frame) for frame in clip] == [numbers[min(middle + t, len(numbers) - 1)] for t in range(9)]


@pytest.mark.parametrize("name", [*OPENCV_READS, *real_videos()], ids=lambda name: Path(name).name)
def test_opencv_decodes_the_same_frames_up_to_its_way_of_spreading_colour(videos: Path, name: str | Path) -> None:
    path = name if isinstance(name, Path) else make(name, videos)
    info, foreign = scan(path).info, decode_by_opencv(path)
    # Frames that OpenCV gives: the number that it says is the header's or a guess from the duration.
    assert len(foreign) == info.num_frames
    assert foreign[0].shape == (info.height, info.width, 3)
    if name in OPENCV_SHOWS_OTHERWISE:
        return
    luma = np.array([0.299, 0.587, 0.114])  # colour is stored at half size, and OpenCV scales it up by another filter
    first = max(info.num_frames // 2 - 4, 0)
    ours = read_clip(path, first, 8, (info.height, info.width))[: info.num_frames - first] @ luma
    theirs = np.stack(foreign[first : first + 8]) @ luma
    # Exact rounding makes ours up to 2 of 255 darker.
    assert np.abs(ours - theirs).mean() < 1.5
    # The frame before and the frame after are another matter.
    if not isinstance(name, Path):
        assert np.abs(ours[1:] - theirs[:-1]).mean() > 10


def test_frames_may_lie_4_apart_and_a_clip_longer_than_its_video_repeats_the_last(videos: Path) -> None:
    path = make("b_frames.mp4", videos)

    def shown(start: int, length: int, step: int) -> list[int]:
        return [number_shown(frame) for frame in read_clip(path, start, length, (72, 96), step=step)]

    assert shown(NUM_FRAMES - 3, 10, 1) == [37, 38, *[39] * 8]
    assert shown(3, 8, 4) == [3, 7, 11, 15, 19, 23, 27, 31]
    assert shown(24, 6, 4) == [24, 28, 32, 36, 39, 39]
    for start, length, step in ((-1, 8, 1), (NUM_FRAMES, 8, 1), (0, 0, 1), (3, 8, 0)):
        with pytest.raises(ValueError, match=r"b_frames\.mp4: no clip"):
            shown(start, length, step)


def test_a_written_video_shows_what_was_given(tmp_path: Path) -> None:
    frames = numbered_frames()
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / "new" / name, frames, fps=25)
    assert (tmp_path / "new" / "a.mp4").read_bytes() == (tmp_path / "new" / "b.mp4").read_bytes()
    read = read_video(tmp_path / "new" / "a.mp4", (72, 96))
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 8
    assert [number_shown(frame) for frame in read] == list(range(NUM_FRAMES))
