"""This process of a training: its device, the other processes that `torchrun` started on one node or several, and how
it is asked to stop: by SIGTERM, by SIGUSR1, with which Slurm announces a preemption, or by its launcher.

On a CPU, results do not depend on when a run was stopped. On a GPU cuDNN may choose other kernels in another process,
so that a resumed run can differ in its last bits.
"""

import ctypes
import os
import platform
import select
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from studylib.training.launch import SECONDS_TO_STOP, STOP_WITH_LAUNCHER

PATIENCE = timedelta(minutes=10)  # with a process that says nothing: longer than any checkpoint takes to write
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


def choose() -> torch.device:
    """This process's GPU, by torchrun's LOCAL_RANK where there are several, or the CPU; sets the process's switches."""
    if not torch.cuda.is_available():
        keep_freed_memory()
        return torch.device("cpu")
    number = int(os.environ.get("LOCAL_RANK", 0))
    torch.cuda.set_device(number)
    torch.backends.cudnn.benchmark = True  # clips have one shape: the search for the fastest kernels is paid once
    # fp32 is fp32: by default torch would round the factors of convolutions to the 10 bits of TF32
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    return torch.device("cuda", number)


def prepare(net: nn.Module, device: torch.device) -> nn.Module:
    """The net on the device, channels last in memory, which both oneDNN and cuDNN compute bf16 convolutions in."""
    return net.to(device, memory_format=torch.channels_last_3d)


def keep_freed_memory() -> bool:
    """Let this process keep what it frees for its next step, where the C library is glibc; whether it does. By default
    the system gets large blocks back, and hands them out again page by page, full of zeros (benchmark `memory`)."""
    mmap_max, trim_threshold, arena_max = -4, -1, -8  # malloc.h
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # no block of its own for a large allocation, no giving back (-1: never), one heap for all threads
    return all([mallopt(mmap_max, 0), mallopt(trim_threshold, -1), mallopt(arena_max, 1)])


@dataclass(frozen=True)
class Processes:
    """This process among those of a run. Alone, everything here costs nothing."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    def largest(self, values: list[int]) -> list[int]:
        """The largest of each value over all processes."""
        return self._reduced(values, dist.ReduceOp.MAX)

    def sums(self, values: list[float]) -> list[float]:
        """The sum of each value over all processes."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def _reduced(self, values: list[float], how: dist.ReduceOp) -> list[float]:
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)  # exact for whole numbers below 2^53
        dist.all_reduce(tensor, how)
        return tensor.tolist()

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes by rank, at the leading one; [] at the others."""
        if self.count == 1:
            return [value]
        values = [None] * self.count if self.leads else None
        dist.gather_object(value, values)
        return values or []

    def share(self, number: int) -> slice:
        """This process's part of `number` things in a row, as equal as can be."""
        return slice(self.rank * number // self.count, (self.rank + 1) * number // self.count)

    def spread_statistics(self, net: nn.Module) -> None:
        """Give every process the leading one's BN statistics, which are per GPU while training."""
        if self.count > 1:
            for buffer in net.buffers():
                dist.broadcast(buffer, 0)


ALONE = Processes()


def from_environment() -> Processes:
    """Who this process is, as torchrun says; alone without it."""
    return Processes(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))


@contextmanager
def joined(processes: Processes, device: torch.device) -> Iterator[None]:
    """Connected with the others of `processes`; with one process there is nothing to connect."""
    if processes.count == 1:
        yield
        return
    # a GPU's processes also exchange a few numbers on the CPU
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    yield
    dist.destroy_process_group()  # not after an error: it would wait for the others


def replicate(net: nn.Module, processes: Processes, device: torch.device) -> nn.Module:
    """`net` such that its backward pass averages the gradients of all processes; the net itself where it is alone."""
    if processes.count == 1:
        return net
    # of 1 x 1 x 1 convolutions, whose two memory layouts are one and the same
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    ids = [device] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(net, device_ids=ids, gradient_as_bucket_view=True)


_asked: list[int] = []


class Stopped(Exception):
    """A training that saved and ended because it was asked to; the message says by which signal, and where."""

    def __init__(self, number: int, where: str) -> None:
        super().__init__(f"by {signal.Signals(number).name} {where}")


def listen() -> None:
    """From now on note these signals instead of dying of them, and follow the launcher: where torchrun is gone the
    trainer stops, too."""

    def note(number: int, _frame: FrameType | None) -> None:
        _asked.append(number)

    for number in SIGNALS:
        signal.signal(number, note)
    parent = os.getppid()

    def follow() -> None:
        # nothing is ever written: the input is ready when it is closed
        while os.getppid() == parent and not select.select([0], [], [], 1)[0]:
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SECONDS_TO_STOP)
        os.kill(os.getpid(), signal.SIGKILL)

    if os.environ.get(STOP_WITH_LAUNCHER):
        threading.Thread(target=follow, daemon=True).start()


def asked() -> int:
    """The number of the first signal that came since `listen`, 0 while there is none."""
    return _asked[0] if _asked else 0
