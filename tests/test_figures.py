"""The plots say what their tables say."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from studylib import counts, cues, diagrams, figures, table2
from studylib.results import load_run
from studylib.spec import RunSpec
from tests.fake_runs import fake_predictions, write_fake_run


@pytest.fixture
def runs(tmp_path):
    """Complete runs of f-R2D and, with two seeds, of R3D."""
    made = []
    for net, seed in (("f_r2d", 0), ("r3d", 0), ("r3d", 1)):
        spec = RunSpec(experiment="conv_types", net=net, dataset="pantomime-quick", epochs=6, seed=seed)
        folder = tmp_path / "quick" / "conv_types" / f"{net}_{seed}"
        made.append(load_run(write_fake_run(folder, spec, fake_predictions(seed=seed))))
    return made


def names_in(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_training_is_thin_test_is_thick_and_a_net_has_one_colour(runs):
    axes = figures.training_curves(figures.histories(runs)).axes[0]
    assert len(axes.lines) == 6  # two for each run
    thin, thick = axes.lines[0], axes.lines[1]
    assert thin.get_linewidth() < thick.get_linewidth()
    assert list(thin.get_ydata()) == list(runs[0].history["train_error"])
    assert list(thick.get_ydata()) == list(runs[0].history["test_error"])
    assert len({line.get_color() for line in axes.lines}) == 2
    assert names_in(axes.get_legend()) == ["f-R2D-18", "R3D-18", "training", "test"]


def test_one_run_can_be_plotted_as_it_is(runs):
    axes = figures.training_curves(runs[0]).axes[0]
    assert len(axes.lines) == 2


def test_figure_3_has_a_panel_for_each_source_and_names_every_net():
    counts = table2.counted()
    figure = figures.accuracy_against_flops(table2.figure3_panels(counts))
    assert len(figure.axes) == 2
    for axes in figure.axes:
        assert "Kinetics-400" in axes.get_title()
        assert sorted(text.get_text() for text in axes.texts) == sorted(counts["net"])


def test_names_in_figure_3_do_not_cover_each_other():
    figure = figures.accuracy_against_flops(table2.figure3_panels(table2.counted()))
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent().extents for text in axes.texts]
        shared = [figures._overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
        assert max(shared) < 0.1 * min((b[2] - b[0]) * (b[3] - b[1]) for b in boxes)


def test_cue_groups_have_points_intervals_chance_and_the_order_blind_level(runs):
    table = cues.by_cue(runs[:2])
    axes = figures.cue_groups(table[table["measure"] == "class"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["pose", "direction", "tempo", "sequence"]
    assert {"f-R2D-18", "R3D-18", "chance"} <= set(names_in(axes.get_legend()))
    drawn = {tuple(round(y, 6) for y in c.lines[0].get_ydata()) for c in axes.containers}
    for _, own in table[table["measure"] == "class"].groupby("net"):
        assert tuple(own["accuracy"].round(6)) in drawn


def test_figures_do_not_stay_open(runs):
    figures.training_curves(runs[0])
    assert plt.get_fignums() == []


def test_the_kinds_are_drawn_with_their_kernels_and_frames():
    words = [text.get_text() for text in diagrams.kinds().axes[0].texts]
    assert {"R2D", "f-R2D", "MC3", "rMC3", "R3D", "R(2+1)D"} <= set(words)
    assert words.count("3×3×3\nT=1") == 2  # conv5 of rMC3 and R3D
    assert [word for word in words if word.startswith("3×1×1")] == [f"3×1×1 T={t}" for t in (8, 8, 4, 2, 1)]


def test_the_factorised_block_is_drawn_with_its_counts():
    words = [text.get_text() for axes in diagrams.factorised_block().axes for text in axes.texts]
    assert "M = 144 filters 1×3×3" in words
    assert "82,944 + 27,648\n= 110,592 weights" in words
    assert "110,592 weights" in words


def test_bars_of_flops_add_up_to_the_totals():
    table = counts.by_group()
    axes = figures.flops_by_group(table).axes[0]
    ends = {round(bar.get_x() + bar.get_width(), 6) for bar in axes.patches}
    assert {round(total, 6) for total in table.sum(axis=1)} <= ends
    assert [text.get_text() for text in axes.texts] == [f"{total:.1f}" for total in table.sum(axis=1)]


def test_growth_has_a_panel_for_each_size_and_a_line_for_each_net():
    panels = {
        "frames": pd.DataFrame({"net": ["R2D", "R2D", "R3D", "R3D"], "size": [8, 16] * 2, "gflops": [1, 2, 3, 6]})
    }
    axes = figures.cost_growth(panels, {"frames": (8, 16)}).axes[0]
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2], [3, 6]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "16"]
