"""What must not tell the class: person, place, camera, light, drift, phase, distractor, noise.

Nothing here takes a class. Each draw comes from its own generator, keyed by (seed, part, index, stream), so video
number `index` of a part looks the same whatever is performed in it.
"""

import numpy as np

from studylib.datasets.pantomime.actions import SIDES, Angles, Beat
from studylib.datasets.pantomime.knobs import KNOBS, Knobs
from studylib.datasets.pantomime.renderer import Person, Place, draw_person, draw_place

# A part of a dataset has its own persons and places: the pools below are disjoint.
PARTS = {"train": 0, "test": 1, "fold1": 2, "fold2": 3, "fold3": 4, "rest": 5}
STREAMS = ("nuisances", "motion", "sway", "noise")
POOL = 100_000  # seeds reserved for a part, more than it uses (knobs.persons, knobs.places)
PERSON, PLACE = 11, 12
CAMERA_KNOBS = (
    "yaw", "elevation", "distance", "figure_scale", "offset_x", "offset_y", "place_x", "drift_x", "drift_y", "shake_x",
    "shake_y", "zoom", "roll",
)  # fmt: skip


def generator(seed: int, part: str, index: int, stream: str) -> np.random.Generator:
    """The random generator of one aspect of one video."""
    return np.random.default_rng([seed, PARTS[part], index, STREAMS.index(stream)])


def draw_nuisances(seed: int, part: str, index: int, knobs: Knobs = KNOBS) -> dict[str, float | int | bool]:
    """The nuisances of one video as plain values; units as in `Knobs`, blob and drift in supersampled pixels.

    Errors: KeyError for an unknown part, ValueError for a negative number or seed.
    """
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


def person_of(seed: int, person: int, knobs: Knobs = KNOBS) -> Person:
    """The person with this number: body and clothes."""
    return draw_person(np.random.default_rng([seed, PERSON, person]), knobs)


def place_of(seed: int, place: int, knobs: Knobs = KNOBS) -> tuple[Place, np.random.Generator]:
    """The place with this number, and the generator that goes on to draw its details."""
    rng = np.random.default_rng([seed, PLACE, place])
    return draw_place(rng, knobs), rng


def beat(nuisances: dict, knobs: Knobs = KNOBS) -> Beat:
    """When the action happens: its phase at the first frame and its changes of tempo."""
    return Beat(
        seconds=np.arange(knobs.num_frames) / knobs.fps,
        phase=nuisances["phase"],
        jitter=nuisances["tempo_jitter"],
        jitter_rate=nuisances["tempo_jitter_rate"],
        jitter_phase=nuisances["tempo_jitter_phase"],
    )


def draw_sway(rng: np.random.Generator, knobs: Knobs = KNOBS) -> Angles:
    """Slow small movements of every joint (degrees) and of the camera, (T,) each.

    `place_x` is in metres; the camera's `camera_x`, `camera_y` and `camera_roll` have amplitude 1, to be scaled by
    the video's shake and roll; `camera_zoom` is relative.
    """
    seconds = np.arange(knobs.num_frames) / knobs.fps

    def wave(amplitude: float, slowest: float = 0.12, fastest: float = 0.5) -> np.ndarray:
        waves = [np.sin(2 * np.pi * (rng.uniform(slowest, fastest) * seconds + rng.random())) for _ in range(2)]
        return 0.6 * amplitude * (waves[0] + waves[1])

    limbs = {"abduct": knobs.sway_arm, "flex": knobs.sway_arm, "elbow": knobs.sway_elbow}
    limbs |= {"hip": knobs.sway_hip, "knee": knobs.sway_knee}
    sway = {f"{angle}_{s}": wave(amplitude) for s in SIDES for angle, amplitude in limbs.items()}
    sway |= {"lean": wave(knobs.sway_trunk), "side": wave(knobs.sway_trunk)}
    sway |= {"turn": wave(knobs.sway_turn), "nod": wave(knobs.sway_head)}
    sway |= {"place_x": wave(0.015), "camera_zoom": wave(0.008), "camera_roll": wave(1)}
    return sway | {"camera_x": wave(1, 0.2, 0.9), "camera_y": wave(1, 0.2, 0.9)}


def with_sway(angles: Angles, sway: Angles) -> Angles:
    """The angles with sway; knees and elbows do not bend backwards."""
    moved = {name: values + sway.get(name, 0) for name, values in angles.items()}
    for side in SIDES:
        for joint in ("knee", "elbow"):
            moved[f"{joint}_{side}"] = np.maximum(moved[f"{joint}_{side}"], 0)
    return moved
