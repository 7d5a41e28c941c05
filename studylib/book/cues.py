"""Pantomime's cue groups in a net's predictions: which temporal information it uses.

Outside `pose` the classes come in pairs that show the same frames in another order or at another speed. A net that
scores frame by frame and averages, blind to their order, can name the right pair but has to guess its member.
"""

from collections.abc import Sequence

import pandas as pd

from studylib.datasets.pantomime.actions import CUES, VOCABULARIES
from studylib.runs.results import Run
from studylib.training.evaluation import wilson

# Percent of a group for a net that names every pair and guesses the member.
ORDER_BLIND = {"pose": 100.0, "direction": 50.0, "tempo": 50.0, "sequence": 50.0}


def classes() -> pd.DataFrame:
    """Every class of both vocabularies: vocabulary, action, cue, pair ("" in the pose group), description.

    The pairs of a vocabulary are the neighbours in its list.
    """
    rows = []
    for vocabulary, actions in VOCABULARIES.items():
        for cue in CUES:
            group = [action for action in actions if action.cue == cue]
            for i, action in enumerate(group):
                first = group[i - i % 2]
                pair = "" if cue == "pose" else f"{first.name} | {group[i - i % 2 + 1].name}"
                rows.append(
                    {
                        "vocabulary": vocabulary,
                        "action": action.name,
                        "cue": cue,
                        "pair": pair,
                        "description": action.description,
                    }
                )
    return pd.DataFrame(rows)


def by_cue(runs: Sequence[Run]) -> pd.DataFrame:
    """Video accuracy of runs on Pantomime by cue group, tidy.

    Columns: run (its folder's name), net, cue, measure, right, total, accuracy, low, high (percent, Wilson 95%),
    chance and order_blind (percent). Measures:

    * "class": the right class among all;
    * "pair": a class of the right pair (not for pose);
    * "member": the right class among the videos whose pair is right (not for pose; left out where there are none).

    Raises:
        ValueError: a run is on another dataset than Pantomime.
    """
    rows = [row for run in runs for row in _of_run(run)]
    columns = ["run", "net", "cue", "measure", "right", "total", "accuracy", "low", "high", "chance", "order_blind"]
    return pd.DataFrame(rows, columns=columns)


def _of_run(run: Run) -> list[dict]:
    known = classes().set_index("action")
    names = run.predictions.classes
    if unknown := [name for name in names if name not in known.index]:
        raise ValueError(f"{run.folder.name}: class {unknown[0]!r} of {run.spec.dataset} is not one of Pantomime's")
    cue = known.loc[list(names), "cue"].to_numpy()  # (K,)
    pair = known.loc[list(names), "pair"].to_numpy()  # (K,)
    labels = run.predictions.labels  # (V,)
    # equal scores rank by class number, as in `evaluation.video_top_k`
    chosen = run.predictions.scores.argmax(1)  # (V,)
    rows = []
    for group in CUES:
        there = cue[labels] == group
        right = there & (chosen == labels)
        masks = {"class": (right, there)}
        if group != "pose":
            in_pair = there & (pair[chosen] == pair[labels])
            masks |= {"pair": (in_pair, there), "member": (right, in_pair)}
        for measure, (hits, of) in masks.items():
            if of.any():
                rows.append(_row(run, group, measure, int(hits.sum()), int(of.sum()), len(names)))
    return rows


def _row(run: Run, cue: str, measure: str, right: int, total: int, num_classes: int) -> dict:
    low, high = wilson(right, total)
    return {
        "run": run.folder.name,
        "net": run.net,
        "cue": cue,
        "measure": measure,
        "right": right,
        "total": total,
        "accuracy": 100 * right / total,
        "low": low,
        "high": high,
        "chance": 100 * {"class": 1 / num_classes, "pair": 2 / num_classes, "member": 0.5}[measure],
        "order_blind": {"class": ORDER_BLIND[cue], "pair": 100.0, "member": 50.0}[measure],
    }
