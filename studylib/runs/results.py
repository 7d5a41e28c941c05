"""Run folders become tidy tables; what is broken is refused with its name, so that it stops the book's build.

A run of a plan is "not run" (no folder), "unfinished" (no `metrics.json`, or a notebook that has not come to its end;
its numbers are not shown) or "complete". Everything else raises `BrokenRun`.
"""

import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from studylib import REPOSITORY
from studylib.datasets.index import difference
from studylib.nets.table import PRINTED_NAMES
from studylib.runs import checked
from studylib.runs.plan import Plan, PlannedRun, load_plan, plan_files
from studylib.runs.run_reading import (
    BrokenRun,
    name_of,
    papermill_of,
    read_history,
    read_notebook,
    read_provenance,
    require_notebook_of,
)
from studylib.training.evaluation import Predictions, clip_top1, read_predictions, video_top_k, wilson
from studylib.training.filters import read_conv1
from studylib.training.run_files import RunFolderError, read_metrics
from studylib.training.spec import RunSpec, SpecError, load_spec, require_same_spec
from studylib.video.files import user_path

# Accuracies are recomputed from the same float16 scores by the same code: only the last bits may differ.
TOLERANCE = 1e-6  # percent


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run, read and checked."""

    folder: Path
    spec: RunSpec
    metrics: dict[str, Any]
    history: pd.DataFrame  # a row an epoch, columns run_files.HISTORY
    provenance: dict[str, Any]

    @property
    def net(self) -> str:
        """The paper's name of the network with its depth: "R(2+1)D-18"."""
        return f"{PRINTED_NAMES[self.spec.net]}-{self.spec.depth}"

    @cached_property
    def predictions(self) -> Predictions:
        """Scores of every clip of every test video.

        Raises:
            BrokenRun: the file is missing or no table of predictions.
        """
        try:
            return read_predictions(self.folder / "predictions.parquet")
        except ValueError as error:
            raise BrokenRun(f"{name_of(self.folder)}: predictions.parquet cannot be read: {error}") from None

    @cached_property
    def videos(self) -> int:
        """How many videos it was tested on."""
        return len(self.predictions.labels)

    def __getstate__(self) -> dict[str, Any]:
        """What is kept of a checked run: all but the scores, of which a reader of many runs needs few."""
        return {key: value for key, value in vars(self).items() if key != "predictions"} | {"videos": self.videos}


def load_run(folder: Path | str) -> Run:
    """Read a finished run's folder and check that its files fit together.

    The notebook is not looked at, since it may be the one that calls this.

    Raises:
        BrokenRun: names the folder, what is wrong and what to do.
    """
    folder = user_path(folder)
    name = name_of(folder)
    again = "restore the file, or remove the folder and run it again"
    try:
        spec = load_spec(folder)
        metrics = read_metrics(folder)
        read_conv1(folder)  # not shown here; a broken one is refused with the rest
    except (SpecError, RunFolderError) as error:
        raise BrokenRun(f"{name}: {error}") from None
    if metrics is None:
        raise BrokenRun(
            f"{name}: has no metrics.json, the run is not finished; run it again, it goes on where it stopped"
        )
    for file in ("history.csv", "provenance.json", "predictions.parquet"):
        if not (folder / file).exists():
            raise BrokenRun(f"{name}: has metrics.json but no {file}; {again}")
    history = read_history(folder, spec, metrics, again)
    run = Run(folder, spec, metrics, history, read_provenance(folder, spec, again))
    for video, scores in zip(run.predictions.videos, run.predictions.clip_scores, strict=True):
        if spec.test_sampling != "dense" and not 1 <= len(scores) <= spec.test_clips:  # fewer of a short video
            raise BrokenRun(
                f"{name}: predictions.parquet has {len(scores)} clips of {video}, "
                f"spec.json says test_clips {spec.test_clips}; {again}"
            )
    recomputed = {f"video_top{k}": video_top_k(run.predictions, k) for k in (1, 5)}
    recomputed["clip_top1"] = clip_top1(run.predictions)
    for metric, value in recomputed.items():
        if not abs(value - metrics[metric]) <= TOLERANCE:
            raise BrokenRun(
                f"{name}: metrics.json has {metric} {metrics[metric]:.3f}, "
                f"predictions.parquet gives {value:.3f}; {again}"
            )
    return run


def load_planned_run(planned: PlannedRun, repository: Path = REPOSITORY) -> tuple[str, Run | None]:
    """The state of a planned run ("complete", "unfinished", "not run"), and the run where it is complete.

    Raises:
        BrokenRun: the notebook failed or is that of another run, the folder holds another run than the plan says, or
            one on other videos than it fixes, or `load_run` refuses it. In a build that is found once, by the build
            itself: see `checked`.
    """
    folder = repository / planned.folder
    if not folder.exists():
        return "not run", None
    if (run := checked.find(folder)) and run.spec == planned.spec and not _other_videos(run, planned):
        return "complete", run
    notebook = read_notebook(folder)
    if not (folder / "spec.json").exists() and not (folder / "metrics.json").exists():
        return "unfinished", None
    try:
        require_same_spec(planned.spec, load_spec(folder), planned.folder)
    except SpecError as error:
        raise BrokenRun(f"{planned.folder}: {error}") from None
    if not (folder / "metrics.json").exists():
        return "unfinished", None
    if notebook is None:
        raise BrokenRun(f"{planned.folder}: has metrics.json but no notebook.ipynb; remove the folder and run it again")
    require_notebook_of(planned, notebook)
    run = load_run(folder)
    if wrong := _other_videos(run, planned):
        raise BrokenRun(f"{planned.folder}: {wrong}")
    # papermill writes the end time last: without it the notebook is under way, or was killed in its last cells
    return ("complete", run) if papermill_of(notebook).get("end_time") else ("unfinished", None)


def _other_videos(run: Run, planned: PlannedRun) -> str:
    return difference(run.spec.dataset, run.provenance["dataset"].get("manifest_hash"), planned.manifest)


def load_plan_runs(plan: Plan, repository: Path = REPOSITORY) -> pd.DataFrame:
    """A row for each run of a plan.

    Columns: plan, label (the plan's title), experiment, run (its name), net (the paper's name), state, each field of
    the RunSpec that is not named yet; for a complete run also the metrics, `videos` (tested), `low` and `high` (Wilson
    interval of video_top1), commit, hardware, started, and `result` (the Run itself, None otherwise).

    Raises:
        BrokenRun: see `load_planned_run`.
    """
    rows = []
    for planned in plan.runs:
        state, run = load_planned_run(planned, repository)
        fields = asdict(planned.spec) | {"net": PRINTED_NAMES[planned.spec.net], "net_key": planned.spec.net}
        row = fields | {"plan": plan.name, "label": plan.title, "run": planned.name, "state": state, "result": run}
        if run is not None:
            low, high = wilson(round(run.metrics["video_top1"] * run.videos / 100), run.videos)
            row |= run.metrics | {"videos": run.videos, "low": low, "high": high, "hardware": hardware(run)}
            row |= {"commit": run.provenance["commit"], "started": run.provenance["started"]}
        rows.append(row)
    return pd.DataFrame(rows)


def load_plans(repository: Path = REPOSITORY) -> list[Plan]:
    """Every plan of `runs/`, by name."""
    return [load_plan(path) for path in plan_files(repository / "runs")]


def load_all_runs(repository: Path = REPOSITORY) -> pd.DataFrame:
    """`load_plan_runs` of every plan, one under the other."""
    return pd.concat([load_plan_runs(plan, repository) for plan in load_plans(repository)], ignore_index=True)


def title_of(runs: pd.DataFrame, plan: str) -> str:
    """The title of a plan in a table of `load_plan_runs` that has runs of it."""
    return runs.loc[runs["plan"] == plan, "label"].iloc[0]


def complete_runs(runs: pd.DataFrame, plan: str | None = None, experiment: str | None = None) -> list[Run]:
    """The complete runs of a table of `load_plan_runs`, of one plan and one experiment where they are given."""
    chosen = runs[runs["state"] == "complete"]
    for column, value in (("plan", plan), ("experiment", experiment)):
        chosen = chosen if value is None else chosen[chosen[column] == value]
    return list(chosen["result"])


def hardware(run: Run) -> str:
    """ "Xeon ... (x86_64), 1 thread, bf16", or the GPU's name in place of the processor's."""
    p = run.provenance
    if p["device"] != "cpu":
        return f"{p['device']}, {p['precision']}"
    return f"{p['cpu']}, {p['threads']} thread{'s' if p['threads'] != 1 else ''}, {p['precision']}"


if __name__ == "__main__":
    from studylib.runs.importing import main  # which reads runs with this module

    sys.exit(main(sys.argv[1:]))
