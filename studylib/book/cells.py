"""What a table or a line below a figure says of recorded networks: a number with its interval, links to the runs behind
it, and what is missing, in the same words on every page."""

from collections.abc import Collection, Iterable, Sequence
from html import escape
from math import isnan

import pandas as pd
from IPython.display import Markdown

from studylib.book.tables import lacking, run_link
from studylib.claims.networks import Network, Planned, lack_of, lack_of_states, planned_of, seeds_text
from studylib.claims.parts import Part
from studylib.runs.magnitudes import signed, with_interval
from studylib.stats.estimates import Estimate, Measure

INTERVALS = (
    "In brackets 95% intervals over test videos and seeds; of one seed over the test videos alone "
    "(Wilson's for video@1)."
)
IN_A_LINE = 5  # links to seeds; more in one line make a column so wide that its table has to be scrolled


def missing(*of: Network) -> str:
    """What is missing of these networks, as it stands in the place of a number."""
    return lacking(lack_of(*of) or "not run")


def cell(part: Part | Estimate | None, *of: Network, sign: bool = False, after: str = "") -> str:
    """A number with its interval and what is missing of the networks that it needs; `after` is its last line.

    Args:
        part: None where they have no such number.
        sign: for a difference.
    """
    if part is None:
        shown = missing(*of)
    elif isnan(part.low):
        shown = f'{signed(part.points) if sign else f"{part.points:.1f}"} <span class="interval">(one seed)</span>'
    else:
        shown = with_interval(part.points, part.low, part.high, sign)
    if part is not None and (lacks := lack_of(*of)):
        shown += f" {lacking(lacks)}"
    return f"{shown}<br>{after}" if after else shown


def accuracy(own: Network, measure: Measure) -> str:
    """An accuracy with links to its runs: behind the number where it is one run, else in a line below."""
    part = own.measured(measure)
    if part is not None and len(own.planned) == 1:
        value, _, interval = cell(part).partition(" ")
        return f"{link(own.planned[0], value)} {interval}"
    return cell(part, own, after=links(own))


def link(planned: Planned, text: str) -> str:
    """A link to the page of a run."""
    return run_link(*planned.folder.split("/")[1:], text)


def links(own: Network) -> str:
    """Links to the pages of the complete runs, "seeds 0 1 2" with `IN_A_LINE` in a line, of several splits
    "splits 1 2 3", a line a seed; "" for none."""
    if not own.done:
        return ""
    if len({split for _, split in own.runs}) == 1:
        seeds = [link(p, str(p.spec.seed)) for p in own.done]
        rows = [" ".join(seeds[k : k + IN_A_LINE]) for k in range(0, len(seeds), IN_A_LINE)]
        return f'<span class="interval">seed{"s" if len(seeds) > 1 else ""} {"<br>".join(rows)}</span>'
    several, lines = len({seed for seed, _ in own.runs}) > 1, []
    for seed in dict.fromkeys(p.spec.seed for p in own.done):
        splits = " ".join(link(p, str(p.spec.split)) for p in own.done if p.spec.seed == seed)
        lines.append(f"{f'seed {seed}, ' if several else ''}splits {splits}")
    return f'<span class="interval">{"<br>".join(lines)}</span>'


def made_of(networks: Collection[Network], drawn: bool = True) -> Markdown:
    """A sentence on the runs behind a figure: plan, datasets, seeds, how many of the planned ones are complete.

    Args:
        networks: of one plan; a run that several of them have counts once.
        drawn: False where complete runs, if any, are not enough for a figure.
    """
    return _made_of([p for own in networks for p in own.planned], drawn)


def made_of_rows(rows: pd.DataFrame) -> Markdown:
    """`made_of` of a figure that is drawn from these rows of `results.load_plan_runs`, whatever their networks."""
    return _made_of(planned_of(rows))


def _made_of(runs: Iterable[Planned], drawn: bool = True) -> Markdown:
    planned = list({p.folder: p for p in runs}.values())
    done = [p for p in planned if p.run is not None]
    if not planned:
        return Markdown("*Not planned:* the plan has no such run.")
    plan, told = escape(planned[0].folder.split("/")[1]), f"{len(done)} of {len(planned)} planned runs complete"
    if not done:
        state = lack_of_states([p.state for p in planned]).capitalize()
        return Markdown(f"*{state}:* plan *{plan}*, {told}.")
    datasets = ", ".join(f"`{name}`" for name in dict.fromkeys(p.spec.dataset for p in done))
    told += "" if drawn else ", none of which this figure can show alone"
    return Markdown(f"Plan *{plan}*, dataset {datasets}, {seeds_text(p.spec.seed for p in done)}: {told}.")


def grouped(rows: Sequence[dict[tuple[str, str], str]]) -> pd.DataFrame:
    """The frame of a `Table` whose columns have a group and a name, from rows by (group, name)."""
    frame = pd.DataFrame(rows)
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return frame
