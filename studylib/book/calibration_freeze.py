"""What the study's plan fixes before anything is recorded, and what it cannot decide."""

from collections import defaultdict
from collections.abc import Sequence
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.calibration import FIRST, SECOND, Calibration
from studylib.book.calibration_checks import HALF_WIDTH
from studylib.book.calibration_seeds import known_variances, test_videos
from studylib.book.calibration_tables import word
from studylib.book.tables import Table
from studylib.book.verdict_cells import prose
from studylib.claims.audit import CLOSE
from studylib.claims.claim_texts import EMPIRICAL, read_claims
from studylib.claims.verdicts import decide
from studylib.claims.verdicts_evidence import DRAWN, FIELDS, Evidence
from studylib.claims.verdicts_parts import UNDECIDABLE
from studylib.nets.table import PAPER_NAMES
from studylib.runs.plan import Plan
from studylib.stats.study_size import expected_half_width
from studylib.training.spec import RunSpec

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


def limits_table(runs: pd.DataFrame, studies: Sequence[Calibration], plan: Plan) -> Table:
    """The claims that the plan cannot decide, whatever comes out, or only one way or for large effects, and why.

    Args:
        runs: a table that has the plan's runs, `results.load_all_runs()`.
        studies: from whose repeated runs the width of intervals is expected (`calibration_seeds.known_variances`).
    """
    specs = {planned.folder: planned.spec for planned in Evidence(runs, plan.name).planned}
    known, videos = known_variances(studies, "clip_top1"), test_videos(plan)
    rows = []
    for claim in read_claims(EMPIRICAL).values():
        verdict = decide(claim.id, runs, plan.name)
        if verdict.outcome == UNDECIDABLE:
            told = "nothing", verdict.why
        elif not verdict.folders:
            told = "nothing", "; ".join(verdict.missing)
        elif "@1" in claim.rule:  # on accuracies
            nets, seeds = compared([specs[folder] for folder in verdict.folders])
            half_width = None if known is None else expected_half_width(known.of(*nets), videos, seeds)
            told = _of_accuracies(EQUALITY in claim.rule, seeds, half_width)
        else:
            told = None
        if told is not None:
            claimed, can, why = escape(claim.text), *map(escape, told)
            rows.append({"claim": prose(claimed), "what it can show": can, "why": prose(why)})
    return Table(
        pd.DataFrame(rows),
        f"Claims that the plan {plan.name} cannot decide, or only one way, or for large differences only. The expected "
        f"interval is that of a difference in clip@1 of two networks with the plan's number of test videos, as many "
        f"seeds as those of the claim have, and seeds that spread as {FIRST}'s do if a network is {FIRST}, and as "
        f"{SECOND}'s if not. Where the same weights are tested twice, or means of several networks are compared, it "
        "comes out narrower.",
    )


def compared(specs: Sequence[RunSpec]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which two networks a claim on these runs compares at the least, and how many seeds they have.

    Returns:
        nets: of each of the two 0 for R(2+1)D, 1 for another network; both the same where the runs have only the one.
        seeds: of each, of the network that has the fewest.
    """
    seeds = defaultdict(set)
    for spec in specs:
        alike = tuple(getattr(spec, field) for field in FIELDS if field not in DRAWN)
        seeds[0 if PAPER_NAMES.get(spec.net) == FIRST else 1, alike].add(spec.seed)
    fewest = {kind: min(len(own) for (k, _), own in seeds.items() if k == kind) for kind, _ in seeds}
    nets = min(fewest), max(fewest)
    return nets, (fewest[nets[0]], fewest[nets[1]])


def _of_accuracies(equality: bool, seeds: tuple[int, int], half_width: float | None) -> tuple[str, str] | None:
    """What a claim on accuracies can show and why; None where it can come out either way."""
    if min(seeds) == 1:
        return "numbers, no verdict", "A network has one seed, and how another would come out is not known."
    says = f"It says that two accuracies are equal, the whole interval within {CLOSE:g} points of 0."
    if half_width is None:
        why = f"{says} How wide intervals will be takes two seeds of both networks."
        return ("not known yet", why) if equality else None
    numbers = " and ".join(map(word, dict.fromkeys(seeds)))
    expected = f"With {numbers} seeds an interval of ±{half_width:.1f} is expected"
    if equality and half_width >= CLOSE:
        return "that it is false", f"{says} {expected}: that cannot come out."
    if equality:
        return "both", f"{says} {expected}: they may differ by {CLOSE - half_width:.1f} at most."
    if half_width > HALF_WIDTH:
        return "large differences", f"{expected}, more than the {HALF_WIDTH:g} points that the study asks for."
    return None
