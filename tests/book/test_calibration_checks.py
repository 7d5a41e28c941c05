"""What the calibration requires: headroom, time scale, levels by cue group, met or not by what was run."""

import numpy as np
import pandas as pd
import pytest

from studylib.book import calibration, calibration_figures, calibration_gaps, calibration_seeds, calibration_tables
from studylib.book import calibration_checks as checks
from studylib.book.calibration import FIRST, OVERALL, SECOND
from tests.made_calibration import BASE, GOOD, MINI, MadeCalibration, named, verdicts


@pytest.fixture
def study(tmp_path):
    return MadeCalibration(tmp_path)


def test_the_accuracy_of_a_group_and_of_all_videos_is_the_mean_over_seeds(study):
    study.run(GOOD, net="r3d", seed=0).run(GOOD | {"tempo": 0.95}, net="r3d", seed=1)
    table = calibration.accuracies(study.load().base_runs).set_index("cue")
    assert table.loc["tempo", "accuracy"] == pytest.approx(85)
    assert table.loc[OVERALL, "accuracy"] == pytest.approx(75)
    assert table.loc[OVERALL, "order_blind"] == 62.5
    assert set(table["seeds"]) == {2}


def test_requirements_are_met_by_good_runs(study):
    study.run(GOOD, net="r3d", **BASE).run(dict.fromkeys(GOOD, 0.5) | {"pose": 0.9}, net="f_r2d", **BASE)
    table = checks.headroom_checks(study.load())
    told = verdicts(table)
    assert [told[f"R3D, video@1, {cue}"] for cue in (OVERALL, "pose", "direction", "tempo")] == ["met"] * 4
    blind = table[table["what"].str.startswith("f-R2D")]
    assert len(blind) == 6
    assert set(blind["verdict"]) == {"met"}
    row = table.set_index("what").loc[f"R3D, video@1, {OVERALL}"]
    assert row["measured"] == pytest.approx(72.5)
    assert row["low"] < 72.5 < row["high"]


@pytest.mark.parametrize(
    ("share", "what"),
    [
        (GOOD | {"sequence": 0.0, "tempo": 0.7, "direction": 0.7}, OVERALL),  # 58.75%
        (dict.fromkeys(GOOD, 0.85), OVERALL),
        (GOOD | {"pose": 0.98}, "pose"),
        (GOOD | {"direction": 0.55}, "direction"),
        (GOOD | {"tempo": 0.95}, "tempo"),
    ],
)
def test_a_level_outside_is_not_met(study, share, what):
    table = checks.headroom_checks(study.run(share, net="r3d", **BASE).load())
    assert verdicts(table)[f"R3D, video@1, {what}"] == "not met"


def test_a_network_that_tells_order_is_not_at_the_bound_inside_the_pairs(study):
    study.run(dict.fromkeys(GOOD, 0.5) | {"tempo": 0.8}, net="f_r2d", **BASE)
    table = checks.headroom_checks(study.load())
    table = table[table["what"].str.startswith("f-R2D")]
    told = {what: verdict for what, verdict in verdicts(table).items() if "tempo" in what}
    assert set(told.values()) == {"not met"}
    assert len(told) == 2
    assert set(table.loc[~table["what"].isin(told), "verdict"]) == {"met"}


def test_a_pair_that_is_never_right_has_no_member_to_be_right(study):
    predictions = named(GOOD)
    wrong = np.isin(predictions.labels, [4, 5])
    for i in np.flatnonzero(wrong):
        predictions.clip_scores[i] = np.roll(predictions.clip_scores[i], 7 - predictions.labels[i] // 4, axis=1)
    run = type("Run", (), {"predictions": predictions})
    assert np.isnan(checks.members_by_pair([run])["accuracy"].iloc[0])


def test_training_clips_have_to_be_ahead_of_the_test_with_both_below_the_ceiling(study):
    table = checks.headroom_checks(study.run(GOOD, net="r3d", **BASE).load()).set_index("what")
    runs = calibration.complete(study.load().base_runs, SECOND)
    train, test = 100 - runs["train_error"].mean(), runs["clip_top1"].mean()
    ahead = table.loc["R3D, training clips minus clip@1, points"]
    assert ahead["measured"] == pytest.approx(train - test)
    assert ahead["verdict"] == ("met" if train > test else "not met")
    assert table.loc["R3D, clip@1", "required"] == "below 87.5%"
    assert table.loc["R3D, clip@1", "verdict"] == "met"
    high = checks.headroom_checks(study.run(dict.fromkeys(GOOD, 0.9), net="r3d", **BASE).load()).set_index("what")
    assert high.loc["R3D, clip@1", "verdict"] == "not met"


def test_without_runs_every_table_says_not_run_and_no_number_is_shown(study):
    loaded = study.load()
    tables = [
        checks.headroom_checks(loaded),
        checks.time_scale_checks(loaded),
        checks.error_bar_checks(loaded),
    ]
    for table in tables:
        assert set(table["verdict"]) == {"not run"}
        html = calibration_tables.checks_table(table)._repr_html_()
        assert "not run" in html
        assert ">met<" not in html
        assert f"Not run:* {len(table)}" in calibration_tables.checks_note(table).data
    shown = [
        calibration_tables.difficulty_table(loaded),
        calibration_tables.difficulty_note(loaded),
        calibration_tables.time_scale_table(loaded),
        calibration_tables.hours_note(loaded),
        calibration_seeds.seeds_table(loaded),
        calibration_seeds.gap_note(loaded),
        calibration_seeds.half_widths_table(calibration_seeds.half_widths(loaded, MINI)),
        calibration_gaps.comparison_table(calibration.comparison(loaded, "lr"), "learning rate"),
        calibration_gaps.order_note(calibration.comparison(loaded, "lr")),
        calibration_gaps.precision_note(loaded),
        calibration_gaps.comparison_table(
            calibration.comparison(loaded, "standardise"), "standardised by"
        ),  # not even planned
    ]
    assert [text.data for text in shown] == ["*Not run.*"] * len(shown)
    assert calibration_figures.difficulty(loaded).data == "*Not run.*"
    assert calibration_figures.time_scale(loaded).data == "*Not run.*"


def test_difficulties_come_easiest_first_and_a_missing_net_is_said_to_be_not_run(study):
    study.run(dataset="pantomime-c", net="r3d").run(dict.fromkeys(GOOD, 0.85), dataset="pantomime-b").run(**BASE)
    loaded = study.load()
    assert calibration.by_difficulty(loaded)["difficulty"].unique().tolist() == [0.25, 0.5, 1]
    frame = calibration_tables.difficulty_table(loaded).frame.set_index("net")
    assert list(frame) == ["difficulty 0.25", "difficulty 0.5 (chosen)", "difficulty 1"]
    assert "not run" in frame.loc[FIRST, "difficulty 1"]
    assert ">72.5<" in frame.loc[SECOND, "difficulty 1"]
    assert ".html" in frame.loc[SECOND, "difficulty 1"]
    note = calibration_tables.difficulty_note(loaded).data
    assert "85.00% at 0.25, 72.50% at 0.5, 72.50% at 1." in note
    assert "between 60 and 80% at 0.5 and 1." in note


@pytest.mark.parametrize(("accuracy", "reaches"), [(0.81, "reaches"), (0.99, "does not reach")])
def test_where_no_difficulty_has_the_headroom_the_nearest_is_named(study, accuracy, reaches):
    study.run(dict.fromkeys(GOOD, accuracy), net="r3d", **BASE)
    note = calibration_tables.difficulty_note(study.load()).data
    assert "at none of them. Nearest is 0.5, " in note
    assert f"%, {reaches} into that range." in note


def test_time_scale_has_a_row_a_span_and_no_net_with_one_span(study):
    study.run(epochs=2, width=16).run(GOOD | {"sequence": 0.9}, clip_length=32)
    loaded = study.load()
    frame = calibration_tables.time_scale_table(loaded).frame
    assert frame["clip"].tolist() == ["8 frames", "16 frames", "8 frames, 4 apart", "32 frames"]
    assert frame["spans"].tolist() == ["8 frames", "16 frames", "29 frames", "32 frames"]
    assert set(frame["net"]) == {FIRST}
    assert frame["sequence"].str.startswith(("50.0", "90.0")).all()
    table = calibration.by_span(loaded)
    assert table.loc[table["span"] == 32].set_index("cue").loc["sequence", "accuracy"] == 90


def test_the_sequence_group_has_to_rise_with_the_span(study):
    study.run(epochs=2, width=16).run(GOOD | {"sequence": 0.9}, clip_length=32)
    told = verdicts(checks.time_scale_checks(study.load()))
    assert told == {
        "R(2+1)D, right member of the right pair, sequence, 8 frames": "met",
        "R(2+1)D, video@1, sequence, 16 frames minus 8 frames, points": "not met",
        "R(2+1)D, video@1, sequence, 8 frames, 4 apart minus 8 frames, points": "not met",
        "R(2+1)D, video@1, sequence, 32 frames minus 8 frames, points": "met",
    }


def test_the_gain_of_longer_clips_is_that_of_the_sequence_videos_alone(study):
    study.run(epochs=2, width=16).run(GOOD | {"sequence": 0.9, "pose": 0.5}, clip_length=32)
    gains = calibration.sequence_gain(study.load()).set_index("span")["gain"]
    assert gains[32].points == pytest.approx(40)
    assert gains[32].videos == 80


@pytest.mark.parametrize(
    ("measured", "required", "shown"),
    [
        (80.046875, "60 to 80%", "80.05"),
        (59.96, "60 to 80%", "59.96"),
        (79.58, "60 to 80%", "79.6"),
        (3.04, "at most 3", "3.04"),
    ],
)
def test_a_number_beside_a_limit_shows_on_which_side_it_is(measured, required, shown):
    row = {"what": "R3D", "required": required, "measured": measured, "low": 78.0, "high": 82.0, "note": ""}
    table = calibration_tables.checks_table(pd.DataFrame([row | {"verdict": "not met"}]))
    assert table.frame.loc[0, "measured (95% interval)"].startswith(f"{shown} ")
