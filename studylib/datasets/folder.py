"""Videos in a folder for each class, without official lists: ROOT/[train|test/]<class>/<video>.

Where the root holds a folder `train` and one of `test`, `val`, `validate` or `validation`, and videos lie in folders of
theirs only, these are the parts; else all videos are in one part, `--part`. Beside a folder `test` the videos of a
validation folder are in neither part. Class numbers are what weights trained elsewhere speak in: a file of class names,
a line each, gives their order.
"""

from pathlib import Path

from studylib.datasets.building import build
from studylib.datasets.index import DatasetError, Index
from studylib.datasets.lists import (
    TEST_FOLDERS,
    Lists,
    Walk,
    numbers_by_spelling,
    passed_over_lines,
    read_lines,
    spelling,
    walk,
    without_ending,
)


def make(
    name: str, root: Path | str, part: str | None = None, classes: Path | str | None = None, **options: object
) -> Index:
    """Write the index `name` of the videos under `root`; options as of `build`.

    With `part` ("train", "test") all videos are in that part of split 1; without, they are in those that the folders
    train and test (or val) tell, and where there are none in "test". Labels follow the lines of the file `classes`;
    without one, the folders' names in alphabetical order.
    Errors: DatasetError naming the folder or the file that is wrong, or when no video is there.
    """
    root = Path(root)
    walked = walk(root)
    return build(name, root, read(root, walked, part, classes), walked=walked, **options)


def read(root: Path, walked: Walk, part: str | None = None, classes: Path | str | None = None) -> Lists:
    """What the folders say of the videos below `root`; a folder without any is no class."""
    paths = walked.videos
    part_of = {"": part} if part else _parts_by_folder(root, paths) or {"": "test"}  # {"train/": "train", ...}
    places = []  # (path, folder, part)
    for path in paths:
        prefix = next((prefix for prefix in part_of if prefix and path.startswith(prefix)), "")
        folder, _, file = path.removeprefix(prefix).partition("/")
        if prefix in part_of and file and "/" not in file:
            places.append((path, folder, part_of[prefix]))
    expected = "<class>/<video>, or {train,test}/<class>/<video>"
    if not places:
        elsewhere = f"{root}: no video in {expected}, and {len(paths)} elsewhere below"
        raise DatasetError("; ".join([elsewhere, *passed_over_lines(walked.passed_over)]))
    present = sorted({folder for _, folder, _ in places})
    if classes is None:
        names, numbers = tuple(present), {name: number for number, name in enumerate(present)}
    else:
        names = tuple(name for _, name in read_lines(Path(classes)))
        by_spelling = numbers_by_spelling(names)
        numbers = {name: by_spelling.get(spelling(name)) for name in present}
        numbers |= {name: number for number, name in enumerate(names)}
        if unknown := [name for name in present if numbers[name] is None]:
            raise DatasetError(f"{classes}: has no class {unknown[0]!r}, which is a folder of {root}")
    lists = Lists("folder", names, "path", expected)
    for path, folder, of_part in places:
        if without_ending(path) not in lists.videos:
            lists.add(without_ending(path), (numbers[folder],), (of_part,))
    return lists


def _parts_by_folder(root: Path, paths: list[str]) -> dict[str, str]:
    """{"train/": "train", "val/": "test"} where the root's folders are parts, {} where they are classes."""
    there = [name for name in ("train", *TEST_FOLDERS) if (root / name).is_dir()]
    if "train" not in there or len(there) == 1:
        return {}
    if any(path.count("/") == 1 and path.split("/")[0] in there for path in paths):
        return {}
    tested = ["test"] if "test" in there else there[1:]
    return {f"{name}/": "train" if name == "train" else "test" if name in tested else "" for name in there}
