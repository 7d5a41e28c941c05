"""The recorded runs of one plan, as the rules ask for them: networks by their settings, never by a run's name.

A network is all its planned runs, a run a seed (and an official split, where there are several). A rule has a verdict
only when every one of them is complete: a verdict from the seeds that happen to be there would depend on when one
looks. Two networks are compared only where they differ in nothing else than what the claim is about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import pandas as pd

from studylib.datasets.index import SHOWN
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.results import Run
from studylib.training.spec import RunSpec, parse_init_from

USUAL = {"depth": 18, "modality": "rgb", "frame_order": "normal"}  # of a network, unless a rule says another
ANY = None  # of a field: whichever value the plan's one such network has
# What a run that trains nothing sets itself; everything else of it is what its weights were trained with.
OF_THE_TEST = (
    "experiment", "dataset", "split", "seed", "clip_length", "frame_step", "resolution", "test_clips", "test_sampling",
    "frame_order", "standardise", "amp",
)  # fmt: skip
DRAWN = ("seed", "split", "init_from")  # in which the runs of one network differ
# What may always differ between two networks: who they are, and what changes no result.
NEVER_MATTERS = ("experiment", "net", *DRAWN, "new_head", "recompute")
OF_TRAINING = (
    "epochs", "clips_per_epoch", "batch_size", "lr", "lr_schedule", "lr_step", "warmup_epochs", "weight_decay",
)  # fmt: skip
FIELDS = tuple(field.name for field in fields(RunSpec))
NO_SUCH_RUN = " (no such run in the plan)"


class NotRunYet(Exception):
    """A rule lacks recorded runs; `missing` says which."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__("; ".join(missing))
        self.missing = tuple(dict.fromkeys(missing))


class Undecidable(Exception):
    """No run of this plan can decide the claim; the message says why."""


@dataclass(frozen=True, eq=False)
class Planned:
    """One run of the plan; `run` is there where it is complete."""

    folder: str  # from the repository on
    spec: RunSpec
    state: str
    run: Run | None


@dataclass(frozen=True, eq=False)
class Net:
    """A trained network as it was tested: all its runs, complete."""

    name: str
    spec: RunSpec  # of one of its runs; training as of the run that trained it
    runs: dict[int, dict[int, Run]]  # seed -> split -> run
    weights: dict[tuple[int, int], str]  # (seed, split) -> folder of the run that trained it


class Evidence:
    """The runs of a plan, what was looked at and what is missing."""

    def __init__(self, runs: pd.DataFrame, plan: str) -> None:
        """`runs`: a table of `results.load_plan_runs` or `load_all_runs`; ValueError if it has none of the plan."""
        rows = runs[runs["plan"] == plan].to_dict("records")
        if not rows:
            raise ValueError(f"the table of runs has none of the plan {plan!r}; it has {', '.join(set(runs['plan']))}")
        self.planned = [planned_of(row) for row in rows]
        self.used: list[str] = []
        self.missing: list[str] = []
        self._by_folder = {planned.folder: planned for planned in self.planned}

    def net(
        self,
        what: str,
        experiments: Sequence[str],
        accept: Callable[[Planned], bool] = lambda planned: True,
        splits: Sequence[int] = (),
        fewest_seeds: int = 1,
        **wanted: object,
    ) -> Net | None:
        """The network whose runs have the `wanted` fields and are accepted, of the first experiment that plans one.

        None where a run is missing (which is noted, see `require`): none is planned, one is not complete, or there is
        none of one of the `splits` or of as many seeds.

        Raises:
            Undecidable: the plan has several such networks, or its runs were not recorded alike.
        """
        chosen = self.choose(what, experiments, accept, **wanted)
        if not chosen:
            self.lacks(what + NO_SUCH_RUN)
            return None
        self.used += [p.folder for p in chosen]
        missing = [f"{p.folder} ({p.state})" for p in chosen if p.run is None]
        missing += [f"{what}, split {split}" for split in splits if split not in {p.spec.split for p in chosen}]
        seeds = sorted({p.spec.seed for p in chosen})
        if len(seeds) < fewest_seeds:
            missing.append(f"{fewest_seeds} seeds of {what} (the plan has {len(seeds)})")
        if missing:
            self.missing += missing
            return None
        by_seed = {s: {p.spec.split: p.run for p in chosen if p.spec.seed == s} for s in seeds}
        if len({frozenset(own) for own in by_seed.values()}) > 1:
            raise Undecidable(f"{what}: its seeds were tested on different official splits")
        weights = {(p.spec.seed, p.spec.split): self.trainer(p).folder for p in chosen}
        net = Net(what, self.trained_as(chosen[0]), by_seed, weights)
        require_recorded_alike([net])
        return net

    def choose(
        self,
        what: str,
        experiments: Sequence[str],
        accept: Callable[[Planned], bool] = lambda planned: True,
        **wanted: object,
    ) -> list[Planned]:
        """The runs of the network that `net` would give, complete or not, a run a seed and split; [] where none is
        planned. A field that is `ANY` may have any value, the same in all runs. Errors: as of `net`."""
        wanted = {field: value for field, value in (USUAL | wanted).items() if value is not ANY}
        chosen: list[Planned] = []
        for experiment in experiments:
            own = [p for p in self.planned if p.spec.experiment == experiment and accept(p)]
            chosen = [p for p in own if all(getattr(p.spec, field) == value for field, value in wanted.items())]
            if chosen:
                break
        _require_one(what, [(p.spec.seed, p.spec.split) for p in chosen], [self.trained_as(p) for p in chosen])
        return chosen

    def lacks(self, what: str) -> None:
        """Note that something is missing."""
        self.missing.append(what)

    def require(self) -> None:
        """Raises NotRunYet where anything that was asked for is missing."""
        if self.missing:
            raise NotRunYet(self.missing)

    def require_data(self, families: Sequence[str], why: str) -> None:
        """Raises Undecidable where the plan has none of these datasets (first words of their names)."""
        if not any(planned.spec.dataset_family in families for planned in self.planned):
            raise Undecidable(why)

    def start(self, planned: Planned) -> Planned | None:
        """The run of this plan that gave the first weights."""
        source = parse_init_from(planned.spec.init_from)
        return None if source is None or source.kind != "run" else self._by_folder.get(f"runs/{source.name}")

    def trainer(self, planned: Planned) -> Planned:
        """The run that trained the weights that this one tested: itself, or where it trained nothing its start."""
        start = self.start(planned)
        return planned if planned.spec.epochs > 0 or start is None else self.trainer(start)

    def trained_as(self, planned: Planned) -> RunSpec:
        """The settings of training and test: a run without training has the training of its weights."""
        own = {name: getattr(planned.spec, name) for name in OF_THE_TEST}
        return replace(self.trainer(planned).spec, **own)


def require_comparable(nets: Sequence[Net], *but: str) -> None:
    """The networks differ in nothing that matters but the fields `but`, and were recorded alike.

    Raises:
        Undecidable: names two of them and the fields in which they differ.
    """
    for net in nets[1:]:
        if other := [f for f in _differences(nets[0].spec, net.spec) if f not in (*NEVER_MATTERS, *but)]:
            raise Undecidable(f"{nets[0].name} and {net.name} were run with other settings ({', '.join(other)})")
    require_recorded_alike(nets)


def require_recorded_alike(nets: Sequence[Net]) -> None:
    """What the settings leave open was the same in all runs: the videos of a dataset by its manifest, and the
    precision, since bf16 falls back to fp32 where a device computes it wrongly.

    Raises:
        Undecidable: names two networks, or the same one twice for two of its runs, and what differs.
    """
    known: dict[str, tuple[str, object]] = {}
    for net in nets:
        for run in (run for own in net.runs.values() for run in own.values()):
            manifest = run.provenance["dataset"].get("manifest_hash")
            recorded = {f"manifest of {run.spec.dataset}": manifest, "precision": run.provenance.get("precision")}
            for field, value in recorded.items():
                name, other = known.setdefault(field, (net.name, value))
                if other != value:
                    raise Undecidable(
                        f"a run of {name} and one of {net.name} were recorded with another {field}: "
                        f"{str(other)[:SHOWN]} and {str(value)[:SHOWN]} in provenance.json"
                    )


def require_same_weights(first: Net, second: Net) -> None:
    """Raises Undecidable where two tests were not of the same trained networks, seed by seed: of the same run, which
    may have been trained again between them."""
    if first.weights != second.weights:
        raise Undecidable(f"{first.name} and {second.name} are not tests of the same trained networks")
    for seed, split in first.weights:
        hashes = [_weights_hash(net.runs[seed][split]) for net in (first, second)]
        if None not in hashes and hashes[0] != hashes[1]:
            told = " and ".join(value[:SHOWN] for value in hashes)
            raise Undecidable(
                f"{first.name} and {second.name} are not tests of the same trained network of seed {seed}: "
                f"init_from.sha256 is {told} in provenance.json"
            )


def printed(net: str, depth: int = 18) -> str:
    """ "R(2+1)D-18"."""
    return f"{PRINTED_NAMES[net]}-{depth}"


def planned_of(row: Mapping[str, Any]) -> Planned:
    """The run of a row of `results.load_plan_runs`."""
    folder = f"runs/{row['plan']}/{row['experiment']}/{row['run']}"
    run = row["result"] if row["state"] == "complete" else None
    return Planned(folder, _spec(*(row["net_key" if name == "net" else name] for name in FIELDS)), row["state"], run)


def _weights_hash(run: Run) -> str | None:
    """Of the weights that a run tested without training them, where it was recorded."""
    return (run.provenance.get("init_from") or {}).get("sha256") if run.spec.epochs == 0 else None


@cache  # a spec is checked when it is made, and every claim asks for those of all runs
def _spec(*values: object) -> RunSpec:
    return RunSpec.from_parameters(dict(zip(FIELDS, values, strict=True)))


def _require_one(what: str, drawn: list[tuple[int, int]], specs: list[RunSpec]) -> None:
    """All runs are of one network: they differ in seed and split only."""
    other = {f for spec in specs[1:] for f in _differences(specs[0], spec)} - {*DRAWN}
    if other or len(set(drawn)) < len(drawn):
        how = f"differ in {', '.join(sorted(other))}" if other else "have the same seed and split"
        raise Undecidable(f"the plan has several runs of {what} that {how}, and the rule needs one")


def _differences(a: RunSpec, b: RunSpec) -> list[str]:
    return [field.name for field in fields(RunSpec) if getattr(a, field.name) != getattr(b, field.name)]
