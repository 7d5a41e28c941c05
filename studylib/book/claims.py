"""Every claim of the paper as data, and what is known of it: decided by arithmetic now, or by recorded runs later.

Left out: what the paper reports of other people's work in prose only (section 2), definitions, and settings of its
own experiments, which are descriptions and not claims; they are in the plans and in the networks of this study.
"""

from collections import Counter
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.tables import Table
from studylib.claims import audit, audit_networks
from studylib.claims.audit import FAILS, OUTCOMES, Decision
from studylib.claims.published import ARITHMETIC, EMPIRICAL, Claim, read_claims


def decided() -> list[tuple[Claim, Decision]]:
    """Every arithmetic claim with its decision, computed now."""
    decides = audit.DECISIONS | audit_networks.DECISIONS
    return [(claim, decides[id]()) for id, claim in read_claims(ARITHMETIC).items()]


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
            "reading": f'<span class="prose">{escape(claim.reading.format(**decision.facts))}</span>',
        }
        for claim, decision in decisions
    ]
    return Table(pd.DataFrame(rows), "Claims decided by arithmetic on the paper's own tables and on its networks.")


def summary(decisions: list[tuple[Claim, Decision]]) -> Markdown:
    """One sentence of counts."""
    counts = Counter(decision.outcome for _, decision in decisions)
    meanings = ("hold", "off by no more than rounding can explain", "do not hold as printed")
    parts = ", ".join(f"**{counts[outcome]}** {text}" for outcome, text in zip(OUTCOMES, meanings, strict=True))
    more = f'{len(read_claims(EMPIRICAL))} more are about what training gives: <a href="claims.html">The claims</a>.'
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
