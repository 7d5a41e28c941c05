"""Run folders become tidy tables; what is broken is refused with its name, so that it stops the book's build.

    runs = table("mini", "conv_types")  # a row a run

A run of a plan is "not run" (no folder), "unfinished" (no `metrics.json`, or a notebook that has not come to its end;
its numbers are not shown) or "complete". Everything else raises `BrokenRun`. Results that were computed elsewhere
become recorded runs, checked and moved into place whole, by `python -m studylib.runs.results import FOLDER`.

A build of the book reads and checks its runs once and keeps them for its chapters (`keep_checked`): a run is taken from
there as long as no file of its folder has changed since before it was read.
"""

import argparse
import filecmp
import json
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from studylib import REPOSITORY
from studylib.datasets.index import SHOWN, DatasetError, difference, load_index
from studylib.datasets.pantomime import manifest_of
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.benchmarks import device_name
from studylib.runs.plan import Plan, PlanError, PlannedRun, load_plan, load_plans, plan_files
from studylib.training import run_files
from studylib.training.evaluation import Predictions, clip_top1, read_predictions, video_top_k, wilson
from studylib.training.run_files import CONV1, DATASET, HISTORY, PROVENANCE, SINCE_THEN, RunFolderError
from studylib.training.spec import RunSpec, SpecError, load_spec, require_same_spec
from studylib.video.files import user_path, write_bytes

# Accuracies are recomputed from the same float16 scores by the same code: only the last bits may differ.
TOLERANCE = 1e-6  # percent
LAST_BITS = 1e-9  # percent: the same number is written in two files, and a table's reader may miss its last bits

# What is recorded of a run; not every run has the last two.
FILES = (
    "spec.json", "metrics.json", "history.csv", "predictions.parquet", "provenance.json", "notebook.ipynb", CONV1,
    "faults.csv",
)  # fmt: skip
LEFT = ("train.log",)  # what lies beside it and is left out without a word, as hidden files are


class BrokenRun(ValueError):
    """A recorded run, or one to be imported, that is not what it should be; the message says why and what to do."""


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
        """Scores of every clip of every test video; BrokenRun where the file is missing or no table of them."""
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
    """Read a finished run's folder and check that its files fit together; BrokenRun names what is wrong. The notebook
    is not looked at, since it may be the one that calls this."""
    folder = user_path(folder)
    try:
        spec = load_spec(folder)
        metrics = run_files.read_metrics(folder)
        run_files.read_conv1(folder)  # not shown here; a broken one is refused with the rest
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
    run = Run(folder, spec, metrics, _read_history(folder, spec, metrics), _read_provenance(folder, spec))
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
    columns = history.columns.intersection(HISTORY)
    values = history[columns].to_numpy()
    if values.dtype == object:  # a text among them
        values = history[columns].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    finite = np.isfinite(values)
    if not finite.all():
        column, row = np.argwhere(~finite.T)[0]
        wrong = f"{columns[column]} {history.loc[row, columns[column]]} in epoch {row + 1}"
        raise _broken(folder, f"history.csv has {wrong}, not a finite number")
    for column in ("train_error", "test_error") if spec.epochs else ():
        if abs((last := float(history[column].iloc[-1])) - metrics[column]) > LAST_BITS:
            recorded = f"metrics.json has {column} {metrics[column]}"
            raise _broken(folder, f"{recorded}, history.csv {last} in the last epoch")
    return history


def _read_provenance(folder: Path, spec: RunSpec) -> dict[str, Any]:
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


KEPT = "STUDYLIB_CHECKED_RUNS"  # tells a build's processes the file of the runs that it has checked

Files = tuple[tuple[str, int, int, int], ...]  # of a folder: name, bytes, when its content and when anything changed


def files_of(folder: Path) -> Files:
    """What tells whether a file of a folder has come, gone or changed; empty where there is no folder."""
    found = [(path.name, path.stat()) for path in folder.iterdir()] if folder.is_dir() else []
    return tuple(sorted((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found))


def keep_checked(path: Path, runs: Mapping[Run, Files]) -> None:
    """Write runs, with the files of their folders from before they were read, and name `path` to other processes."""
    write_bytes(path, pickle.dumps({run.folder.resolve(): (files, run) for run, files in runs.items()}))
    _kept.cache_clear()
    os.environ[KEPT] = str(path)


@cache
def _kept(path: str) -> dict[Path, tuple[Files, Run]]:
    return pickle.loads(Path(path).read_bytes())


def find_checked(folder: Path) -> Run | None:
    """The run of a folder as a build has kept it; None where there is none, or a file has changed since."""
    path = os.environ.get(KEPT)
    files, run = _kept(path).get(folder.resolve(), ((), None)) if path else ((), None)
    # a copy has no scores yet, so that what one chapter has read of them does not stay in memory for the next
    return copy(run) if files and files == files_of(folder) else None


def load_planned_run(planned: PlannedRun, repository: Path = REPOSITORY) -> tuple[str, Run | None]:
    """The state of a planned run ("complete", "unfinished", "not run"), and the run where it is complete. Errors:
    BrokenRun: the notebook failed or is that of another run, the folder holds another run than the plan says, or one on
    other videos than it fixes, or `load_run` refuses it."""
    folder = repository / planned.folder
    if not folder.exists():
        return "not run", None
    if (run := find_checked(folder)) and run.spec == planned.spec and not _other_videos(run, planned):
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
    """The notebook was executed with the run's settings, or their defaults, into a folder of its name."""
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
    """
    rows = []
    for planned in plan.runs:
        state, run = load_planned_run(planned, repository)
        fields = asdict(planned.spec) | {"net": PRINTED_NAMES[planned.spec.net], "net_key": planned.spec.net}
        row = fields | {"plan": plan.name, "label": plan.title, "run": planned.name, "spec": planned.spec}
        row |= {"state": state, "result": run}
        if run is not None:
            low, high = wilson(round(run.metrics["video_top1"] * run.videos / 100), run.videos)
            p = run.provenance
            hardware = f"{device_name(p['device'], p['cpu'], p['threads'])}, {p['precision']}"
            row |= run.metrics | {"videos": run.videos, "low": low, "high": high, "hardware": hardware}
            row |= {"commit": p["commit"], "started": p["started"]}
        rows.append(row)
    return pd.DataFrame(rows)


def table(plan: str | None = None, experiment: str | None = None, repository: Path = REPOSITORY) -> pd.DataFrame:
    """A row for each run of the repository's plans, of one plan and one experiment where they are given.

    Columns: as of `load_plan_runs`. `stats.accuracy` takes the column `result` of the runs of a network. BrokenRun and
    PlanError name what cannot be read.
    """
    folder = repository / "runs"
    files = plan_files(folder) if plan is None else [folder / f"{plan}.yaml"]
    runs = pd.concat([load_plan_runs(load_plan(file), repository) for file in files], ignore_index=True)
    if experiment is not None and experiment not in set(runs["experiment"]):
        raise ValueError(f"experiment {experiment!r} is in no plan; there are {', '.join(runs['experiment'].unique())}")
    return runs if experiment is None else runs[runs["experiment"] == experiment]


def complete_runs(runs: pd.DataFrame) -> list[Run]:
    """The complete runs of a table of `load_plan_runs`."""
    return list(runs.loc[runs["state"] == "complete", "result"])


class Outcome(NamedTuple):
    """What became of one run folder."""

    name: str  # runs/PLAN/EXPERIMENT/NAME
    state: str  # "imported", "there already" or "refused"
    reason: str = ""


def import_results(folder: Path | str, repository: Path = REPOSITORY) -> Iterator[Outcome]:
    """Import each run folder of a tree `runs/PLAN/EXPERIMENT/NAME`, given from above it, from `runs` or as one of them;
    one that is refused does not stop the others. Errors: BrokenRun: there is none."""
    folder = user_path(folder).resolve()
    run_folders = [folder]
    if folder.parent.parent.parent.name != "runs" or not folder.is_dir():
        root = folder if folder.name == "runs" else folder / "runs"
        run_folders = sorted(path for path in root.glob("*/*/*") if path.is_dir())
    if not run_folders:
        raise BrokenRun(f"{folder}: holds no folder runs/PLAN/EXPERIMENT/NAME, and is none")
    for run_folder in run_folders:
        name = Path("runs", *run_folder.parts[-3:]).as_posix()
        try:
            yield Outcome(name, import_run(run_folder, repository))
        except BrokenRun as error:
            yield Outcome(name, "refused", str(error))


def import_run(run_folder: Path, repository: Path = REPOSITORY) -> str:
    """Check one run folder and copy it to its place in one step; "imported", or "there already" where the same run is.
    Errors: BrokenRun: it is no complete run of a plan of this repository, has other files, its videos are others, or
    another run is recorded in its place. Nothing of it is left then."""
    plan, experiment, name = run_folder.parts[-3:]
    try:
        planned = load_plan(repository / "runs" / f"{plan}.yaml").run(experiment, name)
    except (PlanError, SpecError) as error:
        raise BrokenRun(str(error)) from None
    except StopIteration:
        raise BrokenRun(f"runs/{plan}.yaml has no run {name} of {experiment}; add it to the plan") from None
    place = repository / planned.folder
    # what is checked is the copy, so that nothing can change between the check and its use
    with tempfile.TemporaryDirectory(prefix=".import-", dir=repository / "runs") as above:
        copy = Path(above) / planned.folder
        try:
            names = sorted(path.name for path in run_folder.iterdir() if not path.name.startswith("."))
            if odd := [name for name in names if name not in (*FILES, *LEFT)]:  # which would be committed
                raise BrokenRun(f"{', '.join(odd)}: no file of a run ({', '.join(FILES)}); take it out")
            shutil.copytree(run_folder, copy, symlinks=True, ignore=lambda _, names: set(names) - {*FILES})
            if odd := [path.name for path in copy.iterdir() if path.is_symlink() or not path.is_file()]:
                raise BrokenRun(f"{', '.join(odd)}: a run folder has files alone; take it out")
            state, run = load_planned_run(planned, Path(above))
        except OSError as error:
            raise BrokenRun(f"cannot be copied: {error}") from None
        except BrokenRun as error:
            raise BrokenRun(str(error).replace(f"{above}/", "").replace(f"runs/{Path(above).name}/", "")) from None
        if run is None:
            raise BrokenRun(f"it is {state}; finish it where it runs, and import it then")
        _require_same_videos(run.provenance["dataset"], planned, repository)
        if place.exists():
            if not (place / "metrics.json").exists():
                raise BrokenRun(f"{planned.folder} holds an unfinished run; remove the folder, then import again")
            names = {path.name for folder in (place, copy) for path in folder.iterdir()} & {*FILES}
            # unread: one of them has no such file
            _, differ, unread = filecmp.cmpfiles(place, copy, names, shallow=False)
            if other := ", ".join(sorted(differ + unread)):
                raise BrokenRun(f"another run is recorded there, {other} differ; remove its folder to replace it")
            return "there already"
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            copy.rename(place)
        except OSError as error:  # another import was faster
            raise BrokenRun(f"cannot be moved to {planned.folder}: {error.strerror}") from None
    return "imported"


def _require_same_videos(dataset: dict, planned: PlannedRun, repository: Path) -> None:
    """The manifest hash must be that of the dataset here and of every recorded run on it; or what the plans' settings
    give today, since what a hash covers may have changed."""
    name, found = dataset["name"], dataset["manifest_hash"]
    try:
        plans = load_plans(repository)
        today = {plan.name: manifest_of(name, plan.datasets[name]) for plan in plans if name in plan.datasets}
        if set(today.values()) == {found}:
            return
        try:
            here = {f"the dataset {name} here": load_index(name).manifest_hash}
        except DatasetError:  # it is not here, or broken, which a run on it will say
            here = {}
        for other in (run for plan in plans for run in plan.runs):
            folder = repository / other.folder
            there = (folder / "metrics.json").exists() and (folder / "provenance.json").exists()
            if there and other.spec.dataset == name and other.folder != planned.folder:
                here[str(other.folder)] = _read_provenance(folder, other.spec)["dataset"]["manifest_hash"]
    except ValueError as error:  # PlanError, BrokenRun, or settings that make no dataset
        told = str(error).replace(f"{repository}/", "")
        raise BrokenRun(f"whether its videos are those of the {name} here cannot be seen: {told}") from None
    for where, expected in here.items():
        if expected != found:
            settings = f", and the plan's settings give {today[planned.plan][:SHOWN]}" if planned.plan in today else ""
            raise BrokenRun(
                f"provenance.json: its dataset {name} has the manifest {found[:SHOWN]}, {where} has "
                f"{expected[:SHOWN]}{settings}: other videos; give one of the datasets another name"
            )


def main(arguments: list[str]) -> int:
    """Import run folders that were computed elsewhere, saying of each what became of it; 1 if one was refused."""
    parser = argparse.ArgumentParser(prog="python -m studylib.runs.results", description=main.__doc__)
    parser.add_argument("command", choices=["import"])
    parser.add_argument("folder", metavar="FOLDER", help="with runs/PLAN/EXPERIMENT/NAME in it, or one of those")
    given = parser.parse_args(arguments)
    refused = 0
    try:
        for outcome in import_results(given.folder):
            refused += outcome.state == "refused"
            print(f"{outcome.state}: {outcome.name}" + (f": {outcome.reason}" if outcome.reason else ""), flush=True)
    except (BrokenRun, OSError) as error:  # such as runs/ that may not be written
        print(error, file=sys.stderr)
        return 1
    return int(refused > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
