"""The paper against itself: its claims that arithmetic on its own tables decides, and how arithmetic decides.

A printed number is compared with the same quantity recomputed from the paper's other printed numbers, or from a count:

* "holds": equal to the printed digit;
* "rounding": off by no more than what the rounding of the printed inputs can produce;
* "does not hold": off by more, or an order, a count or a structure that is not what is stated.

The claims, their rules and the readings that were decided are rows of evidence/claims.csv.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

import pandas as pd
import torch
from torch import nn

from studylib.claims import published
from studylib.claims.published import CLOSE, KINETICS_VALIDATION, SAME
from studylib.nets.build import TEMPORAL_EXTENT, BasicBlock, VideoResNet, block_stride, build_net, middle_channels
from studylib.nets.complexity import Complexity, count_by_name, count_relus, output_sizes
from studylib.nets.table import NETS, PAPER_NAMES
from studylib.stats.intervals import difference_margin

HOLDS, ROUNDING, FAILS = "holds", "rounding", "does not hold"
OUTCOMES = (HOLDS, ROUNDING, FAILS)

HALF_UNIT = 0.05  # points: what rounding to one decimal can hide in each accuracy of the paper's tables
TWO = 2 * HALF_UNIT  # in a difference of two printed accuracies
_EPSILON = 1e-9  # for binary fractions: 57.0 - 47.9 is not exactly 9.1

CLIP, VIDEO = "clip_top1", "video_top1"
FLAT, MC, RMC = ("R2D", "f-R2D"), ("MC2", "MC3", "MC4", "MC5"), ("rMC2", "rMC3", "rMC4", "rMC5")
OVER_TIME = (*MC, *RMC, "R3D")
OURS = ("R(2+1)D",)
KINETICS_400 = "Kinetics-400"


@dataclass(frozen=True)
class Decision:
    """What arithmetic says of a claim."""

    recomputed: str  # the numbers, made by code
    outcome: str  # one of OUTCOMES
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the claim's reading shows beside them, by name


def compare(printed: str, value: float, hidden: float = 0.0) -> str:
    """The outcome for one printed number.

    Args:
        printed: as in the paper, without unit.
        value: recomputed.
        hidden: the most by which rounding of the inputs can have moved `value`: `HALF_UNIT` for each accuracy used.
    """
    off, half_digit = abs(float(printed) - value), 0.5 * 10.0 ** Decimal(printed).as_tuple().exponent
    if off <= half_digit + _EPSILON:
        return HOLDS
    return ROUNDING if off <= half_digit + hidden + _EPSILON else FAILS


def worst(outcomes: Iterable[str]) -> str:
    """The outcome of a claim that says several things at once."""
    return max(outcomes, key=OUTCOMES.index)


def number(printed: str, value: float, hidden: float = 0.0, **facts: Any) -> Decision:
    """One printed number against its recomputed value, shown to the same digit."""
    digits = max(0, -Decimal(printed).as_tuple().exponent)
    return Decision(f"{value:.{digits}f}", compare(printed, value, hidden), facts)


def span(low: str, high: str, values: pd.Series, **facts: Any) -> Decision:
    """A printed range of differences against the smallest and largest of the recomputed ones."""
    ends = values.min(), values.max()
    outcome = worst((compare(low, ends[0], TWO), compare(high, ends[1], TWO)))
    return Decision("{:.1f} to {:.1f}".format(*ends), outcome, facts)


def statement(true: bool, recomputed: str, **facts: Any) -> Decision:
    """An order, a count or a property without a printed number to compare."""
    return Decision(recomputed, HOLDS if true else FAILS, facts)


def as_stated(value: Any, true: Callable[[Any], bool], text: str = "{}") -> Decision:
    """A property of one value, which `text` shows."""
    return statement(true(value), text.format(value))


def at_least(difference: float, threshold: float) -> bool:
    """`difference` >= `threshold`, undisturbed by binary fractions."""
    return bool(difference >= threshold - _EPSILON)


def listed(values: Mapping[str, Any], form: str = "{:.1f}") -> str:
    """ "MC2 49.2, MC3 50.4"."""
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


# Table 2.


def kinetics(measure: str) -> pd.Series:
    """Table 2: net -> clip or video accuracy."""
    return published.table("table2_conv_types").set_index("net")[measure]


def gains(measure: str, ours: Iterable[str], over: Iterable[str]) -> pd.Series:
    """Every difference in Table 2 between a net of `ours` and one of `over`, points: (ours, over) -> points."""
    accuracy = kinetics(measure)
    return pd.Series({(a, b): accuracy[a] - accuracy[b] for a in ours for b in over})


def ranges(ours: Iterable[str], over: Iterable[str]) -> dict[str, str]:
    """ "+2.0 to +7.0": the range of `gains` by clip and by video accuracy."""
    texts = {}
    for name, measure in (("clip", CLIP), ("video", VIDEO)):
        values = gains(measure, ours, over)
        texts[name] = " to ".join(dict.fromkeys((f"{values.min():+.1f}", f"{values.max():+.1f}")))
    return texts


def beyond_chance(ours: str, over: Iterable[str]) -> Decision:
    """Every gain, by both accuracies, is larger than the draw of the validation videos explains."""
    accuracies = [kinetics(m)[ours] for m in (CLIP, VIDEO)]
    margin = max(difference_margin(accuracy, accuracy, KINETICS_VALIDATION) for accuracy in accuracies)
    least = min(gains(m, [ours], over).min() for m in (CLIP, VIDEO))
    return statement(least > margin, f"{listed(ranges([ours], over), '{}')}; chance up to {margin:.2f}")


def all_above(ours: Iterable[str], over: Iterable[str]) -> Decision:
    """Every gain is above 0, by both accuracies."""
    return statement(min(gains(m, ours, over).min() for m in (CLIP, VIDEO)) > 0, listed(ranges(ours, over), "{}"))


def mc_over_2d() -> Decision:
    """Clip@1 of MC2 to MC5 minus that of R2D and f-R2D, on average "roughly" 3 to 4 points."""
    every = gains(CLIP, MC, FLAT)
    facts = {
        name: f"{values.min():.1f} to {values.max():.1f}"
        for name, values in (
            ("r2d", gains(CLIP, MC, FLAT[:1])),
            ("f_r2d", gains(CLIP, MC, FLAT[1:])),
            ("small", gains(CLIP, MC[:2], FLAT)),
        )
    }
    text = f"mean {every.mean():.1f}, of {every.min():.1f} to {every.max():.1f}"
    return statement(3 <= every.mean() <= 4, text, **facts)


def mc_match_r3d() -> Decision:
    """Each of MC2 to MC5 is within `CLOSE` points of R3D, by both accuracies."""
    both = pd.concat([gains(m, MC, ["R3D"]) for m in (CLIP, VIDEO)])
    below = sorted({net for net, _ in both[both < -HALF_UNIT].index})
    text = listed(ranges(MC, ["R3D"]), "{}")
    return statement(at_least(CLOSE, both.abs().max()), text, below=", ".join(below) or "none")


def mc_over_rmc() -> Decision:
    """MCx minus rMCx is on average above 0 and at most `CLOSE` points, by both accuracies."""
    pairs = {m: kinetics(m)[[*MC]] - kinetics(m)[[*RMC]].to_numpy() for m in (CLIP, VIDEO)}
    clip, video = (own.mean() for own in pairs.values())
    facts = {m: f"{own.min():+.1f} to {own.max():+.1f}" for m, own in pairs.items()}
    below = [net for own in pairs.values() for net in own.index[own < -HALF_UNIT]]
    text = f"means {clip:+.2f} clip, {video:+.2f} video"
    return statement(all(0 < mean <= CLOSE for mean in (clip, video)), text, **facts, below=", ".join(below) or "none")


def quoted_video() -> Decision:
    """Accuracies that the text repeats from Table 2."""
    printed, table = {"R(2+1)D": "63.9", "R3D": "61.2"}, kinetics(VIDEO)
    return Decision(listed(table[list(printed)]), worst(compare(value, table[net]) for net, value in printed.items()))


def finetuned_gain() -> Decision:
    """56.8% less the gain of 4.4 points is R(2+1)D's clip@1 in Table 2."""
    base, in_table = 56.8 - 4.4, kinetics(CLIP)["R(2+1)D"]
    return Decision(f"56.8 - 4.4 = {base:.1f}, Table 2 has {in_table:.1f}", compare(f"{base:.1f}", in_table, HALF_UNIT))


def right_column() -> Decision:
    """Table 2 has nets of 34 layers."""
    depths = sorted(set(published.table("table2_conv_types")["depth"]))
    return statement(34 in depths, f"depths in Table 2: {', '.join(map(str, depths))}")


# Table 3.


def sports(measure: str) -> pd.Series:
    """Table 3: method -> accuracy, for the methods that have one."""
    return published.table("table3_sports1m").set_index("method")[measure].dropna()


def sports_gain(printed: str, over: str) -> Decision:
    """Clip@1 in points by which R(2+1)D at 32 frames is ahead of another row of Table 3."""
    accuracy = sports(CLIP)
    short, long = (accuracy[f"R(2+1)D-RGB-{frames}frame"] - accuracy[over] for frames in (8, 32))
    return number(printed, long, TWO, short=f"{short:.1f}")


def sports_three() -> Decision:
    """R(2+1)D is above R3D and P3D, by clip accuracy."""
    gap = sports(CLIP)["R(2+1)D-RGB-32frame"] - sports(CLIP)[["R3D", "P3D"]]
    return statement(gap.min() > 0, listed(gap, "{:+.1f}"))


def rgb_best_on_sports() -> Decision:
    """R(2+1)D on RGB is above every other method of Table 3, by each accuracy."""
    texts, true = [], True
    for measure in (CLIP, VIDEO, "video_top5"):
        accuracy = sports(measure)
        others = accuracy[~accuracy.index.str.startswith("R(2+1)D")]
        ours = accuracy["R(2+1)D-RGB-32frame"]
        true &= ours > others.max()
        texts.append(f"{measure.replace('_top', '@')} {ours:.1f} against {others.max():.1f} ({others.idxmax()})")
    return statement(true, "; ".join(texts))


def best_on_sports() -> Decision:
    """The highest video@1 of Table 3 is 73.3, and R(2+1)D's."""
    best = sports(VIDEO).idxmax()
    outcomes = compare("73.3", sports(VIDEO)[best]), HOLDS if best.startswith("R(2+1)D") else FAILS
    return Decision(f"highest {sports(VIDEO)[best]:.1f}, {best}", worst(outcomes))


def same_depth_on_sports() -> Decision:
    """The 2D ResNet of Table 3 has R3D's 34 layers."""
    flat = next(method for method in sports(CLIP).index if method.startswith("2D ResNet"))
    depth = int(re.search(r"ResNet-(\d+)", flat)[1])
    gain = sports(CLIP)["R3D"] - sports(CLIP)[flat]
    return statement(depth == 34, f"{flat} has {depth} layers, R3D 34; R3D {gain:+.1f} clip@1")


def flat_close_to_best() -> Decision:
    """ResNet-152 on frames is within `CLOSE` points of the best earlier row of Table 3, by each accuracy."""
    texts, true = [], True
    for name, measure in (("clip@1", CLIP), ("video@1", VIDEO)):
        earlier = sports(measure)[lambda own: ~own.index.str.startswith(("R(2+1)D", "R3D"))]
        gap = earlier.max() - earlier["2D ResNet-152"]
        true &= at_least(CLOSE, gap)
        texts.append(f"{gap:.1f} {name} ({earlier.idxmax()})")
    return statement(true, f"behind by {', '.join(texts)}")


# Tables 4 and 5.


def table4(method: str, pretraining: str) -> float:
    """Table 4: top-1 accuracy of a row."""
    return published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"][method, pretraining]


def kinetics_gain(printed: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Decision:
    """Top-1 of one row of Table 4, (method, pretraining), minus that of another, in points."""
    return number(printed, table4(*ours) - table4(*theirs), TWO)


def rgb_on_kinetics() -> Decision:
    """R(2+1)D's best row of Table 4 on RGB is above I3D's."""
    ours = max(table4("R(2+1)D-RGB", start) for start in ("none", "Sports-1M"))
    theirs = max(table4("I3D-RGB", start) for start in ("none", "ImageNet"))
    return statement(ours > theirs, f"{ours:.1f} against {theirs:.1f}")


def table5(method: str, pretraining: str) -> pd.Series:
    """Table 5: dataset -> accuracy of a row."""
    rows = published.table("table5_transfer").set_index(["method", "pretraining"])[["ucf101", "hmdb51"]]
    return rows.loc[(method, pretraining)].rename(str.upper)


def ahead_of_all_but_i3d() -> Decision:
    """R(2+1)D's best row of Table 5 is above all but I3D's, on both datasets."""
    rows = published.table("table5_transfer")
    others = rows[~rows["method"].str.startswith(("I3D", "R(2+1)D"))]
    ours = rows[rows["method"].str.startswith("R(2+1)D")]
    texts, true, behind = [], True, set()
    for column in ("ucf101", "hmdb51"):
        best = others.loc[others[column].idxmax()]
        true &= ours[column].max() > best[column]
        texts.append(f"{column.upper()} {ours[column].max():.1f} against {best[column]:.1f} ({best['method']})")
        low = ours[ours[column] <= best[column]]
        behind |= set(low["method"] + " from " + low["pretraining"])
    return statement(true, "; ".join(texts), behind=", ".join(sorted(behind)) or "none")


def against_i3d(stream: str, low: float, high: float) -> Decision:
    """R(2+1)D from Kinetics minus I3D, on both datasets, all within [low, high] points."""
    gap = table5(f"R(2+1)D-{stream}", KINETICS_400) - table5(f"I3D-{stream}", f"ImageNet+{KINETICS_400}")
    return statement(all(at_least(g, low) and at_least(high, g) for g in gap), listed(gap, "{:+.1f}"))


def better_pretraining() -> Decision:
    """All six accuracies of R(2+1)D in Table 5 are higher from Kinetics than from Sports-1M."""
    methods = [f"R(2+1)D-{stream}" for stream in ("RGB", "Flow", "Two-Stream")]
    gap = pd.concat([table5(method, KINETICS_400) - table5(method, "Sports-1M") for method in methods])
    return statement(gap.min() > 0, f"{gap.min():+.1f} to {gap.max():+.1f} over {len(gap)} comparisons")


def state_of_the_art(least: float, benchmarks: int = 4) -> Decision:
    """R(2+1)D's best row minus the best other is at least `least` points on each benchmark (0: above 0)."""
    gap = {}
    for name, table, column in (
        ("Sports-1M", "table3_sports1m", VIDEO),
        ("Kinetics", "table4_kinetics", "top1"),
        ("UCF101", "table5_transfer", "ucf101"),
        ("HMDB51", "table5_transfer", "hmdb51"),
    )[:benchmarks]:
        rows = published.table(table)
        ours = rows["method"].str.startswith("R(2+1)D")
        gap[name] = rows.loc[ours, column].max() - rows.loc[~ours, column].max()
    true = all(at_least(value, least) if least else value > 0 for value in gap.values())
    ahead = ", ".join(name for name, value in gap.items() if value > 0) or "none"
    return statement(true, listed(gap, "{:+.1f}"), ahead=ahead)


# The networks as built: their structure, size and cost.

KEYS = {printed: key for key, printed in PAPER_NAMES.items()}
GROUPS = ("stem", "layer1", "layer2", "layer3", "layer4")  # conv1, conv2_x .. conv5_x of Table 1
CLIP_LENGTHS = (8, 16, 24, 32, 40, 48)  # Figure 5
DEPTHS = (18, 34)


def built(net: str, depth: int = 18, clip_length: int = 8) -> VideoResNet:
    """A net by its name in the paper, without memory."""
    with torch.device("meta"):
        return build_net(KEYS[net], depth, clip_length=clip_length)


@cache
def counted(net: str, depth: int = 18, clip_length: int = 8) -> Complexity:
    """Counts of a net by its name in the paper."""
    return count_by_name(KEYS[net], depth, clip_length=clip_length)


def gflops(net: str, clip_length: int = 8) -> float:
    """Billions of multiply-adds of a clip."""
    return counted(net, clip_length=clip_length).flops / 1e9


def sizes(net: str, depth: int = 18, clip_length: int = 8) -> dict[str, tuple[int, int, int]]:
    """Group -> (T, H, W) of its output for a clip of 112 x 112."""
    outputs = output_sizes(built(net, depth, clip_length), (3, clip_length, 112, 112))
    return {group: outputs[group][1:] for group in GROUPS}


def shown(size: Iterable[int]) -> str:
    """ "8x7x7"."""
    return "x".join(map(str, size))


def layers_of(net: str, depth: int) -> int:
    """Depth as the paper counts it: convolutions without those of shortcuts, and the FC layer."""
    names = [name for name, m in built(net, depth).named_modules() if isinstance(m, nn.Conv3d)]
    return sum("downsample" not in name for name in names) + 1


def time_stride(net: str) -> int:
    """Temporal stride of the first block of conv3_x (section 4.1)."""
    return block_stride(NETS[KEYS[net]][2], downsample=True)[0]


def conv1_of(net: str) -> list[nn.Conv3d]:
    """The convolutions of conv1."""
    return [module for module in built(net).stem if isinstance(module, nn.Conv3d)]


def table1_sizes() -> Decision:
    """(T, H, W) after each group of R3D, of a clip of 8 x 112 x 112, at both depths."""
    both = {depth: list(sizes("R3D", depth).values()) for depth in DEPTHS}
    printed = [(8, 56, 56), (8, 56, 56), (4, 28, 28), (2, 14, 14), (1, 7, 7)]
    return statement(all(own == printed for own in both.values()), ", ".join(map(shown, both[18])))


def r3d_output() -> Decision:
    """The last convolutions of R3D and of R(2+1)D give 1 x 7 x 7."""
    outputs = {sizes(net)["layer4"] for net in ("R3D", "R(2+1)D")}
    return statement(outputs == {(1, 7, 7)}, " and ".join(map(shown, outputs)))


def mixed_times() -> Decision:
    """The last convolutions of MCx and rMCx give more than one temporal size."""
    times = {net: sizes(net)["layer4"][0] for net in (*MC, *RMC)}
    return statement(len(set(times.values())) > 1, listed(times, "{}"))


def lower_times() -> Decision:
    """The last convolution of R(2+1)D has another temporal size at each clip length."""
    times = {f"L={length}": sizes("R(2+1)D", clip_length=length)["layer4"][0] for length in CLIP_LENGTHS}
    return statement(len(set(times.values())) == len(times), listed(times, "{}"))


def t_below_length() -> Decision:
    """Filters reach over t = 3 frames, fewer than the L = 8 of a clip."""
    net = built("R3D")
    over_time = {name: m for name, m in net.named_modules() if isinstance(m, nn.Conv3d) and m.kernel_size[0] > 1}
    outputs = output_sizes(net, (3, 8, 112, 112))
    # padded by t // 2, a convolution takes in its stride times as many frames as it gives out
    frames = [outputs[name][1] * m.stride[0] for name, m in over_time.items()]
    facts = {"all": len(frames), "short": sum(n < TEMPORAL_EXTENT for n in frames), "single": frames.count(1)}
    return statement(TEMPORAL_EXTENT < 8, f"t = {TEMPORAL_EXTENT}, L = 8", **facts)


def doubled_relus() -> Decision:
    """R(2+1)D applies twice as many ReLUs to a clip as R3D, at both depths."""
    pairs = {d: [count_relus(built(net, d), (3, 8, 112, 112)) for net in ("R(2+1)D", "R3D")] for d in DEPTHS}
    text = "; ".join(f"{depth} layers: {ours} against {theirs}" for depth, (ours, theirs) in pairs.items())
    return statement(all(ours == 2 * theirs for ours, theirs in pairs.values()), text)


def formula_at_conv1() -> Decision:
    """conv1 of R(2+1)D has as many middle filters as the formula of section 3.5 gives."""
    in_net, formula = conv1_of("R(2+1)D")[0].out_channels, middle_channels(3, 64, d=7)
    return statement(in_net == formula, f"formula {formula}, network {in_net}")


def conv1_filters() -> Decision:
    """conv1 of R(2+1)D has 45 spatial filters of 1x7x7, 64 temporal ones of 45x3."""
    spatial, temporal = (m.weight.shape for m in conv1_of("R(2+1)D"))
    text = f"{spatial[0]} of {shown(spatial[2:])}, {temporal[0]} of {temporal[1]}x{temporal[2]}"
    return statement(text == "45 of 1x7x7, 64 of 45x3", text)


def depths() -> Decision:
    """R3D has 18 and 34 layers."""
    layers = [layers_of("R3D", depth) for depth in DEPTHS]
    outcome = worst(compare(str(depth), own) for depth, own in zip(DEPTHS, layers, strict=True))
    return Decision(", ".join(map(str, layers)), outcome)


def rmc3_stride() -> Decision:
    """rMC3 strides in time at conv3_1 and f-R2D does not."""
    strides = {net: time_stride(net) for net in ("rMC3", "f-R2D")}
    text = f"temporal stride at conv3_1: {listed(strides, '{}')}"
    return statement(strides["rMC3"] > 1 and strides["f-R2D"] == 1, text)


def rmc2_reason() -> Decision:
    """rMC2 does not stride in time at conv3_1."""
    stride, kinds = time_stride("rMC2"), NETS[KEYS["rMC2"]]
    return statement(stride == 1, f"rMC2 strides by {stride} in time at conv3_1; its group 2 is {kinds[1]}")


def roughly(ours: float, theirs: float, unit: str) -> Decision:
    """Whether two counts, in millions (M) or billions (G), are the same within `SAME`."""
    ratio = ours / theirs
    return statement(abs(ratio - 1) <= SAME, f"{ours:.3f} against {theirs:.3f} {unit}, ratio {ratio:.4f}")


def same_size(depth: int) -> Decision:
    """R(2+1)D and R3D have the same convolution and FC weights within `SAME`."""
    return roughly(*(counted(net, depth).weights / 1e6 for net in ("R(2+1)D", "R3D")), "M")


def blocks_parity() -> Decision:
    """Every (2+1)D convolution of the residual blocks, both depths, against the full 3D one it stands for."""
    ratios = []
    for block in (m for depth in DEPTHS for m in built("R(2+1)D", depth).modules() if isinstance(m, BasicBlock)):
        for spatial, _, _, temporal in (block.conv1[0], block.conv2[0]):
            full = TEMPORAL_EXTENT * 9 * spatial.in_channels * temporal.out_channels
            ratios.append((spatial.weight.numel() + temporal.weight.numel()) / full)
    true = min(ratios) >= 1 - SAME and max(ratios) <= 1 + SAME
    return statement(true, f"{min(ratios):.4f} to {max(ratios):.4f} of the 3D convolution's weights")


def conv1_parity() -> Decision:
    """conv1 of R(2+1)D, with 45 middle filters, has R3D's weights within `SAME`."""
    ours, theirs = (sum(m.weight.numel() for m in conv1_of(net)) for net in ("R(2+1)D", "R3D"))
    middle = middle_channels(3, 64, d=7)
    facts = {"middle": middle, "weights": middle * (3 * 49 + 64 * TEMPORAL_EXTENT)}
    return statement(abs(ours / theirs - 1) <= SAME, f"{ours:,} against {theirs:,} weights", **facts)


def parameter_column() -> Decision:
    """Millions of convolution and FC weights, each net of Table 2 equal to the printed digit."""
    printed = published.table("table2_conv_types").set_index("net")["params_millions"]
    counts = {net: counted(net) for net in printed.index}
    wrong = [net for net, own in counts.items() if compare(f"{printed[net]:.1f}", own.weights / 1e6) != HOLDS]
    with_bn = [net for net, own in counts.items() if compare(f"{printed[net]:.1f}", own.params / 1e6) != HOLDS]
    texts = [f"{net} {counts[net].weights / 1e6:.3f} against {printed[net]:.1f}" for net in wrong]
    text = "; ".join([f"{len(counts) - len(wrong)} of {len(counts)} equal", *([", ".join(texts)] if wrong else [])])
    return statement(not wrong, text, unequal=", ".join(with_bn) or "none")


def three_times() -> Decision:
    """R3D has 3 times the parameters of each of MC2 to MC5, to the printed digit."""
    ratios = {net: counted("R3D").weights / counted(net).weights for net in MC}
    good = [net for net, ratio in ratios.items() if compare("3", ratio) == HOLDS]
    outcome = worst(compare("3", ratio) for ratio in ratios.values())
    return Decision(listed(ratios, "{:.2f}"), outcome, {"good": ", ".join(good) or "none"})


def comparable_capacity() -> Decision:
    """Each of MC2 to MC5 has f-R2D's parameters within `SAME`."""
    ratios = {net: counted(net).weights / counted("f-R2D").weights for net in MC}
    good = [net for net, ratio in ratios.items() if abs(ratio - 1) <= SAME]
    return statement(len(good) == len(MC), listed(ratios, "{:.2f}"), good=", ".join(good) or "none")


def cheapest_and_poorest() -> Decision:
    """R2D costs least of the twelve and has the lowest clip@1 and video@1 of Table 2."""
    costs = {net: gflops(net) for net in PAPER_NAMES.values()}
    cheapest = min(costs, key=costs.get)
    poorest = [kinetics(measure).idxmin() for measure in (CLIP, VIDEO)]
    text = f"cheapest {cheapest} ({costs[cheapest]:.2f} G), poorest {poorest[0]} (clip), {poorest[1]} (video)"
    return statement({cheapest, *poorest} == {"R2D"}, text)


def cheaper(net: str, other: str) -> Decision:
    """A clip of 8 frames takes the one net fewer multiply-adds than the other."""
    return statement(gflops(net) < gflops(other), f"{net} {gflops(net):.1f} G, {other} {gflops(other):.1f} G")


def ratio_32_to_8() -> Decision:
    """Multiply-adds of R(2+1)D-18 at 32 frames over those at 8, printed as 7.3."""
    long, short = gflops("R(2+1)D", 32), gflops("R(2+1)D")
    return number("7.3", long / short, long=f"{long:.2f}", short=f"{short:.2f}")


def same_parameters() -> Decision:
    """R(2+1)D-18 has the same parameters at each clip length of Figure 5."""
    params = sorted({counted("R(2+1)D", 18, length).params for length in CLIP_LENGTHS})
    return statement(len(params) == 1, f"{params[0]:,} at every length")


# The id of a claim in evidence/claims.csv -> what decides it.
DECISIONS: dict[str, Callable[[], Decision]] = {
    "factorising-helps": lambda: beyond_chance("R(2+1)D", ["R3D"]),
    "3d-over-2d": lambda: beyond_chance("R3D", FLAT),
    "clearly-best": lambda: beyond_chance("R(2+1)D", [*FLAT, *OVER_TIME]),
    "mc-gain": mc_over_2d,
    "mc-match-r3d": mc_match_r3d,
    "mc-over-rmc": mc_over_rmc,
    "gap-2d": lambda: span("1.7", "5", gains(CLIP, OVER_TIME, FLAT)),
    "over-2d": lambda: span("5.6", "7", gains(CLIP, OURS, FLAT), video=ranges(OURS, FLAT)["video"]),
    "over-mixed": lambda: span(
        "2",
        "3.9",
        gains(CLIP, OURS, [*MC, "R3D"]),
        **{"all": span("2", "3.9", gains(CLIP, OURS, OVER_TIME)).recomputed},
    ),
    "temporal-over-2d": lambda: all_above(OVER_TIME, FLAT),
    "best-of-twelve": lambda: all_above(OURS, [*FLAT, *OVER_TIME]),
    "quoted-video": quoted_video,
    "figure3-gain": lambda: number(
        "2.8", gains(VIDEO, OURS, ["R3D"]).item(), TWO, clip=f"{gains(CLIP, OURS, ['R3D']).item():.1f}"
    ),
    "figure3-best": lambda: statement(kinetics(VIDEO).idxmax() == "R(2+1)D", f"{kinetics(VIDEO).max():.1f}"),
    "finetune-gain": finetuned_gain,
    "finetune-close": lambda: statement(at_least(CLOSE, 58.5 - 56.8), f"behind by {58.5 - 56.8:.1f} clip@1"),
    "right-column": right_column,
    "3d-over-2d-sports": same_depth_on_sports,
    "2d-close": flat_close_to_best,
    "p3d-margin": lambda: sports_gain("9.1", "P3D"),
    "sports-three": sports_three,
    "sports-r2d": lambda: as_stated(
        int(published.table("table3_sports1m")["method"].isin(FLAT).sum()), bool, "rows of R2D or f-R2D: {}"
    ),
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
    "sota-four": lambda: state_of_the_art(-CLOSE),
    "sota-four-best": lambda: state_of_the_art(0),
    "sota-two": lambda: state_of_the_art(0, benchmarks=2),
    "relu-doubled": doubled_relus,
    "r2d-collapse": lambda: as_stated(sizes("R2D")["stem"][0], lambda t: t == 1, "temporal size after conv1: {}"),
    "r2d-collapse-block": lambda: as_stated(sizes("R2D")["stem"][0], lambda t: t > 1, "temporal size before it: {}"),
    "t-below-l": t_below_length,
    "mc1": lambda: statement(NETS["f_r2d"] == ("2d",) * 5, "f-R2D: " + " ".join(NETS["f_r2d"])),
    "middle-conv1": formula_at_conv1,
    "conv1-filters": conv1_filters,
    "table1-sizes": table1_sizes,
    "depths": depths,
    "features": lambda: number("512", built("R3D").fc.in_features),
    "classes": lambda: number("400", built("R3D").fc.out_features),
    "f-r2d-output": lambda: statement(sizes("f-R2D")["layer4"] == (8, 7, 7), shown(sizes("f-R2D")["layer4"])),
    "r3d-output": r3d_output,
    "mixed-output": mixed_times,
    "rmc3-why": rmc3_stride,
    "rmc3-2d-after": lambda: as_stated(NETS[KEYS["rMC3"]][2:].count("2d"), bool, "2D groups from conv3 on: {}"),
    "rmc2-why": rmc2_reason,
    "length-outputs": lower_times,
    "layers-34": lambda: number("34", layers_of("R3D", 34)),
    "layers-68": lambda: number("68", layers_of("R(2+1)D", 34)),
    "same-size": lambda: same_size(18),
    "compact": lambda: same_size(34),
    "three-times": three_times,
    "mc-capacity": comparable_capacity,
    "middle-channels": blocks_parity,
    "conv1-parity": conv1_parity,
    "table2-params": parameter_column,
    "r2d-cheapest": cheapest_and_poorest,
    "rmc3-f-r2d": lambda: cheaper("rMC3", "f-R2D"),
    "rmc2-rmc3": lambda: cheaper("rMC3", "rMC2"),
    "same-cost": lambda: roughly(gflops("R(2+1)D"), gflops("R3D"), "G"),
    "length-params": same_parameters,
    "cost-32": ratio_32_to_8,
}
