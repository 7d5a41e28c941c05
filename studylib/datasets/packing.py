"""What is done of a dataset that is being prepared: its journal, and the shards that many videos are packed into."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

from studylib.video.files import on_disk, write_bytes

_UNPACKED = "unpacked"  # folder of the videos whose shard lacks others


class Prepared(NamedTuple):
    """A video that is done, as a line of the journal tells."""

    path: str  # of the original, relative to its dataset's root
    stamp: list[int]  # the original's size in bytes, and when it was last changed in ns
    file: str  # where the video lies, relative to the new dataset's folder
    offset: int  # bytes from the start of that file
    size: int  # bytes
    num_frames: int
    psnr: float  # dB
    timeline: str  # base64 of Timeline.to_bytes


def unpacked(path: str) -> str:
    """Where the video of an original waits for the others of its shard."""
    return f"{_UNPACKED}/{hashlib.sha256(path.encode()).hexdigest()[:32]}.mp4"


def stamp_of(path: Path) -> list[int]:
    """Size in bytes and time of change in ns; [-1, -1] where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]


def read_journal(folder: Path) -> dict[str, Prepared]:
    """The videos that are done and whose files are there and whole, by their originals' paths; the last line holds.

    Those of originals that the index no longer lists are among them: it may list them again.
    """
    told: dict[str, Prepared] = {}
    if (folder / "prepared.jsonl").exists():
        with open(folder / "prepared.jsonl", "rb") as lines:
            for line in lines:
                try:
                    video = Prepared(*json.loads(line))
                    told.pop(video.path, None)  # so that the latest stands last
                    told[video.path] = video
                except (ValueError, TypeError):
                    continue  # a kill can tear a line
    sizes = {file: stamp_of(on_disk(folder, file))[0] for file in {video.file for video in told.values()}}
    latest = {(video.file, video.offset): path for path, video in told.items()}

    def whole(video: Prepared) -> bool:
        end, size = video.offset + video.size, sizes[video.file]
        return size >= end if video.file.endswith(".shard") else size == end

    return {path: video for path, video in told.items() if whole(video) and latest[video.file, video.offset] == path}


def tell(journal: BinaryIO, videos: Iterable[Prepared]) -> None:
    """Add lines to the journal."""
    journal.write(b"".join(map(_line, videos)))
    journal.flush()


def _line(video: Prepared) -> bytes:
    return json.dumps(video).encode() + b"\n"


def pack_shard(folder: Path, number: int, videos: list[Prepared], journal: BinaryIO) -> list[Prepared]:
    """See to it that shard `number` holds `videos` in their order and nothing else; returns where they lie now.

    The name of a shard tells its contents: another one never takes the place of one that an index still names.
    """
    if not videos:
        return []
    *offsets, total = accumulate((video.size for video in videos), initial=0)
    start, place = f"videos/{number:05d}-", folder / videos[0].file
    there = [video._replace(file=videos[0].file, offset=at) for video, at in zip(videos, offsets, strict=True)]
    if there == videos and videos[0].file.startswith(start) and place.stat().st_size == total:
        return videos
    unfinished, digest = folder / "unfinished" / f"{number}.shard", hashlib.sha256()
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    with open(unfinished, "wb") as shard:
        for video in videos:
            content = _content(folder, video)
            digest.update(content)
            shard.write(content)
        shard.flush()
        os.fsync(shard.fileno())
    name = f"{start}{digest.hexdigest()[:12]}.shard"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(folder / name)
    packed = [video._replace(file=name) for video in there]
    tell(journal, packed)
    for video in videos:
        if video.file.startswith(f"{_UNPACKED}/"):
            (folder / video.file).unlink()
    return packed


def _content(folder: Path, video: Prepared) -> bytes:
    with open(folder / video.file, "rb") as file:
        file.seek(video.offset)
        content = file.read(video.size)
    if len(content) != video.size:
        raise OSError(f"{folder / video.file}: is shorter than it was")
    return content


def tidy(folder: Path, done: dict[str, Prepared]) -> None:
    """Shorten the journal to what holds; remove the videos and shards that it does not tell of, and scratch files."""
    write_bytes(folder / "prepared.jsonl", b"".join(map(_line, done.values())))
    used = {on_disk(folder, video.file) for video in done.values()}
    for place in ("videos", _UNPACKED):
        for path in (folder / place).rglob("*"):
            if path not in used and path.is_file():
                path.unlink()
    shutil.rmtree(folder / "unfinished", ignore_errors=True)
    with suppress(OSError):  # not empty: a video of a shard that the index no longer lists
        (folder / _UNPACKED).rmdir()
