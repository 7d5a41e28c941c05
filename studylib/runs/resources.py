"""What a run asks of a cluster: the `resources` of a plan and of its entries. They are no part of the run or its hash.

resources: {gpus: 1, cores: 8, device: A100}           # of every run
runs:
  - {experiment: depth, net: r3d, resources: {nodes: 2, gpus: 8, hours: 24}}
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError
from pydantic.dataclasses import dataclass

from studylib.training.spec import STRICT, Count, FromZero, Positive, explained

MARGIN = 1.5  # of the time that is asked for over the longest estimate
LEAST_MINUTES = 15
MOST_HOURS = 720  # a longer run goes on in the next job
SECONDS_TO_SAVE = 300  # before the end of its time


class ResourcesError(ValueError):
    """Resources that are none; the message names the field and what it takes."""


def _hours(value: Any) -> Any:
    if isinstance(value, int | float) and value >= MOST_HOURS:
        raise ValueError(f"hours: {value} is not less than {MOST_HOURS}; YAML reads 24:00:00 as 86400, write 24")
    return value


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Resources:
    """What one run asks for. A number of `None` is left to the cluster, or to the estimate."""

    nodes: Count = 1
    gpus: FromZero | None = None  # of each node; a process for each; None: 1 where this machine has GPUs, else 0
    cores: Count = 1  # of each node
    memory_gb: Positive | None = None  # of each node
    hours: Annotated[Positive | None, BeforeValidator(_hours)] = None  # None: the estimate where there is one
    device: str = ""  # whose speed the estimate is of, such as A100; "": this machine's
    requeue: bool = True  # back into the queue when it is preempted or its time is over; it goes on where it stopped

    def with_changes(self, given: Any) -> "Resources":
        """These resources with those that `given`, a mapping from YAML, names.

        Raises:
            ResourcesError: no mapping, an unknown name, a wrong value.
        """
        if given is None:
            return self
        if not isinstance(given, Mapping):
            raise ResourcesError(f"resources: {given!r} is not a mapping of names to values, such as gpus: 1")
        try:
            return replace(self, **{str(name): value for name, value in given.items()})
        except ValidationError as error:
            raise ResourcesError(f"resources: {explained(error, Resources, 'resource')}") from None

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
