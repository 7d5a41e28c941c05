"""How claims are decided from recorded runs, whichever the claim: parts, intervals, what is missing, whole plans."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from studylib import REPOSITORY
from studylib.claims import verdicts
from studylib.claims.parts import (
    CONTRADICTED,
    EQUAL,
    INCONCLUSIVE,
    NOT_RUN,
    ONE_SEED,
    REPRODUCED,
    UNDECIDABLE,
    Part,
    Verdict,
    combine,
    contrast,
    exact,
)
from studylib.claims.verdicts import decide
from studylib.runs.plan import load_plan
from studylib.stats import NotComparable, difference
from studylib.stats.estimates import outcomes
from studylib.training.evaluation import video_top_k
from tests.fake_runs import fake_predictions
from tests.verdict_runs import PLAN, complete, scored, table, table2

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
    with pytest.raises(ValueError, match="at least one part"):
        combine([])


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


def test_the_numbers_show_every_interval_and_whether_a_seed_is_covered():
    part = Part("a minus b", 1.25, -0.5, 3.0, covers_seeds=False)
    text = Verdict(INCONCLUSIVE, (part,)).numbers
    assert text.startswith("a minus b: +1.2 points (95% interval −0.5 to +3.0)")
    assert ONE_SEED in text
    assert ONE_SEED not in Verdict(INCONCLUSIVE, (replace(part, covers_seeds=True),)).numbers
    assert "interval" not in str(exact("a count", 0.5, (0, 1)))


# --- intervals


@pytest.mark.parametrize("measure", ["clip_top1", "video_top1"])
def test_a_difference_is_that_of_seeds_and_videos(measure):
    first, second = ({s: fake_predictions(seed=s, skill=k) for s in own} for own, k in (((0, 1, 2), 2), ((3, 4), 1)))
    part = contrast("x", [outcomes(first, measure)], [outcomes(second, measure)])
    known = difference(first, second, measure)
    assert (part.points, part.low, part.high) == pytest.approx((known.points, known.low, known.high))
    assert part.covers_seeds
    assert 1 < part.freedom < np.inf


def test_networks_that_were_tested_with_other_labels_are_not_compared():
    """The same videos and classes; in one test a video has another label, or two."""
    first, second = scored(70), scored(60)
    relabelled = replace(second, labels=np.r_[(second.labels[0] + 1) % 3, second.labels[1:]])
    two_labels = replace(second, label_sets=[np.array([0, 1]), *(np.array([own]) for own in second.labels[1:])])
    for other in (relabelled, two_labels):
        with pytest.raises(NotComparable, match="the networks were not tested on the same videos, labels and classes"):
            contrast("x", [outcomes({0: first})], [outcomes({0: other}, "clip_top1")])
        with pytest.raises(NotComparable, match="seed 1 was not tested on the same videos, labels"):
            outcomes({0: first, 1: other})


def test_over_splits_it_is_the_mean_of_their_differences():
    splits = {s: (scored(70, s, f"split{s}/"), scored(60, s + 5, f"split{s}/", whole=0.5)) for s in (1, 2, 3)}
    first, second = ({0: {s: pair[i] for s, pair in splits.items()}} for i in (0, 1))
    part = contrast("x", [outcomes(first)], [outcomes(second)])
    known = [video_top_k(one, 1) - video_top_k(other, 1) for one, other in splits.values()]
    assert part.points == pytest.approx(np.mean(known))
    assert part.low < part.points < part.high
    assert not part.covers_seeds


def test_a_video_of_two_splits_is_drawn_once():
    """Two splits with the same videos are one test: the interval is that of one, not narrower by a factor 1.4."""
    one, other = scored(70), scored(60, whole=0.5)
    once = contrast("x", [outcomes({0: {1: one}}, "clip_top1")], [outcomes({0: other}, "clip_top1")])
    twice = contrast(
        "x", [outcomes({0: {1: one, 2: one}}, "clip_top1")], [outcomes({0: {1: other, 2: other}}, "clip_top1")]
    )
    assert (twice.points, twice.low, twice.high) == pytest.approx((once.points, once.low, once.high))


# --- dispatch


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


def test_the_papers_plan_has_what_its_rules_ask_for():
    runs = complete(load_plan(REPOSITORY / "runs/paper.yaml"))
    found = {claim: decide(claim, runs, "paper") for claim in verdicts.RULES}
    never = {"run-flow-quality", "run-flow-speed", "run-finetune-time"}
    assert {claim for claim, verdict in found.items() if verdict.outcome == UNDECIDABLE} == never
    waiting = {claim for claim, verdict in found.items() if verdict.outcome == NOT_RUN}
    assert waiting == {"run-filters"}  # whose weights these runs lack
    assert all(verdict.covers_seeds for verdict in found.values())
    assert len(found["run-fusion"].parts) == 16
    assert len(found["run-transfer"].parts) == 12
    assert len(found["run-pretraining"].parts) == 6
    assert re.search("48 frames minus 40", found["run-clip-rises"].numbers)


def test_the_embedded_study_has_what_the_rules_ask_for_and_leaves_what_needs_the_papers_data():
    runs = complete(load_plan(REPOSITORY / "runs/mini.yaml"))
    found = {claim: decide(claim, runs, "mini") for claim in verdicts.RULES}
    assert {claim for claim, verdict in found.items() if verdict.outcome == UNDECIDABLE} == {
        "run-sports", "run-kinetics", "run-transfer", "run-pretraining", "run-sizes",
        "run-flow-quality", "run-flow-speed", "run-filters", "run-finetune-time",
    }  # fmt: skip
    # it has neither variants of R(2+1)D nor optical flow nor a second resolution
    waiting = {claim: verdict.missing for claim, verdict in found.items() if verdict.outcome == NOT_RUN}
    assert set(waiting) == {"run-nonlinearity", "run-fusion", "run-resolution"}
    assert all("the plan has no" in reason or "in the plan" in reason for (reason,) in waiting.values())
    assert all(verdict.covers_seeds for verdict in found.values())
