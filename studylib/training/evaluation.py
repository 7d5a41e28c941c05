"""Clip and video accuracy (paper, section 4.1): softmax scores of a video's clips, their mean, and what is right.

All accuracies are percentages. They are computed from the stored float16 scores, so that anyone gets the same numbers
from `predictions.parquet`. Where nothing but the answers of a run is ever read, `condense` keeps these alone, in a
thirtieth of the space: which class each clip and video was given, and the rank of each video's own class.

    python -m studylib.training.evaluation runs/PLAN/EXPERIMENT/*/predictions.parquet  # condenses them
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import binomtest

from studylib.video.files import write_atomically


@dataclass(frozen=True)
class Predictions:
    """Scores of every test video."""

    videos: list[str]  # (V,) paths within the dataset
    labels: np.ndarray  # (V,) int
    clip_scores: list[np.ndarray]  # V arrays (N clips, K classes) float16, softmax
    classes: tuple[str, ...]  # (K,)
    label_sets: list[np.ndarray] | None = None  # V arrays of all right classes, where a video may have several
    speakers: list[str] | None = None  # (V,) who is seen, where people are what is drawn and not videos (`speakers`)
    ranked: np.ndarray | None = None  # (V, K) in the place of mean scores, where only answers were kept (`condense`)

    @cached_property
    def scores(self) -> np.ndarray:
        """(V, K) float16: the mean of each video's clip scores; of condensed ones only their order is to be read."""
        if self.ranked is not None:
            return self.ranked
        if len({len(s) for s in self.clip_scores}) == 1:  # in one step, see `read_predictions`
            return np.stack(self.clip_scores).astype(np.float32).mean(1).astype(np.float16)
        return np.stack([s.astype(np.float32).mean(0) for s in self.clip_scores]).astype(np.float16)

    @property
    def whole_clip_scores(self) -> list[np.ndarray]:
        """`clip_scores` to compute with. Errors: ValueError where only the answers were kept."""
        if self.ranked is not None:
            raise ValueError("of these predictions only the answers were kept, and this takes scores: run it again")
        return self.clip_scores

    @property
    def right_classes(self) -> list[np.ndarray]:
        """V arrays of the classes that are right for each video: its label, or all of its labels."""
        return self.label_sets or list(self.labels[:, None])


def clip_top1(predictions: Predictions) -> float:
    """Percent of the clips whose highest score is the video's class, or one of its classes; every clip counts the
    same. Of Sports-1M this is Clip hit@1 (Table 3)."""
    return 100 * float(clips_named_right(predictions).mean())


def clips_named_right(predictions: Predictions) -> np.ndarray:
    """(N clips of the first video, then those of the second, ...) bool: whether each clip's highest score is right."""
    best = np.concatenate(predictions.clip_scores).argmax(1)
    clips = [len(s) for s in predictions.clip_scores]
    if predictions.label_sets is None:
        return best == np.repeat(predictions.labels, clips)
    by_video = np.split(best[:, None], np.cumsum(clips)[:-1])
    right = [(own == classes).any(1) for own, classes in zip(by_video, predictions.label_sets, strict=True)]
    return np.concatenate(right)


def video_top_k(predictions: Predictions, k: int) -> float:
    """Percent of the videos with their class, or one of their classes, among the k highest mean scores; equal scores
    rank by class number. Of Sports-1M this is Video hit@k (Table 3)."""
    return 100 * float(named_right(predictions, k).mean())


def named_right(predictions: Predictions, k: int = 1) -> np.ndarray:
    """(V,) bool: whether each video has one of its classes among the k highest mean scores."""
    order = _by_score(predictions)[:, :k]
    if predictions.label_sets is None:
        return (order == predictions.labels[:, None]).any(1)
    return np.array([(best[:, None] == own).any() for best, own in zip(order, predictions.right_classes, strict=True)])


def _by_score(predictions: Predictions) -> np.ndarray:
    """(V, K) class numbers by mean score, the highest first; equal scores by number."""
    return np.argsort(-predictions.scores.astype(np.float32), axis=1, kind="stable")


def wilson(right: int, total: int) -> tuple[float, float]:
    """95% Wilson interval of `right` out of `total` videos, in percent: (low, high).

    It covers the draw of the test videos, not that of the seed.
    """
    interval = binomtest(right, total).proportion_ci(confidence_level=0.95, method="wilson")
    return 100 * interval.low, 100 * interval.high


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write `predictions.parquet`: video, label, clip_scores (N x K flattened, clip by clip), scores (K), labels where
    a video may have several, and speaker where the dataset names them."""
    half = pa.list_(pa.float16())
    columns = {
        "clip_scores": pa.array([s.ravel() for s in predictions.clip_scores], half),
        "scores": pa.array(list(predictions.scores), half),
    }
    if predictions.label_sets is not None:
        columns["labels"] = pa.array(predictions.label_sets, pa.list_(pa.int32()))
    _write(path, predictions, columns, {})


def _write(path: Path, predictions: Predictions, columns: dict[str, pa.Array], about: Mapping[str, str]) -> None:
    """Write `columns` between those that name each video and who is seen, with the classes and what `about` tells."""
    first = {"video": pa.array(predictions.videos), "label": pa.array(predictions.labels, pa.int32())}
    last = {"speaker": pa.array(predictions.speakers)} if predictions.speakers is not None else {}
    table = pa.table(first | columns | last)
    table = table.replace_schema_metadata({"classes": json.dumps(predictions.classes), **about})
    write_atomically(path, lambda file: pq.write_table(table, file, compression="zstd"))


def condense(path: Path) -> None:
    """Keep of `predictions.parquet` what accuracies and answers are read from, and the hash of the file that it was.

    Columns: video, label, clip_answers (N), answer, rank (of the label in the video's mean scores, from 0), speaker.
    Does nothing to a file that is condensed already.

    Raises:
        ValueError: no table of predictions, or one whose videos have several labels.
    """
    predictions = read_predictions(path)
    if predictions.ranked is not None:
        return
    if predictions.label_sets is not None:
        raise ValueError(f"{path}: videos have several labels, whose ranks are not kept; leave it whole")
    order = _by_score(predictions)
    columns = {
        "clip_answers": pa.array([s.argmax(1) for s in predictions.clip_scores], pa.list_(pa.int16())),
        "answer": pa.array(order[:, 0], pa.int16()),
        "rank": pa.array((order == predictions.labels[:, None]).argmax(1), pa.int16()),
    }
    original = hashlib.sha256(path.read_bytes()).hexdigest()
    _write(path, predictions, columns, {"sha256 of the whole file": original})


def _condensed(table: pa.Table, classes: tuple[str, ...]) -> Predictions:
    """What `condense` kept, with scores of 1 for an answer: the same classes are named, and in the same ranks."""
    labels, answers, ranks = (table[name].to_numpy() for name in ("label", "answer", "rank"))
    identity = np.eye(len(classes), dtype=np.float16)
    ranked = np.zeros((len(labels), len(classes)), np.float16)
    for row, label, answer, rank in zip(ranked, labels, answers, ranks, strict=True):
        others = [k for k in range(len(classes)) if k not in (label, answer)]
        row[others[: max(0, rank - 1)]] = 0.75  # so many classes lie between the answer and the label
        row[label], row[answer] = 0.5, 1
    clips = [identity[own] for own in table["clip_answers"].to_pylist()]
    speakers = table["speaker"].to_pylist() if "speaker" in table.column_names else None
    return Predictions(table["video"].to_pylist(), labels, clips, classes, None, speakers, ranked)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote, or what `condense` left of it.

    Raises:
        ValueError: names the file where it is not a whole table of predictions.
    """
    try:
        table = pq.read_table(path)
        classes = tuple(json.loads(table.schema.metadata[b"classes"]))
        if "clip_answers" in table.column_names:
            return _condensed(table, classes)
        column = table["clip_scores"].combine_chunks()
        flat, sizes = column.flatten().to_numpy(zero_copy_only=False), column.value_lengths().to_numpy()
        if len(set(sizes.tolist())) == 1:  # in one step, which a build does for hundreds of runs
            scores = list(flat.reshape(len(sizes), -1, len(classes)))
        else:
            scores = [s.reshape(-1, len(classes)) for s in np.split(flat, np.cumsum(sizes)[:-1])]
        sets = [np.array(s) for s in table["labels"].to_pylist()] if "labels" in table.column_names else None
        speakers = table["speaker"].to_pylist() if "speaker" in table.column_names else None
        return Predictions(table["video"].to_pylist(), table["label"].to_numpy(), scores, classes, sets, speakers)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a table of predictions ({error}); run the experiment again") from None


if __name__ == "__main__":
    for name in sys.argv[1:]:
        condense(Path(name))
