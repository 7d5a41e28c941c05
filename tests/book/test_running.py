"""The chapter on running: its commands are those there are, its estimates the arithmetic they say."""

import json
import re

import pytest

from studylib.book import running
from studylib.runs.cost import rate_of
from studylib.runs.plan import Plan, PlannedRun
from studylib.runs.results import load_run
from studylib.training.spec import RunSpec
from tests.book.test_benchmarks import RECORD
from tests.fake_runs import write_fake_run
from tests.runs.test_cost import SPEC

TABLE2 = RunSpec(experiment="conv_types", net="r2plus1d", dataset="kinetics400")
PLAN = Plan("paper", "a plan", {}, (PlannedRun("paper", "r2plus1d-18_8f_seed0", TABLE2),))


@pytest.fixture(autouse=True)
def no_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))


def test_hours_of_a_plan_by_hand(tmp_path):
    """R(2+1)D-18: 20.748 G, 45 M clips three times and 45 x 19,907 + 199,070 test clips, at 4.68 to 25.0 T a second."""
    rows = running.plan_costs(PLAN, tmp_path)
    assert rows["experiment"].tolist() == ["conv_types", "all"]
    row = rows.iloc[0]
    assert (row["training clips (M)"], row["test clips (M)"], row["multiply-adds (10^18)"]) == ("45", "1.1", "2.8")
    assert row["A100"] == "31 to 170 hours"
    assert not {"our CPU", "measured GPU"} & set(rows)  # nothing is recorded there


def test_where_a_speed_is_recorded_the_plan_is_told_in_its_time_too(tmp_path):
    write_fake_run(tmp_path / "runs" / "card" / "conv_types" / "r3d-18_8f_seed0", SPEC)
    row = {"net": "r2plus1d", "device": "NVIDIA H200", "width": 64, "clip_length": 8,
           "resolution": 112, "precision": "bf16", "clips_per_second": 1000.0}  # fmt: skip
    (tmp_path / "runs" / "benchmarks").mkdir(parents=True)
    (tmp_path / "runs" / "benchmarks" / "gpu.json").write_text(
        json.dumps(RECORD | {"name": "gpu", "tables": {"paper": [row]}})
    )
    first = running.plan_costs(PLAN, tmp_path).iloc[0]
    assert first["measured GPU"] == "13 hours"
    assert re.fullmatch(r"[\d.]+ years|\d+ days", first["our CPU"])
    assert running.cpu_of_benchmarks(tmp_path) == "Imagined CPU (x86_64, AVX512), 1 thread"


def test_published_times_become_rates_by_hand_and_give_the_v100s_range():
    times = running.published_times()
    row = times[times["clips"].notna()].iloc[0]
    assert row["rate"] == pytest.approx(3 * row["clips"] * row["gmacs"] * 1e9 / row["hours"] / 3600 / row["gpus"])
    v100 = rate_of(TABLE2, "V100")
    assert (v100.low, v100.high) == pytest.approx((times["rate"].min(), times["rate"].max()), rel=0.05)


def test_the_check_estimates_a_run_by_runs_of_other_plans(tmp_path):
    def recorded(plan, **changes):
        folder = tmp_path / "runs" / plan / "conv_types" / "r3d-18_8f_seed0"
        return load_run(write_fake_run(folder, RunSpec(**{**vars(SPEC), **changes})))

    runs = [recorded("quick"), recorded("card", epochs=20)]
    row = running.check(runs, tmp_path).set_index("plan").loc["quick"]
    assert row["estimated"] == pytest.approx(9600 / 55)  # the records' clips a second, 10 epochs of 960 clips
    assert row["measured"] == 120
    runs[0].metrics["seconds"] = 9.9  # too short to tell how fast training is
    assert set(running.check(runs, tmp_path)["plan"]) == {"card"}
    assert running.check([], tmp_path).empty
