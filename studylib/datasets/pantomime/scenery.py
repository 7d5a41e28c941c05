"""The place: camera, textures, and the plate, a still picture of the empty place larger than the frame.

Portable by construction: whole-number and fixed-point drawing, and rounding (never truncating) to grey levels, so
that the last bit of a sine cannot move a pixel by more than one level.
"""

from dataclasses import asdict, dataclass
from typing import TypeVar

import cv2
import numpy as np

from studylib.datasets.pantomime.knobs import KNOBS, Knobs
from studylib.datasets.pantomime.puppet import hsv

Option = TypeVar("Option")

OUTDOOR_FLOORS = ("grass", "asphalt", "asphalt")
INDOOR_FLOORS = ("wood", "tile", "plaster", "asphalt")
WALLS = ("plaster", "plaster", "brick", "stripes", "wood", "tile")
TEXTURE_SIZE = 256
MARGIN = (120, 90)  # of the plate beyond the frame (width, height), supersampled pixels: room for camera drift


@dataclass(frozen=True)
class Place:
    """What kind of place it is; details are drawn while it is painted."""

    outdoors: bool
    floor: str
    wall: str  # "sky" outdoors
    haze: float

    def facts(self) -> dict[str, str | float | bool]:
        """The place as columns of the index."""
        return {f"place_{name}": value for name, value in asdict(self).items()}


def pick(rng: np.random.Generator, options: tuple[Option, ...]) -> Option:
    """One of the options, all equally likely; one that is there twice is twice as likely."""
    return options[int(rng.integers(len(options)))]


def draw_place(rng: np.random.Generator, knobs: Knobs = KNOBS) -> Place:
    """The kind of place; the generator then goes on to draw its details."""
    outdoors = bool(rng.random() < 0.4)
    floor = pick(rng, OUTDOOR_FLOORS if outdoors else INDOOR_FLOORS)
    return Place(outdoors, floor, "sky" if outdoors else pick(rng, WALLS), rng.uniform(*knobs.haze))


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


def paint_plate(rng: np.random.Generator, place: Place, camera: Camera, light: np.ndarray) -> np.ndarray:
    """The empty place as the camera sees it, in `light` (3,), (camera.height, camera.width, 3) uint8."""
    uniform, width, height = rng.uniform, camera.width, camera.height
    intrinsic = np.array([[camera.focal, 0, width / 2], [0, camera.focal, height / 2], [0, 0, 1]])
    texels = uniform(70, 110)  # per metre
    ground = np.stack([camera.axes[:, 0] / texels, camera.axes[:, 2] / texels, -camera.axes @ camera.eye], 1)
    image = cv2.warpPerspective(
        texture(rng, place.floor),
        np.linalg.inv(intrinsic @ ground),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_WRAP,
    )
    away = uniform(6, 12) if place.outdoors else uniform(1.2, 3.2)
    foot, _ = camera.project(np.array([0, 0, -away]))  # where the floor ends
    edge = int(np.clip(np.rint(np.round(foot[1], 6)), 10, height - 10))
    paint = paint_sky(rng, edge, width) if place.outdoors else paint_wall(rng, place.wall, edge, width)
    image[:edge] = paint
    image = cv2.GaussianBlur(image, (0, 0), uniform(0.6, 1.8)).astype(np.float32)
    shade_x, shade_y = np.linspace(-1, 1, width)[None, :, None], np.linspace(-1, 1, height)[:, None, None]
    image = image * (1 + uniform(-0.2, 0.2) * shade_x + uniform(-0.2, 0.1) * shade_y)
    tint = hsv(pick(rng, (0.08, 0.12, 0.3, 0.55, 0.6)), uniform(0, 0.12), uniform(0.8, 0.93))
    return to_uint8((image * (1 - place.haze) + tint * place.haze) * light)
