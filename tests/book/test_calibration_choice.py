"""What is chosen by the calibration, what is fixed, what the study cannot decide."""

from dataclasses import replace

import pytest

from studylib.book import calibration, calibration_choice, calibration_freeze, cost_tables
from studylib.book.calibration_seeds import known_variances
from studylib.datasets import pantomime
from studylib.runs.results import load_plan_runs
from studylib.stats.study_size import expected_half_width
from tests.made_calibration import BASE, GOOD, MINI, MadeCalibration, small_plan


@pytest.fixture
def study(tmp_path):
    return MadeCalibration(tmp_path)


MUCH, LITTLE = GOOD | {"direction": 0.95}, GOOD | {"direction": 0.78}  # 6.2 and 2 points better


def test_a_rate_is_taken_where_both_networks_gain_more_than_the_error_bar(study):
    study.run(**BASE, seed=0)
    assert calibration_choice.chosen(study.load(), "lr") is None
    study.run(MUCH, lr=0.0035).run(LITTLE, lr=0.028)
    loaded = study.load()
    assert calibration_choice.chosen(loaded, "lr") == 0.0035
    found = calibration_choice.changes(loaded, "lr").set_index("value")["mean_change"]
    assert found[0.0035].points == pytest.approx(6.25)
    assert found[0.028].low > 0  # it is better, by less than the error bar
    assert found[0.01] is None
    study.run(MUCH | {"tempo": 0.9}, lr=0.028)
    assert calibration_choice.chosen(study.load(), "lr") == 0.028  # the best of two that are


def test_a_rate_that_helps_one_network_and_hurts_the_other_is_not_taken(study):
    study.run(**BASE).run(**(BASE | {"lr": 0.0035}), net="r3d").run(lr=0.028)
    study.run(MUCH, lr=0.0035, net="r2plus1d").run(GOOD | {"direction": 0.45}, lr=0.0035, net="r3d")
    assert calibration_choice.chosen(study.load(), "lr") == 0.01


def test_float32_is_taken_where_the_precision_changes_the_difference_of_the_two(study):
    study.run(**BASE).run(GOOD | {"tempo": 0.77}, amp="fp32")
    assert calibration_choice.chosen(study.load(), "amp") == "bf16"
    study.run(MUCH, amp="fp32", net="r3d")
    assert calibration_choice.chosen(study.load(), "amp") == "fp32"


def test_a_width_that_is_better_is_not_taken_since_it_takes_longer(study):
    study.run(epochs=2, width=16).run(MUCH, width=32)
    loaded = study.load()
    assert calibration_choice.chosen(loaded, "width") == 16
    row = calibration_choice.choices_table(loaded, MINI).frame.set_index("setting").loc["width"]
    assert row.iloc[1].startswith("32: +6.2")
    assert row["by the rules"] == "<strong>16</strong>"


def test_a_setting_that_changes_the_difference_is_named_with_the_change(study):
    study.run(**BASE).run(GOOD | {"tempo": 0.77}, amp="fp32")
    assert calibration_choice.settings_note(study.load()).data.startswith("No setting that was tried")
    study.run(MUCH, amp="fp32", net="r3d")
    told = calibration_choice.settings_note(study.load()).data
    assert "at precision fp32 (−5.6 points, −7.6 to −3.7)" in told
    assert "learning rate" not in told  # not run: nothing is known of it


def test_what_is_not_run_or_not_planned_chooses_nothing_and_the_table_says_so(study):
    frame = calibration_choice.choices_table(study.load(), MINI).frame.set_index("setting")
    assert set(frame["by the rules"]) == {'<span class="not-run">not run</span>', "not tried"}
    assert frame.loc["initialisation", "by the rules"] == "not tried"
    assert frame.loc["learning rate", "plan mini"] == "0.056"


def test_the_frozen_study_has_what_the_rules_choose():
    loaded = calibration.load()
    own = {run.spec for run in MINI.runs if run.spec.experiment == "conv_types"}
    for name in calibration_choice.LABELS:
        choice = calibration_choice.chosen(loaded, name)
        assert {getattr(spec, name) for spec in own} == {loaded.base[name] if choice is None else choice}, name


def test_a_plan_is_frozen_when_it_fixes_the_videos_of_all_its_datasets():
    plan = small_plan(200, 2, 2)
    assert calibration_freeze.frozen_note(plan).data == (
        "*Not frozen yet:* the plan *m* does not fix the videos of pantomime-m."
    )
    plan.datasets["pantomime-m"]["train_videos"] = 1200
    assert calibration_freeze.frozen_table(plan).frame["manifest"].tolist() == ["not fixed"]
    fixed = replace(plan, manifests={"pantomime-m": "0123456789abcdef" * 4})
    assert calibration_freeze.frozen_note(fixed).data.startswith("Frozen: the plan *m*")
    row = calibration_freeze.frozen_table(fixed).frame.iloc[0]
    assert row["manifest"] == "<code>0123456789abcdef</code>"
    assert row["test videos"] == "200"


@pytest.mark.parametrize("name", MINI.datasets)
def test_the_study_is_frozen_to_the_videos_that_its_settings_give(name):
    assert pantomime.manifest_of(name, MINI.datasets[name]) == MINI.manifests[name]


def test_the_hours_of_the_study_are_those_of_its_plan_and_at_most_a_day_on_two_cores():
    rows = cost_tables.hours_table(MINI).frame.set_index("experiment")
    assert rows.loc["all", "runs"] == len(MINI.runs) == rows["runs"].iloc[:-1].sum()
    assert float(rows.loc["all", "one core"].removesuffix(" hours")) <= 2 * 24


def limits(study, videos=200, seeds=2):
    runs = load_plan_runs(MINI).assign(plan="m")
    return calibration_freeze.limits_table(runs, [study.load()], small_plan(videos, seeds, seeds)).frame


def test_a_claim_about_a_dataset_that_the_plan_has_not_shows_nothing(study):
    frame = limits(study)
    sizes = frame[frame["claim"].str.contains("Sizes of the datasets")].iloc[0]
    assert sizes["what it can show"] == "nothing"
    assert "datasets that this plan does not use" in sizes["why"]
    assert not frame["claim"].str.contains("R2plus1D|most accurate").any()  # that, it can decide


def test_whether_two_networks_can_be_found_equal_follows_from_how_wide_the_interval_will_be(study):
    def equal():
        frame = limits(study)
        return set(frame.loc[frame["why"].str.contains("two accuracies are equal"), "what it can show"])

    assert equal() == {"not known yet"}
    study.run(**BASE)
    known = known_variances([study.load()], "clip_top1")
    half_width = expected_half_width(known, 200, (2, 2))
    assert half_width > 2
    assert equal() == {"that it is false"}
    assert expected_half_width(known, 1_000_000, (2, 2)) < half_width
    assert calibration_freeze._of_accuracies(True, (4, 4), 1.5) == (
        "both",
        "It says that two accuracies are equal, the whole interval within 2 points of 0. With four seeds an interval "
        "of ±1.5 is expected: they may differ by 0.5 at most.",
    )


def test_a_claim_of_few_seeds_shows_large_differences_only_and_of_one_seed_nothing(study):
    study.run(**BASE)
    shows = dict(list(limits(study).groupby("what it can show")["claim"]))
    assert shows["numbers, no verdict"].str.contains("224 x 224").any()  # the plan has one seed of it
    assert shows["large differences"].str.contains("Clip accuracy rises").any()
    assert calibration_freeze._of_accuracies(False, (3, 3), 2.9) is None
    assert calibration_freeze._of_accuracies(False, (10, 2), 5.5) == (
        "large differences",
        "With 10 and two seeds an interval of ±5.5 is expected, more than the 3 points that the study asks for.",
    )


def test_the_seeds_of_a_claim_are_those_of_the_networks_with_the_fewest():
    names = ("r3d-18_8f_seed0", "r3d-18_8f_seed1", "mc3-18_8f_seed0", *[f"r2plus1d-18_8f_seed{s}" for s in (0, 4, 9)])
    specs = {run.name: run.spec for run in MINI.runs if run.spec.experiment == "conv_types"}

    def compared(*wanted):
        return calibration_freeze.compared([specs[name] for name in wanted])

    assert compared(*names[:2]) == ((1, 1), (2, 2))
    assert compared(*names[:3]) == ((1, 1), (1, 1))
    assert compared(*names[:2], *names[3:]) == ((0, 1), (3, 2))
    assert compared(*names[3:]) == ((0, 0), (3, 3))
