"""UCF101 (Soomro et al., 2012) by its official lists: 13,320 videos, 101 classes, 3 splits (Table 5 of the paper).

The videos lie in a folder for each class, as official `.avi` files or converted; the lists are classInd.txt,
trainlist01-03.txt and testlist01-03.txt ("UCF101TrainTestSplits-RecognitionTask"). A part of the videos is enough: what
is missing is counted and left out.
"""

from pathlib import Path

from studylib.datasets.index import DatasetError
from studylib.datasets.lists import KEYS, Lists, hash_of, is_plain_name, read_lines

LISTS = "folder with classInd.txt, trainlist01.txt, testlist01.txt, ..."
_SPLITS = (1, 2, 3)


def read(folder: Path) -> Lists:
    """The official lists. Labels follow classInd.txt. Errors: DatasetError naming file, line and what was expected."""
    classes = _read_classes(folder / "classInd.txt")
    files = [folder / f"{part}list{split:02d}.txt" for split in _SPLITS for part in ("train", "test")]
    parts: dict[str, list[str]] = {}  # {"class/stem": part in each split}
    labels: dict[str, int] = {}
    for file in files:
        split, part = int(file.stem[-2:]), file.stem[:-6]
        for place, line in read_lines(file):
            words = line.split()
            folder_name, _, video = words[0].partition("/")
            if folder_name not in classes or not is_plain_name(video):
                raise DatasetError(
                    f"{place}: expected '<Class>/<video>' with a class of classInd.txt, not '{words[0]}'"
                )
            if len(words) > 1 and words[1] != str(classes[folder_name] + 1):
                raise DatasetError(f"{place}: label {words[1]} is not that of {folder_name} in classInd.txt")
            key = KEYS["folder/stem"](words[0])
            labels[key] = classes[folder_name]
            of_video = parts.setdefault(key, [""] * len(_SPLITS))
            if of_video[split - 1]:
                raise DatasetError(f"{place}: '{words[0]}' stands twice in split {split}")
            of_video[split - 1] = part
    expected = "<Class>/v_<Class>_gNN_cNN with the ending .avi, .mp4, ..."
    lists = Lists("UCF101", tuple(classes), "folder/stem", expected, num_splits=len(_SPLITS))
    for key, of_video in parts.items():
        lists.add(key, (labels[key],), tuple(of_video))
    lists.sha256 = hash_of([folder / "classInd.txt", *files])
    return lists


def _read_classes(path: Path) -> dict[str, int]:
    """{class: number from 0} by classInd.txt, whose lines are "1 ApplyEyeMakeup"."""
    classes: dict[str, int] = {}
    for place, line in read_lines(path):
        words = line.split()
        if len(words) != 2 or words[0] != str(len(classes) + 1) or words[1] in classes or not is_plain_name(words[1]):
            raise DatasetError(f"{place}: expected '{len(classes) + 1} <Class>', not '{line}'")
        classes[words[1]] = len(classes)
    return classes
