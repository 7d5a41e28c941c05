"""Train and test one run: `python -m studylib.training RUN_FOLDER` (paper, section 4.1); with `epochs` 0, test only.

`torchrun -m studylib.training RUN_FOLDER` does it in several processes, one a GPU, on one node or several. Results are
written beside the run's `spec.json`, checkpoints into the data folder. Called again, however it ended, the run goes on
from the last one, and a finished one does nothing.
"""

import os
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from studylib.nets.complexity import count_by_name
from studylib.nets.weights import set_bn_eps
from studylib.training import checkpoint, devices, epoch
from studylib.training.checkpoint import CheckpointError
from studylib.training.devices import Stopped, asked, from_environment, joined, listen
from studylib.training.epoch import Progress, Session, TrainingError, centre_test, pace, scores_of, train_epoch
from studylib.training.evaluation import Predictions, clip_top1, video_top_k, write_predictions
from studylib.training.launch import EXIT_CODE
from studylib.training.loading import centre_loader, end_readers, training_loader, video_loader
from studylib.training.run_files import Faults, TooManyFaults, now, read_metrics, write_conv1, write_history, write_json
from studylib.training.spec import RunSpec, load_spec, out_of_memory, recorded_hash
from studylib.video.clips import centre_window
from studylib.video.files import locked, user_path

PATIENCE_WITH_LOCK = 300.0  # seconds that a process which was told to stop has to do so
ERRORS = (CheckpointError, TrainingError, TooManyFaults, OSError, ValueError)  # that say in a line what is wrong


def run(run_folder: Path) -> None:
    """Train, test and write the results of the run whose `spec.json` lies in `run_folder`. Errors: Stopped: a signal
    asked for it; the state is saved. Those of `ERRORS`: one line that says what is wrong. RuntimeError: another process
    of the run raised one of these, or was killed."""
    spec = load_spec(run_folder)
    processes, device = from_environment(), devices.choose()
    with joined(processes, device), ExitStack() as locks:
        finished = False
        if processes.leads:  # nobody else trains this folder, nor another one with the same spec
            occupied = f"{run_folder}: another process is training this run"
            for folder in (run_folder, checkpoint.checkpoint_folder(recorded_hash(run_folder))):
                locks.enter_context(locked(folder / ".lock", occupied, PATIENCE_WITH_LOCK))
            finished = read_metrics(run_folder) is not None
        if any(processes.largest([finished])):
            if processes.leads:
                print(f"{run_folder}: finished already", flush=True)
            return
        try:
            session = Session(run_folder, spec, processes, device)
            start(session)
            if spec.epochs:
                train(session)
            if processes.leads:
                write_history(run_folder, session.progress.history)
            test(session)
        except TooManyFaults:
            if processes.count == 1:  # several have written what they found together
                session.faults.write(run_folder)
            raise
        except (RuntimeError, MemoryError, OSError) as error:
            if reason := lacking(error, spec):
                raise TrainingError(f"{reason}; the last checkpoint is kept") from error
            raise


def start(session: Session) -> None:
    """Go on from the last checkpoint, or start from the weights of `init_from`."""
    spec, processes, provenance = session.spec, session.processes, session.provenance
    path = checkpoint.newest_checkpoint(session.checkpoints)
    seen = checkpoint.clips_seen(path) if path else -1
    if processes.largest([seen]) != [seen]:
        raise CheckpointError(
            "the processes of this run find different checkpoints; STUDY_DATA must name a folder that all share"
        )
    if path is None:
        if spec.init_from:
            checkpoint.require_strangers(spec, session.index)
            provenance["init_from"] = checkpoint.initialise_from(session.net, spec.init_from, spec.new_head)
            session.say(f"weights from {spec.init_from}")
        return
    saved = checkpoint.read_checkpoint(path, session.device)
    advice = f"remove {path.parent} to start anew"
    try:
        session.provenance = saved["provenance"]
        if session.provenance["dataset"]["manifest_hash"] != provenance["dataset"]["manifest_hash"]:
            raise CheckpointError(
                f"{path}: was trained on another {spec.dataset} (its manifest hash differs); {advice}"
            )
        session.net.load_state_dict(saved["net"])
        set_bn_eps(session.net, saved["bn_eps"])
        session.optimizer.load_state_dict(saved["optimizer"])
        session.progress = Progress.of_state(saved, processes)
        if processes.leads:
            session.faults = Faults(saved["faults"])
    except CheckpointError:
        raise
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise CheckpointError(f"{path}: does not fit this run ({reason}); {advice}") from None
    told = ("commit", "source_clean", "started", "processes", "device", "cpu", "threads", "precision")
    session.provenance.setdefault("resumed", []).append({key: provenance[key] for key in told})
    progress = session.progress
    session.say(f"going on in epoch {progress.epoch + 1}, after {progress.position:,} of its clips")


def train(session: Session) -> None:
    """Train to the end of the last epoch, from where the session stands."""
    spec, processes, progress = session.spec, session.processes, session.progress
    loader, batches = training_loader(session.training_part, spec, processes)
    centre = centre_loader(session.test_part, spec, processes)
    while progress.epoch < spec.epochs:
        row = train_epoch(session, loader, batches)
        try:
            row |= centre_test(session, centre)
        except Stopped:
            session.save()  # trained and not yet tested
            raise
        progress.end_epoch(row)
        session.save()
        if processes.leads:
            write_history(session.run_folder, progress.history)
        left = (spec.epochs - progress.epoch) * progress.seconds / progress.epoch
        session.say(
            f"epoch {progress.epoch}/{spec.epochs}  train loss {row['train_loss']:.3f}  "
            f"train error {row['train_error']:.1f}  test loss {row['test_loss']:.3f}  "
            f"test error {row['test_error']:.1f}  lr {row['lr']:.2g}  "
            f"{pace(row['clips_per_second'], row['data_wait'], left)}"
        )
        if stop := processes.largest([asked()])[0]:
            raise Stopped(stop, f"after epoch {progress.epoch}")


def test(session: Session) -> None:
    """Test the net by its spec's protocol (section 4.1); write predictions, filters, provenance and, last, metrics."""
    spec, folder, progress = session.spec, session.run_folder, session.progress
    session.say("testing")
    predictions = predict(session)
    if predictions is None:  # the leading process has all of them
        return
    complexity = count_by_name(**spec.network(len(session.index.classes)))
    if session.device.type == "cuda":
        peak_memory = torch.cuda.max_memory_allocated(session.device)
    else:  # resident, mapped frames included
        peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    last = progress.history[-1] if spec.epochs else {}
    session.faults.write(folder)
    write_predictions(folder / "predictions.parquet", predictions)
    write_conv1(folder, session.net)
    write_json(folder / "provenance.json", session.provenance | {"ended": now(), "faults": session.faults.counts()})
    metrics = {
        "spec_hash": recorded_hash(folder),
        "clip_top1": clip_top1(predictions),
        "video_top1": video_top_k(predictions, 1),
        "video_top5": video_top_k(predictions, 5),
        "train_error": last.get("train_error"),
        "test_error": last.get("test_error"),
        "params": complexity.params,
        "flops": complexity.flops,
        "seconds": progress.seconds,
        "clips_per_second": spec.epochs * spec.clips_per_epoch / progress.seconds if spec.epochs else None,
        "peak_memory": peak_memory,
    }
    write_json(folder / "metrics.json", metrics)  # last: its presence says that the rest is there
    print(f"clip@1 {metrics['clip_top1']:.1f}  video@1 {metrics['video_top1']:.1f}", flush=True)


@torch.no_grad()
def predict(session: Session) -> Predictions | None:
    """Test the session's net on every video of its test part; those that cannot be read are added to its faults.
    Several processes share the videos; the leading one gets the predictions, the others None."""
    spec, part, processes, net = session.spec, session.test_part, session.processes, session.net
    processes.spread_statistics(net)
    net.eval()
    own: list[tuple[int, np.ndarray]] = []  # numbers of videos and scores of their clips (N, K)
    window = torch.tensor((*centre_window(part.size, spec.resolution), 0))
    spoken = time.perf_counter()
    for done, (i, clips, fault) in enumerate(video_loader(part, spec, processes)):
        # every process has as many videos as this
        if done < len(part.rows) // processes.count and (stop := processes.largest([asked()])[0]):
            raise Stopped(stop, "in the test at the end")
        if fault is not None:
            session.faults.add(part.name, [fault], len(part.rows))
            continue
        outputs = []
        for batch in clips.split(spec.batch_size):
            windows = window.expand(len(batch), 3)
            outputs.append(scores_of(net, batch, windows, spec, session.precision, session.device))
        own.append((i, torch.cat(outputs).float().softmax(1).cpu().numpy().astype(np.float16)))
        if time.perf_counter() - spoken > epoch.SECONDS_BETWEEN_LINES:
            spoken = time.perf_counter()
            session.say(f"testing {processes.count * (done + 1)}/{len(part.rows)}")
    gathered = processes.gather((own, session.faults.rows()))
    if not processes.leads:
        return None
    session.faults = Faults(row for _, rows in gathered for row in rows)
    session.faults.require_few(part.name, len(part.rows))
    scores = dict(sorted(pair for pairs, _ in gathered for pair in pairs))
    paths, speakers = part.column("path"), part.column("speaker")
    return Predictions(
        [paths[i] for i in scores],
        part.labels[list(scores)],
        list(scores.values()),
        part.index.classes,
        [part.label_set(i) for i in scores] if part.has_label_sets else None,
        speakers and [speakers[i] for i in scores],
    )


def lacking(error: Exception, spec: RunSpec) -> str:
    """What a run had too little of, and what to do, where that is what an error means; else ""."""
    text = f"{error} {error.__cause__}"  # of a reader that is gone: by which signal
    # the last: no space left for what is no file of the study, which would be named
    if re.search(r"shared memory|</torch_|Bus error|^\[Errno 28\][^:]*$", text):
        return "shared memory (/dev/shm) is full: enlarge it (docker run --shm-size=8g), or lower STUDY_WORKERS"
    # torch has an error of its own for a GPU's memory alone
    full = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text
    if text.startswith("DataLoader worker") or (full and "DataLoader worker" in text):
        lack = "a process that reads videos was killed, usually for want of memory"
        return f"{lack}: lower STUDY_WORKERS, or give the job more memory"
    return out_of_memory(spec) if full else ""


def main(arguments: list[str], leave: Callable[[int], int] = int) -> int:
    """Command line: one run folder. Exit code 75 when a signal asked to stop and the state is saved; 1, and one line
    starting with "error:", where the run cannot go on. Both go through `leave` before what the error holds is freed."""
    if len(arguments) != 1:
        print("usage: python -m studylib.training RUN_FOLDER", file=sys.stderr)
        return 2
    listen()
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
    line = str(error)
    # of an error that comes from a process that reads videos: its last line, without that one's traceback
    if of_reader := re.fullmatch(r"(?s)Caught .*\n  [^\n]*\n(?:[\w.]+: )?(.+)", line):
        line = of_reader[1]
    line = " ".join(line.split())
    if not isinstance(error, ERRORS):
        traceback.print_exception(error)
        line = f"{type(error).__name__}: {line} (traceback above, in train.log); the last checkpoint is kept"
    print(f"error: {line}", file=sys.stderr, flush=True)
    return 1


def end_at_once(code: int) -> int:
    """End this process and its readers, without waiting: for a GPU, or for a lock that a killed reader holds."""
    if from_environment().count > 1:
        time.sleep(1)  # of several torchrun tells of the first that ends: let that be one that was killed
    end_readers()
    os._exit(code)
