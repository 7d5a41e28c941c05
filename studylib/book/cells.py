"""What a line below a figure says of the runs behind it, in the same words on every page."""

from collections.abc import Iterable
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.tables import lacking, run_link
from studylib.claims.networks import Network, Planned, lack_of_states, planned_of


def missing(own: Network) -> str:
    """What is missing of a network, as it stands in the place of a number."""
    return lacking(own.lack or "not run")


def link(planned: Planned, text: str) -> str:
    """A link to the page of a run."""
    return run_link(*planned.folder.split("/")[1:], text)


def made_of(networks: Iterable[Network]) -> Markdown:
    """A sentence on the runs behind a figure: plan, datasets, seeds, how many of the planned ones are complete.

    Args:
        networks: of one plan; a run that several of them have counts once.
    """
    return _made_of(planned for own in networks for planned in own.planned)


def made_of_rows(rows: pd.DataFrame) -> Markdown:
    """`made_of` of a figure that is drawn from these rows of `results.load_plan_runs`, whatever their networks."""
    return _made_of(planned_of(rows))


def _made_of(runs: Iterable[Planned]) -> Markdown:
    planned = list({p.folder: p for p in runs}.values())
    done = [p for p in planned if p.run is not None]
    if not planned:
        return Markdown("*Not planned:* the plan has no such run.")
    plan, told = escape(planned[0].folder.split("/")[1]), f"{len(done)} of {len(planned)} planned runs complete"
    if not done:
        state = lack_of_states([p.state for p in planned]).capitalize()
        return Markdown(f"*{state}:* plan *{plan}*, {told}.")
    datasets = ", ".join(f"`{name}`" for name in dict.fromkeys(p.spec.dataset for p in done))
    seeds = sorted({p.spec.seed for p in done})
    of_seeds = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return Markdown(f"Plan *{plan}*, dataset {datasets}, {of_seeds}: {told}.")
