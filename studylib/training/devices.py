"""The switches between CPU and GPU, in one place: the trainer is the same lines on both.

    device = devices.choose()  # once, before anything large is allocated
    net = devices.prepare(net, device)
    devices.compile_if_asked(net)  # last, after hooks and before DistributedDataParallel wraps it

On a CPU, results do not depend on when a run was stopped. On a GPU cuDNN may choose other kernels in another process,
so that a resumed run can differ in its last bits. fp32 is fp32 there: by default torch would round the factors of fp32
convolutions to the 10 bits of TF32. Runs that want speed have bf16, which is checked against fp32 (`precision`), and
fp32 is what remains where bf16 is found wrong.
"""

import ctypes
import os
import platform
from dataclasses import dataclass

import torch
from torch import nn

from studylib.video.environment import switched_on
from studylib.video.parallel import machine_memory


@dataclass(frozen=True)
class Device:
    """A device and what goes with it."""

    torch: torch.device
    backend: str  # of torch.distributed: a GPU's processes also exchange a few numbers on the CPU
    pin: bool  # memory of loaded clips, for copies beside the GPU's work
    fused: bool  # the optimiser in one kernel
    memory: int  # bytes in all


def choose() -> Device:
    """This process's GPU, by torchrun's LOCAL_RANK where there are several, or the CPU; sets the process's switches.

    Raises:
        ValueError: there is no GPU for this process.
    """
    if not torch.cuda.is_available():
        keep_freed_memory()
        return Device(torch.device("cpu"), "gloo", pin=False, fused=True, memory=machine_memory())
    number, count = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if number >= count:
        raise ValueError(f"LOCAL_RANK: {number}, but this node has {count} GPUs; start one process a GPU")
    torch.cuda.set_device(number)
    torch.backends.cudnn.benchmark = True  # clips have one shape: the search for the fastest kernels is paid once
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    memory = torch.cuda.get_device_properties(number).total_memory
    return Device(torch.device("cuda", number), "cpu:gloo,cuda:nccl", pin=True, fused=True, memory=memory)


def prepare(net: nn.Module, device: Device) -> nn.Module:
    """The net on the device, channels last in memory, which both oneDNN and cuDNN compute bf16 convolutions in."""
    return net.to(device.torch, memory_format=torch.channels_last_3d)


def compile_if_asked(net: nn.Module, backend: str = "inductor") -> bool:
    """With STUDY_COMPILE=1: `torch.compile` of the net in place, names of its state as they were; whether it is.

    Off by default: it takes a compiler and minutes at the start, and its results are those of other kernels. A forward
    hook that is on the net at its first step stays in what was compiled, and blocks that recompute are left out of it.
    """
    asked = switched_on("STUDY_COMPILE")
    if asked:
        net.compile(backend=backend)
    return asked


def keep_freed_memory() -> bool:
    """Let this process keep what it frees for its next step, where the C library is glibc; whether it does.

    By default glibc gives large blocks back to the system, which hands them out again page by page, full of zeros, at
    each step. It applies to what is allocated afterwards. What a process keeps is what it had at its peak, which is
    somewhat higher so, as blocks of other sizes leave gaps (benchmark `memory`).
    """
    mmap_max, trim_threshold, arena_max = -4, -1, -8  # malloc.h
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # no block of its own for a large allocation, no giving back (-1: never), one heap for all threads
    return all([mallopt(mmap_max, 0), mallopt(trim_threshold, -1), mallopt(arena_max, 1)])
