"""Recorded benchmarks as tables that say where, when and on which commit they are from."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from studylib.book.tables import Table
from studylib.runs.benchmarks import FOLDER, device_name, load

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


def rows_of(name: str, key: str, folder: Path = FOLDER) -> pd.DataFrame:
    """A recorded table with its numbers as they were measured; empty where it is not recorded."""
    benchmark = load(name, folder)
    return pd.DataFrame() if benchmark is None else benchmark.tables.get(key, pd.DataFrame())


def show(
    name: str, titles: Mapping[str, str], columns: Sequence[str] | None = None, folder: Path = FOLDER
) -> HTML | Markdown:
    """Tables of a recorded benchmark, one below the other, with their origin; a sentence where it is not recorded.

    Args:
        titles: table -> what it shows, the first words of its caption; one that is not recorded is left out.
        columns: those to show, in this order; all of them by default.
    """
    benchmark = load(name, folder)
    there = {} if benchmark is None else {key: what for key, what in titles.items() if key in benchmark.tables}
    if not there:
        what = next(iter(titles.values()))
        return Markdown(f"*{what}: not recorded.* `python -m tests.bench {name} --record` measures it.")
    captions = [f"{what}. Measured in the same call." for what in there.values()]
    machine = device_name("cpu", benchmark.cpu, benchmark.threads)
    commit = benchmark.commit[:10] + ("" if benchmark.source_clean else " (modified)")
    origin = f"Measured on {machine}, on {benchmark.measured[:10]} at commit {commit}"
    captions[0] = f"{next(iter(there.values()))}. {origin}; to repeat it: {benchmark.command}."
    html = ""
    for key, caption in zip(there, captions, strict=True):
        rows = benchmark.tables[key]
        shown = [column for column in columns or rows if column in rows]
        html += Table(pd.DataFrame({heading(c): [cell(c, v) for v in rows[c]] for c in shown}), caption)._repr_html_()
    return HTML(html)


def heading(column: str) -> str:
    """ "load_s" -> "load (s)"; a column that is not known keeps its own words."""
    if column in HEADINGS:
        return HEADINGS[column]
    for ending, unit in UNITS.items():
        if column.endswith(ending) and len(column) > len(ending):
            return column.removesuffix(ending).replace("_", " ") + unit
    return column.replace("_", " ")


def cell(column: str, value: object) -> str:
    """A value as a table shows it: shares in percent, whole numbers whole, others to three figures, nothing as "–"."""
    if value is None or value == "" or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return escape(str(value))
    if "share" in column or column == "of_originals":
        return f"{100 * value:.{0 if abs(value) >= 0.0995 else 1}f}%"
    # three figures, or all of those before the decimal point: 0.0123, 1.23, 12.3, 1,234
    if float(value).is_integer():
        return f"{int(value):,}"
    before = f"{abs(value):.2e}".partition("e")[2]  # the power of ten after rounding
    return f"{value:,.{min(max(0, 2 - int(before)), 6)}f}"
