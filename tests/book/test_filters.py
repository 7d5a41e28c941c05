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


def test_a_spatial_filter_shows_its_channels_as_red_green_and_blue_from_left_to_right():
    spatial, temporal = np.zeros((16, 3, 1, 7, 7)), np.zeros((64, 45, 3, 1, 1))
    spatial[15, 0, 0, 2, 5], spatial[15, 2, 0, 2, 5] = 0.3, -0.9  # the first of the second row
    picture, _ = filters.pictures((spatial, temporal))
    big, tile = filters.ENLARGED, 8 * filters.ENLARGED + 2  # seven weights and the gap, in a line
    assert picture.shape == (2 * tile, 15 * tile, 3)
    weight = picture[tile + 1 + 2 * big : tile + 1 + 3 * big, 1 + 5 * big : 1 + 6 * big]
    assert (weight == [1, 0.5, 0]).all()
    assert (picture[tile:, tile:] == 1).all()  # no further filter
    assert (picture[1 : 1 + 7 * big, 1 : 1 + 7 * big] == 0.5).all()


def test_a_temporal_filter_is_a_column_three_wide_with_a_row_a_channel_its_signs_told_apart_in_grey_print():
    temporal = np.zeros((64, 45, 3, 1, 1))
    temporal[33, 40, :, 0, 0] = -0.3, 0, 0.3  # the second of the second row
    _, picture = filters.pictures((np.zeros((45, 3, 1, 7, 7)), temporal))
    big = filters.ENLARGED
    top, left = 46 * big + 2 + 1 + 40 * big, 4 * big + 2 + 1
    weights = picture[top, left : left + 3 * big : big]
    assert np.diff(weights @ [0.299, 0.587, 0.114]).min() > 0.25
    assert (picture[top + big, left : left + 3 * big] == weights[1]).all()


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
