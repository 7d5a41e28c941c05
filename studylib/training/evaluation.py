"""Clip and video accuracy (paper, section 4.1): softmax scores of a video's clips, their mean, and what is right.

All accuracies are percentages. They are computed from the stored float16 scores, so that anyone gets the same numbers
from `predictions.parquet`.
"""

import json
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

    @cached_property
    def scores(self) -> np.ndarray:
        """(V, K) float16: the mean of each video's clip scores."""
        if len({len(s) for s in self.clip_scores}) == 1:  # in one step, see `read_predictions`
            return np.stack(self.clip_scores).astype(np.float32).mean(1).astype(np.float16)
        return np.stack([s.astype(np.float32).mean(0) for s in self.clip_scores]).astype(np.float16)

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
    order = np.argsort(-predictions.scores.astype(np.float32), axis=1, kind="stable")[:, :k]
    if predictions.label_sets is None:
        return (order == predictions.labels[:, None]).any(1)
    return np.array([(best[:, None] == own).any() for best, own in zip(order, predictions.right_classes, strict=True)])


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
        "video": pa.array(predictions.videos),
        "label": pa.array(predictions.labels, pa.int32()),
        "clip_scores": pa.array([s.ravel() for s in predictions.clip_scores], half),
        "scores": pa.array(list(predictions.scores), half),
    }
    if predictions.label_sets is not None:
        columns["labels"] = pa.array(predictions.label_sets, pa.list_(pa.int32()))
    if predictions.speakers is not None:
        columns["speaker"] = pa.array(predictions.speakers)
    table = pa.table(columns).replace_schema_metadata({b"classes": json.dumps(predictions.classes).encode()})
    write_atomically(path, lambda file: pq.write_table(table, file, compression="zstd"))


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        ValueError: names the file where it is not a whole table of predictions.
    """
    try:
        table = pq.read_table(path)
        classes = tuple(json.loads(table.schema.metadata[b"classes"]))
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
