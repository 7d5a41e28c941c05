"""The figures of the chapter on factorising: errors against epochs (Figure 4), and differences from R(2+1)D."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, GREY, KINDS, STYLE, VERMILION, WIDTH
from studylib.book.mechanism import ALIKE
from studylib.claims.verdicts_depth import DEPTHS
from studylib.claims.verdicts_intervals import CLIP, VIDEO

LOOKS = {net: KINDS[net] for net in ("R3D", "R(2+1)D")}  # with markers, since in grey the colours are alike
# Column of the history -> line: training thin and dashed, test thick.
LINES = {
    "train_error": {"linewidth": 1.2, "linestyle": (0, (4, 1.5)), "markersize": 4},
    "test_error": {"linewidth": 2.4, "linestyle": "-", "markersize": 6},
}


def figure4(curves: pd.DataFrame, title: str = "") -> Figure:
    """Training and test errors against epochs, a panel a depth: means over the seeds, and each seed faintly.

    Args:
        curves: `depth.curves`, with at least one run.
    """
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(1, len(DEPTHS), figsize=(WIDTH, 4.4), sharey=True)
        for axes, depth in zip(grid, DEPTHS, strict=True):
            own = curves[curves["depth"] == depth]
            for net, (colour, marker) in LOOKS.items():
                _errors(axes, own[own["net"] == net], colour, marker)
            if missing := [net for net in LOOKS if net not in set(own["net"])]:
                text = f"{', '.join(missing)}: not run"
                axes.text(0.97, 0.93, text, transform=axes.transAxes, ha="right", color=GREY, style="italic")
            axes.set(title=f"{depth} layers", xlabel="epoch", ylim=(0, None))
            axes.xaxis.get_major_locator().set_params(integer=True)
        grid[0].set_ylabel("error (%)")
        handles = [plt.Line2D([], [], color=c, marker=m, linewidth=2, label=net) for net, (c, m) in LOOKS.items()]
        for look, name in zip(LINES.values(), ("training", "test, middle clips"), strict=True):
            line = {"linewidth": look["linewidth"], "linestyle": look["linestyle"]}
            handles.append(plt.Line2D([], [], color="black", label=name, **line))
        figure.legend(handles=handles, ncols=2, loc="outside lower center")
        figure.suptitle(title)
        plt.close(figure)
        return figure


def _errors(axes: Axes, table: pd.DataFrame, colour: str, marker: str) -> None:
    """Both errors of one network."""
    if table.empty:
        return
    for column, look in LINES.items():
        mean = table.groupby("epoch")[column].mean()
        axes.plot(mean.index, mean, color=colour, marker=marker, markevery=max(1, len(mean) // 6), **look)
        if table["seed"].nunique() > 1:
            for _, seed in table.groupby("seed"):
                faint = {"linestyle": look["linestyle"], "linewidth": 0.8, "alpha": 0.35}
                axes.plot(seed["epoch"], seed[column], color=colour, **faint)


def differences(table: pd.DataFrame) -> Figure:
    """Each network minus R(2+1)D with 95% intervals; hollow where the network has another size.

    Args:
        table: `mechanism.differences`, with at least one row.
    """
    nets = list(dict.fromkeys(table["net"]))
    looks = {CLIP: (BLUE, "o", -0.16), VIDEO: (VERMILION, "s", 0.16)}
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH, 0.52 * len(nets) + 1.6))
        axes.axvline(0, color="black", linewidth=1.2)
        for _, row in table.iterrows():
            colour, marker, shift = looks[row["measure"]]
            spread = np.array([[row["points"] - row["low"]], [row["high"] - row["points"]]])
            face = colour if abs(row["size"] - 1) <= ALIKE else "white"
            axes.errorbar(row["points"], nets.index(row["net"]) + shift, xerr=spread, fmt=marker, color=colour,
                          markerfacecolor=face, markersize=7, capsize=3, elinewidth=1.2)  # fmt: skip
        axes.set(ylim=(len(nets) - 0.5, -0.5), xlabel="points, network minus R(2+1)D")
        axes.set_yticks(range(len(nets)), [_label(table[table["net"] == net].iloc[0]) for net in nets])
        axes.grid(axis="y", visible=False)
        handles = [plt.Line2D([], [], color=c, marker=m, label=name) for name, (c, m, _) in looks.items()]
        if (abs(table["size"] - 1) > ALIKE).any():
            hollow = {"color": GREY, "marker": "o", "markerfacecolor": "white", "linestyle": "none"}
            handles.append(plt.Line2D([], [], **hollow, label="of another size"))
        figure.legend(handles=handles, ncols=3, loc="outside lower center", handletextpad=0.4)
        plt.close(figure)
        return figure


def _label(row: pd.Series) -> str:
    """The net's name in two lines: R(2+1)D, which all but one start with, is left out, and another size is told."""
    name = row["net"].removeprefix("R(2+1)D, ")
    return name if abs(row["size"] - 1) <= ALIKE else f"{name}\n{row['size']:.0%} of the parameters"
