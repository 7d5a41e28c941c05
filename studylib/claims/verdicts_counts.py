"""Rules for claims that no accuracy decides: the filters of conv1, sizes of datasets, and what is not run at all."""

from collections.abc import Callable

import numpy as np

from studylib.claims.published import LARGEST_WEIGHT, SAME, WITHIN
from studylib.claims.verdicts_evidence import Evidence, Net, Undecidable, printed
from studylib.claims.verdicts_parts import INCONCLUSIVE, REPRODUCED, Part, Verdict, combine, exact
from studylib.training.run_files import CONV1, read_conv1

FILTER_EXPERIMENTS = ("filters", "conv_types")  # whose runs keep them
# First word of a dataset's name -> its name, videos and classes as printed in section 4.4.
PRINTED_SIZES = {
    "sports1m": ("Sports-1M", 1_100_000, 487),
    "kinetics400": ("Kinetics", 300_000, 400),
    "ucf101": ("UCF101", 13_000, 101),
    "hmdb51": ("HMDB51", 6_000, 51),
}


def filters(evidence: Evidence) -> list[Part]:
    """Of each seed's R(2+1)D-18, the share of conv1's spatial and temporal weights that are within Figure 6's scale.

    That temporal filters show structure is no part of it: the paper says it of a picture, and a measure (such as how
    much of their energy does not change over time) departs from that of random filters as soon as anything is learnt.
    """
    why = "the size of weights follows from the data and from the width, and this plan is not on Kinetics"
    evidence.require_data(["kinetics400"], why)
    net = evidence.net(printed("r2plus1d"), FILTER_EXPERIMENTS, net="r2plus1d")
    evidence.require()
    shares = _shares_within(evidence, net)
    evidence.require()
    what = f"weights of {net.name} within {LARGEST_WEIGHT}, share,"
    return [
        exact(f"{kind} {what} seed {seed}", share, (WITHIN - 1e-9, 2), digits=4)
        for (seed, kind), share in shares.items()
    ]


def sizes(evidence: Evidence) -> Verdict:
    """Videos and classes of the indexes that complete runs were made on, the largest of each dataset.

    Classes are equal, videos within `SAME` of the printed number. Fewer videos than that do not contradict it: videos
    have been withdrawn since.
    """
    evidence.require_data(list(PRINTED_SIZES), "the sizes are those of datasets that this plan does not use")
    parts, lost = [], []
    for family, (name, videos, classes) in PRINTED_SIZES.items():
        runs = [p for p in evidence.planned if p.spec.dataset_family == family and p.run is not None]
        if not runs:
            evidence.lacks(f"a complete run on {name}")
            continue
        largest = max(runs, key=lambda p: p.run.provenance["dataset"]["videos"])
        evidence.used.append(largest.folder)
        counted = largest.run.provenance["dataset"]["videos"] / videos
        of_videos = exact(f"videos of {name} by the printed {videos:,}", counted, (1 - SAME, 1 + SAME))
        (lost if counted < 1 - SAME else parts).append(of_videos)
        missing = len(largest.run.predictions.classes) - classes
        parts.append(exact(f"classes of {name} minus the printed {classes}", missing, (-0.5, 0.5), digits=0))
    evidence.require()
    outcome = combine(parts)
    return Verdict(INCONCLUSIVE if lost and outcome == REPRODUCED else outcome, (*parts, *lost))


def unplanned(why: str) -> Callable[[Evidence], list[Part]]:
    """A claim that no run of this study decides, and why."""

    def rule(evidence: Evidence) -> list[Part]:
        raise Undecidable(why)

    return rule


def _shares_within(evidence: Evidence, net: Net) -> dict[tuple[int, str], float]:
    """(seed, kind of filter) -> share of the weights on the scale; a run without its filters is noted as a lack."""
    shares = {}
    for seed, own in net.runs.items():
        for run in own.values():
            weights = read_conv1(run.folder)
            if weights is None:
                evidence.lacks(f"{CONV1} of {net.name}, seed {seed}")
                continue
            for kind, array in zip(("spatial", "temporal"), weights, strict=True):
                shares[seed, kind] = float((np.abs(array) <= LARGEST_WEIGHT).mean())
    return shares
