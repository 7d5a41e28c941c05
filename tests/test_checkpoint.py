"""Checkpoints are whole or not there, and nothing but data is read from them."""

import errno
import os

import pytest
import torch

from studylib.checkpoint import CheckpointError, load_checkpoint, save_checkpoint


def state(value):
    return {"net": {"w": torch.full((3,), value)}, "history": [{"epoch": 1, "lr": 0.1}], "seconds": 1.5}


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "a" / "last.pt"
    assert load_checkpoint(path) is None
    save_checkpoint(path, state(2.0))
    loaded = load_checkpoint(path)
    torch.testing.assert_close(loaded["net"]["w"], torch.full((3,), 2.0))
    assert loaded["history"] == [{"epoch": 1, "lr": 0.1}]


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    save_checkpoint(path, state(1.0))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"last\.pt.*No space left|No space left.*last\.pt") as caught:
        save_checkpoint(path, state(2.0))
    assert caught.value.errno == errno.ENOSPC
    assert float(load_checkpoint(path)["net"]["w"][0]) == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_disk_that_fills_up_while_torch_writes_is_named_as_such(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    save_checkpoint(path, state(1.0))
    (tmp_path / "full").symlink_to("/dev/full")  # a file that takes no byte, as a full disk
    monkeypatch.setattr("studylib.files.partial_path", lambda p: tmp_path / "full")
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"w": torch.zeros(100_000)})
    assert float(load_checkpoint(path)["net"]["w"][0]) == 1.0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a checkpoint", b"\x80\x02]"])
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path, content):
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"last\.pt: not a readable checkpoint .*remove it to start the run anew"):
        load_checkpoint(path)


def test_a_hostile_checkpoint_executes_nothing(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"net": Hostile()}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "executed").exists()
