"""What runs ask of a cluster, and how a batch shares the GPUs of a machine."""

import json
import os
import subprocess
import sys
from math import nan

import pytest

from studylib.runs import jobs
from studylib.runs.plan import PlanError, Resources, load_plan
from tests.fake_runs import write_notebook
from tests.waiting import PATIENCE

PLAN = """
title: "try: resources"
resources: {gpus: 1, cores: 8, device: A100}
defaults: {dataset: folder-mine}
runs:
  - {experiment: conv_types, net: [r2d, r3d]}
  - {experiment: conv_types, net: mc3, resources: {nodes: 2, gpus: 8, hours: 24, requeue: false}}
"""


def plan_of(tmp_path, text):
    path = tmp_path / "try.yaml"
    path.write_text(text)
    return load_plan(path)


def test_a_plan_says_what_its_runs_ask_for_and_an_entry_what_differs(tmp_path):
    runs = plan_of(tmp_path, PLAN).runs
    assert runs[0].resources == runs[1].resources == Resources(gpus=1, cores=8, device="A100")
    assert runs[2].resources == Resources(nodes=2, gpus=8, cores=8, hours=24, device="A100", requeue=False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cores: 8", "core: 8", r"try\.yaml: resources: core: no such resource; did you mean 'cores'"),
        ("nodes: 2", "nodes: 0", r"try\.yaml: run 2: resources: nodes: 0 should be greater than 0"),
        ("gpus: 8", "gpus: many", r"run 2: resources: gpus: 'many' should be a valid integer"),
        ("hours: 24", "hours: 24:00:00", r"run 2: resources: hours: 86400 is not less than 720"),
        ("requeue: false", "requeue: 3", r"run 2: resources: requeue: 3 should be a valid boolean"),
        ("{gpus: 1, cores: 8, device: A100}", "8", r"try\.yaml: resources: 8 is not a mapping"),
    ],
)
def test_a_typo_in_resources_is_named(tmp_path, old, new, message):
    with pytest.raises(PlanError, match=message):
        plan_of(tmp_path, PLAN.replace(old, new))


def test_slurm_is_asked_for_nodes_their_gpus_and_a_signal_before_the_end():
    asked = Resources(nodes=2, gpus=8, memory_gb=64).of_slurm()
    assert asked == {"nodes": 2, "gres": "gpu:8", "mem_mb": 64000, "slurm_extra": "--signal=USR1@300 --requeue"}
    plain = Resources(requeue=False).of_slurm()
    assert plain == {"nodes": 1, "tasks": 1, "mem_mb": 0, "slurm_extra": "--signal=USR1@300 --no-requeue"}


def test_time_is_what_the_plan_says_or_the_estimate_with_a_margin():
    assert Resources(hours=2.5).minutes(1e9, 8) == 150
    assert Resources().minutes(36000, 4) == 225
    assert Resources().minutes(10, 1) == 15
    assert Resources().minutes(nan, 1) == 0


def test_no_two_commands_get_the_same_gpu(tmp_path):
    first = jobs.take(2, ["0", "1", "2"], tmp_path)
    assert list(first) == ["0", "1"]
    assert jobs.take(2, ["0", "1", "2"], tmp_path) == {}
    second = jobs.take(1, ["0", "1", "2"], tmp_path)
    assert list(second) == ["2"]
    first["0"].lock.close()
    first["1"].lock.close()
    assert list(jobs.take(2, ["0", "1", "2"], tmp_path)) == ["0", "1"]


def test_as_many_runs_share_a_gpu_as_are_said_to_and_the_emptiest_one_is_taken(tmp_path):
    def take(count):
        return jobs.take(count, ["0", "1"], tmp_path, runs_per_gpu=2)

    taken = [take(count) for count in (1, 1, 2)]
    assert [list(places) for places in taken] == [["0"], ["1"], ["0", "1"]]
    assert take(1) == {}
    taken[1]["1"].lock.close()
    assert take(2) == {}  # two places on one GPU are none on two
    assert list(take(1)) == ["1"]


@pytest.mark.parametrize(("of", "cores"), [(1, 16), (4, 16), (3, 16), (8, 3), (2, 2)])
def test_places_share_the_cores_and_none_goes_without(of, cores):
    shares = [jobs.cores_of([jobs.Place(None, number)], of, range(10, 10 + cores)) for number in range(of)]
    assert set().union(*shares) == set(range(10, 10 + cores))
    assert all(len(share) in (max(1, cores // of), -(-cores // of)) for share in shares)
    if of <= cores:
        assert sum(map(len, shares)) == cores
    both = jobs.cores_of([jobs.Place(None, 0), jobs.Place(None, of - 1)], of, range(10, 10 + cores))
    assert both == shares[0] | shares[-1]


@pytest.mark.parametrize(
    ("given", "count", "expected"),
    [
        (None, 2, ["0", "1"]),
        ("3,1", 4, ["3", "1"]),
        ("", 0, []),
        ("-1", 0, []),
        ("NoDevFiles", 0, []),
        ("0,-1,1", 1, ["0"]),
        ("1,none,0", 1, ["1"]),
        ("0,5,1", 1, ["0"]),
        ("GPU-8932f937,GPU-c0ffee", 2, ["GPU-8932f937", "GPU-c0ffee"]),
        ("MIG-1/2,0", 1, ["MIG-1/2"]),
    ],
)
def test_gpus_are_those_that_cuda_sees(monkeypatch, given, count, expected):
    monkeypatch.setattr(jobs, "gpu_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert jobs.visible() == expected


def test_a_command_is_told_its_gpus_and_ends_as_it():
    tell = ["sh", "-c", "echo $CUDA_VISIBLE_DEVICES; exit 7"]
    command = [sys.executable, "-m", "studylib.runs.jobs", "gpus", "2", "1", *tell]
    environ = dict(os.environ) | {"CUDA_VISIBLE_DEVICES": "4,5,6"}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (7, "4,5\n")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system tells no process its cores")
def test_commands_that_share_a_gpu_share_the_cores(tmp_path):
    """One waits for the other's end, so that both have a place."""
    cores = sorted(os.sched_getaffinity(0))
    tell = "import os; print(sorted(os.sched_getaffinity(0)), flush=True); input()"
    command = [sys.executable, "-m", "studylib.runs.jobs", "gpus", "1", "2", sys.executable, "-c", tell]
    environ = dict(os.environ) | {"CUDA_VISIBLE_DEVICES": "4", "TMPDIR": str(tmp_path)}
    both = [
        subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in "12"
    ]
    told = sorted(json.loads(process.stdout.readline()) for process in both)
    assert [process.communicate("\n", timeout=PATIENCE) for process in both] == [("", None)] * 2
    half = len(cores) // 2
    assert told == ([cores[:half], cores[half:]] if half else [cores, cores])


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A job of Slurm whose scontrol writes down what it is asked."""
    (tmp_path / "scontrol").write_text(f"#!/bin/sh\necho $* >> {tmp_path}/asked\n")
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setattr(jobs, "PATIENCE", 0)
    return tmp_path / "asked"


def notebook_of(tmp_path, name):
    """A notebook that failed with an exception of that name."""
    write_notebook(tmp_path, error="stopped by SIGUSR1 in epoch 3")
    path = tmp_path / "notebook.ipynb"
    content = json.loads(path.read_text())
    content["cells"][-1]["outputs"][-1]["ename"] = name
    path.write_text(json.dumps(content))
    return path


def test_a_run_that_was_stopped_goes_back_into_the_queue(tmp_path, slurm):
    assert jobs.requeue(notebook_of(tmp_path, "RunStopped")) == 75
    assert slurm.read_text() == "requeue 12\n"


def test_a_run_that_failed_or_is_on_no_cluster_does_not(tmp_path, slurm, monkeypatch):
    assert jobs.requeue(notebook_of(tmp_path, "RunFailed")) == 1
    assert jobs.requeue(tmp_path / "none.ipynb") == 1
    monkeypatch.delenv("SLURM_JOB_ID")
    assert jobs.requeue(notebook_of(tmp_path, "RunStopped")) == 75
    assert not slurm.exists()
