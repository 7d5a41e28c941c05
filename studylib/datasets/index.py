"""The index of a dataset: one table of its videos, the same format for every dataset.

An index lives in the folder DATA_ROOT/<name>: `index.parquet`, a row for each video, and `manifest.json`, which says
where the videos are, what the classes are, how many videos each split has, and a hash over all of it but the place. The
manifest goes in last, so an index without one is not there.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studylib.files import write_together

_REQUIRED = {
    "path": pa.string(),  # relative to the root, with forward slashes
    "label": pa.int32(),  # number in the list of classes
    "num_frames": pa.int32(),
    "fps": pa.float32(),
    "width": pa.int32(),  # pixels, as stored
    "height": pa.int32(),
}
_SPLITS = ("split1", "split2", "split3")
PARTS = ("train", "test")
_HOW_TO_MAKE = (
    "python -m studylib.datasets pantomime --name pantomime-mini (generates one), or "
    "python -m studylib.datasets ucf101 --root VIDEOS --lists LISTS --name NAME, or "
    "python -m studylib.datasets folder --root VIDEOS --name NAME (list yours)"
)


class DatasetError(ValueError):
    """An index that is missing, broken or asked for what it does not have; the message names the file or the field."""


@dataclass(frozen=True, eq=False)
class Index:
    """A dataset: `table` has a row for each video, `root` is the folder its paths start from, `folder` holds the index.

    Columns: path, label, num_frames, fps, width, height, split1[, split2, split3] ("train", "test" or "" for neither),
    and what else the dataset gives. Do not change the table: its hash is what a run's provenance and the caches go by.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    table: pa.Table
    facts: dict
    folder: Path

    @property
    def splits(self) -> tuple[int, ...]:
        """The numbers of the official splits there are, ascending."""
        return tuple(int(column[-1]) for column in _SPLITS if column in self.table.column_names)

    def subset(self, split: int, part: str) -> pa.Table:
        """The videos of one part ("train", "test") of one split, in order, with one column more: `row`, int32, the
        number of the video's row in `table`.

        Errors: DatasetError naming the splits and parts there are.
        """
        if split not in self.splits or part not in PARTS:
            there = ", ".join(map(str, self.splits))
            raise DatasetError(f"{self.name}: no part {part!r} of split {split!r}; splits: {there}; parts: train, test")
        chosen = pc.equal(self.table[f"split{split}"], part)
        rows = pa.array(range(len(self.table)), pa.int32())
        return self.table.append_column("row", rows).filter(chosen)

    def path(self, row_path: str) -> Path:
        """The file of a `path` of the table. Errors: DatasetError when it would lie outside the root."""
        _check_path(row_path, self.name)
        return self.root / row_path

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 (hex) over the classes, the table's values and the facts; not over the place or the encoding."""
        digest = hashlib.sha256()
        digest.update(_canonical_json([list(self.classes), self.facts]))
        for column in sorted(self.table.column_names):
            digest.update(_canonical_json([column, self.table[column].to_pylist()]))
        return digest.hexdigest()

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of videos of each part of each split, {"split1": {"train": 141, "test": 56}, ...}."""
        return {f"split{split}": {part: len(self.subset(split, part)) for part in PARTS} for split in self.splits}


def data_root() -> Path:
    """Where indexes, caches and generated videos live: the environment's STUDY_DATA, else `data` in the repository."""
    given = os.environ.get("STUDY_DATA")
    return Path(given).expanduser().absolute() if given else Path(__file__).parents[2] / "data"


def write_index(
    name: str,
    root: Path | str,
    classes: Sequence[str],
    table_or_columns: pa.Table | Mapping[str, Sequence],
    facts: Mapping,
    data_root: Path | str | None = None,
) -> Index:
    """Check a dataset and write its index into DATA_ROOT/<name>, whole or not at all; an older one is replaced.

    `facts` is what else defines the dataset (seed, source, counts), as JSON takes it and without machine paths.
    Errors: DatasetError naming the column and the row that is wrong; OSError when the disk is full.
    """
    folder = index_folder(name, data_root)
    table = table_or_columns if isinstance(table_or_columns, pa.Table) else pa.table(dict(table_or_columns))
    table = _checked(table, tuple(classes), name)
    # Through JSON and back, so that the index in hand equals the one that will be loaded.
    index = Index(name, Path(root).resolve(), tuple(classes), table, json.loads(_canonical_json(facts)), folder)
    # An index that holds its own videos can be moved as a whole.
    inside = index.root.is_relative_to(folder.resolve())
    manifest = {
        "name": name,
        "root": index.root.relative_to(folder.resolve()).as_posix() if inside else str(index.root),
        "classes": list(index.classes),
        "facts": index.facts,
        "videos": len(table),
        "counts": index.counts(),
        "hash": index.manifest_hash,
    }
    manifest_bytes = json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"
    write_together(
        {
            folder / "index.parquet": lambda file: pq.write_table(table, file, compression="zstd"),
            folder / "manifest.json": lambda file: file.write(manifest_bytes),
        }
    )
    return index


def load_index(name: str, data_root: Path | str | None = None) -> Index:
    """Read the index DATA_ROOT/<name>.

    Errors: DatasetError for an unknown name (lists the indexes there are and how to make one) and for a broken index.
    """
    folder = index_folder(name, data_root)
    if not (folder / "manifest.json").is_file():
        there = sorted(manifest.parent.name for manifest in folder.parent.glob("*/manifest.json"))
        listed = f"there are: {', '.join(there)}" if there else "there is none yet"
        raise DatasetError(f"no dataset {name!r} in {folder.parent} ({listed}); make one: {_HOW_TO_MAKE}")
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        table = pq.read_table(io.BytesIO((folder / "index.parquet").read_bytes()))
        root = (folder / manifest["root"]).resolve()
        index = Index(name, root, tuple(manifest["classes"]), table, manifest["facts"], folder)
        fits = index.manifest_hash == manifest["hash"]
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DatasetError(f"{folder}: broken index ({reason}); make it again: {_HOW_TO_MAKE}") from error
    if not fits:
        raise DatasetError(f"{folder}: index.parquet and manifest.json do not fit; make it again: {_HOW_TO_MAKE}")
    return index


def index_folder(name: str, root: Path | str | None) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise DatasetError(f"dataset name {name!r}: use letters, digits, '.', '_' and '-'")
    return Path(root if root is not None else data_root()) / name


def _canonical_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check_path(row_path: str, name: str) -> None:
    path = PurePosixPath(row_path)
    if path.is_absolute() or ".." in path.parts or "\\" in row_path or row_path in ("", "."):
        raise DatasetError(f"{name}: path {row_path!r} must be relative to the dataset's root and stay inside it")


def _checked(table: pa.Table, classes: tuple[str, ...], name: str) -> pa.Table:
    """The table with its standard columns first and in their types. Errors: DatasetError naming column and row."""
    if missing := [column for column in (*_REQUIRED, "split1") if column not in table.column_names]:
        raise DatasetError(f"{name}: the index lacks the columns {', '.join(missing)}")
    if len(table) == 0:
        raise DatasetError(f"{name}: the index holds no video")
    if len(set(classes)) != len(classes) or not classes:
        raise DatasetError(f"{name}: classes must be a list of different names, not {list(classes)}")
    splits = [column for column in _SPLITS if column in table.column_names]
    types = _REQUIRED | dict.fromkeys(splits, pa.string())
    extra = [column for column in table.column_names if column not in types]
    arrays = {}
    for column, kind in types.items():
        try:
            arrays[column] = table[column].cast(kind).combine_chunks()
        except pa.ArrowException as error:
            raise DatasetError(f"{name}: column {column} must be {kind} ({error})") from error
    standard = pa.table(arrays)
    rules = [("label", 0, len(classes) - 1), *((column, 1, None) for column in ("num_frames", "width", "height"))]
    for column, low, high in rules:
        for row, value in enumerate(standard[column].to_pylist()):
            if value is None or value < low or (high is not None and value > high):
                bounds = f"{low} to {high}" if high is not None else f"at least {low}"
                raise DatasetError(f"{name}: row {row}, column {column}: {value} must be {bounds}")
    for column in splits:
        for row, value in enumerate(standard[column].to_pylist()):
            if value not in (*PARTS, ""):
                raise DatasetError(f"{name}: row {row}, column {column}: {value!r} must be 'train', 'test' or ''")
    seen = set()
    for path in standard["path"].to_pylist():
        _check_path(path or "", name)
        if path in seen:
            raise DatasetError(f"{name}: path {path!r} stands twice in the index")
        seen.add(path)
    for column in extra:
        standard = standard.append_column(column, table[column].combine_chunks())
    return standard
