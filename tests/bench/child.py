"""Training steps in a process of its own: `python -m tests.bench.child JOB`, for benchmarks of what a process has once.

The job is JSON (see `Job`). When the steps to warm up are done the process prints `ready` and waits for a line; then it
takes its steps and prints seconds and memory as JSON.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch

from studylib.training import devices
from studylib.training.devices import from_environment, joined, replicate
from studylib.training.epoch import recompute_blocks
from tests.bench.steps import (
    GEOMETRIES,
    Geometry,
    choose_without_kept_memory,
    new_net,
    random_batch,
    spec_of,
    step_of,
    synchronise,
)

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    """What a child does."""

    net: str
    geometry: Geometry
    depth: int = 18
    steps: int = 5
    warm_up: int = 2
    keep_memory: bool = True  # that is freed, as the trainer does
    recompute: bool = False
    compiled: bool = False


@dataclass(frozen=True)
class Told:
    """What a child measured."""

    seconds: list[float]  # of each step
    first_s: float  # of the first step
    memory: int  # bytes: peak resident size, less what the process had before the net was made


def main(argument: str) -> None:
    """The child's side."""
    told = json.loads(argument)
    job = Job(**told | {"geometry": Geometry(**told["geometry"])})
    torch.set_num_threads(job.geometry.threads)
    device = devices.choose() if job.keep_memory else choose_without_kept_memory()
    processes = from_environment()
    before = resident()
    spec = spec_of(job.net, job.geometry, depth=job.depth)
    net = new_net(spec, job.geometry, device)
    if job.recompute:
        recompute_blocks(net)
    if job.compiled:
        net.compile()
    with joined(processes, device):
        step = step_of(replicate(net, processes, device), spec, random_batch(job.geometry), device, "bf16")
        begun = time.perf_counter()
        step()
        first = time.perf_counter() - begun
        for _ in range(job.warm_up - 1):
            step()
        print("ready", flush=True)
        sys.stdin.readline()
        marks = [time.perf_counter()]
        for _ in range(job.steps):
            step()
            marks.append(time.perf_counter())
        synchronise(device)
        seconds = [b - a for a, b in pairwise(marks)]
        print(json.dumps(asdict(Told(seconds, first, resident("VmHWM") - before))), flush=True)


def resident(which: str = "VmRSS") -> int:
    """Bytes of the process that are in memory, now ("VmRSS") or at most so far ("VmHWM"); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{which}:"))


def run(*jobs: Job, environments: list[dict[str, str]] | None = None, timeout: float | None = None) -> list[Told]:
    """The jobs in processes side by side, which begin to measure together.

    Args:
        environments: variables of each process, added to those of this one.
        timeout: seconds for everything.

    Raises:
        RuntimeError: a process failed; with the last line that it printed.
        TimeoutError: they took too long, and were ended.
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.child", json.dumps(asdict(job))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | variables,
        )
        for job, variables in zip(jobs, environments or [{}] * len(jobs), strict=True)
    ]
    try:
        if timeout is None:
            for child in children:
                child.stdout.readline()  # "ready", or nothing from one that failed
        told = []
        for child in children:
            if child.poll() is None:
                child.stdin.write("go\n")
                child.stdin.flush()
        for child in children:
            try:
                out, err = child.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"not done after {timeout:.0f} s") from None
            if child.returncode:
                raise RuntimeError((err.strip().splitlines() or [f"ended with code {child.returncode}"])[-1])
            told.append(Told(**json.loads(out.strip().splitlines()[-1])))
        return told
    finally:
        for child in children:
            child.kill()


def job(net: str, geometry: str, **changes: object) -> Job:
    """A job by the name of its geometry."""
    return Job(net, GEOMETRIES[geometry], **changes)


if __name__ == "__main__":
    main(sys.argv[1])
