"""What can be said in numbers of conv1's filters, which Figure 6 shows as a picture."""

from collections.abc import Mapping
from html import escape
from math import sqrt

import numpy as np
import pandas as pd
from scipy.special import ndtr

from studylib.book.cells import link, missing
from studylib.book.tables import Table, lacking
from studylib.claims.networks import Evidence, Network, printed
from studylib.claims.published import LARGEST_WEIGHT
from studylib.claims.verdicts import FILTER_EXPERIMENTS
from studylib.runs.magnitudes import signed
from studylib.training.run_files import read_conv1

Filters = tuple[np.ndarray, np.ndarray]  # spatial (M, C, 1, 7, 7) and temporal (N, M, 3, 1, 1) of `filters.read_conv1`

# Shape of three weights over time -> its definition. Of three independent draws from one continuous distribution that
# is symmetric about 0, as those that training starts from, each comes out with probability 1/4:
# * all signs are equal in 2 of 8 cases;
# * the middle sign differs from both others, which agree, in 2 of 8;
# * a third of all draws are monotone (2 of 6 orders), as are a third of the quarter of one sign: 1/3 - 1/12 = 1/4;
# * the rest.
SHAPES = {
    "sum": "the three weights have one sign: the frames are added up",
    "first difference": "monotone from one sign to the other: what comes later is held against what came before",
    "second difference": "the middle weight has one sign, both others the other",
    "other": "the outer weights differ in sign, and the three are not monotone",
}
CHANCE = 1 / len(SHAPES)
NOT_KEPT = "no filters kept"
STEADY = "steady energy"
STEADY_CHANCE = 1 / 3  # of the energy of three independent weights with mean 0 is in their mean


def r2plus1d(runs: pd.DataFrame, plan: str) -> Network:
    """A plan's R(2+1)D-18 whose filters are shown, as the rule of Figure 6 chooses it.

    Args:
        runs: `results.load_all_runs()`.
    """
    return Evidence(runs, plan).find(printed("r2plus1d"), FILTER_EXPERIMENTS, net="r2plus1d")


def kept(own: Network) -> dict[int, Filters]:
    """Seed -> filters, of the complete runs that kept them."""
    found = {planned.spec.seed: read_conv1(planned.run.folder) for planned in own.done}
    return {seed: filters for seed, filters in found.items() if filters is not None}


def within(weights: np.ndarray, largest: float = LARGEST_WEIGHT) -> float:
    """Share of the weights between -largest and largest."""
    return float((np.abs(weights) <= largest).mean())


def first_deviation(weights: np.ndarray, initialisation: str) -> float:
    """Standard deviation of the weights before training (see `nets.initialise`).

    Args:
        weights: (outputs, inputs, time, height, width).
        initialisation: "fan_out" or "fan_in".
    """
    kernel = int(np.prod(weights.shape[2:]))
    return sqrt(2 / (kernel * weights.shape[0 if initialisation == "fan_out" else 1]))


def within_at_first(deviation: float, largest: float = LARGEST_WEIGHT) -> float:
    """The share `within` that normal weights of this deviation have on average."""
    return float(1 - 2 * ndtr(-largest / deviation))


def shapes(temporal: np.ndarray) -> np.ndarray:
    """(N, M): of each temporal filter and each of its channels, which of `SHAPES` its three weights have, as a number.

    Args:
        temporal: (N, M, 3, 1, 1).
    """
    first, middle, last = np.moveaxis(temporal[..., 0, 0], 2, 0)  # (N, M) each
    one_sign = (np.sign(first) == np.sign(middle)) & (np.sign(middle) == np.sign(last))
    rises, falls = (first < middle) & (middle < last), (first > middle) & (middle > last)
    second = (np.sign(first) == np.sign(last)) & ~one_sign
    return np.select([one_sign, rises | falls, second], [0, 1, 2], 3)


def shares(temporal: np.ndarray) -> pd.DataFrame:
    """How often each shape occurs among all triples of weights over time, and its share of their energy, the sum of
    the squares of the weights: so small weights count less. Index: `SHAPES`; columns: number, energy."""
    energy = (temporal[..., 0, 0] ** 2).sum(2)  # (N, M)
    masks = [shapes(temporal) == i for i in range(len(SHAPES))]
    rows = [(float(own.mean()), float(energy[own].sum() / energy.sum())) for own in masks]
    return pd.DataFrame(rows, index=list(SHAPES), columns=["number", "energy"])


def steady(temporal: np.ndarray) -> float:
    """Share of the energy that is in the means of the triples: what does not change from frame to frame."""
    weights = temporal[..., 0, 0]
    return float(3 * (weights.mean(2) ** 2).sum() / (weights**2).sum())


def scale_table(networks: Mapping[str, Network], filters: Mapping[str, Mapping[int, Filters]]) -> Table:
    """Of each plan's seeds the number of filters, the range of their weights and the share on Figure 6's scale.

    Args:
        networks: plan -> `r2plus1d`.
        filters: plan -> `kept`.
    """
    cells = []
    for plan, recorded in networks.items():
        for planned in recorded.planned:
            seed = planned.spec.seed
            own = filters[plan].get(seed)
            if own is None:
                note = lacking(planned.state if planned.run is None else NOT_KEPT)
                cells.append({"plan": escape(plan), "seed": str(seed), "filters": note})
                continue
            for kind, weights in zip(("spatial", "temporal"), own, strict=True):
                told = {"plan": escape(plan), "seed": link(planned, str(seed)), "filters": f"{len(weights)} {kind}"}
                cells.append(told | _scale(weights, planned.spec.initialisation))
    return Table(
        pd.DataFrame(cells),
        "Weights of conv1 of R(2+1)D-18; deviation: standard deviation. Before training: what the initialisation draws "
        "them with, on average; it follows from the number of filters, and so from the width of the network.",
    )


def _scale(weights: np.ndarray, initialisation: str) -> dict[str, str]:
    first = first_deviation(weights, initialisation)
    return {
        "weights": f"{weights.size:,}",
        "smallest": signed(weights.min(), 2),
        "largest": signed(weights.max(), 2),
        "deviation": f"{weights.std():.3f}",
        f"within {LARGEST_WEIGHT:g}": f"{within(weights):.1%}",
        "deviation before training": f"{first:.3f}",
        f"within {LARGEST_WEIGHT:g} before training": f"{within_at_first(first):.1%}",
    }


def definitions_table() -> Table:
    """What the shapes are, with the chance of each."""
    rows = [
        {"shape": escape(name), "the three weights": escape(definition), "chance": f"{CHANCE:.0%}"}
        for name, definition in SHAPES.items()
    ]
    return Table(pd.DataFrame(rows), "Shapes of three weights over time, and how often independent draws have them.")


def shapes_table(networks: Mapping[str, Network], filters: Mapping[str, Mapping[int, Filters]]) -> Table:
    """The share of each shape and of the steady energy, a row a seed, under what chance gives.

    Args:
        networks, filters: as of `scale_table`.
    """
    chance = dict.fromkeys(SHAPES, f"{CHANCE:.0%}") | {STEADY: f"{STEADY_CHANCE:.0%}"}
    rows = [{"plan": "chance", "seed": ""} | chance]
    for plan, recorded in networks.items():
        if not filters[plan]:
            rows.append({"plan": escape(plan), "seed": lacking(NOT_KEPT) if recorded.done else missing(recorded)})
        for seed, (_, temporal) in filters[plan].items():
            row = {"plan": escape(plan), "seed": str(seed)}
            for name, (number, energy) in shares(temporal).iterrows():
                row[name] = f'{number:.0%} <span class="interval">(energy {energy:.0%})</span>'
            rows.append(row | {STEADY: f"{steady(temporal):.0%}"})
    return Table(
        pd.DataFrame(rows),
        "Three weights over time of every temporal filter and channel: share of their number, and of their energy. "
        f"{STEADY.capitalize()}: share of the energy that is in the means over the three frames.",
    )
