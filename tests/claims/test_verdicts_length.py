"""The rules on clip length and resolution, tried on runs whose outcome is known."""

from dataclasses import replace

import numpy as np
import pytest

from studylib.claims.parts import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED, contrast
from studylib.claims.verdicts import clip_correlation, decide
from studylib.stats.estimates import outcomes
from tests.fake_runs import fake_predictions
from tests.verdict_runs import PLAN, lengths, outcome, scored, table, table2, trained


def test_clip_accuracy_has_to_rise_with_every_length():
    assert len(decide("run-clip-rises", table(lengths()), PLAN).parts) == 2
    assert outcome("run-clip-rises", lengths()) == REPRODUCED
    assert outcome("run-clip-rises", lengths(l32=65)) == INCONCLUSIVE
    assert outcome("run-clip-rises", lengths(l32=55)) == CONTRADICTED
    two = [run for run in lengths() if not run[0].startswith("l16")]
    assert decide("run-clip-rises", table(two), PLAN).missing == (
        "R(2+1)D-18 trained at 3 clip lengths (the plan has 2)",
    )


def test_video_accuracy_peaks_where_a_length_in_between_beats_both_ends():
    assert outcome("run-video-peak", lengths(l16=80)) == REPRODUCED
    assert outcome("run-video-peak", lengths(l8=60, l16=70, l32=90)) == CONTRADICTED
    assert outcome("run-video-peak", lengths(l8=90, l16=70, l32=60)) == CONTRADICTED
    assert outcome("run-video-peak", lengths(l8=60, l16=70, l32=70)) == INCONCLUSIVE


def test_the_short_net_on_long_clips_is_compared_with_itself_seed_by_seed():
    verdict = decide("run-8-at-32", table(lengths()), PLAN)
    assert verdict.outcome == REPRODUCED
    assert verdict.single.points == pytest.approx(10, abs=0.5)
    assert outcome("run-8-at-32", lengths(moved=60)) == INCONCLUSIVE
    assert outcome("run-8-at-32", lengths(moved=70)) == CONTRADICTED


def test_fine_tuned_is_close_to_from_scratch_and_better_than_short():
    assert outcome("run-finetune", lengths()) == REPRODUCED
    assert outcome("run-finetune", lengths(tuned=63)) == CONTRADICTED
    assert outcome("run-finetune", lengths(tuned=60, l32=60)) == INCONCLUSIVE


def test_long_filters_are_better_when_both_ways_of_training_on_long_clips_beat_short_filters_there():
    assert outcome("run-long-patterns", lengths()) == REPRODUCED
    assert outcome("run-long-patterns", lengths(tuned=50)) == INCONCLUSIVE
    assert outcome("run-long-patterns", lengths(tuned=30)) == CONTRADICTED
    assert outcome("run-long-patterns", [r for r in lengths() if not r[0].startswith("at32")]) == NOT_RUN


def test_the_correlation_of_clips_is_that_of_all_pairs():
    predictions = fake_predictions(clips=3)
    p = np.array([scores[:, label] for scores, label in zip(predictions.clip_scores, predictions.labels, strict=True)])
    p = p.astype(float) - p.astype(float).mean()
    pairs = [(p[:, i] * p[:, j]).mean() for i in range(3) for j in range(3) if i != j]
    assert clip_correlation(predictions).mean() == pytest.approx(np.mean(pairs) / (p**2).mean())
    assert clip_correlation(scored(60, whole=1.0)).mean() == pytest.approx(1)
    assert abs(clip_correlation(scored(60)).mean()) < 0.1


def test_the_interval_of_the_correlation_is_that_of_resampled_videos():
    predictions = fake_predictions(videos_a_class=12, clips=3)
    part = contrast("x", [outcomes({0: {1: predictions}}, clip_correlation)])
    rng, drawn = np.random.default_rng(0), []
    for _ in range(400):
        chosen = rng.integers(len(predictions.labels), size=len(predictions.labels))
        own = [predictions.clip_scores[i] for i in chosen]
        again = replace(predictions, labels=predictions.labels[chosen], clip_scores=own)
        drawn.append(clip_correlation(again).mean())
    assert (part.low, part.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.04)


def test_clips_are_more_correlated_when_those_of_long_clips_agree_more():
    assert outcome("run-correlation", lengths(whole=(0.1, 0.4, 0.8))) == REPRODUCED
    assert outcome("run-correlation", lengths(whole=(0.8, 0.4, 0.1))) == CONTRADICTED
    assert outcome("run-correlation", lengths(l8=60, l16=60, l32=60)) == INCONCLUSIVE


def test_resolution_makes_little_difference_within_the_margin():
    def runs(accuracy):
        return table2() + trained("high", accuracy, experiment="resolution", resolution=224)

    assert outcome("run-resolution", runs(75)) == REPRODUCED
    assert outcome("run-resolution", runs(90)) == CONTRADICTED
    assert outcome("run-resolution", runs(77)) == INCONCLUSIVE
    assert outcome("run-resolution", table2()) == NOT_RUN
