"""What the embedded study takes on a machine without a GPU."""

from html import escape

import pandas as pd

from studylib.book.cost_tables import cpu_of_benchmarks
from studylib.book.tables import Table
from studylib.runs.cost import by_experiment, costs_of, seconds
from studylib.runs.plan import Plan
from studylib.runs.rates import measured_rates, rate_of
from studylib.training.magnitudes import duration, two

HOURS = 24  # the most that the whole plan may take, two runs side by side


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
        f"speeds of the nearest networks and clips. Two runs side by side halve it; asked was {HOURS} hours at most.",
    )
