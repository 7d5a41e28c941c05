"""The tables of the chapter on costs: the paper's plan in hours, published times, and the check of the estimate."""

import csv
from html import escape
from importlib.resources import files
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from studylib import REPOSITORY
from studylib.book import benchmarks
from studylib.book.tables import NOT_RUN, Table, run_link
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
from studylib.runs.magnitudes import disk, duration, span, two
from studylib.runs.plan import Plan
from studylib.runs.results import Run
from studylib.training.memory import GIB, gib, largest_batch, memory_of
from studylib.training.spec import RunSpec

# What the experiments of the paper's plan are in the paper.
IN_PAPER = {
    "conv_types": "Table 2, Figure 3",
    "mechanism": "beyond it, for section 3.5",
    "cues": "beyond it, for section 4.2",
    "depth": "Figure 4",
    "clip_length": "Figure 5, section 4.3",
    "resolution": "section 4.3",
    "sports1m": "Table 3",
    "kinetics": "Table 4",
    "transfer": "Table 5",
}
MEMORY = {  # clips of the paper whose memory is shown: what they are -> depth, frames
    "R(2+1)D-18, 8 frames (Table 2)": (18, 8),
    "R(2+1)D-34, 8 frames (Table 3)": (34, 8),
    "R(2+1)D-34, 32 frames (Tables 3 to 5)": (34, 32),
}


def cpu_of_benchmarks(repository: Path = REPOSITORY, all_threads: bool = False) -> str | None:
    """The processor on which training steps were recorded, with one thread or the most that were: by the benchmark,
    else by a run on one thread; None where there is neither."""
    record = benchmarks.load("training_step", repository / "runs" / "benchmarks")
    if record is not None:
        told = [rows["threads"].max() for rows in record.tables.values() if "threads" in rows]
        return on_cpu(record.cpu, int(max(told, default=1)) if all_threads else 1)
    devices = [m.device for m in measured_rates(repository) if m.device.endswith(", 1 thread")]
    return devices[0] if devices else None


def gpu_of_benchmarks(repository: Path = REPOSITORY) -> str | None:
    """The GPU on which the benchmark `gpu` was recorded; None where it was not."""
    rows = benchmarks.rows_of("gpu", "paper", repository / "runs" / "benchmarks")
    return None if rows.empty else rows["device"].iloc[0]


def plan_table(plan: Plan, repository: Path = REPOSITORY) -> Table:
    """What a plan takes: clips, multiply-adds, hours of GPUs and of our CPU.

    A row an experiment, one for all and one for all with a single seed.
    """
    costs, measured, cpu = costs_of(plan), measured_rates(repository), cpu_of_benchmarks(repository, all_threads=True)
    groups = by_experiment(costs)
    if len(first := [cost for cost in costs if cost.spec.seed == 0]) < len(costs):
        groups["all, one seed of each"] = first
    measured_gpu, rows = gpu_of_benchmarks(repository), []
    for name, own in groups.items():
        row = {"experiment": escape(name), "in the paper": IN_PAPER.get(name, ""), "runs": len(own)}
        row["training clips"] = f"{two(sum(c.training_clips for c in own) / 1e6)}\u00a0M"
        row["test clips"] = f"{two(sum(c.tested_clips for c in own) / 1e6)}\u00a0M"
        row["multiply-adds"] = f"{two(sum(c.multiply_adds for c in own) / 1e18)}\u00a0×\u00a010<sup>18</sup>"
        for gpu in given_gpus():
            least_most = given_rate(gpu.match).seconds(sum(c.multiply_adds for c in own))
            row[f"{gpu.match}, GPU-hours"] = span(*(t / 3600 for t in least_most))
        for column, device in {f"{measured_gpu}, measured": measured_gpu, "our CPU": cpu}.items():
            if device is not None:
                rates = [rate_of(c.spec, device, measured) for c in own]
                row[column] = "–" if None in rates else duration(*seconds(own, rates))
        rows.append(row)
    told = "No GPU was measured here."
    if measured_gpu is not None:
        told = f"{measured_gpu}: rates of the nearest networks and clips in the benchmark gpu."
    core = "" if cpu is None else f" Our CPU: {cpu}, rates as recorded for the nearest networks and clips."
    return Table(
        pd.DataFrame(rows),
        "The plan of the paper's own settings, estimated to two figures. GPU-hours are a range, by the highest and the "
        f"lowest rate that are given below. {told}{core}",
    )


def hours_table(plan: Plan) -> Table:
    """What the plan takes on the CPU of the recorded benchmarks, a row an experiment, and all."""
    cpu, measured = cpu_of_benchmarks(), measured_rates()
    rows = []
    for name, own in by_experiment(costs_of(plan)).items():
        rates = [rate_of(cost.spec, cpu, measured) for cost in own] if cpu else [None]
        rows.append(
            {
                "experiment": escape(name),
                "runs": len(own),
                "training clips": f"{two(sum(c.training_clips for c in own) / 1e6)}\u00a0M",
                "one core": "time not known" if None in rates else duration(*seconds(own, rates)),
            }
        )
    return Table(
        pd.DataFrame(rows),
        f"The plan {plan.name} on one core of {cpu or 'a processor that has no record'}, estimated from recorded "
        f"speeds of the nearest networks and clips. Two runs side by side halve it; asked was 24 hours at most.",
    )


def rates_table() -> Table:
    """What the GPU-hours rest on, a row a GPU."""
    rates = {gpu.match: given_rate(gpu.match) for gpu in given_gpus()}
    rows = [
        {
            "GPU": escape(gpu.device),
            "peak (TFLOPS)": f"{gpu.peak_tflops:g} {gpu.precision}",
            "share of it": f"{gpu.low_share:.0%} to {gpu.high_share:.0%}",
            "multiply-adds a second": f"{span(rates[gpu.match].low / 1e12, rates[gpu.match].high / 1e12)}\u00a0T",
            "the peak is from": _prose(gpu.peak_source),
            "the share is": _prose(gpu.share_source),
        }
        for gpu in given_gpus()
    ]
    return Table(
        pd.DataFrame(rows),
        "Rates of GPUs as they are given, not measured by us. A peak counts two operations a multiply-add.",
    )


def published_times() -> list[dict[str, str]]:
    """The rows of `evidence/training_times.csv`."""
    text = (files("studylib.claims") / "evidence" / "training_times.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def sustained(row: dict[str, str]) -> float | None:
    """Multiply-adds a second of one GPU by a published time; None where the work or the time is not told."""
    if not (row["clips"] and row["gmacs"] and row["hours"]):
        return None
    return PASSES * int(row["clips"]) * 1e9 * float(row["gmacs"]) / (3600 * float(row["hours"]) * int(row["gpus"]))


def published_table() -> Table:
    """Published training times, as they were told, and what they come to a GPU."""
    rows = []
    for row in published_times():
        rate, hours = sustained(row), float(row["hours"] or 0)
        rows.append(
            {
                "what was trained": _prose(row["what"]),
                "GPUs": f"{row['gpus']} ({escape(row['gpu'])})",
                "as told": _prose(row["told"]),
                "GPU-hours": two(hours * int(row["gpus"])) if hours >= 1 else "–",
                "multiply-adds a second and GPU": "–" if rate is None else f"{two(rate / 1e12)}\u00a0T",
                "work": _prose(row["work"] or "not told"),
                "source": f'<span class="prose"><a href="{escape(row["url"])}">{escape(row["source"])}</a></span>',
            }
        )
    return Table(
        pd.DataFrame(rows),
        "Training times that others have published. The rate is computed from their work where it is known: three "
        "passes over their clips in their time.",
    )


def published_note() -> Markdown:
    """What the estimate makes of a network that others trained, on the GPU whose rates they gave."""
    told = []
    for frames in (8, 16):
        spec = RunSpec(experiment="clip_length", net="r2plus1d", dataset="kinetics400", clip_length=frames)
        work = Cost(spec, None).training_multiply_adds
        least, most = (time / 3600 for time in given_rate("V100").seconds(work))
        told.append(f"{span(least, most)} GPU-hours at {frames} frames")
    return Markdown(
        f"By the arithmetic of the plan, training R(2+1)D-18 on 45 epochs of a million clips takes "
        f"{' and '.join(told)} on a V100. For A100 and H100 we have found no published time of these networks to "
        "hold the ranges against."
    )


def memory_table() -> Table:
    """Memory of one process for clips of the paper, and how many fit."""
    rows = []
    for name, (depth, frames) in MEMORY.items():
        for amp, recompute in (("bf16", False), ("bf16", True), ("fp32", False)):
            spec = RunSpec(
                experiment="kinetics",
                net="r2plus1d",
                dataset="kinetics400",
                depth=depth,
                clip_length=frames,
                amp=amp,
                recompute=recompute,
            )
            memory = memory_of(spec)
            row = {"clips": name, "precision": amp, "recompute": "yes" if recompute else "no"}
            row |= {"a clip": gib(memory.per_clip), "weights and momentum": gib(memory.fixed)}
            row["a batch of 32"] = gib(memory.needed(32))
            rows.append(row | {f"clips in {size} GiB": largest_batch(spec, size * GIB) for size in (16, 40, 80)})
    return Table(
        pd.DataFrame(rows),
        "Memory of one process in training, from shapes. What libraries take beside is not counted; a tenth of the "
        "memory is left for it in the last columns.",
    )


def disk_table(plan: Plan) -> Table:
    """Disk of a plan's results by experiment, beside its datasets."""
    rows = [
        {
            "experiment": escape(name),
            "checkpoints": disk(sum(c.checkpoint_bytes for c in own)),
            "predictions": disk(sum(c.prediction_bytes for c in own)),
        }
        for name, own in by_experiment(costs_of(plan)).items()
        if name != "all"
    ]
    return Table(
        pd.DataFrame(rows),
        "Disk of the plan's checkpoints, three a run, and of its predictions before compression. What the datasets "
        "take is in the chapter on data.",
    )


def check_table(runs: list[Run], repository: Path = REPOSITORY) -> Table | Markdown:
    """Estimated against measured seconds of training, a row a recorded run on the processor of the benchmark.

    The estimate knows the benchmark and the runs of other plans, never the run's own plan.
    """
    cpu, measured, rows = cpu_of_benchmarks(repository), measured_rates(repository), []
    for run in runs:
        device = on_cpu(run.provenance["cpu"], run.provenance["threads"])
        if run.provenance["device"] != "cpu" or device != cpu or run.metrics["seconds"] < SHORTEST:
            continue
        plan, experiment, name = run.folder.parts[-3:]
        rate = rate_of(run.spec, device, measured, without_plan=plan)
        if rate is None:
            continue
        estimate, _ = rate.seconds(Cost(run.spec, None).training_multiply_adds)
        seconds = run.metrics["seconds"]
        rows.append(
            {
                "plan": escape(plan),
                "run": run_link(plan, experiment, name, name),
                "estimated (s)": f"{estimate:,.0f}",
                "measured (s)": f"{seconds:,.0f}",
                "estimated / measured": f"{estimate / seconds:.2f}",
                "rate from": _prose(rate.source),
            }
        )
    if not rows:
        return Markdown(f"{NOT_RUN}: no run is recorded on the processor of a recorded benchmark.")
    return Table(
        pd.DataFrame(rows),
        f"Training seconds by the estimate and as recorded, on {cpu}. A rate is the benchmark's or that of the nearest "
        "run of another plan.",
    )


def check_note(runs: list[Run], repository: Path = REPOSITORY) -> Markdown:
    """How the compared runs of `quick` and of `mini` came out; what was not compared."""
    table = check_table(runs, repository)
    if isinstance(table, Markdown):
        return Markdown("Nothing can be compared.")
    quick = table.frame[table.frame["plan"] == "quick"]["estimated / measured"].astype(float)
    others = len(runs) - len(table.frame)
    told = f"Of {len(quick)} compared runs of *quick* {((quick - 1).abs() <= 0.25).sum()} came out within 25%."
    if not len(quick):
        told = "No run of *quick* was made on that processor, so nothing is said of it here."
    own = table.frame[table.frame["plan"] == "mini"]
    if len(own):
        times = own[["estimated (s)", "measured (s)"]].map(lambda seconds: float(seconds.replace(",", ""))).sum()
        told += f" Those of *mini*, {len(own)}, trained for {times.iloc[1] / times.iloc[0]:.2f} times the estimated "
        told += "seconds in all, for part of the time beside other work."
    if others:
        told += f" {others} other recorded runs are on other hardware or threads, or trained for less than "
        told += f"{SHORTEST:g} seconds, and are left out."
    if benchmarks.load("training_step", repository / "runs" / "benchmarks") is None:
        told += " The benchmark `training_step` is not recorded: the rates are those of recorded runs."
    return Markdown(told)


def _prose(text: str) -> str:
    return f'<span class="prose">{escape(text)}</span>'
