"""A plan file (`runs/*.yaml`) becomes the list of its runs.

A plan has `title`, `datasets` (the generated ones and how; of any, where it fixes the videos, their manifest's hash),
`resources` (what its runs ask of a cluster), `defaults` (fields of a RunSpec) and `runs`: entries of RunSpec fields,
and of `resources` where they differ. A list stands for one run of each value, and `init_from` may name other fields of
the run in braces: `run:mini/conv_types/{net}-{depth}_{clip_length}f_seed{seed}`. `python -m studylib.runs.plan
runs/quick.yaml` prints it with what it takes.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from itertools import product
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from studylib import REPOSITORY
from studylib.datasets.index import DatasetError, difference, load_index
from studylib.datasets.pantomime import list_videos, manifest_of
from studylib.datasets.pantomime.actions import training_videos
from studylib.training.spec import (
    STRICT,
    Count,
    FromZero,
    Positive,
    RunSpec,
    SpecError,
    did_you_mean,
    explained,
    load_spec,
    parse_init_from,
    require_same_spec,
)
from studylib.video.files import user_path

GENERATED = "pantomime"  # the family of datasets that a plan makes; others are found, as their owner indexed them
PLAN_NAME = r"[\w-][\w.-]*"
DATASET_KEYS = ("train_videos", "test_videos", "seed", "vocabulary", "difficulty", "manifest")
MOST_HOURS = 720  # a longer run goes on in the next job


class PlanError(ValueError):
    """A plan file that says something else than runs; the message names the file and the entry."""


def _hours(value: Any) -> Any:
    if isinstance(value, int | float) and value >= MOST_HOURS:
        raise ValueError(f"hours: {value} is not less than {MOST_HOURS}; YAML reads 24:00:00 as 86400, write 24")
    return value


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class Resources:
    """What one run asks of a cluster; a number of `None` is left to it, or to the estimate. No part of a run's hash."""

    nodes: Count = 1
    gpus: FromZero | None = None  # of each node; a process for each; None: 1 where this machine has GPUs, else 0
    cores: Count = 1  # of each node
    memory_gb: Positive | None = None  # of each node
    hours: Annotated[Positive | None, BeforeValidator(_hours)] = None  # None: the estimate where there is one
    device: str = ""  # whose speed the estimate is of, such as A100; "": this machine's
    requeue: bool = True  # back into the queue when it is preempted or its time is over; it goes on where it stopped

    def with_changes(self, given: Any) -> "Resources":
        """These resources with those that `given`, a mapping from YAML, names; PlanError where it is none."""
        if given is None:
            return self
        if not isinstance(given, Mapping):
            raise PlanError(f"resources: {given!r} is not a mapping of names to values, such as gpus: 1")
        try:
            return replace(self, **{str(name): value for name, value in given.items()})
        except ValidationError as error:
            raise PlanError(f"resources: {explained(error, Resources, 'resource')}") from None

    def of_slurm(self) -> dict[str, int | str]:
        """As the resources of a Snakemake rule that its Slurm executor reads, all but the time."""
        return {
            "nodes": self.nodes,
            # 300 seconds ahead of its time limit a run is told to save; see `jobs.requeue`
            "slurm_extra": f"--signal=USR1@300 --{'' if self.requeue else 'no-'}requeue",
            "mem_mb": round(1000 * (self.memory_gb or 0)),  # 0: the cluster's own default, not Snakemake's
            # a task is a node: torchrun starts the processes of its GPUs; Slurm counts GPUs by node, too
            **({"gres": f"gpu:{self.gpus}"} if self.gpus else {"tasks": self.nodes}),
        }

    def minutes(self, seconds: float, processes: int) -> int:
        """The time to ask for: `hours`, else the estimate with a margin, else 0, the cluster's own. `seconds` is the
        longest estimate for one of the `processes` that share the work, nan where there is none."""
        if self.hours is not None:
            return max(1, round(60 * self.hours))
        return 0 if isnan(seconds) else max(15, round(1.5 * seconds / 60 / processes))


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan: its spec, where its results go and what it asks of a cluster."""

    plan: str
    name: str
    spec: RunSpec
    resources: Resources = field(default_factory=Resources)
    manifest: str = ""  # the hash of its dataset where the plan fixes it

    @property
    def folder(self) -> Path:
        """`runs/<plan>/<experiment>/<name>`, relative to the repository."""
        return Path("runs") / self.plan / self.spec.experiment / self.name


@dataclass(frozen=True)
class Plan:
    """A plan file, read and checked."""

    name: str  # the file's stem
    title: str  # how its results are labelled
    datasets: Mapping[str, Mapping[str, Any]]  # generated datasets by name -> arguments of pantomime.make
    runs: tuple[PlannedRun, ...]
    manifests: Mapping[str, str] = field(default_factory=dict)  # dataset -> the hash that its manifest must have

    def start_of(self, run: PlannedRun) -> PlannedRun | None:
        """The run of this plan that `run` takes its first weights from; None for other weights, or none."""
        source = parse_init_from(run.spec.init_from)
        if source is None or source.kind != "run" or source.name.split("/")[0] != self.name:
            return None
        return next((r for r in self.runs if f"{r.plan}/{r.spec.experiment}/{r.name}" == source.name), None)

    def run(self, experiment: str, name: str) -> PlannedRun:
        """The run of that name."""
        return next(r for r in self.runs if (r.spec.experiment, r.name) == (experiment, name))


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a later key replace an earlier one without a word; here that is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def plan_files(folder: Path) -> list[Path]:
    """The plans in a folder, by name. What copying and editing leave beside them (`mini copy.yaml`) is no plan."""
    return sorted(path for path in folder.glob("*.yaml") if re.fullmatch(PLAN_NAME, path.stem))


def load_plans(repository: Path = REPOSITORY) -> list[Plan]:
    """Every plan of `runs/`, by name; errors as of `load_plan`."""
    return [load_plan(path) for path in plan_files(repository / "runs")]


def load_plan(path: Path | str) -> Plan:
    """Read and check a plan file; PlanError names the file, the entry and the field, and says what it takes."""
    path = user_path(path)
    if not re.fullmatch(PLAN_NAME, path.stem):
        raise PlanError(f"{path}: not the name of a plan; rename the file: letters, digits, '_', '-' and '.'")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except FileNotFoundError:
        plans = ", ".join(p.name for p in plan_files(path.parent)) or "none"
        raise PlanError(f"{path}: no such plan; in {path.parent} there are {plans}") from None
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not YAML in UTF-8: {' '.join(str(error).split())}") from None
    _require_keys(path, "the plan", content, ("title", "datasets", "resources", "defaults", "runs"), ("title", "runs"))
    if not isinstance(content["title"], str):
        raise PlanError(f"{path}: title: {content['title']!r} is no text")
    for key in ("datasets", "defaults"):
        if not isinstance(content.get(key) or {}, dict):
            raise PlanError(f"{path}: {key}: {content[key]!r} is not a mapping of names to values")
    datasets = {name: _dataset(path, name, given) for name, given in (content.get("datasets") or {}).items()}
    manifests = {name: given.pop("manifest") for name, given in datasets.items() if "manifest" in given}
    datasets = {name: given for name, given in datasets.items() if given}
    try:
        usual = Resources().with_changes(content.get("resources"))
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None
    runs: list[PlannedRun] = []
    if not isinstance(content["runs"], list) or not content["runs"]:
        raise PlanError(f"{path}: runs: {content['runs']!r} is no list of runs; a plan has one at least")
    for number, entry in enumerate(content["runs"], 1):
        where = f"run {number}"
        _require_keys(path, where, entry, ("name", "resources", *(f.name for f in fields(RunSpec))))
        try:
            resources = usual.with_changes(entry.pop("resources", None))
            runs += _expand(path.stem, {**(content.get("defaults") or {}), **entry}, resources, manifests)
        except (SpecError, PlanError) as error:
            raise PlanError(f"{path}: {where}: {error}") from None
    for folder, times in Counter(run.folder for run in runs).items():
        if times > 1:
            raise PlanError(
                f"{path}: two runs would write to {folder}; give one of them a name of its own (`name: ...`)"
            )
    plan = Plan(path.stem, content["title"], datasets, tuple(runs), manifests)
    for run in plan.runs:  # each that starts from a run of the plan finds it, and the chain has a beginning
        seen = [run]
        while (start := plan.start_of(seen[-1])) is not None:
            if start in seen:
                raise PlanError(f"{path}: {run.name}: init_from: {run.spec.init_from} leads back to the run itself")
            seen.append(start)
        if seen[-1].spec.init_from.startswith(f"run:{plan.name}/"):
            raise PlanError(f"{path}: {seen[-1].name}: init_from: {seen[-1].spec.init_from} is no run of this plan")
    return plan


def check_here(plan: Plan, repository: Path = REPOSITORY) -> None:
    """Refuse to go on where a run folder holds another run than the plan says, or a dataset that it makes or fixes has
    other videos here; nothing is touched. Errors: SpecError: names the folder, the fields that differ and what to do.
    PlanError: names the plan, the dataset, both manifests and what to do."""
    for run in plan.runs:
        if (repository / run.folder / "spec.json").exists():
            require_same_spec(run.spec, load_spec(repository / run.folder), run.folder)
    for name in {**plan.datasets, **plan.manifests}:
        try:
            found = load_index(name).manifest_hash
        except DatasetError:  # it is not here yet, or broken, which a run on it will say
            continue
        fixed = plan.manifests.get(name) or manifest_of(name, plan.datasets[name])
        if wrong := difference(name, found, fixed):
            raise PlanError(f"runs/{plan.name}.yaml: {wrong}")


def _dataset(path: Path, name: str, given: Any) -> dict[str, Any]:
    """A dataset as the plan gives it: of a generated one what it is made from, of real videos the manifest alone."""
    usual = {}
    if str(name).partition("-")[0] == GENERATED:
        _require_keys(path, f"dataset {name}", given, DATASET_KEYS, required=("test_videos",))
        try:
            usual = {"train_videos": training_videos(given.get("vocabulary", "source"), given.get("difficulty", 0))}
            list_videos((usual | given)["train_videos"], given["test_videos"], given.get("vocabulary", "source"))
        except (ValueError, TypeError) as error:
            raise PlanError(f"{path}: dataset {name}: {error}") from None
    else:
        _require_keys(path, f"dataset {name}", given, ("manifest",), required=("manifest",))
    if "manifest" in given and not re.fullmatch("[0-9a-f]{64}", str(given["manifest"])):
        raise PlanError(f"{path}: dataset {name}: manifest: {given['manifest']!r} is not a hash of 64 digits 0-9a-f")
    return {**usual, **given}


def _expand(plan: str, entry: dict[str, Any], resources: Resources, manifests: Mapping[str, str]) -> list[PlannedRun]:
    """One run for each combination of an entry's lists."""
    name = entry.pop("name", None)
    lists = {key: value for key, value in entry.items() if isinstance(value, list)}
    if empty := [key for key, value in lists.items() if not value]:
        raise PlanError(f"{empty[0]}: [] is an empty list: it makes no run")
    runs = []
    for values in product(*lists.values()):
        spec = RunSpec.from_parameters(_filled_in({**entry, **dict(zip(lists, values, strict=True))}))
        runs.append(PlannedRun(plan, _run_name(spec, name, lists), spec, resources, manifests.get(spec.dataset, "")))
    return runs


def _filled_in(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a run with the fields that `init_from` names in braces put in, defaults included."""
    start = parameters.get("init_from")
    if not isinstance(start, str) or "{" not in start:
        return parameters
    usual = {f.name: f.default for f in fields(RunSpec) if f.default is not MISSING}
    try:
        return parameters | {"init_from": start.format_map({**usual, **parameters})}
    except KeyError as error:
        raise SpecError(f"init_from: {start}: {error.args[0]}: no such parameter of the run") from None
    except (ValueError, IndexError, AttributeError) as error:
        raise SpecError(f"init_from: {start}: {error}; write {{seed}} for the run's seed") from None


def _run_name(spec: RunSpec, name: str | None, varied: Mapping[str, list]) -> str:
    """`r2plus1d-18_8f_seed0`, or the given name; other fields that the entry varies are added."""
    told = {"seed"} if name else {"seed", "net", "depth", "clip_length"}
    added = [key for key, values in varied.items() if key not in told and (not name or len(values) > 1)]
    first = f"{spec.net}-{spec.depth}_{spec.clip_length}f" if name is None else str(name)
    whole = "_".join([first, *(f"{key}{getattr(spec, key)}" for key in added), f"seed{spec.seed}"])
    if not re.fullmatch(PLAN_NAME, whole, re.ASCII):
        raise PlanError(f"name: {whole!r} cannot name a folder; give a name of letters, digits, '_', '-' and '.'")
    return whole


def _require_keys(path: Path, where: str, value: Any, known: tuple[str, ...], required: tuple[str, ...] = ()) -> None:
    if not isinstance(value, dict):
        raise PlanError(f"{path}: {where} is not a mapping of names to values but {value!r}")
    for key in value:
        if key not in known:
            raise PlanError(f"{path}: {where}: {key}: no such entry{did_you_mean(str(key), list(known))}")
    for key in required:
        if key not in value:
            raise PlanError(f"{path}: {where}: {key} is missing")


def main(arguments: list[str]) -> int:
    """Print the runs of the plans whose files are given, and what they take."""
    parser = argparse.ArgumentParser(prog="python -m studylib.runs.plan", description=main.__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a plan, such as runs/quick.yaml")
    parser.add_argument("--device", help="whose hours to count instead of this machine's, such as A100")
    given = parser.parse_args(arguments)
    from studylib.runs.cost import report  # counting needs torch, reading a plan does not

    for file in given.files:
        try:
            print(report(load_plan(file), given.device))
        except ValueError as error:  # PlanError, or a number in the environment
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
