"""The rules that decide the empirical claims, on runs whose outcome is known: made up, never trained."""

import re
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from studylib import claims, verdicts, verdicts_parts
from studylib.audit import CLOSE, NOT_RUN
from studylib.evaluation import Predictions
from studylib.filters import FILE
from studylib.net_table import NETS, PRINTED_NAMES
from studylib.paired import paired_difference
from studylib.plan import REPOSITORY, Plan, PlannedRun, load_plan
from studylib.results import Run, load_plan_runs
from studylib.seeds import difference
from studylib.spec import RunSpec
from studylib.verdicts import decide
from studylib.verdicts_evidence import Net
from studylib.verdicts_intervals import CLIP, VIDEO, contrast, outcomes
from studylib.verdicts_length import clip_correlation
from studylib.verdicts_parts import (
    CONTRADICTED,
    EQUAL,
    INCONCLUSIVE,
    REPRODUCED,
    UNDECIDABLE,
    Part,
    combine,
    exact,
)
from tests.fake_runs import fake_predictions, write_fake_run

PLAN = "study"
VIDEOS, CLIPS, CLASSES = 300, 4, ("a", "b", "c")
SEEDS = (0, 1, 2)
TABLE2 = dict.fromkeys(NETS, 60) | {"r2plus1d": 75, "r2d": 45, "f_r2d": 45}  # percent of the clips that are right
SPEC = partial(RunSpec, net="r2plus1d", dataset="pantomime-study", experiment="conv_types")


def scored(accuracy, seed=0, name="", videos=VIDEOS, clips=CLIPS, classes=CLASSES, whole=0.0):
    """Predictions with so many percent of the clips right (a seed's own point or so apart); the same videos are hard
    for all. `whole` is the share of the videos whose clips are all right or all wrong together."""
    hard = np.random.default_rng(0).permuted(np.tile((np.arange(videos) + 0.5) / videos, (clips, 1)), axis=1).T
    hard[: int(whole * videos)] = hard[: int(whole * videos), :1]
    right = hard < accuracy / 100 + 0.004 * np.random.default_rng(seed).normal()
    labels = np.arange(videos) % len(classes)
    chosen = np.where(right, labels[:, None], (labels[:, None] + 1) % len(classes))
    scores = 0.1 + 0.7 * np.eye(len(classes))[chosen]
    return Predictions([f"{name}{i}.mp4" for i in range(videos)], labels, list(scores.astype(np.float16)), classes)


def run_of(spec, predictions, errors=(50.0, 20.0), flops=1, folder=Path("none"), videos=0):
    """A finished run that lies in no folder."""
    history = pd.DataFrame({"train_error": errors if spec.epochs else []})
    run = Run(folder, spec, {"flops": flops}, history, {"dataset": {"name": spec.dataset, "videos": videos}})
    vars(run)["predictions"] = predictions
    return run


def table(runs, plan=PLAN):
    """As `results.load_plan_runs` gives it, of (name, run); a spec in the place of a run is one that is not run."""
    rows = []
    for name, run in runs:
        spec, result = (run.spec, run) if isinstance(run, Run) else (run, None)
        fields = asdict(spec) | {"net": PRINTED_NAMES[spec.net], "net_key": spec.net}
        state = "not run" if result is None else "complete"
        rows.append(fields | {"plan": plan, "label": plan, "run": name, "state": state, "result": result})
    return pd.DataFrame(rows)


def trained(name, accuracy, seeds=SEEDS, errors=20.0, **fields):
    """(name, run) of each seed; `errors` is the training error of the last epoch, one or one a seed."""
    made = []
    for i, seed in enumerate(seeds):
        spec = SPEC(seed=seed, **fields)
        last = errors[i] if isinstance(errors, tuple) else errors
        flops = spec.clip_length
        made.append((f"{name}_seed{seed}", run_of(spec, scored(accuracy, seed), (50.0, last), flops)))
    return made


def retested(name, start, accuracy, seeds=SEEDS, **fields):
    """Tests, or with `epochs` fine-tunings, of the runs that `trained` made under conv_types or clip_length."""
    made = []
    for seed in seeds:
        spec = SPEC(seed=seed, init_from=f"run:{PLAN}/{start}_seed{seed}", **{"epochs": 0} | fields)
        made.append((f"{name}_seed{seed}", run_of(spec, scored(accuracy, seed), flops=spec.clip_length)))
    return made


def table2(seeds=SEEDS, **changed):
    return [run for net, accuracy in (TABLE2 | changed).items() for run in trained(net, accuracy, seeds=seeds, net=net)]


def outcome(claim, runs):
    return decide(claim, table(runs), PLAN).outcome


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
    text = verdicts_parts.Verdict(INCONCLUSIVE, (part,)).numbers
    assert text.startswith("a minus b: +1.2 points (95% interval −0.5 to +3.0)")
    assert "One seed" in text
    assert "One seed" not in verdicts_parts.Verdict(INCONCLUSIVE, (replace(part, covers_seeds=True),)).numbers
    assert "interval" not in str(exact("a count", 0.5, (0, 1)))


# --- intervals


def net_of(predictions):
    runs = {s: {1: run_of(SPEC(seed=s), p)} for s, p in predictions.items()}
    return Net("net", SPEC(), runs, {})


@pytest.mark.parametrize(("measure", "name"), [(CLIP, "clip_top1"), (VIDEO, "video_top1")])
def test_a_difference_is_that_of_seeds_and_videos(measure, name):
    first, second = ({s: fake_predictions(seed=s, skill=k) for s in own} for own, k in (((0, 1, 2), 2), ((3, 4), 1)))
    part = contrast("x", [outcomes(net_of(first), measure)], [outcomes(net_of(second), measure)])
    known = difference(first, second, name)
    assert (part.points, part.low, part.high) == pytest.approx((known.points, known.low, known.high))
    assert part.covers_seeds
    assert 1 < part.freedom < np.inf


def test_over_splits_it_is_the_mean_of_their_differences():
    splits = {s: (scored(70, s, f"split{s}/"), scored(60, s + 5, f"split{s}/", whole=0.5)) for s in (1, 2, 3)}
    first, second = ({0: {s: pair[i] for s, pair in splits.items()}} for i in (0, 1))
    part = contrast("x", [outcomes(first, VIDEO)], [outcomes(second, VIDEO)])
    known = paired_difference(first[0], second[0])
    assert part.points == pytest.approx(known.points)
    assert (part.low, part.high) == pytest.approx((known.low, known.high), abs=0.4)
    assert not part.covers_seeds


def test_a_video_of_two_splits_is_drawn_once():
    """Two splits with the same videos are one test: the interval is that of one, not narrower by a factor 1.4."""
    one, other = scored(70), scored(60, whole=0.5)
    once = contrast("x", [outcomes({0: {1: one}}, CLIP)], [outcomes({0: {1: other}}, CLIP)])
    twice = contrast("x", [outcomes({0: {1: one, 2: one}}, CLIP)], [outcomes({0: {1: other, 2: other}}, CLIP)])
    assert (twice.points, twice.low, twice.high) == pytest.approx((once.points, once.low, once.high))


# --- dispatch


def test_every_empirical_claim_has_a_rule_and_there_are_no_others():
    empirical = [claim.id for claim in claims.CLAIMS if claim.kind == "empirical"]
    assert len(empirical) == 29
    assert set(empirical) == set(verdicts.RULES)


def test_the_texts_of_the_rules_have_their_numbers_from_the_code():
    rules = {claim.id: claim.rule for claim in claims.CLAIMS}
    for claim in ("run-mc-r3d", "run-finetune", "run-resolution", "run-sports", "run-kinetics", "run-transfer"):
        assert f"within {CLOSE:g} points" in rules[claim]
    assert "at least 25% less" in rules["run-finetune-time"]
    assert "50% of that lead" in rules["run-motion"]
    assert "at least 99% of" in rules["run-filters"]


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


def test_a_claim_asks_the_rules_where_it_is_given_runs():
    claim = next(claim for claim in claims.CLAIMS if claim.id == "run-best")
    assert claims.verdict(claim) == NOT_RUN
    assert claims.verdict(claim, table(table2()), PLAN) == REPRODUCED


def test_runs_of_another_plan_are_not_looked_at():
    both = pd.concat([table(table2()), table(table2(r3d=90), "other")])
    assert decide("run-best", both, PLAN).outcome == REPRODUCED
    assert decide("run-best", both, "other").outcome == CONTRADICTED


# --- types of convolution


def test_it_takes_all_eleven_to_be_the_best():
    verdict = decide("run-best", table(table2()), PLAN)
    assert (verdict.outcome, len(verdict.parts)) == (REPRODUCED, 11)
    assert len(verdict.folders) == 36
    assert verdict.folders[0] == "runs/study/conv_types/r2d_seed0"
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
    assert "R2D-18 and R3D-18 were run with other settings (epochs)" in verdict.why
    twice = decide("run-best", table([*table2(), *trained("fast", 60, net="r3d", lr=0.1)]), PLAN)
    assert twice.outcome == UNDECIDABLE
    assert "several runs of R3D-18 that differ in lr" in twice.why


def test_a_test_that_sees_other_pixels_is_not_compared():
    runs = [run for run in cue_runs((47, 46)) if not run[0].startswith("r3d_frozen")]
    other = {"frame_order": "frozen", "experiment": "cues", "standardise": "clip"}
    runs += retested("r3d_frozen", "conv_types/r3d", 46, net="r3d", **other)
    assert "other settings (standardise)" in decide("run-motion", table(runs), PLAN).why


def test_one_seed_is_decided_by_the_videos_and_said_to_be():
    verdict = decide("run-best", table(table2(seeds=(0,))), PLAN)
    assert verdict.outcome == REPRODUCED
    assert not verdict.covers_seeds
    assert "One seed" in verdict.numbers


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


def test_other_weights_than_those_that_were_compared_show_nothing():
    runs = cue_runs((47, 46))
    runs = [run for run in runs if not run[0].startswith("r3d_shuffled")]
    runs += trained("other_r3d", 60, net="r3d", experiment="depth")
    runs += retested("r3d_shuffled", "depth/other_r3d", 47, net="r3d", frame_order="shuffled", experiment="cues")
    verdict = decide("run-motion", table(runs), PLAN)
    assert verdict.outcome == UNDECIDABLE
    assert "not tests of the same trained networks" in verdict.why


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


def test_a_training_error_needs_two_seeds_and_a_test_error_does_not():
    runs = [run for run in deep((30.0, 32.0, 31.0), (20.0, 21.0, 19.0)) if run[0].endswith("seed0")]
    verdict = decide("run-train-error-34", table(runs), PLAN)
    assert verdict.outcome == NOT_RUN
    assert verdict.missing[0] == "2 seeds of R3D-34 (the plan has 1)"
    assert outcome("run-test-error", runs) == REPRODUCED
    assert outcome("run-test-error", deep((30.0,) * 3, (20.0,) * 3, test_r3d=90)) == CONTRADICTED
    assert outcome("run-test-error", deep((30.0,) * 3, (20.0,) * 3, test_r3d=75)) == INCONCLUSIVE


# --- clip length and resolution


def lengths(moved=50, tuned=69.5, epochs=15, whole=None, **accuracies):
    """R(2+1)D at 8, 16 and 32 frames; the 8-frame one tested at 32, and fine-tuned."""
    given = {"l8": 60, "l16": 65, "l32": 70} | accuracies
    runs = trained("base", given["l8"], clip_length=8)
    length = {"experiment": "clip_length", "test_sampling": "uniform"}
    runs += retested("at8", "conv_types/base", given["l8"], clip_length=8, **length)
    runs += retested("at32", "conv_types/base", moved, clip_length=32, **length)
    runs += retested("tuned", "conv_types/base", tuned, clip_length=32, epochs=epochs, lr=0.001, lr_step=4, **length)
    for frames in (16, 32):
        runs += trained(f"l{frames}", given[f"l{frames}"], clip_length=frames, **length)
    shares = dict(zip((8, 16, 32), whole or (0, 0, 0), strict=True))
    for _, run in runs:
        if run.spec.experiment == "clip_length" and shares[run.spec.clip_length]:
            own = scored(given[f"l{run.spec.clip_length}"], run.spec.seed, whole=shares[run.spec.clip_length])
            vars(run)["predictions"] = own
    return runs


def test_clip_accuracy_has_to_rise_with_every_length():
    assert len(decide("run-clip-rises", table(lengths()), PLAN).parts) == 2
    assert outcome("run-clip-rises", lengths()) == REPRODUCED
    assert outcome("run-clip-rises", lengths(l32=65)) == INCONCLUSIVE
    assert outcome("run-clip-rises", lengths(l32=55)) == CONTRADICTED
    two = [run for run in lengths() if not run[0].startswith("l16")]
    assert decide("run-clip-rises", table(two), PLAN).missing == (
        "R(2+1)D-18 trained at 3 clip lengths (the plan has 2)",
    )


def test_video_accuracy_peaks_where_a_length_in_between_beats_both_ends():
    assert outcome("run-video-peak", lengths(l16=80)) == REPRODUCED
    assert outcome("run-video-peak", lengths(l8=60, l16=70, l32=90)) == CONTRADICTED
    assert outcome("run-video-peak", lengths(l8=90, l16=70, l32=60)) == CONTRADICTED
    assert outcome("run-video-peak", lengths(l8=60, l16=70, l32=70)) == INCONCLUSIVE


def test_the_short_net_on_long_clips_is_compared_with_itself_seed_by_seed():
    verdict = decide("run-8-at-32", table(lengths()), PLAN)
    assert verdict.outcome == REPRODUCED
    assert verdict.single.points == pytest.approx(10, abs=0.5)
    assert outcome("run-8-at-32", lengths(moved=60)) == INCONCLUSIVE
    assert outcome("run-8-at-32", lengths(moved=70)) == CONTRADICTED


def test_fine_tuned_is_close_to_from_scratch_and_better_than_short():
    assert outcome("run-finetune", lengths()) == REPRODUCED
    assert outcome("run-finetune", lengths(tuned=63)) == CONTRADICTED
    assert outcome("run-finetune", lengths(tuned=60, l32=60)) == INCONCLUSIVE


def test_fine_tuning_saves_multiply_adds_by_the_counts_of_the_runs():
    """8 frames cost a quarter of 32: (45 / 4 + 15) / 45 of the training from scratch."""
    verdict = decide("run-finetune-time", table(lengths()), PLAN)
    assert verdict.single.points == pytest.approx(1 - (45 / 4 + 15) / 45)
    assert verdict.outcome == REPRODUCED
    assert outcome("run-finetune-time", lengths(epochs=30)) == CONTRADICTED  # 8% saved


def test_long_filters_are_better_when_both_ways_of_training_on_long_clips_beat_short_filters_there():
    assert outcome("run-long-patterns", lengths()) == REPRODUCED
    assert outcome("run-long-patterns", lengths(tuned=50)) == INCONCLUSIVE
    assert outcome("run-long-patterns", lengths(tuned=30)) == CONTRADICTED
    assert outcome("run-long-patterns", [r for r in lengths() if not r[0].startswith("at32")]) == NOT_RUN


def test_the_correlation_of_clips_is_that_of_all_pairs():
    predictions = fake_predictions(clips=3)
    p = np.array([scores[:, label] for scores, label in zip(predictions.clip_scores, predictions.labels, strict=True)])
    p = p.astype(float) - p.astype(float).mean()
    pairs = [(p[:, i] * p[:, j]).mean() for i in range(3) for j in range(3) if i != j]
    assert clip_correlation(predictions).mean() == pytest.approx(np.mean(pairs) / (p**2).mean())
    assert clip_correlation(scored(60, whole=1.0)).mean() == pytest.approx(1)
    assert abs(clip_correlation(scored(60)).mean()) < 0.1


def test_the_interval_of_the_correlation_is_that_of_resampled_videos():
    predictions = fake_predictions(videos_a_class=12, clips=3)
    part = contrast("x", [outcomes({0: {1: predictions}}, clip_correlation)])
    rng, drawn = np.random.default_rng(0), []
    for _ in range(400):
        chosen = rng.integers(len(predictions.labels), size=len(predictions.labels))
        own = [predictions.clip_scores[i] for i in chosen]
        again = replace(predictions, labels=predictions.labels[chosen], clip_scores=own)
        drawn.append(clip_correlation(again).mean())
    assert (part.low, part.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.04)


def test_clips_are_more_correlated_when_those_of_long_clips_agree_more():
    assert outcome("run-correlation", lengths(whole=(0.1, 0.4, 0.8))) == REPRODUCED
    assert outcome("run-correlation", lengths(whole=(0.8, 0.4, 0.1))) == CONTRADICTED
    assert outcome("run-correlation", lengths(l8=60, l16=60, l32=60)) == INCONCLUSIVE


def test_resolution_makes_little_difference_within_the_margin():
    def runs(accuracy):
        return table2() + trained("high", accuracy, experiment="resolution", resolution=224)

    assert outcome("run-resolution", runs(75)) == REPRODUCED
    assert outcome("run-resolution", runs(90)) == CONTRADICTED
    assert outcome("run-resolution", runs(77)) == INCONCLUSIVE
    assert outcome("run-resolution", table2()) == NOT_RUN


# --- benchmarks and counts


def two_streams(rgb, flow, seeds=SEEDS, **fields):
    runs = []
    for seed in seeds:
        for modality, predictions in (("rgb", rgb), ("flow", flow)):
            spec = SPEC(modality=modality, seed=seed, **{"experiment": "two_stream"} | fields)
            runs.append((f"{spec.experiment}_{modality}_{seed}", run_of(spec, predictions(seed))))
    return runs


def test_two_streams_gain_when_they_beat_each_alone():
    """Flow is unsure where it is wrong: the mean is right where RGB is."""

    def rgb(seed):
        return scored(60, seed)

    def flow(seed):
        labels = rgb(seed).labels[:, None]
        right = np.random.default_rng(seed + 50).random((VIDEOS, CLIPS)) < 0.6
        chosen = np.where(right, labels, (labels + 2) % 3)
        scores = 0.1 + 0.5 * np.eye(3)[chosen] + 0.2 * np.eye(3)[labels]
        return replace(rgb(seed), clip_scores=list(scores.astype(np.float16)))

    verdict = decide("run-fusion", table(two_streams(rgb, flow)), PLAN)
    assert (verdict.outcome, len(verdict.parts)) == (REPRODUCED, 2)
    assert outcome("run-fusion", two_streams(rgb, rgb)) == INCONCLUSIVE  # the mean of a stream and itself
    assert outcome("run-fusion", two_streams(rgb, lambda seed: scored(5, seed))) == CONTRADICTED
    assert outcome("run-fusion", table2()) == NOT_RUN


NEEDS_THE_DATA = (
    "run-sports", "run-kinetics", "run-transfer", "run-pretraining", "run-flow-quality", "run-flow-speed",
    "run-filters", "run-sizes",
)  # fmt: skip


@pytest.mark.parametrize("claim", NEEDS_THE_DATA)
def test_on_other_data_than_the_papers_some_claims_cannot_be_decided(claim):
    verdict = decide(claim, table(table2()), PLAN)
    assert verdict.outcome == UNDECIDABLE
    assert verdict.why
    assert not verdict.missing


def published_runs(off=0.0):
    """Table 4's networks with the published accuracies, `off` points away; each stream's clips agree."""
    fields = {"experiment": "kinetics", "dataset": "kinetics400", "depth": 34, "clip_length": 32}

    def near(accuracy):
        return lambda seed: scored(accuracy + off, videos=4000, whole=1.0)

    scratch = two_streams(near(72.0), near(67.5), (0,), **fields)
    tuned = []
    for modality, accuracy in (("rgb", 74.3), ("flow", 68.5)):
        spec = SPEC(modality=modality, init_from=f"run:{PLAN}/sports1m/{modality}", **fields)
        tuned.append((f"tuned_{modality}", run_of(spec, near(accuracy)(0))))
        first = SPEC(modality=modality, **fields | {"experiment": "sports1m", "dataset": "sports1m"})
        tuned.append((modality, run_of(first, near(60)(0))))
    return [*scratch, *tuned]


def test_a_published_accuracy_is_met_within_the_margin():
    verdict = decide("run-kinetics", table(published_runs()), PLAN)
    parts = {part.what: part for part in verdict.parts}
    assert len(parts) == 6
    rgb = parts["RGB, pretraining none, video@1 minus the published 72.0"]
    assert rgb.points == pytest.approx(0, abs=0.5)
    assert rgb.outcome == REPRODUCED
    assert outcome("run-kinetics", published_runs(off=-10)) == CONTRADICTED
    short = [run for run in published_runs() if not run[0].startswith("tuned_flow")]
    assert decide("run-kinetics", table(short), PLAN).missing == (
        "R(2+1)D-34 on Kinetics, pretraining Sports-1M, Flow (no such run in the plan)",
    )


def test_filters_are_read_from_the_run_folder(tmp_path):
    def runs():
        spec = SPEC(dataset="kinetics400")
        return [("net", run_of(spec, scored(60), folder=tmp_path))]

    assert decide("run-filters", table(runs()), PLAN).missing == ("conv1.npz of R(2+1)D-18, seed 0",)
    spatial, temporal = np.zeros((45, 3, 1, 7, 7), np.float32), np.full((64, 45, 3, 1, 1), 0.3, np.float32)
    np.savez(tmp_path / FILE, spatial=spatial, temporal=temporal)
    assert outcome("run-filters", runs()) == REPRODUCED
    temporal[:, 0] = 0.31  # 2% of them
    np.savez(tmp_path / FILE, spatial=spatial, temporal=temporal)
    assert outcome("run-filters", runs()) == CONTRADICTED


def test_sizes_are_those_of_the_indexes_and_lost_videos_contradict_nothing():
    def runs(kinetics=306_245, classes=400):
        sets = {"sports1m": (1_133_158, 487), "kinetics400": (kinetics, classes), "ucf101": (13_320, 101)}
        made = []
        for dataset, (videos, count) in (sets | {"hmdb51": (6_100, 51)}).items():
            predictions = scored(60, classes=tuple(map(str, range(count))))
            made.append((dataset, run_of(SPEC(dataset=dataset), predictions, videos=videos)))
        return made

    assert outcome("run-sizes", runs()) == REPRODUCED
    assert outcome("run-sizes", runs(kinetics=240_000)) == INCONCLUSIVE
    assert outcome("run-sizes", runs(kinetics=650_000)) == CONTRADICTED
    assert outcome("run-sizes", runs(classes=700)) == CONTRADICTED
    assert decide("run-sizes", table(runs()[:3]), PLAN).missing == ("a complete run on HMDB51",)


# --- plans and records


def complete(plan):
    """A plan as if all of it had been run, whatever came out; test parts of their own for each dataset and split."""
    runs = []
    for planned in plan.runs:
        s = planned.spec
        predictions = scored(50 + len(planned.name) % 7, s.seed, f"{s.dataset}/{s.split}/", 40, 3)
        runs.append((planned.name, run_of(s, predictions, flops=s.clip_length)))
    return table(runs, plan.name)


def test_the_papers_plan_has_what_its_rules_ask_for():
    runs = complete(load_plan(REPOSITORY / "runs/paper.yaml"))
    found = {claim: decide(claim, runs, "paper") for claim in verdicts.RULES}
    assert not [claim for claim, verdict in found.items() if verdict.outcome == UNDECIDABLE]
    waiting = {claim for claim, verdict in found.items() if verdict.outcome == NOT_RUN}
    beyond = {"run-motion", "run-nonlinearity"}  # experiments that are not the paper's
    seeds = {"run-train-error-18", "run-train-error-34", "run-gap-depth"}  # one seed is planned
    never = {"run-flow-quality", "run-flow-speed", "run-aggregation"}
    assert waiting == beyond | seeds | never | {"run-filters"}  # whose weights these runs lack
    assert len(found["run-fusion"].parts) == 16
    assert len(found["run-transfer"].parts) == 12
    assert len(found["run-pretraining"].parts) == 6
    assert re.search("48 frames minus 40", found["run-clip-rises"].numbers)


def test_the_embedded_study_has_what_the_rules_ask_for_and_leaves_what_needs_the_papers_data():
    runs = complete(load_plan(REPOSITORY / "runs/mini.yaml"))
    found = {claim: decide(claim, runs, "mini") for claim in verdicts.RULES}
    assert {claim for claim, verdict in found.items() if verdict.outcome == UNDECIDABLE} == {
        "run-sports", "run-kinetics", "run-transfer", "run-pretraining", "run-sizes",
        "run-flow-quality", "run-flow-speed", "run-filters",
    }  # fmt: skip
    assert {claim for claim, verdict in found.items() if verdict.outcome == NOT_RUN} == {"run-aggregation"}
    # one seed of each stream and of the larger resolution; and a count, of which nothing is drawn
    alone = {"run-fusion", "run-resolution", "run-finetune-time"}
    assert all(found[c].covers_seeds for c in found if found[c].parts and c not in alone)


def test_another_recorded_prediction_gives_another_verdict(tmp_path):
    """Through run folders, as the book reads them."""
    specs = {net: RunSpec(experiment="conv_types", net=net, dataset="pantomime-study", epochs=2) for net in NETS}
    plan = Plan(PLAN, "a study", {}, tuple(PlannedRun(PLAN, net, spec) for net, spec in specs.items()))
    for planned in plan.runs[1:]:
        write_fake_run(tmp_path / planned.folder, planned.spec, scored(TABLE2[planned.spec.net]))

    def verdict():
        return decide("run-best", load_plan_runs(plan, tmp_path), PLAN)

    first = plan.runs[0]
    assert verdict().missing == (f"{first.folder} (not run)",)
    write_fake_run(tmp_path / first.folder, first.spec, scored(45))
    assert verdict().outcome == REPRODUCED
    write_fake_run(tmp_path / first.folder, first.spec, scored(90))
    assert verdict().outcome == CONTRADICTED
