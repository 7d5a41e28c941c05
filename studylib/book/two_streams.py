"""Two streams of Tables 3 to 5 as one: what averaging their scores gains, and how that hangs on the weight of RGB.

A pair is a network trained on RGB and the same trained on optical flow; every plan has those of the paper's tables.
"""

from dataclasses import replace
from html import escape

import numpy as np
import pandas as pd
from IPython.display import Markdown

from studylib.book.benchmark_runs import TABLE3, TABLE4, TABLE5, Row, find, net_and_clip, printed_video_top1
from studylib.book.cells import accuracy, cell, grouped
from studylib.book.tables import Table
from studylib.claims import published
from studylib.claims.recorded import Recorded, change
from studylib.claims.verdicts_benchmarks import FLOW, FUSED, RGB, SETS, STREAMS
from studylib.claims.verdicts_evidence import Evidence
from studylib.claims.verdicts_intervals import VIDEO
from studylib.stats.fusion import PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT
from studylib.training.magnitudes import signed

# Name of a pair, by the paper's data -> the row of both streams.
PAIRS: dict[str, Row] = {
    "Sports-1M, 8 frames": TABLE3["R(2+1)D-Two-Stream-8frame"],
    "Sports-1M, 32 frames": TABLE3["R(2+1)D-Two-Stream-32frame"],
    "Kinetics, from scratch": TABLE4["R(2+1)D-Two-Stream", "none"],
    "Kinetics, from Sports-1M": TABLE4["R(2+1)D-Two-Stream", "Sports-1M"],
} | {
    f"{SETS[target]}, from {start.removesuffix('-400')}": row
    for (method, start, target), row in TABLE5.items()
    if row.stream == FUSED
}
WEIGHTS = np.linspace(0, 1, 11).round(1)
PAIRED = (
    "Differences are points of video@1, both streams minus one, on the same test videos and seeds, with 95% intervals "
    "by bootstrap over them; of one seed they cover the draw of the test videos alone."
)


def published_pairs() -> Table:
    """What the paper prints of each pair, and the differences that follow."""
    printed, rows = printed_video_top1(), []
    for name, both in PAIRS.items():
        rgb, flow, fused = (printed[replace(both, stream=stream)] for stream in STREAMS)
        cells = {"pair": escape(name), "RGB": f"{rgb:.1f}", "flow": f"{flow:.1f}", "both, mean": f"{fused:.1f}"}
        rows.append(cells | {"both − RGB": signed(fused - rgb), "both − flow": signed(fused - flow)})
    return Table(
        pd.DataFrame(rows),
        f"Quoted from {published.PAPER}, Tables 3 to 5: R(2+1)D-34, video@1 in percent, on UCF101 and HMDB51 the mean "
        "of three splits. The differences, in points, are computed from these.",
    )


def pairs(runs: pd.DataFrame, plan: str) -> dict[str, Recorded]:
    """Name -> what a plan has in the place of that pair, both streams as one.

    Args:
        runs: `results.load_all_runs()`, here and below.
    """
    evidence = Evidence(runs, plan)
    return {name: find(evidence, row) for name, row in PAIRS.items()}


def our_pairs(runs: pd.DataFrame, plan: str) -> Table | Markdown:
    """Each pair of a plan: the streams, both by the paper's mean and by VMZ's weight, and what is gained; a sentence
    where none of it is recorded."""
    evidence, found = Evidence(runs, plan), pairs(runs, plan)
    if not any(alone.done for row in PAIRS.values() for alone in _streams(evidence, row)):
        count = sum(len(own.runs) for own in found.values())
        return Markdown(f"*Plan {plan}: not run; none of its {count} pairs of networks (a pair a seed and split) is.*")
    printed, rows = printed_video_top1(), []
    for name, both in found.items():
        row = PAIRS[name]
        cells = {
            ("", "in the place of"): escape(name),
            ("", "data"): _data(both),
            ("", "net, clip"): net_and_clip(both),
        }
        alone, vmz = _streams(evidence, row), replace(both, rgb_weight=VMZ_RGB_WEIGHT)
        for stream, own in zip(("RGB", "flow"), alone, strict=True):
            cells[f"{VIDEO}, %", stream] = accuracy(own, VIDEO)
        cells[f"{VIDEO}, %", f"both, mean ({PAPER_RGB_WEIGHT:g} RGB)"] = accuracy(both, VIDEO)
        cells[f"{VIDEO}, %", f"both, VMZ's {VMZ_RGB_WEIGHT:g} RGB"] = accuracy(vmz, VIDEO)
        for stream, own in zip((RGB, FLOW), alone, strict=True):
            label = f"mean − {stream.replace(FLOW, 'flow')}"
            cells["gain, points", label] = cell(change(both, own, VIDEO), both, sign=True)
            cells["gain, points", f"{label}, the paper"] = signed(printed[row] - printed[replace(row, stream=stream)])
        rows.append(cells)
    return Table(
        grouped(rows),
        f"Plan {plan}: two streams fused from recorded scores. {PAIRED} The paper's gains are on its own data, these "
        "on the data of the second column: their sizes cannot be compared.",
    )


def curves(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """Video@1 against the weight of RGB: columns pair, data (and clip), rgb_weight, accuracy, low, high (95%); a pair
    whose scores are not all there is left out."""
    rows = []
    for name, both in pairs(runs, plan).items():
        for weight in WEIGHTS if both.tests else ():
            own = replace(both, rgb_weight=float(weight)).measured(VIDEO)
            data = f"{_data(both)}, {both.planned[0].spec.clip_length}f"
            told = {"pair": name, "data": data, "rgb_weight": float(weight)}
            rows.append(told | {"accuracy": own.points, "low": own.low, "high": own.high})
    return pd.DataFrame(rows)


def _streams(evidence: Evidence, row: Row) -> list[Recorded]:
    return [find(evidence, replace(row, stream=stream)) for stream in (RGB, FLOW)]


def _data(found: Recorded) -> str:
    return escape(", ".join(dict.fromkeys(planned.spec.dataset for planned in found.planned)))
