"""The plan quick, which each `make book` runs: all that a notebook can do, in a few minutes."""

from dataclasses import asdict, replace

import pytest

from studylib import REPOSITORY
from studylib.runs.cost import costs_of
from studylib.runs.plan import load_plan
from studylib.training.memory import memory_of
from tests.notebook_heads import ALL, DOWNLOADED

PLAN = load_plan(REPOSITORY / "runs" / "quick.yaml")
SPECS = [run.spec for run in PLAN.runs]
TABLE2 = "conv_types"


def start_of(run):
    start = PLAN.start_of(run)
    assert start is not None, run.name
    return start.spec


def test_every_notebook_is_run_but_the_one_that_needs_a_download():
    assert {spec.experiment for spec in SPECS} == {*ALL} - {*DOWNLOADED}


def test_what_a_run_can_be_is_there_once():
    assert {spec.frame_order for spec in SPECS} == {"normal", "shuffled", "reversed", "frozen"}
    assert {spec.test_sampling for spec in SPECS} == {"random", "uniform"}
    assert {spec.depth for spec in SPECS} == {18, 34}
    assert {spec.split for spec in SPECS} == {1, 2, 3}
    assert {spec.modality for spec in SPECS} == {"rgb", "flow"}
    assert any(spec.resolution == 2 * other.resolution for spec in SPECS for other in SPECS if spec.net == other.net)


def test_networks_are_fine_tuned_with_their_own_classifier_and_with_a_new_one_and_tested_as_they_are():
    started = [run for run in PLAN.runs if run.spec.init_from]
    ways = {(run.spec.epochs > 0, run.spec.new_head, run.spec.modality) for run in started}
    assert ways == {(True, False, "rgb"), (True, True, "rgb"), (True, True, "flow"), (False, False, "rgb")}
    for run in started:
        assert start_of(run).modality == run.spec.modality
        assert start_of(run).width == run.spec.width
    experiments = {(start_of(run).experiment, run.spec.experiment) for run in started}
    assert {("sports1m", "kinetics"), ("sports1m", "transfer"), ("kinetics", "transfer")} <= experiments
    longer = [run for run in started if run.spec.clip_length > start_of(run).clip_length]
    assert {run.spec.epochs for run in longer} == {0, 1}


def test_a_network_that_is_transferred_learns_other_classes():
    transferred = [run for run in PLAN.runs if run.spec.experiment == "transfer"]
    for run in transferred:
        vocabularies = [PLAN.datasets[s.dataset].get("vocabulary", "source") for s in (start_of(run), run.spec)]
        assert vocabularies == ["source", "target"]


@pytest.mark.parametrize("experiment", ["sports1m", "kinetics", "two_stream"])
def test_two_streams_can_be_fused(experiment):
    """They are tested alike: but for the stream, and what it starts from, their settings are the same."""

    def but_the_stream(spec):
        return asdict(replace(spec, modality="rgb")) | {"init_from": bool(spec.init_from)}

    own = [spec for spec in SPECS if spec.experiment == experiment]
    for flow in [spec for spec in own if spec.modality == "flow"]:
        assert [but_the_stream(spec) for spec in own if spec.modality == "rgb"].count(but_the_stream(flow)) == 1


def test_all_but_table_2_is_as_good_as_nothing_to_compute(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path))
    costs = costs_of(PLAN)
    of_table2 = sum(cost.multiply_adds for cost in costs if cost.spec.experiment == TABLE2)
    assert sum(cost.multiply_adds for cost in costs) < 1.05 * of_table2
    assert max(memory_of(cost.spec).needed(cost.spec.batch_size) for cost in costs) < 2**28
    rendered = sum(own["train_videos"] + own["test_videos"] for own in PLAN.datasets.values())
    assert rendered < 1.2 * (960 + 160)
