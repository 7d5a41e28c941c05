"""What Pantomime looks like: frames, motion and optical flow of its classes as HTML, rendered anew."""

import base64
import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from IPython.display import HTML

from studylib.datasets.pantomime import frames
from studylib.datasets.pantomime.actions import ACTIONS, CUES, VOCABULARIES
from studylib.datasets.pantomime.knobs import KNOBS
from studylib.video.flow import flow_clip
from studylib.video.reading import write_video


def contact_sheet(vocabulary: str, num_frames: int = 5, step: int = 4, seed: int = 0) -> HTML:
    """A strip of `num_frames` frames, `step` apart, of one video of each class, by cue group."""
    strips = []
    for number, name in enumerate(_names(vocabulary)):
        # each class its own person and place, as in the dataset
        clip = frames(name, "train", number, seed)[: num_frames * step : step]
        small = [cv2.resize(frame, (129, 96), interpolation=cv2.INTER_AREA) for frame in clip]
        alt = f"{num_frames} frames of {name}, {step / KNOBS.fps:.2f} s apart: {ACTIONS[name].description}"
        strips.append((name, _image(np.hstack(small), alt)))
    return _grid(strips, "strips")


def flow_sheet(names: Sequence[str], num_frames: int = 5, step: int = 2, seed: int = 0) -> HTML:
    """For each action a strip of frames and below it the flow from each to the next one of the video, with the key.

    The flow is that of consecutive frames, of which every `step`-th is shown. The full colour stands for what 1% of the
    pixels that move exceed, over all actions shown.
    """
    clips = {name: frames(name, "train", 0, seed)[: (num_frames - 1) * step + 2] for name in names}
    flows = {name: flow_clip(clip)[::step] for name, clip in clips.items()}
    largest, figures = _full_colour(flows.values()), []
    for name, clip in clips.items():
        above, below = np.hstack(clip[: num_frames * step : step]), np.hstack(flow_image(flows[name], largest))
        alt = f"Above, {num_frames} frames of {name} ({ACTIONS[name].description}); below, the flow of each as colours"
        figures.append(_captioned(name, _image(np.vstack([above, below]), alt)))
    return HTML(f'<div class="gallery flow">{"".join(figures)}{_key(largest)}</div>')


def flow_image(flows: np.ndarray, largest: float) -> np.ndarray:
    """Flows (..., H, W, 2) as colours, uint8 RGB (..., H, W, 3), for a picture: `flow_legend` is the key.

    The hue is the direction (red right, yellow-green down, cyan left, violet up); what rests is white, and the colour
    is full from `largest` pixels a frame on.
    """
    dx, dy = np.moveaxis(flows.astype(np.float32), -1, 0)
    hue = np.degrees(np.arctan2(dy, dx)) % 360
    saturation = np.minimum(np.hypot(dx, dy) / largest, 1)
    hsv = np.stack([hue, saturation, np.ones_like(hue)], -1).astype(np.float32)
    rgb = cv2.cvtColor(hsv.reshape(-1, hsv.shape[-2], 3), cv2.COLOR_HSV2RGB).reshape(hsv.shape)
    return np.round(255 * rgb).astype(np.uint8)


def flow_legend(size: int) -> np.ndarray:
    """The colour of each direction as a disc, uint8 RGB (size, size, 3): `largest` at its rim, white around it."""
    y, x = np.mgrid[:size, :size] * 2 / (size - 1) - 1
    disc = np.stack([x, y], -1)
    return flow_image(np.where(np.hypot(x, y)[..., None] <= 1, disc, 0), 1)


def _full_colour(flows: Iterable[np.ndarray]) -> float:
    """Pixels a frame that the full colour stands for: what 1% of the pixels that move exceed."""
    sizes = np.concatenate([np.hypot(*np.moveaxis(flow.astype(np.float32), -1, 0)).ravel() for flow in flows])
    return float(np.percentile(sizes[sizes > 0.5], 99)) if (sizes > 0.5).any() else 1.0


def _key(largest: float) -> str:
    """The key of flow as colours."""
    alt = "Key: a disc of colours, red right, yellow-green down, cyan left, violet up, white rest"
    return (
        f'<figure class="flow-key">{_image(flow_legend(120), alt)}<figcaption>Key: the colour is the direction in '
        f"which a pixel moves, full from {largest:.1f} pixels a frame on, white for rest.</figcaption></figure>"
    )


def _image(rgb: np.ndarray, alt: str) -> str:
    """An `img` element that holds the picture itself."""
    encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 78])
    return f'<img src="{_data("image/jpeg", encoded[1].tobytes())}" alt="{escape(alt)}">'


def motion(vocabulary: str) -> HTML:
    """A whole video of each class, looping, by cue group, as `videos`."""
    return _grid([(name, _video(name)) for name in _names(vocabulary)], "motion")


def videos(*names: str) -> HTML:
    """A whole video of each of these classes, looping; all with the same person and place, so that only the motion
    differs."""
    return HTML(f'<div class="gallery motion">{"".join(_captioned(name, _video(name)) for name in names)}</div>')


def _video(name: str) -> str:
    return looping(frames(name, "train", 0, 0), f"{name}: {ACTIONS[name].description}")


def looping(rgb: np.ndarray, label: str, fps: int = KNOBS.fps) -> str:
    """A `video` element that holds the frames (T, H, W, 3) itself and plays them again and again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, rgb, fps, crf=32)
        source = _data("video/mp4", path.read_bytes())
    return f'<video autoplay loop muted playsinline aria-label="{escape(label)}" src="{source}"></video>'


def _captioned(name: str, picture: str) -> str:
    """A picture with the action's name and description below."""
    caption = f"<code>{escape(name)}</code> {escape(ACTIONS[name].description)}"
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _names(vocabulary: str) -> list[str]:
    return [action.name for action in VOCABULARIES[vocabulary]]


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _grid(pictures: list[tuple[str, str]], kind: str) -> HTML:
    """Pictures with name and description below, under the names of their cue groups."""
    parts = []
    for cue in CUES:
        figures = "".join(_captioned(name, picture) for name, picture in pictures if ACTIONS[name].cue == cue)
        if figures:
            parts.append(f'<p class="gallery-cue">{cue}</p><div class="gallery {kind}">{figures}</div>')
    return HTML("".join(parts))
