"""What a run takes before it starts: the arithmetic, by hand, and where rates come from."""

import json
from dataclasses import replace
from math import isnan, nan

import pandas as pd
import pytest

from studylib import REPOSITORY
from studylib.datasets.index import write_index
from studylib.nets.complexity import count_by_name
from studylib.runs import cost
from studylib.runs.cost import Videos, costs_of, given_gpus, rate_of, recorded_rates, report, seconds, videos_of
from studylib.runs.magnitudes import disk, duration
from studylib.runs.plan import Plan, PlannedRun, Resources, load_plan
from studylib.training.spec import RunSpec
from studylib.video.clips import dense_starts
from tests.book.test_benchmarks import RECORD
from tests.fake_runs import write_fake_run

SIZES = {"width": 16, "clip_length": 8, "resolution": 56}
TRAINING = {"epochs": 10, "clips_per_epoch": 960, "batch_size": 16}
SPEC = RunSpec(experiment="conv_types", net="r3d", dataset="pantomime-try", **SIZES, **TRAINING)
GENERATED = {"pantomime-try": {"train_videos": 960, "test_videos": 160}}
FLOPS = 356_970_496  # of a clip, with 16 classes
CPU = "Imagined CPU (x86_64), 1 thread"
PAPER = replace(SPEC, width=64, resolution=112)


def costs(datasets=GENERATED, **changes):
    """The costs of a plan of one run, SPEC with these changes."""
    spec = replace(SPEC, **changes)
    return costs_of(Plan("try", "try: a test", datasets, (PlannedRun("try", "r3d", spec),))).iloc[0]


def rates(*rows):
    """Recorded rates, a row each: the rate and what differs."""
    usual = {"device": CPU, "on_gpu": False, "plan": "", "net": "r3d", "amp": "bf16"} | SIZES
    return pd.DataFrame([usual | {"rate": rate} | changes for rate, changes in rows])


@pytest.fixture(autouse=True)
def no_datasets(tmp_path, monkeypatch):
    """No index is here but those that a test writes."""
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))


def test_training_is_three_passes_over_its_clips_and_tests_are_one():
    run = costs()
    assert (run["flops"], run["training_clips"], run["test_clips"]) == (FLOPS, 9600, 10 * 160 + 1600)
    assert run["multiply_adds"] == FLOPS * (3 * 9600 + 3200)
    assert costs(recompute=True)["multiply_adds"] == FLOPS * (4 * 9600 + 3200)
    assert costs(epochs=0, init_from="torchvision:r3d_18")["multiply_adds"] == FLOPS * 1600


def test_disk_is_two_checkpoints_of_weights_and_momentum_and_the_scores_of_all_clips():
    run = costs()
    assert run["checkpoints"] == 2 * 8 * count_by_name("r3d", num_classes=16, width=16).params
    assert run["predictions"] == (1600 + 160) * 16 * 2


def test_a_generated_dataset_is_known_from_the_plan():
    assert videos_of(SPEC, GENERATED) == Videos(160, 1600, 16)


def test_an_index_that_is_here_goes_before_all_else():
    columns = {
        "path": [f"{i}.mp4" for i in range(4)],
        "label": [0, 1, 0, 1],
        "num_frames": [20, 30, 8, 17],
        "fps": [25.0] * 4,
        "width": [86] * 4,
        "height": [64] * 4,
        "split1": ["train", "test", "test", "test"],
    }
    write_index("pantomime-try", "videos", ["a", "b"], columns, {"dataset": "a test"})
    assert videos_of(SPEC, GENERATED) == Videos(3, 30, 2)
    dense = videos_of(replace(SPEC, test_sampling="dense"), GENERATED)
    assert dense.test_clips == sum(len(dense_starts(n, 8)) for n in (30, 8, 17))


@pytest.mark.parametrize(
    ("dataset", "split", "tested", "classes"),
    [
        ("kinetics400", 1, 19_907, 400),
        ("kinetics400-128x171", 1, 19_907, 400),
        ("ucf101", 2, 3_734, 101),
        ("hmdb51", 3, 1_530, 51),
        ("sports1m", 1, 226_632, 487),  # a fifth of 1,133,158
    ],
)
def test_a_published_dataset_is_known_from_its_counts(dataset, split, tested, classes):
    videos = videos_of(replace(SPEC, dataset=dataset, split=split), {})
    assert (videos.tested, videos.test_clips, videos.classes) == (tested, 10 * tested, classes)


@pytest.mark.parametrize("dataset", ["ucf101-subset", "folder-mine", "pantomime-other"])
def test_of_other_datasets_nothing_is_made_up(dataset):
    assert videos_of(replace(SPEC, dataset=dataset), {}) is None


def test_each_dataset_of_a_plan_is_looked_up_once(monkeypatch):
    asked = []
    monkeypatch.setattr(cost, "load_index", lambda name: asked.append(name) or (_ for _ in ()).throw(cost.DatasetError))
    runs = tuple(PlannedRun("try", f"r3d_{seed}", replace(SPEC, seed=seed)) for seed in (0, 1))
    assert costs_of(Plan("try", "try: a test", GENERATED, runs))["test_clips"].tolist() == [3200, 3200]
    assert asked == ["pantomime-try"]


def test_the_median_of_the_nearest_recorded_speeds_of_the_device_is_taken():
    wide = {"width": 64, "resolution": 112}
    others = [(9e9, {"device": "Other CPU, 1 thread"}), (9e9, {"device": CPU[:-8] + "16 threads"})]
    recorded = rates((1e9, {}), (5e9, {}), (2e9, {"plan": "card"}), (3e9, wide), *others)
    assert rate_of(SPEC, CPU, recorded)[:2] == (2e9, 2e9)
    assert "median of 3 recorded, such as r3d, width 16, clips of 8x56x56, bf16" in rate_of(SPEC, CPU, recorded).source
    between = replace(SPEC, width=32, clip_length=16, resolution=112)  # 2 doublings away, from the others 3
    assert rate_of(between, CPU, recorded).low == 3e9
    mixed = rates((1e9, {"amp": "fp32"}), (2e9, {"net": "mc3"}))
    assert [rate_of(replace(SPEC, amp=amp), CPU, mixed).low for amp in ("fp32", "bf16")] == [1e9, 2e9]
    assert rate_of(replace(SPEC, clip_length=32), CPU, rates((1e9, {"amp": "fp32"}), (2e9, {}))).low == 2e9
    assert rate_of(replace(SPEC, amp="fp32"), CPU, rates((1e9, wide | {"amp": "fp32"}), (2e9, {}))).low == 1e9
    assert isnan(rate_of(SPEC, "Z80", recorded).low)
    table = pd.DataFrame([costs()])
    assert seconds(table, CPU, recorded)[["least", "most"]].iloc[0].tolist() == [FLOPS * 32000 / 2e9] * 2


def test_a_gpu_without_recorded_speed_has_a_range_by_its_peak():
    rate = rate_of(SPEC, "NVIDIA A100-SXM4-40GB", rates((1e9, {})))
    assert (rate.low, rate.high) == pytest.approx((0.03 * 156e12, 0.16 * 156e12))
    assert "not measured" in rate.source
    recorded = rates((20e12, {"device": "NVIDIA A100-SXM4-40GB", "on_gpu": True}))
    assert rate_of(SPEC, "A100", recorded).low == 20e12


def test_small_runs_on_a_gpu_say_nothing_of_large_ones():
    """They wait for launches."""
    small = {"device": "NVIDIA A100", "on_gpu": True, "plan": "mini"}
    assert rate_of(SPEC, "A100", rates((1e9, small))).low == 1e9
    assert rate_of(PAPER, "A100", rates((1e9, small))).low > 1e12
    assert rate_of(PAPER, "A100", rates((1e9, small | {"plan": ""}))).low == 1e9  # a benchmark
    assert rate_of(PAPER, CPU, rates((1e9, {"plan": "mini"}))).low == 1e9


def write_benchmark(root, name, **tables):
    folder = root / "runs" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / f"{name}.json").write_text(json.dumps(RECORD | {"name": name, "tables": tables}))


def test_recorded_runs_and_benchmarks_give_rates(tmp_path):
    folder = write_fake_run(tmp_path / "runs" / "card" / "conv_types" / "r3d-18_8f_seed0", SPEC)
    row = {"net": "r3d", "device": "cpu", "precision": "bf16", "threads": 1, "clips_per_second": 100.0}
    row |= {"width": 16, "clip_length": 8, "resolution": 56}
    peer = row | {"net": "torchvision r3d_18"}
    write_benchmark(tmp_path, "training_step", steps=[row, peer], loading=[{"from": "frame cache"}])
    benchmark, run = recorded_rates(tmp_path).to_dict("records")
    assert (benchmark["device"], benchmark["plan"]) == ("Imagined CPU (x86_64), 1 thread", "")
    assert benchmark["rate"] == pytest.approx(3 * FLOPS * 100, rel=1e-3)  # counted with 400 classes
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (run["rate"], run["plan"]) == (3 * metrics["flops"] * 55, "card")
    assert run["device"] == "Imagined CPU (x86_64, AVX512), 1 thread"


def test_a_rate_is_of_one_process_and_a_run_that_is_broken_or_takes_a_few_seconds_has_none(tmp_path):
    folder = write_fake_run(tmp_path / "runs" / "card" / "conv_types" / "r3d-18_8f_seed0", SPEC)
    path, metrics = folder / "provenance.json", json.loads((folder / "metrics.json").read_text())
    alone = recorded_rates(tmp_path)["rate"].item()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"processes": 4, "device": "NVIDIA A100"}))
    assert recorded_rates(tmp_path)[["device", "on_gpu", "rate"]].iloc[0].tolist() == ["NVIDIA A100", True, alone / 4]
    (folder / "metrics.json").write_text(json.dumps(metrics | {"seconds": 9.9}))
    assert recorded_rates(tmp_path).empty
    (folder / "metrics.json").write_text(json.dumps(metrics))
    path.write_text("{")
    assert recorded_rates(tmp_path).empty


def test_the_lowest_rates_of_new_gpus_are_the_v100s_by_the_bandwidth_of_memory():
    gpus = given_gpus().set_index("match")
    v100, others = gpus.loc["V100"], gpus.drop("V100")
    by_bandwidth = v100.high_share * v100.peak_tflops * others.bandwidth_gbs / v100.bandwidth_gbs / others.peak_tflops
    assert others.low_share.tolist() == by_bandwidth.round(2).tolist()


def test_a_plan_is_told_with_the_hours_of_the_device_that_is_named_or_that_its_runs_ask_for(monkeypatch):
    plan = load_plan(REPOSITORY / "runs" / "quick.yaml")
    plan = replace(plan, runs=plan.runs[:2])
    total = costs_of(plan)["multiply_adds"].sum() / 1e9
    monkeypatch.setattr(cost, "recorded_rates", lambda: rates((1e9, {})))
    told = report(plan, CPU)
    assert f"{duration(total)} of one {CPU} in all" in told
    assert plan.runs[1].folder.as_posix() in told
    asked = [replace(run, resources=Resources(device=CPU)) for run in plan.runs]
    assert report(replace(plan, runs=tuple(asked))) == told
    told = report(plan, "Z80")
    assert "no speed is recorded for Z80. `python -m tests.bench training_step --record` measures" in told
    assert "--device A100, H100, V100" in told


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [
        (40, 40, "40 s"),
        (300, 300, "5 min"),
        (3600, 9000, "1 to 2.5 hours"),
        (10 * 86400, 43 * 86400, "10 to 43 days"),
        (1e8, 1e8, "3.2 years"),
        (3600, None, "60 min"),
        (nan, nan, "–"),
    ],
)
def test_times_have_two_figures_in_the_unit_of_the_longer(least, most, text):
    assert duration(least, most) == text


@pytest.mark.parametrize(("size", "text"), [(8.01e8, "800 MB"), (1.25e12, "1.2 TB"), (51_000, "51 kB"), (None, "–")])
def test_disk_has_two_figures(size, text):
    assert disk(size) == text
