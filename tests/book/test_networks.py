"""The chapter on networks: what it draws is what is built and counted."""

import numpy as np
import pandas as pd
import pytest

from studylib.book import figures, networks
from studylib.nets.table import NETS
from tests.bench import latency
from tests.bench.steps import Geometry


def test_the_kinds_are_drawn_with_their_kernels_and_frames():
    words = [text.get_text() for text in networks.kinds().axes[0].texts]
    assert {"R2D", "f-R2D", "MC3", "rMC3", "R3D", "R(2+1)D"} <= set(words)
    assert words.count("3×3×3\nT=1") == 2  # conv5 of rMC3 and R3D
    assert [word for word in words if word.startswith("3×1×1")] == [f"3×1×1 T={t}" for t in (8, 8, 4, 2, 1)]


def test_the_factorised_block_is_drawn_with_its_counts():
    words = [text.get_text() for axes in networks.factorised_block().axes for text in axes.texts]
    assert "M = 144 filters 1×3×3" in words
    assert "82,944 + 27,648\n= 110,592 weights" in words
    assert "110,592 weights" in words


def test_bars_of_flops_add_up_to_the_totals():
    table = networks.by_group()
    axes = figures.stacked_bars({"": table}, "GFLOPs", totals=True).axes[0]
    ends = {round(bar.get_x() + bar.get_width(), 6) for bar in axes.patches}
    assert {round(total, 6) for total in table.sum(axis=1)} <= ends
    assert [text.get_text() for text in axes.texts] == [f"{total:.1f}" for total in table.sum(axis=1)]


def test_cost_is_proportional_to_frames_and_nearly_to_the_square_of_pixels_and_filters():
    frames, pixels, filters = (axes.lines[2].get_ydata() for axes in networks.cost_growth().axes)  # of R(2+1)D
    assert frames[2] == pytest.approx(4 * frames[0], rel=1e-4)
    assert pixels[2] == pytest.approx(4 * pixels[1], rel=1e-3)
    assert filters[3] == pytest.approx(4 * filters[2], rel=0.02)


@pytest.mark.parametrize(
    ("net", "widest"),
    [
        ("f_r2d", [1, 1, 1, 1, 1]),
        ("r2d", [32, 32, 32, 32, 32]),
        ("mc3", [3, 11, 11, 11, 11]),  # conv1, then four convolutions of three frames
        ("rmc3", [1, 1, 15, 32, 32]),  # from the first that strides on, steps count twice: 1 + 2 + 3 x 4
        ("r3d", [3, 11, 25, 32, 32]),
        ("r2plus1d", [3, 11, 25, 32, 32]),
    ],
)
def test_frames_that_a_network_sees_by_hand(net, widest):
    seen = networks.frames_seen(net)
    assert [int(outputs.sum(1).max()) for outputs in seen.values()] == widest
    for outputs in seen.values():
        assert outputs.any(0).all()  # every frame is seen somewhere


def test_the_latency_of_every_network_is_measured_beside_its_cost(capsys):
    rows = pd.DataFrame(latency.main(["--rounds", "1"], Geometry(16, 4, 1, 5, 1))["latency"])
    assert list(rows["net"]) == list(NETS)
    assert (rows["pass_s"] > 0).all()
    assert np.allclose(rows["gmac_per_second"] * rows["pass_s"], rows["gmacs"])
