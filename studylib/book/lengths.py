"""Section 4.3's networks of one plan as far as they are recorded: R(2+1)D-18 at several lengths, moved, fine-tuned.

Which runs these are is what the rules of `verdicts_length` say: found by their settings, not by their names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from studylib.book.averaging import gain_of
from studylib.claims.recorded import Recorded, network
from studylib.claims.verdicts_evidence import Evidence, Planned
from studylib.claims.verdicts_intervals import CLIP, VIDEO
from studylib.claims.verdicts_length import (
    clip_correlation,
    is_at_its_own,
    is_finetuned,
    is_moved,
    of_lengths,
    planned_lengths,
)
from studylib.claims.verdicts_parts import Part
from studylib.runs.cost import Cost, videos_of
from studylib.runs.plan import Plan
from studylib.training.evaluation import Predictions
from studylib.video.clips import clip_span, uniform_starts


@dataclass(frozen=True, eq=False)
class Lengths:
    """What a plan has of section 4.3; `short` and `long` are the lengths of its experiments, 8 and 32 in the paper."""

    plan: str
    trained: dict[int, Recorded]  # length -> trained from scratch and tested at it, the shortest first
    moved: Recorded  # the short network, tested on long clips as it is
    tuned: Recorded  # fine-tuned from short to long
    short: int | None  # None where no such run is planned
    long: int | None
    costs: dict[int, Cost]  # length -> of training and testing at it
    tuned_cost: Cost | None  # of the fine-tuning alone
    generated: bool  # the plan makes the dataset itself
    dataset: str

    @property
    def title(self) -> str:
        """Of a panel: the plan and its data."""
        return f"{self.plan}: {self.dataset}"

    @property
    def any_done(self) -> bool:
        """Whether a network that was trained at its own length is complete."""
        return any(own.done for own in self.trained.values())


def lengths_of(runs: pd.DataFrame, plan: Plan) -> Lengths:
    """Section 4.3's networks in a plan.

    Args:
        runs: `results.load_all_runs()`.

    Raises:
        Undecidable: the plan has several runs of one of these networks with one seed.
    """
    evidence = Evidence(runs, plan.name)
    known = of_lengths(evidence)

    def of_these(name: str, accept: Callable[[Evidence, Planned], bool], **wanted: object) -> Recorded:
        def accepted(planned: Planned) -> bool:
            return planned in known and accept(evidence, planned)

        return network(evidence, name, ["clip_length"], accepted, net="r2plus1d", **wanted)

    def cost(own: Recorded) -> Cost | None:
        if not own.planned:
            return None
        spec = evidence.trained_as(own.planned[0])
        return Cost(spec, videos_of(spec, plan.datasets))

    trained = {n: of_these(f"trained on {n} frames", is_at_its_own, clip_length=n) for n in planned_lengths(evidence)}
    moved, tuned = of_these("tested at another length", is_moved), of_these("fine-tuned", is_finetuned)
    from_to = [(evidence.start(p).spec.clip_length, p.spec.clip_length) for p in (*moved.planned, *tuned.planned)]
    short, long = from_to[0] if from_to else (None, None)
    dataset = next((own.planned[0].spec.dataset for own in trained.values()), "")
    costs = {n: cost(own) for n, own in trained.items()}
    made = dataset in plan.datasets
    return Lengths(plan.name, trained, moved, tuned, short, long, costs, cost(tuned), made, dataset)


def accuracies(lengths: Lengths) -> pd.DataFrame:
    """Figure 5: columns length, measure ("clip@1" or "video@1"), points, low, high; complete lengths only."""
    rows = [(n, measure, own.measured(measure)) for n, own in lengths.trained.items() for measure in (CLIP, VIDEO)]
    return _frame(["length", "measure"], rows)


def correlations(lengths: Lengths) -> pd.DataFrame:
    """Intraclass correlation of the clips' scores: columns length, points, low, high."""
    return _frame(["length"], [(n, own.measured(clip_correlation)) for n, own in lengths.trained.items()])


def gains(lengths: Lengths) -> pd.DataFrame:
    """What averaging 1 to all clips gains over one: columns length, clips, points, low, high."""
    rows = []
    for length, own in lengths.trained.items():
        if not own.tests:
            continue
        for clips in range(1, tested_clips(own) + 1):
            measure: Callable[[Predictions], np.ndarray] = partial(gain_of, clips=clips)
            rows.append((length, clips, own.measured(measure)))
    return _frame(["length", "clips"], rows)


def averaging_gain(own: Recorded) -> Part | None:
    """Video@1 minus clip@1 of the same runs, points: what averaging all test clips gains over one."""
    return own.measured(partial(gain_of, clips=tested_clips(own))) if own.tests else None


def tested_clips(own: Recorded) -> int:
    """Clips of a video in the complete runs."""
    return len(own.done[0].run.predictions.clip_scores[0])


def steps_between(length: int, num_frames: int, clips: int) -> float:
    """Frames from the start of one evenly spaced test clip to the next, on average."""
    return float(np.diff(uniform_starts(num_frames, length, clips)).mean())


def shared_frames(length: int, num_frames: int, clips: int) -> float:
    """Share of a clip's frames that the next of so many evenly spaced ones shows too."""
    return max(0.0, 1 - steps_between(length, num_frames, clips) / clip_span(length))


def _frame(keys: list[str], rows: list[tuple]) -> pd.DataFrame:
    done = [(*key, part.points, part.low, part.high) for *key, part in rows if part is not None]
    return pd.DataFrame(done, columns=[*keys, "points", "low", "high"])
