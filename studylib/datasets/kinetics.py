"""Kinetics-400, -600 and -700 (Kay et al., 2017) by their official lists: clips of 10 seconds from YouTube.

The lists are csv files (label, youtube_id, time_start, time_end, split, seconds); the videos are named
<youtube_id>_<start:06d>_<end:06d> and lie anywhere under the root, usually in {train,val}/<class>/ with spaces or
underscores in the class. The paper trains on "train" and tests on "validate"; clips of the hidden test set are in
neither part of the split. Many clips are gone from YouTube: what is missing is counted and left out.
"""

import csv
import difflib
import io
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from studylib.datasets.index import DatasetError
from studylib.datasets.lists import Lists, hash_of, numbers_by_spelling, read_text, spelling

LISTS = "the official csv file, or a folder of them (train.csv, validate.csv, ...)"
_PARTS = {"train": "train", "val": "test", "validate": "test", "validation": "test", "test": ""}
_HEADER = "label,youtube_id,time_start,time_end,split"
_ALL_COLUMNS = _HEADER.split(",")
_COLUMNS = _ALL_COLUMNS[1:]  # the list of a hidden test has no labels


class _Row(NamedTuple):
    place: str  # file:line
    label: str  # "" in the list of a hidden test
    key: str
    part: str


def read(path: Path, num_classes: int) -> Lists:
    """The official lists of Kinetics-<num_classes>.

    Labels are the places of the class names in alphabetical order, which is what released weights speak in. Those of
    Kinetics-400 are known, so that a list of some of the classes gives the same numbers; those of the others are the
    lists' own and must be complete. Errors: DatasetError naming file, line and what was expected.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise DatasetError(f"{path}: no csv file here; --lists is {LISTS}")
    rows = [row for file in files for row in _rows(file)]
    classes = _classes_400() if num_classes == 400 else tuple(sorted({row.label for row in rows if row.label}))
    if len(classes) != num_classes:
        raise DatasetError(
            f"{path}: names {len(classes)} classes where Kinetics-{num_classes} has {num_classes}, and their order "
            "numbers the labels: put the complete official list of a part (validate.csv) beside it"
        )
    numbers = numbers_by_spelling(classes)
    expected = "<youtube_id>_<start:06d>_<end:06d>.mp4 (or .mkv, .webm, ...) in any folder"
    lists = Lists(f"Kinetics-{num_classes}", classes, "stem", expected, test_name="val")
    for row in rows:
        if not row.label:
            lists.without_label += 1
            continue
        if (number := numbers.get(spelling(row.label))) is None:
            close = difflib.get_close_matches(row.label, classes, 1)
            like = f"; is it {close[0]!r}?" if close else ""
            raise DatasetError(f"{row.place}: {row.label!r} is no class of Kinetics-{num_classes}{like}")
        lists.add(row.key, (number,), (row.part,))
    lists.sha256 = hash_of(files)
    return lists


read_400, read_600, read_700 = (partial(read, num_classes=n) for n in (400, 600, 700))


def _rows(file: Path) -> Iterator[_Row]:
    """The rows of a csv file, checked but for the names of classes."""
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""), skipinitialspace=True)
    try:
        header = reader.fieldnames or []
        if not {*_COLUMNS} <= {*header}:
            raise DatasetError(f"{file}:1: expected the official header {_HEADER}, not {','.join(header)[:80]!r}")
        for row in reader:
            yield _checked(f"{file}:{reader.line_num}", {key: (row.get(key) or "").strip() for key in _ALL_COLUMNS})
    except csv.Error as error:
        raise DatasetError(f"{file}:{reader.line_num}: no csv ({error}); expected {_HEADER}") from error


def _checked(place: str, row: dict[str, str]) -> _Row:
    if not re.fullmatch(r"[A-Za-z0-9_-]{11}", row["youtube_id"]):
        raise DatasetError(f"{place}: youtube_id {row['youtube_id']!r} must be 11 letters, digits, '-' or '_'")
    for column in ("time_start", "time_end"):
        if not re.fullmatch(r"[0-9]{1,6}", row[column]):
            raise DatasetError(f"{place}: {column} {row[column]!r} must be a whole number of seconds")
    if row["split"] not in _PARTS:
        raise DatasetError(f"{place}: split {row['split']!r} must be one of {', '.join(_PARTS)}")
    if not row["label"] and row["split"] != "test":
        raise DatasetError(f"{place}: no label; expected {_HEADER}")
    key = f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}"
    return _Row(place, row["label"], key, _PARTS[row["split"]])


@cache
def _classes_400() -> tuple[str, ...]:
    """The names of Kinetics-400 in the order of their numbers."""
    from torchvision.models.video import R3D_18_Weights  # torch takes seconds to import

    return tuple(R3D_18_Weights.KINETICS400_V1.meta["categories"])
