"""Intervals where people are tested: they cover what they say they cover."""

from pathlib import Path

import numpy as np
import pytest

from studylib.claims.parts import contrast
from studylib.stats import accuracy, difference
from studylib.stats.estimates import outcomes
from studylib.stats.intervals import speakers_interval
from studylib.training.evaluation import Predictions, condense, read_predictions, write_predictions

FOLDS = np.repeat(np.arange(5), 3)
NAMES = tuple(f"F{i:02d}" for i in range(15))


def net_of(rng: np.random.Generator, own: np.ndarray, run: float, clips: int, seeds: int) -> np.ndarray:
    """A network whose accuracy is 60% on average: speakers' parts `own` (15,), runs' of deviation `run`, in points."""
    p = (60 + own + rng.normal(0, run, (seeds, 5))[:, FOLDS]) / 100
    return 100 * rng.binomial(clips, p.clip(0.01, 0.99)) / clips


@pytest.mark.parametrize("seeds", [(3, 3), (6, 3), (1, 1), (3, 1)])
@pytest.mark.parametrize(("speaker", "run"), [(3, 1), (3, 3), (6, 2), (6, 4)])
def test_a_difference_is_covered_in_93_to_97_of_100_studies(seeds: tuple[int, int], speaker: float, run: float) -> None:
    rng = np.random.default_rng([*seeds, speaker, run])
    studies, covered = 1500, 0
    for _ in range(studies):
        common, apart = rng.normal(0, 8, 15), rng.normal(0, speaker, 15)
        one, other = (net_of(rng, common + part, run, 100, n) for part, n in zip((apart, 0), seeds, strict=True))
        low, high, _ = speakers_interval([one, -other], FOLDS)
        covered += low <= 0 <= high
    assert 93 <= 100 * covered / studies <= 97


def test_an_accuracy_is_covered_too() -> None:
    rng = np.random.default_rng(0)
    found = [speakers_interval([net_of(rng, rng.normal(0, 8, 15), 2, 100, 3)], FOLDS) for _ in range(1500)]
    assert 93 <= 100 * np.mean([low <= 60 <= high for low, high, _ in found]) <= 97


def predictions(right: dict[str, list[int]], clips: int = 2) -> Predictions:
    """Videos of speakers, each named right (1) or wrong (0) in all of its clips."""
    videos = [f"{speaker}/words/01/{i:02d}.mkv" for speaker, own in right.items() for i in range(len(own))]
    scores = [np.tile([r, 1 - r], (clips, 1)).astype(np.float16) for own in right.values() for r in own]
    speaker = [name for name, own in right.items() for _ in own]
    return Predictions(videos, np.zeros(len(videos), int), scores, ("Begin", "Choose"), None, speaker)


def test_the_accuracy_is_that_of_all_clips_also_where_speakers_have_unequal_numbers() -> None:
    net = {0: {1: predictions({"F01": [1, 1, 1, 0]}), 2: predictions({"M01": [0, 1]})}}
    assert accuracy(net).points == pytest.approx(100 * 4 / 6)
    assert accuracy(net, "clip_top1").points == pytest.approx(100 * 4 / 6)


def test_the_accuracy_is_the_same_where_only_answers_were_kept(tmp_path: Path) -> None:
    """Of a video's clips two are wrong, barely, and one is right, by far: the video is right."""
    path, net = tmp_path / "predictions.parquet", {}
    for fold, name in enumerate(("F01", "M01")):
        whole = predictions({name: [1, 0, 1]}, clips=3)
        whole.clip_scores[1] = np.array([[0.45, 0.55], [0.45, 0.55], [0.9, 0.1]], np.float16)
        write_predictions(path, whole)
        condense(path)
        net[fold] = read_predictions(path)
    assert accuracy({0: net}).points == pytest.approx(100)
    assert accuracy({0: net}, "clip_top1").points == pytest.approx(100 * 7 / 9)


def test_a_difference_needs_the_same_speakers() -> None:
    one = {0: {1: predictions({"F01": [1, 0]}), 2: predictions({"M01": [0, 1]})}}
    other = {0: {1: predictions({"F02": [1, 0]}), 2: predictions({"M01": [0, 1]})}}
    with pytest.raises(ValueError, match="not tested on the same videos"):
        difference(one, other)
    with pytest.raises(ValueError, match="F01 is tested in folds 1 and 2"):
        accuracy({0: {1: one[0][1], 2: one[0][1]}})
    with pytest.raises(ValueError, match="seed 1 was not tested"):
        accuracy({0: one[0], 1: other[0]})


def test_a_rule_takes_speakers_where_they_are_named_and_one_seed_of_five_folds_decides() -> None:
    rng = np.random.default_rng(0)

    def folds(share: float) -> dict[int, Predictions]:
        return {f: predictions({n: rng.random(20) < share for n in NAMES[3 * f : 3 * f + 3]}) for f in range(5)}

    one, other = ({seed: folds(share) for seed in range(2)} for share in (0.9, 0.5))
    part = contrast("gap", [outcomes(one, "clip_top1")], [outcomes(other, "clip_top1")])
    expected = difference(one, other, "clip_top1")
    assert expected.unit == "speakers"
    assert (part.points, part.low, part.high) == pytest.approx((expected.points, expected.low, expected.high))
    single = contrast("gap", [outcomes({0: one[0]})], [outcomes({0: other[0]})])
    assert (single.outcome, single.covers_seeds, single.freedom) == ("reproduced", True, 4)


def test_speakers_that_lie_close_by_chance_do_not_make_the_interval_narrower_than_seeds_alone():
    net, half = np.repeat([[50.0], [55.0], [60.0]], 15, 1), 2.8765149  # Student's t of 10 times (25 / 15)^0.5
    assert speakers_interval([net], FOLDS) == pytest.approx((55 - half, 55 + half, 10))


def test_one_run_of_one_fold_has_no_interval():
    assert np.isnan(speakers_interval([np.array([[60.0, 70.0]])], np.array([6, 6]))).all()
