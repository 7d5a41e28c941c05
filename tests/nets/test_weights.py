"""Weights from elsewhere: the same function in our nets, whole or not at all, and nothing of a file is executed."""

import pickle
import struct
import sys

import numpy as np
import pytest
import torch
import torchvision

from studylib.nets.build import build_net
from studylib.nets.table import NETS
from studylib.nets.weights import Weights, WeightsError, blob_names, bn_eps, load_weights, read_blobs, read_weights
from tests.foreign_weights import save_torchvision, save_vmz

CLIPS = torch.randn(2, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))


def randomised(net, seed=0):
    """The net with BN that does something: random scales, shifts and statistics, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if name.endswith(("running_var", "bias", "running_mean")) or ("weight" in name and tensor.ndim == 1):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return net.eval()


def scores(net):
    with torch.no_grad():
        return net.eval()(CLIPS)


def same_state(one, other):
    theirs = other.state_dict()
    return all(torch.equal(t, theirs[n]) for n, t in one.state_dict().items() if not n.endswith("tracked"))


@pytest.mark.parametrize(
    ("theirs", "ours"), [("r3d_18", "r3d"), ("mc3_18", "mc3"), ("r2plus1d_18", "r2plus1d_per_block")]
)
def test_torchvisions_weights_give_torchvisions_scores(theirs, ours, tmp_path):
    reference = randomised(torchvision.models.get_model(theirs, num_classes=7))
    torch.save(reference.state_dict(), tmp_path / "released.pth")
    net = build_net(ours, num_classes=7)
    load_weights(net, read_weights(tmp_path / "released.pth"))
    assert bn_eps(net) == 1e-5
    error = float((scores(net) - scores(reference)).abs().max() / scores(reference).abs().max())
    assert error < 1e-5


@pytest.mark.parametrize("name", NETS)
def test_every_net_comes_back_from_vmzs_form_bit_for_bit(name, tmp_path):
    for depth in (18, 34):
        net = randomised(build_net(name, depth, num_classes=5, width=8))
        save_vmz(net, tmp_path / "net.pkl")
        other = randomised(build_net(name, depth, num_classes=5, width=8), seed=1)
        assert not same_state(net, other)
        load_weights(other, read_weights(tmp_path / "net.pkl"))
        assert same_state(net, other)
        assert bn_eps(other) == 1e-3


def test_blobs_have_vmzs_names_and_shapes(tmp_path):
    save_vmz(build_net("r2plus1d", num_classes=400), tmp_path / "net.pkl")
    blobs = read_blobs(tmp_path / "net.pkl")
    shapes = {
        "conv1_middle_w": (45, 3, 1, 7, 7),
        "conv1_w": (64, 45, 3, 1, 1),
        "conv1_middle_spatbn_relu_riv": (45,),
        "comp_3_conv_1_middle_w": (288, 128, 1, 3, 3),
        "comp_3_spatbn_1_middle_rm": (288,),
        "comp_3_spatbn_1_rm": (128,),
        "comp_7_conv_2_w": (512, 1152, 3, 1, 1),
        "shortcut_projection_6_spatbn_b": (512,),
        "last_out_L400_w": (400, 512),
    }
    assert {name: blobs[name].shape for name in shapes} == shapes
    assert {array.dtype for array in blobs.values()} == {np.dtype("float32")}
    deep = set(blob_names(build_net("r3d", 34, width=4)).values())
    assert {f"comp_{i}_conv_2_w" for i in range(16)} <= deep
    assert {n for n in deep if n.startswith("shortcut") and n.endswith("_w")} == {
        f"shortcut_projection_{i}_w" for i in (3, 7, 13)
    }


class Python2Pickler(pickle._Pickler):
    """Writes texts and bytes as Python 2 does, which does not tell them apart."""

    def save_string(self, text):
        raw = text.encode("latin1") if isinstance(text, str) else text
        self.write(b"T" + struct.pack("<i", len(raw)) + raw)
        self.memoize(text)

    dispatch = pickle._Pickler.dispatch | {str: save_string, bytes: save_string}


@pytest.mark.parametrize("under_blobs", [True, False])
def test_a_python_2_pickle_of_old_numpy_with_foreign_blobs_loads(under_blobs, tmp_path):
    net = build_net("mc3", num_classes=5, width=8)
    save_vmz(net, tmp_path / "new.pkl")
    blobs = read_blobs(tmp_path / "new.pkl")
    blobs |= {name + "_momentum": array for name, array in blobs.items()}
    blobs |= {"optimizer_iteration": np.array([5]), "lr": np.float32(0.01), "model_id": "x", "epoch": 3, "gone": None}
    with (tmp_path / "old.pkl").open("wb") as file:
        Python2Pickler(file, 2).dump({"blobs": blobs, "lr": 0.01} if under_blobs else blobs)
    raw = (tmp_path / "old.pkl").read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"_codecs" not in raw
    (tmp_path / "old.pkl").write_bytes(raw)
    other = build_net("mc3", num_classes=5, width=8)
    load_weights(other, read_weights(tmp_path / "old.pkl"))
    assert same_state(net, other)


class Hostile:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        lambda path: Hostile(exec, f"open({str(path)!r}, 'w')"),
        lambda path: Hostile(open, str(path), "w"),
        lambda path: Hostile(__import__("os").system, f"touch {path}"),
        lambda path: Hostile(getattr(np, "savetxt"), str(path), [1.0]),  # noqa: B009
        lambda path: Hostile(__import__("codecs").encode, "a", "zlib_codec"),
        lambda path: np.array([Hostile(open, str(path), "w")], dtype=object),
    ],
)
def test_a_hostile_pickle_executes_nothing(attack, tmp_path):
    made = tmp_path / "made"
    path = tmp_path / "net.pkl"
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps({"blobs": {"conv1_w": attack(made)}}, protocol))
        with pytest.raises(WeightsError, match=r"net\.pkl: not a weight file of VMZ \(it asks for .* nothing of it"):
            read_weights(path)
        assert not made.exists()
    before = set(sys.modules)
    path.write_bytes(b"cantigravity\nx\n.")
    with pytest.raises(WeightsError, match=r"it asks for antigravity\.x"):
        read_weights(path)
    assert "antigravity" not in set(sys.modules) - before


def test_a_hostile_state_dict_executes_nothing(tmp_path):
    torch.save({"net": Hostile(open, str(tmp_path / "made"), "w")}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"x\.pt: not a readable file of PyTorch weights"):
        read_weights(tmp_path / "x.pt")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.pkl", b"", "not a readable pickle"),
        ("x.pkl", b"junk", "x.pkl: not a"),
        ("x.pkl", pickle.dumps([1, 2]), "no dict of NumPy arrays"),
        ("x.pkl", pickle.dumps({"blobs": {"a": 1}}), "no dict of NumPy arrays"),
        ("x.pt", b"junk", "not a readable file of PyTorch weights"),
        ("x.pth", None, "no such file"),
    ],
)
def test_a_file_that_holds_no_weights_is_named(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_weights(tmp_path / name)


def test_wrong_or_partial_weights_are_named_and_nothing_is_loaded_half(tmp_path):
    net = randomised(build_net("r3d", num_classes=5, width=8))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    partial = dict(randomised(build_net("r3d", num_classes=5, width=8), seed=1).state_dict())
    del partial["layer3.1.conv2.1.bias"], partial["fc.bias"]
    partial |= {"extra.weight": torch.zeros(3, 4), "layer1.0.conv1.0.weight": torch.zeros(8, 8, 1, 3, 3)}
    message = (
        r"x\.pt does not fit the net: missing: layer3.1.conv2.1.bias \(32,\) and 1 more; "
        r"unexpected: extra.weight \(3, 4\); "
        r"shape: layer1.0.conv1.0.weight is \(8, 8, 1, 3, 3\) in the file, \(8, 8, 3, 3, 3\) in the net$"
    )
    with pytest.raises(WeightsError, match=message):
        load_weights(net, Weights(partial, "torchvision", 1e-5, "x.pt"))

    save_vmz(build_net("r3d", 34, num_classes=5, width=8), tmp_path / "deep.pkl")
    with pytest.raises(WeightsError, match=r"missing: shortcut_projection_2_w .*unexpected: .*comp_8_|comp_2_"):
        load_weights(net, read_weights(tmp_path / "deep.pkl"))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert bn_eps(net) == 1e-3


@pytest.mark.parametrize("form", ["vmz.pkl", "torchvision.pt"])
def test_another_number_of_classes_needs_a_new_head_by_name(form, tmp_path):
    net = randomised(build_net("mc2", num_classes=5, width=8))
    (save_vmz if form == "vmz.pkl" else save_torchvision)(net, tmp_path / form)
    other = build_net("mc2", num_classes=3, width=8)
    head = other.fc.weight.clone()
    weights = read_weights(tmp_path / form)
    with pytest.raises(
        WeightsError, match=r"is \(5, 64\) in the file, \(3, 64\) in the net and 1 more; for other classes"
    ):
        load_weights(other, weights)
    assert not torch.equal(other.stem[0].weight, net.stem[0].weight)
    load_weights(other, weights, new_head=True)
    assert torch.equal(other.fc.weight, head)
    assert torch.equal(other.stem[0].weight, net.stem[0].weight)
    # of the same classes, too, only a new head is new
    load_weights(same := build_net("mc2", num_classes=5, width=8), weights, new_head=True)
    assert not torch.equal(same.fc.weight, net.fc.weight)


def test_a_net_that_vmz_does_not_have_is_refused(tmp_path):
    for name in ("r2plus1d_no_inner_bn_relu", "r2plus1d_skip", "c3d"):
        net = build_net(name, num_classes=5, clip_length=16, width=4)
        with pytest.raises(ValueError, match="the networks of Table 2 only"):
            save_vmz(net, tmp_path / "x.pkl")
