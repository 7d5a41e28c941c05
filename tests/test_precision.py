"""bf16 is used only where its gradients are right."""

import pytest
import torch

from studylib import precision
from studylib.nets import Conv3d, build_net

CPU = torch.device("cpu")
CLIP = (3, 8, 28, 28)


def test_every_convolution_of_every_kind_is_right_in_bf16_at_8_frames():
    for name in ("r3d", "r2plus1d", "f_r2d", "r2d"):
        net = build_net(name, num_classes=5, width=16)
        for layer, conv, shape in precision.distinct_convolutions(net, (4, *CLIP), CPU):
            assert precision.relative_error(conv, shape, CPU) < 0.01, (name, layer, shape)


def test_the_check_sees_each_convolution_at_the_shape_the_run_will_give_it():
    net = build_net("r3d", num_classes=5, width=16)
    shapes = {name: shape for name, _, shape in precision.distinct_convolutions(net, (4, *CLIP), CPU)}
    assert shapes["stem.0"] == (4, 3, 8, 28, 28)
    assert shapes["layer3.0.conv2.0"] == (4, 64, 2, 4, 4)
    assert net.training


class BrokenInBf16(Conv3d):
    """Right in fp32; its bf16 output holds what a kernel that reads unwritten memory gives."""

    bad = float("nan")

    def forward(self, x):
        y = super().forward(x)
        return y * self.bad if y.dtype == torch.bfloat16 else y


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.5])
def test_a_wrong_layer_makes_the_run_fall_back_to_fp32_and_is_named(monkeypatch, bad):
    monkeypatch.setattr(precision, "bf16_is_native", lambda device: True)
    monkeypatch.setattr(BrokenInBf16, "bad", bad)
    net = build_net("r3d", num_classes=5, width=4)
    net.layer3[0].conv2[0].__class__ = BrokenInBf16  # the first of its shape stands for all
    chosen, reason = precision.choose_precision("bf16", net, CLIP, 2, CPU)
    assert chosen == "fp32"
    assert "bf16 gradients of layer3.0.conv2.0 are wrong" in reason


def test_a_device_without_bf16_arithmetic_trains_in_fp32(monkeypatch):
    monkeypatch.setattr(precision, "bf16_is_native", lambda device: False)
    net = build_net("r2d", num_classes=5, width=4)
    assert precision.choose_precision("bf16", net, CLIP, 2, CPU)[0] == "fp32"
    assert precision.choose_precision("fp32", net, CLIP, 2, CPU) == ("fp32", "fp32 as asked")


def test_time_padded_beforehand_gives_what_the_convolution_gives_itself():
    net = build_net("r3d", num_classes=5, width=8).eval()
    clip = torch.randn(2, *CLIP)
    with torch.no_grad():
        exact = net(clip)
        with torch.autocast("cpu", torch.bfloat16):
            padded = net(clip)
    torch.testing.assert_close(padded.float(), exact, rtol=0.05, atol=0.02)
