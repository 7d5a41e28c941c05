"""Table 2 and Figure 3: types of convolution, published, counted and measured."""

from collections.abc import Mapping

import pandas as pd

from studylib.book.cells import INTERVALS, accuracy, cell, missing
from studylib.book.figures import histories
from studylib.book.tables import Table
from studylib.claims import published
from studylib.claims.recorded import Recorded, network
from studylib.claims.verdicts_evidence import Evidence, printed
from studylib.claims.verdicts_intervals import CLIP, VIDEO
from studylib.nets.table import NETS, PAPER_NAMES
from studylib.runs.results import title_of

PLANS = ("paper", "mini", "quick")  # the paper's own settings first
# The networks whose error curves are drawn into one figure, since twelve at once cannot be told apart; R(2+1)D in each.
CURVES = (
    ("R2D", "f-R2D", "R3D", "R(2+1)D"),
    ("MC2", "MC3", "MC4", "MC5", "R(2+1)D"),
    ("rMC2", "rMC3", "rMC4", "rMC5", "R(2+1)D"),
)


def counted() -> pd.DataFrame:
    """The twelve nets counted now, 18 layers and clips of 8 x 112 x 112 for 400 classes, in the paper's order.

    Columns: net (the paper's name), params (millions of weights, without BN and biases, as in the paper) and gflops.
    """
    from studylib.nets.complexity import count_by_name  # torch, which the other tables do without

    rows = []
    for key in NETS:
        complexity = count_by_name(key)
        rows.append({"net": PAPER_NAMES[key], "params": complexity.weights / 1e6, "gflops": complexity.flops / 1e9})
    return pd.DataFrame(rows)


def networks(runs: pd.DataFrame, plan: str) -> dict[str, Recorded]:
    """By the paper's name the twelve nets as a plan's runs of this table have them, complete or not.

    Args:
        runs: `results.load_all_runs()`.
        plan: one of which `runs` has rows.
    """
    evidence = Evidence(runs, plan)
    return {name: network(evidence, printed(key), ("conv_types",), net=key) for key, name in PAPER_NAMES.items()}


def table2(runs: pd.DataFrame, counts: pd.DataFrame) -> Table:
    """Table 2: a row a net; published, counted and measured columns.

    Args:
        runs: `results.load_all_runs()`.
        counts: `counted()`.
    """
    rows = published.table2().merge(counts, on="net", validate="one_to_one")
    columns = {
        ("", "net"): rows["net"],
        ("parameters (M)", "paper"): rows["paper_params"].map("{:.1f}".format),
        ("parameters (M)", "counted"): rows["params"].map("{:.3f}".format),
        ("GFLOPs", "VMZ"): rows["vmz_gflops"].map("{:.1f}".format),
        ("GFLOPs", "counted"): rows["gflops"].map("{:.3f}".format),
        ("paper, Kinetics-400", "clip@1"): rows["paper_clip_top1"].map("{:.1f}".format),
        ("paper, Kinetics-400", "video@1"): rows["paper_video_top1"].map("{:.1f}".format),
        ("VMZ, Kinetics-400", "clip@1"): rows["vmz_clip_top1"].map("{:.1f}".format),
        ("VMZ, Kinetics-400", "video@1"): rows["vmz_video_top1"].map("{:.1f}".format),
    }
    for plan in _plans(runs):
        own = networks(runs, plan)
        heading = f"ours, {'quick (smoke check)' if plan == 'quick' else plan}"
        if not any(net.done for net in own.values()):  # one column of nothing is enough
            columns[heading, "clip@1, video@1"] = [missing(own[net]) for net in rows["net"]]
            continue
        columns[heading, "clip@1"] = [cell(own[net].measured(CLIP), own[net]) for net in rows["net"]]
        columns[heading, "video@1"] = [accuracy(own[net], VIDEO) for net in rows["net"]]
    caption = (
        f"Types of convolution, 18 layers, clips of 8 frames. Paper: {published.PAPER}, Table 2. VMZ: {published.VMZ}. "
        "Accuracies in percent, to be compared within a column: data or training differ from column to column. "
        f"{INTERVALS}"
    )
    return Table(pd.DataFrame(columns), caption)


def figure3_panels(counts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Published accuracies against counted FLOPs, a panel a source, for `figures.accuracy_against_flops`."""
    rows = published.table2().merge(counts, on="net")
    return {
        "Paper (Table 2), Kinetics-400 validation": rows.rename(columns={"paper_video_top1": "accuracy"}),
        "VMZ's released models, 8 frames, Kinetics-400 validation": rows.rename(columns={"vmz_video_top1": "accuracy"}),
    }


def our_panels(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Measured accuracies of each plan with complete runs against FLOPs counted at that plan's sizes; {} for none."""
    panels = {}
    for plan in _plans(runs):
        rows = []
        for name, own in networks(runs, plan).items():
            if part := own.measured(VIDEO):
                run = own.done[0].run
                rows.append(
                    {"net": name, "gflops": run.metrics["flops"] / 1e9, "accuracy": part.points}
                    | {"low": part.low, "high": part.high, "dataset": run.spec.dataset}
                )
        if rows:
            panels[f"{title_of(runs, plan)}\n({rows[0]['dataset']})"] = pd.DataFrame(rows)
    return panels


def curves(own: Mapping[str, Recorded]) -> list[pd.DataFrame]:
    """For each of `CURVES` a history of each network, for `figures.training_curves`: the mean of the seeds that are
    complete, since lines of all seeds bury each other. A figure of which no network but R(2+1)D has any is left out.

    Args:
        own: `networks`.
    """
    wanted = [nets for nets in CURVES if any(own[net].done for net in nets[:-1])]
    tables = [histories([planned.run for net in nets for planned in own[net].done]) for nets in wanted]
    columns = ["train_error", "test_error"]
    means = [table.groupby(["net", "epoch"], sort=False, as_index=False)[columns].mean() for table in tables]
    return [mean.assign(run=mean["net"]) for mean in means]


def _plans(runs: pd.DataFrame) -> list[str]:
    return [plan for plan in PLANS if (runs["plan"] == plan).any()]
