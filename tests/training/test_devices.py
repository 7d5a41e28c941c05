"""What is switched with the device, and that none of it changes a net's names."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from studylib.nets.build import build_net
from studylib.training import devices


@pytest.fixture
def cpu(monkeypatch):
    """The device of a process that sees no GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "keep_freed_memory", lambda: True)  # it would hold for all other tests
    return devices.choose()


@pytest.fixture
def two_gpus(monkeypatch):
    """A node that says it has two GPUs; gives what was set."""
    chosen = SimpleNamespace(number=None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: setattr(chosen, "number", number))
    conv, matmul = torch.backends.cudnn.conv, torch.backends.cuda.matmul
    before = torch.backends.cudnn.benchmark, conv.fp32_precision, matmul.fp32_precision
    conv.fp32_precision = matmul.fp32_precision = "tf32"
    yield chosen
    torch.backends.cudnn.benchmark, conv.fp32_precision, matmul.fp32_precision = before


def test_each_process_of_a_node_has_the_gpu_of_its_local_rank(two_gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    device = devices.choose()
    assert (device, two_gpus.number) == (torch.device("cuda", 1), 1)
    assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"  # fp32 is not tf32
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"
    monkeypatch.delenv("LOCAL_RANK")
    assert devices.choose() == torch.device("cuda", 0)


def test_a_prepared_net_is_channels_last_under_its_own_names(cpu):
    net = build_net("r3d", num_classes=5, width=4)
    names, weight = list(net.state_dict()), net.layer1[0].conv1[0].weight.clone()
    prepared = devices.prepare(net, cpu)
    assert list(prepared.state_dict()) == names
    found = prepared.layer1[0].conv1[0].weight
    assert found.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(found, weight)


# Counts the pages that the system had to give for 64 MB that are asked for and freed over and over.
CHURN = """
import resource
import torch
from studylib.training.devices import keep_freed_memory

def pages():
    for _ in range(10):  # the heap finds its size
        torch.ones(1 << 24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(pages(), keep_freed_memory(), pages())
"""


def test_freed_memory_is_used_again_instead_of_asked_for_anew():
    told = subprocess.run([sys.executable, "-c", CHURN], capture_output=True, text=True, check=True).stdout
    by_default, keeps, kept = told.split()
    assert keeps == str(platform.libc_ver()[0] == "glibc")
    assert int(kept) < 100 < int(by_default) or keeps == "False"
