"""Find the files of listed videos: one walk over the root, matched by key.

No path of a list is ever joined to the root, so none can lead out of it.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studylib.datasets.index import DatasetError
from studylib.datasets.listing import Lists, spelling, without_ending

# Of two files of one video the earlier ending wins: the official file before its conversion.
ENDINGS = (".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".flv", ".3gp", ".mpg", ".mpeg", ".wmv", ".ogv")
_RANKS = {ending: rank for rank, ending in enumerate(ENDINGS)}
TEST_FOLDERS = ("test", "val", "validate", "validation")
# How the key of a video is read off its path. YouTube's ids tell upper from lower case; folder and file names of
# UCF101 and HMDB51 differ by nothing else, and copies of them are spelt in more than one way.
KEYS = {
    "path": without_ending,
    "stem": lambda path: without_ending(path.rpartition("/")[2]),
    "folder/stem": lambda path: without_ending("/".join(path.split("/")[-2:])).casefold(),
}


@dataclass
class Found:
    """Which file each listed video has, and how many others there are."""

    files: dict[str, str]  # key -> path relative to the root, in the order of the paths
    duplicates: int  # further files of a video that has one
    not_listed: int  # files that are of no listed video


def video_files(root: Path) -> list[str]:
    """Paths of the video files under `root`, relative to it with forward slashes, sorted; hidden ones left out.

    Links to folders are followed, but not in circles. Errors: DatasetError when `root` is no folder; OSError for a
    folder that cannot be read.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; --root is the folder under which the videos lie")
    paths = []
    waiting = [("", (_identity(root),))]
    while waiting:
        prefix, above = waiting.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    if (folder := _identity(entry.path)) not in above:
                        waiting.append((f"{prefix}{entry.name}/", (*above, folder)))
                elif os.path.splitext(entry.name)[1].lower() in _RANKS:  # noqa: PTH122 (a million times)
                    paths.append(prefix + entry.name)
    return sorted(paths)


def match(lists: Lists, paths: Iterable[str]) -> Found:
    """Give each listed video its file. Of several the one whose folders name its class and part wins, then the earlier
    ending, then the first. Errors: DatasetError for a file name that an index cannot hold."""
    key_of = KEYS[lists.key]
    candidates: dict[str, list[str]] = defaultdict(list)
    not_listed = 0
    for path in paths:
        if (key := key_of(path)) in lists.videos:
            candidates[key].append(path)
        else:
            not_listed += 1
    files = {key: some[0] if len(some) == 1 else _best(lists, key, some) for key, some in candidates.items()}
    for path in files.values():
        if "\\" in path or not _is_text(path):
            raise DatasetError(f"{path!r}: rename this file: its name must be UTF-8 and hold no backslash")
    duplicates = sum(len(some) - 1 for some in candidates.values())
    return Found(dict(sorted(files.items(), key=lambda item: item[1])), duplicates, not_listed)


def _best(lists: Lists, key: str, paths: list[str]) -> str:
    video = lists.videos[key]
    names = {spelling(lists.classes[label]) for label in video.labels}
    parts = {"train": ("train",), "test": TEST_FOLDERS}.get(video.parts[0], ())

    def rank(path: str) -> tuple:
        *folders, file = path.split("/")
        misplaced = names.isdisjoint(map(spelling, folders)) + (parts != () and not set(parts) & set(folders))
        return misplaced, _RANKS[f".{file.rpartition('.')[2].lower()}"], path

    return min(paths, key=rank)


def _identity(folder: Path | str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116 (a million times)
    return status.st_dev, status.st_ino


def _is_text(path: str) -> bool:
    try:
        return bool(path.encode())
    except UnicodeEncodeError:
        return False
