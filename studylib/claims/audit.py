"""The paper against itself: its claims (evidence/claims.csv) that arithmetic on its own tables decides, and how.

A printed number is compared with the same quantity recomputed from the paper's other printed numbers, or from a count.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from math import sqrt
from typing import Any, NamedTuple

import pandas as pd
from torch import nn

from studylib.claims import published
from studylib.claims.published import CLOSE, KINETICS_VALIDATION, SAME
from studylib.nets.build import TEMPORAL_EXTENT, BasicBlock, block_stride, middle_channels
from studylib.nets.complexity import Complexity, built, count_by_name, count_relus, output_sizes
from studylib.nets.table import NETS, PAPER_NAMES
from studylib.stats.intervals import Z95

# Equal to the printed digit; off by no more than what rounding of the printed inputs can produce; off by more, or an
# order, a count or a structure that is not what is stated.
HOLDS, ROUNDING, FAILS = OUTCOMES = ("holds", "rounding", "does not hold")

HALF_UNIT = 0.05  # points: what rounding to one decimal can hide in each accuracy of the paper's tables
TWO = 2 * HALF_UNIT  # in a difference of two printed accuracies
_EPSILON = 1e-9  # for binary fractions: 57.0 - 47.9 is not exactly 9.1


class Decision(NamedTuple):
    """What arithmetic says of a claim."""

    recomputed: str  # the numbers, made by code
    outcome: str  # one of OUTCOMES


def compare(printed: str, value: float, hidden: float = 0.0) -> str:
    """The outcome for one number as printed, without unit, against the recomputed value, which rounding of the inputs
    can have moved by `hidden` at most: `HALF_UNIT` for each accuracy used."""
    off, half_digit = abs(float(printed) - value), 0.5 * 10.0 ** Decimal(printed).as_tuple().exponent
    if off <= half_digit + _EPSILON:
        return HOLDS
    return ROUNDING if off <= half_digit + hidden + _EPSILON else FAILS


def worst(outcomes: Iterable[str]) -> str:
    """The outcome of a claim that says several things at once."""
    return max(outcomes, key=OUTCOMES.index)


def number(printed: str, value: float, hidden: float = 0.0) -> Decision:
    """One printed number against its recomputed value, shown to the same digit."""
    digits = max(0, -Decimal(printed).as_tuple().exponent)
    return Decision(f"{value:.{digits}f}", compare(printed, value, hidden))


def span(low: str, high: str, values: pd.Series, more: str = "") -> Decision:
    """A printed range of differences against the smallest and largest of the recomputed ones."""
    ends = values.min(), values.max()
    outcome = worst((compare(low, ends[0], TWO), compare(high, ends[1], TWO)))
    return Decision("{:.1f} to {:.1f}".format(*ends) + more, outcome)


def statement(true: bool, recomputed: str) -> Decision:
    """An order, a count or a property without a printed number to compare."""
    return Decision(recomputed, HOLDS if true else FAILS)


def listed(values: Mapping[str, Any], form: str = "{:.1f}") -> str:
    """ "MC2 49.2, MC3 50.4"."""
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


def of_all(values: Mapping[str, Any], true: Callable[[Any], bool], form: str = "{}") -> Decision:
    """A property of each of these values."""
    return statement(all(map(true, values.values())), listed(values, form))


def at_least(difference: float, threshold: float) -> bool:
    """`difference` >= `threshold`, undisturbed by binary fractions."""
    return bool(difference >= threshold - _EPSILON)


# --- accuracies in Tables 2 to 5

CLIP, VIDEO = "clip_top1", "video_top1"
FLAT, MC, RMC = ("R2D", "f-R2D"), ("MC2", "MC3", "MC4", "MC5"), ("rMC2", "rMC3", "rMC4", "rMC5")
OVER_TIME = (*MC, *RMC, "R3D")
OURS, OURS_ON_SPORTS, KINETICS_400 = ("R(2+1)D",), "R(2+1)D-RGB-32frame", "Kinetics-400"
TABLES = {  # -> file, and what names a row
    2: ("table2_conv_types", "net"),
    3: ("table3_sports1m", "method"),
    4: ("table4_kinetics", ["method", "pretraining"]),
    5: ("table5_transfer", ["method", "pretraining"]),
}


def table(of: int, column: str) -> pd.Series:
    """A column of one of the paper's tables, the rows that have it."""
    name, rows = TABLES[of]
    return published.table(name).set_index(rows)[column].dropna()


def gains(measure: str, ours: Iterable[str], over: Iterable[str]) -> pd.Series:
    """Every difference in Table 2 between a net of `ours` and one of `over`, points: (ours, over) -> points."""
    accuracy = table(2, measure)
    return pd.Series({(a, b): accuracy[a] - accuracy[b] for a in ours for b in over})


def ranges(ours: Iterable[str], over: Iterable[str]) -> str:
    """ "clip +2.0 to +7.0, video +2.7 to +7.0": the ranges of `gains`."""
    texts = {}
    for name, measure in (("clip", CLIP), ("video", VIDEO)):
        values = gains(measure, ours, over)
        texts[name] = " to ".join(dict.fromkeys((f"{values.min():+.1f}", f"{values.max():+.1f}")))
    return listed(texts, "{}")


def difference_margin(a: float, b: float, videos: int) -> float:
    """95% half-width, in points, of the difference of two accuracies (percent), each on `videos` videos, as if on
    different ones: too wide for two nets on the same videos. It does not cover the draw of the seed."""
    p, q = a / 100, b / 100
    return 100 * Z95 * sqrt((p * (1 - p) + q * (1 - q)) / videos)


def beyond_chance(ours: str, over: Iterable[str]) -> Decision:
    """Every gain, by both accuracies, is larger than the draw of the validation videos explains."""
    accuracies = [table(2, m)[ours] for m in (CLIP, VIDEO)]
    margin = max(difference_margin(accuracy, accuracy, KINETICS_VALIDATION) for accuracy in accuracies)
    least = min(gains(m, [ours], over).min() for m in (CLIP, VIDEO))
    return statement(least > margin, f"{ranges([ours], over)}; 95% margin at most {margin:.2f}")


def all_above(ours: Iterable[str], over: Iterable[str]) -> Decision:
    """Every gain is above 0, by both accuracies."""
    return statement(min(gains(m, ours, over).min() for m in (CLIP, VIDEO)) > 0, ranges(ours, over))


def _mc_over_rmc() -> Decision:
    clip, video = ((table(2, m)[[*MC]] - table(2, m)[[*RMC]].to_numpy()).mean() for m in (CLIP, VIDEO))
    return statement(all(0 < mean <= CLOSE for mean in (clip, video)), f"means {clip:+.2f} clip, {video:+.2f} video")


def sports_gain(printed: str, over: str) -> Decision:
    """Clip@1 in points by which R(2+1)D at 32 frames is ahead of another row of Table 3."""
    return number(printed, table(3, CLIP)[OURS_ON_SPORTS] - table(3, CLIP)[over], TWO)


def _rgb_best_on_sports() -> Decision:
    texts, true = [], True
    for measure in (CLIP, VIDEO, "video_top5"):
        accuracy = table(3, measure)
        others, ours = accuracy[~accuracy.index.str.startswith("R(2+1)D")], accuracy[OURS_ON_SPORTS]
        true &= ours > others.max()
        texts.append(f"{measure.replace('_top', '@')} {ours:.1f} against {others.max():.1f} ({others.idxmax()})")
    return statement(true, "; ".join(texts))


def _best_on_sports() -> Decision:
    accuracy = table(3, VIDEO)
    outcomes = compare("73.3", accuracy.max()), HOLDS if accuracy.idxmax().startswith("R(2+1)D") else FAILS
    return Decision(f"highest {accuracy.max():.1f}, {accuracy.idxmax()}", worst(outcomes))


def _same_depth_on_sports() -> Decision:
    flat = next(method for method in table(3, CLIP).index if method.startswith("2D ResNet"))
    depth, gain = int(re.search(r"ResNet-(\d+)", flat)[1]), table(3, CLIP)["R3D"] - table(3, CLIP)[flat]
    return statement(depth == 34, f"{flat} has {depth} layers, R3D 34; R3D {gain:+.1f} clip@1")


def _flat_close_to_best() -> Decision:
    texts, true = [], True
    for measure in (CLIP, VIDEO):
        earlier = table(3, measure)[lambda own: ~own.index.str.startswith(("R(2+1)D", "R3D"))]
        gap = earlier.max() - earlier["2D ResNet-152"]
        true &= at_least(CLOSE, gap)
        texts.append(f"{gap:.1f} {measure.replace('_top', '@')} ({earlier.idxmax()})")
    return statement(true, f"behind by {', '.join(texts)}")


def kinetics_gain(printed: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Decision:
    """Top-1 of one row of Table 4, (method, pretraining), minus that of another, in points."""
    return number(printed, table(4, "top1")[ours] - table(4, "top1")[theirs], TWO)


def table5(method: str, pretraining: str) -> pd.Series:
    """Table 5: dataset -> accuracy of a row."""
    return pd.Series({name.upper(): table(5, name)[method, pretraining] for name in ("ucf101", "hmdb51")})


def _ahead_of_all_but_i3d() -> Decision:
    rows, texts, true = published.table("table5_transfer").set_index("method"), [], True
    others = rows[~rows.index.str.startswith(("I3D", "R(2+1)D"))]
    ours = rows[rows.index.str.startswith("R(2+1)D")]
    for name in ("ucf101", "hmdb51"):
        true &= ours[name].max() > others[name].max()
        best = f"{others[name].max():.1f} ({others[name].idxmax()})"
        texts.append(f"{name.upper()} {ours[name].max():.1f} against {best}")
    return statement(true, "; ".join(texts))


def against_i3d(stream: str, low: float, high: float) -> Decision:
    """R(2+1)D from Kinetics minus I3D, on both datasets, all within [low, high] points."""
    gap = table5(f"R(2+1)D-{stream}", KINETICS_400) - table5(f"I3D-{stream}", f"ImageNet+{KINETICS_400}")
    return of_all(gap.to_dict(), lambda points: at_least(points, low) and at_least(high, points), "{:+.1f}")


def _better_pretraining() -> Decision:
    methods = [f"R(2+1)D-{stream}" for stream in ("RGB", "Flow", "Two-Stream")]
    gap = pd.concat([table5(method, KINETICS_400) - table5(method, "Sports-1M") for method in methods])
    return statement(gap.min() > 0, f"{gap.min():+.1f} to {gap.max():+.1f} over {len(gap)} comparisons")


def state_of_the_art(least: float, benchmarks: int = 4) -> Decision:
    """R(2+1)D's best row minus the best other is at least `least` points on each benchmark (0: above 0)."""
    gap = {}
    for name, of, column in (
        ("Sports-1M", "table3_sports1m", VIDEO),
        ("Kinetics", "table4_kinetics", "top1"),
        ("UCF101", "table5_transfer", "ucf101"),
        ("HMDB51", "table5_transfer", "hmdb51"),
    )[:benchmarks]:
        rows = published.table(of)
        ours = rows["method"].str.startswith("R(2+1)D")
        gap[name] = rows.loc[ours, column].max() - rows.loc[~ours, column].max()
    return of_all(gap, lambda points: at_least(points, least) if least else points > 0, "{:+.1f}")


# --- the networks as built: their structure, size and cost

KEYS = {printed: key for key, printed in PAPER_NAMES.items()}
GROUPS = ("stem", "layer1", "layer2", "layer3", "layer4")  # conv1, conv2_x .. conv5_x of Table 1
CLIP_LENGTHS = (8, 16, 24, 32, 40, 48)  # Figure 5
DEPTHS = (18, 34)


def counted(net: str, depth: int = 18, clip_length: int = 8) -> Complexity:
    """Counts of a net by its name in the paper."""
    return count_by_name(KEYS[net], depth, clip_length=clip_length)


def gflops(net: str, clip_length: int = 8) -> float:
    """Billions of multiply-adds of a clip."""
    return counted(net, clip_length=clip_length).flops / 1e9


def sizes(net: str, depth: int = 18, clip_length: int = 8) -> list[tuple[int, int, int]]:
    """(T, H, W) after each of the five groups, of a clip of 112 x 112."""
    outputs = output_sizes(built(KEYS[net], depth, clip_length=clip_length), (3, clip_length, 112, 112))
    return [outputs[group][1:] for group in GROUPS]


def shown(*outputs: Iterable[int]) -> str:
    """ "8x7x7, 4x28x28"."""
    return ", ".join("x".join(map(str, size)) for size in outputs)


def layers_of(net: str, depth: int) -> int:
    """Depth as the paper counts it: convolutions without those of shortcuts, and the FC layer."""
    names = [name for name, m in built(KEYS[net], depth).named_modules() if isinstance(m, nn.Conv3d)]
    return sum("downsample" not in name for name in names) + 1


def time_stride(net: str) -> int:
    """Temporal stride of the first block of conv3_x (section 4.1)."""
    return block_stride(NETS[KEYS[net]][2], downsample=True)[0]


def conv1_of(net: str) -> list[nn.Conv3d]:
    """The convolutions of conv1."""
    return [module for module in built(KEYS[net]).stem if isinstance(module, nn.Conv3d)]


def differing(times: Mapping[str, int], fewest: int) -> Decision:
    """Last convolutions have at least so many temporal sizes."""
    return statement(len(set(times.values())) >= fewest, listed(times, "{}"))


def _doubled_relus() -> Decision:
    pairs = {d: [count_relus(built(KEYS[net], d), (3, 8, 112, 112)) for net in ("R(2+1)D", "R3D")] for d in DEPTHS}
    text = "; ".join(f"{depth} layers: {ours} against {theirs}" for depth, (ours, theirs) in pairs.items())
    return statement(all(ours == 2 * theirs for ours, theirs in pairs.values()), text)


def _conv1_filters() -> Decision:
    spatial, temporal = (m.weight.shape for m in conv1_of("R(2+1)D"))
    text = f"{spatial[0]} of {shown(spatial[2:])}, {temporal[0]} of {temporal[1]}x{temporal[2]}"
    return statement(text == "45 of 1x7x7, 64 of 45x3", text)


def roughly(ours: float, theirs: float, unit: str) -> Decision:
    """Whether two counts, in millions (M) or billions (G), are the same within `SAME`."""
    ratio = ours / theirs
    return statement(abs(ratio - 1) <= SAME, f"{ours:.3f} against {theirs:.3f} {unit}, ratio {ratio:.4f}")


def same_size(depth: int) -> Decision:
    """R(2+1)D and R3D have the same convolution and FC weights within `SAME`."""
    return roughly(*(counted(net, depth).weights / 1e6 for net in ("R(2+1)D", "R3D")), "M")


def _blocks_parity() -> Decision:
    ratios = []  # of every (2+1)D convolution of the residual blocks to the full 3D one that it stands for
    for block in (m for depth in DEPTHS for m in built("r2plus1d", depth).modules() if isinstance(m, BasicBlock)):
        for spatial, _, _, temporal in (block.conv1[0], block.conv2[0]):
            full = TEMPORAL_EXTENT * 9 * spatial.in_channels * temporal.out_channels
            ratios.append((spatial.weight.numel() + temporal.weight.numel()) / full)
    true = min(ratios) >= 1 - SAME and max(ratios) <= 1 + SAME
    return statement(true, f"{min(ratios):.4f} to {max(ratios):.4f} of the 3D convolution's weights")


def _conv1_parity() -> Decision:
    ours, theirs = (sum(m.weight.numel() for m in conv1_of(net)) for net in ("R(2+1)D", "R3D"))
    return statement(abs(ours / theirs - 1) <= SAME, f"{ours:,} against {theirs:,} weights")


def _parameter_column() -> Decision:
    printed = table(2, "params_millions")
    counts = {net: counted(net).weights / 1e6 for net in printed.index}
    wrong = [net for net, own in counts.items() if compare(f"{printed[net]:.1f}", own) != HOLDS]
    texts = [f"; {net} {counts[net]:.3f} against {printed[net]:.1f}" for net in wrong]
    return statement(not wrong, f"{len(counts) - len(wrong)} of {len(counts)} equal{''.join(texts)}")


def _cheapest_and_poorest() -> Decision:
    costs = {net: gflops(net) for net in PAPER_NAMES.values()}
    cheapest = min(costs, key=costs.get)
    poorest = [table(2, measure).idxmin() for measure in (CLIP, VIDEO)]
    text = f"cheapest {cheapest} ({costs[cheapest]:.2f} G), poorest {poorest[0]} (clip), {poorest[1]} (video)"
    return statement({cheapest, *poorest} == {"R2D"}, text)


def cheaper(net: str, other: str) -> Decision:
    """A clip of 8 frames takes the one net fewer multiply-adds than the other."""
    return statement(gflops(net) < gflops(other), f"{net} {gflops(net):.1f} G, {other} {gflops(other):.1f} G")


# The id of a claim in evidence/claims.csv, which says in words what is asked -> what decides it.
DECISIONS: dict[str, Callable[[], Decision]] = {
    "factorising-helps": lambda: beyond_chance("R(2+1)D", ["R3D"]),
    "3d-over-2d": lambda: beyond_chance("R3D", FLAT),
    "clearly-best": lambda: beyond_chance("R(2+1)D", [*FLAT, *OVER_TIME]),
    "mc-gain": lambda: statement(
        3 <= gains(CLIP, MC, FLAT).mean() <= 4,
        "mean {mean:.1f}, of {min:.1f} to {max:.1f}".format(**gains(CLIP, MC, FLAT).agg(["mean", "min", "max"])),
    ),
    "mc-match-r3d": lambda: statement(
        all(at_least(CLOSE, gains(m, MC, ["R3D"]).abs().max()) for m in (CLIP, VIDEO)), ranges(MC, ["R3D"])
    ),
    "mc-over-rmc": _mc_over_rmc,
    "gap-2d": lambda: span("1.7", "5", gains(CLIP, OVER_TIME, FLAT)),
    "over-2d": lambda: span("5.6", "7", gains(CLIP, OURS, FLAT)),
    "over-mixed": lambda: span(
        "2", "3.9", gains(CLIP, OURS, [*MC, "R3D"]), f"; up to {gains(CLIP, OURS, RMC).max():.1f} over rMC2-rMC5"
    ),
    "temporal-over-2d": lambda: all_above(OVER_TIME, FLAT),
    "best-of-twelve": lambda: all_above(OURS, [*FLAT, *OVER_TIME]),
    "quoted-video": lambda: Decision(
        listed(table(2, VIDEO)[["R(2+1)D", "R3D"]]),
        worst((compare("63.9", table(2, VIDEO)["R(2+1)D"]), compare("61.2", table(2, VIDEO)["R3D"]))),
    ),
    "figure3-gain": lambda: number("2.8", gains(VIDEO, OURS, ["R3D"]).item(), TWO),
    "figure3-best": lambda: statement(table(2, VIDEO).idxmax() == "R(2+1)D", f"{table(2, VIDEO).max():.1f}"),
    "finetune-gain": lambda: Decision(
        f"56.8 - 4.4 = {56.8 - 4.4:.1f}, Table 2 has {table(2, CLIP)['R(2+1)D']:.1f}",
        compare(f"{56.8 - 4.4:.1f}", table(2, CLIP)["R(2+1)D"], HALF_UNIT),
    ),
    "finetune-close": lambda: statement(at_least(CLOSE, 58.5 - 56.8), f"behind by {58.5 - 56.8:.1f} clip@1"),
    "right-column": lambda: statement(
        34 in {*table(2, "depth")}, f"depths in Table 2: {', '.join(map(str, sorted({*table(2, 'depth')})))}"
    ),
    "3d-over-2d-sports": _same_depth_on_sports,
    "2d-close": _flat_close_to_best,
    "p3d-margin": lambda: sports_gain("9.1", "P3D"),
    "sports-three": lambda: of_all(
        {net: table(3, CLIP)[OURS_ON_SPORTS] - table(3, CLIP)[net] for net in ("R3D", "P3D")},
        lambda gap: gap > 0,
        "{:+.1f}",
    ),
    "sports-r2d": lambda: statement(
        any(table(3, CLIP).index.isin(FLAT)), f"rows of R2D or f-R2D: {table(3, CLIP).index.isin(FLAT).sum()}"
    ),
    "sports-best-rgb": _rgb_best_on_sports,
    "sports-c3d": lambda: sports_gain("10.9", "C3D"),
    "sports-p3d": lambda: sports_gain("9.1", "P3D"),
    "sports-2d": lambda: sports_gain("10.5", "2D ResNet-152"),
    "sports-3d": lambda: sports_gain("3.2", "R3D"),
    "sports-best": _best_on_sports,
    "kinetics-scratch": lambda: kinetics_gain("4.5", ("R(2+1)D-RGB", "none"), ("I3D-RGB", "none")),
    "kinetics-rgb": lambda: kinetics_gain("2.2", ("R(2+1)D-RGB", "Sports-1M"), ("I3D-RGB", "ImageNet")),
    "kinetics-flow": lambda: kinetics_gain("3.2", ("R(2+1)D-Flow", "Sports-1M"), ("I3D-Flow", "ImageNet")),
    "kinetics-fused": lambda: kinetics_gain("0.3", ("I3D-Two-Stream", "ImageNet"), ("R(2+1)D-Two-Stream", "Sports-1M")),
    "kinetics-rgb-best": lambda: statement(
        table(4, "top1")["R(2+1)D-RGB"].max() > table(4, "top1")["I3D-RGB"].max(),
        f"{table(4, 'top1')['R(2+1)D-RGB'].max():.1f} against {table(4, 'top1')['I3D-RGB'].max():.1f}",
    ),
    "transfer-ahead": _ahead_of_all_but_i3d,
    "transfer-rgb": lambda: against_i3d("RGB", -CLOSE, CLOSE),
    "transfer-flow": lambda: against_i3d("Flow", -CLOSE, -HALF_UNIT),
    "transfer-par": lambda: against_i3d("Two-Stream", -CLOSE, CLOSE),
    "transfer-kinetics": _better_pretraining,
    "sota-four": lambda: state_of_the_art(-CLOSE),
    "sota-four-best": lambda: state_of_the_art(0),
    "sota-two": lambda: state_of_the_art(0, benchmarks=2),
    "relu-doubled": _doubled_relus,
    "r2d-collapse": lambda: statement(sizes("R2D")[0][0] == 1, f"temporal size after conv1: {sizes('R2D')[0][0]}"),
    "r2d-collapse-block": lambda: statement(sizes("R2D")[0][0] > 1, f"temporal size before it: {sizes('R2D')[0][0]}"),
    "t-below-l": lambda: statement(TEMPORAL_EXTENT < 8, f"t = {TEMPORAL_EXTENT}, L = 8"),
    "mc1": lambda: statement(NETS["f_r2d"] == ("2d",) * 5, "f-R2D: " + " ".join(NETS["f_r2d"])),
    "middle-conv1": lambda: statement(
        conv1_of("R(2+1)D")[0].out_channels == middle_channels(3, 64, d=7),
        f"formula {middle_channels(3, 64, d=7)}, network {conv1_of('R(2+1)D')[0].out_channels}",
    ),
    "conv1-filters": _conv1_filters,
    "table1-sizes": lambda: statement(
        sizes("R3D", 18) == sizes("R3D", 34) == [(8, 56, 56), (8, 56, 56), (4, 28, 28), (2, 14, 14), (1, 7, 7)],
        shown(*sizes("R3D")),
    ),
    "depths": lambda: statement(
        all(layers_of("R3D", n) == n for n in DEPTHS), ", ".join(str(layers_of("R3D", n)) for n in DEPTHS)
    ),
    "features": lambda: number("512", built("r3d").fc.in_features),
    "classes": lambda: number("400", built("r3d").fc.out_features),
    "f-r2d-output": lambda: statement(sizes("f-R2D")[-1] == (8, 7, 7), shown(sizes("f-R2D")[-1])),
    "r3d-output": lambda: statement(sizes("R3D")[-1] == sizes("R(2+1)D")[-1] == (1, 7, 7), shown(sizes("R3D")[-1])),
    "mixed-output": lambda: differing({net: sizes(net)[-1][0] for net in (*MC, *RMC)}, 2),
    "rmc3-why": lambda: statement(
        time_stride("rMC3") > 1 and time_stride("f-R2D") == 1,
        f"temporal stride at conv3_1: rMC3 {time_stride('rMC3')}, f-R2D {time_stride('f-R2D')}",
    ),
    "rmc3-2d-after": lambda: statement(
        "2d" in NETS["rmc3"][2:], f"2D groups from conv3 on: {NETS['rmc3'][2:].count('2d')}"
    ),
    "rmc2-why": lambda: statement(
        time_stride("rMC2") == 1,
        f"rMC2 strides by {time_stride('rMC2')} in time at conv3_1; its group 2 is {NETS['rmc2'][1]}",
    ),
    "length-outputs": lambda: differing(
        {f"L={length}": sizes("R(2+1)D", 18, length)[-1][0] for length in CLIP_LENGTHS}, len(CLIP_LENGTHS)
    ),
    "layers-34": lambda: number("34", layers_of("R3D", 34)),
    "layers-68": lambda: number("68", layers_of("R(2+1)D", 34)),
    "same-size": lambda: same_size(18),
    "compact": lambda: same_size(34),
    "three-times": lambda: of_all(
        {net: counted("R3D").weights / counted(net).weights for net in MC},
        lambda ratio: compare("3", ratio) == HOLDS,
        "{:.2f}",
    ),
    "mc-capacity": lambda: of_all(
        {net: counted(net).weights / counted("f-R2D").weights for net in MC},
        lambda ratio: abs(ratio - 1) <= SAME,
        "{:.2f}",
    ),
    "middle-channels": _blocks_parity,
    "conv1-parity": _conv1_parity,
    "table2-params": _parameter_column,
    "r2d-cheapest": _cheapest_and_poorest,
    "rmc3-f-r2d": lambda: cheaper("rMC3", "f-R2D"),
    "rmc2-rmc3": lambda: cheaper("rMC3", "rMC2"),
    "same-cost": lambda: roughly(gflops("R(2+1)D"), gflops("R3D"), "G"),
    "length-params": lambda: statement(
        len({counted("R(2+1)D", 18, length).params for length in CLIP_LENGTHS}) == 1,
        f"{counted('R(2+1)D').params:,} at every length",
    ),
    "cost-32": lambda: number("7.3", gflops("R(2+1)D", 32) / gflops("R(2+1)D")),
}
