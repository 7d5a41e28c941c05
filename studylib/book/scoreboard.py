"""The paper's claims on what training gives, with what the recorded runs of each plan say of them, as tables.

Every verdict is made here, at the time of the build, by `verdicts.decide` from the run folders.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from studylib.book.tables import Table, lacking, run_link
from studylib.claims import published
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
from studylib.claims.published import EMPIRICAL, Claim, read_claims
from studylib.claims.verdicts import BEST, EARLY_OVER_LATE, MC, MIXED_AS_3D, OVER_FLAT, RMC, decide
from studylib.nets.table import PAPER_NAMES
from studylib.runs.checked import KEPT
from studylib.runs.magnitudes import signed
from studylib.runs.results import Run

# Plan whose runs decide claims -> its data as a reader knows it, the main evidence first.
DATA = {"lips": "lips", "mini": "Pantomime", "paper": "full scale"}
DECIDED = (REPRODUCED, CONTRADICTED, INCONCLUSIVE)
MARKS = {REPRODUCED: "✓ ", CONTRADICTED: "✗ "}  # so that a column of outcomes reads at a glance, without colour
# The page of a group of claims -> what it is about and the experiments of the claims, in the order of the book.
CHAPTERS = {
    "conv_types": ("Types of convolution: Table 2, Figure 3", ("conv_types",)),
    "cues": ("What is read from time", ("cues",)),
    "why_factorise": ("What factorising does: Figure 4", ("mechanism", "depth")),
    "clip_length": ("Clip length and resolution: Figure 5", ("clip_length", "correlation", "resolution")),
    "transfer": (
        "UCF101 and HMDB51: Table 5; two streams",
        ("transfer", "two_stream", "joining", "none planned"),  # none planned: flow of another kind
    ),
    "still_open": ("Sports-1M and Kinetics: Tables 3 and 4", ("sports1m", "kinetics")),
    "filters": ("Filters: Figure 6", ("filters",)),
    "data": ("Datasets", ("datasets",)),
}
# The id of a claim -> the differences of two networks' clip accuracies that its rule looks at, and by their means.
VMZ_PAIRS = {
    "run-3d-over-2d": OVER_FLAT,
    "run-best": BEST,
    "run-mc-r3d": MIXED_AS_3D,
    "run-early-motion": EARLY_OVER_LATE,
    "run-test-error": (("r2plus1d", "r3d"),),
}
VMZ_MEANS = {"run-mc-rmc": (MC, RMC)}
Verdicts = Mapping[tuple[str, str], Verdict]  # (claim, plan)


def decide_all(runs: pd.DataFrame, ids: Sequence[str] = ()) -> Verdicts:
    """The verdicts of each plan of `DATA` that is there, on these empirical claims, on all without `ids`.

    Args:
        runs: `results.table()`.
    """
    plans = [plan for plan in DATA if (runs["plan"] == plan).any()]
    return {(id, plan): _decided(id, runs, plan) for id in ids or read_claims(EMPIRICAL) for plan in plans}


_OF_BUILD: dict[tuple[str, str, str], Verdict] = {}


def _decided(id: str, runs: pd.DataFrame, plan: str) -> Verdict:
    """The verdict; a build, whose runs are read once, takes seconds for all of them and needs them in many chapters."""
    if not (build := os.environ.get(KEPT)):
        return decide(id, runs, plan)
    key = build, id, plan
    if key not in _OF_BUILD:
        _OF_BUILD[key] = decide(id, runs, plan)
    return _OF_BUILD[key]


def outcomes(verdicts: Verdicts) -> pd.DataFrame:
    """A row a claim and plan, in the order of the book: id, chapter, claim, printed (in the paper), plan, data,
    outcome and number (the one that decides, as text).

    Args:
        verdicts: `decide_all(runs)`.
    """
    claims = read_claims(EMPIRICAL)
    rows = [
        {
            "id": id,
            "chapter": page,
            "claim": claims[id].text,
            "printed": claims[id].printed,
            "plan": plan,
            "data": DATA[plan],
            "outcome": verdict.outcome,
            "number": short(deciding(verdict)[0]) if verdict.parts else "",
        }
        for page, (_, experiments) in CHAPTERS.items()
        for (id, plan), verdict in verdicts.items()
        if claims[id].experiment in experiments
    ]
    return pd.DataFrame(rows)


def overview(verdicts: Verdicts) -> Table:
    """A row a claim with a verdict, a column a plan that decides any: one word each, and where all of it is told."""
    every = outcomes(verdicts)
    told = every["outcome"].isin(DECIDED)
    table = every[every["id"].isin(every.loc[told, "id"]) & every["data"].isin(every.loc[told, "data"])].copy()
    table["text"] = [
        prose(f'<a href="claims.html#{id}">{escape(claim)}</a>')
        for id, claim in zip(table["id"], table["claim"], strict=True)
    ]
    table["outcome"] = [badge(outcome) if outcome in DECIDED else lacking("–") for outcome in table["outcome"]]
    order = dict.fromkeys(zip(table["chapter"], table["text"], table["printed"], strict=True))
    wide = table.pivot(index=["chapter", "text", "printed"], columns="data", values="outcome").loc[list(order)]
    wide = wide[[data for data in DATA.values() if data in wide]].reset_index().rename_axis(columns=None)
    links = {page: f'<a href="{page}.html">{escape(title)}</a>' for page, (title, _) in CHAPTERS.items()}
    wide["chapter"] = wide["chapter"].map(links).where(~wide["chapter"].duplicated(), "")
    wide["printed"] = wide["printed"].map(lambda printed: prose(escape(printed)))
    names = {"chapter": "page", "text": "claim", "printed": "the paper prints"}
    counted = f"{len(wide)} of the paper's {every['id'].nunique()} claims on what training gives"
    return Table(wide.rename(columns=names), f"{counted}, with our verdicts on each data; the others wait for runs.")


def claims_table(runs: pd.DataFrame, *ids: str, whole: bool = False) -> Table:
    """A row a claim: the verdict on each data with runs of it, then the claim, what the paper prints, and the numbers.

    Args:
        runs: `results.table()`.
        ids: of empirical claims in evidence/claims.csv, in the order of the rows.
        whole: show every part, rule and run; otherwise the number that decides, and the rest folded.

    Raises:
        ValueError: names an id that no empirical claim has.
    """
    known = read_claims(EMPIRICAL)
    if unknown := [id for id in ids if id not in known]:
        raise ValueError(f"{', '.join(unknown)}: no empirical claim of evidence/claims.csv; it has {', '.join(known)}")
    verdicts = decide_all(runs, ids)
    rows = []
    for id in ids:
        own = shown({plan: verdicts[id, plan] for plan in DATA if (id, plan) in verdicts}, runs)
        told = [_claim(known[id], whole)] + [_numbers(verdict, runs, plan, whole) for plan, verdict in own.items()]
        badges = "<br>".join(badge(verdict.outcome, plan) for plan, verdict in own.items())
        rows.append({"verdict": badges, "claim, and the number that decides": prose("".join(told))})
    intervals = "95% intervals cover test videos (on lips: speakers) and seeds unless it says otherwise."
    return Table(pd.DataFrame(rows), f"The paper's claims and what our runs say, each by its rule. {intervals}")


def shown(verdicts: Mapping[str, Verdict], runs: pd.DataFrame) -> dict[str, Verdict]:
    """Of a claim's verdicts by plan those with a number or with some of their runs; where there is none, one that says
    why not, of a plan that could decide it if there is one."""
    told = {
        plan: verdict for plan, verdict in verdicts.items() if verdict.parts or complete_runs_of(verdict, runs, plan)
    }
    open_ones = {plan: verdict for plan, verdict in verdicts.items() if verdict.outcome == NOT_RUN}
    return told or dict(list((open_ones or verdicts).items())[:1])


def badge(outcome: str, plan: str = "paper") -> str:
    """The outcome, marked: "not so on Pantomime" of a claim that its runs contradict, "contradicted" of one by the
    paper's data."""
    said = outcome
    if plan != "paper" and outcome in DECIDED:
        said = f"{'not so' if outcome == CONTRADICTED else outcome} on {DATA[plan]}"
    elif outcome == CONTRADICTED:
        said = "not so"
    return f'<strong class="verdict {outcome.replace(" ", "-")}">{MARKS.get(outcome, "")}{escape(said)}</strong>'


def prose(html: str) -> str:
    """A cell whose text wraps."""
    return f'<div class="prose">{html}</div>'


def short(part: Part) -> str:
    """ "R(2+1)D minus R3D: +3.4 (+0.7 to +5.8)": a part in a line."""
    what = part.what.replace(", clip@1", "").replace("-18", "")
    unit = "" if part.unit.strip() == "points" else part.unit
    return f"{what}: {part.text_of(part.points)}{unit} ({part.text_of(part.low, part.high)})"


def machines(runs: Sequence[Run]) -> str:
    """On what these runs were made, and how many on each: "cpu, torch 2.14.1 (19); NVIDIA H200, torch 2.11.0 (26)"."""
    made = Counter(
        f"{run.provenance.get('device', 'a device not told')}, torch "
        f"{run.provenance.get('versions', {}).get('torch', 'not told')}"
        for run in runs
    )
    return "; ".join(f"{name} ({n})" for name, n in made.items())


def numbers(verdict: Verdict) -> list[str]:
    """The one part; of several how many lie where the claim puts them, and the one that decides."""
    if (part := verdict.single) is not None:
        return [str(part)]
    part, among = deciding(verdict)
    placed = sum(own.outcome == REPRODUCED for own in verdict.parts)
    corrected = f"; interval for {among} parts {part.text_of(*part.among(among))}" if among > 1 else ""
    return [f"{placed} of {len(verdict.parts)} parts lie where claimed.", f"Decides: {part}{corrected}"]


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
    part = min(verdict.parts, key=lambda part: min(part.low - part.claimed[0], part.claimed[1] - part.high))
    return part, parts if part.outcome == CONTRADICTED else 1


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
    rows = own[["experiment", "run", "result"]].to_dict("records")
    done = {f"runs/{plan}/{r['experiment']}/{r['run']}": r for r in rows}
    return [done[folder] for folder in verdict.folders if folder in done]


def vmz(claim_id: str) -> list[str]:
    """The contrast of a claim on the accuracies of the authors' later training (VMZ), a line for each clip length.

    One training each, no interval, no verdict; [] where VMZ has published nothing of it.
    """
    lines = []
    for frames in (8, 16):
        rows = published.table("vmz_released_models").query("depth == 18 and clip_frames == @frames")
        clip = rows.set_index("net")["clip_top1"].rename({name: key for key, name in PAPER_NAMES.items()})
        if claim_id in VMZ_MEANS:
            plus, minus = (clip[list(nets)].mean() for nets in VMZ_MEANS[claim_id])
            lines.append(f"{frames} frames: {signed(plus - minus, 2)} points")
        for claimed in [] if claim_id not in VMZ_PAIRS else [VMZ_PAIRS[claim_id]]:
            found = pd.Series(
                {f"{PAPER_NAMES[a]} minus {PAPER_NAMES[b]}": round(clip[a] - clip[b], 1) for a, b in claimed}
            )
            equal = claim_id == "run-mc-r3d"  # the others are to be above 0
            worst = found.abs().idxmax() if equal else found.idxmin()
            placed = int((found.abs() <= 2).sum() if equal else (found > 0).sum())
            where = "within 2 points" if equal else "above 0"
            lines.append(f"{frames} frames: {placed} of {len(found)} {where}; weakest {worst} {signed(found[worst])}")
    return lines


def _claim(claim: Claim, whole: bool) -> str:
    """What the paper says, in our words and in its numbers, its rule and what VMZ published."""
    section = f"section {claim.section}" if claim.section[0].isdigit() else claim.section
    where = f'<span class="where">{escape(section)}. The paper prints: {escape(claim.printed)}.</span>'
    told = f'<strong id="{claim.id}">{escape(claim.text)}</strong><br>{where}'
    if not whole:
        return told + fold("rule", [escape(claim.rule), f'<a href="claims.html#{claim.id}">all parts and runs</a>'])
    others = "".join(f"<br>VMZ, {escape(line)}." for line in vmz(claim.id))
    return f"{told}<br><em>Rule:</em> {escape(claim.rule)}.{others}"


def _numbers(verdict: Verdict, runs: pd.DataFrame, plan: str, whole: bool) -> str:
    """A paragraph: what the runs of a plan say of a claim."""
    if verdict.outcome == UNDECIDABLE:
        return f"<p>{escape(verdict.why[0].upper() + verdict.why[1:])}.</p>"
    own = complete_runs_of(verdict, runs, plan)
    links = [run_link(plan, r["experiment"], r["run"], f"{r['experiment']}/{r['run']}") for r in own]
    name = f"<em>{DATA[plan]}:</em> "
    if verdict.outcome == NOT_RUN:
        return f"<p>{name}{escape(waits_for(verdict, len(links)))}</p>" + fold(f"runs so far: {len(links)}", links)
    lines = [*numbers(verdict), *(asides(verdict) if whole else [])]
    lines += ["" if verdict.covers_seeds else ONE_SEED]
    made = f"On {machines([r['result'] for r in own])}." if own and whole else ""
    parts = [escape(str(part)) for part in verdict.parts] if len(verdict.parts) > 1 else []
    counted = "1 run" if len(links) == 1 else f"{len(links)} runs"
    head = f"<p>{name}{'<br>'.join(escape(line) for line in [*lines, made] if line)}</p>"
    if whole:
        return head + listed(parts) + fold(counted, links)
    return head + fold(f"all {len(parts)} parts, {counted}" if parts else counted, parts, links)


def _gap(low: float, high: float, claimed: tuple[float, float]) -> float:
    """How far an interval is away from the claimed one, negative where they touch."""
    return max(claimed[0] - high, low - claimed[1])


def fold(title: str, *lists: list[str]) -> str:
    """Lists of HTML behind a title that opens them; nothing where all are empty."""
    bodies = "".join(map(listed, lists))
    return f"<details><summary>{escape(title)}</summary>{bodies}</details>" if bodies else ""


def listed(lines: list[str]) -> str:
    """Lines of HTML as a list; nothing where there are none."""
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>" if lines else ""
