"""What Pantomime looks like: frames, motion and optical flow of its classes as HTML, rendered anew."""

import base64
import tempfile
from collections.abc import Sequence
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


def contact_sheet(vocabulary: str) -> HTML:
    """A strip of 5 frames, a quarter of a second apart, of one video of each class, by cue group."""
    strips = {}
    for number, action in enumerate(VOCABULARIES[vocabulary]):  # each class its own person and place, as in the dataset
        strip = frames(action.name, "train", number, 0)[:20:4]
        small = [cv2.resize(frame, (129, 96), interpolation=cv2.INTER_AREA) for frame in strip]
        alt = f"5 frames of {action.name}, {4 / KNOBS.fps:.2f} s apart: {action.description}"
        strips[action.name] = _image(np.hstack(small), alt)
    return _by_cue(strips, "strips")


def motion(vocabulary: str) -> HTML:
    """A whole video of each class, looping, by cue group, as `videos`."""
    return _by_cue({action.name: _moving(action.name) for action in VOCABULARIES[vocabulary]}, "motion")


def videos(*names: str) -> HTML:
    """A whole video of each of these classes, looping; all with the same person and place, so that only the motion
    differs."""
    return HTML(f'<div class="gallery motion">{"".join(_captioned(name, _moving(name)) for name in names)}</div>')


def flow_sheet(names: Sequence[str]) -> HTML:
    """For each action a strip of every other frame and below it the flow from each to the next one of the video, with
    the key. The full colour stands for what 1% of the pixels that move exceed, over all actions shown."""
    clips = {name: frames(name, "train", 0, 0)[:10] for name in names}
    flows = {name: flow_clip(clip)[::2] for name, clip in clips.items()}
    sizes = np.concatenate([np.hypot(*np.moveaxis(own.astype(np.float32), -1, 0)).ravel() for own in flows.values()])
    largest, figures = float(np.percentile(sizes[sizes > 0.5], 99)), ""
    for name, clip in clips.items():
        above, below = np.hstack(clip[:10:2]), np.hstack(flow_image(flows[name], largest))
        alt = f"Above, 5 frames of {name} ({ACTIONS[name].description}); below, the flow of each as colours"
        figures += _captioned(name, _image(np.vstack([above, below]), alt))
    y, x = np.mgrid[:120, :120] * 2 / 119 - 1
    disc = flow_image(np.where(np.hypot(x, y)[..., None] <= 1, np.stack([x, y], -1), 0), 1)
    alt = "Key: a disc of colours, red right, yellow-green down, cyan left, violet up, white rest"
    key = "Key: the colour is the direction in which a pixel moves, "
    key += f"full from {largest:.1f} pixels a frame on, white for rest."
    figures += f'<figure class="flow-key">{_image(disc, alt)}<figcaption>{key}</figcaption></figure>'
    return HTML(f'<div class="gallery flow">{figures}</div>')


def flow_image(flows: np.ndarray, largest: float) -> np.ndarray:
    """Flows (..., H, W, 2) as colours, uint8 RGB (..., H, W, 3): the hue is the direction, what rests is white, and the
    colour is full from `largest` pixels a frame on."""
    dx, dy = np.moveaxis(flows.astype(np.float32), -1, 0)
    hue = np.degrees(np.arctan2(dy, dx)) % 360
    saturation = np.minimum(np.hypot(dx, dy) / largest, 1)
    hsv = np.stack([hue, saturation, np.ones_like(hue)], -1).astype(np.float32)
    rgb = cv2.cvtColor(hsv.reshape(-1, hsv.shape[-2], 3), cv2.COLOR_HSV2RGB).reshape(hsv.shape)
    return np.round(255 * rgb).astype(np.uint8)


def looping(rgb: np.ndarray, label: str, fps: int = KNOBS.fps) -> str:
    """A `video` element that holds the frames (T, H, W, 3) itself and plays them again and again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, rgb, fps, crf=32)
        data = base64.b64encode(path.read_bytes()).decode()
    look = f'autoplay loop muted playsinline aria-label="{escape(label)}"'
    return f'<video {look} src="data:video/mp4;base64,{data}"></video>'


def _moving(name: str) -> str:
    return looping(frames(name, "train", 0, 0), f"{name}: {ACTIONS[name].description}")


def _image(rgb: np.ndarray, alt: str) -> str:
    """An `img` element that holds the picture itself."""
    encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 78])
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(encoded[1]).decode()}" alt="{escape(alt)}">'


def _captioned(name: str, picture: str) -> str:
    caption = f"<code>{escape(name)}</code> {escape(ACTIONS[name].description)}"
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _by_cue(pictures: dict[str, str], kind: str) -> HTML:
    """Pictures of actions with name and description below, under the names of their cue groups."""
    parts = []
    for cue in CUES:
        figures = "".join(_captioned(name, picture) for name, picture in pictures.items() if ACTIONS[name].cue == cue)
        parts.append(f'<p class="gallery-cue">{cue}</p><div class="gallery {kind}">{figures}</div>')
    return HTML("".join(parts))
