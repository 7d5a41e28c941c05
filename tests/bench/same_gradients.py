"""Whether a fast step computes the right thing: loss and gradients of ours, mostly bf16, against torchvision's in fp32.

Both nets have the same weights. At initialisation a gradient hangs on its input's last digits, the more so the more
layers it has passed, so that no fixed bound on its error would mean anything. The measure is what torchvision's own
gradients move by when its clips are rounded as bf16 rounds, by up to 0.4%. bf16 rounds at every layer, not at the input
alone: errors of sound kernels are 1 to 2 times as large in convolutions and 3 to 4 times in the FC layer. The bound is
5; without one of three taps in time, in conv4 and conv5 alone, errors are 6 to 85 times as large. Smaller faults of a
single layer are for the check by layer, see `precision.relative_error`.
"""

from dataclasses import dataclass

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from studylib.nets.build import build_net
from studylib.nets.precision import autocast
from studylib.nets.weights import TORCHVISION_BN_EPS, set_bn_eps

ROUNDING = {"bf16": 2**-8, "fp32": 2**-24}  # the largest relative error of a number
LARGEST_RATIO = 5
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Likeness:
    """How far the gradients of our step are from torchvision's, by layer, and how far a rounding moves those."""

    loss: float  # torchvision's
    loss_error: float  # of ours, relative
    errors: dict[str, float]  # weight of a convolution or of the FC layer -> |ours - theirs| / |theirs|
    rounding: dict[str, float]  # the same of torchvision's net on rounded clips

    @property
    def ratios(self) -> dict[str, float]:
        """By layer: to be below `LARGEST_RATIO`."""
        return {name: error / self.rounding[name] for name, error in self.errors.items()}


def torchvisions(name: str, classes: int, narrower: int = 1) -> nn.Module:
    """torchvision's "r3d_18" or "mc3_18", as it is, or with fewer channels in every layer."""
    torch.manual_seed(0)
    net = getattr(torchvision.models.video, name)(num_classes=classes)
    if narrower == 1:
        return net
    for parent in list(net.modules()):
        for child, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv3d):
                n_in = layer.in_channels if layer.in_channels == 3 else layer.in_channels // narrower
                sizes = (layer.kernel_size, layer.stride, layer.padding)
                setattr(parent, child, nn.Conv3d(n_in, layer.out_channels // narrower, *sizes, bias=False))
            elif isinstance(layer, nn.BatchNorm3d):
                setattr(parent, child, nn.BatchNorm3d(layer.num_features // narrower))
            elif isinstance(layer, nn.Linear):
                setattr(parent, child, nn.Linear(layer.in_features // narrower, classes))
    return net


def compare(
    name: str,
    clips: Tensor,
    labels: Tensor,
    classes: int,
    width: int = 64,
    peer: str = "",
    precision: str = "bf16",
    device: torch.device = CPU,
) -> Likeness:
    """Our net `name` beside torchvision's at clips (B, 3, T, H, W).

    Args:
        peer: torchvision's name of it; by default that of "r3d" or "mc3".
        precision: of ours.
    """
    theirs = torchvisions(peer or f"{name}_18", classes, 64 // width)
    sizes = {"clip_length": clips.shape[2], "width": width, "resolution": clips.shape[3]}
    ours = build_net(name, 18, classes, **sizes)
    ours.load_state_dict(theirs.state_dict())
    set_bn_eps(ours, TORCHVISION_BN_EPS)
    ours, theirs = ours.to(device, memory_format=torch.channels_last_3d), theirs.to(device)
    noise = torch.rand(clips.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rounded = (clips * (1 + ROUNDING[precision] * noise)).to(device)
    clips, labels = clips.to(device), labels.to(device)
    loss, right = gradients(theirs, clips, labels, "fp32")
    our_loss, got = gradients(ours, clips.contiguous(memory_format=torch.channels_last_3d), labels, precision)
    _, moved = gradients(theirs, rounded, labels, "fp32")
    return Likeness(loss, abs(our_loss - loss) / loss, relative_errors(got, right), relative_errors(moved, right))


def gradients(net: nn.Module, clips: Tensor, labels: Tensor, precision: str) -> tuple[float, dict[str, Tensor]]:
    """(mean loss, gradient of each convolution's and FC layer's weight) of a forward and a backward pass."""
    net.train().zero_grad(set_to_none=True)  # gradients handed out before stay as they are
    with autocast(clips.device, precision):
        scores = net(clips)
    loss = F.cross_entropy(scores.float(), labels)
    loss.backward()
    return float(loss.detach()), {name: p.grad for name, p in net.named_parameters() if p.ndim > 1}


def relative_errors(got: dict[str, Tensor], right: dict[str, Tensor]) -> dict[str, float]:
    """Norm of the difference to the norm of what is right, by name."""
    return {name: float((got[name] - g).norm() / g.norm()) for name, g in right.items()}
