"""The notebooks that go beyond the paper say what they run and what it costs."""

import re
from dataclasses import asdict, replace

import pytest

from studylib import REPOSITORY
from studylib.nets.complexity import count_by_name
from studylib.nets.table import VARIANTS
from studylib.runs.plan import PlannedRun, load_plan
from studylib.training.spec import RunSpec
from tests.notebook_heads import BEYOND, commanded, opening, opening_lines, parameters


def quick(net: str) -> PlannedRun:
    """The run of the plan quick that trains a network."""
    return load_plan(REPOSITORY / "runs" / "quick.yaml").run("conv_types", f"{net}-18_8f_seed0")


def test_the_command_of_mechanism_changes_the_network_alone():
    [spec] = commanded("mechanism")
    assert spec.net in VARIANTS
    assert replace(spec, experiment="conv_types", net="r2plus1d") == quick("r2plus1d").spec


def test_the_command_of_cues_tests_a_run_of_quick_by_its_own_protocol_in_another_order_of_frames():
    [spec] = commanded("cues")
    run = quick("r2plus1d")
    assert f"runs/quick/conv_types/{run.name}/metrics.json" in opening("cues")
    assert (spec.init_from, spec.epochs) == (f"run:quick/conv_types/{run.name}", 0)
    assert spec.frame_order != "normal"
    of_training = ("epochs", "clips_per_epoch", "lr_schedule", "warmup_epochs", "flip")
    told = ("experiment", "init_from", "frame_order", *of_training)
    ours, theirs = asdict(spec), asdict(run.spec)
    assert {name for name in ours if ours[name] != theirs[name]} == set(told)


def test_the_notebook_of_cues_starts_as_it_is_from_that_run():
    assert [RunSpec.from_parameters(parameters("cues"))] == commanded("cues")


def test_the_notebook_of_mechanism_has_a_line_for_each_variant_with_its_counted_cost():
    lines = re.findall(r"^\| `(\w+)` \|.*\| ([0-9.]+) \| ([0-9.]+) \|$", opening_lines("mechanism"), re.MULTILINE)
    assert {name for name, _, _ in lines} == set(VARIANTS) - {"r2plus1d_per_block", "r2plus1d_stem83"}
    small = quick("r2plus1d").spec
    for name, paper, ours in lines:
        assert paper == f"{count_by_name(name, 18, 400, 8, 3, 64, 112).flops / 1e9:.2f}", name
        assert ours == f"{count_by_name(name, 18, 16, 8, 3, small.width, small.resolution).flops / 1e9:.3f}", name


def test_the_notebook_of_cues_tells_the_counted_cost_of_its_tests():
    [spec] = commanded("cues")
    videos = load_plan(REPOSITORY / "runs" / "quick.yaml").datasets[spec.dataset]["test_videos"]
    flops = count_by_name(spec.net, 18, 16, 8, 3, spec.width, spec.resolution).flops
    assert f"{videos * spec.test_clips:,} clips of {flops / 1e9:.3f} GFLOPs" in opening("cues")


@pytest.mark.parametrize("experiment", BEYOND)
def test_a_notebook_links_from_the_root_since_its_executed_copies_lie_in_another_folder(experiment):
    links = re.findall(r"\{doc\}`([^`]*)`", opening(experiment))
    assert links
    for link in links:
        assert link.startswith("/"), link
        assert list((REPOSITORY / "book").glob(f"{link[1:]}.*")), link
