"""Find the files of listed videos: one walk over the root, matched by key.

No path of a list is ever joined to the root, so none can lead out of it.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from studylib.datasets.index import DatasetError
from studylib.datasets.listing import Lists, spelling, without_ending
from studylib.video.files import name_of, on_disk

# Of two files of one video the earlier ending wins: the official file before its conversion.
ENDINGS = (
    ".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".flv", ".3gp", ".mpg", ".mpeg", ".wmv", ".ogv", ".ts", ".gif",
    ".m2ts", ".mts", ".m2v", ".mpe", ".vob", ".asf", ".f4v", ".3g2", ".divx", ".ogm", ".rm", ".rmvb", ".mxf", ".dv",
)  # fmt: skip
_RANKS = {ending: rank for rank, ending in enumerate(ENDINGS)}
_FEW = 20  # files of a folder that are passed over for one reason and named one by one
TEST_FOLDERS = ("test", "val", "validate", "validation")
# How the key of a video is read off its path. YouTube's ids tell upper from lower case; folder and file names of
# UCF101 and HMDB51 differ by nothing else, and copies of them are spelt in more than one way.
KEYS = {
    "path": without_ending,
    "stem": lambda path: without_ending(path.rpartition("/")[2]),
    "folder/stem": lambda path: without_ending("/".join(path.split("/")[-2:])).casefold(),
}


class Walk(NamedTuple):
    """What lies below a root."""

    videos: list[str]  # paths of the video files, relative to the root, with forward slashes, sorted
    passed_over: dict[str, dict]  # as `pass_over` makes it


@dataclass
class Found:
    """Which files each listed video has, and how many others there are."""

    files: dict[str, list[str]]  # key -> paths relative to the root, the best first; in the order of these
    duplicates: int  # further files of a video that has one
    not_listed: list[str]  # files that are of no listed video


def walk(root: Path) -> Walk:
    """The video files under `root`, and what is passed over.

    Links to folders are followed, but not in circles. Errors: DatasetError when `root` is no folder, or one that cannot
    be read.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; --root is the folder under which the videos lie")
    videos: list[str] = []
    passed_over: dict[str, dict] = {}
    waiting: list[tuple[str, tuple]] = [("", ())]
    while waiting:
        prefix, above = waiting.pop()
        unfit = defaultdict(list)
        try:
            folder = on_disk(root, prefix)
            status = os.stat(folder)  # noqa: PTH116 (a million times)
            if (identity := (status.st_dev, status.st_ino)) in above:
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    path = prefix + name_of(entry.name)
                    if not entry.name.startswith(".") and _is_folder(entry):
                        waiting.append((f"{path}/", (*above, identity)))
                    elif reason := _unfit(path):
                        unfit[reason].append(path)
                    else:
                        videos.append(path)
        except OSError as error:
            if not prefix:
                raise DatasetError(f"{root}: cannot be read ({error.strerror}); check --root") from error
            unfit[f"folders that cannot be read ({error.strerror})"].append(prefix)
        for reason, paths in unfit.items():
            pass_over(passed_over, reason, paths)
    return Walk(sorted(videos), passed_over)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a folder that may not be entered
        return False


def _unfit(path: str) -> str | None:
    """Why a file is no video of a dataset, by its name alone."""
    name = path.rpartition("/")[2]
    if name.startswith("."):
        return "hidden, as their names begin with a dot"
    if os.path.splitext(name)[1].lower() not in _RANKS:  # noqa: PTH122 (a million times)
        return "their names have no ending of a video"
    if "\\" in path or _shown(path) != path:
        return "rename them: a name must be UTF-8 and hold no backslash"
    return None


def _shown(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


def pass_over(passed_over: dict[str, dict], reason: str, paths: Iterable[str]) -> None:
    """Add to {reason: {"files": how many, "names": paths}}; many files of one folder and ending have one name."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        folder, slash, name = path.rpartition("/")
        groups[folder + slash, os.path.splitext(name)[1]].append(path)  # noqa: PTH122
    for (folder, ending), some in groups.items():
        names = some if len(some) <= _FEW else [f"{folder}*{ending} ({len(some)} files)"]
        entry = passed_over.setdefault(reason, {"files": 0, "names": []})
        entry["files"] += len(some)
        entry["names"] += map(_shown, names)


def told(passed_over: dict[str, dict]) -> list[str]:
    """A line for each reason."""
    return [
        f"{entry['files']} passed over, {reason}: {', '.join(sorted(entry['names'])[:_FEW])}"
        + (", ... (manifest.json names all)" if len(entry["names"]) > _FEW else "")
        for reason, entry in sorted(passed_over.items())
    ]


def match(lists: Lists, paths: list[str]) -> Found:
    """Give each listed video its files. The best is a replacement of a corrupt one, as Kinetics-400 is distributed,
    then the one whose folders name its class and part, then the earlier ending, then the first."""
    key_of = KEYS[lists.key]
    files: dict[str, list[str]] = defaultdict(list)
    not_listed = []
    for path in paths:
        if (key := key_of(path)) in lists.videos:
            files[key].append(path)
        else:
            not_listed.append(path)
    duplicates = sum(len(some) - 1 for some in files.values())
    ranked = {key: some if len(some) == 1 else _ranked(lists, key, some) for key, some in files.items()}
    return Found(dict(sorted(ranked.items(), key=lambda item: item[1])), duplicates, not_listed)


def _ranked(lists: Lists, key: str, paths: list[str]) -> list[str]:
    video = lists.videos[key]
    names = {spelling(lists.classes[label]) for label in video.labels}
    parts = {"train": ("train",), "test": TEST_FOLDERS}.get(video.parts[0], ())

    def rank(path: str) -> tuple:
        *folders, file = path.split("/")
        replaces = any(folder.lower().startswith("replacement") for folder in folders)
        misplaced = names.isdisjoint(map(spelling, folders)) + (parts != () and not set(parts) & set(folders))
        return not replaces, misplaced, _RANKS[f".{file.rpartition('.')[2].lower()}"], path

    return sorted(paths, key=rank)
