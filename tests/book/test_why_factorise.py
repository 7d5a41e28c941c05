"""The chapter on why (2+1)D: its gaps, errors and variants are those of the runs; made up, never trained."""

from functools import cache

import pytest

from studylib import REPOSITORY
from studylib.book import why_factorise
from studylib.book.tables import text
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.plan import load_plan
from studylib.stats import difference
from studylib.training.evaluation import clip_top1
from tests.made_study import made_run, made_study, random_run

SHOWN = ("conv_types", "depth", "mechanism")


@cache
def runs():
    """R(2+1)D, R3D and the variants of the small study, with training errors of 20 and 26%."""

    def make(planned):
        spec = planned.spec
        if spec.experiment not in SHOWN or (spec.experiment == "conv_types" and spec.net not in ("r2plus1d", "r3d")):
            return None
        errors = (20.0 if spec.net.startswith("r2plus1d") else 26.0, 30.0)
        return made_run(planned, random_run(planned).predictions, errors)

    return made_study(make, ("mini",))


def of(net, experiment="conv_types", rows=None):
    rows = runs() if rows is None else rows
    return rows[(rows["net_key"] == net) & (rows["experiment"] == experiment)]


def test_the_gap_of_a_setting_is_that_of_all_its_seeds():
    table = why_factorise.comparisons(runs()).set_index("setting")
    for setting, experiment, seeds in (("the study's settings", "conv_types", (10, 5)), ("34 layers", "depth", (3, 3))):
        means = [
            of(net, experiment)["result"].map(lambda run: clip_top1(run.predictions)).mean()
            for net in ("r2plus1d", "r3d")
        ]
        assert table.loc[setting, "clip"].points == pytest.approx(means[0] - means[1])
        assert tuple(map(len, table.loc[setting, "clip"].seeds)) == seeds
        assert table.loc[setting, "train"].points == pytest.approx(6)


def test_published_gaps_stand_beside_ours():
    own = why_factorise.comparisons(made_study(plans=("mini",)))
    assert own["clip"].map(text).tolist() == ["3.1 (no interval)", "3.4 (no interval)", "4.4 (no interval)"]


def test_a_seed_counts_when_all_its_splits_are_there_and_a_setting_when_both_networks_are():
    def make(without):
        def run(planned):
            spec = planned.spec
            is_pair = spec.experiment == "conv_types" and spec.net in ("r2plus1d", "r3d") and spec.seed < 2
            return random_run(planned) if is_pair and (spec.net, spec.seed, spec.split) not in without else None

        return why_factorise.comparisons(made_study(run, ("lips",)))

    assert make([])["clip"].iloc[0].seeds == ((0, 1), (0, 1))
    assert make([("r3d", 1, 4)])["clip"].iloc[0].seeds == ((0, 1), (0,))
    assert set(make([("r3d", 1, 4), ("r3d", 0, 1)])["group"]) == {why_factorise.PUBLISHED}


def test_a_setting_is_named_by_what_it_changes():
    table = why_factorise.comparisons(made_study(random_run, ("lips",)))
    own = table.loc[table["group"] != why_factorise.PUBLISHED, "setting"].tolist()
    changes = ["phrases, not words", "width 32", "fixed mean", "closer view", "published test speakers", "34 layers"]
    assert [own[0], *sorted(own[1:])] == ["the study's settings", *sorted(changes)]


def test_the_forest_draws_every_gap_at_its_place():
    table = why_factorise.comparisons(runs())
    left, right = why_factorise.forest(table).axes
    drawn = [bars.lines[0].get_xdata()[0] for bars in left.containers]
    assert drawn == [found.points for found in table["clip"]]
    assert len(right.containers) == table["train"].notna().sum()
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert [labels[int(bars.lines[0].get_ydata()[0])] for bars in left.containers] == table["setting"].tolist()


def test_a_variant_is_compared_with_r2plus1d_in_accuracy_error_and_size():
    table = why_factorise.variants(runs(), "mini").set_index("network")
    assert len(table) == len(why_factorise.VARIANTS)
    own = difference(of("r2plus1d_double_m", "mechanism")["result"], of("r2plus1d")["result"], "clip_top1")
    assert table.loc[PRINTED_NAMES["r2plus1d_double_m"], "clip"] == own
    assert table.loc[PRINTED_NAMES["r2plus1d_double_m"], "parameters"] == 2
    assert table.loc["R3D", "train"].points == pytest.approx(6)
    assert why_factorise.variants(runs()[runs()["experiment"] != "mechanism"], "mini").empty


def test_every_variant_of_a_plan_is_shown():
    planned = [run.spec for name in ("lips", "paper") for run in load_plan(REPOSITORY / "runs" / f"{name}.yaml").runs]
    assert {spec.net for spec in planned if spec.experiment == "mechanism"} <= set(why_factorise.VARIANTS)
