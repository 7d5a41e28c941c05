"""What each variant changes and what it leaves as it is; C3D."""

import pytest
import torch
from torch import nn

from studylib.book import networks
from studylib.nets.build import build_net
from studylib.nets.complexity import count
from studylib.nets.table import VARIANTS

COUNTS = ("weights", "params", "flops", "relus")
# Variant -> what is equal to the network it changes, of COUNTS.
EQUAL = {
    "r2plus1d_per_block": {"relus"},
    "r2plus1d_stem83": {"relus"},
    "r2plus1d_half_m": {"relus"},
    "r2plus1d_double_m": {"relus"},
    "r2plus1d_no_inner_relu": {"weights", "params", "flops"},
    "r2plus1d_no_inner_bn_relu": {"weights", "flops"},
    "r2plus1d_temporal_first": {"relus"},
    "r2plus1d_m_is_n_out": {"relus"},
    "r2plus1d_parallel": {"relus"},
    "r2plus1d_skip": {"relus"},
    "r3d_added_relu": {"weights", "flops"},
}


@pytest.fixture(scope="module")
def table():
    return networks.variants().set_index("name")


@pytest.mark.parametrize("name", VARIANTS)
def test_what_stays_equal_and_what_does_not(name, table):
    row, base = table.loc[name], table.loc[VARIANTS[name].base]
    assert {column for column in COUNTS if row[column] == base[column]} == EQUAL[name]
    assert row["out"] == base["out"]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_learns_from_any_clip(name):
    torch.manual_seed(0)
    net = build_net(name, num_classes=5, in_channels=2, width=4)
    for frames in (1, 5):
        scores = net(torch.randn(2, 2, frames, 24, 24))
        assert scores.shape == (2, 5)
    scores.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_m_once_a_block_is_torchvisions_r2plus1d_18(table):
    assert table.loc["r2plus1d_per_block", "params"] == 31_505_325
    assert f"{count(networks.built('r2plus1d_per_block', 16), (3, 16, 112, 112)).flops / 1e9:.3f}" == "40.519"


def test_temporal_first_has_r3ds_parameters_and_costs_a_little_less(table):
    changed, base = table.loc["r2plus1d_temporal_first"], table.loc["r2plus1d"]
    assert changed["weights"] == pytest.approx(base["weights"], rel=1e-4)
    assert 0.98 < changed["flops"] / base["flops"] < 1


def test_without_inner_layers_two_convolutions_are_one_linear_map():
    x, y = torch.randn(2, 1, 8, 5, 12, 12)
    for name, linear in (("r2plus1d_no_inner_bn_relu", True), ("r2plus1d_no_inner_relu", True), ("r2plus1d", False)):
        torch.manual_seed(0)
        place = build_net(name, width=8).eval().layer1[0].conv1[0]
        with torch.no_grad():
            assert torch.allclose(place(x + y), place(x) + place(y), atol=1e-4) == linear, name


def test_parallel_and_skip_add_what_the_paper_says_they_add():
    x = torch.randn(1, 4, 5, 12, 12)
    for name in ("r2plus1d_parallel", "r2plus1d_skip"):
        place = build_net(name, width=4).eval().layer1[0].conv1[0]
        with torch.no_grad():
            spatial = place.spatial(x)
            read = x if name == "r2plus1d_parallel" else spatial
            torch.testing.assert_close(place(x), spatial + place.temporal(read))


def test_c3d_classifies_and_has_eight_convolutions_and_three_fc_layers():
    net = build_net("c3d", num_classes=5, clip_length=32, in_channels=2, width=4, resolution=64)
    assert net(torch.zeros(2, 2, 32, 64, 64)).shape == (2, 5)
    kinds = [type(m).__mro__[1] if isinstance(m, nn.Conv3d) else type(m) for m in net.modules()]
    assert (kinds.count(nn.Conv3d), kinds.count(nn.Linear)) == (8, 3)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"clip_length": 8}, "clip_length: C3D .* 8 frames"), ({"clip_length": 16, "resolution": 24}, "resolution: C3D")],
)
def test_c3d_says_which_clips_it_cannot_take(sizes, message):
    with pytest.raises(ValueError, match=message):
        build_net("c3d", **sizes)
