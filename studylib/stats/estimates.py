"""Accuracies and differences of networks from the scores of their runs, with 95% intervals.

A network has runs of one or several seeds, and of one or several splits. What an interval covers follows from them:

* videos and seeds (`crossed_interval`), where the network, or every network of a difference, has two seeds or more;
* the test videos alone where one has a single seed, of which nothing tells how far another would have come out;
* speakers (`speakers_interval`) where the dataset names them: its splits are folds of other people.

Over splits the plain mean counts. A video that two splits test is drawn once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf

import numpy as np

from studylib.runs.results import Run
from studylib.stats.intervals import NotComparable, crossed_interval, speakers_interval
from studylib.training.evaluation import Predictions, clips_named_right, named_right, together, wilson

Scores = Mapping[int, Mapping[int, Predictions]]  # seed -> split, or fold -> predictions
Network = Iterable[Run] | Scores | Mapping[int, Predictions]  # the last: of one split
OFFICIAL_SPLITS = (1, 2, 3)  # of UCF101 and HMDB51
VIDEOS, SEEDS, SPEAKERS = "videos", "videos and seeds", "speakers"


def _clips_right(predictions: Predictions) -> np.ndarray:
    """(V,): the share of a video's clips that are right.

    Every clip counts the same, also where videos have unequal numbers of them: clip@1 is a ratio of two means over
    videos, and a video's part in it is how far it moves that ratio (its linearisation), so that the mean is clip@1.
    """
    clips = np.array([len(scores) for scores in predictions.clip_scores])
    right = np.add.reduceat(clips_named_right(predictions).astype(int), np.cumsum(clips) - clips)  # of each video
    return (right - right.sum() / clips.sum() * (clips - clips.mean())) / clips.mean()


# Of each video a share, (V,), whose mean is the accuracy.
MEASURES: dict[str, Callable[[Predictions], np.ndarray]] = {
    "video_top1": named_right,
    "video_top5": lambda predictions: named_right(predictions, 5),
    "clip_top1": _clips_right,
}
Measure = str | Callable[[Predictions], np.ndarray]  # a key of MEASURES, or a function that gives points a video


@dataclass(frozen=True)
class Estimate:
    """Percent, or points of a difference, with its 95% interval."""

    points: float
    low: float
    high: float
    unit: str  # what is drawn at random: VIDEOS, SEEDS or SPEAKERS
    freedom: float  # degrees of freedom of Student's t behind the interval
    seeds: tuple[tuple[int, ...], ...]  # of each network
    tested: int  # videos, or speakers

    @property
    def half_width(self) -> float:
        """Half the width of the interval, points."""
        return (self.high - self.low) / 2

    @property
    def covers_seeds(self) -> bool:
        """Whether it holds for other seeds too, or only for the recorded ones."""
        return self.unit != VIDEOS

    def within(self, least: float, most: float) -> "Estimate":
        """The same, its interval cut off at what is possible, which that of few seeds can leave."""
        low, high = np.clip([self.low, self.high], least, most)
        return replace(self, low=float(low), high=float(high))


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Of a network, of each seed and video a number, whose mean over the videos is what is measured of the seed."""

    values: np.ndarray  # (n seeds, V videos), or S speakers where the dataset names them
    seeds: tuple[int, ...]
    tested: tuple  # what must be the same in networks that are compared: splits, their videos, labels and classes
    folds: np.ndarray | None = None  # (S,) in which each speaker is tested

    def minus(self, other: "Outcomes", share: float = 1.0) -> "Outcomes":
        """This minus `share` of another test of the same weights, seed by seed: what the seeds have in common falls
        out, which it would not as a difference of two networks. NotComparable: other seeds, videos, labels or classes.
        """
        if (self.seeds, self.tested) != (other.seeds, other.tested):
            raise NotComparable("two tests of the same weights are not of the same seeds on the same videos")
        return replace(self, values=self.values - share * other.values)


def accuracy(network: Network, measure: Measure = "video_top1") -> Estimate:
    """A network's accuracy in percent: the mean over seeds of the splits' means.

    The interval of the video accuracy of one seed is Wilson's, see `split_mean`. `network` has its runs, such as the
    column `result` of `runs.results.table`, or scores by seed and split. Errors: ValueError: no complete run, two of
    the same seed and split, or seeds that were tested on other videos.
    """
    scores = scores_of(network)
    named = any(predictions.speakers for splits in scores.values() for predictions in splits.values())
    if len(scores) == 1 and measure in ("video_top1", "video_top5") and not named:
        return split_mean(scores, k=5 if measure == "video_top5" else 1)
    found = combined([outcomes(scores, measure)], [1])
    return found.within(0, 100) if isinstance(measure, str) else found


def difference(first: Network, second: Network, measure: Measure = "video_top1") -> Estimate:
    """First minus second, in points, on the same test videos, whatever seeds they have; errors as of `accuracy`."""
    found = combined([outcomes(network, measure) for network in (first, second)], [1, -1])
    return found.within(-100, 100) if isinstance(measure, str) else found


def difference_of_differences(gap: tuple[Network, Network], other_gap: tuple[Network, Network]) -> Estimate:
    """A gap in video accuracy of two networks minus that of two others, as (R(2+1)D - R3D at 34 layers) - (at 18)."""
    return combined([outcomes(network) for network in (*gap, *other_gap)], [1, -1, -1, 1]).within(-200, 200)


def change(after: Outcomes, before: Outcomes) -> Estimate:
    """Of an accuracy between two tests of the same weights, in points; errors as of `Outcomes.minus`."""
    return combined([after.minus(before)], [1]).within(-100, 100)


def combined(networks: Sequence[Outcomes], signs: Sequence[int]) -> Estimate:
    """The sum over networks of sign times what is measured; NotComparable where they were tested on other videos."""
    one = networks[0]
    if any(own.tested != one.tested for own in networks):
        raise NotComparable("the networks were not tested on the same videos, labels and classes")
    values, seeds = [own.values for own in networks], tuple(own.seeds for own in networks)
    points = sum(sign * own.mean(0) for own, sign in zip(values, signs, strict=True))  # (V,) or (S,)
    if one.folds is not None:
        ends = speakers_interval([sign * own for own, sign in zip(values, signs, strict=True)], one.folds)
    else:
        ends = crossed_interval(values, signs)
    unit = SPEAKERS if one.folds is not None else SEEDS if min(map(len, values)) > 1 else VIDEOS
    return Estimate(float(points.mean()), *ends[:2], unit, ends[2], seeds, len(points))


def scores_of(network: Network) -> Scores:
    """Seed -> split -> predictions, in order; ValueError for no complete run, or two of the same seed and split."""
    if isinstance(network, Mapping):
        scores = {seed: {1: own} if isinstance(own, Predictions) else own for seed, own in network.items()}
    else:
        scores, first = {}, None
        for run in network:
            if run is None:
                continue
            first = first or run
            for name in ("net", "depth", "modality", "dataset"):
                if (value := getattr(run.spec, name)) != getattr(first.spec, name):
                    other = f"{getattr(first.spec, name)!r} in {first.folder}"
                    raise ValueError(f"{run.folder}: {name} is {value!r}, {other}; give the runs of one network")
            splits = scores.setdefault(run.spec.seed, {})
            if splits.setdefault(run.spec.split, run.predictions) is not run.predictions:
                raise ValueError(
                    f"{run.folder}: another run has seed {run.spec.seed} and split {run.spec.split} too; give the runs "
                    "of one network in one setting"
                )
    if not scores:
        raise ValueError("a network has no complete run: give it one seed at least")
    return {seed: dict(sorted(splits.items())) for seed, splits in sorted(scores.items())}


def outcomes(network: Network, measure: Measure = "video_top1") -> Outcomes:
    """The outcomes of a network, over splits their plain mean.

    With x of video v in split s, a_s its mean over the n_s videos, S splits and V videos in all of them, a video's
    outcome is mean_s a_s + sum over its splits of V / (S n_s) (x_sv - a_s): of one split this is x, and the mean over
    the videos is that of the splits' means. Errors: ValueError: as of `accuracy`, or for another measure.
    """
    scores = scores_of(network)
    if isinstance(measure, str) and measure not in MEASURES:
        raise ValueError(f"measure is {measure!r}: it is one of {', '.join(MEASURES)}")
    points = (lambda predictions: 100 * MEASURES[measure](predictions)) if isinstance(measure, str) else measure
    first = next(iter(scores.values()))
    for seed, splits in scores.items():
        if _tested(splits) != _tested(first):
            raise NotComparable(f"seed {seed} was not tested on the same videos, labels and classes as the others")
    if all(predictions.speakers for predictions in first.values()):
        values, folds = _by_speaker(scores, points)
        return Outcomes(values, tuple(scores), _tested(first), folds)
    place = {video: i for i, video in enumerate(dict.fromkeys(v for p in first.values() for v in p.videos))}
    rows = []
    for splits in scores.values():
        row, means = np.zeros(len(place)), []
        for predictions in splits.values():
            x = points(predictions)
            means.append(x.mean())
            weight = len(place) / (len(splits) * len(x))
            np.add.at(row, [place[video] for video in predictions.videos], weight * (x - x.mean()))
        rows.append(row + np.mean(means))
    return Outcomes(np.stack(rows), tuple(scores), _tested(first))


def _by_speaker(scores: Scores, points: Callable[[Predictions], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A network's numbers by seed and speaker, (n, S), whose mean over the speakers is that of all test clips together;
    and the fold in which each speaker is tested, (S,)."""
    rows = []
    for folds in scores.values():
        fold_of: dict[str, int] = {}
        for fold, predictions in folds.items():
            for speaker in set(predictions.speakers):
                if fold_of.setdefault(speaker, fold) != fold:
                    raise NotComparable(f"{speaker} is tested in folds {fold_of[speaker]} and {fold}: give one of them")
        if len({predictions.classes for predictions in folds.values()}) > 1:
            raise NotComparable("the folds have other classes; they are not of one dataset")
        sample = together(list(folds.values()))
        values = points(sample)
        names, of_speaker = np.unique(sample.speakers, return_inverse=True)
        parts = np.bincount(of_speaker, values - values.mean())  # of each speaker's clips, which may be unequally many
        rows.append(values.mean() + len(names) / len(values) * parts)
    return np.stack(rows), np.array([fold_of[name] for name in names])


def _tested(splits: Mapping[int, Predictions]) -> tuple:
    """Of each split what must be the same in tests that are compared."""

    def labels(p: Predictions) -> list:
        return p.labels.tolist() if p.label_sets is None else [sorted(own.tolist()) for own in p.label_sets]

    return tuple((s, p.videos, labels(p), p.classes, p.speakers) for s, p in splits.items())


def split_mean(scores: Scores, k: int = 1) -> Estimate:
    """The plain mean of the splits' video accuracies of one seed (paper, section 4.4, Table 5), right where the class
    is among the `k` highest scores.

    Each split's Wilson interval is a distance from its accuracy down and one up; the mean's are the root of their sum
    of squares (with the covariance of shared videos) by the number of splits, so that one split gives its own Wilson
    interval, and many videos the stratified sqrt(sum p (1 - p) / n) / S (Newcombe's way, Stat. Med. 17, 1998).

    It covers the draw of the test videos alone; the training parts of the official splits overlap too.
    """
    ((seed, splits),) = scores.items()
    right = [dict(zip(p.videos, named_right(p, k).tolist(), strict=True)) for p in splits.values()]
    low, high = np.array([wilson(sum(own.values()), len(own)) for own in right]).T
    p = np.array([100 * float(np.mean(list(own.values()))) for own in right])
    correlation = np.eye(len(right))
    spreads = [np.std(list(own.values())) * np.sqrt(len(own)) for own in right]
    for i, j in combinations(range(len(right)), 2):
        mean_i, mean_j = (np.mean(list(right[n].values())) for n in (i, j))
        shared = right[i].keys() & right[j].keys()
        covariance = sum((right[i][v] - mean_i) * (right[j][v] - mean_j) for v in shared)
        if covariance:
            correlation[i, j] = correlation[j, i] = covariance / (spreads[i] * spreads[j])
    down, up = (float(np.sqrt(d @ correlation @ d)) / len(p) for d in (p - low, high - p))
    mean = float(p.mean())
    return Estimate(mean, mean - down, mean + up, VIDEOS, inf, ((seed,),), sum(map(len, right)))
