"""The interval of a sum of networks' accuracies where people are tested, each in one of several folds.

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
from math import inf, nan, sqrt

import numpy as np

from studylib.stats.intervals import NotComparable, student_quantile
from studylib.training.evaluation import Predictions, together


def by_speaker(
    scores: Mapping[int, Mapping[int, Predictions]], points: Callable[[Predictions], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """A network's numbers by seed and speaker, (n, S), whose mean over the speakers is what is measured of the seed:
    that of all test clips together; and the fold in which each speaker is tested, (S,).

    Args:
        scores: seed -> fold -> predictions, of all seeds on the same videos.
        points: of predictions a number a video, (V,), whose mean is the measure.

    Raises:
        NotComparable: a speaker who is tested in two folds, or folds of other classes.
    """
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


def interval(values: Sequence[np.ndarray], folds: np.ndarray) -> tuple[float, float, float]:
    """(low, high, degrees of freedom) of the sum over networks of their means; nan of one seed in one fold, of which
    nothing tells how another run would have come out.

    Args:
        values: of each network (n seeds, S speakers), in points, with its sign.
        folds: (S,) in which each speaker is tested.
    """
    per_speaker = sum(own.mean(0) for own in values)  # (S,)
    numbers, of_fold = np.unique(folds, return_inverse=True)
    if min(map(len, values)) == 1 and len(numbers) == 1:
        return nan, nan, nan
    if min(map(len, values)) == 1:
        means = np.bincount(of_fold, per_speaker) / np.bincount(of_fold)
        terms = [(means.var(ddof=1) / len(means), len(means) - 1)]
    else:
        terms = [(per_speaker.var(ddof=1) / len(per_speaker), len(per_speaker) - 1)]
        terms += [_missing_of_runs(own, of_fold, len(numbers)) for own in values]
    variance = sum(value for value, _ in terms)
    freedom = variance**2 / sum(value**2 / degrees for value, degrees in terms) if variance else inf
    points, reach = float(per_speaker.mean()), student_quantile(0.975, freedom) * sqrt(variance)
    return points - reach, points + reach, freedom


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
