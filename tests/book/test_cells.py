"""The line below a figure tells the runs behind it."""

from studylib.book import cells
from studylib.claims.networks import rows_of
from tests.made_study import network_of as of
from tests.made_study import table2


def test_a_figure_tells_what_it_is_made_of():
    whole, partly = table2(), table2(1)
    assert "seeds 0, 1, 2: 3 of 3 " in cells.made_of([of(whole)]).data
    assert "seeds 0, 2: 2 of 3 " in cells.made_of([of(partly)]).data
    assert "0 of 3 " in cells.made_of([of(whole, "r3d", experiments=("depth",), depth=34)]).data


def test_a_run_behind_several_networks_of_a_figure_counts_once():
    pair = [of(table2(1), net) for net in ("mc2", "mc3")]
    assert "4 of 6 " in cells.made_of([*pair, pair[0]]).data
    assert cells.made_of_rows(rows_of(table2(1), pair)).data == cells.made_of(pair).data
