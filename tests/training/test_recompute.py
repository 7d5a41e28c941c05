"""Blocks that are computed again give what blocks that are kept give, bit by bit."""

import pytest
import torch
from torch.nn import functional as F

from studylib.nets.build import build_net
from studylib.nets.precision import autocast
from studylib.training.epoch import recompute_blocks

CPU = torch.device("cpu")
CLIP = (3, 8, 28, 28)


def net_of(name="r3d"):
    torch.manual_seed(0)
    return build_net(name, num_classes=5, width=4)


def two_steps(net, precision="fp32"):
    """Everything that two training steps leave behind, by name: losses, gradients, weights, statistics."""
    generator = torch.Generator().manual_seed(1)
    losses = {}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for step in range(2):
        clips = torch.randn(3, *CLIP, generator=generator)
        with autocast(CPU, precision):
            loss = F.cross_entropy(net(clips).float(), torch.tensor([0, 3, 4]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses[f"loss of step {step}"] = loss.detach()
    gradients = {f"gradient of {name}": p.grad for name, p in net.named_parameters()}
    return losses | gradients | {name: value.clone() for name, value in net.state_dict().items()}


def assert_same_bits(ours, theirs):
    assert list(ours) == list(theirs)
    differ = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert not differ


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["r3d", "r2plus1d"])
def test_two_steps_are_the_same_to_the_bit_with_and_without(name, precision):
    kept, recomputed = net_of(name), net_of(name)
    recompute_blocks(recomputed)
    assert_same_bits(two_steps(recomputed, precision), two_steps(kept, precision))
    clips = torch.randn(2, *CLIP)
    with torch.no_grad():
        assert torch.equal(recomputed.eval()(clips), kept.eval()(clips))


def test_it_is_the_same_in_a_compiled_net():
    kept, recomputed = net_of(), net_of()
    recompute_blocks(recomputed)
    recomputed.compile(backend="eager")
    assert_same_bits(two_steps(recomputed), two_steps(kept))


def test_the_inside_of_blocks_is_not_kept_for_the_backward_pass():
    def kept_bytes(net):
        total = 0

        def pack(tensor):
            nonlocal total
            total += tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            net(torch.randn(2, *CLIP))
        return total

    kept, recomputed = net_of(), net_of()
    recompute_blocks(recomputed)
    assert kept_bytes(recomputed) < 0.5 * kept_bytes(kept)


def test_a_net_without_blocks_is_refused():
    with pytest.raises(ValueError, match="recompute: C3D has no residual blocks; set it to false"):
        recompute_blocks(build_net("c3d", num_classes=5, clip_length=16, width=4, resolution=32))
