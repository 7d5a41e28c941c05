"""Transcode a dataset once to short groups of pictures at the scaled size, so that any clip is a few frames away.

    python -m studylib.datasets ucf101 --root UCF-101 --lists LISTS --prepare [--pack 500]

What is prepared is a dataset of its own, `<name>-128x171`, with the same videos, labels and splits; runs name it and
read it as any other. Its videos are H.264 files, or shards of many of them, with a keyframe every few frames and no
B-frames; the originals are not touched. A file is whole or not there, and a journal tells of each video that is done
(`packing`): a call makes what is missing and what is made of an original that has changed.
"""

import base64
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from studylib.datasets.index import DatasetError, Index, index_folder, write_index
from studylib.datasets.index_rules import OPTIONAL
from studylib.datasets.packing import Prepared, pack_shard, read_journal, stamp_of, tell, tidy, unpacked
from studylib.datasets.probing import in_one_line
from studylib.datasets.production import claim
from studylib.datasets.transcoding import MEASURED, Format, transcode
from studylib.video.clips import scaled_size
from studylib.video.files import locked, on_disk, write_bytes
from studylib.video.parallel import in_processes, progress_bar

__all__ = ["Format", "prepare", "report", "transcode"]

_FEW = 32  # videos that are made without a word on the way, if it goes to a log
_LINES = 20  # videos that could not be prepared and are told; all of them are in the manifest
_GONE = [-1, -1]  # the stamp of a file that is not there


def prepare(
    source: Index,
    how: Format = MEASURED,
    pack: int = 1,
    data_root: Path | str | None = None,
    workers: int | None = None,
) -> Index:
    """Transcode the videos of `source`, on all cores, and write the index of the prepared ones.

    Args:
        source: the dataset as it is.
        how: size and quality.
        pack: videos in a shard; 1 gives each a file that players show.
        data_root: where the prepared videos and their index will live; by default where the source's index does.
        workers: processes.

    A video that cannot be decoded to its end is left out and told (`facts["prepared"]["unreadable"]`); each call tries
    it again. A second process waits for the first. Errors: DatasetError when no video can be prepared, or the folder
    holds videos prepared otherwise; OSError when the disk is full or a worker died: what is finished stays.
    """
    if "prepared" in source.facts:
        raise DatasetError(f"{source.name}: is prepared already; prepare the original videos")
    if pack < 1:
        raise DatasetError(f"{source.name}: a shard must hold at least 1 video, not {pack}")
    name = "{}-{}x{}".format(source.name, *scaled_size(how.resolution))
    folder = index_folder(name, data_root or source.folder.parent)
    with locked(folder / ".lock", f"{name}: another process is preparing these videos"):
        claim(folder / "settings.json", asdict(how) | {"pack": pack})
        shutil.rmtree(folder / "unfinished", ignore_errors=True)
        names, done = _names(source.table["path"].to_pylist()), read_journal(folder)
        try:
            unreadable = _make(source, folder, names, how, pack, done, workers)
            index = _write(source, name, folder, names, how, pack > 1, done, unreadable)
            tidy(folder, done)  # after that: an index that is replaced names its videos until then
        except OSError as error:
            there = f"stopped after {sum(path in done for path in names)} of {len(names)} videos"
            message = f"{folder}: {there} ({error.strerror or error}); they stay: call again to go on"
            raise OSError(error.errno, message) from error
        return index


def _names(paths: list[str]) -> dict[str, str]:
    """What the prepared video of each path is called: its name with another ending, or with one more where two would be
    one (a.avi and a.mp4)."""
    names = [str(PurePosixPath(path).with_suffix(".mp4")) for path in paths]
    uses = Counter(names)
    return {path: name if uses[name] == 1 else f"{path}.mp4" for path, name in zip(paths, names, strict=True)}


def _make(
    source: Index,
    folder: Path,
    names: dict[str, str],
    how: Format,
    pack: int,
    done: dict[str, Prepared],
    workers: int | None,
) -> dict[str, str]:
    """Make what is missing of the videos and their shards, and add it to `done` and to the journal; returns the
    originals that cannot be prepared, and why."""
    paths, jobs = list(names), {}
    shard_of = {path: row // pack for row, path in enumerate(paths)}
    for row, path in enumerate(paths):
        original = source.path(path)
        file = f"videos/{names[path]}" if pack == 1 else unpacked(path)
        # An original that is gone is as it was: what is made of it stays.
        current = path in done and stamp_of(original) in (done[path].stamp, _GONE)
        if not current or (pack == 1 and done[path].file != file):
            done.pop(path, None)
            jobs[path] = (path, original, folder, file, row, how, pack > 1)

    def complete(shard: int) -> None:
        if pack > 1:
            rows = paths[shard * pack : (shard + 1) * pack]
            packed = pack_shard(folder, shard, [done[path] for path in rows if path in done], journal)
            done.update((video.path, video) for video in packed)

    unreadable: dict[str, str] = {}
    missing = Counter(shard_of[path] for path in jobs)
    bar = progress_bar(
        f"{source.name}: preparing", len(paths), len(paths) - len(jobs), disable=None if len(jobs) < _FEW else False
    )
    results = in_processes(make_one, jobs, workers)
    with bar, open(folder / "prepared.jsonl", "ab") as journal, closing(results):
        journal.write(b"\n")  # ends a torn line
        for shard in sorted(set(shard_of.values()) - set(missing)):
            complete(shard)
        for path, result in results:
            if isinstance(result, str):
                unreadable[path] = result
            else:
                done[path] = result
                tell(journal, [result])
            missing[shard_of[path]] -= 1
            if not missing[shard_of[path]]:
                complete(shard_of[path])
            bar.update()
    return {path: unreadable[path] for path in paths if path in unreadable}


def make_one(
    path: str, original: Path, folder: Path, file: str, row: int, how: Format, for_shard: bool
) -> Prepared | str:
    """Prepare one video, or say in one line, without naming the machine's folders, why it cannot be."""
    scratch = folder / "unfinished" / f"{row}.mp4"  # not beside `file`, whose name may leave no room for an ending
    stamp = stamp_of(original)  # before it is read: a change meanwhile will be seen
    try:
        content, facts = transcode(original, how, scratch, for_shard)
    except OSError:  # a full disk; those of the original are VideoErrors
        raise
    except Exception as error:
        return in_one_line(error, original)
    write_bytes(scratch, content)
    place = on_disk(folder, file)
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch.replace(place)
    return Prepared(path, stamp, file, 0, len(content), **facts)


def _write(
    source: Index,
    name: str,
    folder: Path,
    names: dict[str, str],
    how: Format,
    packed: bool,
    done: dict[str, Prepared],
    unreadable: dict[str, str],
) -> Index:
    """The index of what is prepared: the source's rows and facts, with the new videos' places, sizes and timelines."""
    rows = [row for row, path in enumerate(names) if path in done]
    videos = [done[path] for path in names if path in done]
    if not videos:
        path, reason = next(iter(unreadable.items()))
        raise DatasetError(f"{source.name}: none of {len(names)} videos can be prepared, such as {path}: {reason}")
    height, width = how.size
    new = {
        "path": [names[video.path] for video in videos],
        "num_frames": [video.num_frames for video in videos],
        "width": [width] * len(videos),
        "height": [height] * len(videos),
        "bytes": [video.size for video in videos],
        "psnr": pa.array([video.psnr for video in videos], pa.float32()),
        "timeline": pa.array([base64.b64decode(video.timeline) for video in videos], OPTIONAL["timeline"]),
    }
    if packed:
        new["shard"] = [video.file.removeprefix("videos/") for video in videos]
        new |= {column: [getattr(video, column) for video in videos] for column in ("offset", "size")}
    table = source.table.take(rows)
    kept = {column: table[column] for column in table.column_names if column != "sha256"}  # it is the original's
    facts = asdict(how) | {
        "from": source.manifest_hash,
        "original_bytes": sum(video.stamp[0] for video in videos),
        "unreadable": unreadable,
    }
    # Not whether they are packed: they are the same videos.
    return write_index(
        name, folder / "videos", source.classes, kept | new, {**source.facts, "prepared": facts}, folder.parent
    )


def report(index: Index) -> str:
    """What the command prints of a prepared dataset, as lines of text."""
    facts, table = index.facts["prepared"], index.table
    size, before = pc.sum(table["bytes"]).as_py(), facts["original_bytes"]
    psnr, unreadable = table["psnr"].to_numpy(), facts["unreadable"]
    shards = f" in {pc.count_distinct(table['shard']).as_py()} shards" if "shard" in table.column_names else ""
    lines = [
        f"{index.name}: {len(table)} videos prepared{shards}, {index.folder}",
        f"  {len(unreadable)} could not be prepared (left out)",
        *(f"    {path}: {reason}" for path, reason in list(unreadable.items())[:_LINES]),
    ]
    if (more := len(unreadable) - _LINES) > 0:
        lines.append(f"    and {more} more: {index.folder / 'manifest.json'} names them")
    lowest = table["path"][int(psnr.argmin())].as_py()
    return "\n".join(
        [
            *lines,
            f"  {size / 1e6:,.1f} MB, {size / before:.2f} of the originals' {before / 1e6:,.1f} MB",
            f"  PSNR {psnr.mean():.1f} dB on average, {psnr.min():.1f} dB at the lowest ({lowest})",
            f"  manifest {index.manifest_hash}",
        ]
    )
