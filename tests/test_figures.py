"""The plots say what their tables say."""

import matplotlib.pyplot as plt
import pytest

from studylib import cues, figures, tables
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
    counts = tables.counted()
    figure = figures.accuracy_against_flops(tables.figure3_panels(counts))
    assert len(figure.axes) == 2
    for axes in figure.axes:
        assert "Kinetics-400" in axes.get_title()
        assert sorted(text.get_text() for text in axes.texts) == sorted(counts["net"])


def test_names_in_figure_3_do_not_cover_each_other():
    figure = figures.accuracy_against_flops(tables.figure3_panels(tables.counted()))
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
