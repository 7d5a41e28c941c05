"""Trained networks tested on frames in another order, by Pantomime's cue groups: what each reads from time.

Every number is video@1 over the seeds that are recorded, of the videos of a group; the change from frames in order is
taken network by network, each with its own weights, so that what the seeds have in common falls out.
"""

from collections.abc import Callable
from functools import cached_property
from html import escape

import numpy as np
import pandas as pd

from studylib.book.cells import cell, grouped, links
from studylib.book.cues import ORDER_BLIND, classes
from studylib.book.tables import Table
from studylib.claims.recorded import Recorded, bounded, network
from studylib.claims.verdicts_evidence import Evidence
from studylib.claims.verdicts_intervals import Outcomes, contrast
from studylib.claims.verdicts_parts import Part
from studylib.datasets.pantomime.actions import CUES
from studylib.nets.table import NETS, PAPER_NAMES
from studylib.runs.results import Run

ORDERS = {"normal": "in order", "shuffled": "shuffled", "reversed": "reversed", "frozen": "frozen"}
ALL = "all videos"
GROUPS = (ALL, *CUES)
# What a video of a direction class can be named as.
NAMED = ("right class", "its partner", "another class")
COLUMNS = [
    "net", "order", "group", "accuracy", "low", "high", "change", "change_low", "change_high", "seeds", "order_blind",
]  # fmt: skip


def networks(runs: pd.DataFrame, plan: str) -> dict[tuple[str, str], Recorded]:
    """(net, order) -> the network tested on frames of that order, chosen as by the rule on motion.

    Args:
        runs: `results.load_all_runs()`.
    """
    evidence = Evidence(runs, plan)

    def tested(net: str, order: str) -> Recorded:
        experiments = ("cues", "conv_types") if order == "normal" else ("cues",)
        return network(evidence, f"{PAPER_NAMES[net]}, {order}", experiments, net=net, frame_order=order)

    return {(net, order): tested(net, order) for net in NETS for order in ORDERS}


class Study:
    """The predictions of a plan's networks in every order, each read once."""

    def __init__(self, runs: pd.DataFrame, plan: str) -> None:
        """`runs`: `results.load_all_runs()`. Raises ValueError where a class is none of Pantomime's."""
        self.plan = plan
        self.networks = networks(runs, plan)
        # (net, order) -> folder of the run that trained the weights -> (V,) class that each test video is named as
        self._named: dict[tuple[str, str], dict[str, np.ndarray]] = {}
        self._seeds: dict[str, int] = {}
        self._tested: tuple | None = None
        for key, own in self.networks.items():
            weights = {own.weights[p.spec.seed, p.spec.split][0]: p for p in own.done}
            self._named[key] = {folder: self._read(p.run) for folder, p in weights.items()}
            self._seeds |= {folder: p.spec.seed for folder, p in weights.items()}
        if self._tested is not None:
            self._describe(self._tested[1])

    def _read(self, run: Run) -> np.ndarray:
        p = run.predictions
        tested = (tuple(p.videos), p.classes)
        if self._tested is None:
            self._tested, self.labels = tested, p.labels
        if tested != self._tested:
            raise ValueError(f"{run.folder.name}: tested on other videos than the runs before it")
        return p.scores.argmax(1)  # equal scores rank by class number, as in `evaluation.video_top_k`

    def _describe(self, names: tuple[str, ...]) -> None:
        known = classes().set_index("action")
        if unknown := [name for name in names if name not in known.index]:
            raise ValueError(f"class {unknown[0]!r} is not one of Pantomime's")
        cues, pairs = known.loc[list(names), "cue"].to_numpy(), known.loc[list(names), "pair"].to_numpy()
        self.groups = {ALL: np.ones(len(self.labels), bool)} | {cue: cues[self.labels] == cue for cue in CUES}
        # (K, K): whether a class is the other member of the pair
        self._partners = (pairs[:, None] == pairs[None]) & (pairs != "")[:, None] & ~np.eye(len(names), dtype=bool)

    def right(self, named: np.ndarray) -> np.ndarray:
        """(V,) bool."""
        return named == self.labels

    def partner(self, named: np.ndarray) -> np.ndarray:
        """(V,) bool: named as the other class of the video's pair."""
        return self._partners[self.labels, named]

    def share(self, net: str, order: str, group: str, of: Callable[[np.ndarray], np.ndarray]) -> Part | None:
        """Percent of a group's videos for which `of` their names is true, over the seeds; None where none is there."""
        own = self._outcomes(net, order, group, of, self._named[net, order])
        return own and bounded(contrast("", [own]))

    def _outcomes(self, net: str, order: str, group: str, of: Callable, weights: list[str]) -> Outcomes | None:
        if not weights:
            return None
        values = 100.0 * np.stack([of(self._named[net, order][w])[self.groups[group]] for w in weights])
        return Outcomes(values, tuple(self._seeds[w] for w in weights), (group,))

    @cached_property
    def accuracies(self) -> dict[tuple[str, str, str], Part]:
        """(net, order, group) -> video@1, of what is there."""
        there = [key for key, named in self._named.items() if named]
        return {(*key, group): self.share(*key, group, self.right) for key in there for group in GROUPS}

    @cached_property
    def changes(self) -> dict[tuple[str, str, str], Part]:
        """(net, order, group) -> accuracy in this order minus that in order, points, of the seeds that have both."""
        found = {}
        for net, order in self._named:
            normal = self._named[net, "normal"]
            both = [weights for weights in self._named[net, order] if weights in normal]
            for group in GROUPS if order != "normal" and both else ():
                own, other = (self._outcomes(net, at, group, self.right, both) for at in (order, "normal"))
                found[net, order, group] = contrast("", [own.minus(other)])
        return found

    def by_order(self) -> pd.DataFrame:
        """`accuracies` and `changes`, tidy: `COLUMNS`, percent and points; `order_blind` is what a network reaches that
        names every pair and guesses the member."""
        rows = []
        for (net, order, group), own in self.accuracies.items():
            change = self.changes.get((net, order, group))
            moved = (change.points, change.low, change.high) if change else (np.nan,) * 3
            seen = (own.points, own.low, own.high, *moved, len(self._named[net, order]))
            rows.append((PAPER_NAMES[net], order, group, *seen, ORDER_BLIND.get(group, np.nan)))
        return pd.DataFrame(rows, columns=COLUMNS)

    def order_table(self, group: str) -> Table:
        """Accuracy of each network on one group's videos, in each order, and its change from frames in order."""
        rows = []
        for net, name in PAPER_NAMES.items():
            row = {"net": escape(name)}
            for order, word in ORDERS.items():
                own, change = (found.get((net, order, group)) for found in (self.accuracies, self.changes))
                after = [f'<span class="interval">{cell(change, sign=True)}</span>'] if change else []
                after += [links(self.networks[net, order])] if group == ALL else []
                row[word] = cell(own, self.networks[net, order], after="<br>".join(filter(None, after)))
            rows.append(row)
        return Table(
            pd.DataFrame(rows),
            f"{group[0].upper()}{group[1:]}, plan {self.plan}: video@1 in percent, and below it the change from frames "
            "in order in points. Means over seeds with 95% intervals over videos and seeds, of one seed over videos.",
        )

    def partner_table(self) -> Table:
        """What the videos of direction classes are named as, in order and reversed."""
        rows = []
        for net, name in PAPER_NAMES.items():
            row = {("", "net"): escape(name)}
            for order in ("normal", "reversed"):
                tests = (self.right, self.partner, lambda named: ~self.right(named) & ~self.partner(named))
                for word, of in zip(NAMED, tests, strict=True):
                    own = self.share(net, order, "direction", of)
                    row[ORDERS[order], word] = cell(own, self.networks[net, order])
            rows.append(row)
        return Table(
            grouped(rows),
            f"Videos of direction classes, plan {self.plan}: what they are named as, in percent, with 95% intervals.",
        )
