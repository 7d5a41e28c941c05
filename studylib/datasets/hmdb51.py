"""HMDB51 (Kuehne et al., 2011) by its official lists: 6,766 videos, 51 classes, 3 splits (Table 5 of the paper).

The videos lie in a folder for each class, as official `.avi` files or converted; the lists are the 153 files
<class>_test_split<1-3>.txt ("test_train_splits"). Each split trains on 70 and tests on 30 videos of a class; those it
leaves out have the part "" in it. The classes have no official numbers: they count in alphabetical order.
"""

import re
from pathlib import Path

from studylib.datasets.index import DatasetError
from studylib.datasets.lists import KEYS, Lists, hash_of, is_plain_name, read_lines
from studylib.video.files import name_of, on_disk

LISTS = "folder with the files <class>_test_split<1-3>.txt"
_SPLITS = (1, 2, 3)
_PARTS = {"0": "", "1": "train", "2": "test"}


def read(folder: Path) -> Lists:
    """The official lists. Errors: DatasetError naming file, line and what was expected."""
    names = [name_of(file.name) for file in folder.glob("*_test_split?.txt")]
    names = [re.fullmatch(r"(.+)_test_split[1-3]\.txt", name) for name in names]
    classes = sorted({match[1] for match in names if match})
    if not classes:
        raise DatasetError(f"{folder}: no <class>_test_split<1-3>.txt here; --lists is their folder")
    files = [on_disk(folder, f"{a_class}_test_split{split}.txt") for a_class in classes for split in _SPLITS]
    lists = Lists("HMDB51", tuple(classes), "folder/stem", "<class>/<name>.avi (or .mp4, ...)", num_splits=len(_SPLITS))
    for label, a_class in enumerate(classes):
        parts: dict[str, list[str | None]] = {}
        for split in _SPLITS:
            for place, line in read_lines(on_disk(folder, f"{a_class}_test_split{split}.txt")):
                name, _, number = line.rpartition(" ")  # a name may hold anything but a slash
                name = name.strip()
                if not is_plain_name(name) or number not in _PARTS:
                    raise DatasetError(f"{place}: expected '<name>.avi 0', '... 1' or '... 2', not '{line}'")
                of_video = parts.setdefault(KEYS["folder/stem"](f"{a_class}/{name}"), [None] * len(_SPLITS))
                if of_video[split - 1] not in (None, _PARTS[number]):
                    raise DatasetError(f"{place}: '{name}' has another part in split {split} by an earlier line")
                lists.repeated += of_video[split - 1] is not None
                of_video[split - 1] = _PARTS[number]
        for key, of_video in parts.items():
            lists.add(key, (label,), tuple(part or "" for part in of_video))
    lists.sha256 = hash_of(files)
    return lists
