"""Every number that calibrates Pantomime, and what is drawn by them that must not tell the class: person, place,
camera, light, drift, phase, distractor, noise.

The easiest ones, `KNOBS`, were tuned together so that a narrow network learns the classes from 1,500 videos: a
full-contrast background and a few persons left every network at chance. `at_difficulty` moves those of `HARDEST` away
from there, all together. A dataset records its knobs; change one and it is another dataset.
"""

from dataclasses import dataclass, replace

import numpy as np

Range = tuple[float, float]
DEFAULT_SEED = 7


@dataclass(frozen=True)
class Knobs:
    """Ranges are (low, high) of a uniform draw. Lengths in metres, times in seconds, angles in degrees."""

    # The file. 171 wide (the paper's scaled frame) is odd, and 4:2:0 video has even sizes: hence 172.
    num_frames: int = 64
    fps: int = 16
    width: int = 172
    height: int = 128
    crf: int = 21
    supersampling: int = 2  # drawn this much larger, then averaged down

    # How many persons and places a part of the dataset draws from, at most POOL; with few, a network learns
    # them by heart.
    persons: int = 90_000
    places: int = 90_000

    # Contrast between the person and the background: haze pulls the background to a light tint, clothes are darker.
    haze: Range = (0.55, 0.75)
    shirt_value: Range = (0.20, 0.62)
    trousers_value: Range = (0.12, 0.42)

    # The camera and the place in the picture.
    yaw: Range = (-28.0, 28.0)  # of the person towards the camera: beyond, left and right arms hide each other
    elevation: Range = (-0.02, 0.22)  # radians
    distance: Range = (3.0, 4.6)
    figure_height: float = 0.68  # of the frame, for a person of 1.72 m
    figure_scale: Range = (0.95, 1.06)
    offset_x: float = 0.05  # of the frame width, either way
    offset_y: float = 0.03  # of the frame height, either way
    place_x: float = 0.12  # where the person stands, metres either way
    drift_x: float = 22.0  # supersampled pixels over the video, either way
    drift_y: float = 8.0
    shake_x: Range = (0.0, 5.0)  # amplitude, supersampled pixels
    shake_y: Range = (0.0, 4.0)
    zoom: float = 0.05  # change over the video, either way
    roll: Range = (0.0, 1.6)

    # Light, sensor and distractor.
    gain: Range = (0.85, 1.10)
    tint: Range = (0.96, 1.04)
    noise: Range = (1.5, 4.5)  # standard deviation, grey levels
    blob: float = 0.5  # probability of a moving blob

    # The motion around the action. Sway amplitudes in degrees.
    tempo_jitter: float = 0.06
    sway_arm: float = 3.0
    sway_elbow: float = 4.0
    sway_hip: float = 1.2
    sway_knee: float = 1.5
    sway_trunk: float = 1.5
    sway_turn: float = 4.0
    sway_head: float = 5.0

    # The actions that are postures, in degrees: the nearer to one another, the finer the classes.
    hands_up: Range = (140.0, 170.0)  # abduction of the arms
    t_pose: Range = (82.0, 98.0)  # abduction of the arms
    crouch: Range = (75.0, 100.0)  # bend of the hips, and with them of the knees
    stork: Range = (50.0, 80.0)  # bend of the one hip
    stork_knee: Range = (60.0, 105.0)

    # The actions that move. The jitter of 6% never bridges the two tempo ranges.
    slow_period: Range = (2.0, 2.8)
    fast_period: Range = (0.8, 1.1)
    circle_half_angle: Range = (40.0, 54.0)  # degrees, of the cone that the arms describe
    stroke_period: Range = (1.3, 1.8)
    # Of the period, what the slow half takes. A circle's turning tells its direction at any share; of a stroke only the
    # way and the speed together do, and at 0.5 nothing does.
    circle_share: Range = (0.8, 0.9)
    stroke_share: Range = (0.8, 0.9)
    # An event lasts 7.4 frames and the rest after it at least 15.6 - 7.4 = 8.2: no 8 frames in a row see two events.
    event_frames: float = 7.4
    event_period_frames: Range = (15.6, 17.4)

    difficulty: float = 0.0  # what `at_difficulty` was given


KNOBS = Knobs()

# What difficulty 1 has where it differs; the difficulties between lie on straight lines.
HARDEST: dict[str, Range | float] = {
    # less contrast between the person and the place
    "haze": (0.5, 0.7),
    "shirt_value": (0.204, 0.66),
    "trousers_value": (0.123, 0.46),
    # more views, more that disturbs
    "yaw": (-34.0, 34.0),
    "elevation": (-0.025, 0.26),
    "figure_scale": (0.91, 1.06),
    "offset_x": 0.055,
    "noise": (1.7, 5.2),
    "blob": 0.6,
    # postures nearer to one another
    "hands_up": (103.0, 124.0),
    "t_pose": (80.0, 102.5),
    "crouch": (12.0, 29.0),
    "stork": (5.0, 22.0),
    "stork_knee": (8.0, 36.0),
    # smaller differences within direction and tempo pairs
    "circle_half_angle": (18.0, 48.0),
    "circle_share": (0.56, 0.72),
    "stroke_share": (0.5, 0.7),
    "slow_period": (1.3, 2.0),
    "fast_period": (0.84, 1.15),
}


def at_difficulty(difficulty: float) -> Knobs:
    """All knobs of a difficulty, 0 (`KNOBS`) to 1 (`HARDEST`). Errors: ValueError for another one."""
    if not isinstance(difficulty, int | float) or not 0 <= difficulty <= 1:
        raise ValueError(f"difficulty: {difficulty!r} is not a number from 0 to 1")

    def between(easy: float, hard: float) -> float:
        return round(easy + (hard - easy) * difficulty, 6)  # the digits that a dataset records decide nothing

    moved = {}
    for name, hard in HARDEST.items():
        easy = getattr(KNOBS, name)
        moved[name] = tuple(map(between, easy, hard)) if isinstance(hard, tuple) else between(easy, hard)
    return replace(KNOBS, difficulty=float(difficulty), **moved)


# Nothing below takes a class. Each draw comes from its own generator, keyed by (seed, part, index, stream), so video
# number `index` of a part looks the same whatever is performed in it.
# A part of a dataset has its own persons and places: the pools below are disjoint.
PARTS = {"train": 0, "test": 1, "fold1": 2, "fold2": 3, "fold3": 4, "rest": 5}
STREAMS = ("nuisances", "motion", "sway", "noise")
POOL = 100_000  # seeds reserved for a part, more than it uses
CAMERA_KNOBS = (
    "yaw", "elevation", "distance", "figure_scale", "offset_x", "offset_y", "place_x", "drift_x", "drift_y", "shake_x",
    "shake_y", "zoom", "roll",
)  # fmt: skip


def generator(seed: int, part: str, index: int, stream: str) -> np.random.Generator:
    """The random generator of one aspect of one video."""
    return np.random.default_rng([seed, PARTS[part], index, STREAMS.index(stream)])


def draw_nuisances(seed: int, part: str, index: int, knobs: Knobs = KNOBS) -> dict[str, float | int | bool]:
    """The nuisances of one video as plain values; units as in `Knobs`, blob and drift in supersampled pixels. Errors:
    KeyError for an unknown part, ValueError for a negative number or seed."""
    rng = generator(seed, part, index, "nuisances")

    def knob(name: str) -> float:
        """Drawn evenly from the knob's range, or up to its limit either way."""
        limits = getattr(knobs, name)
        return rng.uniform(*limits) if isinstance(limits, tuple) else rng.uniform(-limits, limits)

    return {
        "person": PARTS[part] * POOL + int(rng.integers(knobs.persons)),
        "place": PARTS[part] * POOL + int(rng.integers(knobs.places)),
        "phase": rng.random(),
        "tempo_jitter": rng.uniform(0, knobs.tempo_jitter),
        "tempo_jitter_rate": rng.uniform(0.15, 0.4),
        "tempo_jitter_phase": rng.random(),
        **{name: knob(name) for name in CAMERA_KNOBS},
        "light_x": rng.uniform(-0.8, 0.8),
        "gain": knob("gain"),
        **{f"tint_{channel}": rng.uniform(*knobs.tint) for channel in "rgb"},
        "noise": knob("noise"),
        "blob": bool(rng.random() < knobs.blob),
        "blob_x": rng.random(),  # of the plate
        "blob_y": rng.random(),
        "blob_speed_x": rng.normal(0, 45),  # per second
        "blob_speed_y": rng.normal(0, 18),
        "blob_width": rng.uniform(6, 20),
        "blob_height": rng.uniform(6, 16),
        "blob_hue": rng.random(),
        "blob_saturation": rng.uniform(0.05, 0.4),
        "blob_value": rng.uniform(0.45, 0.8),
    }
