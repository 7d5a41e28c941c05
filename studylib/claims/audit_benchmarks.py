"""The paper's claims that arithmetic on its own Tables 3 to 5 decides: Sports-1M, Kinetics, UCF101 and HMDB51."""

import re
from collections.abc import Callable

from studylib.claims import published
from studylib.claims.audit import (
    CLOSE,
    FAILS,
    HALF_UNIT,
    HOLDS,
    Decision,
    at_least,
    compare,
    listed,
    number,
    statement,
    worst,
)
from studylib.claims.audit_table2 import CLIP, FLAT, TWO, VIDEO

FOUR = ("Sports-1M", "Kinetics", "UCF101", "HMDB51")


def sports(measure: str) -> dict[str, float]:
    """Table 3: method -> accuracy, for the methods that have one."""
    return dict(published.table("table3_sports1m").set_index("method")[measure].dropna())


def table4(method: str, pretraining: str) -> float:
    """Table 4: top-1 accuracy of a row."""
    return float(
        published.table("table4_kinetics").set_index(["method", "pretraining"]).loc[(method, pretraining), "top1"]
    )


def table5(method: str, pretraining: str) -> dict[str, float]:
    """Table 5: dataset -> accuracy of a row."""
    rows = published.table("table5_transfer").set_index(["method", "pretraining"])[["ucf101", "hmdb51"]]
    return {
        "UCF101": float(rows.loc[(method, pretraining), "ucf101"]),
        "HMDB51": float(rows.loc[(method, pretraining), "hmdb51"]),
    }


def sports_gain(printed: str, over: str) -> Decision:
    """Section 4.4: clip@1 in points by which R(2+1)D at 32 frames is ahead of another row of Table 3."""
    accuracy = sports(CLIP)
    short = accuracy["R(2+1)D-RGB-8frame"] - accuracy[over]
    return number(
        printed,
        accuracy["R(2+1)D-RGB-32frame"] - accuracy[over],
        TWO,
        reading=f"clips of 32 frames; R(2+1)D with 8 frames: {short:.1f}",
    )


def rgb_best_on_sports() -> Decision:
    """sports-best-rgb (section 4.4): R(2+1)D on RGB is above every other method of Table 3, by each accuracy."""
    texts, true = [], True
    for measure in (CLIP, VIDEO, "video_top5"):
        accuracy = sports(measure)
        other = max((v, k) for k, v in accuracy.items() if not k.startswith("R(2+1)D"))
        ours = accuracy["R(2+1)D-RGB-32frame"]
        true &= ours > other[0]
        texts.append(f"{measure.replace('_top', '@')} {ours:.1f} against {other[0]:.1f} ({other[1]})")
    return statement(true, "; ".join(texts))


def best_on_sports() -> Decision:
    """sports-best (section 4.4, Table 3): the highest video@1 of Table 3 is 73.3, and R(2+1)D's."""
    accuracy = sports(VIDEO)
    best = max(accuracy, key=accuracy.get)
    return Decision(
        f"highest {accuracy[best]:.1f}, {best}",
        worst((compare("73.3", accuracy[best]), HOLDS if best.startswith("R(2+1)D") else FAILS)),
        "among the rows of Table 3",
    )


def same_depth_on_sports() -> Decision:
    """3d-over-2d-sports (section 1): the 2D ResNet of Table 3 has R3D's 34 layers."""
    methods = published.table("table3_sports1m")["method"]
    flat = next(m for m in methods if m.startswith("2D ResNet"))
    depth = int(re.search(r"ResNet-(\d+)", flat)[1])
    gain = sports(CLIP)["R3D"] - sports(CLIP)[flat]
    return statement(
        depth == 34,
        f"{flat} has {depth} layers, R3D 34; R3D {gain:+.1f} clip@1",
        "the 3D net is the better one, but not at the same depth: Table 3 has no 2D net of 34 layers",
    )


def r2d_on_sports() -> Decision:
    """sports-r2d (section 3.5): Table 3 has a row of R2D or f-R2D."""
    methods = list(published.table("table3_sports1m")["method"])
    flat = [m for m in methods if m in FLAT]
    return statement(
        bool(flat),
        f"rows of R2D or f-R2D: {len(flat)}",
        "the 2D row of Table 3 is a ResNet-152 on single frames, quoted from another paper",
    )


def flat_close_to_best() -> Decision:
    """2d-close (section 1): ResNet-152 on frames is within `CLOSE` points of the best earlier row of Table 3."""
    gaps = {}
    for measure in (CLIP, VIDEO):
        accuracy = sports(measure)
        others = {k: v for k, v in accuracy.items() if not k.startswith(("R(2+1)D", "R3D"))}
        gaps[measure] = (max(others.values()) - others["2D ResNet-152"], max(others, key=others.get))
    true = all(at_least(CLOSE, gap) for gap, _ in gaps.values())
    return statement(
        true,
        f"behind by {gaps[CLIP][0]:.1f} clip@1 ({gaps[CLIP][1]}), {gaps[VIDEO][0]:.1f} video@1 ({gaps[VIDEO][1]})",
        "the best earlier row of Table 3 by each accuracy; both must be close",
    )


def kinetics_gain(printed: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Decision:
    """Section 4.4: top-1 of one row of Table 4, (method, pretraining), minus that of another, in points."""
    return number(printed, table4(*ours) - table4(*theirs), TWO)


def ahead_of_all_but_i3d() -> Decision:
    """transfer-ahead (section 4.4): R(2+1)D's best row of Table 5 is above all but I3D's, on both datasets."""
    rows = published.table("table5_transfer")
    others = rows[~rows["method"].str.startswith(("I3D", "R(2+1)D"))]
    ours = rows[rows["method"].str.startswith("R(2+1)D")]
    texts, true, behind = [], True, set()
    for column, name in (("ucf101", "UCF101"), ("hmdb51", "HMDB51")):
        best = others.loc[others[column].idxmax()]
        true &= ours[column].max() > best[column]
        texts.append(f"{name} {ours[column].max():.1f} against {best[column]:.1f} ({best['method']})")
        low = ours[ours[column] <= best[column]]
        behind |= {f"{m} from {p}" for m, p in zip(low["method"], low["pretraining"], strict=True)}
    return statement(true, "; ".join(texts), f"the best of our rows; not ahead: {', '.join(sorted(behind)) or 'none'}")


def against_i3d(stream: str, low: float, high: float) -> Decision:
    """R(2+1)D from Kinetics minus I3D, on both datasets, all within [low, high] points."""
    ours, theirs = table5(f"R(2+1)D-{stream}", "Kinetics-400"), table5(f"I3D-{stream}", "ImageNet+Kinetics-400")
    gap = {name: ours[name] - theirs[name] for name in ours}
    true = all(at_least(g, low) and at_least(high, g) for g in gap.values())
    return statement(true, listed(gap, "{:+.1f}"))


def better_pretraining() -> Decision:
    """transfer-kinetics (Table 5): all six accuracies of R(2+1)D are higher from Kinetics than from Sports-1M."""
    gap = {}
    for stream in ("RGB", "Flow", "Two-Stream"):
        ours, other = (table5(f"R(2+1)D-{stream}", p) for p in ("Kinetics-400", "Sports-1M"))
        gap |= {f"{stream} {name}": ours[name] - other[name] for name in ours}
    return statement(
        min(gap.values()) > 0, f"{min(gap.values()):+.1f} to {max(gap.values()):+.1f} over {len(gap)} comparisons"
    )


def behind_the_best() -> dict[str, float]:
    """Benchmark -> best R(2+1)D minus best other method, video accuracy."""
    gap = {}
    for name, table, column in (
        ("Sports-1M", "table3_sports1m", VIDEO),
        ("Kinetics", "table4_kinetics", "top1"),
        ("UCF101", "table5_transfer", "ucf101"),
        ("HMDB51", "table5_transfer", "hmdb51"),
    ):
        rows = published.table(table)
        ours = rows["method"].str.startswith("R(2+1)D")
        gap[name] = float(rows.loc[ours, column].max() - rows.loc[~ours, column].max())
    return gap


def state_of_the_art(benchmarks: tuple[str, ...], least: float) -> Decision:
    """The claims sota-*: R(2+1)D's best row minus the best other is at least `least` points on each (0: above 0)."""
    gap = {name: value for name, value in behind_the_best().items() if name in benchmarks}
    true = all(at_least(value, least) if least else value > 0 for value in gap.values())
    ahead = [name for name, value in gap.items() if value > 0]
    return statement(
        true,
        listed(gap, "{:+.1f}"),
        f"best row against best other row, any input; ahead on {', '.join(ahead) or 'none'}",
    )


def rgb_on_kinetics() -> Decision:
    """kinetics-rgb-best (Table 4): R(2+1)D's best row on RGB is above I3D's."""
    ours = max(table4("R(2+1)D-RGB", p) for p in ("none", "Sports-1M"))
    theirs = max(table4("I3D-RGB", p) for p in ("none", "ImageNet"))
    return statement(ours > theirs, f"{ours:.1f} against {theirs:.1f}")


# The id of a claim in evidence/claims.csv -> what decides it.
DECISIONS: dict[str, Callable[[], Decision]] = {
    "sota-four": lambda: state_of_the_art(FOUR, -CLOSE),
    "sota-four-best": lambda: state_of_the_art(FOUR, 0.0),
    "sota-two": lambda: state_of_the_art(FOUR[:2], 0.0),
    "3d-over-2d-sports": same_depth_on_sports,
    "2d-close": flat_close_to_best,
    "p3d-margin": lambda: sports_gain("9.1", "P3D"),
    "sports-three": lambda: statement(
        all(sports(CLIP)["R(2+1)D-RGB-32frame"] > sports(CLIP)[m] for m in ("R3D", "P3D")),
        listed({m: sports(CLIP)["R(2+1)D-RGB-32frame"] - sports(CLIP)[m] for m in ("R3D", "P3D")}, "{:+.1f}"),
    ),
    "sports-r2d": r2d_on_sports,
    "sports-best-rgb": rgb_best_on_sports,
    "sports-c3d": lambda: sports_gain("10.9", "C3D"),
    "sports-p3d": lambda: sports_gain("9.1", "P3D"),
    "sports-2d": lambda: sports_gain("10.5", "2D ResNet-152"),
    "sports-3d": lambda: sports_gain("3.2", "R3D"),
    "sports-best": best_on_sports,
    "kinetics-scratch": lambda: kinetics_gain("4.5", ("R(2+1)D-RGB", "none"), ("I3D-RGB", "none")),
    "kinetics-rgb": lambda: kinetics_gain("2.2", ("R(2+1)D-RGB", "Sports-1M"), ("I3D-RGB", "ImageNet")),
    "kinetics-flow": lambda: kinetics_gain("3.2", ("R(2+1)D-Flow", "Sports-1M"), ("I3D-Flow", "ImageNet")),
    "kinetics-fused": lambda: kinetics_gain("0.3", ("I3D-Two-Stream", "ImageNet"), ("R(2+1)D-Two-Stream", "Sports-1M")),
    "kinetics-rgb-best": rgb_on_kinetics,
    "transfer-ahead": ahead_of_all_but_i3d,
    "transfer-rgb": lambda: against_i3d("RGB", -CLOSE, CLOSE),
    "transfer-flow": lambda: against_i3d("Flow", -CLOSE, -HALF_UNIT),
    "transfer-par": lambda: against_i3d("Two-Stream", -CLOSE, CLOSE),
    "transfer-kinetics": better_pretraining,
}
