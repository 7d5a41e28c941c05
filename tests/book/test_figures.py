"""The plots say what their tables say."""

import pandas as pd

from studylib.book import figures
from studylib.nets.table import PAPER_NAMES


def test_error_curves_are_means_over_the_runs_of_a_network_and_a_single_epoch_is_seen():
    curve = pd.DataFrame({"epoch": [1, 2], "train_error": [60.0, 20.0], "test_error": [70.0, 40.0]})
    histories = [curve.assign(net="R3D", title="a"), curve.add([0, 10, 10]).assign(net="R3D", title="a")]
    histories += [curve.head(1).assign(net="R2D", title="b")]
    train, test, *single = figures.error_curves(pd.concat(histories)).axes
    assert [list(axes.lines[0].get_ydata()) for axes in (train, test)] == [[65, 25], [75, 45]]
    assert [axes.lines[0].get_marker() for axes in (train, *single)] == ["", "o", "o"]
    assert train.texts[0].get_text() == "R3D"


def test_a_network_has_the_colour_of_its_kind():
    epochs = pd.DataFrame({"epoch": [1], "train_error": [30.0], "test_error": [40.0], "title": [""]})
    axes = figures.error_curves(pd.concat([epochs.assign(net=net) for net in PAPER_NAMES.values()])).axes[0]
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert colours == {net: figures.KINDS[figures.kind_of(net)][0] for net in PAPER_NAMES.values()}


def test_no_two_networks_look_alike_in_colour_or_in_print():
    assert {figures.kind_of(net) for net in PAPER_NAMES.values()} == set(figures.KINDS)
    for own in zip(*figures.KINDS.values(), strict=True):  # colours, markers
        assert len(set(own)) == len(figures.KINDS)
