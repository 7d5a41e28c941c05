"""The rules on networks, on depth and on what their gap comes from, tried on runs whose outcome is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from studylib.claims.parts import CONTRADICTED, INCONCLUSIVE, NOT_RUN, ONE_SEED, REPRODUCED, UNDECIDABLE, combine
from studylib.claims.verdicts import WITHOUT_MC2, decide
from tests.verdict_runs import PLAN, outcome, retested, table, table2, trained

# --- types of convolution


def test_it_takes_all_eleven_to_be_the_best():
    verdict = decide("run-best", table(table2()), PLAN)
    assert (verdict.outcome, len(verdict.parts)) == (REPRODUCED, 11)
    assert len(verdict.folders) == 36
    assert verdict.folders[0] == "runs/study/conv_types/r2plus1d_seed0"
    assert "R(2+1)D-18 minus R3D-18, clip@1: +15" in verdict.numbers
    assert outcome("run-best", table2(mc3=75)) == INCONCLUSIVE
    assert outcome("run-best", table2(mc3=90)) == CONTRADICTED


def test_a_verdict_waits_for_all_planned_seeds():
    runs = table2()
    name, run = runs[-1]
    runs[-1] = (name, run.spec)
    verdict = decide("run-best", table(runs), PLAN)
    assert (verdict.outcome, verdict.numbers) == (NOT_RUN, "")
    assert verdict.missing == ("runs/study/conv_types/r2plus1d_seed2 (not run)",)
    without = decide("run-best", table(runs[:-3]), PLAN)
    assert without.missing == ("R(2+1)D-18 (no such run in the plan)",)
    assert outcome("run-3d-over-2d", runs) == REPRODUCED  # which does not need it


def test_every_net_over_time_has_to_beat_both_flat_ones():
    assert len(decide("run-3d-over-2d", table(table2()), PLAN).parts) == 18
    assert outcome("run-3d-over-2d", table2()) == REPRODUCED
    assert outcome("run-3d-over-2d", table2(rmc5=45)) == INCONCLUSIVE
    assert outcome("run-3d-over-2d", table2(f_r2d=70)) == CONTRADICTED


def test_as_accurate_is_within_two_points_to_both_sides():
    assert outcome("run-mc-r3d", table2()) == REPRODUCED
    assert outcome("run-mc-r3d", table2(mc4=62)) == INCONCLUSIVE
    assert outcome("run-mc-r3d", table2(mc4=70)) == CONTRADICTED
    assert outcome("run-mc-r3d", table2(mc4=50)) == CONTRADICTED


def test_what_the_claim_would_say_without_mc2_stands_beside_it():
    verdict = decide("run-mc-r3d", table(table2(mc2=50)), PLAN)
    assert (verdict.outcome, len(verdict.parts)) == (CONTRADICTED, 4)
    assert {name: combine(parts) for name, parts in verdict.aside.items()} == {WITHOUT_MC2: REPRODUCED}
    assert len(verdict.aside[WITHOUT_MC2]) == 3
    means = decide("run-mc-rmc", table(table2(mc2=50, mc3=62, mc4=62, mc5=62)), PLAN)
    assert means.outcome == CONTRADICTED
    assert combine(means.aside[WITHOUT_MC2]) == REPRODUCED


def test_mixed_nets_are_compared_by_their_means_and_early_ones_pair_by_pair():
    ahead = dict.fromkeys(("mc2", "mc3", "mc4", "mc5"), 70)
    assert outcome("run-mc-rmc", table2(**ahead)) == outcome("run-early-motion", table2(**ahead)) == REPRODUCED
    assert outcome("run-mc-rmc", table2()) == INCONCLUSIVE
    one_late = ahead | {"rmc5": 80}  # its partner of one group is MC2
    assert outcome("run-mc-rmc", table2(**one_late)) == REPRODUCED
    assert outcome("run-early-motion", table2(**one_late)) == CONTRADICTED
    behind = dict.fromkeys(("mc2", "mc3", "mc4", "mc5"), 50)
    assert outcome("run-mc-rmc", table2(**behind)) == CONTRADICTED


def test_networks_that_were_trained_in_another_way_are_not_compared():
    runs = [run for run in table2() if not run[0].startswith("r3d")] + trained("r3d", 60, net="r3d", epochs=9)
    verdict = decide("run-best", table(runs), PLAN)
    assert verdict.outcome == UNDECIDABLE
    assert "R(2+1)D-18 and R3D-18 were run with other settings (epochs)" in verdict.why
    twice = decide("run-best", table([*table2(), *trained("fast", 60, net="r3d", lr=0.1)]), PLAN)
    assert twice.outcome == UNDECIDABLE
    assert "several runs of R3D-18 that differ in lr" in twice.why


def test_a_test_that_sees_other_pixels_is_not_compared():
    runs = [run for run in cue_runs((47, 46)) if not run[0].startswith("r3d_frozen")]
    other = {"frame_order": "frozen", "experiment": "cues", "standardise": "clip"}
    runs += retested("r3d_frozen", "conv_types/r3d", 46, net="r3d", **other)
    assert "other settings (standardise)" in decide("run-motion", table(runs), PLAN).why


def test_one_seed_of_a_network_decides_nothing_whatever_its_interval():
    runs = table2(seeds=(0, 1))
    assert decide("run-best", table(runs), PLAN).outcome == REPRODUCED
    for own in (table2(seeds=(0,)), [run for run in runs if run[0] != "r3d_seed1"]):
        verdict = decide("run-best", table(own), PLAN)
        assert all(part.outcome == REPRODUCED for part in verdict.parts)
        assert verdict.outcome == INCONCLUSIVE
        assert verdict.numbers.endswith(ONE_SEED)
    assert decide("run-best", table(table2(seeds=(0,), r3d=95)), PLAN).outcome == INCONCLUSIVE


def test_the_inner_relu_has_to_matter_and_so_has_factorising():
    def runs(without, **changed):
        variant = trained("no_relu", without, net="r2plus1d_no_inner_relu", experiment="mechanism")
        return [*table2(**changed), *variant]

    assert outcome("run-nonlinearity", runs(65)) == REPRODUCED
    assert outcome("run-nonlinearity", runs(75)) == INCONCLUSIVE
    assert outcome("run-nonlinearity", runs(85)) == CONTRADICTED
    assert outcome("run-nonlinearity", runs(65, r3d=80)) == CONTRADICTED
    assert outcome("run-nonlinearity", table2()) == NOT_RUN


def cue_runs(moved, f_r2d=(45, 45), **changed):
    """R3D and f-R2D with their accuracies on shuffled and on frozen frames."""
    runs = table2(**changed)
    for net, own in (("r3d", moved), ("f_r2d", f_r2d)):
        for order, accuracy in zip(("shuffled", "frozen"), own, strict=True):
            start = f"conv_types/{net}"
            runs += retested(f"{net}_{order}", start, accuracy, net=net, frame_order=order, experiment="cues")
    return runs


def test_the_gap_comes_from_motion_when_most_of_it_goes_with_the_motion():
    """R3D is 15 points ahead of f-R2D; 7.5 are half of it."""
    verdict = decide("run-motion", table(cue_runs((47, 46))), PLAN)
    assert (verdict.outcome, len(verdict.parts)) == (REPRODUCED, 3)
    assert verdict.parts[1].points == pytest.approx(7.5 - 2, abs=1)
    assert outcome("run-motion", cue_runs((47, 58))) == CONTRADICTED  # frozen, most of it is still there
    assert outcome("run-motion", cue_runs((47, 52.5))) == INCONCLUSIVE
    assert outcome("run-motion", cue_runs((47, 40), f_r2d=(45, 25))) == CONTRADICTED  # f-R2D fell too: 15 are left
    assert outcome("run-motion", cue_runs((30, 30), r3d=45)) == INCONCLUSIVE  # there was no gap
    assert outcome("run-motion", table2()) == NOT_RUN
    assert verdict.aside == {"R3D-18 alone": [*verdict.parts]}


def test_fewer_seeds_may_be_tested_again_than_were_trained():
    runs = [(name, run) for name, run in cue_runs((47, 46)) if run.spec.epochs or run.spec.seed < 2]
    verdict = decide("run-motion", table(runs), PLAN)
    assert (verdict.outcome, len(verdict.folders)) == (REPRODUCED, 2 * 3 + 4 * 2)


def test_another_way_to_join_clips_counts_where_it_gains_more_than_two_points():
    def joined(clips):
        """Every video has these scores of three classes in its clips, of which the first is right."""
        runs = table2()
        for _, run in runs:
            own = run.predictions
            scores = [np.roll(np.array(clips, np.float16), label, axis=1) for label in own.labels % 3]
            vars(run)["predictions"] = replace(own, labels=own.labels % 3, clip_scores=scores, classes=("a", "b", "c"))
        return decide("run-aggregation", table(runs), PLAN)

    confident = joined([[0.9, 0.1, 0], [0.2, 0.45, 0.35], [0.1, 0.75, 0.15], [0.1, 0.75, 0.15]])  # mean: the second
    gained = {part.what.split(" instead")[0]: part.points for part in confident.parts}
    assert gained == pytest.approx({"maximum": 100, "median": 0, "mean of logits": 0, "mean weighted by confidence": 0})
    assert confident.outcome == REPRODUCED
    assert joined([[0.6, 0.2, 0.2]] * 4).outcome == CONTRADICTED  # nothing to gain


def test_other_weights_than_those_that_were_compared_show_nothing():
    runs = cue_runs((47, 46))
    runs = [run for run in runs if not run[0].startswith("r3d_shuffled")]
    runs += trained("other_r3d", 60, net="r3d", experiment="depth")
    runs += retested("r3d_shuffled", "depth/other_r3d", 47, net="r3d", frame_order="shuffled", experiment="cues")
    verdict = decide("run-motion", table(runs), PLAN)
    assert verdict.outcome == UNDECIDABLE
    assert "not tests of the same trained networks" in verdict.why


def test_networks_that_were_recorded_on_other_videos_or_in_another_precision_are_not_compared():
    """The settings are the same; the runs say what they ran with."""

    def why(name, manifest="ab" * 32, precision="bf16"):
        runs = table2()
        for own, run in runs:
            chosen = own.startswith(name)
            run.provenance["dataset"]["manifest_hash"] = manifest if chosen else "ab" * 32
            run.provenance["precision"] = precision if chosen else "bf16"
        verdict = decide("run-best", table(runs), PLAN)
        return verdict.why if verdict.outcome == UNDECIDABLE else verdict.outcome

    assert why("none") == REPRODUCED
    other = "a run of R(2+1)D-18 and one of R3D-18 were recorded with another"
    assert why("r3d", precision="fp32") == f"{other} precision: bf16 and fp32 in provenance.json"
    videos = "manifest of pantomime-study: ababababab and cdcdcdcdcd in provenance.json"
    assert why("r3d", manifest="cd" * 32) == f"{other} {videos}"
    of_one = "a run of R3D-18 and one of R3D-18 were recorded with another"
    assert why("r3d_seed1", manifest="cd" * 32) == f"{of_one} {videos}"


@pytest.mark.parametrize("again", ["r3d_frozen_seed1", "f_r2d_shuffled_seed2"])
def test_weights_that_were_trained_again_between_two_tests_are_not_the_same(again):
    runs = cue_runs((47, 46))
    for name, run in runs:
        if run.spec.epochs == 0:
            run.provenance["init_from"] = {"sha256": name[-1] * 64 if name != again else "f" * 64}
    verdict = decide("run-motion", table(runs), PLAN)
    assert verdict.outcome == UNDECIDABLE
    assert f"of seed {again[-1]}: init_from.sha256 is " in verdict.why
    del next(run for name, run in runs if name == again).provenance["init_from"]
    assert outcome("run-motion", runs) == REPRODUCED


# --- depth


def deep(r3d, r2plus1d, **changed):
    """Training errors with 34 layers; with 18 R3D's are 30, R(2+1)D's 25 or so."""
    runs = trained("r3d", 60, errors=(30.0, 31.0, 29.0), net="r3d") + trained("ours", 75, errors=(25.0, 26.0, 24.5))
    more = {"experiment": "depth", "depth": 34}
    runs += trained("r3d34", changed.get("test_r3d", 60), errors=r3d, net="r3d", **more)
    return runs + trained("ours34", 75, errors=r2plus1d, **more)


def test_training_errors_are_compared_by_welchs_interval_over_seeds():
    runs = deep((30.0, 32.0, 31.0), (20.0, 21.0, 19.0))
    part = decide("run-train-error-34", table(runs), PLAN).single
    known = ttest_ind((30, 32, 31), (20, 21, 19), equal_var=False).confidence_interval()
    assert (part.points, part.low, part.high) == pytest.approx((11, known.low, known.high))
    assert outcome("run-train-error-34", runs) == outcome("run-train-error-18", runs) == REPRODUCED
    assert outcome("run-train-error-34", deep((20.0, 21.0, 19.0), (30.0, 32.0, 31.0))) == CONTRADICTED
    assert outcome("run-train-error-34", deep((20.0, 25.0, 30.0), (20.0, 24.0, 29.0))) == INCONCLUSIVE


def test_the_gap_grows_when_that_of_34_layers_is_larger_beyond_the_seeds():
    assert outcome("run-gap-depth", deep((30.0, 32.0, 31.0), (15.0, 16.0, 14.0))) == REPRODUCED
    assert outcome("run-gap-depth", deep((30.0, 32.0, 31.0), (25.0, 26.0, 27.0))) == INCONCLUSIVE
    assert outcome("run-gap-depth", deep((20.0, 22.0, 21.0), (25.0, 26.0, 27.0))) == CONTRADICTED


def test_a_training_error_needs_two_seeds_to_have_an_interval_and_a_test_error_to_decide():
    runs = [run for run in deep((30.0, 32.0, 31.0), (20.0, 21.0, 19.0)) if run[0].endswith("seed0")]
    verdict = decide("run-train-error-34", table(runs), PLAN)
    assert verdict.outcome == NOT_RUN
    assert verdict.missing[0] == "2 seeds of R3D-34 (the plan has 1)"
    assert outcome("run-test-error", runs) == INCONCLUSIVE
    assert outcome("run-test-error", deep((30.0,) * 3, (20.0,) * 3, test_r3d=90)) == CONTRADICTED
    assert outcome("run-test-error", deep((30.0,) * 3, (20.0,) * 3, test_r3d=75)) == INCONCLUSIVE
