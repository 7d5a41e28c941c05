"""What the chapter on Table 2 says of seeds and machines."""

import re

import pytest

from studylib.book import table2
from studylib.claims.verdicts_intervals import outcomes
from tests.made_study import made_study, random_run
from tests.made_study import table2 as recorded


def numbers(cell):
    return [float(n) for n in re.findall(r"[+-]?\d+\.\d", re.sub("<[^>]*>", "", cell).replace("−", "-"))]


def by_machine():
    """The seed 0 of each network of Table 2 on a processor, the others on a GPU."""

    def make(planned):
        if (planned.plan, planned.spec.experiment) != ("mini", "conv_types"):
            return None
        run = random_run(planned)
        run.provenance["device"] = "H200" if planned.spec.seed else "cpu"
        return run

    return made_study(make)


def test_the_networks_are_compared_on_each_machine_and_across():
    rows = table2.machines_table(by_machine(), "mini").frame.set_index("difference").iloc[:, 0].map(numbers)
    on_cpu, on_gpu, apart = rows.iloc[:3]
    assert apart[0] == pytest.approx(on_cpu[0] - on_gpu[0], abs=0.11)
    ours, theirs = rows.iloc[3:5]
    assert apart[0] == pytest.approx(ours[0] - theirs[0], abs=0.11)
    assert "not every network" in table2.machines_table(recorded(), "mini").data


def test_networks_are_compared_by_all_seeds_and_by_as_many_of_each():
    rows = table2.equal_seeds(recorded(), "mini").frame.set_index("R(2+1)D minus")
    assert rows.loc["R3D", "seeds"] == "10 and 5"
    nets = table2.networks(recorded(), "mini")
    for column, seeds in (("by all", 10), ("by the first of both", 3)):
        ours, other = (
            {s: net.tests[s] for s in range(min(seeds, len(net.tests)))} for net in (nets["R(2+1)D"], nets["MC3"])
        )
        points = outcomes(ours, "clip@1").values.mean() - outcomes(other, "clip@1").values.mean()
        assert numbers(rows.loc["MC3", column])[0] == pytest.approx(points, abs=0.051)


def test_an_interval_over_seeds_that_fail_now_and_then_covers_less_than_it_says():
    assert 0.85 < table2.covered(10) < table2.covered(3) < 0.95
