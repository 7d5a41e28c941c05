"""Clip and video accuracy (paper, section 4.1), in percent, from the softmax scores of a video's clips and their mean.

They are computed from the stored float16 scores, so that anyone gets the same numbers from `predictions.parquet`. Where
nothing but the answers of a run is ever read, `condense` keeps these alone, in a tenth of the space or less.

    python -m studylib.training.evaluation runs/PLAN/EXPERIMENT/*/predictions.parquet  # condenses them
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studylib.video.files import write_together

LEAST = float(np.finfo(np.float16).tiny)  # of a stored probability, for its logarithm


def _mean_of_logits(scores: np.ndarray) -> np.ndarray:
    """That of log softmax scores: the same order of classes, since a clip's logits differ from them by a constant."""
    logs = np.log(np.maximum(scores, LEAST)).mean(-2)
    return np.exp(logs - logs.max(-1, keepdims=True))


def _by_confidence(scores: np.ndarray) -> np.ndarray:
    weights = scores.max(-1, keepdims=True)
    return (weights * scores).sum(-2) / weights.sum(-2)


# Ways to join softmax scores of a video's clips other than by their mean (section 5): (..., C, K) -> (..., K).
WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "maximum": lambda scores: scores.max(-2),
    "median": lambda scores: np.median(scores, -2),
    "mean of logits": _mean_of_logits,
    "mean weighted by confidence": _by_confidence,
}


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
    joined: Mapping[str, np.ndarray] | None = None  # way of `WAYS` -> (V,) the class it names, where these were kept

    @cached_property
    def scores(self) -> np.ndarray:
        """(V, K) float16: the mean of each video's clip scores; of condensed ones only their order is to be read."""
        if self.ranked is not None:
            return self.ranked
        if len({len(s) for s in self.clip_scores}) == 1:  # in one step, which a build does for hundreds of runs
            return np.stack(self.clip_scores).astype(np.float32).mean(1).astype(np.float16)
        return np.stack([s.astype(np.float32).mean(0) for s in self.clip_scores]).astype(np.float16)

    @property
    def whole_clip_scores(self) -> list[np.ndarray]:
        """`clip_scores` to compute with. Errors: ValueError where only the answers were kept."""
        if self.ranked is not None:
            raise ValueError("of these predictions only the answers were kept, and this takes scores: run it again")
        return self.clip_scores

    def answers_by(self, way: str) -> np.ndarray:
        """(V,) the class of each video by the scores of its clips, joined in one of `WAYS`; equal scores by number.
        Errors: ValueError where answers were kept, and not these."""
        if self.ranked is not None and way in (self.joined or {}):
            return self.joined[way]
        clips = self.whole_clip_scores
        alike = [np.stack(clips)] if len({len(scores) for scores in clips}) == 1 else [s[None] for s in clips]
        # in float16, as scores are stored: what is equal there is equal
        return np.concatenate([WAYS[way](s.astype(np.float32)).astype(np.float16).argmax(-1) for s in alike])

    def some(self, videos: np.ndarray) -> "Predictions":
        """Those of some videos, (V,) bool or their numbers."""
        kept = np.arange(len(self.videos))[videos]
        names, clips, sets, speakers = (
            column and [column[i] for i in kept]
            for column in (self.videos, self.clip_scores, self.label_sets, self.speakers)
        )
        ranked = None if self.ranked is None else self.ranked[kept]
        joined = self.joined and {way: answers[kept] for way, answers in self.joined.items()}
        part = Predictions(names, self.labels[kept], clips, self.classes, sets, speakers, ranked, joined)
        vars(part)["scores"] = self.scores[kept]  # which need not be averaged again
        return part

    @property
    def right_classes(self) -> list[np.ndarray]:
        """V arrays of the classes that are right for each video: its label, or all of its labels."""
        return self.label_sets or list(self.labels[:, None])


def together(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several folds of one dataset, whose videos have one class each, as one."""
    condensed = any(own.ranked is not None for own in parts)
    joined = {}
    if condensed and all(own.ranked is None or own.joined for own in parts):
        joined = {way: np.concatenate([own.answers_by(way) for own in parts]) for way in WAYS}
    named = all(own.speakers for own in parts)
    return Predictions(
        [video for own in parts for video in own.videos],
        np.concatenate([own.labels for own in parts]),
        [scores for own in parts for scores in own.clip_scores],
        parts[0].classes,
        speakers=[speaker for own in parts for speaker in own.speakers] if named else None,
        ranked=np.concatenate([own.scores for own in parts]) if condensed else None,
        joined=joined or None,
    )


def clip_top1(predictions: Predictions) -> float:
    """Percent of the clips whose highest score is one of the video's classes; every clip counts the same. Of Sports-1M
    this is Clip hit@1 (Table 3)."""
    return 100 * float(clips_named_right(predictions).mean())


def clips_named_right(predictions: Predictions) -> np.ndarray:
    """(N clips of the first video, then those of the second, ...) bool: whether each clip's highest score is right."""
    best = np.concatenate(predictions.clip_scores).argmax(1)
    right = _right_table(predictions).repeat([len(scores) for scores in predictions.clip_scores], 0)
    return (best[:, None] == right).any(1)


def video_top_k(predictions: Predictions, k: int) -> float:
    """Percent of the videos with one of their classes among the k highest mean scores; equal scores rank by class
    number. Of Sports-1M this is Video hit@k (Table 3)."""
    return 100 * float(named_right(predictions, k).mean())


def named_right(predictions: Predictions, k: int = 1) -> np.ndarray:
    """(V,) bool: whether each video has one of its classes among the k highest mean scores."""
    order = _by_score(predictions)[:, :k]
    return (order[:, :, None] == _right_table(predictions)[:, None]).any((1, 2))


def _right_table(predictions: Predictions) -> np.ndarray:
    """(V, M) the classes that are right for each video, filled up with -1."""
    if predictions.label_sets is None:
        return predictions.labels[:, None]
    return np.array(list(zip_longest(*predictions.label_sets, fillvalue=-1))).T


def _by_score(predictions: Predictions) -> np.ndarray:
    """(V, K) class numbers by mean score, the highest first; equal scores by number."""
    return np.argsort(-predictions.scores.astype(np.float32), axis=1, kind="stable")


@cache  # a page of the book asks for those of hundreds of runs, and so does the next page
def wilson(right: int, total: int) -> tuple[float, float]:
    """95% Wilson interval of `right` out of `total` videos, in percent: (low, high). It covers the draw of the test
    videos, not that of the seed."""
    from scipy.stats import binomtest  # here: importing it takes a second, which a trainer need not wait

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
    write_together({path: lambda file: pq.write_table(table, file, compression="zstd")})


def condense(path: Path) -> None:
    """Keep of `predictions.parquet` what accuracies and answers are read from, and the hash of the file that it was.

    Columns: video, label, clip_answers (N), answer, rank (of the label in the video's mean scores, from 0), the answer
    by each of `WAYS`, speaker. Errors: ValueError: no table of predictions, or one whose videos have several labels.
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
    columns |= {way: pa.array(predictions.answers_by(way), pa.int16()) for way in WAYS}
    original = hashlib.sha256(path.read_bytes()).hexdigest()
    _write(path, predictions, columns, {"sha256 of the whole file": original})


def _condensed(table: pa.Table, classes: tuple[str, ...]) -> Predictions:
    """What `condense` kept, with scores of 1 for an answer: the same classes are named, and in the same ranks."""
    labels, answers, ranks = (table[name].to_numpy()[:, None] for name in ("label", "answer", "rank"))
    numbers = np.arange(len(classes))
    others = (numbers != labels) & (numbers != answers)  # (V, K)
    # so many classes lie between the answer and the label
    ranked = np.where(others & (others.cumsum(1) < ranks), 0.75, 0).astype(np.float16)
    ranked[numbers == labels], ranked[numbers == answers] = 0.5, 1
    clips = _split(table["clip_answers"], np.eye(len(classes), dtype=np.float16).__getitem__)
    speakers = table["speaker"].to_pylist() if "speaker" in table.column_names else None
    joined = {way: table[way].to_numpy() for way in WAYS if way in table.column_names}
    videos = table["video"].to_pylist()
    return Predictions(videos, labels[:, 0], clips, classes, None, speakers, ranked, joined or None)


def _split(column: pa.ChunkedArray, whole: Callable[[np.ndarray], np.ndarray] = np.asarray) -> list[np.ndarray]:
    """The lists of a column, after `whole` of all their values in a row."""
    lists = column.combine_chunks()
    values, sizes = lists.flatten().to_numpy(zero_copy_only=False), lists.value_lengths().to_numpy()
    made = whole(values)
    return [made[start:end] for start, end in pairwise([0, *np.cumsum(sizes).tolist()])]  # faster than np.split


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote, or what `condense` left of it. Errors: ValueError where that is broken."""
    try:
        table = pq.read_table(path)
        classes = tuple(json.loads(table.schema.metadata[b"classes"]))
        if "clip_answers" in table.column_names:
            return _condensed(table, classes)
        scores = [own.reshape(-1, len(classes)) for own in _split(table["clip_scores"])]
        sets = [np.array(s) for s in table["labels"].to_pylist()] if "labels" in table.column_names else None
        speakers = table["speaker"].to_pylist() if "speaker" in table.column_names else None
        return Predictions(table["video"].to_pylist(), table["label"].to_numpy(), scores, classes, sets, speakers)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a table of predictions ({error}); run the experiment again") from None


if __name__ == "__main__":
    for name in sys.argv[1:]:
        condense(Path(name))
