"""The plots say what their tables say."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from studylib.book import (
    cues,
    evidence,
    figures,
    why_factorise,
)
from studylib.nets.table import PAPER_NAMES
from studylib.runs.results import load_run
from studylib.training.spec import RunSpec
from tests.fake_runs import fake_predictions, write_fake_run


@pytest.fixture
def runs(tmp_path):
    """Complete runs of f-R2D and, with two seeds, of R3D."""
    made = []
    for net, seed in (("f_r2d", 0), ("r3d", 0), ("r3d", 1)):
        spec = RunSpec(experiment="conv_types", net=net, dataset="pantomime-quick", epochs=6, seed=seed)
        folder = tmp_path / "quick" / "conv_types" / f"{net}_{seed}"
        made.append(load_run(write_fake_run(folder, spec, fake_predictions(clips=10, seed=seed))))
    return made


def names_in(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_training_is_thin_test_is_thick_and_a_net_has_one_colour(runs):
    tables = [run.history.assign(net=run.net, run=run.folder.name) for run in runs]
    axes = figures.training_curves(pd.concat(tables)).axes[0]
    assert len(axes.lines) == 6  # two for each run
    thin, thick = axes.lines[0], axes.lines[1]
    assert thin.get_linewidth() < thick.get_linewidth()
    assert list(thin.get_ydata()) == list(runs[0].history["train_error"])
    assert list(thick.get_ydata()) == list(runs[0].history["test_error"])
    assert len({line.get_color() for line in axes.lines}) == 2
    assert names_in(axes.get_legend()) == ["f-R2D-18", "R3D-18", "training", "test"]


def colours_in(figure):
    """(name, colour) of all that is drawn with a name, and of the lines that a legend shows for others."""
    named = [pair for axes in figure.axes for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    for legend in filter(None, [*figure.legends, *(axes.get_legend() for axes in figure.axes)]):
        named += zip(legend.legend_handles, names_in(legend), strict=True)
    marks = [(name, mark.lines[0] if isinstance(mark, ErrorbarContainer) else mark) for mark, name in named]
    return {(name, to_hex(mark.get_color()).upper()) for name, mark in marks if isinstance(mark, plt.Line2D)}


def all_figures_of_networks():
    """Each figure whose lines or marks are networks, by its function, of all the networks that it may have."""
    names, number = list(PAPER_NAMES.values()), range(1, 13)
    epochs = pd.DataFrame({"epoch": [1], "train_error": [30.0], "test_error": [40.0]})
    yield figures.training_curves(pd.concat([epochs.assign(net=f"{net}-18", run=net, seed=0) for net in names]))
    pair = [epochs.assign(net=net, depth=18, seed=0) for net in ("R3D", "R(2+1)D")]
    yield why_factorise.figure4(pd.concat(pair))
    points = pd.DataFrame({"net": names, "gflops": number, "accuracy": number, "low": number, "high": number})
    yield figures.cue_groups(points.assign(cue="pose", order_blind=50.0, chance=6.0))
    yield evidence.scatter()


def test_a_network_has_one_colour_in_all_figures():
    found = {}
    for figure in all_figures_of_networks():
        drawn = [(figures.kind_of(name), colour) for name, colour in colours_in(figure)]
        assert {"R3D", "R(2+1)D"} <= {kind for kind, _ in drawn}
        for kind, colour in drawn:
            found.setdefault(kind, set()).add(colour)
    del found[""]  # training, test, chance
    assert found == {kind: {colour} for kind, (colour, _) in figures.KINDS.items()}


def test_no_two_networks_look_alike_in_colour_or_in_print():
    assert {figures.kind_of(net) for net in PAPER_NAMES.values()} == set(figures.KINDS)
    for own in zip(*figures.KINDS.values(), strict=True):  # colours, markers
        assert len(set(own)) == len(figures.KINDS)
    looks = figures.looks(list(PAPER_NAMES.values())).values()
    assert len({(look["color"], look["linestyle"]) for look in looks}) == len(PAPER_NAMES)
    assert len({(look["marker"], look["linestyle"]) for look in looks}) == len(PAPER_NAMES)
    streams = figures.looks(["RGB", "flow", "RGB, pretrained"]).values()
    assert len({look["color"] for look in streams}) == 3


def test_cue_groups_have_points_intervals_chance_and_the_order_blind_level(runs):
    table = cues.by_cue(runs[:2])
    axes = figures.cue_groups(table[table["measure"] == "class"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["pose", "direction", "tempo", "sequence"]
    assert {"f-R2D-18", "R3D-18", "chance"} <= set(names_in(axes.get_legend()))
    drawn = {tuple(round(y, 6) for y in c.lines[0].get_ydata()) for c in axes.containers}
    for _, own in table[table["measure"] == "class"].groupby("net"):
        assert tuple(own["accuracy"].round(6)) in drawn


def test_figures_do_not_stay_open():
    next(all_figures_of_networks())
    assert plt.get_fignums() == []
