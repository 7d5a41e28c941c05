"""The tables of Pantomime's dataset card, from the generator's own settings and the plans."""

from html import escape

import pandas as pd

from studylib.book.cues import classes
from studylib.book.tables import Table, lacking
from studylib.datasets.index import DatasetError, load_index
from studylib.datasets.pantomime.actions import VOCABULARIES, training_videos
from studylib.datasets.pantomime.knobs import HARDEST, KNOBS, at_difficulty
from studylib.runs.plan import load_plans


def classes_table() -> Table:
    """Both vocabularies: class, cue group, its partner, what is done."""
    rows = classes()
    columns = {
        "class": [f"<code>{escape(name)}</code>" for name in rows["action"]],
        "cue group": rows["cue"],
        "pair": rows["pair"].map(escape),
        "what is done": rows["description"].map(escape),
        "vocabulary": rows["vocabulary"],
    }
    counts = ", ".join(f"{name} has {len(actions)}" for name, actions in VOCABULARIES.items())
    caption = f"The classes, by vocabulary and cue group ({counts}). Periods in seconds are those of difficulty 0."
    return Table(pd.DataFrame(columns), caption)


def datasets_table() -> Table:
    """The datasets that the plans ask for, and whether they have been made on the machine that built this page."""
    rows = []
    for plan in load_plans():
        for name, arguments in plan.datasets.items():
            rows.append(
                {
                    "dataset": f"<code>{escape(name)}</code>",
                    "plan": escape(plan.name),
                    "vocabulary": arguments.get("vocabulary", "source"),
                    "training videos": arguments["train_videos"],
                    "test videos": arguments["test_videos"],
                    "seed": arguments.get("seed", "default"),
                    "where this page was built": _made(name),
                }
            )
    caption = (
        "Datasets of the plans. Equal settings give the same videos everywhere; on another kind of processor single "
        "pixels differ by one grey level."
    )
    return Table(pd.DataFrame(rows), caption)


def _made(name: str) -> str:
    try:
        index = load_index(name)
    except (DatasetError, OSError):
        return lacking("not made")
    return f"{len(index.table)} videos, manifest <code>{index.manifest_hash[:10]}</code>"


def nuisances_table() -> Table:
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
    return Table(pd.DataFrame(rows, columns=["what", "range"]), "Nuisances, drawn independently of the class.")


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


def difficulty_table(*difficulties: float) -> Table:
    """What the knobs that difficulty moves are at some difficulties, and how many videos there are to learn from."""
    knobs = [at_difficulty(difficulty) for difficulty in difficulties]
    rows = []
    for name in HARDEST:
        what, unit = MOVED[name]
        values = [getattr(own, name) for own in knobs]
        texts = [_span(v, unit, 2) if isinstance(v, tuple) else f"{v:.2f}{unit}" for v in values]
        rows.append([what, *(text.replace(".00", "") for text in texts)])
    rows.append(
        ["videos to learn from, where a plan does not say", *(training_videos("source", d) for d in difficulties)]
    )
    columns = ["knob", *(f"at {difficulty:g}" for difficulty in difficulties)]
    return Table(pd.DataFrame(rows, columns=columns), "What difficulty moves, in straight lines, all of it together.")


def _span(ends: tuple[float, float], unit: str, digits: int = 0) -> str:
    return f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}{unit}"
