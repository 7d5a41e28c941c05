"""What the study's plan fixes before anything is recorded, and what it cannot decide."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.audit import CLOSE
from studylib.calibration import FIRST, SECOND, Calibration
from studylib.calibration_checks import HALF_WIDTH
from studylib.calibration_gaps import repeated, sizes
from studylib.calibration_tables import word
from studylib.claim_texts import EMPIRICAL, read_claims
from studylib.plan import Plan
from studylib.seeds import Measure
from studylib.spec import RunSpec
from studylib.study_size import needed
from studylib.tables import Table
from studylib.verdict_cells import prose
from studylib.verdicts import decide
from studylib.verdicts_evidence import DRAWN, FIELDS, Evidence
from studylib.verdicts_parts import UNDECIDABLE

EQUALITY = f"within {CLOSE:g} points of 0"  # in the rule of a claim that two networks are equal


def frozen_table(plan: Plan) -> Table:
    """A row a dataset of the plan: its size and the manifest that it is fixed to."""
    rows = [
        {
            "dataset": f"<code>{escape(name)}</code>",
            "vocabulary": given.get("vocabulary", "source"),
            "difficulty": f"{given.get('difficulty', 0):g}",
            "training videos": f"{given['train_videos']:,}",
            "test videos": f"{given['test_videos']:,}",
            "seed": str(given.get("seed", "")),
            "manifest": f"<code>{plan.manifests[name][:16]}</code>" if name in plan.manifests else "not fixed",
        }
        for name, given in plan.datasets.items()
    ]
    return Table(
        pd.DataFrame(rows),
        f"The datasets of the plan {plan.name}. Test videos are those of each split. A manifest is the SHA-256 over "
        "the list of videos and all settings that they are made from; a run on other videos is refused.",
    )


def frozen_note(plan: Plan) -> Markdown:
    """Whether the plan is frozen."""
    missing = [name for name in plan.datasets if name not in plan.manifests]
    if missing:
        return Markdown(f"*Not frozen yet:* the plan *{plan.name}* does not fix the videos of {', '.join(missing)}.")
    return Markdown(f"Frozen: the plan *{plan.name}* fixes the videos of all its datasets.")


def limits_table(runs: pd.DataFrame, study: Calibration, plan: Plan) -> Table:
    """The claims that the plan cannot decide, whatever comes out, or only one way or for large effects, and why.

    Args:
        runs: a table that has the plan's runs, `results.load_all_runs()`.
    """
    specs = {planned.folder: planned.spec for planned in Evidence(runs, plan.name).planned}
    half_width = cache(lambda seeds: expected_half_width(study, plan, seeds))  # many claims have as many seeds
    rows = []
    for claim in read_claims(EMPIRICAL).values():
        verdict = decide(claim.id, runs, plan.name)
        if verdict.outcome == UNDECIDABLE:
            told = "nothing", verdict.why
        elif not verdict.folders:
            told = "nothing", "; ".join(verdict.missing)
        elif "@1" in claim.rule:  # on accuracies
            seeds = fewest_seeds(specs[folder] for folder in verdict.folders)
            told = _of_accuracies(EQUALITY in claim.rule, seeds, half_width(seeds))
        else:
            told = None
        if told is not None:
            claimed, can, why = escape(claim.text), *map(escape, told)
            rows.append({"claim": prose(claimed), "what it can show": can, "why": prose(why)})
    return Table(
        pd.DataFrame(rows),
        f"Claims that the plan {plan.name} cannot decide, or only one way, or for large differences only. The expected "
        f"interval is that of {FIRST} minus {SECOND}, clip@1, with the plan's number of test videos and as many seeds "
        "as the networks of the claim have. Where the same weights are tested twice, or means of several networks are "
        "compared, it comes out narrower.",
    )


def fewest_seeds(specs: Iterable[RunSpec]) -> int:
    """Seeds of the network that has the fewest of them among these runs, of which there is one at least."""
    seeds = defaultdict(set)
    for spec in specs:
        seeds[tuple(getattr(spec, field) for field in FIELDS if field not in DRAWN)].add(spec.seed)
    return min(map(len, seeds.values()))


def expected_half_width(study: Calibration, plan: Plan, seeds: int, measure: Measure = "clip_top1") -> float | None:
    """Points, of R(2+1)D minus R3D with the plan's number of videos and so many seeds (`study_size.needed`); None until
    both networks have two recorded seeds."""
    nets = repeated(study)
    if nets is None:
        return None
    videos, _ = sizes(plan)
    return float(needed(*nets, measure=measure, videos=[videos], seeds=[seeds])["half_width"].iloc[0])


def _of_accuracies(equality: bool, seeds: int, half_width: float | None) -> tuple[str, str] | None:
    """What a claim on accuracies can show and why; None where it can come out either way."""
    if seeds == 1:
        return "numbers, no verdict", "A network has one seed, and how another would come out is not known."
    says = f"It says that two accuracies are equal, the whole interval within {CLOSE:g} points of 0."
    if half_width is None:
        why = f"{says} How wide intervals will be takes two seeds of both networks."
        return ("not known yet", why) if equality else None
    expected = f"With {word(seeds)} seeds an interval of ±{half_width:.1f} is expected"
    if equality and half_width >= CLOSE:
        return "that it is false", f"{says} {expected}: that cannot come out."
    if equality:
        return "both", f"{says} {expected}: they may differ by {CLOSE - half_width:.1f} at most."
    if half_width > HALF_WIDTH:
        return "large differences", f"{expected}, more than the {HALF_WIDTH:g} points that the study asks for."
    return None
