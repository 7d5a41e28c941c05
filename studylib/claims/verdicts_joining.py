"""Joining the scores of a video's clips in another way than by their mean (section 5), from stored scores."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np

from studylib.claims.published import CLOSE
from studylib.claims.verdicts_evidence import Evidence, Net, printed
from studylib.claims.verdicts_intervals import VIDEO, contrast, outcomes
from studylib.claims.verdicts_parts import CONTRADICTED, INCONCLUSIVE, REPRODUCED, Verdict
from studylib.nets.table import NETS
from studylib.stats.estimates import Outcomes, Scores
from studylib.training.evaluation import Predictions, named_right

LEAST = float(np.finfo(np.float16).tiny)  # of a stored probability, for its logarithm


def _mean_of_logits(scores: np.ndarray) -> np.ndarray:
    """That of log softmax scores: the same order of classes, since a clip's logits differ from them by a constant."""
    logs = np.log(np.maximum(scores, LEAST)).mean(-2)
    return np.exp(logs - logs.max(-1, keepdims=True))


def _by_confidence(scores: np.ndarray) -> np.ndarray:
    weights = scores.max(-1, keepdims=True)
    return (weights * scores).sum(-2) / weights.sum(-2)


# Softmax scores of a video's clips (..., C, K) -> its own (..., K).
WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "maximum": lambda scores: scores.max(-2),
    "median": lambda scores: np.median(scores, -2),
    "mean of logits": _mean_of_logits,
    "mean weighted by confidence": _by_confidence,
}


def right_by(way: str) -> Callable[[Predictions], np.ndarray]:
    """Of predictions 100 for each video that the joined scores name right, else 0: (V,)."""

    def of_each(predictions: Predictions) -> np.ndarray:
        own = predictions.clip_scores
        if len({len(scores) for scores in own}) == 1:
            joined = list(WAYS[way](np.stack(own).astype(np.float32)))
        else:
            joined = [WAYS[way](scores.astype(np.float32)) for scores in own]
        return 100.0 * named_right(replace(predictions, clip_scores=[scores[None] for scores in joined]))

    return of_each


def gains(scored: Net | Scores) -> dict[str, Outcomes]:
    """Way -> what it gains over the mean in video@1, points."""
    mean = outcomes(scored, VIDEO)
    return {way: outcomes(scored, right_by(way)).minus(mean) for way in WAYS}


def joined(evidence: Evidence) -> Verdict:
    """One of the ways gains more than `CLOSE` points over the mean of the scores, on average over Table 2's networks.

    The best of the ways is sought, so its interval is that of level 1 - 0.05 / ways; contradicted when all of them gain
    less. It says nothing of ways that are trained.
    """
    planned = {p.spec.net for p in evidence.planned if p.spec.experiment == "conv_types"}
    nets = [evidence.net(printed(net), ["conv_types"], net=net) for net in NETS if net in planned]
    if not nets:
        evidence.lacks("networks of Table 2 (the plan has none)")
    evidence.require()
    of_nets = [gains(net) for net in nets]
    parts = [
        contrast(f"{way} instead of mean, {VIDEO}", [own[way] for own in of_nets], claimed=(CLOSE, inf)) for way in WAYS
    ]
    if any(part.outcome_among(len(parts)) == REPRODUCED for part in parts):
        outcome = REPRODUCED
    else:
        outcome = CONTRADICTED if all(part.outcome == CONTRADICTED for part in parts) else INCONCLUSIVE
    best = max(parts, key=lambda part: part.high)
    return Verdict(outcome, tuple(parts), decides=(best, len(parts) if outcome == REPRODUCED else 1))
