"""The chapter on clip length (section 4.3): R(2+1)D-18 trained, moved and fine-tuned to other lengths."""

from collections.abc import Mapping
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, VERMILION, WIDTH, drawn, intervals
from studylib.book.tables import accuracy, difference, links, runs_of
from studylib.claims.parts import contrast
from studylib.claims.verdicts import clip_correlation, right_by
from studylib.stats import Estimate
from studylib.stats.estimates import MEASURES, change, outcomes
from studylib.training.evaluation import WAYS, Predictions

SCRATCH, MOVED, TUNED = "trained at its own length", "tested as it is", "fine-tuned"


def networks(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """The planned runs of a plan's experiment on clip length, of the closest frames, with columns `how` (`SCRATCH`,
    `MOVED` or `TUNED`), `trained_at` (the clip length at which a run's weights were first trained) and `training_clips`
    (of its own training, or where it has none of its weights'). `runs`: `results.table()`.
    """
    own = runs[(runs["plan"] == plan) & (runs["experiment"] == "clip_length") & (runs["net_key"] == "r2plus1d")]
    own = own[own["frame_step"] == own["frame_step"].min()]
    keyed = runs.set_index("run:" + runs["plan"] + "/" + runs["experiment"] + "/" + runs["run"])
    starts = keyed.reindex(own["init_from"]).set_axis(own.index)  # of those from scratch there is none
    trained_at = starts["clip_length"].fillna(own["clip_length"]).astype(int)
    clips, given = (rows["epochs"] * rows["clips_per_epoch"] for rows in (own, starts))
    clips = clips.where(own["epochs"] > 0, given)
    tested_only, same = own["epochs"] == 0, trained_at == own["clip_length"]
    how = np.select([same, tested_only], [SCRATCH, MOVED], TUNED)
    return own.assign(how=how, trained_at=trained_at, training_clips=clips)


def joins(runs: pd.DataFrame) -> pd.DataFrame:
    """What other ways of joining a video's clip scores gain over their mean, averaged over Table 2's networks, those of
    one plan with complete runs: columns way and gain (a Part, points of video@1). `runs`: of `results.table()`."""
    nets = [done for _, own in runs[runs["experiment"] == "conv_types"].groupby("net_key") if (done := runs_of(own))]
    by_mean = [outcomes(net, "video_top1") for net in nets]
    rows = []
    for way in WAYS if nets else ():
        gains = [outcomes(net, partial(right_by, way)).minus(mean) for net, mean in zip(nets, by_mean, strict=True)]
        rows.append((way, contrast("", gains)))
    return pd.DataFrame(rows, columns=["way", "gain"])


def averaging_gain(predictions: Predictions) -> np.ndarray:
    """(V,) points, whose mean is video@1 minus clip@1: what averaging the scores of all clips gains over one clip."""
    return 100 * (MEASURES["video_top1"](predictions) - MEASURES["clip_top1"](predictions))


def by_length(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a clip length of networks that were trained and tested at it, those with complete runs.

    Columns: frames, GFLOPs (a clip, as recorded), clip and video (accuracies, percent), gain (video@1 minus clip@1,
    points), correlation (of the clips of a video, see `clip_correlation`): estimates; runs.
    """
    found = []
    for frames, own in rows.groupby("clip_length"):
        if runs_of(own):
            estimates = [accuracy(own, measure) for measure in ("clip_top1", "video_top1", averaging_gain)]
            related = accuracy(own, clip_correlation).within(-1, 1)
            found.append((frames, own["flops"].max() / 1e9, *estimates, related, links(own)))
    return pd.DataFrame(found, columns=["frames", "GFLOPs", "clip", "video", "gain", "correlation", "runs"])


@drawn
def figure5(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Clip@1 and video@1 against clip length with 95% intervals, a panel for each title -> `by_length`, none empty."""
    figure, grid = plt.subplots(len(panels), 1, figsize=(WIDTH, 3.1 * len(panels)), squeeze=False)
    for axes, (title, table) in zip(grid[:, 0], panels.items(), strict=True):
        for column, colour, marker in (("clip", BLUE, "o"), ("video", VERMILION, "s")):
            intervals(axes, table[column], table["frames"], color=colour, marker=marker, capsize=3)
            end = (table["frames"].iloc[-1], table[column].iloc[-1].points)
            axes.annotate(f"{column}@1", end, (7, 0), textcoords="offset points", color=colour, va="center")
        axes.set(title=title, ylabel="accuracy (%)", xticks=table["frames"])
        axes.margins(x=0.12, y=0.15)
    grid[-1, 0].set_xlabel("frames of a clip, in training and test")
    return figure


def experiments(networks: pd.DataFrame) -> dict[str, Estimate | float | None]:
    """Section 4.3's two experiments: clip@1 of the short network on short clips, on long ones as it is, fine-tuned to
    long, and of the one trained on long clips; their differences; and the share of the multiply-adds of training that
    short clips and fine-tuning save. None where a run is missing. `networks`: of one plan.
    """
    moved, tuned = (networks[networks["how"] == how] for how in (MOVED, TUNED))
    came = pd.concat([moved, tuned])
    scratch = networks[networks["how"] == SCRATCH]
    short, long = (scratch[scratch["clip_length"] == came[column].max()] for column in ("trained_at", "clip_length"))
    seeds = {run.spec.seed for run in runs_of(short)} & {run.spec.seed for run in runs_of(moved)}
    loss = None
    if seeds:
        loss = change(*(outcomes(runs_of(own[own["seed"].isin(seeds)]), "clip_top1") for own in (short, moved)))
    work = [(own["flops"] * own["training_clips"]).max() for own in (short, tuned, long)]
    saved = 1 - (work[0] + work[1]) / work[2] if all(map(runs_of, (short, tuned, long))) else None
    return {
        "the short network on short clips": accuracy(short),
        "the short network on long clips": accuracy(moved),
        "the short network on long clips: loss": loss,
        "fine-tuned to long clips": accuracy(tuned),
        "trained on long clips from scratch": accuracy(long),
        "fine-tuned minus from scratch": difference(tuned, long),
        "fine-tuned minus the short network": difference(tuned, short),
        "share of multiply-adds saved": saved,
    }
