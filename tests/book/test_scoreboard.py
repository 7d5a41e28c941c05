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


def of_parts(*parts: Part) -> Verdict:
    return Verdict(combine(parts), parts)


# --- one verdict


def test_one_part_is_shown_and_several_are_counted():
    alone = Part("a minus b", 1.25, 0.5, 2.0)
    assert scoreboard.numbers(of_parts(alone)) == ["a minus b: +1.2 points (95% interval +0.5 to +2.0)"]
    counted, decides = scoreboard.numbers(of_parts(Part("far", 9, 8, 10), alone, Part("nearer", 3, 2, 4)))
    assert counted == "3 of 3 parts lie where claimed."
    assert decides == "Decides: a minus b: +1.2 points (95% interval +0.5 to +2.0)"


def test_the_part_that_decides_is_the_one_furthest_outside():
    inside, outside, touching = Part("inside", 5, 4, 6), Part("outside", -1, -3, 1), Part("touching", 0.5, -0.5, 1.5)
    verdict = of_parts(inside, outside, touching)
    assert verdict.outcome == INCONCLUSIVE
    assert scoreboard.deciding(verdict) == (outside, 1)
    assert scoreboard.numbers(verdict)[0] == "1 of 3 parts lie where claimed."


def test_to_be_equal_has_two_edges():
    low, high = Part("low", -1, -1.8, -0.2, EQUAL), Part("high", 1, 0.1, 1.9, EQUAL)
    assert scoreboard.deciding(of_parts(low, high))[0] == high


def test_a_contradicted_claim_shows_a_part_that_contradicts_it_not_the_widest():
    wide, against = Part("wide", -8, -40, 24), Part("against", -5, -6, -4)
    verdict = of_parts(wide, against)
    assert verdict.outcome == CONTRADICTED
    assert scoreboard.deciding(verdict) == (against, 2)
    assert scoreboard.numbers(verdict)[1].endswith("(95% interval −6.0 to −4.0); interval for 2 parts −6.1 to −3.9")


def test_one_that_would_contradict_alone_is_shown_with_the_interval_that_does_not():
    near = Part("near", -2.0, -3.9, -0.1)
    verdict = of_parts(near, *[Part("good", 5, 4, 6)] * 17)
    assert verdict.outcome == INCONCLUSIVE
    assert scoreboard.deciding(verdict) == (near, 18)
    assert "interval for 18 parts −4.9 to +0.9" in scoreboard.numbers(verdict)[1]


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


def told(runs, *ids, **options) -> list[list[str]]:
    return rows_of(scoreboard.claims_table(runs, *ids, **options))


def test_a_claim_that_is_not_run_says_how_much_of_it_is():
    runs = table2()
    without = [(name, run.spec) for name, run in runs]
    ((badge, numbers),) = told(table(without, "mini"), "run-best")
    assert badge == "not run"
    assert "0 of 36 planned runs complete" in numbers
    ((badge, numbers),) = told(table([*runs[:2], *without[2:]], "mini"), "run-best")
    assert badge == "not run"
    assert "2 of 36 planned runs complete" in numbers
    assert "conv_types/r2d_seed0" in numbers
    assert "conv_types/r2d_seed2" not in numbers  # which is not complete and has no page


def test_what_no_plan_has_or_can_decide_says_why():
    runs = table(table2(), "mini")
    ((badge, numbers),) = told(runs, "run-nonlinearity")
    assert badge == "not run"
    assert "6 of 6 planned runs complete; the plan has no run of R(2+1)D-18 without inner ReLU" in numbers
    ((badge, numbers),) = told(runs, "run-kinetics")
    assert badge == UNDECIDABLE
    assert "An accuracy on Kinetics is measured on that dataset" in numbers


def test_a_row_has_the_verdict_first_then_claim_rule_printed_number_every_part_and_run():
    shown = scoreboard.claims_table(table(table2(), "mini"), "run-best", "run-mc-rmc")
    claim = read_claims(EMPIRICAL)["run-best"]
    (badge, first), second = rows_of(shown)
    assert badge == "✓ reproduced on Pantomime"
    assert all(text in first for text in (claim.text, claim.rule, claim.printed, "section 4.2"))
    assert "11 of 11 parts lie where claimed. Decides: R(2+1)D-18 minus " in first
    assert first.count("R(2+1)D-18 minus") == 1 + 11
    assert first.count("_seed") == 36
    assert second[0] == "inconclusive on Pantomime"
    html = shown._repr_html_()
    assert 'href="run_pages/mini_conv_types_r2plus1d_seed0.html"' in html
    assert 'href="claims.html#run-best"' in html


def test_one_seed_is_said_and_several_are_not():
    def cell(seeds):
        return told(table(table2(seeds=seeds), "mini"), "run-best")[0][1]

    assert ONE_SEED in cell((0,))
    assert ONE_SEED not in cell((0, 1, 2))


def test_a_claim_that_is_none_is_refused_by_name():
    for id in ("run-fastest", next(iter(read_claims(ARITHMETIC)))):
        with pytest.raises(ValueError, match=f"^{id}: no empirical claim"):
            scoreboard.claims_table(table(table2(), "mini"), "run-best", id)


def test_the_page_of_all_claims_says_on_which_machines_the_runs_were_made_and_what_vmz_published():
    runs = table2()
    for number, (_, run) in enumerate(runs):
        run.provenance.update({"device": "H200" if number % 4 == 0 else "cpu", "versions": {"torch": "2.14.1"}})
    ((_, numbers),) = told(table(runs, "mini"), "run-best", whole=True)
    assert "On cpu, torch 2.14.1 (27); H200, torch 2.14.1 (9)." in numbers
    assert "VMZ, 8 frames: 11 of 11 above 0; weakest R(2+1)D minus MC3 +2.1." in numbers  # 53.2 - 51.1


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
    assert "10 of 11 parts lie where claimed. Decides: R(2+1)D-18 minus R3D-18" in row()
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


def test_the_overview_has_a_word_for_each_claim_and_data_with_a_verdict(verdicts):
    rows = {row[1]: row[2:] for row in rows_of(scoreboard.overview(verdicts))}
    assert len(rows) == len({id for (id, _), verdict in verdicts.items() if verdict.outcome in scoreboard.DECIDED})
    assert rows["R(2+1)D beats the other eleven"][:3] == ["2% clip@1 or more", "✓ reproduced", "✗ not so"]
    assert not any({"✓ reproduced", "✗ not so", "inconclusive"}.isdisjoint(words) for words in rows.values())


# --- the authors' later training, by differences taken by hand from its table


def test_the_contrasts_of_vmz_are_those_of_its_table():
    assert scoreboard.vmz("run-3d-over-2d") == [
        "8 frames: 18 of 18 above 0; weakest rMC5 minus f-R2D +1.2",  # 49.7 - 48.5
        "16 frames: 18 of 18 above 0; weakest rMC5 minus f-R2D +1.8",  # 52.5 - 50.7
    ]
    assert scoreboard.vmz("run-best")[1].endswith("R(2+1)D minus MC4 +3.0")  # 57.3 - 54.3
    assert scoreboard.vmz("run-mc-r3d")[0] == "8 frames: 4 of 4 within 2 points; weakest MC3 minus R3D +1.3"
    # 50.6 + 51.1 + 50.9 + 50.7 - 50.2 - 50.2 - 50.3 - 49.7, a quarter of it
    assert scoreboard.vmz("run-mc-rmc") == ["8 frames: +0.73 points", "16 frames: +0.65 points"]
    # 50.6 - 49.7, 51.1 - 50.3, 50.9 - 50.2, 50.7 - 50.2
    assert scoreboard.vmz("run-early-motion")[0] == "8 frames: 4 of 4 above 0; weakest MC5 minus rMC2 +0.5"
    assert scoreboard.vmz("run-motion") == []
