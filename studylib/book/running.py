"""The chapter on running the study: what a plan takes, published training times, and the check of the estimate."""

import csv
from html import escape
from importlib.resources import files
from pathlib import Path

import pandas as pd

from studylib import REPOSITORY
from studylib.book import benchmarks
from studylib.book.tables import prose, run_link
from studylib.runs.cost import (
    PASSES,
    SHORTEST,
    costs_of,
    given_gpus,
    rate_of,
    recorded_rates,
    seconds,
    training_passes,
)
from studylib.runs.magnitudes import disk, duration, two
from studylib.runs.plan import Plan
from studylib.runs.results import Run, device_name


def cpu_of_benchmarks(repository: Path = REPOSITORY) -> str | None:
    """The processor with one thread on which training steps were recorded, by the benchmark, else by a run; None where
    there is neither."""
    record = benchmarks.load("training_step", repository / "runs" / "benchmarks")
    if record is not None:
        return device_name("cpu", record.cpu, 1)
    return next((name for name in recorded_rates(repository)["device"] if name.endswith(", 1 thread")), None)


def gpu_of_benchmarks(repository: Path = REPOSITORY) -> str | None:
    """The GPU on which the benchmark `gpu` was recorded; None where it was not."""
    rows = benchmarks.rows_of("gpu", "paper", repository / "runs" / "benchmarks")
    return None if rows.empty else rows["device"].iloc[0]


def plan_costs(plan: Plan, repository: Path = REPOSITORY) -> pd.DataFrame:
    """What a plan takes: a row an experiment, one for all, and one for all with a single seed.

    Columns: experiment, runs, training and test clips in millions, multiply-adds in 10^18, disk of checkpoints and of
    predictions, and the time on each GPU whose rate is given, on that of the benchmark `gpu`, and on our CPU.
    """
    costs, recorded = costs_of(plan), recorded_rates(repository)
    spans = {gpu: seconds(costs, gpu) for gpu in given_gpus()["match"]}
    for column, device in (
        ("measured GPU", gpu_of_benchmarks(repository)),
        ("our CPU", cpu_of_benchmarks(repository)),
    ):
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
        for column, span in spans.items():
            row[column] = duration(*span.loc[group.index, ["least", "most"]].sum(skipna=False))
        rows.append(row | {column: disk(group[column].sum()) for column in ("checkpoints", "predictions")})
    return pd.DataFrame(rows)


def published_times() -> list[dict[str, str]]:
    """The rows of `evidence/training_times.csv`."""
    text = (files("studylib.claims") / "evidence" / "training_times.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def sustained(row: dict[str, str]) -> float | None:
    """Multiply-adds a second of one GPU by a published time; None where the work or the time is not told."""
    if not (row["clips"] and row["gmacs"] and row["hours"]):
        return None
    return PASSES * int(row["clips"]) * 1e9 * float(row["gmacs"]) / (3600 * float(row["hours"]) * int(row["gpus"]))


def published() -> pd.DataFrame:
    """Published training times, as they were told, and what they come to a GPU: three passes over the clips."""
    rows = []
    for row in published_times():
        rate, hours = sustained(row), float(row["hours"] or 0)
        rows.append(
            {
                "what was trained": prose(row["what"]),
                "GPUs": f"{row['gpus']} ({escape(row['gpu'])})",
                "as told": prose(row["told"]),
                "GPU-hours": two(hours * int(row["gpus"])) if hours >= 1 else "–",
                "multiply-adds a second and GPU": "–" if rate is None else f"{two(rate / 1e12)} T",
                "source": f'<a class="prose" href="{escape(row["url"])}">{escape(row["source"])}</a>',
            }
        )
    return pd.DataFrame(rows)


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
