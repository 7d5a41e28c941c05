"""From the index of a dataset to batches of whole frames: which videos, which clips of them, read by which process.

Every random choice is seeded by (seed, epoch, position), never by a worker's state: a resumed run, and one with another
number of workers, sees the same clips.
"""

import atexit
import multiprocessing
import multiprocessing.queues
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader, Dataset, Subset, default_collate

from studylib.datasets.frame_cache import FrameCache, open_frames
from studylib.datasets.index import HOW_TO_PART, DatasetError, Index
from studylib.training.devices import ALONE, SIGNALS, Processes
from studylib.training.run_files import Fault
from studylib.training.spec import RunSpec
from studylib.video.clips import (
    centre_window,
    frames_in_order,
    last_start,
    random_starts,
    random_window,
    scaled_size,
    starts_for_test,
)
from studylib.video.flow import flow_clip
from studylib.video.machine import available_cores, end_with_parent, number
from studylib.video.reading import VideoError, read_clips

# Streams of the counter-based generators, so that no two kinds of draw share numbers.
ORDER, JITTER, TEST, REPLACEMENT, SHUFFLE = 1, 2, 3, 4, 5
MOST_REPLACEMENTS = 100  # of one clip; so many broken videos in a row mean that none can be read


@dataclass(frozen=True, eq=False)
class Part:
    """The videos of one split and part, in the index's order, and where their frames come from."""

    index: Index
    name: str  # "train" or "test"
    rows: np.ndarray  # (V,) row numbers in index.table
    size: tuple[int, int]  # (height, width) of the scaled frames
    modality: str  # "rgb" or "flow"
    cache: FrameCache | None  # decoded frames or their flow, memory-mapped; None: made from the files each time

    @cached_property
    def num_frames(self) -> np.ndarray:
        """(V,) int32."""
        return self.index.table["num_frames"].to_numpy()[self.rows]

    @cached_property
    def labels(self) -> np.ndarray:
        """(V,) int64: the class of each video, the first of several."""
        return self.index.table["label"].to_numpy()[self.rows].astype(np.int64)

    def column(self, name: str) -> list | None:
        """V values of a column of the index, such as "path"; None where it has none, as most have no "speaker"."""
        table = self.index.table
        return table[name].take(self.rows).to_pylist() if name in table.column_names else None

    @cached_property
    def has_label_sets(self) -> bool:
        """Whether videos may belong to several classes (Sports-1M)."""
        return "labels" in self.index.table.column_names

    def label_set(self, i: int) -> np.ndarray:
        """All classes of the i-th video, int64."""
        if not self.has_label_sets:
            return self.labels[i : i + 1]
        return np.array(self.index.table["labels"][int(self.rows[i])].as_py(), np.int64)

    def clips(self, i: int, starts: Sequence[int] | np.ndarray, length: int, step: int = 1) -> np.ndarray:
        """Clips of frames `step` apart of the i-th video in one decoding pass: (N, T, H, W, 3) uint8, or
        (N, T, H, W, 2) float16 of flow, whose `step` is 1. Errors: VideoError."""
        row, starts = int(self.rows[i]), [int(start) for start in starts]
        if self.cache is not None:
            return np.stack([self.cache.clip(row, start, length, step) for start in starts])
        video, known = self.index.video(row)
        if self.modality == "rgb":
            return read_clips(video, starts, length, self.size, known, step)
        clips = read_clips(video, starts, length + 1, self.size, known)  # a flow lies between two frames
        return np.stack([flow_clip(frames) for frames in clips])

    def fault(self, i: int, error: VideoError) -> Fault:
        """What is to be told of the i-th video, without naming a folder of this machine."""
        row = int(self.rows[i])
        return Fault(self.index.table["path"][row].as_py(), str(error).removeprefix(f"{self.index.video(row)[0]}: "))


def open_parts(index: Index, spec: RunSpec) -> tuple[Part | None, Part]:
    """(training part, test part) of the spec's split, at its frame size, from the frame cache where it fits; the first
    is None, and not asked of the dataset, where nothing is trained. Errors: DatasetError: the split has no such videos.
    """
    size = scaled_size(spec.resolution)
    cache = open_frames(index, size, spec.modality)

    def part(name: str) -> Part:
        rows = index.rows(spec.split, name)
        if not len(rows):
            flat = index.facts.get("dataset") == "folder"
            how = HOW_TO_PART if flat else f"put those of its lists below {index.root} and make the index again"
            raise DatasetError(f"dataset {index.name}: split {spec.split} has no {name} videos; {how}")
        return Part(index, name, rows, size, spec.modality, cache)

    return part("train") if spec.epochs else None, part("test")


class Batch(NamedTuple):
    """Clips as they are stored, what to cut from them, what they show, and what could not be read."""

    clips: Tensor  # (B, T, H, W, C) uint8 RGB or float16 flow
    windows: Tensor  # (B, 3) int64: top, left, flipped (see `epoch.to_input`)
    labels: Tensor  # (B,) int64, what to train on
    label_sets: Tensor  # (B, M) int64, all right answers, filled up with -1
    faults: list[Fault]


class Clip(NamedTuple):
    """A clip of a `Batch` to be."""

    frames: np.ndarray | None  # (T, H, W, C), None where they could not be read
    window: tuple[int, int, int]
    label: int
    label_set: np.ndarray  # (M,) int64
    faults: list[Fault]


class _Clips(Dataset):
    def __init__(self, part: Part, spec: RunSpec) -> None:
        self.part, self.spec = part, spec

    def __len__(self) -> int:
        return len(self.part.rows)


class TrainingClips(_Clips):
    """Training clips by (epoch, position, video): temporal jitter, random crop, flip (section 4.1)."""

    def draw(self, epoch: int, position: int, video: int) -> tuple[int, tuple[int, int, int], int]:
        """What is random in the clip at a position of an epoch, both from 0: first frame, window, one of the labels."""
        spec, part = self.spec, self.part
        rng = np.random.default_rng([spec.seed, JITTER, epoch, position])
        start = int(random_starts(int(part.num_frames[video]), spec.clip_length, 1, rng, spec.frame_step)[0])
        window = random_window(part.size, spec.resolution, rng)
        flip = int(spec.flip and rng.random() < 0.5)
        labels = part.label_set(video)
        return start, (*window, flip), int(labels[rng.integers(len(labels)) if len(labels) > 1 else 0])

    def __getitem__(self, key: tuple[int, int, int]) -> Clip:
        """The clip of a key; a video that cannot be read is replaced by one drawn for this place, and told."""
        epoch, position, video = key
        others, faults = None, []
        while True:
            start, window, label = self.draw(epoch, position, video)
            try:
                clips = self.part.clips(video, [start], self.spec.clip_length, self.spec.frame_step)
                return Clip(clips[0], window, label, self.part.label_set(video), faults)
            except VideoError as error:
                if len(faults) == MOST_REPLACEMENTS:
                    raise
                faults.append(self.part.fault(video, error))
                others = others or np.random.default_rng([self.spec.seed, REPLACEMENT, epoch, position])
                video = int(others.integers(len(self.part.rows)))


class CentreClips(_Clips):
    """One clip a video, its middle: the curve of Figure 4."""

    def __getitem__(self, i: int) -> Clip:
        part, length, step = self.part, self.spec.clip_length, self.spec.frame_step
        start = last_start(int(part.num_frames[i]), length, step) // 2
        try:
            frames, faults = part.clips(i, [start], length, step)[0], []
        except VideoError as error:
            frames, faults = None, [part.fault(i, error)]
        window = (*centre_window(part.size, self.spec.resolution), 0)
        return Clip(frames, window, int(part.labels[i]), part.label_set(i), faults)


class VideoClips(_Clips):
    """The test clips of each video: (number of the video, clips (N, T, H, W, C), fault or None)."""

    def __getitem__(self, i: int) -> tuple[int, Tensor | None, Fault | None]:
        """Random clips, and shuffled frames, depend on the video alone: every network is tested on the same ones."""
        part, spec = self.part, self.spec
        length, step, num_frames = spec.clip_length, spec.frame_step, int(part.num_frames[i])
        rng = np.random.default_rng([TEST, i])
        starts = starts_for_test(spec.test_sampling, num_frames, length, spec.test_clips, rng, step)
        try:
            clips = part.clips(i, starts, length, step)
        except VideoError as error:
            return i, None, part.fault(i, error)
        if spec.frame_order != "normal":
            shuffle = np.random.default_rng([SHUFFLE, i])
            frames = [frames_in_order(spec.frame_order, length, shuffle) for _ in starts]
            clips = np.stack([clip[own] for clip, own in zip(clips, frames, strict=True)])
        return i, torch.from_numpy(clips), None


def collate(clips: list[Clip]) -> Batch:
    """Those that could be read as a batch, perhaps of none; in a worker their frames go straight to shared memory."""
    faults = [fault for clip in clips for fault in clip.faults]
    some = [clip for clip in clips if clip.frames is not None]
    if not some:
        nothing = torch.empty(0, dtype=torch.int64)
        return Batch(nothing, nothing, nothing, nothing, faults)
    sets = np.full((len(some), max(len(clip.label_set) for clip in some)), -1)
    for row, clip in zip(sets, some, strict=True):
        row[: len(clip.label_set)] = clip.label_set
    windows, labels = (torch.tensor([getattr(clip, name) for clip in some]) for name in ("window", "label"))
    frames = default_collate([torch.from_numpy(clip.frames) for clip in some])
    return Batch(frames, windows, labels, torch.from_numpy(sets), faults)


@lru_cache(maxsize=2)
def video_order(seed: int, number: int, videos: int) -> np.ndarray:
    """The order of the videos in a pass over them: every video once before any comes again."""
    return np.random.default_rng([seed, ORDER, number]).permutation(videos)


class EpochBatches:
    """Keys (epoch, position, video) of each batch of an epoch that this process trains on; the last may be smaller.

    A step takes the next `batch_size` clips for each process, and each process its part of them in a row: which clips
    a step sees depends on how many they are together, not on who they are.
    """

    def __init__(self, spec: RunSpec, videos: int, processes: Processes = ALONE) -> None:
        self.spec, self.videos, self.processes = spec, videos, processes
        self.epoch, self.position = 0, 0  # where the next iteration starts: both may be set
        self.step_size = spec.batch_size * processes.count  # clips of a step: the batch size is that of one GPU

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        for positions in self.steps():
            own = positions[self.processes.share(len(positions))]
            # a process that gets none of an epoch's last clips runs one all the same, which then counts nothing
            yield [self.key(position) for position in own or positions[-1:]]

    def steps(self) -> list[range]:
        """Positions in the epoch of the clips of each step that is left, over all processes."""
        size, clips = self.step_size, self.spec.clips_per_epoch
        return [range(first, min(first + size, clips)) for first in range(self.position, clips, size)]

    def key(self, position: int) -> tuple[int, int, int]:
        """(epoch, position, video) of a clip: passes over the videos go on across epochs."""
        drawn = self.epoch * self.spec.clips_per_epoch + position
        order = video_order(self.spec.seed, drawn // self.videos, self.videos)
        return self.epoch, position, int(order[drawn % self.videos])


def training_loader(part: Part, spec: RunSpec, processes: Processes = ALONE) -> tuple[DataLoader, EpochBatches]:
    """A loader of `Batch`es; set `.epoch` and `.position` of the second before each epoch."""
    keys = EpochBatches(spec, len(part.rows), processes)
    clips = TrainingClips(part, spec)
    return _loader(clips, part, batch_sampler=keys, collate_fn=collate, pin_memory=torch.cuda.is_available()), keys


def centre_loader(part: Part, spec: RunSpec, processes: Processes = ALONE) -> DataLoader:
    """A loader of `Batch`es of one clip a video, of every video in one process alone."""
    own = Subset(CentreClips(part, spec), range(len(part.rows))[processes.share(len(part.rows))])
    return _loader(own, part, batch_size=spec.batch_size, collate_fn=collate, pin_memory=torch.cuda.is_available())


def video_loader(part: Part, spec: RunSpec, processes: Processes = ALONE) -> DataLoader:
    """A loader of what `VideoClips` gives, video by video, of every video in one process alone."""
    own = Subset(VideoClips(part, spec), range(len(part.rows))[processes.share(len(part.rows))])
    return _loader(own, part, batch_size=None)


def _loader(dataset: Dataset, part: Part, **how: object) -> DataLoader:
    # cached frames are one copy away, processes would only add to it; files want a decoder on every core
    cores = max(1, available_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    takes = "a number of processes that read videos, from 0 on"
    workers = number("STUDY_WORKERS", takes, 0 if part.cache is not None else cores)
    return DataLoader(
        dataset,
        num_workers=workers,
        persistent_workers=workers > 0,
        # a fork starts at once; newer Pythons by default ask a server for one, by a socket in the temporary folder
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=_start_reader,
        **how,
    )


def _start_reader(_worker: int) -> None:
    # a cluster signals all processes of a job: the one that this works for needs it until that has saved
    for number_of_signal in (*SIGNALS, signal.SIGINT):
        signal.signal(number_of_signal, signal.SIG_IGN)
    end_with_parent()
    if len(tempfile.gettempdir()) > 60:  # batches pass through sockets in there, whose whole path has 100 characters
        tempfile.tempdir = "/tmp"
    multiprocessing.queues.Queue._on_queue_feeder_error = _send_error


def _send_error(queue: multiprocessing.queues.Queue, error: Exception, numbered: tuple[int, object]) -> None:
    """Send the error in place of a batch that cannot be sent, and would be waited for without end."""
    wrapped = ExceptionWrapper((type(error), error, error.__traceback__), "in DataLoader worker process")
    queue.put((numbered[0], wrapped))


@atexit.register
def end_readers() -> None:
    """Kill the processes that read videos: Python asks them to end by SIGTERM, which they ignore, and waits."""
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()
