"""A verdict as a cell of a table: its outcome, the number that decides it, and behind a fold all numbers and runs.

A claim of many parts is told by how many of them lie where it puts them, and by the part that decides.
"""

from collections import Counter
from collections.abc import Sequence
from html import escape

import pandas as pd

from studylib.book.tables import DATA, run_link
from studylib.claims.networks import NO_SUCH_RUN
from studylib.claims.parts import (
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_RUN,
    ONE_SEED,
    REPRODUCED,
    UNDECIDABLE,
    Part,
    Verdict,
    combine,
)
from studylib.runs.results import Run

MARKS = {REPRODUCED: "✓ ", CONTRADICTED: "✗ "}  # so that a column of outcomes reads at a glance, without colour


def verdict_cell(verdict: Verdict, runs: pd.DataFrame, plan: str, whole: bool = False) -> str:
    """HTML of a verdict of `verdicts.decide`.

    Args:
        runs, plan: the table and the plan that it was decided by.
        whole: show all parts; otherwise those of a claim with several are folded.
    """
    if verdict.outcome == UNDECIDABLE:
        return prose(f"{badge(verdict.outcome)}: {escape(verdict.why)}")
    own = complete_runs_of(verdict, runs, plan)
    links = [run_link(plan, r["experiment"], r["run"], f"{r['experiment']}/{r['run']}") for r in own]
    if verdict.outcome == NOT_RUN:
        waiting = f"{badge(NOT_RUN)}: {escape(waits_for(verdict, len(links)))}"
        return prose(waiting + fold(f"runs so far: {len(links)}", links))
    lines = [
        badge(verdict.outcome, plan),
        *map(escape, [*numbers(verdict), *asides(verdict)]),
    ]
    if not verdict.covers_seeds:
        lines.append(escape(ONE_SEED))
    lines = [line for line in (*lines, escape(machines([r["result"] for r in own]))) if line]
    parts = [escape(str(part)) for part in verdict.parts] if len(verdict.parts) > 1 else []
    counted = "1 run" if len(links) == 1 else f"{len(links)} runs"
    if whole:
        return prose("<br>".join(lines) + listed(parts) + fold(counted, links))
    return prose("<br>".join(lines) + fold(f"all {len(parts)} parts, {counted}" if parts else counted, parts, links))


def prose(html: str) -> str:
    """A cell whose text wraps."""
    return f'<div class="prose">{html}</div>'


def badge(outcome: str, plan: str = "") -> str:
    """The outcome, marked, with the data that it is of where these are not the paper's."""
    name = outcome.replace(" ", "-")
    return f'<strong class="verdict {name}">{MARKS.get(outcome, "")}{escape(said(outcome, plan))}</strong>'


def said(outcome: str, plan: str) -> str:
    """ "not so on Pantomime" of a claim that the runs of mini contradict, "contradicted" of one by the paper's data."""
    if outcome not in (REPRODUCED, CONTRADICTED, INCONCLUSIVE) or plan not in DATA:
        return outcome
    return f"{'not so' if outcome == CONTRADICTED else outcome} on {DATA[plan]}"


def machines(runs: Sequence[Run]) -> str:
    """On what these runs were made, and how many on each: "On cpu, torch 2.14.1 (19); NVIDIA H200, torch 2.11.0 (26)."

    Runs are compared across machines; whether that matters is asked where Table 2 is shown.
    """
    told = Counter()
    for run in runs:
        made = run.provenance
        name = f"{made.get('device', 'a device not told')}, torch {made.get('versions', {}).get('torch', 'not told')}"
        processes = made.get("processes", 1)
        told[name + (f", {processes} processes" if processes > 1 else "")] += 1
    return f"On {'; '.join(f'{name} ({n})' for name, n in told.items())}." if told else ""


def numbers(verdict: Verdict) -> list[str]:
    """The one part; of several how many lie where the claim puts them, and the one that decides."""
    if (part := verdict.single) is not None:
        return [str(part)]
    part, among = deciding(verdict)
    placed = sum(own.outcome == REPRODUCED for own in verdict.parts)
    lines = [f"{placed} of {len(verdict.parts)} parts lie where claimed.", f"Decides: {part}"]
    if among > 1:
        corrected = part.text_of(*part.among(among))
        lines[-1] += f"; interval for {among} parts {corrected}"
    return lines


def asides(verdict: Verdict) -> list[str]:
    """What its parts say where they are put together in another way."""
    lines = []
    for name, parts in verdict.aside.items():
        outcome = combine(parts).replace(CONTRADICTED, "not so")
        lines.append(f"{name}: {outcome} ({parts[0] if len(parts) == 1 else f'{len(parts)} parts'}).")
    return lines


def deciding(verdict: Verdict) -> tuple[Part, int]:
    """The part that a verdict with numbers hangs on, and for how many parts its interval has to be wide enough.

    It is the one that lies furthest outside of where the claim puts it or, where all lie inside, closest to the edge.
    Of a contradicted claim it is one that contradicts it, by the interval for so many parts. That interval counts for a
    part that would contradict the claim if it were the only one, too.
    """
    if verdict.decides is not None:
        return verdict.decides
    parts = len(verdict.parts)
    against = [part for part in verdict.parts if part.outcome_among(parts) == CONTRADICTED]
    if verdict.outcome == CONTRADICTED and against:
        return max(against, key=lambda part: _gap(*part.among(parts), part.claimed)), parts
    part = min(verdict.parts, key=margin)
    return part, parts if part.outcome == CONTRADICTED else 1


def margin(part: Part) -> float:
    """How far the interval is inside of where the claim puts it, in the part's unit; negative where it sticks out."""
    low, high = part.claimed
    return min(part.low - low, high - part.high)


def _gap(low: float, high: float, claimed: tuple[float, float]) -> float:
    """How far an interval is away from the claimed one, negative where they touch."""
    return max(claimed[0] - high, low - claimed[1])


def waits_for(verdict: Verdict, done: int) -> str:
    """What a claim that is not run waits for: how many of its planned runs are complete, and what no run of it is."""
    lacks = [lack for lack in verdict.missing if not lack.startswith("runs/")]
    unplanned = [lack.removesuffix(NO_SUCH_RUN) for lack in lacks if lack.endswith(NO_SUCH_RUN)]
    others = [lack for lack in lacks if not lack.endswith(NO_SUCH_RUN)]
    texts = [f"{done} of {len(verdict.folders)} planned runs complete"] * bool(verdict.folders)
    texts += [f"the plan has no run of {', '.join(unplanned)}"] * bool(unplanned)
    return "; ".join(texts + [f"lacks {', '.join(others)}"] * bool(others))


def complete_runs_of(verdict: Verdict, runs: pd.DataFrame, plan: str) -> list[dict]:
    """The rows of the complete runs that a verdict looked at."""
    own = runs[(runs["plan"] == plan) & (runs["state"] == "complete")]
    done = {
        f"runs/{plan}/{r['experiment']}/{r['run']}": r for r in own[["experiment", "run", "result"]].to_dict("records")
    }
    return [done[folder] for folder in verdict.folders if folder in done]


def fold(title: str, *lists: list[str]) -> str:
    """Lists of HTML behind a title that opens them; nothing where all are empty."""
    bodies = "".join(map(listed, lists))
    return f"<details><summary>{escape(title)}</summary>{bodies}</details>" if bodies else ""


def listed(lines: list[str]) -> str:
    """Lines of HTML as a list; nothing where there are none."""
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>" if lines else ""
