"""The chapter on factorising: its choice of runs is the rules', its numbers are those of the runs."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from studylib import REPOSITORY
from studylib.book import depth, factorising_figures, mechanism
from studylib.claims.verdicts import decide
from studylib.nets.table import PRINTED_NAMES
from studylib.stats import difference, difference_of_differences
from studylib.training.evaluation import clip_top1
from tests.chapters import below_figures, figures_in, html_of, shown_by
from tests.fake_runs import fake_predictions
from tests.made_study import folder_of, made_run, made_study, plan_of

EXPERIMENTS = ("conv_types", "depth", "mechanism")
OURS = "ours, plan mini"


def make(planned, lacks=lambda planned: False):
    """A random run with training errors of a network's own: R3D above R(2+1)D, the more so with 34 layers."""
    spec = planned.spec
    if planned.plan != "mini" or spec.experiment not in EXPERIMENTS or lacks(planned):
        return None
    if spec.experiment == "conv_types" and spec.net not in depth.PAIR:
        return None
    ahead = (3 if spec.depth == 18 else 7) if spec.net == "r2plus1d" else 0
    predictions = fake_predictions(videos_a_class=3, clips=2, seed=[spec.seed, spec.depth, *map(ord, spec.net)])
    return made_run(planned, predictions, (20.0 - ahead + 0.1 * spec.seed, 30.0 + spec.seed))


@pytest.fixture(scope="module")
def runs():
    return made_study(make)


@pytest.fixture(scope="module")
def partly():
    """No seed 1 of R3D-34 and of R(2+1)D without inner ReLU, no P3D-B at all."""

    def lacks(planned):
        spec = planned.spec
        one = (spec.net, spec.depth) == ("r3d", 34) or spec.net == "r2plus1d_no_inner_relu"
        return (one and spec.seed == 1) or spec.net == "r2plus1d_parallel"

    return made_study(lambda planned: make(planned, lacks))


def scores(runs, net, layers=18):
    return predictions_of(depth.networks(runs, "mini")[net, layers])


def predictions_of(network):
    return {planned.spec.seed: planned.run.predictions for planned in network.done}


def test_the_runs_of_figure_4_are_those_of_the_verdicts(runs):
    used = {folder_of(p.run).as_posix() for own in depth.networks(runs, "mini").values() for p in own.done}
    told = [set(decide(f"run-train-error-{layers}", runs, "mini").folders) for layers in (18, 34)]
    assert used == told[0] | told[1]
    assert len(used) == (10 + 5) + 2 * 3, "seeds at 18 and at 34 layers"


def test_the_table_has_the_errors_and_differences_of_the_verdicts(runs):
    rows = depth.errors_table(runs, ["mini"]).frame.set_index(("", "network"))
    for layers in (18, 34):
        part = decide(f"run-train-error-{layers}", runs, "mini").single
        shown = rows.loc[f"gap, {layers} layers", (OURS, "training error")]
        assert shown.startswith(f"{part.points:+.1f} ")
        assert f"({part.low:+.1f} to {part.high:+.1f})" in shown
    grown = decide("run-gap-depth", runs, "mini").single
    shown = rows.loc["gap, 34 minus 18", (OURS, "training error")]
    assert shown.startswith(f"{grown.points:+.1f} ")
    clip = 100 - np.mean([clip_top1(p) for p in scores(runs, "r3d", 34).values()])
    assert rows.loc["R3D-34", (OURS, depth.FINAL)].startswith(f"{clip:.1f} ")
    assert rows.loc["R3D-34", (OURS, "training error")].startswith("20.1 ")
    assert rows.loc["R(2+1)D-34", (OURS, "training error")].startswith("13.1 ")
    assert rows.loc["R(2+1)D-34", (OURS, "test error, middle clips")].startswith("31.0 ")


def test_the_gap_in_test_error_is_r3ds_error_minus_that_of_r2plus1d(runs):
    rows = depth.errors_table(runs, ["mini"]).frame.set_index(("", "network"))[OURS, depth.FINAL]
    gaps = [(scores(runs, "r2plus1d", layers), scores(runs, "r3d", layers)) for layers in (18, 34)]
    for layers, gap in zip((18, 34), gaps, strict=True):
        known = difference(*gap, "clip_top1").points
        assert float(numbers(rows[f"gap, {layers} layers"])[0]) == pytest.approx(known, abs=0.051)
    known = difference_of_differences(gaps[1], gaps[0], "clip_top1").points
    assert float(numbers(rows["gap, 34 minus 18"])[0]) == pytest.approx(known, abs=0.051)


def numbers(text):
    return re.findall(r"[+-]\d+\.\d", text.replace("−", "-"))


def test_the_published_errors_are_100_minus_table_2():
    rows = depth.errors_table(made_study(), ["mini"]).frame.set_index(("", "network"))
    published = rows["published, Kinetics-400", depth.FINAL]
    assert published["R3D-18"] == "50.7"
    assert published["R(2+1)D-18"] == "47.6"
    assert published["gap, 18 layers"] == "+3.1"
    assert published["R3D-34"] == "curve only"


def test_without_runs_everything_is_said_to_be_not_run():
    none = made_study()
    frame = depth.errors_table(none, ["paper", "mini"]).frame
    for plan in ("paper", "mini"):
        ours = frame[depth.heading(plan)]
        assert ours.map(lambda cell: "not run" in cell).all(axis=None)
    assert depth.curves(none, "mini").empty
    assert mechanism.differences(none, "mini").empty
    for table in (mechanism.results_table(none, "mini"), mechanism.p3d_table(none, "mini")):
        shown = re.sub("<caption>.*?</caption>", "", html_of(table))
        assert "not run" in shown
        assert not re.search(r"\d\.\d", shown)


def test_a_plan_has_the_variants_that_it_plans_beside_the_networks_of_table_2(runs):
    paper, mini = (mechanism.networks(runs, plan) for plan in ("paper", "mini"))
    assert {net for net, own in paper.items() if own.planned} == {"r2plus1d", "r3d", "r2plus1d_no_inner_relu"}
    seeds = {net: len(own.planned) for net, own in mini.items()}
    some = {"r2plus1d": 10, "r3d": 5, "r2plus1d_no_inner_relu": 3, "r2plus1d_no_inner_bn_relu": 3, "r3d_added_relu": 3}
    assert seeds == {net: some.get(net, 1) for net in mini}
    assert len(seeds) == 11
    assert "not planned" in html_of(mechanism.results_table(runs, "paper"))


def test_what_is_recorded_in_part_is_shown_and_told(partly):
    rows = depth.errors_table(partly, ["mini"]).frame.set_index(("", "network"))[OURS]
    assert rows.loc["R3D-34"].str.contains("2 of 3 runs").all()
    assert not rows.loc["R(2+1)D-34"].str.contains("of 3 runs").any()
    assert rows.loc["gap, 34 layers"].str.contains("2 of 3 runs").all()
    assert decide("run-train-error-34", partly, "mini").outcome == "not run"
    table = mechanism.results_table(partly, "mini").frame.set_index(("", "network"))
    assert "2 of 3 runs" in table.loc["R(2+1)D, no inner ReLU", ("minus R3D", "video@1")]
    assert "not run" in table.loc["R(2+1)D, parallel (P3D-B)", ("accuracy (%)", "clip@1")]
    assert "R(2+1)D, parallel (P3D-B)" not in set(mechanism.differences(partly, "mini")["net"])


def test_figure_4_draws_the_mean_of_the_seeds_and_each_seed(runs):
    curves = depth.curves(runs, "mini")
    left, right = factorising_figures.figure4(curves).axes
    assert (left.get_title(), right.get_title()) == ("18 layers", "34 layers")
    for axes, layers, seeds in ((left, 18, 10 + 5), (right, 34, 3 + 3)):
        assert len(axes.lines) == 2 * (2 + seeds), (
            "errors in training and in the test: a mean of each net, and each seed"
        )
        own = curves[(curves["depth"] == layers) & (curves["net"] == "R3D")]
        drawn = [list(np.round(line.get_ydata(), 6)) for line in axes.lines]
        for column in ("train_error", "test_error"):
            by_seed = own.pivot(index="epoch", columns="seed", values=column)
            assert list(by_seed.mean(axis=1).round(6)) in drawn
            assert list(by_seed[2].round(6)) in drawn


def test_a_depth_that_is_not_run_says_so_in_its_panel(runs):
    curves = depth.curves(runs, "mini")
    axes = factorising_figures.figure4(curves[curves["depth"] == 18]).axes
    assert [text.get_text() for text in axes[1].texts] == ["R3D, R(2+1)D: not run"]
    assert [text.get_text() for text in axes[0].texts] == []


def test_every_variant_of_the_plan_is_compared():
    specs = [run.spec for run in plan_of("mini").runs]
    assert set(mechanism.CHANGES) == {spec.net for spec in specs if spec.experiment == "mechanism"}


def test_the_differences_are_paired_and_against_the_right_network(runs):
    table = mechanism.results_table(runs, "mini").frame.set_index(("", "network"))
    own = predictions_of(mechanism.networks(runs, "mini")["r2plus1d_no_inner_relu"])
    for name, base in (("minus R(2+1)D", "r2plus1d"), ("minus R3D", "r3d")):
        for measure, key in (("clip@1", "clip_top1"), ("video@1", "video_top1")):
            known = difference(own, scores(runs, base), key)
            shown = numbers(table.loc["R(2+1)D, no inner ReLU", (name, measure)])
            assert [float(n) for n in shown] == pytest.approx([known.points, known.low, known.high], abs=0.051)
    assert table.loc["R(2+1)D", ("minus R(2+1)D", "clip@1")] == ""
    assert table.loc["R3D", ("minus R3D", "clip@1")] == ""


def test_p3d_b_and_c_are_compared_with_p3d_a(runs):
    rows = mechanism.p3d_table(runs, "mini").frame
    nets = ("r2plus1d_parallel", "r2plus1d_skip", "r2plus1d_m_is_n_out")
    b, c, a = (predictions_of(mechanism.networks(runs, "mini")[net]) for net in nets)
    for shown, own in zip(rows["video@1"], (b, c), strict=True):
        assert float(numbers(shown)[0]) == pytest.approx(difference(own, a).points, abs=0.051)


def test_the_figure_has_a_dot_for_each_difference_and_is_hollow_for_another_size(runs):
    found = mechanism.differences(runs, "mini")
    assert set(found["net"]) == {PRINTED_NAMES[net] for net in ("r3d", *mechanism.CHANGES)}
    axes = factorising_figures.differences(found).axes[0]
    dots = {round(float(c.lines[0].get_xdata()[0]), 6): c.lines[0] for c in axes.containers}
    assert set(dots) == set(found["points"].round(6))
    hollow = {x for x, dot in dots.items() if to_rgba(dot.get_markerfacecolor()) == to_rgba("white")}
    assert hollow == set(found.loc[found["net"] == "R(2+1)D, M doubled", "points"].round(6))


def test_sizes_are_counted_at_the_papers_size_and_recorded_at_the_plans(runs):
    table = mechanism.sizes_table(mechanism.counted(), runs, ["mini"]).frame.set_index(("", "network"))
    assert table.loc["R(2+1)D", ("paper's size", "parameters (M)")] == "33.371"
    assert table.loc["R(2+1)D", ("paper's size", "ReLUs")] == str(2 * int(table.loc["R3D", ("paper's size", "ReLUs")]))
    assert table.loc["R(2+1)D, M doubled", ("plan mini", "parameters (M)")] == "4.000"


@pytest.mark.parametrize("complete", [False, True])
def test_the_chapters_cells_execute(complete, runs, monkeypatch):
    shown = shown_by("why_factorise", runs if complete else made_study(), monkeypatch)
    assert len(figures_in(shown)) == (2 if complete else 0)
    assert all("Plan *mini*, dataset `pantomime-mini`" in below for below in below_figures(shown))
    # Figure 4 and the mechanism of the plan paper; without runs also those of mini
    assert sum("*Not run" in html_of(what) for what in shown) == (2 if complete else 4)


def test_the_page_types_no_result():
    page = (REPOSITORY / "book" / "why_factorise.md").read_text()
    assert not re.findall(r"\d+\.\d+ ?%|\d+\.\d+ points", page)
