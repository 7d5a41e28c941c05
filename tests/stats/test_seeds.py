"""The difference of two networks over seeds and videos: by hand, and in simulated studies whose truth is known."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from studylib.book.calibration import expected_half_width, recorded_variances, variances
from studylib.stats import difference, difference_of_differences
from studylib.stats.intervals import crossed_interval
from studylib.training.evaluation import Predictions, clip_top1, video_top_k
from tests.fake_runs import fake_predictions
from tests.verdict_runs import SPEC, run_of
from tests.verdict_runs import scored as scored_runs

CLASSES = ("a", "b")
SIGNS = (1, -1)


def scored(*videos):
    """Predictions of class a for videos of several clips, each right (1) or wrong (0)."""
    scores = [np.array([[0.75, 0.25] if right else [0.25, 0.75] for right in clips], np.float16) for clips in videos]
    return Predictions([f"{i}.mp4" for i in range(len(videos))], np.zeros(len(videos), int), scores, CLASSES)


def one_clip(right):
    return scored(*([r] for r in right))


def studies(count, videos, seeds, deviations, rng):
    """`count` studies of two networks: outcomes (100 or 0) of each (seeds, videos), and the true difference.

    Probit: an outcome is right where 1 + the video's part, common to both networks, + the network's own part of it +
    the seed's + that of this seed on this video is above 0. Networks are 3 points apart; `deviations` of the seeds are
    in points.
    """
    common, own, cross = 1.3, 0.6, 1.2
    scale = np.sqrt(common**2 + own**2 + cross**2)
    level = norm.ppf(norm.cdf(1 / scale) - np.array([0, 0.03])) * scale  # of the net, without a spread of seeds
    spread = np.array(deviations) / 100 * scale / norm.pdf(level / scale)
    truth = 100 * norm.cdf(level / np.sqrt(scale**2 + spread**2))
    made = []
    for _ in range(count):
        easy = common * rng.standard_normal(videos, np.float32)
        nets = []
        for i in range(2):
            of_net = easy + own * rng.standard_normal(videos, np.float32)
            of_seed = spread[i] * rng.standard_normal((seeds, 1))
            alone = cross * rng.standard_normal((seeds, videos), np.float32)
            nets.append(100.0 * (level[i] + of_net + of_seed + alone > 0))
        made.append(nets)
    return truth[0] - truth[1], made


def covered(truth, intervals):
    """Percent of the (studies, 2) intervals that hold the truth."""
    low, high = np.array(intervals).T
    return 100 * np.mean((low <= truth) & (truth <= high))


def intervals(made):
    return [crossed_interval(outcomes, SIGNS, resamples=1000)[:2] for outcomes in made]


def about(outcomes, variance):
    """The normal interval of a variance, as a bootstrap of that variance has it."""
    points = outcomes[0].mean() - outcomes[1].mean()
    return points - 1.96 * np.sqrt(variance), points + 1.96 * np.sqrt(variance)


def of_videos(outcomes):
    return np.var(outcomes[0].mean(0) - outcomes[1].mean(0)) / outcomes[0].shape[1]


def of_seeds(outcomes, correction=1.0):
    return sum(correction * own.mean(1).var(ddof=1) / len(own) for own in outcomes)


def test_the_difference_is_of_the_means_over_seeds_by_hand():
    """Seeds right in 2 and 1 of 2 videos against one in 1 of 2: 75 - 50 points."""
    d = difference({0: one_clip([1, 1]), 4: one_clip([1, 0])}, {1: one_clip([0, 1])})
    assert d.points == pytest.approx(25)
    assert (d.seeds, d.tested) == (((0, 4), (1,)), 2)
    assert d.half_width == (d.high - d.low) / 2 > 0


def test_it_is_the_difference_of_the_recorded_accuracies():
    first, second = ({s: fake_predictions(seed=s, skill=skill) for s in own} for own, skill in (((0, 1), 2), ((5,), 1)))
    for measure, accuracy in (("video_top1", lambda p: video_top_k(p, 1)), ("clip_top1", clip_top1)):
        a, b = (np.mean([accuracy(p) for p in net.values()]) for net in (first, second))
        assert difference(first, second, measure).points == pytest.approx(a - b)


def test_every_clip_counts_the_same_where_videos_have_unequal_numbers():
    """3 of 5 clips against 2 of 5, though of the videos' shares it would be 2/3 against 5/6."""
    first, second = scored([1], [0, 0, 1, 1]), scored([1], [1, 0, 0, 0])
    d = difference({0: first}, {0: second}, "clip_top1")
    assert d.points == pytest.approx(clip_top1(first) - clip_top1(second)) == pytest.approx(20)


def test_with_one_seed_it_is_of_the_videos_alone_and_says_so():
    """100 videos, 20 tell the two apart: a binomial's mean 20 and deviation 4."""
    first, second = one_clip([1] * 20 + [0] * 80), one_clip([0] * 100)
    one = difference({0: first}, {0: second})
    assert (one.points, one.unit) == (pytest.approx(20), "videos")
    assert (one.low, one.high) == pytest.approx((20 - 1.96 * 4, 20 + 1.96 * 4), abs=1)
    assert not difference({0: first, 1: first}, {0: second}).covers_seeds
    assert difference({0: first, 1: first}, {0: second, 1: second}).unit == "videos and seeds"


def test_splits_count_the_same_whatever_their_size():
    """Deviations of splits with 100 and 400 videos: sqrt(4^2 + 2^2) / 2 points."""
    first = {1: one_clip([1] * 20 + [0] * 80), 2: one_clip([1] * 80 + [0] * 320)}
    second = {1: one_clip([0] * 100), 2: one_clip([0] * 400)}
    first[2], second[2] = (replace(p, videos=[f"2/{v}" for v in p.videos]) for p in (first[2], second[2]))
    d = difference({0: first}, {0: second})
    assert d.points == pytest.approx(20)
    assert d.half_width == pytest.approx(1.96 * np.sqrt(4**2 + 2**2) / 2, abs=0.5)


@pytest.mark.parametrize(("videos", "deviations"), [(1000, (1.5, 1.5)), (2000, (1.5, 1.5)), (1000, (3, 3))])
def test_of_simulated_studies_with_three_seeds_the_interval_covers_the_truth(videos, deviations):
    truth, made = studies(300, videos, 3, deviations, np.random.default_rng(videos))
    assert 92 <= covered(truth, intervals(made)) <= 99.5


@pytest.mark.parametrize("deviations", [(0, 0), (3, 0.5)])
def test_it_does_so_where_seeds_do_not_differ_and_where_those_of_one_network_differ_more(deviations):
    truth, made = studies(300, 1000, 3, deviations, np.random.default_rng(8))
    assert 92 <= covered(truth, intervals(made)) <= 99.5


def test_videos_alone_or_seeds_drawn_without_a_correction_do_not_cover_it():
    """What the (n - 1) / n of a plain bootstrap and the normal quantile leave out, at three seeds and 2,000 videos."""
    truth, made = studies(1000, 2000, 3, (3, 3), np.random.default_rng(1))
    assert covered(truth, [about(o, of_videos(o)) for o in made]) < 60
    assert covered(truth, [about(o, of_videos(o) + of_seeds(o, 2 / 3)) for o in made]) < 88


@pytest.fixture(scope="module")
def recorded():
    """Enough seeds and videos to tell the variances."""
    return studies(1, 5000, 500, (1.5, 1.5), np.random.default_rng(5))[1][0]


@pytest.mark.parametrize(("videos", "seeds"), [(400, 1), (400, 3), (1000, 2), (1000, 5), (2000, 3)])
def test_the_expected_half_width_is_the_one_that_comes_out(recorded, videos, seeds):
    """The median of 400 studies of that size: with two seeds the widths spread far."""
    _, made = studies(400, videos, seeds, (1.5, 1.5), np.random.default_rng(videos + seeds))
    widths = np.diff(intervals(made), axis=1) / 2
    known = variances(recorded, SIGNS)
    assert expected_half_width(known, videos, (seeds, seeds)) == pytest.approx(np.median(widths), rel=0.15)


def test_how_seeds_differ_cannot_be_told_from_one():
    two = {0: one_clip([1, 0]), 1: one_clip([1, 1])}
    with pytest.raises(ValueError, match="a network has one seed"):
        recorded_variances(two, {0: one_clip([1, 0])})


def test_a_difference_of_differences_by_hand():
    """(100 - 50) - (50 - 50) points, of four networks."""
    nets = [{0: one_clip(right)} for right in ([1, 1], [1, 0], [0, 1], [1, 0])]
    d = difference_of_differences((nets[0], nets[1]), (nets[2], nets[3]))
    assert d.points == pytest.approx(50)
    assert d.seeds == ((0,),) * 4


def test_its_interval_is_that_of_four_networks_errors():
    """Four networks right in their own half of 400 videos each, without a common part: twice the variance of two."""
    rng = np.random.default_rng(4)
    nets = [{0: one_clip(rng.random(400) < 0.5)} for _ in range(4)]
    two, four = difference(*nets[:2]), difference_of_differences((nets[0], nets[1]), (nets[2], nets[3]))
    assert four.half_width / two.half_width == pytest.approx(np.sqrt(2), rel=0.1)
    same = difference_of_differences((nets[0], nets[1]), (nets[0], nets[1]))
    assert (same.points, same.low, same.high) == pytest.approx((0, 0, 0))


def test_where_nothing_differs_the_interval_has_no_width():
    one = {0: one_clip([1, 1, 0])}
    two = {0: one_clip([1, 1, 0]), 1: one_clip([1, 0, 0])}
    assert difference(one, one).half_width == pytest.approx(0)
    assert difference(two, two).half_width > 0, "seeds of one network differ too"


def test_resamples_of_videos_that_all_differ_stay_small():
    """As counts of 4,000 x 2,000 they would take 64 MB."""
    outcomes = list(np.random.default_rng(0).uniform(0, 100, (2, 3, 2000)))
    tracemalloc.start()
    crossed_interval(outcomes, SIGNS, resamples=4000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ({0: [1, 0]}, {0: [1, 0], 3: [1, 0, 0]}, "seed 3 was not tested on the same videos"),
        ({0: [1, 0]}, {0: [1]}, "the networks were not tested on the same videos"),
        ({}, {0: [1, 0]}, "no complete run"),
    ],
)
def test_what_is_not_tested_alike_is_not_compared(first, second, complaint):
    first, second = ({seed: one_clip(right) for seed, right in net.items()} for net in (first, second))
    with pytest.raises(ValueError, match=complaint):
        difference(first, second)


def test_runs_of_other_classes_are_refused():
    other = Predictions(["0.mp4"], np.zeros(1, int), [np.array([[1, 0]], np.float16)], ("a", "c"))
    with pytest.raises(ValueError, match="not tested on the same videos, labels and classes"):
        difference({0: one_clip([1])}, {7: other})


def test_no_interval_of_a_difference_reaches_beyond_what_is_possible():
    """Two seeds that differ by everything."""
    nets = [{seed: one_clip([(seed + net) % 2] * 4) for seed in (0, 1)} for net in (0, 1)]
    assert (difference(*nets).low, difference(*nets).high) == (-100, 100)
    both = difference_of_differences(nets, nets[::-1])
    assert (both.low, both.high) == (-200, 200)


def test_runs_of_two_networks_are_not_taken_for_one():
    runs = [run_of(SPEC(net=net, seed=seed), scored_runs(60)) for seed, net in enumerate(("r3d", "r2d"))]
    with pytest.raises(ValueError, match=r"net is 'r2d', 'r3d' in none; give the runs of one network"):
        difference(runs, runs)


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="measure is 'top5': it is one of video_top1, video_top5, clip_top1"):
        difference({0: one_clip([1, 0])}, {0: one_clip([1, 0])}, "top5")
