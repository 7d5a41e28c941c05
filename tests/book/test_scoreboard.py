"""The tables of verdicts: what a reader sees is what the rules say of the recorded runs, at this build."""

import re
from html import unescape

import pandas as pd
import pytest

from studylib.book import scoreboard
from studylib.claims.parts import (
    CONTRADICTED,
    EQUAL,
    INCONCLUSIVE,
    ONE_SEED,
    REPRODUCED,
    UNDECIDABLE,
    Part,
    Verdict,
    combine,
)
from studylib.claims.published import ARITHMETIC, EMPIRICAL, read_claims
from studylib.claims.verdicts import decide
from studylib.runs.results import load_plan_runs
from tests.fake_runs import write_fake_run
from tests.verdict_runs import TABLE2, lengths, scored, table, table2, table2_plan


def text(html: str) -> str:
    """What a reader sees of it, folds opened."""
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", html))).strip()


def rows_of(shown) -> list[list[str]]:
    """Cells of a table as text."""
    return [[text(cell) for cell in row] for row in shown.frame.to_numpy()]


# --- one verdict

FAR, NEAR, GOOD = Part("far", 9, 8, 10), Part("near", 1.25, 0.5, 2.0), Part("good", 5, 4, 6)
OUTSIDE, TOUCHING = Part("outside", -1, -3, 1), Part("touching", 0.5, -0.5, 1.5)
WIDE, AGAINST = Part("wide", -8, -40, 24), Part("against", -5, -6, -4)
ALONE = Part("alone", -2.0, -3.9, -0.1)  # would contradict the claim if it were the only part
LOW, HIGH = Part("low", -1, -1.8, -0.2, EQUAL), Part("high", 1, 0.1, 1.9, EQUAL)


@pytest.mark.parametrize(
    ("parts", "outcome", "expected"),
    [
        ([FAR, NEAR, GOOD], REPRODUCED, (NEAR, 1)),
        ([GOOD, OUTSIDE, TOUCHING], INCONCLUSIVE, (OUTSIDE, 1)),
        ([LOW, HIGH], REPRODUCED, (HIGH, 1)),  # to be equal has two edges
        ([WIDE, AGAINST], CONTRADICTED, (AGAINST, 2)),
        ([ALONE, *[GOOD] * 17], INCONCLUSIVE, (ALONE, 18)),
    ],
)
def test_the_part_that_decides_is_the_one_furthest_outside_or_closest_to_the_edge(parts, outcome, expected):
    verdict = Verdict(combine(parts), tuple(parts))
    assert (verdict.outcome, scoreboard.deciding(verdict)) == (outcome, expected)


@pytest.mark.parametrize(
    ("accuracies", "outcome", "what", "among"),
    [
        ({"l8": 60, "l16": 80, "l32": 70}, REPRODUCED, "16 frames minus 32", 1),
        ({"l8": 90, "l16": 70, "l32": 60}, CONTRADICTED, "16 frames minus 8", 2),
        ({"l8": 60, "l16": 70, "l32": 70}, INCONCLUSIVE, "16 frames minus 32", 1),
    ],
)
def test_a_peak_hangs_on_the_end_that_it_is_least_above(accuracies, outcome, what, among):
    verdict = decide("run-video-peak", table(lengths(**accuracies)), "study")
    part, shown = scoreboard.deciding(verdict)
    assert (verdict.outcome, shown) == (outcome, among)
    assert part.what.startswith(what)


# --- a row a claim


def told(runs, *ids) -> list[list[str]]:
    return rows_of(scoreboard.claims_table(runs, *ids))


def test_a_claim_that_is_not_run_or_cannot_be_decided_says_why():
    runs = table2()
    planned = {n: [*runs[:n], *((name, run.spec) for name, run in runs[n:])] for n in (0, 2)}  # n of them complete
    ((none, _),), ((some, numbers),) = (told(table(rows, "mini"), "run-best") for rows in planned.values())
    assert (none, some) == ("not run", "incomplete")
    assert "2 of 36 planned runs complete" in numbers
    assert "conv_types/r2d_seed0" in numbers
    assert "conv_types/r2d_seed2" not in numbers  # which is not complete and has no page
    ((badge, numbers),) = told(table(runs, "mini"), "run-nonlinearity")
    assert badge == "incomplete"
    assert "6 of 6 planned runs complete R(2+1)D-18 without inner ReLU (no such run in the plan)" in numbers
    ((badge, numbers),) = told(table(runs, "mini"), "run-kinetics")
    assert badge == UNDECIDABLE
    assert "An accuracy on Kinetics is measured on that dataset" in numbers


def test_a_row_has_the_verdict_first_then_claim_rule_printed_number_every_part_and_run():
    shown = scoreboard.claims_table(table(table2(), "mini"), "run-best", "run-mc-rmc")
    claim = read_claims(EMPIRICAL).loc["run-best"]
    (badge, first), second = rows_of(shown)
    assert badge == "✓ reproduced on Pantomime"
    assert all(text in first for text in (claim["claim"], claim["rule"], claim["printed"], "section 4.2"))
    assert "11 of 11 parts reproduced. The deciding part: R(2+1)D-18 minus " in first
    assert first.count("R(2+1)D-18 minus") == 1 + 11
    assert first.count("_seed") == 36
    assert first.count("On a device not told, torch not told, processes: 1:") == 1
    assert "R(2+1)D-18 3" in first
    assert (
        "Without MC2, which convolves over time in conv1 only: inconclusive. The deciding part: mean MC3–5" in second[1]
    )
    assert second[0] == "inconclusive on Pantomime"
    assert ONE_SEED not in first
    assert ONE_SEED in told(table(table2(seeds=(0,)), "mini"), "run-best")[0][1]
    assert 'href="run_pages/mini_conv_types_r2plus1d_seed0.html"' in shown._repr_html_()


def test_a_claim_that_is_none_is_refused_by_name():
    for id in ("run-fastest", read_claims(ARITHMETIC).index[0]):
        with pytest.raises(ValueError, match=f"^{id}: no empirical claim"):
            scoreboard.claims_table(table(table2(), "mini"), "run-best", id)


def test_another_recorded_prediction_changes_the_page(tmp_path):
    """Through run folders, as the book reads them at each build."""
    plan = table2_plan("mini")
    for planned in plan.runs:
        write_fake_run(tmp_path / planned.folder, planned.spec, scored(TABLE2[planned.spec.net], planned.spec.seed))

    def row():
        return " ".join(told(load_plan_runs(plan, tmp_path), "run-best")[0])

    assert row().startswith("✓ reproduced on Pantomime")
    r3d = [planned for planned in plan.runs if planned.spec.net == "r3d"]
    for planned in r3d:
        write_fake_run(tmp_path / planned.folder, planned.spec, scored(95, planned.spec.seed))
    assert row().startswith("✗ not so on Pantomime")
    assert "10 of 11 parts reproduced. The deciding part: R(2+1)D-18 minus R3D-18" in row()
    (tmp_path / r3d[0].folder / "metrics.json").unlink()
    assert "23 of 24 planned runs complete" in row()


# --- all claims


@pytest.fixture(scope="module")
def verdicts():
    """The paper's plan with nothing recorded, mini with R3D ahead of R(2+1)D, lips with R(2+1)D ahead of all."""
    planned = table([(name, run.spec) for name, run in table2(seeds=(0,))], "paper")
    recorded = [table(table2(), "lips"), table(table2(r3d=90), "mini")]
    return scoreboard.decide_all(pd.concat([planned, *recorded], ignore_index=True))


def test_every_claim_stands_once_a_plan_below_its_chapter(verdicts):
    rows = scoreboard.outcomes(verdicts)
    assert len(rows) == 3 * len(read_claims(EMPIRICAL)) == 3 * rows["id"].nunique()
    assert list(dict.fromkeys(rows["chapter"])) == list(scoreboard.CHAPTERS)
    best = rows[rows["id"] == "run-best"].set_index("plan")
    assert best["outcome"].to_dict() == {"lips": REPRODUCED, "mini": CONTRADICTED, "paper": "not run"}
    assert best.loc["mini", "number"].startswith("R(2+1)D minus R3D: −")
    assert set(rows.loc[rows["by_mc2"], "id"]) <= {"run-3d-over-2d", "run-mc-r3d", "run-early-motion"}


def test_the_overview_has_a_word_for_each_claim_and_data_with_a_verdict(verdicts):
    rows = {row[1]: row[2:] for row in rows_of(scoreboard.overview(verdicts))}
    assert len(rows) == len({id for (id, _), verdict in verdicts.items() if verdict.outcome in scoreboard.DECIDED})
    assert rows["R(2+1)D beats the other eleven"][:3] == ["2% clip@1 or more", "✓ reproduced", "✗ not so"]
    assert not any({"✓ reproduced", "✗ not so", "inconclusive"}.isdisjoint(words) for words in rows.values())


def test_the_differences_of_vmz_are_those_of_its_table_by_hand():
    found = scoreboard.vmz("run-3d-over-2d", "run-best", "run-mc-r3d", "run-mc-rmc", "run-early-motion")
    assert [*found.query("frames == 8")[["placed", "weakest", "points"]].itertuples(index=False, name=None)] == [
        ("18 of 18", "rMC5 minus f-R2D", "+1.20"),  # 49.7 - 48.5
        ("11 of 11", "R(2+1)D minus MC3", "+2.10"),  # 53.2 - 51.1
        ("4 of 4", "MC3 minus R3D", "+1.30"),  # 51.1 - 49.8
        # 50.6 + 51.1 + 50.9 + 50.7 - 50.2 - 50.2 - 50.3 - 49.7, a quarter of it
        ("1 of 1", "mean MC2–5 minus mean rMC2–5", "+0.73"),
        ("4 of 4", "MC5 minus rMC2", "+0.50"),  # 50.7 - 50.2
    ]
