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


@pytest.fixture
def folder(tmp_path):
    """A folder with the filters of a small R(2+1)D."""
    torch.manual_seed(0)
    write_conv1(tmp_path, build_net("r2plus1d", width=8))
    return tmp_path


@pytest.mark.parametrize("name", PRINTED_NAMES)
def test_a_net_has_the_file_where_table_2_says_that_its_conv1_is_factorised(name, tmp_path):
    base = VARIANTS[name].base if name in VARIANTS else name
    write_conv1(tmp_path, build_net(name, num_classes=5, clip_length=16, width=4))
    assert (read_conv1(tmp_path) is not None) == (base in NETS and NETS[base][0] == "2+1d")
    assert (tmp_path / CONV1).exists() == (read_conv1(tmp_path) is not None)


def test_a_run_keeps_the_weights_of_its_last_checkpoint_and_a_repetition_the_same_bytes(tiny_data, tmp_path):
    spec = start(tmp_path, net="r2plus1d", epochs=1)
    training.run(tmp_path)
    weights = saved_state(spec.hash)["net"]
    for array, name in zip(read_conv1(tmp_path), ("stem.0.weight", "stem.3.weight"), strict=True):
        np.testing.assert_array_equal(array, weights[name].numpy())
    assert [array.shape for array in read_conv1(tmp_path)] == [(2, 3, 1, 7, 7), (4, 2, 3, 1, 1)]
    kept = (tmp_path / CONV1).read_bytes()
    for name in ("metrics.json", CONV1):  # as a run that ended just before
        (tmp_path / name).unlink()
    training.run(tmp_path)
    assert (tmp_path / CONV1).read_bytes() == kept


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


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
    (cut, ""),
    (lambda path: np.savez(path, spatial=np.zeros(3)), "temporal"),
    (rewrite(spatial=lambda a: a[:, :, 0]), r"filters of \(5, 3, 7, 7\) and "),
    (rewrite(spatial=with_nan), "not finite"),
    (rewrite(temporal=lambda a: a[:, :4]), r"and \(8, 4, 3, 1, 1\)"),
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
