"""What recorded runs say of the paper's empirical claims, by rules written down as code.

A rule takes the runs of one plan and gives the parts of its claim, each a number with a 95% interval, and a verdict
from them (see `verdicts_parts`). It is the same for every plan: networks are found by what they are (see
`verdicts_evidence`), and a claim about a dataset is decided on that dataset only. The rules in words are in
evidence/claims.csv.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from studylib.claims import verdicts_benchmarks as benchmarks
from studylib.claims import verdicts_counts as counts
from studylib.claims import verdicts_depth as depth
from studylib.claims import verdicts_joining as joining
from studylib.claims import verdicts_length as length
from studylib.claims import verdicts_types as types
from studylib.claims.verdicts_evidence import Evidence, NotRunYet, Undecidable
from studylib.claims.verdicts_parts import INCONCLUSIVE, NOT_RUN, UNDECIDABLE, Part, Verdict, combine

# Plans that decide nothing, whatever their intervals, and why.
WITHOUT_VERDICTS = {
    "quick": "the plan quick is a smoke check: few videos, few epochs",
    "calibration": "the settings of the study were chosen by the plan calibration, on its test videos",
    "ucf101_subset": "the plan ucf101_subset has too few videos to conclude from",
}

# The id of an empirical claim in evidence/claims.csv -> what decides it.
RULES: dict[str, Callable[[Evidence], list[Part] | Verdict]] = {
    "run-3d-over-2d": types.over_flat,
    "run-motion": types.motion,
    "run-best": types.best,
    "run-mc-r3d": types.mixed_as_3d,
    "run-mc-rmc": types.mixed_over_reversed,
    "run-early-motion": types.early_over_late,
    "run-nonlinearity": types.nonlinearity,
    "run-train-error-18": partial(depth.training_error, depth=18),
    "run-train-error-34": partial(depth.training_error, depth=34),
    "run-test-error": depth.test_error,
    "run-gap-depth": depth.gap_grows,
    "run-clip-rises": length.clip_rises,
    "run-video-peak": length.video_peaks,
    "run-8-at-32": length.short_at_long,
    "run-finetune": length.finetuned,
    "run-finetune-time": counts.unplanned(
        "it follows from the numbers of epochs, which a plan chooses and the paper does not print"
    ),
    "run-long-patterns": length.long_patterns,
    "run-correlation": length.more_correlated,
    "run-resolution": length.resolution,
    "run-sports": benchmarks.sports,
    "run-kinetics": benchmarks.kinetics,
    "run-fusion": benchmarks.fusion,
    "run-transfer": benchmarks.transfer,
    "run-pretraining": benchmarks.pretraining,
    "run-flow-quality": counts.unplanned("TV-L1 flow is not computed here, and no plan has a network trained on it"),
    "run-flow-speed": counts.unplanned("TV-L1 flow is not computed here, and no plan has a timing of it"),
    "run-filters": counts.filters,
    "run-aggregation": joining.joined,
    "run-sizes": counts.sizes,
}


def decide(claim_id: str, runs: pd.DataFrame, plan: str) -> Verdict:
    """The verdict of one plan's recorded runs on an empirical claim.

    Args:
        claim_id: of evidence/claims.csv.
        runs: a table of `results.load_plan_runs` or `results.load_all_runs`.
        plan: whose runs; those of other plans are not looked at.

    Raises:
        ValueError: no rule for that id, or no run of that plan in the table.
    """
    if claim_id not in RULES:
        raise ValueError(
            f"{claim_id!r} is no empirical claim: there is no rule for it in studylib.claims.verdicts.RULES"
        )
    evidence = Evidence(runs, plan)
    if plan in WITHOUT_VERDICTS:
        return Verdict(UNDECIDABLE, why=WITHOUT_VERDICTS[plan])
    try:
        found = RULES[claim_id](evidence)
    except NotRunYet as lack:
        found = Verdict(NOT_RUN, missing=lack.missing)
    except Undecidable as reason:
        found = Verdict(UNDECIDABLE, why=str(reason))
    verdict = found if isinstance(found, Verdict) else Verdict(combine(found), tuple(found))
    if not verdict.covers_seeds:
        verdict = replace(verdict, outcome=INCONCLUSIVE)
    return replace(verdict, folders=tuple(dict.fromkeys(evidence.used)))
