"""The paper's claims on the structure, the size and the cost of its networks, decided by building and counting them."""

from collections.abc import Callable, Iterable
from functools import cache

import torch
from torch import nn

from studylib.claims import published
from studylib.claims.audit import (
    CLIP,
    HOLDS,
    MC,
    RMC,
    VIDEO,
    Decision,
    compare,
    kinetics,
    listed,
    number,
    statement,
    worst,
)
from studylib.claims.published import SAME
from studylib.nets.build import TEMPORAL_EXTENT, BasicBlock, VideoResNet, block_stride, build_net, middle_channels
from studylib.nets.complexity import Complexity, count_by_name, count_relus, output_sizes
from studylib.nets.table import NETS, PAPER_NAMES

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


# Structure.


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


def collapse() -> Decision:
    """One frame is left after conv1 of R2D."""
    frames = sizes("R2D")["stem"][0]
    return statement(frames == 1, f"temporal size after conv1: {frames}")


def collapse_in_block() -> Decision:
    """More than one frame is left after conv1 of R2D, for the first block to remove."""
    frames = sizes("R2D")["stem"][0]
    return statement(frames > 1, f"temporal size before it: {frames}")


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


def rmc3_later_2d() -> Decision:
    """rMC3 has 2D groups from conv3 on, for its stride to make cheaper."""
    flat = NETS[KEYS["rMC3"]][2:].count("2d")
    return statement(flat > 0, f"2D groups from conv3 on: {flat}")


def rmc2_reason() -> Decision:
    """rMC2 does not stride in time at conv3_1."""
    stride, kinds = time_stride("rMC2"), NETS[KEYS["rMC2"]]
    return statement(stride == 1, f"rMC2 strides by {stride} in time at conv3_1; its group 2 is {kinds[1]}")


# Size and cost.


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
    "relu-doubled": doubled_relus,
    "r2d-collapse": collapse,
    "r2d-collapse-block": collapse_in_block,
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
    "rmc3-2d-after": rmc3_later_2d,
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
