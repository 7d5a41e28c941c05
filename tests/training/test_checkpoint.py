"""Checkpoints are whole or not there, damage shows, and nothing but data is read from them."""

import errno
import os

import pytest
import torch

from studylib.training.checkpoint import CheckpointError, newest_checkpoint, read_checkpoint, save_checkpoint


def state(value):
    return {"net": {"w": torch.full((3,), value)}, "history": [{"epoch": 1, "lr": 0.1}], "seconds": 1.5}


def value_of(path):
    return float(read_checkpoint(path)["net"]["w"][0])


def test_the_last_two_are_kept(tmp_path):
    assert newest_checkpoint(tmp_path / "run") is None
    for clips in (10, 20, 30):
        save_checkpoint(tmp_path, clips, state(float(clips)))
    # an epoch that was trained, and the same when it was tested, too
    again = save_checkpoint(tmp_path, 30, state(31.0))
    assert [value_of(path) for path in sorted(tmp_path.iterdir())] == [20, 31]
    assert read_checkpoint(newest_checkpoint(tmp_path))["history"] == [{"epoch": 1, "lr": 0.1}]
    assert newest_checkpoint(tmp_path) == again


@pytest.mark.parametrize("damage", ["a bit", "cut off", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, damage, capsys):
    before = save_checkpoint(tmp_path, 10, state(1.0))
    path = save_checkpoint(tmp_path, 20, state(2.0))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"a bit": content, "cut off": content[: len(content) // 2], "empty": b""}[damage])
    assert newest_checkpoint(tmp_path) == before
    assert f"checkpoint {path.name} is damaged" in capsys.readouterr().out
    again = save_checkpoint(tmp_path, 15, state(3.0))  # the damaged one claims to be newer
    assert newest_checkpoint(tmp_path) == again
    assert sorted(tmp_path.iterdir()) == [before, again]


def test_where_all_are_damaged_that_is_told(tmp_path):
    for clips in (10, 20):
        save_checkpoint(tmp_path, clips, state(1.0)).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"all 2 checkpoints are damaged; remove it to start the run anew"):
        newest_checkpoint(tmp_path)


def test_what_a_killed_process_was_writing_is_not_seen_and_goes(tmp_path):
    path = save_checkpoint(tmp_path, 10, state(1.0))
    (tmp_path / ".checkpoint.123.partial").write_bytes(path.read_bytes()[:100])
    assert newest_checkpoint(tmp_path) == path
    again = save_checkpoint(tmp_path, 20, state(2.0))
    assert sorted(tmp_path.iterdir()) == [path, again]


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    path = save_checkpoint(tmp_path, 10, state(1.0))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=rf"{tmp_path}.*No space left on device.*intact") as caught:
        save_checkpoint(tmp_path, 20, state(2.0))
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == [path]
    assert value_of(path) == 1.0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a checkpoint", b"\x80\x02]"])
def test_what_is_no_checkpoint_is_named_with_what_to_do(tmp_path, content):
    path = tmp_path / "00000000000010-0000000000000000.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{path.name}: not a readable checkpoint .*remove it to go on"):
        read_checkpoint(path)


def test_a_hostile_checkpoint_executes_nothing(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"net": Hostile()}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "executed").exists()
