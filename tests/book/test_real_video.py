"""The chapter on real video: paired differences by hand, and what its tables say of runs that are there or not."""

import re

import numpy as np
import pytest

from studylib import REPOSITORY
from studylib.book import data_figures, figures, real_video
from studylib.book.real_video import FLOW, PRETRAINED, RGB
from studylib.runs.plan import Plan, load_plan
from studylib.runs.results import load_plan_runs
from studylib.stats.fusion import fusion_accuracy
from studylib.training.evaluation import Predictions
from tests.chapters import below_figures, html_of, shown_by
from tests.fake_runs import fake_predictions, write_fake_run

PLAN = load_plan(REPOSITORY / "runs" / "ucf101_subset.yaml")


@pytest.fixture
def runs(tmp_path):
    """The runs of the plan, those of the given names complete, in the repository `tmp_path`."""

    def make(*names):
        for planned in PLAN.runs:
            if any(re.search(name, f"{planned.spec.experiment}/{planned.name}") for name in names):
                made = fake_predictions(clips=10, seed=planned.spec.split)
                videos = [f"split{planned.spec.split}/{video}" for video in made.videos]
                own = fake_predictions(
                    clips=10, seed=("rgb", "flow").index(planned.spec.modality) + 2 * bool(planned.spec.init_from)
                )
                predictions = Predictions(videos, made.labels, own.clip_scores, made.classes)
                write_fake_run(tmp_path / planned.folder, planned.spec, predictions)
        return load_plan_runs(Plan(PLAN.name, PLAN.title, {}, PLAN.runs), tmp_path)

    return make


def test_the_plan_has_every_stream_on_every_split(runs):
    for name in (RGB, FLOW, PRETRAINED):
        assert real_video.stream(runs(), name)["split"].tolist() == [1, 2, 3]


def test_without_runs_every_cell_says_not_run_and_nothing_fails(runs):
    table = runs()
    for shown in (real_video.streams_table(table), real_video.transfer_table(table)):
        html = shown._repr_html_()
        assert "not run" in html
        assert not re.search(r"\d\.\d", re.sub("<caption>.*?</caption>|0.[56] RGB", "", html))
    assert real_video.fusion_curves(table).empty
    assert real_video.stream_histories(table).empty
    assert "nothing to compare" in real_video.repeat_note(table).data
    assert "not run" in real_video.source_note(table).data
    assert "complete" in real_video.size_note(table).data


def test_an_unfinished_run_is_told_apart_and_leaves_its_fusion_out(runs, tmp_path):
    table = runs("two_stream")
    folder = tmp_path / next(p.folder for p in PLAN.runs if p.name.endswith("modalityflow_split2_seed0"))
    (folder / "metrics.json").unlink()
    rows = real_video.streams_table(load_plan_runs(PLAN, tmp_path)).frame.set_index("stream")
    assert "unfinished" in rows.loc["flow", "split 2"]
    assert "unfinished" in rows.loc["flow", "mean of the three"]
    fused = rows.loc[[name for name in rows.index if name.startswith("both")]]
    assert fused["split 2"].str.contains("unfinished").all()
    assert not fused["split 1"].str.contains("unfinished").any()
    assert set(real_video.fusion_curves(load_plan_runs(PLAN, tmp_path))["split"]) == {"1", "3"}
    assert "unfinished" not in real_video.streams_table(table)._repr_html_()


def test_complete_streams_are_linked_fused_and_averaged(runs):
    table = runs("two_stream", "transfer")
    rows = real_video.streams_table(table).frame.set_index("stream")
    rgb = real_video.results(table, RGB)
    for split, run in rgb.items():
        assert f"modalityrgb_split{split}_seed0.html" in rows.loc["RGB", f"split {split}"]
        assert f">{run.metrics['video_top1']:.1f}<" in rows.loc["RGB", f"split {split}"]
    mean = np.mean([run.metrics["video_top1"] for run in rgb.values()])
    assert rows.loc["RGB", "mean of the three"].startswith(f"{mean:.1f} ")
    at_half = fusion_accuracy(rgb[1].predictions, real_video.predictions(table, FLOW)[1], [0.5])["video_top1"][0]
    assert rows.iloc[2]["split 1"].startswith(f"{at_half:.1f} ")


def test_the_difference_is_pretrained_minus_from_scratch(runs):
    table = runs("two_stream", "transfer")
    rows = real_video.transfer_table(table).frame.set_index("start")
    scratch, pretrained = (real_video.results(table, name)[1].metrics["video_top1"] for name in (RGB, PRETRAINED))
    shown = float(rows.loc["difference, points", "split 1"].replace("−", "-"))
    assert shown == pytest.approx(pretrained - scratch, abs=0.05)
    assert " to " in rows.loc["difference, points", "mean of the three"]


def test_the_curve_of_the_mean_is_the_mean_of_the_curves_and_is_drawn_thick(runs):
    curves = real_video.fusion_curves(runs("two_stream"))
    by_split = curves.pivot(index="rgb_weight", columns="split", values="video_top1")
    assert np.allclose(by_split["mean"], by_split[["1", "2", "3"]].mean(axis=1))
    axes = data_figures.fusion_curves(curves).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["mean of the splits"].get_ydata()) == by_split["mean"].tolist()
    assert lines["mean of the splits"].get_linewidth() > lines["split 1"].get_linewidth()
    assert {text.get_text() for text in axes.texts} == {"paper", "VMZ"}


def test_the_histories_have_a_colour_for_each_stream(runs):
    curves = real_video.stream_histories(runs("two_stream", "transfer"))
    axes = figures.training_curves(curves, by="stream").axes[0]
    assert len(axes.lines) == 2 * 9
    assert len({line.get_color() for line in axes.lines}) == 3


def test_two_runs_agree_to_every_digit_or_it_is_said_where_they_part(runs, tmp_path):
    table = runs("conv_types/.*56", "modalityrgb_split1")
    assert "agree to every digit" in real_video.repeat_note(table).data
    assert "equal too" in real_video.repeat_note(table).data
    (path,) = (tmp_path / "runs" / "ucf101_subset" / "two_stream").glob("*/history.csv")
    rows = path.read_text().splitlines()
    cells = rows[3].split(",")
    cells[rows[0].split(",").index("train_loss")] += "1"
    path.write_text("\n".join([*rows[:3], ",".join(cells), *rows[4:]]) + "\n")
    told = real_video.repeat_note(load_plan_runs(PLAN, tmp_path)).data
    assert "not the same" in told
    assert "epoch 3 (train_loss)" in told


def test_seconds_may_differ_between_runs_that_agree(runs, tmp_path):
    runs("conv_types/.*56", "modalityrgb_split1")
    (path,) = (tmp_path / "runs" / "ucf101_subset" / "two_stream").glob("*/history.csv")
    path.write_text(path.read_text().replace(",12.0,0.01\n", ",34.5,0.02\n"))
    assert ",34.5,0.02" in path.read_text()
    assert "agree to every digit" in real_video.repeat_note(load_plan_runs(PLAN, tmp_path)).data


def test_table_5_is_quoted_as_printed_and_told_apart():
    shown = real_video.table5()
    assert len(shown.frame) == 6
    assert "Table 5" in shown.caption
    assert "No number here may be held beside one of ours" in shown.caption


@pytest.mark.parametrize(("names", "figures"), [((), 0), (("two_stream/.*rgb",), 1), (("two_stream", "transfer"), 2)])
def test_a_line_below_each_figure_tells_its_runs(names, figures, runs, monkeypatch):
    shown = shown_by("real_video", runs(*names), monkeypatch)
    assert len(below_figures(shown)) == figures
    told = [html_of(value) for value in shown if "planned runs complete" in html_of(value)]
    assert len(told) == 2
    curves = {0: "0 of 6 planned", 1: "3 of 6 planned runs complete, none of which", 2: "6 of 6 planned"}[figures]
    assert curves in told[0]
    assert f"{3 * {0: 0, 1: 1, 2: 3}[figures]} of 9 planned" in told[1]


def test_the_page_of_the_chapter_types_no_accuracy():
    page = (REPOSITORY / "book" / "real_video.md").read_text()
    assert not re.findall(r"\d+\.\d+ ?%|\d+%", page)
    assert "only show that the way is whole" in page
