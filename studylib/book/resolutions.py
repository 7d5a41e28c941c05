"""The chapter on resolution (section 4.3, last paragraph): R(2+1)D-18 at a higher resolution and at half of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from studylib.book.cells import INTERVALS, cell, links, missing
from studylib.book.tables import Table, lacking
from studylib.claims.recorded import Recorded, difference, network
from studylib.claims.verdicts_evidence import Evidence
from studylib.claims.verdicts_intervals import CLIP, VIDEO
from studylib.claims.verdicts_length import is_highest
from studylib.claims.verdicts_parts import EQUAL, Part
from studylib.runs.cost import Cost, videos_of
from studylib.runs.plan import Plan


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
    high = network(evidence, "the higher resolution", ["resolution"], is_highest(evidence), net="r2plus1d")
    if not high.planned:
        return None
    spec = high.planned[0].spec
    wanted = {"net": "r2plus1d", "resolution": spec.resolution // 2, "clip_length": spec.clip_length}
    low = network(evidence, "half of it", ["resolution", "conv_types"], **wanted)
    if not low.planned:
        return None
    specs = [evidence.trained_as(own.planned[0]) for own in (low, high)]
    found = [replace(own, name=f"{s.resolution} x {s.resolution}") for own, s in zip((low, high), specs, strict=True)]
    return Resolutions(plan.name, spec.dataset, *found, tuple(Cost(s, videos_of(s, plan.datasets)) for s in specs))


def band() -> str:
    """What counts as little difference: "−2 to +2 points"."""
    return f"{EQUAL[0]:+g} to {EQUAL[1]:+g} points".replace("-", "−")


def resolution_table(plans: Sequence[Resolutions | None]) -> Table:
    """A row a plan and resolution, and one for their difference."""
    rows = []
    for own in [found for found in plans if found is not None]:
        for net, cost in zip((own.low, own.high), own.costs, strict=True):
            rows.append(
                {
                    "plan": own.plan,
                    "pixels": net.name,
                    "GFLOPs a clip": f"{cost.counts.flops / 1e9:.3f}",
                    "clip@1 (%)": cell(net.measured(CLIP), net),
                    "video@1 (%)": cell(net.measured(VIDEO), net),
                    "runs": links(net) or missing(net),
                }
            )
        low, high = (cost.counts.flops for cost in own.costs)
        rows.append(
            {
                "plan": own.plan,
                "pixels": "difference",
                "GFLOPs a clip": f"{high / low:.2f} times",
                "clip@1 (%)": cell(own.difference(CLIP), own.low, own.high, sign=True),
                "video@1 (%)": cell(own.difference(VIDEO), own.low, own.high, sign=True),
                "runs": "",
            }
        )
    if not rows:
        return Table(pd.DataFrame([{"plan": lacking("not planned")}]), "No plan compares two resolutions.")
    caption = (
        "R(2+1)D-18 at two resolutions. GFLOPs are counted, one a multiply-add. Accuracies and differences on the data "
        f"of each plan: {', '.join(f'{own.plan} on {own.dataset}' for own in plans if own is not None)}. {INTERVALS} "
        f"The rule takes {band()} for little difference."
    )
    return Table(pd.DataFrame(rows), caption)
