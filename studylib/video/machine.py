"""What a machine gives: cores, memory, numbers and switches of its environment, and processes for one job each."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import cv2

Key = TypeVar("Key")
Result = TypeVar("Result")


def available_cores() -> int:
    """The cores this process may use, which on a cluster are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_memory() -> int:
    """Bytes of memory of the machine, or of the container where that is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")  # a container's, "max" if it has none
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        memory = min(memory, int(text))
    return memory


def gpu_count() -> int:
    """The GPUs that torch sees. Its import takes seconds, which a machine without a GPU's driver need not wait for."""
    drivers = ("nvidia*", "nvhost*", "kfd", "dxg")  # CUDA's, on a Tegra, ROCm's, Windows' within Linux
    if sys.platform == "linux" and not any(next(Path("/dev").glob(name), None) for name in drivers):
        return 0
    import torch

    return torch.cuda.device_count()


def number(
    name: str, takes: str, default: Any, least: int = 0, kind: type = int, environ: Mapping[str, str] = os.environ
) -> Any:
    """The finite number from `least` on that a variable holds; `default` where it is not set or empty. Errors:
    ValueError names the variable, what it holds and what it `takes`, "a number of processes from 1 on"."""
    given = environ.get(name, "")
    if not given:
        return default
    try:
        if least <= (value := kind(given)) < float("inf"):
            return value
    except ValueError:
        pass
    raise ValueError(f"{name}: {given!r} is not {takes}")


def switched_on(name: str) -> bool:
    """Whether a variable is 1; 0 is off, and so is one that is not set or empty. Errors: ValueError for others."""
    given = os.environ.get(name) or "0"
    if given not in ("0", "1"):
        raise ValueError(f"{name}: {given!r} is neither 0 nor 1")
    return given == "1"


def in_processes(
    function: Callable[..., Result], jobs: Mapping[Key, tuple], workers: int | None = None
) -> Iterator[tuple[Key, Result]]:
    """Call `function(*arguments)` for every job, in any order; gives (key, result) of each as it is done.

    In worker processes, as PyAV holds Python's lock while it demuxes and muxes: by default one for each core, none
    where one would do. `function` stands at the top of a module of this package, so that they can call it. Close the
    iterator to stop early: jobs that have not begun are then never begun. Errors: whatever
    `function` raises; OSError when a worker process was killed.
    """
    if (workers := min(workers or available_cores(), len(jobs))) <= 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            for key, arguments in jobs.items():
                yield key, function(*arguments)
        finally:
            cv2.setNumThreads(threads)
        return
    waiting = iter(jobs.items())
    under_way: dict[Future, Key] = {}
    with ProcessPoolExecutor(workers, mp_context=_OwnFunctions(), initializer=_start_worker) as pool:
        try:
            while True:
                # A few jobs ahead for each worker, not all: a million futures would cost gigabytes.
                for key, arguments in islice(waiting, 8 * workers - len(under_way)):
                    under_way[pool.submit(function, *arguments)] = key
                if not under_way:
                    return
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield under_way.pop(future), future.result()
        except BrokenProcessPool as error:
            raise OSError("a worker process was killed, for want of memory or by a file that crashes it") from error
        finally:  # after an error or Ctrl-C: do not begin what is still waiting
            pool.shutdown(cancel_futures=True)


class _Worker(SpawnProcess):
    """A new process that does not import the caller's script, which without `if __name__ == "__main__"` would run again
    in it, and wait for a lock that its parent holds."""

    def start(self) -> None:
        script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = script


class _OwnFunctions(SpawnContext):  # "spawn", as a forked child of a process that has threads (PyTorch) can hang
    Process = _Worker


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the parent, which stops its workers
    end_with_parent()


def end_with_parent() -> None:
    """End this process as soon as its parent ends, however that happens; waiting for work, it would not notice."""

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
