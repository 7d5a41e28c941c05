"""The chapter on costs: its tables are the arithmetic they say, and what is not recorded is said to be so."""

import json
import re

import pytest
from IPython.display import Markdown

from studylib import REPOSITORY
from studylib.book import cost_tables
from studylib.book.cost_tables import check_note, check_table, plan_table, published_table, published_times, sustained
from studylib.runs.cost import given_rate
from studylib.runs.plan import Plan, PlannedRun, load_plan
from studylib.runs.results import load_run
from studylib.training.spec import RunSpec
from tests.book.test_benchmarks import RECORD
from tests.fake_runs import write_fake_run
from tests.runs.test_cost import SPEC

PAGE = (REPOSITORY / "book" / "what_it_costs.md").read_text()
TABLE2 = RunSpec(experiment="conv_types", net="r2plus1d", dataset="kinetics400")


@pytest.fixture(autouse=True)
def no_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))


def test_the_commands_of_the_chapter_are_those_there_are(capsys):
    from studylib.runs.plan import main

    commands = re.findall(r"^python -m studylib\.runs\.plan (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 2
    assert main(commands[0].split()) == 0
    assert "r2plus1d" in capsys.readouterr().out


def test_hours_of_a_plan_by_hand(tmp_path):
    """R(2+1)D-18: 20.748 G, 45 M clips three times and 45 x 19,907 + 199,070 test clips, at 4.68 to 25.0 T a second."""
    plan = Plan("paper", "a plan", {}, (PlannedRun("paper", "r2plus1d-18_8f_seed0", TABLE2),))
    rows = plan_table(plan, tmp_path).frame
    assert rows["experiment"].tolist() == ["conv_types", "all"]
    row = rows.iloc[0]
    assert row["in the paper"] == "Table 2, Figure 3"
    assert (row["training clips"], row["test clips"]) == ("45\u00a0M", "1.1\u00a0M")
    assert row["multiply-adds"] == "2.8\u00a0×\u00a010<sup>18</sup>"
    assert row["A100, GPU-hours"] == "31 to 170"
    assert "our CPU" not in rows  # nothing is recorded there


def test_where_a_speed_is_recorded_the_plan_is_told_in_time_of_a_core_too(tmp_path):
    write_fake_run(tmp_path / "runs" / "card" / "conv_types" / "r3d-18_8f_seed0", SPEC)
    plan = Plan("paper", "a plan", {}, (PlannedRun("paper", "r2plus1d-18_8f_seed0", TABLE2),))
    table = plan_table(plan, tmp_path)
    assert re.fullmatch(r"[\d.]+ years|\d+ days", table.frame["our CPU"].iloc[0])
    assert "Imagined CPU (x86_64, AVX512), 1 thread" in table.caption


def test_where_a_gpu_is_measured_the_plan_is_told_in_its_hours(tmp_path):
    plan = Plan("paper", "a plan", {}, (PlannedRun("paper", "r2plus1d-18_8f_seed0", TABLE2),))
    assert "No GPU was measured" in plan_table(plan, tmp_path).caption
    row = {"net": "r2plus1d", "way": "eager", "device": "NVIDIA H200", "width": 64, "clip_length": 8,
           "resolution": 112, "precision": "bf16", "clips_per_second": 1000.0}  # fmt: skip
    (tmp_path / "runs" / "benchmarks").mkdir(parents=True)
    (tmp_path / "runs" / "benchmarks" / "gpu.json").write_text(
        json.dumps(RECORD | {"name": "gpu", "tables": {"paper": [row]}})
    )
    table = plan_table(plan, tmp_path)
    assert table.frame["NVIDIA H200, measured"].iloc[0] == "13 hours"
    assert "No GPU was measured" not in table.caption


def test_every_experiment_of_the_papers_plan_has_its_place_in_the_paper():
    plan = load_plan(REPOSITORY / "runs" / "paper.yaml")
    assert {run.spec.experiment for run in plan.runs} <= set(cost_tables.IN_PAPER)


def test_every_published_time_has_a_source_and_is_quoted_or_named_as_a_table():
    for row in published_times():
        assert row["source"], row
        assert row["url"].startswith("https://github.com/"), row
        assert row["told"].startswith("“") or "MMAction2" in row["source"]
        assert bool(row["clips"]) == bool(row["gmacs"]) == bool(row["work"])


def test_a_published_time_becomes_a_rate_by_hand():
    row = {"clips": "64", "gmacs": "40.713", "hours": str(0.45 / 3600), "gpus": "8"}
    assert sustained(row) == pytest.approx(3 * 64 * 40.713e9 / 0.45 / 8)
    assert sustained(row | {"hours": ""}) is None
    assert sustained(row | {"clips": ""}) is None


def test_the_v100s_range_is_what_the_published_times_come_to():
    v100 = given_rate("V100")
    known = sorted(rate for row in published_times() if (rate := sustained(row)) is not None)
    assert (v100.low, v100.high) == pytest.approx((known[0], known[-1]), rel=0.05)


def test_the_published_table_tells_hours_only_where_they_are_of_a_training():
    rows = published_table().frame
    assert rows["GPU-hours"].tolist() == ["1,200", "1,500", "–", "1,500", "–", "1,100"]
    assert (rows["multiply-adds a second and GPU"] != "–").sum() == 2


def recorded(tmp_path, plan, **changes):
    folder = tmp_path / "runs" / plan / "conv_types" / "r3d-18_8f_seed0"
    return load_run(write_fake_run(folder, RunSpec(**{**vars(SPEC), **changes})))


def test_the_check_estimates_a_run_by_runs_of_other_plans(tmp_path):
    runs = [recorded(tmp_path, "quick"), recorded(tmp_path, "card", epochs=20)]
    rows = check_table(runs, tmp_path).frame.set_index("plan")
    flops = cost_tables.Cost(SPEC, None).counts.flops
    # the record says 55 clips a second with so many multiply-adds, of 10 epochs of 960 clips
    estimated = 9600 * flops / (55 * runs[0].metrics["flops"])
    assert rows.loc["quick", "estimated (s)"] == f"{estimated:,.0f}"
    assert rows.loc["quick", "measured (s)"] == "120"
    assert rows.loc["quick", "estimated / measured"] == f"{estimated / 120:.2f}"
    assert "card/conv_types" in rows.loc["quick", "rate from"]
    assert "Of 1 compared runs of *quick*" in check_note(runs, tmp_path).data


def test_the_check_tells_how_long_the_runs_of_mini_took_in_all(tmp_path):
    runs = [recorded(tmp_path, "mini"), recorded(tmp_path, "card", epochs=20)]
    estimated = check_table(runs, tmp_path).frame.set_index("plan").loc["mini", "estimated (s)"]
    told = check_note(runs, tmp_path).data
    assert f"Those of *mini*, 1, trained for {120 / float(estimated):.2f} times the estimated seconds" in told


def test_a_run_of_a_few_seconds_is_not_compared_and_said_to_be_left_out(tmp_path):
    runs = [recorded(tmp_path, "quick"), recorded(tmp_path, "card", epochs=20)]
    runs[0].metrics["seconds"] = 9.9
    assert "quick" not in set(check_table(runs, tmp_path).frame["plan"])
    assert "1 other recorded runs are on other hardware or threads, or trained for less than 10 seconds" in (
        check_note(runs, tmp_path).data
    )


def test_a_run_alone_has_nothing_to_be_compared_with(tmp_path):
    assert isinstance(check_table([recorded(tmp_path, "quick")], tmp_path), Markdown)


def test_where_nothing_is_recorded_the_check_says_so(tmp_path):
    assert "no run is recorded" in check_table([], tmp_path).data
    assert "Nothing can be compared" in check_note([], tmp_path).data


def test_memory_and_disk_have_a_row_for_what_the_paper_trains():
    memory = cost_tables.memory_table().frame
    assert len(memory) == 3 * len(cost_tables.MEMORY)
    long = memory[memory["clips"].str.startswith("R(2+1)D-34, 32")]
    assert (long["clips in 80 GiB"].astype(int) > 2 * long["clips in 16 GiB"].astype(int)).all()
    plan = load_plan(REPOSITORY / "runs" / "paper.yaml")
    assert set(cost_tables.disk_table(plan).frame["experiment"]) == {run.spec.experiment for run in plan.runs}
