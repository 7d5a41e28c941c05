"""Networks as far as they are recorded: which runs, how many of them, and numbers against the same computed another
way."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from studylib.claims.networks import Evidence, Undecidable, lack_of_states, rows_of
from studylib.claims.parts import over_seeds
from tests.made_study import made_study, table2
from tests.made_study import network_of as of
from tests.verdict_runs import PLAN, run_of, scored, table, trained


def found(runs):
    return Evidence(table(runs), PLAN).find("a", ("conv_types",), net="r2plus1d")


def test_a_network_is_its_seeds_and_no_other_run():
    own = of(table2())
    assert [p.folder for p in own.planned] == [f"runs/mini/conv_types/mc3-18_8f_seed{seed}" for seed in range(3)]
    assert list(own.tests) == [0, 1, 2]


def test_the_first_experiment_that_plans_it_counts():
    for depth, experiment in ((34, "depth"), (18, "conv_types")):
        own = of(table2(), "r3d", experiments=("depth", "conv_types"), depth=depth)
        assert {p.spec.experiment for p in own.planned} == {experiment}


def test_several_networks_are_refused():
    with pytest.raises(Undecidable, match="several runs of a that differ in epochs"):
        found(trained("a", 60) + trained("b", 60, epochs=9))


def test_the_rows_of_networks_are_those_of_their_runs_each_once():
    rows = rows_of(table2(1), [of(table2(1)), of(table2(1))])
    assert list(rows["run"]) == [f"mc3-18_8f_seed{seed}" for seed in range(3)]
    assert rows_of(table2(1), []).empty


def test_what_is_missing_is_told():
    assert of(table2()).lack == ""
    assert of(table2(1)).lack == "2 of 3 runs"
    assert of(made_study()).lack == "not run"
    assert of(table2(), "c3d").lack == "not planned"
    assert lack_of_states(["not run", "unfinished"]) == "unfinished"
    assert lack_of_states(["unfinished", "complete"]) == "1 of 2 runs"


def test_a_seed_counts_when_all_its_splits_are_complete():
    runs = []
    for name, run in trained("a", 60, seeds=(0, 1)):
        for split in (1, 2):
            spec = replace(run.spec, split=split)
            made = run_of(spec, scored(60, 7 * split + spec.seed, name=f"split{split}/"))
            runs.append((f"{name}_{split}", spec if (spec.seed, split) == (1, 2) else made))
    own = found(runs)
    assert list(own.tests) == [0]
    assert own.lack == "3 of 4 runs"


def test_one_number_a_seed_has_students_interval_and_two_networks_welchs():
    a, b = [20.0, 22.0, 21.0], [17.0, 15.0, 16.6]
    part = over_seeds("", [a])
    half = t.ppf(0.975, 2) * np.std(a, ddof=1) / np.sqrt(3)
    assert (part.points, part.low, part.high) == pytest.approx((21, 21 - half, 21 + half))
    part, known = over_seeds("", [a], [b]), ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (part.low, part.high) == pytest.approx((known.low, known.high))
    single = over_seeds("", [a], [[15.0]])
    assert single.points == 6
    assert np.isnan([single.low, single.high]).all()
