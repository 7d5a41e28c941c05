"""Figure 4 from recorded runs: training and test errors of R3D and R(2+1)D with 18 and 34 layers."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from studylib import published
from studylib.magnitudes import signed
from studylib.net_table import PAPER_NAMES
from studylib.over_seeds import (
    accuracy,
    bounded,
    cell,
    complete,
    difference,
    grouped,
    lack,
    numbers,
    planned,
    seed_links,
    sum_over_seeds,
    tests,
)
from studylib.results import Run
from studylib.seeds import difference_of_differences
from studylib.tables import Table
from studylib.verdicts_depth import DEPTHS, EXPERIMENTS
from studylib.verdicts_intervals import CLIP
from studylib.verdicts_parts import Part

PAIR = ("r3d", "r2plus1d")
# Column of the table -> the number of a run that it shows, percent; each is the last epoch's.
LAST_EPOCH = {"training error": "train_error", "test error, middle clips": "test_error"}
FINAL = "test error, final test"
GAP = "gap"  # R3D minus R(2+1)D; short, since it heads rows


def network(runs: pd.DataFrame, plan: str, net: str, depth: int) -> pd.DataFrame:
    """The planned runs of a network of this figure, a row a seed, as the rules of `verdicts_depth` choose them."""
    return planned(runs[runs["epochs"] > 0], plan, EXPERIMENTS, net=net, depth=depth)


def networks(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """All runs of a plan that this figure is made of."""
    return pd.concat([network(runs, plan, net, depth) for depth in DEPTHS for net in PAIR])


def curves(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """The histories of the complete runs: columns net (the paper's name), depth, seed and those of `history.csv`."""
    done = complete(networks(runs, plan))
    tables = [
        run.history.assign(net=PAPER_NAMES[run.spec.net], depth=run.spec.depth, seed=run.spec.seed)
        for run in done["result"]
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def errors_table(runs: pd.DataFrame, plans: Sequence[str]) -> Table:
    """Errors of each network and their differences: published at 18 layers, and ours of each plan."""
    printed = {net: 100 - clip for net, clip in published.table2().set_index("net")["paper_clip_top1"].items()}
    rows = []
    for depth in DEPTHS:
        for net in PAIR:
            paper = f"{printed[PAPER_NAMES[net]]:.1f}" if depth == 18 else "curve only"
            rows.append(_row(f"{PAPER_NAMES[net]}-{depth}", paper))
            for plan in plans:
                rows[-1] |= _of_network(network(runs, plan, net, depth), plan)
        gap = printed["R3D"] - printed["R(2+1)D"]
        rows.append(_row(f"{GAP}, {depth} layers", signed(gap) if depth == 18 else "curve only"))
        for plan in plans:
            rows[-1] |= _of_gap([network(runs, plan, net, depth) for net in PAIR], plan)
    shallow, deep = DEPTHS
    rows.append(_row(f"{GAP}, {deep} minus {shallow}", "curve only"))
    for plan in plans:
        rows[-1] |= _of_growth([network(runs, plan, net, depth) for depth in DEPTHS for net in PAIR], plan)
    return Table(
        grouped(rows),
        "Errors in percent; gap: R3D minus R(2+1)D, in points. Means over seeds with 95% intervals. Published: "
        f"{published.PAPER}, Table 2, 100 minus clip@1; of Figure 4 the paper prints no number. Compare within a "
        "column: the plans differ in data and settings.",
    )


def _row(name: str, paper: str) -> dict[tuple[str, str], str]:
    return {("", "network"): escape(name), ("published, Kinetics-400", FINAL): paper}


def heading(plan: str) -> str:
    """Of a plan's columns: the plan "paper" is not what the paper printed."""
    return f"ours, plan {plan}"


def _of_network(rows: pd.DataFrame, plan: str) -> dict[tuple[str, str], str]:
    lacks, cells = lack(rows), {}
    for name, column in LAST_EPOCH.items():
        own = sum_over_seeds([errors(rows, column)])
        cells[heading(plan), name] = cell(own and bounded(own), lacks)
    right = accuracy(rows, CLIP)
    wrong = right and Part("", 100 - right.points, 100 - right.high, 100 - right.low, covers_seeds=right.covers_seeds)
    return cells | {(heading(plan), FINAL): cell(wrong, lacks, after=seed_links(rows))}


def _of_gap(pair: Sequence[pd.DataFrame], plan: str) -> dict[tuple[str, str], str]:
    other, ours = pair
    lacks = lack(*pair)
    cells = {
        (heading(plan), name): cell(sum_over_seeds([errors(other, column)], [errors(ours, column)]), lacks, sign=True)
        for name, column in LAST_EPOCH.items()
    }
    # R3D's error minus R(2+1)D's is R(2+1)D's accuracy minus R3D's
    return cells | {(heading(plan), FINAL): cell(difference(ours, other, CLIP), lacks, sign=True)}


def _of_growth(four: Sequence[pd.DataFrame], plan: str) -> dict[tuple[str, str], str]:
    shallow_3d, shallow, deep_3d, deep = four
    lacks, cells = lack(*four), {}
    for name, column in LAST_EPOCH.items():
        plus, minus = ([errors(rows, column) for rows in side] for side in ((deep_3d, shallow), (deep, shallow_3d)))
        cells[heading(plan), name] = cell(sum_over_seeds(plus, minus), lacks, sign=True)
    grown = None
    if not any(complete(rows).empty for rows in four):
        scores = [{seed: next(iter(own.values())) for seed, own in tests(rows).items()} for rows in four]
        grown = difference_of_differences((scores[3], scores[2]), (scores[1], scores[0]), "clip_top1")
    return cells | {(heading(plan), FINAL): cell(grown, lacks, sign=True)}


def errors(rows: pd.DataFrame, column: str) -> list[float]:
    """The last epoch's error of each complete run, percent."""

    def last(run: Run) -> float:
        return run.history[column].iloc[-1]

    return numbers(rows, last)
