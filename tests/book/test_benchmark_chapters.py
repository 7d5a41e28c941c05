"""The chapters on Tables 3 to 5 and on two streams: gains, figures, what is quoted, and that their cells execute."""

import re

import numpy as np
import pandas as pd
import pytest

from studylib import REPOSITORY
from studylib.book import benchmark_data, benchmark_figures, benchmark_tables, gallery, tables, two_streams
from studylib.book import transfer_tables as transfers
from studylib.book.benchmark_runs import TABLE3, find
from studylib.claims import published
from studylib.claims.verdicts import decide
from studylib.claims.verdicts_benchmarks import FLOW, RGB
from studylib.claims.verdicts_evidence import Evidence
from tests.chapters import below_figures, cells_of, figures_in, html_of, shown_by
from tests.recorded_benchmarks import predictions_of, recorded, right, rows_of, text

CHAPTERS = ("transfer", "two_streams")


@pytest.fixture(scope="module")
def whole() -> pd.DataFrame:
    return recorded(".")


# --- gains, curves, figures


def test_the_gain_is_that_of_the_claims_rule_with_its_interval(whole):
    parts = {part.what: part for part in decide("run-fusion", whole, "mini").parts}
    rows = rows_of(two_streams.our_pairs(whole, "mini"), "in the place of")
    assert len(rows) == 8
    assert len(parts) == 16
    shown = {cell for column in rows if re.search("mean − (RGB|flow)$", column) for cell in rows[column]}
    for part in parts.values():
        value, low, high = (f"{v:+.1f}".replace("-", "−") for v in (part.points, part.low, part.high))
        assert any(text(cell).split() == [value, f"({low}", "to", f"{high})"] for cell in shown), part.what


def test_the_papers_gains_are_its_differences():
    rows = two_streams.published_pairs().frame.set_index("pair")
    assert rows.loc["Kinetics, from scratch"].tolist() == ["72.0", "67.5", "73.9", "+1.9", "+6.4"]
    assert rows.loc["HMDB51, from Sports-1M"].tolist() == ["66.6", "70.1", "72.7", "+6.1", "+2.6"]
    assert len(rows) == 8


def test_a_curve_goes_from_flow_alone_to_rgb_alone_by_way_of_the_mean(whole):
    curves = two_streams.curves(whole, "mini")
    own = curves[curves["pair"] == "Sports-1M, 32 frames"].set_index("rgb_weight")["accuracy"]
    rgb, flow = (
        find(Evidence(whole, "mini"), TABLE3[f"R(2+1)D-{stream}-32frame"]).tests[0][1] for stream in (RGB, FLOW)
    )
    assert own[0.0] == pytest.approx(right(flow))
    assert own[1.0] == pytest.approx(right(rgb))
    assert own[0.5] == pytest.approx(right(rgb, flow, weights=(0.5, 0.5)))
    assert len(own) == 11


def test_the_curves_have_a_panel_a_pair_that_names_its_data_and_marks_both_weights(whole):
    curves = two_streams.curves(whole, "mini")
    figure = benchmark_figures.fusion_panels(curves, "mini")
    assert len(figure.axes) == 8
    assert figure.axes[1].get_title() == "as Sports-1M, 32 frames\npantomime-mini-large, 16f"
    marks = [line.get_xdata()[0] for line in figure.axes[0].lines if len(set(line.get_xdata())) == 1]
    assert marks == [0.5, 0.6]
    odd = benchmark_figures.fusion_panels(curves[curves["pair"] == "Sports-1M, 32 frames"])
    assert [axes.axison for axes in odd.axes] == [True, False]


def test_the_figure_of_transfer_has_a_point_with_interval_for_each_input_and_start(whole):
    points = transfers.transfer_points(whole, "mini")
    assert len(points) == 12
    figure = benchmark_figures.transfer(points, "mini")
    assert [axes.get_title() for axes in figure.axes] == [
        "pantomime-mini-target as UCF101", "pantomime-mini-target-small as HMDB51",
    ]  # fmt: skip
    assert [label.get_text() for label in figure.legends[0].get_texts()] == [
        "pretrained on pantomime-mini-large as Sports-1M", "pretrained on pantomime-mini as Kinetics",
    ]  # fmt: skip
    drawn = [y for container in figure.axes[0].containers for y in container.lines[0].get_ydata()]
    assert sorted(drawn) == sorted(points.loc[points["dataset"].str.endswith("UCF101"), "accuracy"])


def test_the_pretraining_difference_is_from_kinetics_minus_from_sports1m(whole):
    rows = transfers.pretraining_table(whole).frame.set_index(["dataset", "input"])
    assert rows.loc[("UCF101", "RGB"), "the paper"] == "+3.2"
    means = [
        np.mean([right(predictions_of(whole, f"target_from_{s}_modalityrgb_split{n}_seed0")) for n in (1, 2, 3)])
        for s in ("kinetics", "sports1m")
    ]
    shown = rows.loc[("UCF101", "RGB")].filter(like="plan mini").iloc[0]
    assert float(text(shown).split()[0].replace("−", "-")) == pytest.approx(means[0] - means[1], abs=0.051)
    assert " to " in shown


# --- what is quoted and said


def test_the_papers_tables_are_quoted_whole_and_its_own_rows_marked():
    runs = recorded()
    for shown, name in (
        (benchmark_tables.table3(runs), "table3_sports1m"),
        (benchmark_tables.table4(runs), "table4_kinetics"),
        (benchmark_tables.table5(runs), "table5_transfer"),
    ):
        printed, frame = published.table(name), rows_of(shown, "method")
        numbers = printed.select_dtypes("number")
        quoted = frame[[column for column in frame if column.startswith("paper, ")]]
        quoted = quoted[frame.index != "R3D, shorter clips"]
        assert (
            quoted.to_numpy().tolist() == numbers.map(lambda v: "–" if np.isnan(v) else f"{v:.1f}").to_numpy().tolist()
        )
        marked = frame.filter(like="numbers by").iloc[:, 0].str.contains("the paper")
        assert marked.sum() == (printed["trained_by_the_paper"] == "yes").sum()


def test_headings_and_captions_say_which_data_it_was():
    runs = recorded()
    for shown in (benchmark_tables.table3(runs), benchmark_tables.table4(runs), benchmark_tables.table5(runs)):
        assert "cannot be compared with the paper's" in shown.caption
    columns = [" ".join(c) for t in (benchmark_tables.table3, benchmark_tables.table4) for c in t(runs).frame.columns]
    assert any("pantomime-mini-large as Sports-1M" in column for column in columns)
    assert any("pantomime-mini as Kinetics" in column for column in columns)
    note = benchmark_data.data_note(runs, "transfer", ["UCF101", "HMDB51"]).data
    assert "Plan *mini*: UCF101 is `pantomime-mini-target`; HMDB51 is `pantomime-mini-target-small`; seed 0." in note


def test_of_one_stream_alone_it_is_said_that_it_makes_no_figure(monkeypatch):
    monkeypatch.setattr(gallery, "streams", lambda names: "")
    shown = shown_by("two_streams", recorded("kinetics/from_sports1m_modalityrgb"), monkeypatch)
    assert figures_in(shown) == []
    # of the two streams' own runs: R3D's on Sports-1M have no flow
    (told,) = [html_of(one) for one in shown if "this figure" in html_of(one)]
    assert told.endswith("seed 0: 1 of 32 planned runs complete, none of which this figure can show alone.")


def test_the_histories_are_named_by_network_clip_and_input(whole):
    names = set(benchmark_data.histories_by_input(whole[whole["experiment"] == "kinetics"])["name"])
    inputs = ("RGB", "flow")
    assert names == {f"R(2+1)D 16f {i}{how}" for i in inputs for how in ("", ", fine-tuned")}


def test_the_settings_that_differ_are_those_of_the_plans():
    runs = recorded()
    rows = tables.settings_table(runs[runs["experiment"] == "transfer"], "mini").frame.set_index("field")
    assert rows.loc["<code>depth</code>"].tolist() == ["34", "18"]
    assert "<code>weight_decay</code>" not in rows.index  # the same in both
    assert "<code>init_from</code>" not in rows.index


def test_reproductions_are_of_the_same_network_and_name_their_source():
    rows = benchmark_tables.reproductions().frame
    assert rows["net"].str.startswith("R(2+1)D-34").all()
    assert set(rows["by"]) == {"VMZ", "mmaction2", "gluon-cv"}
    assert rows["source"].str.contains("/").any()


def test_the_streams_are_shown_side_by_side_in_videos_that_stop_and_weigh_little():
    html = gallery.streams(("circle_cw",), num_frames=4).data
    assert 'class="gallery motion streams"' in html  # what motion.js pauses
    (label,) = re.findall(r'<video autoplay loop muted playsinline aria-label="([^"]*)"', html)
    assert label.startswith("Left, circle_cw")
    assert "optical flow" in label
    assert re.search(r"full from \d+\.\d pixels a frame", html)
    assert len(html) < 100_000


# --- the chapters


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("complete", [False, True])
def test_the_cells_of_a_chapter_execute_with_runs_and_without(chapter, complete, whole, monkeypatch):
    monkeypatch.setattr(gallery, "streams", lambda names: "")  # tested above
    shown = shown_by(chapter, whole if complete else recorded(), monkeypatch)
    assert len(figures_in(shown)) == complete
    assert all("Plan *mini*, dataset `pantomime-" in below for below in below_figures(shown))
    in_their_place = [one for one in shown if html_of(one).startswith("*Not run:* plan")]
    assert len(in_their_place) == 2 - complete  # a figure of each plan


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_types_no_accuracy_and_ends_with_its_claims(chapter):
    page = (REPOSITORY / "book" / f"{chapter}.md").read_text()
    assert not re.findall(r"\d+\.\d|\d+ ?%", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    assert "scoreboard.claims_table(runs," in cells_of(chapter)[-1][1]
