"""The trainer's side of being asked to stop: by SIGTERM, by SIGUSR1, with which Slurm announces a preemption, or by its
launcher."""

import os
import select
import signal
import threading
import time
from types import FrameType

EXIT_CODE = 75  # "temporary failure" of sysexits.h: called again, the run goes on
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# Where it is set, the trainer's standard input is a pipe that closes when its launcher asks it to stop, or ends,
# however it ends. torchrun's processes share it; srun hands the end of its own on to all nodes.
STOP_WITH_LAUNCHER = "STUDY_STOP_WITH_LAUNCHER"
PATIENCE = 600  # seconds from being asked to stop until a trainer that hangs is killed

_asked: list[int] = []


class Stopped(Exception):
    """A training that saved and ended because it was asked to; the message says by which signal, and where."""

    def __init__(self, number: int, where: str) -> None:
        super().__init__(f"by {signal.Signals(number).name} {where}")


def listen() -> None:
    """From now on note these signals instead of dying of them, and follow the launcher.

    Where torchrun is gone the trainer stops, too, so that no process goes on unseen.
    """

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
        time.sleep(PATIENCE)
        os.kill(os.getpid(), signal.SIGKILL)

    if os.environ.get(STOP_WITH_LAUNCHER):
        threading.Thread(target=follow, daemon=True).start()


def asked() -> int:
    """The number of the first signal that came since `listen`, 0 while there is none."""
    return _asked[0] if _asked else 0


def leave_to_parent() -> None:
    """For processes that load data: the process they load for needs them until it has saved.

    A cluster sends its signals to all processes of a job.
    """
    for number in (*SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
