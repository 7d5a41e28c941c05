"""The page on Pantomime: tables of its generator's own settings and of the plans that use it."""

import pandas as pd

from studylib.datasets.pantomime.actions import training_videos
from studylib.datasets.pantomime.knobs import HARDEST, KNOBS, at_difficulty
from studylib.runs.plan import load_plans


def datasets() -> pd.DataFrame:
    """The datasets that the plans ask for, and with what settings."""
    rows = [
        {
            "dataset": name,
            "plan": plan.name,
            "vocabulary": asked.get("vocabulary", "source"),
            "training videos": asked["train_videos"],
            "test videos": asked["test_videos"],
            "seed": asked.get("seed", "default"),
        }
        for plan in load_plans()
        for name, asked in plan.datasets.items()
    ]
    return pd.DataFrame(rows)


def nuisances() -> pd.DataFrame:
    """What varies besides the class, with its range."""
    k = KNOBS
    rows = [
        ("person", f"{k.persons:,} bodies and sets of clothes in each part of a dataset"),
        ("place", f"{k.places:,} backgrounds in each part, hazed by {_span(k.haze, '', 2)}"),
        ("person's turn towards the camera", _span(k.yaw, " degrees")),
        ("camera", f"distance {_span(k.distance, ' m', 1)}, elevation {_span(k.elevation, ' rad', 2)}, drift, shake, "
                   f"zoom by up to {k.zoom:.0%} and roll by up to {k.roll[1]:.1f} degrees"),
        ("size and position", f"{k.figure_height:.0%} of the frame's height times {_span(k.figure_scale, '', 2)}; "
                              f"up to {k.offset_x:.0%} of the width and {k.offset_y:.0%} of the height off the middle"),
        ("phase and tempo", f"any phase at the start; tempo wavers by up to {k.tempo_jitter:.0%} (not in sequences)"),
        ("sway", f"arms {k.sway_arm:.1f}, trunk {k.sway_trunk:.1f}, legs {k.sway_hip:.1f} degrees"),
        ("light and sensor", f"gain {_span(k.gain, '', 2)}, tint, noise of {_span(k.noise, ' grey levels', 1)}"),
        ("distractor", f"a moving blob in {k.blob:.0%} of the videos"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["what", "range"])


# What each knob that difficulty moves is, and its unit.
MOVED = {
    "haze": ("haze over the place", ""),
    "shirt_value": ("lightness of shirts", ""),
    "trousers_value": ("lightness of trousers", ""),
    "yaw": ("turn towards the camera", " degrees"),
    "elevation": ("elevation of the camera", " rad"),
    "figure_scale": ("size of the person, relative", ""),
    "offset_x": ("off the middle sideways, of the width", ""),
    "noise": ("noise of the sensor", " grey levels"),
    "blob": ("share of videos with a moving blob", ""),
    "hands_up": ("arms of hands_up", " degrees"),
    "t_pose": ("arms of t_pose", " degrees"),
    "crouch": ("hips of crouch", " degrees"),
    "stork": ("hip of stork", " degrees"),
    "stork_knee": ("knee of stork", " degrees"),
    "circle_half_angle": ("half-angle of the cone of circles", " degrees"),
    "circle_share": ("share of a circle that its slow half takes", ""),
    "stroke_share": ("share of a stroke that its slow half takes", ""),
    "slow_period": ("period of slow tempi", " s"),
    "fast_period": ("period of fast tempi", " s"),
}


def difficulty(*difficulties: float) -> pd.DataFrame:
    """What the knobs that difficulty moves are at some difficulties, and how many videos there are to learn from."""
    knobs = [at_difficulty(difficulty) for difficulty in difficulties]
    rows = []
    for name in HARDEST:
        what, unit = MOVED[name]
        values = [getattr(own, name) for own in knobs]
        texts = [_span(v, unit, 2) if isinstance(v, tuple) else f"{v:.2f}{unit}" for v in values]
        rows.append([what, *(text.replace(".00", "") for text in texts)])
    videos = [training_videos("source", difficulty) for difficulty in difficulties]
    rows.append(["videos to learn from, where a plan does not say", *videos])
    columns = ["knob", *(f"at {difficulty:g}" for difficulty in difficulties)]
    return pd.DataFrame(rows, columns=columns)


def _span(ends: tuple[float, float], unit: str, digits: int = 0) -> str:
    return f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}{unit}"
