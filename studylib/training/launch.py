"""Start the trainer of a run as a process of its own, or as several on one node or many, and follow what it says.

A notebook's kernel can be lost without losing the run, and the trainer can be started by hand on the same folder:
`python -m studylib.training.launch RUN_FOLDER` ends with 0 (done), 75 (asked to stop, saved: call it again to go on) or
1.
"""

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch

from studylib.training.memory import out_of_memory
from studylib.training.spec import SpecError, load_spec
from studylib.training.stopping import EXIT_CODE
from studylib.video.environment import number
from studylib.video.files import user_path
from studylib.video.parallel import available_cores

# The trainer's standard input is a pipe that closes when this process asks it to stop, or ends, however it ends.
# torchrun's processes share it; srun hands the end of its own on to all nodes.
STOP_WITH_LAUNCHER = "STUDY_STOP_WITH_LAUNCHER"
PATIENCE = 600  # seconds from being asked to stop until a trainer that hangs is killed
STOPPED = re.compile(r"stopped by \w+ ")
# By torchrun of the process that failed first (those it killed itself come after), and by Slurm.
KILLED = re.compile(r"failed \(exitcode: -9\)|oom[-_]kill")


class RunFailed(RuntimeError):
    """The trainer stopped with an error; the message is its own."""


class RunStopped(RuntimeError):
    """The trainer was asked to stop and saved; the message says where. Launched again, it goes on."""


def launch(run_folder: Path | str, show: Callable[[str], None] | None = None) -> None:
    """Train and test the run of a folder; `show` gets each line, by default the terminal, and all are kept in its
    `train.log`.

    SIGTERM, SIGUSR1 or an interrupt of this process let the trainer save and stop. Called again after that, or after
    any other interruption, training goes on from its last checkpoint.

    Raises:
        RunFailed: with the trainer's own error line, or the last lines it printed; or it cannot be started.
        RunStopped: with the line that says where it stands.
    """
    run_folder = user_path(run_folder)
    arguments = command(run_folder, os.environ)
    try:
        log = (run_folder / "train.log").open("a", encoding="utf-8")
    except OSError as error:
        reason = f"cannot write train.log ({error.strerror}); save the run's spec.json first"
        raise RunFailed(f"{run_folder}: {reason}") from None
    reading, writing = os.pipe()
    with log, open(reading, encoding="utf-8", errors="replace") as lines:
        begun = log.tell()
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=log,  # the trainer speaks on stdout; torchrun's own reports and tracebacks go to the log alone
            env=environment(os.environ),
            # a kernel that shuts down, or a terminal's Ctrl-C, leaves the trainer the time to save
            start_new_session=True,
            # it holds the reading end, too: what it says to a launcher that is gone must not stop it from saving
            pass_fds=(reading,),
        )
        os.close(writing)
        with process, stop_passed_on(process):
            try:
                for line in lines:
                    log.write(line)
                    log.flush()
                    show(line) if show else print(line, end="", flush=True)
            finally:
                process.stdin.close()
                log.writelines(lines)  # its last words, where the loop above was broken off
    if process.returncode:
        with (run_folder / "train.log").open(encoding="utf-8", errors="replace") as log:
            log.seek(begun)
            raise ending(log.read().splitlines(), process.returncode, run_folder)


def command(run_folder: Path | str, environ: Mapping[str, str]) -> list[str]:
    """What starts the trainer: Python alone, or torchrun, on each of a Slurm job's nodes where there are several.

    `STUDY_PROCESSES` says how many processes a node; the default is one for each GPU that is visible, 1 without any.

    Raises:
        RunFailed: a bad STUDY_PROCESSES, or a job of several nodes whose names Slurm does not tell.
    """
    count = processes_of_a_node(environ)
    nodes = int(environ.get("SLURM_JOB_NUM_NODES", 1))
    trainer = ["-m", "studylib.training", str(run_folder)]
    if count == nodes == 1:
        return [sys.executable, *trainer]  # without torchrun, which hides the exit code
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    if nodes == 1:
        return [*torchrun, "--standalone", *trainer]
    job = environ["SLURM_JOB_ID"]
    # --overlap: the step this runs in may hold the CPUs already; the first node that fails ends all
    srun = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--overlap", "--kill-on-bad-exit=1"]
    if "SLURM_CPUS_PER_TASK" in environ:  # srun does not take it from the job by itself
        srun.append(f"--cpus-per-task={environ['SLURM_CPUS_PER_TASK']}")
    endpoint = f"{first_node(environ)}:{20000 + int(job) % 10000}"  # below the ports that systems hand out
    meeting = ["--nnodes", str(nodes), "--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", job]
    return [*srun, *torchrun, *meeting, *trainer]


def processes_of_a_node(environ: Mapping[str, str]) -> int:
    """How many processes train on each node.

    Raises:
        RunFailed: STUDY_PROCESSES is no number from 1 on, or more than there are GPUs.
    """
    gpus = torch.cuda.device_count()
    try:
        count = number("STUDY_PROCESSES", "a number of processes from 1 on", max(1, gpus), 1, environ=environ)
    except ValueError as error:
        raise RunFailed(str(error)) from None
    if 0 < gpus < count:
        raise RunFailed(f"STUDY_PROCESSES: {count} processes need a GPU each, {gpus} are visible")
    return count


def first_node(environ: Mapping[str, str]) -> str:
    """The first node of a Slurm job, where its processes meet."""
    asked = ["scontrol", "show", "hostnames", environ.get("SLURM_JOB_NODELIST", "")]
    try:
        return subprocess.run(asked, env=dict(environ), capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        reason = f"names no node ({error}); a job of several nodes needs Slurm's commands in its PATH"
        raise RunFailed(f"{' '.join(asked)}: {reason}") from None


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The trainer's environment: what is given there stays as it is."""
    ours = {
        "PYTHONUNBUFFERED": "1",
        STOP_WITH_LAUNCHER: "1",
        # torchrun's, for a cluster that signals it directly: time to save (before torch 2.12 it is 30 s), SIGUSR1 too
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(PATIENCE),
        "PET_SIGNALS_TO_HANDLE": "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1",
    }
    count = processes_of_a_node(environ)
    if count > 1:
        ours["OMP_NUM_THREADS"] = str(max(1, available_cores() // count))
    return ours | dict(environ)


@contextmanager
def stop_passed_on(process: subprocess.Popen) -> Iterator[None]:
    """Meanwhile SIGTERM, SIGUSR1 and an interrupt of this process close the trainer's input: it saves and ends.

    No signal is sent to torchrun, which before torch 2.12 leaves its processes 30 s to end. A second interrupt does not
    wait for the trainer.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and process.stdin.closed:
            raise KeyboardInterrupt
        process.stdin.close()

    if threading.current_thread() is not threading.main_thread():  # the only one that signals come to
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_with_launcher() -> None:
    """Called by the trainer once it listens to SIGTERM: sends it that when its launcher asks to stop or is gone.

    The same where torchrun is gone, so that no process goes on unseen; one that hangs is killed after `PATIENCE`.
    """
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


def ending(lines: list[str], code: int, run_folder: Path) -> RunStopped | RunFailed:
    """What to raise for a trainer that ended with `code` (not 0) after `lines`; torchrun turns every code into 1."""
    if stopped := next((line for line in lines if STOPPED.match(line)), None):
        return RunStopped(stopped)
    if code == EXIT_CODE:
        return RunStopped("stopped before its first line; start it again to go on")
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL) or any(KILLED.search(line) for line in lines):
        return RunFailed(killed(run_folder))
    return RunFailed(failure_of(lines, code))


def killed(run_folder: Path) -> str:
    """What to do when the system killed a trainer; nearly always its memory was full."""
    if torch.cuda.is_available():  # which says by an error that its own memory is full
        advice = "lower STUDY_WORKERS, or give the job more memory"
    else:
        try:
            advice = out_of_memory(load_spec(run_folder), None)
        except SpecError as error:
            advice = str(error)
    return f"killed (signal 9), usually for want of memory: {advice}; the last checkpoint is kept"


def failure_of(lines: list[str], code: int) -> str:
    """The trainer's own "error: ..." line, or the end of its traceback, or the last lines of its log."""
    lines = [line.strip("\0") for line in lines]  # the last words of a reader that a signal kills end with a NUL
    # the first: of several processes the others fail because one did, and torchrun's own traceback comes last
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    errors = errors or [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception): ", line)]
    return errors[0] if errors else f"the trainer ended with code {code}; its last lines: " + " | ".join(lines[-5:])


def main(arguments: list[str]) -> int:
    """Command line: one run folder."""
    if len(arguments) != 1:
        print("usage: python -m studylib.training.launch RUN_FOLDER", file=sys.stderr)
        return 2
    try:
        launch(arguments[0])
    except RunStopped:  # it has said so
        return EXIT_CODE
    except (RunFailed, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
