"""The chapter on filters: shapes and shares by hand, chance by drawing, pictures pixel by pixel."""

import numpy as np
import pytest

from studylib.book import filters
from studylib.book.filters import SHAPES
from studylib.runs import results


def filters_of(triples):
    """(N, M, 3, 1, 1) from rows of triples."""
    return np.array(triples, np.float32)[..., None, None]


def drawn(channels=11, outputs=16, seed=0):
    """Filters as training starts with them."""
    rng = np.random.default_rng(seed)
    spatial, temporal = rng.normal(size=(channels, 3, 1, 7, 7)), rng.normal(size=(outputs, channels, 3, 1, 1))
    return (0.1 * spatial).astype(np.float32), (0.2 * temporal).astype(np.float32)


@pytest.mark.parametrize(
    ("triple", "shape"),
    [
        ((1, 2, 1), "sum"),
        ((-1, -2, -3), "sum"),  # monotone, but of one sign
        ((-1, 0.5, 2), "first difference"),
        ((2, -0.5, -1), "first difference"),
        ((1, -2, 1), "second difference"),
        ((-1, 2, -0.1), "second difference"),
        ((-1, 3, 2), "other"),
        ((1, 2, -1), "other"),
    ],
)
def test_the_shape_of_three_weights(triple, shape):
    assert list(SHAPES)[filters.shapes(filters_of([[triple]]))[0, 0]] == shape


def test_each_shape_is_a_quarter_by_chance_in_number_and_energy():
    table = filters.shares(np.random.default_rng(0).normal(size=(400, 500, 3, 1, 1)))
    assert table["number"].sum() == pytest.approx(1)
    assert np.allclose(table, 1 / 4, atol=0.005)
    flat = filters.shares(np.random.default_rng(0).uniform(-1, 1, size=(400, 500, 3, 1, 1)))
    assert np.allclose(flat["number"], 1 / 4, atol=0.005)


def test_energy_counts_a_large_triple_more():
    table = filters.shares(filters_of([[(1, 1, 1), (3, -3, 3)]]))
    assert table.loc["sum"].tolist() == pytest.approx([1 / 2, 3 / 30])
    assert table.loc["second difference"].tolist() == pytest.approx([1 / 2, 27 / 30])


def test_steady_energy_is_all_of_a_constant_none_of_a_difference_and_a_third_by_chance():
    assert filters.steady(filters_of([[(2, 2, 2)]])) == pytest.approx(1)
    assert filters.steady(filters_of([[(-1, 0, 1)]])) == pytest.approx(0)
    assert filters.steady(np.random.default_rng(0).normal(size=(400, 500, 3, 1, 1))) == pytest.approx(1 / 3, abs=0.005)


def test_a_spatial_filter_shows_its_channels_as_red_green_and_blue():
    spatial = np.zeros((45, 3, 1, 7, 7), np.float32)
    spatial[4, 0, 0, 2, 5], spatial[4, 2, 0, 2, 5] = 0.3, -0.3
    tiles = filters.spatial_tiles(spatial)
    assert len(tiles) == 45
    assert tiles[4].shape == (7, 7, 3)
    assert tiles[4][2, 5].tolist() == [1, 0.5, 0]
    assert (np.delete(tiles[4].reshape(49, 3), 2 * 7 + 5, 0) == 0.5).all()
    with pytest.raises(ValueError, match="over 2 channels"):
        filters.spatial_tiles(spatial[:, :2])


def test_a_temporal_filter_is_a_column_three_wide_with_a_row_a_channel():
    temporal = np.zeros((64, 45, 3, 1, 1), np.float32)
    temporal[7, 40, 2] = 0.3
    tiles = filters.temporal_tiles(temporal)
    assert (len(tiles), tiles[7].shape) == (64, (45, 3, 3))
    bright = tiles[7].sum(2)
    assert np.unravel_index(bright.argmax(), bright.shape) == (40, 2)


def test_signs_are_told_apart_in_grey_print():
    greys = filters.temporal_tiles(filters_of([[(-0.3, 0, 0.3)]]))[0][0] @ [0.299, 0.587, 0.114]
    assert np.diff(greys).min() > 0.25


def test_the_mosaic_goes_from_left_to_right_and_enlarges_each_weight():
    tiles = [np.full((2, 3, 3), value) for value in (0.1, 0.2, 0.3)]
    whole, big = filters.mosaic(tiles, 2), filters.ENLARGED
    height, width = 2 * big + 2 + big, 3 * big + 2 + big
    assert whole.shape == (2 * height, 2 * width, 3)
    assert (whole[1 : 1 + 2 * big, 1 : 1 + 3 * big] == 0.1).all()
    assert (whole[1 : 1 + 2 * big, width + 1 : width + 1 + 3 * big] == 0.2).all()
    assert (whole[height + 1 : height + 1 + 2 * big, 1 : 1 + 3 * big] == 0.3).all()
    assert (whole[height:, width:] == 1).all()


def test_numbers_are_those_of_the_arrays_a_row_a_training():
    spatial, temporal = drawn(seed=2)
    table = filters.numbers({"a": drawn(), "b": (spatial, temporal)}).set_index("training")
    assert table.loc["b", "spatial, within 0.3"] == pytest.approx(100 * np.mean(np.abs(spatial) <= 0.3))
    assert table.loc["b", "sum"] == pytest.approx(100 * filters.shares(temporal).loc["sum", "energy"])
    assert table[list(SHAPES)].sum(axis=1).tolist() == pytest.approx([100, 100])


def test_recorded_runs_of_the_network_are_shown():
    shown = filters.kept(results.table("mini"))
    assert len(shown) == 10
    assert all(spatial.shape[2:] == (1, 7, 7) for spatial, _ in shown.values())
