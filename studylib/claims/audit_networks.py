"""The paper's claims on its networks and their cost, decided by building and counting them."""

from collections.abc import Callable

import torch
from torch import nn

from studylib.claims import published
from studylib.claims.audit import Decision, compare, listed, number, statement, worst
from studylib.claims.audit_table2 import MC, RMC
from studylib.nets.build import TEMPORAL_EXTENT, VideoResNet, block_stride, build_net, middle_channels
from studylib.nets.complexity import count_relus, output_sizes
from studylib.nets.table import NETS, PAPER_NAMES

KEYS = {printed: key for key, printed in PAPER_NAMES.items()}
GROUPS = ("stem", "layer1", "layer2", "layer3", "layer4")  # conv1, conv2_x .. conv5_x of Table 1
CLIP_LENGTHS = (8, 16, 24, 32, 40, 48)  # Figure 5


def built(net: str, depth: int = 18, clip_length: int = 8) -> VideoResNet:
    """A net by its name in the paper, without memory."""
    with torch.device("meta"):
        return build_net(KEYS[net], depth, clip_length=clip_length)


def sizes(net: str, depth: int = 18, clip_length: int = 8) -> dict[str, tuple[int, int, int]]:
    """Group -> (T, H, W) of its output for a clip of 112 x 112."""
    outputs = output_sizes(built(net, depth, clip_length), (3, clip_length, 112, 112))
    return {group: outputs[group][1:] for group in GROUPS}


def last_time(net: str, clip_length: int = 8) -> int:
    """Temporal size of the last convolution's output."""
    return sizes(net, clip_length=clip_length)["layer4"][0]


def relus(net: str, depth: int) -> int:
    """How often a ReLU is applied to a clip."""
    return count_relus(built(net, depth), (3, 8, 112, 112))


def convolutions(net: str, depth: int) -> int:
    """Convolutions of a net without the projection shortcuts, as depths of residual networks are counted."""
    names = [name for name, m in built(net, depth).named_modules() if isinstance(m, nn.Conv3d)]
    return sum("downsample" not in name for name in names)


def table1_sizes() -> Decision:
    """table1-sizes (Table 1): (T, H, W) after each group of R3D, of a clip of 8 x 112 x 112, at both depths."""
    both = {depth: list(sizes("R3D", depth).values()) for depth in (18, 34)}
    printed = [(8, 56, 56), (8, 56, 56), (4, 28, 28), (2, 14, 14), (1, 7, 7)]
    text = ", ".join("x".join(map(str, size)) for size in both[18])
    return statement(all(own == printed for own in both.values()), text, "18 and 34 layers alike")


def mixed_times() -> Decision:
    """mixed-output (section 4.1): the last convolutions of MCx and rMCx give more than one temporal size."""
    times = {net: last_time(net) for net in (*MC, *RMC)}
    return statement(
        len(set(times.values())) > 1, listed(times, "{}"), "temporal size of the last convolution, clips of 8"
    )


def doubled_relus() -> Decision:
    """relu-doubled (sections 1 and 3.5): R(2+1)D applies twice as many ReLUs as R3D, at both depths."""
    pairs = {depth: (relus("R(2+1)D", depth), relus("R3D", depth)) for depth in (18, 34)}
    text = "; ".join(f"{depth} layers: {ours} against {theirs}" for depth, (ours, theirs) in pairs.items())
    return statement(all(ours == 2 * theirs for ours, theirs in pairs.values()), text)


def formula_at_conv1() -> Decision:
    """middle-conv1 (section 3.5, appendix): conv1 of R(2+1)D has as many middle filters as the formula gives."""
    in_net = built("R(2+1)D").stem[0].out_channels
    formula = middle_channels(3, 64, d=7)
    return statement(in_net == formula, f"formula {formula}, network {in_net}")


def conv1_filters() -> Decision:
    """conv1-filters (appendix): conv1 of R(2+1)D has 45 spatial filters of 1x7x7, 64 temporal ones of 45x3."""
    spatial, temporal = (m.weight.shape for m in built("R(2+1)D").stem if isinstance(m, nn.Conv3d))
    text = f"{spatial[0]} of {'x'.join(map(str, spatial[2:]))}, {temporal[0]} of {temporal[1]}x{temporal[2]}"
    return statement(text == "45 of 1x7x7, 64 of 45x3", text)


def time_stride(net: str, group: str) -> int:
    """Temporal stride of the first block of a group (section 4.1); conv3_1 is that of layer2."""
    kind = NETS[KEYS[net]][GROUPS.index(group)]
    return block_stride(kind, downsample=True)[0]


def rmc3_stride() -> Decision:
    """rmc3-why (section 4.2): rMC3 strides in time at conv3_1 and f-R2D does not."""
    strides = {net: time_stride(net, "layer2") for net in ("rMC3", "f-R2D")}
    return statement(
        strides["rMC3"] > 1 and strides["f-R2D"] == 1, f"temporal stride at conv3_1: {listed(strides, '{}')}"
    )


def rmc3_later_2d() -> Decision:
    """rmc3-2d-after (section 4.2): rMC3 has 2D groups from conv3 on, for its stride to make cheaper."""
    flat = NETS[KEYS["rMC3"]][GROUPS.index("layer2") :].count("2d")
    return statement(
        flat > 0,
        f"2D groups from conv3 on: {flat}",
        "from conv3 on its convolutions are over time, and those are what gets cheaper",
    )


def rmc2_reason() -> Decision:
    """rmc2-why (section 4.2): rMC2 does not stride in time at conv3_1."""
    stride, kinds = time_stride("rMC2", "layer2"), NETS[KEYS["rMC2"]]
    return statement(
        stride == 1,
        f"rMC2 strides by {stride} in time at conv3_1; its group 2 is {kinds[1]}",
        "by the naming of section 3.4, and by the parameters and the cost of rMC2; it costs more for its 3D group 2",
    )


def layers_of(net: str, depth: int) -> int:
    """Depth as the paper counts it: convolutions without those of shortcuts, and the FC layer."""
    return convolutions(net, depth) + 1  # the FC layer


def counted_68() -> Decision:
    """layers-68 (section 4.4): depth of R(2+1)D-34 with each (2+1)D convolution as two layers."""
    factorised = layers_of("R(2+1)D", 34)
    return number("68", factorised, reading="twice 34 counts the FC layer twice, which is not decomposed")


def collapse() -> Decision:
    """r2d-collapse (section 3.1): one frame is left after conv1 of R2D."""
    return statement(
        last_group_time("R2D", "stem") == 1, f"temporal size after conv1: {last_group_time('R2D', 'stem')}"
    )


def last_group_time(net: str, group: str) -> int:
    """Temporal size of a group's output, of a clip of 8 frames."""
    return sizes(net)[group][0]


def t_below_length() -> Decision:
    """t-below-l (section 3.3): filters reach over t = 3 frames, fewer than the L = 8 of a clip."""
    net = built("R3D")
    over_time = {name: m for name, m in net.named_modules() if isinstance(m, nn.Conv3d) and m.kernel_size[0] > 1}
    outputs = output_sizes(net, (3, 8, 112, 112))
    # padded by t // 2, a convolution takes in its stride times as many frames as it gives out
    frames = [outputs[name][1] * m.stride[0] for name, m in over_time.items()]
    short = sum(size < TEMPORAL_EXTENT for size in frames)
    return statement(
        TEMPORAL_EXTENT < 8,
        f"t = {TEMPORAL_EXTENT}, L = 8",
        f"of the clip; {short} of R3D-18's {len(frames)} convolutions over time see fewer than t frames, "
        f"and {frames.count(1)} of them a single one, where the outer weights meet padding only",
    )


def right_column() -> Decision:
    """right-column (section 4.4): Table 2 has nets of 34 layers."""
    depths = sorted(set(published.table("table2_conv_types")["depth"]))
    return statement(34 in depths, f"depths in Table 2: {', '.join(map(str, depths))}", "Table 1 is meant: it has both")


def lower_times() -> Decision:
    """length-outputs (section 4.3): the last convolution of R(2+1)D has another temporal size at each clip length."""
    times = {f"L={length}": last_time("R(2+1)D", length) for length in CLIP_LENGTHS}
    return statement(len(set(times.values())) == len(times), listed(times, "{}"))


# The id of a claim in evidence/claims.csv -> what decides it.
DECISIONS: dict[str, Callable[[], Decision]] = {
    "relu-doubled": doubled_relus,
    "r2d-collapse": collapse,
    "r2d-collapse-block": lambda: statement(
        last_group_time("R2D", "stem") > 1,
        f"temporal size before it: {last_group_time('R2D', 'stem')}",
        "section 3.1 has it right: conv1 does",
    ),
    "t-below-l": t_below_length,
    "mc1": lambda: statement(NETS["f_r2d"] == ("2d",) * 5, "f-R2D: " + " ".join(NETS["f_r2d"])),
    "middle-conv1": formula_at_conv1,
    "conv1-filters": conv1_filters,
    "table1-sizes": table1_sizes,
    "depths": lambda: Decision(
        f"{layers_of('R3D', 18)}, {layers_of('R3D', 34)}",
        worst((compare("18", layers_of("R3D", 18)), compare("34", layers_of("R3D", 34)))),
        "convolutions without shortcuts, and the FC layer",
    ),
    "features": lambda: number("512", built("R3D").fc.in_features),
    "classes": lambda: number("400", built("R3D").fc.out_features),
    "f-r2d-output": lambda: statement(
        sizes("f-R2D")["layer4"] == (8, 7, 7), "x".join(map(str, sizes("f-R2D")["layer4"]))
    ),
    "r3d-output": lambda: statement(
        {sizes(n)["layer4"] for n in ("R3D", "R(2+1)D")} == {(1, 7, 7)},
        "x".join(map(str, sizes("R(2+1)D")["layer4"])),
    ),
    "mixed-output": mixed_times,
    "rmc3-why": rmc3_stride,
    "rmc3-2d-after": rmc3_later_2d,
    "rmc2-why": rmc2_reason,
    "length-outputs": lower_times,
    "right-column": right_column,
    "layers-34": lambda: number("34", layers_of("R3D", 34), reading="a (2+1)D convolution as one layer"),
    "layers-68": counted_68,
}
