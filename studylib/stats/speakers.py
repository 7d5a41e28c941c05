"""Accuracies and their differences where people are tested, each in one of several folds, with 95% intervals.

On MIRACL-VC1 the unit that is drawn is the speaker, not the clip: clips of one person go together. Every speaker is
tested in one fold, by networks that never saw them, and a network has a run of each fold and seed. Of speaker p in fold
f and seed s, accuracy is taken as

    accuracy = mean + P_p + R_fs + E_ps

with P the speaker's own part, R the run's, which the speakers of its fold share, and E the rest. The mean over S
speakers in F folds and n seeds then has the variance P / S + R / (F n) + E / (S n). The spread of the speakers' means
over seeds has all of P and E in it but too little of R; what is missing is added from the spread of a fold's seeds.
Degrees of freedom are Satterthwaite's. Where a network has one seed, no spread of seeds can be seen, and the folds are
the only replicates of its runs: the interval is Student's t over their means, with F - 1 degrees of freedom.

Simulated studies of 15 speakers, five folds and 1, 3 or 6 seeds are covered in 94 to 98 of 100 cases; Student's t over
the speakers' means alone, which takes speakers of a fold for independent, would cover 86 to 95.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf, sqrt

import numpy as np

from studylib.stats.intervals import student_quantile
from studylib.stats.seeds import MEASURES, Measure
from studylib.training.evaluation import Predictions

Folds = Mapping[int, Predictions]  # fold -> the run's predictions on its test speakers
Seeds = Mapping[int, Folds]  # seed -> a run of each fold


@dataclass(frozen=True)
class Estimate:
    """Percent, or points of a difference, with a 95% interval over speakers and seeds."""

    points: float
    low: float
    high: float
    freedom: float  # degrees of freedom of Student's t behind the interval

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, eq=False)
class BySpeaker:
    """Of a network, of each seed and speaker a number, whose mean over the speakers is what is measured of the seed."""

    values: np.ndarray  # (n seeds, S speakers)
    folds: np.ndarray  # (S,) in which each is tested
    speakers: tuple[str, ...]


def pooled(folds: Folds) -> Predictions:
    """The test clips of all folds as one sample. Errors: ValueError for folds of other classes."""
    parts = [folds[fold] for fold in sorted(folds)]
    if len({part.classes for part in parts}) > 1:
        raise ValueError("the folds have other classes; they are not of one dataset")
    videos, scores, speakers = (
        list(chain.from_iterable(getattr(part, name) for part in parts))
        for name in ("videos", "clip_scores", "speakers")
    )
    labels = np.concatenate([part.labels for part in parts])
    # where only answers were kept of one, the scores of all are to be read by their order alone
    condensed = any(part.ranked is not None for part in parts)
    ranked = np.concatenate([part.scores for part in parts]) if condensed else None
    return Predictions(videos, labels, scores, parts[0].classes, speakers=speakers, ranked=ranked)


def by_speaker(net: Seeds, of_each: Callable[[Predictions], np.ndarray]) -> BySpeaker:
    """A network's numbers by seed and speaker.

    Args:
        net: its runs.
        of_each: of predictions a number a video, (V,), whose mean is the measure.

    Raises:
        ValueError: no seed, seeds with other folds or videos, or a speaker who is tested in two folds.
    """
    if not net:
        raise ValueError("the network has no seed: give it at least one")
    rows, tested = [], None
    for seed, runs in sorted(net.items()):
        fold_of: dict[str, int] = {}
        for fold, predictions in sorted(runs.items()):
            for speaker in set(predictions.speakers):
                if fold_of.setdefault(speaker, fold) != fold:
                    raise ValueError(f"{speaker} is tested in folds {fold_of[speaker]} and {fold}: give one of them")
        sample = pooled(runs)
        if tested not in (None, (fold_of, sample.videos)):
            raise ValueError(f"seed {seed} was not tested in the same folds on the same videos as the first")
        tested = fold_of, sample.videos
        values = of_each(sample)
        names, of_speaker = np.unique(sample.speakers, return_inverse=True)
        parts = np.bincount(of_speaker, values - values.mean())  # of each speaker's clips, which may be unequally many
        rows.append(values.mean() + len(names) / len(values) * parts)
    return BySpeaker(np.stack(rows), np.array([fold_of[name] for name in names]), tuple(names.tolist()))


def accuracy(net: Seeds, measure: Measure = "video_top1") -> Estimate:
    """A network's accuracy in percent: of all test clips of a seed together, the mean over seeds."""
    return estimate([by_speaker(net, _percent(measure))], [1])


def difference(first: Seeds, second: Seeds, measure: Measure = "video_top1") -> Estimate:
    """First minus second, in points, on the same speakers.

    Raises:
        ValueError: they were tested on other speakers or in other folds.
    """
    return estimate([by_speaker(net, _percent(measure)) for net in (first, second)], [1, -1])


def _percent(measure: Measure) -> Callable[[Predictions], np.ndarray]:
    return lambda predictions: 100 * MEASURES[measure](predictions)


def estimate(nets: Sequence[BySpeaker], signs: Sequence[float]) -> Estimate:
    """The sum over networks of sign times what is measured, with its interval.

    Raises:
        ValueError: they were tested on other speakers or in other folds.
    """
    one = nets[0]
    if any(other.speakers != one.speakers or (other.folds != one.folds).any() for other in nets[1:]):
        raise ValueError("the networks were not tested on the same speakers in the same folds")
    values = [sign * net.values for net, sign in zip(nets, signs, strict=True)]
    per_speaker = sum(own.mean(0) for own in values)  # (S,)
    folds, of_fold = np.unique(one.folds, return_inverse=True)
    if min(map(len, values)) == 1:
        means = np.bincount(of_fold, per_speaker) / np.bincount(of_fold)
        terms = [(means.var(ddof=1) / len(means), len(means) - 1)]
    else:
        terms = [(per_speaker.var(ddof=1) / len(per_speaker), len(per_speaker) - 1)]
        terms += [_missing_of_runs(own, of_fold, len(folds)) for own in values]
    variance = sum(value for value, _ in terms)
    freedom = variance**2 / sum(value**2 / degrees for value, degrees in terms) if variance else inf
    points, reach = float(per_speaker.mean()), student_quantile(0.975, freedom) * sqrt(variance)
    return Estimate(points, points - reach, points + reach, freedom)


def _missing_of_runs(values: np.ndarray, of_fold: np.ndarray, folds: int) -> tuple[float, int]:
    """What the spread of the speakers lacks of the variance of a network's runs, R, and its degrees of freedom.

    Args:
        values: (n seeds, S speakers).
        of_fold: (S,) numbers of the folds, from 0.
    """
    n, speakers = values.shape
    m = speakers / folds  # speakers a fold
    cells = np.stack([values[:, of_fold == fold].mean(1) for fold in range(folds)], 1)  # (n, F)
    within = values - cells[:, of_fold]
    rest = within - within.mean(0)  # E alone
    of_rest = (rest**2).sum() / ((n - 1) * (speakers - folds))
    of_run = max(0.0, cells.var(0, ddof=1).mean() - of_rest / m)
    # the speakers' spread has 1 - (m - 1) / (S - 1) of the m R that is in the mean over the speakers of a fold
    return (m - 1 + (m - 1) / (speakers - 1)) * of_run / (speakers * n), folds * (n - 1)
