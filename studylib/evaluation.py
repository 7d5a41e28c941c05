"""Clip and video accuracy (paper, section 4.1): softmax scores of a video's clips, their mean, and what is right.

All accuracies are percentages. They are computed from the stored float16 scores, so that anyone gets the same numbers
from `predictions.parquet`.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from studylib.clips import centre_window
from studylib.files import write_atomically
from studylib.inputs import to_input
from studylib.loading import video_loader
from studylib.precision import autocast
from studylib.session import SECONDS_BETWEEN_LINES, Session
from studylib.stopping import Stopped, asked


@dataclass(frozen=True)
class Predictions:
    """Scores of every test video."""

    videos: list[str]  # (V,) paths within the dataset
    labels: np.ndarray  # (V,) int
    clip_scores: list[np.ndarray]  # V arrays (N clips, K classes) float16, softmax
    classes: tuple[str, ...]  # (K,)
    label_sets: list[np.ndarray] | None = None  # V arrays of all right classes, where a video may have several

    @property
    def scores(self) -> np.ndarray:
        """(V, K) float16: the mean of each video's clip scores."""
        return np.stack([s.astype(np.float32).mean(0) for s in self.clip_scores]).astype(np.float16)

    @property
    def right_classes(self) -> list[np.ndarray]:
        """V arrays of the classes that are right for each video: its label, or all of its labels."""
        return self.label_sets or list(self.labels[:, None])


def clip_top1(predictions: Predictions) -> float:
    """Percent of the clips whose highest score is the video's class, or one of its classes; every clip counts the
    same. Of Sports-1M this is Clip hit@1 (Table 3)."""
    right = [
        (s.argmax(1)[:, None] == own).any(1)
        for s, own in zip(predictions.clip_scores, predictions.right_classes, strict=True)
    ]
    return 100 * float(np.concatenate(right).mean())


def video_top_k(predictions: Predictions, k: int) -> float:
    """Percent of the videos with their class, or one of their classes, among the k highest mean scores; equal scores
    rank by class number. Of Sports-1M this is Video hit@k (Table 3)."""
    return 100 * float(named_right(predictions, k).mean())


def named_right(predictions: Predictions, k: int = 1) -> np.ndarray:
    """(V,) bool: whether each video has one of its classes among the k highest mean scores."""
    order = np.argsort(-predictions.scores.astype(np.float32), axis=1, kind="stable")[:, :k]
    return np.array([(best[:, None] == own).any() for best, own in zip(order, predictions.right_classes, strict=True)])


@torch.no_grad()
def predict(session: Session) -> Predictions | None:
    """Test the session's net on every video of its test part, each decoded once; those that cannot be read are added
    to its faults. Several processes share the videos; the leading one gets the predictions, the others None.

    Raises:
        Stopped: a signal came.
        TooManyFaults: more of the videos are broken than a test may go on with.
    """
    spec, part, processes, net = session.spec, session.test_part, session.processes, session.net
    processes.spread_statistics(net)
    net.eval()
    own: list[tuple[int, np.ndarray]] = []
    window = torch.tensor((*centre_window(part.size, spec.resolution), 0))
    spoken = time.perf_counter()
    for number, (i, clips, fault) in enumerate(video_loader(part, spec, processes)):
        # every process has as many videos as this
        if number < len(part.rows) // processes.count and (stop := processes.largest([asked()])[0]):
            raise Stopped(stop, "in the test at the end")
        if fault is not None:
            session.faults.add(part.name, [fault], len(part.rows))
            continue
        outputs = []
        for batch in clips.split(spec.batch_size):
            x = to_input(batch, window.expand(len(batch), 3), spec, session.device)
            with autocast(session.device, session.precision):
                outputs.append(net(x))
        if time.perf_counter() - spoken > SECONDS_BETWEEN_LINES:
            spoken = time.perf_counter()
            session.say(f"testing {processes.count * (number + 1)}/{len(part.rows)}")
        own.append((i, torch.cat(outputs).float().softmax(1).cpu().numpy().astype(np.float16)))
    gathered = processes.gather((own, session.faults.rows()))
    if not processes.leads:
        return None
    session.faults.replace(row for _, rows in gathered for row in rows)
    session.faults.require_few(part.name, len(part.rows))
    scores = dict(pair for pairs, _ in gathered for pair in pairs)
    tested = sorted(scores)
    label_sets = [part.label_set(i) for i in tested] if part.has_label_sets else None
    paths = part.paths
    in_order = [scores[i] for i in tested]
    return Predictions([paths[i] for i in tested], part.labels[tested], in_order, part.index.classes, label_sets)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write `predictions.parquet`: video, label, clip_scores (N x K flattened, clip by clip), scores (K), and labels
    where a video may have several."""
    half = pa.list_(pa.float16())
    columns = {
        "video": pa.array(predictions.videos),
        "label": pa.array(predictions.labels, pa.int32()),
        "clip_scores": pa.array([s.ravel() for s in predictions.clip_scores], half),
        "scores": pa.array(list(predictions.scores), half),
    }
    if predictions.label_sets is not None:
        columns["labels"] = pa.array(predictions.label_sets, pa.list_(pa.int32()))
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
        flat = [np.array(s, np.float16) for s in table["clip_scores"].to_numpy()]
        scores = [s.reshape(-1, len(classes)) for s in flat]
        sets = [np.array(s) for s in table["labels"].to_pylist()] if "labels" in table.column_names else None
        return Predictions(table["video"].to_pylist(), table["label"].to_numpy(), scores, classes, sets)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a table of predictions ({error}); run the experiment again") from None
