"""The runs of a plan as `results.load_plan_runs` gives them, made up in memory: none is trained or lies in a folder."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache

import numpy as np
import pandas as pd

from studylib import REPOSITORY
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.plan import Plan, PlannedRun, load_plan
from studylib.runs.results import Run
from studylib.training.evaluation import Predictions, clip_top1, video_top_k
from tests.fake_runs import fake_predictions

# A small study that has every experiment; the plan of that name in runs/ has those that it is run with.
SMALL = REPOSITORY / "tests" / "data" / "mini.yaml"


def plan_of(name: str) -> Plan:
    """A plan of runs/, or the small study for mini."""
    return load_plan(SMALL if name == "mini" else REPOSITORY / "runs" / f"{name}.yaml")


def made_run(planned: PlannedRun, predictions: Predictions, errors: tuple[float, float] = (20.0, 30.0)) -> Run:
    """A complete run; `errors` are the training and the test error of the last epoch, percent, to which they fall."""
    spec, fall = planned.spec, np.linspace(60, 0, planned.spec.epochs)
    rng = np.random.default_rng(spec.seed)
    noise = 2 * rng.normal(size=(2, spec.epochs)) * (fall > 0)
    history = pd.DataFrame({"epoch": np.arange(spec.epochs) + 1})
    for column, error, own in zip(("train_error", "test_error"), errors, noise, strict=True):
        history[column] = error + fall + own
    metrics = {
        "clip_top1": clip_top1(predictions),
        "video_top1": video_top_k(predictions, 1),
        "params": 2_000_000 * (2 if "double" in spec.net else 1),
        "flops": 338_000_000,
    }
    provenance = {"device": "cpu", "dataset": {"name": spec.dataset, "videos": len(predictions.labels)}}
    run = Run(REPOSITORY / planned.folder, spec, metrics, history, provenance)
    vars(run)["predictions"] = predictions
    return run


def made_study(
    make: Callable[[PlannedRun], Run | None] = lambda planned: None, plans: tuple[str, ...] = ("mini", "paper")
) -> pd.DataFrame:
    """Every run of the plans; `make` gives the run of a planned one, None where it is not run."""
    rows = []
    for name in plans:
        plan = plan_of(name)
        for planned in plan.runs:
            run = make(planned)
            row = asdict(planned.spec) | {"net": PRINTED_NAMES[planned.spec.net], "net_key": planned.spec.net}
            row |= {"plan": name, "label": plan.title, "run": planned.name, "spec": planned.spec, "result": run}
            rows.append(row | {"state": "not run"} if run is None else row | {"state": "complete"} | run.metrics)
    table = pd.DataFrame(rows)
    return table.reindex(columns=[*table.columns, *({"params", "flops"} - set(table.columns))])


def random_run(planned: PlannedRun) -> Run:
    """A complete run of random scores, the same test videos for all."""
    seed = [planned.spec.seed, len(planned.name), *map(ord, planned.spec.net), *map(ord, planned.spec.frame_order)]
    return made_run(planned, fake_predictions(videos_a_class=2, clips=2, seed=seed))


@cache
def table2(*without: int) -> pd.DataFrame:
    """Every run of the plans; those of Table 2 in mini complete, of random scores, but of the seeds `without`."""

    def make(planned: PlannedRun) -> Run | None:
        complete = planned.plan == "mini" and planned.spec.experiment == "conv_types"
        return random_run(planned) if complete and planned.spec.seed not in without else None

    return made_study(make)
