"""What a training starts from: the weights of a run, of a released file, and of nobody who is tested."""

from dataclasses import replace

import pytest
import torch
import torchvision

from studylib.datasets.index import Index, write_index
from studylib.datasets.miracl import FOLDS, FRAMES_A_WORD
from studylib.nets.build import build_net
from studylib.nets.weights import WeightsError
from studylib.training import checkpoint
from studylib.training import run as training
from studylib.training.checkpoint import checkpoint_folder, initialise_from, save_checkpoint, weights_path
from studylib.training.spec import RunSpec, SpecError, parse_init_from, recorded_hash
from tests.fake_runs import write_fake_run
from tests.foreign_weights import save_vmz
from tests.training.test_loading import VIDEOS, make_index
from tests.trainings import start


def test_weights_of_a_run_are_those_of_the_end_of_its_training(tmp_path, monkeypatch):
    """A recorded run has metrics; here its training may have been begun only, or its last checkpoint be damaged."""
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    spec = RunSpec(experiment="conv_types", net="r2d", dataset="pantomime-tiny", width=4, epochs=3, clips_per_epoch=20)
    write_fake_run(tmp_path / "run", spec)
    folder, source = checkpoint_folder(recorded_hash(tmp_path / "run")), parse_init_from("folder:run")

    def refused_after(clips):
        told = rf"folder:run: its checkpoint 0+{clips}-\w+\.pt in the data folder has seen {clips} of the 60 "
        with pytest.raises(WeightsError, match=told + r"clips .*remove its metrics\.json and run it again"):
            weights_path(source)

    save_checkpoint(folder, 20, {"clips": 20})
    refused_after(20)
    save_checkpoint(folder, 55, {"clips": 55})
    refused_after(55)
    last = save_checkpoint(folder, 60, {"clips": 60})
    assert weights_path(source) == last
    last.write_bytes(b"damaged")
    refused_after(55)


def test_a_dataset_without_training_videos_is_enough_for_a_run_that_trains_nothing(data_root, tmp_path):
    """Its weights have to have its number of classes."""
    make_index(data_root, split1=["test"] * 2 * VIDEOS)
    save_vmz(build_net("r2d", num_classes=3, width=4), data_root / "weights" / "x.pkl")
    start(tmp_path / "run", dataset="folder-small", resolution=28, epochs=0, init_from="file:x.pkl")
    with pytest.raises(WeightsError, match=r"is \(3, 32\) in the file, \(4, 32\) in the net"):
        training.run(tmp_path / "run")


def test_torchvisions_released_file_is_fetched_by_torchvisions_own_means(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    enum = torchvision.models.get_model_weights("mc3_18")
    reference = torchvision.models.get_model("mc3_18", num_classes=400)
    fetched = []

    def fetch(self, *arguments, **options):
        fetched.append((self.url, options["check_hash"]))
        path = tmp_path / "hub" / "checkpoints" / self.url.rpartition("/")[2]
        path.parent.mkdir(parents=True)
        torch.save(reference.state_dict(), path)

    monkeypatch.setattr(enum, "get_state_dict", fetch)
    net = build_net("mc3")
    recorded = initialise_from(net, "torchvision:mc3_18")
    assert fetched == [(enum.DEFAULT.url, True)]
    for name, tensor in reference.state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor), name
    assert recorded["form"] == "torchvision"
    assert len(recorded["sha256"]) == 64

    def offline(self, *arguments, **options):
        raise OSError("no route")

    monkeypatch.setattr(enum, "get_state_dict", offline)
    with pytest.raises(WeightsError, match=r"torchvision:mc3_18: https://.* cannot be had \(no route\)"):
        initialise_from(net, "torchvision:mc3_18")


def lips(name, root) -> Index:
    """A video of each speaker of MIRACL-VC1, in its splits."""
    speakers = sorted(FRAMES_A_WORD)
    columns = {"path": [f"{speaker}.mkv" for speaker in speakers], "speaker": speakers}
    columns |= {column: [20] * len(speakers) for column in ("num_frames", "fps", "width", "height")}
    columns |= {f"split{n}": ["test" if s in fold else "train" for s in speakers] for n, fold in enumerate(FOLDS, 1)}
    return write_index(name, root, ["Begin"], {**columns, "label": [0] * len(speakers)}, {})


def test_weights_that_heard_a_tested_speaker_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(checkpoint, "REPOSITORY", tmp_path)
    words, _ = lips("miracl-words", tmp_path), lips("miracl-phrases", tmp_path)
    make_index(tmp_path / "data")  # folder-small, which names no speakers
    of_phrases = {"experiment": "transfer", "net": "r3d", "dataset": "miracl-phrases"}
    RunSpec(**of_phrases, split=2).save(tmp_path / "runs/lips/transfer/phrases")
    RunSpec(**of_phrases | {"dataset": "folder-small"}).save(tmp_path / "runs/lips/transfer/other")

    def of_words(run, split):
        given = {"dataset": "miracl-words", "new_head": True, "init_from": f"run:lips/transfer/{run}", "split": split}
        return RunSpec(**of_phrases | given)

    of_words("phrases", 2).save(tmp_path / "runs/lips/transfer/chain")
    lips("folder-phrases", tmp_path)
    RunSpec(**of_phrases | {"dataset": "folder-phrases"}, split=2).save(tmp_path / "runs/lips/transfer/renamed")
    checkpoint.require_strangers(of_words("phrases", 2), words)
    checkpoint.require_strangers(of_words("other", 1), words)
    weights = tmp_path / "data" / "weights"  # a copied checkpoint does not tell its run
    weights.mkdir()
    torch.save({"net": build_net("r3d", width=4).state_dict()}, weights / "copied.pt")
    with pytest.raises(SpecError, match=r"file:copied\.pt does not tell whom its run heard; name the run"):
        checkpoint.require_strangers(replace(of_words("phrases", 2), init_from="file:copied.pt"), words)
    for name in ("phrases", "chain", "renamed"):
        with pytest.raises(
            SpecError, match=r"split 2 of (miracl|folder)-.*, with F02, F04, F08, who are tested in split 1"
        ):
            checkpoint.require_strangers(of_words(name, 1), words)
