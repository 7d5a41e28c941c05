"""The runs of a plan that stand for a row of the paper's Tables 3 to 5 (section 4.4).

A row is found by what its runs are, never by their names, as the rules of the claims find them
(`verdicts_benchmarks`); only the sizes are the plan's own: the depth, and for "8-frame" and "32-frame" the shortest and
the longest clip that it trains. The row of two streams is computed from the recorded scores of both.
"""

from dataclasses import dataclass, replace

from studylib.claims import published
from studylib.claims.recorded import Recorded, averaged, network
from studylib.claims.verdicts_benchmarks import FLOW, FUSED, RGB, SETS, STREAMS, starts_from
from studylib.claims.verdicts_evidence import ANY, Evidence, Planned, printed

SHORTEST, LONGEST = "shortest", "longest"


@dataclass(frozen=True)
class Row:
    """What a run has to be to stand for a row."""

    experiment: str
    stream: str  # RGB, FLOW or FUSED
    net: str = "r2plus1d"
    length: str = ""  # SHORTEST or LONGEST of the plan's networks, "" for whatever it trains
    start: str = "none"  # what it is fine-tuned from, a key of `verdicts_benchmarks.PRETRAINING`
    target: str = ""  # of Table 5: "ucf101" or "hmdb51"


# The paper's own rows: key of its table -> which runs. It prints no length for the R3D of Table 3; the rule of that
# claim takes the one of the R(2+1)D that the text holds beside it.
TABLE3 = {"R3D": Row("sports1m", RGB, net="r3d", length=LONGEST)} | {
    f"R(2+1)D-{stream}-{frames}frame": Row("sports1m", stream, length=length)
    for frames, length in ((8, SHORTEST), (32, LONGEST))
    for stream in STREAMS
}
TABLE4 = {
    (f"R(2+1)D-{stream}", start): Row("kinetics", stream, start=start)
    for start in ("none", "Sports-1M")
    for stream in STREAMS
}
TABLE5 = {
    (f"R(2+1)D-{stream}", start, target): Row("transfer", stream, start=start, target=target)
    for start in ("Sports-1M", "Kinetics-400")
    for stream in STREAMS
    for target in SETS
}


def find(evidence: Evidence, row: Row) -> Recorded:
    """What a plan has for a row; without runs where it has nothing.

    Raises:
        Undecidable: several networks stand for it, or two runs of the same seed and split.
    """
    if row.stream == FUSED:
        rgb, flow = (find(evidence, replace(row, stream=stream)) for stream in (RGB, FLOW))
        return averaged(f"{row}", rgb, flow)
    from_there = starts_from(evidence, row.start)

    def accept(planned: Planned) -> bool:
        return planned.spec.net == row.net and from_there(planned)

    wanted: dict[str, object] = {"net": row.net, "depth": ANY, "modality": {RGB: "rgb", FLOW: "flow"}[row.stream]}
    if row.length:
        own = [p.spec.clip_length for p in evidence.planned if p.spec.experiment == row.experiment and accept(p)]
        wanted["clip_length"] = {SHORTEST: min, LONGEST: max}[row.length](own, default=0)
    if row.target:
        wanted["dataset"] = targets(evidence).get(row.target, "")
    return network(evidence, f"{row}", [row.experiment], accept, **wanted)


def targets(evidence: Evidence) -> dict[str, str]:
    """ "ucf101" and "hmdb51" -> the dataset of the plan that is it, or else plays it: of two others UCF101, the larger,
    is the one whose epochs have more clips, as in VMZ's settings of the two."""
    tuned = [p.spec for p in evidence.planned if p.spec.experiment == "transfer" and p.spec.init_from]
    if own := {spec.dataset_family: spec.dataset for spec in tuned if spec.dataset_family in SETS}:
        return own
    sizes = {spec.dataset: spec.clips_per_epoch for spec in tuned}
    return dict(zip(SETS, sorted(sizes, key=sizes.get, reverse=True), strict=False))


def as_played(dataset: str, name: str) -> str:
    """ "pantomime-mini as UCF101", or the dataset alone where it is that."""
    return f"{dataset} as {name}" if dataset.startswith("pantomime") else dataset


def net_and_clip(own: Recorded) -> str:
    """ "R(2+1)D-18, 16 frames"; "" where nothing is planned."""
    if not own.planned:
        return ""
    spec = own.planned[0].spec
    return f"{printed(spec.net, spec.depth)}, {spec.clip_length} frames"


def printed_video_top1() -> dict[Row, float]:
    """Video@1 that the paper prints of its own rows, percent; NaN where it prints none."""
    sports = published.table("table3_sports1m").set_index("method")["video_top1"]
    kinetics = published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"]
    transfer = published.table("table5_transfer").set_index(["method", "pretraining"])
    values = {row: sports[method] for method, row in TABLE3.items()}
    values |= {row: kinetics[key] for key, row in TABLE4.items()}
    return values | {row: transfer[row.target][key[:2]] for key, row in TABLE5.items()}
