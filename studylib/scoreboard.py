"""The paper's claims on what training gives, with what the recorded runs of each plan say of them, as tables.

Every verdict is made here, at the time of the build, by `verdicts.decide` from the run folders.
"""

from html import escape

import pandas as pd

from studylib.audit import NOT_RUN, Claim
from studylib.claim_texts import EMPIRICAL, read_claims
from studylib.tables import Table
from studylib.verdict_cells import badge, fold, prose, verdict_cell
from studylib.verdicts import decide

PLANS = ("paper", "mini")  # the paper's settings on its datasets; its geometry halved, on Pantomime

# The experiment of a claim -> the page that shows its runs.
CHAPTERS = {
    "conv_types": "table2",
    "mechanism": "why_factorise",
    "depth": "why_factorise",
    "cues": "cues",
    "clip_length": "clip_length",
    "correlation": "clip_length",
    "resolution": "resolution",
    "sports1m": "sports1m",
    "kinetics": "kinetics",
    "two_stream": "kinetics",
    "transfer": "transfer",
    "filters": "filters",
    "datasets": "data",
    "none planned": "claims",
}
HOW_TO_READ = (
    "Each plan is decided by its own runs: paper has the paper's datasets and settings; mini has its geometry halved "
    "and rendered videos (Pantomime), whose percentages are not to be compared with the paper's. Intervals cover the "
    "test videos and the seeds unless it says otherwise."
)


def claims_table(runs: pd.DataFrame, *ids: str) -> Table:
    """A row a claim: in our words, as the paper prints it, and what the runs of each of `PLANS` say, by its rule.

    Args:
        runs: `results.load_all_runs()`.
        ids: of empirical claims in evidence/claims.csv, in the order of the rows.

    Raises:
        ValueError: names an id that no empirical claim has.
    """
    known = read_claims(EMPIRICAL)
    if unknown := [id for id in ids if id not in known]:
        raise ValueError(f"{', '.join(unknown)}: no empirical claim of evidence/claims.csv; it has {', '.join(known)}")
    rows = [
        {("the paper", "claim"): claim_cell(known[id]), ("the paper", "printed"): prose(escape(known[id].printed))}
        | {("our runs", f"plan {plan}"): plan_cell(known[id], runs, plan) for plan in PLANS}
        for id in ids
    ]
    frame = pd.DataFrame(rows)
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return Table(frame, f"What the runs say of the paper's claims. {HOW_TO_READ}")


def claim_cell(claim: Claim) -> str:
    """A claim with its section and, behind a fold, the rule that decides it."""
    section = f"section {claim.section}" if claim.section[0].isdigit() else claim.section
    section = f'<span class="interval">{escape(section)}</span>'
    return prose(f"{escape(claim.text)}<br>{section}" + fold("rule", [escape(claim.rule)]))


def plan_cell(claim: Claim, runs: pd.DataFrame, plan: str) -> str:
    """What the runs of one plan say of a claim."""
    if not (runs["plan"] == plan).any():
        return prose(f"{badge(NOT_RUN)}: there is no plan {escape(plan)}")
    return verdict_cell(decide(claim.id, runs, plan), runs, plan)
