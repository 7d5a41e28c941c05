"""What the official lists of a dataset say: its classes, its videos and their parts. No video is looked at here.

A dataset's module turns its lists into one `Lists`; `building` does the rest for all of them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from studylib.datasets.index import DatasetError
from studylib.video.files import name_of


class Listed(NamedTuple):
    """A video that the lists name."""

    labels: tuple[int, ...]  # numbers of its classes; the first is the label
    parts: tuple[str, ...]  # of each split "train", "test" or "" for neither


@dataclass
class Lists:
    """The videos by key, which is how their files are found (`finding.KEYS`), and what is told about them."""

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
