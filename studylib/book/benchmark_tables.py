"""Tables 3 to 5 of the paper (section 4.4), whole, with ours beside its own rows.

Ours are of the plans that have such runs. Where other videos play the paper's every heading names the data, since
percentages of other data cannot be compared.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan

import pandas as pd

from studylib.book.benchmark_runs import (
    SHORTEST,
    TABLE3,
    TABLE4,
    TABLE5,
    Row,
    as_played,
    find,
    net_and_clip,
    targets,
)
from studylib.book.cells import INTERVALS, accuracy
from studylib.book.tables import Table, plans_with
from studylib.claims import published
from studylib.claims.verdicts_benchmarks import RGB, SETS
from studylib.claims.verdicts_evidence import Evidence
from studylib.claims.verdicts_intervals import CLIP, VIDEO, VIDEO5

NOT_OTHERS = (
    "Percentages of other data than the paper's cannot be compared with the paper's, nor with those of another column; "
    "only the order within a column can."
)


def table3(runs: pd.DataFrame) -> Table:
    """Table 3, Sports-1M; below the paper's R3D a row for ours at the shorter clips, since the paper prints no length.

    Args:
        runs: `results.load_all_runs()`, here and below.
    """
    theirs = published.table("table3_sports1m")
    extra = pd.DataFrame({"method": ["R3D, shorter clips"], "trained_by_the_paper": ["no"]})
    at = list(theirs["method"]).index("R3D") + 1
    rows = pd.concat([theirs[:at], extra, theirs[at:]], ignore_index=True)
    ours = [TABLE3.get(method) for method in rows["method"]]
    ours[at] = Row("sports1m", RGB, net="r3d", length=SHORTEST)
    columns = {
        ("", "method"): rows["method"].map(escape),
        ("", "numbers by"): _sources(rows).where(rows.index != at, "this study only"),
    }
    for measure, column in ((CLIP, "clip_top1"), (VIDEO, "video_top1"), (VIDEO5, "video_top5")):
        columns["paper, Sports-1M", measure] = rows[column].map(_plain)
    columns |= _ours(runs, "Sports-1M", ours, (CLIP, VIDEO, VIDEO5))
    return _table(columns, "Table 3: Sports-1M")


def table4(runs: pd.DataFrame) -> Table:
    """Table 4, Kinetics, from scratch and fine-tuned."""
    rows = published.table("table4_kinetics")
    columns = _pretrained(rows) | {
        ("paper, Kinetics-400", VIDEO): rows["top1"].map(_plain),
        ("paper, Kinetics-400", VIDEO5): rows["top5"].map(_plain),
    }
    ours = [TABLE4.get(key) for key in zip(rows["method"], rows["pretraining"], strict=True)]
    return _table(columns | _ours(runs, "Kinetics", ours, (VIDEO, VIDEO5)), "Table 4: Kinetics")


def table5(runs: pd.DataFrame) -> Table:
    """Table 5, UCF101 and HMDB51: the mean of three splits."""
    rows = published.table("table5_transfer")
    keys = list(zip(rows["method"], rows["pretraining"], strict=True))
    columns = _pretrained(rows)
    for target, name in SETS.items():
        columns[f"paper, {VIDEO}", name] = rows[target].map(_plain)
    for plan in plans_with(runs, "transfer"):
        evidence = Evidence(runs, plan)
        for target, dataset in targets(evidence).items():
            found = [TABLE5.get((*key, target)) for key in keys]
            columns[f"ours, plan {plan}, {VIDEO}", as_played(dataset, SETS[target])] = [
                "" if row is None else accuracy(find(evidence, row), VIDEO) for row in found
            ]
    return _table(columns, "Table 5: UCF101 and HMDB51, mean of three splits")


def _ours(
    runs: pd.DataFrame, name: str, rows: Sequence[Row | None], measures: Sequence[str]
) -> dict[tuple[str, str], list[str]]:
    """The columns of each plan; a row that is None is not ours and left empty."""
    columns, experiment = {}, next(row.experiment for row in rows if row is not None)
    for plan in plans_with(runs, experiment):
        evidence = Evidence(runs, plan)
        found = [None if row is None else find(evidence, row) for row in rows]
        datasets = dict.fromkeys(p.spec.dataset for p in evidence.planned if p.spec.experiment == experiment)
        group = f"ours, plan {plan}: {as_played(', '.join(datasets), name)}"
        columns[group, "net, clip"] = ["" if own is None else net_and_clip(own) for own in found]
        for measure in measures:
            # two streams have no clips of their own in the paper's table
            shown = ["" if own is None or (own.fused and measure == CLIP) else accuracy(own, measure) for own in found]
            columns[group, measure] = shown
    return columns


def reproductions() -> Table:
    """What others report of R(2+1)D-34 on Kinetics-400, with their protocols."""
    rows = published.table("other_reproductions")
    rows = rows[rows["net"].str.startswith("R(2+1)D-34")]
    columns = {
        "by": rows["source"].str.partition(":")[0].map(escape),
        "net": rows["net"].map(escape),
        "frames": rows["clip_frames"].astype(str),
        "sampling": rows["frame_sampling"].map(_text),
        "crop": rows["crop"].map(_text),
        "tested on": rows["evaluation"].map(_text),
        CLIP: rows["clip_top1"].map(_plain),
        VIDEO: rows["video_top1"].map(_plain),
        VIDEO5: rows["video_top5"].map(_plain),
        "source": rows["source"].str.partition(": ")[2].map(lambda text: f'<span class="prose">{escape(text)}</span>'),
    }
    return Table(
        pd.DataFrame(columns),
        "R(2+1)D-34 on Kinetics-400 validation as others report it, percent. Sampling, crop, test and training differ "
        "from row to row and from the paper.",
    )


def _table(columns: Mapping[tuple[str, str], Sequence[str]], what: str) -> Table:
    caption = (
        f"{what}. Quoted from {published.PAPER}, whole; the rows of others as the paper quotes them. Ours stand beside "
        f"the paper's own rows. Percent. {INTERVALS} {NOT_OTHERS}"
    )
    return Table(pd.DataFrame(columns), caption)


def _pretrained(rows: pd.DataFrame) -> dict[tuple[str, str], pd.Series]:
    own = {("", name): rows[name].map(escape) for name in ("method", "pretraining")}
    return own | {("", "numbers by"): _sources(rows)}


def _sources(rows: pd.DataFrame) -> pd.Series:
    return rows["trained_by_the_paper"].map({"yes": "<strong>the paper</strong>", "no": "others"})


def _plain(value: float) -> str:
    return "–" if isnan(value) else f"{value:.1f}"


def _text(value: object) -> str:
    return escape(str(value)) if isinstance(value, str) else "not told"
