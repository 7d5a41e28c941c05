"""Figure 4 from recorded runs: training and test errors of R3D and R(2+1)D with 18 and 34 layers."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import pandas as pd

from studylib.book.cells import cell, grouped, links
from studylib.book.tables import Table
from studylib.claims import published
from studylib.claims.recorded import Recorded, bounded, difference, network, numbers, sum_over_seeds
from studylib.claims.verdicts_depth import DEPTHS, EXPERIMENTS
from studylib.claims.verdicts_evidence import Evidence, printed
from studylib.claims.verdicts_intervals import CLIP
from studylib.nets.table import PAPER_NAMES
from studylib.runs.results import Run
from studylib.stats.estimates import difference_of_differences
from studylib.training.magnitudes import signed

PAIR = ("r3d", "r2plus1d")
# Column of the table -> the number of a run that it shows, percent; each is the last epoch's.
LAST_EPOCH = {"training error": "train_error", "test error, middle clips": "test_error"}
FINAL = "test error, final test"
GAP = "gap"  # R3D minus R(2+1)D; short, since it heads rows


def networks(runs: pd.DataFrame, plan: str) -> dict[tuple[str, int], Recorded]:
    """(net, depth) -> the network, chosen as by the rules of `verdicts_depth`.

    Args:
        runs: `results.load_all_runs()`, here and below.
    """
    evidence = Evidence(runs, plan)

    def trained(net: str, depth: int) -> Recorded:
        return network(evidence, printed(net, depth), EXPERIMENTS, lambda p: p.spec.epochs > 0, net=net, depth=depth)

    return {(net, depth): trained(net, depth) for depth in DEPTHS for net in PAIR}


def curves(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """The histories of the complete runs: columns net (the paper's name), depth, seed and those of `history.csv`."""
    tables = [
        p.run.history.assign(net=PAPER_NAMES[p.spec.net], depth=p.spec.depth, seed=p.spec.seed)
        for own in networks(runs, plan).values()
        for p in own.done
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def errors_table(runs: pd.DataFrame, plans: Sequence[str]) -> Table:
    """Errors of each network and their differences: published at 18 layers, and ours of each plan."""
    theirs = {net: 100 - clip for net, clip in published.table2().set_index("net")["paper_clip_top1"].items()}
    ours, rows = {plan: networks(runs, plan) for plan in plans}, []
    for depth in DEPTHS:
        for net in PAIR:
            paper = f"{theirs[PAPER_NAMES[net]]:.1f}" if depth == 18 else "curve only"
            rows.append(_row(printed(net, depth), paper))
            for plan, own in ours.items():
                rows[-1] |= _of_network(own[net, depth], plan)
        gap = theirs["R3D"] - theirs["R(2+1)D"]
        rows.append(_row(f"{GAP}, {depth} layers", signed(gap) if depth == 18 else "curve only"))
        for plan, own in ours.items():
            rows[-1] |= _of_gap([own[net, depth] for net in PAIR], plan)
    shallow, deep = DEPTHS
    rows.append(_row(f"{GAP}, {deep} minus {shallow}", "curve only"))
    for plan, own in ours.items():
        rows[-1] |= _of_growth([own[net, depth] for depth in DEPTHS for net in PAIR], plan)
    return Table(
        grouped(rows),
        "Errors in percent; gap: R3D minus R(2+1)D, in points. Means over seeds with 95% intervals; of one seed the "
        "final test's covers the draw of the test videos alone, and other errors have none. Published: "
        f"{published.PAPER}, Table 2, 100 minus clip@1; of Figure 4 the paper prints no number. Compare within a "
        "column: the plans differ in data and settings.",
    )


def _row(name: str, paper: str) -> dict[tuple[str, str], str]:
    return {("", "network"): escape(name), ("published, Kinetics-400", FINAL): paper}


def heading(plan: str) -> str:
    """Of a plan's columns: the plan "paper" is not what the paper printed."""
    return f"ours, plan {plan}"


def _of_network(own: Recorded, plan: str) -> dict[tuple[str, str], str]:
    cells = {}
    for name, column in LAST_EPOCH.items():
        error = sum_over_seeds([errors(own, column)])
        cells[heading(plan), name] = cell(error and bounded(error), own)
    right = own.measured(CLIP)
    wrong = right and replace(right, points=100 - right.points, low=100 - right.high, high=100 - right.low)
    return cells | {(heading(plan), FINAL): cell(wrong, own, after=links(own))}


def _of_gap(pair: Sequence[Recorded], plan: str) -> dict[tuple[str, str], str]:
    other, ours = pair
    cells = {}
    for name, column in LAST_EPOCH.items():
        gap = sum_over_seeds([errors(other, column)], [errors(ours, column)])
        cells[heading(plan), name] = cell(gap, *pair, sign=True)
    # R3D's error minus R(2+1)D's is R(2+1)D's accuracy minus R3D's
    return cells | {(heading(plan), FINAL): cell(difference(ours, other, CLIP), *pair, sign=True)}


def _of_growth(four: Sequence[Recorded], plan: str) -> dict[tuple[str, str], str]:
    shallow_3d, shallow, deep_3d, deep = four
    cells = {}
    for name, column in LAST_EPOCH.items():
        plus, minus = ([errors(own, column) for own in side] for side in ((deep_3d, shallow), (deep, shallow_3d)))
        cells[heading(plan), name] = cell(sum_over_seeds(plus, minus), *four, sign=True)
    grown = None
    if all(own.tests for own in four):
        gaps = (deep.tests, deep_3d.tests), (shallow.tests, shallow_3d.tests)
        grown = difference_of_differences(*gaps, "clip_top1")
    return cells | {(heading(plan), FINAL): cell(grown, *four, sign=True)}


def errors(own: Recorded, column: str) -> list[float]:
    """The last epoch's error of each complete run, percent."""

    def last(run: Run) -> float:
        return run.history[column].iloc[-1]

    return numbers(own, last)
