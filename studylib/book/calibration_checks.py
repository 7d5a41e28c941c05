"""What was required of the calibrated dataset, written down as rules, and whether the recorded runs meet it.

A table of checks has a row a requirement: what, required, measured, low, high (percent or points; NaN where there is
none), note (on the interval) and verdict: "met", "not met", or "not run".
"""

from collections.abc import Sequence
from math import nan

import pandas as pd

from studylib.book import cues
from studylib.book.calibration import (
    BLIND,
    FIRST,
    OVERALL,
    SECOND,
    Calibration,
    accuracies,
    bound,
    by_span,
    complete,
    gap,
    sequence_gain,
)
from studylib.runs.results import Run
from studylib.stats.seeds import SeedDifference
from studylib.training.evaluation import wilson

COLUMNS = ["what", "required", "measured", "low", "high", "note", "verdict"]
ONLY = "videos only"  # what an interval over one seed covers the draw of
HALF_WIDTH = 3.0  # points, the most for the interval of a difference
# Video@1 in percent that R3D is to have, lowest and highest, where a network is to win or lose something.
HEADROOM = {OVERALL: (60, 80), "pose": (0, 97), "direction": (60, 90), "tempo": (60, 90)}
# The most to expect where clips are too short for the sequence group.
WITHOUT_SEQUENCE = {cue: cues.ORDER_BLIND[cue] if cue == "sequence" else 100.0 for cue in cues.CUES}


def headroom_checks(study: Calibration) -> pd.DataFrame:
    """Whether the base setting leaves nets something to win: accuracy by cue group, f-R2D at its bound inside every
    pair, and clips that are named better in training than in the test, neither at its end."""
    runs = study.base_runs
    table = accuracies(runs)
    measured = table[table["net"] == SECOND].set_index("cue") if len(table) else table
    rows = [_level(cue, *wanted, measured) for cue, wanted in HEADROOM.items()]
    return pd.DataFrame([*rows, *_blind(runs), *_training(runs)], columns=COLUMNS)


def _check(
    what: str, required: str, measured: float | None, met: bool, low: float = nan, high: float = nan, note: str = ""
) -> dict:
    if measured is None:
        return dict(zip(COLUMNS, (what, required, nan, nan, nan, "", "not run"), strict=True))
    verdict = "met" if met else "not met"
    return dict(zip(COLUMNS, (what, required, measured, low, high, note, verdict), strict=True))


def _level(cue: str, least: float, most: float, measured: pd.DataFrame) -> dict:
    required = f"{least:g} to {most:g}%" if least else f"below {most:g}%"
    what = f"{SECOND}, video@1, {cue}"
    if cue not in measured.index:
        return _check(what, required, None, False)
    m = measured.loc[cue]
    met = least <= m["accuracy"] <= most if least else m["accuracy"] < most
    return _check(what, required, m["accuracy"], met, m["low"], m["high"], ONLY)


def members_by_pair(runs: Sequence[Run]) -> pd.DataFrame:
    """How many of the videos whose pair is right have the right member, by pair; means over runs of one net.

    Columns: pair, accuracy, low, high (percent, Wilson 95%; NaN where no video's pair was right in some run).
    """
    rows = []
    for run in runs:
        pairs = cues.classes().set_index("action").loc[list(run.predictions.classes), "pair"].to_numpy()  # (K,)
        labels, chosen = run.predictions.labels, run.predictions.scores.argmax(1)
        for pair in dict.fromkeys(pairs[pairs != ""]):
            in_pair = (pairs[labels] == pair) & (pairs[chosen] == pair)
            right, total = int((chosen == labels)[in_pair].sum()), int(in_pair.sum())
            low, high = wilson(right, total) if total else (nan, nan)
            rows.append((pair, 100 * right / total if total else nan, low, high))
    table = pd.DataFrame(rows, columns=["pair", "accuracy", "low", "high"])
    return table.groupby("pair", sort=False, as_index=False).agg(lambda values: values.mean(skipna=False))


def _blind(runs: pd.DataFrame) -> list[dict]:
    """f-R2D is bound to half of each pair: its interval has to contain 50."""
    known = cues.classes().query("vocabulary == 'source' and pair != ''").drop_duplicates("pair")
    measured = members_by_pair(list(complete(runs, BLIND)["result"])).set_index("pair")
    rows = []
    for pair, cue in zip(known["pair"], known["cue"], strict=True):
        what, required = f"{BLIND}, right member of the right pair, {cue}: {pair}", "interval contains 50%"
        if pair not in measured.index:
            rows.append(_check(what, required, None, False))
            continue
        m = measured.loc[pair]
        rows.append(_check(what, required, m["accuracy"], m["low"] <= 50 <= m["high"], m["low"], m["high"], ONLY))
    return rows


def _training(runs: pd.DataFrame) -> list[dict]:
    """R3D's accuracy on clips: of the last epoch of training, while it is trained on, and of the test (clip@1)."""
    done, most = complete(runs, SECOND), bound(WITHOUT_SEQUENCE)
    train = 100 - done["train_error"].mean() if len(done) else None
    test = done["clip_top1"].mean() if len(done) else None
    ahead = train - test if len(done) else None
    return [
        _check(f"{SECOND}, training clips minus clip@1, points", "above 0", ahead, len(done) and ahead > 0),
        _check(f"{SECOND}, training clips", f"below {most:g}%", train, len(done) and train < most),
        _check(f"{SECOND}, clip@1", f"below {most:g}%", test, len(done) and test < most),
    ]


def time_scale_checks(study: Calibration) -> pd.DataFrame:
    """Whether the sequence group is at its bound with the base's clips, and above that with clips of longer span."""
    base = f"{study.base['clip_length']} frames"
    members = by_span(study, "member")
    if len(members):
        at_base = (members["frames"] == study.base["clip_length"]) & (members["step"] == study.base["frame_step"])
        members = members[at_base & (members["cue"] == "sequence")].set_index("net")
    gains = sequence_gain(study)
    rows = []
    for net in gains["net"].unique() if len(gains) else [FIRST]:
        what, required = f"{net}, right member of the right pair, sequence, {base}", "interval contains 50%"
        m = members.loc[net] if net in members.index else None
        if m is None:
            rows.append(_check(what, required, None, False))
        else:
            rows.append(_check(what, required, m["accuracy"], m["low"] <= 50 <= m["high"], m["low"], m["high"], ONLY))
        for row in gains[gains["net"] == net].itertuples():
            what = f"{net}, video@1, sequence, {clips(row.frames, row.step)} minus {base}, points"
            rows.append(_above_0(what, row.gain))
    return pd.DataFrame(rows, columns=COLUMNS)


def clips(frames: int, step: int) -> str:
    """ "16 frames" or "8 frames, 4 apart"."""
    return f"{frames} frames" if step == 1 else f"{frames} frames, {step} apart"


def _above_0(what: str, gain: SeedDifference | None) -> dict:
    required = "interval above 0"
    if gain is None:
        return _check(what, required, None, False)
    return _check(what, required, gain.points, gain.low > 0, gain.low, gain.high, covers(gain))


def covers(d: SeedDifference) -> str:
    """What an interval does not cover, in a word: "", "videos only", or "seeds in part"."""
    if d.covers_seeds:
        return ""
    return ONLY if all(len(own) == 1 for own in d.seeds) else "seeds in part"


def error_bar_checks(study: Calibration) -> pd.DataFrame:
    """Whether the interval of the gap between the two nets, with the seeds recorded, is narrow enough; "not run" until
    both have two seeds, since without them it does not cover how seeds differ."""
    d = gap(study.base_runs)
    what, required = f"{FIRST} minus {SECOND}, video@1: half of the interval, points", f"at most {HALF_WIDTH:g}"
    known = d is not None and d.covers_seeds
    width = d.half_width if known else None
    return pd.DataFrame([_check(what, required, width, known and width <= HALF_WIDTH)], columns=COLUMNS)
