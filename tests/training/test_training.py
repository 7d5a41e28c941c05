"""The trainer: its protocol, its results, and going on after an interruption."""

import csv
import json
import re
from pathlib import Path

import pytest
import torch

from studylib.datasets.index import load_index
from studylib.nets.build import build_net
from studylib.training import epoch
from studylib.training import run as training
from studylib.training.checkpoint import checkpoint_folder, newest_checkpoint, save_checkpoint
from studylib.training.devices import ALONE, choose
from studylib.training.epoch import Session, TrainingError, learning_rate, make_optimizer, to_input
from studylib.training.evaluation import clip_top1, read_predictions, video_top_k
from studylib.training.loading import open_parts, training_loader
from studylib.training.spec import RunSpec
from tests.trainings import TINY, saved_state, start


def test_the_step_schedule_is_the_papers_and_a_warm_up_changes_what_it_lasts():
    paper = {"experiment": "conv_types", "net": "r3d", "dataset": "kinetics400"}
    rates = [learning_rate(RunSpec(**paper), progress) for progress in (0, 9.99, 10, 25, 44.9)]
    assert rates == pytest.approx([0.01, 0.01, 1e-3, 1e-4, 1e-6])
    rates = [learning_rate(RunSpec(**paper, warmup_epochs=2), progress) for progress in (0, 1, 2, 9.9, 10, 20)]
    assert rates == pytest.approx([0, 0.005, 0.01, 0.01, 1e-3, 1e-4])


def test_cosine_falls_to_zero_after_a_linear_warm_up():
    spec = RunSpec(**TINY | {"epochs": 11, "warmup_epochs": 1})
    rates = [learning_rate(spec, progress) for progress in (0, 0.5, 1, 6, 11)]
    assert rates == pytest.approx([0, 0.005, 0.01, 0.005, 0])


def test_weight_decay_is_on_convolution_fc_and_bn_scale_only():
    net = build_net("r2plus1d", num_classes=5, width=4)
    decayed, free = make_optimizer(net, RunSpec(**TINY, weight_decay=0.3)).param_groups
    names = {id(p): name for name, p in net.named_parameters()}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0)
    assert all(names[id(p)].endswith("weight") for p in decayed["params"])
    assert all(names[id(p)].endswith("bias") for p in free["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(names)
    assert decayed["nesterov"]
    assert decayed["momentum"] == 0.9


@pytest.mark.parametrize("initialisation", ["fan_out", "fan_in"])
def test_a_run_starts_from_the_initialisation_of_its_spec(tiny_data, tmp_path, initialisation):
    spec = start(tmp_path, net="r3d", seed=4, amp="fp32", initialisation=initialisation)
    net = Session(tmp_path, spec, ALONE, choose()).net
    torch.manual_seed(4)
    expected = build_net("r3d", num_classes=net.fc.out_features, width=4, initialisation=initialisation)
    assert torch.equal(net.layer2[0].conv1[0].weight, expected.layer2[0].conv1[0].weight)


def test_a_run_leaves_a_complete_folder_and_a_second_call_changes_nothing(tiny_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(epoch, "SECONDS_BETWEEN_LINES", 0)
    spec = start(tmp_path)
    training.run(tmp_path)
    said = capsys.readouterr().out
    assert re.findall(r"epoch 1/3 step (\d)/3  loss \d\.\d+ .* clips/s  waiting for data .* left", said) == ["1", "2"]
    assert len(re.findall(r"epoch (\d)/3  train loss \d\.\d+ .* left", said)) == 3
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["spec_hash"] == spec.hash
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["step"] for row in rows] == ["3", "6", "9"]  # 20 clips in batches of 8
    assert metrics["train_error"] == float(rows[-1]["train_error"])
    assert all(0 < float(row["data_wait"]) < 1 for row in rows)
    assert all(float(row["clips_per_second"]) == pytest.approx(20 / float(row["seconds"])) for row in rows)
    predictions = read_predictions(tmp_path / "predictions.parquet")
    index = load_index("pantomime-tiny")
    assert predictions.videos == index.table["path"].take(index.rows(1, "test")).to_pylist()
    assert all(scores.shape == (3, 16) for scores in predictions.clip_scores)
    assert metrics["clip_top1"] == clip_top1(predictions)
    assert metrics["video_top5"] == video_top_k(predictions, 5)
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["dataset"]["manifest_hash"] == index.manifest_hash
    assert str(tmp_path.parent) not in json.dumps(provenance)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    training.run(tmp_path)
    assert "finished already" in capsys.readouterr().out
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


def test_every_video_comes_once_before_any_comes_again(tiny_data):
    spec = RunSpec(**TINY | {"clips_per_epoch": 24, "batch_size": 8, "clip_length": 64, "flip": False})
    part, _ = open_parts(load_index("pantomime-tiny"), spec)
    loader, keys = training_loader(part, spec)
    labels = []
    for epoch_number in range(4):  # 96 clips are three passes over 32 videos
        keys.epoch = epoch_number
        labels += [int(label) for batch in loader for label in batch.labels]
    expected = sorted(part.labels.tolist())
    assert [sorted(labels[i : i + 32]) for i in (0, 32, 64)] == [expected] * 3


def test_normalisation_per_clip_is_by_its_own_mean_and_deviation():
    clips = torch.randint(0, 256, (2, 4, 6, 6, 3), dtype=torch.uint8)
    cpu, whole = torch.device("cpu"), torch.zeros((2, 3), dtype=torch.int64)
    x = to_input(clips, whole, RunSpec(**TINY | {"resolution": 6, "standardise": "clip"}), cpu)
    assert x.shape == (2, 3, 4, 6, 6)
    assert x.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(x.mean((1, 2, 3, 4)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((1, 2, 3, 4)), torch.ones(2))


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(tiny_data, tmp_path, monkeypatch):
    spec = start(tmp_path)
    train_step, steps = epoch.train_step, []

    def poisoned(net, *arguments):
        steps.append(1)
        if len(steps) == 5:  # the second of the three steps of the second epoch
            torch.nn.init.constant_(net.fc.bias, float("nan"))
        return train_step(net, *arguments)

    monkeypatch.setattr(epoch, "train_step", poisoned)
    with pytest.raises(TrainingError, match=r"the loss is not finite after epoch 2, clip 20, .*; lower lr"):
        training.run(tmp_path)
    assert not (tmp_path / "metrics.json").exists()
    saved = saved_state(spec.hash)
    assert len(saved["history"]) == 1
    assert torch.isfinite(saved["net"]["fc.bias"]).all()


def test_weights_that_are_no_numbers_are_not_saved(tiny_data, tmp_path, monkeypatch):
    """The loss of a step can be finite and its gradient not."""
    spec = start(tmp_path, epochs=1)
    train_step = epoch.train_step

    def poisoned(net, *arguments):
        done = train_step(net, *arguments)
        torch.nn.init.constant_(net.fc.bias, float("inf"))
        return done

    monkeypatch.setattr(epoch, "train_step", poisoned)
    monkeypatch.setenv("STUDY_CHECKPOINT_MINUTES", "0")
    with pytest.raises(TrainingError, match=r"fc\.bias is not finite after epoch 1, clip 8, learning rate 0\.0"):
        training.run(tmp_path)
    assert newest_checkpoint(checkpoint_folder(spec.hash)) is None


WRONG = {"STUDY_WORKERS": "two", "STUDY_CACHE_GB": "-1", "STUDY_CHECKPOINT_MINUTES": "nan", "STUDY_COMPILE": "2"}


def test_what_is_no_number_in_the_environment_is_named(tiny_data, tmp_path, monkeypatch, capsys):
    start(tmp_path, epochs=1, amp="fp32")
    for name, given in WRONG.items():
        with monkeypatch.context() as environment:
            environment.setenv(name, given)
            assert training.main([str(tmp_path)]) == 1
        assert re.fullmatch(rf"error: {name}: '{given}' is n.+\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda saved: saved["provenance"]["dataset"].update(manifest_hash="0"), "was trained on another pantomime-"),
        (lambda saved: saved["net"].pop("fc.bias"), "does not fit this run .*fc.bias"),
        (lambda saved: saved.pop("optimizer"), "does not fit this run .*optimizer"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_named_and_kept(tiny_data, tmp_path, change, message, capsys):
    spec = start(tmp_path, epochs=1)
    training.run(tmp_path)
    (tmp_path / "metrics.json").unlink()
    saved = saved_state(spec.hash)
    change(saved)
    path = save_checkpoint(checkpoint_folder(spec.hash), 21, saved)
    content = path.read_bytes()
    assert training.main([str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert re.search(rf"^error: .*{path.name}: {message}.*; remove .* to start anew$", error)
    assert error.count("\n") == 1
    assert path.read_bytes() == content
    assert not (tmp_path / "metrics.json").exists()


def test_a_full_disk_ends_the_run_with_one_line_and_nothing_lost(tiny_data, tmp_path, monkeypatch, capsys):
    spec = start(tmp_path / "run")
    write_history = training.write_history

    def filled_up_after_an_epoch(folder, rows):
        write_history(folder, rows)
        (tiny_data / "full").symlink_to("/dev/full")  # a file that takes no byte
        monkeypatch.setattr("studylib.training.checkpoint.partial_path", lambda path: tiny_data / "full")

    monkeypatch.setattr(training, "write_history", filled_up_after_an_epoch)
    assert training.main([str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert re.match(r"error: .*cannot write a checkpoint \(No space left on device\); those that were there are", error)
    assert error.count("\n") == 1
    monkeypatch.undo()
    monkeypatch.setenv("STUDY_DATA", str(tiny_data))
    assert len(saved_state(spec.hash)["history"]) == 1
    training.run(tmp_path / "run")
    assert "going on in epoch 2" in capsys.readouterr().out
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 1 + 3


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 GB")]
)
def test_out_of_memory_says_which_setting_to_lower(tiny_data, tmp_path, monkeypatch, capsys, error):
    start(tmp_path)

    def too_much(*_):
        raise error

    monkeypatch.setattr(epoch, "train_step", too_much)
    assert training.main([str(tmp_path)]) == 1
    assert re.match(
        r"error: out of memory at batch_size 8 .*lower batch_size \(and lr in proportion\), or set rec",
        capsys.readouterr().err,
    )


def test_what_a_run_prints_names_no_folder_of_the_machine(tiny_data, tmp_path, monkeypatch, capsys):
    """Its lines are kept in the executed notebook, which is published."""
    monkeypatch.chdir(tmp_path)
    start(Path("run"))
    training.run(Path("run"))
    said = capsys.readouterr().out
    assert str(tiny_data) not in said
    assert str(tmp_path) not in said
