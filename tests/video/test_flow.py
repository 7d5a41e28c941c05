"""The second stream sees where pixels go, in pixels a frame (section 4.4)."""

import cv2
import numpy as np
import pytest

from studylib.video.flow import flow_clip, flow_video
from studylib.video.reading import clip_frames

SIZE = (128, 171)
INSIDE = (slice(None), slice(24, -24), slice(24, -24))


def texture(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Smooth noise of full contrast, float32 (H, W)."""
    noise = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)


def moving(shifts: list[tuple[float, float]], seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 RGB frames of a texture that moves by (dx, dy) from each frame to the next."""
    place, frames, image = np.zeros(2), [], texture(seed, size)
    for shift in [(0.0, 0.0), *shifts]:
        place = place + shift
        move = np.array([[1, 0, place[0]], [0, 1, place[1]]])
        moved = cv2.warpAffine(image, move, size[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        frames.append(np.repeat(np.clip(np.rint(moved), 0, 255).astype(np.uint8)[..., None], 3, -1))
    return np.stack(frames)


@pytest.mark.parametrize("shift", [(1, 0), (1.5, 0.75), (-6, 4)])
def test_flow_is_the_motion_in_pixels_a_frame_right_and_down_positive(shift: tuple[float, float]) -> None:
    flows = flow_clip(moving([shift]))
    assert flows.shape == (1, *SIZE, 2)
    assert flows.dtype == np.float16
    np.testing.assert_allclose(np.median(flows[INSIDE], (1, 2))[0], shift, atol=0.1)


def test_frames_that_are_equal_do_not_move() -> None:
    still = moving([(1, 0)])[[0, 0, 1, 1, 1]]
    flows = flow_clip(still)
    assert not flows[[0, 2, 3]].any()
    assert flows[1].any()
    assert not flow_video(still[:1]).any()  # a video of one frame rests


@pytest.mark.parametrize(("start", "length"), [(0, 4), (2, 3), (3, 6), (5, 8), (6, 1), (0, 20)])
def test_a_clip_of_stored_flow_is_the_flow_of_the_clip_to_the_last_bit(start: int, length: int) -> None:
    video = moving([(1, 0), (0.5, 0.5), (-2, 1), (0, 0), (3, 3), (1, -1)], size=(64, 86))
    n = len(video)
    stored = flow_video(video)
    assert stored.shape == (n, 64, 86, 2)
    rows = clip_frames([start], length, n, "a video")[0]
    frames = clip_frames([start], length + 1, n, "a video")[0]
    np.testing.assert_array_equal(stored[rows], flow_clip(video[frames]))


def test_the_flow_of_a_mirrored_clip_is_the_mirrored_flow() -> None:
    frames = moving([(2, 1), (-1.5, 0.5)])
    mirrored = flow_clip(frames[:, :, ::-1])
    difference = np.abs(flow_clip(frames)[:, :, ::-1] * np.float32([-1, 1]) - mirrored)[INSIDE]
    assert np.median(np.abs(mirrored[INSIDE])) > 0.4
    assert difference.max() < 0.01


def test_a_flow_beyond_half_precision_stays_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = np.full((*SIZE, 2), (1e6, -np.inf), np.float32)
    monkeypatch.setattr(cv2, "calcOpticalFlowFarneback", lambda *_, **__: huge)
    flows = flow_clip(moving([(1, 0)]))
    assert (flows == np.array([65504, -65504], np.float16)).all()
