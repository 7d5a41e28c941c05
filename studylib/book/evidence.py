"""Other people's numbers for the paper's networks beside the paper's, and what moves an accuracy."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import kendalltau

from studylib.book.figures import GREY, KINDS, WIDTH, drawn, kind_of
from studylib.claims import published

MEASURES = {"clip_top1": "clip@1", "video_top1": "video@1"}
PAPER, VMZ8, VMZ16 = "paper, 8 frames", "VMZ, 8 frames", "VMZ, 16 frames"


def trainings() -> dict[str, pd.DataFrame]:
    """The twelve networks' three published trainings, each a row a net in the paper's order: clip@1 and video@1."""
    vmz = published.table("vmz_released_models").query("depth == 18")
    tables = {PAPER: published.table("table2_conv_types")}
    tables |= {VMZ8: vmz.query("clip_frames == 8"), VMZ16: vmz.query("clip_frames == 16")}
    order = tables[PAPER]["net"]
    return {
        name: rows.set_index("net").loc[order, [*MEASURES]].rename(columns=MEASURES) for name, rows in tables.items()
    }


def changes() -> pd.DataFrame:
    """What one change of recipe moves, in points: columns change, compared, measure, mean, low, high (range), nets."""
    twelve, columns = trainings(), [*MEASURES.values()]
    other = published.table("other_reproductions").rename(columns=MEASURES)

    def of(source: str, **names: str) -> pd.DataFrame:
        rows = other[other["source"].str.contains(source, regex=False)].set_index("net")[columns]
        return rows.rename(index=names)

    paper = published.table("table4_kinetics").query("method == 'R(2+1)D-RGB'").set_index("pretraining")["top1"]
    theirs, frames, video = of("torchvision"), of("mmaction2"), lambda points: pd.DataFrame({"video@1": points})
    found = {
        ("another training by the same group", "VMZ minus paper, 8 frames"): twelve[VMZ8] - twelve[PAPER],
        ("16 frames, not 8", "VMZ"): twelve[VMZ16] - twelve[VMZ8],
        ("Sports-1M before Kinetics", "VMZ, R(2+1)D-34, 32 frames"): of("RGB; Sports-1M") - of("RGB; Kinetics only"),
        ("Sports-1M before Kinetics", "paper, R(2+1)D-34"): video([paper["Sports-1M"] - paper["none"]]),
        ("15 frames a second, 5 clips, another training", "torchvision minus VMZ, 16 frames"): (
            of("torchvision", r3d_18="R3D", mc3_18="MC3") - twelve[VMZ16]
        ),
        ("mean of 5 clips, not one clip", "torchvision, the same weights"): video(theirs["video@1"] - theirs["clip@1"]),
        ("32 frames at stride 2, not 8 at stride 8", "mmaction2, R(2+1)D-34"): frames[-1:] - frames[:1],
    }
    rows = [
        (change, compared, measure, *values.agg(["mean", "min", "max", "count"]))
        for (change, compared), points in found.items()
        for measure, values in points.items()
        if values.notna().any()
    ]
    names = ["change", "compared", "measure", "mean", "low", "high", "nets"]
    return pd.DataFrame(rows, columns=names).astype({"nets": int})


@drawn
def scatter() -> Figure:
    """The paper's accuracies against VMZ's at 8 frames, clip and video, a point a net; on the line both are equal."""
    tables = trainings()
    figure, both = plt.subplots(1, 2, figsize=(WIDTH, 4.2))
    for axes, measure in zip(both, MEASURES.values(), strict=True):
        x, y = tables[PAPER][measure], tables[VMZ8][measure]
        for kind, (colour, marker) in KINDS.items():
            own = x.index.map(kind_of) == kind
            axes.plot(x[own], y[own], marker, color=colour, label=kind, markersize=7)
        ends = [min(x.min(), y.min()) - 0.5, max(x.max(), y.max()) + 0.5]
        axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=(0, (4, 2)))
        axes.set(title=measure, xlabel=f"{PAPER} (%)", ylabel=f"{VMZ8} (%)", aspect="equal")
    handles, labels = both[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=len(labels), loc="outside lower center", handletextpad=0.2)
    return figure


class Agreement(NamedTuple):
    """Kendall's tau of two rankings of the same items, with a 95% interval."""

    tau: float
    low: float
    high: float


def rank_agreement(x: Sequence[float], y: Sequence[float], resamples: int = 10_000, seed: int = 0) -> Agreement:
    """Kendall's tau-b (it allows for ties) and its percentile interval from resampling the items with replacement.

    A pair of two copies of one item says nothing and is left out, as tau-b does with any tie in both rankings.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3:
        raise ValueError(f"rankings of {x.size} and {y.size} items: needs the same number in both, at least 3")
    # signs of all pairs; a resample is how often each item is in it, and counts each pair that often
    signs_x, signs_y = (np.sign(v[:, None] - v[None, :]) for v in (x, y))  # (n, n)
    times = np.random.default_rng(seed).multinomial(len(x), np.full(len(x), 1 / len(x)), resamples).astype(float)
    together, ordered_x, ordered_y = (
        ((times @ pairs) * times).sum(1) for pairs in (signs_x * signs_y, signs_x**2, signs_y**2)
    )
    known = (ordered_x > 0) & (ordered_y > 0)  # a resample of one item only has no ranking
    taus = together[known] / np.sqrt(ordered_x[known] * ordered_y[known])
    low, high = np.percentile(taus, [2.5, 97.5])
    return Agreement(float(kendalltau(x, y).statistic), float(low), float(high))
