"""Two streams are averaged, video by video (section 4.4), and the official splits too (Table 5)."""

from dataclasses import replace

import numpy as np
import pytest

from studylib.stats import accuracy
from studylib.stats.fusion import fuse
from studylib.stats.intervals import Z95
from studylib.training.evaluation import (
    Predictions,
    clip_top1,
    read_predictions,
    video_top_k,
    wilson,
    write_predictions,
)
from tests.fake_runs import fake_predictions

CLASSES = ("x", "y", "z")


def stream(*scores: list[list[float]], labels: tuple[int, ...] = (0, 1)) -> Predictions:
    """Predictions of videos a.mp4, b.mp4 ... from their clips' scores."""
    names = [f"{'abcdefgh'[i]}.mp4" for i in range(len(scores))]
    return Predictions(names, np.array(labels), [np.array(s, np.float16) for s in scores], CLASSES)


@pytest.fixture
def rgb() -> Predictions:
    """Video a is named right, b wrong (z for y)."""
    return stream([[0.75, 0.25, 0.0], [0.5, 0.5, 0.0]], [[0.0, 0.25, 0.75], [0.25, 0.25, 0.5]])


@pytest.fixture
def flow() -> Predictions:
    """Video a is named wrong (y for x), b right."""
    return stream([[0.25, 0.75, 0.0], [0.25, 0.5, 0.25]], [[0.0, 1.0, 0.0], [0.25, 0.75, 0.0]])


def test_the_paper_averages_the_two_streams(rgb: Predictions, flow: Predictions) -> None:
    fused = fuse(rgb, flow)
    np.testing.assert_array_equal(fused.clip_scores[0], [[0.5, 0.5, 0.0], [0.375, 0.5, 0.125]])
    np.testing.assert_array_equal(fused.scores, [[0.4375, 0.5, 0.0625], [0.125, 0.5625, 0.3125]])
    assert (fused.videos, fused.classes) == (rgb.videos, rgb.classes)
    np.testing.assert_array_equal(fused.labels, rgb.labels)
    # clips: a's first is right (a tie goes to the first class), a's second is not, both of b's are
    assert clip_top1(fused) == 75
    assert video_top_k(fused, 1) == 50


def test_vmz_gives_rgb_six_tenths(rgb: Predictions, flow: Predictions) -> None:
    fused = fuse(rgb, flow, rgb_weight=0.6)
    # a: 0.6 x (.625 .375 0) + 0.4 x (.25 .625 .125), b: 0.6 x (.125 .25 .625) + 0.4 x (.125 .875 0)
    np.testing.assert_allclose(fused.scores, [[0.475, 0.475, 0.05], [0.125, 0.5, 0.375]], atol=1e-3)


def test_a_weight_of_one_is_rgb_and_of_nought_is_flow(rgb: Predictions, flow: Predictions) -> None:
    for weight, alone in ((1, rgb), (0, flow)):
        for fused, own in zip(fuse(rgb, flow, weight).clip_scores, alone.clip_scores, strict=True):
            np.testing.assert_array_equal(fused, own)


def test_a_stream_fused_with_itself_is_itself() -> None:
    alone = fake_predictions(seed=3)
    np.testing.assert_array_equal(fuse(alone, alone, 0.5).scores, alone.scores)


def test_the_fused_video_scores_are_the_mean_of_the_streams_video_scores() -> None:
    rgb, flow = fake_predictions(seed=1, clips=10), fake_predictions(seed=2, clips=10)
    expected = 0.6 * rgb.scores.astype(float) + 0.4 * flow.scores.astype(float)
    np.testing.assert_allclose(fuse(rgb, flow, 0.6).scores, expected, rtol=2**-9, atol=1e-6)


def test_streams_with_other_numbers_of_clips_are_fused_by_their_video_scores(rgb: Predictions) -> None:
    flow = stream([[0.25, 0.75, 0.0]], [[0.0, 1.0, 0.0], [0.25, 0.75, 0.0]])  # one clip of a
    fused = fuse(rgb, flow)
    assert [s.shape for s in fused.clip_scores] == [(1, 3), (1, 3)]
    np.testing.assert_array_equal(fused.scores, [[0.4375, 0.5625, 0.0], [0.125, 0.5625, 0.3125]])
    assert clip_top1(fused) == video_top_k(fused, 1) == 50


def test_fused_predictions_are_stored_like_any_others(rgb: Predictions, flow: Predictions, tmp_path) -> None:
    fused = fuse(rgb, flow)
    write_predictions(tmp_path / "fused.parquet", fused)
    np.testing.assert_array_equal(read_predictions(tmp_path / "fused.parquet").scores, fused.scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"videos": ["a.mp4"]}, r"video 1 is b\.mp4 in RGB and None in flow"),
        ({"videos": ["a.mp4", "b.mp4", "c.mp4"]}, r"video 2 is None in RGB and c\.mp4 in flow"),
        ({"videos": ["b.mp4", "a.mp4"]}, r"video 0 is a\.mp4 in RGB and b\.mp4 in flow"),
        ({"labels": np.array([0, 2])}, r"b\.mp4 has the labels \[1\] in RGB and \[2\] in flow"),
        ({"classes": ("x", "q", "z")}, "class 1 is y in RGB and q in flow"),
        ({"classes": ("x", "y")}, "class 2 is z in RGB and None in flow"),
        ({"label_sets": [np.array([0]), np.array([1, 2])]}, r"b\.mp4 has the labels \[1\] in RGB and \[1, 2\] in flow"),
    ],
)
def test_streams_that_differ_are_not_fused(rgb: Predictions, flow: Predictions, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fuse(rgb, replace(flow, **change))


def test_any_of_several_right_labels_stays_right_when_fused(rgb: Predictions, flow: Predictions) -> None:
    several = [np.array([1, 2]), np.array([0])]  # a: the mean names y, b: y too
    rgb, flow = (replace(stream, label_sets=several) for stream in (rgb, flow))
    assert video_top_k(fuse(rgb, flow), 1) == 50
    other = replace(flow, label_sets=[np.array([1]), np.array([0])])
    with pytest.raises(ValueError, match=r"a\.mp4 has the labels \[1, 2\] in RGB and \[1\] in flow"):
        fuse(rgb, other)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_is_a_share(rgb: Predictions, flow: Predictions, weight: float) -> None:
    with pytest.raises(ValueError, match=r"rgb_weight: .* is not between 0"):
        fuse(rgb, flow, weight)


def test_streams_that_err_on_other_videos_are_better_together() -> None:
    rgb = stream([[0.875, 0.125, 0.0]], [[0.5, 0.5, 0.0]], labels=(0, 1))
    flow = stream([[0.375, 0.625, 0.0]], [[0.125, 0.875, 0.0]], labels=(0, 1))
    assert [video_top_k(fuse(rgb, flow, weight), 1) for weight in (0, 0.5, 1)] == [50, 100, 50]


def split(right: int, videos: int, prefix: str) -> Predictions:
    """Predictions of `videos` videos, the first `right` of which are named right."""
    scores = [np.array([[1, 0, 0] if i < right else [0, 1, 0]], np.float16) for i in range(videos)]
    return Predictions([f"{prefix}{i}.mp4" for i in range(videos)], np.zeros(videos, int), scores, CLASSES)


def test_table_5_is_the_mean_of_three_splits() -> None:
    mean = accuracy({0: {2: split(6, 10, "b"), 1: split(9, 10, "a"), 3: split(6, 20, "c")}})
    assert mean.points == pytest.approx((90 + 60 + 30) / 3)
    assert (mean.tested, mean.unit) == (40, "videos")


def test_the_interval_of_many_videos_is_the_stratified_one() -> None:
    mean = accuracy({0: {1: split(3600, 3783, "a"), 2: split(3550, 3734, "b"), 3: split(3500, 3696, "c")}})
    shares = [(3600 / 3783, 3783), (3550 / 3734, 3734), (3500 / 3696, 3696)]
    half = 100 * Z95 * np.sqrt(sum(p * (1 - p) / n for p, n in shares)) / 3
    assert half == pytest.approx(0.41, abs=0.01)
    assert mean.half_width == pytest.approx(half, rel=0.01)


def test_splits_without_an_error_still_have_an_interval_and_one_has_its_own() -> None:
    one = accuracy({0: split(10, 10, "a")})
    assert (one.low, one.high) == pytest.approx(wilson(10, 10))
    mean = accuracy({0: {n: split(10, 10, str(n)) for n in (1, 2, 3)}})
    assert mean.high == pytest.approx(100)
    assert wilson(10, 10)[0] < mean.low == pytest.approx(100 - (100 - wilson(10, 10)[0]) / 3**0.5)


def test_videos_in_two_test_parts_widen_the_interval() -> None:
    apart = accuracy({0: {1: split(50, 100, "a"), 2: split(50, 100, "b")}})
    shared = split(50, 100, "a")
    shared = replace(shared, videos=[*shared.videos[:99], "b.mp4"])
    together = accuracy({0: {1: split(50, 100, "a"), 2: shared}})
    # 99 of 100 outcomes are the same, in each 50 right: correlation 0.99
    assert together.half_width / apart.half_width == pytest.approx(np.sqrt(1 + 0.99), rel=1e-3)
