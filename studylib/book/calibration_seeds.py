"""How many test videos and seeds R(2+1)D minus R3D takes: what repeated runs of both show."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.calibration import FIRST, SECOND, Calibration, complete, gap, seeds_of, spread
from studylib.book.calibration_checks import HALF_WIDTH, covers
from studylib.book.calibration_tables import MISSING, listed
from studylib.book.cells import INTERVALS, cell
from studylib.book.tables import NOT_RUN, Table, run_link
from studylib.claims.recorded import of_rows
from studylib.claims.verdicts_intervals import VIDEO
from studylib.nets.table import PAPER_NAMES
from studylib.runs.plan import Plan
from studylib.stats.seeds import Measure
from studylib.stats.study_size import Variances, expected_half_width, mean_variances, needed, recorded_variances
from studylib.training.evaluation import Predictions
from studylib.training.magnitudes import signed
from studylib.training.spec import RunSpec

AT_FIRST = 4  # seeds of both networks that the study was planned with, from the calibration
TRIED = (2, 3, AT_FIRST, 5)  # seeds of both
TRIED_FIRST, TRIED_SECOND = (4, 6, 8, 10, 12, 16), (4, 5, 6, 8, 10)  # seeds of R(2+1)D and of R3D, chosen apart


def seeds_table(study: Calibration) -> Table | Markdown:
    """Both networks at the base setting, a column a seed, and their means."""
    rows = study.base_runs
    rows = rows[rows["net"].isin([FIRST, SECOND])]
    done = complete(rows)
    if done.empty:
        return MISSING
    cells = []
    for net in (FIRST, SECOND):
        row, own = {"net": escape(net)}, complete(rows, net)
        planned = set(rows.loc[rows["net"] == net, "seed"])
        for seed in sorted(rows["seed"].unique()):
            found = own[own["seed"] == seed]
            row[f"seed {seed}"] = "" if seed not in planned else NOT_RUN if found.empty else _linked(found.iloc[0])
        if len(own):
            network = of_rows(net, own)
            row["mean"] = cell(network.measured(VIDEO), network)
        deviation = spread(rows, net)
        row["spread of seeds, points"] = "" if deviation is None else f"{deviation:.1f}"
        cells.append(row)
    return Table(
        pd.DataFrame(cells),
        f"Video@1 in percent of repeated runs of one setting. {INTERVALS} The spread is the standard deviation of the "
        "seeds.",
    )


def _linked(row: pd.Series) -> str:
    return run_link(row["plan"], row["experiment"], row["run"], f"{row['video_top1']:.1f}")


def gap_note(study: Calibration) -> Markdown:
    """The measured gap of the two networks with all recorded seeds."""
    d = gap(study.base_runs)
    if d is None:
        return MISSING
    seeds = " and ".join(str(len(own)) for own in d.seeds)
    told = f"{FIRST} minus {SECOND}: {signed(d.points)} points ({signed(d.low)} to {signed(d.high)}, 95%), "
    told += f"with {seeds} seeds and {d.videos:,} test videos: ±{d.half_width:.1f}."
    if not d.covers_seeds:
        told += f" *{covers(d)}*: with a single seed of a network nothing tells how far another would have come out."
    return Markdown(told)


def at_first(study: Calibration) -> Calibration:
    """The runs of the study with the seeds that it was planned with at first."""
    return replace(study, runs=study.runs[study.runs["seed"] < AT_FIRST])


def test_videos(plan: Plan) -> int:
    """Of a plan's runs for Table 2."""
    return plan.datasets[_table2(plan)[0].dataset]["test_videos"]


def planned_seeds(plan: Plan) -> tuple[int, int]:
    """How many seeds of R(2+1)D and of R3D a plan has for Table 2."""
    first, second = (len({s.seed for s in _table2(plan) if PAPER_NAMES[s.net] == net}) for net in (FIRST, SECOND))
    return first, second


def _table2(plan: Plan) -> list[RunSpec]:
    own = [run.spec for run in plan.runs if run.spec.experiment == "conv_types"]
    return [spec for spec in own if PAPER_NAMES.get(spec.net) in (FIRST, SECOND)]


def repeated(study: Calibration) -> list[dict[int, Predictions]] | None:
    """`seeds_of` the base's R(2+1)D and R3D; None until both have two recorded seeds."""
    nets = [seeds_of(study.base_runs, net) for net in (FIRST, SECOND)]
    return nets if min(map(len, nets)) >= 2 else None


def known_variances(studies: Sequence[Calibration], measure: Measure = "video_top1") -> Variances | None:
    """The mean over those studies that have two recorded seeds of both networks; None where none has."""
    nets = [own for own in map(repeated, studies) if own is not None]
    return mean_variances([recorded_variances(*own, measure) for own in nets]) if nets else None


def half_widths(study: Calibration, plan: Plan) -> pd.DataFrame:
    """`study_size.needed` from the base's runs at a few sizes, with those recorded and those of `plan`; empty until
    both networks have two seeds."""
    nets = repeated(study)
    if nets is None:
        return pd.DataFrame()
    recorded = len(next(iter(nets[0].values())).labels)
    videos = sorted({400, 1000, 2000, 4000, recorded, test_videos(plan)})
    return needed(*nets, HALF_WIDTH, videos=videos, seeds=(1, *TRIED))


def half_widths_table(widths: pd.DataFrame) -> Table | Markdown:
    """How wide the interval is expected to be with other numbers of test videos and seeds (`half_widths`)."""
    if widths.empty:
        return MISSING
    rows = []
    for videos, own in widths.groupby("videos"):
        row = {"test videos": f"{videos:,}"}
        for r in own.itertuples():
            row[f"{r.seeds} seed{'s' if r.seeds > 1 else ' (videos only)'}"] = _bold(r.half_width, r.enough)
        rows.append(row)
    return Table(
        pd.DataFrame(rows),
        f"Expected half width, points, of the 95% interval of {FIRST} minus {SECOND}, by test videos and seeds. "
        f"Bold: at most {HALF_WIDTH:g}, the seeds covered. Predicted from the variances of the recorded runs, roughly "
        "where seeds are few.",
    )


def _bold(half_width: float, enough: bool) -> str:
    return f"<strong>±{half_width:.1f}</strong>" if enough else f"±{half_width:.1f}"


def half_widths_note(widths: pd.DataFrame, plan: Plan) -> Markdown:
    """The fewest test videos that suffice for each number of seeds, and what the plan had at first.

    Args:
        widths: `half_widths`, of the same plan.
    """
    if widths.empty:
        return Markdown("*Not run:* how seeds differ takes two seeds or more of both networks.")
    enough = widths[widths["enough"]].groupby("seeds")["videos"].min()
    told = [f"{v:,} with {s} seeds" for s, v in enough.items()]
    first = (
        f"Of these, the fewest test videos for ±{HALF_WIDTH:g} are {listed(told)}."
        if told
        else "None of these suffices."
    )
    videos = test_videos(plan)
    own = widths[(widths["videos"] == videos) & (widths["seeds"] == AT_FIRST)].iloc[0]
    verdict = "enough" if own["enough"] else "not enough"
    return Markdown(
        f"{first} The plan *{plan.name}* was given {videos:,} test videos and {AT_FIRST} seeds of both: "
        f"±{own['half_width']:.1f}, {verdict}."
    )


def more_seeds_table(known: Variances | None, plan: Plan) -> Table | Markdown:
    """How wide the interval is expected to be with more seeds, as many of the one network as of the other or not.

    Args:
        known: `known_variances` of the calibration and of the study's first seeds.
        plan: for its number of test videos.
    """
    if known is None:
        return MISSING
    rows, videos = [], test_videos(plan)
    for first in TRIED_FIRST:
        row = {f"seeds of {escape(FIRST)}": str(first)}
        for second in TRIED_SECOND:
            width = expected_half_width(known, videos, (first, second))
            row[f"{second} seeds of {escape(SECOND)}"] = _bold(width, width <= HALF_WIDTH)
        rows.append(row)
    return Table(
        pd.DataFrame(rows),
        f"Expected half width, points, of the 95% interval of {FIRST} minus {SECOND} with {videos:,} test "
        f"videos. Bold: at most {HALF_WIDTH:g}. Predicted from the mean of the variances in the calibration and in the "
        f"first {AT_FIRST} seeds of the study.",
    )


def more_seeds_note(known: Variances | None, plan: Plan) -> Markdown:
    """The seeds that the plan has now, and the interval that was expected of them."""
    if known is None:
        return MISSING
    first, second = planned_seeds(plan)
    width = expected_half_width(known, test_videos(plan), (first, second))
    return Markdown(f"The plan now has {first} seeds of {FIRST} and {second} of {SECOND}: ±{width:.1f} expected.")
