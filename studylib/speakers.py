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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from studylib.evaluation import Predictions, clips_named_right, named_right
from studylib.seeds import Measure
from studylib.stats import student_quantile

Folds = Mapping[int, Predictions]  # fold -> the run's predictions on its test speakers
Seeds = Mapping[int, Folds]  # seed -> a run of each fold


@dataclass(frozen=True)
class Estimate:
    """Percent, or points of a difference, with a 95% interval over speakers and seeds."""

    points: float
    low: float
    high: float
    speakers: int
    seeds: tuple[int, ...]  # of each network

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class BySpeaker:
    """A network's accuracies: (n seeds, S speakers) in percent, whose mean is its accuracy; and each speaker's fold."""

    accuracy: np.ndarray
    folds: np.ndarray  # (S,) int
    speakers: tuple[str, ...]


def by_speaker(net: Seeds, measure: Measure = "video_top1") -> BySpeaker:
    """A network's accuracies by seed and speaker.

    All clips of a seed are one sample: where speakers have unequal numbers of clips, a speaker's entry is their part in
    the ratio of right clips to all (its linearisation), so that the mean over speakers is the accuracy.

    Raises:
        ValueError: no seed, seeds with other folds or videos, or a speaker who is tested in two folds.
    """
    if not net:
        raise ValueError("the network has no seed: give it at least one")
    rows, first = [], None
    for seed, runs in sorted(net.items()):
        right, total, fold_of = {}, {}, {}
        for fold, predictions in sorted(runs.items()):
            counts = [len(scores) for scores in predictions.clip_scores] if measure == "clip_top1" else None
            outcome = named_right(predictions) if counts is None else clips_named_right(predictions)
            speakers = np.repeat(predictions.speakers, 1 if counts is None else counts)
            for speaker in np.unique(speakers):
                if speaker in fold_of:
                    raise ValueError(
                        f"{speaker} is tested in folds {fold_of[speaker]} and {fold}: give folds of one study"
                    )
                own = outcome[speakers == speaker]
                right[speaker], total[speaker], fold_of[speaker] = own.sum(), len(own), fold
        found = (fold_of, total)
        if first is not None and found != first:
            raise ValueError(f"seed {seed} was not tested in the same folds on the same clips as the first")
        first = found
        hits, clips = (np.array([of[s] for s in sorted(fold_of)], float) for of in (right, total))
        rows.append(100 * (hits - hits.sum() / clips.sum() * (clips - clips.mean())) / clips.mean())
    names = tuple(sorted(first[0]))
    return BySpeaker(np.stack(rows), np.array([first[0][s] for s in names]), names)


def accuracy(net: Seeds, measure: Measure = "video_top1") -> Estimate:
    """A network's accuracy in percent, the mean over its seeds of the share of all clips named right."""
    return estimate([by_speaker(net, measure)], [1])


def difference(first: Seeds, second: Seeds, measure: Measure = "video_top1") -> Estimate:
    """First minus second, in points, on the same speakers.

    Raises:
        ValueError: they were tested on other speakers or in other folds.
    """
    return estimate([by_speaker(first, measure), by_speaker(second, measure)], [1, -1])


def estimate(nets: Sequence[BySpeaker], signs: Sequence[int]) -> Estimate:
    """The sum over networks of sign times accuracy, with its interval."""
    one = nets[0]
    for other in nets[1:]:
        if other.speakers != one.speakers or (other.folds != one.folds).any():
            raise ValueError("the networks were not tested on the same speakers in the same folds")
    per_speaker = sum(sign * net.accuracy.mean(0) for net, sign in zip(nets, signs, strict=True))  # (S,)
    folds, of_fold = np.unique(one.folds, return_inverse=True)
    seeds = tuple(len(net.accuracy) for net in nets)
    if min(seeds) == 1:
        means = np.array([per_speaker[of_fold == f].mean() for f in range(len(folds))])
        variance, freedom = means.var(ddof=1) / len(means), float(len(means) - 1)
    else:
        variance, freedom = _variance([per_speaker, *(net.accuracy for net in nets)], of_fold)
    points = float(per_speaker.mean())
    reach = student_quantile(0.975, freedom) * sqrt(variance)
    return Estimate(points, points - reach, points + reach, len(one.speakers), seeds)


def _variance(parts: Sequence[np.ndarray], of_fold: np.ndarray) -> tuple[float, float]:
    """The variance of the mean and its degrees of freedom; parts: (S,) per speaker, then (n, S) of each network."""
    per_speaker, *nets = parts
    S, F = len(per_speaker), int(of_fold.max()) + 1
    m = S / F  # speakers a fold
    terms = [(per_speaker.var(ddof=1) / S, S - 1)]
    for net in nets:
        n = len(net)
        cells = np.stack([net[:, of_fold == f].mean(1) for f in range(F)], 1)  # (n, F)
        within = net - cells[:, of_fold]
        rest = within - within.mean(0)  # E alone
        e = (rest**2).sum() / ((n - 1) * (S - F))
        r = max(0.0, cells.var(0, ddof=1).mean() - e / m)
        # the speakers' spread has (1 - (m - 1) / (S - 1)) of the m R that the mean of a fold's speakers has
        terms.append(((m - 1 + (m - 1) / (S - 1)) * r / (S * n), F * (n - 1)))
    variance = sum(value for value, _ in terms)
    if variance == 0:
        return 0.0, float("inf")
    return variance, variance**2 / sum(value**2 / degrees for value, degrees in terms)
