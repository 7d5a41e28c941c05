"""Several processes train one run: what they see together, what comes out, and what happens when one is lost."""

import os
import re
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch

from studylib.nets.build import build_net
from studylib.nets.weights import Weights, blob_names, load_weights
from studylib.training.devices import Processes
from studylib.training.epoch import Session
from studylib.training.evaluation import read_predictions
from studylib.training.launch import EXIT_CODE
from studylib.training.loading import EpochBatches
from studylib.training.spec import RunSpec
from tests.trainings import TINY, assert_same_end, checkpoints, data_of, ended, history, last_state, said, start, team
from tests.waiting import wait_for

# fp32: bf16 rounds sums of 8 and of 16 clips differently
SPEC = {"net": "r3d", "amp": "fp32", "clips_per_epoch": 25, "epochs": 2}


def torchrun(folder, processes):
    """The trainer in several processes, started."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    settings = {"STUDY_DATA": str(data_of(folder)), "OMP_NUM_THREADS": "1", "STUDY_CHECKPOINT_MINUTES": "0"}
    return subprocess.Popen(
        [*command, "-m", "studylib.training", str(folder)],
        env=os.environ | settings,
        stdout=(folder / "train.log").open("a"),
        stderr=subprocess.STDOUT,
    )


def run(folder, processes, first=None, **fields):
    """A run trained by so many processes."""
    start(folder, **SPEC | fields)
    finish(folder, processes, first)


def finish(folder, processes, first=None):
    """Train a run to its end in so many processes."""
    assert [ended(process) for process in team(folder, processes, first)] == [0] * processes, said(folder)


def workers_of(process):
    """Process ids of the trainers that a torchrun started."""
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in children.stdout.split()]


def test_the_processes_of_a_step_see_together_what_one_would_see():
    spec = RunSpec(**TINY | {"batch_size": 5, "clips_per_epoch": 23})
    alone = RunSpec(**TINY | {"batch_size": 15, "clips_per_epoch": 23})
    keys = [list(EpochBatches(spec, 32, Processes(rank, 3))) for rank in range(3)]
    steps = list(EpochBatches(alone, 32))
    assert [[*a, *b, *c] for a, b, c in zip(*keys, strict=True)] == steps
    assert [len(own) for own in keys[0]] == [5, 2]
    assert [len(own[1]) for own in keys] == [2, 3, 3]


def test_a_process_that_gets_none_of_the_last_clips_still_takes_part():
    spec = RunSpec(**TINY | {"batch_size": 4, "clips_per_epoch": 9})
    last = [list(EpochBatches(spec, 32, Processes(rank, 2)))[-1] for rank in range(2)]
    assert [[position for _, position, _ in own] for own in last] == [[8], [8]]
    parts = [Processes(rank, 2).share(1) for rank in range(2)]
    assert sorted(len(range(1)[part]) for part in parts) == [0, 1]


def without_bn():
    """BN whose statistics, which are of a process, do not matter."""
    shape = (1, -1, 1, 1, 1)
    torch.nn.BatchNorm3d.forward = lambda layer, x: x * layer.weight.view(shape) + layer.bias.view(shape)


def test_two_processes_with_half_the_batch_are_one_with_the_whole(tiny_data, tmp_path):
    """The learning rate is that of a process, times their number."""
    run(tmp_path / "one", 1, without_bn, net="r2d", batch_size=16, lr=0.002)
    run(tmp_path / "two", 2, without_bn, net="r2d", batch_size=8, lr=0.001)
    one, two = (history(tmp_path / name) for name in ("one", "two"))
    assert [row["lr"] for row in one] == [row["lr"] for row in two]
    assert [row["step"] for row in one] == [row["step"] for row in two] == ["2", "4"]
    losses = [[float(row[name]) for row in rows for name in ("train_loss", "test_loss")] for rows in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    biases = [last_state(tmp_path / name)["net"]["stem.1.bias"] for name in ("one", "two")]
    assert biases[0].abs().max() > 1e-5  # which starts at 0: it has what gradients have made of it
    torch.testing.assert_close(*biases, rtol=0.01, atol=1e-7)


def test_bn_over_all_processes_is_refused_without_gpus(tiny_data, tmp_path):
    spec = start(tmp_path, **SPEC, sync_bn=True)
    with pytest.raises(ValueError, match="sync_bn: works between GPUs alone; set it to false"):
        Session(tmp_path, spec, Processes(0, 2), torch.device("cpu"))


def test_a_net_whose_bn_is_synchronised_takes_the_same_weights_and_epsilon():
    net, plain = (build_net("r2plus1d", num_classes=5, width=4) for _ in range(2))
    torch.nn.SyncBatchNorm.convert_sync_batchnorm(net)
    load_weights(net, Weights(plain.state_dict(), "torchvision", 1e-5, "x.pt"))
    assert {layer.eps for layer in net.modules() if isinstance(layer, torch.nn.SyncBatchNorm)} == {1e-5}
    assert blob_names(net) == blob_names(plain)


def test_a_net_is_tested_by_three_processes_as_by_one(tiny_data, tmp_path):
    run(tmp_path / "trained", 1, batch_size=16)
    for processes in (1, 3):
        folder = tmp_path / f"tested_by_{processes}"
        (data_of(folder) / "checkpoints").symlink_to(data_of(tmp_path / "trained") / "checkpoints")
        run(folder, processes, partial(os.chdir, tmp_path), batch_size=16, epochs=0, init_from="folder:trained")
    one, three = (read_predictions(tmp_path / f"tested_by_{n}" / "predictions.parquet") for n in (1, 3))
    metrics = [(tmp_path / f"tested_by_{n}" / "metrics.json").read_text() for n in (1, 3)]
    assert len(one.videos) == 16  # 5, 5 and 6
    assert three.videos == one.videos
    assert all((a == b).all() for a, b in zip(three.clip_scores, one.clip_scores, strict=True))
    accuracies = [re.findall(r'"(?:clip|video)_top\d": [\d.]+', text) for text in metrics]
    assert accuracies[0] == accuracies[1]
    assert len(accuracies[0]) == 3


def wait_for_checkpoints(folder, more_than, process):
    def two_more():
        return len({*checkpoints(folder).glob("[0-9]*.pt")} - more_than) >= 2

    wait_for(two_more, process, lambda: said(folder))


def test_a_process_that_dies_ends_the_run_which_goes_on_from_its_last_checkpoint(tiny_data, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(whole, 2, epochs=6, net="r2d")
    start(killed, **SPEC | {"epochs": 6, "net": "r2d"})
    process = torchrun(killed, 2)
    wait_for_checkpoints(killed, set(), process)
    survivor, lost = workers_of(process)
    os.kill(lost, signal.SIGKILL)
    assert process.wait(60) != 0  # long before `devices.PATIENCE` is over
    with pytest.raises(ProcessLookupError):
        os.kill(survivor, 0)
    finish(killed, 2)
    assert len(last_state(killed)["provenance"]["resumed"]) == 1
    assert_same_end(whole, killed)


def test_a_run_goes_on_with_another_number_of_processes(tiny_data, tmp_path):
    folder = tmp_path / "run"
    start(folder, **SPEC | {"net": "r2d", "epochs": 6, "batch_size": 4})
    seen = set()
    for count in (2, 1):
        processes = team(folder, count)
        wait_for_checkpoints(folder, seen, processes[0])
        for process in processes:
            process.terminate()
        assert [ended(process) for process in processes] == [EXIT_CODE] * count, said(folder)
        seen = {*checkpoints(folder).glob("[0-9]*.pt")}
    finish(folder, 3)
    rows = history(folder)
    assert [row["epoch"] for row in rows] == [str(n) for n in range(1, 7)]
    state = last_state(folder)
    told = [state["provenance"]["processes"], *(session["processes"] for session in state["provenance"]["resumed"])]
    assert told == [2, 1, 3]
    assert all(0 < float(row["train_loss"]) < 10 and 0 <= float(row["train_error"]) <= 100 for row in rows)
