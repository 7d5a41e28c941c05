"""Clip and video accuracy, with values computed by hand."""

import hashlib
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from studylib.stats.fusion import fuse
from studylib.training.evaluation import (
    WAYS,
    Predictions,
    clip_top1,
    condense,
    named_right,
    read_predictions,
    together,
    video_top_k,
    write_predictions,
)


@pytest.fixture
def predictions():
    """Three videos, three classes, two clips each (the last one three)."""
    scores = [
        [[0.75, 0.25, 0.0], [0.25, 0.5, 0.25]],  # label 0: one clip right; mean .5 .375 .125, right
        [[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]],  # label 1: none right (a tie goes to the first class); mean .5 .375 .125
        [[0.0, 0.0, 1.0], [0.5, 0.5, 0.0], [0.5, 0.25, 0.25]],  # label 2: one right; mean .333 .25 .417, right
    ]
    arrays = [np.array(s, np.float16) for s in scores]
    return Predictions(["a.mp4", "b.mp4", "c.mp4"], np.array([0, 1, 2]), arrays, ("x", "y", "z"))


def test_clip_accuracy_counts_every_clip_the_same(predictions):
    assert clip_top1(predictions) == pytest.approx(100 * 2 / 7)


def test_video_accuracy_is_that_of_the_mean_softmax(predictions):
    assert video_top_k(predictions, 1) == pytest.approx(100 * 2 / 3)
    assert video_top_k(predictions, 2) == 100


@pytest.mark.parametrize("speakers", [None, ["F01", "F01", "M02"]])
def test_predictions_survive_their_file(predictions, tmp_path, speakers):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, replace(predictions, speakers=speakers))
    back = read_predictions(path)
    assert back.speakers == speakers
    assert (back.videos, back.classes) == (predictions.videos, predictions.classes)
    np.testing.assert_array_equal(back.labels, predictions.labels)
    for mine, theirs in zip(predictions.clip_scores, back.clip_scores, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(back.scores, predictions.scores)


@pytest.mark.parametrize("speakers", [None, ["F01", "M02"] * 20])
def test_condensed_predictions_name_the_same_classes_in_the_same_ranks(tmp_path, speakers):
    rng = np.random.default_rng(0)
    scores = [rng.dirichlet(np.ones(7), rng.integers(1, 6)).astype(np.float16) for _ in range(40)]
    whole = Predictions(
        [f"{i}.mp4" for i in range(40)], rng.integers(0, 7, 40), scores, tuple("abcdefg"), None, speakers
    )
    path = tmp_path / "predictions.parquet"
    write_predictions(path, whole)
    original = hashlib.sha256(path.read_bytes()).hexdigest()
    condense(path)
    kept, size = read_predictions(path), path.stat().st_size
    assert (kept.videos, kept.classes, kept.speakers) == (whole.videos, whole.classes, whole.speakers)
    assert clip_top1(kept) == clip_top1(whole)
    for k in range(1, 8):
        np.testing.assert_array_equal(named_right(kept, k), named_right(whole, k))
    np.testing.assert_array_equal(kept.scores.argmax(1), whole.scores.argmax(1))
    for mine, theirs in zip(kept.clip_scores, scores, strict=True):
        np.testing.assert_array_equal(mine.argmax(1), theirs.argmax(1))
    for way in WAYS:
        np.testing.assert_array_equal(kept.answers_by(way), whole.answers_by(way))
    some = np.arange(40) % 3 == 1
    rest = together([whole.some(some), kept.some(~some)])  # of a fold that is whole and one that is condensed
    for way in WAYS:
        answers = whole.answers_by(way)
        np.testing.assert_array_equal(rest.answers_by(way), np.concatenate([answers[some], answers[~some]]))
    assert pq.read_schema(path).metadata[b"sha256 of the whole file"].decode() == original
    with pytest.raises(ValueError, match="only the answers were kept"):
        fuse(kept, whole)
    condense(path)
    assert path.stat().st_size == size


@pytest.mark.parametrize("keep", [0, 100])
def test_a_damaged_file_of_predictions_is_named(predictions, tmp_path, keep):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, predictions)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"predictions\.parquet: not a table of predictions"):
        read_predictions(path)


def named_by(*scores, labels):
    """Predictions of a video for each list of clips."""
    arrays = [np.array(s, np.float16) for s in scores]
    classes = tuple("abcdefgh"[: arrays[0].shape[1]])
    return Predictions([f"{i}.mp4" for i in range(len(arrays))], np.array(labels), arrays, classes)


# Section 4.1: "average these 10 clip predictions"


def test_the_mean_is_of_softmax_scores_and_not_of_what_goes_into_the_softmax():
    # mean .600 .400; mean logarithm -2.37 -1.54, which would name the second class
    video = [[0.001, 0.999], [0.9, 0.1], [0.9, 0.1]]
    assert video_top_k(named_by(video, labels=[0]), 1) == 100


def test_the_mean_is_not_a_vote():
    # mean .593 .407, though two clips of three name the second class
    video = [[0.98, 0.02], [0.4, 0.6], [0.4, 0.6]]
    named = named_by(video, labels=[0])
    assert video_top_k(named, 1) == 100
    assert clip_top1(named) == pytest.approx(100 / 3)


def test_video_at_5_is_right_up_to_the_fifth_class_of_the_mean():
    # six classes, mean .3125 .1875 .1875 .125 .125 .0625: the fifth is class 4, the sixth class 5
    clips = [[0.375, 0.125, 0.25, 0.125, 0.0, 0.125], [0.25, 0.25, 0.125, 0.125, 0.25, 0.0]]
    fifth, sixth = named_by(clips, labels=[4]), named_by(clips, labels=[5])
    assert (video_top_k(fifth, 4), video_top_k(fifth, 5)) == (0, 100)
    assert (video_top_k(sixth, 5), video_top_k(sixth, 6)) == (0, 100)
