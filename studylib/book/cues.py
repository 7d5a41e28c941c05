"""What networks read from time: Pantomime's cue groups, and trained networks tested on frames in another order.

Outside `pose` Pantomime's classes come in pairs that show the same frames in another order or at another speed. A net
that scores frame by frame and averages, blind to their order, can name the right pair but has to guess its member.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studylib import stats
from studylib.book.figures import BLUE, ORANGE, VERMILION, WIDTH, drawn, intervals
from studylib.book.tables import runs_of
from studylib.datasets.pantomime.actions import CUES, VOCABULARIES
from studylib.nets.table import PAPER_NAMES
from studylib.runs.results import Run
from studylib.stats.estimates import Scores, change, outcomes
from studylib.training.evaluation import Predictions, named_right

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
    """Every class of both vocabularies: vocabulary, action, cue, pair (neighbours; "" of pose), description."""
    rows = []
    for vocabulary, actions in VOCABULARIES.items():
        for cue in CUES:
            group = [action for action in actions if action.cue == cue]
            for i, action in enumerate(group):
                pair = "" if cue == "pose" else f"{group[i - i % 2].name} | {group[i - i % 2 + 1].name}"
                rows.append((vocabulary, action.name, cue, pair, action.description))
    return pd.DataFrame(rows, columns=["vocabulary", "action", "cue", "pair", "description"])


def named(run: Run) -> pd.DataFrame:
    """A row a test video of a run on Pantomime: its cue and pair, whether it is named right, and whether as one of its
    pair (of pose never). ValueError where a class is not one of Pantomime's."""
    known, labels = _known(run), run.predictions.labels
    pairs, chosen = known["pair"].to_numpy(), run.predictions.scores.argmax(1)  # (K,), (V,)
    in_pair = (pairs[chosen] == pairs[labels]) & (pairs[labels] != "")
    videos = {"cue": known["cue"].to_numpy()[labels], "pair": pairs[labels]}
    return pd.DataFrame(videos | {"right": chosen == labels, "in_pair": in_pair})


def _known(run: Run) -> pd.DataFrame:
    """Of each class of a run's dataset its cue and its pair; ValueError where it is none of Pantomime's."""
    known, names = classes().set_index("action"), list(run.predictions.classes)
    if unknown := [name for name in names if name not in known.index]:
        raise ValueError(f"{run.folder.name}: class {unknown[0]!r} of {run.spec.dataset} is not one of Pantomime's")
    return known.loc[names]


def reordered(runs: pd.DataFrame, plan: str, depth: int = 18) -> pd.DataFrame:
    """Networks of Table 2, or Figure 4's of 34 layers, that were tested on frames in another order, and the runs that
    trained them, tested in order: rows of `results.table()` with `weights`, the same text for all tests of the same
    trained network."""
    own = runs[(runs["plan"] == plan) & (runs["depth"] == depth)]
    trained = own[own["experiment"].isin(["conv_types", "depth"])]
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
    `tests`: `reordered`.
    """
    rows = []
    for net in PAPER_NAMES.values():
        own = tests[tests["net"] == net]
        used = {order: runs_of(own[own["frame_order"] == order]) for order in ORDERS}
        for group in groups_of(used["normal"][0]) if used["normal"] else ():
            scores = {order: scores_of(runs, lambda run, g=group: groups_of(run)[g]) for order, runs in used.items()}
            for order in (order for order in ORDERS if scores[order]):
                both = [seed for seed in scores["normal"] if seed in scores[order]]
                moved = None
                if both and order != "normal":
                    moved = change(*(outcomes({seed: scores[o][seed] for seed in both}) for o in (order, "normal")))
                rows.append((net, order, group, stats.accuracy(scores[order]), moved))
    return pd.DataFrame(rows, columns=["net", "order", "group", "accuracy", "change"])


def as_partner(tests: pd.DataFrame) -> pd.DataFrame:
    """Percent of Pantomime's videos of direction classes in `reordered` that are named as their own class, and as its
    time reversal: columns net, order ("normal" or "reversed"), right, partner (Estimates)."""
    rows = []
    for net in PAPER_NAMES.values():
        for order in ("normal", "reversed"):
            if used := runs_of(tests[(tests["net"] == net) & (tests["frame_order"] == order)]):
                scores = scores_of(used, lambda run: groups_of(run)["direction"])
                pairs = _known(used[0])["pair"].to_numpy()
                partner = stats.accuracy(scores, partial(_named_as_partner, pairs)).within(0, 100)
                rows.append((net, order, stats.accuracy(scores), partner))
    return pd.DataFrame(rows, columns=["net", "order", "right", "partner"])


def _named_as_partner(pairs: np.ndarray, predictions: Predictions) -> np.ndarray:
    """(V,) points: named as the other class of the video's pair; `pairs` (K,) names each class's."""
    chosen = predictions.scores.argmax(1)
    return 100 * ((pairs[chosen] == pairs[predictions.labels]) & ~named_right(predictions))


@drawn
def orders_figure(found: pd.DataFrame, levels: Mapping[str, Mapping[str, float]]) -> Figure:
    """Video accuracy with 95% intervals: a panel a group, a row a network, a mark an order of the frames.

    Args:
        found: `by_order`, with at least one row.
        levels: group, one a panel -> name of a level -> percent, drawn as a line.
    """
    nets, orders = ([name for name in names if (found[column] == name).any()]
                    for names, column in ((PAPER_NAMES.values(), "net"), (LOOKS, "order")))  # fmt: skip
    columns = min(2, len(levels))
    shape = (-(-len(levels) // columns), columns)
    size = (WIDTH, (0.4 * len(nets) + 0.7) * shape[0] + 1)
    figure, grid = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    for axes, (group, lines) in zip(grid.flat, levels.items(), strict=True):
        for y in range(1, len(nets), 2):  # stripes lead the eye from the name to its marks
            axes.axhspan(y - 0.5, y + 0.5, color="#F3F3F3", zorder=0)
        for i, order in enumerate(orders):
            own = found[(found["group"] == group) & (found["order"] == order)]
            places = [nets.index(net) + 0.21 * (i - (len(orders) - 1) / 2) for net in own["net"]]
            look = LOOKS[order] | {"linestyle": "none", "markersize": 5, "elinewidth": 1, "capsize": 0}
            intervals(axes, own["accuracy"], places, across=True, label=f"frames {ORDERS[order]}", **look)
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
