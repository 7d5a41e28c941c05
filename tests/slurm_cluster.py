"""A real Slurm of one node on this machine, of the daemons that Debian and Ubuntu package, as the user who tests.

All of it lies in one folder: its own munge, its own configuration, found by SLURM_CONF. No root, no accounting, no
cgroups, no systemd; nothing in `/etc/slurm` is read or written.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # daemons are not in every user's
PATIENCE = 60  # seconds for a daemon to answer
CONFIGURATION = """\
ClusterName=study
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=30
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
{node} NodeAddr=127.0.0.1 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def missing() -> str:
    """What is missing to start Slurm, and what to do; "" where nothing is."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    return f"Slurm is not tested: no {', '.join(absent)} here (apt-get install slurm-wlm munge)" if absent else ""


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Slurm, ready for jobs; yields the environment in which its commands find it. Its daemons end with the block."""
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    environ = dict(os.environ) | {"PATH": f"{folder}/bin:{PATH}", "SLURM_CONF": str(folder / "slurm.conf")}
    _wrap_srun(folder)
    node = subprocess.run(["slurmd", "-C"], env=environ, capture_output=True, text=True, check=True).stdout
    settings = CONFIGURATION.format(
        host=socket.gethostname().split(".")[0],
        user=subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip(),
        folder=folder,
        ports=_free_ports(2),
        node=re.match(r"NodeName=.*", node)[0],
    )
    (folder / "slurm.conf").write_text(settings)
    # slurmd always loads a plugin for cgroups: none, or from before there was that choice the one that asks no systemd
    version = subprocess.run(["slurmd", "-V"], env=environ, capture_output=True, text=True, check=True).stdout
    none = tuple(int(number) for number in re.findall(r"\d+", version)[:2]) >= (23, 2)
    (folder / "cgroup.conf").write_text(f"CgroupPlugin={'disabled' if none else 'cgroup/v1'}\n")
    munge = [
        f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("key-file", "pid-file", "log-file", "seed-file")
    ]
    daemons = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D"],
    ]
    running: list[subprocess.Popen] = []
    try:
        with (folder / "daemons.log").open("w") as log:
            for command in daemons:
                running.append(subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT))
                if command[0] == "munged":
                    _wait(lambda: (folder / "munge.socket").exists(), folder, running)
        _wait(lambda: "idle" in _said(["sinfo", "-h", "-o", "%T"], environ), folder, running)
        yield environ
    finally:
        _said(["scancel", "--full", f"--user={os.getuid()}"], environ)
        for process in reversed(running):
            process.terminate()
        for process in running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def jobs(environ: dict[str, str], form: str = "%i %T") -> list[str]:
    """A line for each job that Slurm knows, ended ones too, as `squeue --format` says."""
    return _said(["squeue", "-h", "--states=all", "-o", form], environ).splitlines()


def restarts(environ: dict[str, str], job: str) -> int:
    """How often a job was requeued and started again, or waits to be."""
    return int(re.search(r"Restarts=(\d+)", _said(["scontrol", "show", "job", job], environ))[1])


def _wrap_srun(folder: Path) -> None:
    """Inside a job Snakemake's executor takes SLURM_CONF away, with all else that begins so; this srun has it again."""
    wrapper = folder / "bin" / "srun"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun", path=PATH)} "$@"\n')
    wrapper.chmod(0o755)


def _said(command: list[str], environ: dict[str, str]) -> str:
    """What one of Slurm's commands prints; "" where it fails."""
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False).stdout


def _wait(ready, folder: Path, running: list[subprocess.Popen]) -> None:
    latest = time.monotonic() + PATIENCE
    while not ready():
        ended = [process.args[0] for process in running if process.poll() is not None]
        if ended or time.monotonic() > latest:
            logs = "\n".join(path.read_text()[-2000:] for path in sorted(folder.glob("*.log")))
            raise RuntimeError(f"Slurm does not start ({', '.join(ended) or 'no answer'}):\n{logs}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
