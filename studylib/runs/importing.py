"""Results that were computed elsewhere become recorded runs of this repository: checked, then moved into place whole.

`python -m studylib.runs.results import FOLDER`, where FOLDER has run folders as `runs/PLAN/EXPERIMENT/NAME`, or is one.
"""

import argparse
import filecmp
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from studylib import REPOSITORY
from studylib.datasets.index import SHOWN, DatasetError, load_index
from studylib.datasets.pantomime import manifest_of
from studylib.runs.plan import Plan, PlanError, PlannedRun, load_plan, load_plans
from studylib.runs.results import BrokenRun, load_planned_run, read_provenance
from studylib.training.run_files import CONV1
from studylib.training.spec import SpecError
from studylib.video.files import user_path

# What is recorded of a run; not every run has the last two.
FILES = (
    "spec.json", "metrics.json", "history.csv", "predictions.parquet", "provenance.json", "notebook.ipynb", CONV1,
    "faults.csv",
)  # fmt: skip
LEFT = ("train.log",)  # what lies beside it and is left out without a word, as hidden files are


class NotImported(ValueError):
    """Results that are refused; the message says why and what to do."""


class Outcome(NamedTuple):
    """What became of one run folder."""

    name: str  # runs/PLAN/EXPERIMENT/NAME
    state: str  # "imported", "there already" or "refused"
    reason: str = ""


def import_results(folder: Path | str, repository: Path = REPOSITORY) -> Iterator[Outcome]:
    """Import every run folder under `folder`, one after the other; one that is refused does not stop the others.

    Raises:
        NotImported: there is no run folder.
    """
    for run_folder in run_folders(user_path(folder)):
        name = Path("runs", *run_folder.parts[-3:]).as_posix()
        try:
            yield Outcome(name, import_run(run_folder, repository))
        except NotImported as error:
            yield Outcome(name, "refused", str(error))


def run_folders(folder: Path) -> list[Path]:
    """The run folders of a tree `runs/PLAN/EXPERIMENT/NAME`, from above it, from `runs` or from one of them.

    Raises:
        NotImported: there is none.
    """
    folder = folder.resolve()
    if folder.parent.parent.parent.name == "runs" and folder.is_dir():
        return [folder]
    root = folder if folder.name == "runs" else folder / "runs"
    found = sorted(path for path in root.glob("*/*/*") if path.is_dir())
    if not found:
        raise NotImported(f"{folder}: holds no folder runs/PLAN/EXPERIMENT/NAME, and is none")
    return found


def import_run(run_folder: Path, repository: Path = REPOSITORY) -> str:
    """Check one run folder and copy it to its place in one step; "imported", or "there already" where the same run is.

    What is checked is the copy, so that nothing can change between the check and its use.

    Raises:
        NotImported: it is no complete run of a plan of this repository, has other files, its videos are others, or
            another run is recorded in its place. Nothing of it is left then.
    """
    planned = planned_run(run_folder, repository)
    place = repository / planned.folder
    with tempfile.TemporaryDirectory(prefix=".import-", dir=repository / "runs") as above:
        copy = Path(above) / planned.folder
        try:
            names = sorted(path.name for path in run_folder.iterdir() if not path.name.startswith("."))
            if odd := [name for name in names if name not in (*FILES, *LEFT)]:  # which would be committed
                raise NotImported(f"{', '.join(odd)}: no file of a run ({', '.join(FILES)}); take it out")
            shutil.copytree(run_folder, copy, symlinks=True, ignore=lambda _, names: set(names) - {*FILES})
            if odd := [path.name for path in copy.iterdir() if path.is_symlink() or not path.is_file()]:
                raise NotImported(f"{', '.join(odd)}: a run folder has files alone; take it out")
            state, run = load_planned_run(planned, Path(above))
        except OSError as error:
            raise NotImported(f"cannot be copied: {error}") from None
        except BrokenRun as error:
            raise NotImported(str(error).replace(f"{above}/", "")) from None
        if run is None:
            raise NotImported(f"it is {state}; finish it where it runs, and import it then")
        require_same_videos(run.provenance["dataset"], planned, repository)
        if place.exists():
            _require_same_run(copy, place, planned)
            return "there already"
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            copy.rename(place)
        except OSError as error:  # another import was faster
            raise NotImported(f"cannot be moved to {planned.folder}: {error.strerror}") from None
    return "imported"


def planned_run(run_folder: Path, repository: Path) -> PlannedRun:
    """The run of this repository's plans that a run folder is named after.

    Raises:
        NotImported: no such plan, or no such run in it.
    """
    plan, experiment, name = run_folder.parts[-3:]
    try:
        return load_plan(repository / "runs" / f"{plan}.yaml").run(experiment, name)
    except (PlanError, SpecError) as error:
        raise NotImported(str(error)) from None
    except StopIteration:
        raise NotImported(f"runs/{plan}.yaml has no run {name} of {experiment}; add it to the plan") from None


def require_same_videos(dataset: dict, planned: PlannedRun, repository: Path) -> None:
    """The manifest hash must be that of the dataset here and of every recorded run on it; or, of a generated dataset,
    the one that the plans' settings give today: what a hash covers may have changed since those were recorded.

    Raises:
        NotImported: names the first that differs, or what cannot be compared.
    """
    name, found = dataset["name"], dataset["manifest_hash"]
    try:
        plans = load_plans(repository)
        today = {plan.name: manifest_of(name, plan.datasets[name]) for plan in plans if name in plan.datasets}
        if set(today.values()) == {found}:
            return
        here = _manifests_here(name, planned, plans, repository)
    except ValueError as error:  # PlanError, BrokenRun, or settings that make no dataset
        told = str(error).replace(f"{repository}/", "")
        raise NotImported(f"whether its videos are those of the {name} here cannot be seen: {told}") from None
    for where, expected in here.items():
        if expected != found:
            settings = f", and the plan's settings give {today[planned.plan][:SHOWN]}" if planned.plan in today else ""
            raise NotImported(
                f"provenance.json: its dataset {name} has the manifest {found[:SHOWN]}, {where} has "
                f"{expected[:SHOWN]}{settings}: other videos; give one of the datasets another name"
            )


def _manifests_here(name: str, planned: PlannedRun, plans: Iterable[Plan], repository: Path) -> dict[str, str]:
    """What has the dataset here -> its manifest: its index, and every recorded run on it but the planned one."""
    try:
        here = {f"the dataset {name} here": load_index(name).manifest_hash}
    except DatasetError:  # it is not here, or broken, which a run on it will say
        here = {}
    for other in (run for plan in plans for run in plan.runs):
        folder = repository / other.folder
        there = (folder / "metrics.json").exists() and (folder / "provenance.json").exists()
        if there and other.spec.dataset == name and other.folder != planned.folder:
            here[str(other.folder)] = read_provenance(folder, other.spec)["dataset"]["manifest_hash"]
    return here


def _require_same_run(copy: Path, place: Path, planned: PlannedRun) -> None:
    """The run that is in the place already is this one."""
    if not (place / "metrics.json").exists():
        raise NotImported(f"{planned.folder} holds an unfinished run; remove the folder, then import again")
    names = {path.name for folder in (place, copy) for path in folder.iterdir()} & {*FILES}
    _, differ, unread = filecmp.cmpfiles(place, copy, names, shallow=False)  # unread where one of them has no such file
    if other := ", ".join(sorted(differ + unread)):
        raise NotImported(f"another run is recorded there, {other} differ; remove its folder to replace it")


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
    except NotImported as error:
        print(error, file=sys.stderr)
        return 1
    return int(refused > 0)
