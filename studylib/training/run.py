"""Train and test one run: `python -m studylib.training RUN_FOLDER` (paper, section 4.1); with `epochs` 0, test only.

`torchrun -m studylib.training RUN_FOLDER` does it in several processes, one a GPU, on one node or several. The run
folder holds `spec.json`; history, predictions, provenance and, last, metrics are written beside it. Checkpoints are in
the data folder. Called again, however it ended, the run goes on from the last one, and a finished one does nothing.
"""

import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch

from studylib.nets.weights import bn_eps, set_bn_eps
from studylib.training import cuda_graph, devices
from studylib.training.checkpoint import (
    CheckpointError,
    checkpoint_folder,
    clips_seen,
    newest_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from studylib.training.distributed import PeerLost, Processes, from_environment, joined
from studylib.training.epoch import centre_test, train_epoch
from studylib.training.launch import stop_with_launcher
from studylib.training.loading import centre_loader, end_readers, training_loader
from studylib.training.memory import out_of_memory
from studylib.training.progress import Progress, said
from studylib.training.run_files import read_metrics, write_history
from studylib.training.session import Session, TrainingError, open_session
from studylib.training.spec import RunSpec, SpecError, load_spec, recorded_hash
from studylib.training.start import initialise_from, require_strangers
from studylib.training.stopping import EXIT_CODE, Stopped, asked, listen
from studylib.training.testing import test
from studylib.video.environment import number
from studylib.video.faults import Faults, TooManyFaults
from studylib.video.files import locked, user_path

PATIENCE_WITH_LOCK = 300.0  # seconds that a process which was told to stop has to do so
ERRORS = (SpecError, CheckpointError, TrainingError, TooManyFaults, OSError, ValueError)


def run(run_folder: Path) -> None:
    """Train, test and write the results of the run whose `spec.json` lies in `run_folder`.

    Raises:
        Stopped: a signal asked for it; the state is saved.
        SpecError, CheckpointError, TrainingError, TooManyFaults, OSError, ValueError: one line that says what is wrong.
        PeerLost: another process of the run raised one of these, or was killed.
    """
    spec = load_spec(run_folder)
    processes, device = from_environment(), devices.choose()
    with joined(processes, device.backend), ExitStack() as locks:
        finished = False
        if processes.leads:
            occupied = f"{run_folder}: another process is training this run"
            folder = checkpoint_folder(recorded_hash(run_folder))
            folder.mkdir(parents=True, exist_ok=True)
            for file in (run_folder / "spec.json", folder / ".lock"):
                locks.enter_context(locked(file, occupied, PATIENCE_WITH_LOCK))
            finished = read_metrics(run_folder) is not None
        if any(processes.largest([finished])):
            if processes.leads:
                print(f"{run_folder}: finished already", flush=True)
            return
        try:
            run_alone(run_folder, spec, processes, device)
        except (RuntimeError, MemoryError, OSError) as error:
            if reason := lacking(error, spec, device.memory):
                raise TrainingError(f"{reason}; the last checkpoint is kept") from error
            raise


def lacking(error: Exception, spec: RunSpec, memory: int) -> str:
    """What a run had too little of, and what to do, where that is what an error means; else "".

    torch has an error of its own for a GPU's memory alone.
    """
    text = f"{error} {error.__cause__}"  # of a reader that is gone: by which signal
    # the last: no space left for what is no file of the study, which would be named
    if re.search(r"shared memory|</torch_|Bus error|^\[Errno 28\][^:]*$", text):
        return "shared memory (/dev/shm) is full: enlarge it (docker run --shm-size=8g), or lower STUDY_WORKERS"
    full = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text
    if text.startswith("DataLoader worker") or (full and "DataLoader worker" in text):
        lack = "a process that reads videos was killed, usually for want of memory"
        return f"{lack}: lower STUDY_WORKERS, or give the job more memory"
    return out_of_memory(spec, memory) if full else ""


def run_alone(run_folder: Path, spec: RunSpec, processes: Processes, device: devices.Device) -> None:
    """`run` while no other processes train the same spec."""
    session = open_session(run_folder, spec, processes, device)
    progress = start(session)
    try:
        if spec.epochs:
            train(session, progress)
        elif processes.leads:
            write_history(run_folder, [])
        test(session, progress)
    except TooManyFaults:
        if processes.count == 1:  # several have written what they found together
            session.faults.write(run_folder)
        raise


def start(session: Session) -> Progress:
    """Put the last checkpoint, or the weights of `init_from`, into the session's net and optimiser; where it stands.

    Raises:
        CheckpointError: names the file that does not fit and says what to do.
        WeightsError: see `weights.initialise_from`.
    """
    spec, processes, provenance = session.spec, session.processes, session.provenance
    path = newest_checkpoint(checkpoint_folder(recorded_hash(session.run_folder)))
    seen = clips_seen(path) if path else -1
    if processes.largest([seen]) != [seen]:
        raise CheckpointError(
            "the processes of this run find different checkpoints; STUDY_DATA must name a folder that all share"
        )
    if path is None:
        if spec.init_from:
            require_strangers(spec, session.index)
            provenance["init_from"] = initialise_from(session.net, spec.init_from, spec.new_head)
            session.say(f"weights from {spec.init_from}")
        return Progress(provenance=provenance)
    saved = read_checkpoint(path, session.device)
    try:
        if saved["provenance"]["dataset"]["manifest_hash"] != provenance["dataset"]["manifest_hash"]:
            raise CheckpointError(
                f"{path}: was trained on another {spec.dataset} (its manifest hash differs); remove "
                f"{path.parent} to start anew"
            )
        session.net.load_state_dict(saved["net"])
        set_bn_eps(session.net, saved["bn_eps"])
        session.optimizer.load_state_dict(saved["optimizer"])
        progress = Progress.of_state(saved, processes)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path}: does not fit this run ({type(error).__name__}: {reason}); remove {path.parent} to start anew"
        ) from None
    if processes.leads:
        session.faults.replace(saved["faults"])
    told = ("commit", "source_clean", "started", "processes", "device", "cpu", "threads", "precision")
    here = {key: provenance[key] for key in told}
    progress.provenance["resumed"] = [*progress.provenance.get("resumed", []), here]
    session.say(f"going on in epoch {progress.epoch + 1}, after {progress.position:,} of its clips")
    return progress


def train(session: Session, progress: Progress) -> None:
    """Train to the end of the last epoch, from where `progress` stands.

    Raises:
        Stopped: a signal came; saved.
        TrainingError, TooManyFaults, OSError: as `train_epoch` and `save`.
    """
    spec, processes, run_folder = session.spec, session.processes, session.run_folder
    takes = "a number of minutes from 0 (a checkpoint every step) on"
    seconds_between_saves = 60 * number("STUDY_CHECKPOINT_MINUTES", takes, 15.0, kind=float)
    loader, batches = training_loader(session.training_part, spec, session.pin, processes)
    centre = centre_loader(session.test_part, spec, session.pin, processes)
    step = cuda_graph.step_of(session)
    while progress.epoch < spec.epochs:
        row = train_epoch(
            session, loader, batches, progress, step, lambda: save(session, progress), seconds_between_saves
        )
        try:
            row |= centre_test(session, centre)
        except Stopped:
            save(session, progress)  # trained and not yet tested
            raise
        best = progress.end_epoch(row)
        save(session, progress, best)
        if processes.leads:
            write_history(run_folder, progress.history)
        left = (spec.epochs - progress.epoch) * progress.seconds / progress.epoch
        session.say(said(progress.epoch, spec.epochs, row, left))
        if stop := processes.largest([asked()])[0]:
            raise Stopped(stop, f"after epoch {progress.epoch}")
    if processes.leads:
        write_history(run_folder, progress.history)


def save(session: Session, progress: Progress, best: bool = False) -> None:
    """Write a checkpoint; all processes call it together.

    Raises:
        TooManyFaults: of the training videos.
        OSError: the disk is full or forbids writing; the checkpoints that were there are intact.
    """
    state = progress.state(session.processes)
    found = session.processes.gather(session.faults.rows())
    if session.processes.leads:
        faults = Faults(row for rows in found for row in rows)
        faults.require_few("train", len(session.training_part.rows))
        faults.write(session.run_folder)
        state |= {
            "net": session.net.state_dict(),
            "bn_eps": bn_eps(session.net),
            "optimizer": session.optimizer.state_dict(),
            "faults": faults.rows(),
        }
        clips = progress.epoch * session.spec.clips_per_epoch + progress.position
        save_checkpoint(checkpoint_folder(recorded_hash(session.run_folder)), clips, state, best)
    session.processes.largest([0])  # none ends while the leading one writes: torchrun would end that, too


def main(arguments: list[str], leave: Callable[[int], int] = int) -> int:
    """Command line: one run folder.

    Exit code 75 when a signal asked to stop and the state is saved; 1, and one line starting with "error:", where the
    run cannot go on. Both go through `leave`, while what the error holds, as processes that read videos, is there.
    """
    if len(arguments) != 1:
        print("usage: python -m studylib.training RUN_FOLDER", file=sys.stderr)
        return 2
    listen()
    stop_with_launcher()
    try:
        run(user_path(arguments[0]))
    except BaseException as error:
        return leave(tell(error))
    return 0


def tell(error: BaseException) -> int:
    """Say in a line why the run ends; its exit code."""
    if isinstance(error, Stopped):
        if from_environment().leads:
            print(f"stopped {error}; saved, start it again to go on", flush=True)
        return EXIT_CODE
    if isinstance(error, PeerLost):
        print(f"process {from_environment().rank}: {error}", file=sys.stderr, flush=True)
        return 1
    line = one_line(error)
    if not isinstance(error, ERRORS):
        traceback.print_exception(error)
        line = f"{type(error).__name__}: {line} (traceback above, in train.log); the last checkpoint is kept"
    print(f"error: {line}", file=sys.stderr, flush=True)
    return 1


def one_line(error: BaseException) -> str:
    """The message of an error; of one that comes from a process that reads videos, without that one's traceback."""
    text = str(error)
    if own := re.fullmatch(r"(?s)Caught .*\n  [^\n]*\n(?:[\w.]+: )?(.+)", text):
        text = own[1]
    return " ".join(text.split())


def end_at_once(code: int) -> int:
    """End this process and its readers, without waiting: for a GPU, or for a lock that a killed reader holds."""
    if from_environment().count > 1:
        time.sleep(1)  # of several torchrun tells of the first that ends: let that be one that was killed
    end_readers()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], end_at_once))
