"""Which part of the factorisation helps: each variant of the experiment *mechanism* beside R(2+1)D and R3D."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from studylib.book.cells import INTERVALS, accuracy, cell, grouped, missing
from studylib.book.tables import Table
from studylib.claims.recorded import Recorded, difference, network
from studylib.claims.verdicts_evidence import Evidence
from studylib.claims.verdicts_intervals import CLIP, VIDEO
from studylib.nets.table import PRINTED_NAMES

EXPERIMENTS = ("mechanism", "conv_types")  # whose runs these are: R(2+1)D and R3D are Table 2's, as in the rule
BASE, FULL, P3D_A = "r2plus1d", "r3d", "r2plus1d_m_is_n_out"
# Variant -> what is changed, in the order of the tables. What the variants are is in `net_table.VARIANTS`.
CHANGES = {
    "r2plus1d_no_inner_relu": "no ReLU between the spatial and the temporal convolution",
    "r2plus1d_no_inner_bn_relu": "neither BN nor ReLU there: a 3D convolution of limited rank",
    "r3d_added_relu": "R3D with as many ReLUs as R(2+1)D, each after a BN of its own",
    "r2plus1d_temporal_first": "temporal convolution first, then the spatial one",
    "r2plus1d_half_m": "half of the middle channels M",
    "r2plus1d_double_m": "twice the middle channels M",
    P3D_A: "M is the number of output channels",
    "r2plus1d_parallel": "both convolutions read the input, their outputs are summed; M as in P3D-A",
    "r2plus1d_skip": "the spatial output is added to the temporal one; M as in P3D-A",
}
P3D = {"r2plus1d_parallel": "P3D-B", "r2plus1d_skip": "P3D-C"}  # to be compared with P3D-A
ALIKE = 0.05  # share of the parameters by which networks of one size may differ


def networks(runs: pd.DataFrame, plan: str) -> dict[str, Recorded]:
    """Net -> the network, of all that are compared.

    Args:
        runs: `results.load_all_runs()`, here and below.
    """
    evidence = Evidence(runs, plan)
    return {net: network(evidence, PRINTED_NAMES[net], EXPERIMENTS, net=net) for net in (BASE, FULL, *CHANGES)}


def counted() -> pd.DataFrame:
    """`counts.variants` by name: counted now, at the paper's size."""
    from studylib.book.counts import variants  # torch, which the other tables do without

    return variants().set_index("name")


def sizes_table(counts: pd.DataFrame, runs: pd.DataFrame, plans: Sequence[str]) -> Table:
    """What is changed in each network and what it has and costs, at the paper's size and as recorded of each plan.

    Args:
        counts: `counted()`.
    """
    rows, recorded = [], {plan: networks(runs, plan) for plan in plans}
    for net in (BASE, FULL, *CHANGES):
        own = counts.loc[net]
        row = {
            ("", "network"): escape(PRINTED_NAMES[net]),
            ("", "what is changed"): f'<span class="prose">{escape(CHANGES.get(net, "nothing"))}</span>',
            ("paper's size", "parameters (M)"): f"{own['params'] / 1e6:.3f}",
            ("paper's size", "of R(2+1)D's"): f"{own['params'] / counts.loc[BASE, 'params']:.1%}",
            ("paper's size", "GFLOPs"): f"{own['flops'] / 1e9:.2f}",
            ("paper's size", "ReLUs"): str(own["relus"]),
        }
        for plan, networks_of in recorded.items():
            texts = [missing(networks_of[net])] * 2
            if networks_of[net].done:
                metrics = networks_of[net].done[0].run.metrics
                texts = [f"{metrics['params'] / 1e6:.3f}", f"{metrics['flops'] / 1e9:.3f}"]
            row |= {(f"plan {plan}", "parameters (M)"): texts[0], (f"plan {plan}", "GFLOPs"): texts[1]}
        rows.append(row)
    return Table(
        grouped(rows),
        "Paper's size: 18 layers, 400 classes, a clip of 8 x 112 x 112, counted while this page is built. "
        "Plans: recorded with the runs. Parameters are all learnable numbers, BN's too; one multiply-add counts "
        "1, convolutions and the FC layer only.",
    )


def results_table(runs: pd.DataFrame, plan: str) -> Table:
    """Accuracy of each network and its paired differences from R(2+1)D and from R3D."""
    found, rows = networks(runs, plan), []
    for net, own in found.items():
        row = {("", "network"): escape(own.name)}
        row["accuracy (%)", CLIP] = accuracy(own, CLIP)
        row["accuracy (%)", VIDEO] = cell(own.measured(VIDEO), own)
        for name, key in (("minus R(2+1)D", BASE), ("minus R3D", FULL)):
            for measure in (CLIP, VIDEO):
                row[name, measure] = "" if key == net else _minus(own, found[key], measure)
        rows.append(row)
    return Table(grouped(rows), f"Plan {plan}. {CAPTION}")


CAPTION = f"Means over seeds; differences in points, on the same test videos. {INTERVALS}"


def _minus(own: Recorded, other: Recorded, measure: str) -> str:
    return cell(difference(own, other, measure), own, other, sign=True)


def p3d_table(runs: pd.DataFrame, plan: str) -> Table:
    """Parallel and skip minus the network that they may be compared with, which has their middle channels."""
    found, rows = networks(runs, plan), []
    for net, name in P3D.items():
        own = {measure: _minus(found[net], found[P3D_A], measure) for measure in (CLIP, VIDEO)}
        rows.append({"difference": f"{name} minus P3D-A"} | own)
    return Table(pd.DataFrame(rows), f"Plan {plan}. {CAPTION}")


def differences(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """Each network minus R(2+1)D, for the figure; networks without a complete run, or without R(2+1)D's, are left out.

    Columns: net (as printed), measure, points, low, high, size (parameters over R(2+1)D's, of the recorded runs).
    """
    found, rows = networks(runs, plan), []
    for own in [own for net, own in found.items() if net != BASE]:
        for measure in (CLIP, VIDEO):
            if (part := difference(own, found[BASE], measure)) is not None:
                size = own.done[0].run.metrics["params"] / found[BASE].done[0].run.metrics["params"]
                seen = {"points": part.points, "low": part.low, "high": part.high, "size": size}
                rows.append({"net": own.name, "measure": measure} | seen)
    return pd.DataFrame(rows, columns=["net", "measure", "points", "low", "high", "size"])
