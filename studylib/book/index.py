"""Page 1: Table 2 of the paper beside ours, and one clip played forwards and backwards with what networks call it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from studylib.book.conv_types import LEVELS
from studylib.book.cues import classes
from studylib.book.figures import GREY, KINDS, WIDTH, drawn, intervals, kind_of
from studylib.book.gallery import looping
from studylib.book.tables import PLANS
from studylib.datasets.pantomime import ACTIONS, frames
from studylib.datasets.pantomime.knobs import at_difficulty
from studylib.stats import Estimate

ORDERS = {"normal": "forwards", "reversed": "backwards"}


@drawn
def accuracies(printed: pd.DataFrame, ours: Mapping[str, Mapping[str, Estimate | None]]) -> Figure:
    """Clip accuracy of the twelve networks, a row each: left of `published.table2()`, then ours with its interval.

    `ours`: plan -> the paper's name of a network -> its accuracy; a plan without any gets no panel.
    """
    rows = range(len(printed))[::-1]
    there = {plan: found for plan, found in ours.items() if any(found.values())}
    figure, (left, *panels) = plt.subplots(1, 1 + len(there), figsize=(1.25 * WIDTH, 2.7), sharey=True)
    columns = printed[["net", "paper_clip_top1", "vmz_clip_top1"]].itertuples(index=False)
    for y, (net, paper, vmz) in zip(rows, columns, strict=True):
        colour, marker = KINDS[kind_of(net)]
        left.plot(paper, y, marker, color=colour, markersize=7)
        left.plot(vmz, y, marker, color=colour, markersize=7, markerfacecolor="white")
        for panel, found in zip(panels, there.values(), strict=True):
            if own := found[net]:
                intervals(panel, [own], [y], across=True, fmt=marker, color=colour, markersize=7, capsize=3)
    left.set(yticks=rows, yticklabels=printed["net"], title="Kinetics-400, published", xlabel="clip@1 (%)")
    for panel, plan in zip(panels, there, strict=True):
        panel.set(title=PLANS[plan], xlabel="clip@1 (%)", ylim=(-0.6, len(printed) + 0.1))
        for what, level in LEVELS[plan].items():
            if what != "ceiling":
                panel.axvline(level, color=GREY, linewidth=1, linestyle=(0, (1, 1.5)))
                panel.annotate(what, (level, len(printed) - 0.45), ha="center", fontsize=10, color=GREY)
    return figure


def answers(runs: pd.DataFrame, nets: Sequence[str], plan: str = "mini") -> pd.DataFrame:
    """What the seeds of a network call each test video, forwards and backwards.

    Columns: video, label (its class), net, order (a value of `ORDERS`), named (a class), share (of the seeds that name
    the video so); a row for each class that a seed names. `nets` by the paper's names.
    """
    own = runs[(runs["plan"] == plan) & runs["net"].isin(nets) & (runs["depth"] == 18) & (runs["state"] == "complete")]
    own = own.query("experiment == 'conv_types' or (experiment == 'cues' and frame_order == 'reversed')")
    tables = []
    for net, order, run in zip(own["net"], own["frame_order"], own["result"], strict=True):
        test, classes = run.predictions, np.array(run.predictions.classes)
        named = {"video": test.videos, "label": classes[test.labels], "named": classes[test.scores.argmax(1)]}
        tables.append(pd.DataFrame(named).assign(net=net, order=ORDERS[order]))
    keys = ["video", "label", "net", "order"]
    return (
        pd.concat(tables).groupby(keys, sort=False)["named"].value_counts(normalize=True).rename("share").reset_index()
    )


def flipped(answered: pd.DataFrame) -> pd.Series:
    """Net -> percent of the videos of direction classes in `answers` that backwards are called the opposite class."""
    known = classes().query("cue == 'direction'")
    opposite = {a: b for pair in known["pair"] for a, b in [pair.split(" | "), pair.split(" | ")[::-1]]}
    rows = answered[(answered["order"] == "backwards") & answered["label"].isin(opposite)]
    right = rows["share"].where(rows["named"] == rows["label"].map(opposite), 0)
    return 100 * right.groupby(rows["net"]).sum() / rows["video"].nunique()


def clip(video: str, answered: pd.DataFrame) -> HTML:
    """A test video ("videos/test/circle_cw_00004.mp4") of Pantomime's study, rendered anew, looping, left forwards and
    right backwards; below, what most seeds of each network call it in `answers`."""
    own = answered[answered["video"] == video]
    action, number = own["label"].iloc[0], int(Path(video).stem.rpartition("_")[2])
    rgb = frames(action, "test", number, 2018, at_difficulty(1.0))  # the seed and difficulty of runs/mini.yaml
    called = own.sort_values("share").groupby(["net", "order"], sort=False).last()
    table = called["named"].unstack().loc[list(dict.fromkeys(answered["net"])), list(ORDERS.values())]
    table["opposite"] = flipped(answered).map("{:.0f}%".format)
    label = f"One clip, left forwards, right backwards. {action}: {ACTIONS[action].description}."
    moving = looping(np.concatenate([rgb, rgb[::-1]], axis=2), label)  # (T, H, 2 W, 3)
    shown = table.rename_axis(index="network", columns=None).reset_index()
    shown = shown.to_html(index=False, border=0, classes="study-table")
    return HTML(f'<div class="gallery motion first">{moving}{shown}</div>')
