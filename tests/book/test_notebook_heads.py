"""Each notebook of an experiment opens with its claim, the paper's numbers, what it costs and a command that runs."""

import csv
import re
from dataclasses import replace

import pytest

from studylib import REPOSITORY
from studylib.claims import published
from studylib.datasets.__main__ import _parser
from studylib.datasets.report import published_counts
from studylib.nets.complexity import count_by_name
from studylib.nets.table import NETS, PAPER_NAMES
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
EVIDENCE = REPOSITORY / "studylib" / "claims" / "evidence"
CLASSES = {"kinetics400": 400, "sports1m": 487, "ucf101": 101, "hmdb51": 51}
OF_THE_PAPER = tuple(
    name for name in ALL if name not in BEYOND and any(run.spec.experiment == name for run in PLANS["paper"].runs)
)
TABLES = {"sports1m": "table3_sports1m", "kinetics": "table4_kinetics", "transfer": "table5_transfer"}
SMALL = tuple(name for name in ALL if name not in DOWNLOADED)


def runs(plan: str, experiment: str) -> list[PlannedRun]:
    return [run for run in PLANS[plan].runs if run.spec.experiment == experiment]


def flops(spec: RunSpec, classes: int) -> int:
    """Multiply-adds of a clip of a run."""
    s = spec
    return count_by_name(s.net, s.depth, classes, s.clip_length, s.in_channels, s.width, s.resolution).flops


def evidence() -> set[float]:
    """Every published number of the study, and those that its claims print."""
    numbers: set[float] = set()
    for path in EVIDENCE.glob("*.csv"):
        with path.open(newline="") as file:
            for row in csv.reader(file):
                numbers |= {float(text) for cell in row for text in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", cell)}
    return numbers


def test_every_notebook_is_in_one_group_at_least() -> None:
    assert set(ALL) == {*OF_THE_PAPER, *BEYOND, *DOWNLOADED, "two_stream"}


@pytest.mark.parametrize("experiment", ALL)
def test_a_notebook_opens_with_claim_cost_and_command_in_this_order(experiment: str) -> None:
    names = re.findall(r"\*\*(.*?)\.?\*\*", opening(experiment))
    assert names[0] == ("Question" if experiment in BEYOND else "Claim")
    assert names[-2:] == ["Cost", "Command"]
    assert re.match(r"\((beyond the paper|sections? \d|Table)", part(experiment, names[0]))
    assert opening_lines(experiment).startswith("# ")


@pytest.mark.parametrize("experiment", ALL)
def test_a_notebook_quotes_the_paper_s_numbers_or_says_that_it_prints_none(experiment: str) -> None:
    claim = part(experiment, "Question" if experiment in BEYOND else "Claim")
    quoted = {float(text) for text in re.findall(r"\b\d\d\.\d+\b", claim)}
    assert quoted or "prints no number" in claim
    assert quoted <= evidence()
    if experiment in BEYOND:
        assert "prints no number" in claim


@pytest.mark.parametrize(("experiment", "table"), TABLES.items())
def test_a_notebook_quotes_its_table_to_the_digit(experiment: str, table: str) -> None:
    rows = published.table(table).query("trained_by_the_paper == 'yes'")
    accuracies = rows.select_dtypes("number")
    claim = "".join(f"{line}\n" for line in opening_lines(experiment).splitlines() if not line.startswith("| I3D"))
    quoted = re.findall(r"\| ([0-9.]*) ?(?=\|)", claim)
    printed = [f"{value:.1f}" for value in accuracies.to_numpy().ravel() if value == value]
    assert [cell for cell in quoted if cell] == printed


def test_transfer_is_ahead_of_all_but_i3d_and_quotes_its_best() -> None:
    table = published.table("table5_transfer").set_index(["method", "pretraining"])
    others = table.query("trained_by_the_paper == 'no'")
    i3d = others.index.get_level_values("method").str.startswith("I3D")
    for dataset in ("ucf101", "hmdb51"):
        best = table.loc[("R(2+1)D-Two-Stream", "Kinetics-400"), dataset]
        assert others[~i3d][dataset].max() < best < others[i3d][dataset].max()
    two = table.loc[("I3D-Two-Stream", "ImageNet+Kinetics-400")]
    assert f"| I3D, both | ImageNet and Kinetics | {two['ucf101']} | {two['hmdb51']} |" in opening_lines("transfer")


def test_two_streams_are_better_than_either_and_flow_alone_on_hmdb51_only() -> None:
    table = published.table("table5_transfer").set_index(["method", "pretraining"])
    for source in ("Sports-1M", "Kinetics-400"):
        rgb, flow, both = (table.loc[(f"R(2+1)D-{stream}", source)] for stream in ("RGB", "Flow", "Two-Stream"))
        for dataset in ("ucf101", "hmdb51"):
            assert both[dataset] > max(rgb[dataset], flow[dataset])
        assert flow["hmdb51"] > rgb["hmdb51"]
        assert flow["ucf101"] < rgb["ucf101"]
    for name, row in (("RGB", rgb), ("flow", flow), ("both", both)):  # of Kinetics, the last
        assert f"| {name} | {row['ucf101']} | {row['hmdb51']} |" in opening_lines("two_stream")


@pytest.mark.parametrize("experiment", OF_THE_PAPER)
def test_a_notebook_tells_the_counted_cost_of_each_of_its_runs(experiment: str) -> None:
    cost = opening(experiment) if experiment == "conv_types" else part(experiment, "Cost")
    for run in runs("paper", experiment):
        counted = flops(run.spec, CLASSES[run.spec.dataset]) / 1e9
        assert re.search(rf"(?<!\d){counted:.1f}\b", cost), run.name
        if clips := run.spec.epochs * run.spec.clips_per_epoch:
            told = f"{clips // 1_000_000} million" if clips >= 1_000_000 else f"{clips:,} clips"
            assert told in cost or f"{clips:,} on" in cost, run.name


def test_the_notebook_of_table_2_has_each_network_with_its_name_and_its_counted_cost() -> None:
    rows = [line.strip("| ").split(" | ") for line in opening_lines("conv_types").splitlines() if line.startswith("| ")]
    columns = [column.split(", ") for row in rows[1:] for column in row]
    told = [row for start in range(0, len(columns), 3) for row in zip(*columns[start : start + 3], strict=True)]
    of_paper = {run.spec.net: flops(run.spec, 400) / 1e9 for run in runs("paper", "conv_types")}
    assert told == [(PAPER_NAMES[net], f"`{net}`", f"{of_paper[net]:.1f}") for net in NETS]


@pytest.mark.parametrize("experiment", ["two_stream", *DOWNLOADED])
def test_so_does_a_notebook_whose_runs_are_in_other_plans(experiment: str) -> None:
    cost = part(experiment, "Cost")
    if experiment == "released":
        claimed = [("r2plus1d", 18, 8, 3), ("r3d", 18, 16, 3)]
        videos, _ = published_counts("Kinetics-400")["val"]
        assert f"{videos:,} videos" in cost
    else:
        claimed = [("r2plus1d", 34, 32, channels) for channels in (3, 2)]
    for net, depth, length, channels in claimed:
        assert f"{count_by_name(net, depth, 400, length, channels).flops / 1e9:.1f}" in cost


@pytest.mark.parametrize("experiment", SMALL)
def test_a_notebook_tells_what_its_command_takes(experiment: str) -> None:
    told = opening(experiment)
    for spec in commanded(experiment):
        counted = flops(spec, 16) / 1e9
        if spec.init_from == "":
            in_words = rf"{counted:.1f} GFLOPs a clip|\| {counted:.3f} \|"  # mechanism's are in a table
            assert re.search(rf"(?<!\d)({in_words})", told), spec
        if spec.init_from == "" or experiment == "transfer":  # the paper's schedule tells of the others
            assert f"{spec.epochs * spec.clips_per_epoch:,}" in told, spec


@pytest.mark.parametrize("experiment", SMALL)
def test_the_commands_of_a_notebook_run_anywhere(experiment: str) -> None:
    """On rendered videos, which they render as the plan quick does, and from what they trained themselves."""
    rendered = {}
    for words in shell(experiment):
        if words[:3] == ["python", "-m", "studylib.datasets"]:
            given = vars(_parser().parse_args(words[3:]))
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


def test_transfer_fine_tunes_by_the_schedule_of_table_5_on_other_classes() -> None:
    pretrained, finetuned = commanded("transfer")
    paper = next(run.spec for run in runs("paper", "transfer") if run.spec.dataset == "ucf101")
    for field in ("batch_size", "lr", "lr_step", "epochs", "weight_decay", "new_head", "lr_schedule"):
        assert getattr(finetuned, field) == getattr(paper, field), field
    videos = QUICK.datasets[finetuned.dataset]["train_videos"]
    assert finetuned.clips_per_epoch == 8 * 48 == 8 * videos
    assert (pretrained.dataset, pretrained.init_from) == ("pantomime-quick", "")


def test_the_commands_of_two_streams_differ_in_the_stream_alone() -> None:
    flow, rgb = commanded("two_stream")
    assert replace(flow, modality="rgb") == rgb != flow


def test_the_command_of_released_is_a_run_of_its_plan() -> None:
    [spec] = commanded("released")
    assert spec in [run.spec for run in runs("released", "released")]


@pytest.mark.parametrize("experiment", ALL)
def test_the_runs_and_plans_that_a_notebook_names_are_there(experiment: str) -> None:
    text = opening(experiment)
    targets = re.findall(r"runs/(\w+)/(\w+)/(\S+)/metrics.json", text)
    for plan, of, name in targets:
        assert PLANS[plan].run(of, name)
    named = re.findall(r"--config plan=(\w+)", text)
    assert set(named) <= set(PLANS)
    for plan in named:
        assert runs(plan, experiment) or experiment == "cues"
    assert experiment not in OF_THE_PAPER or named


@pytest.mark.parametrize("experiment", ALL)
def test_a_notebook_runs_the_cells_of_the_first_one(experiment: str) -> None:
    first, ours = cells("conv_types"), cells(experiment)
    code = [cell.source for cell in first[2:] if cell.cell_type == "code"]
    assert [cell.source for cell in ours[2:] if cell.cell_type == "code"][: len(code)] == code
    untrained = experiment in ("cues", "released")
    text = [cell.source for cell in first[2:] if cell.cell_type == "markdown"]
    if not untrained:
        assert [cell.source for cell in ours[2:] if cell.cell_type == "markdown"] == text
    assert ours[1].metadata.tags == ["parameters"]
    assert parameters(experiment)["experiment"] == experiment
    assert (parameters(experiment).get("epochs") == 0) == untrained


@pytest.mark.parametrize("experiment", ["cues", "released"])
def test_a_notebook_that_trains_nothing_promises_no_curve(experiment: str) -> None:
    assert not any("grows with each epoch" in cell.source for cell in cells(experiment))
