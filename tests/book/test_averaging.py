"""What averaging the scores of clips gains, against the accuracies of `evaluation` and against all pairs."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from studylib.book.averaging import choices, gain_of, right_with
from studylib.claims.verdicts_evidence import Undecidable
from studylib.training.evaluation import Predictions, clip_top1, video_top_k
from tests.fake_runs import fake_predictions


def test_the_averaged_clips_are_spread_over_the_video_and_each_counts_the_same():
    assert choices(2, 10) == [(0, 5), (1, 6), (2, 7), (3, 8), (4, 9)]
    assert choices(1, 3) == [(0,), (1,), (2,)]
    assert choices(10, 10) == [tuple(range(10))]
    for clips in range(1, 11):
        times = np.bincount(np.concatenate(choices(clips, 10)))
        assert len(set(times)) == 1


def test_one_clip_gives_clip_accuracy_and_all_give_video_accuracy():
    predictions = fake_predictions(clips=7)
    assert 100 * right_with(predictions, 1).mean() == pytest.approx(clip_top1(predictions))
    assert 100 * right_with(predictions, 7).mean() == pytest.approx(video_top_k(predictions, 1))
    assert gain_of(predictions, 1).tolist() == [0] * len(predictions.labels)
    gain = video_top_k(predictions, 1) - clip_top1(predictions)
    assert gain_of(predictions, 7).mean() == pytest.approx(gain)


def test_two_of_three_clips_are_the_mean_over_all_pairs():
    predictions = fake_predictions(clips=3)
    expected = []
    for scores, label in zip(predictions.clip_scores, predictions.labels, strict=True):
        pairs = [scores[list(pair)].astype(np.float32).mean(0).argmax() == label for pair in combinations(range(3), 2)]
        expected.append(np.mean(pairs))
    assert right_with(predictions, 2) == pytest.approx(expected)


def test_a_video_of_several_labels_is_right_with_any_of_them():
    scores = [np.array([[0.1, 0.2, 0.7]], np.float16)] * 2
    sets = [np.array([0, 2]), np.array([0, 1])]
    predictions = Predictions(["a", "b"], np.zeros(2, int), scores, ("x", "y", "z"), sets)
    assert right_with(predictions, 1).tolist() == [1, 0]


def test_videos_of_unequal_numbers_of_clips_cannot_be_averaged_alike():
    predictions = fake_predictions(clips=3)
    shorter = replace(predictions, clip_scores=[predictions.clip_scores[0][:2], *predictions.clip_scores[1:]])
    with pytest.raises(Undecidable, match=r"the videos have \[2, 3\]"):
        right_with(shorter, 2)
    with pytest.raises(Undecidable, match="4 clips"):
        right_with(predictions, 4)
