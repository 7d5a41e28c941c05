"""Below each figure of recorded runs a chapter tells which runs made it."""

import ast
import re

from studylib import REPOSITORY
from studylib.book import table2
from tests.chapters import below_figures, cells_of, html_of, shown_by
from tests.made_study import made_study, random_run

# Figures that no recorded run is behind, by the code that only their cell has -> what they are made of.
OTHER_FIGURES = {
    "table2.figure3_panels(counts)": "published accuracies, against costs counted while the page is built",
    "reproductions.scatter()": "published accuracies",
    "counts.by_group()": "counted while the page is built",
    "counts.growth()": "counted while the page is built",
    "diagrams.kinds()": "a diagram",
    "diagrams.factorised_block()": "a diagram",
    "speed_figures.profile_figure()": "a benchmark, whose tables tell when and on what it was recorded",
    "lips.mouth_openings(": "numbers of the dataset",
    "lips.speakers(": "numbers of the dataset",
    "data_figures.index_scale(scale)": "a benchmark, whose tables tell when and on what it was recorded",
}


def figure_cells() -> list[tuple[str, str]]:
    """(chapter, code) of each cell that shows a figure: it has an alternative text."""
    chapters = sorted(path.stem for path in (REPOSITORY / "book").glob("*.md"))
    return [(chapter, code) for chapter in chapters for head, code in cells_of(chapter) if "alt: " in head]


def ends_with_its_runs(code: str) -> bool:
    """Whether the last that a cell shows, whatever is recorded, is the line on runs: at its end, or at each turn of the
    loop there. In an `if` it could be left out."""
    last = ast.parse(code).body[-1]
    while isinstance(last, ast.For):
        last = last.body[-1]
    return re.match(r"(display\()?cells\.made_of(_rows)?\(", ast.unparse(last)) is not None


def test_every_figure_of_recorded_runs_has_a_line_on_them_below():
    of_runs = [(c, code) for c, code in figure_cells() if not any(other in code for other in OTHER_FIGURES)]
    assert len(of_runs) > 15
    assert [(chapter, code) for chapter, code in of_runs if not ends_with_its_runs(code)] == []


def test_every_figure_without_such_a_line_is_known_and_reads_no_runs():
    for other in OTHER_FIGURES:
        (code,) = [code for _, code in figure_cells() if other in code]
        assert not re.search(r"\b(runs|study)\b", code), other


def test_a_line_that_may_be_left_out_or_stands_above_its_figure_does_not_count():
    assert ends_with_its_runs("for plan in plans:\n    display(draw(plan))\n    display(cells.made_of(plan))")
    assert ends_with_its_runs("display(draw(rows))\ncells.made_of_rows(rows)")
    assert not ends_with_its_runs("display(draw(rows))\nif done:\n    display(cells.made_of(rows))")
    assert not ends_with_its_runs("display(cells.made_of(rows))\ndraw(rows)")


def test_the_figures_of_table_2_are_drawn_from_the_runs_that_the_lines_tell(monkeypatch):
    def make(planned):
        ours = planned.spec.experiment == "conv_types" and planned.spec.net in ("r3d", "r2plus1d")
        return random_run(planned) if ours and planned.plan == "mini" else None

    runs = made_study(make, table2.PLANS)
    shown = shown_by("conv_types", runs, monkeypatch)
    published, points, curves = below_figures(shown)
    assert "planned runs complete" not in published
    complete, planned = (len(rows) for rows in (runs[runs["state"] == "complete"], _of_table2(runs)))
    seeds = ", ".join(map(str, range(10)))
    for told in (points, curves):
        assert f"Plan *mini*, dataset `pantomime-mini`, seeds {seeds}: {complete} of {planned} planned" in told
    not_run = [plan for plan in ("paper", "quick") if any(f"*Not run:* plan *{plan}*" in html_of(s) for s in shown)]
    assert not_run == ["paper", "quick"]


def _of_table2(runs):
    return runs[(runs["plan"] == "mini") & (runs["experiment"] == "conv_types")]
