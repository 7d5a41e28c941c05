"""Profiles of Snakemake: each plans a batch."""

import subprocess
import sys

import pytest
import yaml

from studylib import REPOSITORY


def test_the_job_of_kubernetes_starts_snakemake_with_a_profile_and_a_plan_of_the_repository():
    files = (REPOSITORY / "runs" / "profiles" / "kubernetes").glob("*.yaml")
    jobs = [d for file in files for d in yaml.safe_load_all(file.read_text()) if d.get("kind") == "Job"]
    [command] = [job["spec"]["template"]["spec"]["containers"][0]["command"] for job in jobs]
    assert (REPOSITORY / command[command.index("--profile") + 1] / "config.yaml").is_file()
    assert (REPOSITORY / "runs" / (command[-1].removeprefix("plan=") + ".yaml")).is_file()


@pytest.mark.parametrize("profile", ["local", "slurm", "kubernetes"])
def test_a_plan_is_planned_with_the_profile(profile, checkout):
    (checkout / "runs" / "try.yaml").write_text(
        'title: "try: a test"\nresources: {gpus: 2, cores: 3, hours: 1}\n'
        "runs:\n  - {experiment: conv_types, net: r2d, dataset: pantomime-tiny}\n"
    )
    command = [sys.executable, "-m", "snakemake", "-s", "runs/Snakefile", "--profile", f"runs/profiles/{profile}"]
    told = subprocess.run(
        [*command, "--config", "plan=try", "-n"], cwd=checkout, capture_output=True, text=True, check=False
    )
    said = told.stdout + told.stderr
    assert told.returncode == 0, said
    assert "runtime=60" in said
    assert "gres=gpu:2" in said
    assert "1 of 1 runs to do, in this order:\n  runs/try/conv_types/r2d-18_8f_seed0, time not known for" in said


def test_runs_that_share_a_gpu_have_their_shares_of_the_cores(checkout, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    (checkout / "runs" / "try.yaml").write_text(
        'title: "try: a test"\nruns:\n  - {experiment: conv_types, net: [r2d, r3d], dataset: pantomime-tiny}\n'
    )
    command = [sys.executable, "-m", "snakemake", "-s", "runs/Snakefile", "--profile", "runs/profiles/local", "-n"]
    command += ["-p", "--cores", "12", "--config", "plan=try"]
    told = subprocess.run([*command, "runs_per_gpu=3"], cwd=checkout, capture_output=True, text=True, check=False)
    said = told.stdout + told.stderr
    assert told.returncode == 0, said
    assert said.count("threads: 2\n") == 2
    assert said.count("-m studylib.runs.jobs gpus 1 3 ") == 2
    told = subprocess.run([*command, "runs_per_gpu=0"], cwd=checkout, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "runs_per_gpu: 0 is not a whole number from 1 on" in told.stdout + told.stderr
