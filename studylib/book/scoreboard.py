"""The paper's claims on what training gives, with what the recorded runs of each plan say of them, as tables.

Every verdict is made here, at the time of the build, by `verdicts.decide` from the run folders.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
from IPython.display import HTML, Markdown

from studylib.book.scoreboard_vmz import vmz
from studylib.book.tables import PLANS, Table
from studylib.book.verdict_cells import badge, fold, prose, said, verdict_cell
from studylib.claims.parts import NOT_RUN, VERDICTS, Verdict
from studylib.claims.published import EMPIRICAL, Claim, read_claims
from studylib.claims.verdicts import decide

# The experiment of a claim -> the page that shows its runs.
CHAPTERS = {
    "conv_types": "conv_types",
    "mechanism": "why_factorise",
    "depth": "why_factorise",
    "cues": "cues",
    "clip_length": "clip_length",
    "correlation": "clip_length",
    "resolution": "clip_length",
    "sports1m": "still_open",
    "kinetics": "still_open",
    "two_stream": "transfer",
    "transfer": "transfer",
    "filters": "filters",
    "datasets": "data",
    "joining": "transfer",
    "none planned": "transfer",  # flow of another kind
}
# The order of the groups of claims, and what each is about.
TITLES = {
    "conv_types": "Types of convolution: Table 2, Figure 3",
    "why_factorise": "What factorising does: Figure 4",
    "cues": "What is read from time",
    "clip_length": "Clip length and resolution: Figure 5",
    "transfer": "UCF101 and HMDB51: Table 5; two streams",
    "still_open": "Sports-1M and Kinetics: Tables 3 and 4",
    "filters": "Filters: Figure 6",
    "data": "Datasets",
}
HOW_TO_READ = (
    "Each plan is decided by its own runs: paper has the paper's datasets and settings; mini has its geometry halved "
    "and rendered videos (Pantomime), whose percentages are not to be compared with the paper's. Intervals cover the "
    "test videos and the seeds unless it says otherwise."
)
OF_VMZ = (
    "VMZ: the same contrasts, by the measure of the rule, on the accuracies that the paper's authors published of a "
    "later training of the same networks on Kinetics-400 (facebookresearch/VMZ, c2/tutorials/models.md); one training "
    "each, no interval, no verdict; empty where it has none."
)
Verdicts = Mapping[tuple[str, str], Verdict | None]  # (claim, plan) -> verdict; None where there is no such plan


def decide_all(runs: pd.DataFrame, ids: Sequence[str] = ()) -> Verdicts:
    """The verdicts of `PLANS` on these empirical claims, on all without `ids`.

    Args:
        runs: `results.load_all_runs()`.
    """
    there = set(runs["plan"])
    ids = ids or list(read_claims(EMPIRICAL))
    return {(id, plan): decide(id, runs, plan) if plan in there else None for id in ids for plan in PLANS}


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
    verdicts = decide_all(runs, ids)
    rows = [_row(known[id], runs, verdicts) for id in ids]
    return _table(rows, f"What the runs say of the paper's claims. {HOW_TO_READ}")


def scoreboard(runs: pd.DataFrame, verdicts: Verdicts) -> Table:
    """Every empirical claim as in `claims_table`, beside what VMZ published, below the chapter that tells it.

    Args:
        verdicts: `decide_all(runs)`.
    """
    rows = []
    for page, claims in by_chapter().items():
        rows.append({("the paper", "claim"): prose(f"<strong>{chapter_link(page)}</strong>")})
        for claim in claims:
            others = "<br>".join(map(escape, vmz(claim.id)))
            rows.append(_row(claim, runs, verdicts) | {("others", "VMZ"): prose(others) if others else ""})
    return _table(rows, f"The paper's claims on what training gives. {HOW_TO_READ} {OF_VMZ}")


def cards(runs: pd.DataFrame, verdicts: Verdicts) -> HTML:
    """Every empirical claim with its rule, its experiment and all of its parts, in the order of `scoreboard`.

    The `id` of a claim is its place on the page.
    """
    blocks = []
    for page, claims in by_chapter().items():
        blocks.append(f'<p class="claim-chapter"><strong>{chapter_link(page)}</strong></p>')
        for claim in claims:
            printed = f"Printed: {escape(claim.printed)}. Experiment: <code>{claim.experiment}</code>"
            said = f"<p><strong>{escape(claim.text)}</strong><br>{_where(claim)}<br>{printed}</p>"
            rule = f"<p><em>Rule:</em> {escape(claim.rule)}.</p>"
            plans = [f"<div><em>Plan {plan}:</em> {_cell(claim, runs, plan, verdicts, True)}</div>" for plan in PLANS]
            blocks.append(f'<div class="claim" id="{claim.id}">{said}{rule}{"".join(plans)}</div>')
    return HTML("\n".join(blocks))


def summary(runs: pd.DataFrame, verdicts: Verdicts) -> Markdown:
    """How many claims have which verdict, a line a plan."""
    lines = []
    for plan in PLANS:
        own = runs[runs["plan"] == plan]
        outcomes = Counter(verdict.outcome if verdict else NOT_RUN for (_, p), verdict in verdicts.items() if p == plan)
        counts = ", ".join(
            f"**{outcomes[outcome]}** {said(outcome, plan)}" for outcome in VERDICTS if outcomes[outcome]
        )
        done = int((own["state"] == "complete").sum())
        lines.append(f"* plan *{plan}* ({done} of {len(own)} runs complete): {counts}")
    claims = len({id for id, _ in verdicts})
    return Markdown(f"Of the paper's {claims} claims on what training gives, by our own runs:\n\n" + "\n".join(lines))


def by_chapter() -> dict[str, list[Claim]]:
    """Page -> its empirical claims, in the order of `TITLES`."""
    claims = read_claims(EMPIRICAL).values()
    return {page: [claim for claim in claims if CHAPTERS[claim.experiment] == page] for page in TITLES}


def chapter_link(page: str) -> str:
    """A link to a chapter at the book's top."""
    return f'<a href="{page}.html">{escape(TITLES[page])}</a>'


def _row(claim: Claim, runs: pd.DataFrame, verdicts: Verdicts) -> dict[tuple[str, str], str]:
    whole = f'<a href="claims.html#{claim.id}">the claim with all its parts</a>'
    told = f"{escape(claim.text)}<br>{_where(claim)}" + fold("rule", [escape(claim.rule), whole])
    row = {("the paper", "claim"): prose(told), ("the paper", "printed"): escape(claim.printed)}
    return row | {("our runs", f"plan {plan}"): _cell(claim, runs, plan, verdicts) for plan in PLANS}


def _where(claim: Claim) -> str:
    """Where the paper makes the claim."""
    section = f"section {claim.section}" if claim.section[0].isdigit() else claim.section
    return f'<span class="where">{escape(section)}</span>'


def _cell(claim: Claim, runs: pd.DataFrame, plan: str, verdicts: Verdicts, whole: bool = False) -> str:
    """What the runs of one plan say of a claim."""
    verdict = verdicts[claim.id, plan]
    if verdict is None:
        return prose(f"{badge(NOT_RUN)}: there is no plan {escape(plan)}")
    return verdict_cell(verdict, runs, plan, whole)


def _table(rows: list[dict[tuple[str, str], str]], caption: str) -> Table:
    """Rows whose columns have two levels; what a row lacks stays empty."""
    columns = dict.fromkeys(column for row in rows for column in row)
    frame = pd.DataFrame([[row.get(column, "") for column in columns] for row in rows])
    frame.columns = pd.MultiIndex.from_tuples(columns)
    return Table(frame, caption)
