"""Clips/s of one training process and of several on one machine: apart, or together on one net.

    python -m tests.bench processes [--rounds 3] [--geometry paper mini]

Together is as under torchrun: each process has its clips, and gloo averages the gradients at each step. Apart is what
the Snakefile does with a plan of many runs. The ratio is to one process with a thread on every core.
"""

import argparse
import socket
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from studylib.video.machine import available_cores
from tests.bench.child import Job, job, run
from tests.bench.steps import GEOMETRIES

NETS = ("r3d", "r2plus1d")


def main(arguments: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Print the table and return it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--geometry", nargs="+", choices=GEOMETRIES, default=list(GEOMETRIES))
    options = parser.parse_args(arguments)
    cores, rows = available_cores(), []
    for name in options.geometry:
        for net in NETS:
            one = job(net, name, steps=options.steps)
            single = replace(one, geometry=replace(one.geometry, threads=1))
            many = replace(one, geometry=replace(one.geometry, threads=cores))
            rates: dict[str, list[float]] = {}
            for _ in range(options.rounds):
                turn = {
                    f"1 process, {cores} threads": rate([many]),
                    "1 process, 1 thread": rate([single]),
                    f"{cores} processes apart, 1 thread each": rate([single] * cores),
                    f"{cores} processes together, 1 thread each": rate([single] * cores, together=True),
                }
                for how, clips in turn.items():
                    rates.setdefault(how, []).append(clips)
            first = next(iter(rates.values()))
            for how, found in rates.items():
                ratio = sorted(a / b for a, b in zip(found, first, strict=True))
                row = {"clips": str(one.geometry), "network": net, "processes": how}
                row |= {"clips_per_second": median(found), "times_as_fast": median(ratio)}
                rows.append(row | {"lowest": ratio[0], "highest": ratio[-1], "rounds": len(ratio)})
                print(f"{one.geometry} {net:9} {how:38} {median(found):7.2f} clips/s  {median(ratio):.2f}", flush=True)
    return {"processes": rows}


def rate(jobs: list[Job], together: bool = False) -> float:
    """Clips/s of all processes, which work side by side."""
    environments = None
    if together:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(len(jobs))}
        shared["GLOO_SOCKET_IFNAME"] = "lo"
        environments = [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(len(jobs))]
    told = run(*jobs, environments=environments)
    return sum(own.geometry.batch_size / median(t.seconds) for own, t in zip(jobs, told, strict=True))
