"""UCF101 (Soomro et al., 2012) by its official lists: 13,320 videos, 101 classes, 3 splits (Table 5 of the paper).

The videos lie in ROOT/<Class>/, as official `.avi` files or converted; the lists are classInd.txt, trainlist01-03.txt
and testlist01-03.txt ("UCF101TrainTestSplits-RecognitionTask"). A part of the videos is enough: what is missing is
counted and left out.
"""

import argparse
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from studylib.datasets.index import DatasetError, Index, write_index
from studylib.video import VideoError, VideoInfo, probe

_ENDINGS = (".avi", ".mp4", ".mkv", ".webm", ".mov")  # of two files of one video the earlier ending wins
_SPLITS = (1, 2, 3)


def make(
    name: str, root: Path | str, lists: Path | str, only_present: bool = False, data_root: Path | str | None = None
) -> Index:
    """List the videos under `root` that the official lists name, and write the index `name`.

    Labels follow classInd.txt; with `only_present` they are numbered over the classes that have a video. The facts
    count what is missing, unreadable (these are printed with the reason) and not listed.
    Errors: DatasetError naming the folder, the list or the line that is wrong, or when no video is there.
    """
    root, lists = Path(root), Path(lists)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; --root is the folder that holds a folder of videos for each class")
    classes = _read_classes(lists / "classInd.txt")
    parts = _read_splits(lists, classes)  # {"Class/v_Class_g01_c01": {"split1": "test", ...}}
    files = find_videos(root, classes)
    listed = sorted(parts.keys() & files.keys())
    videos, unreadable = probe_all(root, {stem: files[stem] for stem in listed})
    if not videos:
        raise DatasetError(
            f"{root}: none of the {len(parts)} listed videos is here and can be read ({len(unreadable)} cannot); "
            f"they are expected as <Class>/v_<Class>_gNN_cNN with the ending {', '.join(_ENDINGS)}"
        )
    present = {stem.split("/")[0] for stem in videos}
    kept = [a_class for a_class in classes if a_class in present or not only_present]
    columns = {
        "path": [files[stem] for stem in videos],
        "label": [kept.index(stem.split("/")[0]) for stem in videos],
        **{field: [getattr(info, field) for info in videos.values()] for field in VideoInfo.__dataclass_fields__},
        **{f"split{split}": [parts[stem].get(f"split{split}", "") for stem in videos] for split in _SPLITS},
    }
    facts = {
        "dataset": "UCF101",
        "lists_sha256": _hash_of_lists(lists),
        "listed": len(parts),
        "missing": len(parts) - len(listed),
        "unreadable": unreadable,
        "not_listed": len(files) - len(listed),
    }
    return write_index(name, root, kept, columns, facts, data_root)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `make`."""
    parser.add_argument("--root", type=Path, required=True, help="folder with a folder of videos for each class")
    parser.add_argument("--lists", type=Path, required=True, help="folder with classInd.txt, trainlist01.txt, ...")
    parser.add_argument("--name", default="ucf101", help="name of the index (default: %(default)s)")
    parser.add_argument("--only-present", action="store_true", help="number only the classes that have a video")


def main(args: argparse.Namespace) -> None:
    """Make the index and report what is in it and what is not."""
    index = make(args.name, args.root, args.lists, args.only_present)
    facts = index.facts
    print(f"{index.name}: {len(index.table)} videos of {len(index.classes)} classes, index in {index.folder}")
    for split, counts in index.counts().items():
        print(f"  {split}: {counts['train']} train, {counts['test']} test")
    print(
        f"  of {facts['listed']} listed {facts['missing']} are missing and {len(facts['unreadable'])} unreadable, "
        f"{facts['not_listed']} files are in no list"
    )
    print(f"  manifest {index.manifest_hash}")


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    """("file:line", words) of every line that is not blank. Errors: DatasetError when the list cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot read this official list ({reason}); --lists is its folder") from error
    return [(f"{path}:{n}", line.split()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _read_classes(path: Path) -> list[str]:
    """Class names in the order of classInd.txt, whose lines are "1 ApplyEyeMakeup"."""
    classes = []
    for place, words in _lines(path):
        if len(words) != 2 or words[0] != str(len(classes) + 1):
            raise DatasetError(f"{place}: expected '{len(classes) + 1} <Class>', not '{' '.join(words)}'")
        classes.append(words[1])
    return classes


def _read_splits(lists: Path, classes: list[str]) -> dict[str, dict[str, str]]:
    """The part each video ("Class/stem") has in each split; trainlists give the label behind the path."""
    parts: dict[str, dict[str, str]] = {}
    for split in _SPLITS:
        for part in ("train", "test"):
            for place, words in _lines(lists / f"{part}list{split:02d}.txt"):
                path = PurePosixPath(words[0])
                if len(path.parts) != 2 or path.parts[0] not in classes:
                    raise DatasetError(
                        f"{place}: expected '<Class>/<video>' with a class of classInd.txt, not '{path}'"
                    )
                if len(words) > 1 and words[1] != str(classes.index(path.parts[0]) + 1):
                    raise DatasetError(f"{place}: label {words[1]} is not that of {path.parts[0]} in classInd.txt")
                of_video = parts.setdefault(str(path.with_suffix("")), {})
                if f"split{split}" in of_video:
                    raise DatasetError(f"{place}: '{path}' stands twice in split {split}")
                of_video[f"split{split}"] = part
    return parts


def find_videos(root: Path, classes: list[str]) -> dict[str, str]:
    """{"Class/stem": path relative to the root} of the video files there are."""
    found = {}
    for ending in reversed(_ENDINGS):
        for a_class in classes:
            for file in sorted((root / a_class).glob(f"*{ending}")):
                found[f"{a_class}/{file.stem}"] = f"{a_class}/{file.name}"
    return found


def probe_all(root: Path, files: dict[str, str]) -> tuple[dict[str, VideoInfo], dict[str, str]]:
    """Probe the files in parallel: ({stem: info} of the good ones, {stem: reason} of the others), in order."""

    def try_probe(path: str) -> VideoInfo | VideoError:
        try:
            return probe(root / path)
        except VideoError as error:
            return error

    with ThreadPoolExecutor() as pool:
        results = list(
            tqdm(pool.map(try_probe, files.values()), f"{root.name}: probing", len(files), unit="video", disable=None)
        )
    videos = {stem: result for stem, result in zip(files, results, strict=True) if isinstance(result, VideoInfo)}
    unreadable = {}
    for stem, result in zip(files, results, strict=True):
        if isinstance(result, VideoError):
            tqdm.write(f"left out: {result}")
            # Facts name no place: two machines with the same files get the same hash.
            unreadable[files[stem]] = str(result).removeprefix(f"{root / files[stem]}: ")
    return videos, unreadable


def _hash_of_lists(lists: Path) -> str:
    digest = hashlib.sha256()
    for name in ("classInd.txt", *(f"{part}list{split:02d}.txt" for split in _SPLITS for part in ("train", "test"))):
        digest.update((lists / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
