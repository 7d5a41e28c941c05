"""What a run takes before it starts: multiply-adds, time and disk; and how much video the paper's datasets hold.

Time is counted work over a rate. Training is three passes over its clips, tests are one. A rate is what a training step
sustains over its passes: as recorded benchmarks and runs show it, or for GPUs a share of the peak in the vendor's data
sheet, from a low to a high one (`device_rates.csv`). Reading the videos is taken to keep pace; the progress lines of a
run tell whether it does ("waiting for data").
"""

import json
from collections.abc import Mapping
from functools import cache
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from studylib import REPOSITORY
from studylib.datasets.index import DatasetError, load_index
from studylib.datasets.lists import published_counts
from studylib.datasets.pantomime.actions import VOCABULARIES
from studylib.datasets.pantomime.knobs import KNOBS
from studylib.nets.complexity import count_by_name
from studylib.nets.table import PRINTED_NAMES
from studylib.runs import benchmarks
from studylib.runs.benchmarks import device_name
from studylib.runs.magnitudes import disk, duration
from studylib.training.run_files import RunFolderError, of_code, read_metrics
from studylib.training.spec import RunSpec, SpecError, load_spec
from studylib.video.clips import clip_span

if TYPE_CHECKING:
    from studylib.runs.plan import Plan

PASSES = 3  # forward, and backward for the input and for the weights
TEST_SHARE = 0.2  # where only a sum of videos is published: Sports-1M's parts by Karpathy et al., CVPR 2014
SHORTEST = 10.0  # seconds of training: a shorter run shows how training starts, not how fast it is
SIZES = ["width", "clip_length", "resolution"]
LIKE = ["net", "amp", *SIZES]  # what a rate depends on


def costs_of(plan: "Plan") -> pd.DataFrame:
    """What each run of a plan takes: a row a run, in its order.

    Columns: experiment, dataset, seed, epochs and LIKE of its spec; `flops`, multiply-adds of a clip; `training_clips`
    of all epochs; `test_clips` of the final test and of the centre clips after each epoch, nan where the dataset is not
    known; `multiply_adds` of all passes over them; bytes of `checkpoints` and of `predictions` (before compression).
    """
    known: dict[tuple, Videos | None] = {}  # an index may be large
    rows = []
    for spec in (run.spec for run in plan.runs):
        asked = (spec.dataset, spec.split, spec.clip_length, spec.frame_step, spec.test_clips, spec.test_sampling)
        if asked not in known:
            known[asked] = videos_of(spec, plan.datasets)
        videos = known[asked]
        counts = count_by_name(**spec.network(videos.classes if videos else 400))
        training = spec.epochs * spec.clips_per_epoch
        tests = spec.epochs * videos.tested + videos.test_clips if videos else nan
        row = {name: getattr(spec, name) for name in ("experiment", "dataset", "seed", "epochs", *LIKE)}
        row |= {"flops": counts.flops, "training_clips": training, "test_clips": tests}
        passes = training_passes(spec) * training + (tests if videos else 0)
        row |= {"multiply_adds": float(counts.flops) * passes}  # of a long plan more than 64 bits hold
        row |= {"checkpoints": 2 * 2 * 4 * counts.params}  # two files of weights and momentum, fp32
        row |= {"predictions": 2 * videos.classes * (videos.test_clips + videos.tested) if videos else 0}  # float16
        rows.append(row)
    return pd.DataFrame(rows)


def training_passes(spec: RunSpec) -> int:
    """Passes over the clips of a training; `recompute` passes forward once more."""
    return PASSES + spec.recompute


class Videos(NamedTuple):
    """What is known of a run's dataset without training on it."""

    tested: int  # videos of the test part
    test_clips: int  # clips of the final test
    classes: int


def videos_of(spec: RunSpec, generated: Mapping[str, Mapping[str, Any]]) -> Videos | None:
    """What is known of the dataset of `spec`: from its index if that is here, else from the plan, else as published.

    A broken index counts as none: the run will name it. A part of a published dataset ("ucf101-subset") whose index is
    not here is not known. `generated` are the datasets that the plan makes itself, `Plan.datasets`.
    """
    family, _, rest = spec.dataset.partition("-")
    published = [size for size in dataset_sizes() if size.family == family]
    try:
        index = load_index(spec.dataset)
        lengths, classes = index.table["num_frames"].to_numpy()[index.rows(spec.split, "test")], len(index.classes)
    except DatasetError:
        if (arguments := generated.get(spec.dataset)) is not None:
            lengths = np.full(arguments["test_videos"], KNOBS.num_frames)
            classes = len(VOCABULARIES[arguments.get("vocabulary", "source")])
        elif published and not rest.replace("x", "").strip("0123456789"):  # prepared or not: kinetics400-128x171
            size, counts = published[0], published_counts(published[0].dataset)
            parts = [f"{split}{part}" for split in ("", f"split{spec.split} ") for part in ("test", "val")]
            tested = next((counts[part][0] for part in parts if part in counts), round(TEST_SHARE * size.videos))
            lengths, classes = np.full(tested, size.frames / size.videos), size.classes
        else:
            return None
    clips = len(lengths) * spec.test_clips
    if spec.test_sampling == "dense":  # each video has its own number
        span = clip_span(spec.clip_length, spec.frame_step)
        clips = int((1 + np.ceil(np.maximum(0, lengths - span) / span)).sum())
    return Videos(len(lengths), clips, classes)


def dataset_sizes() -> list[NamedTuple]:
    """How much video each dataset holds that the paper trains on, and the larger Kinetics: the columns of
    `dataset_sizes.csv`, and `frames` of all videos. Texts that are not there are "", numbers nan."""
    table = pd.read_csv(Path(__file__).with_name("dataset_sizes.csv"))
    table = table.fillna(dict.fromkeys(table.select_dtypes(exclude="number"), ""))
    published = [published_counts(name) for name in table["dataset"]]
    sums = [counts["all"][0] if "all" in counts else sum(n for n, _ in counts.values()) for counts in published]
    table["videos"] = table["videos"].fillna(pd.Series(sums)).astype(int)
    length = (3600 * table["hours"]).fillna(table["videos"] * table["seconds_a_video"])  # seconds
    return list(table.assign(frames=length * table["fps"]).itertuples(index=False))


class Rate(NamedTuple):
    """Multiply-adds a second of one process; `low` and `high` are equal where it was measured, nan where not known."""

    low: float
    high: float
    source: str  # where it comes from, for the reader


def given_gpus() -> pd.DataFrame:
    """The GPUs whose peak is known, a row each; a peak counts two operations a multiply-add."""
    return pd.read_csv(Path(__file__).with_name("device_rates.csv"))


def recorded_rates(repository: Path = REPOSITORY) -> pd.DataFrame:
    """The rates of the recorded benchmarks `training_step` and `gpu` and of all recorded runs that trained.

    Columns: device, on_gpu, plan (of a run; "" for a benchmark), LIKE with the precision that ran, and `rate`,
    multiply-adds a second of one process. A broken run says nothing of speed, and the book's build names it.
    """
    rows = []
    for name in ("training_step", "gpu"):
        record = benchmarks.load(name, repository / "runs" / "benchmarks")
        for row in [row for table in record.tables.values() for row in table.to_dict("records")] if record else []:
            if row.get("net") in PRINTED_NAMES and "clips_per_second" in row:  # else the peer's, or of something else
                sizes = [int(row[size]) for size in SIZES]
                counts = count_by_name(row["net"], int(row.get("depth", 18)), **dict(zip(SIZES, sizes, strict=True)))
                device = device_name(row["device"], record.cpu, int(row.get("threads", 1)))
                rate = PASSES * counts.flops * float(row["clips_per_second"])
                rows.append((device, row["device"] != "cpu", "", row["net"], row["precision"], *sizes, rate))
    for folder in sorted(path.parent for path in (repository / "runs").glob("*/*/*/metrics.json")):
        try:
            spec, metrics = load_spec(folder), read_metrics(folder)
            made = json.loads((folder / "provenance.json").read_text())
        except (SpecError, RunFolderError, OSError, ValueError):
            continue
        if metrics["seconds"] >= SHORTEST:  # 0 where nothing was trained
            device = device_name(made["device"], made["cpu"], made["threads"])
            rate = training_passes(spec) * metrics["flops"] * metrics["clips_per_second"] / made.get("processes", 1)
            sizes = [getattr(spec, size) for size in SIZES]
            rows.append((device, made["device"] != "cpu", folder.parts[-3], spec.net, made["precision"], *sizes, rate))
    return pd.DataFrame(rows, columns=["device", "on_gpu", "plan", *LIKE, "rate"])


def rate_of(like: RunSpec | tuple, device: str, recorded: pd.DataFrame | None = None) -> Rate:
    """The rate at which `device`, a name or a part of one ("A100"), trains a spec, or a row of LIKE.

    The median of those `recorded` (see `recorded_rates`) that are nearest: a doubling of a size counts 1, another
    network 1/2, another precision, which may halve the rate where sizes change little, as much as four doublings. Where
    there are none, the given range of a GPU; else nan.
    """
    if recorded is not None and len(recorded):
        known = recorded[recorded["device"].str.contains(device, case=False, regex=False)]
        doublings = np.log2(known[SIZES] / [getattr(like, size) for size in SIZES]).abs().sum(axis=1)
        # a small net's run on a GPU waits for launches, and says nothing of one twice as large
        known = known[~known["on_gpu"] | (known["plan"] == "") | (doublings < 1)]
        apart = doublings[known.index] + 4 * (known["amp"] != like.amp) + (known["net"] != like.net) / 2
        if len(apart):
            near = known[apart == apart.min()]
            net, precision, width, frames, side = near[LIKE].iloc[0]
            clip = f"{frames}x{side}x{side}, {precision}"
            source = f"the median of {len(near)} recorded, such as {net}, width {width}, clips of {clip}"
            return Rate(near["rate"].median(), near["rate"].median(), source)
    for gpu in given_gpus().itertuples():
        if gpu.match.lower() in device.lower():
            low, high = (share * gpu.peak_tflops * 1e12 / 2 for share in (gpu.low_share, gpu.high_share))
            shares = f"{gpu.low_share:.0%} to {gpu.high_share:.0%} of the {gpu.precision} peak of {gpu.device}"
            return Rate(low, high, f"{shares}, not measured; small nets reach less")
    return Rate(nan, nan, "")


def seconds(costs: pd.DataFrame, device: str, recorded: pd.DataFrame | None = None) -> pd.DataFrame:
    """`least` and `most` seconds of each of `costs` on one `device`, nan where its speed is not known, and the `source`
    of the rate (`rate_of`)."""
    rate = cache(lambda like: rate_of(like, device, recorded))
    rates = pd.DataFrame([rate(like) for like in costs[LIKE].itertuples(index=False)], index=costs.index)
    work = costs["multiply_adds"]
    return pd.DataFrame({"least": work / rates["high"], "most": work / rates["low"], "source": rates["source"]})


def timed(plan: "Plan", device: str | None = None) -> pd.DataFrame:
    """`costs_of` a plan and `seconds` of each run, on `device` (a column): "A100", or the name that a recorded run has;
    without one on that of the run's `resources`, or this machine's."""
    # of a processor one thread, which is how the Snakefile runs a plan
    here = torch.cuda.get_device_name() if torch.cuda.is_available() else device_name("cpu", of_code()["cpu"], 1)
    devices = [device or run.resources.device or here for run in plan.runs]
    costs, recorded = costs_of(plan).assign(device=devices), recorded_rates()
    return costs.join(pd.concat([seconds(own, name, recorded) for name, own in costs.groupby("device")]))


def report(plan: "Plan", device: str | None = None) -> str:
    """What `python -m studylib.runs.plan` prints: a run a line, totals, and where the rates are from; see `timed`."""
    costs = timed(plan, device)
    kept = costs["checkpoints"] + costs["predictions"]
    shown = costs[["dataset", "epochs"]].assign(
        clips=costs["training_clips"].map("{:,}".format),
        **{"GFLOPs a clip": (costs["flops"] / 1e9).map("{:.3g}".format)},
        time=[duration(*span) for span in zip(costs["least"], costs["most"], strict=True)],
        disk=kept.map(disk),
    )
    lines = [plan.title, shown.set_axis([run.folder.as_posix() for run in plan.runs]).to_string(), ""]
    for name, own in costs.groupby("device"):
        if own["most"].isna().any():
            lines.append(
                f"time: no speed is recorded for {name}. `python -m tests.bench training_step --record` measures this "
                "machine's, and so does any run that ends; of a GPU `python -m tests.bench gpu --record`; there are "
                "assumed ones: --device " + ", ".join(given_gpus()["match"])
            )
            continue
        lines.append(f"time: {duration(own['least'].sum(), own['most'].sum())} of one {name} in all, by")
        lines += [f"  {source}" for source in own["source"].unique()]
    lines.append(f"disk: {disk(kept.sum())} of checkpoints and predictions")
    unknown = costs.loc[costs["test_clips"].isna(), "dataset"].unique()
    return "\n".join(lines + [f"not counted: the tests on {name}, whose index is not here" for name in unknown])
