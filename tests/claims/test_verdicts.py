"""How claims are decided from recorded runs, whichever the claim: parts, intervals, networks, whole plans."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_ind

from studylib import REPOSITORY
from studylib.claims import verdicts
from studylib.claims.parts import (
    CONTRADICTED,
    EQUAL,
    INCONCLUSIVE,
    NOT_RUN,
    REPRODUCED,
    UNDECIDABLE,
    Part,
    combine,
    contrast,
    exact,
    over_seeds,
)
from studylib.claims.published import EMPIRICAL, read_claims
from studylib.claims.verdicts import Evidence, Undecidable, decide
from studylib.runs.plan import load_plan
from studylib.stats.estimates import outcomes
from tests import made_study
from tests.verdict_runs import PLAN, complete, scored, table, table2, trained

# --- parts


@pytest.mark.parametrize(
    ("interval", "claimed", "expected"),
    [
        ((0.1, 3), (0, np.inf), REPRODUCED),
        ((-3, -0.1), (0, np.inf), CONTRADICTED),
        ((-0.1, 3), (0, np.inf), INCONCLUSIVE),
        ((0, 0), (0, np.inf), INCONCLUSIVE),  # nothing differs
        ((0, 3), (0, np.inf), INCONCLUSIVE),
        ((-1.9, 1.9), EQUAL, REPRODUCED),
        ((-2, 2), EQUAL, REPRODUCED),  # as in the audit, the ends belong to it
        ((-1.9, 2.1), EQUAL, INCONCLUSIVE),
        ((-2.1, 2.1), EQUAL, INCONCLUSIVE),
        ((2.1, 4), EQUAL, CONTRADICTED),
        ((-4, -2.1), EQUAL, CONTRADICTED),
    ],
)
def test_a_part_is_decided_by_where_its_whole_interval_lies(interval, claimed, expected):
    part = Part("x", sum(interval) / 2, *interval, claimed)
    assert part.outcome == expected
    assert combine([part]) == expected


def test_no_interval_of_a_difference_of_accuracies_exceeds_100_points():
    part = contrast("x", [outcomes({s: {1: scored(a)} for s, a in ((0, 95), (1, 20))}, "clip_top1")])
    for low, high in ((part.low, part.high), part.among(33)):
        assert -100 <= low < part.points < high <= 100
    wide = Part("x", 50, -80, 95, freedom=2)
    assert wide.among(10) == (-100, 100)


def test_a_claim_is_reproduced_by_all_parts_and_contradicted_by_one():
    good, bad, open_ = (Part("x", m, m - 1, m + 1) for m in (5, -50, 0.5))
    assert combine([good, good]) == REPRODUCED
    assert combine([good, open_]) == INCONCLUSIVE
    assert combine([good, open_, bad]) == CONTRADICTED


def test_one_of_many_contradicts_only_by_an_interval_for_so_many():
    """-2 with 1.9 to each side: 2.06 standard errors are enough alone, and not for one of eighteen (3.0)."""
    near, good = Part("x", -2.0, -3.9, -0.1), Part("x", 5, 4, 6)
    assert near.outcome == combine([near]) == CONTRADICTED
    assert combine([near, *[good] * 17]) == INCONCLUSIVE
    assert near.among(1) == pytest.approx((-3.9, -0.1))
    low, high = near.among(18)
    assert high - low == pytest.approx(3.8 * 2.991 / 1.960, rel=1e-3)
    wider = replace(near, freedom=4).among(18)  # Student's t grows faster
    assert wider[1] - wider[0] > high - low


def test_a_part_shows_its_interval_unless_it_was_counted():
    assert str(Part("a minus b", 1.25, -0.5, 3.0)) == "a minus b: +1.2 points (95% interval −0.5 to +3.0)"
    assert "interval" not in str(exact("a count", 0.5, (0, 1)))


# --- intervals


def test_a_video_of_two_splits_is_drawn_once():
    """Two splits with the same videos are one test: the interval is that of one, not narrower by a factor 1.4."""
    one, other = scored(70), scored(60, whole=0.5)
    once = contrast("x", [outcomes({0: {1: one}}, "clip_top1")], [outcomes({0: other}, "clip_top1")])
    twice = contrast(
        "x", [outcomes({0: {1: one, 2: one}}, "clip_top1")], [outcomes({0: {1: other, 2: other}}, "clip_top1")]
    )
    assert (twice.points, twice.low, twice.high) == pytest.approx((once.points, once.low, once.high))


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


# --- networks and plans


def test_a_network_is_its_seeds_of_the_first_experiment_that_plans_it_and_no_other_run():
    evidence = Evidence(made_study.table2(), "mini")
    for depth, experiment in ((34, "depth"), (18, "conv_types")):
        own = evidence.net("r3d", ["depth", "conv_types"], net="r3d", depth=depth)
        assert {p.spec.experiment for p in own.runs.values()} == {experiment}
    mc3 = evidence.net("mc3", ["conv_types"], net="mc3")
    folders = [p.folder for p in mc3.runs.values()]
    assert folders == [f"runs/mini/conv_types/mc3-18_8f_seed{seed}" for seed in range(3)] == evidence.used[-3:]
    assert list(mc3.tests()) == [0, 1, 2]


def test_several_networks_are_refused():
    evidence = Evidence(table(trained("a", 60) + trained("b", 60, epochs=9)), PLAN)
    with pytest.raises(Undecidable, match="several runs of a that differ in epochs"):
        evidence.net("a", ["conv_types"], net="r2plus1d")


@pytest.mark.parametrize("plan", verdicts.WITHOUT_VERDICTS)
def test_some_plans_decide_nothing(plan):
    verdict = decide("run-best", table(table2(), plan), plan)
    assert (verdict.outcome, verdict.parts) == (UNDECIDABLE, ())
    assert plan in verdict.why


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match="'same-cost' is no empirical claim"):
        decide("same-cost", table(table2()), PLAN)
    with pytest.raises(ValueError, match="none of the plan 'other'; it has study"):
        decide("run-best", table(table2()), "other")


def test_runs_of_another_plan_are_not_looked_at():
    both = pd.concat([table(table2()), table(table2(r3d=90), "other")])
    assert decide("run-best", both, PLAN).outcome == REPRODUCED
    assert decide("run-best", both, "other").outcome == CONTRADICTED


NEVER = {"run-flow-quality", "run-flow-speed", "run-finetune-time"}
OF_OTHER_DATA = {"run-sports", "run-kinetics", "run-transfer", "run-pretraining", "run-sizes", "run-filters"}

BETWEEN = {"run-clip-rises", "run-video-peak"}  # lengths between the two that it has the hours to decide on


@pytest.mark.parametrize(
    ("plan", "undecidable", "waiting", "one_seed"),
    [
        ("paper", NEVER, {"run-filters"}, set()),  # whose weights these runs lack
        # it has neither variants of R(2+1)D nor optical flow nor a second resolution
        ("mini", NEVER | OF_OTHER_DATA, {"run-nonlinearity", "run-fusion", "run-resolution"}, BETWEEN),
        ("lips", NEVER | OF_OTHER_DATA, {"run-resolution"}, set()),
    ],
)
def test_a_plan_has_what_the_rules_ask_for_and_leaves_what_needs_other_data(plan, undecidable, waiting, one_seed):
    runs = complete(load_plan(REPOSITORY / f"runs/{plan}.yaml"))
    found = {claim: decide(claim, runs, plan) for claim in read_claims(EMPIRICAL).index}
    assert {claim for claim, verdict in found.items() if verdict.outcome == UNDECIDABLE} == undecidable
    assert {claim for claim, verdict in found.items() if verdict.outcome == NOT_RUN} == waiting
    if plan != "lips":  # of which these runs lack the speakers
        assert {claim for claim, verdict in found.items() if not verdict.covers_seeds} == one_seed
    if plan == "paper":
        parts = {claim: len(found[claim].parts) for claim in ("run-fusion", "run-transfer", "run-pretraining")}
        assert parts == {"run-fusion": 16, "run-transfer": 12, "run-pretraining": 6}
        assert any("48 frames minus 40" in part.what for part in found["run-clip-rises"].parts)
