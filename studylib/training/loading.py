"""Clips of an indexed dataset as batches of whole frames, the same ones whoever loads them.

Every random choice comes from a generator seeded by (seed, epoch, position), never from a worker's state: a resumed
run, and one with another number of workers, sees the same clips.
"""

import atexit
import multiprocessing
import multiprocessing.queues
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader, Dataset, Subset, default_collate

from studylib.training.distributed import ALONE, Processes
from studylib.training.parts import Part
from studylib.training.spec import RunSpec
from studylib.training.stopping import leave_to_parent
from studylib.video.clips import (
    centre_window,
    frames_in_order,
    last_start,
    random_starts,
    random_window,
    starts_for_test,
)
from studylib.video.environment import number
from studylib.video.faults import Fault
from studylib.video.parallel import available_cores, end_with_parent
from studylib.video.reading import VideoError

# Streams of the counter-based generators, so that no two kinds of draw share numbers.
ORDER, JITTER, TEST, REPLACEMENT, SHUFFLE = 1, 2, 3, 4, 5
MOST_REPLACEMENTS = 100  # of one clip; so many broken videos in a row mean that none can be read


class Batch(NamedTuple):
    """Clips as they are stored, what to cut from them, what they show, and what could not be read."""

    clips: Tensor  # (B, T, H, W, C) uint8 RGB or float16 flow
    windows: Tensor  # (B, 3) int64: top, left, flipped (see `inputs.to_input`)
    labels: Tensor  # (B,) int64, what to train on
    label_sets: Tensor  # (B, M) int64, all right answers, filled up with -1
    videos: Tensor  # (B,) int64, numbers in the part
    faults: list[Fault]


class Clip(NamedTuple):
    """A clip of a batch to be; of a video that cannot be read only that is told."""

    frames: np.ndarray | None  # (T, H, W, C), None where it could not be read
    window: tuple[int, int, int]  # top, left, flipped
    label: int
    label_set: np.ndarray  # (M,) int64
    video: int  # number in the part
    faults: list[Fault]


class Draw(NamedTuple):
    """What is random in a training clip."""

    video: int  # number in the part
    start: int  # first frame
    top: int
    left: int
    flip: int  # 0 or 1
    label: int  # one of the video's


class TrainingClips(Dataset):
    """Training clips by (epoch, position, video): temporal jitter, random crop, flip (section 4.1)."""

    def __init__(self, part: Part, spec: RunSpec) -> None:
        self.part, self.spec = part, spec

    def draw(self, epoch: int, position: int, video: int) -> Draw:
        """The clip at a position of an epoch, both from 0. It costs the same in a dataset of any size."""
        spec, part = self.spec, self.part
        rng = np.random.default_rng([spec.seed, JITTER, epoch, position])
        start = int(random_starts(int(part.num_frames[video]), spec.clip_length, 1, rng, spec.frame_step)[0])
        window = random_window(part.size, spec.resolution, rng)
        flip = int(spec.flip and rng.random() < 0.5)
        labels = part.label_set(video)
        return Draw(video, start, *window, flip, int(labels[rng.integers(len(labels)) if len(labels) > 1 else 0]))

    def __getitem__(self, key: tuple[int, int, int]) -> Clip:
        """The clip of a key; a video that cannot be read is replaced by one drawn for this place, and told."""
        epoch, position, video = key
        others, faults = None, []
        while True:
            draw = self.draw(epoch, position, video)
            try:
                clip = self.part.clip(video, draw.start, self.spec.clip_length, self.spec.frame_step)
            except VideoError as error:
                if len(faults) == MOST_REPLACEMENTS:
                    raise
                faults.append(self.part.fault(video, error))
                others = others or np.random.default_rng([self.spec.seed, REPLACEMENT, epoch, position])
                video = int(others.integers(len(self.part.rows)))
            else:
                window = (draw.top, draw.left, draw.flip)
                return Clip(clip, window, draw.label, self.part.label_set(video), video, faults)


class CentreClips(Dataset):
    """One clip a video, its middle: the curve of Figure 4."""

    def __init__(self, part: Part, spec: RunSpec) -> None:
        self.part, self.spec = part, spec

    def __len__(self) -> int:
        return len(self.part.rows)

    def __getitem__(self, i: int) -> Clip:
        part, length, step = self.part, self.spec.clip_length, self.spec.frame_step
        start = last_start(int(part.num_frames[i]), length, step) // 2
        window = (*centre_window(part.size, self.spec.resolution), 0)
        clip, faults = None, []
        try:
            clip = part.clip(i, start, length, step)
        except VideoError as error:
            faults.append(part.fault(i, error))
        return Clip(clip, window, int(part.labels[i]), part.label_set(i), i, faults)


class TestClips(Dataset):
    """The test clips of each video: (number of the video, clips (N, T, H, W, C), fault or None)."""

    __test__ = False  # for pytest: no test

    def __init__(self, part: Part, spec: RunSpec) -> None:
        self.part, self.spec = part, spec

    def __len__(self) -> int:
        return len(self.part.rows)

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
        return Batch(nothing, nothing, nothing, nothing, nothing, faults)
    sets = np.full((len(some), max(len(clip.label_set) for clip in some)), -1)
    for row, clip in zip(sets, some, strict=True):
        row[: len(clip.label_set)] = clip.label_set
    windows, labels, videos = (torch.tensor([getattr(c, name) for c in some]) for name in ("window", "label", "video"))
    frames = default_collate([torch.from_numpy(clip.frames) for clip in some])
    return Batch(frames, windows, labels, torch.from_numpy(sets), videos, faults)


@lru_cache(maxsize=2)
def video_order(seed: int, number: int, videos: int) -> np.ndarray:
    """The order of the videos in a pass over them: every video once before any comes again."""
    return np.random.default_rng([seed, ORDER, number]).permutation(videos)


class EpochBatches:
    """Keys (epoch, position, video) of each batch of an epoch that this process trains on; the last may be smaller.

    A step takes the next `batch_size` clips for each process, and each process its part of them in a row: which clips
    a step sees depends on how many they are together, not on who they are. Only the process that hands out keys holds
    the order of the videos; workers do not grow with the dataset.
    """

    def __init__(self, spec: RunSpec, videos: int, processes: Processes = ALONE) -> None:
        self.spec, self.videos, self.processes = spec, videos, processes
        self.epoch, self.position = 0, 0  # where the next iteration starts: both may be set

    def __len__(self) -> int:
        return len(self.steps())

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        for positions in self.steps():
            own = positions[self.processes.share(len(positions))]
            # a process that gets none of an epoch's last clips runs one all the same, which then counts nothing
            yield [self.key(position) for position in own or positions[-1:]]

    def steps(self) -> list[range]:
        """Positions in the epoch of the clips of each step that is left, over all processes."""
        size, clips = clips_per_step(self.spec, self.processes), self.spec.clips_per_epoch
        return [range(first, min(first + size, clips)) for first in range(self.position, clips, size)]

    def key(self, position: int) -> tuple[int, int, int]:
        """(epoch, position, video) of a clip: passes over the videos go on across epochs."""
        drawn = self.epoch * self.spec.clips_per_epoch + position
        order = video_order(self.spec.seed, drawn // self.videos, self.videos)
        return self.epoch, position, int(order[drawn % self.videos])


def clips_per_step(spec: RunSpec, processes: Processes) -> int:
    """Clips that all processes together train on in a step: the batch is that of one GPU."""
    return spec.batch_size * processes.count


def training_loader(
    part: Part, spec: RunSpec, pin: bool, processes: Processes = ALONE
) -> tuple[DataLoader, EpochBatches]:
    """A loader of `Batch`es; set `.epoch` and `.position` of the second before each epoch."""
    keys = EpochBatches(spec, len(part.rows), processes)
    return _loader(TrainingClips(part, spec), part, pin, batch_sampler=keys, collate_fn=collate), keys


def centre_loader(part: Part, spec: RunSpec, pin: bool, processes: Processes = ALONE) -> DataLoader:
    """A loader of `Batch`es of one clip a video, of every video in one process alone."""
    own = Subset(CentreClips(part, spec), range(len(part.rows))[processes.share(len(part.rows))])
    return _loader(own, part, pin, batch_size=spec.batch_size, collate_fn=collate)


def video_loader(part: Part, spec: RunSpec, processes: Processes = ALONE) -> DataLoader:
    """A loader of what `TestClips` gives, video by video in order, of every video in one process alone."""
    own = Subset(TestClips(part, spec), range(len(part.rows))[processes.share(len(part.rows))])
    return _loader(own, part, False, batch_size=None)


def _loader(dataset: Dataset, part: Part, pin: bool, **how: object) -> DataLoader:
    # cached frames are one copy away, processes would only add to it; files want a decoder on every core
    cores = max(1, available_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    takes = "a number of processes that read videos, from 0 on"
    workers = number("STUDY_WORKERS", takes, 0 if part.cache is not None else cores)
    return DataLoader(
        dataset,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
        # a fork starts at once; newer Pythons by default ask a server for one, by a socket in the temporary folder
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=_start_reader,
        **how,
    )


def _start_reader(_worker: int) -> None:
    """Prepare a process that reads videos."""
    leave_to_parent()
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
