"""The chapter on filters: those of a factorised conv1 as pictures, as in the paper's Figure 6, and in numbers."""

from collections.abc import Mapping

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.book.figures import WIDTH, drawn
from studylib.claims.published import LARGEST_WEIGHT
from studylib.claims.verdicts import FILTER_EXPERIMENTS
from studylib.training.run_files import read_conv1

Filters = tuple[np.ndarray, np.ndarray]  # spatial (M, C, 1, 7, 7) and temporal (N, M, 3, 1, 1)

ENLARGED = 8  # pixels a weight, nearest neighbour, so that no viewer blurs them
COLOURS = matplotlib.colormaps["cividis"]  # the sign is a colour on the screen and a lightness in grey print
# Shape of three weights over time -> its definition. Of three independent draws from one continuous distribution that
# is symmetric about 0, as those that training starts from, each comes out with probability 1/4:
# * all signs are equal in 2 of 8 cases;
# * the middle sign differs from both others, which agree, in 2 of 8;
# * a third of all draws are monotone (2 of 6 orders), as are a third of the quarter of one sign: 1/3 - 1/12 = 1/4;
# * the rest.
SHAPES = {
    "sum": "the three weights have one sign: the frames are added up",
    "first difference": "monotone from one sign to the other: later frames against earlier ones",
    "second difference": "the middle weight has one sign, both others the other",
    "other": "the outer weights differ in sign, and the three are not monotone",
}


def kept(runs: pd.DataFrame) -> dict[str, Filters]:
    """Training ("seed 0", of several splits "seed 0, split 1") -> the filters of the complete runs of R(2+1)D-18 that
    kept them, in `results.table(plan)`."""
    shown = runs[runs["experiment"].isin(FILTER_EXPERIMENTS) & (runs["net"] == "R(2+1)D") & (runs["depth"] == 18)]
    several = shown["split"].nunique() > 1
    done = shown[shown["state"] == "complete"].sort_values(["seed", "split"])
    names = "seed " + done["seed"].astype(str) + (", split " + done["split"].astype(str) if several else "")
    found = {name: read_conv1(run.folder) for name, run in zip(names, done["result"], strict=True)}
    return {name: filters for name, filters in found.items() if filters is not None}


def numbers(filters: Mapping[str, Filters]) -> pd.DataFrame:
    """Of each training: range and deviation of the weights, the share within Figure 6's scale, shapes over time, steady
    energy, in percent."""
    rows = []
    for training, (spatial, temporal) in filters.items():
        row: dict[str, str | float] = {"training": training}
        for kind, weights in (("spatial", spatial), ("temporal", temporal)):
            row |= {f"{kind}, largest": np.abs(weights).max(), f"{kind}, deviation": weights.std()}
            row[f"{kind}, within {LARGEST_WEIGHT:g}"] = 100 * (np.abs(weights) <= LARGEST_WEIGHT).mean()
        energy = 100 * shares(temporal)["energy"]
        rows.append(row | energy.to_dict() | {"steady": 100 * steady(temporal)})
    return pd.DataFrame(rows)


def shapes(temporal: np.ndarray) -> np.ndarray:
    """(N, M): of temporal filters (N, M, 3, 1, 1), which of `SHAPES` each channel's weights have, as a number."""
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


def pictures(filters: Filters) -> tuple[np.ndarray, np.ndarray]:
    """All spatial and all temporal filters, each as one picture (H, W, 3) in [0, 1], whose colours run from
    -LARGEST_WEIGHT to LARGEST_WEIGHT; what is beyond is cut off, as in the paper's figure."""
    spatial, temporal = (np.clip(own / LARGEST_WEIGHT, -1, 1) / 2 + 0.5 for own in filters)
    both = (spatial[:, :, 0].transpose(0, 2, 3, 1), 15), (COLOURS(temporal[..., 0, 0])[..., :3], 32)
    return tuple(mosaic(tiles, in_a_row) for tiles, in_a_row in both)


def mosaic(tiles: np.ndarray, in_a_row: int) -> np.ndarray:
    """One picture (H, W, 3) of tiles (n, h, w, 3), in rows from left to right, each in a black line, white between."""
    columns = min(in_a_row, len(tiles))
    tiles = np.pad(tiles.repeat(ENLARGED, 1).repeat(ENLARGED, 2), ((0, 0), (1, 1), (1, 1), (0, 0)))
    missing = -len(tiles) % columns  # in the last row, which white tiles fill
    tiles = np.pad(tiles, ((0, missing), (0, ENLARGED), (0, ENLARGED), (0, 0)), constant_values=1)
    _, height, width, _ = tiles.shape
    return tiles.reshape(-1, columns, height, width, 3).swapaxes(1, 2).reshape(-1, columns * width, 3)


@drawn
def figure6(filters: Filters) -> Figure:
    """(a) the spatial and (b) the temporal filters of one network, with the scale of the weights."""
    both, (spatial, temporal) = pictures(filters), filters
    heights = [WIDTH * picture.shape[0] / picture.shape[1] for picture in both]
    figure, (a, b) = plt.subplots(2, 1, figsize=(WIDTH, sum(heights) + 1.7), height_ratios=heights)
    _show(a, both[0], f"(a) {len(spatial)} spatial filters of 7 x 7")
    channels = temporal.shape[1]
    _show(b, both[1], f"(b) {len(temporal)} temporal filters, each {channels} channels (down) x 3 frames (across)")
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(-LARGEST_WEIGHT, LARGEST_WEIGHT), COLOURS)
    bar = figure.colorbar(scale, ax=b, orientation="horizontal", extend="both", aspect=40, shrink=0.7, pad=0.04)
    bar.set_label("weight of a temporal filter")
    return figure


@drawn
def others(filters: Mapping[str, Filters]) -> Figure:
    """The same of several trainings, smaller: a row each, spatial filters left and temporal ones right."""
    rows = {training: pictures(own) for training, own in filters.items()}
    heights = [max(WIDTH / 2 * picture.shape[0] / picture.shape[1] for picture in own) for own in rows.values()]
    size = (WIDTH, sum(heights) + 0.5 * len(heights))
    figure, grid = plt.subplots(len(rows), 2, figsize=size, height_ratios=heights, squeeze=False)
    for row, (training, own) in zip(grid, rows.items(), strict=True):
        for axes, picture, kind in zip(row, own, ("spatial", "temporal"), strict=True):
            _show(axes, picture, f"{training}, {kind}")
    return figure


def _show(axes: Axes, picture: np.ndarray, title: str) -> None:
    # "none": an SVG then keeps the picture as it is, instead of scaling it to its own resolution
    axes.imshow(picture, interpolation="none")
    axes.set_title(title, loc="left")
    axes.axis("off")
