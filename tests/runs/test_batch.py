"""A plan through Snakemake and papermill, in a copy of the repository: results, interruption, refusals."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import papermill
import pytest

from studylib import REPOSITORY
from studylib.runs.results import load_plan, load_planned_run
from studylib.training.checkpoint import checkpoint_folder
from studylib.training.evaluation import read_predictions
from studylib.training.spec import RunSpec
from tests.notebook_heads import ALL, cells
from tests.trainings import ended, history
from tests.trainings import trainer as undisturbed
from tests.waiting import PATIENCE, wait_for

NOTEBOOK = REPOSITORY / "book" / "experiments" / "conv_types.ipynb"
PLAN = """
title: "try: a test"
defaults: {dataset: pantomime-tiny, width: 4, resolution: 56, batch_size: 8, epochs: 2, clips_per_epoch: 16,
           standardise: clip, test_clips: 2}
runs:
  - {experiment: conv_types, net: r2d, name: first}
"""
FOLDER = "runs/try/conv_types/first_seed0"


@pytest.fixture
def checkout(checkout):
    """What a plan needs of the repository, with a plan of its own."""
    (checkout / "runs" / "try.yaml").write_text(PLAN)
    return checkout


def start(root, *options):
    command = [sys.executable, "-m", "snakemake", "-s", "runs/Snakefile", "--profile", "runs/profiles/local"]
    command += ["--config", "plan=try", *options]
    return subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def run_plan(root, *options):
    """(exit code, what Snakemake said)."""
    process = start(root, *options)
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def at_work(root, module):
    """The ids of the processes of a Python module that work in a checkout."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
            if f"\0-m\0{module}\0".encode() in words and path.with_name("cwd").readlink() == root:
                found.append(int(path.parent.name))
        except OSError:  # it has just ended
            continue
    return found


def trainer_of(root):
    """The process id of the trainer that works in a checkout."""
    trainers = at_work(root, "studylib.training")
    assert trainers, "no trainer runs"
    return trainers[0]


def checkpoints(spec):
    return {path.name for path in checkpoint_folder(spec.hash).glob("*.pt")}


def wait_for_new_checkpoint(spec):
    known = checkpoints(spec)
    wait_for(lambda: checkpoints(spec) - known)


def test_a_run_that_a_signal_stops_fails_its_notebook_and_is_tried_again_from_where_it_stopped(checkout):
    folder, plan_file = checkout / FOLDER, checkout / "runs" / "try.yaml"
    plan_file.write_text(PLAN.replace("epochs: 2", "epochs: 20"))
    process = start(checkout)
    wait_for_new_checkpoint(load_plan(plan_file).runs[0].spec)
    os.kill(trainer_of(checkout), signal.SIGTERM)  # as a cluster does
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "RunStopped: stopped by SIGTERM" in said
    assert "Trying to restart job" in said
    assert (folder / "train.log").read_text().count("going on in epoch") == 1
    assert load_planned_run(load_plan(plan_file).runs[0], checkout)[0] == "complete"


def test_a_plan_killed_midway_or_failed_late_goes_on_then_has_nothing_to_do_and_a_changed_one_is_refused(checkout):
    folder, plan_file = checkout / FOLDER, checkout / "runs" / "try.yaml"
    plan_file.write_text(PLAN.replace("epochs: 2", "epochs: 30"))
    spec = load_plan(plan_file).runs[0].spec
    process = start(checkout)
    wait_for_new_checkpoint(spec)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "metrics.json").exists()

    shown = checkout / "studylib" / "book" / "experiment.py"
    working = shown.read_text()
    head = "def summary(run: Run) -> pd.DataFrame:\n"
    shown.write_text(working.replace(head, f"{head}    raise ImportError('broken after the training')\n"))
    code, said = run_plan(checkout, "--retries", "0")
    assert code != 0
    assert "broken after the training" in said
    assert not (folder / "metrics.json").exists()
    assert (folder / "predictions.parquet").exists()
    shown.write_text(working)

    code, said = run_plan(checkout)
    assert code == 0, said
    assert "going on in epoch" in (folder / "train.log").read_text()
    state, run = load_planned_run(load_plan(plan_file).runs[0], checkout)
    assert state == "complete"
    assert len(run.history) == 30
    notebook = (folder / "notebook.ipynb").read_text()
    assert checkout.parent.name not in notebook
    assert notebook.count("image/png") == 1

    before = contents(folder)
    code, said = run_plan(checkout)
    assert code == 0
    assert "Nothing to be done" in said
    assert contents(folder) == before

    plan_file.write_text(PLAN.replace("epochs: 2", "epochs: 7"))
    code, said = run_plan(checkout)
    assert code != 0
    assert "first_seed0: holds another run (epochs is 30, wanted 7)" in said
    assert "rename or remove the folder" in said
    assert contents(folder) == before


def test_snakemake_killed_alone_leaves_its_run_at_work_and_the_next_one_waits_for_its_end(checkout, tmp_path):
    folder, plan_file = checkout / FOLDER, checkout / "runs" / "try.yaml"
    plan_file.write_text(PLAN.replace("epochs: 2", "epochs: 20"))
    planned = load_plan(plan_file).runs[0]
    first = start(checkout)
    wait_for_new_checkpoint(planned.spec)
    trainer = trainer_of(checkout)
    os.kill(trainer, signal.SIGSTOP)  # so that it cannot end before the next one has come
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    log = folder / "train.log"
    try:
        assert len(at_work(checkout, "papermill")) == 1
        second = start(checkout)
        wait_for(lambda: "another process is training this run; waiting for it" in log.read_text(), second)
        assert len(at_work(checkout, "papermill")) == 2
        assert not (folder / "metrics.json").exists()
    finally:
        os.kill(trainer, signal.SIGCONT)
    said, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, said
    wait_for(lambda: not at_work(checkout, "papermill"))  # the first one's may end later
    assert "Trying to restart job" not in said
    assert log.read_text().count("finished already") == 1
    assert "going on in epoch" not in log.read_text()
    assert load_planned_run(planned, checkout)[0] == "complete"

    alone = tmp_path / "alone"
    planned.spec.save(alone)
    assert ended(undisturbed(alone)) == 0
    assert history(folder) == history(alone)
    scores = [read_predictions(f / "predictions.parquet").clip_scores for f in (folder, alone)]
    assert all((a == b).all() for a, b in zip(*scores, strict=True))


def test_a_dry_run_prints_the_runs_in_their_order_with_what_they_take_and_wait_for(checkout):
    second = "  - {experiment: conv_types, net: r2d, name: second, init_from: run:try/conv_types/first_seed0}\n"
    (checkout / "runs" / "try.yaml").write_text(PLAN.replace("runs:\n", "runs:\n" + second))
    code, said = run_plan(checkout, "--dry-run")
    assert code == 0, said
    lines = re.findall(r"^  (runs/try/.*)", said, re.MULTILINE)
    assert [line.split(", ")[0] for line in lines] == [FOLDER, "runs/try/conv_types/second_seed0"]
    assert all(re.search(r", [\d.]+ s of one |, time not known for ", line) for line in lines), lines
    assert lines[1].endswith(f", after {FOLDER}")
    assert "2 of 2 runs to do, in this order:" in said


def test_other_videos_than_the_plan_fixes_end_snakemake_before_anything_runs(checkout):
    datasets = f"datasets:\n  pantomime-tiny: {{train_videos: 32, test_videos: 16, seed: 3, manifest: {'ab' * 32}}}\n"
    (checkout / "runs" / "try.yaml").write_text(PLAN.replace("runs:\n", f"{datasets}runs:\n"))
    code, said = run_plan(checkout)
    assert code != 0
    assert "runs/try.yaml: dataset pantomime-tiny: its manifest is " in said
    assert ", the plan fixes ababababab: these are other videos" in said
    assert "Traceback" not in said
    assert not (checkout / FOLDER).exists()


def test_papermill_with_a_wrong_parameter_fails_with_its_name_and_makes_nothing(tmp_path):
    out, parameters = tmp_path / "notebook.ipynb", {"run_folder": str(tmp_path / "run"), "nett": "r3d"}
    with pytest.raises(papermill.PapermillExecutionError, match="SpecError") as caught:
        papermill.execute_notebook(NOTEBOOK, out, parameters, progress_bar=False, log_output=False)
    assert "nett: no such parameter; did you mean 'net'" in str(caught.value)
    assert not (tmp_path / "run").exists()
    assert json.loads(out.read_text())["metadata"]["papermill"]["exception"]


def test_a_failed_trainer_fails_the_notebook_with_its_own_words(tmp_path, tiny_data):
    out = tmp_path / "notebook.ipynb"
    parameters = {"run_folder": str(tmp_path / "run"), "dataset": "pantomime-gone"}
    with pytest.raises(papermill.PapermillExecutionError, match="no dataset 'pantomime-gone'"):
        papermill.execute_notebook(NOTEBOOK, out, parameters, progress_bar=False)
    assert RunSpec.from_parameters(json.loads((tmp_path / "run" / "spec.json").read_text())).dataset == "pantomime-gone"


def test_the_notebooks_carry_no_outputs():
    for experiment in ALL:
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells(experiment)), experiment
        assert sum("parameters" in c.metadata.get("tags", []) for c in cells(experiment)) == 1, experiment


def test_runs_and_the_datasets_they_want_start_in_the_order_of_the_plan(checkout):
    (checkout / "runs" / "try.yaml").write_text(
        'title: "try: order"\n'
        "datasets:\n"
        "  pantomime-second: {train_videos: 16, test_videos: 16}\n"
        f"  pantomime-first: {{train_videos: 16, test_videos: 16, difficulty: 0.5, manifest: {'ab' * 32}}}\n"
        "runs:\n"
        "  - {experiment: conv_types, net: [r3d, r2d], dataset: pantomime-first}\n"
        "  - {experiment: conv_types, net: f_r2d, dataset: pantomime-second}\n"
    )
    code, said = run_plan(checkout, "--dry-run", "--printshellcmds")
    assert code == 0, said
    found = re.findall(r"rule (\S+):\n(?:    (?!priority).*\n)*    priority: (\d+)", said)
    order = [name for name, priority in sorted(found, key=lambda rule: (-int(rule[1]), rule[0]))]
    assert order == [
        "conv_types_r3d-18_8f_seed0",
        "dataset_pantomime-first",
        "conv_types_r2d-18_8f_seed0",
        "conv_types_f_r2d-18_8f_seed0",
        "dataset_pantomime-second",
    ]
    assert f"--train 16 --test 16 --difficulty 0.5 --manifest {'ab' * 32}" in said
