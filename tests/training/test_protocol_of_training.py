"""The protocol of training, fine-tuning and testing, sentence by sentence, on nets that train in seconds.

Weight decay, the step schedule and the passes over the videos are in `test_training`, the test clips in
`test_clips`, files of weights in `test_weights`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from studylib.datasets.index import load_index
from studylib.nets.build import build_net
from studylib.nets.table import PRINTED_NAMES
from studylib.nets.weights import Weights, WeightsError, load_weights
from studylib.runs.results import load_run
from studylib.training import run as training
from studylib.training.checkpoint import initialise_from
from studylib.training.evaluation import Predictions
from studylib.training.loading import VideoClips, open_parts
from studylib.training.spec import RunSpec
from studylib.video.clips import frames_in_order
from tests.training.test_loading import VIDEOS, make_index

FIELDS = {
    "experiment": "protocol",
    "net": "f_r2d",
    "dataset": "pantomime-tiny",
    "width": 4,
    "resolution": 56,
    "epochs": 1,
    "clips_per_epoch": 32,
    "batch_size": 8,
    "lr": 0.1,  # so that scores of so short a training are not all alike
    "standardise": "clip",
    "test_clips": 2,
    "amp": "fp32",
}
SMALL = {"dataset": "folder-small", "resolution": 28}  # 4 classes, videos of 12 frames


@pytest.fixture(scope="module")
def trained(tiny_pantomime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the trained runs f_r2d, r3d, r2plus1d and r2d of 8 frames, and a data root `data`."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "data").mkdir()
    (folder / "data" / "pantomime-tiny").symlink_to(tiny_pantomime)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_DATA", str(folder / "data"))
        make_index(folder / "data")
        for net in ("f_r2d", "r3d", "r2plus1d", "r2d"):
            run(folder / net, net=net)
    return folder


@pytest.fixture
def at_trained(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("STUDY_DATA", str(trained / "data"))
    monkeypatch.chdir(trained)
    return trained


def run(folder: Path, **changes: object) -> Path:
    """Train and test a run here."""
    RunSpec(**FIELDS | changes).save(folder)
    training.run(folder)
    return folder


def predictions_of(folder: Path, net: str, **changes: object) -> Predictions:
    """What the trained net predicts without more training."""
    return load_run(run(folder, net=net, epochs=0, init_from=f"folder:{net}", **changes)).predictions


def history(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "history.csv").open()))


def net_of(folder: str, **changes: object) -> nn.Module:
    """The net of a finished run, in eval mode."""
    spec = RunSpec(**FIELDS | changes)
    net = build_net(spec.net, num_classes=len(load_index(spec.dataset).classes), width=spec.width)
    initialise_from(net, f"folder:{folder}")
    return net.eval()


def difference(one: Predictions, other: Predictions) -> float:
    """The largest difference of a clip's score."""
    assert one.videos == other.videos
    pairs = zip(one.clip_scores, other.clip_scores, strict=True)
    return max(float(np.abs(a.astype(np.float32) - b).max()) for a, b in pairs)


# The schedule


def test_a_run_divides_its_learning_rate_by_ten_every_so_many_epochs(tiny_data: Path, tmp_path: Path) -> None:
    rows = history(run(tmp_path, clips_per_epoch=16, epochs=5, lr_step=2))
    assert [float(row["lr"]) for row in rows] == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_a_class_that_is_only_tested_or_only_trained_is_no_error(data_root: Path, tmp_path: Path) -> None:
    make_index(data_root, label=[0, 1] * (VIDEOS // 2) + [1, 2] * (VIDEOS // 2))
    predictions = load_run(run(tmp_path / "run", **SMALL)).predictions
    assert set(predictions.labels.tolist()) == {1, 2}
    assert all(scores.shape == (2, 4) for scores in predictions.clip_scores)


# Where the first weights come from


def test_fine_tuning_to_other_classes_starts_from_the_sources_weights_and_a_new_head(
    at_trained: Path, tmp_path: Path
) -> None:
    """At a learning rate that moves no weight, training ends where it began; another dataset, and smaller frames."""
    run(at_trained / "tuned", init_from="folder:f_r2d", new_head=True, lr=1e-12, weight_decay=0.0, **SMALL)
    source = dict(net_of("f_r2d").named_parameters())
    start = dict(net_of("tuned", **SMALL).named_parameters())
    assert start.keys() == source.keys()
    assert (source["fc.weight"].shape, start["fc.weight"].shape) == ((16, 32), (4, 32))
    for name, tensor in start.items():
        if not name.startswith("fc."):
            torch.testing.assert_close(tensor, source[name], rtol=0, atol=1e-9)
    # the new one is drawn, not cut from the old one
    assert not torch.isclose(start["fc.weight"], source["fc.weight"][:4], atol=1e-6).all(1).any()


@pytest.mark.parametrize("name", PRINTED_NAMES)
def test_all_nets_but_r2d_and_c3d_take_weights_of_another_clip_length(name: str) -> None:
    short, long = (build_net(name, num_classes=5, width=4, clip_length=length) for length in (16, 32))
    weights = Weights(short.state_dict(), "checkpoint", 1e-3, "last.pt")
    if name in ("r2d", "c3d"):
        with pytest.raises(WeightsError, match=r"takes .*clip_length.* it was trained"):
            load_weights(long, weights)
        return
    load_weights(long, weights)
    assert all(torch.equal(long.state_dict()[key], tensor) for key, tensor in short.state_dict().items())


# Testing a trained net at other sizes


@pytest.mark.parametrize("changes", [{"clip_length": 16}, {"resolution": 42}])
def test_a_trained_net_is_tested_at_another_size(at_trained: Path, tmp_path: Path, changes: dict[str, int]) -> None:
    """Figure 5's other question is how the 8-frame net does on longer clips."""
    tested = predictions_of(tmp_path / "tested", "r2plus1d", **changes)
    assert all(scores.shape == (2, 16) for scores in tested.clip_scores)
    assert history(tmp_path / "tested") == []
    assert difference(tested, load_run(at_trained / "r2plus1d").predictions) > 1e-3


# Shuffled, reversed and frozen frames


def test_the_order_of_frames_is_what_its_name_says() -> None:
    rng = np.random.default_rng(0)
    assert frames_in_order("normal", 5, rng).tolist() == [0, 1, 2, 3, 4]
    assert frames_in_order("reversed", 5, rng).tolist() == [4, 3, 2, 1, 0]
    assert frames_in_order("frozen", 5, rng).tolist() == [2] * 5
    assert frames_in_order("frozen", 8, rng).tolist() == [4] * 8
    assert frames_in_order("shuffled", 1, rng).tolist() == [0]
    with pytest.raises(ValueError, match="'backwards' is not one of normal, shuffled, reversed, frozen"):
        frames_in_order("backwards", 5, rng)


def test_shuffled_frames_come_in_every_order_but_the_normal_one() -> None:
    rng = np.random.default_rng(0)
    orders = [tuple(frames_in_order("shuffled", 3, rng).tolist()) for _ in range(200)]
    assert set(orders) == {(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)}


def test_every_net_sees_the_same_shuffled_frames_whatever_the_workers(tiny_data: Path) -> None:
    index = load_index("pantomime-tiny")

    def clips(workers: int, **changes: object) -> list[torch.Tensor]:
        spec = RunSpec(**FIELDS | changes)
        videos = VideoClips(open_parts(index, spec)[1], spec)
        return [clips for _, clips, _ in DataLoader(videos, batch_size=None, num_workers=workers)]

    normal, shuffled = clips(0), clips(0, frame_order="shuffled")
    others = [
        clips(2, frame_order="shuffled", net="r3d", seed=5, epochs=3),
        clips(0, frame_order="shuffled", width=8, batch_size=3),
    ]
    for other in others:
        assert all(torch.equal(one, same) for one, same in zip(shuffled, other, strict=True))
    changed = 0
    for video, mixed in zip(normal, shuffled, strict=True):
        for clip, moved in zip(video, mixed, strict=True):
            frames, moved_frames = ([frame.numpy().tobytes() for frame in each] for each in (clip, moved))
            assert sorted(frames) == sorted(moved_frames)
            changed += frames != moved_frames
    assert changed > 0.8 * 16 * 2  # of a clip in which nothing moves, any order is the same


def test_reversed_and_frozen_clips_are_the_normal_ones_run_backwards_and_stopped(tiny_data: Path) -> None:
    index = load_index("pantomime-tiny")
    videos = {}
    for order in ("normal", "reversed", "frozen"):
        spec = RunSpec(**FIELDS, frame_order=order)
        videos[order] = VideoClips(open_parts(index, spec)[1], spec)[3][1]  # (N, T, H, W, C)
    assert torch.equal(videos["reversed"], videos["normal"].flip(1))
    assert torch.equal(videos["frozen"], videos["normal"][:, 4:5].expand_as(videos["normal"]))


def test_a_net_without_convolution_in_time_is_blind_to_the_order_of_frames_and_r3d_is_not(at_trained: Path) -> None:
    for order in ("reversed", "shuffled"):
        changes = {}
        for net in ("f_r2d", "r3d"):
            moved = predictions_of(at_trained / f"{net}_{order}", net, frame_order=order)
            changes[net] = difference(moved, load_run(at_trained / net).predictions)
        assert changes["f_r2d"] < 5e-4  # a rounding of float16
        assert changes["r3d"] > 5e-3


def test_the_order_of_frames_changes_the_final_test_and_neither_training_nor_its_curve(at_trained: Path) -> None:
    other = run(at_trained / "trained_reversed", net="r3d", frame_order="reversed")
    columns = ("train_loss", "train_error", "test_loss", "test_error")
    told = [[row[c] for row in history(folder) for c in columns] for folder in (at_trained / "r3d", other)]
    assert told[0] == told[1]
    assert difference(load_run(other).predictions, load_run(at_trained / "r3d").predictions) > 5e-3
