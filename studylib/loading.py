"""Clips of an indexed dataset as batches of uint8, the same ones whoever loads them.

Every random choice comes from a generator seeded by (seed, epoch, position), never from a worker's state: a resumed
run, and one with another number of workers, sees the same clips.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from studylib.clips import centre_crop, random_crop, random_starts, scaled_size, starts_for_test
from studylib.datasets.index import Index
from studylib.frame_cache import FrameCache, open_frames
from studylib.spec import RunSpec
from studylib.video import read_clip, read_clips

# Streams of the counter-based generators, so that no two kinds of draw share numbers.
ORDER, JITTER, TEST = 1, 2, 3

RGB_MEAN = (0.43216, 0.394666, 0.37645)  # VMZ's, of frames in [0, 1]
RGB_STD = (0.22803, 0.22145, 0.216989)


@dataclass(frozen=True)
class Part:
    """The videos of one split and part, in the index's order, and where their frames come from."""

    index: Index
    rows: np.ndarray  # (V,) row numbers in index.table
    labels: np.ndarray  # (V,) int64
    num_frames: np.ndarray  # (V,)
    paths: list[str]  # (V,) relative to index.root
    size: tuple[int, int]  # (height, width) of the scaled frames
    cache: FrameCache | None  # decoded frames in memory-mapped form, None: decoded from the files each time

    def clip(self, i: int, start: int, length: int) -> np.ndarray:
        """Clip of the i-th video: (T, H, W, 3) uint8."""
        if self.cache is not None:
            return self.cache.clip(int(self.rows[i]), start, length)
        return read_clip(self.index.path(self.paths[i]), start, length, self.size).numpy()

    def clips(self, i: int, starts: np.ndarray, length: int) -> np.ndarray:
        """Clips of the i-th video in one decoding pass: (N, T, H, W, 3) uint8."""
        if self.cache is not None:
            return np.stack([self.clip(i, int(start), length) for start in starts])
        return read_clips(self.index.path(self.paths[i]), [int(s) for s in starts], length, self.size).numpy()


def open_parts(index: Index, spec: RunSpec) -> tuple[Part | None, Part]:
    """(training part, test part) of the spec's split, at its frame size, from the frame cache where it fits.

    A run that trains nothing has no training part, and its dataset needs none.
    """
    size = scaled_size(spec.resolution)
    cache = open_frames(index, size)
    parts: list[Part | None] = []
    for name in ("train", "test"):
        if name == "train" and spec.epochs == 0:
            parts.append(None)
            continue
        table = index.subset(spec.split, name)
        if not len(table):
            raise ValueError(f"dataset {index.name}: split {spec.split} has no {name} videos")
        rows, labels = table["row"].to_numpy(), table["label"].to_numpy().astype(np.int64)
        num_frames, paths = table["num_frames"].to_numpy(), table["path"].to_pylist()
        parts.append(Part(index, rows, labels, num_frames, paths, size, cache))
    return parts[0], parts[1]


class TrainingClips(Dataset):
    """Training clips by (epoch, position): temporal jitter, random crop, flip (section 4.1)."""

    def __init__(self, part: Part, spec: RunSpec) -> None:
        self.part, self.spec = part, spec

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, int]:
        """((T, crop, crop, 3) uint8, label) of clip `position` of `epoch`, both from 0."""
        epoch, position = key
        spec, part = self.spec, self.part
        drawn = epoch * spec.clips_per_epoch + position  # passes over the videos go on across epochs
        videos = len(part.rows)
        i = int(video_order(spec.seed, drawn // videos, videos)[drawn % videos])
        rng = np.random.default_rng([spec.seed, JITTER, epoch, position])
        start = int(random_starts(int(part.num_frames[i]), spec.clip_length, 1, rng)[0])
        clip = random_crop(part.clip(i, start, spec.clip_length), spec.resolution, rng)
        if spec.flip and rng.random() < 0.5:
            clip = clip[:, :, ::-1]
        return np.ascontiguousarray(clip), int(part.labels[i])


@lru_cache(maxsize=4)
def video_order(seed: int, number: int, videos: int) -> np.ndarray:
    """The order of the videos in a pass over them: every video once before any comes again."""
    return np.random.default_rng([seed, ORDER, number]).permutation(videos)


class EpochBatches:
    """Keys (epoch, position) of each batch of an epoch, from a step on; the last one may be smaller."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec, self.epoch = spec, 0

    def __len__(self) -> int:
        return steps_per_epoch(self.spec)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        size, clips = self.spec.batch_size, self.spec.clips_per_epoch
        for first in range(0, clips, size):
            yield [(self.epoch, position) for position in range(first, min(first + size, clips))]


def steps_per_epoch(spec: RunSpec) -> int:
    """Batches of an epoch; an epoch is measured in clips (as in VMZ), not in passes over the videos."""
    return -(-spec.clips_per_epoch // spec.batch_size)


def training_loader(part: Part, spec: RunSpec, pin: bool) -> tuple[DataLoader, EpochBatches]:
    """A loader of (uint8 (B, T, H, W, 3), labels (B,)); set `.epoch` of the second before each epoch."""
    batches = EpochBatches(spec)
    # cached frames are one copy away, processes would only add to it; files want a decoder on every core
    workers = int(os.environ.get("STUDY_WORKERS", 0 if part.cache is not None else os.cpu_count() or 1))
    loader = DataLoader(
        TrainingClips(part, spec),
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=False,  # each epoch's workers read `.epoch` anew
        pin_memory=pin,
    )
    return loader, batches


def clips_for_test(part: Part, i: int, spec: RunSpec) -> Tensor:
    """The test clips of the i-th video, centre crop: uint8 (N, T, crop, crop, 3).

    Random ones depend on the video alone, so that every network is tested on the same clips.
    """
    rng = np.random.default_rng([TEST, i])
    starts = starts_for_test(spec.test_sampling, int(part.num_frames[i]), spec.clip_length, spec.test_clips, rng)
    return torch.from_numpy(np.ascontiguousarray(centre_crop(part.clips(i, starts, spec.clip_length), spec.resolution)))


def centre_clips(part: Part, spec: RunSpec) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of one clip a video, its middle: (uint8 (B, T, H, W, 3), labels (B,))."""
    for first in range(0, len(part.rows), spec.batch_size):
        videos = range(first, min(first + spec.batch_size, len(part.rows)))
        starts = [max(0, int(part.num_frames[i]) - spec.clip_length) // 2 for i in videos]
        clips = [part.clip(i, start, spec.clip_length) for i, start in zip(videos, starts, strict=True)]
        batch = np.stack([centre_crop(clip, spec.resolution) for clip in clips])
        yield torch.from_numpy(batch), torch.from_numpy(part.labels[list(videos)])


def to_input(clips: Tensor, standardise: str, device: torch.device) -> Tensor:
    """uint8 (B, T, H, W, 3) -> what the network takes, float32 (B, 3, T, H, W), normalised on the device.

    The permuted tensor keeps its memory, which is channels_last_3d already.
    """
    x = clips.to(device, non_blocking=True).permute(0, 4, 1, 2, 3).float().div_(255)
    if standardise == "clip":
        mean = x.mean((1, 2, 3, 4), keepdim=True)
        return x.sub_(mean).div_(x.std((1, 2, 3, 4), keepdim=True).clamp_min(1e-3))
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1, 1) for v in (RGB_MEAN, RGB_STD))
    return x.sub_(mean).div_(std)
