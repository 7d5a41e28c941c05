"""Clip and video accuracy (paper, section 4.1): softmax scores of a video's clips, their mean, and what is right.

All accuracies are percentages. They are computed from the stored float16 scores, so that anyone gets the same numbers
from `predictions.parquet`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

from studylib.files import write_atomically
from studylib.loading import Part, clips_for_test, to_input
from studylib.precision import autocast
from studylib.spec import RunSpec


@dataclass(frozen=True)
class Predictions:
    """Scores of every test video."""

    videos: list[str]  # (V,) paths within the dataset
    labels: np.ndarray  # (V,) int
    clip_scores: list[np.ndarray]  # V arrays (N clips, K classes) float16, softmax
    classes: tuple[str, ...]  # (K,)

    @property
    def scores(self) -> np.ndarray:
        """(V, K) float16: the mean of each video's clip scores."""
        return np.stack([s.astype(np.float32).mean(0) for s in self.clip_scores]).astype(np.float16)


def clip_top1(predictions: Predictions) -> float:
    """Percent of the clips whose highest score is the video's class; every clip counts the same."""
    right = [s.argmax(1) == label for s, label in zip(predictions.clip_scores, predictions.labels, strict=True)]
    return 100 * float(np.concatenate(right).mean())


def video_top_k(predictions: Predictions, k: int) -> float:
    """Percent of the videos whose class is among the k highest mean scores; equal scores rank by class number."""
    order = np.argsort(-predictions.scores.astype(np.float32), axis=1, kind="stable")[:, :k]
    return 100 * float((order == predictions.labels[:, None]).any(1).mean())


@torch.no_grad()
def predict(net: nn.Module, part: Part, spec: RunSpec, precision: str, device: torch.device) -> Predictions:
    """Test `net` on every video of `part`, each decoded once."""
    net.eval()
    scores = []
    for i in range(len(part.rows)):
        clips = clips_for_test(part, i, spec)
        with autocast(device, precision):
            outputs = [net(to_input(batch, spec.standardise, device)) for batch in clips.split(spec.batch_size)]
        scores.append(torch.cat(outputs).float().softmax(1).cpu().numpy().astype(np.float16))
    return Predictions(part.paths, part.labels, scores, part.index.classes)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write `predictions.parquet`: video, label, clip_scores (N x K flattened, clip by clip), scores (K)."""
    half = pa.list_(pa.float16())
    columns = {
        "video": pa.array(predictions.videos),
        "label": pa.array(predictions.labels, pa.int32()),
        "clip_scores": pa.array([s.ravel() for s in predictions.clip_scores], half),
        "scores": pa.array(list(predictions.scores), half),
    }
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
        return Predictions(table["video"].to_pylist(), table["label"].to_numpy(), scores, classes)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a table of predictions ({error}); run the experiment again") from None
