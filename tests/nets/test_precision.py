"""bf16 is used only where its gradients are right."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from studylib.nets import build, precision
from studylib.nets.build import Conv3d, build_net, frames_as_channels
from tests.bench.same_gradients import LARGEST_RATIO, compare, gradients

CPU = torch.device("cpu")
CLIP = (3, 8, 28, 28)


def test_every_convolution_of_every_kind_is_right_in_bf16_at_8_frames():
    for name in ("r3d", "r2plus1d", "f_r2d", "r2d"):
        net = build_net(name, num_classes=5, width=16)
        for layer, conv, shape in precision.distinct_convolutions(net, (4, *CLIP)):
            assert precision.relative_error(conv, shape, CPU) < 0.01, (name, layer, shape)
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


@pytest.mark.parametrize("kernel", [(3, 3, 3), (3, 1, 1)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2])
def test_frames_as_channels_is_the_convolution_with_its_gradients(frames, stride, kernel):
    padding = (1, kernel[1] // 2, kernel[2] // 2)
    x = torch.randn(2, 4, frames, 6, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 4, *kernel, dtype=torch.float64, requires_grad=True)
    ours = frames_as_channels(x, weight, (stride, 1, 1), padding)
    right = F.conv3d(x, weight, None, (stride, 1, 1), padding)
    torch.testing.assert_close(ours, right)
    out_gradient = torch.randn_like(right)
    found, wanted = (torch.autograd.grad(y, (x, weight), out_gradient) for y in (ours, right))
    torch.testing.assert_close(found, wanted)


@pytest.fixture
def seen(monkeypatch):
    """Frames of each input that went by `frames_as_channels`."""
    frames = []

    def note(x, weight, stride, padding):
        frames.append(x.shape[2])
        return frames_as_channels(x, weight, stride, padding)

    monkeypatch.setattr(build, "frames_as_channels", note)
    return frames


def test_in_bf16_no_padding_is_multiplied_where_hardly_a_frame_is_left(seen):
    net = build_net("r3d", num_classes=5, width=8).eval()
    clips = torch.randn(2, *CLIP)
    with torch.no_grad():
        exact = net(clips)
        assert seen == []
        with torch.autocast("cpu", torch.bfloat16):
            rounded = net(clips)
    # conv4 but for its first convolution, which halves 4 frames, and the first of conv5 at 2 frames; 1 frame after it
    assert seen == [2, 2, 2, 2, 1, 1, 1]
    torch.testing.assert_close(rounded.float(), exact, rtol=0.05, atol=0.02)


def test_in_fp32_a_step_does_not_multiply_padding_either_and_has_the_same_gradients(seen, monkeypatch):
    net = build_net("r3d", num_classes=5, width=8).double()  # where no rounding hides a difference
    clips, labels = clips_and_labels()
    _, found = gradients(net, clips.double(), labels, "fp32")
    assert seen == [2, 2, 2, 2, 1, 1, 1]
    assert all(torch.equal(g, found[name]) for name, g in gradients(net, clips.double(), labels, "fp32")[1].items())
    monkeypatch.setattr(Conv3d, "forward", nn.Conv3d.forward)
    _, wanted = gradients(net, clips.double(), labels, "fp32")
    assert len(seen) == 14
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-8)  # the loss is taken of floats


def clips_and_labels():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, *CLIP, generator=generator), torch.randint(0, 5, (8,), generator=generator)


@pytest.mark.parametrize("name", ["r3d", "mc3"])
def test_a_bf16_step_has_the_loss_and_gradients_of_torchvisions_net(name):
    found = compare(name, *clips_and_labels(), classes=5, width=16)
    assert found.loss_error < 0.005
    assert max(found.ratios.values()) < LARGEST_RATIO


def test_gradients_without_one_tap_in_time_are_found_to_be_wrong(monkeypatch):
    def without_last_tap(x, weight, stride, padding):
        kept = torch.tensor([1.0, 1.0, 0.0], dtype=weight.dtype).view(3, 1, 1)
        return frames_as_channels(x, weight * kept, stride, padding)

    monkeypatch.setattr(build, "frames_as_channels", without_last_tap)
    found = compare("r3d", *clips_and_labels(), classes=5, width=16)
    assert min(found.ratios.values()) > LARGEST_RATIO
