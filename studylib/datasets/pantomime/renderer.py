"""From joint angles and nuisances to frames: shaded balls and capsules over a moving plate.

The plate is a still picture of the empty place, larger than the frame. Portable by construction: every coordinate is
rounded to a 16th of a pixel before OpenCV sees it, drawing is whole-number arithmetic, and grey levels are rounded,
never truncated, so that the frames of two kinds of processor differ by one grey level at most.
"""

import colorsys
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from studylib.datasets.pantomime.actions import ACTIONS, SIDES, Angles, draw_sway, motion, with_sway
from studylib.datasets.pantomime.knobs import DEFAULT_SEED, KNOBS, Knobs, draw_nuisances, generator

Option = TypeVar("Option")

SKINS = ((235, 205, 180), (224, 180, 150), (205, 155, 120), (170, 120, 88), (135, 92, 66), (95, 66, 50))
HAIRS = ((40, 32, 28), (70, 48, 32), (120, 84, 50), (170, 135, 85), (120, 116, 112), (90, 40, 25))
TROUSER_HUES = (0.6, 0.62, 0.08, 0.1, 0.55, 0.0)
PERSON, PLACE = 11, 12  # streams of random numbers


def pick(rng: np.random.Generator, options: tuple[Option, ...]) -> Option:
    """One of the options, all equally likely; one that is there twice is twice as likely."""
    return options[int(rng.integers(len(options)))]


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """An RGB colour, 0-255; `colorsys` because it computes the same on every machine."""
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) * 255


def draw_person(seed: int, number: int, knobs: Knobs = KNOBS) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The person with this number: proportions relative to the average body, and colours (RGB, 0-255) by body part."""
    rng = np.random.default_rng([seed, PERSON, number])
    uniform = rng.uniform
    skin = np.array(pick(rng, SKINS)) * uniform(0.93, 1.05)
    hair = np.array(pick(rng, HAIRS), float)
    shirt = hsv(rng.random(), uniform(0.25, 0.75), uniform(*knobs.shirt_value))
    trousers = hsv(pick(rng, TROUSER_HUES), uniform(0.05, 0.45), uniform(*knobs.trousers_value))
    shoes = hsv(rng.random(), uniform(0, 0.3), uniform(0.1, 0.5))
    long_sleeves, long_trousers = rng.random() < 0.55, rng.random() < 0.75
    colours = {"skin": skin, "hair": hair, "shirt": shirt, "sleeves": shirt if long_sleeves else skin}
    colours |= {"trousers": trousers, "shins": trousers if long_trousers else skin, "shoes": shoes}
    body = {"torso": uniform(0.93, 1.07), "shoulders": uniform(0.88, 1.15), "arms": uniform(0.92, 1.08)}
    body |= {"hips": uniform(0.9, 1.15), "legs": uniform(0.92, 1.08), "girth": uniform(0.85, 1.25)}
    return body, {name: np.minimum(colour, 255) for name, colour in colours.items()}


class BodyPart(NamedTuple):
    """The convex hull of balls about some joints; `forward` brings it before parts at the same depth."""

    colour: str
    joints: tuple[str, ...]
    radii: tuple[float, ...]
    forward: float


BODY_PARTS = (
    # radii in metres of a person of average build
    BodyPart("shirt", ("shoulder_L", "shoulder_R", "waist"), (0.075, 0.075, 0.115), 0),
    BodyPart("shirt", ("waist", "hip_L", "hip_R"), (0.118, 0.085, 0.085), -0.01),
    BodyPart("trousers", ("hip_L", "hip_R", "pelvis"), (0.092, 0.092, 0.09), -0.02),
    BodyPart("skin", ("neck", "head"), (0.05, 0.05), 0),
    BodyPart("hair", ("hair", "head"), (0.105, 0.08), 0),
    BodyPart("skin", ("face", "head"), (0.086, 0.08), 0.03),
    *(
        part
        for s in SIDES
        for part in (
            BodyPart("shirt", (f"shoulder_{s}", f"elbow_{s}"), (0.066, 0.048), 0.03),
            BodyPart("sleeves", (f"elbow_{s}", f"wrist_{s}"), (0.046, 0.034), 0.03),
            BodyPart("skin", (f"wrist_{s}", f"hand_{s}"), (0.033, 0.042), 0.03),
            BodyPart("trousers", (f"hip_{s}", f"knee_{s}"), (0.092, 0.064), 0),
            BodyPart("shins", (f"knee_{s}", f"ankle_{s}"), (0.062, 0.042), 0),
            BodyPart("shoes", (f"ankle_{s}", f"toe_{s}"), (0.05, 0.04), 0),
        )
    ),
)
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


def joints(angles: Angles, body: dict[str, float]) -> dict[str, np.ndarray]:
    """Forward kinematics: each joint's position (T, 3) in metres, x to the person's left, y up, z forward; the lower
    foot is on the ground, y = 0, plus `rise`."""
    at = {"pelvis": np.zeros((len(angles["lean"]), 3))}
    hips = rotation("y", 0.5 * angles["turn"])
    waist = hips @ rotation("x", 0.5 * angles["lean"]) @ rotation("z", 0.5 * angles["side"])
    chest = hips @ rotation("y", angles["turn"]) @ rotation("x", angles["lean"]) @ rotation("z", angles["side"])
    skull = chest @ rotation("x", angles["nod"])
    at["waist"] = waist @ np.array([0, 0.16 * body["torso"], 0])
    at["neck"] = at["waist"] + chest @ np.array([0, 0.36 * body["torso"], 0])
    at["head"] = at["neck"] + skull @ np.array([0, 0.15, 0.01])
    at["hair"] = at["head"] + skull @ np.array([0, 0.045, -0.035])
    at["face"] = at["head"] + skull @ np.array([0, -0.02, 0.035])
    for s, sign in zip(SIDES, (1, -1), strict=True):
        at[f"shoulder_{s}"] = at["neck"] + chest @ np.array([sign * 0.165 * body["shoulders"], -0.055, 0])
        arm = chest @ rotation("x", -angles[f"flex_{s}"]) @ rotation("z", sign * angles[f"abduct_{s}"])
        arm = arm @ rotation("y", angles[f"twist_{s}"])
        at[f"elbow_{s}"] = at[f"shoulder_{s}"] + arm @ np.array([0, -0.29 * body["arms"], 0])
        arm = arm @ rotation("x", -angles[f"elbow_{s}"])
        at[f"wrist_{s}"] = at[f"elbow_{s}"] + arm @ np.array([0, -0.25 * body["arms"], 0])
        at[f"hand_{s}"] = at[f"wrist_{s}"] + arm @ np.array([0, -0.08, 0])
        at[f"hip_{s}"] = hips @ np.array([sign * 0.088 * body["hips"], -0.02, 0])
        leg = hips @ rotation("x", -angles[f"hip_{s}"]) @ rotation("z", sign * angles[f"hip_out_{s}"])
        at[f"knee_{s}"] = at[f"hip_{s}"] + leg @ np.array([0, -0.43 * body["legs"], 0])
        leg = leg @ rotation("x", angles[f"knee_{s}"])
        at[f"ankle_{s}"] = at[f"knee_{s}"] + leg @ np.array([0, -0.42 * body["legs"], 0])
        at[f"toe_{s}"] = at[f"ankle_{s}"] + leg @ np.array([0, -0.035, 0.13])
    ankle = np.minimum(at["ankle_L"][:, 1], at["ankle_R"][:, 1]) - 0.05
    sole = np.minimum(ankle, np.minimum(at["toe_L"][:, 1], at["toe_R"][:, 1]) - 0.03)  # the lower one's height, (T,)
    # Smooth over 5 frames, so that a change of the standing leg does not jerk the body.
    padded = np.pad(sole, 2, "edge")
    smooth = sum(weight * padded[i : i + len(sole)] for i, weight in enumerate((1, 2, 3, 2, 1))) / 9
    lift = angles["rise"] - smooth
    return {joint: position + lift[:, None] * np.array([0, 1, 0]) for joint, position in at.items()}


OUTDOOR_FLOORS = ("grass", "asphalt", "asphalt")
INDOOR_FLOORS = ("wood", "tile", "plaster", "asphalt")
WALLS = ("plaster", "plaster", "brick", "stripes", "wood", "tile")
TEXTURE_SIZE = 256
MARGIN = (120, 90)  # of the plate beyond the frame (width, height), supersampled pixels: room for camera drift
SUBPIXEL_BITS = 4
CIRCLE = np.stack([np.cos(np.arange(14) * 2 * np.pi / 14), np.sin(np.arange(14) * 2 * np.pi / 14)], -1)
# Shading from the rim to the highlight: size of the layer, brightness, shift towards the light (in radii).
LAYERS = ((1.0, 0.58, 0.0), (0.84, 0.8, 0.12), (0.58, 1.0, 0.28), (0.28, 1.12, 0.42))
SHADOW = 115  # how much darker, of 255
NOISE_BANK = 32  # pixels the noise picture is larger than the frame: each frame shows another part of it


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in front of the person; image axes x right, y down, in pixels of the plate."""

    focal: float
    eye: np.ndarray  # (3,)
    axes: np.ndarray  # (3, 3) rows: right, down, forward
    width: int
    height: int

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image coordinates (..., 2) and depths (...) of points (..., 3)."""
        seen = (points - self.eye) @ self.axes.T
        depth = seen[..., 2]
        return seen[..., :2] * (self.focal / depth)[..., None] + np.array([self.width, self.height]) / 2, depth


def make_camera(nuisances: dict, knobs: Knobs = KNOBS) -> Camera:
    """Focal length from the distance, so that the figure's height in the frame does not depend on it."""
    distance, elevation = nuisances["distance"], nuisances["elevation"]
    ss = knobs.supersampling
    focal = knobs.figure_height * nuisances["figure_scale"] * knobs.height * ss * distance / 1.72
    sin, cos = np.sin(elevation), np.cos(elevation)
    return Camera(
        focal=focal,
        eye=np.array([0, 0.98 + distance * sin, distance * cos]),
        axes=np.array([[1.0, 0, 0], [0, -cos, sin], [0, -sin, -cos]]),
        width=knobs.width * ss + MARGIN[0],
        height=knobs.height * ss + MARGIN[1],
    )


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Rounded to grey levels; the first rounding settles values that lie on a half but for the last bits."""
    return np.clip(np.rint(np.round(image, 3)), 0, 255).astype(np.uint8)


def noise(rng: np.random.Generator, height: int, width: int, *octaves: tuple[int, float]) -> np.ndarray:
    """Smooth noise in about 0-1, (height, width); an octave is (cells across, weight)."""
    total = np.zeros((height, width), np.float32)
    for cells, weight in octaves:
        grid = rng.random((max(2, cells * height // width), cells), np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total / sum(weight for _, weight in octaves)


def texture(rng: np.random.Generator, kind: str) -> np.ndarray:
    """A tile of wall or floor, (TEXTURE_SIZE, TEXTURE_SIZE, 3) uint8."""
    n, uniform = TEXTURE_SIZE, rng.uniform
    y, x = np.mgrid[0:n, 0:n]
    if kind == "plaster":
        base = hsv(pick(rng, (0.08, 0.1, 0.13, 0.55, 0.6, 0.35)), uniform(0.03, 0.25), uniform(0.55, 0.92))
        shade = 1 + (noise(rng, n, n, (5, 0.5), (20, 0.3), (90, 0.3)) - 0.5) * uniform(0.15, 0.4)
    elif kind == "brick":
        clay, pitch = hsv(uniform(0, 0.06), uniform(0.3, 0.55), uniform(0.35, 0.65)), int(uniform(18, 30))
        course = pitch // 2
        row, shifted = y // course, x + (y // course % 2) * pitch / 2
        across, down = shifted % pitch, y % course
        joint = np.minimum(np.minimum(across, pitch - across) / 2, np.minimum(down, course - down))
        solid = np.clip(joint, 0, 1)[..., None]  # 0 in the mortar
        brick = rng.random((n // course + 2, n // pitch + 3))[row, (shifted // pitch).astype(int)][..., None]
        base = clay * (0.75 + 0.5 * brick) * solid + np.array([153, 144, 135]) * (1 - solid)
        shade = 0.8 + 0.4 * noise(rng, n, n, (30, 0.5), (100, 0.5))
    elif kind == "wood":
        base, pitch = hsv(uniform(0.05, 0.1), uniform(0.3, 0.6), uniform(0.35, 0.7)), int(uniform(16, 34))
        plank = rng.random(n // pitch + 2)[x // pitch]
        grain = cv2.blur(noise(rng, n, n, (60, 0.6), (110, 0.4)), (1, 31))
        shade = (0.45 + 0.35 * plank + 0.5 * grain) * (0.55 + 0.45 * np.minimum(x % pitch, 2) / 2)
    elif kind == "tile":
        base = hsv(pick(rng, (0.08, 0.1, 0.55, 0.6, 0.0)), uniform(0.02, 0.16), uniform(0.45, 0.85))
        pitch = int(uniform(20, 40))
        shade = 1 - 0.6 * uniform(0, 0.4) * ((x // pitch + y // pitch) % 2)
        shade = (
            shade * np.where(np.minimum(x % pitch, y % pitch) < 1.5, 0.75, 1) * (0.85 + 0.3 * noise(rng, n, n, (40, 1)))
        )
    elif kind == "grass":
        base = hsv(uniform(0.18, 0.33), uniform(0.3, 0.6), uniform(0.3, 0.55))
        shade = 0.5 + noise(rng, n, n, (6, 0.4), (40, 0.4), (120, 0.6))
    elif kind == "stripes":
        base, pitch = hsv(rng.random(), uniform(0.05, 0.3), uniform(0.5, 0.9)), uniform(14, 40)
        shade = np.where(x % pitch < pitch / 2, 0.78, 1) * (0.9 + 0.2 * noise(rng, n, n, (20, 1)))
    else:  # asphalt
        base = hsv(0.1, uniform(0, 0.12), uniform(0.3, 0.6))
        shade = 0.6 + 0.8 * noise(rng, n, n, (5, 0.3), (60, 0.3), (128, 0.6))
    return to_uint8(base * shade[..., None])


def paint_sky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Clouds, bushes and houses down to the horizon, (height, width, 3) uint8."""
    uniform, fall = rng.uniform, np.linspace(0, 1, height)[:, None, None]
    zenith, horizon = hsv(uniform(0.54, 0.6), uniform(0.15, 0.5), uniform(0.6, 0.95)), uniform(0.8, 1)
    sky = zenith * (1 - fall) + np.array([225, 222, 215]) * horizon * fall
    wall = to_uint8(sky + (noise(rng, height, width, (4, 0.5), (9, 0.5))[..., None] - 0.5) * 60)
    for _ in range(int(rng.integers(3, 9))):
        x, bush = int(uniform(0, width)), rng.random() < 0.7
        green = hsv(uniform(0.18, 0.36), uniform(0.2, 0.5), uniform(0.2, 0.5))
        colour = green if bush else hsv(uniform(0.02, 0.12), uniform(0.05, 0.4), uniform(0.35, 0.75))
        if rng.random() < 0.6:
            for _ in range(8):
                centre = (x + int(uniform(-26, 26)), height - int(uniform(0, 60)))
                leaf, size = to_uint8(colour * uniform(0.8, 1.15)).tolist(), (int(uniform(10, 26)), int(uniform(8, 24)))
                cv2.ellipse(wall, centre, size, 0, 0, 360, leaf, -1, cv2.LINE_AA)
        else:
            box = (x, height - int(uniform(40, 150))), (x + int(uniform(30, 110)), height)
            cv2.rectangle(wall, *box, to_uint8(colour).tolist(), -1)
    return wall


def paint_wall(rng: np.random.Generator, kind: str, height: int, width: int) -> np.ndarray:
    """A textured wall with windows, furniture and doors, (height, width, 3) uint8."""
    uniform, scale = rng.uniform, 1 / rng.uniform(1, 1.8)
    place = np.float32([[scale, 0, uniform(0, 200)], [0, scale, uniform(0, 200)]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    wall = cv2.warpAffine(texture(rng, kind), place, (width, height), flags=flags, borderMode=cv2.BORDER_WRAP)
    for _ in range(int(rng.integers(1, 6))):
        x, w, piece = int(uniform(0, width)), int(uniform(25, 110)), pick(rng, ("window", "furniture", "door"))
        hue = pick(rng, (0.02, 0.07, 0.1, 0.13, 0.35, 0.55, 0.6, 0.95))
        colour = hsv(hue, uniform(0.05, 0.4), uniform(0.25, 0.85))
        fill, frame, bar, front, leaf = (to_uint8(colour * k).tolist() for k in (1, 0.5, 0.6, 0.8, 0.7))
        if piece == "window":
            y, h = int(uniform(0, height * 0.5)), int(uniform(20, 70))
            cv2.rectangle(wall, (x - 3, y - 3), (x + w + 3, y + h + 3), frame, -1)
            cv2.rectangle(wall, (x, y), (x + w, y + h), fill, -1)
            cv2.line(wall, (x + w // 2, y), (x + w // 2, y + h), bar, 2)
        elif piece == "furniture":
            cv2.rectangle(wall, (x, int(height * uniform(0.45, 0.8))), (x + w, height), front, -1)
        else:
            cv2.rectangle(wall, (x, int(height * uniform(0.05, 0.3))), (x + w // 2, height), leaf, -1)
    if rng.random() < 0.6:  # skirting board
        wall[max(0, height - 6) :] = to_uint8(hsv(0.1, uniform(0, 0.2), uniform(0.3, 0.9)))
    return wall


def paint_plate(seed: int, number: int, camera: Camera, light: np.ndarray, knobs: Knobs) -> np.ndarray:
    """The empty place of this number in `light` (3,): (camera.height, camera.width, 3) uint8."""
    rng, width, height = np.random.default_rng([seed, PLACE, number]), camera.width, camera.height
    uniform, outdoors = rng.uniform, rng.random() < 0.4
    floor = pick(rng, OUTDOOR_FLOORS if outdoors else INDOOR_FLOORS)
    wall, haze = None if outdoors else pick(rng, WALLS), uniform(*knobs.haze)
    intrinsic = np.array([[camera.focal, 0, width / 2], [0, camera.focal, height / 2], [0, 0, 1]])
    texels = uniform(70, 110)  # per metre
    ground = np.stack([camera.axes[:, 0] / texels, camera.axes[:, 2] / texels, -camera.axes @ camera.eye], 1)
    image = cv2.warpPerspective(
        texture(rng, floor),
        np.linalg.inv(intrinsic @ ground),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    away = uniform(6, 12) if outdoors else uniform(1.2, 3.2)
    foot, _ = camera.project(np.array([0, 0, -away]))  # where the floor ends
    edge = int(np.clip(np.rint(np.round(foot[1], 6)), 10, height - 10))
    image[:edge] = paint_sky(rng, edge, width) if outdoors else paint_wall(rng, wall, edge, width)
    image = cv2.GaussianBlur(image, (0, 0), uniform(0.6, 1.8)).astype(np.float32)
    shade_x, shade_y = np.linspace(-1, 1, width)[None, :, None], np.linspace(-1, 1, height)[:, None, None]
    image = image * (1 + uniform(-0.2, 0.2) * shade_x + uniform(-0.2, 0.1) * shade_y)
    tint = hsv(pick(rng, (0.08, 0.12, 0.3, 0.55, 0.6)), uniform(0, 0.12), uniform(0.8, 0.93))
    return to_uint8((image * (1 - haze) + tint * haze) * light)


def subpixel(points: np.ndarray) -> np.ndarray:
    """Fixed-point coordinates, int32; the first rounding settles points half-way but for the last bits."""
    return np.floor(np.round(points, 6) * (1 << SUBPIXEL_BITS) + 0.5).astype(np.int32)


def camera_motion(nuisances: dict, sway: Angles, camera: Camera, knobs: Knobs) -> tuple[np.ndarray, np.ndarray]:
    """Affine map from the plate to the supersampled frame, for each frame: matrix (T, 2, 2), shift (T, 2)."""
    along = np.linspace(-0.5, 0.5, knobs.num_frames)
    zoom = 1 + nuisances["zoom"] * along + sway["camera_zoom"]
    roll = np.radians(nuisances["roll"] * sway["camera_roll"])
    cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
    matrix = np.stack([cos, -sin, sin, cos], -1).reshape(-1, 2, 2)
    frame = np.array([knobs.width, knobs.height]) * knobs.supersampling
    x = nuisances["drift_x"] * along + nuisances["shake_x"] * sway["camera_x"] + nuisances["offset_x"] * frame[0]
    y = nuisances["drift_y"] * along + nuisances["shake_y"] * sway["camera_y"] + nuisances["offset_y"] * frame[1]
    centre = np.array([camera.width, camera.height]) / 2
    return matrix, np.stack([x, y], -1) + frame / 2 - matrix @ centre


def stand(angles: Angles, body: dict[str, float], nuisances: dict, sway: Angles) -> np.ndarray:
    """The joints where the person stands, turned by the yaw: (T, len(JOINTS), 3), metres."""
    at = joints(angles, body)
    points = np.stack([at[name] for name in JOINTS], 1) @ rotation("y", np.array(nuisances["yaw"])).T
    points[..., 0] += nuisances["place_x"] + sway["place_x"][:, None]
    return points


def to_frame(points: np.ndarray, matrix: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Plate coordinates (T, N, 2) to supersampled frame coordinates (T, N, 2)."""
    return points @ matrix.transpose(0, 2, 1) + shift[:, None]


def shade_ground(image: np.ndarray, feet: np.ndarray) -> None:
    """Darken the ground under the person, in place; feet: (N, 2) ground points under the body."""
    height, width = image.shape[:2]
    left, right = (int(x) for x in np.rint(np.round([feet[:, 0].min() - 22, feet[:, 0].max() + 22], 6)))
    level = int(np.rint(np.round(feet[:, 1].mean(), 6)))
    x0, x1, y0, y1 = max(0, left - 8), min(width, right + 8), max(0, level - 24), min(height, level + 24)
    if x1 <= x0 + 4 or y1 <= y0 + 4:
        return  # out of the frame
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    centre, axes = ((left + right) // 2 - x0, level - y0), ((right - left) // 2, 11)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, SHADOW, -1, cv2.LINE_AA)
    dim = cv2.cvtColor(255 - cv2.blur(mask, (13, 9)), cv2.COLOR_GRAY2RGB)
    image[y0:y1, x0:x1] = cv2.multiply(image[y0:y1, x0:x1], dim, scale=1 / 255)


def frames(action: str, part: str, number: int, seed: int = DEFAULT_SEED, knobs: Knobs = KNOBS) -> np.ndarray:
    """The frames of video `number` of `part` before encoding, (num_frames, height, width, 3) uint8 RGB: with the same
    person, place, camera and noise under every action. Errors: ValueError for an unknown action, a negative number or
    seed; KeyError for an unknown part."""
    if action not in ACTIONS:
        raise ValueError(f"unknown action {action!r}; there are: {', '.join(ACTIONS)}")
    nuisances = draw_nuisances(seed, part, number, knobs)
    sway = draw_sway(generator(seed, part, number, "sway"), knobs)
    angles = with_sway(motion(action, generator(seed, part, number, "motion"), nuisances, knobs), sway)
    light = nuisances["gain"] * np.array([nuisances[f"tint_{channel}"] for channel in "rgb"])
    camera = make_camera(nuisances, knobs)
    plate = paint_plate(seed, nuisances["place"], camera, light, knobs)
    person, clothes = draw_person(seed, nuisances["person"], knobs)
    noise_rng = generator(seed, part, number, "noise")
    matrix, shift = camera_motion(nuisances, sway, camera, knobs)
    body = stand(angles, person, nuisances, sway)
    on_plate, depth = camera.project(body)
    zoom = np.sqrt((matrix[:, 0] ** 2).sum(-1))
    lit_side = np.array([nuisances["light_x"], -np.sqrt(1 - nuisances["light_x"] ** 2)])
    in_frame = to_frame(on_plate, matrix, shift)
    scale = camera.focal * zoom[:, None] / depth  # (T, joints) pixels per metre
    # of each body part: the outlines of its shading layers (T, layers, points, 2), their colours, its depth (T,)
    outlines, colours, depths = [], [], []
    for limb in BODY_PARTS:
        at = [JOINTS.index(name) for name in limb.joints]
        radii = (np.array(limb.radii) * person["girth"] * scale[:, at])[..., None]  # (T, joints, 1)
        layers = []
        for size, _, towards_light in LAYERS:
            centres = in_frame[:, at] + lit_side * radii * towards_light
            layers.append(centres[:, :, None] + CIRCLE * (radii * size)[:, :, None])  # (T, joints, 14, 2)
        outlines.append(subpixel(np.stack(layers, 1).reshape(len(in_frame), len(LAYERS), -1, 2)))
        shades = [np.minimum(clothes[limb.colour] * shade, 255) * light for _, shade, _ in LAYERS]
        colours.append([to_uint8(colour).tolist() for colour in shades])
        depths.append(depth[:, at].mean(1) - limb.forward)
    far_to_near = np.argsort(-np.round(np.stack(depths, 1), 6), axis=1, kind="stable")  # (T, parts)

    under_body = body[:, [JOINTS.index(name) for name in ("toe_L", "toe_R", "ankle_L", "ankle_R", "pelvis")]]
    feet = to_frame(camera.project(under_body * [1, 0, 1])[0], matrix, shift)
    plate_size = np.array([camera.width, camera.height])
    start = np.array([nuisances["blob_x"] * camera.width, 20 + nuisances["blob_y"] * (camera.height - 80)])
    speed = np.array([nuisances["blob_speed_x"], nuisances["blob_speed_y"]])
    # It leaves on one side and comes back on the other.
    blob_path = (start + speed * np.arange(knobs.num_frames)[:, None] / knobs.fps) % plate_size
    blobs = subpixel(to_frame(blob_path[:, None], matrix, shift)[:, 0])
    blob_axes = subpixel(np.array([nuisances["blob_width"], nuisances["blob_height"]]))
    blob_hsv = (nuisances[f"blob_{name}"] for name in ("hue", "saturation", "value"))
    blob_colour = to_uint8(hsv(*blob_hsv) * light).tolist()

    warps = np.round(np.concatenate([matrix, shift[..., None]], -1), 6)
    bank = noise_rng.normal(0, 1, (knobs.height + NOISE_BANK, knobs.width + NOISE_BANK))
    bank = np.repeat(np.rint(bank * nuisances["noise"]).astype(np.int16)[..., None], 3, -1)
    corners = noise_rng.integers(0, NOISE_BANK, (knobs.num_frames, 2))

    size = (knobs.width * knobs.supersampling, knobs.height * knobs.supersampling)
    frames = np.empty((knobs.num_frames, knobs.height, knobs.width, 3), np.uint8)
    for i in range(knobs.num_frames):
        image = cv2.warpAffine(plate, warps[i], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        if nuisances["blob"]:
            cv2.ellipse(image, blobs[i], blob_axes, 0, 0, 360, blob_colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        shade_ground(image, feet[i])
        for limb in far_to_near[i]:
            for outline, colour in zip(outlines[limb][i], colours[limb], strict=True):
                cv2.fillConvexPoly(image, cv2.convexHull(outline), colour, cv2.LINE_AA, SUBPIXEL_BITS)
        small = cv2.resize(image, (knobs.width, knobs.height), interpolation=cv2.INTER_AREA)
        y, x = corners[i]
        cv2.add(small, bank[y : y + knobs.height, x : x + knobs.width], dst=frames[i], dtype=cv2.CV_8U)
    return frames
