"""The videos of one part of a dataset as clips of the wanted modality, from the frame cache or from their files."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from studylib.datasets.frame_cache import FrameCache, open_frames
from studylib.datasets.index import HOW_TO_PART, DatasetError, Index
from studylib.training.spec import RunSpec
from studylib.video.clips import scaled_size
from studylib.video.faults import Fault
from studylib.video.flow import flow_clip
from studylib.video.reading import VideoError, read_clips


@dataclass(frozen=True, eq=False)
class Part:
    """The videos of one split and part, in the index's order, and where their frames come from.

    What is kept of each video are a few numbers in arrays, which worker processes share; all else stays in the index.
    """

    index: Index
    name: str  # "train" or "test"
    rows: np.ndarray  # (V,) row numbers in index.table
    size: tuple[int, int]  # (height, width) of the scaled frames
    modality: str  # "rgb" or "flow"
    cache: FrameCache | None  # decoded frames or their flow in memory-mapped form, None: made from the files each time

    @cached_property
    def num_frames(self) -> np.ndarray:
        """(V,) int32."""
        return self.index.table["num_frames"].to_numpy()[self.rows]

    @cached_property
    def labels(self) -> np.ndarray:
        """(V,) int64: the class of each video, the first of several."""
        return self.index.table["label"].to_numpy()[self.rows].astype(np.int64)

    @property
    def paths(self) -> list[str]:
        """V paths relative to the dataset's root."""
        return self.index.table["path"].take(self.rows).to_pylist()

    @property
    def speakers(self) -> list[str] | None:
        """Who is seen in each of the V videos, where the dataset names them (MIRACL-VC1)."""
        table = self.index.table
        return table["speaker"].take(self.rows).to_pylist() if "speaker" in table.column_names else None

    @cached_property
    def has_label_sets(self) -> bool:
        """Whether videos may belong to several classes (Sports-1M)."""
        return "labels" in self.index.table.column_names

    def label_set(self, i: int) -> np.ndarray:
        """All classes of the i-th video, int64."""
        if not self.has_label_sets:
            return self.labels[i : i + 1]
        return np.array(self.index.table["labels"][int(self.rows[i])].as_py(), np.int64)

    def clips(self, i: int, starts: np.ndarray, length: int, step: int = 1) -> np.ndarray:
        """Clips of frames `step` apart of the i-th video in one decoding pass: (N, T, H, W, 3) uint8, or
        (N, T, H, W, 2) float16 of flow, which lies between neighbouring frames: `RunSpec` has no other step for it.

        Errors: VideoError.
        """
        row, starts = int(self.rows[i]), [int(start) for start in starts]
        if self.cache is not None:
            return np.stack([self.cache.clip(row, start, length, step) for start in starts])
        video, known = self.index.video(row)
        if self.modality == "rgb":
            return read_clips(video, starts, length, self.size, known, step).numpy()
        # a flow lies between two frames
        return np.stack(
            [flow_clip(frames) for frames in read_clips(video, starts, length + 1, self.size, known).numpy()]
        )

    def clip(self, i: int, start: int, length: int, step: int = 1) -> np.ndarray:
        """Clip of the i-th video: (T, H, W, C)."""
        if self.cache is not None:
            return self.cache.clip(int(self.rows[i]), int(start), length, step)
        return self.clips(i, np.array([start]), length, step)[0]

    def fault(self, i: int, error: VideoError) -> Fault:
        """What is to be told of the i-th video, without naming a folder of this machine."""
        row = int(self.rows[i])
        return Fault(self.index.table["path"][row].as_py(), str(error).removeprefix(f"{self.index.video(row)[0]}: "))


def open_parts(index: Index, spec: RunSpec) -> tuple[Part | None, Part]:
    """(training part, test part) of the spec's split, at its frame size, from the frame cache where it fits.

    A run that trains nothing has no training part, and its dataset needs none.
    """
    size = scaled_size(spec.resolution)
    cache = open_frames(index, size, spec.modality)
    parts: list[Part | None] = []
    for name in ("train", "test"):
        if name == "train" and spec.epochs == 0:
            parts.append(None)
            continue
        rows = index.rows(spec.split, name)
        if not len(rows):
            flat = index.facts.get("dataset") == "folder"
            how = HOW_TO_PART if flat else f"put those of its lists below {index.root} and make the index again"
            raise DatasetError(f"dataset {index.name}: split {spec.split} has no {name} videos; {how}")
        parts.append(Part(index, name, rows, size, spec.modality, cache))
    return parts[0], parts[1]
