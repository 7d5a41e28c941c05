"""A network of a plan as far as it is recorded: which runs it is, which of them are complete, and its numbers.

Chapters show what is recorded so far and say what is missing; a verdict waits for all of it (see `verdicts`). Networks
are found as the rules find them, and the intervals are theirs: 95%, over test videos and seeds. Only the accuracy of a
single seed has another, Wilson's, which covers the draw of the test videos alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, nan

import numpy as np
import pandas as pd

from studylib.claims.verdicts_evidence import Evidence, Planned, Undecidable, planned_of
from studylib.claims.verdicts_intervals import NAMES, contrast, outcomes, over_seeds, part_of
from studylib.claims.verdicts_parts import ABOVE, Part
from studylib.runs.results import Run
from studylib.stats.estimates import Measure, Scores, accuracy
from studylib.stats.fusion import PAPER_RGB_WEIGHT, fuse
from studylib.training.evaluation import Predictions

STATES = ("not planned", "not run", "unfinished", "complete")  # of runs, the least first
Key = tuple[int, int]  # seed, split


@dataclass(frozen=True, eq=False)
class Recorded:
    """A network that a plan has, or its two streams as one, and what of it is complete."""

    name: str
    runs: Mapping[Key, tuple[Planned, ...]]  # the run of a seed and split; of two streams RGB's and flow's
    weights: Mapping[Key, tuple[str, ...]]  # folders of the runs that trained what these tested
    rgb_weight: float = PAPER_RGB_WEIGHT  # of two streams

    @property
    def planned(self) -> list[Planned]:
        """All runs, by seed and split."""
        return [planned for key in sorted(self.runs) for planned in self.runs[key]]

    @property
    def done(self) -> list[Planned]:
        """The complete runs, by seed and split."""
        return [planned for planned in self.planned if planned.run is not None]

    @property
    def fused(self) -> bool:
        """Whether it is two streams."""
        return any(len(own) > 1 for own in self.runs.values())

    @property
    def lack(self) -> str:
        """What is missing of it: "not planned", "not run", "unfinished" (none is complete, and some have begun), "2 of
        3 runs" (of two streams "pairs"); "" for nothing."""
        states = []
        for own in self.runs.values():
            of_each = {planned.state for planned in own}
            states.append(next(state for state in ("unfinished", "not run", "complete") if state in of_each))
        return lack_of_states(states, "pairs" if self.fused else "runs")

    @cached_property
    def tests(self) -> Scores:
        """Seed -> split -> scores, of the seeds of which every planned split is complete: a mean over some splits only
        would be another quantity."""
        splits = {split for _, split in self.runs}
        found: dict[int, dict[int, Predictions]] = {}
        for (seed, split), own in sorted(self.runs.items()):
            if all(planned.run is not None for planned in own):
                scores = [planned.run.predictions for planned in own]
                found.setdefault(seed, {})[split] = fuse(*scores, self.rgb_weight) if self.fused else scores[0]
        return {seed: own for seed, own in found.items() if set(own) == splits}

    def measured(self, measure: Measure) -> Part | None:
        """`estimates.accuracy` of it; None where no seed is complete."""
        return part_of(self.name, accuracy(self.tests, NAMES.get(measure, measure))) if self.tests else None


def network(
    evidence: Evidence,
    name: str,
    experiments: Sequence[str],
    accept: Callable[[Planned], bool] = lambda planned: True,
    **wanted: object,
) -> Recorded:
    """The network that a rule gets from `Evidence.net`, complete or not; without runs where none is planned.

    Errors: as of `Evidence.choose`, which has the arguments.
    """
    return _of_runs(name, evidence.choose(name, experiments, accept, **wanted), evidence.trainer)


def of_rows(name: str, rows: pd.DataFrame) -> Recorded:
    """The network whose runs are these rows of `results.load_plan_runs`, a seed and split each once; each run
    trained its own weights.

    Raises:
        ValueError: two rows have the same seed and split.
    """
    own = _of_runs(name, [planned_of(row) for row in rows.to_dict("records")], lambda planned: planned)
    if len(own.runs) < len(rows):
        raise ValueError(f"{name}: several of its runs have the same seed and split")
    return own


def averaged(name: str, rgb: Recorded, flow: Recorded) -> Recorded:
    """Two streams as one, of the seeds and splits that both are planned with."""
    both = [key for key in rgb.runs if key in flow.runs]
    runs = {key: rgb.runs[key] + flow.runs[key] for key in both}
    return Recorded(name, runs, {key: rgb.weights[key] + flow.weights[key] for key in both})


def bounded(share: Part) -> Part:
    """A percentage whose interval does not leave 0 to 100, which that of few seeds can."""
    low, high = np.clip([share.low, share.high], 0, 100)  # nan, of a single seed, stays nan
    return replace(share, low=float(low), high=float(high))


def difference(first: Recorded, second: Recorded, measure: Measure) -> Part | None:
    """First minus second on the same test videos, two networks; None where one has no complete seed.

    Raises:
        Undecidable: they were not tested on the same videos.
    """
    if not (first.tests and second.tests):
        return None
    return contrast(_minus(first, second), [outcomes(first.tests, measure)], [outcomes(second.tests, measure)])


def change(first: Recorded, second: Recorded, measure: Measure) -> Part | None:
    """First minus second, two tests that share trained weights: seed by seed, of the seeds that are complete in both.

    Errors: Undecidable where of some seed they share none, or were not tested on the same videos.
    """
    seeds = [seed for seed in first.tests if seed in second.tests]
    if not seeds:
        return None
    for key in first.weights:
        if key[0] in seeds and set(first.weights[key]).isdisjoint(second.weights.get(key, ())):
            raise Undecidable(f"{first.name} and {second.name} are not tests of the same trained networks")
    a, b = (outcomes({seed: own.tests[seed] for seed in seeds}, measure) for own in (first, second))
    return contrast(_minus(first, second), [a.minus(b)])


def numbers(own: Recorded, of_run: Callable[[Run], float]) -> list[float]:
    """One number a complete run."""
    return [float(of_run(planned.run)) for planned in own.done]


def sum_over_seeds(plus: Sequence[list[float]], minus: Sequence[list[float]] = ()) -> Part | None:
    """Means over seeds added and subtracted, with the interval of Student's t; it is nan where one has a single seed,
    and all is None where one has none."""
    groups = [*plus, *minus]
    if not all(groups):
        return None
    if min(map(len, groups)) > 1:
        return over_seeds("", plus, minus)
    points = sum(sum(own) / len(own) for own in plus) - sum(sum(own) / len(own) for own in minus)
    return Part("", points, nan, nan, ABOVE, inf, covers_seeds=False)


def lack_of_states(states: Sequence[str], what: str = "runs") -> str:
    """What is missing of runs in these states: one of `STATES` where none is complete, else "2 of 3 runs" or ""."""
    done = sum(state == "complete" for state in states)
    if done:
        return "" if done == len(states) else f"{done} of {len(states)} {what}"
    return "not planned" if not len(states) else "unfinished" if "unfinished" in set(states) else "not run"


def lack_of(*networks: Recorded) -> str:
    """What is missing of what a number needs all of: the least of the `STATES`, or "2 of 3 runs"; "" for nothing."""
    lacks = [own.lack for own in networks if own.lack]
    least = [state for state in STATES if state in lacks]
    return least[0] if least else ", ".join(dict.fromkeys(lacks))


def rows_of(runs: pd.DataFrame, networks: Iterable[Recorded]) -> pd.DataFrame:
    """The rows of these networks' runs in the table of all (`results.load_all_runs`), each once."""
    wanted = {planned.folder for own in networks for planned in own.planned}
    folders = "runs/" + runs["plan"] + "/" + runs["experiment"] + "/" + runs["run"]
    return runs[folders.isin(wanted)]


def seeds_text(seeds: Iterable[int]) -> str:
    """ "seeds 0, 1, 2"."""
    own = sorted(set(seeds))
    return f"seed{'s' if len(own) > 1 else ''} {', '.join(map(str, own))}"


def _of_runs(name: str, runs: Iterable[Planned], trainer: Callable[[Planned], Planned]) -> Recorded:
    keys = {(planned.spec.seed, planned.spec.split): planned for planned in runs}
    weights = {key: (trainer(planned).folder,) for key, planned in keys.items()}
    return Recorded(name, {key: (planned,) for key, planned in keys.items()}, weights)


def _minus(first: Recorded, second: Recorded) -> str:
    return f"{first.name} minus {second.name}"
