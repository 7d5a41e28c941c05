"""Runs whose outcome is known, made up and never trained: what the rules of the claims are tried on."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.claims.verdicts import decide
from studylib.nets.table import NETS, PRINTED_NAMES
from studylib.runs.plan import Plan, PlannedRun
from studylib.runs.results import Run
from studylib.training.evaluation import Predictions
from studylib.training.spec import RunSpec

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
        rows.append(fields | {"plan": plan, "label": plan, "run": name, "spec": spec, "state": state, "result": result})
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


def table2_plan(name):
    """A plan of Table 2's networks, two seeds each, for run folders."""
    specs = [SPEC(net=net, seed=seed, epochs=2, test_clips=CLIPS) for net in NETS for seed in (0, 1)]
    return Plan(name, "a study", {}, tuple(PlannedRun(name, f"{spec.net}_seed{spec.seed}", spec) for spec in specs))


def outcome(claim, runs):
    return decide(claim, table(runs), PLAN).outcome


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


def complete(plan):
    """A plan as if all of it had been run, whatever came out; test parts of their own for each dataset and split."""
    runs = []
    for planned in plan.runs:
        s = planned.spec
        predictions = scored(50 + len(planned.name) % 7, s.seed, f"{s.dataset}/{s.split}/", 40, 3)
        runs.append((planned.name, run_of(s, predictions, flops=s.clip_length)))
    return table(runs, plan.name)
