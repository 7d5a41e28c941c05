"""The tables of verdicts: what a reader sees is what the rules say of the recorded runs, at this build."""

import re
from html import unescape

import pandas as pd
import pytest

from studylib.book import scoreboard, verdict_cells
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
from tests.chapters import cells_of, html_of, shown_by
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
    assert verdict_cells.numbers(of_parts(alone)) == ["a minus b: +1.2 points (95% interval +0.5 to +2.0)"]
    counted, decides = verdict_cells.numbers(of_parts(Part("far", 9, 8, 10), alone, Part("nearer", 3, 2, 4)))
    assert counted == "3 of 3 parts lie where claimed."
    assert decides == "Decides: a minus b: +1.2 points (95% interval +0.5 to +2.0)"


def test_the_part_that_decides_is_the_one_furthest_outside():
    inside, outside, touching = Part("inside", 5, 4, 6), Part("outside", -1, -3, 1), Part("touching", 0.5, -0.5, 1.5)
    verdict = of_parts(inside, outside, touching)
    assert verdict.outcome == INCONCLUSIVE
    assert verdict_cells.deciding(verdict) == (outside, 1)
    assert verdict_cells.numbers(verdict)[0] == "1 of 3 parts lie where claimed."


def test_to_be_equal_has_two_edges():
    low, high = Part("low", -1, -1.8, -0.2, EQUAL), Part("high", 1, 0.1, 1.9, EQUAL)
    assert verdict_cells.deciding(of_parts(low, high))[0] == high


def test_a_contradicted_claim_shows_a_part_that_contradicts_it_not_the_widest():
    wide, against = Part("wide", -8, -40, 24), Part("against", -5, -6, -4)
    verdict = of_parts(wide, against)
    assert verdict.outcome == CONTRADICTED
    assert verdict_cells.deciding(verdict) == (against, 2)
    assert verdict_cells.numbers(verdict)[1].endswith("(95% interval −6.0 to −4.0); interval for 2 parts −6.1 to −3.9")


def test_one_that_would_contradict_alone_is_shown_with_the_interval_that_does_not():
    near = Part("near", -2.0, -3.9, -0.1)
    verdict = of_parts(near, *[Part("good", 5, 4, 6)] * 17)
    assert verdict.outcome == INCONCLUSIVE
    assert verdict_cells.deciding(verdict) == (near, 18)
    assert "interval for 18 parts −4.9 to +0.9" in verdict_cells.numbers(verdict)[1]


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
    part, shown = verdict_cells.deciding(verdict)
    assert (verdict.outcome, shown) == (outcome, among)
    assert part.what.startswith(what)


# --- a row a claim


def recorded(runs, plan="mini"):
    return table(runs, plan)


def test_a_claim_that_is_not_run_says_how_much_of_it_is():
    runs = table2()
    without = [(name, run.spec) for name, run in runs]
    assert "not run : 0 of 36 planned runs complete" in text(
        str(rows_of(scoreboard.claims_table(recorded(without), "run-best")))
    )
    partly = [*runs[:2], *without[2:]]
    ((_, _, _, cell),) = rows_of(scoreboard.claims_table(recorded(partly), "run-best"))
    assert cell.startswith("not run : 2 of 36 planned runs complete")
    assert "conv_types/r2d_seed0" in cell
    assert "conv_types/r2d_seed2" not in cell  # which is not complete and has no page


def test_what_no_plan_has_is_said_to_be_lacking():
    ((_, _, paper, mini),) = rows_of(scoreboard.claims_table(recorded(table2()), "run-nonlinearity"))
    assert paper == "not run : there is no plan paper"
    assert mini.startswith(
        "not run : 6 of 6 planned runs complete; the plan has no run of R(2+1)D-18 without inner ReLU"
    )


def test_what_cannot_be_decided_says_why():
    ((_, _, _, cell),) = rows_of(scoreboard.claims_table(recorded(table2()), "run-kinetics"))
    assert cell.startswith(UNDECIDABLE)
    assert "an accuracy on Kinetics is measured on that dataset" in cell


def test_a_row_has_claim_section_rule_and_printed_number_and_every_part_and_run():
    shown = scoreboard.claims_table(recorded(table2()), "run-best", "run-mc-rmc")
    claim = read_claims(EMPIRICAL)["run-best"]
    (first, printed, _, cell), second = rows_of(shown)
    assert claim.text in first
    assert claim.rule in first
    assert "section 4.2" in first
    assert printed == claim.printed
    assert cell.startswith("✓ reproduced on Pantomime 11 of 11 parts lie where claimed. Decides: R(2+1)D-18 minus ")
    assert cell.count("R(2+1)D-18 minus") == 1 + 11
    assert cell.count("_seed") == 36
    assert second[3].startswith("inconclusive on Pantomime mean of MC2 to MC5 minus mean of rMC2 to rMC5, clip@1: ")
    html = shown._repr_html_()
    assert 'href="run_pages/mini_conv_types_r2plus1d_seed0.html"' in html
    assert html.count("<summary>rule</summary>") == 2
    assert 'href="claims.html#run-best"' in html
    assert "<summary>all 11 parts, 36 runs</summary>" in html


def test_one_seed_is_said_and_several_are_not():
    def cell(seeds):
        return rows_of(scoreboard.claims_table(recorded(table2(seeds=seeds)), "run-best"))[0][3]

    assert ONE_SEED in cell((0,))
    assert ONE_SEED not in cell((0, 1, 2))


def test_a_claim_that_is_none_is_refused_by_name():
    for id in ("run-fastest", next(iter(read_claims(ARITHMETIC)))):
        with pytest.raises(ValueError, match=f"^{id}: no empirical claim"):
            scoreboard.claims_table(recorded(table2()), "run-best", id)


def test_beside_a_verdict_stands_on_which_machines_its_runs_were_made():
    runs = table2()
    for number, (_, run) in enumerate(runs):
        run.provenance.update({"device": "cpu", "versions": {"torch": "2.14.1"}, "processes": 1})
        if number % 4 == 0:
            run.provenance.update({"device": "H200", "processes": 2})
    ((_, _, _, cell),) = rows_of(scoreboard.claims_table(recorded(runs), "run-best"))
    assert "On cpu, torch 2.14.1 (27); H200, torch 2.14.1, 2 processes (9)." in cell


def test_plans_are_told_apart():
    both = pd.concat([table(table2(), "paper"), table(table2(r3d=90), "mini")])
    ((_, _, paper, mini),) = rows_of(scoreboard.claims_table(both, "run-best"))
    assert paper.startswith("✓ reproduced 11 of 11")
    assert mini.startswith("✗ not so on Pantomime 10 of 11 parts lie where claimed. Decides: R(2+1)D-18 minus R3D-18")


def test_another_recorded_prediction_changes_the_page(tmp_path):
    """Through run folders, as the book reads them at each build."""
    plan = table2_plan("mini")
    for planned in plan.runs:
        write_fake_run(tmp_path / planned.folder, planned.spec, scored(TABLE2[planned.spec.net], planned.spec.seed))

    def page():
        return text(scoreboard.claims_table(load_plan_runs(plan, tmp_path), "run-best")._repr_html_())

    assert "✓ reproduced on Pantomime 11 of 11" in page()
    r3d = [planned for planned in plan.runs if planned.spec.net == "r3d"]
    for planned in r3d:
        write_fake_run(tmp_path / planned.folder, planned.spec, scored(95, planned.spec.seed))
    assert "✗ not so on Pantomime 10 of 11 parts lie where claimed. Decides: R(2+1)D-18 minus R3D-18" in page()
    (tmp_path / r3d[0].folder / "metrics.json").unlink()
    assert "not run : 23 of 24 planned runs complete" in page()


# --- the first page and the chapter on claims


@pytest.fixture(scope="module")
def study():
    """Both plans with Table 2's networks recorded in mini only, and their verdicts."""
    planned = table([(name, run.spec) for name, run in table2(seeds=(0,))], "paper")
    runs = pd.concat([planned, table(table2(), "mini")], ignore_index=True)
    return runs, scoreboard.decide_all(runs)


def test_every_claim_is_on_the_first_page_once_below_its_chapter(study):
    shown = scoreboard.scoreboard(*study)
    claims = read_claims(EMPIRICAL)
    rows = [row for row in rows_of(shown) if row[1]]
    assert len(rows) == len(claims)
    assert all(any(row[0].startswith(claim.text) for row in rows) for claim in claims.values())
    pages = re.findall(r'<strong><a href="(\w+)\.html">', shown._repr_html_())
    assert pages == list(scoreboard.TITLES)
    assert all(row[2] and row[3] for row in rows)


def test_the_first_page_shows_ours_beside_vmz_or_nothing(study):
    rows = {row[0]: row for row in rows_of(scoreboard.scoreboard(*study))}
    (best,) = (row for told, row in rows.items() if told.startswith("R(2+1)D beats the other eleven"))
    assert best[1] == "2% clip@1 or more"
    assert best[2] == "not run : 0 of 12 planned runs complete"
    assert best[3].startswith("✓ reproduced on Pantomime 11 of 11")
    assert best[4].startswith("8 frames: 11 of 11 above 0; weakest R(2+1)D minus MC3 +2.1")
    (motion,) = (row for told, row in rows.items() if told.startswith("The gap to 2D nets comes"))
    assert motion[4] == ""


def test_the_summary_counts_the_verdicts_of_each_plan(study):
    runs, verdicts = study
    told = scoreboard.summary(runs, verdicts).data
    claims = len(read_claims(EMPIRICAL))
    assert f"{claims} claims" in told
    for plan, complete in (("paper", "0 of 12"), ("mini", "36 of 36")):
        (line,) = (line for line in told.splitlines() if f"*{plan}*" in line)
        assert f"({complete} runs complete)" in line
        assert sum(map(int, re.findall(r"\*\*(\d+)\*\*", line))) == claims
    outcomes = [verdict.outcome for (_, plan), verdict in verdicts.items() if plan == "mini"]
    assert f"**{outcomes.count(REPRODUCED)}** reproduced on Pantomime" in told


def test_the_chapter_on_claims_has_every_rule_and_all_parts_open(study):
    html = scoreboard.cards(*study).data
    for claim in read_claims(EMPIRICAL).values():
        (card,) = re.findall(f'<div class="claim" id="{claim.id}">.*', html)
        told = text(card)
        for said in (claim.text, claim.printed, claim.rule, claim.experiment, "Plan paper: ", "Plan mini: "):
            assert said in told
    (best,) = re.findall('<div class="claim" id="run-best">.*', html)
    in_sight = text(re.sub("<details>.*?</details>", "", best))
    assert in_sight.count("R(2+1)D-18 minus") == 1 + 11
    assert "_seed" not in in_sight


@pytest.mark.parametrize("chapter", ["index", "claims", "paper", "audit"])
def test_the_cells_of_a_chapter_run_and_show_something(study, chapter, monkeypatch):
    monkeypatch.setattr(scoreboard, "decide_all", lambda runs: study[1])
    shown = shown_by(chapter, study[0], monkeypatch)
    told = text(" ".join(html_of(one) for one in shown))
    assert len(cells_of(chapter)) == {"index": 4, "claims": 2, "paper": 1, "audit": 3}[chapter]
    expected = {"index": "36 of 36", "claims": "Rule:", "paper": "52.4 against 49.3", "audit": "20.748 against 20.348"}
    assert expected[chapter] in told


def test_every_experiment_of_a_claim_has_a_chapter():
    experiments = {claim.experiment for claim in read_claims(EMPIRICAL).values()}
    assert experiments <= set(scoreboard.CHAPTERS)
    assert set(scoreboard.CHAPTERS.values()) == set(scoreboard.TITLES)
    assert sum(map(len, scoreboard.by_chapter().values())) == len(read_claims(EMPIRICAL))
