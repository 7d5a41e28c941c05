"""What the study's plan fixes before anything is recorded, and what it cannot decide."""

from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.audit import CLOSE
from studylib.calibration import FIRST, SECOND, Calibration
from studylib.calibration_gaps import repeated, sizes
from studylib.claim_texts import EMPIRICAL, read_claims
from studylib.plan import Plan
from studylib.study_size import needed
from studylib.tables import Table
from studylib.verdict_cells import prose
from studylib.verdicts import decide
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
    """The claims that the plan cannot decide, whatever comes out, or only one way, and why.

    Args:
        runs: a table that has the plan's runs, `results.load_all_runs()`.
    """
    rows, half_width = [], expected_half_width(study, plan)
    for claim in read_claims(EMPIRICAL).values():
        verdict = decide(claim.id, runs, plan.name)
        if verdict.outcome == UNDECIDABLE:
            told = "nothing", verdict.why
        elif EQUALITY in claim.rule:
            told = _of_equality(half_width)
        else:
            continue
        claimed, can, why = escape(claim.text), *map(escape, told)
        rows.append({"claim": prose(claimed), "what it can show": can, "why": prose(why)})
    return Table(
        pd.DataFrame(rows),
        f"Claims that the plan {plan.name} cannot decide, or only one way. The expected interval is that of {FIRST} "
        f"minus {SECOND}, clip@1, with the plan's numbers of test videos and seeds.",
    )


def expected_half_width(study: Calibration, plan: Plan) -> float | None:
    """Points, of clip@1 of R(2+1)D minus R3D with the plan's numbers of videos and seeds (see `study_size.needed`);
    None until both networks have two recorded seeds."""
    nets = repeated(study)
    if nets is None:
        return None
    videos, seeds = sizes(plan)
    return float(needed(*nets, measure="clip_top1", videos=[videos], seeds=[seeds])["half_width"].iloc[0])


def _of_equality(half_width: float | None) -> tuple[str, str]:
    says = f"It says that two accuracies are equal, the whole interval within {CLOSE:g} points of 0."
    if half_width is None:
        return "not known yet", f"{says} How wide intervals will be takes two seeds of both networks."
    if half_width >= CLOSE:
        return "that it is false", f"{says} With an expected interval of ±{half_width:.1f} that cannot come out."
    room = CLOSE - half_width
    return "both", f"{says} With an expected interval of ±{half_width:.1f} they may differ by {room:.1f} at most."
