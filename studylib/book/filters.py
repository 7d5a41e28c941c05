"""The chapter on filters: those of a factorised conv1 as pictures, as in the paper's Figure 6, and in numbers."""

from collections.abc import Mapping
from math import ceil

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

IN_A_ROW = {"spatial": 15, "temporal": 32}  # filters
ENLARGED = 8  # pixels a weight, nearest neighbour, so that no viewer blurs them
# Dark blue, grey, light yellow: the sign is a colour on the screen and a lightness in grey print.
COLOURS = matplotlib.colormaps["cividis"]


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
    """Training ("seed 0", of several splits "seed 0, split 1") -> the filters of a plan's complete runs of R(2+1)D-18
    that kept them.

    Args:
        runs: `results.table(plan)`.
    """
    shown = runs[runs["experiment"].isin(FILTER_EXPERIMENTS) & (runs["net"] == "R(2+1)D") & (runs["depth"] == 18)]
    several = shown["split"].nunique() > 1
    done = shown[shown["state"] == "complete"].sort_values(["seed", "split"])
    names = "seed " + done["seed"].astype(str) + (", split " + done["split"].astype(str) if several else "")
    found = {name: read_conv1(run.folder) for name, run in zip(names, done["result"], strict=True)}
    return {name: filters for name, filters in found.items() if filters is not None}


def numbers(filters: Mapping[str, Filters]) -> pd.DataFrame:
    """Of each training: range and deviation of the weights, the share within Figure 6's scale, shapes over time, steady
    energy, in percent.

    Args:
        filters: of `kept`.
    """
    rows = []
    for training, (spatial, temporal) in filters.items():
        row: dict[str, str | float] = {"training": training}
        for kind, weights in (("spatial", spatial), ("temporal", temporal)):
            row |= {f"{kind}, largest": np.abs(weights).max(), f"{kind}, deviation": weights.std()}
            row[f"{kind}, within {LARGEST_WEIGHT:g}"] = 100 * within(weights)
        energy = 100 * shares(temporal)["energy"]
        rows.append(row | energy.to_dict() | {"steady": 100 * steady(temporal)})
    return pd.DataFrame(rows)


def within(weights: np.ndarray, largest: float = LARGEST_WEIGHT) -> float:
    """Share of the weights between -largest and largest."""
    return float((np.abs(weights) <= largest).mean())


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


def scaled(weights: np.ndarray, largest: float = LARGEST_WEIGHT) -> np.ndarray:
    """Weights from [-largest, largest] to [-1, 1], as in the paper's figure; what is beyond is cut off."""
    return np.clip(weights / largest, -1, 1)


def spatial_tiles(spatial: np.ndarray) -> list[np.ndarray]:
    """M pictures (7, 7, 3) in [0, 1]: the three input channels as red, green and blue; grey is 0.

    Args:
        spatial: (M, 3, 1, 7, 7). Filters over flow, of 2 channels, have no colours: ValueError.
    """
    if spatial.shape[1] != 3:
        raise ValueError(f"spatial filters over {spatial.shape[1]} channels: only those over RGB have colours")
    return list((scaled(spatial[:, :, 0]).transpose(0, 2, 3, 1) + 1) / 2)


def temporal_tiles(temporal: np.ndarray) -> list[np.ndarray]:
    """N pictures (M, 3, 3) in [0, 1]: a row for each channel that the filter reads, a column for each frame; the last
    axis is the colour.

    Args:
        temporal: (N, M, 3, 1, 1).
    """
    return list(COLOURS((scaled(temporal[..., 0, 0]) + 1) / 2)[..., :3])


def mosaic(tiles: list[np.ndarray], in_a_row: int) -> np.ndarray:
    """One picture (H, W, 3) of all tiles (h, w, 3), in rows from left to right.

    Each weight is `ENLARGED` pixels wide and high. A tile has a black line of a pixel around it, since its own edge may
    be white, and a weight's width of white to the next one.
    """
    drawn = [np.pad(tile.repeat(ENLARGED, 0).repeat(ENLARGED, 1), ((1, 1), (1, 1), (0, 0))) for tile in tiles]
    height, width = (size + ENLARGED for size in drawn[0].shape[:2])
    columns, rows = min(in_a_row, len(tiles)), ceil(len(tiles) / in_a_row)
    whole = np.ones((rows * height, columns * width, 3))
    for i, tile in enumerate(drawn):
        top, left = (i // in_a_row) * height, (i % in_a_row) * width
        whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return whole


@drawn
def figure6(filters: Filters) -> Figure:
    """(a) the spatial and (b) the temporal filters of one network, with the scale of the weights."""
    pictures = _pictures(filters)
    heights = [WIDTH * _shape(picture) for picture in pictures]
    figure, (a, b) = plt.subplots(2, 1, figsize=(WIDTH, sum(heights) + 1.7), height_ratios=heights)
    for axes, picture, title in zip((a, b), pictures, _titles(filters), strict=True):
        _show(axes, picture, title)
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(-LARGEST_WEIGHT, LARGEST_WEIGHT), COLOURS)
    bar = figure.colorbar(scale, ax=b, orientation="horizontal", extend="both", aspect=40, shrink=0.7, pad=0.04)
    bar.set_label("weight of a temporal filter")
    return figure


@drawn
def others(filters: Mapping[str, Filters]) -> Figure:
    """The same of several trainings, smaller: a row each, spatial filters left and temporal ones right."""
    pictures = {training: _pictures(own) for training, own in filters.items()}
    heights = [max(WIDTH / 2 * _shape(picture) for picture in own) for own in pictures.values()]
    size = (WIDTH, sum(heights) + 0.5 * len(heights))
    figure, grid = plt.subplots(len(pictures), 2, figsize=size, height_ratios=heights, squeeze=False)
    for row, (training, own) in zip(grid, pictures.items(), strict=True):
        for axes, picture, kind in zip(row, own, ("spatial", "temporal"), strict=True):
            _show(axes, picture, f"{training}, {kind}")
    return figure


def _pictures(filters: Filters) -> list[np.ndarray]:
    spatial, temporal = filters
    return [
        mosaic(spatial_tiles(spatial), IN_A_ROW["spatial"]),
        mosaic(temporal_tiles(temporal), IN_A_ROW["temporal"]),
    ]


def _titles(filters: Filters) -> tuple[str, str]:
    spatial, temporal = filters
    channels = temporal.shape[1]
    return (
        f"(a) {len(spatial)} spatial filters of 7 x 7",
        f"(b) {len(temporal)} temporal filters, each {channels} channels (down) x 3 frames (across)",
    )


def _shape(picture: np.ndarray) -> float:
    return picture.shape[0] / picture.shape[1]


def _show(axes: Axes, picture: np.ndarray, title: str) -> None:
    # "none": an SVG then keeps the picture as it is, instead of scaling it to its own resolution
    axes.imshow(picture, interpolation="none")
    axes.set_title(title, loc="left")
    axes.axis("off")
