"""Small runs of the trainer, in the test's process or, to be killed, in one of their own without paying for imports."""

import csv
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import torch

from studylib.training import run as training
from studylib.training.checkpoint import checkpoint_folder, newest_checkpoint, read_checkpoint
from studylib.training.evaluation import read_predictions
from studylib.training.run_files import CLOCKS
from studylib.training.spec import RunSpec, recorded_hash
from tests.waiting import PATIENCE

TINY = {
    "experiment": "conv_types",
    "net": "r2d",
    "dataset": "pantomime-tiny",
    "width": 4,
    "resolution": 56,
    "batch_size": 8,
    "epochs": 3,
    "clips_per_epoch": 20,
    "lr_schedule": "cosine",
    "standardise": "clip",
    "test_clips": 3,
}

# a server that has imported everything and computed nothing: its children start at once, with threads of their own
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["studylib.training.run", "torch._dynamo"])  # the latter comes with an optimiser


def start(folder: Path, **changes: object) -> RunSpec:
    """A run folder with its spec."""
    spec = RunSpec(**TINY | changes)
    spec.save(folder)
    return spec


def saved_state(spec_hash: str) -> dict:
    """The newest checkpoint of a run in the test's data root."""
    return read_checkpoint(newest_checkpoint(checkpoint_folder(spec_hash)))


def data_of(folder: Path) -> Path:
    """A data root for one run folder alone, beside it, so that two runs of one spec have checkpoints of their own."""
    root = folder.with_name(f"{folder.name}-data")
    if not root.exists():
        root.mkdir()
        (root / "pantomime-tiny").symlink_to(Path(os.environ["STUDY_DATA"]) / "pantomime-tiny")
    return root


def checkpoints(folder: Path) -> Path:
    """Where the checkpoints of a run folder with data of its own lie."""
    return data_of(folder) / "checkpoints" / recorded_hash(folder)[:16]


def trainer(folder: Path, first: Callable[[], None] | None = None, **environment: str) -> multiprocessing.Process:
    """The trainer on a run folder, started, after it has called `first`; in one thread, with `environment` beside this
    process's."""
    environment = {"STUDY_DATA": str(data_of(folder)), "STUDY_CHECKPOINT_MINUTES": "0"} | environment
    process = _context.Process(target=_train, args=(folder, first, environment))
    process.start()
    return process


def team(folder: Path, count: int, first: Callable[[], None] | None = None) -> list[multiprocessing.Process]:
    """So many trainers on one run folder, started, with what torchrun tells them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.getsockname()[1]), "WORLD_SIZE": str(count)}
    return [trainer(folder, first, RANK=str(rank), LOCAL_RANK=str(rank), **meeting) for rank in range(count)]


def _train(folder: Path, first: Callable[[], None] | None, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    with (folder / "train.log").open("a", buffering=1) as log:
        sys.stdout = sys.stderr = log
        if first:
            first()
        code = training.main([str(folder)])
    os._exit(code)


def slow_writes() -> None:
    """Let this process save in so many steps that it can be met at it."""
    save = torch.save
    torch.save = lambda state, file: save(state, SlowFile(file, 0.0003))


class SlowFile:
    """A file that waits at every write."""

    def __init__(self, file: BinaryIO, seconds: float) -> None:
        self.file, self.seconds = file, seconds

    def write(self, content: bytes) -> int:
        time.sleep(self.seconds)
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()


def said(folder: Path) -> str:
    """What the trainers of a run folder have said so far."""
    log = folder / "train.log"
    return log.read_text() if log.exists() else ""


def ended(process: multiprocessing.Process, patience: float = PATIENCE) -> int:
    """The exit code of a trainer, which must end within `patience` seconds."""
    process.join(patience)
    assert not process.is_alive(), "the trainer did not end"
    return process.exitcode


def last_state(folder: Path) -> dict:
    """The newest checkpoint of a run folder."""
    return read_checkpoint(newest_checkpoint(checkpoints(folder)))


def history(folder: Path) -> list[dict[str, str]]:
    """`history.csv` as it is written, without what clocks say."""
    rows = csv.DictReader((folder / "history.csv").open())
    return [{name: value for name, value in row.items() if name not in CLOCKS} for row in rows]


def assert_same_end(folder: Path, other: Path) -> None:
    """Two finished runs have the same weights, momentum, history and scores, bit for bit."""
    ends = [last_state(f) for f in (folder, other)]
    assert all(torch.equal(ends[0]["net"][name], value) for name, value in ends[1]["net"].items())
    momenta = [[s["momentum_buffer"] for s in end["optimizer"]["state"].values()] for end in ends]
    assert momenta[0]
    assert all(torch.equal(a, b) for a, b in zip(*momenta, strict=True))
    assert history(folder) == history(other)
    scores = [read_predictions(f / "predictions.parquet").clip_scores for f in (folder, other)]
    assert all((a == b).all() for a, b in zip(*scores, strict=True))
