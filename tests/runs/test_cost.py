"""What a run takes before it starts: the arithmetic, by hand, and where rates come from."""

import json
from dataclasses import replace

import pytest

from studylib import REPOSITORY
from studylib.datasets.index import write_index
from studylib.nets.complexity import count_by_name
from studylib.runs import cost
from studylib.runs.cost import (
    Cost,
    Measured,
    Rate,
    Videos,
    costs_of,
    given_gpus,
    measured_rates,
    on_cpu,
    rate_of,
    report,
    videos_of,
)
from studylib.runs.magnitudes import disk, duration
from studylib.runs.plan import load_plan
from studylib.training.spec import RunSpec
from studylib.video.clips import dense_starts
from tests.book.test_benchmarks import RECORD
from tests.fake_runs import write_fake_run

SPEC = RunSpec(
    experiment="conv_types",
    net="r3d",
    dataset="pantomime-try",
    width=16,
    resolution=56,
    epochs=10,
    clips_per_epoch=960,
    batch_size=16,
)
FLOPS = 356_970_496  # of a clip, with 16 classes
CPU = "Imagined CPU (x86_64), 1 thread"


def measured(net="r3d", rate=1e9, device=CPU, plan="", **changes):
    spec = replace(SPEC, net=net, **changes)
    return Measured(device, spec, "bf16", rate, f"{net} {plan}", plan, processor="CPU" in device)


@pytest.fixture(autouse=True)
def no_datasets(tmp_path, monkeypatch):
    """No index is here but those that a test writes."""
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))


def test_training_is_three_passes_over_its_clips_and_tests_are_one():
    run = Cost(SPEC, Videos(160, 1600, 16, 0))
    assert run.counts.flops == FLOPS
    assert run.training_clips == 9600
    assert run.tested_clips == 10 * 160 + 1600
    assert run.multiply_adds == FLOPS * (3 * 9600 + 3200)
    assert run.training_multiply_adds == FLOPS * 28800
    assert Rate(1e9, 2e9, "").seconds(32e9) == (16, 32)


def test_recomputation_is_a_pass_more():
    assert Cost(replace(SPEC, recompute=True), None).multiply_adds == 4 / 3 * Cost(SPEC, None).multiply_adds


def test_a_run_that_trains_nothing_is_its_test():
    spec = replace(SPEC, epochs=0, init_from="torchvision:r3d_18")
    assert Cost(spec, Videos(160, 1600, 16, 0)).multiply_adds == FLOPS * 1600


def test_disk_is_three_checkpoints_of_weights_and_momentum_and_the_scores_of_all_clips():
    run = Cost(replace(SPEC, width=64), Videos(160, 1600, 400, 1120 * 64))
    assert run.checkpoint_bytes == 2 * 8 * 33_371_472
    assert run.prediction_bytes == (1600 + 160) * 400 * 2


def test_decoded_frames_take_disk_where_they_fit_their_budget(monkeypatch):
    run = Cost(SPEC, Videos(160, 1600, 16, 1120 * 64))
    monkeypatch.setenv("STUDY_CACHE_GB", "2")
    assert run.cache_bytes == 1120 * 64 * 64 * 86 * 3
    flow = Cost(replace(SPEC, modality="flow"), run.videos)
    assert flow.cache_bytes == 1120 * 64 * 64 * 86 * 4
    monkeypatch.setenv("STUDY_CACHE_GB", "1")
    assert run.cache_bytes == 0
    assert Cost(SPEC, None).cache_bytes == 0


def test_a_generated_dataset_is_known_from_the_plan():
    videos = videos_of(SPEC, {"pantomime-try": {"train_videos": 960, "test_videos": 160}})
    assert videos == Videos(160, 1600, 16, 1120 * 64)


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
    generated = {"pantomime-try": {"train_videos": 960, "test_videos": 160}}
    assert videos_of(SPEC, generated) == Videos(3, 30, 2, 75)
    dense = videos_of(replace(SPEC, test_sampling="dense"), generated)
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


def test_a_whole_plan_is_counted_with_each_dataset_looked_up_once(monkeypatch):
    asked = []
    monkeypatch.setattr(cost, "load_index", lambda name: asked.append(name) or (_ for _ in ()).throw(cost.DatasetError))
    plan = load_plan(REPOSITORY / "runs" / "quick.yaml")
    plan = replace(plan, runs=tuple(run for run in plan.runs if run.spec.dataset == "pantomime-quick"))
    costs = costs_of(plan)
    assert [c.spec for c in costs] == [run.spec for run in plan.runs]
    assert asked == ["pantomime-quick"]
    assert all(c.videos.tested == 160 for c in costs)


def test_the_nearest_recorded_speed_is_taken():
    wide = replace(SPEC, width=64, resolution=112)
    speeds = [measured(rate=1e9), measured(rate=2e9, width=64, resolution=112), measured("f_r2d", rate=3e9)]
    assert rate_of(SPEC, CPU, speeds).low == 1e9
    assert rate_of(wide, CPU, speeds).low == 2e9
    assert rate_of(replace(SPEC, net="r2d"), CPU, speeds).low == 3e9  # one group differs from f_r2d's, five from r3d's
    assert rate_of(replace(SPEC, net="r3d_added_relu"), CPU, speeds).low == 1e9


def test_a_benchmark_goes_before_runs_and_of_equal_runs_the_median_counts():
    runs = [measured(rate=rate, plan="card") for rate in (1e9, 5e9, 2e9)]
    assert rate_of(SPEC, CPU, runs) == Rate(2e9, 2e9, "r3d card and 2 like it", processor=True)
    assert rate_of(SPEC, CPU, [*runs, measured(rate=4e9)]).low == 4e9


def test_a_plan_can_be_left_out_to_be_estimated():
    speeds = [measured(rate=1e9, plan="quick"), measured(rate=2e9, plan="card")]
    assert rate_of(SPEC, CPU, speeds, without_plan="quick").low == 2e9
    assert rate_of(SPEC, CPU, speeds[:1], without_plan="quick") is None


def test_speeds_of_another_device_or_number_of_threads_say_nothing():
    assert (
        rate_of(SPEC, CPU, [measured(device="Other CPU, 1 thread"), measured(device=CPU[:-8] + "16 threads")]) is None
    )


def test_a_gpu_without_recorded_speed_has_a_range_by_its_peak():
    rate = rate_of(SPEC, "NVIDIA A100-SXM4-40GB", [measured()])
    assert (rate.low, rate.high) == pytest.approx((0.03 * 156e12, 0.16 * 156e12))
    assert "not measured" in rate.source
    recorded = measured(device="NVIDIA A100-SXM4-40GB", rate=20e12)
    assert rate_of(SPEC, "A100", [recorded]).low == 20e12
    assert rate_of(SPEC, "GeForce", [recorded]) is None


def test_recorded_runs_and_the_benchmark_give_rates(tmp_path):
    folder = write_fake_run(tmp_path / "runs" / "card" / "conv_types" / "r3d-18_8f_seed0", SPEC)
    row = {"net": "r3d", "device": "cpu", "precision": "bf16", "threads": 1}
    row |= {"width": 16, "clip_length": 8, "resolution": 56, "clips_per_second": 100.0}
    record = RECORD | {"name": "training_step", "tables": {"steps": [row, row | {"net": "torchvision r3d_18"}]}}
    (tmp_path / "runs" / "benchmarks").mkdir()
    (tmp_path / "runs" / "benchmarks" / "training_step.json").write_text(json.dumps(record))
    benchmark, run = measured_rates(tmp_path)
    assert benchmark.device == on_cpu("Imagined CPU (x86_64)", 1)
    assert benchmark.rate == pytest.approx(3 * FLOPS * 100, rel=1e-3)  # counted with 400 classes
    flops = json.loads((folder / "metrics.json").read_text())["flops"]
    assert (run.rate, run.plan, run.device) == (3 * flops * 55, "card", "Imagined CPU (x86_64, AVX512), 1 thread")


def test_the_benchmark_of_a_gpu_gives_its_rates(tmp_path):
    row = {"net": "r3d", "way": "eager", "device": "NVIDIA H200", "depth": 18, "width": 64, "clip_length": 8,
           "resolution": 112, "precision": "bf16", "clips_per_second": 1000.0}  # fmt: skip
    record = RECORD | {
        "name": "gpu",
        "tables": {"paper": [row, row | {"net": "torchvision r3d_18"}], "loading": [{"from": "frame cache"}]},
    }
    (tmp_path / "runs" / "benchmarks").mkdir(parents=True)
    (tmp_path / "runs" / "benchmarks" / "gpu.json").write_text(json.dumps(record))
    (found,) = measured_rates(tmp_path)
    assert (found.device, found.source) == ("NVIDIA H200", "benchmark gpu, r3d at 8x112x112, width 64")
    assert found.rate == 3 * count_by_name("r3d").flops * 1000


def test_small_runs_on_a_gpu_say_nothing_of_large_ones():
    """They wait for launches."""
    run = measured(device="NVIDIA A100", rate=1e9, plan="mini")
    paper = replace(SPEC, width=64, resolution=112)
    assert rate_of(replace(SPEC, net="r2d"), "A100", [run]).low == 1e9
    assert rate_of(paper, "A100", [run]).low > 1e12
    assert rate_of(paper, "A100", [replace(run, plan="")]).low == 1e9  # a benchmark
    assert rate_of(paper, CPU, [replace(run, device=CPU, processor=True)]).low == 1e9
    assert rate_of(paper, "H200", [replace(run, device="NVIDIA H200")]) is None


def test_a_rate_is_of_one_process_and_a_broken_run_has_none(tmp_path):
    folder = write_fake_run(tmp_path / "runs" / "card" / "conv_types" / "r3d-18_8f_seed0", SPEC)
    path = folder / "provenance.json"
    alone = measured_rates(tmp_path)[0].rate
    path.write_text(json.dumps(json.loads(path.read_text()) | {"processes": 4, "device": "NVIDIA A100"}))
    assert measured_rates(tmp_path)[0].rate == alone / 4
    assert measured_rates(tmp_path)[0].device == "NVIDIA A100"
    path.write_text("{")
    assert measured_rates(tmp_path) == []


def test_a_run_of_a_few_seconds_shows_how_training_starts_and_not_how_fast_it_is(tmp_path):
    folder = write_fake_run(tmp_path / "runs" / "quick" / "depth" / "r2plus1d-34_8f_seed0", SPEC)
    metrics = json.loads((folder / "metrics.json").read_text())
    for seconds, found in ((9.9, 0), (10.0, 1)):
        (folder / "metrics.json").write_text(json.dumps(metrics | {"seconds": seconds}))
        assert len(measured_rates(tmp_path)) == found


def test_the_lowest_rates_of_new_gpus_are_the_v100s_by_the_bandwidth_of_memory():
    gpus = {gpu.match: gpu for gpu in given_gpus()}
    v100 = gpus.pop("V100")
    for gpu in gpus.values():
        by_memory = v100.high_share * v100.peak_tflops * gpu.bandwidth_gbs / v100.bandwidth_gbs / gpu.peak_tflops
        assert gpu.low_share == round(by_memory, 2)


def test_a_plan_is_told_with_its_hours_by_the_clock(monkeypatch):
    """Two runs on two cores take as long as the longer one; eight GPUs share all."""
    plan = load_plan(REPOSITORY / "runs" / "quick.yaml")
    plan = replace(plan, runs=plan.runs[:2])
    times = [c.multiply_adds / 1e9 for c in costs_of(plan)]
    monkeypatch.setattr(cost, "available_cores", lambda: 2)
    monkeypatch.setattr(cost, "measured_rates", lambda: [measured(device=device) for device in (CPU, "NVIDIA B")])
    told = report(plan, CPU)
    assert f"{duration(sum(times))} of one {CPU} in all, {duration(max(times))} with 2 runs at a time" in told
    assert plan.runs[1].folder.as_posix() in told
    assert f"{duration(sum(times))} of one NVIDIA B in all, {duration(sum(times) / 8)} on 8" in report(plan, "NVIDIA B")
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
        (None, None, "–"),
    ],
)
def test_times_have_two_figures_in_the_unit_of_the_longer(least, most, text):
    assert duration(least, most) == text


@pytest.mark.parametrize(("size", "text"), [(8.01e8, "800 MB"), (1.25e12, "1.2 TB"), (51_000, "51 kB"), (None, "–")])
def test_disk_has_two_figures(size, text):
    assert disk(size) == text
