"""What networks read from time: Pantomime's cue groups, and trained networks tested on frames in another order.

Outside `pose` Pantomime's classes come in pairs that show the same frames in another order or at another speed. A net
that scores frame by frame and averages, blind to their order, can name the right pair but has to guess its member.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib import stats
from studylib.book.estimates import runs_of
from studylib.book.figures import BLUE, ORANGE, VERMILION, WIDTH, drawn
from studylib.datasets.pantomime.actions import CUES, VOCABULARIES
from studylib.nets.table import PAPER_NAMES
from studylib.runs.results import Run
from studylib.stats.estimates import Scores, combined, outcomes
from studylib.training.evaluation import Predictions, named_right, wilson

# Percent of a group for a net that names every pair and guesses the member.
ORDER_BLIND = {"pose": 100.0, "direction": 50.0, "tempo": 50.0, "sequence": 50.0}
ORDERS = {"normal": "in order", "shuffled": "shuffled", "reversed": "reversed", "frozen": "frozen"}
LOOKS = {
    "normal": {"color": "black", "marker": "o"},
    "shuffled": {"color": ORANGE, "marker": "s"},
    "reversed": {"color": BLUE, "marker": "<"},
    "frozen": {"color": VERMILION, "marker": "D", "markerfacecolor": "white"},
}
ALL = "all videos"


def classes() -> pd.DataFrame:
    """Every class of both vocabularies: vocabulary, action, cue, pair ("" in the pose group), description.

    The pairs of a vocabulary are the neighbours in its list.
    """
    rows = []
    for vocabulary, actions in VOCABULARIES.items():
        for cue in CUES:
            group = [action for action in actions if action.cue == cue]
            for i, action in enumerate(group):
                pair = "" if cue == "pose" else f"{group[i - i % 2].name} | {group[i - i % 2 + 1].name}"
                rows.append((vocabulary, action.name, cue, pair, action.description))
    return pd.DataFrame(rows, columns=["vocabulary", "action", "cue", "pair", "description"])


def by_cue(runs: Sequence[Run]) -> pd.DataFrame:
    """Video accuracy of runs on Pantomime by cue group, tidy.

    Columns: run (its folder's name), net, cue, measure, right, total, accuracy, low, high (percent, Wilson 95%),
    chance and order_blind (percent). Measures:

    * "class": the right class among all;
    * "pair": a class of the right pair (not for pose);
    * "member": the right class among the videos whose pair is right (not for pose; left out where there are none).

    Raises:
        ValueError: a run is on another dataset than Pantomime.
    """
    rows = [row for run in runs for row in _of_run(run)]
    columns = ["run", "net", "cue", "measure", "right", "total", "accuracy", "low", "high", "chance", "order_blind"]
    return pd.DataFrame(rows, columns=columns)


def _of_run(run: Run) -> list[tuple]:
    known = _known(run)
    cue, pair = known["cue"].to_numpy(), known["pair"].to_numpy()  # (K,)
    labels = run.predictions.labels  # (V,)
    # equal scores rank by class number, as in `evaluation.video_top_k`
    named = run.predictions.scores.argmax(1)  # (V,)
    rows = []
    for group in CUES:
        there = cue[labels] == group
        right = there & (named == labels)
        in_pair = there & (pair[named] == pair[labels]) & (group != "pose")
        for measure, hits, of, chance, blind in (
            ("class", right, there, 1 / len(known), ORDER_BLIND[group]),
            ("pair", in_pair, there & (group != "pose"), 2 / len(known), 100.0),
            ("member", right, in_pair, 0.5, 50.0),
        ):
            if total := int(of.sum()):
                count = int(hits.sum())
                accuracy = (100 * count / total, *wilson(count, total))
                rows.append((run.folder.name, run.net, group, measure, count, total, *accuracy, 100 * chance, blind))
    return rows


def _known(run: Run) -> pd.DataFrame:
    """Of each class of a run's dataset its cue and its pair; ValueError where it is none of Pantomime's."""
    known, names = classes().set_index("action"), list(run.predictions.classes)
    if unknown := [name for name in names if name not in known.index]:
        raise ValueError(f"{run.folder.name}: class {unknown[0]!r} of {run.spec.dataset} is not one of Pantomime's")
    return known.loc[names]


def reordered(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """Table 2's networks that were tested on frames in another order, and the runs that trained them, tested in order:
    rows of `runs` with `weights`, the same text for all tests of the same trained network.

    Args:
        runs: `results.table()`.
    """
    own = runs[(runs["plan"] == plan) & (runs["depth"] == 18)]
    trained = own[own["experiment"] == "conv_types"]
    trained = trained.assign(weights="run:" + trained["plan"] + "/" + trained["experiment"] + "/" + trained["run"])
    tests = own[(own["experiment"] == "cues") & own["init_from"].isin(trained["weights"])]
    tests = tests.assign(weights=tests["init_from"])
    return pd.concat([trained[trained["weights"].isin(tests["weights"])], tests])


def groups_of(run: Run) -> dict[str, np.ndarray]:
    """Name -> (V,) bool, the videos of a group: all, and on Pantomime each cue group."""
    labels = run.predictions.labels
    groups = {ALL: np.ones(len(labels), bool)}
    if run.spec.dataset_family == "pantomime":
        cues = _known(run)["cue"].to_numpy()[labels]
        groups |= {cue: cues == cue for cue in CUES}
    return groups


def scores_of(runs: Iterable[Run], videos: Callable[[Run], np.ndarray]) -> Scores:
    """Seed -> split -> what the runs scored on some of their videos, as `stats.accuracy` takes it."""
    scores: dict[int, dict[int, Predictions]] = {}
    for run in runs:
        scores.setdefault(run.spec.seed, {})[run.spec.split] = run.predictions.some(videos(run))
    return scores


def by_order(tests: pd.DataFrame) -> pd.DataFrame:
    """Video accuracy of each network by group and order of the frames.

    Columns: net, order, group, accuracy (an Estimate), change (an Estimate of accuracy minus that in order, points, of
    the same weights video by video, so that what the seeds have in common falls out; None in order).

    Args:
        tests: `reordered`.
    """
    rows = []
    for net in PAPER_NAMES.values():
        own = tests[tests["net"] == net]
        used = {order: runs_of(own[own["frame_order"] == order]) for order in ORDERS}
        for group in groups_of(used["normal"][0]) if used["normal"] else ():
            scores = {order: scores_of(runs, lambda run, g=group: groups_of(run)[g]) for order, runs in used.items()}
            for order in (order for order in ORDERS if scores[order]):
                both = [seed for seed in scores["normal"] if seed in scores[order]]
                pair = [outcomes({seed: scores[o][seed] for seed in both}) for o in (order, "normal")] if both else None
                change = combined([pair[0].minus(pair[1])], [1]) if pair and order != "normal" else None
                rows.append((net, order, group, stats.accuracy(scores[order]), change))
    return pd.DataFrame(rows, columns=["net", "order", "group", "accuracy", "change"])


def as_partner(tests: pd.DataFrame) -> pd.DataFrame:
    """Percent of Pantomime's videos of direction classes that are named as their own class, and as its time reversal.

    Columns: net, order ("normal" or "reversed"), right, partner (Estimates).

    Args:
        tests: `reordered`.
    """
    rows = []
    for net in PAPER_NAMES.values():
        for order in ("normal", "reversed"):
            if used := runs_of(tests[(tests["net"] == net) & (tests["frame_order"] == order)]):
                scores = scores_of(used, lambda run: groups_of(run)["direction"])
                pairs = _known(used[0])["pair"].to_numpy()
                partner = stats.accuracy(scores, lambda p, pairs=pairs: 100 * named_as_partner(p, pairs))
                partner = replace(partner, low=max(partner.low, 0.0), high=min(partner.high, 100.0))
                rows.append((net, order, stats.accuracy(scores), partner))
    return pd.DataFrame(rows, columns=["net", "order", "right", "partner"])


def named_as_partner(predictions: Predictions, pairs: np.ndarray) -> np.ndarray:
    """(V,) bool: named as the other class of the video's pair; `pairs` (K,) names each class's."""
    named = predictions.scores.argmax(1)
    return (pairs[named] == pairs[predictions.labels]) & ~named_right(predictions)


@drawn
def orders_figure(found: pd.DataFrame, levels: Mapping[str, Mapping[str, float]]) -> Figure:
    """Video accuracy with 95% intervals: a panel a group, a row a network, a mark an order of the frames.

    Args:
        found: `by_order`, with at least one row.
        levels: group, one a panel -> name of a level -> percent, drawn as a line.
    """
    nets = [net for net in PAPER_NAMES.values() if (found["net"] == net).any()]
    columns = min(2, len(levels))
    shape = (-(-len(levels) // columns), columns)
    size = (WIDTH, (0.4 * len(nets) + 0.7) * shape[0] + 1)
    figure, grid = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    for axes, (group, lines) in zip(grid.flat, levels.items(), strict=True):
        _panel(axes, found[found["group"] == group], nets)
        for dash, (name, level) in zip(((0, (1, 1.5)), (0, (4, 2))), lines.items(), strict=False):
            axes.axvline(level, color="black", linewidth=1.2, linestyle=dash, label=name)
        axes.set(title=group, xlim=(-3, 103), ylim=(len(nets) - 0.5, -0.5), xticks=(0, 25, 50, 75, 100))
        axes.set_yticks(range(len(nets)), nets)
        axes.grid(axis="y", visible=False)
        axes.tick_params(labelbottom=True, left=False)
    for axes in grid[-1]:
        axes.set_xlabel("video@1 (%)")
    handles, names = max((axes.get_legend_handles_labels() for axes in grid.flat), key=lambda both: len(both[1]))
    figure.legend(handles, names, ncols=2, loc="outside lower center", columnspacing=1.2, handletextpad=0.5)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, nets: list[str]) -> None:
    for y in range(1, len(nets), 2):  # stripes lead the eye from the name to its marks
        axes.axhspan(y - 0.5, y + 0.5, color="#F3F3F3", zorder=0)
    for i, (order, look) in enumerate(LOOKS.items()):
        rows = table[table["order"] == order]
        y = np.array([nets.index(net) for net in rows["net"]]) + 0.21 * (i - 1.5)
        ends = np.array([(own.points - own.low, own.high - own.points) for own in rows["accuracy"]]).reshape(-1, 2).T
        axes.errorbar([own.points for own in rows["accuracy"]], y, xerr=ends, linestyle="none", markersize=5,
                      elinewidth=1, capsize=0, label=f"frames {ORDERS[order]}", **look)  # fmt: skip
