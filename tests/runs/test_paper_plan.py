"""runs/paper.yaml is the paper: each row of its Tables 2 to 5 that it trained has its runs, at the paper's settings."""

import re

import pytest

from studylib import REPOSITORY
from studylib.claims import published
from studylib.nets.table import NETS, PAPER_NAMES
from studylib.runs.plan import PlannedRun, load_plan
from studylib.stats.estimates import OFFICIAL_SPLITS
from studylib.training.spec import RunSpec

PLAN = load_plan(REPOSITORY / "runs" / "paper.yaml")
PRETRAINING = {"none": None, "Sports-1M": "sports1m", "Kinetics-400": "kinetics400"}
KEYS = {name: key for key, name in PAPER_NAMES.items()}
TRANSFER, SAME = ("ucf101", "hmdb51"), ("net", "depth", "width", "modality", "seed")


def runs(experiment, **wanted) -> list[PlannedRun]:
    """The planned runs of an experiment with these fields, of seed 0."""
    own = [run for run in PLAN.runs if run.spec.experiment == experiment and run.spec.seed == 0]
    return [run for run in own if all(getattr(run.spec, key) == value for key, value in wanted.items())]


def own_rows(table: str) -> list[dict]:
    """The rows of a published table that the paper trained and that are no fusion of two others."""
    rows = published.table(table).query("trained_by_the_paper == 'yes'").to_dict("records")
    return [row for row in rows if "Two-Stream" not in row["method"]]


def fields_of(method: str) -> dict:
    """ "R(2+1)D-Flow-8frame" -> net, modality and, where the name has one, clip_length."""
    net, modality, frames = re.fullmatch(r"(R\(2\+1\)D|R3D)(?:-(RGB|Flow))?(?:-(\d+)frame)?", method).groups()
    found = {"net": KEYS[net], "depth": 34, "modality": (modality or "rgb").lower()}
    return found | ({"clip_length": int(frames)} if frames else {})


def pretrained_on(run) -> str | None:
    """The dataset of the run that a run starts from, None from scratch."""
    start = PLAN.start_of(run)
    return start and start.spec.dataset


def test_table_2_has_its_twelve_networks_and_nothing_is_changed_for_them():
    for row in published.table("table2_conv_types").to_dict("records"):
        assert row["dataset"] == "Kinetics-400"
        found = runs("conv_types", net=KEYS[row["net"]], depth=row["depth"], dataset="kinetics400")
        assert [run.name for run in found] == [f"{KEYS[row['net']]}-18_8f_seed0"]
        assert found[0].spec == RunSpec(experiment="conv_types", net=KEYS[row["net"]], dataset="kinetics400")
        assert (found[0].spec.clip_length, found[0].spec.resolution) == (row["clip_frames"], row["crop"])
    assert len(runs("conv_types")) == len(NETS) == 12


@pytest.mark.parametrize("row", own_rows("table3_sports1m"), ids=lambda row: row["method"])
def test_table_3_has_a_run_for_each_row(row):
    wanted = fields_of(row["method"])
    found = runs("sports1m", dataset="sports1m", init_from="", **wanted)
    # the length of R3D is not printed: both are planned
    lengths = [wanted["clip_length"]] if "clip_length" in wanted else [8, 32]
    assert [run.spec.clip_length for run in found] == lengths


@pytest.mark.parametrize("row", own_rows("table4_kinetics"), ids=lambda row: f"{row['method']}, {row['pretraining']}")
def test_table_4_has_a_run_for_each_row(row):
    source = PRETRAINING[row["pretraining"]]
    found = runs("kinetics", dataset="kinetics400", clip_length=32, **fields_of(row["method"]))
    [run] = [run for run in found if pretrained_on(run) == source]
    assert run.spec.new_head == bool(source)


@pytest.mark.parametrize("dataset", TRANSFER)
@pytest.mark.parametrize("row", own_rows("table5_transfer"), ids=lambda row: f"{row['method']}, {row['pretraining']}")
def test_table_5_has_three_splits_for_each_row(row, dataset):
    found = runs("transfer", dataset=dataset, clip_length=32, new_head=True, **fields_of(row["method"]))
    found = [run for run in found if pretrained_on(run) == PRETRAINING[row["pretraining"]]]
    assert [run.spec.split for run in found] == list(OFFICIAL_SPLITS)
    assert len({run.spec.init_from for run in found}) == 1


def test_a_network_starts_from_the_same_kind_of_network_and_has_a_new_classifier_for_other_classes():
    for run in (run for run in PLAN.runs if run.spec.init_from):
        start = PLAN.start_of(run)
        assert [getattr(start.spec, key) for key in SAME] == [getattr(run.spec, key) for key in SAME], run.name
        assert run.spec.new_head == (start.spec.dataset != run.spec.dataset), run.name
