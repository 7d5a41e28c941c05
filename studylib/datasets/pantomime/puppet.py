"""The person: proportions, clothes, and where the joints are for given angles.

The body's axes: x to the person's left, y up, z forward; metres.
"""

import colorsys
from dataclasses import dataclass

import numpy as np

from studylib.datasets.pantomime.actions import SIDES, Angles
from studylib.datasets.pantomime.knobs import KNOBS, Knobs

Colour = tuple[float, float, float]  # RGB, 0-255

SKINS = ((235, 205, 180), (224, 180, 150), (205, 155, 120), (170, 120, 88), (135, 92, 66), (95, 66, 50))
HAIRS = ((40, 32, 28), (70, 48, 32), (120, 84, 50), (170, 135, 85), (120, 116, 112), (90, 40, 25))
TROUSER_HUES = (0.6, 0.62, 0.08, 0.1, 0.55, 0.0)


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """An RGB colour, 0-255; `colorsys` because it computes the same on every machine."""
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) * 255


@dataclass(frozen=True)
class Person:
    """Proportions relative to the average body, and the colour of each part."""

    torso: float
    shoulders: float
    arms: float
    hips: float
    legs: float
    girth: float
    skin: Colour
    hair: Colour
    shirt: Colour
    sleeves: Colour
    trousers: Colour
    shins: Colour
    shoes: Colour


def draw_person(rng: np.random.Generator, knobs: Knobs = KNOBS) -> Person:
    """Body and clothes; the generator is the person's own, so a seed is a person."""
    uniform = rng.uniform
    skin = np.array(SKINS[int(rng.integers(len(SKINS)))]) * uniform(0.93, 1.05)
    hair = np.array(HAIRS[int(rng.integers(len(HAIRS)))], float)
    shirt = hsv(rng.random(), uniform(0.25, 0.75), uniform(*knobs.shirt_value))
    trouser_hue = TROUSER_HUES[int(rng.integers(len(TROUSER_HUES)))]
    trousers = hsv(trouser_hue, uniform(0.05, 0.45), uniform(*knobs.trousers_value))
    shoes = hsv(rng.random(), uniform(0, 0.3), uniform(0.1, 0.5))
    long_sleeves, long_trousers = rng.random() < 0.55, rng.random() < 0.75
    colours = {"skin": skin, "hair": hair, "shirt": shirt, "sleeves": shirt if long_sleeves else skin}
    colours |= {"trousers": trousers, "shins": trousers if long_trousers else skin, "shoes": shoes}
    return Person(
        torso=uniform(0.93, 1.07),
        shoulders=uniform(0.88, 1.15),
        arms=uniform(0.92, 1.08),
        hips=uniform(0.9, 1.15),
        legs=uniform(0.92, 1.08),
        girth=uniform(0.85, 1.25),
        **{name: tuple(np.minimum(colour, 255).tolist()) for name, colour in colours.items()},
    )


@dataclass(frozen=True)
class BodyPart:
    """The convex hull of balls about some joints; `forward` brings it before parts at the same depth."""

    colour: str
    joints: tuple[str, ...]
    radii: tuple[float, ...]
    forward: float


TRUNK = (
    BodyPart("shirt", ("shoulder_L", "shoulder_R", "waist"), (0.075, 0.075, 0.115), 0),
    BodyPart("shirt", ("waist", "hip_L", "hip_R"), (0.118, 0.085, 0.085), -0.01),
    BodyPart("trousers", ("hip_L", "hip_R", "pelvis"), (0.092, 0.092, 0.09), -0.02),
    BodyPart("skin", ("neck", "head"), (0.05, 0.05), 0),
    BodyPart("hair", ("hair", "head"), (0.105, 0.08), 0),
    BodyPart("skin", ("face", "head"), (0.086, 0.08), 0.03),
)


def limbs(s: str) -> tuple[BodyPart, ...]:
    """Arm and leg of one side, `L` or `R`; radii in metres of a person of average build."""
    return (
        BodyPart("shirt", (f"shoulder_{s}", f"elbow_{s}"), (0.066, 0.048), 0.03),
        BodyPart("sleeves", (f"elbow_{s}", f"wrist_{s}"), (0.046, 0.034), 0.03),
        BodyPart("skin", (f"wrist_{s}", f"hand_{s}"), (0.033, 0.042), 0.03),
        BodyPart("trousers", (f"hip_{s}", f"knee_{s}"), (0.092, 0.064), 0),
        BodyPart("shins", (f"knee_{s}", f"ankle_{s}"), (0.062, 0.042), 0),
        BodyPart("shoes", (f"ankle_{s}", f"toe_{s}"), (0.05, 0.04), 0),
    )


BODY_PARTS = (*TRUNK, *limbs("L"), *limbs("R"))
JOINTS = tuple(dict.fromkeys(joint for part in BODY_PARTS for joint in part.joints))


def rotation(axis: str, degrees: np.ndarray) -> np.ndarray:
    """Rotations about a coordinate axis, (T, 3, 3) for (T,) angles."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    zero, one = np.zeros_like(cos), np.ones_like(cos)
    rows = {
        "x": (one, zero, zero, zero, cos, -sin, zero, sin, cos),
        "y": (cos, zero, sin, zero, one, zero, -sin, zero, cos),
        "z": (cos, -sin, zero, sin, cos, zero, zero, zero, one),
    }[axis]
    return np.stack(rows, -1).reshape(*cos.shape, 3, 3)


def joints(angles: Angles, body: Person) -> dict[str, np.ndarray]:
    """Forward kinematics: each joint's position (T, 3); the lower foot is on the ground, y = 0, plus `rise`."""
    at = {"pelvis": np.zeros((len(angles["lean"]), 3))}
    hips = rotation("y", 0.5 * angles["turn"])
    waist = hips @ rotation("x", 0.5 * angles["lean"]) @ rotation("z", 0.5 * angles["side"])
    chest = hips @ rotation("y", angles["turn"]) @ rotation("x", angles["lean"]) @ rotation("z", angles["side"])
    skull = chest @ rotation("x", angles["nod"])
    at["waist"] = waist @ np.array([0, 0.16 * body.torso, 0])
    at["neck"] = at["waist"] + chest @ np.array([0, 0.36 * body.torso, 0])
    at["head"] = at["neck"] + skull @ np.array([0, 0.15, 0.01])
    at["hair"] = at["head"] + skull @ np.array([0, 0.045, -0.035])
    at["face"] = at["head"] + skull @ np.array([0, -0.02, 0.035])
    for s, sign in zip(SIDES, (1, -1), strict=True):
        at[f"shoulder_{s}"] = at["neck"] + chest @ np.array([sign * 0.165 * body.shoulders, -0.055, 0])
        arm = chest @ rotation("x", -angles[f"flex_{s}"]) @ rotation("z", sign * angles[f"abduct_{s}"])
        arm = arm @ rotation("y", angles[f"twist_{s}"])
        at[f"elbow_{s}"] = at[f"shoulder_{s}"] + arm @ np.array([0, -0.29 * body.arms, 0])
        arm = arm @ rotation("x", -angles[f"elbow_{s}"])
        at[f"wrist_{s}"] = at[f"elbow_{s}"] + arm @ np.array([0, -0.25 * body.arms, 0])
        at[f"hand_{s}"] = at[f"wrist_{s}"] + arm @ np.array([0, -0.08, 0])
        at[f"hip_{s}"] = hips @ np.array([sign * 0.088 * body.hips, -0.02, 0])
        leg = hips @ rotation("x", -angles[f"hip_{s}"]) @ rotation("z", sign * angles[f"hip_out_{s}"])
        at[f"knee_{s}"] = at[f"hip_{s}"] + leg @ np.array([0, -0.43 * body.legs, 0])
        leg = leg @ rotation("x", angles[f"knee_{s}"])
        at[f"ankle_{s}"] = at[f"knee_{s}"] + leg @ np.array([0, -0.42 * body.legs, 0])
        at[f"toe_{s}"] = at[f"ankle_{s}"] + leg @ np.array([0, -0.035, 0.13])
    lift = angles["rise"] - smooth(lowest_point(at))
    return {joint: position + lift[:, None] * np.array([0, 1, 0]) for joint, position in at.items()}


def lowest_point(at: dict[str, np.ndarray]) -> np.ndarray:
    """Height of the lower sole, (T,)."""
    ankle = np.minimum(at["ankle_L"][:, 1], at["ankle_R"][:, 1]) - 0.05
    return np.minimum(ankle, np.minimum(at["toe_L"][:, 1], at["toe_R"][:, 1]) - 0.03)


def smooth(values: np.ndarray) -> np.ndarray:
    """Over 5 frames, so that a change of the standing leg does not jerk the body; (T,)."""
    padded = np.pad(values, 2, "edge")
    return sum(weight * padded[i : i + len(values)] for i, weight in enumerate((1, 2, 3, 2, 1))) / 9
