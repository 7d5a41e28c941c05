"""The processes of one training: who they are, and the few things they tell each other beside gradients.

`torchrun` starts them, on one node or several, and says by environment variables which is which.
"""

import os
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

PATIENCE = timedelta(minutes=10)  # with a process that says nothing: longer than any checkpoint takes to write


class PeerLost(RuntimeError):
    """Another process of the run ended or cannot be reached; why, that one says."""


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
        if self.count == 1:
            return values
        tensor = torch.tensor(values)
        with _told():
            dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tensor.tolist()

    def sums(self, values: list[float]) -> list[float]:
        """The sum of each value over all processes."""
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        with _told():
            dist.all_reduce(tensor)
        return tensor.tolist()

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes by rank, at the leading one; [] at the others."""
        if self.count == 1:
            return [value]
        values = [None] * self.count if self.leads else None
        with _told():
            dist.gather_object(value, values)
        return values or []

    def share(self, number: int) -> slice:
        """This process's part of `number` things in a row, as equal as can be."""
        return slice(self.rank * number // self.count, (self.rank + 1) * number // self.count)

    def spread_statistics(self, net: nn.Module) -> None:
        """Give every process the leading one's BN statistics, which are per GPU while training."""
        if self.count > 1:
            with _told():
                for buffer in net.buffers():
                    dist.broadcast(buffer, 0)


ALONE = Processes()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" in str(error):  # its death is noticed whatever this process is doing
            raise
        raise PeerLost(f"another process of this run is gone ({str(error).splitlines()[0]})") from None


def from_environment() -> Processes:
    """Who this process is, as torchrun says; alone without it."""
    return Processes(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))


@contextmanager
def joined(processes: Processes, backend: str) -> Iterator[None]:
    """Connected with the others of `processes`; with one process there is nothing to connect.

    Args:
        backend: of torch.distributed, "gloo" or "cpu:gloo,cuda:nccl".
    """
    if processes.count == 1:
        yield
        return
    with _told():
        store = _meet(processes)
        dist.init_process_group(backend, store=store, rank=processes.rank, world_size=processes.count, timeout=PATIENCE)
    yield
    dist.destroy_process_group()  # not after an error: it would wait for the others


def _meet(processes: Processes) -> dist.Store:
    """A store of these processes alone, for the addresses by which they connect.

    torchrun's own outlives a restart: who reads there first may find the address of a process that is gone, and wait
    for it. Here each tells its name to the leading one, and goes on when that one knows it.
    """
    shared, _, _ = next(dist.rendezvous("env://", timeout=PATIENCE))
    name = uuid.uuid4().hex
    if processes.leads:
        shared.set("leader", name)
        names = [shared.get(f"{name}/{rank}").decode() for rank in range(1, processes.count)]
        shared.set(f"{name}/met", " ".join(names))
        return dist.PrefixStore(name, shared)
    latest = time.monotonic() + PATIENCE.total_seconds()
    while time.monotonic() < latest:
        leader = shared.get("leader").decode()  # perhaps the one of before, which answers no more
        shared.set(f"{leader}/{processes.rank}", name)
        time.sleep(0.05)
        if shared.check([f"{leader}/met"]) and name in shared.get(f"{leader}/met").decode().split():
            return dist.PrefixStore(leader, shared)
    raise RuntimeError("the leading one did not answer")


def replicate(net: nn.Module, processes: Processes, device: torch.device) -> nn.Module:
    """`net` such that its backward pass averages the gradients of all processes; the net itself where it is alone."""
    if processes.count == 1:
        return net
    # of 1 x 1 x 1 convolutions, whose two memory layouts are one and the same
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    ids = [device] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(net, device_ids=ids, gradient_as_bucket_view=True)
