"""The networks of a plan and their runs, asked for by their settings, never by a run's name.

A network is all its planned runs, a run a seed (and an official split, where there are several). A rule has a verdict
only when every one of them is complete: a verdict from the seeds that happen to be there would depend on when one
looks. Two networks are compared only where they differ in nothing else than what the claim is about.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import pandas as pd

from studylib.datasets.index import SHOWN
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.results import Run
from studylib.stats import NotComparable
from studylib.stats.estimates import Measure, Outcomes, Scores, outcomes
from studylib.training.evaluation import Predictions
from studylib.training.spec import RunSpec, parse_init_from

CLIP, VIDEO = "clip@1", "video@1"
MEASURES = {CLIP: "clip_top1", VIDEO: "video_top1"}  # -> key of `estimates.MEASURES`
USUAL = {"depth": 18, "modality": "rgb", "frame_order": "normal"}  # of a network, unless a rule says another
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
NO_SUCH_RUN = " (no such run in the plan)"
Key = tuple[int, int]  # seed, split


class NotRunYet(Exception):
    """A rule lacks recorded runs; `missing` says which."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__("; ".join(missing))
        self.missing = tuple(dict.fromkeys(missing))


class Undecidable(NotComparable):
    """No run of this plan can decide the claim; the message says why."""


@dataclass(frozen=True, eq=False)
class Planned:
    """One run of the plan; `run` is there where it is complete."""

    folder: str  # from the repository on
    spec: RunSpec
    state: str
    run: Run | None


@dataclass(frozen=True, eq=False)
class Network:
    """A network that a plan has."""

    name: str
    runs: Mapping[Key, Planned]
    weights: Mapping[Key, str]  # folder of the run that trained what each tested
    spec: RunSpec | None  # of one of its runs; training as of the run that trained it

    @cached_property
    def tests(self) -> Scores:
        """Seed -> split -> scores, of a network all of whose runs are complete."""
        found: dict[int, dict[int, Predictions]] = {}
        for seed, split in sorted(self.runs):
            found.setdefault(seed, {})[split] = self.runs[seed, split].run.predictions
        return found

    def of_seeds(self, other: "Network") -> "Network":
        """Its runs of the seeds that the other has: a plan may test fewer seeds again than it trained."""
        keys = [key for key in self.runs if key[0] in {seed for seed, _ in other.runs}]
        return replace(self, runs={k: self.runs[k] for k in keys}, weights={k: self.weights[k] for k in keys})

    def outcomes(self, measure: Measure) -> Outcomes:
        """Of each seed and video; by `CLIP`, `VIDEO` or a function. Errors as of `estimates.outcomes`."""
        known = vars(self).setdefault("_outcomes", {})  # a rule asks for them in each of its comparisons
        if measure not in known:
            known[measure] = outcomes(self.tests, MEASURES.get(measure, measure))
        return known[measure]


class Evidence:
    """The runs of a plan, what was looked at and what is missing."""

    def __init__(self, runs: pd.DataFrame, plan: str) -> None:
        """`runs`: a table of `results.load_plan_runs` or `results.table`; ValueError if it has none of the plan."""
        rows = runs[runs["plan"] == plan]
        if rows.empty:
            raise ValueError(f"the table of runs has none of the plan {plan!r}; it has {', '.join(set(runs['plan']))}")
        self.planned = planned_of(rows)
        self.used: list[str] = []
        self.missing: list[str] = []
        self._by_folder = {planned.folder: planned for planned in self.planned}

    def net(
        self,
        name: str,
        experiments: Sequence[str],
        accept: Callable[[Planned], bool] = lambda planned: True,
        splits: Sequence[int] = (),
        fewest_seeds: int = 1,
        **wanted: object,
    ) -> Network:
        """The network whose runs have the `wanted` fields and are accepted, of the first experiment that plans one.

        Notes what was looked at and what is missing (see `require`): any run of it, one that is not complete, one of
        each of the `splits`, or as many seeds.

        Raises:
            Undecidable: the plan has several such networks, or its runs were not recorded alike.
        """
        wanted = USUAL | wanted
        own: list[Planned] = []
        for experiment in experiments:
            own = [p for p in self.planned if p.spec.experiment == experiment and accept(p)]
            own = [p for p in own if all(getattr(p.spec, field) == value for field, value in wanted.items())]
            if own:
                break
        specs = [self.trained_as(p) for p in own]
        runs = {(p.spec.seed, p.spec.split): p for p in own}
        other = {f for spec in specs[1:] for f in _differences(specs[0], spec)} - {*DRAWN}
        if other or len(runs) < len(own):
            how = f"differ in {', '.join(sorted(other))}" if other else "have the same seed and split"
            raise Undecidable(f"the plan has several runs of {name} that {how}, and the rule needs one")
        net = Network(name, runs, {key: self.trainer(p).folder for key, p in runs.items()}, specs[0] if specs else None)
        self.used += [p.folder for p in own]
        missing = [f"{p.folder} ({p.state})" for p in own if p.run is None] if own else [name + NO_SUCH_RUN]
        seeds = {seed for seed, _ in runs}
        if own:
            missing += [f"{name}, split {split}" for split in splits if split not in {s for _, s in runs}]
        if own and len(seeds) < fewest_seeds:
            missing.append(f"{fewest_seeds} seeds of {name} (the plan has {len(seeds)})")
        self.missing += missing
        if not missing:
            if len({frozenset(split for seed, split in runs if seed == own) for own in seeds}) > 1:
                raise Undecidable(f"{name}: its seeds were tested on different official splits")
            require_recorded_alike([net])
        return net

    def require(self, nets: Iterable[Network] = (), *but: str) -> None:
        """Nothing that was asked for is missing, and these networks differ in nothing but the fields `but`.

        Raises:
            NotRunYet: names what is missing.
            Undecidable: names two of the networks and the fields in which they differ.
        """
        if self.missing:
            raise NotRunYet(self.missing)
        nets = list(nets)
        for net in nets[1:]:
            if other := [f for f in _differences(nets[0].spec, net.spec) if f not in (*NEVER_MATTERS, *but)]:
                raise Undecidable(f"{nets[0].name} and {net.name} were run with other settings ({', '.join(other)})")
        require_recorded_alike(nets)

    def require_data(self, families: Iterable[str], why: str) -> None:
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


def require_recorded_alike(nets: Iterable[Network]) -> None:
    """What the settings leave open was the same in all runs: the videos of a dataset by its manifest, and the
    precision, since bf16 falls back to fp32 where a device computes it wrongly.

    Raises:
        Undecidable: names two networks, or the same one twice for two of its runs, and what differs.
    """
    known: dict[str, tuple[str, object]] = {}
    for name, run in ((net.name, planned.run) for net in nets for planned in net.runs.values()):
        manifest = run.provenance["dataset"].get("manifest_hash")
        recorded = {f"manifest of {run.spec.dataset}": manifest, "precision": run.provenance.get("precision")}
        for field, value in recorded.items():
            first, other = known.setdefault(field, (name, value))
            if other != value:
                raise Undecidable(
                    f"a run of {first} and one of {name} were recorded with another {field}: "
                    f"{str(other)[:SHOWN]} and {str(value)[:SHOWN]} in provenance.json"
                )


def require_same_weights(first: Network, second: Network) -> None:
    """Raises Undecidable where two tests were not of the same trained networks, seed by seed: of the same run, which
    may have been trained again between them."""
    if first.weights != second.weights:
        raise Undecidable(f"{first.name} and {second.name} are not tests of the same trained networks")
    for seed, split in first.weights:
        hashes = [_weights_hash(net.runs[seed, split].run) for net in (first, second)]
        if None not in hashes and hashes[0] != hashes[1]:
            told = " and ".join(value[:SHOWN] for value in hashes)
            raise Undecidable(
                f"{first.name} and {second.name} are not tests of the same trained network of seed {seed}: "
                f"init_from.sha256 is {told} in provenance.json"
            )


def _weights_hash(run: Run) -> str | None:
    """Of the weights that a run tested without training them, where it was recorded."""
    return (run.provenance.get("init_from") or {}).get("sha256") if run.spec.epochs == 0 else None


def _differences(a: RunSpec, b: RunSpec) -> list[str]:
    return [field.name for field in fields(RunSpec) if getattr(a, field.name) != getattr(b, field.name)]


def printed(net: str, depth: int = 18) -> str:
    """ "R(2+1)D-18"."""
    return f"{PRINTED_NAMES[net]}-{depth}"


def planned_of(rows: pd.DataFrame) -> list[Planned]:
    """The runs of some rows of `results.load_plan_runs`."""
    folders = "runs/" + rows["plan"] + "/" + rows["experiment"] + "/" + rows["run"]
    return [Planned(*own) for own in zip(folders, rows["spec"], rows["state"], rows["result"], strict=True)]
