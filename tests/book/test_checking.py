"""The audit: what arithmetic says of the paper's claims, and that it is arithmetic that says it."""

import re

import pandas as pd
import pytest

from studylib.book import checking
from studylib.book.evidence import rank_agreement
from studylib.claims import audit, published
from studylib.claims.audit import FAILS, HOLDS, ROUNDING, difference_margin
from studylib.claims.verdicts import RULES, UNPLANNED


@pytest.fixture(scope="module")
def decisions():
    return checking.decided().set_index("id")


# Recomputed by hand from the printed tables and from Table 1: id -> (outcome, what the text must contain).
BY_HAND = {
    "cost-32": (FAILS, "4.0"),  # every layer's output has 4 times the frames
    "conv1-parity": (FAILS, "15,255 against 28,224"),  # 45*3*49 + 64*45*3, and 64*3*3*49
    "over-mixed": (FAILS, "2.0 to 3.2"),  # 52.4 - 50.4, 52.4 - 49.2
    "figure3-gain": (ROUNDING, "2.7"),  # 63.9 - 61.2
    "mc-gain": (HOLDS, "mean 3.6, of 2.4 to 5.0"),  # 49.2 - 46.8, 50.4 - 45.4
    "table2-params": (FAILS, "MC5 16.846 against 16.9"),
    "three-times": (FAILS, "MC5 1.98"),  # 33.36 / 16.85
    "middle-conv1": (FAILS, "formula 83, network 45"),  # 3*49*3*64 // (49*3 + 3*64) = 28224 // 339
    "layers-68": (FAILS, "67"),  # 2 * 33 convolutions and one FC layer
    "sota-two": (FAILS, "Kinetics -0.3"),  # 75.4 - 75.7
    "sota-four-best": (FAILS, "HMDB51 -2.0"),  # 78.7 - 80.7
    "2d-close": (FAILS, "7.1 video@1"),  # 71.7 - 64.6
    "gap-2d": (HOLDS, "1.7 to 5.0"),  # 48.5 - 46.8, 50.4 - 45.4
    "relu-doubled": (HOLDS, "34 against 17"),  # stem 1 and 2 a block; one more for each of 17 convolutions
    "same-cost": (HOLDS, "20.748 against 20.348"),
    "rmc3-f-r2d": (HOLDS, "rMC3 12.5 G, f-R2D 13.8 G"),
    "r2d-cheapest": (HOLDS, "cheapest R2D (1.93 G)"),
    "sports-c3d": (HOLDS, "10.9"),  # 57.0 - 46.1
    "kinetics-scratch": (HOLDS, "4.5"),  # 72.0 - 67.5
    "finetune-gain": (HOLDS, "52.4, Table 2 has 52.4"),  # 56.8 - 4.4
    "transfer-kinetics": (HOLDS, "+2.2 to +7.9"),  # 95.5 - 93.3, 74.5 - 66.6
    "mc-over-rmc": (HOLDS, "+0.75 clip"),  # 198.6 / 4 - 195.6 / 4
    "table1-sizes": (HOLDS, "1x7x7"),
}


@pytest.mark.parametrize("id", BY_HAND)
def test_a_finding_is_what_a_hand_calculation_gives(decisions, id):
    outcome, text = BY_HAND[id]
    assert decisions.loc[id, "outcome"] == outcome
    assert text in decisions.loc[id, "recomputed"]


def test_every_claim_has_all_its_fields_and_code_that_decides_it(decisions):
    arithmetic, empirical = (published.read_claims(kind) for kind in (published.ARITHMETIC, published.EMPIRICAL))
    assert set(arithmetic.index) == set(audit.DECISIONS)
    assert set(empirical.index) == {*RULES, *UNPLANNED}
    every = pd.concat([arithmetic, empirical])
    assert every.index.is_unique
    assert (every[["section", "claim", "printed", "rule"]] != "").all(axis=None)
    assert (empirical["experiment"] != "").all()
    assert (decisions["recomputed"] != "").all()


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "id", "outcome"),
    [
        ("table2_conv_types", "R(2+1)D", "video_top1", 64.0, "figure3-gain", HOLDS),
        ("table2_conv_types", "R(2+1)D", "clip_top1", 49.0, "best-of-twelve", FAILS),
        ("table2_conv_types", "MC5", "params_millions", 16.8, "table2-params", HOLDS),
        ("table2_conv_types", "MC2", "clip_top1", 48.5, "over-mixed", HOLDS),
        ("table3_sports1m", "C3D", "clip_top1", 46.2, "sports-c3d", ROUNDING),
        ("table3_sports1m", "C3D", "clip_top1", 46.3, "sports-c3d", FAILS),
    ],
)
def test_another_printed_number_gives_another_outcome(monkeypatch, table, row, column, value, id, outcome):
    original = published.table

    def changed(name):
        rows = original(name)
        if name == table:
            rows.loc[rows.iloc[:, 0] == row, column] = value
        return rows

    monkeypatch.setattr(published, "table", changed)
    assert audit.DECISIONS[id]().outcome == outcome


def test_the_tolerance_is_the_printed_digit_and_then_the_rounding_of_the_inputs():
    assert audit.compare("9.1", 57.0 - 47.9) == HOLDS
    assert audit.compare("2.8", 63.9 - 61.2) == FAILS  # two exact numbers
    assert audit.compare("2.8", 63.9 - 61.2, 2 * audit.HALF_UNIT) == ROUNDING  # two rounded ones
    assert audit.compare("3", 2.5) == HOLDS
    assert audit.compare("3", 2.4) == FAILS
    assert audit.worst([HOLDS, FAILS, ROUNDING]) == FAILS


def test_a_claim_links_to_its_row_of_the_audit(decisions):
    rows = decisions.reset_index()
    short = checking.claims_table(rows[rows["outcome"] == FAILS], "", "printed")._repr_html_()
    whole = checking.claims_table(rows, "", "printed", audit=True)._repr_html_()
    linked = re.findall('href="audit.html#([^"]+)"', short)
    assert linked == list(decisions.index[decisions["outcome"] == FAILS])
    assert all(f'id="{id}"' in whole for id in linked)


def test_kendalls_tau_is_that_of_a_hand_count_and_its_interval_repeats():
    # pairs of 1 2 3 4 against 1 3 2 4: five in the same order, one not
    agreement = rank_agreement([1, 2, 3, 4], [1, 3, 2, 4])
    assert agreement.tau == pytest.approx((5 - 1) / 6)
    assert agreement.low <= agreement.tau <= agreement.high
    assert agreement == rank_agreement([1, 2, 3, 4], [1, 3, 2, 4])
    assert rank_agreement([1, 2, 3], [3, 2, 1]).high == -1
    # 6 pairs: (1,2) tied in x only; of the five others all agree: 5 / sqrt(5 * 6)
    assert rank_agreement([1, 1, 2, 3], [1, 2, 3, 4]).tau == pytest.approx(5 / 30**0.5)
    with pytest.raises(ValueError, match="rankings of 2 and 3 items"):
        rank_agreement([1, 2], [1, 2, 3])


def test_the_margin_of_a_difference_of_two_halves_on_ten_thousand_videos():
    assert difference_margin(50, 50, 10_000) == pytest.approx(1.96 * 100 * (0.5 / 10_000) ** 0.5, rel=1e-4)
