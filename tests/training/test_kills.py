"""A training that is killed, at whatever moment, and started again ends as one that was left alone."""

import os
import random
import signal
import time

import pytest

from tests.trainings import assert_same_end, checkpoints, ended, said, slow_writes, start, trainer
from tests.waiting import wait_for

# r3d reads files, in loader processes if there are any; c3d draws random numbers for dropout
RUNS = {
    "r2d, bf16": ({"net": "r2d"}, {}),
    "r3d, fp32, from files": ({"net": "r3d", "amp": "fp32"}, {"STUDY_CACHE_GB": "0"}),
    "c3d, fp32": ({"net": "c3d", "clip_length": 16, "amp": "fp32"}, {}),
}
KILLS = 8  # of each
MOMENTS = ("starting", "training", "writing", "ending")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_killed_many_times_ends_as_one_left_alone(name, tiny_data, tmp_path):
    settings, environment = RUNS[name]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        start(folder, clips_per_epoch=60, epochs=2, **settings)
    dice, moments, places = random.Random(name), [], set()
    for number in range(KILLS):
        moment = "ending" if number == KILLS - 1 else dice.choice(MOMENTS[:3])
        # another number of loader processes each time
        before = files(killed)
        process = trainer(killed, slow_writes, STUDY_WORKERS=str(dice.choice((0, 1, 2))), **environment)
        wait_for_moment(moment, killed, before, process)
        time.sleep({"starting": 1.0, "training": 0.1, "writing": 0.02, "ending": 0.1}[moment] * dice.random())
        assert process.is_alive(), said(killed)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        half_written = any(name.endswith(".partial") for name in files(killed) - before)
        moments.append(moment + " (half written)" * half_written)
        places.add(max((path.name for path in checkpoints(killed).glob("[0-9]*.pt")), default=""))
    for folder in (killed, whole):
        assert ended(trainer(folder, STUDY_WORKERS="0", **environment)) == 0, said(folder)
    print(f"{name}: killed {', '.join(moments)}; with {len(places)} different checkpoints")
    assert_same_end(whole, killed)
    assert any("half written" in moment for moment in moments)
    assert len(places) > 2


def files(folder):
    """Names of the checkpoints of a run folder, and of those that are being written."""
    return {path.name for pattern in ("[0-9]*.pt", ".*.partial") for path in checkpoints(folder).glob(pattern)}


def wait_for_moment(moment, folder, before, process):
    """Return when the trainer, which found the files `before`, is doing what `moment` says."""

    def come():
        endings = {name.rpartition(".")[2] for name in files(folder) - before}
        if moment == "ending":
            return "testing" in said(folder)
        return moment == "starting" or {"training": "pt", "writing": "partial"}[moment] in endings

    wait_for(come, process, lambda: said(folder), every=0.001)
