"""Pantomime: what its four cue groups promise, and that files survive whatever stops their making."""

import argparse
import errno
import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from studylib import card
from studylib.datasets import pantomime, production
from studylib.datasets.actions import ACTIONS, CUES, SOURCE, TARGET, VOCABULARIES, motion, training_videos
from studylib.datasets.index import DatasetError, load_index
from studylib.datasets.knobs import HARDEST, KNOBS, Knobs, at_difficulty
from studylib.datasets.motions import Beat, Draw, events
from studylib.datasets.nuisances import PARTS, beat, draw_nuisances, draw_sway, generator, person_of, with_sway
from studylib.datasets.puppet import JOINTS, joints
from studylib.datasets.renderer import camera_motion, stand, to_frame
from studylib.datasets.scenery import make_camera
from studylib.video import probe, read_clip

GOLDEN = Path(__file__).parent / "data" / "pantomime_golden.png"
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
SHORT = Knobs(num_frames=3)  # files for tests of the making, not of what they show
DIRECTION_PAIRS = [("circle_cw", "circle_ccw"), ("lift_slow_up", "lift_fast_up"), ("kick_slow_out", "kick_fast_out")]
TEMPO_PAIRS = [("march_slow", "march_fast"), ("bend_slow", "bend_fast"), ("twist_slow", "twist_fast")]
SEQUENCES = [action.name for action in ACTIONS.values() if action.cue == "sequence"]


def golden_frames() -> np.ndarray:
    """Frame 37 of each golden video, one above the other, (7 * 128, 172, 3)."""
    return np.vstack([pantomime.frames(*key, knobs=knobs)[37] for *key, knobs in GOLDEN_FRAMES])


def perform(action: str, number: int, knobs: Knobs = KNOBS, part: str = "train") -> dict[str, np.ndarray]:
    """The action's joint angles before sway, as video `number` shows them."""
    nuisances = draw_nuisances(7, part, number, knobs)
    return motion(action, generator(7, part, number, "motion"), beat(nuisances, knobs), knobs)


# --- the classes --------------------------------------------------------------------------------------------------


def test_the_source_has_four_and_the_target_two_classes_of_each_cue():
    for vocabulary, count in ((SOURCE, 4), (TARGET, 2)):
        assert [action.cue for action in vocabulary] == [cue for cue in CUES for _ in range(count)]
    assert len(ACTIONS) == 24, "a name means one action in both vocabularies"
    assert all(action.description for action in ACTIONS.values())


@pytest.mark.parametrize(("forward", "backward"), DIRECTION_PAIRS)
def test_the_classes_of_a_direction_pair_are_each_others_time_reversal(forward, backward):
    for number in range(5):
        one, other = perform(forward, number), perform(backward, number)
        assert all(np.array_equal(one[joint], other[joint][::-1]) for joint in one)
        assert any(np.ptp(one[joint]) > 30 for joint in one), "it moves"


def test_the_arms_circle_clockwise_as_the_person_sees_it_in_circle_cw_only():
    for name, sign in (("circle_cw", 1), ("circle_ccw", -1)):
        for number in range(10):
            at = joints(perform(name, number), person_of(7, number))
            for side in "LR":
                # Seen from behind the person, left is to the left: clockwise is from left (x) to up (y).
                x, y = (at[f"wrist_{side}"] - at[f"shoulder_{side}"])[:, :2].T
                turned = np.unwrap(np.arctan2(y - y.mean(), x - x.mean()))
                assert sign * (turned[-1] - turned[0]) > 2 * np.pi


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_the_arms_are_in_the_lower_half_of_a_circle_for_the_share_of_the_slow_half(share):
    even = Knobs(tempo_jitter=0, circle_share=(share, share), stroke_period=(3, 3), num_frames=600)
    at = joints(perform("circle_cw", 2, even), person_of(7, 2))
    for side in "LR":
        height = (at[f"wrist_{side}"] - at[f"shoulder_{side}"])[:, 1]
        middle = (height.min() + height.max()) / 2
        assert (height < middle).mean() == pytest.approx(share, abs=0.06)


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
        draw = Draw(generator(3, "train", number, "motion"), beat(draw_nuisances(3, "train", number)), KNOBS, 1, "L")
        first, second = events(draw, pattern)
        active = np.flatnonzero(first + second)
        runs = np.split(active, np.flatnonzero(np.diff(active) > 1) + 1)
        assert all(after[0] - before[-1] >= 8 for before, after in itertools.pairwise(runs))
        order = "".join("A" if first[run].sum() > second[run].sum() else "B" for run in runs)
        assert len(order) >= 3
        assert order in pattern * 3
        assert order not in {"ABAB": "AABB", "AABB": "ABAB"}[pattern] * 3


def test_pose_classes_hold_still_and_all_others_move():
    for name, action in ACTIONS.items():
        movement = max(np.ptp(values) for values in perform(name, 4).values())
        assert movement == 0 if action.cue == "pose" else movement > 20


@pytest.mark.parametrize("difficulty", [0, 1])
def test_the_person_is_in_the_frame_whatever_it_does(difficulty):
    knobs = at_difficulty(difficulty)
    for name in ACTIONS:
        for number in range(12):
            nuisances, sway = (
                draw_nuisances(7, "train", number, knobs),
                draw_sway(generator(7, "train", number, "sway")),
            )
            camera, person = make_camera(nuisances, knobs), person_of(7, nuisances["person"], knobs)
            body = stand(with_sway(perform(name, number, knobs), sway), person, nuisances, sway)
            at = to_frame(camera.project(body)[0], *camera_motion(nuisances, sway, camera, knobs)) / 2  # stored pixels
            assert at.shape == (64, len(JOINTS), 2)
            assert (at > -4).all()
            assert (at < np.array([172, 128]) + 4).all()


# --- difficulty ---------------------------------------------------------------------------------------------------


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


def test_the_dataset_card_tells_every_knob_that_difficulty_moves():
    table = card.difficulty_table(0, 1).frame
    assert len(table) == len(HARDEST) + 1
    haze = table[table["knob"] == card.MOVED["haze"][0]].iloc[0]
    assert (haze["at 0"], haze["at 1"]) == tuple("{:.2f} to {:.2f}".format(*k.haze) for k in map(at_difficulty, (0, 1)))
    assert table.iloc[-1].tolist()[1:] == [1520, 1200]


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


def test_the_classes_of_a_direction_pair_are_each_others_time_reversal_when_it_is_hardest():
    for forward, backward in DIRECTION_PAIRS:
        one, other = (perform(name, 3, at_difficulty(1)) for name in (forward, backward))
        assert all(np.array_equal(one[joint], other[joint][::-1]) for joint in one)


def test_the_same_number_has_the_same_person_and_phase_at_every_difficulty():
    easy, hard = (draw_nuisances(7, "train", 5, at_difficulty(d)) for d in (0, 1))
    assert {name: easy[name] for name in ("person", "place", "phase", "tempo_jitter")} == {
        name: hard[name] for name in ("person", "place", "phase", "tempo_jitter")
    }
    assert abs(hard["yaw"]) > abs(easy["yaw"])


# --- what must not tell the class ---------------------------------------------------------------------------------


def test_the_same_number_has_the_same_surroundings_under_every_action():
    for number in (2, 3):
        shown = [pantomime.frames(name, "test", number) for name in ("crouch", "march_fast", "arms_LLRR", "salute")]
        beside = [video[:, :60, :12] for video in shown]  # plate, camera, light, noise; no person comes that far out
        assert all(np.array_equal(corner, beside[0]) for corner in beside)
        assert not np.array_equal(shown[0], shown[1])


def test_no_nuisance_depends_on_the_class():
    videos, _ = pantomime.list_videos(960, 16, "source")
    labels = np.array([video.label for video in videos if video.part == "train"])
    drawn = [draw_nuisances(7, "train", video.number) for video in videos if video.part == "train"]
    p_values = {}
    for name in drawn[0]:
        values = np.array([nuisances[name] for nuisances in drawn])
        if values.dtype.kind in "fi":
            p_values[name] = stats.kruskal(*(values[labels == label] for label in range(16))).pvalue
        else:
            table = [[np.sum(values[labels == label] == kind) for kind in np.unique(values)] for label in range(16)]
            p_values[name] = stats.chi2_contingency(table).pvalue
    assert len(p_values) > 60
    assert min(p_values.values()) > 0.01 / len(p_values), min(p_values, key=p_values.get)
    # The test would notice: the same statistic on something that does depend on the class.
    reach = np.array([perform(video.action, video.number)["abduct_L"].max() for video in videos[:320]])
    assert stats.kruskal(*(reach[labels[:320] == label] for label in range(16))).pvalue < 1e-9


def test_each_part_has_persons_and_places_of_its_own():
    for kind in ("person", "place"):
        pools = {part: {draw_nuisances(7, part, number)[kind] for number in range(200)} for part in PARTS}
        for part, others in ((a, b) for a in pools for b in pools if a != b):
            assert pools[part].isdisjoint(pools[others])
            assert max(pools[part]) - min(pools[part]) < 90_000
    with pytest.raises(ValueError, match="persons"):
        Knobs(persons=200_000)


def test_nuisances_stay_within_their_knobs():
    drawn = [draw_nuisances(7, "train", number) for number in range(300)]
    for name in ("yaw", "elevation", "distance", "gain", "noise"):
        low, high = getattr(KNOBS, name)
        values = [nuisances[name] for nuisances in drawn]
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
    assert all(KNOBS.haze[0] <= nuisances["place_haze"] <= KNOBS.haze[1] for nuisances in drawn)


# --- frames -------------------------------------------------------------------------------------------------------


def test_frames_equal_the_recorded_ones_to_one_grey_level_on_every_machine():
    recorded = cv2.imread(str(GOLDEN))[..., ::-1].astype(int)
    difference = np.abs(golden_frames() - recorded)
    assert difference.max() <= 1
    assert difference.mean() < 0.05


def test_the_same_arguments_give_the_same_frames_and_other_seeds_others():
    first = pantomime.frames("bend_slow", "train", 11, seed=5)
    assert first.shape == (64, 128, 172, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, pantomime.frames("bend_slow", "train", 11, seed=5))
    assert not np.array_equal(first, pantomime.frames("bend_slow", "train", 11, seed=6))
    assert not np.array_equal(first, pantomime.frames("bend_slow", "test", 11, seed=5))


def test_an_unknown_action_or_part_is_named():
    with pytest.raises(ValueError, match=r"unknown action 'moonwalk'; there are: hands_up"):
        pantomime.frames("moonwalk", "train", 0)
    with pytest.raises(ValueError, match=r"unknown part 'valid'; there are: train"):
        pantomime.frames("crouch", "valid", 0)
    with pytest.raises(ValueError, match="negative"):
        pantomime.frames("crouch", "train", -1)


def test_the_contact_sheet_has_a_row_for_each_class():
    sheet = pantomime.contact_sheet("target", columns=3)
    assert sheet.shape == (8 * 128, 3 * 172, 3)
    row = pantomime.frames("side_lunge", "fold1", 1)[4]
    assert np.array_equal(sheet[128:256, 172:344], row)


# --- the dataset on disk ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """32 training and 16 test videos of three frames, made by one process."""
    root = tmp_path_factory.mktemp("data")
    return pantomime.make("tiny", 32, 16, data_root=root, workers=1, progress=False, knobs=SHORT)


def test_the_files_are_h264_videos_that_show_the_frames(made):
    assert len(made.table) == 48
    for row in made.table.to_pylist()[::7]:
        info = probe(made.path(row["path"]))
        assert (info.num_frames, info.fps, info.width, info.height) == (3, 16, 172, 128)
        shown = read_clip(made.path(row["path"]), 0, 3, size=(128, 172)).numpy().astype(int)
        rendered = pantomime.frames(made.classes[row["label"]], row["pool"], row["number"], knobs=SHORT)
        assert np.abs(shown - rendered).mean() < 6


def test_every_class_has_as_many_videos_and_the_manifest_tells_how_they_were_made(made):
    for part, count in (("train", 2), ("test", 1)):
        labels = made.subset(1, part)["label"].to_pylist()
        assert np.bincount(labels).tolist() == [count] * 16
    cues = dict(zip(made.table["label"].to_pylist(), made.table["cue"].to_pylist(), strict=True))
    assert [cues[label] for label in range(16)] == [action.cue for action in SOURCE]
    assert made.facts["settings"]["haze"] == [0.55, 0.75]
    assert made.facts["settings"]["seed"] == 7
    assert made.facts["actions"]["stork"]["cue"] == "pose"
    assert load_index("tiny", made.folder.parent).manifest_hash == made.manifest_hash


def test_two_processes_make_the_same_dataset_as_one(made, tmp_path):
    other = pantomime.make("tiny", 32, 16, data_root=tmp_path, workers=2, progress=False, knobs=SHORT)
    assert other.table == made.table
    assert other.manifest_hash == made.manifest_hash


def test_files_that_another_machine_writes_otherwise_are_the_same_videos(made, tmp_path, monkeypatch):
    monkeypatch.setattr(pantomime, "write_video", partial(pantomime.write_video, preset="medium"))
    other = pantomime.make("tiny", 32, 16, data_root=tmp_path, workers=1, progress=False, knobs=SHORT)
    assert other.table["sha256"] != made.table["sha256"]
    assert other.table.drop_columns("sha256") == made.table.drop_columns("sha256")
    assert other.manifest_hash == made.manifest_hash


def test_called_again_it_makes_only_what_is_missing_or_damaged(tmp_path):
    def make(train):
        return pantomime.make("again", train, 16, data_root=tmp_path, workers=1, progress=False, knobs=SHORT)

    first = make(16)
    lost, damaged, *kept = [first.path(path) for path in first.table["path"].to_pylist()]
    lost.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-100])
    (damaged.parent / ".x.mp4.1.partial").write_bytes(b"half")
    with open(first.folder / "videos.jsonl", "a") as journal:
        journal.write('{"path": "videos/tr')  # torn by a kill
    before = {path: path.stat().st_mtime_ns for path in kept}
    again = make(16)
    assert again.table == first.table
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert sorted(p.name for p in damaged.parent.iterdir()) == sorted(
        Path(p).name for p in again.subset(1, "train")["path"].to_pylist()
    )
    larger = make(32)
    assert len(larger.table) == 48
    assert {path: path.stat().st_mtime_ns for path in kept} == before


def test_other_settings_under_the_same_name_are_refused(made):
    make = {"data_root": made.folder.parent, "workers": 1, "progress": False}
    with pytest.raises(DatasetError, match=r"settings.json: .* made with seed 7, not 8: take another name"):
        pantomime.make("tiny", 32, 16, seed=8, knobs=SHORT, **make)
    with pytest.raises(DatasetError, match=r"num_frames 3, not 64"):
        pantomime.make("tiny", 32, 16, **make)
    with pytest.raises(DatasetError, match=r"vocabulary source, not target"):
        pantomime.make("tiny", 32, 16, vocabulary="target", knobs=SHORT, **make)
    assert load_index("tiny", made.folder.parent).manifest_hash == made.manifest_hash


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((8, 16, 7, "source"), "16 classes"),
        ((16, 16, -1, "source"), "seed must not be negative"),
        ((16, 16, 7, "third"), "take one of source, target"),
        ((24, 16, 7, "target"), "train must be at least 32"),
    ],
)
def test_arguments_that_make_no_dataset_are_refused_before_anything_is_written(arguments, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        pantomime.make("no", *arguments, data_root=tmp_path)
    assert not list(tmp_path.iterdir())


def write_bytes_until_full(path: Path, content: str) -> None:
    if content == "too much":
        raise OSError(errno.ENOSPC, f"{path}: cannot write (No space left on device)")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_a_full_disk_is_one_clear_error_and_what_is_there_stays(tmp_path):
    jobs = {f"videos/train/{name}": (name,) for name in ("a", "b", "too much", "c")}
    with pytest.raises(OSError, match=r"stopped after 2 of 4 videos .*No space left.*call again") as caught:
        production.produce(tmp_path, {"seed": 1}, jobs, write_bytes_until_full, workers=1, progress=False)
    assert caught.value.errno == errno.ENOSPC
    assert sorted(production.whole_files(tmp_path)) == ["videos/train/a", "videos/train/b"]
    jobs["videos/train/too much"] = ("less",)
    hashes = production.produce(tmp_path, {"seed": 1}, jobs, write_bytes_until_full, workers=1, progress=False)
    assert list(hashes) == list(jobs)


def test_a_kill_leaves_no_half_video_and_the_next_call_goes_on(tmp_path):
    arguments = "'killed', 64, 16, data_root=sys.argv[1], workers=2, progress=False"
    code = f"import sys; from studylib.datasets import pantomime as p; p.make({arguments})"
    making = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    journal = tmp_path / "killed" / "videos.jsonl"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") >= 3):
        assert making.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(making.pid, signal.SIGKILL)
    making.wait()
    videos = list(tmp_path.glob("killed/videos/*/*.mp4"))
    assert 3 <= len(videos) < 80
    assert {probe(video).num_frames for video in videos} == {64}
    assert len(production.whole_files(tmp_path / "killed")) >= 3


def test_the_target_has_three_splits_whose_test_folds_share_nothing(tmp_path):
    target = pantomime.make("t", 24, 8, vocabulary="target", data_root=tmp_path, workers=1, progress=False, knobs=SHORT)
    assert target.splits == (1, 2, 3)
    assert target.classes == tuple(action.name for action in VOCABULARIES["target"])
    tested = []
    for split in target.splits:
        train, test = (target.subset(split, part).to_pylist() for part in ("train", "test"))
        assert (len(train), len(test)) == (24, 8)
        assert {row["label"] for row in test} == set(range(8))
        persons = [{draw_nuisances(7, row["pool"], row["number"])["person"] for row in rows} for rows in (train, test)]
        assert persons[0].isdisjoint(persons[1])
        tested += [row["path"] for row in test]
    assert len(set(tested)) == 24


def test_the_command_line_makes_a_dataset_and_reports_its_counts(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path))
    parser = argparse.ArgumentParser()
    pantomime.add_arguments(parser)
    given = "--name small --vocabulary target --train 16 --test 8 --seed 2 --difficulty 0.5 --workers 1"
    pantomime.main(parser.parse_args(given.split()))
    assert "split3: 16 train, 8 test" in capsys.readouterr().out
    assert len(load_index("small").table) == 24
    settings = load_index("small").facts["settings"]
    assert settings["difficulty"] == 0.5
    assert settings["yaw"] == list(at_difficulty(0.5).yaw)
    pantomime.main(parser.parse_args([*given.split(), "--manifest", load_index("small").manifest_hash]))
    with pytest.raises(DatasetError, match=r"dataset small: its manifest is \w+, the plan fixes ababababab"):
        pantomime.main(parser.parse_args([*given.split(), "--manifest", "ab" * 32]))


def test_the_beat_starts_at_the_drawn_phase_and_keeps_the_period():
    seconds = np.arange(64) / 16
    steady = Beat(seconds, phase=0.25, jitter=0, jitter_rate=0.2, jitter_phase=0)
    np.testing.assert_allclose(steady.cycles(2.0), 0.25 + seconds / 2)
    wavering = Beat(seconds, phase=0.25, jitter=0.06, jitter_rate=0.2, jitter_phase=0.4)
    speed = np.diff(wavering.cycles(2.0)) * 16 * 2
    assert 0.93 < speed.min() < speed.max() < 1.07
