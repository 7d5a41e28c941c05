"""The training step as a CUDA graph, as far as a CPU goes: when there is none, when it is given up, what it works on.

Capturing is emulated: what would be captured is called anew at each replay, on the tensors that the graph would find.
"""

import re
from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from studylib.nets.build import build_net
from studylib.training import cuda_graph, epoch
from studylib.training import run as training
from studylib.training.devices import ALONE, Processes, Stopped
from studylib.training.epoch import make_optimizer
from studylib.training.loading import Batch
from studylib.training.spec import RunSpec
from tests.bench.steps import Geometry, new_net, random_batch, spec_of
from tests.trainings import TINY, assert_same_end, data_of, history, last_state, start

GPU = torch.device("cuda", 0)


def emulated(step, _device):
    """In place of `cuda_graph.captured`: gives the same tensors each time."""
    result = step()

    def replay():
        for tensor, new in zip(result, step(), strict=True):
            tensor.copy_(new)
        return result

    return replay


def taken(monkeypatch, captured=None):
    """Losses of steps at rising rates, the last but one on fewer clips; weights, statistics and momentum; what is said.

    Args:
        captured: in place of `cuda_graph.captured`; None takes steps without graphs.
    """
    cpu = torch.device("cpu")
    sizes = Geometry(resolution=28, width=4, batch_size=8, classes=5, threads=1)
    spec, said, losses = spec_of("r2plus1d", sizes, amp="fp32"), [], []
    net = new_net(spec, sizes, cpu)
    optimizer = make_optimizer(net, spec)
    step = epoch.train_step
    if captured is not None:
        monkeypatch.setattr(cuda_graph, "captured", captured)
        step = cuda_graph.GraphedStep(step, said.append)
    for number in range(7):
        batch = random_batch(sizes)
        batch = batch._replace(clips=batch.clips.roll(number, 1), labels=batch.labels.roll(number))
        if number == 5:
            batch = batch._replace(clips=batch.clips[:3], windows=batch.windows[:3], labels=batch.labels[:3])
        cuda_graph.set_rates(optimizer, [0.01 * (number + 1)] * 2)
        losses.append(step(net, batch, optimizer, spec, "fp32", cpu)[0].clone())
    momenta = [own["momentum_buffer"] for own in optimizer.state.values()]
    return losses, [*net.state_dict().values(), *momenta], said


def test_steps_of_a_graph_are_those_without_up_to_rounding(monkeypatch):
    seen = []

    def noted(step, device):
        replay = emulated(step, device)
        return lambda: seen.append(0) or replay()

    losses, state, said = taken(monkeypatch, noted)
    assert len(said) == 1
    assert said[0].startswith("the step is a CUDA graph, whose losses are ")
    assert len(seen) == len(cuda_graph.RATES) + 6 - cuda_graph.WARM_UP  # the smaller batch went without
    expected, end, _ = taken(monkeypatch)
    for found, right in zip([*losses, *state], [*expected, *end], strict=True):
        torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-4)


def frozen(of):
    """A faulty graph: it keeps the learning rate or the part of the batch that it was captured with."""

    def faulty(step, device):
        graph = step.__closure__[step.__code__.co_freevars.index("self")].cell_contents
        tensor = graph.lr if of == "lr" else getattr(graph.batch, of)
        kept, replay = tensor.clone(), emulated(step, device)
        return lambda: (tensor.copy_(kept), replay())[1]

    return faulty


def idle(step, _device):
    """A faulty graph: it computes nothing."""
    result = step()
    return lambda: result


def uncapturable(_step, _device):
    raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more lines")


@pytest.mark.parametrize(
    ("captured", "message"),
    [
        (frozen("lr"), "its losses are .* off"),
        (frozen("clips"), "its losses are .* off"),
        (frozen("labels"), "its losses are .* off"),
        (idle, "its losses are .* off"),
        (uncapturable, r"torch cannot capture the step \(CUDA error: .* when stream is capturing\)$"),
    ],
)
def test_a_graph_that_is_wrong_is_given_up_and_leaves_no_trace(monkeypatch, captured, message):
    losses, state, said = taken(monkeypatch, captured)
    assert len(said) == 1
    assert re.match(f"no CUDA graph: {message}", said[0])
    expected, end, _ = taken(monkeypatch)
    assert all(torch.equal(found, right) for found, right in zip([*losses, *state], [*expected, *end], strict=True))


def test_several_processes_and_dropout_are_refused_and_all_other_nets_are_not():
    small = {"num_classes": 5, "width": 4}
    assert "lost ones" in cuda_graph.refusal(build_net("r2d", **small), GPU, Processes(0, 2))
    c3d = build_net("c3d", clip_length=16, resolution=32, **small)
    assert "dropout" in cuda_graph.refusal(c3d, GPU, ALONE)
    assert cuda_graph.refusal(build_net("r2plus1d", **small), GPU, ALONE) == ""


def test_runs_go_on_where_a_cpu_refuses_and_with_a_graph_stop_at_a_signal_and_resume(
    tiny_data, tmp_path, monkeypatch, capsys
):
    """The learning rate falls at every step, and the last batch of an epoch is smaller."""
    fields = {"amp": "fp32", "resolution": 28, "clips_per_epoch": 44, "epochs": 2, "test_clips": 1}  # 8 a step

    def run(name):
        if not (tmp_path / name).exists():
            start(tmp_path / name, **fields)
        monkeypatch.setenv("STUDY_DATA", str(data_of(tmp_path / name)))
        training.run(tmp_path / name)
        return tmp_path / name

    plain = run("plain")
    monkeypatch.setenv("STUDY_CUDA_GRAPH", "1")
    assert_same_end(plain, run("refused"))
    assert capsys.readouterr().out.count("no CUDA graph: the run is on a CPU, only a GPU has them\n") == 1

    monkeypatch.setattr(cuda_graph, "refusal", lambda *_: "")
    monkeypatch.setattr(cuda_graph, "captured", emulated)
    signals = iter([0] * 4 + [15])
    monkeypatch.setattr(epoch, "asked", lambda: next(signals, 0))
    with pytest.raises(Stopped):
        run("graph")
    graph = run("graph")
    assert capsys.readouterr().out.count("the step is a CUDA graph") == 2
    for row, other in zip(history(plain), history(graph), strict=True):
        assert row["lr"] == other["lr"]
        assert float(row["train_loss"]) == pytest.approx(float(other["train_loss"]), rel=1e-3)
    rates = [group["lr"] for group in last_state(graph)["optimizer"]["param_groups"]]
    assert rates == [float(history(graph)[-1]["lr"])] * 2  # no tensors


class BetweenDevices(TorchDispatchMode):
    """Notes what works on tensors of several devices."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        devices = {t.device.type for t in [*arguments, result] if isinstance(t, torch.Tensor)}
        if len(devices) > 1:
            self.found.append(str(function))
        return result


@pytest.mark.parametrize(
    ("net", "modality", "standardise"),
    [("r3d", "rgb", "clip"), ("r2plus1d", "rgb", "dataset"), ("r2d", "flow", "dataset")],
)
def test_a_step_on_tensors_of_a_device_asks_the_host_for_nothing(net, modality, standardise, monkeypatch):
    """On tensors without contents, whose values nothing can wait for. A graph refuses both."""
    monkeypatch.setattr(epoch, "autocast", lambda *_: nullcontext())
    spec = RunSpec(**TINY | {"net": net, "modality": modality, "standardise": standardise, "resolution": 28})
    elsewhere = torch.device("meta")
    with elsewhere:
        model = build_net(net, num_classes=5, width=4, in_channels=spec.in_channels)
        optimizer = make_optimizer(
            model, spec, fused=False
        )  # the fused one, which takes its rate from a tensor, is not for these
        clips = torch.zeros((8, 8, 32, 43, spec.in_channels), dtype=torch.half if modality == "flow" else torch.uint8)
        labels = torch.zeros(8, dtype=torch.int64)
        batch = Batch(clips, torch.zeros((8, 3), dtype=torch.int64), labels, labels, labels, [])
    step = (model, batch, optimizer, spec, "fp32", elsewhere)
    epoch.train_step(*step)  # brings the datasets' mean there, once
    with BetweenDevices() as devices:
        losses, scores = epoch.train_step(*step)
    assert (losses.device, scores.shape) == (elsewhere, (8, 5))
    assert devices.found == []
