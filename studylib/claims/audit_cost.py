"""The paper's claims on the size and the cost of its networks, decided by counting them."""

from collections.abc import Callable
from functools import cache

from torch import nn

from studylib.claims import published
from studylib.claims.audit import HOLDS, SAME, Decision, compare, listed, number, statement, worst
from studylib.claims.audit_networks import CLIP_LENGTHS, KEYS, built
from studylib.claims.audit_table2 import CLIP, MC, VIDEO, kinetics
from studylib.nets.build import TEMPORAL_EXTENT, BasicBlock, middle_channels
from studylib.nets.complexity import Complexity, count_by_name
from studylib.nets.table import PAPER_NAMES


@cache
def counted(net: str, depth: int = 18, clip_length: int = 8) -> Complexity:
    """Counts of a net by its name in the paper."""
    return count_by_name(KEYS[net], depth, clip_length=clip_length)


def flops(net: str, clip_length: int = 8) -> float:
    """Billions of multiply-adds of a clip."""
    return counted(net, clip_length=clip_length).flops / 1e9


def roughly(values: tuple[float, float], unit: str) -> Decision:
    """Whether two counts, in millions (M) or billions (G), are the same within `SAME`."""
    ratio = values[0] / values[1]
    return statement(abs(ratio - 1) <= SAME, f"{values[0]:.3f} against {values[1]:.3f} {unit}, ratio {ratio:.4f}")


def blocks_parity() -> Decision:
    """Every (2+1)D convolution of the residual blocks, both depths, against the full 3D one it stands for."""
    ratios = []
    for depth in (18, 34):
        for block in built("R(2+1)D", depth).modules():
            if isinstance(block, BasicBlock):
                for spatial, _, _, temporal in (block.conv1[0], block.conv2[0]):
                    full = TEMPORAL_EXTENT * 9 * spatial.in_channels * temporal.out_channels
                    ratios.append((spatial.weight.numel() + temporal.weight.numel()) / full)
    return statement(
        min(ratios) >= 1 - SAME and max(ratios) <= 1 + SAME,
        f"{min(ratios):.4f} to {max(ratios):.4f} of the 3D convolution's weights",
        "convolutions of the residual blocks; conv1 is a claim of its own",
    )


def stem_weights(net: str) -> int:
    """Weights of the convolutions of conv1."""
    return sum(m.weight.numel() for m in built(net).stem if isinstance(m, nn.Conv3d))


def conv1_parity() -> Decision:
    """conv1-parity (appendix): conv1 of R(2+1)D, with 45 middle filters, has R3D's weights within `SAME`."""
    ours, theirs = stem_weights("R(2+1)D"), stem_weights("R3D")
    m = middle_channels(3, 64, d=7)
    return statement(
        abs(ours / theirs - 1) <= SAME,
        f"{ours:,} against {theirs:,} weights",
        f"with the {m} filters of section 3.5 it would have {m * (3 * 49 + 64 * TEMPORAL_EXTENT):,}",
    )


def parameter_column() -> Decision:
    """table2-params (Table 2): millions of convolution and FC weights, each net equal to the printed digit."""
    printed = published.table("table2_conv_types").set_index("net")["params_millions"]
    ours = {net: counted(net).weights / 1e6 for net in printed.index}
    wrong = {net: value for net, value in ours.items() if compare(f"{printed[net]:.1f}", value) != HOLDS}
    with_bn = [net for net in printed.index if compare(f"{printed[net]:.1f}", counted(net).params / 1e6) != HOLDS]
    text = f"{len(ours) - len(wrong)} of {len(ours)} equal"
    if wrong:
        text += "; " + ", ".join(f"{net} {value:.3f} against {printed[net]:.1f}" for net, value in wrong.items())
    return statement(
        not wrong, text, "without batch normalisation; with it, not equal: " + (", ".join(with_bn) or "none")
    )


def three_times() -> Decision:
    """three-times (section 1): R3D has 3 times the parameters of each of MC2 to MC5, to the printed digit."""
    ratios = {net: counted("R3D").weights / counted(net).weights for net in MC}
    good = [net for net, ratio in ratios.items() if compare("3", ratio) == HOLDS]
    return Decision(
        listed(ratios, "{:.2f}"),
        worst(compare("3", r) for r in ratios.values()),
        f"all four MC nets; it holds for {', '.join(good) or 'none'}",
    )


def comparable_capacity() -> Decision:
    """mc-capacity (section 1): each of MC2 to MC5 has f-R2D's parameters within `SAME`."""
    ratios = {net: counted(net).weights / counted("f-R2D").weights for net in MC}
    good = [net for net, ratio in ratios.items() if abs(ratio - 1) <= SAME]
    return statement(
        len(good) == len(MC),
        listed(ratios, "{:.2f}"),
        f"of f-R2D's parameters; it holds for {', '.join(good) or 'none'}",
    )


def cheapest_and_poorest() -> Decision:
    """r2d-cheapest (section 4.2): R2D costs least of the twelve and has the lowest clip@1 and video@1 of Table 2."""
    costs = {net: flops(net) for net in PAPER_NAMES.values()}
    cheapest = min(costs, key=costs.get)
    poorest = [min(kinetics(m), key=kinetics(m).get) for m in (CLIP, VIDEO)]
    return statement(
        {cheapest, *poorest} == {"R2D"},
        f"cheapest {cheapest} ({costs[cheapest]:.2f} G), poorest {poorest[0]} (clip), {poorest[1]} (video)",
    )


def cheaper(net: str, other: str) -> Decision:
    """Section 4.2: a clip of 8 frames takes the one net fewer multiply-adds than the other."""
    return statement(flops(net) < flops(other), f"{net} {flops(net):.1f} G, {other} {flops(other):.1f} G")


def ratio_32_to_8() -> Decision:
    """cost-32 (section 4.3): multiply-adds of R(2+1)D-18 at 32 frames over those at 8, printed as 7.3."""
    ratio = flops("R(2+1)D", 32) / flops("R(2+1)D", 8)
    return number("7.3", ratio, reading=f"{flops('R(2+1)D', 32):.2f} G against {flops('R(2+1)D'):.2f} G")


def same_parameters() -> Decision:
    """length-params (section 4.3): R(2+1)D-18 has the same parameters at each clip length of Figure 5."""
    params = {f"{length}": counted("R(2+1)D", 18, length).params for length in CLIP_LENGTHS}
    return statement(len(set(params.values())) == 1, f"{sorted(set(params.values()))[0]:,} at every length")


# The id of a claim in evidence/claims.csv -> what decides it.
DECISIONS: dict[str, Callable[[], Decision]] = {
    "same-size": lambda: roughly(tuple(counted(n).weights / 1e6 for n in ("R(2+1)D", "R3D")), "M"),
    "three-times": three_times,
    "mc-capacity": comparable_capacity,
    "compact": lambda: roughly(tuple(counted(n, 34).weights / 1e6 for n in ("R(2+1)D", "R3D")), "M"),
    "middle-channels": blocks_parity,
    "conv1-parity": conv1_parity,
    "table2-params": parameter_column,
    "r2d-cheapest": cheapest_and_poorest,
    "rmc3-f-r2d": lambda: cheaper("rMC3", "f-R2D"),
    "rmc2-rmc3": lambda: cheaper("rMC3", "rMC2"),
    "same-cost": lambda: roughly((flops("R(2+1)D"), flops("R3D")), "G"),
    "length-params": same_parameters,
    "cost-32": ratio_32_to_8,
}
