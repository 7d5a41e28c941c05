"""GPUs of this machine for runs side by side: a command gets places on some, and its share of the processor's cores.

`python -m studylib.runs.gpus 2 1 papermill ...` waits for two GPUs that it has for itself, tells the command by
CUDA_VISIBLE_DEVICES and ends as it. With 3 in place of 1, three such commands share a GPU. A place is taken by a lock
on a file, which ends with the process however it ends.
"""

import fcntl
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, NamedTuple


class Place(NamedTuple):
    """A command's place on a GPU."""

    lock: IO[str]  # the place's as long as this is open
    number: int  # among those of all GPUs


def visible() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # takes seconds, and a cluster's login node does without

    count, given = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(i) for i in range(count)]
    # for CUDA the list ends at the first word that is no GPU, or is none of those that are there
    words = (word.strip() for word in given.split(","))
    return list(takewhile(re.compile(r"\d+|(GPU|MIG)-\S+").fullmatch, words))[: count or None]


def take(count: int, gpus: Sequence[str], folder: Path, runs_per_gpu: int = 1) -> dict[str, Place]:
    """A free place on each of `count` GPUs, on the emptiest ones; none where fewer have one."""
    taken: dict[str, Place] = {}
    for number in range(runs_per_gpu * len(gpus)):
        round_of_gpus, gpu = number // len(gpus), gpus[number % len(gpus)]
        if len(taken) == count:
            break
        if gpu in taken:
            continue
        name = gpu.replace("/", "_") + (f"-{round_of_gpus}" if round_of_gpus else "")
        lock = (folder / f"gpu-{name}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        taken[gpu] = Place(lock, number)
    if len(taken) == count:
        return taken
    for place in taken.values():
        place.lock.close()
    return {}


def cores_of(places: Iterable[Place], of: int, cores: Sequence[int]) -> set[int]:
    """The share of the processor's `cores` that goes with some of `of` places: at least one core each."""
    shares = ((p.number * len(cores) // of, (p.number + 1) * len(cores) // of) for p in places)
    return {core for first, end in shares for core in cores[first : max(end, first + 1)]}


def main(arguments: list[str]) -> int:
    """Become the command after the number of GPUs and of runs on each, once there is place for it."""
    count, runs_per_gpu, gpus = int(arguments[0]), int(arguments[1]), visible()
    if count > len(gpus):
        print(f"error: {count} GPUs asked for, {len(gpus)} are visible; lower gpus in the plan", file=sys.stderr)
        return 1
    folder = Path(tempfile.gettempdir()) / f"study-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    while not (taken := take(count, gpus, folder, runs_per_gpu)):
        time.sleep(5)
    for place in taken.values():
        os.set_inheritable(place.lock.fileno(), True)  # by papermill, which holds them until it ends
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
    if hasattr(os, "sched_setaffinity"):  # else each run's readers would take all cores
        of = runs_per_gpu * len(gpus)
        os.sched_setaffinity(0, cores_of(taken.values(), of, sorted(os.sched_getaffinity(0))))
    os.execvp(arguments[2], arguments[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
