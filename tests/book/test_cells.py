"""The line below a figure tells the runs behind it."""

from studylib.book import cells
from tests.made_study import table2


def test_a_figure_tells_what_it_is_made_of():
    mc3 = table2(1).query("plan == 'mini' and net_key == 'mc3' and experiment == 'conv_types'")
    assert cells.made_of_rows(mc3).data == (
        "Plan *mini*, 2 of 3 planned runs complete: dataset `pantomime-mini`, seeds 0, 2."
    )
    assert cells.made_of_rows(mc3[mc3["seed"] == 1]).data == "*Not run:* plan *mini*, 0 of 1 planned runs complete."
