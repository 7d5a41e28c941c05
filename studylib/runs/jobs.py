"""What the Snakefile puts around a run's command: places on this machine's GPUs before it, Slurm's queue after it.

`python -m studylib.runs.jobs gpus 2 1 papermill ...` waits for two GPUs that it has for itself, tells the command by
CUDA_VISIBLE_DEVICES, gives it their share of the processor's cores and becomes it. With 3 in place of 1, three such
commands share a GPU. A place is a lock on a file, which ends with the process however it ends.

`python -m studylib.runs.jobs requeue NOTEBOOK` follows a notebook that failed. A job that is preempted, or whose time
is over, gets a signal; its trainer saves and ends. Requeued, it goes on under the same number: Snakemake sees one job
that takes long, and no attempt is used up.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, NamedTuple

from studylib.training.launch import EXIT_CODE
from studylib.video.machine import gpu_count

PATIENCE = 120  # seconds for Slurm to end a requeued job


class Place(NamedTuple):
    """A command's place on a GPU."""

    lock: IO[str]  # the place's as long as this is open
    number: int  # among those of all GPUs


def visible() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    count, given = gpu_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
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
        if gpu in taken or len(taken) == count:
            continue
        name = gpu.replace("/", "_") + (f"-{round_of_gpus}" if round_of_gpus else "")
        lock = (folder / f"gpu-{name}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken[gpu] = Place(lock, number)
        except BlockingIOError:
            lock.close()
    if len(taken) < count:
        for place in taken.values():
            place.lock.close()
        return {}
    return taken


def cores_of(places: Iterable[Place], of: int, cores: Sequence[int]) -> set[int]:
    """The share of the processor's `cores` that goes with some of `of` places: at least one core each."""
    shares = ((p.number * len(cores) // of, (p.number + 1) * len(cores) // of) for p in places)
    return {core for first, end in shares for core in cores[first : max(end, first + 1)]}


def run_on_gpus(count: int, runs_per_gpu: int, command: list[str]) -> int:
    """Become the command, once there is place for it on `count` GPUs; 1 where there are fewer."""
    if count > len(gpus := visible()):
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
    os.execvp(command[0], command)


def requeue(notebook: Path) -> int:
    """75 for a run whose trainer was asked to stop and saved, unless its job is requeued; 1 for one that failed."""
    try:
        outputs = [o for cell in json.loads(notebook.read_text())["cells"] for o in cell.get("outputs", [])]
    except (OSError, ValueError, KeyError):
        return 1
    if not any(o.get("output_type") == "error" and o.get("ename") == "RunStopped" for o in outputs):
        return 1
    job = os.environ.get("SLURM_JOB_ID")
    # refused for a job that was submitted with --no-requeue: Snakemake's retries are left then
    if job and subprocess.run(["scontrol", "requeue", job], check=False).returncode == 0:
        print(f"stopped and saved: job {job} is requeued", flush=True)
        time.sleep(PATIENCE)  # not to be taken for a failure before Slurm ends what runs here
    return EXIT_CODE


if __name__ == "__main__":
    if sys.argv[1] == "requeue":
        sys.exit(requeue(Path(sys.argv[2])))
    sys.exit(run_on_gpus(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
