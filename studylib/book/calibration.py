"""How the embedded study was calibrated: the runs of `runs/calibration.yaml` as tidy tables.

A question changes one field of the spec (or two that belong together) and keeps all others. Its runs are found by that,
never by their names. `calibration_checks` holds them against what was required, `calibration_tables` and
`calibration_figures` show them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from studylib import REPOSITORY
from studylib.book import cues
from studylib.datasets.pantomime.actions import CUES
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.plan import load_plan
from studylib.runs.results import load_plan_runs
from studylib.stats.seeds import SeedDifference, difference, difference_of_differences
from studylib.training.evaluation import Predictions
from studylib.training.spec import RunSpec

PLAN = "calibration"
BLIND = "f-R2D"  # scores frame by frame: blind to their order
FIRST, SECOND = "R(2+1)D", "R3D"  # the paper's main claim; differences are the first minus the second
FREE = ("net", "seed", "experiment")  # fields in which runs of one setting may differ
OVERALL = "all videos"
GROUPS = (OVERALL, *CUES)


@dataclass(frozen=True, eq=False)
class Calibration:
    """A plan's runs with the setting that they start from: the calibration's, or the study's, to which the same
    requirements can be put."""

    runs: pd.DataFrame  # results.load_plan_runs
    base: Mapping[str, Any]  # fields of the spec but FREE: the plan's defaults, the paper's where it has none
    difficulty: Mapping[str, float]  # of each generated dataset of the plan, see knobs.at_difficulty

    @property
    def base_runs(self) -> pd.DataFrame:
        """The planned runs of the base setting."""
        return like(self)


def load(repository: Path = REPOSITORY, name: str = PLAN) -> Calibration:
    """The calibration of a repository, or another plan that starts from one setting, and what has been run of it;
    errors of `load_plan` and `load_plan_runs`."""
    path = repository / "runs" / f"{name}.yaml"
    plan = load_plan(path)
    defaults = yaml.safe_load(path.read_text()).get("defaults") or {}
    spec = asdict(RunSpec.from_parameters({"experiment": "conv_types", "net": "r3d"} | defaults))
    base = {name: value for name, value in spec.items() if name not in FREE}
    difficulty = {name: float(given.get("difficulty", 0)) for name, given in plan.datasets.items()}
    return Calibration(load_plan_runs(plan, repository), base, difficulty)


def learners(study: Calibration) -> pd.DataFrame:
    """The planned runs of the base setting, seed 0, of a network without convolutions over time and of the two of the
    main claim."""
    rows = study.base_runs
    return rows[(rows["seed"] == 0) & rows["net"].isin([BLIND, FIRST, SECOND])]


def like(study: Calibration, **changed: Any) -> pd.DataFrame:
    """The planned runs whose spec is the base's with the `changed` fields, whatever their net, seed and experiment; of
    runs that two experiments share, one."""
    wanted = {**study.base, **changed}
    return _once(study.runs[np.logical_and.reduce([study.runs[name] == value for name, value in wanted.items()])])


def variations(study: Calibration, *names: str) -> pd.DataFrame:
    """The planned runs that answer what the fields `names` do: equal in all other fields, with two settings or more.

    Where several such sets of runs are planned, the one nearest to the base counts, in number of fields: what is only
    tried at half the length of training is held against the base's setting at that length. Empty where none is planned.
    """
    others = [name for name in study.base if name not in names]
    found = []
    for _, own in study.runs.groupby(others, sort=False):
        if len(own[list(names)].drop_duplicates()) > 1:
            found.append((sum(own[name].iloc[0] != study.base[name] for name in others), own))
    return _once(min(found, key=lambda pair: pair[0])[1] if found else study.runs.iloc[:0], *names)


def _once(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    """A run for each net, seed and value of `names`, the complete one of several; nets in the order of Table 2."""
    order = list(PRINTED_NAMES.values())
    rows = rows.assign(_state=rows["state"] != "complete", _net=rows["net"].map(order.index))
    rows = rows.sort_values(["_net", "seed", "_state"], kind="stable").drop_duplicates(["net", "seed", *names])
    return rows.drop(columns=["_state", "_net"])


def complete(rows: pd.DataFrame, net: str | None = None) -> pd.DataFrame:
    """The complete ones among planned runs, of one net (the paper's name) where it is given."""
    rows = rows[rows["state"] == "complete"]
    return rows if net is None else rows[rows["net"] == net]


def seeds_of(rows: pd.DataFrame, net: str, cue: str = OVERALL) -> dict[int, Predictions]:
    """Seed -> what a net's complete run of one setting scored, on the videos of one cue group where it is given."""
    own = complete(rows, net)
    return {seed: _of_cue(run.predictions, cue) for seed, run in zip(own["seed"], own["result"], strict=True)}


def _of_cue(predictions: Predictions, cue: str) -> Predictions:
    if cue == OVERALL:
        return predictions
    groups = cues.classes().set_index("action").loc[list(predictions.classes), "cue"].to_numpy()  # (K,)
    there = np.flatnonzero(groups[predictions.labels] == cue)
    return Predictions(
        [predictions.videos[i] for i in there],
        predictions.labels[there],
        [predictions.clip_scores[i] for i in there],
        predictions.classes,
    )


def bound(reach: Mapping[str, float] = cues.ORDER_BLIND) -> float:
    """Percent of all videos of the source vocabulary for a net that names so many of each cue group."""
    groups = cues.classes().query("vocabulary == 'source'")["cue"]
    return float(groups.map(reach).mean())


def accuracies(rows: pd.DataFrame, measure: str = "class") -> pd.DataFrame:
    """Video accuracy of each net with complete runs of one setting, of all videos and by cue group.

    Columns: net, cue (of GROUPS; only the measure "class" of `cues.by_cue` has all videos), accuracy, low, high
    (percent: means over seeds of the accuracy and of the Wilson interval, which covers the draw of videos alone),
    order_blind (percent) and seeds (how many).
    """
    tables = []
    for net, own in complete(rows).groupby("net", sort=False):
        of_groups = cues.by_cue(list(own["result"]))
        of_groups = of_groups[of_groups["measure"] == measure]
        of_all = own.rename(columns={"video_top1": "accuracy"}).assign(cue=OVERALL, order_blind=bound())
        columns = ["cue", "accuracy", "low", "high", "order_blind"]
        parts = [of_all[columns]] * (measure == "class") + [of_groups[columns]]
        mean = pd.concat(parts).groupby("cue", sort=False, as_index=False).mean()
        tables.append(mean.assign(seeds=len(own)).assign(net=net)[["net", *columns, "seeds"]])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def difficulty_runs(study: Calibration) -> pd.DataFrame:
    """The planned runs of the base setting on each dataset of the plan."""
    return variations(study, "dataset")


def by_difficulty(study: Calibration) -> pd.DataFrame:
    """`accuracies` at the base setting on each dataset of the plan, with a column difficulty; easier ones first."""
    rows = difficulty_runs(study)
    datasets = sorted(rows["dataset"].unique(), key=study.difficulty.__getitem__)
    tables = [
        accuracies(rows[rows["dataset"] == name]).assign(difficulty=study.difficulty[name], dataset=name)
        for name in datasets
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def span(frames: int, step: int) -> int:
    """Frames of the video from the first of a clip to its last, both counted."""
    return (frames - 1) * step + 1


def time_scale_runs(study: Calibration) -> pd.DataFrame:
    """The planned runs of the nets that are tried with clips of several spans, with a column span; shorter first."""
    rows = variations(study, "clip_length", "frame_step")
    rows = rows.assign(span=[span(*pair) for pair in zip(rows["clip_length"], rows["frame_step"], strict=True)])
    several = rows.groupby("net")["span"].nunique()
    return rows[rows["net"].isin(several[several > 1].index)].sort_values(["span", "clip_length"], kind="stable")


def by_span(study: Calibration, measure: str = "class") -> pd.DataFrame:
    """`accuracies` with clips of each span, with columns frames, step and span."""
    tables = [
        accuracies(own, measure).assign(frames=frames, step=step, span=span(frames, step))
        for (frames, step), own in time_scale_runs(study).groupby(["clip_length", "frame_step"], sort=False)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def sequence_gain(study: Calibration) -> pd.DataFrame:
    """What longer spans bring in the sequence group over the base's clips, the same net on the same videos.

    Columns: net, frames, step, span, gain (a SeedDifference, None where either has not been run).
    """
    rows = time_scale_runs(study)
    at_base = (rows["clip_length"] == study.base["clip_length"]) & (rows["frame_step"] == study.base["frame_step"])
    found = []
    for (net, frames, step), own in rows[~at_base].groupby(["net", "clip_length", "frame_step"], sort=False):
        ours, theirs = seeds_of(own, net, "sequence"), seeds_of(rows[at_base], net, "sequence")
        gain = difference(ours, theirs) if ours and theirs else None
        found.append({"net": net, "frames": frames, "step": step, "span": span(frames, step), "gain": gain})
    return pd.DataFrame(found, columns=["net", "frames", "step", "span", "gain"])


def gap(rows: pd.DataFrame) -> SeedDifference | None:
    """Video@1 of R(2+1)D minus that of R3D in one setting, over the seeds there are; None where either has none."""
    first, second = seeds_of(rows, FIRST), seeds_of(rows, SECOND)
    return difference(first, second) if first and second else None


def spread(rows: pd.DataFrame, net: str) -> float | None:
    """Standard deviation over the seeds of a net in one setting, points of video@1; None with fewer than two."""
    own = complete(rows, net)["video_top1"]
    return own.std(ddof=1) if len(own) > 1 else None


def comparison(study: Calibration, name: str) -> pd.DataFrame:
    """The gap of the two nets at each planned value of the field `name`.

    Columns: value (numbers in order; of texts the base's first), is_base, runs (planned ones of this value), gap (see
    `gap`), change (the gap minus that at the base's value, a SeedDifference; None there or where either is missing).
    """
    rows = variations(study, name)
    reference = rows[rows[name] == study.base[name]]
    found = []
    for value in _in_order(rows[name].unique(), study.base[name]):
        own, is_base = rows[rows[name] == value], value == study.base[name]
        pairs = [(seeds_of(part, FIRST), seeds_of(part, SECOND)) for part in (own, reference)]
        known = not is_base and all(map(all, pairs))
        change = difference_of_differences(*pairs) if known else None
        found.append({"value": value, "is_base": is_base, "runs": own, "gap": gap(own), "change": change})
    return pd.DataFrame(found, columns=["value", "is_base", "runs", "gap", "change"])


def _in_order(values: Sequence, base: Any) -> list:
    if isinstance(base, str):
        return sorted(values, key=lambda value: (value != base, value))
    return sorted(values)


def hours(rows: pd.DataFrame) -> dict[str, float]:
    """Hours of training of the complete runs by what they ran on, their tests not counted.

    Of a CPU core-hours, the time of each run times the threads of each of its processes; of a GPU the time of each run,
    also where runs shared it.
    """
    spent: dict[str, float] = {}
    for seconds, run in complete(rows)[["seconds", "result"]].itertuples(index=False):
        told = run.provenance
        on_cpu = told["device"] == "cpu"
        device = told["cpu"].partition(" (")[0] if on_cpu else told["device"]
        cores = told["threads"] if on_cpu else 1
        spent[device] = spent.get(device, 0) + seconds * cores * told.get("processes", 1) / 3600
    return spent
