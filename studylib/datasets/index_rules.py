"""What the table of an index must be: its columns, their types and the values they take."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    "timeline": pa.large_binary(),  # timeline.Timeline.to_bytes
    "shard": pa.string(),  # where many videos lie in one file: its path relative to the root, and their place in it
    "offset": pa.int64(),
    "size": pa.int64(),
    "sha256": pa.string(),  # of the file, where it was generated here
}
# They say where to find a video's bytes and frames, or how they came out here, not what they are. Generated videos are
# what their settings say: other processors round other pixels, other encoders write other files.
NOT_HASHED = ("timeline", "shard", "offset", "size", "sha256")
SPLITS = ("split1", "split2", "split3", "split4", "split5", "split6")  # MIRACL-VC1 has six
# Absolute, or with a backslash or a step up, or no name at all.
LEADS_OUT = r"^/|\\|(^|/)\.\.(/|$)|^\.?$"
PARTS = ("train", "test")
HOW_TO_PART = (
    "put the videos of a folder dataset into train/<class>/ and test/<class>/ below its root, or all of them into one "
    "part by --part, and make the index again"
)


class DatasetError(ValueError):
    """An index that is missing, broken or asked for what it does not have; the message names the file or the field."""


def checked(table: pa.Table, classes: tuple[str, ...], name: str) -> pa.Table:
    """The table with its standard columns first and in their types. Errors: DatasetError naming column and row."""
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
    for column, kind in types.items():
        try:
            arrays[column] = _whole(table[column].cast(kind))
        except pa.ArrowException as error:
            raise DatasetError(f"{name}: column {column} must be {kind} ({error})") from error
    label_rules = [("label", 0, len(classes) - 1)]
    for column, low, high in (*label_rules, *((column, 1, None) for column in ("num_frames", "width", "height"))):
        right = pc.greater_equal(arrays[column], low)
        right = right if high is None else pc.and_(right, pc.less_equal(arrays[column], high))
        bounds = f"{low} to {high}" if high is not None else f"at least {low}"
        _require(right, arrays[column], f"must be {bounds}", name, column)
    for column in splits:
        _require(
            pc.is_in(arrays[column], pa.array([*PARTS, ""])),
            arrays[column],
            "must be 'train', 'test' or ''",
            name,
            column,
        )
    if "labels" in arrays:
        _require(_labels_fit(arrays, len(classes)), arrays["labels"], "must be classes, `label` first", name, "labels")
    for column in ("path", "shard"):
        if column in arrays:
            leads_out = pc.fill_null(pc.match_substring_regex(arrays[column], LEADS_OUT), True)
            if pc.any(leads_out).as_py():
                raise DatasetError(outside(arrays[column][_first(leads_out)].as_py() or "", name))
    if pc.count_distinct(arrays["path"]).as_py() < len(table):
        counts = pc.value_counts(arrays["path"])
        twice = counts.field("values")[_first(pc.greater(counts.field("counts"), 1))].as_py()
        raise DatasetError(f"{name}: path {twice!r} stands twice in the index")
    extra = {column: _whole(table[column]) for column in table.column_names if column not in types}
    return pa.table(arrays | extra)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """One array, so that a row is found without a search."""
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _first(mask: pa.Array) -> int:
    return int(np.flatnonzero(mask.to_numpy(zero_copy_only=False))[0])


def _require(right: pa.Array, values: pa.Array, rule: str, name: str, column: str) -> None:
    """DatasetError naming the first row that is not `right` (a null is not)."""
    wrong = pc.invert(pc.fill_null(right, False))
    if pc.any(wrong).as_py():
        row = _first(wrong)
        raise DatasetError(f"{name}: row {row}, column {column}: {values[row].as_py()!r} {rule}")


def _labels_fit(arrays: Mapping[str, pa.Array], classes: int) -> pa.Array:
    """Of each row: whether its labels are numbers of classes and begin with its label."""
    lists = arrays["labels"]
    some = pc.fill_null(pc.greater(pc.list_value_length(lists), 0), False)
    flat, parents = pc.list_flatten(lists), pc.list_parent_indices(lists)
    bad = parents.filter(pc.or_(pc.less(flat, 0), pc.greater_equal(flat, classes)))
    fits = some.to_numpy(zero_copy_only=False).copy()
    fits[bad.to_numpy()] = False
    fits[fits] = pc.equal(pc.list_element(lists.filter(pa.array(fits)), 0), arrays["label"].filter(pa.array(fits)))
    return pa.array(fits)


def outside(row_path: str, name: str) -> str:
    """What is said of a video whose path is absolute or leads out of its dataset's root."""
    return f"{name}: path {row_path!r} must be relative to the dataset's root and stay inside it"
