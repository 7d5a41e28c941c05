"""From joint angles and nuisances to frames: shaded balls and capsules over a moving plate.

Every coordinate is rounded to a 16th of a pixel before OpenCV sees it, and drawn with whole-number arithmetic, so
the frames of two kinds of processor differ by one grey level at most.
"""

import cv2
import numpy as np

from studylib.datasets.pantomime.actions import Angles
from studylib.datasets.pantomime.knobs import KNOBS, Knobs
from studylib.datasets.pantomime.puppet import BODY_PARTS, JOINTS, Person, hsv, joints, rotation
from studylib.datasets.pantomime.scenery import Camera, to_uint8

SUBPIXEL_BITS = 4
CIRCLE = np.stack([np.cos(np.arange(14) * 2 * np.pi / 14), np.sin(np.arange(14) * 2 * np.pi / 14)], -1)
# Shading from the rim to the highlight: size of the layer, brightness, shift towards the light (in radii).
LAYERS = ((1.0, 0.58, 0.0), (0.84, 0.8, 0.12), (0.58, 1.0, 0.28), (0.28, 1.12, 0.42))
SHADOW = 115  # how much darker, of 255
NOISE_BANK = 32  # pixels the noise picture is larger than the frame: each frame shows another part of it


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


def stand(angles: Angles, person: Person, nuisances: dict, sway: Angles) -> np.ndarray:
    """The joints where the person stands, turned by the yaw: (T, len(JOINTS), 3), metres."""
    at = joints(angles, person)
    points = np.stack([at[name] for name in JOINTS], 1) @ rotation("y", np.array(nuisances["yaw"])).T
    points[..., 0] += nuisances["place_x"] + sway["place_x"][:, None]
    return points


def to_frame(points: np.ndarray, matrix: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Plate coordinates (T, N, 2) to supersampled frame coordinates (T, N, 2)."""
    return points @ matrix.transpose(0, 2, 1) + shift[:, None]


def silhouettes(points: np.ndarray, radii_scale: np.ndarray, light: np.ndarray, person: Person) -> list[np.ndarray]:
    """For each body part the outline points of its shading layers, fixed-point: [(T, layers, points, 2)].

    points: (T, J, 2) in the frame; radii_scale: (T, J) pixels per metre; light: (2,) direction in the image.
    """
    outlines = []
    for part in BODY_PARTS:
        at = [JOINTS.index(name) for name in part.joints]
        radii = (np.array(part.radii) * person.girth * radii_scale[:, at])[..., None]  # (T, joints, 1)
        layers = []
        for size, _, towards_light in LAYERS:
            centres = points[:, at] + light * radii * towards_light
            layers.append(centres[:, :, None] + CIRCLE * (radii * size)[:, :, None])  # (T, joints, 14, 2)
        outlines.append(subpixel(np.stack(layers, 1).reshape(len(points), len(LAYERS), -1, 2)))
    return outlines


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


def render(
    angles: Angles,
    person: Person,
    plate: np.ndarray,
    camera: Camera,
    light: np.ndarray,
    nuisances: dict,
    sway: Angles,
    noise_rng: np.random.Generator,
    knobs: Knobs = KNOBS,
) -> np.ndarray:
    """The frames (num_frames, height, width, 3) uint8, RGB.

    angles: with sway, degrees (T,); plate: the empty place, already in `light` (3,), the gain of each channel.
    """
    size = (knobs.width * knobs.supersampling, knobs.height * knobs.supersampling)
    matrix, shift = camera_motion(nuisances, sway, camera, knobs)
    body = stand(angles, person, nuisances, sway)
    on_plate, depth = camera.project(body)
    zoom = np.sqrt((matrix[:, 0] ** 2).sum(-1))
    from_left = nuisances["light_x"]
    lit_side = np.array([from_left, -np.sqrt(1 - from_left**2)])
    in_frame = to_frame(on_plate, matrix, shift)
    outlines = silhouettes(in_frame, camera.focal * zoom[:, None] / depth, lit_side, person)
    colours = [
        [
            to_uint8(np.minimum(np.array(getattr(person, part.colour)) * shade, 255) * light).tolist()
            for _, shade, _ in LAYERS
        ]
        for part in BODY_PARTS
    ]
    part_depth = [depth[:, [JOINTS.index(name) for name in part.joints]].mean(1) - part.forward for part in BODY_PARTS]
    far_to_near = np.argsort(-np.round(np.stack(part_depth, 1), 6), axis=1, kind="stable")  # (T, parts)

    under_body = body[:, [JOINTS.index(name) for name in ("toe_L", "toe_R", "ankle_L", "ankle_R", "pelvis")]]
    feet = to_frame(camera.project(under_body * [1, 0, 1])[0], matrix, shift)
    blobs = subpixel(to_frame(blob_path(nuisances, camera, knobs)[:, None], matrix, shift)[:, 0])
    blob_axes = subpixel(np.array([nuisances["blob_width"], nuisances["blob_height"]]))
    blob_hsv = (nuisances[f"blob_{name}"] for name in ("hue", "saturation", "value"))
    blob_colour = to_uint8(hsv(*blob_hsv) * light).tolist()

    warps = np.round(np.concatenate([matrix, shift[..., None]], -1), 6)
    bank = noise_rng.normal(0, 1, (knobs.height + NOISE_BANK, knobs.width + NOISE_BANK))
    bank = np.repeat(np.rint(bank * nuisances["noise"]).astype(np.int16)[..., None], 3, -1)
    corners = noise_rng.integers(0, NOISE_BANK, (knobs.num_frames, 2))

    frames = np.empty((knobs.num_frames, knobs.height, knobs.width, 3), np.uint8)
    for i in range(knobs.num_frames):
        image = cv2.warpAffine(plate, warps[i], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        if nuisances["blob"]:
            cv2.ellipse(image, blobs[i], blob_axes, 0, 0, 360, blob_colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        shade_ground(image, feet[i])
        for part in far_to_near[i]:
            for outline, colour in zip(outlines[part][i], colours[part], strict=True):
                cv2.fillConvexPoly(image, cv2.convexHull(outline), colour, cv2.LINE_AA, SUBPIXEL_BITS)
        small = cv2.resize(image, (knobs.width, knobs.height), interpolation=cv2.INTER_AREA)
        y, x = corners[i]
        cv2.add(small, bank[y : y + knobs.height, x : x + knobs.width], dst=frames[i], dtype=cv2.CV_8U)
    return frames


def blob_path(nuisances: dict, camera: Camera, knobs: Knobs) -> np.ndarray:
    """Where the distractor is on the plate, (T, 2); it leaves on one side and comes back on the other."""
    size = np.array([camera.width, camera.height])
    start = np.array([nuisances["blob_x"] * size[0], 20 + nuisances["blob_y"] * (size[1] - 80)])
    speed = np.array([nuisances["blob_speed_x"], nuisances["blob_speed_y"]])
    return (start + speed * np.arange(knobs.num_frames)[:, None] / knobs.fps) % size
