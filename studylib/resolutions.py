"""The chapter on resolution (section 4.3, last paragraph): R(2+1)D-18 at a higher resolution and at half of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from studylib.cost import Cost, videos_of
from studylib.plan import Plan
from studylib.recorded import NOT_PLANNED, Recorded, difference, links, number, recorded
from studylib.tables import Table
from studylib.verdicts_evidence import Evidence
from studylib.verdicts_intervals import CLIP, VIDEO
from studylib.verdicts_length import is_highest
from studylib.verdicts_parts import EQUAL, ONE_SEED, Part


@dataclass(frozen=True, eq=False)
class Resolutions:
    """What a plan has of the comparison."""

    plan: str
    dataset: str
    low: Recorded  # half of the higher resolution
    high: Recorded
    costs: tuple[Cost, Cost]  # of low and high

    def difference(self, measure: str) -> Part | None:
        """High minus low; None where one is not recorded."""
        return difference(self.high, self.low, measure)


def resolutions_of(runs: pd.DataFrame, plan: Plan) -> Resolutions | None:
    """The comparison in a plan; None where it has none.

    Args:
        runs: `results.load_all_runs()`.

    Raises:
        Undecidable: the plan has several runs of one of the networks with one seed.
    """
    evidence = Evidence(runs, plan.name)
    planned = evidence.choose("the higher resolution", ["resolution"], is_highest(evidence), net="r2plus1d")
    if not planned:
        return None
    spec = planned[0].spec
    wanted = {"net": "r2plus1d", "resolution": spec.resolution // 2, "clip_length": spec.clip_length}
    half = evidence.choose("half of it", ["resolution", "conv_types"], **wanted)
    if not half:
        return None
    found = [recorded(evidence, f"{p[0].spec.resolution} x {p[0].spec.resolution}", p) for p in (half, planned)]
    costs = [Cost(s, videos_of(s, plan.datasets)) for s in (evidence.trained_as(p[0]) for p in (half, planned))]
    return Resolutions(plan.name, spec.dataset, *found, tuple(costs))


def band() -> str:
    """What counts as little difference: "−2 to +2 points"."""
    return f"{EQUAL[0]:+g} to {EQUAL[1]:+g} points".replace("-", "−")


def resolution_table(plans: Sequence[Resolutions | None]) -> Table:
    """A row a plan and resolution, and one for their difference."""
    rows, one_seed = [], False
    for own in [found for found in plans if found is not None]:
        for net, cost in zip((own.low, own.high), own.costs, strict=True):
            rows.append(
                {
                    "plan": own.plan,
                    "pixels": net.name,
                    "GFLOPs a clip": f"{cost.counts.flops / 1e9:.3f}",
                    "clip@1 (%)": number(net.measured(CLIP)),
                    "video@1 (%)": number(net.measured(VIDEO)),
                    "runs": links(net),
                }
            )
        parts = {measure: own.difference(measure) for measure in (CLIP, VIDEO)}
        low, high = (cost.counts.flops for cost in own.costs)
        rows.append(
            {
                "plan": own.plan,
                "pixels": "difference",
                "GFLOPs a clip": f"{high / low:.2f} times",
                "clip@1 (%)": number(parts[CLIP], signed=True),
                "video@1 (%)": number(parts[VIDEO], signed=True),
                "runs": "",
            }
        )
        one_seed |= any(part is not None and not part.covers_seeds for part in parts.values())
    if not rows:
        return Table(pd.DataFrame([{"plan": NOT_PLANNED}]), "No plan compares two resolutions.")
    caption = (
        "R(2+1)D-18 at two resolutions. GFLOPs are counted, one a multiply-add. Accuracies and differences with 95% "
        "intervals over test videos and seeds, on the data of each plan: "
        + ", ".join(f"{own.plan} on {own.dataset}" for own in plans if own is not None)
        + f". The rule takes {band()} for little difference."
    )
    return Table(pd.DataFrame(rows), f"{caption} {ONE_SEED}" if one_seed else caption)
