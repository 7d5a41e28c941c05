"""Networks of a plan as far as they are recorded: tables and figures show the seeds that are there and say how many are
missing, where a verdict waits for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from studylib.evaluation import Predictions
from studylib.tables import NOT_RUN, run_link
from studylib.verdicts_evidence import Evidence, Net, Planned, require_same_weights
from studylib.verdicts_intervals import contrast, outcomes
from studylib.verdicts_parts import Part

NOT_PLANNED = '<span class="not-run">not planned</span>'


@dataclass(frozen=True, eq=False)
class Recorded:
    """A network that a plan has, and what of it is complete."""

    name: str
    planned: tuple[Planned, ...]  # its runs, a run a seed
    net: Net | None  # of the complete ones; None where none is

    @property
    def done(self) -> list[Planned]:
        """The complete runs."""
        return [planned for planned in self.planned if planned.run is not None]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the complete runs."""
        return () if self.net is None else tuple(self.net.runs)

    def measured(self, measure: str | Callable[[Predictions], np.ndarray]) -> Part | None:
        """The mean over complete seeds with its 95% interval over test videos and seeds; None where there is none.

        Args:
            measure: as of `verdicts_intervals.outcomes`.
        """
        return None if self.net is None else contrast(self.name, [outcomes(self.net, measure)])


def recorded(evidence: Evidence, name: str, planned: Sequence[Planned]) -> Recorded:
    """The network of these runs, which `Evidence.choose` gave."""
    done = sorted((p for p in planned if p.run is not None), key=lambda p: p.spec.seed)
    if not done:
        return Recorded(name, tuple(planned), None)
    runs: dict = {}
    for p in done:
        runs.setdefault(p.spec.seed, {})[p.spec.split] = p.run
    weights = {(p.spec.seed, p.spec.split): evidence.trainer(p).folder for p in done}
    return Recorded(name, tuple(planned), Net(name, evidence.trained_as(done[0]), runs, weights))


def difference(first: Recorded, second: Recorded, measure: str | Callable[[Predictions], np.ndarray]) -> Part | None:
    """First minus second on the same videos, with its 95% interval; None where one of them has no complete run."""
    if first.net is None or second.net is None:
        return None
    what = f"{first.name} minus {second.name}"
    return contrast(what, [outcomes(first.net, measure)], [outcomes(second.net, measure)])


def change(first: Recorded, second: Recorded, measure: str | Callable[[Predictions], np.ndarray]) -> Part | None:
    """First minus second, two tests of the same weights: seed by seed, of the seeds that are complete in both.

    Errors: Undecidable where a seed's weights are not the same ones.
    """
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    if not seeds:
        return None
    a, b = (_of_seeds(own.net, seeds) for own in (first, second))
    require_same_weights(a, b)
    return contrast(f"{first.name} minus {second.name}", [outcomes(a, measure).minus(outcomes(b, measure))])


def number(part: Part | None, own: Recorded | None = None, signed: bool = False, digits: int = 1) -> str:
    """A table's cell: the value with its interval; "not run", or "not planned" where `own` has no runs at all."""
    if part is None:
        return NOT_PLANNED if own is not None and not own.planned else NOT_RUN
    form = f"{{:{'+' if signed else ''}.{digits}f}}"
    value, low, high = (form.format(v).replace("-", "−") for v in (part.points, part.low, part.high))
    between = " to " if signed or part.low < 0 else "–"
    return f'{value} <span class="interval">({low}{between}{high})</span>'


def links(own: Recorded) -> str:
    """A table's cell: links to the pages of the complete runs, and how many of the planned ones these are."""
    if not own.planned:
        return NOT_PLANNED
    if not own.done:
        return NOT_RUN
    seeds = " ".join(run_link(*Path(p.folder).parts[-3:], str(p.spec.seed)) for p in own.done)
    few = "" if len(own.done) == len(own.planned) else f" ({len(own.done)} of {len(own.planned)})"
    return f'<span class="interval">seed {seeds}{few}</span>'


def made_from(nets: Sequence[Recorded]) -> str:
    """ "seeds 0, 1, 2", and "17 of 18 runs" where not all of these networks' runs are complete: what a figure shows."""
    seeds = sorted({seed for own in nets for seed in own.seeds})
    done, planned = sum(len(own.done) for own in nets), sum(len(own.planned) for own in nets)
    told = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return told if done == planned else f"{told}; {done} of {planned} runs"


def _of_seeds(net: Net, seeds: Sequence[int]) -> Net:
    weights = {key: folder for key, folder in net.weights.items() if key[0] in seeds}
    return replace(net, runs={seed: net.runs[seed] for seed in seeds}, weights=weights)
