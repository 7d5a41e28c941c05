"""What a line below a figure says of the runs behind it, in the same words on every page."""

from html import escape

import pandas as pd
from IPython.display import Markdown


def made_of_rows(rows: pd.DataFrame) -> Markdown:
    """A sentence on the runs behind a figure: plan, datasets, seeds, how many of the planned ones are complete.

    Args:
        rows: of `results.load_plan_runs`, of one plan.
    """
    done = rows[rows["state"] == "complete"]
    told = f"plan *{escape(rows['plan'].iloc[0])}*, {len(done)} of {len(rows)} planned runs complete"
    if done.empty:
        return Markdown(f"*Not run:* {told}.")
    datasets = ", ".join(f"`{name}`" for name in done["dataset"].unique())
    seeds = ", ".join(map(str, sorted(set(done["seed"]))))
    return Markdown(f"{told[0].upper()}{told[1:]}: dataset {datasets}, seeds {seeds}.")
