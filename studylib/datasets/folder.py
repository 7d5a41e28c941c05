"""Videos in a folder for each class, without official lists: ROOT/<class>/<video>, such as Kinetics' validation part.

Class numbers are what weights trained elsewhere speak in: a file of class names, a line each, gives their order.
"""

import argparse
from pathlib import Path

from studylib.datasets.index import PARTS, DatasetError, Index, write_index
from studylib.datasets.ucf101 import find_videos, probe_all
from studylib.video import VideoInfo


def make(
    name: str,
    root: Path | str,
    part: str,
    classes: Path | str | None = None,
    data_root: Path | str | None = None,
) -> Index:
    """Write the index `name` of the videos under `root`, all in one part ("train", "test") of split 1.

    Labels follow the lines of the file `classes`; without one, the folders' names in alphabetical order.
    Errors: DatasetError naming the folder or the file that is wrong, or when no video is there.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; --root is the folder that holds a folder of videos for each class")
    present = sorted(path.name for path in root.iterdir() if path.is_dir())
    names = present if classes is None else [s.strip() for s in Path(classes).read_text().splitlines() if s.strip()]
    if unknown := [folder for folder in present if folder not in names]:
        raise DatasetError(f"{classes}: has no class {unknown[0]!r}, which is a folder of {root}")
    files = find_videos(root, names)
    videos, unreadable = probe_all(root, files)
    if not videos:
        raise DatasetError(f"{root}: no readable video in <class>/ ({len(unreadable)} unreadable)")
    columns = {
        "path": [files[stem] for stem in videos],
        "label": [names.index(stem.split("/")[0]) for stem in videos],
        **{field: [getattr(info, field) for info in videos.values()] for field in VideoInfo.__dataclass_fields__},
        "split1": [part] * len(videos),
    }
    return write_index(name, root, names, columns, {"unreadable": unreadable}, data_root)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `make`."""
    parser.add_argument("--root", type=Path, required=True, help="folder with a folder of videos for each class")
    parser.add_argument("--name", required=True, help="name of the index, such as kinetics400-val")
    parser.add_argument("--part", choices=PARTS, default="test", help="what the videos are for (default: %(default)s)")
    parser.add_argument("--classes", type=Path, help="file of the class names in the order of their numbers")


def main(args: argparse.Namespace) -> None:
    """Make the index and report what is in it."""
    index = make(args.name, args.root, args.part, args.classes)
    present = len(set(index.table["label"].to_pylist()))
    print(
        f"{index.name}: {len(index.table)} videos, {present} of {len(index.classes)} classes, index in {index.folder}"
    )
    print(f"  {len(index.facts['unreadable'])} unreadable")
    print(f"  manifest {index.manifest_hash}")
