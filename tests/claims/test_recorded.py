"""Networks as far as they are recorded: which runs, how many of them, and numbers against the same computed another
way."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_ind

from studylib.claims import recorded
from studylib.claims.verdicts_evidence import Evidence, Undecidable
from studylib.claims.verdicts_intervals import CLIP, VIDEO, VIDEO5
from studylib.stats import difference
from studylib.stats.fusion import fuse
from studylib.training.evaluation import clip_top1, video_top_k, wilson
from tests.made_study import made_study, table2
from tests.made_study import network_of as of
from tests.verdict_runs import PLAN, retested, run_of, scored, table, trained

TABLE2 = ("conv_types",)


def predictions_of(own):
    return {planned.spec.seed: planned.run.predictions for planned in own.done}


# --- which runs


def test_a_network_is_its_seeds_and_no_other_run():
    whole = table2()
    own = of(whole)
    assert [p.folder for p in own.planned] == [f"runs/mini/conv_types/mc3-18_8f_seed{seed}" for seed in range(3)]
    assert list(own.tests) == [0, 1, 2]
    assert not own.fused


def test_the_first_experiment_that_plans_it_counts():
    whole = table2()
    for depth, experiment in ((34, "depth"), (18, "conv_types")):
        own = of(whole, "r3d", experiments=("depth", "conv_types"), depth=depth)
        assert {p.spec.experiment for p in own.planned} == {experiment}


def test_several_networks_are_refused():
    runs = trained("a", 60) + trained("b", 60, epochs=9)
    with pytest.raises(Undecidable, match="several runs of this"):
        recorded.network(Evidence(table(runs), PLAN), "this", TABLE2, net="r2plus1d")


def test_rows_of_one_network_are_its_runs_and_a_seed_may_stand_once():
    rows = recorded.rows_of(table2(1), [of(table2(1))])
    own = recorded.of_rows("MC3", rows)
    assert [p.folder for p in own.planned] == [f"runs/mini/conv_types/mc3-18_8f_seed{seed}" for seed in range(3)]
    assert own.lack == "2 of 3 runs"
    assert own.measured(VIDEO) == replace(of(table2(1)).measured(VIDEO), what="MC3")
    with pytest.raises(ValueError, match="MC3: several of its runs have the same seed and split"):
        recorded.of_rows("MC3", pd.concat([rows, rows.iloc[:1]]))


def test_the_rows_of_networks_are_those_of_their_runs_each_once():
    whole = table2()
    rows = recorded.rows_of(whole, [of(whole), of(whole, "mc2"), of(whole)])
    assert sorted(rows["run"]) == [f"{net}-18_8f_seed{seed}" for net in ("mc2", "mc3") for seed in range(3)]
    assert set(rows["plan"]) == {"mini"}
    assert recorded.rows_of(whole, []).empty


# --- what is missing


def test_what_is_missing_is_told():
    whole, partly = table2(), table2(1)
    assert recorded.lack_of(of(whole)) == ""
    assert recorded.lack_of(of(partly)) == "2 of 3 runs"
    assert recorded.lack_of(of(made_study())) == "not run"
    assert recorded.lack_of(of(whole, "c3d")) == "not planned"
    assert recorded.lack_of(of(whole), of(partly)) == "2 of 3 runs"
    assert recorded.lack_of(of(partly), of(whole, "c3d")) == "not planned"
    assert recorded.lack_of(of(partly), of(made_study())) == "not run"


def test_a_run_that_has_begun_is_told_apart_until_another_is_complete():
    for states, told in (
        (["not run", "unfinished"], "unfinished"),
        (["not run", "not run"], "not run"),
        (["unfinished", "complete"], "1 of 2 runs"),
        ([], "not planned"),
    ):
        assert recorded.lack_of_states(states) == told


def test_one_seed_is_no_plural():
    assert [recorded.seeds_text(own) for own in ([2], [1, 0, 1])] == ["seed 2", "seeds 0, 1"]


# --- numbers


def test_accuracies_are_means_over_the_seeds_inside_their_intervals():
    whole = table2()
    for measure, of_one in (
        (CLIP, clip_top1),
        (VIDEO, lambda p: video_top_k(p, 1)),
        (VIDEO5, lambda p: video_top_k(p, 5)),
    ):
        part = of(whole).measured(measure)
        assert part.points == pytest.approx(np.mean([of_one(p) for p in predictions_of(of(whole)).values()]))
        assert part.low < part.points < part.high
        assert part.covers_seeds
    assert of(made_study()).measured(CLIP) is None


def test_the_video_accuracy_of_one_seed_has_wilsons_interval():
    own = recorded.network(Evidence(table(trained("a", 60, seeds=(0,))), PLAN), "a", TABLE2, net="r2plus1d")
    (predictions,) = predictions_of(own).values()
    part, videos = own.measured(VIDEO), len(predictions.labels)
    assert (part.low, part.high) == pytest.approx(wilson(round(part.points * videos / 100), videos))
    assert not part.covers_seeds
    assert not own.measured(CLIP).covers_seeds


def test_a_difference_is_that_of_seeds():
    whole = table2()
    nets = of(whole, "r2plus1d"), of(whole, "r3d")
    known = difference(*map(predictions_of, nets), "clip_top1")
    part = recorded.difference(*nets, CLIP)
    assert (part.points, part.low, part.high) == pytest.approx((known.points, known.low, known.high))
    assert recorded.difference(nets[0], of(made_study()), CLIP) is None


def test_a_change_is_of_the_same_weights_of_the_seeds_that_both_tests_have():
    runs = [*trained("own", 70), *retested("moved", "conv_types/own", 60, experiment="clip_length", clip_length=32)]
    runs = [(name, run.spec if name in ("own_seed0", "moved_seed1") else run) for name, run in runs]
    evidence = Evidence(table(runs), PLAN)
    own = recorded.network(evidence, "own", TABLE2, net="r2plus1d")
    moved = recorded.network(evidence, "moved", ("clip_length",), net="r2plus1d")
    part = recorded.change(own, moved, CLIP)
    assert part.points == pytest.approx(clip_top1(predictions_of(own)[2]) - clip_top1(predictions_of(moved)[2]))
    assert not part.covers_seeds
    strange = replace(moved, weights=dict.fromkeys(moved.weights, ("runs/study/other",)))
    with pytest.raises(Undecidable, match="not tests of the same trained networks"):
        recorded.change(own, strange, CLIP)


def test_two_streams_are_one_network_of_the_mean_of_their_scores():
    runs = trained("rgb", 60) + trained("flow", 70, modality="flow")
    evidence = Evidence(table([(name, run.spec if name == "flow_seed1" else run) for name, run in runs]), PLAN)
    rgb, flow = (
        recorded.network(evidence, modality, TABLE2, net="r2plus1d", modality=modality) for modality in ("rgb", "flow")
    )
    both = recorded.averaged("both", rgb, flow)
    assert both.fused
    assert both.lack == "2 of 3 pairs"
    mean = [video_top_k(fuse(rgb.tests[seed][1], flow.tests[seed][1]), 1) for seed in (0, 2)]
    assert both.measured(VIDEO).points == pytest.approx(np.mean(mean))
    assert replace(both, rgb_weight=1.0).measured(VIDEO).points == pytest.approx(
        np.mean([video_top_k(rgb.tests[seed][1], 1) for seed in (0, 2)])
    )
    alone = [video_top_k(rgb.tests[seed][1], 1) for seed in (0, 2)]
    assert recorded.change(both, rgb, VIDEO).points == pytest.approx(np.mean(mean) - np.mean(alone))


def test_a_seed_counts_when_all_its_splits_are_complete():
    runs = []
    for name, run in trained("a", 60, seeds=(0, 1)):
        for split in (1, 2):
            spec = replace(run.spec, split=split)
            made = run_of(spec, scored(60, 7 * split + spec.seed, name=f"split{split}/"))
            runs.append((f"{name}_{split}", spec if (spec.seed, split) == (1, 2) else made))
    own = recorded.network(Evidence(table(runs), PLAN), "a", TABLE2, net="r2plus1d")
    assert list(own.tests) == [0]
    assert own.lack == "3 of 4 runs"
    each = [video_top_k(p, 1) for p in own.tests[0].values()]
    assert own.measured(VIDEO).points == pytest.approx(np.mean(each))


def test_one_number_a_seed_has_students_interval_and_two_networks_welchs():
    a, b = [20.0, 22.0, 21.0], [17.0, 15.0, 16.6]
    part = recorded.sum_over_seeds([a])
    half = t.ppf(0.975, 2) * np.std(a, ddof=1) / np.sqrt(3)
    assert (part.points, part.low, part.high) == pytest.approx((21, 21 - half, 21 + half))
    part, known = recorded.sum_over_seeds([a], [b]), ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (part.low, part.high) == pytest.approx((known.low, known.high))
    assert recorded.sum_over_seeds([[]], [[15.0, 17.0]]) is None


def test_the_interval_of_a_percentage_ends_at_0_and_100():
    part = replace(recorded.sum_over_seeds([[97.0, 99.0]]), low=-3.0, high=103.0)
    assert (recorded.bounded(part).low, recorded.bounded(part).high) == (0, 100)
    assert recorded.bounded(part).points == 98
    single = recorded.bounded(recorded.sum_over_seeds([[20.0]]))
    assert np.isnan([single.low, single.high]).all()
    far_apart = [(f"a_seed{seed}", run_of(trained("a", 0, seeds=(seed,))[0][1].spec, scored(value))) for seed, value in
                 ((0, 99), (1, 60))]  # fmt: skip
    own = recorded.network(Evidence(table(far_apart), PLAN), "a", TABLE2, net="r2plus1d")
    for measure in (CLIP, VIDEO):
        assert own.measured(measure).high == 100
    assert pd.notna(own.measured(CLIP).low)
