"""Pantomime, the embedded dataset: real H.264 files of an animated person, made on the spot, the same everywhere.

Its classes come in four cue groups (`actions`), so that a study can tell which temporal information a network uses;
everything else in the picture is drawn independently of the class (`knobs`). Two vocabularies: `source`, 16
classes with one split, and `target`, 8 other classes with three splits and few videos, for transfer.

    python -m studylib.datasets pantomime --name pantomime-mini --train 1520 --test 400 --seed 7
"""

import argparse
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from studylib.datasets.building import claim, complete, read_journal
from studylib.datasets.index import DatasetError, Index, as_kept, difference, index_folder, write_index
from studylib.datasets.pantomime.actions import ACTIONS, CUES, VOCABULARIES, classes_of, training_videos
from studylib.datasets.pantomime.knobs import DEFAULT_SEED, KNOBS, Knobs, at_difficulty, draw_nuisances
from studylib.datasets.pantomime.renderer import frames
from studylib.video.files import locked
from studylib.video.reading import write_video

__all__ = ["ACTIONS", "CUES", "KNOBS", "VOCABULARIES", "Knobs", "draw_nuisances", "frames", "make"]

GENERATOR_VERSION = 2  # raise it with any change of the code that changes a frame


def list_videos(train_videos: int, test_videos: int, vocabulary: str) -> tuple[pd.DataFrame, dict[str, dict[str, str]]]:
    """The videos (part, number, label, action, path), and for each split which part is trained on and which tested on:
    {"split1": {"fold1": "test", ...}}.

    Classes take turns, so that each has as many videos as the others. The target's three splits are over the same
    videos, each testing on another fold, with persons and places that appear in no other fold.
    """
    actions = classes_of(vocabulary)
    if min(train_videos, test_videos) < len(actions):
        given = f"not {train_videos} to train on and {test_videos} to test on"
        raise ValueError(f"{vocabulary} has {len(actions)} classes and needs a video of each in both parts, {given}")
    if vocabulary == "source":
        counts = {"train": train_videos, "test": test_videos}
        splits = {"split1": {"train": "train", "test": "test"}}
    else:
        if train_videos < 2 * test_videos:
            reason = f"each split trains on the other two's test videos: train must be at least {2 * test_videos}"
            raise ValueError(f"target has three splits and {reason}, not {train_videos}")
        folds = ("fold1", "fold2", "fold3")
        counts = dict.fromkeys(folds, test_videos) | {"rest": train_videos - 2 * test_videos}
        splits = {f"split{k}": {part: "test" if part == f"fold{k}" else "train" for part in counts} for k in (1, 2, 3)}
    keys = [(part, number, number % len(actions)) for part, count in counts.items() for number in range(count)]
    videos = pd.DataFrame(keys, columns=["part", "number", "label"])
    videos["action"] = [actions[label].name for label in videos["label"]]
    videos["path"] = [f"videos/{v.part}/{v.action}_{v.number:05d}.mp4" for v in videos.itertuples()]
    return videos, splits


def make(
    name: str,
    train_videos: int,
    test_videos: int,
    seed: int = DEFAULT_SEED,
    vocabulary: str = "source",
    data_root: Path | str | None = None,
    workers: int | None = None,
    knobs: Knobs = KNOBS,
) -> Index:
    """Render and encode what is missing of a dataset into DATA_ROOT/<name>, on all cores, and write its index.

    Called again it checks what is there against its record (SHA-256) and makes only what is missing or damaged; with
    larger counts it adds videos. Another seed, vocabulary, knobs or generator under a name in use is refused, rather
    than made anew, because recorded runs may name those videos. A second process waits for the first.

    Errors: ValueError for counts, seed or vocabulary; DatasetError (a ValueError) for a name in use; OSError when the
    disk is full or a worker died: what is written stays, and the next call goes on from there.
    """
    videos, splits = list_videos(train_videos, test_videos, vocabulary)
    if seed < 0:
        raise ValueError(f"seed must not be negative, not {seed}")
    folder = index_folder(name, data_root)
    classes, columns, facts = _described(videos, splits, seed, vocabulary, knobs)
    with locked(folder / ".lock", f"{name}: another process is making these videos"):
        jobs = {video.path: (video.action, video.part, video.number, seed, knobs) for video in videos.itertuples()}
        claim(folder, facts["settings"])
        journal = folder / "videos.jsonl"
        recorded = dict(read_journal(journal, lambda record: (record["path"], record)))
        whole = {path: record for path, record in recorded.items() if record_of(folder, path) == record}
        missing = {path: (folder, path, *arguments) for path, arguments in jobs.items() if path not in whole}
        complete(write_one, missing, whole, journal, name, workers)
        columns["sha256"] = [whole[path]["sha256"] for path in jobs]
        return write_index(name, folder, classes, columns, facts, data_root)


def manifest_of(name: str, given: Mapping[str, Any]) -> str:
    """The manifest's hash of the dataset that `make` gives with a plan's arguments (`plan.DATASET_KEYS`), without
    rendering any. Errors: ValueError as of `make`."""
    seed, vocabulary = given.get("seed", DEFAULT_SEED), given.get("vocabulary", "source")
    videos, splits = list_videos(given["train_videos"], given["test_videos"], vocabulary)
    knobs = at_difficulty(given.get("difficulty", 0))
    return as_kept(name, *_described(videos, splits, seed, vocabulary, knobs))[2]


def _described(
    videos: pd.DataFrame, splits: dict[str, dict[str, str]], seed: int, vocabulary: str, knobs: Knobs
) -> tuple[list[str], dict[str, list], dict[str, Any]]:
    """Classes, columns and facts of the index, but for what the files came out as."""
    settings = {"generator": GENERATOR_VERSION, "vocabulary": vocabulary, "seed": seed, **asdict(knobs)}
    columns = {
        "path": videos["path"].tolist(),
        "label": videos["label"].tolist(),
        **{column: [getattr(knobs, column)] * len(videos) for column in ("num_frames", "fps", "width", "height")},
        **{split: videos["part"].map(use).tolist() for split, use in splits.items()},
        "cue": [ACTIONS[action].cue for action in videos["action"]],
        "pool": videos["part"].tolist(),  # with the number: the key of `frames` and `draw_nuisances`
        "number": videos["number"].tolist(),
    }
    about = {a.name: {"cue": a.cue, "description": a.description} for a in classes_of(vocabulary)}
    facts = {"dataset": "pantomime", "fps": knobs.fps, "settings": settings, "actions": about}
    return list(about), columns, facts


def record_of(folder: Path, path: str) -> dict[str, str] | None:
    """The journal's record of a file that is there."""
    file = folder / path
    return {"path": path, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()} if file.is_file() else None


def write_one(
    folder: Path, path: str, action: str, part: str, number: int, seed: int, knobs: Knobs
) -> dict[str, str] | None:
    """Render and encode one video; its record."""
    write_video(folder / path, frames(action, part, number, seed, knobs), knobs.fps, crf=knobs.crf)
    return record_of(folder, path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `make`."""
    parser.add_argument("--vocabulary", choices=VOCABULARIES, default="source", help="16 classes, or 8 for transfer")
    train_help = "training videos (default: 1520, down to 1200 at difficulty 1; target vocabulary 160)"
    parser.add_argument("--train", type=int, help=train_help)
    parser.add_argument("--test", type=int, help="test videos of each split (default: 400, target vocabulary 80)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="(default: %(default)s)")
    parser.add_argument("--difficulty", type=float, default=0.0, help="0 (the default) to 1")
    parser.add_argument("--manifest", default="", help="the hash that its manifest must have; else it is refused")


def main(args: argparse.Namespace) -> Index:
    """Make the dataset and report what is there; `args` has name and workers, too."""
    knobs = at_difficulty(args.difficulty)
    train = training_videos(args.vocabulary, args.difficulty) if args.train is None else args.train
    test = {"source": 400, "target": 80}[args.vocabulary] if args.test is None else args.test
    index = make(args.name, train, test, args.seed, args.vocabulary, workers=args.workers, knobs=knobs)
    print(f"{index.name}: {len(index.table)} videos of {len(index.classes)} classes in {index.folder}")
    for split, counts in index.counts().items():
        print(f"  {split}: {counts['train']} train, {counts['test']} test")
    print(f"  manifest {index.manifest_hash}")
    if wrong := difference(index.name, index.manifest_hash, args.manifest):
        raise DatasetError(wrong)
    return index
