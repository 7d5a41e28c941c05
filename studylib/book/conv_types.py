"""Types of convolution: Table 2 and Figure 3, published, counted and measured."""

from collections.abc import Mapping
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from studylib.book.cues import ORDER_BLIND
from studylib.book.figures import GREY, KINDS, WIDTH, Inline, drawn, kind_of, label_points
from studylib.book.tables import NOT_RUN, PLANS, accuracy, difference, links, runs_of, text
from studylib.claims.parts import Part, contrast, over_seeds
from studylib.claims.verdicts import MC, RMC
from studylib.nets.table import NETS, PAPER_NAMES
from studylib.stats import Estimate
from studylib.stats.estimates import outcomes
from studylib.stats.intervals import student_quantile

FAILURE, SPREAD = 8.0, 1.5  # points: how far a failed seed lies below the others, and their deviation, as R(2+1)D's
# Percent, of clips of 8 frames: what guessing gives and, on Pantomime, what a network reaches that sees every frame but
# not their order, and one that sees all there is (a quarter of the classes is told apart by the order of two events, of
# which such a clip shows at most one).
LEVELS: dict[str, dict[str, float]] = {
    "lips": {"chance": 10},
    "mini": {"chance": 100 / 16, "blind to order": sum(ORDER_BLIND.values()) / len(ORDER_BLIND), "ceiling": 87.5},
    "paper": {"chance": 0.25},
}


def counted() -> pd.DataFrame:
    """The twelve nets counted now, 18 layers and clips of 8 x 112 x 112 for 400 classes, in the paper's order.

    Columns: net (the paper's name), params (millions of weights, without BN and biases, as in the paper) and gflops.
    """
    from studylib.nets.complexity import count_by_name  # torch, which the rest does without

    counts = {PAPER_NAMES[key]: count_by_name(key) for key in NETS}
    rows = [{"net": net, "params": c.weights / 1e6, "gflops": c.flops / 1e9} for net, c in counts.items()]
    return pd.DataFrame(rows)


def measured(runs: pd.DataFrame) -> pd.DataFrame:
    """The networks of Table 2 as far as they are recorded, a row a plan and network, plans as in `estimates.PLANS`.

    Columns: plan, net (the paper's name), clip and video (Estimates of clip@1 and video@1), gflops (of a clip at the
    plan's size), runs (those behind the estimates) and links (to the pages of all complete ones).
    """
    rows = []
    table2 = runs[runs["experiment"] == "conv_types"]
    for plan in PLANS:
        for net in PAPER_NAMES.values():
            own = table2[(table2["plan"] == plan) & (table2["net"] == net)]
            if used := runs_of(own):
                gflops = used[0].metrics["flops"] / 1e9
                rows.append((plan, net, accuracy(own), accuracy(own, "video_top1"), gflops, used, links(own)))
    return pd.DataFrame(rows, columns=["plan", "net", "clip", "video", "gflops", "runs", "links"])


def leads(nets: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Differences in points of clip@1, as text, "not run yet" where networks lack runs: "rival", R(2+1)D minus the best
    of the others with runs, with that one's name, and "mixed", the mean of MC2 to MC5 minus that of rMC2 to rMC5.

    `nets`: the paper's name of each of the twelve -> its rows of the table of runs.
    """
    measured = {net: outcomes(done, "clip_top1") for net, rows in nets.items() if (done := runs_of(rows))}
    rival = mixed = NOT_RUN
    others = {net: contrast("", [own]).points for net, own in measured.items() if net != "R(2+1)D"}
    if others and len(others) < len(measured):
        best = max(others, key=others.__getitem__)
        lead = contrast("", [measured["R(2+1)D"]], [measured[best]])
        low, high = lead.among(len(others))  # which of them is the best was not said before the runs
        rival = f"{text(replace(lead, low=low, high=high), sign=True)}, {best}"
    early, late = ([measured[PAPER_NAMES[net]] for net in group if PAPER_NAMES[net] in measured] for group in (MC, RMC))
    if len(early + late) == len(MC + RMC):
        mixed = text(contrast("", early, late), sign=True)
    return {"rival": rival, "mixed": mixed}


@drawn
def figure3(panels: Mapping[str, pd.DataFrame], levels: Mapping[str, Mapping[str, float]], alt: str) -> Inline:
    """Accuracy against FLOPs, a panel for each source, so that no axis is shared by different data; each point has
    its numbers for a pointer.

    Args:
        panels: title (which names the data) -> table with columns net, gflops and accuracy, percent or an Estimate.
        levels: title -> name of a level -> percent.
    """
    values: dict[str, str] = {}
    figure, grid = plt.subplots(len(panels), 1, figsize=(WIDTH, 3.7 * len(panels)), squeeze=False)
    for number, (axes, (title, table)) in enumerate(zip(grid[:, 0], panels.items(), strict=True)):
        points = []
        for row in table.to_dict("records"):
            colour, marker = KINDS[kind_of(row["net"])]
            accuracy, percent = row["accuracy"], f"{row['accuracy']}"
            if isinstance(accuracy, Estimate):
                axes.vlines(row["gflops"], accuracy.low, accuracy.high, color=colour, linewidth=1)
                accuracy, percent = accuracy.points, text(accuracy)
            gid = f"point-{number}-{row['net']}"
            axes.plot(row["gflops"], accuracy, marker, color=colour, markersize=7, gid=gid)
            values[gid] = f"{row['net']}: {percent}% at {row['gflops']:.3g} GFLOPs"
            points.append((row["net"], row["gflops"], accuracy))
        axes.set(title=title, ylabel="video@1 (%)")
        axes.margins(0.1, 0.15)
        _draw_levels(axes, levels.get(title, {}))
        label_points(axes, pd.DataFrame(points, columns=["net", "gflops", "accuracy"]))
    grid[-1, 0].set_xlabel("GFLOPs of a clip (multiply-adds of convolutions and FC)")
    return Inline(figure, values, alt)


def _draw_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Lines of the levels near what is drawn; of others their number at the edge, so that points keep their room."""
    low, high = axes.get_ylim()
    beyond = []
    for name, level in levels.items():
        if low - 8 <= level <= high + 8:
            axes.axhline(level, color="black", linewidth=1, linestyle=(0, (4, 2)))
            axes.annotate(f"{name} {level:.3g}%", (1, level), xycoords=axes.get_yaxis_transform(), xytext=(0, 2),
                          textcoords="offset points", ha="right", fontsize=10)  # fmt: skip
        else:
            beyond.append(f"{name} {level:.3g}% {'↓' if level < low else '↑'}")
    axes.text(1, 0.02, "   ".join(beyond), transform=axes.transAxes, ha="right", fontsize=10, color=GREY)


def main_gap(runs: pd.DataFrame) -> pd.DataFrame:
    """R(2+1)D minus R3D in points of clip@1 by all runs and by parts of them, a row for each plan and part with both.

    Columns: plan, by, seeds ("10 and 5"), gap (Estimate). Parts: the seeds that both have, since R(2+1)D may have more;
    and the seeds made wholly on a CPU, or on a GPU, since a plan's runs may be from both.
    """
    own = runs[(runs["experiment"] == "conv_types") & runs["net"].isin(["R(2+1)D", "R3D"])]
    on_gpu = pd.Series([run is not None and run.provenance["device"] != "cpu" for run in own["result"]], own.index)
    made = on_gpu.groupby([own["plan"], own["net"], own["seed"]])
    own = own.assign(all_on_gpu=made.transform("all"), any_on_gpu=made.transform("any"))
    rows = []
    for plan in PLANS:
        pair = [own[(own["plan"] == plan) & (own["net"] == net)] for net in ("R(2+1)D", "R3D")]
        both = set(pair[0]["seed"]) & set(pair[1]["seed"])
        parts = {
            "all runs": pair,
            "the seeds that both have": [net[net["seed"].isin(both)] for net in pair],
            "runs on a CPU": [net[~net["any_on_gpu"]] for net in pair],
            "runs on a GPU": [net[net["all_on_gpu"]] for net in pair],
        }
        for by, (ours, theirs) in parts.items():
            if (gap := difference(ours, theirs)) is not None:
                rows.append((plan, by, " and ".join(str(len(seeds)) for seeds in gap.seeds), gap))
    table = pd.DataFrame(rows, columns=["plan", "by", "seeds", "gap"])
    return table[~table.duplicated(["plan", "seeds"]) | (table["by"] == "all runs")]  # a part that is all says nothing


def by_machine(runs: pd.DataFrame) -> tuple[int, Part | None, Part | None]:
    """Whether it matters where complete runs of one plan were made, in points of clip@1: how many networks have runs on
    both a CPU and a GPU; the mean over those of CPU minus GPU (Student's interval over networks); and R(2+1)D minus R3D
    on the CPU minus the same on the GPU (Welch's over seeds). None where there are no such runs."""
    on_cpu = runs["result"].map(lambda run: run.provenance["device"] == "cpu").astype(bool)
    clips = runs.groupby(["net", on_cpu])["clip_top1"].apply(list).unstack()
    if {*clips.columns} != {False, True}:
        return 0, None, None
    both = clips.dropna()
    shifts = [float(np.mean(cpu) - np.mean(gpu)) for cpu, gpu in zip(both[True], both[False], strict=True)]
    larger = None
    if {"R(2+1)D", "R3D"} <= {*both.index}:
        ours, theirs = both.loc["R(2+1)D"], both.loc["R3D"]
        larger = over_seeds("", [ours[True], theirs[False]], [theirs[True], ours[False]])
    return len(both), over_seeds("", [shifts]), larger


def covered(seeds: int) -> float:
    """The share of simulated studies whose Student interval over seeds covers the mean; a tenth of the seeds fail."""
    rng, studies = np.random.default_rng(0), 200_000
    drawn = SPREAD * rng.normal(size=(studies, seeds)) - FAILURE * (rng.random((studies, seeds)) < 0.1)
    half = student_quantile(0.975, seeds - 1) * drawn.std(1, ddof=1) / seeds**0.5
    return float((abs(drawn.mean(1) + FAILURE / 10) <= half).mean())
