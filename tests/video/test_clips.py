"""Which frames make a clip: sections 4.1 and 4.3."""

import numpy as np
import pytest

from studylib.video import clips
from studylib.video.reading import clip_frames


def test_frames_are_scaled_to_128_x_171_for_the_papers_crop_and_in_proportion_for_others():
    assert clips.scaled_size(112) == (128, 171)
    assert clips.scaled_size(56) == (64, 86)
    assert clips.scaled_size(224) == (256, 342)


def test_uniform_clips_start_at_floor_of_i_times_n_minus_l_over_9():
    starts = clips.uniform_starts(num_frames=107, clip_length=8, n=10)
    assert starts.tolist() == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    assert clips.uniform_starts(30, 8, 10).tolist() == [0, 2, 4, 7, 9, 12, 14, 17, 19, 22]
    assert clips.uniform_starts(30, 8, 1).tolist() == [11]


def test_dense_clips_cover_the_whole_video():
    assert clips.dense_starts(20, 8).tolist() == [0, 8, 12]
    assert clips.dense_starts(24, 8).tolist() == [0, 8, 16]


def test_clips_of_frames_4_apart_start_where_their_last_frame_is_still_in_the_video():
    # 8 frames 4 apart reach over 29: the last start is 107 - 29 = 78, and floor(i x 78 / 9) for ten
    assert clips.clip_span(8, 4) == 29
    assert clips.last_start(107, 8, 4) == 78
    assert clips.uniform_starts(107, 8, 10, step=4).tolist() == [0, 8, 17, 26, 34, 43, 52, 60, 69, 78]
    assert clips.uniform_starts(107, 8, 1, step=4).tolist() == [39]
    assert clips.dense_starts(107, 8, step=4).tolist() == [0, 29, 58, 78]  # clips that touch
    assert set(clips.random_starts(41, 8, 2000, np.random.default_rng(0), step=4).tolist()) == set(range(13))


@pytest.mark.parametrize("sampling", ["random", "uniform", "dense"])
@pytest.mark.parametrize("step", [1, 2, 4, 7])
def test_the_whole_span_of_every_clip_lies_inside_a_video_that_is_long_enough(sampling, step):
    for frames in (7 * step + 1, 7 * step + 2, 64, 250):
        starts = clips.starts_for_test(sampling, frames, 8, 10, np.random.default_rng(0), step)
        numbers = clip_frames(starts.tolist(), 8, frames, "a.mp4", step)
        assert (np.diff(numbers) == step).all()  # none repeated, so none past the end
        assert 0 <= numbers.min() <= numbers.max() < frames


@pytest.mark.parametrize("sampling", ["random", "uniform", "dense"])
def test_a_clip_that_reaches_over_more_than_its_video_starts_at_its_first_frame(sampling):
    starts = clips.starts_for_test(sampling, 20, 8, 10, np.random.default_rng(0), step=4)
    assert set(starts.tolist()) == {0}
    assert clip_frames([0], 8, 20, "a.mp4", 4).tolist() == [[0, 4, 8, 12, 16, 19, 19, 19]]


def test_windows_lie_in_the_middle_or_anywhere_they_fit():
    assert clips.centre_window((64, 86), 56) == (4, 15)
    assert clips.centre_window((128, 171), 112) == (8, 29)
    rng = np.random.default_rng(0)
    corners = {clips.random_window((64, 86), 56, rng) for _ in range(3000)}
    assert corners == {(top, left) for top in range(9) for left in range(31)}


@pytest.mark.parametrize("sampling", ["uniform", "random"])
def test_clips_of_a_short_video_are_not_drawn_twice(sampling):
    assert clips.starts_for_test(sampling, 10, 8, 10, np.random.default_rng(0)).tolist() == [0, 1, 2]


def test_random_clips_are_drawn_independently_and_every_start_is_as_likely_as_any_other():
    few = clips.random_starts(12, 8, 10, np.random.default_rng(3))  # 5 starts for 10 clips
    assert len(set(few.tolist())) < len(few)
    counts = np.bincount(clips.random_starts(17, 8, 10_000, np.random.default_rng(3)))  # 0 to 9, deviation 30
    assert len(counts) == 10
    assert np.abs(counts - 1000).max() < 5 * 30
