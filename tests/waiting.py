"""Waiting for what another process does, on a machine that may be busy with something else."""

import multiprocessing
import subprocess
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 500.0  # seconds; what is awaited comes within a few on an idle machine


def wait_for(
    condition: Callable[[], Any],
    process: subprocess.Popen | multiprocessing.Process | None = None,
    said: Callable[[], str] = lambda: "waited in vain",
    every: float = 0.02,
    patience: float = PATIENCE,
) -> Any:
    """What `condition()` returns once it is something.

    Args:
        process: has to live until then.
        said: the message where it does not, or where `patience` (seconds) runs out: what a log says.
        every: seconds between two looks.
    """
    latest = time.monotonic() + patience
    while not (found := condition()):
        assert process is None or lives(process), said()
        assert time.monotonic() < latest, said()
        time.sleep(every)
    return found


def lives(process: subprocess.Popen | multiprocessing.Process) -> bool:
    return process.poll() is None if isinstance(process, subprocess.Popen) else process.is_alive()
