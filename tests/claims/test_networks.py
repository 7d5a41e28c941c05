"""Which runs a rule takes for a network, and intervals of what is one number a seed."""

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from studylib.claims.networks import Evidence, Undecidable
from studylib.claims.parts import over_seeds
from tests.made_study import table2
from tests.verdict_runs import PLAN, table, trained


def test_a_network_is_its_seeds_of_the_first_experiment_that_plans_it_and_no_other_run():
    evidence = Evidence(table2(), "mini")
    for depth, experiment in ((34, "depth"), (18, "conv_types")):
        own = evidence.net("r3d", ["depth", "conv_types"], net="r3d", depth=depth)
        assert {p.spec.experiment for p in own.runs.values()} == {experiment}
    mc3 = evidence.net("mc3", ["conv_types"], net="mc3")
    folders = [p.folder for p in mc3.runs.values()]
    assert folders == [f"runs/mini/conv_types/mc3-18_8f_seed{seed}" for seed in range(3)] == evidence.used[-3:]
    assert list(mc3.tests) == [0, 1, 2]


def test_several_networks_are_refused():
    evidence = Evidence(table(trained("a", 60) + trained("b", 60, epochs=9)), PLAN)
    with pytest.raises(Undecidable, match="several runs of a that differ in epochs"):
        evidence.net("a", ["conv_types"], net="r2plus1d")


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
