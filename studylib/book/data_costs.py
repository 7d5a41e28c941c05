"""The tables of the chapter on data: published counts, and disk and hours of each dataset."""

from dataclasses import asdict
from html import escape
from math import isnan
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from studylib.book import benchmarks
from studylib.book.tables import Table
from studylib.datasets.official import published_counts
from studylib.datasets.preparing import Format
from studylib.runs.cost import FLOW_BYTES, RGB_BYTES, dataset_sizes
from studylib.runs.magnitudes import disk, duration, two
from studylib.video.clips import scaled_size

CORES = 16


def counts_table() -> Table:
    """The published counts with their sources, a row a dataset and split."""
    rows = []
    for size in dataset_sizes():
        counts = published_counts(size.dataset)
        source = next((source for _, source in counts.values()), size.videos_source)
        whole = f"{size.videos:,}" if counts else f"about {size.videos:,}"
        splits = sorted({part.split()[0] for part in counts if " " in part}) or [""]
        for n, split in enumerate(splits):
            train, test = (_count(counts, split, names) for names in (("train",), ("test", "val")))
            row = {"dataset": escape(size.dataset) if n == 0 else "", "all": whole if n == 0 else ""}
            row |= {"split": split.removeprefix("split"), "train": train, "test": test}
            rows.append(row | {"source": _prose(source) if n == 0 else ""})
    return Table(
        pd.DataFrame(rows),
        "Videos as published; the test part of Kinetics is its validation videos. What can be had today is less where "
        "videos are fetched one by one.",
    )


def _count(counts: dict[str, tuple[int, str]], split: str, names: tuple[str, ...]) -> str:
    found = [counts[key][0] for name in names if (key := f"{split} {name}".strip()) in counts]
    return f"{found[0]:,}" if found else ""


def measured_preparing(folder: Path = benchmarks.FOLDER) -> tuple[float, float] | None:
    """(bytes, milliseconds of one core) a frame of the format that `--prepare` makes, by the benchmark `preparing` at
    the defaults of `Format`; None where it is not recorded."""
    rows = benchmarks.rows_of("preparing", "settings", folder)
    for column, value in asdict(Format()).items():
        if column != "resolution" and len(rows):
            rows = rows[rows[column] == value]
    if rows.empty:
        return None
    return float(rows["bytes_a_frame"].iloc[0]), 1e3 / float(rows["prepared_per_second"].iloc[0])


def estimates_table(folder: Path = benchmarks.FOLDER) -> Table:
    """Frames, disk and hours of each dataset: estimates, with "–" for what needs a benchmark that is not recorded."""
    measured = measured_preparing(folder)
    height, width = scaled_size(Format().resolution)
    rows = []
    for size in dataset_sizes():
        prepared, seconds = None, None
        if measured is not None:
            prepared, seconds = size.frames * measured[0], size.frames * measured[1] / 1e3 / CORES
        rows.append(
            {
                "dataset": escape(size.dataset),
                "videos": f"{size.videos:,}",
                "frames": f"{two(size.frames / 1e6)}\u00a0M",
                "originals, as published": disk(None if isnan(size.original_gb) else size.original_gb * 1e9),
                "prepared": disk(prepared),
                f"preparing, {CORES} cores": duration(seconds),
                f"frames at {height} x {width}": disk(size.frames * height * width * RGB_BYTES),
                "their flow": disk(size.frames * height * width * FLOW_BYTES),
            }
        )
    return Table(
        pd.DataFrame(rows),
        "Estimates, to two figures, by the assumptions below. The last two columns are what a cache of all decoded "
        "frames or flows takes, which is made only where it fits into its share of the memory (STUDY_CACHE_GB).",
    )


def assumptions_table() -> Table:
    """What the estimates rest on, a row a dataset."""
    rows = [
        {
            "dataset": escape(size.dataset),
            "length": _prose(size.length_source),
            "frames a second": _prose(f"{size.fps:g}, {size.fps_source}"),
            "originals": _prose(size.original_source or "not known to us"),
        }
        for size in dataset_sizes()
    ]
    return Table(pd.DataFrame(rows), 'What is assumed, with its source; "assumed" is a guess of ours.')


def _prose(text: str) -> str:
    return f'<span class="prose">{escape(text)}</span>'


def measured_note(folder: Path = benchmarks.FOLDER) -> Markdown:
    """The measurement that the estimates rest on."""
    measured = measured_preparing(folder)
    if measured is None:
        return Markdown("Bytes and time of a prepared frame: the benchmark `preparing` is not recorded.")
    size, milliseconds = measured
    return Markdown(
        f"A prepared frame takes {size:,.0f} bytes and {benchmarks.figures3(milliseconds)} ms of one core. "
        f"{benchmarks.load('preparing', folder).origin}, on videos of 320 x 240; larger originals take "
        f"longer to decode. {CORES} cores are taken to be {CORES} times as fast as one, and the disk to keep pace."
    )


def format_note() -> Markdown:
    """The settings that `--prepare` has, in a sentence."""
    how = Format()
    height, width = how.size
    settings = ", ".join(f"{benchmarks.heading(k)} {v}" for k, v in asdict(how).items() if k != "resolution")
    return Markdown(
        "With more keyframes fewer frames are decoded before a clip, and a video takes more bytes. `--prepare` stores "
        f"{width} x {height} pixels with these settings: {settings}. The estimates above rest on that row of the table."
    )
