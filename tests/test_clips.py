"""Which frames make a clip: sections 4.1 and 4.3."""

import numpy as np
import pytest

from studylib import clips


def test_frames_are_scaled_to_128_x_171_for_the_papers_crop_and_in_proportion_for_others():
    assert clips.scaled_size(112) == (128, 171)
    assert clips.scaled_size(56) == (64, 86)
    assert clips.scaled_size(224) == (256, 342)


def test_uniform_clips_start_at_floor_of_i_times_n_minus_l_over_9():
    starts = clips.uniform_starts(num_frames=107, clip_length=8, n=10)
    assert starts.tolist() == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    assert clips.uniform_starts(30, 8, 10).tolist() == [0, 2, 4, 7, 9, 12, 14, 17, 19, 22]
    assert clips.uniform_starts(30, 8, 1).tolist() == [11]


def test_random_clips_reach_every_start_and_no_other():
    starts = clips.random_starts(20, 8, 2000, np.random.default_rng(0))
    assert set(starts.tolist()) == set(range(13))


def test_dense_clips_cover_the_whole_video():
    assert clips.dense_starts(20, 8).tolist() == [0, 8, 12]
    assert clips.dense_starts(24, 8).tolist() == [0, 8, 16]
    assert clips.dense_starts(10, 8, stride=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("sampling", ["random", "uniform", "dense"])
def test_a_clip_longer_than_its_video_starts_at_its_first_frame(sampling):
    starts = clips.starts_for_test(sampling, 5, 8, 10, np.random.default_rng(0))
    assert set(starts.tolist()) == {0}


def test_windows_lie_in_the_middle_or_anywhere_they_fit():
    assert clips.centre_window((64, 86), 56) == (4, 15)
    assert clips.centre_window((128, 171), 112) == (8, 29)
    rng = np.random.default_rng(0)
    corners = {clips.random_window((64, 86), 56, rng) for _ in range(3000)}
    assert corners == {(top, left) for top in range(9) for left in range(31)}
    with pytest.raises(ValueError, match="90 x 90 crop does not fit into frames of 64 x 86"):
        clips.centre_window((64, 86), 90)
