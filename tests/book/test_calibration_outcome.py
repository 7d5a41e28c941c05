"""How the study came out, beside what its calibration had led to expect."""

import pytest

from studylib.book import calibration, calibration_checks
from studylib.book.calibration import FIRST, SECOND
from studylib.book.calibration_outcome import first_epoch, learned_table, spread_note
from tests.made_calibration import BASE, GOOD, MadeCalibration


@pytest.fixture
def made(tmp_path):
    return MadeCalibration(tmp_path)


@pytest.fixture
def study(tmp_path):
    return MadeCalibration(tmp_path, "mini")


def test_the_study_starts_from_the_calibrations_base():
    of_mini, base = calibration.load(name="mini").base, calibration.load().base
    differing = {name for name in base if base[name] != of_mini[name]}
    assert differing == {"dataset"}


def test_requirements_are_put_to_the_plan_that_is_named(made, study):
    made.run(GOOD | {"pose": 0.5}, net="r3d", **BASE)
    study.run(net="r3d", **BASE)
    of_each = [calibration_checks.headroom_checks(own.load()).loc[0, "measured"] for own in (made, study)]
    assert of_each == pytest.approx([61.25, 72.5], abs=0.2)


def test_the_spread_of_seeds_stands_beside_the_calibrations_and_the_interval_beside_the_expected_one(made, study):
    made.run(net="r3d", **BASE).run(net="r2plus1d", **BASE)
    study.run(net="r3d", **BASE).run(net="r2plus1d", **BASE).run(GOOD | {"tempo": 0.5}, net="r2plus1d", seed=2, **BASE)
    as_run = study.load()
    text = spread_note(made.load(), as_run).data
    spread = calibration.complete(as_run.base_runs, FIRST)["video_top1"].std()
    assert spread > 1
    assert f"{FIRST} {spread:.1f} here and 0.0 in the calibration" in text
    assert f"{SECOND} 0.0 here" in text
    width = calibration.gap(as_run.base_runs).half_width
    assert text.endswith(f"was to be expected; it is ±{width:.1f}.")


def test_without_two_seeds_of_both_no_spread_is_told(made):
    made.run(net="r3d", **BASE).run(net="r2plus1d", seed=0, **BASE)
    assert spread_note(made.load(), made.load()).data == "*Not run.*"
    assert len(learned_table(made.load()).frame) == 4


def test_a_run_begins_with_the_first_epoch_off_chance(made):
    made.run(net="r3d", seed=0, **BASE)
    run = calibration.complete(made.load().base_runs, SECOND)["result"].iloc[0]
    chance = 100 * (1 - 1 / len(run.predictions.classes))
    run.history["train_error"] = [chance, 0.97 * chance, 0.95 * chance, chance]
    assert first_epoch(run) == 3
    run.history["train_error"] = chance
    assert first_epoch(run) is None


def test_what_a_seed_has_learned_is_told_pair_by_pair(made):
    made.run(GOOD | {"tempo": 1.0}, net="r2plus1d", seed=0, **BASE)
    made.run(net="r3d", seed=1, **BASE)
    table = learned_table(made.load()).frame
    assert table["net"].tolist() == [FIRST, SECOND]
    own = table.iloc[0]
    pairs = calibration_checks.members_by_pair(calibration.complete(made.load().base_runs, FIRST)["result"])
    told = pairs[~pairs["pair"].str.contains("arms|ud_")]  # those of sequence are out of reach
    assert list(own.index[5:]) == list(told["pair"])
    assert [own[pair] for pair in told["pair"]] == [f"{value:.0f}" for value in told["accuracy"]]
    assert own[[c for c in table.columns if c.startswith("march")]].tolist() == ["100"]


def test_nothing_recorded_is_said_to_be_not_run(made):
    assert learned_table(made.load()).data == "*Not run.*"
