"""What makes a run, and how wrong parameters are refused."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from studylib.book import experiment as notebook
from studylib.book.experiment import spec_of_parameters
from studylib.training.spec import RunSpec, SpecError, load_spec, parse_init_from, recorded_hash

GOOD = {"experiment": "conv_types", "net": "r3d", "dataset": "pantomime-quick"}


def test_the_defaults_are_the_papers():
    spec = RunSpec(**GOOD)
    assert (spec.clip_length, spec.resolution, spec.batch_size, spec.epochs) == (8, 112, 32, 45)
    assert (spec.lr, spec.lr_step, spec.clips_per_epoch, spec.test_clips) == (0.01, 10, 1_000_000, 10)
    assert (spec.frame_order, spec.sync_bn, spec.recompute) == ("normal", False, False)
    assert (spec.frame_step, spec.initialisation) == (1, "fan_out")
    assert RunSpec(**GOOD, modality="flow").frame_order == "normal"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": "x", "depth": 5}, "net: .*; depth: "),
        ({"net": "r2plus2d"}, "net: 'r2plus2d' should be 'r2d', .*did you mean 'r2plus1d'"),
        ({"dataset": "imagenet"}, "dataset: 'imagenet' does not start with one of pantomime"),
        ({"clip_lenght": 8}, "clip_lenght: no such parameter; did you mean 'clip_length'"),
        ({"lr": "1e-3"}, r"lr: '1e-3' should be a valid number; YAML reads 1e-3 as a text, write 0.001"),
        ({"epochs": 2.5}, r"epochs: 2.5 should be a valid integer"),
        ({"epochs": True}, r"epochs: True should be a valid integer"),
        ({"epochs": 0}, "epochs: 0 is out of range"),
        ({"lr": float("nan")}, "lr: nan should be a finite number"),
        ({"flip": "no"}, "flip: 'no' should be a valid boolean"),
        ({"depth": "18"}, "depth: '18' should be 18 or 34"),
        ({"dataset": "pantomime/../x"}, "dataset: .* should match pattern"),
        ({"warmup_epochs": 45}, "warmup_epochs: 45 leaves nothing of 45 epochs"),
        ({"frame_order": "shufled"}, "frame_order: 'shufled' should be .*did you mean 'shuffled'"),
        ({"frame_order": "reversed", "modality": "flow"}, "frame_order: 'reversed' needs modality rgb"),
        ({"frame_step": 0}, "frame_step: 0 should be greater than 0"),
        ({"frame_step": 4, "modality": "flow"}, "frame_step: 4 needs modality rgb; flow is between frames as they"),
        ({"standardise": "clip", "modality": "flow"}, "standardise: 'clip' would take .*; set it to dataset"),
        ({"new_head": True}, "new_head: a new classifier starts from the weights of init_from"),
        ({"epochs": 0, "init_from": "file:x.pkl", "new_head": True}, "new_head: .* has to be trained"),
        ({"epochs": 0, "init_from": "file:x.pkl", "warmup_epochs": 1}, "warmup_epochs: 1 leaves nothing of 0 epochs"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_it_takes(change, message):
    with pytest.raises(SpecError, match=message):
        RunSpec.from_parameters(GOOD | change)


@pytest.mark.parametrize(
    ("init_from", "kind"),
    [
        ("torchvision:r3d_18", "torchvision"),
        ("run:quick/conv_types/r2d-18_8f_seed0", "run"),
        ("folder:runs/try/released/a", "folder"),
        ("file:x.pkl", "file"),
    ],
)
def test_init_from_names_weights_of_four_kinds(init_from, kind):
    assert parse_init_from(RunSpec(**GOOD, init_from=init_from).init_from).kind == kind


WRONG = ["torchvision:r3d_50", "run:quick/r2d", "file:../x.pkl", "file:x.npz", "folder:/x", "folder:a/../x", "x.pkl"]


@pytest.mark.parametrize("init_from", WRONG)
def test_another_init_from_is_refused_with_what_it_takes(init_from):
    takes = r"init_from: .* names no weights; it takes .*torchvision:NAME.*run:PLAN.*file:"
    with pytest.raises(SpecError, match=takes):
        RunSpec.from_parameters(GOOD | {"init_from": init_from})


def test_the_hash_depends_on_every_field_and_on_nothing_else():
    spec = RunSpec(**GOOD)
    assert RunSpec(**GOOD, lr=0.01, weight_decay=0.0001).hash == spec.hash
    assert RunSpec(**GOOD, warmup_epochs=0, lr=1).hash == RunSpec(**GOOD, lr=1.0).hash
    other = {"seed": 1, "lr": 0.1, "flip": False, "net": "r2d", "test_sampling": "dense", "frame_order": "frozen"}
    other |= {"sync_bn": True, "recompute": True, "frame_step": 4, "initialisation": "fan_in"}
    hashes = {dataclasses.replace(spec, **{name: value}).hash for name, value in other.items()}
    assert len(hashes | {spec.hash}) == len(other) + 1


def test_a_spec_written_before_a_field_was_there_is_the_same_run(tmp_path):
    spec = RunSpec(**GOOD)
    spec.save(tmp_path)
    fields = json.loads((tmp_path / "spec.json").read_text())
    for name in ("frame_order", "sync_bn", "recompute", "frame_step", "initialisation"):
        del fields[name]
    (tmp_path / "spec.json").write_text(json.dumps(fields))
    assert load_spec(tmp_path) == spec
    recorded = recorded_hash(tmp_path)
    assert recorded == hashlib.sha256(json.dumps(fields).encode()).hexdigest() != spec.hash
    spec.save(tmp_path)  # not refused, and not written anew: its hash names the recorded run
    assert json.loads((tmp_path / "spec.json").read_text()) == fields
    assert recorded_hash(tmp_path) == recorded
    with pytest.raises(SpecError, match="frame_order is 'normal', wanted 'shuffled'"):
        RunSpec(**GOOD, frame_order="shuffled").save(tmp_path)
    with pytest.raises(SpecError, match="frame_step is 1, wanted 4; initialisation is 'fan_out', wanted 'fan_in'"):
        RunSpec(**GOOD, frame_step=4, initialisation="fan_in").save(tmp_path)


def test_a_run_folder_of_another_run_is_refused_and_untouched(tmp_path):
    RunSpec(**GOOD).save(tmp_path)
    (tmp_path / "metrics.json").write_text("{}")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SpecError, match=r"holds another run \(lr is 0.01, wanted 0.02\).*rename or remove"):
        RunSpec(**GOOD, lr=0.02).save(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "missing"), ("{", "not JSON"), ('{"net": "r3d"}', "experiment: missing.*dataset: missing")],
)
def test_a_broken_spec_file_is_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "spec.json").write_text(content)
    with pytest.raises(SpecError, match=rf"spec\.json: .*{message}"):
        load_spec(tmp_path)


def test_a_notebooks_names_are_its_parameters(tmp_path):
    names = GOOD | {"run_folder": str(tmp_path / "r"), "_i": "x", "In": [], "Out": {}, "spec_of_parameters": print}
    spec, folder = spec_of_parameters(names)
    assert spec == RunSpec(**GOOD)
    assert (folder / "spec.json").exists()
    # a second call of the cell, after it has named its results
    assert spec_of_parameters(names | {"spec": spec, "run_folder": folder}) == (spec, folder)
    with pytest.raises(SpecError, match="clips_per_epok: no such parameter"):
        spec_of_parameters(names | {"clips_per_epok": 5})
    with pytest.raises(SpecError, match="run_folder: None"):
        spec_of_parameters(GOOD)


@pytest.mark.parametrize("folder", ["book/experiments", "book/experiments/mine", "elsewhere"])
def test_a_notebook_that_is_started_in_its_own_folder_works_at_the_root(tmp_path, monkeypatch, folder):
    """As Jupyter Lab and VS Code start it; papermill says where."""
    monkeypatch.setattr(notebook, "REPOSITORY", tmp_path)
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    spec_of_parameters(GOOD | {"run_folder": "runs/try"})
    root = tmp_path / "elsewhere" if folder == "elsewhere" else tmp_path
    assert (root / "runs" / "try" / "spec.json").exists()
    assert Path.cwd() == root
    assert not any((tmp_path / "book").rglob("spec.json"))
