"""The same clips whoever loads them; videos that cannot be read are replaced, counted and listed."""

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from studylib.datasets.index import Index, write_index
from studylib.runs.results import load_run
from studylib.training import loading
from studylib.training import run as training
from studylib.training.epoch import count_wrong, to_input
from studylib.training.evaluation import clip_top1, read_predictions, video_top_k
from studylib.training.loading import (
    EpochBatches,
    Part,
    TrainingClips,
    VideoClips,
    centre_loader,
    open_parts,
    training_loader,
    video_loader,
)
from studylib.training.run_files import Fault, Faults, TooManyFaults
from studylib.training.spec import RunSpec
from studylib.video.files import write_bytes
from studylib.video.flow import flow_clip
from studylib.video.reading import encode
from tests.made_videos import numbered_frames
from tests.trainings import TINY, saved_state, start
from tests.video_folders import read_clip, read_video

VIDEOS, CLASSES = 40, ("still", "moving", "turning", "falling")
SPEC = RunSpec(**TINY | {"dataset": "folder-small", "resolution": 28, "clips_per_epoch": 80, "epochs": 1})
CPU = torch.device("cpu")


def make_index(root: Path, broken: int = 0, **changes: list) -> Index:
    """40 small videos for training and as many for testing; the first `broken` of each are no videos."""
    paths = [f"{part}/{i}.mp4" for part in ("train", "test") for i in range(VIDEOS)]
    for i, path in enumerate(paths):
        write_bytes(root / "videos" / path, b"no video" if i % VIDEOS < broken else video(i % 8))
    n = len(paths)
    columns = {
        "path": paths,
        "label": [i % 4 for i in range(n)],
        **{"num_frames": [12] * n, "fps": [25.0] * n, "width": [48] * n, "height": [36] * n},
        "split1": ["train"] * VIDEOS + ["test"] * VIDEOS,
        **changes,
    }
    return write_index("folder-small", root / "videos", CLASSES, columns, {}, root)


@cache
def video(number: int) -> bytes:
    """One of a few videos of 12 frames that differ."""
    return encode(np.roll(numbered_frames(12, 36, 48), 5 * number, axis=2), 36, 48, 25, {"crf": "21"})


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("STUDY_CACHE_GB", "0")
    monkeypatch.setenv("STUDY_WORKERS", "0")
    return tmp_path / "data"


def first_batches(part: Part, spec: RunSpec = SPEC) -> list[loading.Batch]:
    return list(training_loader(part, spec)[0])


@pytest.mark.parametrize("cached", [False, True])
def test_a_broken_video_is_replaced_by_the_same_other_one_every_time(
    data: Path, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, _ = open_parts(make_index(data, broken=2), SPEC)
    if cached:
        monkeypatch.delenv("STUDY_CACHE_GB")
        part, _ = open_parts(part.index, SPEC)
        assert set(part.cache.broken) == {0, 1, VIDEOS, VIDEOS + 1}
    once = first_batches(part)
    faults = [fault for batch in once for fault in batch.faults]
    assert {fault.video for fault in faults} == {"train/0.mp4", "train/1.mp4"}
    assert all("cannot be read as video" in fault.reason and str(data) not in fault.reason for fault in faults)
    assert sum(len(batch.labels) for batch in once) == SPEC.clips_per_epoch  # none is missing
    monkeypatch.setenv("STUDY_WORKERS", "2")
    for one, other in zip(once, first_batches(part), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))
        assert one.faults == other.faults


def test_a_run_lists_its_broken_videos_and_tests_the_others(data: Path, tmp_path: Path) -> None:
    make_index(data, broken=2)
    spec = start(tmp_path / "run", dataset="folder-small", resolution=28, clips_per_epoch=80, epochs=1)
    training.run(tmp_path / "run")
    rows = list(csv.DictReader((tmp_path / "run" / "faults.csv").open()))
    assert sorted((row["part"], row["video"], row["clips"]) for row in rows) == [
        ("test", "test/0.mp4", "2"), ("test", "test/1.mp4", "2"),  # the curve's clip, and the test's
        ("train", "train/0.mp4", "2"), ("train", "train/1.mp4", "2"),  # two passes
    ]  # fmt: skip
    assert "cannot be read as video" in rows[0]["reason"]
    predictions = read_predictions(tmp_path / "run" / "predictions.parquet")
    assert predictions.videos == [f"test/{i}.mp4" for i in range(2, VIDEOS)]
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["faults"] == {"train": 2, "test": 2}
    assert load_run(tmp_path / "run").spec == spec


@pytest.mark.parametrize("cached", [False, True])
def test_more_than_five_percent_of_broken_videos_stop_the_run_with_one_line(
    data: Path, tmp_path: Path, cached: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    make_index(data, broken=5)  # 12.5%
    if cached:
        monkeypatch.delenv("STUDY_CACHE_GB")
    start(tmp_path / "run", dataset="folder-small", resolution=28, clips_per_epoch=80, epochs=1)
    assert training.main([str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert "cannot be read" in error
    assert not (tmp_path / "run" / "metrics.json").exists()
    if not cached:
        assert "3 of the 40 train videos" in error
        listed = list(csv.DictReader((tmp_path / "run" / "faults.csv").open()))
        assert len(listed) == 3


def test_faults_go_on_after_a_resume_and_five_percent_is_still_allowed() -> None:
    faults = Faults()
    faults.add("train", [Fault("a.mp4", "gone")] * 3, videos=20)
    resumed = Faults(json.loads(json.dumps(faults.rows())))
    resumed.add("test", [Fault("b.mp4", "empty")], videos=20)
    assert resumed.rows() == [("train", "a.mp4", "gone", 3), ("test", "b.mp4", "empty", 1)]
    with pytest.raises(TooManyFaults, match=r"2 of the 20 train videos.*more than 5%; the last: c\.mp4: gone"):
        resumed.add("train", [Fault("c.mp4", "gone")], videos=20)


def test_flow_from_the_cache_is_flow_from_the_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_fields = {"modality": "flow", "standardise": "dataset"}
    spec = RunSpec(**TINY | {"dataset": "folder-small", "resolution": 28} | flow_fields)
    index = make_index(data)
    read, _ = open_parts(index, spec)
    monkeypatch.delenv("STUDY_CACHE_GB")
    cached, _ = open_parts(index, spec)
    assert cached.cache.frames.dtype == np.float16
    for start_frame in (0, 3, 10):  # the last one runs past the end
        flow = read.clips(5, [start_frame], 8)
        assert flow.shape == (1, 8, 32, 43, 2)
        np.testing.assert_array_equal(cached.clips(5, [start_frame], 8), flow)
    frames = read_clip(index.path("train/5.mp4"), 0, 9, (32, 43))
    np.testing.assert_array_equal(read.clips(5, [0], 8)[0], flow_clip(frames))


@pytest.mark.parametrize("cached", [False, True])
def test_clips_of_frames_4_apart_are_frames_picked_by_hand(
    data: Path, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SPEC, clip_length=3, frame_step=4, test_sampling="uniform", test_clips=2)  # 9 of 12 frames
    index = make_index(data)
    if cached:
        monkeypatch.delenv("STUDY_CACHE_GB")
    train, test = open_parts(index, spec)
    assert (train.cache is not None) == cached

    def picked(part: Part, video: int, numbers: list[int]) -> torch.Tensor:
        return torch.from_numpy(read_video(index.path(part.column("path")[video]), part.size)[np.array(numbers)])

    clips, starts = TrainingClips(train, spec), set()
    for position, video in enumerate(range(VIDEOS)):
        start_frame = clips.draw(0, position, video)[0]
        frames = torch.from_numpy(clips[0, position, video].frames)
        assert torch.equal(frames, picked(train, video, [start_frame, start_frame + 4, start_frame + 8]))
        starts.add(start_frame)
    assert starts == {0, 1, 2, 3}
    batch = first_batches(train, spec)[0]
    first = TrainingClips(train, spec)[EpochBatches(spec, VIDEOS).key(0)]
    assert torch.equal(batch.clips[0], torch.from_numpy(first.frames))
    centre = next(iter(centre_loader(test, spec)))
    assert torch.equal(centre.clips[2], picked(test, 2, [1, 5, 9]))
    assert torch.equal(VideoClips(test, spec)[2][1], picked(test, 2, [[0, 4, 8], [3, 7, 11]]))
    dense = replace(spec, test_sampling="dense", frame_order="reversed")
    assert torch.equal(VideoClips(test, dense)[2][1], picked(test, 2, [[8, 4, 0], [11, 7, 3]]))


@pytest.mark.parametrize("cached", [False, True])
def test_a_clip_that_reaches_over_more_than_its_video_repeats_the_last_frame(
    data: Path, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SPEC, clip_length=5, frame_step=4, test_clips=2)  # 17 frames of 12
    index = make_index(data)
    if cached:
        monkeypatch.delenv("STUDY_CACHE_GB")
    train, test = open_parts(index, spec)
    numbers = [0, 4, 8, 11, 11]
    expected = read_video(index.path("train/3.mp4"), train.size)[numbers]
    np.testing.assert_array_equal(TrainingClips(train, spec)[0, 0, 3].frames, expected)
    expected = torch.from_numpy(read_video(index.path("test/3.mp4"), test.size)[numbers])
    assert torch.equal(next(iter(centre_loader(test, spec))).clips[3], expected)
    assert torch.equal(VideoClips(test, spec)[3][1], expected[None])  # its one place for a clip, once


@pytest.mark.parametrize("amp", ["bf16", "fp32"])
def test_a_run_on_flow_trains_and_is_tested(data: Path, tmp_path: Path, amp: str) -> None:
    make_index(data)
    changes = {"dataset": "folder-small", "resolution": 28, "clips_per_epoch": 16, "epochs": 1, "amp": amp}
    start(tmp_path / "run", **changes, modality="flow", net="r2plus1d", standardise="dataset")
    training.run(tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert len(run.predictions.labels) == VIDEOS
    assert all(np.isfinite(scores.astype(float)).all() for scores in run.predictions.clip_scores)
    weights = saved_state(run.spec.hash)["net"]
    assert weights["stem.0.weight"].shape[1] == 2  # horizontal and vertical


def test_the_windows_are_cut_flipped_and_normalised_on_the_device() -> None:
    clips = torch.randint(0, 256, (2, 8, 32, 43, 3), dtype=torch.uint8)
    windows = torch.tensor([[1, 5, 0], [4, 15, 1]])
    spec = RunSpec(**TINY | {"resolution": 28, "standardise": "dataset"})
    x = to_input(clips, windows, spec, CPU)
    assert x.shape == (2, 3, 8, 28, 28)
    assert x.is_contiguous(memory_format=torch.channels_last_3d)
    shown = (x * torch.tensor([0.22803, 0.22145, 0.216989]).view(1, 3, 1, 1, 1)
             + torch.tensor([0.43216, 0.394666, 0.37645]).view(1, 3, 1, 1, 1)) * 255  # fmt: skip
    torch.testing.assert_close(shown[0].permute(1, 2, 3, 0), clips[0, :, 1:29, 5:33].float(), atol=1e-2, rtol=0)
    torch.testing.assert_close(
        shown[1].permute(1, 2, 3, 0), clips[1, :, 4:32, 15:43].flip(2).float(), atol=1e-2, rtol=0
    )


def test_a_flipped_flow_turns_its_horizontal_component_round() -> None:
    flow = torch.zeros((2, 8, 32, 43, 2), dtype=torch.float16)
    flow[..., 0], flow[..., 1] = 2.0, 3.0
    flow[:, :, :, 0, 0] = 7.0  # the leftmost column
    windows = torch.tensor([[0, 0, 0], [0, 0, 1]])
    x = to_input(flow, windows, RunSpec(**TINY | {"resolution": 28, "modality": "flow", "standardise": "dataset"}), CPU)
    shown = x * torch.tensor([0.972347, 0.755146]).view(1, 2, 1, 1, 1)
    shown += torch.tensor([0.0046635, 0.0046261]).view(1, 2, 1, 1, 1)
    assert x.shape == (2, 2, 8, 28, 28)
    assert shown[0, :, 0, 0, :2].flatten().tolist() == pytest.approx([7, 2, 3, 3], abs=1e-3)
    assert shown[1, :, 0, 0, -2:].flatten().tolist() == pytest.approx([-2, -7, 3, 3], abs=1e-3)


LABEL_SETS = [[i % 4] if i % 2 else [i % 4, (i + 1) % 4] for i in range(2 * VIDEOS)]


def test_a_video_of_several_classes_is_trained_on_each_of_them(data: Path) -> None:
    part, _ = open_parts(make_index(data, labels=pa.array(LABEL_SETS)), SPEC)
    seen: dict[int, set[int]] = {}
    clips = TrainingClips(part, SPEC)
    for epoch in range(20):
        for video in range(VIDEOS):
            draw = clips.draw(epoch, video, video)
            assert draw == clips.draw(epoch, video, video)
            seen.setdefault(video, set()).add(draw[-1])
    assert all(seen[video] == set(LABEL_SETS[video]) for video in seen)


def test_a_prediction_is_right_when_it_is_among_the_labels(data: Path, tmp_path: Path) -> None:
    make_index(data, labels=pa.array(LABEL_SETS))
    start(tmp_path / "run", dataset="folder-small", resolution=28, clips_per_epoch=8, epochs=1)
    training.run(tmp_path / "run")
    predictions = load_run(tmp_path / "run").predictions
    assert [set(labels) for labels in predictions.label_sets] == [set(labels) for labels in LABEL_SETS[VIDEOS:]]
    right = [
        np.argmax(scores) in labels for scores, labels in zip(predictions.scores, LABEL_SETS[VIDEOS:], strict=True)
    ]
    assert video_top_k(predictions, 1) == pytest.approx(100 * np.mean(right))
    assert video_top_k(predictions, 4) == 100
    clips = [np.argmax(s) in own for scores, own in zip(predictions.clip_scores, LABEL_SETS[VIDEOS:], strict=True)
             for s in scores]  # fmt: skip
    assert clip_top1(predictions) == pytest.approx(100 * np.mean(clips))
    assert int(count_wrong(torch.eye(3), torch.tensor([[0, -1], [2, 1], [0, 1]]))) == 1


def test_the_curve_and_the_test_see_each_video_once_whatever_the_workers(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, part = open_parts(make_index(data), SPEC)
    for workers in ("0", "2"):
        monkeypatch.setenv("STUDY_WORKERS", workers)
        assert [i for i, clips, _ in video_loader(part, SPEC) if len(clips) == 3] == list(range(VIDEOS))
        labels = torch.cat([batch.labels for batch in centre_loader(part, SPEC)])
        assert labels.tolist() == part.labels.tolist()
