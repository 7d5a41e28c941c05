"""What the official lists of a dataset say, and which files they are found in. No video is looked into here.

A reader (`official`, `folder`, `miracl`) turns lists into one `Lists`; `building` does the rest for all of them. Files
are found by one walk over the root and matched by key: no path of a list is ever joined to the root, so none can lead
out of it.
"""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from studylib.datasets.index import DatasetError
from studylib.video.files import name_of, on_disk

# Of two files of one video the earlier ending wins: the official file before its conversion.
ENDINGS = (
    ".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".flv", ".3gp", ".mpg", ".mpeg", ".wmv", ".ogv", ".ts", ".gif",
    ".m2ts", ".mts", ".m2v", ".mpe", ".vob", ".asf", ".f4v", ".3g2", ".divx", ".ogm", ".rm", ".rmvb", ".mxf", ".dv",
)  # fmt: skip
TEST_FOLDERS = ("test", "val", "validate", "validation")
_PRINTED, _NAMED = 20, 1000  # files passed over for one reason that are printed, and named in the manifest


class Listed(NamedTuple):
    """A video that the lists name."""

    labels: tuple[int, ...]  # numbers of its classes; the first is the label
    parts: tuple[str | None, ...]  # of each split "train" or "test", "" for neither, None where its list says nothing


@dataclass
class Lists:
    """The videos by key, which is how their files are found (`KEYS`), and what is told about them."""

    dataset: str  # its published name, as in datasets/dataset_counts.csv
    classes: tuple[str, ...]  # in the order of their numbers
    key: str  # of KEYS
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
        """Add what one line says of a video."""
        video = Listed(labels, parts)
        first = self.videos.setdefault(key, video)
        if first is not video:
            self.repeated += first == video
            self.conflicting += first != video

    def add_to_split(self, place: str, name: str, label: int, split: int, part: str) -> None:
        """Add what a line of one split's list says of a file. Errors: DatasetError for a video in two parts."""
        key = KEYS[self.key](name)
        parts = self.videos.get(key, Listed((label,), (None,) * self.num_splits)).parts
        if parts[split - 1] not in (None, part):
            raise DatasetError(f"{place}: '{name}' has another part in split {split} by an earlier line")
        self.repeated += parts[split - 1] is not None
        self.videos[key] = Listed((label,), (*parts[: split - 1], part, *parts[split:]))

    def part_counts(self) -> dict[str, dict[str, int]]:
        """{"split1": {"train": 9537, "test": 3783, "neither": 0}, ...}."""
        counts = {f"split{n + 1}": {"train": 0, "test": 0, "neither": 0} for n in range(self.num_splits)}
        for video in self.videos.values():
            for part, of_split in zip(video.parts, counts.values(), strict=True):
                of_split[part or "neither"] += 1
        return counts

    def facts(self) -> dict[str, object]:
        """What an index keeps of the lists."""
        return {
            "dataset": self.dataset,
            "listed": len(self.videos),
            "listed_in_part": self.part_counts(),
            "repeated_lines": self.repeated,
            "conflicting_lines": self.conflicting,
            "lines_without_label": self.without_label,
            "test_name": self.test_name,
        }


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
    return name not in ("", ".", "..") and not re.search(r"[/\\\x00]", name)


def without_ending(name: str) -> str:
    """A file name up to its last dot."""
    return name.rpartition(".")[0] or name


def spelling(name: str) -> str:
    """A class name as it compares: "Riding_a_bike", "riding a bike" and '"riding a bike"' are one."""
    return re.sub(r"[\s_]+", " ", re.sub("[\"'’]", "", name)).strip().casefold()


def numbers_by_spelling(classes: Iterable[str]) -> dict[str, int]:
    """{spelling: number of the class}."""
    return {spelling(name): number for number, name in enumerate(classes)}


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


def walk(root: Path) -> Walk:
    """The video files under `root`, and what is passed over. Links to folders are followed, but not in circles.

    Errors: DatasetError when `root` is no folder, or one that cannot be read.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; --root is the folder under which the videos lie")
    videos: list[str] = []
    passed_over: dict[str, dict] = {}
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
            pass_over(passed_over, f"folders that cannot be read ({error.strerror})", [prefix])
            continue
        for entry in entries:
            path = prefix + name_of(entry.name)
            is_folder = os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112 (takes an entry)
            if is_folder and not entry.name.startswith("."):
                waiting.append((f"{path}/", (*above, identity)))
            elif reason := _unfit(path):
                pass_over(passed_over, reason, [path])
            else:
                videos.append(path)
    return Walk(sorted(videos), passed_over)


def _unfit(path: str) -> str | None:
    """Why a file is no video of a dataset, by its name alone."""
    name = path.rpartition("/")[2]
    if name.startswith("."):
        return "hidden, as their names begin with a dot"
    if _ending(name) not in ENDINGS:
        return "their names have no ending of a video"
    if "\\" in path or _printable(path) != path:
        return "rename them: a name must be UTF-8 and hold no backslash"
    return None


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122 (a million times)


def _printable(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


def pass_over(passed_over: dict[str, dict], reason: str, paths: Iterable[str]) -> None:
    """Add to {reason: {"files": how many, "names": the first thousand paths}}."""
    for path in paths:
        entry = passed_over.setdefault(reason, {"files": 0, "names": []})
        entry["files"] += 1
        if len(entry["names"]) < _NAMED:
            entry["names"].append(_printable(path))


def passed_over_lines(passed_over: dict[str, dict]) -> list[str]:
    """A line for each reason."""
    return [
        f"{entry['files']} passed over, {reason}: {', '.join(sorted(entry['names'])[:_PRINTED])}"
        + (", ... (more in manifest.json)" if entry["files"] > _PRINTED else "")
        for reason, entry in sorted(passed_over.items())
    ]


class Found(NamedTuple):
    """Which files each listed video has, and how many others there are."""

    files: dict[str, list[str]]  # key -> paths relative to the root, the best first; in the order of these
    duplicates: int  # further files of a video that has one
    not_listed: list[str]  # files that are of no listed video


def match(lists: Lists, paths: list[str]) -> Found:
    """Give each listed video its files. The best is a replacement of a corrupt one, as Kinetics-400 is distributed,
    then the one whose folders name its class and part, then the earlier ending, then the first."""
    key_of, not_listed = KEYS[lists.key], []
    files: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if (key := key_of(path)) in lists.videos:
            files[key].append(path)
        else:
            not_listed.append(path)
    for key, some in files.items():
        if len(some) > 1:
            some.sort(key=lambda path, video=lists.videos[key]: _rank(path, video, lists.classes))
    duplicates = sum(len(some) - 1 for some in files.values())
    return Found(dict(sorted(files.items(), key=lambda item: item[1])), duplicates, not_listed)


def _rank(path: str, video: Listed, classes: tuple[str, ...]) -> tuple:
    """The lower, the better a file is as that of a video."""
    *folders, file = path.split("/")
    replaces = any(folder.lower().startswith("replacement") for folder in folders)
    of_class = {spelling(classes[label]) for label in video.labels} & set(map(spelling, folders))
    part_folders = {"train": ("train",), "test": TEST_FOLDERS}.get(video.parts[0])
    of_part = part_folders is None or set(part_folders) & set(folders)
    return not replaces, (not of_class) + (not of_part), ENDINGS.index(_ending(file)), path
