"""Which frames make a clip, and which part of them the network sees (paper, sections 4.1 and 4.3).

A clip is L consecutive frames, or L frames that lie `step` apart. One longer than its video repeats the last frame:
starts are 0 then, and the readers (`reading.clip_frames`) fill up. Windows are cut from frames already
scaled by `scaled_size`, on the device (`epoch.to_input`).
"""

import numpy as np


def scaled_size(resolution: int) -> tuple[int, int]:
    """(height, width) of the scaled frame for a crop of `resolution`: 128 x 171 for the paper's 112, in proportion."""
    height, width = (int(np.floor(resolution * side / 112 + 0.5)) for side in (128, 171))  # 85.5 -> 86
    return height, width


def clip_span(clip_length: int, step: int = 1) -> int:
    """Frames of the video that a clip reaches over, its first and last among them: L where they are consecutive."""
    return (clip_length - 1) * step + 1


def last_start(num_frames: int, clip_length: int, step: int = 1) -> int:
    """The latest first frame of a clip that lies inside the video, 0 where the clip spans more than the video."""
    return max(0, num_frames - clip_span(clip_length, step))


def random_starts(num_frames: int, clip_length: int, n: int, rng: np.random.Generator, step: int = 1) -> np.ndarray:
    """First frames of `n` clips drawn evenly and independently: temporal jitter, and Table 2's test (section 4.1)."""
    return rng.integers(0, last_start(num_frames, clip_length, step) + 1, n)


def uniform_starts(num_frames: int, clip_length: int, n: int, step: int = 1) -> np.ndarray:
    """First frames of `n` clips evenly spaced, floor(i (N - L) / (n - 1)) with the clip's span for L (section 4.3); one
    clip: the middle."""
    last = last_start(num_frames, clip_length, step)
    if n == 1:
        return np.array([last // 2])
    return np.arange(n) * last // (n - 1)


def dense_starts(num_frames: int, clip_length: int, step: int = 1) -> np.ndarray:
    """First frames of clips that touch, over the whole video, the last one ending with it."""
    last = last_start(num_frames, clip_length, step)
    starts = np.arange(0, last + 1, clip_span(clip_length, step))
    return starts if starts[-1] == last else np.append(starts, last)


def starts_for_test(
    sampling: str, num_frames: int, clip_length: int, n: int, rng: np.random.Generator, step: int = 1
) -> np.ndarray:
    """First frames of a video's test clips by the name of the rule: "random", "uniform" or "dense" (n is unused). A
    video so short that it has no more than `n` starts gives each of them once, not some of them twice."""
    if sampling == "dense":
        return dense_starts(num_frames, clip_length, step)
    if (last := last_start(num_frames, clip_length, step)) < n:
        return np.arange(last + 1)
    if sampling == "random":
        return random_starts(num_frames, clip_length, n, rng, step)
    if sampling == "uniform":
        return uniform_starts(num_frames, clip_length, n, step)
    raise ValueError(f"test_sampling: {sampling!r} is not one of random, uniform, dense")


def frames_in_order(order: str, clip_length: int, rng: np.random.Generator) -> np.ndarray:
    """Which frame of a clip stands at each of its places, (L,) int64, by the name of the order.

    "normal": 0 .. L-1; "reversed": L-1 .. 0; "frozen": the middle frame, L // 2, everywhere; "shuffled": a permutation
    drawn evenly among all but the normal one (of one frame there is no other). Not in the paper.
    """
    normal = np.arange(clip_length)
    if order == "normal":
        return normal
    if order == "reversed":
        return normal[::-1]
    if order == "frozen":
        return np.full(clip_length, clip_length // 2)
    if order == "shuffled":
        shuffled = rng.permutation(clip_length)
        while clip_length > 1 and (shuffled == normal).all():
            shuffled = rng.permutation(clip_length)
        return shuffled
    raise ValueError(f"frame_order: {order!r} is not one of normal, shuffled, reversed, frozen")


def centre_window(size: tuple[int, int], crop: int) -> tuple[int, int]:
    """(top, left) of the middle crop x crop window of frames of `size` = (height, width)."""
    return size[0] - crop >> 1, size[1] - crop >> 1


def random_window(size: tuple[int, int], crop: int, rng: np.random.Generator) -> tuple[int, int]:
    """(top, left) of a crop x crop window drawn evenly, one place for the whole clip."""
    top, left = (int(rng.integers(0, whole - crop + 1)) for whole in size)
    return top, left
