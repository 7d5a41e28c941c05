"""Clips of an indexed dataset as batches of whole frames, the same ones whoever loads them.

Every random choice comes from a generator seeded by (seed, epoch, position), never from a worker's state: a resumed
run, and one with another number of workers, sees the same clips.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from studylib.clips import centre_window, random_starts, random_window, starts_for_test
from studylib.faults import Fault
from studylib.parallel import available_cores
from studylib.parts import Part
from studylib.spec import RunSpec
from studylib.video import VideoError

# Streams of the counter-based generators, so that no two kinds of draw share numbers.
ORDER, JITTER, TEST, REPLACEMENT = 1, 2, 3, 4
MOST_REPLACEMENTS = 100  # of one clip; so many broken videos in a row mean that none can be read


class Batch(NamedTuple):
    """Clips as they are stored, what to cut from them, what they show, and what could not be read."""

    clips: Tensor  # (B, T, H, W, C) uint8 RGB or float16 flow
    windows: Tensor  # (B, 3) int64: top, left, flipped (see `inputs.to_input`)
    labels: Tensor  # (B,) int64, what to train on
    label_sets: Tensor  # (B, M) int64, all right answers, filled up with -1
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
        start = int(random_starts(int(part.num_frames[video]), spec.clip_length, 1, rng)[0])
        window = random_window(part.size, spec.resolution, rng)
        flip = int(spec.flip and rng.random() < 0.5)
        labels = part.label_set(video)
        return Draw(video, start, *window, flip, int(labels[rng.integers(len(labels)) if len(labels) > 1 else 0]))

    def __getitem__(self, key: tuple[int, int, int]) -> Batch:
        """A batch of one; a video that cannot be read is replaced by one drawn for this place, and told."""
        epoch, position, video = key
        others, faults = None, []
        while True:
            draw = self.draw(epoch, position, video)
            try:
                clip = self.part.clip(video, draw.start, self.spec.clip_length)
            except VideoError as error:
                if len(faults) == MOST_REPLACEMENTS:
                    raise
                faults.append(self.part.fault(video, error))
                others = others or np.random.default_rng([self.spec.seed, REPLACEMENT, epoch, position])
                video = int(others.integers(len(self.part.rows)))
            else:
                return _one(clip, (draw.top, draw.left, draw.flip), draw.label, self.part.label_set(video), faults)


class CentreClips(Dataset):
    """One clip a video, its middle: the curve of Figure 4. A batch of none for a video that cannot be read."""

    def __init__(self, part: Part, spec: RunSpec) -> None:
        self.part, self.spec = part, spec

    def __len__(self) -> int:
        return len(self.part.rows)

    def __getitem__(self, i: int) -> Batch:
        part, length = self.part, self.spec.clip_length
        start = max(0, int(part.num_frames[i]) - length) // 2
        try:
            clip = part.clip(i, start, length)
        except VideoError as error:
            return _none([part.fault(i, error)])
        window = (*centre_window(part.size, self.spec.resolution), 0)
        return _one(clip, window, int(part.labels[i]), part.label_set(i), [])


class TestClips(Dataset):
    """The test clips of each video: (number of the video, clips (N, T, H, W, C), fault or None)."""

    __test__ = False  # for pytest: no test

    def __init__(self, part: Part, spec: RunSpec) -> None:
        self.part, self.spec = part, spec

    def __len__(self) -> int:
        return len(self.part.rows)

    def __getitem__(self, i: int) -> tuple[int, Tensor | None, Fault | None]:
        """Random clips depend on the video alone, so that every network is tested on the same ones."""
        part, spec = self.part, self.spec
        rng = np.random.default_rng([TEST, i])
        starts = starts_for_test(spec.test_sampling, int(part.num_frames[i]), spec.clip_length, spec.test_clips, rng)
        try:
            return i, torch.from_numpy(part.clips(i, starts, spec.clip_length)), None
        except VideoError as error:
            return i, None, part.fault(i, error)


def _one(clip: np.ndarray, window: tuple[int, int, int], label: int, labels: np.ndarray, faults: list[Fault]) -> Batch:
    """A batch of one clip (T, H, W, C)."""
    numbers = (torch.tensor([window]), torch.tensor([label]), torch.from_numpy(labels)[None])
    return Batch(torch.from_numpy(np.ascontiguousarray(clip))[None], *numbers, faults)


def _none(faults: list[Fault]) -> Batch:
    """A batch of no clip."""
    nothing = torch.empty(0, dtype=torch.int64)
    return Batch(nothing, nothing, nothing, nothing, faults)


def collate(batches: list[Batch]) -> Batch:
    """Batches of one, or none, as one; in a worker the clips go straight to shared memory."""
    faults = [fault for batch in batches for fault in batch.faults]
    some = [batch for batch in batches if len(batch.labels)]
    if not some:
        return _none(faults)
    most = max(batch.label_sets.shape[1] for batch in some)
    sets = [torch.nn.functional.pad(b.label_sets, (0, most - b.label_sets.shape[1]), value=-1) for b in some]
    windows, labels = (torch.cat([getattr(batch, field) for batch in some]) for field in ("windows", "labels"))
    return Batch(default_collate([batch.clips[0] for batch in some]), windows, labels, torch.cat(sets), faults)


@lru_cache(maxsize=2)
def video_order(seed: int, number: int, videos: int) -> np.ndarray:
    """The order of the videos in a pass over them: every video once before any comes again."""
    return np.random.default_rng([seed, ORDER, number]).permutation(videos)


class EpochBatches:
    """Keys (epoch, position, video) of each batch of an epoch; the last one may be smaller.

    Only the process that hands out keys holds the order of the videos; workers do not grow with the dataset.
    """

    def __init__(self, spec: RunSpec, videos: int) -> None:
        self.spec, self.videos, self.epoch = spec, videos, 0

    def __len__(self) -> int:
        return steps_per_epoch(self.spec)

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        size, clips = self.spec.batch_size, self.spec.clips_per_epoch
        for first in range(0, clips, size):
            yield [self.key(position) for position in range(first, min(first + size, clips))]

    def key(self, position: int) -> tuple[int, int, int]:
        drawn = self.epoch * self.spec.clips_per_epoch + position  # passes over the videos go on across epochs
        order = video_order(self.spec.seed, drawn // self.videos, self.videos)
        return self.epoch, position, int(order[drawn % self.videos])


def steps_per_epoch(spec: RunSpec) -> int:
    """Batches of an epoch; an epoch is measured in clips (as in VMZ), not in passes over the videos."""
    return -(-spec.clips_per_epoch // spec.batch_size)


def training_loader(part: Part, spec: RunSpec, pin: bool) -> tuple[DataLoader, EpochBatches]:
    """A loader of `Batch`es; set `.epoch` of the second before each epoch."""
    keys = EpochBatches(spec, len(part.rows))
    return _loader(TrainingClips(part, spec), part, pin, batch_sampler=keys, collate_fn=collate), keys


def centre_loader(part: Part, spec: RunSpec, pin: bool) -> DataLoader:
    """A loader of `Batch`es of one clip a video."""
    return _loader(CentreClips(part, spec), part, pin, batch_size=spec.batch_size, collate_fn=collate)


def test_loader(part: Part, spec: RunSpec) -> DataLoader:
    """A loader of what `TestClips` gives, video by video in order."""
    return _loader(TestClips(part, spec), part, False, batch_size=None)


test_loader.__test__ = False


def _loader(dataset: Dataset, part: Part, pin: bool, **how: object) -> DataLoader:
    # cached frames are one copy away, processes would only add to it; files want a decoder on every core
    workers = int(os.environ.get("STUDY_WORKERS", 0 if part.cache is not None else available_cores()))
    return DataLoader(
        dataset,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
        **how,
    )
