"""Parameters and multiply-adds against every printed number there is."""

import warnings

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from studylib.book import networks
from studylib.nets.build import build_net
from studylib.nets.complexity import built, count, count_by_name, count_relus
from studylib.nets.table import BLOCKS, PRINTED_NAMES


@pytest.fixture(scope="module")
def printed():
    """The 24 rows of VMZ's table and C3D's, printed and counted; warnings of any kind are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return networks.printed_and_counted()


def digit(number):
    return f"{number:.1f}"


def test_multiply_adds_of_every_net_are_vmzs_to_the_printed_digit(printed):
    assert len(printed) == 25
    assert list((printed["flops"] / 1e9).map(digit)) == list(printed["vmz_gflops"].map(digit))


def test_vmz_prints_the_weights_without_bn_and_biases(printed):
    assert list((printed["weights"] / 1e6).map(digit)) == list(printed["vmz_params"].map(digit))
    with_biases = (printed["conv_fc_params"] / 1e6).map(digit) != printed["vmz_params"].map(digit)
    assert list(printed.loc[with_biases, "net"]) == ["C3D"]


def test_table_2_prints_the_same_weights_but_for_mc5(printed):
    paper = printed.dropna(subset="paper_params")
    assert len(paper) == 12
    otherwise = (paper["weights"] / 1e6).map(digit) != paper["paper_params"].map(digit)
    assert list(paper.loc[otherwise, "net"]) == ["MC5"]
    with_bn = (paper["params"] / 1e6).map(digit) != paper["paper_params"].map(digit)
    assert list(paper.loc[with_bn, "net"]) == ["R(2+1)D", "rMC2", "rMC3"]  # then MC5 is as printed, and others are not


def test_r2plus1d_18_and_r3d_18_differ_by_633_parameters():
    assert count_by_name("r2plus1d").params == 33_370_839
    assert count_by_name("r3d").params == 33_371_472


@pytest.mark.parametrize("name", PRINTED_NAMES)
def test_fvcore_and_torchs_own_counter_agree(name):
    frames = 16 if name == "c3d" else 8
    net, shape = built(name, clip_length=frames), (3, frames, 112, 112)
    counted = count(net, shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.to("meta")(torch.zeros(1, *shape, device="meta"))
    assert counter.get_total_flops() == 2 * counted.flops == 2 * sum(counted.by_layer.values())


def test_a_network_is_counted_alike_with_and_without_memory_and_left_as_it_was():
    net = build_net("r2plus1d", num_classes=5, width=4, resolution=32).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert count(net, (3, 8, 32, 32)) == count_by_name("r2plus1d", num_classes=5, width=4, resolution=32)
    assert net.training
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("depth", BLOCKS)
def test_each_convolution_of_r2plus1d_has_the_weights_of_r3ds_up_to_the_rounding_of_m(depth):
    full, factorised = built("r3d", depth=depth), built("r2plus1d", depth=depth)
    compared = 0
    for name, conv in full.named_modules():
        if not isinstance(conv, nn.Conv3d) or name.startswith("stem") or "downsample" in name:
            continue
        spatial, temporal = (factorised.get_submodule(f"{name}.{part}") for part in (0, 3))
        missing = conv.weight.numel() - spatial.weight.numel() - temporal.weight.numel()
        of_one_middle_channel = spatial.weight[0].numel() + temporal.weight[:, 0].numel()
        assert 0 <= missing < of_one_middle_channel, name
        if spatial.in_channels == temporal.out_channels:
            assert missing == 0, name
        compared += 1
    assert compared == 2 * sum(BLOCKS[depth])


def test_conv1_with_45_filters_has_about_half_of_r3ds_weights_and_83_would_match():
    def weights(name):
        return sum(p.numel() for n, p in built(name).stem.named_parameters() if p.ndim == 5)

    assert [weights(name) for name in ("r3d", "r2plus1d", "r2plus1d_stem83")] == [28_224, 15_255, 28_137]


@pytest.mark.parametrize("depth", BLOCKS)
def test_r2plus1d_has_exactly_twice_the_relus_of_r3d(depth):
    relus = {name: count_relus(built(name, depth=depth), (3, 8, 112, 112)) for name in ("r3d", "r2plus1d")}
    assert relus == {"r3d": 1 + 2 * sum(BLOCKS[depth]), "r2plus1d": 2 + 4 * sum(BLOCKS[depth])}
