"""What `python -m studylib.runs.plan` prints: the runs of a plan, what each takes, totals, where rates are from."""

from studylib.runs.cost import Cost, costs_of
from studylib.runs.plan import Plan
from studylib.runs.rates import Rate, given_rates, is_cpu, measured_rates, rate_of, this_device
from studylib.training.magnitudes import disk, duration, two
from studylib.training.memory import gib
from studylib.video.parallel import available_cores

GPUS = 8  # at a time, for which a plan's days are told
HEADER = ("run", "dataset", "epochs", "clips", "GFLOPs a clip", "time", "memory", "disk")


def times(plan: Plan) -> list[tuple[tuple[float, float] | None, str]]:
    """(least, most) seconds of each run on one device of its `resources`, or this machine's, and the words for them.

    None in place of the seconds where the device's speed is not known.
    """
    measured, told = measured_rates(), []
    for run, cost in zip(plan.runs, costs_of(plan), strict=True):
        name = run.resources.device or this_device()
        rate = rate_of(cost.spec, name, measured)
        span = None if rate is None else cost.seconds(rate)
        told.append((span, f"{duration(*span)} of one {name}" if span else f"time not known for {name}"))
    return told


def report(plan: Plan, device: str | None = None) -> str:
    """The plan as text, a run a line.

    Args:
        device: whose hours are counted, "A100" or the name that a recorded run has; None for this machine, on whose
            processor a run has one thread, as the Snakefile runs it.
    """
    device, named = device or this_device(), device
    measured, costs = measured_rates(), costs_of(plan)
    rates = [rate_of(cost.spec, device, measured) for cost in costs]
    rows = [HEADER]
    for run, cost, rate in zip(plan.runs, costs, rates, strict=True):
        time = "-" if rate is None else duration(*cost.seconds(rate))
        rows.append((run.folder.as_posix(), *_settings(cost), time, *_sizes(cost)))
    lines = [plan.title, *_aligned(rows), "", *_totals(costs, rates, device, named)]
    return "\n".join(lines)


def _settings(cost: Cost) -> tuple[str, ...]:
    spec = cost.spec
    return spec.dataset, str(spec.epochs), f"{cost.training_clips:,}", f"{cost.counts.flops / 1e9:.3g}"


def _sizes(cost: Cost) -> tuple[str, str]:
    kept = cost.checkpoint_bytes + (cost.prediction_bytes or 0)
    return gib(cost.memory.needed(cost.spec.batch_size)) if cost.spec.epochs else "-", disk(kept)


def _totals(costs: list[Cost], rates: list[Rate | None], device: str, named: str | None) -> list[str]:
    """Device-hours, days and disk of the whole plan, and what all of it rests on."""
    lines = []
    if None in rates or not costs:
        lines.append(f"time: no speed is recorded for {device}. {_how_to_know()}")
    else:
        spans = [cost.seconds(rate) for cost, rate in zip(costs, rates, strict=True)]
        least, most = (sum(span[i] for span in spans) for i in (0, 1))
        lines.append(f"time: {duration(least, most)} of one {_unit(device, named)} in all, {_at_a_time(spans, device)}")
        lines += [f"  at {_rate(rate)}: {rate.source}" for rate in dict.fromkeys(rates)]
        lines.append("  reading the videos is taken to keep pace")
    frames = {(c.spec.dataset, c.spec.resolution, c.spec.modality): c.cache_bytes or 0 for c in costs}
    cached = f", {disk(sum(frames.values()))} of decoded frames" if any(frames.values()) else ""
    kept = sum(c.checkpoint_bytes + (c.prediction_bytes or 0) for c in costs)
    lines.append(f"disk: {disk(kept)} of checkpoints and predictions{cached}")
    lines.append("memory: of one process in training, estimated from shapes; libraries take some more")
    unknown = dict.fromkeys(c.spec.dataset for c in costs if c.videos is None)
    return lines + [f"not counted: the tests on {name}, whose index is not here" for name in unknown]


def _unit(device: str, named: str | None) -> str:
    return f"core of this machine ({device})" if is_cpu(device) and not named else device


def _at_a_time(spans: list[tuple[float, float]], device: str) -> str:
    """How long it takes by the clock with every core, or with `GPUS` GPUs, busy all the time."""
    totals = [sum(span[i] for span in spans) for i in (0, 1)]
    if not is_cpu(device):
        return f"{duration(*(total / GPUS for total in totals))} on {GPUS}"
    cores = available_cores()
    # a run has one core: the longest one is the least that it can take
    clock = [max(total / cores, max(span[i] for span in spans)) for i, total in enumerate(totals)]
    return f"{duration(*clock)} with {cores} runs at a time"


def _rate(rate: Rate) -> str:
    """ "6.2 to 31 TMAC/s"."""
    unit, size = ("T", 1e12) if rate.high >= 1e12 else ("G", 1e9)
    low, high = two(rate.low / size), two(rate.high / size)
    return f"{low if low == high else f'{low} to {high}'} {unit} multiply-adds a second"


def _how_to_know() -> str:
    """What to run where no rate is known."""
    gpus = ", ".join(row.match for row in given_rates())
    return (
        "`python -m tests.bench training_step --record` measures this machine's, and so does any run that ends; for "
        f"GPUs there are assumed ones: --device {gpus}"
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as they must be, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = []
    for row in rows:
        padded = zip(row, widths, strict=True)
        lines.append("  " + "  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(padded)))
    return lines
