"""Runs of section 4.4 in the plans paper and mini with made-up scores, and readings of the tables made from them."""

import re

import numpy as np
import pandas as pd

from studylib.book.tables import PLANS
from studylib.runs.plan import PlannedRun
from tests.made_study import plan_of
from tests.verdict_runs import CLASSES, run_of, scored, table

EXPERIMENTS = ("sports1m", "kinetics", "transfer")
PLANNED = {plan: plan_of(plan) for plan in PLANS}


def made(planned: PlannedRun):
    """A run of its own accuracy and test part; streams are wrong on other videos."""
    spec = planned.spec
    predictions = scored(55 + len(planned.name) % 9, videos=60, clips=3, name=f"{spec.dataset}/{spec.split}/")
    if spec.modality == "flow":
        predictions = scored_again(predictions, seed=sum(map(ord, planned.name)))
    run = run_of(spec, predictions)
    errors = np.linspace(90, 40, spec.epochs)
    vars(run)["history"] = pd.DataFrame(
        {"epoch": np.arange(1, spec.epochs + 1), "train_error": errors, "test_error": errors}
    )
    return run


def scored_again(predictions, seed):
    """The same videos with other scores."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(predictions.labels), 3, len(CLASSES)))
    logits += 1.2 * np.eye(len(CLASSES))[predictions.labels][:, None]
    scores = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return type(predictions)(
        predictions.videos, predictions.labels, list(scores.astype(np.float16)), predictions.classes
    )


def recorded(names: str = "", but: str = "^$", plan: str = "mini") -> pd.DataFrame:
    """The table of all runs of section 4.4; those of `plan` complete whose folder matches `names` and not `but`."""
    tables = []
    for own in PLANNED.values():
        runs = []
        for planned in own.runs:
            if planned.spec.experiment in EXPERIMENTS:
                folder = f"{planned.spec.experiment}/{planned.name}"
                done = own.name == plan and names and re.search(names, folder) and not re.search(but, folder)
                runs.append((planned.name, made(planned) if done else planned.spec))
        tables.append(table(runs, own.name))
    return pd.concat(tables, ignore_index=True)


def predictions_of(runs, name):
    (run,) = runs.loc[(runs["plan"] == "mini") & (runs["run"] == name), "result"]
    return run.predictions


def right(*streams, weights=(1.0,)) -> float:
    """Percent of the videos that the weighted mean of the streams' mean scores names right."""
    means = [np.stack([scores.astype(float).mean(0) for scores in p.clip_scores]) for p in streams]
    mixed = sum(weight * mean for weight, mean in zip(weights, means, strict=True))
    return 100 * float((mixed.argmax(1) == streams[0].labels).mean())


def rows_of(shown, *by):
    """The rows of a table by what stands in its first columns."""
    frame = shown.frame.copy()
    if isinstance(frame.columns, pd.MultiIndex):
        frame.columns = [" | ".join(name) for name in frame.columns]
    return frame.set_index([column for column in frame.columns if column.split(" | ")[-1] in by])


def ours(frame, plan):
    return frame[[column for column in frame.columns if f"plan {plan}" in column]]


def text(html: str) -> str:
    return re.sub(r"<[^>]*>", " ", html)
