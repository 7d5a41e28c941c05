"""What the datasets of the paper take: published counts, and disk and hours estimated from them and from benchmarks.

An estimate is videos x seconds x frames a second (`runs/dataset_sizes.csv`, each with its source or the word
"assumed") times bytes or milliseconds a frame, as the benchmark `preparing` measured them on videos of UCF101.
"""

import csv
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from studylib.datasets.report import published_counts
from studylib.datasets.transcoding import Format
from studylib.runs import benchmarks

RGB_BYTES, FLOW_BYTES = 3, 4  # a pixel: uint8 x 3, float16 x 2


@dataclass(frozen=True)
class Size:
    """How much video a dataset holds, with where each number is from."""

    dataset: str
    videos: int
    frames: float
    length: str  # where the length of its videos is from
    rate: str  # frames a second, and where they are from
    original_gb: float | None  # as somebody published it
    original_source: str
    videos_source: str  # of the number of videos where no counts are published, else ""


def sizes() -> list[Size]:
    """A size for each dataset that the paper trains on, and the larger Kinetics, in the order of the chapter."""
    text = (files("studylib.runs") / "dataset_sizes.csv").read_text(encoding="utf-8")
    return [_size(row) for row in csv.DictReader(text.splitlines())]


def _size(row: dict[str, str]) -> Size:
    counts = published_counts(row["dataset"])
    videos = int(row["videos"]) if row["videos"] else all_of(counts)
    seconds = 3600 * float(row["hours"]) if row["hours"] else videos * float(row["seconds_a_video"])
    rate = f"{row['fps']}, {row['fps_source']}"
    original = float(row["original_gb"]) if row["original_gb"] else None
    frames = seconds * float(row["fps"])
    sources = (row["original_source"], row["videos_source"])
    return Size(row["dataset"], videos, frames, row["length_source"], rate, original, *sources)


def all_of(counts: dict[str, tuple[int, str]]) -> int:
    """All videos of a dataset by its published parts."""
    return counts["all"][0] if "all" in counts else sum(videos for videos, _ in counts.values())


@dataclass(frozen=True)
class Preparing:
    """What the recorded benchmark says of the format that `--prepare` makes."""

    bytes_a_frame: float
    ms_a_frame: float | None  # of one core; None where the benchmark does not say
    whole: bool  # whether that is all of it, with decoding the original and comparing, or encoding alone


def measured_preparing(folder: Path = benchmarks.FOLDER) -> Preparing | None:
    """The row of the benchmark `preparing` that is measured at the defaults of `Format`; None without one."""
    rows = benchmarks.rows_of("preparing", "settings", folder)
    wanted = {key: value for key, value in asdict(Format()).items() if key != "resolution"}
    if not {*wanted, "bytes_a_frame"} <= {*rows}:
        return None
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    if rows.empty:
        return None
    row = rows.iloc[0]
    for column, whole in (("prepared_per_second", True), ("encoded_per_second", False)):
        if column in row:
            return Preparing(float(row["bytes_a_frame"]), 1e3 / float(row[column]), whole)
    return Preparing(float(row["bytes_a_frame"]), None, False)
