"""The classes of Pantomime: sixteen source and eight target actions in four cue groups.

The groups tell which temporal information a network uses:

* pose: a single frame suffices;
* direction: the two classes of a pair are the exact time reversal of each other, at a random phase;
* tempo: the same path, slow or fast;
* sequence: two kinds of events, in turn (ABAB) or in twos (AABB), so far apart that no 8 frames see two of them.

A network that ignores the order of frames names the right pair of a group and is bound to half of its members.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from studylib.datasets.pantomime import motions
from studylib.datasets.pantomime.knobs import KNOBS, Knobs, at_difficulty
from studylib.datasets.pantomime.motions import Angles, Beat, Draw

CUES = ("pose", "direction", "tempo", "sequence")


@dataclass(frozen=True)
class Action:
    """One class: its name, its cue group, one line on it, and the movement that performs it."""

    name: str
    cue: str
    description: str
    move: Callable[[Angles, Draw], None]
    backwards: bool = False  # performed backwards in time


SOURCE = (
    Action("hands_up", "pose", "both arms held up", motions.hands_up),
    Action("t_pose", "pose", "both arms held out sideways", motions.t_pose),
    Action("crouch", "pose", "crouching, trunk forward, arms in front", motions.crouch),
    Action("stork", "pose", "standing on one leg, the other knee held high", motions.stork),
    Action(
        "circle_cw",
        "direction",
        "both arms circle in front, clockwise as the person sees it, slowly below, fast above",
        motions.circle,
    ),
    Action("circle_ccw", "direction", "circle_cw backwards in time", motions.circle, backwards=True),
    Action("lift_slow_up", "direction", "both arms rise slowly and drop fast, again and again", motions.lift),
    Action("lift_fast_up", "direction", "lift_slow_up backwards: arms rise fast, sink slowly", motions.lift, True),
    Action("march_slow", "tempo", "marching on the spot, 2.0-2.8 s for two steps", partial(motions.march, fast=False)),
    Action("march_fast", "tempo", "march_slow in 0.8-1.1 s", partial(motions.march, fast=True)),
    Action("bend_slow", "tempo", "side bends, hands on hips, 2.0-2.8 s a cycle", partial(motions.bend, fast=False)),
    Action("bend_fast", "tempo", "bend_slow in 0.8-1.1 s", partial(motions.bend, fast=True)),
    Action(
        "arms_LRLR", "sequence", "one arm up at a time: left, right, left, right", partial(motions.arms, pattern="ABAB")
    ),
    Action(
        "arms_LLRR", "sequence", "one arm up at a time: left, left, right, right", partial(motions.arms, pattern="AABB")
    ),
    Action("ud_UDUD", "sequence", "arms up (U) or squat (D): U, D, U, D", partial(motions.up_down, pattern="ABAB")),
    Action("ud_UUDD", "sequence", "arms up (U) or squat (D): U, U, D, D", partial(motions.up_down, pattern="AABB")),
)

TARGET = (
    Action("salute", "pose", "one hand held at the brow", motions.salute),
    Action("side_lunge", "pose", "one knee bent, the other leg stretched out sideways", motions.side_lunge),
    Action("kick_slow_out", "direction", "one leg rises sideways slowly and drops fast, again and again", motions.kick),
    Action("kick_fast_out", "direction", "kick_slow_out backwards: kicks fast, sinks slowly", motions.kick, True),
    Action("twist_slow", "tempo", "turning the trunk, arms out, 2.0-2.8 s a cycle", partial(motions.twist, fast=False)),
    Action("twist_fast", "tempo", "twist_slow in 0.8-1.1 s", partial(motions.twist, fast=True)),
    Action(
        "clapjump_CJCJ",
        "sequence",
        "clap overhead (C) or jump (J): C, J, C, J",
        partial(motions.clap_jump, pattern="ABAB"),
    ),
    Action(
        "clapjump_CCJJ",
        "sequence",
        "clap overhead (C) or jump (J): C, C, J, J",
        partial(motions.clap_jump, pattern="AABB"),
    ),
)

VOCABULARIES = {"source": SOURCE, "target": TARGET}
ACTIONS = {action.name: action for vocabulary in VOCABULARIES.values() for action in vocabulary}


def training_videos(vocabulary: str, difficulty: float = 0.0) -> int:
    """How many videos a vocabulary is learned from where nothing else is said: the harder, the fewer.

    Errors: ValueError for another vocabulary or difficulty.
    """
    if vocabulary not in VOCABULARIES:
        raise ValueError(f"vocabulary {vocabulary!r}: take one of {', '.join(VOCABULARIES)}")
    easiest, hardest = {"source": (1520, 1200), "target": (160, 160)}[vocabulary]
    classes = len(VOCABULARIES[vocabulary])
    return classes * round((easiest + (hardest - easiest) * at_difficulty(difficulty).difficulty) / classes)


def motion(name: str, rng: np.random.Generator, beat: Beat, knobs: Knobs = KNOBS) -> Angles:
    """Joint angles of one performance of action `name`, each (T,) in degrees, before sway.

    Equal generators give the classes of a direction pair exactly each other's reversal, and those of a tempo pair
    the same path at another period.
    """
    action = ACTIONS[name]
    draw = Draw(rng, beat, knobs, size=rng.uniform(0.88, 1.12), side=motions.SIDES[int(rng.integers(2))])
    angles = motions.rest(draw)
    action.move(angles, draw)
    if action.backwards:
        return {joint: values[::-1] for joint, values in angles.items()}
    return angles
