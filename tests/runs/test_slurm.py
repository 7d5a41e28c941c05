"""A plan through a real Slurm: jobs that wait for one another, one that is killed, one that is preempted."""

import os
import signal
import subprocess
import sys

import pytest

from studylib.runs.plan import load_plan
from studylib.runs.results import load_planned_run
from studylib.training.checkpoint import checkpoint_folder
from studylib.training.evaluation import read_predictions
from tests import slurm_cluster, system
from tests.runs.test_batch import run_plan, trainer_of
from tests.trainings import history
from tests.waiting import PATIENCE, wait_for

PLAN = """
title: "try: a test"
resources: {hours: 0.5}
defaults: {dataset: pantomime-tiny, width: 4, resolution: 56, batch_size: 8, epochs: 60, clips_per_epoch: 16,
           standardise: clip, test_clips: 2}
runs:
  - {experiment: conv_types, net: r2d, name: first, resources: {hours: 0.25}}
  - {experiment: conv_types, net: r2d, name: second, init_from: run:try/conv_types/first_seed0, epochs: 2}
"""


@pytest.fixture
def name_of_checkout():
    """Without quotation marks, which Snakemake itself gets wrong in the commands of a cluster's jobs."""
    return "a check out"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The environment of a Slurm of one node."""
    system.need("slurm", slurm_cluster.missing())
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")) as environ:
        yield environ


def start(root, environ):
    """Snakemake with the profile of Slurm; without accounting, and asking often."""
    command = [sys.executable, "-m", "snakemake", "-s", "runs/Snakefile", "--profile", "runs/profiles/slurm"]
    command += ["--slurm-no-account", "--slurm-status-command", "squeue"]
    command += ["--slurm-init-seconds-before-status-checks", "3"]
    log = (root / "batch.log").open("w")
    return subprocess.Popen([*command, "--config", "plan=try"], cwd=root, env=environ, stdout=log, stderr=log)


def said(root):
    """Snakemake's log and those of the jobs that failed."""
    logs = [root / "batch.log", *sorted((root / ".snakemake" / "slurm_logs").rglob("*.log"))]
    return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in logs)


def test_a_batch_in_which_one_job_is_killed_and_one_preempted_ends_as_one_left_alone(
    checkout, slurm, tiny_data, tmp_path, monkeypatch
):
    plan_file = checkout / "runs" / "try.yaml"
    plan_file.write_text(PLAN)
    first, second = load_plan(plan_file).runs
    saved = checkpoint_folder(first.spec.hash)
    environ = slurm | {"PYTHONPATH": str(checkout), "STUDY_DATA": str(tiny_data), "STUDY_CHECKPOINT_MINUTES": "0"}

    process = start(checkout, environ)
    try:
        wait_for(lambda: [*saved.glob("*.pt")], process, lambda: said(checkout), every=0.2)
        jobs = slurm_cluster.jobs(slurm, "%i %T %l %H")
        assert len(jobs) == 1  # the second waits for the first
        job = jobs[0].split()[0]
        assert jobs[0].split()[2] == "15:00"
        os.kill(trainer_of(checkout), signal.SIGKILL)
        wait_for(lambda: f"{job} FAILED" in slurm_cluster.jobs(slurm), process, lambda: said(checkout), every=0.2)
        known = {*saved.glob("*.pt")}
        wait_for(lambda: {*saved.glob("*.pt")} - known, process, lambda: said(checkout), every=0.2)
        again = next(line.split()[0] for line in slurm_cluster.jobs(slurm) if line.endswith("RUNNING"))
        subprocess.run(["scancel", "--signal=USR1", again], env=slurm, check=True)  # as ahead of its time limit
        wait_for(lambda: slurm_cluster.restarts(slurm, again), process, lambda: said(checkout), every=0.2)
        assert process.wait(PATIENCE) == 0, said(checkout)
    finally:
        process.kill()
    log = (checkout / first.folder / "train.log").read_text()
    assert log.count("going on in epoch") == 2, log
    assert "stopped by SIGUSR1" in log

    alone = tmp_path / "alone"
    (alone / "pantomime-tiny").parent.mkdir()
    (alone / "pantomime-tiny").symlink_to((tiny_data / "pantomime-tiny").resolve())
    recorded = checkout / "runs" / "try"
    recorded.rename(tmp_path / "batch")
    monkeypatch.setenv("STUDY_DATA", str(alone))
    code, told = run_plan(checkout)
    assert code == 0, told
    for run in (first, second):
        assert load_planned_run(run, checkout)[0] == "complete"
        folder, other = checkout / run.folder, tmp_path / "batch" / run.folder.relative_to("runs/try")
        assert history(folder) == history(other)
        scores = [read_predictions(f / "predictions.parquet").clip_scores for f in (folder, other)]
        assert all((a == b).all() for a, b in zip(*scores, strict=True))
