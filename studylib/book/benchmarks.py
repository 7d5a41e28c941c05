"""Recorded benchmarks as tables that say where, when and on which commit they are from, and as a picture of a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from studylib.book.figures import COLOURS, WIDTH, drawn
from studylib.book.tables import Table
from studylib.nets.table import PAPER_NAMES
from studylib.runs.benchmarks import FOLDER, load
from studylib.runs.benchmarks import rows_of as rows_of  # for pages

# Column -> heading, where the name's own words and unit (see `heading`) do not say it well.
HEADINGS = {
    "rows": "videos",
    "per": "counted",
    "rate": "a second",
    "ms": "ms each",
    "ratio": "rate, first row = 1",
    "lowest": "lowest round",
    "highest": "highest round",
    "whole_files": "whole files, PyAV (frames/s)",
    "ffmpeg": "whole files, ffmpeg (frames/s)",
    "a_worker": "clips/s a worker",
    "gop": "frames a group",
    "crf": "quality (crf)",
    "psnr": "PSNR (dB)",
    "worst_psnr": "PSNR, worst video (dB)",
    "of_originals": "of the originals' bytes",
    "worker_mb": "a loader process more (MB)",
    "load_mb": "of the process alone (MB)",
    "order_mb": "order of an epoch (MB)",
    "counted_share": "of the peak, counted",
    "needed_share": "of the peak, needed",
    "times_torchvision": "times as fast as torchvision's",
    "waiting_share": "waits for clips",
    "pooling_fc_loss_share": "pooling, FC, loss",
    "bn_share": "BN",
    "relu_share": "ReLU",
    "size": "rows and columns",
    "gmacs": "GFLOPs (multiply-adds)",
}
# End of a column's name -> how the heading ends.
UNITS = {
    "_gmac_per_second": " (GMAC/s)",
    "_per_second": "/s",
    "_per_frame": " a frame",
    "_per_clip": " a clip",
    "_ms": " (ms)",
    "_us": " (µs)",
    "_s": " (s)",
    "_mb": " (MB)",
    "_gb": " (GB)",
    "_db": " (dB)",
    "_share": "",
}

# Segment of a bar -> columns of the benchmark `profile`; what is in none of them is the last segment, the rest.
SEGMENTS = {
    "convolution, forward": ("convolution_forward_share",),
    "convolution, backward": ("convolution_backward_share",),
    "BN": ("bn_share",),
    "ReLU, additions": ("relu_share", "additions_share"),
    "copies, casts": ("copies_and_casts_share",),
    "optimiser": ("optimiser_share",),
}
REST = "the rest"


def table(
    name: str, key: str, what: str, folder: Path = FOLDER, columns: Sequence[str] | None = None
) -> Table | Markdown:
    """A recorded table with its origin in the caption; a sentence where it is not recorded.

    Args:
        what: what the table shows, the caption's first sentence without its full stop.
        columns: those to show, in this order; all of them by default.
    """
    benchmark = load(name, folder)
    if benchmark is None or key not in benchmark.tables:
        return _not_recorded(name, what)
    rows = benchmark.tables[key]
    if columns is not None:
        kept = [column for column in columns if column in rows]
        rows = rows[kept]
    return _table(rows, f"{what}. {benchmark.origin}; to repeat it: {benchmark.command}.")


@dataclass(frozen=True)
class Recorded:
    """The tables of a benchmark, one below the other, as a notebook shows them."""

    tables: tuple[Table, ...]

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables)


def show(name: str, titles: Mapping[str, str], folder: Path = FOLDER) -> Recorded | Markdown:
    """All tables of a recorded benchmark, those with a title first; a sentence where it is not recorded.

    Args:
        titles: table -> what it shows; one that is not recorded is left out, one without title keeps its name.
    """
    benchmark = load(name, folder)
    if benchmark is None:
        return _not_recorded(name, next(iter(titles.values())))
    keys = [key for key in titles if key in benchmark.tables]
    keys += [key for key in benchmark.tables if key not in titles]
    captions = [titles.get(key, key.replace("_", " ")) for key in keys]
    captions[0] += f". {benchmark.origin}; to repeat it: {benchmark.command}"
    captions[1:] = [f"{caption}. Measured in the same call" for caption in captions[1:]]
    shown = zip(keys, captions, strict=True)
    return Recorded(tuple(_table(benchmark.tables[key], f"{caption}.") for key, caption in shown))


def _table(rows: pd.DataFrame, caption: str) -> Table:
    return Table(pd.DataFrame({heading(c): [cell(c, v) for v in rows[c]] for c in rows.columns}), caption)


def _not_recorded(name: str, what: str) -> Markdown:
    return Markdown(f"*{what}: not recorded.* `python -m tests.bench {name} --record` measures it.")


def heading(column: str) -> str:
    """ "load_s" -> "load (s)"; a column that is not known keeps its own words."""
    if column in HEADINGS:
        return HEADINGS[column]
    for ending, unit in UNITS.items():
        if column.endswith(ending) and len(column) > len(ending):
            return column.removesuffix(ending).replace("_", " ") + unit
    return column.replace("_", " ")


def cell(column: str, value: object) -> str:
    """A value as a table shows it: shares in percent, whole numbers whole, others to three figures, nothing as "–".

    Small shares have a decimal.
    """
    if value is None or value == "" or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return escape(str(value))
    if "share" in column or column == "of_originals":
        return f"{100 * value:.{0 if abs(value) >= 0.0995 else 1}f}%"
    return figures3(value)


def figures3(value: float) -> str:
    """Three figures, or all of those before the decimal point: 0.0123, 1.23, 12.3, 1,234."""
    if float(value).is_integer():
        return f"{int(value):,}"
    before = f"{abs(value):.2e}".partition("e")[2]  # the power of ten after rounding
    return f"{value:,.{min(max(0, 2 - int(before)), 6)}f}"


def segments(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a net (its printed name), a column a segment, each row adding up to 1.

    Args:
        rows: a table of the benchmark `profile`.
    """
    parts = pd.DataFrame({name: rows[list(columns)].sum(axis=1) for name, columns in SEGMENTS.items()})
    parts[REST] = 1 - parts.sum(axis=1)
    return parts.set_axis([PAPER_NAMES.get(net, net) for net in rows["net"]])


@drawn
def step_shares(tables: dict[str, pd.DataFrame]) -> Figure:
    """Shares of a training step by kind of operator: a panel a geometry, a bar a net.

    Args:
        tables: title of the panel -> `segments`.
    """
    bars = sum(map(len, tables.values()))
    figure, grid = plt.subplots(
        len(tables),
        1,
        figsize=(WIDTH, 0.34 * bars + 1.5 * len(tables)),
        squeeze=False,
        height_ratios=[len(table) for table in tables.values()],
    )
    for axes, (title, table) in zip(grid[:, 0], tables.items(), strict=True):
        left = np.zeros(len(table))
        for colour, part in zip(COLOURS, table.columns, strict=True):
            share = 100 * table[part].to_numpy()
            axes.barh(table.index, share, left=left, color=colour, edgecolor="white", linewidth=0.8, label=part)
            left += share
        axes.invert_yaxis()
        axes.set(title=title, xlim=(0, 100))
        axes.grid(axis="y", visible=False)
    grid[-1, 0].set_xlabel("share of a training step (%)")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=3, loc="outside upper center", columnspacing=1.2)
    return figure
