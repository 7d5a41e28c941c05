"""What a run asks of a cluster: the `resources` of a plan and of its entries. They are no part of the run or its hash.

resources: {gpus: 1, cores: 8, device: A100}           # of every run
runs:
  - {experiment: depth, net: r3d, resources: {nodes: 2, gpus: 8, hours: 24}}
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from studylib.training.spec import did_you_mean

MARGIN = 1.5  # of the time that is asked for over the longest estimate
LEAST_MINUTES = 15
MOST_HOURS = 720  # a longer run goes on in the next job
SECONDS_TO_SAVE = 300  # before the end of its time


class ResourcesError(ValueError):
    """Resources that are none; the message names the field and what it takes."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one run asks for. A number of `None` is left to the cluster, or to the estimate."""

    nodes: int = 1
    gpus: int | None = None  # of each node; a process for each; None: 1 where this machine has GPUs, else 0
    cores: int = 1  # of each node
    memory_gb: float | None = None  # of each node
    hours: float | None = None  # None: estimated where the device's speed is known
    device: str = ""  # whose speed the estimate is of, such as A100; "": this machine's
    requeue: bool = True  # back into the queue when it is preempted or its time is over; it goes on where it stopped

    def __post_init__(self) -> None:
        for field in fields(self):
            if problem := _problem(field.name, getattr(self, field.name)):
                raise ResourcesError(f"resources: {field.name}: {problem}")

    def with_changes(self, given: Any) -> "Resources":
        """These resources with those that `given`, a mapping from YAML, names.

        Raises:
            ResourcesError: no mapping, an unknown name, a wrong value.
        """
        if given is None:
            return self
        known = [field.name for field in fields(self)]
        if not isinstance(given, Mapping):
            raise ResourcesError(
                f"resources: {given!r} is not a mapping of names to values; it takes {', '.join(known)}"
            )
        for name in given:
            if name not in known:
                raise ResourcesError(f"resources: {name}: no such resource{did_you_mean(str(name), known)}")
        return replace(self, **given)

    def of_slurm(self) -> dict[str, int | str]:
        """As the resources of a Snakemake rule that its Slurm executor reads, all but the time."""
        return {
            "nodes": self.nodes,
            # ahead of its time limit a run is told to save; what its signal does is said in `requeue`
            "slurm_extra": f"--signal=USR1@{SECONDS_TO_SAVE} --{'' if self.requeue else 'no-'}requeue",
            "mem_mb": round(1000 * (self.memory_gb or 0)),  # 0: the cluster's own default, not Snakemake's
            # a task is a node: torchrun starts the processes of its GPUs; Slurm counts GPUs by node, too
            **({"gres": f"gpu:{self.gpus}"} if self.gpus else {"tasks": self.nodes}),
        }

    def minutes(self, most_seconds: float | None, processes: int) -> int | None:
        """The time to ask for: `hours`, else the estimate with a margin, else None.

        Args:
            most_seconds: the longest estimate for one process.
            processes: that share the work.
        """
        if self.hours is not None:
            return max(1, round(60 * self.hours))
        if most_seconds is None:
            return None
        return max(LEAST_MINUTES, round(MARGIN * most_seconds / 60 / processes))


def _problem(name: str, value: Any) -> str | None:
    """What is wrong with a value, None where nothing is."""
    if name == "requeue":
        return None if isinstance(value, bool) else f"{value!r} is not true or false"
    if name == "device":
        return None if isinstance(value, str) else f"{value!r} is not a device's name, such as A100"
    if value is None and name in ("gpus", "memory_gb", "hours"):
        return None
    whole = name in ("nodes", "gpus", "cores")
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return f"{value!r} is not a {'whole ' if whole else ''}number"
    if name == "gpus":
        return None if value >= 0 else f"{value!r} is out of range, it takes 0 or more"
    if name == "hours" and value >= MOST_HOURS:
        return f"{value!r} is out of range, it takes less than {MOST_HOURS}; YAML reads 24:00:00 as 86400, write 24"
    return None if 0 < value < float("inf") else f"{value!r} is out of range, it takes more than 0"
