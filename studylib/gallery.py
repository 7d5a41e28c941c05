"""What Pantomime looks like: frames and motion of its classes as HTML, rendered anew."""

import base64
import tempfile
from html import escape
from pathlib import Path

import cv2
import numpy as np
from IPython.display import HTML

from studylib.datasets.actions import ACTIONS, CUES, VOCABULARIES
from studylib.datasets.knobs import KNOBS
from studylib.datasets.pantomime import frames
from studylib.video import write_video


def contact_sheet(vocabulary: str, num_frames: int = 5, step: int = 4, seed: int = 0) -> HTML:
    """A strip of `num_frames` frames, `step` apart, of one video of each class, by cue group."""
    strips = []
    for number, name in enumerate(_names(vocabulary)):
        # each class its own person and place, as in the dataset
        clip = frames(name, "train", number, seed)[: num_frames * step : step]
        small = [cv2.resize(frame, (129, 96), interpolation=cv2.INTER_AREA) for frame in clip]
        encoded = cv2.imencode(
            ".jpg", cv2.cvtColor(np.hstack(small), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 78]
        )
        alt = f"{num_frames} frames of {name}, {step / KNOBS.fps:.2f} s apart: {ACTIONS[name].description}"
        image = f'<img src="{_data("image/jpeg", encoded[1].tobytes())}" alt="{escape(alt)}">'
        strips.append((name, image))
    return _grid(strips, "strips")


def motion(vocabulary: str, seed: int = 0) -> HTML:
    """One whole video of each class, looping, by cue group; all with the same person and place, so that only the
    motion differs. A click stops one."""
    videos = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for name in _names(vocabulary):
            write_video(path, frames(name, "train", 0, seed), KNOBS.fps, crf=32)
            label = escape(f"{name}: {ACTIONS[name].description}")
            source = _data("video/mp4", path.read_bytes())
            videos.append(
                (name, f'<video autoplay loop muted playsinline aria-label="{label}" src="{source}"></video>')
            )
    return _grid(videos, "motion")


def _names(vocabulary: str) -> list[str]:
    return [action.name for action in VOCABULARIES[vocabulary]]


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _grid(pictures: list[tuple[str, str]], kind: str) -> HTML:
    """Pictures with name and description below, under the names of their cue groups."""
    parts = []
    for cue in CUES:
        own = [(name, picture) for name, picture in pictures if ACTIONS[name].cue == cue]
        figures = "".join(
            f"<figure>{picture}<figcaption><code>{escape(name)}</code> {escape(ACTIONS[name].description)}"
            "</figcaption></figure>"
            for name, picture in own
        )
        parts.append(f'<p class="gallery-cue">{cue}</p><div class="gallery {kind}">{figures}</div>')
    return HTML("".join(parts))
