"""Every claim of the paper as data, and what is known of it: decided by arithmetic now, or by recorded runs later.

Left out: what the paper reports of other people's work in prose only (section 2), definitions, and settings of its
own experiments, which are descriptions and not claims; they are in the plans and in the networks of this study.
"""

import csv
from collections import Counter
from html import escape
from importlib.resources import files

import pandas as pd
from IPython.display import Markdown

from studylib import audit_benchmarks, audit_cost, audit_networks, audit_table2
from studylib.audit import CLOSE, KINETICS_VALIDATION, NOT_RUN, OUTCOMES, SAME, Claim, Decision
from studylib.tables import NOT_RUN as NOT_RUN_HTML
from studylib.tables import Table

DECISIONS = audit_networks.DECISIONS | audit_cost.DECISIONS | audit_table2.DECISIONS | audit_benchmarks.DECISIONS


def load_claims() -> tuple[Claim, ...]:
    """The claims of evidence/claims.csv, in the order of the paper, arithmetic ones first.

    Raises:
        ValueError: names a claim whose kind does not fit: an arithmetic one that nothing decides, or the reverse.
    """
    with (files("studylib") / "evidence" / "claims.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if (row["kind"] == "arithmetic") != (row["id"] in DECISIONS):
            raise ValueError(f"claims.csv: {row['id']} is {row['kind']}, but code to decide it is " +
                             ("there" if row["id"] in DECISIONS else "missing"))  # fmt: skip
    return tuple(
        Claim(
            row["id"],
            row["section"],
            row["claim"],
            row["printed"],
            row["rule"].format(close=CLOSE, same=SAME, videos=KINETICS_VALIDATION),
            DECISIONS.get(row["id"]),
            row["experiment"],
        )
        for row in rows
    )


CLAIMS = load_claims()


def decided() -> list[tuple[Claim, Decision]]:
    """Every arithmetic claim with its decision, computed now."""
    return [(claim, claim.decide()) for claim in CLAIMS if claim.decide is not None]


def verdict(claim: Claim) -> str:
    """The outcome of an arithmetic claim; "not run" for an empirical one, whatever has been run."""
    return NOT_RUN if claim.decide is None else claim.decide().outcome


def audit_table(decisions: list[tuple[Claim, Decision]]) -> Table:
    """The paper against itself: a row a decided claim."""
    rows = [
        {
            "claim": f'<span class="prose">{escape(claim.text)}</span>',
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
    waiting = len(CLAIMS) - len(decisions)
    return Markdown(f"Of {len(decisions)} claims that arithmetic can decide, {parts}. {waiting} more wait for runs.")


def waiting_table() -> Table:
    """The empirical claims, none of them decided."""
    rows = [
        {
            "claim": f'<span class="prose">{escape(claim.text)}</span>',
            "section": escape(claim.section),
            "as printed": escape(claim.printed),
            "to be decided by": f'<span class="prose">{escape(claim.rule)}</span>',
            "experiment": escape(claim.experiment),
            "verdict": NOT_RUN_HTML,
        }
        for claim in CLAIMS
        if claim.decide is None
    ]
    return Table(pd.DataFrame(rows), "Claims on what training gives. None has a verdict yet.")
