"""Sports-1M (Karpathy et al., 2014) by its official lists: 1,133,158 YouTube videos, 487 classes, several a video.

The lists are labels.txt (a class a line, the first has number 0) and train_partition.txt and test_partition.txt, whose
lines are "URL label[,label...]". The videos are named <youtube_id> and lie anywhere under the root. `label` of the
index is the first of a video's labels, `labels` holds all. A video of both partitions is trained on only, so that
none is tested on that was trained on.
"""

import re
from pathlib import Path

from studylib.datasets.index import DatasetError
from studylib.datasets.lists import Lists, hash_of, read_lines

LISTS = "folder with labels.txt, train_partition.txt and test_partition.txt"
_PARTITIONS = {"train": "train_partition.txt", "test": "test_partition.txt"}  # train first: its lines hold
_LINE = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?(?:youtube\.com/watch\?(?:[^\s#]*&)?v=|youtu\.be/)([A-Za-z0-9_-]{11})(?:[&?#]\S*)?"
    r"\s+([0-9]+(?:,[0-9]+)*)"
)


def read(folder: Path) -> Lists:
    """The official lists. Errors: DatasetError naming file, line and what was expected."""
    names = next((folder / name for name in ("labels.txt", "sports1m_labels.txt") if (folder / name).exists()), None)
    if names is None:
        raise DatasetError(f"{folder}: no labels.txt here; --lists is the {LISTS}")
    classes = _read_classes(names)
    expected = "<youtube_id>.mp4 (or .flv, .webm, ...) in any folder"
    lists = Lists("Sports-1M", classes, "stem", expected, several_labels=True)
    for part, partition in _PARTITIONS.items():
        for place, line in read_lines(folder / partition):
            match = _LINE.fullmatch(line)
            if not match:
                raise DatasetError(
                    f"{place}: expected 'https://www.youtube.com/watch?v=<id> label[,label...]', not '{line}'"
                )
            labels = tuple(dict.fromkeys(map(int, match[2].split(","))))
            if max(labels) >= len(classes):
                raise DatasetError(f"{place}: label {max(labels)} must be 0 to {len(classes) - 1} by {names.name}")
            lists.add(match[1], labels, (part,))
    lists.sha256 = hash_of([names, *(folder / partition for partition in _PARTITIONS.values())])
    return lists


def _read_classes(path: Path) -> tuple[str, ...]:
    classes: dict[str, None] = {}
    for place, name in read_lines(path):
        if name in classes:
            raise DatasetError(f"{place}: class '{name}' stands twice")
        classes[name] = None
    return tuple(classes)
