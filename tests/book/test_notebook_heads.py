"""Each notebook of an experiment opens with the paper's numbers, its counted cost and commands that run anywhere."""

import csv
import re
from dataclasses import replace

import pytest

from studylib import REPOSITORY
from studylib.datasets.__main__ import parser
from studylib.nets.complexity import count_by_name
from studylib.nets.table import VARIANTS
from studylib.runs.plan import PlannedRun, load_plan, plan_files
from studylib.training.spec import RunSpec
from tests.notebook_heads import (
    ALL,
    BEYOND,
    DOWNLOADED,
    cells,
    commanded,
    opening,
    opening_lines,
    parameters,
    part,
    shell,
)

PLANS = {path.stem: load_plan(path) for path in plan_files(REPOSITORY / "runs")}
QUICK = PLANS["quick"]
CLASSES = {"kinetics400": 400, "sports1m": 487, "ucf101": 101, "hmdb51": 51}
SMALL = tuple(name for name in ALL if name not in DOWNLOADED)


def runs(plan: str, experiment: str) -> list[PlannedRun]:
    return [run for run in PLANS[plan].runs if run.spec.experiment == experiment]


OF_THE_PAPER = tuple(name for name in ALL if name not in BEYOND and runs("paper", name))


def flops(spec: RunSpec, classes: int) -> int:
    """Multiply-adds of a clip of a run."""
    return count_by_name(**spec.network(classes)).flops


def published_numbers() -> set[float]:
    """Every published number of the study, and those that its claims print."""
    numbers: set[float] = set()
    for path in (REPOSITORY / "studylib" / "claims" / "evidence").glob("*.csv"):
        with path.open(newline="") as file:
            for row in csv.reader(file):
                numbers |= {float(text) for cell in row for text in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", cell)}
    return numbers


@pytest.mark.parametrize("experiment", ALL)
def test_a_notebook_quotes_the_paper_s_numbers_or_says_that_it_prints_none(experiment: str) -> None:
    claim = part(experiment, "Question" if experiment in BEYOND else "Claim")
    quoted = {float(text) for text in re.findall(r"\b\d\d\.\d+\b", claim)}
    assert quoted or "prints no number" in claim
    assert quoted <= published_numbers()


@pytest.mark.parametrize("experiment", OF_THE_PAPER)
def test_a_notebook_tells_the_counted_cost_of_each_of_its_runs(experiment: str) -> None:
    for run in runs("paper", experiment):
        counted = flops(run.spec, CLASSES[run.spec.dataset]) / 1e9
        assert re.search(rf"(?<!\d){counted:.1f}\b", opening(experiment)), run.name


@pytest.mark.parametrize("experiment", SMALL)
def test_the_commands_of_a_notebook_run_anywhere_and_their_cost_is_told(experiment: str) -> None:
    """On rendered videos, which they render as the plan quick does, and from what they trained themselves."""
    rendered = {}
    for words in shell(experiment):
        if words[:3] == ["python", "-m", "studylib.datasets"]:
            given = vars(parser().parse_args(words[3:]))
            rendered[given["name"]] = given
    specs = commanded(experiment)
    assert specs
    if experiment != "cues":  # which starts from a run of quick, and that from its videos
        assert set(rendered) == {spec.dataset for spec in specs}
    for name, given in rendered.items():
        for key, value in QUICK.datasets[name].items():
            assert given[key.removesuffix("_videos")] == value, (name, key)
    assert specs[0].init_from in ("", "run:quick/conv_types/r2plus1d-18_8f_seed0")
    assert {spec.init_from for spec in specs[1:]} <= {"", "folder:my_run"}
    assert {spec.flip for spec in specs if spec.epochs} <= {False}  # direction and sides carry the label
    for spec in specs:
        if spec.init_from == "":
            told = rf"(?<!\d)({flops(spec, 16) / 1e9:.1f} GFLOPs a clip|\| {flops(spec, 16) / 1e9:.3f} \|)"
            assert re.search(told, opening(experiment)), spec
            assert f"{spec.epochs * spec.clips_per_epoch:,}" in opening(experiment), spec


def test_the_command_of_mechanism_changes_the_network_alone_and_each_variant_has_its_counted_cost() -> None:
    [spec] = commanded("mechanism")
    small = QUICK.run("conv_types", "r2plus1d-18_8f_seed0").spec
    assert replace(spec, experiment="conv_types", net="r2plus1d") == small
    lines = re.findall(r"^\| `(\w+)` \|.*\| ([0-9.]+) \| ([0-9.]+) \|$", opening_lines("mechanism"), re.MULTILINE)
    assert {name for name, _, _ in lines} == set(VARIANTS) - {"r2plus1d_per_block", "r2plus1d_stem83"}
    for name, paper, ours in lines:
        assert paper == f"{count_by_name(name).flops / 1e9:.2f}", name
        assert ours == f"{flops(replace(small, net=name), 16) / 1e9:.3f}", name


@pytest.mark.parametrize("experiment", ALL)
def test_the_runs_and_plans_that_a_notebook_names_are_there(experiment: str) -> None:
    for plan, of, name in re.findall(r"runs/(\w+)/(\w+)/(\S+)/metrics.json", opening(experiment)):
        assert PLANS[plan].run(of, name)
    for plan in re.findall(r"--config plan=(\w+)", opening(experiment)):
        assert runs(plan, experiment) or experiment == "cues"


@pytest.mark.parametrize("experiment", ALL)
def test_a_notebook_runs_the_cells_of_the_first_one(experiment: str) -> None:
    code = [cell.source for cell in cells("conv_types")[2:] if cell.cell_type == "code"]
    ours = cells(experiment)
    assert [cell.source for cell in ours[2:] if cell.cell_type == "code"][: len(code)] == code
    assert ours[1].metadata.tags == ["parameters"]
    assert parameters(experiment)["experiment"] == experiment
