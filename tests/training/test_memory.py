"""Memory from shapes: the estimate against what real tensors leave behind, and the advice when memory runs out."""

import weakref
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from studylib.nets.build import build_net
from studylib.training.memory import (
    GIB,
    HEADROOM,
    Saved,
    gib,
    largest_batch,
    memory_of,
    out_of_memory,
    recompute_blocks,
    saved_bytes,
)
from studylib.training.spec import RunSpec

PAPER = RunSpec(experiment="kinetics", net="r2plus1d", dataset="kinetics400", depth=34, clip_length=32)
SMALL = RunSpec(experiment="conv_types", net="r2plus1d", dataset="pantomime-quick", width=8, resolution=56)
CLIP_INPUT = 3 * 8 * 56 * 56 * 4 + 3 * 8 * 64 * 86  # float32 crop and uint8 frames of a clip of SMALL


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive at a time, forward and backward."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.alive = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key in self.alive:
            return

        def gone(_):
            self.now -= size
            del self.alive[key]

        self.alive[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)


def peak_a_clip(spec, recompute):
    """Peak bytes that a clip more adds to a whole training step on the meta device."""

    def peak(batch):
        with torch.device("meta"):
            net = build_net(spec.net, spec.depth, clip_length=spec.clip_length, width=spec.width).bfloat16()
        if recompute:
            recompute_blocks(net)
        with LiveBytes() as live, torch.device("meta"):
            clips = torch.zeros(batch, 3, spec.clip_length, *2 * [spec.resolution], dtype=torch.bfloat16)
            labels = torch.zeros(batch, dtype=torch.int64)
            F.cross_entropy(net(clips).float(), labels).backward()
        return live.peak

    return peak(5) - peak(4)


@pytest.mark.parametrize("net", ["r2plus1d", "r3d", "mc3", "f_r2d", "r2d"])
def test_the_estimate_is_what_real_tensors_under_autocast_leave_for_the_backward_pass(net):
    spec = replace(SMALL, net=net)
    real = build_net(net, clip_length=8, width=8).to(memory_format=torch.channels_last_3d)

    def left_by(batch):
        clips = torch.randn(batch, 3, 8, 56, 56).contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast("cpu", torch.bfloat16):
            return saved_bytes(real, clips).all

    measured = left_by(3) - left_by(2)
    assert memory_of(spec).per_clip - CLIP_INPUT == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(("net", "off"), [("mc3", 0), ("r3d", 0.03)])  # R3D's 1 or 2 frames are copied as channels
def test_in_fp32_it_is_what_real_tensors_leave(net, off):
    real = build_net(net, clip_length=8, width=8)
    measured = saved_bytes(real, torch.randn(3, 3, 8, 56, 56)).all - saved_bytes(real, torch.randn(2, 3, 8, 56, 56)).all
    estimate = memory_of(replace(SMALL, net=net, amp="fp32")).per_clip - CLIP_INPUT
    assert estimate == pytest.approx(measured, rel=off, abs=0)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("changes", [{}, {"depth": 34, "clip_length": 16}, {"net": "r3d"}])
def test_the_peak_of_a_whole_step_is_what_waits_for_its_backward_pass(changes, recompute):
    spec = replace(SMALL, recompute=recompute, **changes)
    clip_input = CLIP_INPUT * spec.clip_length // 8
    assert memory_of(spec).per_clip - clip_input == pytest.approx(peak_a_clip(spec, recompute), rel=0.1)


def test_recomputation_keeps_outputs_of_blocks_the_inside_of_one_and_gradients_on_their_way():
    assert Saved(100, ((50, 10, 20), (30, 5, 20))).all == 195
    assert Saved(100, ((50, 10, 20), (30, 5, 20))).recomputed == 190  # first block: 100 + 10 + 50, and 10 + 20
    assert Saved(100, ((10, 10, 9), (30, 5, 8))).recomputed == 158  # second block: 100 + 10 + 5 + 30, and 5 + 8
    assert Saved(100, ((1, 10, 1), (2, 50, 1))).recomputed == 213
    assert memory_of(replace(PAPER, recompute=True)).per_clip < memory_of(PAPER).per_clip / 2


def test_the_largest_batch_fits_and_one_clip_more_does_not():
    available = 40 * GIB
    batch = largest_batch(PAPER, available)
    assert memory_of(PAPER).needed(batch) <= (1 - HEADROOM) * available < memory_of(PAPER).needed(batch + 1)
    assert largest_batch(PAPER, GIB // 2) == 0


def test_out_of_memory_says_what_to_lower_and_by_how_much():
    spec = replace(PAPER, batch_size=64)
    assert out_of_memory(spec, 40 * GIB) == (
        f"out of memory at batch_size 64 with clips of 32x112x112: about {gib(memory_of(spec).needed(64))} needed, "
        "40 GiB there; lower batch_size to 32 and lr to 0.005, or set recompute to true"
    )
    assert memory_of(replace(spec, batch_size=32)).needed(32) < (1 - HEADROOM) * 40 * GIB
    assert out_of_memory(PAPER, None).endswith(
        "needed; lower batch_size to 16 and lr to 0.005, or set recompute to true"
    )
    told = "100 GiB there, so other processes may hold some of it; lower batch_size to 16 "
    assert told in out_of_memory(SMALL, 100 * GIB)


def test_recomputation_is_advised_where_it_helps():
    one = memory_of(PAPER).needed(1) / (1 - HEADROOM)
    assert out_of_memory(PAPER, int(0.9 * one)).endswith("there; set recompute to true")
    assert "recompute" not in out_of_memory(replace(PAPER, net="c3d", depth=18, clip_length=16), GIB)
    assert "recompute" not in out_of_memory(replace(PAPER, recompute=True, batch_size=256), 40 * GIB)
    assert out_of_memory(PAPER, GIB // 8).endswith("not one clip fits: lower clip_length, resolution or width")


@pytest.mark.parametrize(("size", "text"), [(61.4, "61 GiB"), (0.444, "0.44 GiB"), (3, "3 GiB"), (1234, "1,200 GiB")])
def test_memory_has_two_figures(size, text):
    assert gib(size * GIB) == text
