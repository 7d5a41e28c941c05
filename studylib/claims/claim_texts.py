"""The paper's claims as they are written down in evidence/claims.csv, with the rule for each; nothing is decided here.

Reading them needs no network, so that a page that shows verdicts of recorded runs starts without torch.
"""

import csv
from importlib.resources import files

from studylib.claims.audit import CLOSE, KINETICS_VALIDATION, SAME, Claim
from studylib.claims.verdicts_counts import LARGEST_WEIGHT, WITHIN
from studylib.claims.verdicts_depth import SEEDS
from studylib.claims.verdicts_length import FEWEST_LENGTHS
from studylib.claims.verdicts_types import MOST

ARITHMETIC, EMPIRICAL = "arithmetic", "empirical"
# What the texts of the rules take from the code.
CONSTANTS = {
    "close": CLOSE, "same": SAME, "videos": KINETICS_VALIDATION, "most": MOST, "seeds": SEEDS,
    "lengths": FEWEST_LENGTHS, "within": WITHIN, "weight": LARGEST_WEIGHT,
}  # fmt: skip


def read_claims(kind: str) -> dict[str, Claim]:
    """id -> claim of one kind (`ARITHMETIC`, `EMPIRICAL`), in the order of the paper, without what decides it."""
    with (files("studylib.claims") / "evidence" / "claims.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    return {
        row["id"]: Claim(
            row["id"],
            row["section"],
            row["claim"],
            row["printed"],
            row["rule"].format(**CONSTANTS),
            experiment=row["experiment"],
        )
        for row in rows
    }
