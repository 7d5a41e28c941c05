"""Starting the trainer in one process or several, stopping it, and telling how it ended."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studylib import REPOSITORY
from studylib.training import launch as launching
from studylib.training.launch import RunFailed, RunStopped, command, ending, environment, launch
from studylib.training.spec import RunSpec
from studylib.video.machine import available_cores
from tests.trainings import TINY as SMALL
from tests.trainings import said
from tests.waiting import PATIENCE, wait_for

TINY = SMALL | {"epochs": 2, "clips_per_epoch": 16, "test_clips": 2, "amp": "fp32"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
STOPPED = "stopped by SIGTERM in epoch 3; saved, start it again to go on"


@pytest.fixture
def run_folder(tmp_path, tiny_data, monkeypatch):
    """A folder for a tiny run that starts one process of one thread."""
    monkeypatch.setenv("STUDY_PROCESSES", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    RunSpec(**TINY).save(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The environment of a Slurm job of two nodes, both this machine, with `srun` and `scontrol`."""
    commands = {
        "scontrol": '#!/bin/sh\n[ "$1 $2 $3" = "show hostnames node[1-2]" ] && echo localhost && echo node2\n',
        # what each node is given on its input is the job's; the highest code is srun's
        "srun": '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\n"$@" <&0 & one=$!\n"$@" <&0 & two=$!\n'
        "wait $one; a=$?\nwait $two; b=$?\nexit $((a > b ? a : b))\n",
    }
    for name, script in commands.items():
        path = tmp_path / "slurm" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'slurm'}:{os.environ['PATH']}")
    job = {"SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": "4711234", "SLURM_JOB_NODELIST": "node[1-2]"}
    for name, value in job.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def start():
    """Starts the command line as a process of its own, which does not outlive the test."""
    started = []

    def start(folder):
        command_line = [sys.executable, "-m", "studylib.training.launch", str(folder)]
        started.append(subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def long_run(run_folder):
    """The folder of a run whose end nobody waits for."""
    folder = run_folder.with_name("long")
    RunSpec(**TINY | {"epochs": 5000}).save(folder)
    return folder


@pytest.fixture
def readers(monkeypatch):
    """Runs that are started have two processes that read videos."""
    monkeypatch.setenv("STUDY_WORKERS", "2")
    monkeypatch.setenv("STUDY_CACHE_GB", "0")


def wait_for_epochs(folder, number, after=0):
    """Until the log has lines of that many epochs beyond its first `after` characters."""
    wait_for(lambda: said(folder)[after:].count("  train loss") >= number)


def processes_of(folder, torchrun=False):
    """Process ids of the trainers of a folder, or of their torchrun."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:  # it has just ended
            continue
        if words[-3:-1] == ["studylib.training", str(folder)] and ("torch.distributed.run" in words) == torchrun:
            found.append(int(path.parent.name))
    return found


def readers_of(folder):
    """Process ids of the processes that read videos for the trainers of a folder."""
    found = processes_of(folder)
    return [pid for pid in found if int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) in found]


def test_what_starts_a_trainer_does_not_wait_for_torch():
    code = "import sys, studylib.book.experiment, studylib.runs.jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_there_is_a_process_for_each_gpu_and_one_without(monkeypatch):
    monkeypatch.setattr(launching, "gpu_count", lambda: 2)
    several = [*TORCHRUN, "--nproc-per-node", "2", "--standalone", "-m", "studylib.training", "a/run"]
    assert command("a/run", {}) == several
    with pytest.raises(RunFailed, match="STUDY_PROCESSES: 3 processes need a GPU each, 2 are visible"):
        command("a/run", {"STUDY_PROCESSES": "3"})
    monkeypatch.setattr(launching, "gpu_count", lambda: 0)
    assert command("a/run", {}) == [sys.executable, "-m", "studylib.training", "a/run"]  # torchrun hides the exit code
    assert command("a/run", {"STUDY_PROCESSES": "2"}) == several


def test_several_nodes_are_started_by_srun_and_meet_at_the_first(slurm):
    words = command("a/run", os.environ | {"STUDY_PROCESSES": "8", "SLURM_CPUS_PER_TASK": "24"})
    at = words.index(sys.executable)
    assert words[0] == "srun"
    assert {"--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=24"} <= set(words[1:at])
    meeting = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:21234", "--rdzv-id", "4711234"]
    assert words[at:] == [*TORCHRUN, "--nproc-per-node", "8", *meeting, "-m", "studylib.training", "a/run"]


@pytest.mark.parametrize("given", ["0", "two", "-1", "1.5", " "])
def test_a_bad_number_of_processes_is_named(given):
    with pytest.raises(RunFailed, match=rf"STUDY_PROCESSES: '{given}' is not a number of processes from 1 on"):
        command("a/run", {"STUDY_PROCESSES": given})


def test_several_nodes_without_slurms_commands_are_refused():
    job = {"SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "node[1-2]", "PATH": ""}
    with pytest.raises(RunFailed, match=r"scontrol show hostnames node\[1-2\]: names no node"):
        command("a/run", job | {"STUDY_PROCESSES": "1"})


def test_several_processes_share_the_cores_unless_threads_are_given():
    share = str(max(1, available_cores() // 2))
    assert environment({"STUDY_PROCESSES": "2"})["OMP_NUM_THREADS"] == share
    assert environment({"STUDY_PROCESSES": "2", "OMP_NUM_THREADS": "7"})["OMP_NUM_THREADS"] == "7"
    assert "OMP_NUM_THREADS" not in environment({"STUDY_PROCESSES": "1"})


def test_a_folder_that_is_not_there_is_named_and_not_made(tmp_path):
    with pytest.raises(RunFailed, match=r"typo: cannot write train\.log \(No such file or directory\)"):
        launch(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_a_launched_run_is_shown_and_logged_and_launched_again_does_nothing(run_folder, capfd):
    launch(run_folder)
    assert (run_folder / "metrics.json").exists()
    shown = capfd.readouterr().out
    assert "epoch 2/2  train loss" in shown
    assert shown == said(run_folder)
    launch(run_folder)
    assert capfd.readouterr().out == f"{run_folder}: finished already\n"


def test_a_trainers_error_is_the_launchers(run_folder, start, tiny_data):
    (tiny_data / "pantomime-tiny").unlink()
    process = start(run_folder)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.startswith("error: no dataset 'pantomime-tiny'")
    assert errors.count("\n") == 1


def test_a_stopped_launcher_ends_with_75_and_the_next_one_goes_on(long_run, start):
    for number in (signal.SIGTERM, signal.SIGINT):
        begun = len(said(long_run))
        process = start(long_run)
        wait_for_epochs(long_run, 2, begun)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 75
        assert said(long_run).splitlines()[-1].endswith("saved, start it again to go on")
    assert said(long_run).count("going on in epoch") == 1
    assert not (long_run / "metrics.json").exists()


def test_two_processes_save_and_end_on_a_signal_or_with_their_launcher(long_run, start, monkeypatch):
    monkeypatch.setenv("STUDY_PROCESSES", "2")
    for number, code in ((signal.SIGUSR1, 75), (signal.SIGKILL, -9)):
        begun = len(said(long_run))
        process = start(long_run)
        wait_for_epochs(long_run, 2, begun)
        assert len(processes_of(long_run)) == 2
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == code
        wait_for(lambda: not processes_of(long_run) and not processes_of(long_run, torchrun=True), patience=60)
    assert said(long_run).count("going on in epoch") == 1
    # torchrun's report of both times: the leading process saved, also when nobody was left to read what it says
    assert said(long_run).count("exitcode  : 75") >= 2
    assert "exitcode  : 1 " not in said(long_run)


def test_processes_save_and_end_when_torchrun_is_killed(long_run, start, monkeypatch):
    monkeypatch.setenv("STUDY_PROCESSES", "2")
    process = start(long_run)
    wait_for_epochs(long_run, 1)
    (torchrun,) = processes_of(long_run, torchrun=True)
    os.kill(torchrun, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 75
    wait_for(lambda: not processes_of(long_run), patience=10)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_killed_trainer_is_told_as_want_of_memory_with_what_to_change(long_run, start, monkeypatch, processes):
    monkeypatch.setenv("STUDY_PROCESSES", processes)
    process = start(long_run)
    wait_for_epochs(long_run, 1)
    os.kill(processes_of(long_run)[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.startswith("error: killed (signal 9), usually for want of memory: out of memory at batch_size 8")
    assert "lower batch_size (and lr in proportion), or set recompute to true; the last" in errors


def test_readers_end_with_a_killed_trainer(long_run, start, readers):
    process = start(long_run)
    wait_for_epochs(long_run, 1)
    (trainer,) = set(processes_of(long_run)) - set(readers_of(long_run))
    os.kill(trainer, signal.SIGKILL)
    wait_for(lambda: not processes_of(long_run))
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_killed_reader_ends_the_run_and_what_to_change_is_told(long_run, start, readers, monkeypatch, processes):
    monkeypatch.setenv("STUDY_PROCESSES", processes)
    process = start(long_run)
    wait_for_epochs(long_run, 2)
    os.kill(readers_of(long_run)[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.startswith("error: a process that reads videos was killed")
    assert "STUDY_WORKERS" in errors
    assert errors.count("\n") == 1
    assert not processes_of(long_run)


def test_a_signal_to_all_processes_saves_and_leaves_none_behind(long_run, start, readers):
    process = start(long_run)
    wait_for_epochs(long_run, 2)
    for pid in [*processes_of(long_run), process.pid]:
        os.kill(pid, signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 75
    assert not processes_of(long_run)


# What goes wrong -> code that makes it so, and what is told of it.
FAILURES = {
    "shared memory, as torch allocates it": (
        "def collate(clips): raise RuntimeError('unable to allocate shared memory(shm) for file </torch_5604_12_0>: No "
        "space left on device (28)')\nloading.collate = collate",
        ["shared memory", "--shm-size", "STUDY_WORKERS"],
    ),
    "shared memory, as it is written to": (
        "loading.collate = lambda clips: os.kill(os.getpid(), signal.SIGBUS) or time.sleep(60)",
        ["shared memory", "--shm-size", "STUDY_WORKERS"],
    ),
    "memory of a reader": (
        "def collate(clips): raise MemoryError\nloading.collate = collate",
        ["memory", "STUDY_WORKERS"],
    ),
    "a batch that cannot be sent": ("loading.collate = lambda clips: [lambda: 0]", ["pickle"]),
    "an error of a reader": (
        "def collate(clips): return undefined\nloading.collate = collate",
        ["NameError: name 'undefined' is not defined (", "train.log"],
    ),
    "an error of the trainer": (
        "def step(*given): return 1 / 0\nepoch.train_step = step",
        ["ZeroDivisionError: division by zero (", "train.log"],
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_any_error_ends_the_run_in_one_line_and_leaves_no_process(run_folder, readers, monkeypatch, tmp_path, failure):
    code, told = FAILURES[failure]
    script = tmp_path / "trainer.py"
    script.write_text(
        "import os, runpy, signal, sys, time\nfrom studylib.training import epoch, loading\n"
        f"{code}\nsys.argv = sys.argv[1:]\nrunpy.run_module('studylib.training', run_name='__main__')\n"
    )
    monkeypatch.setattr(
        launching, "command", lambda *_: [sys.executable, str(script), "studylib.training", str(run_folder)]
    )
    with pytest.raises(RunFailed) as raised:
        launch(run_folder)
    assert "\n" not in str(raised.value)
    assert all(word in str(raised.value) for word in told), str(raised.value)
    assert not processes_of(run_folder)


def test_a_long_temporary_folder_is_no_obstacle(run_folder, readers, monkeypatch, tmp_path):
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    launch(run_folder)
    assert (run_folder / "metrics.json").exists()


def test_a_run_on_two_nodes_trains_in_two_processes_to_its_end(run_folder, slurm):
    launch(run_folder)
    assert (run_folder / "metrics.json").exists()
    assert json.loads((run_folder / "provenance.json").read_text())["processes"] == 2


@pytest.mark.parametrize(
    ("lines", "code", "kind", "told"),
    [
        ([STOPPED], 75, RunStopped, STOPPED),
        (["epoch 1", STOPPED, "torchrun's traceback", "ChildFailedError: "], 1, RunStopped, STOPPED),
        ([], 75, RunStopped, "start it again to go on"),
        ([], -9, RunFailed, "killed (signal 9)"),
        ([], 137, RunFailed, "killed (signal 9)"),
        (["error: peer gone", "E1 api.py:1] failed (exitcode: -9) local_rank: 1"], 1, RunFailed, "killed (signal 9)"),
        (["slurmstepd: error: Detected 1 oom_kill event in StepId=1.0."], 1, RunFailed, "killed (signal 9)"),
        # torchrun kills those that do not end after the first has failed
        (["error: the disk is full", "E1 failed (exitcode: 1) local_rank: 0", "exitcode  : -9 (pid: 3)"], 1,
         RunFailed, "the disk is full"),
        (["\0error: videos are missing", "error: of another process"], 1, RunFailed, "videos are missing"),
        (["epoch 1", "epoch 2"], 3, RunFailed, "the trainer ended with code 3; its last lines: epoch 1 | epoch 2"),
    ],
)  # fmt: skip
def test_how_a_run_ended_is_told_by_its_lines_and_its_code(tmp_path, lines, code, kind, told):
    RunSpec(**TINY).save(tmp_path)
    raised = ending(lines, code, tmp_path)
    assert type(raised) is kind
    assert told in str(raised)
