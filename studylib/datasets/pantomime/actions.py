"""The classes of Pantomime: sixteen source and eight target actions in four cue groups, and how each is performed.

* pose: a single frame suffices;
* direction: the two classes of a pair are the exact time reversal of each other, at a random phase;
* tempo: the same path, slow or fast;
* sequence: two kinds of events, in turn (ABAB) or in twos (AABB), so far apart that no 8 frames see two of them.

A network that ignores the order of frames names the right pair of a group and is bound to half of its members.

A movement takes the joint angles of a person at rest, over time, and changes them. It draws its own parameters; when in
its cycle the video starts, and how the tempo wavers, is among the video's nuisances.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from studylib.datasets.pantomime.knobs import KNOBS, Knobs, at_difficulty

CUES = ("pose", "direction", "tempo", "sequence")
SIDES = ("L", "R")  # the person's own left and right

# Degrees, (T,) each; all zero is a person standing straight with hanging arms. `rise` is in metres.
LIMB_ANGLES = ("abduct", "flex", "elbow", "twist", "hip", "hip_out", "knee")
ANGLES = (*(f"{angle}_{side}" for angle in LIMB_ANGLES for side in SIDES), "lean", "side", "turn", "nod", "rise")
Angles = dict[str, np.ndarray]


@dataclass(frozen=True)
class Draw:
    """What a movement is drawn from; classes of a pair that get equal draws take the same path."""

    rng: np.random.Generator
    nuisances: dict  # of the video: phase and tempo are drawn with them, so that they cannot depend on the class
    knobs: Knobs
    size: float  # of the movement, about 1
    side: str  # of one-sided movements

    def __call__(self, low: float, high: float) -> float:
        """A number drawn evenly from `low` on and below `high`."""
        return self.rng.uniform(low, high)

    def cycles(self, period: float) -> np.ndarray:
        """Phase in cycles of a movement of `period` seconds, (T,); its tempo changes slowly."""
        seconds = np.arange(self.knobs.num_frames) / self.knobs.fps
        rate, jitter = self.nuisances["tempo_jitter_rate"], self.nuisances["tempo_jitter"]
        wobble = np.sin(2 * np.pi * (rate * seconds + self.nuisances["tempo_jitter_phase"]))
        return self.nuisances["phase"] + (seconds + jitter * wobble / (2 * np.pi * rate)) / period


def hold(angles: Angles, side: str, **degrees: float) -> None:
    """Keep each named angle of a side for the whole video."""
    for angle, value in degrees.items():
        angles[f"{angle}_{side}"][:] = value


def hands_up(angles: Angles, draw: Draw) -> None:
    """Pose: both arms held up, elbows bent by 5 to 40 degrees."""
    for s in SIDES:
        hold(angles, s, abduct=draw(*draw.knobs.hands_up), elbow=draw(5, 40), flex=0)


def t_pose(angles: Angles, draw: Draw) -> None:
    """Pose: both arms held out sideways, level within 10 degrees of each other."""
    level = draw(*draw.knobs.t_pose)
    for s in SIDES:
        hold(angles, s, abduct=level + draw(-5, 5), elbow=draw(0, 18), flex=0)


def crouch(angles: Angles, draw: Draw) -> None:
    """Pose: hips and knees bent, trunk 18 to 32 degrees forward, arms in front."""
    hip, knee = draw(*draw.knobs.crouch), draw(1.15, 1.3)
    for s in SIDES:
        hold(angles, s, hip=hip, knee=hip * knee, hip_out=draw(8, 20), flex=draw(30, 75), elbow=draw(20, 60))
    angles["lean"][:] = draw(18, 32)


def stork(angles: Angles, draw: Draw) -> None:
    """Pose: standing on one leg, the knee of `draw.side` held high."""
    hold(angles, draw.side, hip=draw(*draw.knobs.stork), knee=draw(*draw.knobs.stork_knee))
    for s in SIDES:
        hold(angles, s, abduct=draw(15, 45))


def salute(angles: Angles, draw: Draw) -> None:
    """Pose: the hand of `draw.side` held at the brow."""
    inwards = -draw(-82, -68) if draw.side == "L" else -draw(68, 82)
    hold(angles, draw.side, abduct=draw(84, 98), flex=draw(12, 24), elbow=draw(128, 142), twist=inwards)


def side_lunge(angles: Angles, draw: Draw) -> None:
    """Pose: the knee of `draw.side` bent, the other leg stretched out sideways."""
    s, other = draw.side, "R" if draw.side == "L" else "L"
    hold(angles, s, hip=draw(58, 74), knee=draw(78, 92), hip_out=draw(24, 34))
    hold(angles, other, hip_out=draw(44, 54), hip=draw(0, 8))
    for q in SIDES:
        hold(angles, q, flex=draw(20, 40), elbow=draw(80, 105))


def circle(angles: Angles, draw: Draw) -> None:
    """Direction: both arms in parallel on a cone about a forward axis, clockwise as the person sees it, slowly through
    its lower half."""
    share, u = draw(*draw.knobs.circle_share), draw.cycles(draw(*draw.knobs.stroke_period)) % 1
    half_turns = np.where(u < share, 1 + u / share, (u - share) / (1 - share))  # 0 to 1 is the upper half
    phase = np.pi * half_turns[:, None]  # (T, 1)
    half_angle, outward, upward = np.radians(draw(*draw.knobs.circle_half_angle)), draw(0.2, 0.4), draw(0, 0.25)
    for s, sign in (("L", 1), ("R", -1)):
        axis = np.array([sign * outward, upward, 1.0])
        axis /= np.sqrt((axis**2).sum())
        across = np.cross([0.0, 1.0, 0.0], axis)
        across /= np.sqrt((across**2).sum())
        around = np.cos(phase) * across + np.sin(phase) * np.cross(axis, across)
        arm = np.cos(half_angle) * axis + np.sin(half_angle) * around  # (T, 3)
        angles[f"abduct_{s}"] = np.degrees(np.arcsin(np.clip(sign * arm[:, 0], -1, 1)))
        angles[f"flex_{s}"] = np.degrees(np.unwrap(np.arctan2(arm[:, 2], -arm[:, 1])))
        hold(angles, s, elbow=draw(3, 15))


def stroke(draw: Draw) -> np.ndarray:
    """0 to 1 slowly and back fast, smoothly, again and again: (T,)."""
    share, u = draw(*draw.knobs.stroke_share), draw.cycles(draw(*draw.knobs.stroke_period)) % 1
    slow, fast = np.cos(np.pi * u / share), np.cos(np.pi * (u - share) / (1 - share))
    return np.where(u < share, 0.5 - 0.5 * slow, 0.5 + 0.5 * fast)


def lift(angles: Angles, draw: Draw) -> None:
    """Direction: both arms rise slowly, to 115 to 145 degrees, and drop fast; the knees give while they are down."""
    up, low, high = stroke(draw), draw(12, 22), draw(115, 145)
    for s in SIDES:
        angles[f"abduct_{s}"] = low + (high - low) * up
        angles[f"elbow_{s}"] = 40 - 25 * up
        angles[f"hip_{s}"] += 12 * (1 - up)
        angles[f"knee_{s}"] += 24 * (1 - up)
        hold(angles, s, flex=draw(15, 30))


def kick(angles: Angles, draw: Draw) -> None:
    """Direction: the leg of `draw.side` rises sideways slowly, by 56 to 72 degrees, and drops fast."""
    out, reach, s = stroke(draw), draw(56, 72), draw.side
    angles[f"hip_out_{s}"] += reach * out
    angles[f"hip_{s}"] += 18 * out
    angles[f"knee_{s}"] += 14 + 36 * np.sin(np.pi * out) ** 2
    angles["side"] += (9 if s == "L" else -9) * out
    for q in SIDES:
        hold(angles, q, abduct=draw(38, 52), elbow=draw(30, 50))


def swing(draw: Draw, fast: bool) -> np.ndarray:
    """Phase in radians of a movement in one of the two tempi, (T,)."""
    return 2 * np.pi * draw.cycles(draw(*(draw.knobs.fast_period if fast else draw.knobs.slow_period)))


def march(angles: Angles, draw: Draw, fast: bool) -> None:
    """Tempo: marching on the spot, arms against legs."""
    phase = swing(draw, fast)
    for s, shift in (("L", 0.0), ("R", np.pi)):
        step = np.maximum(0, np.sin(phase + shift)) ** 1.3
        angles[f"hip_{s}"] += 62 * draw.size * step
        angles[f"knee_{s}"] += 78 * draw.size * step
        angles[f"flex_{s}"] -= 28 * draw.size * np.sin(phase + shift)
        angles[f"elbow_{s}"] += 25


def bend(angles: Angles, draw: Draw, fast: bool) -> None:
    """Tempo: the trunk bends by about 24 degrees to either side, hands on the hips."""
    angles["side"] += 24 * draw.size * np.sin(swing(draw, fast))
    for s, sign in (("L", -1), ("R", 1)):  # hands on the hips
        hold(angles, s, abduct=draw(42, 52), flex=-8, elbow=draw(92, 108), twist=sign * 75)


def twist(angles: Angles, draw: Draw, fast: bool) -> None:
    """Tempo: the trunk turns by about 27 degrees to either side, arms out."""
    angles["turn"] += 27 * draw.size * np.sin(swing(draw, fast))
    for s in SIDES:
        hold(angles, s, abduct=draw(70, 84), flex=draw(6, 14), elbow=draw(10, 30))


def events(draw: Draw, pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """Strength of event A and of event B, 0 at rest, about 1 at the height of an event: (T,) each. The order is
    `pattern` from a random place in it; without tempo jitter, which could bring two events closer than 8 frames."""
    frames = np.arange(draw.knobs.num_frames)
    period, first = draw(*draw.knobs.event_period_frames), int(draw.rng.integers(len(pattern)))
    strength = {"A": np.zeros(len(frames)), "B": np.zeros(len(frames))}
    for i in range(int(len(frames) / period) + 2):
        u = (frames - (i - draw.nuisances["phase"]) * period) / draw.knobs.event_frames
        bump = np.where((u >= 0) & (u <= 1), np.sin(np.pi * np.clip(u, 0, 1)) ** 2, 0)
        strength[pattern[(first + i) % len(pattern)]] += bump * draw(0.9, 1.08)
    return strength["A"], strength["B"]


def arms(angles: Angles, draw: Draw, pattern: str) -> None:
    """Sequence: an event A is the left arm raised by 95 to 130 degrees, B the right one."""
    reach, (left, right) = draw(95, 130), events(draw, pattern)
    angles["abduct_L"] += reach * left
    angles["abduct_R"] += reach * right


def up_down(angles: Angles, draw: Draw, pattern: str) -> None:
    """Sequence: an event A is both arms up, B a squat."""
    up, down = events(draw, pattern)
    for s in SIDES:
        angles[f"abduct_{s}"] = 20 + 135 * draw.size * up
        angles[f"elbow_{s}"] = 12 + 105 * (1 - np.minimum(1, 1.1 * up))  # at rest the hands are at the chest
        angles[f"hip_{s}"] += 62 * draw.size * down
        angles[f"knee_{s}"] += 80 * draw.size * down
        hold(angles, s, flex=25)
    angles["lean"] += 14 * down


def clapjump(angles: Angles, draw: Draw, pattern: str) -> None:
    """Sequence: an event A is a clap overhead, B a jump of about 0.2 m."""
    clap, jump = events(draw, pattern)
    for s in SIDES:
        angles[f"abduct_{s}"] += 174 * np.minimum(1, clap)  # past upright: the hands meet
        angles[f"hip_{s}"] += 42 * jump
        angles[f"knee_{s}"] += 84 * jump
        angles[f"hip_out_{s}"] += 14 * jump
    angles["rise"] += 0.2 * draw.size * jump


@dataclass(frozen=True)
class Action:
    """One class: its name, its cue group, one line on it, and the movement that performs it."""

    name: str
    cue: str
    description: str
    move: Callable[[Angles, Draw], None]
    backwards: bool = False  # performed backwards in time


CIRCLE = "both arms circle in front, clockwise as the person sees it, slowly below, fast above"
SOURCE = (
    Action("hands_up", "pose", "both arms held up", hands_up),
    Action("t_pose", "pose", "both arms held out sideways", t_pose),
    Action("crouch", "pose", "crouching, trunk forward, arms in front", crouch),
    Action("stork", "pose", "standing on one leg, the other knee held high", stork),
    Action("circle_cw", "direction", CIRCLE, circle),
    Action("circle_ccw", "direction", "circle_cw backwards in time", circle, backwards=True),
    Action("lift_slow_up", "direction", "both arms rise slowly and drop fast, again and again", lift),
    Action("lift_fast_up", "direction", "lift_slow_up backwards: arms rise fast, sink slowly", lift, True),
    Action("march_slow", "tempo", "marching on the spot, 2.0-2.8 s for two steps", partial(march, fast=False)),
    Action("march_fast", "tempo", "march_slow in 0.8-1.1 s", partial(march, fast=True)),
    Action("bend_slow", "tempo", "side bends, hands on hips, 2.0-2.8 s a cycle", partial(bend, fast=False)),
    Action("bend_fast", "tempo", "bend_slow in 0.8-1.1 s", partial(bend, fast=True)),
    Action("arms_LRLR", "sequence", "one arm up at a time: left, right, left, right", partial(arms, pattern="ABAB")),
    Action("arms_LLRR", "sequence", "one arm up at a time: left, left, right, right", partial(arms, pattern="AABB")),
    Action("ud_UDUD", "sequence", "arms up (U) or squat (D): U, D, U, D", partial(up_down, pattern="ABAB")),
    Action("ud_UUDD", "sequence", "arms up (U) or squat (D): U, U, D, D", partial(up_down, pattern="AABB")),
)

TARGET = (
    Action("salute", "pose", "one hand held at the brow", salute),
    Action("side_lunge", "pose", "one knee bent, the other leg stretched out sideways", side_lunge),
    Action("kick_slow_out", "direction", "one leg rises sideways slowly and drops fast, again and again", kick),
    Action("kick_fast_out", "direction", "kick_slow_out backwards: kicks fast, sinks slowly", kick, True),
    Action("twist_slow", "tempo", "turning the trunk, arms out, 2.0-2.8 s a cycle", partial(twist, fast=False)),
    Action("twist_fast", "tempo", "twist_slow in 0.8-1.1 s", partial(twist, fast=True)),
    Action("clapjump_CJCJ", "sequence", "clap overhead (C) or jump (J): C, J, C, J", partial(clapjump, pattern="ABAB")),
    Action("clapjump_CCJJ", "sequence", "clap overhead (C) or jump (J): C, C, J, J", partial(clapjump, pattern="AABB")),
)

VOCABULARIES = {"source": SOURCE, "target": TARGET}
ACTIONS = {action.name: action for vocabulary in VOCABULARIES.values() for action in vocabulary}


def classes_of(vocabulary: str) -> tuple[Action, ...]:
    """The classes in the order of their labels. Errors: ValueError naming the vocabularies there are."""
    if vocabulary not in VOCABULARIES:
        raise ValueError(f"vocabulary {vocabulary!r}: take one of {', '.join(VOCABULARIES)}")
    return VOCABULARIES[vocabulary]


def training_videos(vocabulary: str, difficulty: float = 0.0) -> int:
    """How many videos a vocabulary is learned from where nothing else is said: the harder, the fewer. Errors:
    ValueError for another vocabulary or difficulty."""
    classes = len(classes_of(vocabulary))
    easiest, hardest = {"source": (1520, 1200), "target": (160, 160)}[vocabulary]
    return classes * round((easiest + (hardest - easiest) * at_difficulty(difficulty).difficulty) / classes)


def motion(name: str, rng: np.random.Generator, nuisances: dict, knobs: Knobs = KNOBS) -> Angles:
    """Joint angles of one performance of action `name`, each (T,) in degrees, before sway. Equal generators give the
    classes of a direction pair exactly each other's reversal, and those of a tempo pair the same path."""
    action = ACTIONS[name]
    draw = Draw(rng, nuisances, knobs, size=rng.uniform(0.88, 1.12), side=SIDES[int(rng.integers(2))])
    angles = {joint: np.zeros(knobs.num_frames) for joint in ANGLES}
    for s in SIDES:  # at ease
        hold(angles, s, abduct=draw(6, 16), elbow=draw(8, 28), flex=draw(-6, 10), hip_out=draw(3, 9))
    angles["lean"] += draw(-2, 6)
    action.move(angles, draw)
    return {joint: values[::-1] for joint, values in angles.items()} if action.backwards else angles


def draw_sway(rng: np.random.Generator, knobs: Knobs = KNOBS) -> Angles:
    """Slow small movements of every joint (degrees), of the place (metres) and of the camera, (T,) each: its x, y and
    roll have amplitude 1, to be scaled by the video's shake and roll; its zoom is relative."""
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
