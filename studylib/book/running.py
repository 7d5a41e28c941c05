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
    Cost,
    by_experiment,
    costs_of,
    given_gpus,
    given_rate,
    measured_rates,
    on_cpu,
    rate_of,
    seconds,
)
from studylib.runs.magnitudes import disk, duration, two
from studylib.runs.plan import Plan
from studylib.runs.results import Run


def cpu_of_benchmarks(repository: Path = REPOSITORY) -> str | None:
    """The processor with one thread on which training steps were recorded, by the benchmark, else by a run; None where
    there is neither."""
    record = benchmarks.load("training_step", repository / "runs" / "benchmarks")
    if record is not None:
        return on_cpu(record.cpu, 1)
    return next((m.device for m in measured_rates(repository) if m.device.endswith(", 1 thread")), None)


def gpu_of_benchmarks(repository: Path = REPOSITORY) -> str | None:
    """The GPU on which the benchmark `gpu` was recorded; None where it was not."""
    rows = benchmarks.rows_of("gpu", "paper", repository / "runs" / "benchmarks")
    return None if rows.empty else rows["device"].iloc[0]


def plan_costs(plan: Plan, repository: Path = REPOSITORY) -> pd.DataFrame:
    """What a plan takes: a row an experiment, one for all, and one for all with a single seed.

    Columns: experiment, runs, training and test clips in millions, multiply-adds in 10^18, disk of checkpoints and of
    predictions, and the time on each GPU whose rate is given, on that of the benchmark `gpu`, and on our CPU.
    """
    costs, measured = costs_of(plan), measured_rates(repository)
    ours = {"measured GPU": gpu_of_benchmarks(repository), "our CPU": cpu_of_benchmarks(repository)}
    groups, rows = by_experiment(costs), []
    if len(first := [cost for cost in costs if cost.spec.seed == 0]) < len(costs):
        groups["all, one seed of each"] = first
    for name, group in groups.items():
        row = {"experiment": name, "runs": len(group)}
        row["training clips (M)"] = two(sum(c.training_clips for c in group) / 1e6)
        row["test clips (M)"] = two(sum(c.tested_clips for c in group) / 1e6)
        row["multiply-adds (10^18)"] = two(sum(c.multiply_adds for c in group) / 1e18)
        for gpu in given_gpus():
            row[gpu.match] = duration(*seconds(group, [given_rate(gpu.match)] * len(group)))
        for column, device in ours.items():
            rates = [device and rate_of(c.spec, device, measured) for c in group]
            if device:
                row[column] = "–" if None in rates else duration(*seconds(group, rates))
        row["checkpoints"] = disk(sum(c.checkpoint_bytes for c in group))
        rows.append(row | {"predictions": disk(sum(c.prediction_bytes for c in group))})
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
    cpu, measured, rows = cpu_of_benchmarks(repository), measured_rates(repository), []
    for run in runs:
        device = on_cpu(run.provenance["cpu"], run.provenance["threads"])
        if run.provenance["device"] != "cpu" or device != cpu or run.metrics["seconds"] < SHORTEST:
            continue
        plan, experiment, name = run.folder.parts[-3:]
        if (rate := rate_of(run.spec, device, measured, without_plan=plan)) is not None:
            estimated, _ = rate.seconds(Cost(run.spec, None).training_multiply_adds)
            row = {"plan": plan, "run": run_link(plan, experiment, name, name), "estimated": estimated}
            rows.append(row | {"measured": run.metrics["seconds"]})
    return pd.DataFrame(rows, columns=["plan", "run", "estimated", "measured"])
