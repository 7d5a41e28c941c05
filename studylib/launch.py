"""Start the trainer of a run as a process of its own and follow what it says.

A notebook's kernel can be lost without losing the run, and the trainer can be started by hand on the same folder.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

# The trainer's standard input is a pipe that closes when this process ends, however it ends.
STOP_WITH_LAUNCHER = "STUDY_STOP_WITH_LAUNCHER"


class RunFailed(RuntimeError):
    """The trainer stopped with an error; the message is its own."""


def launch(run_folder: Path | str) -> None:
    """Run `torchrun -m studylib.training RUN_FOLDER`, printing its lines; they are kept in `train.log` too.

    Called again after an interruption, training goes on from its last checkpoint.

    Raises:
        RunFailed: with the trainer's own error line, or the last lines it printed.
    """
    run_folder = Path(run_folder)
    run_folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    command += ["-m", "studylib.training", str(run_folder)]
    log_path = run_folder / "train.log"
    with log_path.open("a") as log:
        begun = log.tell()
        # the trainer speaks on stdout; torchrun's own reports and tracebacks go to the log alone
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1", STOP_WITH_LAUNCHER: "1"},
        )
        try:
            for line in process.stdout:
                log.write(line)
                log.flush()
                print(line, end="", flush=True)
        finally:
            # an interrupted notebook takes its trainer with it; the checkpoint stays
            if process.poll() is None:
                process.terminate()
            code = process.wait()
    if code:
        with log_path.open() as log:
            log.seek(begun)
            raise RunFailed(failure_of(log.read().splitlines(), code))


def stop_with_launcher() -> None:
    """Called by the trainer: end it when the process that launched it is gone, so that no run goes on unseen."""

    def follow() -> None:
        os.read(0, 1)  # nothing is ever written: returns when the pipe closes
        os.kill(os.getpid(), signal.SIGTERM)

    if os.environ.get(STOP_WITH_LAUNCHER):
        threading.Thread(target=follow, daemon=True).start()


def failure_of(lines: list[str], code: int) -> str:
    """The trainer's own "error: ..." line, or the end of its traceback, or the last lines of its log."""
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    # torchrun's own traceback comes last
    errors = errors or [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception): ", line)][:1]
    if errors:
        return errors[-1]
    return f"the trainer ended with code {code}; its last lines: " + " | ".join(lines[-5:])
