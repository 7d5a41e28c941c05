"""What the official lists of a dataset say, and which files they are found in. No video is looked into here.

A dataset's module turns its lists into one `Lists`; `building` does the rest for all of them. Files are found by one
walk over the root and matched by key: no path of a list is ever joined to the root, so none can lead out of it.
"""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from studylib.datasets.index import DatasetError
from studylib.video.files import name_of, on_disk


class Listed(NamedTuple):
    """A video that the lists name."""

    labels: tuple[int, ...]  # numbers of its classes; the first is the label
    parts: tuple[str, ...]  # of each split "train", "test" or "" for neither


@dataclass
class Lists:
    """The videos by key, which is how their files are found (`KEYS`), and what is told about them."""

    dataset: str  # its published name, as in datasets/dataset_counts.csv
    classes: tuple[str, ...]  # in the order of their numbers
    key: str  # "stem" or "folder/stem" or "path"
    expected: str  # how a file must be named to be found
    num_splits: int = 1
    test_name: str = "test"  # what the dataset calls the part that is tested on
    several_labels: bool = False
    videos: dict[str, Listed] = field(default_factory=dict)
    repeated: int = 0  # further lines that say the same of a video
    conflicting: int = 0  # further lines that say something else of a video: the first line holds
    without_label: int = 0  # lines that name no class, as those of hidden tests: left out
    sha256: str = ""  # over the lists' names and contents, whatever their line ends

    def add(self, key: str, labels: tuple[int, ...], parts: tuple[str, ...]) -> None:
        """Take up what one line says of a video."""
        video = Listed(labels, parts)
        first = self.videos.setdefault(key, video)
        if first is not video:
            self.repeated += first == video
            self.conflicting += first != video


def read_text(path: Path) -> str:
    """The text of an official list. Errors: DatasetError when it is not there or no UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot read this official list ({reason}); check --lists") from error


def read_lines(path: Path) -> Iterable[tuple[str, str]]:
    """("file:line", text) of every line that is not blank, stripped. Errors: DatasetError as `read_text`."""
    lines = enumerate(read_text(path).split("\n"), 1)
    return ((f"{path}:{n}", text) for n, line in lines if (text := line.strip()))


def hash_of(paths: Iterable[Path]) -> str:
    """SHA-256 (hex) over names and contents of the lists, CRLF counted as LF."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(name_of(path.name).encode() + b"\n" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def is_plain_name(name: str) -> bool:
    """Whether a name from a list is one file or folder name, which cannot lead anywhere else."""
    return bool(name) and name not in (".", "..") and not re.search(r"[/\\\x00]", name)


def without_ending(name: str) -> str:
    """A file name up to its last dot."""
    return name.rpartition(".")[0] or name


def spelling(name: str) -> str:
    """A class name as it compares: "Riding_a_bike", "riding a bike" and '"riding a bike"' are one."""
    return re.sub(r"[\s_]+", " ", re.sub("[\"'’]", "", name)).strip().casefold()


def numbers_by_spelling(classes: Iterable[str]) -> Mapping[str, int]:
    """{spelling: number of the class}."""
    return {spelling(name): number for number, name in enumerate(classes)}


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
