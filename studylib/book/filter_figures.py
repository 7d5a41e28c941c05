"""Figure 6: the filters of a factorised conv1 as pictures, laid out as in the paper's appendix."""

from collections.abc import Mapping
from math import ceil

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.book.figures import STYLE, WIDTH
from studylib.book.filter_facts import Filters
from studylib.claims.published import LARGEST_WEIGHT

IN_A_ROW = {"spatial": 15, "temporal": 32}  # filters
ENLARGED = 8  # pixels a weight, nearest neighbour, so that no viewer blurs them
# Dark blue, grey, light yellow: the sign is a colour on the screen and a lightness in grey print.
COLOURS = matplotlib.colormaps["cividis"]


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


def figure6(filters: Filters) -> Figure:
    """(a) the spatial and (b) the temporal filters of one network, with the scale of the weights."""
    with matplotlib.rc_context(STYLE):
        pictures = _pictures(filters)
        heights = [WIDTH * _shape(picture) for picture in pictures]
        figure, (a, b) = plt.subplots(2, 1, figsize=(WIDTH, sum(heights) + 1.7), height_ratios=heights)
        for axes, picture, title in zip((a, b), pictures, _titles(filters), strict=True):
            _show(axes, picture, title)
        scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(-LARGEST_WEIGHT, LARGEST_WEIGHT), COLOURS)
        bar = figure.colorbar(scale, ax=b, orientation="horizontal", extend="both", aspect=40, shrink=0.7, pad=0.04)
        bar.set_label("weight of a temporal filter")
        plt.close(figure)
        return figure


def other_seeds(filters: Mapping[int, Filters]) -> Figure:
    """The same of several networks, smaller: a row a seed, spatial filters left and temporal ones right."""
    with matplotlib.rc_context(STYLE):
        pictures = {seed: _pictures(own) for seed, own in filters.items()}
        heights = [max(WIDTH / 2 * _shape(picture) for picture in own) for own in pictures.values()]
        size = (WIDTH, sum(heights) + 0.5 * len(heights))
        figure, grid = plt.subplots(len(pictures), 2, figsize=size, height_ratios=heights, squeeze=False)
        for row, (seed, own) in zip(grid, pictures.items(), strict=True):
            for axes, picture, kind in zip(row, own, ("spatial", "temporal"), strict=True):
                _show(axes, picture, f"seed {seed}, {kind}")
        plt.close(figure)
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
