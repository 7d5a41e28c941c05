"""How the embedded study was set: runs are found by their settings, and verdicts and sentences follow the data."""

import re
from dataclasses import replace

import numpy as np
import pytest

from studylib import (
    calibration,
    calibration_choice,
    calibration_figures,
    calibration_freeze,
    calibration_gaps,
    calibration_tables,
    cues,
    study_hours,
)
from studylib import calibration_checks as checks
from studylib.calibration import FIRST, OVERALL, SECOND
from studylib.evaluation import Predictions
from studylib.plan import REPOSITORY, Plan, PlannedRun, load_plan
from studylib.results import load_plan_runs
from studylib.spec import RunSpec
from tests.fake_runs import PANTOMIME, write_fake_run

PLAN = """
title: "calibration: for tests"
datasets:
  pantomime-a: {test_videos: 320, seed: 9, difficulty: 0.5}
  pantomime-b: {test_videos: 320, seed: 9, difficulty: 0.25}
  pantomime-c: {test_videos: 320, seed: 9, difficulty: 1}
defaults: {experiment: conv_types, dataset: pantomime-a, width: 16, epochs: 4, clips_per_epoch: 100}
runs:
  - {net: [r3d, r2plus1d], seed: [0, 1, 2]}
  - {net: [f_r2d], seed: [0]}
  - {name: x, dataset: [pantomime-c, pantomime-b], net: [r2plus1d, r3d, f_r2d]}
  - {name: y, net: [r2plus1d, r3d], lr: [0.0035, 0.028]}
  - {name: z, net: [r2plus1d, r3d], amp: fp32, seed: [0, 1, 2]}
  - {name: short, net: [r2plus1d, r3d], epochs: 2}
  - {name: wide, net: [r2plus1d, r3d], epochs: 2, width: 32}
  - {experiment: clip_length, net: r2plus1d, epochs: 2, clip_length: [32, 16, 8]}
  - {experiment: clip_length, net: r2plus1d, epochs: 2, frame_step: [4]}
"""
GOOD = {"pose": 0.95, "direction": 0.7, "tempo": 0.75, "sequence": 0.5}  # 72.5% of all videos
MINI = load_plan(REPOSITORY / "runs" / "mini.yaml")
CLASSES = cues.classes().set_index("action").loc[list(PANTOMIME)]


def named(share, seed=0, a_class=20):
    """Predictions of `a_class` videos of each class: of each cue group the share is right, the rest
    are named as the other member of the pair, of pose as another pose."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(len(PANTOMIME)), a_class)
    chosen = labels ^ 1  # the neighbour in the list is the other member of the pair
    for cue, part in share.items():
        own = np.flatnonzero((CLASSES["cue"] == cue).to_numpy()[labels])
        right = rng.permutation(own)[: round(part * len(own))]
        chosen[right] = labels[right]
    scores = [np.full((2, len(PANTOMIME)), 0.01, np.float16) for _ in labels]
    for own, c in zip(scores, chosen, strict=True):
        own[:, c] = 0.8
    return Predictions([f"test/{i:05d}.mp4" for i in range(len(labels))], labels, scores, PANTOMIME)


@pytest.fixture
def study(tmp_path):
    """Write fake runs of the plan, `run(share, net=..., seed=...)` any number of times, and load the calibration."""
    path = tmp_path / "runs" / "calibration.yaml"
    path.parent.mkdir()
    path.write_text(PLAN)

    class Repository:
        def run(self, share=GOOD, **wanted):
            """Complete every planned run that has the wanted fields; the others of its fields are free."""
            for planned in load_plan(path).runs:
                if all(getattr(planned.spec, name) == value for name, value in wanted.items()):
                    number = planned.spec.seed + 10 * (planned.spec.net == "r3d")
                    write_fake_run(tmp_path / planned.folder, planned.spec, named(share, number))
            return self

        def load(self):
            return calibration.load(tmp_path)

    return Repository()


BASE = {"dataset": "pantomime-a", "epochs": 4, "lr": 0.01, "amp": "bf16"}


def verdicts(table):
    return dict(zip(table["what"], table["verdict"], strict=True))


def test_the_base_is_the_plans_defaults_and_the_papers_values():
    base = calibration.load().base
    assert not {"net", "seed", "experiment"} & set(base)
    assert (base["depth"], base["frame_step"]) == (18, 1)  # the paper's
    assert base["width"] == 16  # the plan's


def test_the_plan_of_the_study_asks_every_question_of_the_chapter():
    study = calibration.load()
    assert set(study.base_runs["net"]) >= {"f-R2D", "R2D", "R3D", "MC3", "rMC3", "R(2+1)D"}
    for dataset in calibration.variations(study, "dataset")["dataset"].unique():
        assert set(calibration.like(study, dataset=dataset)["net"]) == set(study.base_runs["net"])
    assert calibration.variations(study, "dataset")["dataset"].nunique() == 3
    rates = calibration.variations(study, "lr")["lr"]
    assert rates.nunique() == 3
    assert rates.max() / rates.min() == pytest.approx(8)
    epochs = study.base["epochs"]
    assert sorted(calibration.variations(study, "epochs")["epochs"].unique()) == [epochs / 2, epochs, 1.5 * epochs]
    for name, values in (
        ("amp", {"bf16", "fp32"}),
        ("width", {16, 32}),
        ("initialisation", {"fan_out", "fan_in"}),
        ("standardise", {"clip", "dataset"}),
    ):
        for net in (FIRST, SECOND):
            rows = calibration.variations(study, name)
            assert set(rows.loc[rows["net"] == net, name]) == values
    assert set(calibration.time_scale_runs(study)["span"]) == {8, 16, 29, 32}
    for net in (FIRST, SECOND):
        assert (study.base_runs["net"] == net).sum() >= 2


def test_a_run_of_another_width_or_length_is_not_mixed_in(study):
    loaded = study.load()
    assert set(calibration.like(loaded)["width"]) == {16}
    assert set(calibration.like(loaded)["epochs"]) == {4}
    assert len(calibration.like(loaded)) == 7
    wide = calibration.like(loaded, epochs=2, width=32)
    assert wide["net"].tolist() == [SECOND, FIRST]
    assert wide["run"].str.startswith("wide").all()


def test_what_was_tried_at_half_the_length_is_held_against_the_base_at_that_length(study):
    rows = calibration.comparison(study.load(), "width")
    assert rows["value"].tolist() == [16, 32]
    for own in rows["runs"]:
        assert set(own["epochs"]) == {2}
    assert calibration.comparison(study.load(), "lr")["runs"].map(lambda own: own["epochs"].max()).tolist() == [4] * 3


def test_a_run_that_two_experiments_share_counts_once_and_the_complete_one_of_them(study):
    study.run(experiment="clip_length", clip_length=8, frame_step=1)
    rows = calibration.like(study.load(), epochs=2)
    assert rows["net"].tolist().count(FIRST) == 1
    assert rows.set_index("net").loc[FIRST, "experiment"] == "clip_length"
    assert rows.set_index("net").loc[FIRST, "state"] == "complete"


def test_the_networks_that_show_what_convolutions_over_time_learn_are_one_run_each_of_the_base(study):
    study.run(dataset="pantomime-a").run(dataset="pantomime-c")
    rows = calibration.learners(study.load())
    assert sorted(zip(rows["net"], rows["seed"], strict=True)) == [("R(2+1)D", 0), ("R3D", 0), ("f-R2D", 0)]
    assert set(rows["dataset"]) == {"pantomime-a"}
    assert set(rows["epochs"]) == {4}


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
        calibration_gaps.seeds_table(loaded),
        calibration_gaps.gap_note(loaded),
        calibration_gaps.half_widths_table(loaded, MINI),
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
    assert "85.0% at 0.25, 72.5% at 0.5, 72.5% at 1." in note
    assert "between 60 and 80% at 0.5 and 1." in note


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


def order(study, name="lr"):
    return calibration_gaps.order_note(calibration.comparison(study.load(), name)).data


def test_the_sentence_on_the_order_follows_the_data(study):
    study.run(GOOD, **BASE).run(GOOD, lr=0.0035).run(GOOD, lr=0.028)
    better = GOOD | {"direction": 0.9}
    for rate in (0.0035, 0.01, 0.028):
        study.run(better, **(BASE | {"lr": rate}), net="r2plus1d")
    assert "In all three the order of the two is the same: R(2+1)D is ahead." in order(study)
    assert "Nowhere does the difference change" in order(study)
    study.run(better | {"tempo": 0.95}, lr=0.028, net="r3d")
    assert "The order of the two changes: R(2+1)D is ahead at 0.0035 and 0.01, R3D is ahead at 0.028." in order(study)
    assert "the difference changes by more than its interval at 0.028." in order(study)


def test_a_setting_that_is_not_run_is_left_out_of_the_order_and_named(study):
    study.run(GOOD | {"pose": 1.0}, **BASE).run(lr=0.028)
    study.run(GOOD, **BASE, net="r3d")
    told = order(study)
    assert "In both the order of the two is the same" in told or "The order of the two changes" in told
    assert told.endswith("*Not run:* 0.0035.")
    assert (
        "not run"
        in calibration_gaps.comparison_table(calibration.comparison(study.load(), "lr"), "rate").frame.iloc[0, 1]
    )


def test_one_value_alone_has_no_order(study):
    assert "Of three values only 0.01 has been run: no order to compare." in order(study.run(**BASE))


def test_the_table_of_a_setting_has_both_nets_their_difference_and_how_it_moves(study):
    study.run(GOOD, **BASE).run(GOOD, lr=0.028).run(GOOD | {"tempo": 0.95}, lr=0.028, net="r2plus1d")
    table = calibration_gaps.comparison_table(calibration.comparison(study.load(), "lr"), "rate", training=True)
    rows = table.frame.set_index("rate")
    assert list(rows.index) == ["0.0035", "0.01 (as in the base)", "0.028"]
    assert rows.loc["0.028", "R(2+1)D, video@1"].startswith("<a href")
    assert rows.loc["0.028", "difference, points"].startswith("+5.0")
    assert "videos only" in rows.loc["0.028", "difference, points"]
    assert "videos only" not in rows.loc["0.01 (as in the base)", "difference, points"]  # three seeds of each
    assert rows.loc["0.028", "change of the difference"].startswith("+5.0")
    assert "seeds in part" in rows.loc["0.028", "change of the difference"]
    assert "Epochs: 4." in table.caption
    assert "which covers the draw of the test videos only" in table.caption
    assert re.fullmatch(r"\d\d\.\d", rows.loc["0.028", "R3D, training clips"])


def test_texts_come_with_the_bases_value_first():
    assert calibration._in_order(["a", "b", "c"], "b") == ["b", "a", "c"]
    assert calibration._in_order([24, 6, 12], 12) == [6, 12, 24]


def test_a_single_seed_of_each_network_is_said_to_cover_the_videos_only(study):
    study.run(**BASE, seed=0)
    loaded = study.load()
    assert "videos only" in calibration_gaps.gap_note(loaded).data
    assert set(checks.error_bar_checks(loaded)["verdict"]) == {"not run"}
    assert "two seeds or more" in calibration_gaps.half_widths_note(loaded, MINI).data
    assert "Not run" in calibration_gaps.half_widths_table(loaded, MINI).data
    frame = calibration_gaps.seeds_table(loaded).frame.set_index("net")
    assert "not run" in frame.loc[FIRST, "seed 1"]


def small_plan(videos, seeds):
    specs = [RunSpec(experiment="conv_types", net="r3d", dataset="pantomime-m", seed=s) for s in range(seeds)]
    runs = tuple(PlannedRun("m", f"r{spec.seed}", spec) for spec in specs)
    return Plan("m", "a plan", {"pantomime-m": {"test_videos": videos}}, runs)


def test_repeated_runs_tell_how_many_videos_and_seeds_suffice(study):
    study.run(**BASE)
    loaded = study.load()
    table = calibration_gaps.half_widths(loaded, small_plan(200, 4))
    assert {200, 320} <= set(table["videos"])
    assert 4 in set(table["seeds"])
    frame = calibration_gaps.half_widths_table(loaded, small_plan(200, 4)).frame
    assert list(frame)[1] == "1 seed (videos only)"
    assert not frame["1 seed (videos only)"].str.contains("strong").any()
    for row in table[table["enough"]].itertuples():
        cells = frame.set_index("test videos").loc[f"{row.videos:,}"]
        assert f"<strong>±{row.half_width:.1f}" in cells[f"{row.seeds} seeds"]
    own = table[(table["videos"] == 200) & (table["seeds"] == 4)].iloc[0]
    told = calibration_gaps.half_widths_note(loaded, small_plan(200, 4)).data
    assert f"200 test videos and 4 seeds: ±{own['half_width']:.1f}, {'' if own['enough'] else 'not '}enough." in told


def test_the_width_of_the_interval_is_a_requirement(study):
    table = checks.error_bar_checks(study.run(**BASE).load()).iloc[0]
    d = calibration.gap(study.load().base_runs)
    assert table["measured"] == pytest.approx(d.half_width)
    assert table["verdict"] == ("met" if d.half_width <= 3 else "not met")


def test_hours_are_those_of_the_complete_runs_by_what_they_ran_on(study):
    study.run(net="f_r2d", **BASE).run(experiment="clip_length", clip_length=16)
    loaded = study.load()
    assert calibration.hours(loaded.runs) == {"Imagined CPU": pytest.approx((48 + 24) / 3600)}
    done = calibration.complete(loaded.runs)
    done["result"].iloc[0].provenance.update(threads=2)
    done["result"].iloc[1].provenance.update(device="Imagined GPU", threads=8, processes=4)
    times = list(done["seconds"])
    spent = {"Imagined CPU": pytest.approx(2 * times[0] / 3600), "Imagined GPU": pytest.approx(4 * times[1] / 3600)}
    assert calibration.hours(loaded.runs) == spent
    assert "0.0 hours on Imagined CPU and 0.0 hours on Imagined GPU" in calibration_tables.hours_note(loaded).data


def test_it_is_told_where_bf16_was_not_used(study):
    study.run(net="r3d", **BASE)
    assert calibration_gaps.precision_note(study.load()).data == (
        "Of 3 runs that asked for bf16, 0 were trained in it."  # fake runs are in fp32
    )


def test_difficulty_is_drawn_with_a_panel_a_group_and_a_line_a_net(study):
    study.run()
    figure = calibration_figures.difficulty(study.load())
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == list(calibration.GROUPS)
    for axes in panels:
        assert len(axes.containers) == 3
        assert [label.get_text() for label in axes.get_xticklabels()] == ["0.25", "0.5", "1"]
    drawn = panels[3].containers[0].lines[0].get_ydata()
    assert list(drawn) == pytest.approx([75, 75, 75])
    dashed = [line for line in panels[0].lines if line.get_label().startswith("bound")]
    assert list(dashed[0].get_ydata()) == [62.5, 62.5]


def test_frames_apart_are_open_markers_off_the_line(study):
    study.run(epochs=2, width=16)
    axes = calibration_figures.time_scale(study.load()).axes[0]
    lines = [container.lines[0] for container in axes.containers]
    consecutive = [line for line in lines if line.get_linestyle() == "-"]
    apart = [line for line in lines if line.get_linestyle() == "None"]
    assert len(consecutive) == len(apart) == 4
    assert all(len(line.get_xdata()) == 3 for line in consecutive)
    assert all(round(line.get_xdata()[0]) == 29 and line.get_markerfacecolor() == "white" for line in apart)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "16", "29", "32"]


def test_the_chapter_types_no_accuracy_of_the_calibration():
    page = (REPOSITORY / "book" / "pantomime.md").read_text()
    part = page[page.index("## How the settings were chosen") :]
    part = part[: part.index("\n## ", 5)] if "\n## " in part[5:] else part
    prose = re.sub(r"```.*?```", "", part, flags=re.DOTALL)
    assert not re.findall(r"\d+\.\d+ ?%", prose)


# --- what is chosen, what is fixed, what cannot be decided

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
    plan = small_plan(200, 2)
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


def test_the_hours_of_the_study_are_those_of_its_plan_and_at_most_a_day_on_two_cores():
    rows = study_hours.hours_table(MINI).frame.set_index("experiment")
    assert rows.loc["all", "runs"] == len(MINI.runs) == rows["runs"].iloc[:-1].sum()
    assert float(rows.loc["all", "one core"].removesuffix(" hours")) <= 2 * study_hours.HOURS


def limits(study, videos=200, seeds=2):
    runs = load_plan_runs(MINI).assign(plan="m")
    return calibration_freeze.limits_table(runs, study.load(), small_plan(videos, seeds)).frame


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
    half_width = calibration_freeze.expected_half_width(study.load(), small_plan(200, 2))
    assert half_width > 2
    assert equal() == {"that it is false"}
    assert calibration_freeze.expected_half_width(study.load(), small_plan(1_000_000, 2)) < half_width
    assert calibration_freeze._of_equality(1.5) == (
        "both",
        "It says that two accuracies are equal, the whole interval within 2 points of 0. With an expected interval of "
        "±1.5 they may differ by 0.5 at most.",
    )
