"""The index of a dataset: one table of its videos, the same format for every dataset.

An index lives in the folder DATA_ROOT/<name>: `index.arrow`, a row for each video, and `manifest.json`, which says
where the videos are, what the classes are, how many videos each split has, and a hash over all of it but the place. The
manifest goes in last, so an index without one is not there. The table is mapped, not read: a million rows are there at
once, and all processes of a machine share them.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studylib.video.files import name_of, on_disk, partial_path, user_path, write_together
from studylib.video.reading import Timeline, VideoInfo

REQUIRED = {
    "path": pa.string(),  # relative to the root, with forward slashes
    "label": pa.int32(),  # number in the list of classes
    "num_frames": pa.int32(),
    "fps": pa.float32(),
    "width": pa.int32(),  # pixels, as stored
    "height": pa.int32(),
}
OPTIONAL = {
    "labels": pa.list_(pa.int32()),  # all classes of a video that has several; `label` is the first
    "timeline": pa.large_binary(),  # video.reading.Timeline.to_bytes
    "sha256": pa.string(),  # of the file, where it was generated here
}
# They say where to find a video's frames, or how its bytes came out here, not what they are. Generated videos are what
# their settings say: other processors round other pixels, other encoders write other files.
NOT_HASHED = ("timeline", "sha256")
SPLITS = ("split1", "split2", "split3", "split4", "split5", "split6")  # MIRACL-VC1 has six
# Absolute, or with a backslash or a step up, or no name at all.
LEADS_OUT = r"^/|\\|(^|/)\.\.(/|$)|^\.?$"
INSIDE = "must be relative to the dataset's root and stay inside it"
PARTS = ("train", "test")
LARGEST_SHARE = 0.05  # of a part's videos that may turn out to be broken, as one can that an index has found readable
HOW_TO_PART = (
    "put the videos of a folder dataset into train/<class>/ and test/<class>/ below its root, or all of them into one "
    "part by --part, and make the index again"
)
SHOWN = 10  # digits of a hash that a message shows


class DatasetError(ValueError):
    """An index that is missing, broken or asked for what it does not have; the message names the file or the field."""


@dataclass(frozen=True, eq=False)
class Index:
    """A dataset: `table` has a row for each video, `root` is the folder its paths start from, `folder` holds the index.

    Columns: those of `REQUIRED`, split1[, ... split6] ("train", "test" or "" for neither), some of `OPTIONAL`, and what
    else the dataset gives. `manifest_hash` is a SHA-256 (hex) over the classes, the facts and the table's values, not
    over the place, the encoding or the files that were passed over: a run's provenance and the caches go by it.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    table: pa.Table
    facts: dict
    folder: Path
    manifest_hash: str

    @property
    def splits(self) -> tuple[int, ...]:
        """The numbers of the official splits there are, ascending."""
        return tuple(int(column[-1]) for column in SPLITS if column in self.table.column_names)

    def rows(self, split: int, part: str) -> np.ndarray:
        """Numbers of the rows in one part ("train", "test") of one split, ascending, int64. Errors: DatasetError."""
        if split not in self.splits or part not in PARTS:
            there = ", ".join(map(str, self.splits))
            raise DatasetError(f"{self.name}: no part {part!r} of split {split!r}; splits: {there}; parts: train, test")
        return np.flatnonzero(pc.equal(self.table[f"split{split}"], part).to_numpy())

    def path(self, row_path: str) -> Path:
        """The file of a `path` of the table."""
        return on_disk(self.root, row_path)

    def video(self, row: int) -> tuple[Path, Timeline | None]:
        """Where the video of a row lies, and its timeline if the index keeps it: what `reading.read_clips` takes."""
        values = self.table.slice(row, 1).to_pylist()[0]
        kept = values.get("timeline")
        info = VideoInfo(*(values[column] for column in ("num_frames", "fps", "width", "height")))
        return self.path(values["path"]), Timeline.from_bytes(info, kept) if kept else None

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of videos of each part of each split, {"split1": {"train": 141, "test": 56}, ...}."""
        return {f"split{split}": {part: len(self.rows(split, part)) for part in PARTS} for split in self.splits}

    def __reduce__(self) -> tuple[Callable, tuple]:
        # Another process maps the table itself; pickle would copy it.
        return load_index, (self.name, self.folder.parent)


def data_root() -> Path:
    """Where indexes, caches and generated videos live: the environment's STUDY_DATA, else `data` in the repository."""
    given = os.environ.get("STUDY_DATA")
    return user_path(given).absolute() if given else Path(__file__).parents[2] / "data"


def write_index(
    name: str,
    root: Path | str,
    classes: Sequence[str],
    columns: Mapping[str, Sequence],
    facts: Mapping,
    data_root: Path | str | None = None,
) -> Index:
    """Check a dataset and write its index into DATA_ROOT/<name>, whole or not at all; an older one is replaced.

    `facts` is what else defines the dataset (seed, source, counts), as JSON takes it and without machine paths.
    Errors: DatasetError naming the column and the row that is wrong; OSError when the disk is full.
    """
    root, folder = Path(root).resolve(), index_folder(name, data_root)
    table, facts, manifest_hash = as_kept(name, classes, columns, facts)
    index = Index(name, root, tuple(classes), table, facts, folder, manifest_hash)
    inside = root.is_relative_to(folder.resolve())  # an index that holds its own videos can be moved as a whole
    manifest = {
        "name": name,
        "root": root.relative_to(folder.resolve()).as_posix() if inside else name_of(root),
        "classes": list(index.classes),
        "facts": index.facts,
        "videos": len(table),
        "counts": index.counts(),
        "hash": index.manifest_hash,
    }

    def write_table(file: BinaryIO) -> None:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=len(table))

    def write_manifest(file: BinaryIO) -> None:  # when the table is there
        manifest["seal"] = _seal(manifest, partial_path(folder / "index.arrow"))
        file.write(json.dumps(manifest, indent=1, ensure_ascii=False).encode(errors="surrogateescape") + b"\n")

    write_together({folder / "index.arrow": write_table, folder / "manifest.json": write_manifest})
    return load_index(name, data_root)


def load_index(name: str, data_root: Path | str | None = None) -> Index:
    """Read the index DATA_ROOT/<name>. Errors: DatasetError for an unknown name and for a broken index."""
    folder, how = index_folder(name, data_root), _how_to_make(name)
    if not (folder / "manifest.json").is_file():
        there = sorted(manifest.parent.name for manifest in folder.parent.glob("*/manifest.json"))
        listed = f"there are: {', '.join(there)}" if there else "there is none yet"
        raise DatasetError(f"no dataset {name!r} in {folder.parent} ({listed}); make one: {how}")
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8", errors="surrogateescape"))
        fits = manifest["seal"] == _seal(manifest, folder / "index.arrow")
        table = pa.ipc.open_file(pa.memory_map(str(folder / "index.arrow"))).read_all() if fits else None
        root, classes = on_disk(folder, manifest["root"]).resolve(), tuple(manifest["classes"])
        index = Index(name, root, classes, table, manifest["facts"], folder, manifest["hash"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DatasetError(f"{folder}: broken index ({reason}); make it again: {how}") from error
    if not fits:
        raise DatasetError(f"{folder}: index.arrow and manifest.json do not fit; make it again: {how}")
    return index


def _how_to_make(name: str) -> str:
    if name.startswith("miracl"):
        options = "--help tells of phrases, the close view and validation"
        return f"python -m studylib.datasets miracl --root CROPS --task words --name {name} ({options})"
    return (
        "python -m studylib.datasets pantomime --name pantomime-mini (generates one), or python -m studylib.datasets "
        "ucf101 --root VIDEOS --lists LISTS --name NAME (likewise hmdb51, kinetics400, ...), or "
        "python -m studylib.datasets folder --root VIDEOS --name NAME (any folder of yours)"
    )


def difference(name: str, found: str | None, fixed: str) -> str:
    """What is wrong with a dataset whose manifest is not the fixed one, and what to do; "" where it is that or none is
    fixed."""
    if not fixed or found == fixed:
        return ""
    return (
        f"dataset {name}: its manifest is {str(found)[:SHOWN]}, the plan fixes {fixed[:SHOWN]}: these are other videos "
        "(other settings, or another version of what makes them); for a study of your own on them copy the plan and "
        "leave `manifest` out"
    )


def index_folder(name: str, root: Path | str | None) -> Path:
    """The folder of an index in `root` (None: the usual one); DatasetError for a name that may lead elsewhere."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise DatasetError(f"dataset name {name!r}: use letters, digits, '.', '_' and '-'")
    return Path(root if root is not None else data_root()) / name


def as_kept(
    name: str, classes: Sequence[str], columns: Mapping[str, Sequence], facts: Mapping
) -> tuple[pa.Table, dict, str]:
    """Table and facts as an index keeps them, checked, the standard columns first and in their types; and the SHA-256
    (hex) of classes, facts and the values of all columns but `NOT_HASHED`, which may be missing. Errors: as of
    `write_index`."""
    table = pa.table(dict(columns))
    if missing := [column for column in (*REQUIRED, "split1") if column not in table.column_names]:
        raise DatasetError(f"{name}: the index lacks the columns {', '.join(missing)}")
    if len(table) == 0:
        raise DatasetError(f"{name}: the index holds no video")
    if len(set(classes)) != len(classes) or not classes:
        raise DatasetError(f"{name}: classes must be a list of different names, not {list(classes)}")
    splits = [column for column in SPLITS if column in table.column_names]
    types = REQUIRED | dict.fromkeys(splits, pa.string())
    types |= {column: kind for column, kind in OPTIONAL.items() if column in table.column_names}
    arrays = {}
    for column in (*types, *(column for column in table.column_names if column not in types)):
        try:
            whole = table[column].cast(types.get(column, table[column].type)).combine_chunks()
        except pa.ArrowException as error:
            raise DatasetError(f"{name}: column {column} must be {types[column]} ({error})") from error
        # one array, so that a row is found without a search
        arrays[column] = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    paths, labels = arrays["path"], pa.array(range(len(classes)), pa.int32())
    counts = pc.value_counts(paths)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    rules = [
        ("label", pc.is_in(arrays["label"], labels), f"must be 0 to {len(classes) - 1}"),
        ("path", pc.invert(pc.match_substring_regex(paths, LEADS_OUT)), INSIDE),
        ("path", pc.invert(pc.is_in(paths, repeated)), "stands twice in the index"),
    ]
    sizes = ("num_frames", "width", "height")
    rules += [(column, pc.greater_equal(arrays[column], 1), "must be at least 1") for column in sizes]
    parts = pa.array([*PARTS, ""])
    rules += [(column, pc.is_in(arrays[column], parts), "must be 'train', 'test' or ''") for column in splits]
    if "labels" in arrays:
        numbers = set(range(len(classes)))
        pairs = zip(arrays["labels"].to_pylist(), arrays["label"].to_pylist(), strict=True)
        fit = [bool(many) and many[0] == first and numbers.issuperset(many) for many, first in pairs]
        rules.append(("labels", pa.array(fit), "must be classes, `label` first"))
    for column, right, rule in rules:
        wrong = np.flatnonzero(~pc.fill_null(right, False).to_numpy(zero_copy_only=False))
        if len(wrong):
            raise DatasetError(f"{name}: row {wrong[0]}, column {column}: {arrays[column][wrong[0]].as_py()!r} {rule}")
    facts = json.loads(_canonical_json(facts))  # through JSON and back, as it will be loaded
    hashed = {key: value for key, value in facts.items() if key != "passed_over"}
    digest = hashlib.sha256(_canonical_json([list(classes), hashed]))
    for column in sorted(set(arrays) - set(NOT_HASHED)):
        digest.update(_canonical_json([column, []])[:-2])
        for start in range(0, len(table), 65536):
            values = _canonical_json(arrays[column].slice(start, 65536).to_pylist())[1:-1]
            digest.update(b"," * (start > 0) + values)
        digest.update(b"]]")
    return pa.table(arrays), facts, digest.hexdigest()


def _canonical_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _seal(manifest: dict, table_file: Path) -> str:
    """SHA-256 (hex) of what a manifest says and of the table's file: that they are still as they were written."""
    with table_file.open("rb") as file:
        table_hash = hashlib.file_digest(file, "sha256").hexdigest()
    told = {key: value for key, value in manifest.items() if key not in ("seal", "root")}
    return hashlib.sha256(_canonical_json([told, table_hash])).hexdigest()
