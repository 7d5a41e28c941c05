"""The chapter on speed: what its benchmarks count, by hand, and what is shown of them."""

import json
import re
import time

import pytest
import torch
from torch import nn

from studylib.book.benchmarks import show
from studylib.nets import precision
from studylib.runs.cost import recorded_rates
from tests.bench import gpu, profile, stall, training_step
from tests.bench.multiply_adds import needed, of_step, taps_inside
from tests.bench.steps import NETS, Geometry, new_net, random_batch, ratios, spec_of, step_of, take_turns
from tests.book.test_benchmarks import RECORD

CPU = torch.device("cpu")
TINY = Geometry(resolution=28, width=4, batch_size=2, classes=5, threads=1)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "pairs"),
    [
        (1, 3, 1, 1, 1),  # the middle tap
        (2, 3, 1, 1, 4),  # two of three, twice
        (4, 3, 2, 1, 5),  # -1 0 1, 1 2 3
        (5, 3, 1, 1, 13),
        (7, 1, 2, 0, 4),
        (8, 8, 1, 0, 8),
    ],
)
def test_taps_on_padding_are_not_needed(size, kernel, stride, padding, pairs):
    assert taps_inside(size, kernel, stride, padding) == pairs


def test_what_a_step_needs_by_hand():
    """Two convolutions and an FC layer on 2 frames of 3 x 3 pixels."""
    net = nn.Sequential(
        nn.Conv3d(1, 2, (3, 1, 1), padding=(1, 0, 0), bias=False),  # 4 pairs in time, 9 pixels, 2 channels
        nn.Conv3d(2, 3, (1, 3, 3), padding=(0, 1, 1), bias=False),  # 2 frames, 7 x 7 pairs, 2 x 3 channels
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(3, 5),
    )
    # nobody asks for the first one's input gradient
    assert needed(net, (1, 2, 3, 3)) == 2 * (4 * 9 * 2) + 3 * (2 * 49 * 6) + 3 * 15


@pytest.mark.parametrize("net", NETS)
def test_no_net_needs_more_than_is_counted(net):
    counted, needs = of_step(spec_of(net, TINY), TINY.classes)
    assert 0.3 * counted < needs < counted


def test_steps_take_turns_and_the_first_rounds_do_not_count():
    order = []
    steps = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = take_turns(steps, rounds=3, warm_up=2)
    assert order == ["a", "b"] * 5
    assert [len(spent) for spent in seconds.values()] == [3, 3]
    assert ratios([1.0, 2.0], [2.0, 2.0]) == [1, 2]


def test_the_benchmark_writes_rows_that_estimates_of_cost_read(monkeypatch, tmp_path):
    monkeypatch.setattr(training_step, "SIZES", (32, 64))
    tables = training_step.measure("tiny", TINY, CPU, rounds=1)
    assert [row["net"] for row in tables["tiny"]] == list(NETS)
    ran = {row["precision"] for row in tables["tiny"]} | {"fp32"}
    assert [row["precision"] for row in tables["tiny_products"]] == [kind for kind in sorted(ran) for _ in range(2)]
    folder = tmp_path / "runs" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "training_step.json").write_text(json.dumps(RECORD | {"name": "training_step", "tables": tables}))
    read = recorded_rates(tmp_path)
    assert read[["width", "resolution"]].drop_duplicates().to_numpy().tolist() == [[4, 28]]
    counted = [row["counted_gmac_per_second"] for row in tables["tiny"]]
    assert (read["rate"] / 1e9).tolist() == pytest.approx(counted, rel=0.1)  # 400 classes there, 5 here


@pytest.mark.parametrize("native", [True, False])
def test_a_step_is_compared_with_the_peak_of_the_precision_that_ran(monkeypatch, native):
    monkeypatch.setattr(training_step, "SIZES", (32,))
    monkeypatch.setattr(precision, "bf16_is_native", lambda device: native)
    tables = training_step.measure("tiny", TINY, CPU, rounds=1, amp="fp32" if native else "bf16")
    (product,) = tables["tiny_products"]
    assert product["precision"] == "fp32"
    for row in tables["tiny"]:
        assert row["precision"] == "fp32"
        peak = product["product_gmac_per_second"]
        assert row["counted_share"] == pytest.approx(row["counted_gmac_per_second"] / peak)
        assert row["needed_share"] == pytest.approx(row["needed_gmac_per_second"] / peak)


def test_shares_of_a_step_add_up_and_convolutions_are_found():
    spec = spec_of("r3d", TINY)
    step = step_of(new_net(spec, TINY, CPU), spec, random_batch(TINY), CPU, "bf16")
    found = profile.shares(step, 1)
    shares = {name: share for name, share in found.items() if name.endswith("_share")}
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share >= 0 for share in shares.values())
    for kind in ("convolution_forward", "convolution_backward", "bn", "relu", "optimiser", "input_preparation"):
        assert shares[f"{kind}_share"] > 0, kind


@pytest.fixture
def bench(tiny_pantomime, monkeypatch):
    """The benchmark of a GPU on a CPU, tiny."""
    monkeypatch.setattr(stall, "REAL_VIDEOS", sorted(tiny_pantomime.rglob("*.mp4"))[:4])
    return gpu.Bench(CPU, gpu.TINY, time.monotonic() + 1000)


def test_without_a_gpu_its_benchmark_says_in_a_line_what_it_takes(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == {}
    assert re.fullmatch("not measured: it takes a machine with a GPU .*\n", capsys.readouterr().out)


def test_a_cpu_measures_what_it_can_of_a_gpus_benchmark_and_names_the_rest(bench, tmp_path):
    tables = bench.measure()
    named = {row["what"]: row["reason"] for row in tables.pop("not_measured")}
    assert {*named} == {"side by side", *(f"{peer} compiled" for peer in gpu.BESIDE.values())}, named
    kinds = len({"fp32", bench.precision})
    expected = {"same_gradients": 3 * kinds, "products": 2, "paper": 5 + 2 * 3, "small": len(NETS), "long": 1}
    expected |= {"loading": 3}
    assert {key: len(rows) for key, rows in tables.items()} == expected
    for row in tables["same_gradients"]:
        assert row["loss_error"] < (1e-4 if row["precision"] == "fp32" else 0.1)
    for row in [*tables["paper"], *tables["small"], *tables["long"]]:
        assert row["counted_share"] > row["needed_share"] > 0
        assert ("times_torchvision" in row) == (row["net"] in gpu.BESIDE and row in tables["paper"])
    (tmp_path / "gpu.json").write_text(json.dumps(RECORD | {"name": "gpu", "tables": tables}))
    assert show("gpu", {key: key for key in tables}, folder=tmp_path).data.count("<caption>") == len(tables)


def test_a_part_that_fails_or_takes_too_long_is_named_and_the_others_go_on(bench, monkeypatch):
    def forever():
        while True:
            time.sleep(0.01)

    def fails():
        raise RuntimeError("CUDA error: an illegal\nmemory access")

    parts = {"first": (1, fails), "second": (1, lambda: bench.add("table", a=1)), "third": (1, forever)}  # seconds
    monkeypatch.setattr(gpu.Bench, "parts", lambda _self: parts)
    bench.latest = time.monotonic() + 3
    tables = bench.measure()
    assert tables["table"] == [{"device": "cpu", "a": 1}]
    assert [row["what"] for row in tables["not_measured"]] == ["first", "third"]
    assert tables["not_measured"][0]["reason"] == "RuntimeError: CUDA error: an illegal memory access"
    assert re.fullmatch(r"OutOfTime: \d s were left for it", tables["not_measured"][1]["reason"])
