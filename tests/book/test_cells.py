"""Cells of tables on recorded networks: number, interval, links, and what is missing, alike on every page."""

import re
from dataclasses import replace

import pytest

from studylib.book import cells
from studylib.claims.networks import CLIP, VIDEO, Evidence, rows_of
from studylib.claims.parts import over_seeds
from tests.made_study import network_of as of
from tests.made_study import table2
from tests.verdict_runs import PLAN, run_of, scored, table, trained

TABLE2 = ("conv_types",)


def text(html):
    return re.sub(" +", " ", re.sub("<[^>]*>", " ", html)).strip()


def test_a_cell_shows_number_interval_and_what_is_missing():
    partly = table2(1)
    part = replace(of(partly).measured(CLIP), points=61.24, low=58.0, high=64.06)
    shown = cells.cell(part, of(partly), after=cells.links(of(partly)))
    assert text(shown) == "61.2 (58–64) 2 of 3 runs seeds 0 2"
    assert "mini_conv_types_mc3-18_8f_seed0.html" in shown
    assert "seed1.html" not in shown
    assert text(cells.cell(replace(part, low=-58.0), of(partly), sign=True)) == "+61.2 (−58.0 to +64.1) 2 of 3 runs"


def test_a_single_seed_of_one_number_has_no_interval():
    part = over_seeds("", [[20.0]], [[15.0, 17.0]])
    assert text(cells.cell(part, sign=True)) == "+4.0 (one seed)"
    assert text(cells.cell(part)) == "4.0 (one seed)"


def test_a_cell_without_a_number_says_why():
    whole, partly = table2(), table2(1)
    assert cells.cell(None, of(whole), of(whole, "c3d")) == '<span class="not-run">not planned</span>'
    assert cells.cell(None) == '<span class="not-run">not run</span>'
    assert cells.missing(of(partly)) == '<span class="not-run">2 of 3 runs</span>'


def test_the_number_of_one_run_is_its_link_and_of_several_a_line_has_them():
    whole = table2()
    alone = Evidence(table(trained("a", 60, seeds=(0,))), PLAN).find("a", TABLE2, net="r2plus1d")
    shown = cells.accuracy(alone, VIDEO)
    assert re.fullmatch(
        r'<a href="run_pages/study_conv_types_a_seed0.html">[\d.]+</a> <span.*\(\d+–\d+\)</span>', shown
    )
    assert text(cells.accuracy(of(whole), VIDEO)).endswith("seeds 0 1 2")


def test_many_seeds_take_several_lines():
    seeds = tuple(range(7))
    own = Evidence(table(trained("a", 60, seeds=seeds)), PLAN).find("a", TABLE2, net="r2plus1d")
    lines = cells.links(own).split("<br>")
    assert [text(line) for line in lines] == ["seeds 0 1 2 3 4", "5 6"]


@pytest.mark.parametrize(("seeds", "told"), [((0,), "splits 1 2"), ((0, 1), "seed 0, splits 1 2 seed 1, splits 1 2")])
def test_splits_have_a_link_each(seeds, told):
    specs = [replace(run.spec, split=split) for _, run in trained("a", 60, seeds=seeds) for split in (1, 2)]
    runs = [(f"s{s.seed}_{s.split}", run_of(s, scored(60, name=f"split{s.split}/"))) for s in specs]
    own = Evidence(table(runs), PLAN).find("a", TABLE2, net="r2plus1d")
    assert text(cells.links(own)) == told


def test_a_figure_tells_what_it_is_made_of():
    whole, partly = table2(), table2(1)
    assert cells.made_of([of(whole)]).data.endswith("seeds 0, 1, 2: 3 of 3 planned runs complete.")
    assert cells.made_of([of(partly)]).data == (
        "Plan *mini*, dataset `pantomime-mini`, seeds 0, 2: 2 of 3 planned runs complete."
    )
    assert cells.made_of([of(whole, "r3d", experiments=("depth",), depth=34)]).data == (
        "*Not run:* plan *mini*, 0 of 3 planned runs complete."
    )
    assert cells.made_of([of(whole, "c3d")]).data.startswith("*Not planned:*")


def test_a_run_behind_several_networks_of_a_figure_counts_once():
    own = of(table2(1))
    assert cells.made_of([own, own, of(table2(1), "mc2")]).data.endswith("4 of 6 planned runs complete.")


def test_runs_that_make_no_figure_alone_are_told_apart_from_none():
    whole = table2()
    told = cells.made_of([of(whole)], drawn=False).data
    assert told.endswith("3 of 3 planned runs complete, none of which this figure can show alone.")
    none = [of(whole, "r3d", experiments=("depth",), depth=34)]
    assert cells.made_of(none, drawn=False).data == cells.made_of(none).data


def test_a_figure_of_rows_tells_the_same_as_one_of_their_networks():
    networks = [of(table2(1), net) for net in ("mc2", "mc3")]
    rows = rows_of(table2(1), networks)
    assert len(rows) == 6
    assert cells.made_of_rows(rows).data == cells.made_of(networks).data
