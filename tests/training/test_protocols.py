"""The paper's test protocols, with values worked out by hand: which clips, which pixels, and how scores become one."""

import numpy as np
import pytest

from studylib.training.evaluation import Predictions, clip_top1, video_top_k
from studylib.video.clips import (
    centre_window,
    dense_starts,
    random_starts,
    scaled_size,
    starts_for_test,
    uniform_starts,
)
from studylib.video.reading import clip_frames


def generator(video: int = 0) -> np.random.Generator:
    return np.random.default_rng([3, video])


def covered(starts: np.ndarray, length: int) -> int:
    """How many different frames the clips show."""
    return len({start + k for start in starts.tolist() for k in range(length)})


def predictions(*scores: list[list[float]], labels: list[int]) -> Predictions:
    arrays = [np.array(s, np.float16) for s in scores]
    classes = tuple("abcdefgh"[: arrays[0].shape[1]])
    return Predictions([f"{i}.mp4" for i in range(len(arrays))], np.array(labels), arrays, classes)


# Section 4.1: "center crops of 10 clips randomly sampled from the video"


def test_random_clips_are_drawn_independently_so_that_one_may_come_twice() -> None:
    starts = random_starts(12, 8, 10, generator())  # 5 starts for 10 clips
    assert len(set(starts.tolist())) < len(starts)


def test_a_videos_random_clips_are_the_same_at_every_test_and_others_than_its_neighbours() -> None:
    first, again, neighbour = (starts_for_test("random", 300, 8, 10, generator(video)) for video in (5, 5, 6))
    assert first.tolist() == again.tolist() != neighbour.tolist()


def test_every_start_is_as_likely_as_any_other_the_last_one_too() -> None:
    counts = np.bincount(random_starts(17, 8, 10_000, generator()))  # starts 0 .. 9, each 1000 times, deviation 30
    assert len(counts) == 10
    assert np.abs(counts - 1000).max() < 5 * 30


# Section 4.3: "10 clips evenly spaced in the video"


def test_even_clips_of_ten_seconds_at_25_frames_a_second() -> None:
    # floor(i x 242 / 9), floor(i x 218 / 9), floor(i x 202 / 9)
    assert uniform_starts(250, 8, 10).tolist() == [0, 26, 53, 80, 107, 134, 161, 188, 215, 242]
    assert uniform_starts(250, 32, 10).tolist() == [0, 24, 48, 72, 96, 121, 145, 169, 193, 218]
    assert uniform_starts(250, 48, 10).tolist() == [0, 22, 44, 67, 89, 112, 134, 157, 179, 202]


def test_ten_even_clips_of_8_frames_leave_gaps_where_those_of_48_overlap() -> None:
    """What section 4.3 explains the fall of video accuracy by: long clips show the same frames again."""
    assert covered(uniform_starts(250, 8, 10), 8) == 80  # none twice
    assert covered(uniform_starts(250, 48, 10), 48) == 250  # 480 frames in ten clips, each seen about twice
    assert max(np.diff(uniform_starts(250, 48, 10))) == 23


# Section 4.4: Sports-1M, 100 clips a video; all clips of a video


def test_dense_clips_show_every_frame_and_their_number_follows_the_video() -> None:
    # 250 = 7 x 32 + 26: seven whole clips and one that ends with the video
    assert dense_starts(250, 32).tolist() == [0, 32, 64, 96, 128, 160, 192, 218]
    assert covered(dense_starts(250, 32), 32) == 250
    assert starts_for_test("dense", 256, 32, 10, generator()).tolist() == list(range(0, 256, 32))  # 10 is not read


# A video shorter than a clip


@pytest.mark.parametrize("sampling", ["random", "uniform", "dense"])
@pytest.mark.parametrize(("num_frames", "frames"), [(5, [0, 1, 2, 3, 4, 4, 4, 4]), (8, [0, 1, 2, 3, 4, 5, 6, 7])])
def test_a_video_no_longer_than_a_clip_is_one_clip(sampling: str, num_frames: int, frames: list[int]) -> None:
    starts = starts_for_test(sampling, num_frames, 8, 10, generator())
    assert clip_frames(starts.tolist(), 8, num_frames, "short.mp4").tolist() == [frames]


# "center crops"


def test_the_centre_crop_leaves_as_much_on_each_side() -> None:
    # 128 x 171: 8 rows above and below, 29 columns to the left and 30 to the right; 256 x 342: 16 and 16, 59 and 59
    assert centre_window(scaled_size(112), 112) == (8, 29)
    assert centre_window(scaled_size(224), 224) == (16, 59)


# "average these 10 clip predictions"


def test_the_mean_is_of_softmax_scores_and_not_of_what_goes_into_the_softmax() -> None:
    # mean .600 .400; mean logarithm -2.37 -1.54, which would name the second class
    video = [[0.001, 0.999], [0.9, 0.1], [0.9, 0.1]]
    assert video_top_k(predictions(video, labels=[0]), 1) == 100


def test_the_mean_is_not_a_vote() -> None:
    # mean .593 .407, though two clips of three name the second class
    video = [[0.98, 0.02], [0.4, 0.6], [0.4, 0.6]]
    named = predictions(video, labels=[0])
    assert video_top_k(named, 1) == 100
    assert clip_top1(named) == pytest.approx(100 / 3)


def test_video_at_5_is_right_up_to_the_fifth_class_of_the_mean() -> None:
    # six classes, mean .3125 .1875 .1875 .125 .125 .0625: the fifth is class 4, the sixth class 5
    clips = [[0.375, 0.125, 0.25, 0.125, 0.0, 0.125], [0.25, 0.25, 0.125, 0.125, 0.25, 0.0]]
    fifth, sixth = predictions(clips, labels=[4]), predictions(clips, labels=[5])
    assert (video_top_k(fifth, 4), video_top_k(fifth, 5)) == (0, 100)
    assert (video_top_k(sixth, 5), video_top_k(sixth, 6)) == (0, 100)


def test_a_video_with_more_clips_weighs_no_more_in_video_accuracy_but_does_in_clip_accuracy() -> None:
    named = predictions([[1.0, 0.0]] * 9, [[1.0, 0.0]], labels=[0, 1])
    assert clip_top1(named) == 90
    assert video_top_k(named, 1) == 50
