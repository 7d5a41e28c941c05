"""Table 5 as points for a figure, and what pretraining on the one dataset gains over the other."""

import pandas as pd

from studylib.book.benchmark_runs import TABLE5, as_played, find, printed_video_top1, targets
from studylib.book.cells import cell
from studylib.book.tables import Table, plans_with
from studylib.claims import published
from studylib.claims.recorded import Recorded, difference
from studylib.claims.verdicts_benchmarks import SETS, STREAMS
from studylib.claims.verdicts_evidence import Evidence
from studylib.claims.verdicts_intervals import VIDEO
from studylib.training.magnitudes import signed

STARTS = ("Kinetics-400", "Sports-1M")


def networks(runs: pd.DataFrame, plan: str) -> dict[tuple[str, str, str], Recorded]:
    """A key of `TABLE5` -> what a plan has in the place of that row.

    Args:
        runs: `results.load_all_runs()`, here and below.
    """
    evidence = Evidence(runs, plan)
    return {key: find(evidence, row) for key, row in TABLE5.items()}


def transfer_points(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """Video@1 of `networks`: columns dataset and start (of the plan, and what they play), stream, accuracy, low and
    high (95%); what is not recorded on all planned splits is left out."""
    evidence, rows = Evidence(runs, plan), []
    for key, found in networks(runs, plan).items():
        if (own := found.measured(VIDEO)) is not None:
            (_, start, target), first = key, evidence.start(found.planned[0])
            told = {"dataset": as_played(targets(evidence)[target], SETS[target]), "stream": TABLE5[key].stream}
            told["start"] = as_played(first.spec.dataset, start.removesuffix("-400"))
            rows.append(told | {"accuracy": own.points, "low": own.low, "high": own.high})
    return pd.DataFrame(rows)


def pretraining_table(runs: pd.DataFrame) -> Table:
    """From Kinetics minus from Sports-1M, each stream and both on both datasets: the paper's and each plan's."""
    printed, rows = printed_video_top1(), []
    for target, name in SETS.items():
        for stream in STREAMS:
            pair = [TABLE5[f"R(2+1)D-{stream}", start, target] for start in STARTS]
            cells = {"dataset": name, "input": stream, "the paper": signed(printed[pair[0]] - printed[pair[1]])}
            for plan in plans_with(runs, "transfer"):
                evidence = Evidence(runs, plan)
                found = [find(evidence, row) for row in pair]
                heading = f"ours, plan {plan}: {', '.join(targets(evidence).values())}"
                cells[heading] = cell(difference(*found, VIDEO), *found, sign=True)
            rows.append(cells)
    return Table(
        pd.DataFrame(rows),
        "Video@1 after pretraining on Kinetics minus after pretraining on Sports-1M, or on what plays them: points, "
        f"mean of three splits. The paper's is computed from {published.PAPER}, Table 5. Ours have 95% intervals by "
        "bootstrap over the test videos, and over the seeds where there are several; of one seed they do not cover it.",
    )
