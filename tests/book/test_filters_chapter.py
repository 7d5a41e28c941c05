"""The chapter on filters: shapes and shares by hand, chance by drawing, pictures pixel by pixel, chosen runs."""

from dataclasses import replace

import numpy as np
import pytest

from studylib import REPOSITORY
from studylib.book import filter_facts, filter_figures
from studylib.book.filter_facts import CHANCE, SHAPES, STEADY_CHANCE
from studylib.training.run_files import CONV1
from tests.chapters import below_figures, html_of, shown_by
from tests.fake_runs import fake_predictions
from tests.made_study import made_run, made_study


def filters_of(triples):
    """(N, M, 3, 1, 1) from rows of triples."""
    return np.array(triples, np.float32)[..., None, None]


def drawn(channels=11, filters=16, seed=0):
    """Filters as training starts with them."""
    rng = np.random.default_rng(seed)
    spatial, temporal = rng.normal(size=(channels, 3, 1, 7, 7)), rng.normal(size=(filters, channels, 3, 1, 1))
    return (0.1 * spatial).astype(np.float32), (0.2 * temporal).astype(np.float32)


@pytest.fixture
def study(tmp_path):
    """The plan mini with R(2+1)D's filters of these seeds kept; the runs of the others are complete without."""

    def make(*seeds):
        def run(planned):
            spec = planned.spec
            if (planned.plan, spec.experiment, spec.net) != ("mini", "conv_types", "r2plus1d"):
                return None
            own = replace(made_run(planned, fake_predictions(videos_a_class=1)), folder=tmp_path / planned.name)
            own.folder.mkdir()
            if spec.seed in seeds:
                np.savez(own.folder / CONV1, **dict(zip(("spatial", "temporal"), drawn(seed=spec.seed), strict=True)))
            return own

        return made_study(run if seeds else lambda planned: None)

    return make


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
    assert list(SHAPES)[filter_facts.shapes(filters_of([[triple]]))[0, 0]] == shape


def test_each_shape_is_a_quarter_by_chance_in_number_and_energy():
    table = filter_facts.shares(np.random.default_rng(0).normal(size=(400, 500, 3, 1, 1)))
    assert table["number"].sum() == pytest.approx(1)
    assert np.allclose(table, CHANCE, atol=0.005)
    flat = filter_facts.shares(np.random.default_rng(0).uniform(-1, 1, size=(400, 500, 3, 1, 1)))
    assert np.allclose(flat["number"], CHANCE, atol=0.005)


def test_energy_counts_a_large_triple_more():
    table = filter_facts.shares(filters_of([[(1, 1, 1), (3, -3, 3)]]))
    assert table.loc["sum"].tolist() == pytest.approx([1 / 2, 3 / 30])
    assert table.loc["second difference"].tolist() == pytest.approx([1 / 2, 27 / 30])


def test_steady_energy_is_all_of_a_constant_none_of_a_difference_and_a_third_by_chance():
    assert filter_facts.steady(filters_of([[(2, 2, 2)]])) == pytest.approx(1)
    assert filter_facts.steady(filters_of([[(-1, 0, 1)]])) == pytest.approx(0)
    assert filter_facts.steady(np.random.default_rng(0).normal(size=(400, 500, 3, 1, 1))) == pytest.approx(
        STEADY_CHANCE, abs=0.005
    )


@pytest.mark.parametrize(("mode", "expected"), [("fan_out", np.sqrt(2 / (49 * 45))), ("fan_in", np.sqrt(2 / (49 * 3)))])
def test_weights_before_training_have_the_deviation_of_the_initialisation(mode, expected):
    from torch import nn

    torch_drawn = nn.Conv3d(3, 45, (1, 7, 7)).weight.detach()
    nn.init.kaiming_normal_(torch_drawn, mode=mode, nonlinearity="relu")
    own = filter_facts.first_deviation(torch_drawn.numpy(), mode)
    assert own == pytest.approx(expected)
    assert float(torch_drawn.std()) == pytest.approx(own, rel=0.05)


def test_the_share_within_the_scale_is_counted_and_expected():
    weights = np.random.default_rng(0).normal(size=200_000) * 0.2
    assert filter_facts.within(np.array([0.3, -0.3, 0.31, 0])) == 0.75
    assert filter_facts.within(weights) == pytest.approx(filter_facts.within_at_first(0.2), abs=0.003)


def test_weights_are_scaled_as_in_the_paper():
    assert filter_figures.scaled(np.array([-0.6, -0.3, 0, 0.15, 0.3, 9])).tolist() == [-1, -1, 0, 0.5, 1, 1]


def test_a_spatial_filter_shows_its_channels_as_red_green_and_blue():
    spatial = np.zeros((45, 3, 1, 7, 7), np.float32)
    spatial[4, 0, 0, 2, 5], spatial[4, 2, 0, 2, 5] = 0.3, -0.3
    tiles = filter_figures.spatial_tiles(spatial)
    assert len(tiles) == 45
    assert tiles[4].shape == (7, 7, 3)
    assert tiles[4][2, 5].tolist() == [1, 0.5, 0]
    assert (np.delete(tiles[4].reshape(49, 3), 2 * 7 + 5, 0) == 0.5).all()
    with pytest.raises(ValueError, match="over 2 channels"):
        filter_figures.spatial_tiles(spatial[:, :2])


def test_a_temporal_filter_is_a_column_three_wide_with_a_row_a_channel():
    temporal = np.zeros((64, 45, 3, 1, 1), np.float32)
    temporal[7, 40, 2] = 0.3
    tiles = filter_figures.temporal_tiles(temporal)
    assert (len(tiles), tiles[7].shape) == (64, (45, 3, 3))
    bright = tiles[7].sum(2)
    assert np.unravel_index(bright.argmax(), bright.shape) == (40, 2)


def test_signs_are_told_apart_in_grey_print():
    greys = filter_figures.temporal_tiles(filters_of([[(-0.3, 0, 0.3)]]))[0][0] @ [0.299, 0.587, 0.114]
    assert np.diff(greys).min() > 0.25


def test_the_mosaic_goes_from_left_to_right_and_enlarges_each_weight():
    tiles = [np.full((2, 3, 3), value) for value in (0.1, 0.2, 0.3)]
    whole, big = filter_figures.mosaic(tiles, 2), filter_figures.ENLARGED
    height, width = 2 * big + 2 + big, 3 * big + 2 + big
    assert whole.shape == (2 * height, 2 * width, 3)
    assert (whole[1 : 1 + 2 * big, 1 : 1 + 3 * big] == 0.1).all()
    assert (whole[1 : 1 + 2 * big, width + 1 : width + 1 + 3 * big] == 0.2).all()
    assert (whole[height + 1 : height + 1 + 2 * big, 1 : 1 + 3 * big] == 0.3).all()
    assert (whole[height:, width:] == 1).all()


def test_the_titles_tell_the_numbers_of_the_arrays():
    a, b = filter_figures.figure6(drawn()).axes[:2]
    assert a.get_title(loc="left").startswith("(a) 11 spatial filters")
    assert b.get_title(loc="left").startswith("(b) 16 temporal filters, each 11 channels")


def test_the_runs_are_r2plus1ds_and_those_with_filters_are_shown(study):
    own = filter_facts.r2plus1d(study(0, 2), "mini")
    assert [p.folder for p in own.planned] == [f"runs/mini/conv_types/r2plus1d-18_8f_seed{seed}" for seed in range(10)]
    kept = filter_facts.kept(own)
    assert list(kept) == [0, 2]
    assert np.array_equal(kept[2][1], drawn(seed=2)[1])


def test_tables_tell_what_is_kept_and_what_is_not(study):
    networks = {"mini": filter_facts.r2plus1d(study(0, 2), "mini")}
    filters = {"mini": filter_facts.kept(networks["mini"])}
    scale = filter_facts.scale_table(networks, filters).frame
    both = ["11 spatial", "16 temporal"]
    of_seeds = [*both, "no filters kept", *both, *["no filters kept"] * 7]  # 0 to 9
    assert scale["filters"].str.replace("<.*?>", "", regex=True).tolist() == of_seeds
    spatial = drawn()[0]
    assert scale.loc[0, "within 0.3"] == f"{100 * np.mean(abs(spatial) <= 0.3):.1f}%"
    assert scale.loc[0, "largest"] == f"+{spatial.max():.2f}"
    shapes = filter_facts.shapes_table(networks, filters).frame
    assert shapes["plan"].tolist() == ["chance", "mini", "mini"]
    share = filter_facts.shares(drawn(seed=2)[1]).loc["sum", "number"]
    assert shapes.loc[2, "sum"].startswith(f"{share:.0%} ")


def test_without_runs_it_is_said_to_be_not_run(study):
    networks = {"mini": filter_facts.r2plus1d(study(), "mini")}
    for table in (filter_facts.scale_table, filter_facts.shapes_table):
        shown = html_of(table(networks, {"mini": {}}))
        assert "not run" in shown


@pytest.mark.parametrize(("seeds", "figures"), [((), 0), ((0,), 1), ((0, 1, 2), 2)])
def test_the_chapters_cells_execute(seeds, figures, study, monkeypatch):
    below = below_figures(shown_by("filters", study(*seeds), monkeypatch))
    assert len(below) == figures
    assert all("Plan *mini*, dataset `pantomime-mini`" in told for told in below)


def test_the_page_types_no_measured_share():
    page = (REPOSITORY / "book" / "filters.md").read_text()
    assert "%" not in page
