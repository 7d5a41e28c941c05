"""The chapter on types of convolution: its numbers are those of the runs."""

import re

import pytest

from studylib.book import conv_types, figures
from studylib.book.tables import NOT_RUN, PLANS, Table, difference
from studylib.claims import published
from studylib.claims.parts import signed
from studylib.nets.table import PAPER_NAMES


@pytest.fixture(scope="module")
def recorded(study):
    return conv_types.measured(study).set_index(["plan", "net"])


def test_accuracies_are_means_over_seeds_of_the_means_over_splits(study, recorded):
    for plan, runs in (("lips", 15), ("mini", 10)):
        own = study[(study["plan"] == plan) & (study["experiment"] == "conv_types") & (study["net"] == "R(2+1)D")]
        row = recorded.loc[plan, "R(2+1)D"]
        assert len(row["runs"]) == len(own) == runs
        assert row["video"].points == pytest.approx(own["video_top1"].mean())
        assert row["clip"].points == pytest.approx(own["clip_top1"].mean())
        assert row["clip"].points == pytest.approx(75, abs=4)


def test_real_video_comes_first_and_a_seed_with_a_missing_split_does_not_count(study):
    lacks = (
        (study["plan"] == "lips") & (study["run"] == "r3d-18_8f_split2_seed1") & (study["experiment"] == "conv_types")
    )
    assert lacks.sum() == 1
    partly = study.assign(state=study["state"].mask(lacks, "not run"), result=study["result"].mask(lacks))
    found = conv_types.measured(partly)
    assert list(found["plan"].unique()) == list(PLANS)
    assert {run.spec.seed for run in found.set_index(["plan", "net"]).loc[("lips", "R3D"), "runs"]} == {0, 2}


def test_the_lead_over_the_best_of_the_others_is_corrected_for_their_number(study):
    own = study[(study["plan"] == "mini") & (study["experiment"] == "conv_types")]
    nets = {net: own[own["net"] == net] for net in PAPER_NAMES.values()}
    points, low, high, rival = re.fullmatch(r"(\S+) \((\S+) to (\S+)\), (.*)", conv_types.leads(nets)["rival"]).groups()
    means = own.groupby("net")["clip_top1"].mean().drop("R(2+1)D")
    plain = difference(nets["R(2+1)D"], nets[rival])
    assert (rival, points) == (means.idxmax(), signed(plain.points))
    assert float(low.replace("−", "-")) < plain.low < plain.high < float(high.replace("−", "-"))
    assert conv_types.leads(nets | {"MC2": own[:0]})["mixed"] == NOT_RUN
    assert conv_types.leads(nets | {"R(2+1)D": own[:0]})["rival"] == NOT_RUN


def test_the_main_gap_is_taken_on_each_machine(study):
    own = (study["plan"] == "mini") & (study["experiment"] == "conv_types")
    for run in study.loc[own, "result"]:
        run.provenance["device"] = "cpu" if run.spec.seed < 2 else "H200"
    gaps = conv_types.main_gap(study).set_index(["plan", "by"])
    clip = study[own].groupby(["net", study["seed"] < 2])["clip_top1"].mean()
    for where, on_cpu in (("runs on a CPU", True), ("runs on a GPU", False)):
        expected = clip["R(2+1)D", on_cpu] - clip["R3D", on_cpu]
        assert gaps.loc[("mini", where), "gap"].points == pytest.approx(expected)
    means = clip.unstack()
    networks, shift, larger = conv_types.by_machine(study[own])
    assert (networks, shift.points) == (12, pytest.approx((means[True] - means[False]).mean()))
    both = [gaps.loc[("mini", f"runs on a {where}"), "gap"].points for where in ("CPU", "GPU")]
    assert larger.points == pytest.approx(both[0] - both[1])
    assert gaps.loc[("mini", "all runs"), "seeds"] == "10 and 5"
    assert gaps.loc[("mini", "the seeds that both have"), "seeds"] == "5 and 5"
    assert ("lips", "the seeds that both have") not in gaps.index  # which all are


def test_an_interval_over_seeds_that_fail_now_and_then_covers_less_than_it_says():
    assert 0.85 < conv_types.covered(10) < conv_types.covered(3) < 0.95


def test_names_in_figure_3_do_not_cover_each_other_and_points_have_their_numbers(recorded):
    table = published.table2().merge(conv_types.counted(), on="net")
    panels = {"paper": table.assign(accuracy=table["paper_video_top1"])}
    panels["ours"] = recorded.loc["lips"].reset_index().rename(columns={"video": "accuracy"})
    shown = conv_types.figure3(panels, {"ours": {"chance": 10}}, "alt")
    shown.figure.canvas.draw()
    for axes in shown.figure.axes:
        boxes = [text.get_window_extent().extents for text in axes.texts if text.get_text() in set(table["net"])]
        shared = [figures._overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
        assert len(boxes) == 12
        assert max(shared) < 0.1 * min((b[2] - b[0]) * (b[3] - b[1]) for b in boxes)
    html = shown._repr_html_()
    assert "<title>R(2+1)D: 63.9% at 20.7 GFLOPs</title>" in html
    assert html.count("<title>") == 24


def test_the_page_shows_the_runs_of_every_plan_beside_the_published_numbers(shown, recorded):
    table = next(value.frame for value in shown("conv_types") if isinstance(value, Table) and len(value.frame) == 12)
    row = table[table[("", "net")] == "R3D"].iloc[0]
    for plan, title in PLANS.items():
        assert row[title, "video@1"].points == pytest.approx(recorded.loc[(plan, "R3D"), "video"].points)
    assert row["paper, Kinetics", "video@1"] == "61.2"
    assert "run_pages/lips_conv_types_r3d-18_8f_split2_seed1.html" in Table(table, "")._repr_html_()
