"""What the authors' own later trainings (VMZ) say of a claim: the contrast of its rule on their published accuracies.

VMZ is a second training of the same networks by the same group, on Kinetics-400. It publishes one training of each and
no interval, so nothing here is a verdict. A claim that needs anything VMZ has not published has no line.
"""

from collections.abc import Callable, Sequence
from functools import partial

from studylib.claims import published
from studylib.claims.parts import ABOVE, EQUAL
from studylib.claims.verdicts import BEST, EARLY_OVER_LATE, MC, MIXED_AS_3D, OVER_FLAT, RMC
from studylib.nets.table import PAPER_NAMES
from studylib.runs.magnitudes import signed

FRAMES = (8, 16)  # the clip lengths of its 18-layer networks
# Table 4's row (stream, pretraining) -> VMZ's 34-layer network (name, what its source says of the training).
TABLE4 = {
    ("RGB", "none"): ("R(2+1)D-34", "RGB; Kinetics only"),
    ("RGB", "Sports-1M"): ("R(2+1)D-34", "RGB; Sports-1M then Kinetics"),
    ("Flow", "Sports-1M"): ("R(2+1)D-34 flow", "flow; Sports-1M then Kinetics"),
}


def vmz(claim_id: str) -> list[str]:
    """The contrast of an empirical claim on VMZ's accuracies, a line for each clip length; [] where it has none."""
    return CONTRASTS[claim_id]() if claim_id in CONTRASTS else []


def differences(pairs: Sequence[tuple[str, str]], frames: int) -> dict[tuple[str, str], float]:
    """Clip accuracy of the first net minus that of the second, points, to the digit that is published."""
    clip = _clip(frames)
    return {(a, b): round(clip[a] - clip[b], 1) for a, b in pairs}


def mean_difference(plus: Sequence[str], minus: Sequence[str], frames: int) -> float:
    """Mean clip accuracy of some nets minus that of others, points."""
    clip = _clip(frames)
    return sum(clip[net] for net in plus) / len(plus) - sum(clip[net] for net in minus) / len(minus)


def longer(net: str = "r2plus1d") -> float:
    """Clip accuracy of a net with 16 frames minus with 8, points."""
    short, long = (_clip(frames)[net] for frames in FRAMES)
    return round(long - short, 1)


def minus_table4() -> dict[tuple[str, str], float]:
    """(stream, pretraining) -> video accuracy of VMZ's R(2+1)D-34 minus Table 4's, points."""
    table4 = published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"]
    others = published.table("other_reproductions")
    found = {}
    for (stream, pretraining), (net, training) in TABLE4.items():
        own = others[(others["net"] == net) & others["source"].str.endswith(f"({training})")]
        found[stream, pretraining] = round(own["video_top1"].item() - table4[f"R(2+1)D-{stream}", pretraining], 1)
    return found


def _clip(frames: int) -> dict[str, float]:
    """Key of a net -> its clip accuracy with 18 layers."""
    rows = published.table("vmz_released_models").query("depth == 18 and clip_frames == @frames")
    printed = rows.set_index("net")["clip_top1"]
    return {key: float(printed[name]) for key, name in PAPER_NAMES.items()}


def _all(pairs: Sequence[tuple[str, str]], claimed: tuple[float, float]) -> list[str]:
    """How many differences lie where claimed, and the one that is furthest outside or closest to the edge."""
    where = "above 0" if claimed == ABOVE else f"within {claimed[1]:g} points"
    lines = []
    for frames in FRAMES:
        found = differences(pairs, frames)
        placed = sum(claimed[0] < points < claimed[1] for points in found.values())
        a, b = min(found, key=lambda pair: min(found[pair] - claimed[0], claimed[1] - found[pair]))
        worst = f"{PAPER_NAMES[a]} minus {PAPER_NAMES[b]} {signed(found[a, b])}"
        lines.append(f"{frames} frames: {placed} of {len(found)} {where}; weakest {worst}")
    return lines


def _means() -> list[str]:
    return [f"{frames} frames: {signed(mean_difference(MC, RMC, frames), 2)} points" for frames in FRAMES]


def _test_error() -> list[str]:
    pair = ("r2plus1d", "r3d")
    texts = [f"{frames} frames {signed(differences([pair], frames)[pair])}" for frames in FRAMES]
    return [f"18 layers only, R(2+1)D minus R3D: {', '.join(texts)} points"]


def _longer() -> list[str]:
    return [f"two lengths only, 16 frames minus 8: {signed(longer())} points"]


def _table4() -> list[str]:
    found = minus_table4()
    placed = sum(EQUAL[0] <= points <= EQUAL[1] for points in found.values())
    texts = [f"{stream}, pretraining {start}: {signed(points)}" for (stream, start), points in found.items()]
    return [f"{placed} of {len(found)} within {EQUAL[1]:g} points, dense test clips", *texts]


# The id of an empirical claim -> its lines.
CONTRASTS: dict[str, Callable[[], list[str]]] = {
    "run-3d-over-2d": partial(_all, OVER_FLAT, ABOVE),
    "run-best": partial(_all, BEST, ABOVE),
    "run-mc-r3d": partial(_all, MIXED_AS_3D, EQUAL),
    "run-mc-rmc": _means,
    "run-early-motion": partial(_all, EARLY_OVER_LATE, ABOVE),
    "run-test-error": _test_error,
    "run-clip-rises": _longer,
    "run-kinetics": _table4,
}
