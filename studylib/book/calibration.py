"""How the settings of the synthetic study were chosen: rules older than the runs of the plans `calibration` and `mini`.

The first run of a plan's table (`results.load_plan_runs`) has the base setting; a question changes one field of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd

from studylib.book import cues
from studylib.stats import Estimate, difference, difference_of_differences
from studylib.stats.estimates import Measure, Network, combined, outcomes
from studylib.stats.intervals import NotComparable, freedom, student_quantile
from studylib.training.evaluation import Predictions, wilson
from studylib.training.spec import RunSpec

Seeds = Mapping[int, Predictions]  # seed -> what a network's run scored

FIRST, SECOND = "R(2+1)D", "R3D"  # the paper's main claim; differences are the first minus the second
BLIND = "f-R2D"  # scores frame by frame: blind to their order
ALL = cues.ALL
SETTINGS = [field.name for field in fields(RunSpec) if field.name not in ("net", "seed", "experiment")]

# Video@1 in percent that R3D is to have, lowest and highest (without a lowest, below the highest).
HEADROOM = {ALL: (60, 80), "pose": (0, 97), "direction": (60, 90), "tempo": (60, 90)}
HALF_WIDTH = 3.0  # points, the most for the 95% interval of R(2+1)D minus R3D, to either side

# What was tried: field -> what else its runs change, and the base's that they are compared with.
QUESTIONS: dict[str, dict[str, Any]] = {
    "lr": {},
    "epochs": {},
    "amp": {},
    "width": {"epochs": 15},
    "initialisation": {"epochs": 15},
    "standardise": {"epochs": 15},
}
BY_ACCURACY = ("lr", "initialisation", "standardise")  # their values cost the same


def at(runs: pd.DataFrame, *free: str, **changed: Any) -> pd.DataFrame:
    """The complete runs at the base setting with the `changed` fields and any value of the `free` ones, whatever their
    network, seed and experiment."""
    wanted = {name: runs.iloc[0][name] for name in SETTINGS if name not in free} | changed
    same = [runs[name] == value for name, value in wanted.items()]
    return runs[np.logical_and.reduce([*same, runs["state"] == "complete"])]


def scores(rows: pd.DataFrame, net: str, cue: str = ALL) -> Seeds:
    """Seed -> what a network's runs of one setting scored, on the videos of a cue group."""
    own = rows[rows["net"] == net]
    return {run.spec.seed: run.predictions.some(cues.groups_of(run)[cue]) for run in own["result"]}


def gap(rows: pd.DataFrame) -> Estimate | None:
    """Video@1 of R(2+1)D minus that of R3D in one setting; None where one has no run."""
    first, second = (scores(rows, net) for net in (FIRST, SECOND))
    return difference(first, second) if first and second else None


def levels(rows: pd.DataFrame, net: str) -> pd.DataFrame:
    """A network's video@1 in one setting by cue group, `ALL` first: accuracy, low, high, percent, means over seeds of
    the accuracy and of Wilson's interval, which covers the test videos only; nan without runs."""
    found: dict[str, list[pd.Series]] = {}
    for run in rows.loc[rows["net"] == net, "result"]:
        videos = cues.named(run)
        for cue, own in [(ALL, videos), *videos.groupby("cue")]:
            found.setdefault(cue, []).append(_share(own["right"]))
    means = {cue: pd.concat(shares, axis=1).mean(axis=1) for cue, shares in found.items()}
    return pd.DataFrame(means, index=["accuracy", "low", "high"]).T.reindex([ALL, *cues.CUES])


def members(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the videos that a run names as one of their pair, the share that it names as the right one: columns net, seed,
    cue, pair, accuracy, low, high (percent, Wilson 95%; nan where it names none as of the pair)."""
    found = []
    for net, seed, run in rows[["net", "seed", "result"]].itertuples(index=False):
        videos = cues.named(run)
        for (cue, pair), own in videos[videos["pair"] != ""].groupby(["cue", "pair"]):
            found.append((net, seed, cue, pair, *_share(own.loc[own["in_pair"], "right"])))
    return pd.DataFrame(found, columns=["net", "seed", "cue", "pair", "accuracy", "low", "high"])


def _share(right: pd.Series) -> pd.Series:
    """Percent of these that are right, with Wilson's interval; nan where there are none."""
    low, high = wilson(int(right.sum()), len(right)) if len(right) else (nan, nan)
    return pd.Series({"accuracy": 100 * right.mean(), "low": low, "high": high})


def requirements(runs: pd.DataFrame) -> pd.DataFrame:
    """Whether the base setting leaves networks something to win: accuracy by cue group, f-R2D at chance inside every
    pair, and training clips named better than test clips, both below the ceiling of 8-frame clips.

    Columns: requirement, asked, measured, low, high (percent or points; nan where there is none), met.
    """
    rows, found = at(runs), []
    for cue, of_cue in levels(rows, SECOND).loc[list(HEADROOM)].iterrows():
        least, highest = HEADROOM[cue]
        asked = f"{least} to {highest}%" if least else f"below {highest}%"
        met = least <= of_cue["accuracy"] <= highest if least else of_cue["accuracy"] < highest
        found.append((f"{SECOND}, video@1, {cue}", asked, *of_cue, met))
    blind = members(rows[rows["net"] == BLIND]).groupby(["cue", "pair"], sort=False)[["accuracy", "low", "high"]].mean()
    pairs = cues.classes().query("vocabulary == 'source' and pair != ''")[["cue", "pair"]].drop_duplicates()
    for (cue, pair), of_pair in blind.reindex(pd.MultiIndex.from_frame(pairs)).iterrows():
        what = f"{BLIND}, right class of the right pair, {cue}: {pair}"
        found.append((what, "interval contains 50%", *of_pair, of_pair["low"] <= 50 <= of_pair["high"]))
    own, limit = rows[rows["net"] == SECOND], most({"sequence": cues.ORDER_BLIND["sequence"]})
    train, test = 100 - own["train_error"].mean(), own["clip_top1"].mean()
    found += [
        (f"{SECOND}, training clips minus clip@1, points", "above 0", train - test, nan, nan, train > test),
        (f"{SECOND}, training clips", f"below {limit:g}%", train, nan, nan, train < limit),
        (f"{SECOND}, clip@1", f"below {limit:g}%", test, nan, nan, test < limit),
    ]
    return pd.DataFrame(found, columns=["requirement", "asked", "measured", "low", "high", "met"])


def most(reach: Mapping[str, float]) -> float:
    """Percent of the source vocabulary's videos that a network names which names `reach` percent of some cue groups and
    all of the others."""
    groups = cues.classes().query("vocabulary == 'source'")["cue"]
    return float(groups.map(reach).fillna(100).mean())


def time_scale(runs: pd.DataFrame) -> pd.DataFrame:
    """R(2+1)D with clips of several spans, trained for 15 epochs, a row each, shorter ones first.

    Columns: frames, step, span (frames of the video from a clip's first to its last), runs (their rows), member (the
    share of right classes of right pairs, sequence group, percent; with low and high, Wilson's), and gain: the video@1
    of the sequence group minus that with the base's clips, which is to rise (None for the base's).
    """
    rows, found = at(runs, "clip_length", "frame_step", epochs=15).query("net == @FIRST"), []
    base = scores(at(runs, epochs=15), FIRST, "sequence")
    for (frames, step), own in rows.groupby(["clip_length", "frame_step"]):
        videos = [cues.named(run).query("in_pair and cue == 'sequence'")["right"] for run in own["result"]]
        member = pd.concat(map(_share, videos), axis=1).mean(axis=1)
        is_base = (frames, step) == tuple(runs.iloc[0][["clip_length", "frame_step"]])
        gain = None if is_base else difference(scores(own, FIRST, "sequence"), base)
        found.append((frames, step, (frames - 1) * step + 1, own, *member, gain))
    columns = ["frames", "step", "span", "runs", "member", "low", "high", "gain"]
    return pd.DataFrame(found, columns=columns).sort_values("span", ignore_index=True)


def settings(runs: pd.DataFrame) -> pd.DataFrame:
    """Every value of a setting that was tried, and what the rules choose.

    One setting is for all networks, and the base's value stays, but that

    * of settings that cost the same (`BY_ACCURACY`) another value is chosen where the mean of R(2+1)D and R3D is higher
      than at the base's by more than its interval and by more than `HALF_WIDTH`, because the interval of single runs
      leaves out how another seed would come out; of several such the best;
    * float32 is chosen where the precision changes the difference of the two by more than its interval.

    Length and width stay: more of either takes more time.

    Columns: setting, value, epochs, is_base, runs (their rows), gap, and against the base's value mean_change and
    gap_change (None for the base's), chosen.
    """
    tables = []
    for name, also in QUESTIONS.items():
        rows, base = at(runs, name, **also), runs.iloc[0][name]
        reference = [scores(at(runs, **also), net) for net in (FIRST, SECOND)]
        found = []
        for value, own in rows.groupby(name):
            changes = (None, None)
            nets = [scores(own, FIRST), scores(own, SECOND)]
            if value != base and all([*nets, *reference]):
                halves = [replace(o, values=o.values / 2) for o in map(outcomes, [*nets, *reference])]
                changes = combined(halves, [1, 1, -1, -1]), difference_of_differences(nets, reference)
            found.append((name, value, own["epochs"].iloc[0], value == base, own, gap(own), *changes))
        columns = ["setting", "value", "epochs", "is_base", "runs", "gap", "mean_change", "gap_change"]
        table = pd.DataFrame(found, columns=columns).astype({"value": object})
        tables.append(table.assign(chosen=table["value"] == _chosen(name, table, base)))
    return pd.concat(tables, ignore_index=True)


def _chosen(name: str, table: pd.DataFrame, base: Any) -> Any:
    """The value that the rules of `settings` take of one setting."""
    others = table[(table["value"] != base) & table["mean_change"].notna()]
    if name in BY_ACCURACY:
        better = {r.value: r.mean_change.points for r in others.itertuples() if r.mean_change.low > 0}
        best = max(better, key=better.get, default=base)
        return best if better.get(best, 0) > HALF_WIDTH else base
    moves = name == "amp" and not all(change.low <= 0 <= change.high for change in others["gap_change"])
    return "fp32" if moves else base


@dataclass(frozen=True)
class Variances:
    """Variances of the parts of an outcome, points squared (`intervals.crossed_interval` has the model)."""

    of_seeds: tuple[float, ...]  # a, of each network
    of_rest: tuple[float, ...]  # e, of each network
    of_videos: float  # u, of the signed sum over the networks

    def of(self, *nets: int) -> "Variances":
        """With the parts of these networks, by their number, in place of its own."""
        seeds, rest = (tuple(own[net] for net in nets) for own in (self.of_seeds, self.of_rest))
        return replace(self, of_seeds=seeds, of_rest=rest)


def recorded_variances(first: Network, second: Network, measure: Measure = "video_top1") -> Variances:
    """Of first minus second, from their recorded runs; errors as of `estimates.difference`, or for a single seed."""
    nets = [outcomes(network, measure) for network in (first, second)]
    if nets[0].tested != nets[1].tested:
        raise NotComparable("the networks were not tested on the same videos, labels and classes")
    if min(len(net.seeds) for net in nets) < 2:
        raise ValueError("a network has one seed: how seeds differ takes two or more")
    return variances([net.values for net in nets], (1, -1))


def variances(values: Sequence[np.ndarray], signs: Sequence[int]) -> Variances:
    """From outcomes of N seeds of each network on M videos (the crossed analysis of variance; none is less than 0):

        var e_g = sum over s, v of (outcome - mean of s - mean of v + mean of all)^2 / ((N - 1) (M - 1))
        var a_g = (variance of the seeds' means) - var e_g / M
        var u   = (variance over videos of the signed sum of the means over seeds) - sum over g of var e_g / N

    From two or three recorded seeds var a_g is a rough guess. `values` are in points, N is 2 or more, a sign 1 or -1.
    """
    a, e, u = [], [], sum(sign * own.mean(0) for own, sign in zip(values, signs, strict=True)).var(ddof=1)
    for own in values:
        n, videos = own.shape
        left = own - own.mean(0) - own.mean(1, keepdims=True) + own.mean()
        e.append(float((left**2).sum() / ((n - 1) * (videos - 1))))
        a.append(max(0.0, own.mean(1).var(ddof=1) - e[-1] / videos))
        u -= e[-1] / n
    return Variances(tuple(a), tuple(e), max(0.0, u))


def mean_variances(studies: Sequence[Variances]) -> Variances:
    """The mean over studies of as many seeds each, part by part."""
    of_seeds, of_rest = (np.mean([getattr(own, name) for own in studies], axis=0) for name in ("of_seeds", "of_rest"))
    return Variances(tuple(of_seeds), tuple(of_rest), float(np.mean([own.of_videos for own in studies])))


def expected_half_width(known: Variances, videos: int, seeds: Sequence[int]) -> float:
    """Half the width, in points, of `intervals.crossed_interval` on V `videos` with n_g `seeds` of each network.

    The interval is expected to be as wide as its parts, in which e is counted twice, say:

        of videos  = (var u + sum over g of var e_g / n_g) / V
        of seeds_g = (var a_g + var e_g / V) / n_g,   0 where n_g is 1
        half width = t sqrt(of videos + sum over g of of seeds_g)

    with t the 97.5% quantile of Student's distribution and Satterthwaite's degrees of freedom, as `crossed_interval`
    takes them: about the median of the widths that come out, which with two or three seeds vary much from study to
    study.
    """
    e, n = np.array(known.of_rest), np.array(seeds)
    of_videos = (known.of_videos + (e / n).sum()) / videos
    of_seeds = np.where(n > 1, (np.array(known.of_seeds) + e / videos) / n, 0)
    parts = [of_videos, *of_seeds]
    return student_quantile(0.975, freedom(parts, [videos - 1, *(n - 1)])) * sqrt(sum(parts))
