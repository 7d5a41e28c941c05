"""Signals that ask a training to save and end: SIGTERM, and SIGUSR1, with which Slurm announces a preemption."""

import signal
from types import FrameType

EXIT_CODE = 75  # "temporary failure" of sysexits.h: called again, the run goes on
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)

_asked: list[int] = []


class Stopped(Exception):
    """A training that saved and ended because it was asked to; the message says by which signal, and where."""

    def __init__(self, number: int, where: str) -> None:
        super().__init__(f"by {signal.Signals(number).name} {where}")


def listen() -> None:
    """From now on note these signals instead of dying of them."""

    def note(number: int, _frame: FrameType | None) -> None:
        _asked.append(number)

    for number in SIGNALS:
        signal.signal(number, note)


def asked() -> int:
    """The number of the first signal that came since `listen`, 0 while there is none."""
    return _asked[0] if _asked else 0


def leave_to_parent() -> None:
    """For processes that load data: the process they load for needs them until it has saved.

    A cluster sends its signals to all processes of a job.
    """
    for number in (*SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
