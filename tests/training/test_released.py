"""Runs that start from weights: files, other runs, and the released ones through their notebook."""

import hashlib
import json
import shutil

import nbformat
import numpy as np
import papermill
import pytest
import torch

from studylib import REPOSITORY
from studylib.book.experiment import summary
from studylib.book.released import ACCURACIES, beside_published
from studylib.nets import weights
from studylib.nets.build import build_net
from studylib.nets.weights import WeightsError
from studylib.runs.results import BrokenRun, load_run
from studylib.training import checkpoint
from studylib.training import run as training
from studylib.training.checkpoint import checkpoint_folder
from studylib.training.run_files import read_metrics
from studylib.training.spec import RunSpec, load_spec
from tests.foreign_weights import save_torchvision, save_vmz
from tests.trainings import saved_state

NOTEBOOK = REPOSITORY / "book" / "experiments" / "released.ipynb"
TINY = {
    "experiment": "released",
    "net": "r3d",
    "dataset": "pantomime-tiny",
    "width": 4,
    "resolution": 56,
    "batch_size": 8,
    "epochs": 2,
    "clips_per_epoch": 16,
    "lr_schedule": "cosine",
    "standardise": "clip",
    "test_clips": 2,
    "test_sampling": "uniform",
    "amp": "fp32",
}
UNTRAINED = TINY | {"epochs": 0}


@pytest.fixture
def one_thread():
    """The trainer started by a notebook has one thread too: sums are added in the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(folder, **fields):
    """Train and test a run here; (folder, the run, its net as trained)."""
    spec = RunSpec(**fields)
    spec.save(folder)
    training.run(folder)
    saved = saved_state(spec.hash)
    net = build_net(spec.net, num_classes=16, width=spec.width)
    net.load_state_dict(saved["net"])
    weights.set_bn_eps(net, saved["bn_eps"])
    return load_run(folder), net


def through_the_notebook(tmp_path, name, init_from):
    """A run of released.ipynb through papermill."""
    folder = tmp_path / name
    fields = {key: value for key, value in UNTRAINED.items() if key != "experiment"}
    papermill.execute_notebook(
        NOTEBOOK,
        tmp_path / f"{name}.ipynb",
        fields | {"run_folder": str(folder), "init_from": init_from},
        progress_bar=False,
    )
    return load_run(folder)


def same_predictions(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.clip_scores, other.clip_scores, strict=True))


def test_an_exported_net_gives_its_predictions_back_through_the_notebook(tiny_data, tmp_path, one_thread, capfd):
    """From VMZ's form and from torchvision's, bit for bit; the second was fine-tuned with torchvision's epsilon."""
    folder = tiny_data / "weights"
    trained, net = run(tmp_path / "trained", **TINY)
    save_vmz(net, folder / "vmz.pkl")
    save_torchvision(net, folder / "start.pth")
    finetuned, net = run(tmp_path / "finetuned", **TINY | {"init_from": "file:start.pth", "epochs": 1, "seed": 1})
    assert weights.bn_eps(net) == 1e-5
    save_torchvision(net, folder / "torchvision.pth")
    assert not same_predictions(trained.predictions, finetuned.predictions)

    for reference, name in ((trained, "vmz.pkl"), (finetuned, "torchvision.pth")):
        tested = through_the_notebook(tmp_path, name.partition(".")[0], f"file:{name}")
        assert same_predictions(tested.predictions, reference.predictions)
        assert {k: tested.metrics[k] for k in ACCURACIES} == {k: reference.metrics[k] for k in ACCURACIES}
        sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert tested.provenance["init_from"]["sha256"] == sha256
        assert str(tmp_path) not in json.dumps(tested.provenance)
    notebook = nbformat.read(tmp_path / "vmz.ipynb", 4)
    assert "this run" in notebook.cells[-1].outputs[0]["data"]["text/plain"]


def test_a_run_without_training_says_so(tiny_data, tmp_path):
    save_vmz(build_net("r2d", num_classes=16, width=4), tiny_data / "weights" / "x.pkl")
    spec = RunSpec(**UNTRAINED | {"net": "r2d", "init_from": "file:x.pkl"})
    spec.save(tmp_path)
    training.run(tmp_path)
    metrics = read_metrics(tmp_path)
    assert (metrics["train_error"], metrics["test_error"], metrics["clips_per_second"]) == (None, None, None)
    assert metrics["seconds"] == 0
    assert (tmp_path / "history.csv").read_text().count("\n") == 1
    done = load_run(tmp_path)
    assert done.history.empty
    text = summary(done)["value"].to_dict()
    assert text["training"] == "none"
    assert text["weights from"].startswith("file:x.pkl (SHA-256 ")
    assert not {"training time", "training error, last epoch"} & set(text)
    assert list(beside_published(done).index) == ["this run"]

    for change, message in (
        ({"train_error": 5.0}, "although the run trained nothing"),
        ({"params": None}, "params is"),
    ):
        (tmp_path / "metrics.json").write_text(json.dumps(metrics | change))
        with pytest.raises(BrokenRun, match=message):
            load_run(tmp_path)


def test_a_run_starts_from_another_run_and_an_interrupted_one_goes_on_with_its_epsilon(
    tiny_data, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoint, "REPOSITORY", tmp_path)
    monkeypatch.chdir(tmp_path)
    save_torchvision(build_net("r2d", num_classes=16, width=4), tiny_data / "weights" / "start.pt")
    fields = TINY | {"net": "r2d", "epochs": 1}
    source = tmp_path / "runs" / "quick" / "released" / "first"
    with pytest.raises(WeightsError, match="run:quick/released/first: is not a finished run; run it first"):
        run(tmp_path / "early", **fields | {"init_from": "run:quick/released/first"})
    run(source, **fields | {"init_from": "file:start.pt"})

    # tested as it is, by name and by folder
    for i, init_from in enumerate(("run:quick/released/first", "folder:runs/quick/released/first")):
        spec = RunSpec(**fields | {"epochs": 0, "init_from": init_from})
        spec.save(tmp_path / f"tested{i}")
        training.run(tmp_path / f"tested{i}")
        tested = load_run(tmp_path / f"tested{i}")
        assert same_predictions(tested.predictions, load_run(source).predictions)
        assert tested.provenance["init_from"]["bn_eps"] == 1e-5
        assert tested.provenance["init_from"]["form"] == "checkpoint"

    # stopped after its first epoch, called again: the weights are not loaded anew, the epsilon is
    spec = RunSpec(**fields | {"epochs": 2, "init_from": "run:quick/released/first"})
    spec.save(tmp_path / "second")
    train_epoch = training.train_epoch

    def interrupted(session, *rest):
        if session.progress.epoch == 1:
            raise KeyboardInterrupt
        return train_epoch(session, *rest)

    monkeypatch.setattr(training, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.run(tmp_path / "second")
    seen = []
    monkeypatch.setattr(
        training, "train_epoch", lambda own, *rest: seen.append(weights.bn_eps(own.net)) or train_epoch(own, *rest)
    )
    shutil.rmtree(checkpoint_folder(load_spec(source).hash))
    training.run(tmp_path / "second")
    assert seen == [1e-5]
    assert load_run(tmp_path / "second").provenance["init_from"]["source"] == "run:quick/released/first"
    with pytest.raises(WeightsError, match=r"first: has no checkpoint in the data folder \(checkpoints stay where"):
        run(tmp_path / "third", **fields | {"seed": 3, "init_from": "run:quick/released/first"})
