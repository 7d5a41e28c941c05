"""What the lists of a dataset say: the official ones of Kinetics, Sports-1M, UCF101 and HMDB51, or folders.

Each reader makes one `Lists` and names file, line and what was expected in a DatasetError; `building` does the rest.
Its docstring is the help of its command.
"""

import csv
import difflib
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from studylib.datasets.index import DatasetError
from studylib.video.files import name_of, on_disk

TEST_FOLDERS = ("test", "val", "validate", "validation")
SPLITS = (1, 2, 3)  # of UCF101 and HMDB51
KINETICS_PARTS = {"train": "train", "val": "test", "validate": "test", "validation": "test", "test": ""}
KINETICS_HEADER = "label,youtube_id,time_start,time_end,split"
_SECONDS = (r"[0-9]{1,6}", "must be a whole number of seconds")
_KINETICS_RULES = {
    "youtube_id": (r"[A-Za-z0-9_-]{11}", "must be 11 letters, digits, '-' or '_'"),
    "time_start": _SECONDS,
    "time_end": _SECONDS,
    "split": ("|".join(KINETICS_PARTS), f"must be one of {', '.join(KINETICS_PARTS)}"),
}
_SPORTS1M_LINE = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?(?:youtube\.com/watch\?(?:[^\s#]*&)?v=|youtu\.be/)([A-Za-z0-9_-]{11})(?:[&?#]\S*)?"
    r"\s+([0-9]+(?:,[0-9]+)*)"
)
HMDB51_PARTS = {"0": "", "1": "train", "2": "test"}


def without_ending(name: str) -> str:
    """A file name up to its last dot."""
    return name.rpartition(".")[0] or name


# How the key of a video is read off its path. YouTube's ids tell upper from lower case; folder and file names of
# UCF101 and HMDB51 differ by nothing else, and copies of them are spelt in more than one way.
KEYS = {
    "path": without_ending,
    "stem": lambda path: without_ending(path.rpartition("/")[2]),
    "folder/stem": lambda path: without_ending("/".join(path.split("/")[-2:])).casefold(),
}


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

    def add(self, place: str, name: str, labels: tuple[int, ...], part: str, split: int = 1) -> None:
        """Add what one line says of a file. Errors: DatasetError for one in both parts of one of several splits."""
        key = KEYS[self.key](name)
        video = self.videos.setdefault(key, Listed(labels, (None,) * self.num_splits))
        if (told := video.parts[split - 1]) is None:
            self.videos[key] = video._replace(parts=(*video.parts[: split - 1], part, *video.parts[split:]))
        elif self.num_splits > 1 and told != part:
            raise DatasetError(f"{place}: '{name}' has another part in split {split} by an earlier line")
        else:
            same = (video.labels, told) == (labels, part)
            self.repeated += same
            self.conflicting += not same

    def facts(self) -> dict[str, object]:
        """What an index keeps of the lists."""
        counts = {f"split{n + 1}": {"train": 0, "test": 0, "neither": 0} for n in range(self.num_splits)}
        for video in self.videos.values():
            for part, of_split in zip(video.parts, counts.values(), strict=True):
                of_split[part or "neither"] += 1
        return {
            "dataset": self.dataset,
            "listed": len(self.videos),
            "listed_in_part": counts,
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
        raise DatasetError(f"{path}: cannot read this official list ({reason}); check --lists, or --classes") from error


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


def spelling(name: str) -> str:
    """A class name as it compares: "Riding_a_bike", "riding a bike" and '"riding a bike"' are one."""
    return re.sub(r"[\s_]+", " ", re.sub("[\"'’]", "", name)).strip().casefold()


def kinetics(path: Path, num_classes: int) -> Lists:
    """Kinetics-400, -600 and -700 (Kay et al., 2017) by their official lists: clips of 10 seconds from YouTube.

    The lists are csv files (label, youtube_id, time_start, time_end, split, seconds); the videos are named
    <youtube_id>_<start:06d>_<end:06d> and lie anywhere under the root, usually in {train,val}/<class>/ with spaces or
    underscores in the class. The paper trains on "train" and tests on "validate"; clips of the hidden test set are in
    neither part of the split. Many clips are gone from YouTube: what is missing is counted and left out.

    Labels are the places of the class names in alphabetical order, which is what released weights speak in. Those of
    Kinetics-400 are known, so that a list of some of the classes gives the same numbers; those of the others are the
    lists' own and must be complete.
    """
    csv_files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not csv_files:
        lists = "the official csv file, or a folder of them (train.csv, validate.csv, ...)"
        raise DatasetError(f"{path}: no csv file here; --lists is {lists}")
    rows = [row for file in csv_files for row in _kinetics_rows(file)]
    if num_classes == 400:
        from torchvision.models.video import R3D_18_Weights  # torch takes seconds to import

        classes = tuple(R3D_18_Weights.KINETICS400_V1.meta["categories"])
    else:
        classes = tuple(sorted({label for _, label, _, _ in rows if label}))
    if len(classes) != num_classes:
        raise DatasetError(
            f"{path}: names {len(classes)} classes where Kinetics-{num_classes} has {num_classes}, and their order "
            "numbers the labels: put the complete official list of a part (validate.csv) beside it"
        )
    numbers = {spelling(name): number for number, name in enumerate(classes)}
    expected = "<youtube_id>_<start:06d>_<end:06d>.mp4 (or .mkv, .webm, ...) in any folder"
    lists = Lists(f"Kinetics-{num_classes}", classes, "stem", expected, test_name="val", sha256=hash_of(csv_files))
    for place, label, key, part in rows:
        if not label:
            lists.without_label += 1
            continue
        if (number := numbers.get(spelling(label))) is None:
            close = difflib.get_close_matches(label, classes, 1)
            like = f"; is it {close[0]!r}?" if close else ""
            raise DatasetError(f"{place}: {label!r} is no class of Kinetics-{num_classes}{like}")
        lists.add(place, key, (number,), part)
    return lists


def _kinetics_rows(file: Path) -> Iterator[tuple[str, str, str, str]]:
    """(file:line, label, key, part) of each row; a hidden test's have no label."""
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""), skipinitialspace=True)
    header = reader.fieldnames or []
    if not set(_KINETICS_RULES) <= set(header):
        raise DatasetError(f"{file}:1: expected the official header {KINETICS_HEADER}, not {','.join(header)[:80]!r}")
    for line in reader:
        place, row = f"{file}:{reader.line_num}", {c: (line.get(c) or "").strip() for c in KINETICS_HEADER.split(",")}
        for column, (pattern, rule) in _KINETICS_RULES.items():
            if not re.fullmatch(pattern, row[column]):
                raise DatasetError(f"{place}: {column} {row[column]!r} {rule}")
        if not row["label"] and row["split"] != "test":
            raise DatasetError(f"{place}: no label; expected {KINETICS_HEADER}")
        key = f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}"
        yield place, row["label"], key, KINETICS_PARTS[row["split"]]


def sports1m(folder: Path) -> Lists:
    """Sports-1M (Karpathy et al., 2014) by its official lists: 1,133,158 YouTube videos, 487 classes, several a video.

    The lists are labels.txt (a class a line, the first has number 0) and train_partition.txt and test_partition.txt,
    whose lines are "URL label[,label...]". The videos are named <youtube_id> and lie anywhere under the root. `label`
    of the index is the first of a video's labels, `labels` holds all. A video of both partitions is trained on only,
    so that none is tested on that was trained on.
    """
    names = next((folder / name for name in ("labels.txt", "sports1m_labels.txt") if (folder / name).exists()), None)
    if names is None:
        lists = "the folder with labels.txt, train_partition.txt and test_partition.txt"
        raise DatasetError(f"{folder}: no labels.txt here; --lists is {lists}")
    classes = tuple(name for _, name in read_lines(names))
    expected = "<youtube_id>.mp4 (or .flv, .webm, ...) in any folder"
    lists = Lists("Sports-1M", classes, "stem", expected, several_labels=True)
    partitions = {part: folder / f"{part}_partition.txt" for part in ("train", "test")}  # train first: its lines hold
    for part, partition in partitions.items():
        for place, line in read_lines(partition):
            match = _SPORTS1M_LINE.fullmatch(line)
            if not match:
                wanted = "https://www.youtube.com/watch?v=<id> label[,label...]"
                raise DatasetError(f"{place}: expected '{wanted}', not '{line}'")
            labels = tuple(dict.fromkeys(map(int, match[2].split(","))))
            if max(labels) >= len(classes):
                raise DatasetError(f"{place}: label {max(labels)} must be 0 to {len(classes) - 1} by {names.name}")
            lists.add(place, match[1], labels, part)
    lists.sha256 = hash_of([names, *partitions.values()])
    return lists


def ucf101(folder: Path) -> Lists:
    """UCF101 (Soomro et al., 2012) by its official lists: 13,320 videos, 101 classes, 3 splits (Table 5 of the paper).

    The videos lie in a folder for each class, as official `.avi` files or converted; the lists are classInd.txt,
    trainlist01-03.txt and testlist01-03.txt ("UCF101TrainTestSplits-RecognitionTask"), and classInd.txt numbers the
    labels. A part of the videos is enough: what is missing is counted and left out.
    """
    classes: dict[str, int] = {}  # {class: number from 0} by lines such as "1 ApplyEyeMakeup"
    for place, line in read_lines(folder / "classInd.txt"):
        words = line.split()
        if len(words) != 2 or words[0] != str(len(classes) + 1) or words[1] in classes or not is_plain_name(words[1]):
            raise DatasetError(f"{place}: expected '{len(classes) + 1} <Class>', not '{line}'")
        classes[words[1]] = len(classes)
    expected = "<Class>/v_<Class>_gNN_cNN with the ending .avi, .mp4, ..."
    lists = Lists("UCF101", tuple(classes), "folder/stem", expected, num_splits=len(SPLITS))
    split_lists = {folder / f"{part}list{n:02d}.txt": (n, part) for n in SPLITS for part in ("train", "test")}
    for file, (split, part) in split_lists.items():
        for place, line in read_lines(file):
            path, *number = line.split()
            a_class, _, video = path.partition("/")
            if a_class not in classes or not is_plain_name(video):
                raise DatasetError(f"{place}: expected '<Class>/<video>' with a class of classInd.txt, not '{path}'")
            if number and number[0] != str(classes[a_class] + 1):
                raise DatasetError(f"{place}: label {number[0]} is not that of {a_class} in classInd.txt")
            lists.add(place, path, (classes[a_class],), part, split)
    lists.sha256 = hash_of([folder / "classInd.txt", *split_lists])
    return lists


def hmdb51(folder: Path) -> Lists:
    """HMDB51 (Kuehne et al., 2011) by its official lists: 6,766 videos, 51 classes, 3 splits (Table 5 of the paper).

    The videos lie in a folder for each class, as official `.avi` files or converted; the lists are the 153 files
    <class>_test_split<1-3>.txt ("test_train_splits"). Each split trains on 70 and tests on 30 videos of a class; those
    it leaves out have the part "" in it. The classes have no official numbers: they count in alphabetical order.
    """
    names = [name_of(file.name) for file in folder.glob("*_test_split[123].txt")]
    classes = sorted({name.removesuffix(".txt")[: -len("_test_split1")] for name in names})
    if not classes:
        raise DatasetError(f"{folder}: no <class>_test_split<1-3>.txt here; --lists is their folder")
    lists = Lists("HMDB51", tuple(classes), "folder/stem", "<class>/<name>.avi (or .mp4, ...)", num_splits=len(SPLITS))
    split_lists = []
    for label, a_class in enumerate(classes):
        for split in SPLITS:
            split_lists.append(on_disk(folder, f"{a_class}_test_split{split}.txt"))
            for place, line in read_lines(split_lists[-1]):
                name, _, number = line.rpartition(" ")  # a name may hold anything but a slash
                if not is_plain_name(name.strip()) or number not in HMDB51_PARTS:
                    raise DatasetError(f"{place}: expected '<name>.avi 0', '... 1' or '... 2', not '{line}'")
                lists.add(place, f"{a_class}/{name.strip()}", (label,), HMDB51_PARTS[number], split)
    lists.sha256 = hash_of(split_lists)
    return lists


def folders(root: Path, paths: list[str], part: str | None = None, classes: Path | str | None = None) -> Lists:
    """Videos in a folder for each class, without official lists: ROOT/[train|test/]<class>/<video>.

    Where the root holds a folder `train` and one of `test`, `val`, `validate` or `validation`, and videos lie in
    folders of theirs only, these are the parts; else all videos are in one part, `--part`. Beside a folder `test` the
    videos of a validation folder are in neither part. Class numbers are what weights trained elsewhere speak in: a file
    of class names, a line each, gives their order.

    `paths` are the videos below `root`. Errors: DatasetError when a folder is no line of the file `classes`.
    """
    there = [name for name in ("train", *TEST_FOLDERS) if (root / name).is_dir()]
    flat = any(path.count("/") == 1 and path.split("/")[0] in there for path in paths)
    part_of = {"": part or "test"}  # {"train/": "train", ...}
    if not part and "train" in there and len(there) > 1 and not flat:
        tested = ["test"] if "test" in there else there[1:]
        part_of = {f"{name}/": "train" if name == "train" else "test" if name in tested else "" for name in there}
    places = []  # (path, folder, part)
    for path in paths:
        prefix = next((prefix for prefix in part_of if path.startswith(prefix)), None)
        folder, _, file = path.removeprefix(prefix or "").partition("/")
        if prefix is not None and file and "/" not in file:
            places.append((path, folder, part_of[prefix]))
    expected = "<class>/<video>, or {train,test}/<class>/<video>"
    present = sorted({folder for _, folder, _ in places})
    if classes is None:
        names, numbers = tuple(present), {name: number for number, name in enumerate(present)}
    else:
        names = tuple(name for _, name in read_lines(Path(classes)))
        by_spelling = {spelling(name): number for number, name in enumerate(names)}
        numbers = {name: by_spelling.get(spelling(name)) for name in present}
        numbers |= {name: number for number, name in enumerate(names)}
        if unknown := [name for name in present if numbers[name] is None]:
            raise DatasetError(f"{classes}: has no class {unknown[0]!r}, which is a folder of {root}")
    lists = Lists("folder", names, "path", expected)
    for path, folder, of_part in places:
        lists.videos.setdefault(without_ending(path), Listed((numbers[folder],), (of_part,)))
    return lists


def published_counts(dataset: str) -> dict[str, tuple[int, str]]:
    """{part: (videos, source)} of a dataset; empty where no count is known."""
    counts = pd.read_csv(files("studylib.datasets") / "dataset_counts.csv").query("dataset == @dataset")
    return {row.part: (int(row.videos), row.source) for row in counts.itertuples()}


# A command's dataset -> what reads its official lists.
READERS: dict[str, Callable[[Path], Lists]] = {
    **{f"kinetics{n}": partial(kinetics, num_classes=n) for n in (400, 600, 700)},
    "sports1m": sports1m,
    "ucf101": ucf101,
    "hmdb51": hmdb51,
}
