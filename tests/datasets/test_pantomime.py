"""Pantomime: what its classes differ by, and what varies besides."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from studylib.datasets import pantomime
from studylib.datasets.pantomime.actions import ACTIONS, Draw, draw_sway, events, motion, with_sway
from studylib.datasets.pantomime.knobs import HARDEST, KNOBS, PARTS, Knobs, at_difficulty, draw_nuisances, generator
from studylib.datasets.pantomime.renderer import (
    JOINTS,
    camera_motion,
    draw_person,
    joints,
    make_camera,
    stand,
    to_frame,
)

GOLDEN = Path(__file__).parents[1] / "data" / "pantomime_golden.png"
# One frame each, without sensor noise (it does not compress) but for the first.
GOLDEN_FRAMES = (
    ("stork", "train", 3, KNOBS),
    ("hands_up", "train", 0, Knobs(noise=(0, 0))),
    ("circle_ccw", "test", 5, Knobs(noise=(0, 0))),
    ("march_fast", "train", 9, Knobs(noise=(0, 0))),
    ("ud_UDUD", "test", 14, Knobs(noise=(0, 0))),
    ("kick_fast_out", "fold2", 3, Knobs(noise=(0, 0))),
    ("clapjump_CCJJ", "rest", 7, Knobs(noise=(0, 0))),
)
DIRECTION_PAIRS = [("circle_cw", "circle_ccw"), ("lift_slow_up", "lift_fast_up"), ("kick_slow_out", "kick_fast_out")]
TEMPO_PAIRS = [("march_slow", "march_fast"), ("bend_slow", "bend_fast"), ("twist_slow", "twist_fast")]


def golden_frames() -> np.ndarray:
    """Frame 37 of each golden video, one above the other, (7 * 128, 172, 3)."""
    return np.vstack([pantomime.frames(*key, knobs=knobs)[37] for *key, knobs in GOLDEN_FRAMES])


def perform(action: str, number: int, knobs: Knobs = KNOBS, part: str = "train") -> dict[str, np.ndarray]:
    """The action's joint angles before sway, as video `number` shows them."""
    return motion(action, generator(7, part, number, "motion"), draw_nuisances(7, part, number, knobs), knobs)


# --- the classes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("forward", "backward"), DIRECTION_PAIRS)
def test_the_classes_of_a_direction_pair_are_each_others_time_reversal(forward, backward):
    for number in range(5):
        one, other = perform(forward, number), perform(backward, number)
        assert all(np.array_equal(one[joint], other[joint][::-1]) for joint in one)
        assert any(np.ptp(one[joint]) > 30 for joint in one), "it moves"


def test_the_arms_circle_clockwise_as_the_person_sees_it_in_circle_cw_only():
    for name, sign in (("circle_cw", 1), ("circle_ccw", -1)):
        for number in range(10):
            at = joints(perform(name, number), draw_person(7, number)[0])
            for side in "LR":
                # Seen from behind the person, left is to the left: clockwise is from left (x) to up (y).
                x, y = (at[f"wrist_{side}"] - at[f"shoulder_{side}"])[:, :2].T
                turned = np.unwrap(np.arctan2(y - y.mean(), x - x.mean()))
                assert sign * (turned[-1] - turned[0]) > 2 * np.pi


@pytest.mark.parametrize(("forward", "backward"), DIRECTION_PAIRS)
def test_a_single_frame_does_not_tell_the_direction(forward, backward):
    for joint in ("abduct_L", "hip_out_R"):
        one = [perform(forward, number)[joint][20] for number in range(200)]
        other = [perform(backward, number)[joint][20] for number in range(200, 400)]
        assert stats.ks_2samp(one, other).pvalue > 0.01


@pytest.mark.parametrize(("slow", "fast"), TEMPO_PAIRS)
def test_the_classes_of_a_tempo_pair_take_the_same_path_at_different_speed(slow, fast):
    steady = Knobs(tempo_jitter=0, slow_period=(2, 2), fast_period=(1, 1))
    for number in range(5):
        one, other = perform(slow, number, steady), perform(fast, number, steady)
        for joint in one:
            np.testing.assert_allclose(one[joint][::2], other[joint][:32], atol=1e-9)
    assert KNOBS.slow_period[0] > 1.5 * KNOBS.fast_period[1], "jitter of 6% leaves the tempi apart"


@pytest.mark.parametrize("pattern", ["ABAB", "AABB"])
def test_no_eight_frames_in_a_row_see_two_events_and_the_whole_video_tells_the_order(pattern):
    for number in range(300):
        draw = Draw(generator(3, "train", number, "motion"), draw_nuisances(3, "train", number), KNOBS, 1, "L")
        first, second = events(draw, pattern)
        active = np.flatnonzero(first + second)
        runs = np.split(active, np.flatnonzero(np.diff(active) > 1) + 1)
        assert all(after[0] - before[-1] >= 8 for before, after in itertools.pairwise(runs))
        # From an event's start to the next one's end it is 23.0 to 24.8 frames, of which up to 2 are not on a frame.
        assert all(21 <= after[-1] - before[0] <= 24.8 for before, after in itertools.pairwise(runs[1:-1]))
        order = "".join("A" if first[run].sum() > second[run].sum() else "B" for run in runs)
        assert len(order) >= 3
        assert order in pattern * 3
        assert order not in {"ABAB": "AABB", "AABB": "ABAB"}[pattern] * 3


@pytest.mark.parametrize("difficulty", [0, 1])
def test_the_person_is_in_the_frame_whatever_it_does(difficulty):
    knobs = at_difficulty(difficulty)
    for name in ACTIONS:
        for number in range(12):
            nuisances = draw_nuisances(7, "train", number, knobs)
            sway = draw_sway(generator(7, "train", number, "sway"))
            camera, (person, _) = make_camera(nuisances, knobs), draw_person(7, nuisances["person"], knobs)
            body = stand(with_sway(perform(name, number, knobs), sway), person, nuisances, sway)
            at = to_frame(camera.project(body)[0], *camera_motion(nuisances, sway, camera, knobs)) / 2  # stored pixels
            assert at.shape == (64, len(JOINTS), 2)
            assert (at > -4).all()
            assert (at < np.array([172, 128]) + 4).all()


# --- what must not tell the class ---------------------------------------------------------------------------------


def test_the_same_number_has_the_same_surroundings_under_every_action():
    for number in (2, 3):
        shown = [pantomime.frames(name, "test", number) for name in ("crouch", "march_fast", "arms_LLRR", "salute")]
        beside = [video[:, :60, :12] for video in shown]  # plate, camera, light, noise; no person comes that far out
        assert all(np.array_equal(corner, beside[0]) for corner in beside)
        assert not np.array_equal(shown[0], shown[1])


def test_no_nuisance_depends_on_the_class():
    videos, _ = pantomime.list_videos(960, 16, "source")
    videos = videos[videos["part"] == "train"]
    labels, drawn = videos["label"].to_numpy(), [draw_nuisances(7, "train", number) for number in videos["number"]]
    p_values = {}
    for name in drawn[0]:
        values = np.array([nuisances[name] for nuisances in drawn], float)
        p_values[name] = stats.kruskal(*(values[labels == label] for label in range(16))).pvalue
    assert len(p_values) > 30
    assert min(p_values.values()) > 0.01 / len(p_values), min(p_values, key=p_values.get)
    # The test would notice: the same statistic on something that does depend on the class.
    reach = np.array([perform(video.action, video.number)["abduct_L"].max() for video in videos[:320].itertuples()])
    assert stats.kruskal(*(reach[labels[:320] == label] for label in range(16))).pvalue < 1e-9


def test_each_part_has_persons_and_places_of_its_own():
    for kind in ("person", "place"):
        pools = {part: {draw_nuisances(7, part, number)[kind] for number in range(200)} for part in PARTS}
        for part, others in ((a, b) for a in pools for b in pools if a != b):
            assert pools[part].isdisjoint(pools[others])
            assert max(pools[part]) - min(pools[part]) < 90_000


# --- frames -------------------------------------------------------------------------------------------------------


def test_frames_equal_the_recorded_ones_to_one_grey_level_on_every_machine():
    recorded = cv2.imread(str(GOLDEN))[..., ::-1].astype(int)
    difference = np.abs(golden_frames() - recorded)
    assert difference.max() <= 1
    assert difference.mean() < 0.05


def test_the_same_arguments_give_the_same_frames_and_other_seeds_others():
    first = pantomime.frames("bend_slow", "train", 11, seed=5)
    assert (first.shape, first.dtype) == ((64, 128, 172, 3), np.uint8)
    assert np.array_equal(first, pantomime.frames("bend_slow", "train", 11, seed=5))
    assert not np.array_equal(first, pantomime.frames("bend_slow", "train", 11, seed=6))
    assert not np.array_equal(first, pantomime.frames("bend_slow", "test", 11, seed=5))
    with pytest.raises(ValueError, match=r"unknown action 'moonwalk'; there are: hands_up"):
        pantomime.frames("moonwalk", "train", 0)


# --- difficulty ---------------------------------------------------------------------------------------------------


def test_every_knob_of_the_hardest_differs_and_moves_in_a_straight_line():
    quarter = at_difficulty(0.25)
    for name, hard in HARDEST.items():
        easy, between = getattr(KNOBS, name), getattr(quarter, name)
        assert easy != hard, name
        np.testing.assert_allclose(between, 0.75 * np.array(easy) + 0.25 * np.array(hard), atol=1e-6)
    assert quarter.difficulty == 0.25
    assert at_difficulty(0) == KNOBS
    assert {name: getattr(at_difficulty(1), name) for name in HARDEST} == HARDEST
    for difficulty in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"difficulty: .* is not a number from 0 to 1"):
            at_difficulty(difficulty)


@pytest.mark.parametrize("difficulty", [0, 0.5, 1])
def test_at_every_difficulty_jitter_leaves_the_tempi_apart_and_a_stroke_has_a_slow_and_a_fast_half(difficulty):
    knobs = at_difficulty(difficulty)
    assert knobs.slow_period[0] * (1 - knobs.tempo_jitter) > knobs.fast_period[1] * (1 + knobs.tempo_jitter)
    for shares in (knobs.stroke_share, knobs.circle_share):
        assert 0.5 <= shares[0] < shares[1] < 0.95
    assert knobs.hands_up[0] > knobs.t_pose[1], "the level at which the arms are held tells the two"
