"""How far a training is: what a checkpoint holds beside weights, and what the lines it prints say."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from studylib.training.distributed import Processes
from studylib.training.magnitudes import duration


@dataclass
class Progress:
    """Where a training stands. `position` goes up to `clips_per_epoch`; the epoch ends when it has been tested, too."""

    history: list[dict[str, float]] = field(default_factory=list)  # a row an epoch that ended, see run_files.HISTORY
    position: int = 0  # clips of the present epoch that all processes have trained on
    steps: int = 0  # of the optimiser, since the start
    lr: float = 0.0  # of the last one, over all processes
    loss_sum: float = 0.0  # over this process's clips of the present epoch
    wrong: int = 0  # of them
    epoch_seconds: float = 0.0  # of training, of the present epoch
    epoch_waited: float = 0.0  # of those, for data
    seconds: float = 0.0  # of training in the epochs that ended, over all sessions
    best_error: float = float("inf")  # percent, test_error of the best epoch so far
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The present epoch, from 0."""
        return len(self.history)

    def end_epoch(self, row: dict[str, float]) -> bool:
        """Note the row of the epoch that ended; whether it is the best one so far."""
        self.history.append(row)
        self.seconds += self.epoch_seconds
        self.position, self.loss_sum, self.wrong, self.epoch_seconds, self.epoch_waited = 0, 0.0, 0, 0.0, 0.0
        best = row["test_error"] < self.best_error
        self.best_error = min(self.best_error, row["test_error"])
        return best

    def state(self, processes: Processes) -> dict[str, Any]:
        """What a checkpoint holds, at the leading process; each process's own sums, so that going on adds the same
        numbers in the same order. All processes call it together."""
        sums = processes.gather((self.loss_sum, self.wrong))
        return asdict(self) | {"loss_sum": [own for own, _ in sums], "wrong": [own for _, own in sums]}

    @classmethod
    def of_state(cls, saved: dict[str, Any], processes: Processes) -> "Progress":
        """From a checkpoint; where the number of processes changed, the leading one takes all of their sums."""
        progress = cls(**{f.name: saved[f.name] for f in fields(cls)})
        for name in ("loss_sum", "wrong"):
            own = saved[name]
            if len(own) == processes.count:
                setattr(progress, name, own[processes.rank])
            else:
                setattr(progress, name, sum(own) if processes.leads else type(own[0])(0))
        return progress


def said(epoch: int, epochs: int, row: dict[str, float], seconds_left: float) -> str:
    """The line of an epoch that ended; `row` is its row of the history."""
    return (
        f"epoch {epoch}/{epochs}  train loss {row['train_loss']:.3f}  train error {row['train_error']:.1f}  "
        f"test loss {row['test_loss']:.3f}  test error {row['test_error']:.1f}  lr {row['lr']:.2g}  "
        f"{pace(row['clips_per_second'], row['data_wait'], seconds_left)}"
    )


def pace(clips_per_second: float, data_wait: float, seconds_left: float) -> str:
    """Speed, share of the time that waited for data, time left."""
    return f"{clips_per_second:.0f} clips/s  waiting for data {data_wait:.1%}  {duration(seconds_left)} left"
