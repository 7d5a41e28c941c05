"""What follows a run's notebook that failed: a run that a signal stopped goes back into Slurm's queue.

`python -m studylib.runs.requeue NOTEBOOK`, called by the Snakefile inside the job. A job that is preempted, or
whose time is over, gets a signal; its trainer saves and ends, and the notebook with it. Requeued, the job waits, starts
again and goes on from there, under the same number: Snakemake sees one job that takes long, and no attempt is used up.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from studylib.training.devices import EXIT_CODE

PATIENCE = 120  # seconds for Slurm to end this job


def stopped(notebook: Path) -> bool:
    """Whether an executed notebook failed because its trainer was asked to stop and saved."""
    try:
        cells = json.loads(notebook.read_text())["cells"]
    except (OSError, ValueError, KeyError):
        return False
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return any(o.get("output_type") == "error" and o.get("ename") == "RunStopped" for o in outputs)


def main(arguments: list[str]) -> int:
    """Exit code 75 for a run that was asked to stop, where it is not requeued; 1 for one that failed."""
    if not stopped(Path(arguments[0])):
        return 1
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return EXIT_CODE
    # refused for a job that was submitted with --no-requeue: Snakemake's retries are left then
    if subprocess.run(["scontrol", "requeue", job], check=False).returncode == 0:
        print(f"stopped and saved: job {job} is requeued", flush=True)
        time.sleep(PATIENCE)  # not to be taken for a failure before Slurm ends what runs here
    return EXIT_CODE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
