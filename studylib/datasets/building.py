"""Make an index from lists: the part that is the same for every dataset.

Lists -> files (`lists`) -> what is in them (`probe_all`) -> an index of what is there, and a `report` of what is not.
Probing reads the packets of every video once, in parallel. Its journal has a line for each video that could be read,
with the file's size and time, by which a changed file is told. An unreadable one is tried again by each call: what was
wrong may have been the disk.
"""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from studylib.datasets.index import HOW_TO_PART, OPTIONAL, DatasetError, Index, index_folder, write_index
from studylib.datasets.lists import Lists, Walk, match, pass_over, passed_over_lines, walk
from studylib.datasets.official import published_counts
from studylib.datasets.production import complete, read_journal
from studylib.video.files import locked, on_disk
from studylib.video.reading import VideoError, scan

MIN_FRAMES = 8  # the paper's shortest clip
JOURNAL_VERSION = 2  # raise it with any change of what a scan gives
_FEW = 32  # files that are sooner read than processes are started
_UNREADABLE_SHOWN = 20  # all of them are in the manifest


class Probed(NamedTuple):
    """A readable video, as a line of the journal."""

    version: int
    path: str  # relative to the root
    bytes: int
    changed: int  # when the file was last changed, in ns
    num_frames: int
    fps: float
    width: int  # pixels
    height: int
    timeline: str  # base64 of Timeline.to_bytes


def probe_all(
    root: Path, paths: Iterable[str], journal: Path, workers: int | None = None
) -> tuple[dict[str, Probed], dict[str, str]]:
    """Probe the files `paths`, relative to `root`: ({path: what it is}, {path: why it cannot be read}), in order.

    Errors: OSError when a worker process was killed or the journal cannot be written; what is done stays in the
    journal and the next call goes on from there. So it does after Ctrl-C or a kill.
    """
    jobs, reasons = {}, {}
    for path in paths:
        file = on_disk(root, path)
        try:
            status = file.stat()
            jobs[path] = (str(file), JOURNAL_VERSION, path, status.st_size, status.st_mtime_ns)
        except OSError as error:
            reasons[path] = f"broken link ({error.strerror})" if file.is_symlink() else str(error.strerror)
    known = (video for video in read_journal(journal, Probed._make) if video[:4] == jobs.get(video.path, ())[1:])
    probed = {video.path: video for video in known}
    missing = {path: arguments for path, arguments in jobs.items() if path not in probed}
    workers = 1 if len(missing) < _FEW else workers
    reasons |= complete(_probe, missing, probed, journal, f"{root.name}: probing", workers)
    return dict(sorted(probed.items())), dict(sorted(reasons.items()))


def _probe(file: str, *stamp: int | str) -> Probed | str:
    try:
        timeline = scan(file)
    except Exception as error:
        return in_one_line(error, file)
    info, kept = timeline.info, base64.b64encode(timeline.to_bytes()).decode()
    return Probed(*stamp, info.num_frames, info.fps, info.width, info.height, kept)


def in_one_line(error: Exception, file: Path | str) -> str:
    """Why a file cannot be read, in one line and without its path: two machines give the same line.

    Any exception is taken: what FFmpeg and PyAV did not foresee of one file must not stop an index of a million.
    """
    text = str(getattr(error, "strerror", None) or error).removeprefix(f"{file}: ")
    kind = "" if isinstance(error, VideoError | OSError) else f"{type(error).__name__}: "
    return kind + " ".join(text.split())


def build(
    name: str,
    root: Path | str,
    lists: Lists,
    only_present: bool = False,
    workers: int | None = None,
    data_root: Path | str | None = None,
    walked: Walk | None = None,
) -> Index:
    """Write the index `name` of the listed videos that are under `root` and can be read.

    Labels are the lists' numbers; with `only_present` they are numbered over the classes that have a video. Videos
    with fewer than `MIN_FRAMES` frames are kept and counted. `walked` is what is under `root` where that is known.
    Called again after a kill it goes on where it was stopped; a second process waits for the first.

    Errors: DatasetError when the folder is wrong or no listed video is there; OSError when the disk is full or a
    worker process was killed.
    """
    root, folder = Path(root), index_folder(name, data_root)
    videos, passed_over = walked or walk(root)
    found = match(lists, videos)
    pass_over(passed_over, "in no list" if lists.sha256 else f"not as {lists.expected}", found.not_listed)
    nothing = f"{root}: none of the {len(lists.videos)} listed videos is here"
    if not found.files:
        expected = f"{nothing}; they are expected as {lists.expected}"
        raise DatasetError("; ".join([expected, *passed_over_lines(passed_over)]))
    with locked(folder / ".lock", f"{name}: another process is making this index"):
        taken: dict[str, Probed] = {}
        unreadable: dict[str, str] = {}
        for rank in range(max(map(len, found.files.values()))):  # the next best files of those that cannot be read
            files = {key: paths[rank] for key, paths in found.files.items() if key not in taken and rank < len(paths)}
            if not files:
                break
            probed, reasons = probe_all(root, files.values(), folder / "probed.jsonl", workers)
            taken |= {key: probed[path] for key, path in files.items() if path in probed}
            unreadable |= reasons
        if not taken:
            path, reason = next(iter(unreadable.items()))
            raise DatasetError(f"{nothing} and can be read: {len(unreadable)} cannot, such as {path}: {reason}")
        for key, paths in found.files.items():
            used = taken[key].path if key in taken else paths[0]
            for path in set(paths) - {used}:
                pass_over(passed_over, unreadable.pop(path, "further files of a listed video"), [path])
        classes, columns = _columns(lists, taken, only_present)
        facts = lists.facts() | {
            "lists_sha256": lists.sha256,
            "found": len(found.files),
            "missing": len(lists.videos) - len(found.files),
            "unreadable": unreadable,
            "too_short": sum(video.num_frames < MIN_FRAMES for video in taken.values()),
            "min_frames": MIN_FRAMES,
            "duplicates": found.duplicates,
            "not_listed": len(found.not_listed),
        }
        facts |= {"passed_over": passed_over} if passed_over else {}
        return write_index(name, root, classes, columns, facts, data_root)


def _columns(lists: Lists, taken: dict[str, Probed], only_present: bool) -> tuple[list[str], dict[str, list]]:
    """The classes, and the columns of an index with a row for each file in the order of their paths."""
    keys = sorted(taken, key=lambda key: taken[key].path)
    files, videos = [taken[key] for key in keys], [lists.videos[key] for key in keys]
    labels, classes = [video.labels for video in videos], list(lists.classes)
    if only_present:
        present = sorted({label for of_video in labels for label in of_video})
        labels = [tuple(map(present.index, of_video)) for of_video in labels]
        classes = [classes[label] for label in present]
    columns = {"label": [of_video[0] for of_video in labels]}
    for field in ("path", "num_frames", "fps", "width", "height", "bytes"):
        columns[field] = [getattr(file, field) for file in files]
    timelines = [base64.b64decode(file.timeline) for file in files]
    columns["timeline"] = pa.array(timelines, OPTIONAL["timeline"])  # together they may pass 2 GB
    if lists.several_labels:
        columns["labels"] = list(map(list, labels))
    return classes, columns | {f"split{n + 1}": [v.parts[n] or "" for v in videos] for n in range(lists.num_splits)}


def report(index: Index) -> str:
    """What the command prints of an index that `build` made: what is there and what is not, beside published counts."""
    facts, published = index.facts, published_counts(index.facts["dataset"])
    lines = [f"{index.name}: {len(index.table)} videos of {len(index.classes)} classes, index in {index.folder}"]
    lines += [f"  {split}: {n['train']} train, {n['test']} test" for split, n in index.counts().items()]
    if facts["dataset"] == "folder" and not all(index.counts()["split1"].values()):
        lines.append(f"  to train and test, {HOW_TO_PART}")
    lines += ["", *_parts_table(index, published).splitlines(), ""]
    lines += [
        f"  of {facts['listed']} listed {facts['missing']} are missing and {len(facts['unreadable'])} unreadable "
        f"(left out), {facts['not_listed']} files are in no list",
        f"  {facts['too_short']} are shorter than {facts['min_frames']} frames: kept, a clip repeats their last frame",
        f"  {facts['duplicates']} further files of a listed video are not used",
    ]
    where_any = {
        "repeated_lines": "lines of the lists say the same again",
        "conflicting_lines": "lines say another class or part of a video than an earlier line, which holds",
        "lines_without_label": "lines name no class and are left out",
    }
    lines += [f"  {facts[key]} {text}" for key, text in where_any.items() if facts[key]]
    lines += [f"  {line}" for line in passed_over_lines(facts.get("passed_over", {}))]
    lines += unreadable_lines(facts["unreadable"], index)
    sources = dict.fromkeys(source for _, source in published.values())
    lines.append(f"  published: {'; '.join(sources) or 'no count is known here'}")
    return "\n".join([*lines, f"  manifest {index.manifest_hash}"])


def unreadable_lines(unreadable: dict[str, str], index: Index) -> list[str]:
    """A line for each of the first videos that cannot be read, and where all are named."""
    lines = [f"    {path}: {reason}" for path, reason in list(unreadable.items())[:_UNREADABLE_SHOWN]]
    more = len(unreadable) - len(lines)
    return lines + [f"    and {more} more: {index.folder / 'manifest.json'} names them"] * (more > 0)


def _parts_table(index: Index, published: dict[str, tuple[int, str]]) -> str:
    """A row for each part: videos by the lists, in the index, and as published."""
    facts, rows = index.facts, []
    for split, listed in facts["listed_in_part"].items():
        indexed = index.counts()[split]
        indexed["neither"] = len(index.table) - sum(indexed.values())
        before = "" if len(facts["listed_in_part"]) == 1 else f"{split} "
        shown = {"train": "train", "test": facts["test_name"], "neither": "neither"}
        rows += [(before + shown[part], listed[part], indexed[part]) for part in shown if listed[part]]
    if len(rows) > 1:
        rows.append(("all", facts["listed"], len(index.table)))
    table = pd.DataFrame(rows, columns=["part", "listed", "in the index"])
    table["published"] = [published.get(part, ("-",))[0] for part in table["part"]]
    return table.map(lambda cell: f"{cell:,}" if isinstance(cell, int) else cell).to_string(index=False)
