"""The paper's claims that arithmetic on its own Table 2 decides."""

from collections.abc import Callable

from studylib.claims import published
from studylib.claims.audit import (
    CLOSE,
    HALF_UNIT,
    KINETICS_VALIDATION,
    Decision,
    at_least,
    compare,
    listed,
    number,
    span,
    statement,
    worst,
)
from studylib.stats.intervals import difference_margin

MC = ("MC2", "MC3", "MC4", "MC5")
RMC = ("rMC2", "rMC3", "rMC4", "rMC5")
FLAT = ("R2D", "f-R2D")
CLIP, VIDEO = "clip_top1", "video_top1"
TWO = 2 * HALF_UNIT  # a difference of two printed accuracies


def kinetics(measure: str) -> dict[str, float]:
    """Table 2: net -> clip or video accuracy."""
    return dict(published.table("table2_conv_types").set_index("net")[measure])


def gains(measure: str, ours: tuple[str, ...], over: tuple[str, ...]) -> list[float]:
    """Every difference in Table 2 between a net of `ours` and one of `over`."""
    accuracy = kinetics(measure)
    return [accuracy[a] - accuracy[b] for a in ours for b in over]


def both(ours: tuple[str, ...], over: tuple[str, ...]) -> str:
    """The ranges of `gains` by clip and by video accuracy."""
    parts = []
    for name, measure in (("clip", CLIP), ("video", VIDEO)):
        values = gains(measure, ours, over)
        low, high = f"{min(values):+.1f}", f"{max(values):+.1f}"
        parts.append(f"{name} {low}" if low == high else f"{name} {low} to {high}")
    return ", ".join(parts)


def chance(accuracy: float) -> float:
    """Points by which two nets of one true accuracy may differ on Kinetics validation, 95%."""
    return difference_margin(accuracy, accuracy, KINETICS_VALIDATION)


def beyond_chance(ours: tuple[str, ...], over: tuple[str, ...]) -> Decision:
    """Every gain, by both accuracies, is larger than the draw of the validation videos explains."""
    margin = max(chance(kinetics(m)[net]) for m in (CLIP, VIDEO) for net in ours)
    least = min(min(gains(m, ours, over)) for m in (CLIP, VIDEO))
    text = f"{both(ours, over)}; chance up to {margin:.2f}"
    return statement(least > margin, text, "for the draw of the videos only: one training of each net, no seeds")


def mc_over_2d() -> Decision:
    """mc-gain (section 1): clip@1 of MC2 to MC5 minus that of R2D and f-R2D, on average "roughly" 3 to 4 points."""
    each = {flat: gains(CLIP, MC, (flat,)) for flat in FLAT}
    others = "; ".join(f"over {flat} alone {min(v):.1f} to {max(v):.1f}" for flat, v in each.items())
    small, every = gains(CLIP, MC[:2], FLAT), gains(CLIP, MC, FLAT)
    mean = sum(every) / len(every)
    return statement(
        3 <= mean <= 4,
        f"mean {mean:.1f}, of {min(every):.1f} to {max(every):.1f}",
        f"clip accuracy, MC2-MC5 over both 2D nets; {others}; "
        f"MC2 and MC3, the two of about the size of the 2D nets, over both {min(small):.1f} to {max(small):.1f}",
    )


def mc_match_r3d() -> Decision:
    """mc-match-r3d (section 1): each of MC2 to MC5 is within `CLOSE` points of R3D, by both accuracies."""
    furthest = max(abs(gain) for m in (CLIP, VIDEO) for gain in gains(m, MC, ("R3D",)))
    below = sorted({net for m in (CLIP, VIDEO) for net in MC if gains(m, (net,), ("R3D",))[0] < -HALF_UNIT})
    return statement(
        at_least(CLOSE, furthest),
        both(MC, ("R3D",)),
        f"clip and video accuracy; below R3D in either: {', '.join(below) or 'none'}",
    )


def mc_over_rmc() -> Decision:
    """mc-over-rmc (section 4.2): MCx minus rMCx is on average above 0 and at most `CLOSE` points, by both."""
    means = {m: sum(gains(m, MC, RMC)) / len(MC) / len(RMC) for m in (CLIP, VIDEO)}
    pairs = {m: [gains(m, (a,), (b,))[0] for a, b in zip(MC, RMC, strict=True)] for m in (CLIP, VIDEO)}
    worse = [a for m in (CLIP, VIDEO) for a, gain in zip(MC, pairs[m], strict=True) if gain < -HALF_UNIT]
    true = all(0 < mean <= CLOSE for mean in means.values())
    return statement(
        true,
        f"means {means[CLIP]:+.2f} clip, {means[VIDEO]:+.2f} video",
        f"of the means; same x: clip {min(pairs[CLIP]):+.1f} to {max(pairs[CLIP]):+.1f}, video "
        f"{min(pairs[VIDEO]):+.1f} to {max(pairs[VIDEO]):+.1f}"
        + (f" ({', '.join(worse)} is below its rMC in one of them)" if worse else ""),
    )


def best_over_mixed() -> Decision:
    """over-mixed (section 4.2): clip@1 of R(2+1)D minus that of MC2 to MC5 and R3D, printed as 2 to 3.9 points."""
    with_reversed = gains(CLIP, ("R(2+1)D",), (*MC, "R3D", *RMC))
    return span(
        "2",
        "3.9",
        gains(CLIP, ("R(2+1)D",), (*MC, "R3D")),
        TWO,
        "clip accuracy over the nets named; with rMC2-rMC5, which the sentence does not name, "
        f"{min(with_reversed):.1f} to {max(with_reversed):.1f}",
    )


def figure3_gain() -> Decision:
    """figure3-gain (Figure 3): video@1 of R(2+1)D minus that of R3D, printed as 2.8 points."""
    video, clip = (gains(m, ("R(2+1)D",), ("R3D",))[0] for m in (VIDEO, CLIP))
    return number("2.8", video, TWO, reading=f"video accuracy, as in the text beside it; clip accuracy {clip:.1f}")


def quoted(pairs: dict[str, tuple[str, float]]) -> Decision:
    """Accuracies that the text repeats from a table, against the table."""
    outcomes = [compare(printed, value) for printed, value in pairs.values()]
    return Decision(listed({name: value for name, (_, value) in pairs.items()}), worst(outcomes))


def finetuned_gain() -> Decision:
    """finetune-gain (section 4.3): 56.8% less the gain of 4.4 points is R(2+1)D's clip@1 in Table 2."""
    base = 56.8 - 4.4
    in_table = kinetics(CLIP)["R(2+1)D"]
    return Decision(f"56.8 - 4.4 = {base:.1f}, Table 2 has {in_table:.1f}", compare(f"{base:.1f}", in_table, HALF_UNIT))


def nearly_scratch() -> Decision:
    """finetune-close (section 4.3): 56.8% fine-tuned is at most `CLOSE` points below 58.5% from scratch."""
    return statement(
        at_least(CLOSE, 58.5 - 56.8),
        f"behind by {58.5 - 56.8:.1f} clip@1",
        "both numbers are in the text only; no table has them",
    )


# The id of a claim in evidence/claims.csv -> what decides it.
DECISIONS: dict[str, Callable[[], Decision]] = {
    "factorising-helps": lambda: beyond_chance(("R(2+1)D",), ("R3D",)),
    "3d-over-2d": lambda: beyond_chance(("R3D",), FLAT),
    "mc-gain": mc_over_2d,
    "mc-match-r3d": mc_match_r3d,
    "gap-2d": lambda: span("1.7", "5", gains(CLIP, (*MC, *RMC, "R3D"), FLAT), TWO, "clip accuracy, R2D and f-R2D"),
    "temporal-over-2d": lambda: statement(
        min(min(gains(m, (*MC, *RMC, "R3D"), FLAT)) for m in (CLIP, VIDEO)) > 0, both((*MC, *RMC, "R3D"), FLAT)
    ),
    "best-of-twelve": lambda: statement(
        all(max(kinetics(m), key=kinetics(m).get) == "R(2+1)D" for m in (CLIP, VIDEO)),
        both(("R(2+1)D",), (*FLAT, *MC, *RMC, "R3D")),
    ),
    "clearly-best": lambda: beyond_chance(("R(2+1)D",), (*FLAT, *MC, *RMC, "R3D")),
    "over-mixed": best_over_mixed,
    "over-2d": lambda: span(
        "5.6",
        "7",
        gains(CLIP, ("R(2+1)D",), FLAT),
        TWO,
        f"clip accuracy; video accuracy {both(('R(2+1)D',), FLAT).split('video ')[1]}",
    ),
    "mc-over-rmc": mc_over_rmc,
    "quoted-video": lambda: quoted({n: (p, kinetics(VIDEO)[n]) for n, p in (("R(2+1)D", "63.9"), ("R3D", "61.2"))}),
    "figure3-gain": figure3_gain,
    "figure3-best": lambda: statement(
        max(kinetics(VIDEO), key=kinetics(VIDEO).get) == "R(2+1)D", f"{max(kinetics(VIDEO).values()):.1f}"
    ),
    "finetune-gain": finetuned_gain,
    "finetune-close": nearly_scratch,
}
