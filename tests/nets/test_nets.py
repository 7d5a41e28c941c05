"""The twelve networks of Table 2, the arithmetic of section 3, what each variant changes, and C3D."""

import pytest
import torch
from torch import nn

from studylib.book import networks
from studylib.nets.build import build_net, middle_channels, stem_middle_channels
from studylib.nets.complexity import built, count_by_name, output_sizes
from studylib.nets.table import BLOCKS, NETS, VARIANTS


def group_shapes(name, depth=18, clip_length=8, resolution=112):
    """Output sizes (T, H, W) of stem and layer1..4."""
    sizes = output_sizes(built(name, depth, clip_length=clip_length), (3, clip_length, resolution, resolution))
    return [sizes[group][1:] for group in ("stem", "layer1", "layer2", "layer3", "layer4")]


@pytest.mark.parametrize("depth", BLOCKS)
@pytest.mark.parametrize("name", ["r3d", "r2plus1d"])
def test_groups_have_the_output_sizes_of_table_1(name, depth):
    assert group_shapes(name, depth) == [(8, 56, 56), (8, 56, 56), (4, 28, 28), (2, 14, 14), (1, 7, 7)]


def test_two_dimensional_groups_do_not_stride_in_time():
    assert group_shapes("f_r2d")[-1] == (8, 7, 7)
    assert group_shapes("mc3")[-1] == (8, 7, 7)
    assert group_shapes("mc5")[-1] == (2, 7, 7)
    assert group_shapes("rmc4")[-1] == (2, 7, 7)
    assert [t for t, _, _ in group_shapes("r2d")] == [1, 1, 1, 1, 1]


def test_middle_channels_keep_the_parameters_of_the_3d_convolution():
    assert middle_channels(64, 64) == 144
    assert middle_channels(3, 64, d=7) == 83  # the formula; the paper's conv1 has 45
    assert [stem_middle_channels(width) for width in (64, 16)] == [45, 11]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("clip_length", [1, 5, 16])
def test_every_net_takes_any_clip_length_channels_and_classes(name, clip_length):
    net = build_net(name, 18, num_classes=7, clip_length=clip_length, in_channels=2, width=4)
    assert net(torch.zeros(2, 2, clip_length, 24, 24)).shape == (2, 7)


def test_f_r2d_cannot_tell_the_order_of_frames_and_r3d_can():
    clip = torch.randn(2, 3, 8, 32, 32)
    for name, blind in (("f_r2d", True), ("r3d", False), ("r2plus1d", False), ("r2d", False)):
        torch.manual_seed(0)
        net = build_net(name, num_classes=5, width=8).eval()
        with torch.no_grad():
            same = torch.allclose(net(clip), net(clip.flip(2)), atol=1e-5)
        assert same == blind, name


@pytest.mark.parametrize("name", ["r3d", "r2plus1d", "c3d"])
def test_both_initialisations_draw_the_same_numbers_for_convolutions_and_scale_them_by_their_fan(name):
    nets = {}
    for mode in ("fan_out", "fan_in"):
        torch.manual_seed(3)
        nets[mode] = build_net(name, 18, 5, width=16, clip_length=16, resolution=32, initialisation=mode)
    for layer, module in nets["fan_in"].named_modules():
        usual = nets["fan_out"].get_submodule(layer)
        if isinstance(module, nn.Conv3d):
            scale = (module.out_channels / module.in_channels) ** 0.5
            torch.testing.assert_close(module.weight, usual.weight * scale)
            if module.weight.numel() > 20_000:
                fan = module.in_channels * module.weight[0, 0].numel()
                assert module.weight.var().item() == pytest.approx(2 / fan, rel=0.05)
        elif isinstance(module, nn.Linear | nn.BatchNorm3d):
            assert torch.equal(module.weight, usual.weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "r4d"}, "net: 'r4d' is not one of r2d, f_r2d"),
        ({"name": "r3d", "depth": 50}, "depth: 50 is not one of 18, 34"),
        ({"name": "r3d", "width": 0}, "width, resolution: 400, 8, 3, 0, 112 are not all positive"),
        ({"name": "r3d", "initialisation": "he"}, "initialisation: 'he' is not one of fan_out, fan_in"),
        ({"name": "c3d", "clip_length": 8}, "clip_length: C3D .* 8 frames"),
        ({"name": "c3d", "clip_length": 16, "resolution": 24}, "resolution: C3D"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_net(**arguments)


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
    assert f"{count_by_name('r2plus1d_per_block', clip_length=16).flops / 1e9:.3f}" == "40.519"


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
