"""Run folders become tidy tables; what is broken is refused with its name, so that it stops the book's build.

    runs = table("mini", "conv_types")  # a row a run

A run of a plan is "not run" (no folder), "unfinished" (no `metrics.json`, or a notebook that has not come to its end;
its numbers are not shown) or "complete". Everything else raises `BrokenRun`.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studylib import REPOSITORY
from studylib.datasets.index import difference
from studylib.nets.table import PRINTED_NAMES
from studylib.runs import checked
from studylib.runs.plan import Plan, PlannedRun, load_plan, plan_files
from studylib.training.evaluation import Predictions, clip_top1, read_predictions, video_top_k, wilson
from studylib.training.run_files import (
    DATASET,
    HISTORY,
    PROVENANCE,
    SINCE_THEN,
    RunFolderError,
    read_conv1,
    read_metrics,
)
from studylib.training.spec import RunSpec, SpecError, load_spec, require_same_spec
from studylib.video.files import user_path

# Accuracies are recomputed from the same float16 scores by the same code: only the last bits may differ.
TOLERANCE = 1e-6  # percent
LAST_BITS = 1e-9  # percent: the same number is written in two files, and a table's reader may miss its last bits


class BrokenRun(ValueError):
    """A recorded run that is not what it claims to be; the message names its folder and says what to do."""


def _broken(folder: Path, what: str) -> BrokenRun:
    return BrokenRun(f"{_name_of(folder)}: {what}; restore the file, or remove the folder and run it again")


def _name_of(folder: Path) -> str:
    """The folder as the reader knows it: from the repository on, where it lies in one."""
    folder = folder.resolve()
    return folder.relative_to(REPOSITORY).as_posix() if folder.is_relative_to(REPOSITORY) else str(folder)


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
            raise _broken(self.folder, f"predictions.parquet cannot be read ({error})") from None

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
    try:
        spec = load_spec(folder)
        metrics = read_metrics(folder)
        read_conv1(folder)  # not shown here; a broken one is refused with the rest
    except (SpecError, RunFolderError) as error:
        raise BrokenRun(f"{_name_of(folder)}: {error}") from None
    if metrics is None:
        raise BrokenRun(
            f"{_name_of(folder)}: has no metrics.json, the run is not finished; "
            "run it again, it goes on where it stopped"
        )
    for file in ("history.csv", "provenance.json", "predictions.parquet"):
        if not (folder / file).exists():
            raise _broken(folder, f"has metrics.json but no {file}")
    run = Run(folder, spec, metrics, _read_history(folder, spec, metrics), read_provenance(folder, spec))
    for video, scores in zip(run.predictions.videos, run.predictions.clip_scores, strict=True):
        if spec.test_sampling != "dense" and not 1 <= len(scores) <= spec.test_clips:  # fewer of a short video
            clips = f"predictions.parquet has {len(scores)} clips of {video}"
            raise _broken(folder, f"{clips}, spec.json says test_clips {spec.test_clips}")
    recomputed = {f"video_top{k}": video_top_k(run.predictions, k) for k in (1, 5)}
    recomputed["clip_top1"] = clip_top1(run.predictions)
    for metric, value in recomputed.items():
        if not abs(value - metrics[metric]) <= TOLERANCE:
            recorded = f"metrics.json has {metric} {metrics[metric]:.3f}"
            raise _broken(folder, f"{recorded}, predictions.parquet gives {value:.3f}")
    return run


def _read_history(folder: Path, spec: RunSpec, metrics: Mapping[str, Any]) -> pd.DataFrame:
    """history.csv: a row an epoch of the spec, finite numbers, in the end the errors of metrics.json."""
    try:
        history = pd.read_csv(folder / "history.csv")
    except (ValueError, OSError) as error:
        raise _broken(folder, f"history.csv cannot be read ({error})") from None
    if missing := [column for column in HISTORY if column not in history and column not in SINCE_THEN]:
        raise _broken(folder, f"history.csv has no column {', '.join(missing)}")
    if list(history["epoch"]) != list(range(1, spec.epochs + 1)):
        raise _broken(folder, f"history.csv is not the {spec.epochs} epochs of spec.json")
    for column in history.columns.intersection(HISTORY):
        finite = np.isfinite(pd.to_numeric(history[column], errors="coerce").to_numpy(float))
        if not finite.all():
            epoch, value = int(finite.argmin()) + 1, history[column].iloc[int(finite.argmin())]
            raise _broken(folder, f"history.csv has {column} {value} in epoch {epoch}, not a finite number")
    for column in ("train_error", "test_error") if spec.epochs else ():
        if abs((last := float(history[column].iloc[-1])) - metrics[column]) > LAST_BITS:
            recorded = f"metrics.json has {column} {metrics[column]}"
            raise _broken(folder, f"{recorded}, history.csv {last} in the last epoch")
    return history


def read_provenance(folder: Path, spec: RunSpec) -> dict[str, Any]:
    """provenance.json, which says on which videos of the spec's dataset it ran; BrokenRun otherwise."""
    provenance = _read_json(folder / "provenance.json")
    if missing := [key for key in PROVENANCE if key not in provenance]:
        raise _broken(folder, f"provenance.json has no {', '.join(missing)}")
    dataset = provenance["dataset"] if isinstance(provenance["dataset"], dict) else {}
    if missing := [key for key in DATASET if not isinstance(dataset.get(key), str)]:
        raise _broken(folder, f"provenance.json has no {', '.join(missing)} in dataset")
    if dataset["name"] != spec.dataset:
        raise _broken(folder, "provenance.json names another dataset than spec.json")
    return provenance


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise _broken(path.parent, f"{path.name} is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise _broken(path.parent, f"{path.name} holds no names and values")
    return content


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
    notebook = _read_notebook(folder)
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
    _require_notebook_of(planned, notebook)
    run = load_run(folder)
    if wrong := _other_videos(run, planned):
        raise BrokenRun(f"{planned.folder}: {wrong}")
    # papermill writes the end time last: without it the notebook is under way, or was killed in its last cells
    return ("complete", run) if notebook.get("end_time") else ("unfinished", None)


def _other_videos(run: Run, planned: PlannedRun) -> str:
    return difference(run.spec.dataset, run.provenance["dataset"].get("manifest_hash"), planned.manifest)


def _read_notebook(folder: Path) -> dict[str, Any] | None:
    """What papermill noted in the executed notebook: parameters, start and end; None where there is no notebook."""
    path = folder / "notebook.ipynb"
    if not path.exists():
        return None
    notebook = _read_json(path)
    try:
        papermill = dict(notebook.get("metadata", {}).get("papermill", {}))
        outputs = [output for cell in notebook.get("cells", []) for output in cell.get("outputs", [])]
        errors = [f"{output['ename']}: {output['evalue']}" for output in outputs if output["output_type"] == "error"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _broken(folder, f"notebook.ipynb is no notebook ({type(error).__name__}: {error})") from None
    if errors or papermill.get("exception"):
        what = errors[-1] if errors else "stopped before its end"
        raise BrokenRun(f"{_name_of(folder)}: its notebook failed ({what}); mend that and run it again")
    return papermill


def _require_notebook_of(planned: PlannedRun, papermill: Mapping[str, Any]) -> None:
    """The notebook was executed with the run's settings into a folder of its name, wherever that lay.

    A field that papermill did not set has its default, or what the notebook's own cell says where it has none.
    """
    given = papermill.get("parameters")
    given = given if isinstance(given, dict) else {}
    wrong = []
    for field in fields(RunSpec):
        value, wanted = given.get(field.name, field.default), getattr(planned.spec, field.name)
        if value is not MISSING and value != wanted:
            wrong.append((field.name, value, wanted))
    if Path(str(given.get("run_folder"))).parts[-3:] != planned.folder.parts[-3:]:
        wrong.append(("run_folder", given.get("run_folder"), planned.folder.as_posix()))
    if wrong:
        name, found, wanted = wrong[0]
        raise BrokenRun(
            f"{planned.folder}: notebook.ipynb was executed with {name} {found!r}, not {wanted!r}: it is that of "
            "another run; restore the file, or remove the folder and run it again"
        )


def load_plan_runs(plan: Plan, repository: Path = REPOSITORY) -> pd.DataFrame:
    """A row for each run of a plan.

    Columns: plan, label (the plan's title), experiment, run (its name), net (the paper's name), state, spec, each field
    of the RunSpec that is not named yet; for a complete run also the metrics, `videos` (tested), `low` and `high`
    (Wilson interval of video_top1), commit, hardware, started, and `result` (the Run itself, None otherwise).

    Raises:
        BrokenRun: see `load_planned_run`.
    """
    rows = []
    for planned in plan.runs:
        state, run = load_planned_run(planned, repository)
        fields = asdict(planned.spec) | {"net": PRINTED_NAMES[planned.spec.net], "net_key": planned.spec.net}
        row = fields | {"plan": plan.name, "label": plan.title, "run": planned.name, "spec": planned.spec}
        row |= {"state": state, "result": run}
        if run is not None:
            low, high = wilson(round(run.metrics["video_top1"] * run.videos / 100), run.videos)
            row |= run.metrics | {"videos": run.videos, "low": low, "high": high, "hardware": hardware(run)}
            row |= {"commit": run.provenance["commit"], "started": run.provenance["started"]}
        rows.append(row)
    return pd.DataFrame(rows)


def table(plan: str | None = None, experiment: str | None = None, repository: Path = REPOSITORY) -> pd.DataFrame:
    """A row for each run of the repository's plans, of one plan and one experiment where they are given.

    Columns: as of `load_plan_runs`. `stats.accuracy` takes the column `result` of the runs of a network.

    Raises:
        BrokenRun: see `load_planned_run`.
        PlanError: a plan is none, or there is no such plan.
    """
    folder = repository / "runs"
    files = plan_files(folder) if plan is None else [folder / f"{plan}.yaml"]
    runs = pd.concat([load_plan_runs(load_plan(file), repository) for file in files], ignore_index=True)
    return runs if experiment is None else runs[runs["experiment"] == experiment]


load_all_runs = table  # as the chapters call it, which show runs of every plan


def title_of(runs: pd.DataFrame, plan: str) -> str:
    """The title of a plan in a table of `load_plan_runs` that has runs of it."""
    return runs.loc[runs["plan"] == plan, "label"].iloc[0]


def complete_runs(runs: pd.DataFrame) -> list[Run]:
    """The complete runs of a table of `load_plan_runs`."""
    return list(runs.loc[runs["state"] == "complete", "result"])


def hardware(run: Run) -> str:
    """ "Xeon ... (x86_64), 1 thread, bf16", or the GPU's name in place of the processor's."""
    p = run.provenance
    if p["device"] != "cpu":
        return f"{p['device']}, {p['precision']}"
    return f"{p['cpu']}, {p['threads']} thread{'s' if p['threads'] != 1 else ''}, {p['precision']}"


if __name__ == "__main__":
    from studylib.runs.importing import main  # which reads runs with this module

    sys.exit(main(sys.argv[1:]))
