"""The chapter on running the study: what a plan takes, published training times, and the check of the estimate."""

from importlib.resources import files
from pathlib import Path

import pandas as pd

from studylib import REPOSITORY
from studylib.book.benchmarks import rows_of
from studylib.book.tables import run_link
from studylib.runs import benchmarks
from studylib.runs.benchmarks import device_name
from studylib.runs.cost import PASSES, SHORTEST, costs_of, given_gpus, rate_of, recorded_rates, seconds, training_passes
from studylib.runs.magnitudes import disk, duration, span, two
from studylib.runs.plan import Plan
from studylib.runs.results import Run


def cpu_of_benchmarks(repository: Path = REPOSITORY) -> str | None:
    """The processor with one thread on which training steps were recorded, by the benchmark, else by a run; None where
    there is neither."""
    record = benchmarks.load("training_step", repository / "runs" / "benchmarks")
    if record is not None:
        return device_name("cpu", record.cpu, 1)
    return next((name for name in recorded_rates(repository)["device"] if name.endswith(", 1 thread")), None)


def gpu_of_benchmarks(repository: Path = REPOSITORY) -> str | None:
    """The GPU on which the benchmark `gpu` was recorded; None where it was not."""
    rows = rows_of("gpu", "paper", repository / "runs" / "benchmarks")
    return None if rows.empty else rows["device"].iloc[0]


def plan_costs(plan: Plan, repository: Path = REPOSITORY) -> pd.DataFrame:
    """What a plan takes: a row an experiment, one for all, and one for all with a single seed.

    Columns: experiment, runs, training and test clips in millions, multiply-adds in 10^18, disk of checkpoints and of
    predictions, and the time on each GPU whose rate is given, on that of the benchmark `gpu`, and on our CPU.
    """
    costs, recorded = costs_of(plan), recorded_rates(repository)
    spans = {gpu: seconds(costs, gpu) for gpu in given_gpus()["match"]}
    ours = {"measured GPU": gpu_of_benchmarks(repository), "our CPU": cpu_of_benchmarks(repository)}
    for column, device in ours.items():
        spans |= {column: seconds(costs, device, recorded)} if device else {}
    groups = dict(list(costs.groupby("experiment", sort=False))) | {"all": costs}
    if len(first := costs[costs["seed"] == 0]) < len(costs):
        groups["all, one seed of each"] = first
    rows = []
    for name, group in groups.items():
        row = {"experiment": name, "runs": len(group)}
        row["training clips (M)"] = two(group["training_clips"].sum() / 1e6)
        row["test clips (M)"] = two(group["test_clips"].sum() / 1e6)
        row["multiply-adds (10^18)"] = two(group["multiply_adds"].sum() / 1e18)
        for column, times in spans.items():
            least, most = times.loc[group.index, ["least", "most"]].sum(skipna=False)
            # a GPU is paid by the hour; for our CPU, a laptop's, one waits
            cpu = column == "our CPU"
            time = duration(least, most) if cpu else f"{span(least / 3600, most / 3600)} hours"
            row[column] = time if most else "–"  # tests alone, of videos that are not here to be counted
        rows.append(row | {column: disk(group[column].sum()) for column in ("checkpoints", "predictions")})
    return pd.DataFrame(rows)


def published_times() -> pd.DataFrame:
    """The rows of `evidence/training_times.csv`, with `rate`: multiply-adds a second of one GPU, of three passes over
    the clips; nan where the work or the time is not told."""
    with (files("studylib.claims") / "evidence" / "training_times.csv").open(encoding="utf-8") as file:
        times = pd.read_csv(file)
    work = PASSES * times["clips"] * 1e9 * times["gmacs"]
    return times.assign(rate=work / (3600 * times["hours"] * times["gpus"]))


def check(runs: list[Run], repository: Path = REPOSITORY) -> pd.DataFrame:
    """Estimated against measured seconds of training, a row a recorded run on the processor of the benchmark.

    The estimate knows the benchmark and the runs of other plans, never the run's own plan. Runs of less than
    `SHORTEST` seconds are left out. Columns: plan, run (a link), estimated, measured.
    """
    cpu, recorded, rows = cpu_of_benchmarks(repository), recorded_rates(repository), []
    for run in runs:
        made, spec = run.provenance, run.spec
        device = device_name(made["device"], made["cpu"], made["threads"])
        if device != cpu or run.metrics["seconds"] < SHORTEST:
            continue
        plan, experiment, name = run.folder.parts[-3:]
        rate = rate_of(spec, device, recorded[recorded["plan"] != plan])
        work = run.metrics["flops"] * training_passes(spec) * spec.epochs * spec.clips_per_epoch
        row = {"plan": plan, "run": run_link(plan, experiment, name, name), "estimated": work / rate.low}
        rows.append(row | {"measured": run.metrics["seconds"]})
    return pd.DataFrame(rows, columns=["plan", "run", "estimated", "measured"]).dropna()
