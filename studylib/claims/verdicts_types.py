"""Rules for the types of convolution: Table 2, what its differences come from, and the role of motion (section 4.2).

Where the paper gives differences in clip accuracy, so do these. The size of a difference is no part of a claim, only
its side: how many points two networks are apart depends on the data.
"""

import re
from collections.abc import Sequence

from studylib.claims.published import MOST
from studylib.claims.verdicts_evidence import Evidence, Net, printed, require_comparable, require_same_weights
from studylib.claims.verdicts_intervals import CLIP, Outcomes, contrast, outcomes
from studylib.claims.verdicts_parts import ABOVE, EQUAL, Part, Verdict, combine
from studylib.nets.table import NETS

FLAT = ("r2d", "f_r2d")
MC, RMC = ("mc2", "mc3", "mc4", "mc5"), ("rmc2", "rmc3", "rmc4", "rmc5")
OVER_TIME = ("r3d", *MC, *RMC)  # "R3D or mixed convolutional models", the nets of the first finding of section 4.2
# Which nets a claim compares, the first minus the second. With 1, 2, 3 and 4 groups over time: MC(k + 1) has them in
# its first k groups, rMC(6 - k) in its last k.
OVER_FLAT = tuple((net, flat) for net in OVER_TIME for flat in FLAT)
BEST = tuple(("r2plus1d", other) for other in NETS if other != "r2plus1d")
MIXED_AS_3D = tuple((net, "r3d") for net in MC)
EARLY_OVER_LATE = tuple(zip(MC, reversed(RMC), strict=True))
MOTIONLESS = ("shuffled", "frozen")


def over_flat(evidence: Evidence) -> Verdict:
    """Each of R3D, MCx, rMCx against each of R2D, f-R2D."""
    clip = table2(evidence, (*OVER_TIME, *FLAT))
    return beside_mc2([against(clip, *pair) for pair in OVER_FLAT])


def best(evidence: Evidence) -> list[Part]:
    """R(2+1)D against each of the eleven others; that all eleven intervals must lie on one side needs no correction."""
    clip = table2(evidence, tuple(NETS))
    return [against(clip, *pair) for pair in BEST]


def mixed_as_3d(evidence: Evidence) -> Verdict:
    """Each MCx against R3D, equal."""
    clip = table2(evidence, (*MC, "r3d"))
    return beside_mc2([against(clip, *pair, EQUAL) for pair in MIXED_AS_3D])


def mixed_over_reversed(evidence: Evidence) -> Verdict:
    """The mean of the four MCx against the mean of the four rMCx."""
    clip = table2(evidence, (*MC, *RMC))
    whole, rest = (
        contrast(
            f"mean of {nets[0].upper()} to MC5 minus mean of rMC2 to rMC5, {CLIP}",
            *([clip[n] for n in side] for side in (nets, RMC)),
        )
        for nets in (MC, MC[1:])
    )
    return beside_mc2([whole], [rest])


def early_over_late(evidence: Evidence) -> Verdict:
    """With 1, 2, 3 and 4 groups that convolve over time, each: the first ones against the last ones.

    The sum of these differences is that of MCx and rMCx with the same x; here every single one has to be there.
    """
    clip = table2(evidence, (*MC, *RMC))
    return beside_mc2([against(clip, *pair) for pair in EARLY_OVER_LATE])


def nonlinearity(evidence: Evidence) -> list[Part]:
    """R(2+1)D is better than R3D, and better than itself without the ReLU between its two convolutions.

    R3D with added ReLUs decides nothing: the paper's ReLUs are those that factorising makes room for.
    """
    whole, full = (evidence.net(printed(net), ["mechanism", "conv_types"], net=net) for net in ("r2plus1d", "r3d"))
    without = evidence.net("R(2+1)D-18 without inner ReLU", ["mechanism"], net="r2plus1d_no_inner_relu")
    evidence.require()
    require_comparable([whole, full, without])
    own = outcomes(whole, CLIP)
    return [
        contrast(f"{whole.name} minus {other.name}, {CLIP}", [own], [outcomes(other, CLIP)])
        for other in (full, without)
    ]


def beside_mc2(parts: Sequence[Part], without: Sequence[Part] = ()) -> Verdict:
    """All parts, and what those without MC2 would say, which convolves over time in conv1 only.

    Args:
        without: the parts that the claim has then; those that do not name MC2 by default.
    """
    rest = without or [part for part in parts if not re.search(r"\bMC2\b", part.what)]
    aside = f"Without MC2, which convolves over time in conv1 only: {combine(rest)}"
    aside += f" ({rest[0]})." if len(rest) == 1 else f", of {len(rest)} parts."
    return Verdict(combine(parts), tuple(parts), aside=aside)


def motion(evidence: Evidence) -> Verdict:
    """Networks over time are ahead of f-R2D, and more than `MOST` of that gap goes where the frames do not move.

    The trained networks are tested as they are, on shuffled and on frozen frames: R3D, and whichever other nets over
    time the plan tests so. With gap the accuracy minus f-R2D's, MOST x gap(frames in order) - gap(other order) is above
    0: the lead is less than half of what it was. f-R2D's own loss from a frozen frame is taken off by that. What this
    cannot tell: a network may also lose because it never saw such frames.
    """
    planned = {p.spec.net for p in evidence.planned if p.spec.frame_order in MOTIONLESS}
    nets = ["r3d", *[net for net in NETS if net in planned and net not in ("r3d", *FLAT)]]
    normal, moved = {}, {}
    for net in ("f_r2d", *nets):
        normal[net] = evidence.net(printed(net), ["cues", "conv_types"], net=net)
        for order in MOTIONLESS:
            what = f"{printed(net)} on {order} frames"
            moved[net, order] = evidence.net(what, ["cues"], net=net, frame_order=order)
    evidence.require()
    require_comparable([*normal.values(), *moved.values()], "frame_order")
    clip = {net: outcomes(own, CLIP) for net, own in normal.items()}
    left: dict[tuple[str, str], Outcomes] = {}
    for (net, order), own in moved.items():
        require_same_weights(normal[net], own)
        require_same_weights(moved[net, MOTIONLESS[0]], own)
        left[net, order] = outcomes(own, CLIP).minus(clip[net], MOST)
    parts, alone = [], []
    for net in nets:
        own = [against(clip, net, "f_r2d")]
        for order in MOTIONLESS:
            what = f"{MOST:.0%} of the lead of {printed(net)} over f-R2D minus what is left on {order} frames, {CLIP}"
            own.append(contrast(what, [left["f_r2d", order]], [left[net, order]]))
        parts += own
        alone.append(f"{printed(net)} {combine(own)}")
    return Verdict(combine(parts), tuple(parts), aside=f"Each network alone: {', '.join(alone)}.")


def table2(evidence: Evidence, nets: Sequence[str]) -> dict[str, Outcomes]:
    """Clip accuracy of these nets of Table 2, trained and tested alike."""
    found: dict[str, Net | None] = {net: evidence.net(printed(net), ["conv_types"], net=net) for net in nets}
    evidence.require()
    require_comparable(list(found.values()))
    return {net: outcomes(own, CLIP) for net, own in found.items()}


def against(clip: dict[str, Outcomes], first: str, second: str, claimed: tuple[float, float] = ABOVE) -> Part:
    """One net minus another, of 18 layers."""
    return contrast(f"{printed(first)} minus {printed(second)}, {CLIP}", [clip[first]], [clip[second]], claimed)
