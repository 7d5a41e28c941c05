"""The paper's claims on what training gives, with what the recorded runs of each plan say of them, as tables."""

import os
import pickle
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from html import escape
from pathlib import Path

import pandas as pd

from studylib.book.tables import Table, lacking, prose, run_link
from studylib.claims import published
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
    signed,
)
from studylib.claims.published import EMPIRICAL, read_claims
from studylib.claims.verdicts import PAIRS, WITHOUT_MC2, decide, name_of
from studylib.nets.table import PAPER_NAMES
from studylib.runs.results import KEPT
from studylib.video.files import write_bytes
from studylib.video.machine import available_cores

# Plan whose runs decide claims -> its data as a reader knows it, the main evidence first.
DATA = {"lips": "lips", "mini": "Pantomime", "paper": "full scale"}
DECIDED = (REPRODUCED, CONTRADICTED, INCONCLUSIVE)
MARKS = {REPRODUCED: "✓ ", CONTRADICTED: "✗ "}  # so that a column of outcomes reads at a glance, without colour
# The page of a group of claims -> what it is about and the experiments of the claims, in the order of the book.
CHAPTERS = {
    "conv_types": ("Types of convolution: Table 2, Figure 3", ("conv_types",)),
    "cues": ("What is read from time", ("cues",)),
    "why_factorise": ("Why (2+1)D: Figure 4", ("mechanism", "depth")),
    "clip_length": (
        "Clip length, resolution, joining clips: Figure 5",
        ("clip_length", "correlation", "resolution", "joining"),
    ),
    "transfer": (
        "UCF101 and HMDB51: Table 5; two streams",
        ("transfer", "two_stream", "none planned"),  # none planned: flow of another kind
    ),
    "still_open": ("Sports-1M and Kinetics: Tables 3 and 4", ("sports1m", "kinetics")),
    "filters": ("Filters: Figure 6", ("filters",)),
    "data": ("Datasets", ("datasets",)),
}
Verdicts = Mapping[tuple[str, str], Verdict]  # (claim, plan)
_OF_BUILDS: dict[str, dict[tuple[str, str], Verdict]] = {}


def decide_all(runs: pd.DataFrame, ids: Sequence[str] = ()) -> Verdicts:
    """The verdicts of each plan of `DATA` in `runs`, `results.table()`, on these empirical claims, on all without
    `ids`."""
    # A build reads its runs once. All verdicts take seconds, and many of its chapters need them.
    known = _OF_BUILDS.setdefault(os.environ[KEPT], {}) if KEPT in os.environ else {}
    if not known and KEPT in os.environ and (kept := verdicts_file()).exists():
        known.update(pickle.loads(kept.read_bytes()))
    plans = [plan for plan in DATA if (runs["plan"] == plan).any()]
    wanted = [(id, plan) for id in ids or read_claims(EMPIRICAL).index for plan in plans]
    known.update({key: decide(key[0], runs, key[1]) for key in wanted if key not in known})
    return {key: known[key] for key in wanted}


def verdicts_file() -> Path:
    """Where a build that has decided all claims keeps the verdicts for its chapters (`results.keep_checked`)."""
    return Path(os.environ[KEPT]).with_suffix(".verdicts")


def keep_verdicts(runs: pd.DataFrame) -> None:
    """Decide all claims on the runs that a build has kept, on all cores, and keep the verdicts for its chapters."""
    verdicts_file().unlink(missing_ok=True)  # an earlier build's
    ids = list(read_claims(EMPIRICAL).index)
    parts = [ids[place :: available_cores()] for place in range(available_cores())]
    with ProcessPoolExecutor(available_cores()) as deciders:
        known = {key: verdict for own in deciders.map(partial(decide_all, runs), parts) for key, verdict in own.items()}
    write_bytes(verdicts_file(), pickle.dumps(known))


def outcomes(verdicts: Verdicts) -> pd.DataFrame:
    """A row a claim and plan, in the order of the book: id, chapter, claim, printed (in the paper), plan, data,
    outcome, number (the one that decides, as text) and by_mc2 (whether the outcome would be another without MC2)."""
    pages = {experiment: page for page, (_, experiments) in CHAPTERS.items() for experiment in experiments}
    rows = []
    for (id, plan), verdict in verdicts.items():
        number = short(deciding(verdict)[0]) if verdict.parts else ""
        without = verdict.aside.get(WITHOUT_MC2)
        by_mc2 = bool(without) and combine(without) != verdict.outcome
        rows.append((id, plan, DATA[plan], verdict.outcome, number, by_mc2))
    table = pd.DataFrame(rows, columns=["id", "plan", "data", "outcome", "number", "by_mc2"])
    table = table.join(read_claims(EMPIRICAL), on="id")
    table["chapter"] = table["experiment"].map(pages)
    return table.sort_values("chapter", key=lambda page: page.map([*CHAPTERS].index), kind="stable", ignore_index=True)


def overview(verdicts: Verdicts) -> Table:
    """A row a claim with a verdict, a column a plan that decides any: one word each, and where all of it is told."""
    every = outcomes(verdicts)
    told = every[every["outcome"].isin(DECIDED)]
    table = every[every["id"].isin(told["id"])]
    words = table.assign(word=[badge(own) if own in DECIDED else lacking("–") for own in table["outcome"]])
    words = words.pivot(index="id", columns="data", values="word")[[d for d in DATA.values() if d in {*told["data"]}]]
    claims = table.drop_duplicates("id").set_index("id")
    titles = {page: title.partition(":")[0] for page, (title, _) in CHAPTERS.items()}
    links = {page: f'<a href="{page}.html">{escape(title)}</a>' for page, title in titles.items()}
    columns = {
        "page": claims["chapter"].map(links).where(~claims["chapter"].duplicated(), ""),
        "claim": [
            f'<a class="prose" href="claims.html#{id}">{escape(text)}</a>' for id, text in claims["claim"].items()
        ],
        "the paper prints": claims["printed"].map(prose),
    }
    counted = f"{len(claims)} of the paper's {every['id'].nunique()} claims on what training gives"
    return Table(
        pd.DataFrame(columns, claims.index).join(words),
        f"{counted}, with our verdicts on each data; the others have not been run or cannot be decided here.",
    )


def claims_table(runs: pd.DataFrame, *ids: str, whole: bool = False) -> Table:
    """A row a claim: the verdict on each data with runs of it, then the claim, what the paper prints, and the numbers.

    Args:
        runs: `results.table()`.
        ids: of empirical claims in evidence/claims.csv, in the order of the rows; ValueError names an unknown one.
        whole: open the folds, in which are the rule, every part and every run.
    """
    known = read_claims(EMPIRICAL)
    if unknown := [id for id in ids if id not in known.index]:
        there = ", ".join(known.index)
        raise ValueError(f"{', '.join(unknown)}: no empirical claim of evidence/claims.csv; it has {there}")
    verdicts, rows = decide_all(runs, ids), []
    for id in ids:
        claim, own = known.loc[id], {plan: verdicts[id, plan] for plan in DATA if (id, plan) in verdicts}
        # those with a number or some of their runs; without any, one that says why not, if possible for lack of runs
        done = {plan: _complete(verdict, runs, plan) for plan, verdict in own.items()}
        told = {plan: verdict for plan, verdict in own.items() if verdict.parts or len(done[plan])}
        told = told or dict(sorted(own.items(), key=lambda one: one[1].outcome != NOT_RUN)[:1])
        section = "section " * claim["section"][0].isdigit() + claim["section"]
        cell = f'<strong id="{id}">{escape(claim["claim"])}</strong><br><span class="where">{escape(section)}. '
        cell += f"The paper prints: {escape(claim['printed'])}.</span>"
        cell += fold("rule", [escape(claim["rule"])], open=whole)
        cell += "".join(_numbers(verdict, done[plan], plan, whole) for plan, verdict in told.items())
        begun = {plan for plan, verdict in told.items() if verdict.outcome == NOT_RUN and len(done[plan])}
        badges = (badge("incomplete" if plan in begun else told[plan].outcome, plan) for plan in told)
        rows.append(("<br>".join(badges), f'<div class="prose">{cell}</div>'))
    intervals = "95% intervals cover test videos (on lips: speakers) and seeds unless stated otherwise."
    table = pd.DataFrame(rows, columns=["verdict", "claim, and the number that decides"])
    return Table(table, f"The paper's claims and what our runs say, each by its rule. {intervals}")


def badge(outcome: str, plan: str = "paper") -> str:
    """The outcome, marked: "not so on Pantomime" of a claim that its runs contradict."""
    said = "not so" if outcome == CONTRADICTED else outcome
    where = f" on {DATA[plan]}" if plan != "paper" and outcome in DECIDED else ""
    return f'<strong class="verdict {outcome.replace(" ", "-")}">{MARKS.get(outcome, "")}{escape(said)}{where}</strong>'


def short(part: Part) -> str:
    """ "R(2+1)D minus R3D: +3.4 (+0.7 to +5.8)": a part in a line."""
    what = part.what.replace(", clip@1", "").replace("-18", "")
    unit = "" if part.unit.strip() == "points" else part.unit
    return f"{what}: {part.text_of(part.points)}{unit} ({part.text_of(part.low, part.high)})"


def deciding(verdict: Verdict) -> tuple[Part, int]:
    """The part that a verdict with numbers hangs on, and for how many parts its interval has to be wide enough.

    It is the one that lies furthest outside of where the claim puts it or, where all lie inside, closest to the edge;
    of a contradicted claim one that contradicts it, by the interval for so many parts.
    """
    if verdict.decides is not None:
        return verdict.decides
    parts = len(verdict.parts)

    def outside(part: Part) -> float:
        low, high = part.among(parts)
        return max(part.claimed[0] - high, low - part.claimed[1])

    against = [part for part in verdict.parts if part.outcome_among(parts) == CONTRADICTED]
    if verdict.outcome == CONTRADICTED and against:
        return max(against, key=outside), parts
    part = min(verdict.parts, key=lambda part: min(part.low - part.claimed[0], part.claimed[1] - part.high))
    return part, parts if part.outcome == CONTRADICTED else 1


def vmz(*ids: str) -> pd.DataFrame:
    """The differences of claims on Table 2 in the authors' later training (VMZ): one training each, so no interval.

    Columns: id, frames (of a clip), placed (how many lie where the claim puts them), weakest, points (of that one).
    """
    rows = []
    for id, frames in ((id, frames) for id in ids for frames in (8, 16)):
        clip = published.table("vmz_released_models").query("depth == 18 and clip_frames == @frames")
        clip = clip.set_index("net")["clip_top1"].rename({name: key for key, name in PAPER_NAMES.items()})
        pairs, (least, most) = PAIRS[id]
        points = {name_of(pair).replace("-18", ""): clip[[*pair[0]]].mean() - clip[[*pair[1]]].mean() for pair in pairs}
        inside = pd.DataFrame(points, ["low", "high"]).T.sub([least, most]).mul([1, -1]).min(axis=1).round(6)
        weakest = inside.idxmin()
        rows.append((id, frames, f"{(inside > 0).sum()} of {len(inside)}", weakest, signed(points[weakest], 2)))
    return pd.DataFrame(rows, columns=["id", "frames", "placed", "weakest", "points"])


def _complete(verdict: Verdict, runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """The complete ones of a verdict's runs: link, net, machine (device, version of torch, processes)."""
    own = runs[(runs["plan"] == plan) & (runs["state"] == "complete")]
    own = own[(f"runs/{plan}/" + own["experiment"] + "/" + own["run"]).isin(verdict.folders)]
    rows = []
    for experiment, name, run in own[["experiment", "run", "result"]].itertuples(index=False):
        made = run.provenance
        torch = made.get("versions", {}).get("torch", "not told")
        machine = f"{made.get('device', 'a device not told')}, torch {torch}, processes: {made.get('processes', 1)}"
        rows.append((run_link(plan, experiment, name, f"{experiment}/{name}"), run.net, machine))
    return pd.DataFrame(rows, columns=["link", "net", "machine"])


def _numbers(verdict: Verdict, done: pd.DataFrame, plan: str, whole: bool) -> str:
    """What a plan's runs, of which `done` are complete, say of a claim: the number that decides, or what is missing;
    folded, parts and runs."""
    if verdict.outcome == UNDECIDABLE:
        return f"<p>{escape(verdict.why[0].upper() + verdict.why[1:])}.</p>"
    links, parts = [*done["link"]], []
    if verdict.outcome == NOT_RUN:
        lines = [f"{len(links)} of {len(verdict.folders)} planned runs complete"] * bool(verdict.folders)
        lines += [lack for lack in verdict.missing if not lack.startswith("runs/")]
    else:
        part, among = deciding(verdict)
        placed = sum(own.outcome == REPRODUCED for own in verdict.parts)
        lines = [f"{placed} of {len(verdict.parts)} parts reproduced. The deciding part: {part}"]
        if among > 1:
            lines[0] += f"; corrected for {among} parts: {part.text_of(*part.among(among))}"
        lines += [ONE_SEED] * (not verdict.covers_seeds)
        parts = [*map(str, verdict.parts)]
        for name, own in verdict.aside.items():
            alone = Verdict(combine(own), tuple(own))
            said = alone.outcome.replace(CONTRADICTED, "not so")
            parts.append(f"{name}: {said}. The deciding part: {deciding(alone)[0]}")
        for machine, nets in done.groupby("machine")["net"]:
            parts.append(f"On {machine}: {', '.join(f'{net} {n}' for net, n in nets.value_counts(sort=False).items())}")
    head = f"<p><em>{DATA[plan]}:</em> {'<br>'.join(map(escape, lines))}</p>"
    title = f"parts: {len(verdict.parts)}, " * bool(parts) + f"runs: {len(links)}"
    return head + fold(title, map(escape, parts), links, open=whole)


def fold(title: str, *lists: Iterable[str], open: bool = False) -> str:
    """Lists of HTML behind a title that opens them; nothing where all are empty."""
    bodies = "".join(f"<ul>{''.join(f'<li>{line}</li>' for line in own)}</ul>" for lines in lists if (own := [*lines]))
    return f"<details{' open' * open}><summary>{escape(title)}</summary>{bodies}</details>" if bodies else ""
