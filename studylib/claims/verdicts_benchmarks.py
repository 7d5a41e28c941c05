"""Rules for the benchmarks (section 4.4, Tables 3 to 5): accuracies, two streams, pretraining.

Accuracies on Kinetics, Sports-1M, UCF101 and HMDB51 can be measured on these only: on other data such a claim cannot be
decided, whatever is run. That averaging two streams gains is said of networks, and is decided wherever both streams are
trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from studylib.claims import published
from studylib.claims.verdicts_evidence import Evidence, Net, Planned, require_comparable
from studylib.claims.verdicts_intervals import CLIP, VIDEO, Outcomes, both, contrast, outcomes
from studylib.claims.verdicts_parts import EQUAL, Part
from studylib.stats.estimates import OFFICIAL_SPLITS

RGB, FLOW, FUSED = "RGB", "Flow", "Two-Stream"  # as in the paper's tables
STREAMS = (RGB, FLOW, FUSED)
TWO_STREAMS = ("two_stream", "kinetics", "sports1m", "transfer")  # experiments that may have both
# Where the first weights come from, as Tables 4 and 5 name it -> the experiment of the run that gave them.
PRETRAINING = {"none": "", "Sports-1M": "sports1m", "Kinetics-400": "kinetics"}
SETS = {"ucf101": "UCF101", "hmdb51": "HMDB51"}  # first word of a dataset's name -> its name
OTHER_DATA = "an accuracy on {} is measured on that dataset, which this plan does not use"


def sports(evidence: Evidence) -> list[Part]:
    """Clip accuracy of R(2+1)D-34 and R3D-34 on RGB, video accuracy of both streams, at 32 frames, as in Table 3."""
    evidence.require_data(["sports1m"], OTHER_DATA.format("Sports-1M"))
    table = published.table("table3_sports1m").set_index("method")
    both_streams = table["video_top1"]["R(2+1)D-Two-Stream-32frame"]
    wanted = {"depth": 34, "clip_length": 32}
    ours = streams(evidence, "R(2+1)D-34 on Sports-1M", ["sports1m"], **wanted)
    other = evidence.net("R3D-34 on Sports-1M", ["sports1m"], net="r3d", **wanted)
    evidence.require()
    return [
        as_published("R(2+1)D-34 RGB", CLIP, outcomes(ours[RGB], CLIP), table["clip_top1"]["R(2+1)D-RGB-32frame"]),
        as_published("R3D-34 RGB", CLIP, outcomes(other, CLIP), table["clip_top1"]["R3D"]),
        as_published("R(2+1)D-34 two streams", VIDEO, scored(ours, VIDEO)[FUSED], both_streams),
    ]


def kinetics(evidence: Evidence) -> list[Part]:
    """Video accuracy of the six rows of R(2+1)D-34 in Table 4."""
    evidence.require_data(["kinetics400"], OTHER_DATA.format("Kinetics"))
    table = published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"]
    found = {}
    for start in ("none", "Sports-1M"):
        name, accept = f"R(2+1)D-34 on Kinetics, pretraining {start}", starts_from(evidence, start)
        found[start] = streams(evidence, name, ["kinetics"], accept, depth=34)
    evidence.require()
    return [
        as_published(f"{stream}, pretraining {start}", VIDEO, own, table[f"R(2+1)D-{stream}", start])
        for start, nets in found.items()
        for stream, own in scored(nets, VIDEO).items()
    ]


def transfer(evidence: Evidence) -> list[Part]:
    """Video accuracy, mean of the three splits, of the six rows of R(2+1)D-34 in Table 5, on both datasets."""
    evidence.require_data(["ucf101", "hmdb51"], OTHER_DATA.format("UCF101 or HMDB51"))
    table = published.table("table5_transfer").set_index(["method", "pretraining"])
    return [
        as_published(f"{stream} on {name} from {start}", VIDEO, own, table[family][f"R(2+1)D-{stream}", start])
        for (family, name, start), nets in transferred(evidence).items()
        for stream, own in scored(nets, VIDEO).items()
    ]


def pretraining(evidence: Evidence) -> list[Part]:
    """From Kinetics minus from Sports-1M, each stream and both, on UCF101 and on HMDB51."""
    why = "which of two datasets is the better one to start from is a property of these, which this plan does not use"
    evidence.require_data(["ucf101", "hmdb51"], why)
    found = transferred(evidence)
    parts = []
    for family, name in SETS.items():
        nets = [found[family, name, start] for start in ("Kinetics-400", "Sports-1M")]
        require_comparable([net for own in nets for net in own.values()], "modality")
        kinetics_first, sports_first = (scored(own, VIDEO) for own in nets)
        for stream in STREAMS:
            what = f"{stream} on {name} from Kinetics minus from Sports-1M, {VIDEO}"
            parts.append(contrast(what, [kinetics_first[stream]], [sports_first[stream]]))
    return parts


def fusion(evidence: Evidence) -> list[Part]:
    """Both streams averaged minus each alone, of every network of which the plan trains both.

    The fused scores are made of the same runs, seed by seed, so that the seeds are paired.
    """
    groups = {
        _but_the_stream(evidence, p): p for p in evidence.planned if _may_be_fused(p) and p.spec.modality == "flow"
    }
    if not groups:
        evidence.lacks("networks on RGB and on optical flow (the plan has no pair of them)")
    found: list[tuple[Net | None, Net | None]] = []
    for key, one in groups.items():
        name = f"{one.spec.experiment} on {one.spec.dataset}, {one.spec.clip_length} frames"
        if (start := evidence.start(one)) is not None:
            name += f", from {start.spec.experiment}"

        def same(planned: Planned, key: tuple = key) -> bool:
            return _but_the_stream(evidence, planned) == key

        own, wanted = [one.spec.experiment], {"net": one.spec.net, "depth": one.spec.depth}
        pair = [evidence.net(f"{name}, {m}", own, same, modality=m, **wanted) for m in ("rgb", "flow")]
        found.append((pair[0], pair[1]))
    evidence.require()
    parts = []
    for rgb, flow in found:
        fused = outcomes(both(rgb, flow), VIDEO)
        alone = [(net, outcomes(net, VIDEO)) for net in (rgb, flow)]
        parts += [contrast(f"both minus {net.name}, {VIDEO}", [fused.minus(own)]) for net, own in alone]
    return parts


def as_published(what: str, measure: str, own: Outcomes, value: float) -> Part:
    """A measured accuracy minus the published one, to be equal."""
    return contrast(f"{what}, {measure} minus the published {value:.1f}", [own], claimed=EQUAL, published=value)


def streams(
    evidence: Evidence,
    what: str,
    experiments: Sequence[str],
    accept: Callable[[Planned], bool] = lambda planned: True,
    splits: Sequence[int] = (),
    **wanted: object,
) -> dict[str, Net | None]:
    """R(2+1)D on RGB and on flow."""
    wanted |= {"net": "r2plus1d"}
    return {
        stream: evidence.net(f"{what}, {stream}", experiments, accept, splits, modality=modality, **wanted)
        for stream, modality in ((RGB, "rgb"), (FLOW, "flow"))
    }


def scored(nets: dict[str, Net], measure: str) -> dict[str, Outcomes]:
    """Outcomes of each stream and of both averaged."""
    alone = {stream: outcomes(net, measure) for stream, net in nets.items()}
    return alone | {FUSED: outcomes(both(nets[RGB], nets[FLOW]), measure)}


def starts_from(evidence: Evidence, start: str) -> Callable[[Planned], bool]:
    """Whether a run starts from scratch ("none"), or from weights that the named dataset's experiment trained."""

    def accept(planned: Planned) -> bool:
        if start == "none":
            return not planned.spec.init_from
        source = evidence.start(planned)
        return source is not None and source.spec.experiment == PRETRAINING[start]

    return accept


def transferred(evidence: Evidence) -> dict[tuple[str, str, str], dict[str, Net]]:
    """(family, dataset, pretraining) -> streams, of Table 5; all of them complete, on the three official splits."""
    found = {}
    for family, name in SETS.items():
        for start in ("Sports-1M", "Kinetics-400"):
            from_there = starts_from(evidence, start)

            def accept(planned: Planned, family: str = family, from_there: Callable = from_there) -> bool:
                return planned.spec.dataset_family == family and from_there(planned)

            what = f"R(2+1)D-34 on {name} from {start}"
            found[family, name, start] = streams(evidence, what, ["transfer"], accept, OFFICIAL_SPLITS, depth=34)
    evidence.require()
    return found


def _may_be_fused(planned: Planned) -> bool:
    return planned.spec.experiment in TWO_STREAMS and planned.spec.frame_order == "normal"


def _but_the_stream(evidence: Evidence, planned: Planned) -> tuple:
    """What two streams of one network have in common, over all seeds and splits: settings, and what they start from."""
    own = asdict(evidence.trained_as(planned))
    start = evidence.start(planned)
    kept = {name: value for name, value in own.items() if name not in ("seed", "split", "modality", "init_from")}
    return (*kept.values(), planned.spec.init_from != "", start and start.spec.experiment)
