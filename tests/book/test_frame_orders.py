"""The chapter on cues: networks that are known to read an order, or not to, come out as such."""

import re
from dataclasses import replace

import numpy as np
import pytest

from studylib import REPOSITORY
from studylib.book import frame_orders, order_figures
from studylib.book.cues import by_cue, classes
from studylib.book.frame_orders import ALL, Study
from studylib.claims.verdicts import decide
from studylib.datasets.pantomime.actions import CUES, SOURCE
from studylib.training.evaluation import Predictions
from tests.chapters import below_figures, figures_in, html_of, shown_by
from tests.made_study import folder_of, made_run, made_study

NAMES = tuple(action.name for action in SOURCE)
CUE = np.array([action.cue for action in SOURCE])
LABELS = np.tile(np.arange(len(NAMES)), 10)
PARTNER = np.arange(len(NAMES)) ^ 1  # pairs are neighbours
BLIND = "f_r2d"  # guesses the member of a pair, whatever the order; all others read direction and tempo


def predictions(spec):
    """What a net that reads direction and tempo names, with a few mistakes of the seed's own."""
    rng = np.random.default_rng([spec.seed, *map(ord, spec.net)])
    guess = np.where(rng.random(len(LABELS)) < 0.5, LABELS, PARTNER[LABELS])
    gone = {"shuffled": ("direction",), "frozen": ("direction", "tempo")}.get(spec.frame_order, ())
    unread = ("direction", "tempo", "sequence") if spec.net == BLIND else (*gone, "sequence")
    named = np.where(np.isin(CUE[LABELS], unread), guess, LABELS)
    if spec.frame_order == "reversed" and spec.net != BLIND:
        named = np.where(CUE[LABELS] == "direction", PARTNER[LABELS], named)
    named = np.where(rng.random(len(LABELS)) < 0.05, 0, named)
    scores = 0.02 + 0.6 * np.eye(len(NAMES))[named]
    return Predictions([f"{i}.mp4" for i in range(len(LABELS))], LABELS, list(scores[:, None].astype("f2")), NAMES)


def make(planned, lacks=lambda spec: False):
    spec = planned.spec
    if planned.plan != "mini" or spec.experiment not in ("conv_types", "cues") or lacks(spec):
        return None
    return made_run(planned, predictions(spec))


@pytest.fixture(scope="module")
def runs():
    return made_study(make)


@pytest.fixture(scope="module")
def study(runs):
    return Study(runs, "mini")


@pytest.fixture(scope="module")
def partly():
    """No seed 2 of R3D reversed, and nothing of MC2."""
    return made_study(
        lambda planned: make(
            planned,
            lambda spec: spec.net == "mc2" or (spec.net, spec.frame_order, spec.seed) == ("r3d", "reversed", 2),
        )
    )


def own_runs(runs, net, order):
    return [planned.run for planned in frame_orders.networks(runs, "mini")[net, order].done]


def test_the_runs_are_those_of_the_rule_on_motion(runs):
    verdict = decide("run-motion", runs, "mini")
    networks = frame_orders.networks(runs, "mini")
    compared = [own for (_, order), own in networks.items() if order != "reversed"]
    looked_at = {folder_of(planned.run).as_posix() for own in compared for planned in own.done}
    assert set(verdict.folders) <= looked_at
    assert sum(len(own.planned) for own in networks.values()) == 4 * (10 * 3 + 10 + 5), (
        "orders; seeds of ten nets and of R(2+1)D and R3D"
    )
    paper = frame_orders.networks(runs, "paper")
    assert {order for (_, order), own in paper.items() if own.planned} == {"normal", "shuffled", "frozen"}


def test_accuracies_by_group_are_those_of_by_cue(runs, study):
    for order in frame_orders.ORDERS:
        by_hand = by_cue(own_runs(runs, "r3d", order)).query("measure == 'class'").groupby("cue")["accuracy"].mean()
        for cue in CUES:
            assert study.accuracies["r3d", order, cue].points == pytest.approx(by_hand[cue])
    whole = study.accuracies["r3d", "normal", ALL]
    assert whole.points == pytest.approx(np.mean([r.metrics["video_top1"] for r in own_runs(runs, "r3d", "normal")]))
    assert whole.low < whole.points < whole.high


def test_a_change_is_the_difference_of_the_same_weights_video_by_video(runs, study):
    for order in ("shuffled", "reversed", "frozen"):
        for group in (ALL, *CUES):
            change = study.changes["rmc3", order, group]
            here, normal = (study.accuracies["rmc3", at, group].points for at in (order, "normal"))
            assert change.points == pytest.approx(here - normal)
    still = study.changes["rmc3", "reversed", "pose"]
    assert (still.points, still.low, still.high) == pytest.approx((0, 0, 0), abs=1e-6)  # the same mistakes in both


def test_what_the_seeds_have_in_common_falls_out_of_a_change(study):
    """The members guessed in the sequence group are the same in all orders, while the accuracies have spread."""
    assert study.accuracies["r3d", "frozen", "sequence"].high > study.accuracies["r3d", "frozen", "sequence"].low + 5
    assert study.changes["r3d", "frozen", "sequence"].high == pytest.approx(0, abs=1e-6)


def test_only_orders_that_take_a_cue_away_cost_it(study):
    for order, lost in (("shuffled", {"direction"}), ("frozen", {"direction", "tempo"}), ("reversed", {"direction"})):
        assert {cue for cue in CUES if study.changes["r2plus1d", order, cue].high < -10} == lost
        assert not [cue for cue in CUES if study.changes[BLIND, order, cue].high < -10]


def test_a_net_that_reads_direction_names_reversed_clips_as_the_partner(runs, study):
    share = study.share("r3d", "reversed", "direction", study.partner)
    own = [run.predictions.scores.argmax(1) for run in own_runs(runs, "r3d", "reversed")]
    there = CUE[LABELS] == "direction"
    by_hand = 100 * np.mean([(named == PARTNER[LABELS])[there].mean() for named in own])
    assert share.points == pytest.approx(by_hand)
    assert share.points > 85
    assert study.share("r3d", "normal", "direction", study.partner).points < 5
    assert 35 < study.share(BLIND, "reversed", "direction", study.partner).points < 65


def test_what_direction_videos_are_named_as_adds_up_to_all_of_them(study):
    row = study.partner_table().frame.set_index(("", "net")).loc["R(2+1)D"]
    for order in ("in order", "reversed"):
        shares = [float(row[order, name].split(" ")[0]) for name in frame_orders.NAMED]
        assert sum(shares) == pytest.approx(100, abs=0.2)


def test_pose_classes_have_no_partner(study):
    named = np.where(CUE[LABELS] == "pose", PARTNER[LABELS], LABELS)
    assert not study.partner(named).any()
    assert set(classes().query("cue == 'pose'")["pair"]) == {""}


def test_tables_have_numbers_changes_and_links(study):
    row = study.order_table(ALL).frame.set_index("net").loc["R3D"]
    part, change = study.accuracies["r3d", "frozen", ALL], study.changes["r3d", "frozen", ALL]
    assert row["frozen"].startswith(f"{part.points:.1f} ")
    assert f"{change.points:+.1f}".replace("-", "−") in row["frozen"]
    assert row["frozen"].count("mini_cues_") == 5
    assert row["in order"].count("mini_conv_types_") == 5
    assert "href" not in study.order_table("pose").frame.loc[2, "frozen"]


def test_what_is_recorded_in_part_is_shown_and_told(partly):
    study = Study(partly, "mini")
    rows = study.order_table("direction").frame.set_index("net")
    assert "4 of 5 runs" in rows.loc["R3D", "reversed"]
    assert "of 5 runs" not in rows.loc["R3D", "frozen"]
    assert rows.loc["MC2"].str.contains("not run").all()
    named = [run.predictions.scores.argmax(1) for run in own_runs(partly, "r3d", "reversed")]
    right = np.mean([(own == LABELS)[CUE[LABELS] == "direction"].mean() for own in named])
    assert len(named) == 4
    assert study.accuracies["r3d", "reversed", "direction"].points == pytest.approx(100 * right)
    axes = order_figures.by_order(study.by_order(), 16).axes
    assert [text.get_text() for text in axes[0].texts] == ["not run"]


def test_weights_of_another_run_are_not_compared(runs):
    moved = runs.copy()
    own = (moved["experiment"] == "cues") & (moved["net"] == "R3D")
    moved.loc[own, "init_from"] = "run:mini/conv_types/another"
    study = Study(moved, "mini")
    assert ("r3d", "frozen", ALL) in study.accuracies
    assert ("r3d", "frozen", ALL) not in study.changes


def test_other_videos_or_classes_are_refused(runs):
    row = runs.index[(runs["plan"] == "mini") & (runs["run"] == "r3d-18_8f_seed1")][0]
    run = runs.loc[row, "result"]
    for changed, complaint in (
        (replace(run.predictions, videos=["other.mp4", *run.predictions.videos[1:]]), "tested on other videos"),
        (replace(run.predictions, classes=("surfing", *NAMES[1:])), "tested on other videos"),
    ):
        other = replace(run)
        vars(other)["predictions"] = changed
        broken = runs.copy()
        broken.at[row, "result"] = other
        with pytest.raises(ValueError, match=complaint):
            Study(broken, "mini")


def test_without_runs_everything_is_said_to_be_not_run():
    study = Study(made_study(), "mini")
    assert study.by_order().empty
    for table in (study.order_table("pose"), study.partner_table()):
        cells = table.frame.iloc[:, 1:]
        assert cells.map(lambda cell: "not run" in cell).all(axis=None)


def test_the_figure_has_a_panel_a_cue_group_and_a_mark_for_each_net_and_order(study):
    table = study.by_order()
    axes = order_figures.by_order(table, 16).axes
    assert [one.get_title() for one in axes] == list(CUES)
    for one, cue in zip(axes, CUES, strict=True):
        drawn = sorted(round(float(x), 6) for c in one.containers for x in c.lines[0].get_xdata())
        assert drawn == sorted(table.loc[table["group"] == cue, "accuracy"].round(6))
        assert len(drawn) == 12 * 4


@pytest.mark.parametrize("complete", [False, True])
def test_the_chapters_cells_execute(complete, runs, monkeypatch):
    shown = shown_by("cues", runs if complete else made_study(), monkeypatch)
    assert len(figures_in(shown)) == complete
    assert all("Plan *mini*, dataset `pantomime-mini`" in below for below in below_figures(shown))
    # the figure and the line below it, the tables by group, the table of partners
    assert sum("*Not run" in html_of(what) for what in shown) == (0 if complete else 4)


def test_the_page_types_no_result():
    page = (REPOSITORY / "book" / "cues.md").read_text()
    assert set(re.findall(r"\d+%", page)) == {"95%"}
