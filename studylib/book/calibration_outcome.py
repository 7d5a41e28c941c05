"""How the study itself came out, beside what its calibration had led to expect of the error bar.

The requirements are put to the study's runs by `calibration_checks`, as to the calibration's.
"""

from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book import cues
from studylib.book.calibration import FIRST, SECOND, Calibration, complete, gap, spread
from studylib.book.calibration_checks import members_by_pair
from studylib.book.calibration_seeds import known_variances
from studylib.book.calibration_tables import MISSING
from studylib.book.tables import Table, run_link
from studylib.runs.results import Run
from studylib.stats.study_size import expected_half_width

OFF_CHANCE = 0.96  # of chance: a training error below that share of it


def spread_note(calibrated: Calibration, study: Calibration) -> Markdown:
    """How far seeds of the two networks differ in the study and in the calibration, and the interval that was to be
    expected from the calibration of as many seeds and test videos as the study has."""
    own = gap(study.base_runs)
    if own is None or not own.covers_seeds:
        return MISSING
    spreads = [(net, *(spread(s.base_runs, net) for s in (study, calibrated))) for net in (FIRST, SECOND)]
    told = [
        f"{net} {here:.1f} here and {there:.1f} in the calibration" for net, here, there in spreads if there is not None
    ]
    text = f"Standard deviation over seeds, points of video@1: {'; '.join(told)}." if told else ""
    if (known := known_variances([calibrated])) is not None:
        expected = expected_half_width(known, own.videos, [len(seeds) for seeds in own.seeds])
        text += f" From the calibration an interval of ±{expected:.1f} was to be expected; it is ±{own.half_width:.1f}."
    return Markdown(text.strip())


def first_epoch(run: Run) -> int | None:
    """The first epoch of a run whose training error is below `OFF_CHANCE` of chance; None where none is."""
    chance = 100 * (1 - 1 / len(run.predictions.classes))
    off = run.history.loc[run.history["train_error"] < OFF_CHANCE * chance, "epoch"]
    return int(off.iloc[0]) if len(off) else None


def learned_table(study: Calibration) -> Table | Markdown:
    """What each seed of the two networks has learned: when it began, how far it came, which pairs it tells apart.

    The sequence group is left out: at the base's clips no network can tell its pairs.
    """
    rows = study.base_runs
    done = complete(rows[rows["net"].isin([FIRST, SECOND])])
    if done.empty:
        return MISSING
    known = cues.classes().drop_duplicates("pair").set_index("pair")["cue"]
    cells = []
    for row in done.sort_values(["net", "seed"]).to_dict("records"):
        run, link = row["result"], run_link(row["plan"], row["experiment"], row["run"], str(row["seed"]))
        epoch, pairs = first_epoch(run), members_by_pair([run])
        pairs = pairs[pairs["pair"].map(known) != "sequence"]
        cells.append(
            {
                "net": escape(row["net"]),
                "seed": link,
                "begins in epoch": "never" if epoch is None else str(epoch),
                "training error": f"{row['train_error']:.1f}",
                "video@1": f"{row['video_top1']:.1f}",
            }
            | {escape(pair.pair): f"{pair.accuracy:.0f}" for pair in pairs.itertuples()}
        )
    return Table(
        pd.DataFrame(cells),
        "Percent. Pairs: of the videos named as one of the two, how many as the right one; guessing gives half. "
        f"Begins: the first epoch with a training error below {OFF_CHANCE:.0%} of chance. Training error: of the last.",
    )
