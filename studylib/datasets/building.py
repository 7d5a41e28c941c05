"""Make an index from lists: the part that is the same for every dataset.

Files are found by one walk over the root and matched by key: no path of a list is ever joined to the root, so none can
lead out of it. Work on many videos keeps a journal, a line of JSON for each that is done, so that a kill or a full disk
costs nothing but the videos under way (`complete`).
"""

import base64
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from studylib.datasets.index import HOW_TO_PART, OPTIONAL, DatasetError, Index, index_folder, write_index
from studylib.datasets.lists import KEYS, TEST_FOLDERS, Listed, Lists, folders, published_counts, spelling
from studylib.video.files import locked, name_of, on_disk, write_text
from studylib.video.machine import in_processes
from studylib.video.reading import VideoError, scan

Record = TypeVar("Record")
MIN_FRAMES = 8  # the paper's shortest clip
JOURNAL_VERSION = 2  # raise it with any change of what a scan gives
_FEW = 32  # files that are sooner read than processes are started, and show no progress in a log
_PRINTED, _NAMED = 20, 1000  # files of one kind that a report names, and the manifest
Reasons = dict[str, list[str]]  # why files are passed over: their paths
# Of two files of one video the earlier ending wins: the official file before its conversion.
ENDINGS = (
    ".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".flv", ".3gp", ".mpg", ".mpeg", ".wmv", ".ogv", ".ts", ".gif",
    ".m2ts", ".mts", ".m2v", ".mpe", ".vob", ".asf", ".f4v", ".3g2", ".divx", ".ogm", ".rm", ".rmvb", ".mxf", ".dv",
)  # fmt: skip


def walk(root: Path) -> tuple[list[str], Reasons]:
    """The video files under `root`, relative to it, with forward slashes, sorted, and what is passed over. Links to
    folders are followed, but not in circles. Errors: DatasetError when `root` is no folder that can be read."""
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; --root is the folder under which the videos lie")
    videos: list[str] = []
    passed_over: Reasons = defaultdict(list)
    waiting: list[tuple[str, tuple]] = [("", ())]
    while waiting:
        prefix, above = waiting.pop()
        folder = on_disk(root, prefix)
        try:
            status = folder.stat()
            if (identity := (status.st_dev, status.st_ino)) in above:
                continue
            entries = list(os.scandir(folder))
        except OSError as error:
            if not prefix:
                raise DatasetError(f"{root}: cannot be read ({error.strerror}); check --root") from error
            passed_over[f"folders that cannot be read ({error.strerror})"].append(prefix)
            continue
        for entry in entries:
            path = prefix + name_of(entry.name)
            is_folder = os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112 (takes an entry)
            if entry.name.startswith("."):
                passed_over["hidden, as their names begin with a dot"].append(path)
            elif is_folder:
                waiting.append((f"{path}/", (*above, identity)))
            elif not path.lower().endswith(ENDINGS):
                passed_over["their names have no ending of a video"].append(path)
            elif "\\" in path or _printable(path) != path:
                passed_over["rename them: a name must be UTF-8 and hold no backslash"].append(path)
            else:
                videos.append(path)
    return sorted(videos), passed_over


def _printable(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


def _told(passed_over: Reasons) -> Reasons:
    """With how many there are; of each reason the first thousand."""
    counted = sorted((reason, sorted(map(_printable, paths))) for reason, paths in passed_over.items())
    return {f"{len(paths)} passed over, {reason}": paths[:_NAMED] for reason, paths in counted}


def _lines(told: Reasons) -> list[str]:
    more = ", ... (more in manifest.json)"
    return [f"{what}: {', '.join(paths[:_PRINTED])}{more * (len(paths) > _PRINTED)}" for what, paths in told.items()]


def _rank(path: str, video: Listed, classes: tuple[str, ...]) -> tuple:
    """The lower, the better a file is as that of a video: first a replacement of a corrupt one, as Kinetics-400 is
    distributed, then the one whose folders name its class and part, then the earlier ending, then the first."""
    *above, file = path.split("/")
    replaces = any(folder.lower().startswith("replacement") for folder in above)
    of_class = {spelling(classes[label]) for label in video.labels} & set(map(spelling, above))
    part_folders = {"train": ("train",), "test": TEST_FOLDERS}.get(video.parts[0])
    of_part = part_folders is None or set(part_folders) & set(above)
    return not replaces, (not of_class) + (not of_part), ENDINGS.index(f".{file.rpartition('.')[2].lower()}"), path


def claim(folder: Path, settings: dict) -> None:
    """Record what the videos of `folder` are made with, or refuse to mix them with others or to replace an index of
    another dataset; what a kill left half written is removed."""
    path, remedy = folder / "settings.json", "take another name, or remove that folder first"
    settings = json.loads(json.dumps(settings))  # tuples become lists, as they will be read
    if path.exists():
        there = json.loads(path.read_text(encoding="utf-8"))
        keys = [key for key in {**settings, **there} if settings.get(key) != there.get(key)]
        if keys:
            differing = "; ".join(f"{key} {there.get(key)}, not {settings.get(key)}" for key in keys)
            raise DatasetError(f"{path}: the videos there are made with {differing}: {remedy}")
    elif (folder / "manifest.json").exists():
        raise DatasetError(f"{folder}: holds an index that does not record how its videos are made: {remedy}")
    else:
        write_text(path, json.dumps(settings, indent=1))
    for leftover in folder.rglob(".*.partial"):
        leftover.unlink()


def stamp_of(path: Path) -> list[int] | None:
    """Size in bytes and time of change in ns; None where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def read_journal(journal: Path, parse: Callable[[Any], Record]) -> Iterator[Record]:
    """`parse` of each line, in order; one that a kill has torn, or that another version wrote, is passed over."""
    if journal.exists():
        with open(journal, "rb") as lines:
            for line in lines:
                with suppress(ValueError, TypeError, KeyError):
                    yield parse(json.loads(line))


def complete(
    function: Callable[..., Record | str],
    jobs: Mapping[str, tuple],
    done: dict[str, Record],
    journal: Path,
    title: str,
    workers: int | None = None,
) -> dict[str, str]:
    """Call `function(*arguments)` for all `jobs` in processes and add its records to `done` and to the journal; return,
    by key, the texts that it gives instead where there can be no record. Errors: OSError of the disk or of a worker
    process, which says how many videos are done; they stay."""
    reasons, total = {}, len(done) + len(jobs)
    quiet = None if len(jobs) < _FEW else False  # None: on a screen only; a log gets a line every ten seconds
    every = 0.1 if sys.stderr.isatty() else 10
    bar = tqdm(total=total, initial=len(done), desc=title, unit="video", disable=quiet, mininterval=every)
    journal.parent.mkdir(parents=True, exist_ok=True)
    try:
        with bar, open(journal, "ab+") as file, closing(in_processes(function, jobs, workers)) as results:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read(1) == b"\n" else b"\n")  # ends a torn line
            for key, result in results:
                if isinstance(result, str):
                    reasons[key] = result
                else:
                    done[key] = result
                    file.write(json.dumps(result).encode() + b"\n")
                    file.flush()
                bar.update()
    except OSError as error:
        stopped = f"{journal.parent}: stopped after {len(done)} of {total} videos ({error.strerror or error})"
        raise OSError(error.errno, f"{stopped}; they stay: call again to go on") from error
    return reasons


class Probed(NamedTuple):
    """A readable video, as a line of the journal. By size and time a changed file is told; what cannot be read is tried
    again by each call: what was wrong may have been the disk."""

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
    Errors: OSError as of `complete`."""
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
    """Why a file cannot be read, in one line and without its path. Any exception is taken: what FFmpeg and PyAV did not
    foresee of one file must not stop an index of a million."""
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
    walked: tuple[list[str], Reasons] | None = None,
) -> Index:
    """Write the index `name` of the listed videos that are under `root` and can be read.

    Labels are the lists' numbers; with `only_present` they are numbered over the classes that have a video. `walked` is
    what `walk` gave where it is known. Called again after a kill it goes on where it was stopped. Errors: DatasetError
    when the folder is wrong or no listed video is there; OSError when the disk is full or a worker was killed.
    """
    root, folder = Path(root), index_folder(name, data_root)
    videos, passed_over = walked or walk(root)
    found, not_listed = defaultdict(list), []  # {key: paths, the best first}
    for path in videos:
        key = KEYS[lists.key](path)
        (found[key] if key in lists.videos else not_listed).append(path)
    for key, paths in found.items():
        paths.sort(key=lambda path, video=lists.videos[key]: _rank(path, video, lists.classes))
    found = dict(sorted(found.items(), key=lambda item: item[1]))
    if not_listed:
        passed_over["in no list" if lists.sha256 else f"not as {lists.expected}"] += not_listed
    nothing = f"{root}: none of the {len(lists.videos)} listed videos is here"
    if not found:
        expected = f"{nothing}; they are expected as {lists.expected}"
        raise DatasetError("; ".join([expected, *_lines(_told(passed_over))]))
    with locked(folder / ".lock", f"{name}: another process is making this index"):
        taken: dict[str, Probed] = {}
        unreadable: dict[str, str] = {}
        for rank in range(max(map(len, found.values()))):  # the next best files of those that cannot be read
            tried = {key: paths[rank] for key, paths in found.items() if key not in taken and rank < len(paths)}
            if not tried:
                break
            probed, reasons = probe_all(root, tried.values(), folder / "probed.jsonl", workers)
            taken |= {key: probed[path] for key, path in tried.items() if path in probed}
            unreadable |= reasons
        if not taken:
            path, reason = next(iter(unreadable.items()))
            raise DatasetError(f"{nothing} and can be read: {len(unreadable)} cannot, such as {path}: {reason}")
        for key, paths in found.items():
            used = taken[key].path if key in taken else paths[0]
            for path in set(paths) - {used}:
                passed_over[unreadable.pop(path, "further files of a listed video")].append(path)
        keys = sorted(taken, key=lambda key: taken[key].path)
        files, listed = [taken[key] for key in keys], [lists.videos[key] for key in keys]
        labels, classes = [video.labels for video in listed], list(lists.classes)
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
        columns |= {f"split{n + 1}": [video.parts[n] or "" for video in listed] for n in range(lists.num_splits)}
        facts = lists.facts() | {
            "lists_sha256": lists.sha256,
            "found": len(found),
            "missing": len(lists.videos) - len(found),
            "unreadable": unreadable,
            "too_short": sum(video.num_frames < MIN_FRAMES for video in taken.values()),
            "min_frames": MIN_FRAMES,
            "duplicates": sum(len(paths) - 1 for paths in found.values()),
            "not_listed": len(not_listed),
        }
        facts |= {"passed_over": _told(passed_over)} if passed_over else {}
        return write_index(name, root, classes, columns, facts, data_root)


def build_from_folders(
    name: str, root: Path | str, part: str | None = None, classes: Path | str | None = None, **options: object
) -> Index:
    """`build` of the videos in folders that are named like their classes: `part` and `classes` as of `lists.folders`,
    options as of `build`. Errors: DatasetError naming the folder or the file that is wrong, or when no video is there.
    """
    videos, passed_over = walk(Path(root))
    lists = folders(Path(root), videos, part, classes)
    if not lists.videos:
        elsewhere = f"{root}: no video in {lists.expected}, and {len(videos)} elsewhere below"
        raise DatasetError("; ".join([elsewhere, *_lines(_told(passed_over))]))
    return build(name, root, lists, walked=(videos, passed_over), **options)


def report(index: Index) -> str:
    """What the command prints of an index that `build` made: what is there and what is not, beside published counts."""
    facts, counts, published = index.facts, index.counts(), published_counts(index.facts["dataset"])
    lines = [f"{index.name}: {len(index.table)} videos of {len(index.classes)} classes, index in {index.folder}"]
    lines += [f"  {split}: {n['train']} train, {n['test']} test" for split, n in counts.items()]
    if facts["dataset"] == "folder" and not all(counts["split1"].values()):
        lines.append(f"  to train and test, {HOW_TO_PART}")
    rows = []  # of each part: videos by the lists, in the index, and as published
    for split, listed in facts["listed_in_part"].items():
        indexed = counts[split] | {"neither": len(index.table) - sum(counts[split].values())}
        before = "" if len(counts) == 1 else f"{split} "
        shown = {"train": "train", "test": facts["test_name"], "neither": "neither"}
        rows += [(before + shown[part], listed[part], indexed[part]) for part in shown if listed[part]]
    if len(rows) > 1:
        rows.append(("all", facts["listed"], len(index.table)))
    table = pd.DataFrame(rows, columns=["part", "listed", "in the index"])
    table["published"] = [published.get(part, ("-",))[0] for part in table["part"]]
    texts = table.map(lambda cell: f"{cell:,}" if isinstance(cell, int) else cell)
    lines += ["", *texts.to_string(index=False).splitlines(), ""]
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
    lines += [f"  {line}" for line in _lines(facts.get("passed_over", {}))]
    lines += fault_lines(facts["unreadable"], index)
    sources = dict.fromkeys(source for _, source in published.values())
    lines.append(f"  published: {'; '.join(sources) or 'no count is known here'}")
    return "\n".join([*lines, f"  manifest {index.manifest_hash}"])


def fault_lines(faults: dict[str, str], index: Index) -> list[str]:
    """A line for each of the first videos that have a fault, and where all are named."""
    lines = [f"    {path}: {reason}" for path, reason in list(faults.items())[:_PRINTED]]
    more = len(faults) - len(lines)
    return lines + [f"    and {more} more: {index.folder / 'manifest.json'} names them"] * (more > 0)
