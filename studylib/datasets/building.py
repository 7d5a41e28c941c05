"""Make an index: the part that is the same for every dataset.

Lists -> files (`lists`) -> what is in them (`probing`) -> an index that says what is there and what is not.
"""

from collections import defaultdict
from pathlib import Path

import pyarrow as pa

from studylib.datasets.index import OPTIONAL, DatasetError, Index, index_folder, write_index
from studylib.datasets.lists import Lists, Walk, match, pass_over, told, walk
from studylib.datasets.probing import Probed, probe_all
from studylib.video.files import locked

MIN_FRAMES = 8  # the paper's shortest clip


def build(
    name: str,
    root: Path | str,
    lists: Lists,
    only_present: bool = False,
    min_frames: int = MIN_FRAMES,
    workers: int | None = None,
    data_root: Path | str | None = None,
    walked: Walk | None = None,
) -> Index:
    """Write the index `name` of the listed videos that are under `root` and can be read.

    Labels are the lists' numbers; with `only_present` they are numbered over the classes that have a video. Videos
    with fewer than `min_frames` frames are kept and counted. `walked` is what is under `root` where that is known.
    Called again after a kill it goes on where it was stopped; a second process waits for the first.

    Errors: DatasetError when the folder is wrong or no listed video is there; OSError when the disk is full or a
    worker process was killed.
    """
    root, folder = Path(root), index_folder(name, data_root)
    if min_frames < 1:
        raise DatasetError(f"--min-frames must be at least 1, not {min_frames}")
    videos, passed_over = walked or walk(root)
    found = match(lists, videos)
    pass_over(passed_over, "in no list" if lists.sha256 else f"not as {lists.expected}", found.not_listed)
    nothing = f"{root}: none of the {len(lists.videos)} listed videos is here"
    if not found.files:
        raise DatasetError("; ".join([f"{nothing}; they are expected as {lists.expected}", *told(passed_over)]))
    with locked(folder / ".lock", f"{name}: another process is making this index"):
        files, probed, unreadable = {}, {}, {}
        left = found.files
        while left:  # the best files of all; of those that cannot be read, the next best
            some, bad = probe_all(root, [paths[0] for paths in left.values()], folder / "probed.jsonl", workers)
            probed, unreadable = probed | some, unreadable | bad
            files |= {key: paths[0] for key, paths in left.items() if paths[0] in some}
            left = {key: paths[1:] for key, paths in left.items() if paths[0] in bad and len(paths) > 1}
        if not probed:
            path, reason = next(iter(unreadable.items()))
            raise DatasetError(f"{nothing} and can be read: {len(unreadable)} cannot, such as {path}: {reason}")
        further = defaultdict(list)  # reason -> files of videos of which another is taken, or is no better
        for key, paths in found.files.items():
            for path in set(paths) - {files.get(key, paths[0])}:
                further[unreadable.pop(path, "further files of a listed video")].append(path)
        for reason, paths in further.items():
            pass_over(passed_over, reason, paths)
        keys = sorted(files, key=files.get)
        classes, columns = _columns(lists, keys, [(files[key], probed[files[key]]) for key in keys])
        if only_present:
            classes = _renumber(classes, columns)
        facts = {
            "dataset": lists.dataset,
            "lists_sha256": lists.sha256,
            "listed": len(lists.videos),
            "listed_in_part": part_counts(lists),
            "found": len(found.files),
            "missing": len(lists.videos) - len(found.files),
            "unreadable": unreadable,
            "too_short": sum(video.num_frames < min_frames for video in probed.values()),
            "min_frames": min_frames,
            "duplicates": found.duplicates,
            "not_listed": len(found.not_listed),
            "repeated_lines": lists.repeated,
            "conflicting_lines": lists.conflicting,
            "lines_without_label": lists.without_label,
            "test_name": lists.test_name,
        }
        facts |= {"passed_over": passed_over} if passed_over else {}
        return write_index(name, root, classes, columns, facts, data_root)


def _columns(lists: Lists, keys: list[str], files: list[tuple[str, Probed]]) -> tuple[list[str], dict[str, list]]:
    """The classes, and the columns of an index with a row for each key."""
    videos = [lists.videos[key] for key in keys]
    columns = {"path": [path for path, _ in files], "label": [video.labels[0] for video in videos]}
    columns |= {field: [getattr(video, field) for _, video in files] for field in Probed._fields}
    columns["timeline"] = pa.array(columns["timeline"], OPTIONAL["timeline"])  # together they may pass 2 GB
    if lists.several_labels:
        columns["labels"] = [list(video.labels) for video in videos]
    columns |= {f"split{n + 1}": [video.parts[n] for video in videos] for n in range(lists.num_splits)}
    return list(lists.classes), columns


def _renumber(classes: list[str], columns: dict[str, list]) -> list[str]:
    """Number the labels over the classes that have a video, in their order; returns these."""
    several = columns.get("labels", [])
    present = sorted({*columns["label"], *(label for labels in several for label in labels)})
    numbers = {old: new for new, old in enumerate(present)}
    columns["label"] = [numbers[label] for label in columns["label"]]
    if several:
        columns["labels"] = [[numbers[label] for label in labels] for labels in several]
    return [classes[label] for label in present]


def part_counts(lists: Lists) -> dict[str, dict[str, int]]:
    """{"split1": {"train": 9537, "test": 3783, "neither": 0}, ...} by the lists."""
    counts = {f"split{n + 1}": {"train": 0, "test": 0, "neither": 0} for n in range(lists.num_splits)}
    for video in lists.videos.values():
        for part, of_split in zip(video.parts, counts.values(), strict=True):
            of_split[part or "neither"] += 1
    return counts
