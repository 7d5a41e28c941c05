"""How fast a device trains, in multiply-adds a second: measured by recorded benchmarks and runs, or given for GPUs.

A rate is what a training step sustains over its forward and backward passes, three times the multiply-adds of a clip.
Given rates are a share of the peak in the vendor's data sheet, from a low to a high one (`runs/device_rates.csv`).
"""

import csv
import json
from dataclasses import dataclass
from importlib.resources import files
from math import log2
from pathlib import Path
from statistics import median

import torch

from studylib import REPOSITORY
from studylib.nets.complexity import count_by_name
from studylib.nets.table import NETS, PRINTED_NAMES, VARIANTS
from studylib.runs import benchmarks
from studylib.training.provenance import of_code
from studylib.training.run_files import RunFolderError, read_metrics
from studylib.training.spec import RunSpec, SpecError, load_spec

PASSES = 3  # forward, and backward for the input and for the weights
SIZES = ("width", "clip_length", "resolution")
SHORTEST = 10.0  # seconds of training: a shorter run shows how training starts, not how fast it is


@dataclass(frozen=True)
class Rate:
    """Multiply-adds a second of one process; `low` and `high` are equal where it was measured."""

    low: float
    high: float
    source: str  # where it comes from, for the reader


@dataclass(frozen=True)
class Given:
    """A row of `runs/device_rates.csv`."""

    device: str
    match: str  # what the name of such a device contains
    precision: str  # that the peak is of
    peak: float  # operations a second, two a multiply-add
    peak_source: str
    memory: int  # bytes
    bandwidth: float  # of the memory, bytes a second
    low_share: float  # of the peak
    high_share: float
    share_source: str

    @property
    def rate(self) -> Rate:
        """Its range as multiply-adds a second."""
        low, high = (share * self.peak / 2 for share in (self.low_share, self.high_share))
        shares = f"{self.low_share:.0%} to {self.high_share:.0%}"
        return Rate(
            low, high, f"{shares} of the {self.precision} peak of {self.device}, not measured; small nets reach less"
        )


@dataclass(frozen=True)
class Measured:
    """One recorded speed: on what, with which network and clips."""

    device: str
    net: str
    depth: int
    width: int
    clip_length: int
    resolution: int
    precision: str
    rate: float  # multiply-adds a second of one process
    source: str
    plan: str = ""  # of a run; "" for a benchmark

    def distance(self, spec: RunSpec) -> float:
        """How far its network and clips are from a run's: 1 for each doubling of a size, 1/4 for each group of other
        convolutions, 1/2 for another depth or precision."""
        apart = sum(abs(log2(getattr(spec, size) / getattr(self, size))) for size in SIZES)
        # a run that asks for bf16 gets what the device does then, fp32 perhaps
        other_precision = spec.amp == "fp32" and self.precision != "fp32"
        apart += (spec.depth != self.depth) / 2 + other_precision / 2
        ours, theirs = _groups(spec.net), _groups(self.net)
        return apart + sum(a != b for a, b in zip(ours, theirs, strict=True)) / 4


def _groups(net: str) -> tuple[str, ...]:
    """The convolutions of a net's five groups; C3D's are 3D."""
    base = VARIANTS[net].base if net in VARIANTS else net
    return NETS["r3d" if base == "c3d" else base]


def given_rates() -> list[Given]:
    """The GPUs whose peak is known here."""
    text = (files("studylib.runs") / "device_rates.csv").read_text(encoding="utf-8")
    return [
        Given(
            row["device"],
            row["match"],
            row["precision"],
            1e12 * float(row["peak_tflops"]),
            row["peak_source"],
            int(float(row["memory_gb"]) * 1e9),
            1e9 * float(row["bandwidth_gbs"]),
            float(row["low_share"]),
            float(row["high_share"]),
            row["share_source"],
        )
        for row in csv.DictReader(text.splitlines())
    ]


def given(device: str) -> Given | None:
    """The row of a GPU by its name ("A100", "NVIDIA A100-SXM4-40GB"); None where there is none."""
    return next((row for row in given_rates() if row.match.lower() in device.lower()), None)


def this_device() -> str:
    """The first GPU's name, or the processor with one thread, which is how the Snakefile runs a plan."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else on_cpu(of_code()["cpu"], 1)


def on_cpu(cpu: str, threads: int) -> str:
    """A processor as a device: its name and how many threads a process uses."""
    return f"{cpu}, {threads} thread{'s' if threads != 1 else ''}"


def is_cpu(device: str) -> bool:
    """Whether a device is named by `on_cpu`."""
    return device.rstrip("s").endswith(" thread")


def measured_rates(repository: Path = REPOSITORY) -> list[Measured]:
    """The rates of the recorded benchmark `training_step` and of all recorded runs, benchmarks first."""
    return [*_of_benchmark(repository / "runs" / "benchmarks"), *_of_runs(repository)]


def rate_of(spec: RunSpec, device: str, measured: list[Measured], without_plan: str = "") -> Rate | None:
    """The rate at which `device` trains `spec`: the nearest measured one, else the given one, else None.

    Args:
        device: a name, or a part of one ("A100").
        measured: `measured_rates()`.
        without_plan: a plan whose runs are left out, so that they can be compared with the estimate.
    """
    own = [m for m in measured if device.lower() in m.device.lower() and (not m.plan or m.plan != without_plan)]
    if own:
        nearest = min((m.distance(spec), bool(m.plan)) for m in own)
        alike = [m for m in own if (m.distance(spec), bool(m.plan)) == nearest]
        rate = median(m.rate for m in alike)
        others = f" and {len(alike) - 1} like it" if len(alike) > 1 else ""
        return Rate(rate, rate, alike[0].source + others)
    row = given(device)
    return None if row is None else row.rate


def _of_benchmark(folder: Path) -> list[Measured]:
    """Our rows of the benchmark `training_step`; none where it is not recorded, or by an older version of it."""
    record = benchmarks.load("training_step", folder)
    found = []
    for row in [row for rows in record.tables.values() for row in rows.to_dict("records")] if record else []:
        if row.get("net") not in PRINTED_NAMES or not {*SIZES, "clips_per_second"} <= {*row}:
            continue  # the peer's, or a table of something else
        sizes = {size: int(row[size]) for size in SIZES} | {"depth": int(row.get("depth", 18))}
        rate = PASSES * count_by_name(row["net"], **sizes).flops * float(row["clips_per_second"])
        device = row.get("device", "cpu")
        if device == "cpu":
            device = on_cpu(record.cpu, int(row.get("threads", record.threads)))
        clip = f"{sizes['clip_length']}x{sizes['resolution']}x{sizes['resolution']}"
        told = f"benchmark training_step, {row['net']} at {clip}, width {sizes['width']}"
        found.append(
            Measured(device, row["net"], **sizes, precision=row.get("precision", "bf16"), rate=rate, source=told)
        )
    return found


def _of_runs(repository: Path) -> list[Measured]:
    """The rates of recorded runs that trained; a broken one says nothing of speed, and the book's build names it."""
    found = []
    for path in sorted(repository.glob("runs/*/*/*/metrics.json")):
        try:
            spec, metrics = load_spec(path.parent), read_metrics(path.parent)
            provenance = json.loads((path.parent / "provenance.json").read_text())
        except (SpecError, RunFolderError, OSError, ValueError):
            continue
        if metrics["seconds"] < SHORTEST:  # 0 where nothing was trained
            continue
        device = provenance["device"]
        if device == "cpu":
            device = on_cpu(provenance["cpu"], provenance["threads"])
        clips = metrics["clips_per_second"] / provenance.get("processes", 1)
        sizes = {size: getattr(spec, size) for size in ("depth", *SIZES)}
        told = f"recorded run {path.parent.relative_to(repository / 'runs').as_posix()}"
        rate = (PASSES + spec.recompute) * metrics["flops"] * clips
        plan, precision = path.relative_to(repository / "runs").parts[0], provenance["precision"]
        found.append(Measured(device, spec.net, **sizes, precision=precision, rate=rate, source=told, plan=plan))
    return found
