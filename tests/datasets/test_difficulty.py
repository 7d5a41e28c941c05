"""The difficulty of Pantomime: which knobs it moves, and how."""

from dataclasses import replace

import numpy as np
import pytest

from studylib.datasets.pantomime.actions import training_videos
from studylib.datasets.pantomime.knobs import HARDEST, KNOBS, at_difficulty


def test_difficulty_0_is_the_easiest_and_1_the_hardest():
    assert at_difficulty(0) == KNOBS
    hardest = at_difficulty(1)
    assert {name: getattr(hardest, name) for name in HARDEST} == HARDEST
    assert replace(hardest, difficulty=0.0, **{name: getattr(KNOBS, name) for name in HARDEST}) == KNOBS


def test_the_harder_the_fewer_videos_there_are_to_learn_from():
    assert [training_videos("source", d) for d in (0, 0.25, 0.5, 1)] == [1520, 1440, 1360, 1200]
    assert training_videos("target", 0.5) == 160
    with pytest.raises(ValueError, match="third"):
        training_videos("third")


def test_every_knob_of_the_hardest_differs_and_moves_in_a_straight_line():
    quarter = at_difficulty(0.25)
    for name, hard in HARDEST.items():
        easy, between = getattr(KNOBS, name), getattr(quarter, name)
        assert easy != hard, name
        np.testing.assert_allclose(between, 0.75 * np.array(easy) + 0.25 * np.array(hard), atol=1e-6)
    assert quarter.difficulty == 0.25


@pytest.mark.parametrize("difficulty", [-0.1, 1.1, float("nan")])
def test_a_difficulty_out_of_range_is_refused(difficulty):
    with pytest.raises(ValueError, match=r"difficulty: .* is not a number from 0 to 1"):
        at_difficulty(difficulty)


@pytest.mark.parametrize("difficulty", [0, 0.5, 1])
def test_at_every_difficulty_jitter_leaves_the_tempi_apart_and_a_stroke_has_a_slow_and_a_fast_half(difficulty):
    knobs = at_difficulty(difficulty)
    assert knobs.slow_period[0] * (1 - knobs.tempo_jitter) > knobs.fast_period[1] * (1 + knobs.tempo_jitter)
    for shares in (knobs.stroke_share, knobs.circle_share):
        assert 0.5 <= shares[0] < shares[1] < 0.95
    assert knobs.hands_up[0] > knobs.t_pose[1], "the level at which the arms are held tells the two"
