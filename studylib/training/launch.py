"""Start the trainer of a run as a process of its own, or as several on one node or many, and follow what it says.

A notebook's kernel can be lost without losing the run. By hand, `python -m studylib.training.launch RUN_FOLDER` ends
with 0 (done), 75 (asked to stop, saved: call it again to go on) or 1.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from studylib.training.spec import load_spec, out_of_memory
from studylib.video.files import user_path
from studylib.video.machine import available_cores, gpu_count, number

EXIT_CODE = 75  # of a trainer that was asked to stop, "temporary failure" of sysexits.h: called again, the run goes on
# Where it is set, the trainer's standard input is a pipe that closes when its launcher asks it to stop, or ends,
# however it ends. torchrun's processes share it; srun hands the end of its own on to all nodes.
STOP_WITH_LAUNCHER = "STUDY_STOP_WITH_LAUNCHER"
SECONDS_TO_STOP = 600  # from being asked to stop until a trainer that hangs is killed
# By torchrun of the process that failed first (those it killed itself come after), and by Slurm.
KILLED = re.compile(r"failed \(exitcode: -9\)|oom[-_]kill")


class RunFailed(RuntimeError):
    """The trainer stopped with an error; the message is its own."""


class RunStopped(RuntimeError):
    """The trainer was asked to stop and saved; the message says where. Launched again, it goes on."""


def launch(run_folder: Path | str, show: Callable[[str], None] | None = None) -> None:
    """Train and test the run of a folder; `show` gets each line, by default the terminal, and `train.log` keeps all.

    SIGTERM, SIGUSR1 or an interrupt of this process let the trainer save and stop. Called again, however it ended,
    training goes on from its last checkpoint. Errors: RunFailed: with the trainer's own error line, or the last lines
    it printed; or it cannot be started. RunStopped: with the line that says where it stands.
    """
    run_folder = user_path(run_folder)
    arguments = command(run_folder, os.environ)
    try:
        log = (run_folder / "train.log").open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        line = f"{run_folder}: cannot write train.log ({error.strerror}); save the run's spec.json first"
        raise RunFailed(line) from None
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
            log.seek(begun)
            raise ending(log.read().splitlines(), process.returncode, run_folder)


def command(run_folder: Path | str, environ: Mapping[str, str]) -> list[str]:
    """What starts the trainer: Python alone, or torchrun, on each of a Slurm job's nodes where there are several.
    Errors: RunFailed: a bad STUDY_PROCESSES, or a job of several nodes whose names Slurm does not tell."""
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
    asked = ["scontrol", "show", "hostnames", environ.get("SLURM_JOB_NODELIST", "")]
    try:
        names = subprocess.run(asked, env=dict(environ), capture_output=True, text=True, check=True).stdout
        first_node = names.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        reason = f"names no node ({error}); a job of several nodes needs Slurm's commands in its PATH"
        raise RunFailed(f"{' '.join(asked)}: {reason}") from None
    endpoint = f"{first_node}:{20000 + int(job) % 10000}"  # below the ports that systems hand out
    meeting = ["--nnodes", str(nodes), "--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", job]
    return [*srun, *torchrun, *meeting, *trainer]


def processes_of_a_node(environ: Mapping[str, str]) -> int:
    """How many processes train on each node: `STUDY_PROCESSES`, by default one for each GPU that is visible, or 1."""
    gpus = gpu_count()
    try:
        count = number("STUDY_PROCESSES", "a number of processes from 1 on", max(1, gpus), 1, environ=environ)
    except ValueError as error:
        raise RunFailed(str(error)) from None
    if 0 < gpus < count:
        raise RunFailed(f"STUDY_PROCESSES: {count} processes need a GPU each, {gpus} are visible")
    return count


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The trainer's environment: what is given stays as it is."""
    ours = {
        "PYTHONUNBUFFERED": "1",
        STOP_WITH_LAUNCHER: "1",
        # torchrun's, for a cluster that signals it directly: time to save (before torch 2.12 it is 30 s), SIGUSR1 too
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(SECONDS_TO_STOP),
        "PET_SIGNALS_TO_HANDLE": "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1",
    }
    count = processes_of_a_node(environ)
    if count > 1:
        ours["OMP_NUM_THREADS"] = str(max(1, available_cores() // count))
    return ours | dict(environ)


@contextmanager
def stop_passed_on(process: subprocess.Popen) -> Iterator[None]:
    """Meanwhile SIGTERM, SIGUSR1 and an interrupt of this process close the trainer's input: it saves and ends. A
    second interrupt does not wait for it. torchrun gets no signal: before torch 2.12 it leaves its processes 30 s."""

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and process.stdin.closed:
            raise KeyboardInterrupt
        process.stdin.close()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ending(lines: list[str], code: int, run_folder: Path) -> RunStopped | RunFailed:
    """What to raise for a trainer that ended with `code` (not 0) after `lines`, of which the first that begins with
    "stopped by" or "error:" tells why: other processes end when that one does. torchrun turns every code into 1."""
    if stopped := [line for line in lines if re.match(r"stopped by \w+ ", line)]:
        return RunStopped(stopped[0])
    if code == EXIT_CODE:
        return RunStopped("stopped before its first line; start it again to go on")
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL) or any(KILLED.search(line) for line in lines):
        if gpu_count():  # which says by an error that its own memory is full
            advice = "lower STUDY_WORKERS, or give the job more memory"
        else:
            advice = out_of_memory(load_spec(run_folder))
        lack = "killed (signal 9), usually for want of memory"
        return RunFailed(f"{lack}: {advice}; the last checkpoint is kept")
    # the last words of a reader that a signal kills end with a NUL, before the trainer's own
    errors = [line.removeprefix("error: ") for line in (line.strip("\0") for line in lines) if line[:7] == "error: "]
    last = f"the trainer ended with code {code}; its last lines: " + " | ".join(lines[-5:])
    return RunFailed(errors[0] if errors else last)


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
