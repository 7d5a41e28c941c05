"""The chapter on cues: networks that are known to read an order, or not to, come out as such."""

import numpy as np
import pandas as pd
import pytest

from studylib.book import cues
from studylib.book.cues import ALL, ORDERS
from studylib.datasets.pantomime.actions import CUES, SOURCE
from studylib.training.evaluation import Predictions
from tests.chapters import figures_in, shown_by
from tests.made_study import made_run, made_study
from tests.small_study import RIGHT

NAMES = tuple(action.name for action in SOURCE)
CUE = np.array([action.cue for action in SOURCE])
LABELS = np.tile(np.arange(len(NAMES)), 10)
PARTNER = np.arange(len(NAMES)) ^ 1  # pairs are neighbours
BLIND = "f-R2D"  # guesses the class within a pair, whatever the order; all others read direction and tempo


def predictions(spec):
    """What a net that reads direction and tempo names, with a few mistakes of the seed's own."""
    rng = np.random.default_rng([spec.seed, *map(ord, spec.net)])
    guess = np.where(rng.random(len(LABELS)) < 0.5, LABELS, PARTNER[LABELS])
    gone = {"shuffled": ("direction",), "frozen": ("direction", "tempo")}.get(spec.frame_order, ())
    unread = ("direction", "tempo", "sequence") if spec.net == "f_r2d" else (*gone, "sequence")
    named = np.where(np.isin(CUE[LABELS], unread), guess, LABELS)
    if spec.frame_order == "reversed" and spec.net != "f_r2d":
        named = np.where(CUE[LABELS] == "direction", PARTNER[LABELS], named)
    named = np.where(rng.random(len(LABELS)) < 0.05, 0, named)
    scores = 0.02 + 0.6 * np.eye(len(NAMES))[named]
    return Predictions([f"{i}.mp4" for i in range(len(LABELS))], LABELS, list(scores[:, None].astype("f2")), NAMES)


def make(planned):
    ours = planned.plan == "mini" and planned.spec.experiment in ("conv_types", "cues")
    return made_run(planned, predictions(planned.spec)) if ours else None


@pytest.fixture(scope="module")
def runs():
    return made_study(make)


@pytest.fixture(scope="module")
def reordered(runs):
    return cues.reordered(runs, "mini")


@pytest.fixture(scope="module")
def found(reordered):
    return cues.by_order(reordered).set_index(["net", "order", "group"])


def of(tests, net, order):
    return tests[(tests["net"] == net) & (tests["frame_order"] == order)]


def test_accuracies_by_group_are_those_of_the_videos(reordered, found):
    for order in ORDERS:
        videos = pd.concat(map(cues.named, of(reordered, "R3D", order)["result"]))
        for cue, share in videos.groupby("cue")["right"].mean().items():
            assert found.loc[("R3D", order, cue), "accuracy"].points == pytest.approx(100 * share)
    whole = found.loc[("R3D", "normal", ALL), "accuracy"]
    assert whole.points == pytest.approx(of(reordered, "R3D", "normal")["video_top1"].mean())
    assert whole.low < whole.points < whole.high


def test_a_change_is_the_difference_of_the_same_weights_video_by_video(found):
    for order in ("shuffled", "reversed", "frozen"):
        for group in (ALL, *CUES):
            here, normal = (found.loc[("rMC3", at, group), "accuracy"].points for at in (order, "normal"))
            assert found.loc[("rMC3", order, group), "change"].points == pytest.approx(here - normal)
    still = found.loc[("rMC3", "reversed", "pose"), "change"]
    assert (still.points, still.low, still.high) == pytest.approx((0, 0, 0), abs=1e-6)  # the same mistakes in both


def test_what_the_seeds_have_in_common_falls_out_of_a_change(found):
    """The classes guessed in the sequence group are the same in all orders, while the accuracies have spread."""
    frozen = found.loc[("R3D", "frozen", "sequence")]
    assert frozen["accuracy"].high > frozen["accuracy"].low + 5
    assert frozen["change"].high == pytest.approx(0, abs=1e-6)


def test_only_orders_that_take_a_cue_away_cost_it(found):
    for order, lost in (("shuffled", {"direction"}), ("frozen", {"direction", "tempo"}), ("reversed", {"direction"})):
        assert {cue for cue in CUES if found.loc[("R(2+1)D", order, cue), "change"].high < -10} == lost
        assert not [cue for cue in CUES if found.loc[(BLIND, order, cue), "change"].high < -10]


def test_a_net_that_reads_direction_names_reversed_clips_as_the_partner(reordered):
    shares = cues.as_partner(reordered).set_index(["net", "order"])
    named = [run.predictions.scores.argmax(1) for run in of(reordered, "R3D", "reversed")["result"]]
    by_hand = 100 * np.mean([(own == PARTNER[LABELS])[CUE[LABELS] == "direction"].mean() for own in named])
    assert shares.loc[("R3D", "reversed"), "partner"].points == pytest.approx(by_hand)
    assert by_hand > 85
    assert shares.loc[("R3D", "normal"), "partner"].points < 5
    assert 35 < shares.loc[(BLIND, "reversed"), "partner"].points < 65


def test_weights_of_another_run_are_not_compared(runs):
    moved = runs["init_from"].mask(
        (runs["experiment"] == "cues") & (runs["net"] == "R3D"), "run:mini/conv_types/another"
    )
    assert "R3D" not in set(cues.by_order(cues.reordered(runs.assign(init_from=moved), "mini"))["net"])


def test_the_figure_has_a_panel_a_group_and_a_mark_for_each_net_and_order(found):
    figure = cues.orders_figure(found.reset_index(), {cue: {"chance": 6.25} for cue in CUES})
    for axes, cue in zip(figure.axes, CUES, strict=True):
        drawn = sorted(round(float(x), 6) for c in axes.containers for x in c.lines[0].get_xdata())
        accuracies = found.xs(cue, level="group")["accuracy"]
        assert drawn == sorted(round(own.points, 6) for own in accuracies)
        assert len(drawn) == 12 * 4


def test_words_have_no_groups_and_speakers_are_what_is_drawn(study):
    found = cues.by_order(cues.reordered(study, "lips")).set_index(["net", "order"])
    assert set(found["group"]) == {ALL}
    row = found.loc[("R(2+1)D", "reversed")]
    assert row["accuracy"].unit == row["change"].unit == "speakers"
    assert row["change"].points == pytest.approx(25 - RIGHT["r2plus1d"], abs=15)


def test_without_runs_the_page_draws_nothing(monkeypatch):
    assert figures_in(shown_by("cues", made_study(), monkeypatch)) == []
