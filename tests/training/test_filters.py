"""The filters of conv1 that a run keeps: whose, what, and what is no such file."""

import shutil

import numpy as np
import pytest
import torch

from studylib.nets.build import build_net
from studylib.nets.table import NETS, PRINTED_NAMES, VARIANTS
from studylib.runs.results import BrokenRun, load_run
from studylib.training import run as training
from studylib.training.run_files import CONV1, RunFolderError, read_conv1, write_conv1
from tests.fake_runs import write_fake_run
from tests.trainings import saved_state, start

NAMES = ("stem.0.weight", "stem.3.weight")  # of the two factors in a saved state


def assert_those_of(folder, net):
    """The file of a run has conv1's weights of a saved state, bit for bit."""
    for array, name in zip(read_conv1(folder), NAMES, strict=True):
        np.testing.assert_array_equal(array, net[name].numpy())


@pytest.fixture
def folder(tmp_path):
    """A folder with the filters of a small R(2+1)D."""
    torch.manual_seed(0)
    write_conv1(tmp_path, build_net("r2plus1d", width=8))
    return tmp_path


def test_conv1_of_the_papers_r2plus1d_is_45_spatial_and_64_temporal_filters_over_them(tmp_path):
    write_conv1(tmp_path, build_net("r2plus1d"))
    spatial, temporal = read_conv1(tmp_path)
    assert (spatial.shape, temporal.shape) == ((45, 3, 1, 7, 7), (64, 45, 3, 1, 1))
    assert (spatial.dtype, temporal.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("name", PRINTED_NAMES)
def test_a_net_has_the_file_where_table_2_says_that_its_conv1_is_factorised(name, tmp_path):
    base = VARIANTS[name].base if name in VARIANTS else name
    write_conv1(tmp_path, build_net(name, num_classes=5, clip_length=16, width=4))
    assert (read_conv1(tmp_path) is not None) == (base in NETS and NETS[base][0] == "2+1d")
    assert (tmp_path / CONV1).exists() == (read_conv1(tmp_path) is not None)


def test_a_run_keeps_the_weights_of_its_last_checkpoint_and_a_repetition_the_same_bytes(tiny_data, tmp_path):
    spec = start(tmp_path, net="r2plus1d", epochs=1)
    training.run(tmp_path)
    assert_those_of(tmp_path, saved_state(spec.hash)["net"])
    assert [array.shape for array in read_conv1(tmp_path)] == [(2, 3, 1, 7, 7), (4, 2, 3, 1, 1)]
    kept = (tmp_path / CONV1).read_bytes()
    for name in ("metrics.json", CONV1):  # as a run that ended just before
        (tmp_path / name).unlink()
    training.run(tmp_path)
    assert (tmp_path / CONV1).read_bytes() == kept


def test_a_run_without_training_keeps_the_filters_that_it_was_given(tiny_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start(tmp_path / "trained", net="r2plus1d", epochs=1)
    given = {"init_from": "folder:trained", "epochs": 0, "frame_order": "frozen"}
    start(tmp_path / "frozen", net="r2plus1d", **given)
    for name in ("trained", "frozen"):
        training.run(tmp_path / name)
    assert (tmp_path / "frozen" / CONV1).read_bytes() == (tmp_path / "trained" / CONV1).read_bytes()


def test_a_compiled_net_with_its_weights_channels_last_has_the_same_bytes(folder, tmp_path):
    torch.manual_seed(0)
    net = build_net("r2plus1d", width=8).to(memory_format=torch.channels_last_3d)
    assert not net.stem[0].weight.is_contiguous()
    net.compile(backend="eager")
    write_conv1(tmp_path / "compiled", net)
    assert (tmp_path / "compiled" / CONV1).read_bytes() == (folder / CONV1).read_bytes()


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)


def rewrite(**changes):
    """What writes the arrays again, some of them changed by a function, or left out where that is None."""

    def write(path):
        arrays = dict(zip(("spatial", "temporal"), read_conv1(path.parent), strict=True))
        np.savez(path, **{name: changes.get(name, np.array)(array) for name, array in arrays.items()})

    return write


def with_nan(array):
    changed = array.copy()
    changed[0, 0, 0, 0, 0] = np.nan
    return changed


BROKEN = [
    (lambda path: path.write_bytes(b""), ""),
    (lambda path: np.save(path.open("wb"), np.zeros(3)), ""),
    (cut, ""),
    (flip_a_bit, "CRC"),
    (lambda path: np.savez(path, spatial=np.zeros(3)), "temporal"),
    (rewrite(spatial=lambda a: a[:, :, 0]), r"float32 \(5, 3, 7, 7\) instead of float32 filters of \(1, 7, 7\)"),
    (rewrite(temporal=lambda a: a.astype(np.float16)), "float16 .* instead of float32 filters"),
    (rewrite(spatial=with_nan), "not finite"),
    (rewrite(temporal=lambda a: a[:, :4]), "temporal reads 4 channels, spatial gives 5"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN)
def test_a_broken_file_is_named_with_what_to_do(folder, damage, message):
    damage(folder / CONV1)
    told = rf"{folder}/conv1\.npz: not the two factors of a conv1 .*{message}.*; restore it, or remove"
    with pytest.raises(RunFolderError, match=told):
        read_conv1(folder)


def test_a_run_with_a_broken_file_stops_the_build_and_one_recorded_without_it_does_not(folder, tmp_path):
    spec = start(tmp_path / "run", net="r2plus1d")
    write_fake_run(tmp_path / "run", spec)
    assert load_run(tmp_path / "run").spec == spec
    shutil.copy(folder / CONV1, tmp_path / "run")
    assert load_run(tmp_path / "run").spec == spec
    cut(tmp_path / "run" / CONV1)
    with pytest.raises(BrokenRun, match=r"run: .*conv1\.npz: not the two factors"):
        load_run(tmp_path / "run")
