"""How the embedded study was set: runs are found by their settings, drawn, and their hours told."""

import re

import pytest

from studylib import REPOSITORY
from studylib.book import calibration, calibration_figures, calibration_gaps, calibration_tables, cells
from studylib.book.calibration import FIRST, SECOND
from tests.made_calibration import BASE, MadeCalibration


@pytest.fixture
def study(tmp_path):
    return MadeCalibration(tmp_path)


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


def test_the_line_below_a_figure_counts_the_runs_that_the_figure_is_drawn_from(study):
    study.run(dataset="pantomime-b", net="r3d")
    loaded = study.load()
    rows = calibration.difficulty_runs(loaded)
    assert cells.made_of_rows(rows).data == (
        f"Plan *calibration*, dataset `pantomime-b`, seed 0: 1 of {len(rows)} planned runs complete."
    )
    assert calibration.by_difficulty(loaded)["seeds"].eq(1).all()
    assert cells.made_of_rows(calibration.learners(loaded)).data == (
        "*Not run:* plan *calibration*, 0 of 3 planned runs complete."
    )


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
