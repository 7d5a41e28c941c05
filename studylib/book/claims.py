"""Every claim of the paper as data, and what is known of it: decided by arithmetic now, or by recorded runs later.

Left out: what the paper reports of other people's work in prose only (section 2), definitions, and settings of its
own experiments, which are descriptions and not claims; they are in the plans and in the networks of this study.
"""

from collections import Counter
from dataclasses import replace
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.tables import Table
from studylib.claims import audit_benchmarks, audit_cost, audit_networks, audit_table2
from studylib.claims.audit import FAILS, NOT_RUN, OUTCOMES, Claim, Decision
from studylib.claims.claim_texts import ARITHMETIC, EMPIRICAL, read_claims
from studylib.claims.verdicts import RULES, decide

DECISIONS = audit_networks.DECISIONS | audit_cost.DECISIONS | audit_table2.DECISIONS | audit_benchmarks.DECISIONS


def load_claims() -> tuple[Claim, ...]:
    """The claims of evidence/claims.csv, in the order of the paper, arithmetic ones first.

    Raises:
        ValueError: names a claim whose kind does not fit: an arithmetic one that nothing decides, or an empirical one
            without a rule, or the reverse.
    """
    found = {kind: read_claims(kind) for kind in (ARITHMETIC, EMPIRICAL)}
    for kind, decides in ((ARITHMETIC, DECISIONS), (EMPIRICAL, RULES)):
        for own, claims in found.items():
            for id in claims:
                if (own == kind) != (id in decides):
                    state = "there" if id in decides else "missing"
                    raise ValueError(f"claims.csv: {id} is {own}, but code for {kind} claims is {state}")
    return tuple(replace(claim, decide=DECISIONS.get(id)) for claims in found.values() for id, claim in claims.items())


CLAIMS = load_claims()


def decided() -> list[tuple[Claim, Decision]]:
    """Every arithmetic claim with its decision, computed now."""
    return [(claim, claim.decide()) for claim in CLAIMS if claim.decide is not None]


def verdict(claim: Claim, runs: pd.DataFrame | None = None, plan: str = "") -> str:
    """The outcome of an arithmetic claim; of an empirical one what a plan's recorded runs say, or "not run".

    Args:
        runs, plan: see `verdicts.decide`, which also has the numbers; without them an empirical claim is "not run".
    """
    if claim.decide is not None:
        return claim.decide().outcome
    return NOT_RUN if runs is None else decide(claim.id, runs, plan).outcome


def audit_table(decisions: list[tuple[Claim, Decision]]) -> Table:
    """The paper against itself: a row a decided claim."""
    rows = [
        {
            "claim": f'<span class="prose" id="{claim.id}">{escape(claim.text)}</span>',
            "section": escape(claim.section),
            "as printed": escape(claim.printed),
            "recomputed": f'<span class="prose">{escape(decision.recomputed)}</span>',
            "outcome": f"<strong>{escape(decision.outcome)}</strong>",
            "rule": f'<span class="prose">{escape(claim.rule)}</span>',
            "reading": f'<span class="prose">{escape(decision.reading)}</span>',
        }
        for claim, decision in decisions
    ]
    return Table(pd.DataFrame(rows), "Claims decided by arithmetic on the paper's own tables and on its networks.")


def summary(decisions: list[tuple[Claim, Decision]]) -> Markdown:
    """One sentence of counts."""
    counts = Counter(decision.outcome for _, decision in decisions)
    meanings = ("hold", "off by no more than rounding can explain", "do not hold as printed")
    parts = ", ".join(f"**{counts[outcome]}** {text}" for outcome, text in zip(OUTCOMES, meanings, strict=True))
    more = f'{len(CLAIMS) - len(decisions)} more are about what training gives: <a href="claims.html">The claims</a>.'
    return Markdown(f"Of {len(decisions)} claims that arithmetic can decide, {parts}. {more}")


def failing_table(decisions: list[tuple[Claim, Decision]]) -> Table:
    """The decided claims that do not hold, in short, each linked to its row of `audit_table` in the chapter on it."""
    rows = [
        {
            "claim": f'<span class="prose"><a href="audit.html#{claim.id}">{escape(claim.text)}</a></span>',
            "section": escape(claim.section),
            "as printed": escape(claim.printed),
            "recomputed": f'<span class="prose">{escape(decision.recomputed)}</span>',
        }
        for claim, decision in decisions
        if decision.outcome == FAILS
    ]
    return Table(
        pd.DataFrame(rows),
        "Claims that do not hold as printed, by the paper's own tables and networks; words without a number by "
        "thresholds of ours.",
    )
