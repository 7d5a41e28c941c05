"""The chapter on networks and their cost: counts, drawings and fields of view, all read off the networks as built."""

from functools import cache
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from studylib.book.figures import COLOURS, GREY, STYLE, WIDTH, drawn, looks
from studylib.book.gallery import looping
from studylib.claims import published
from studylib.nets.build import build_net, middle_channels
from studylib.nets.complexity import count, count_by_name, count_relus, output_sizes
from studylib.nets.table import BLOCKS, NETS, PAPER_NAMES, PRINTED_NAMES, VARIANTS

GROUPS = {"stem": "conv1", "layer1": "conv2", "layer2": "conv3", "layer3": "conv4", "layer4": "conv5", "fc": "fc"}
KIND_WORDS = {"folded": "L×7×7", "2d": "2D", "3d": "3D", "2+1d": "(2+1)D"}
CLIP = (3, 8, 112, 112)
# One network of each kind of Figure 1.
KINDS_DRAWN = ("r2d", "f_r2d", "mc3", "rmc3", "r3d", "r2plus1d")
# Light tints, dark text on them: what a convolution covers. In words as well, colour alone says nothing.
SPATIAL, TEMPORAL, FULL, PLAIN = "#CFE8F7", "#FBE3B5", "#F3C9B0", "#EEEEEE"


@cache
def built(name: str, clip_length: int = 8, **sizes: int) -> torch.nn.Module:
    """A network of `build_net` without memory, to count and to look at."""
    with torch.device("meta"):
        return build_net(name, clip_length=clip_length, **sizes)


def twelve() -> pd.DataFrame:
    """Which convolution each group of each network has, and the last output (time × height × width) of 8 frames."""
    rows = []
    for name, kinds in NETS.items():
        words = dict(zip(GROUPS.values(), (KIND_WORDS[kind] for kind in kinds), strict=False))
        rows.append({"network": PAPER_NAMES[name], **words, "last output": _times(_sizes(name)["layer4"][1:])})
    return pd.DataFrame(rows)


def table1() -> pd.DataFrame:
    """Table 1 from R3D as built, with 18 and 34 layers, a row a group."""
    rows = []
    for group, printed in list(GROUPS.items())[:-1]:
        sizes = {_times(_sizes("r3d", depth=depth)[group][1:]) for depth in BLOCKS}
        row = {"layer": printed, "output size": " / ".join(sizes)}
        for depth in BLOCKS:
            layer = getattr(built("r3d", depth=depth), group)
            if group == "stem":
                row[f"R3D-{depth}"] = f"{_filters(layer[0])}, stride {_times(layer[0].stride)}"
            else:
                row[f"R3D-{depth}"] = f"[{_filters(layer[-1].conv1[0])}; {_filters(layer[-1].conv2[0])}] × {len(layer)}"
        rows.append(row)
    pooled = {f"R3D-{depth}": "average pooling, 400 scores" for depth in BLOCKS}
    return pd.DataFrame([*rows, {"layer": "fc", "output size": "1 × 1 × 1", **pooled}])


def layers(name: str, depth: int = 18, clip_length: int = 8, resolution: int = 112) -> pd.DataFrame:
    """Each convolution and FC layer of a network in the order of computing: kernel, stride, channels, size of its
    output, weights, multiply-adds."""
    net, clip = built(name, clip_length, depth=depth, resolution=resolution), (3, clip_length, resolution, resolution)
    flops, sizes, modules, rows = count(net, clip).by_layer, output_sizes(net, clip), dict(net.named_modules()), []
    for layer in [layer for layer in sizes if layer in flops]:  # not the groups
        module, size = modules[layer], sizes[layer]
        row: dict[str, Any] = {
            "layer": layer,
            "kernel": "",
            "stride": "",
            "channels": f"{module.weight.shape[1]} → {size[0]}",
        }
        if isinstance(module, torch.nn.Conv3d):
            row |= {"kernel": _times(module.kernel_size), "stride": _times(module.stride), "output": _times(size[1:])}
        rows.append(row | {"weights": module.weight.numel(), "flops": flops[layer]})
    return pd.DataFrame(rows).fillna("")


def variants() -> pd.DataFrame:
    """Each variant after the network that it changes (18 layers, 400 classes, 8 x 112 x 112).

    Columns: name, net, base, weights, params, flops, relus, out (size of the last convolution's output).
    """
    rows = []
    for base in dict.fromkeys(variant.base for variant in VARIANTS.values()):
        for name in (base, *(name for name, variant in VARIANTS.items() if variant.base == base)):
            counted = count(built(name), CLIP)
            row = {"name": name, "net": PRINTED_NAMES[name], "base": base, "weights": counted.weights}
            row |= {"params": counted.params, "flops": counted.flops, "relus": count_relus(built(name), CLIP)}
            rows.append(row | {"out": _sizes(name)["layer4"]})
    return pd.DataFrame(rows)


def printed_and_counted() -> pd.DataFrame:
    """The paper's and VMZ's printed counts beside ours, a row a row of VMZ's table (12 nets x 2 clip lengths, C3D).

    Columns: net, frames, paper_params, vmz_params, vmz_gflops (as printed; millions, and G), and counted: weights
    (without any bias), conv_fc_params (with biases), params (with BN as well), flops.
    """
    keys = {printed: name for name, printed in PRINTED_NAMES.items()}
    paper = published.table("table2_conv_types").set_index("net")["params_millions"]
    rows = []
    for row in published.table("vmz_released_models").itertuples():
        counted = count(built(keys[row.net], row.clip_frames), (3, row.clip_frames, row.crop, row.crop))
        rows.append(
            {
                "net": row.net,
                "frames": row.clip_frames,
                "paper_params": paper.get(row.net) if row.clip_frames == 8 else None,
                "vmz_params": row.params_millions,
                "vmz_gflops": row.gflops,
                "weights": counted.weights,
                "conv_fc_params": counted.conv_fc_params,
                "params": counted.params,
                "flops": counted.flops,
            }
        )
    return pd.DataFrame(rows)


def by_group() -> pd.DataFrame:
    """GFLOPs of each group of each of the twelve networks; the index holds the paper's names."""
    rows = {}
    for name in NETS:
        groups = count(built(name), CLIP).by_group()
        rows[PAPER_NAMES[name]] = {printed: groups[group] / 1e9 for group, printed in GROUPS.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def growth() -> pd.DataFrame:
    """GFLOPs of three networks when one size grows and the others stay as in Table 2: columns net, size, value, gflops.

    R3D, which costs what R(2+1)D costs within 3%, is left out.
    """
    sizes = {"clip_length": (8, 16, 32, 48), "resolution": (56, 112, 224), "width": (16, 32, 64, 128)}
    rows = []
    for size, value in [(size, value) for size, values in sizes.items() for value in values]:
        for net in ("r2d", "f_r2d", "r2plus1d"):
            gflops = count_by_name(net, **{size: value}).flops / 1e9
            rows.append({"net": PAPER_NAMES[net], "size": size, "value": value, "gflops": gflops})
    return pd.DataFrame(rows)  # fmt: skip


def frames_seen(name: str, clip_length: int = 32) -> dict[str, np.ndarray]:
    """Which frames of a clip each output frame of each group depends on: conv1 to conv5 -> (outputs, frames) of bool.

    Found by impulses: with positive weights, what a single bright frame reaches is positive.
    """
    net = build_net(name, clip_length=clip_length, width=4, resolution=16).double().eval()
    clips = torch.eye(clip_length, dtype=torch.float64)[:, None, :, None, None].expand(-1, 3, -1, 16, 16)
    seen = {}
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.Conv3d):
                module.weight.fill_(0.01)
        for group, printed in list(GROUPS.items())[:-1]:
            clips = getattr(net, group)(clips)
            seen[printed] = (clips.amax((1, 3, 4)) > 0).T.numpy()
    return seen


def _sizes(name: str, **sizes: int) -> dict[str, tuple[int, ...]]:
    return output_sizes(built(name, **sizes), CLIP)


def _times(numbers: tuple[int, ...]) -> str:
    return " × ".join(map(str, numbers))


def _filters(conv: torch.nn.Conv3d) -> str:
    return f"{_times(conv.kernel_size)}, {conv.out_channels}"


@drawn
def kinds() -> Figure:
    """One network of each kind of Figure 1, input below, scores above; the frames that leave each group in its box.

    Residual connections are left out, as in the paper's figure.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 6.2))
    axes.set(xlim=(-0.62, len(KINDS_DRAWN) - 0.4), ylim=(-0.45, 7.3))
    axes.axis("off")
    for column, name in enumerate(KINDS_DRAWN):
        _network(axes, column, name)
    for row in range(5):
        axes.text(-0.52, row + 1.0, f"conv{row + 1}", ha="center", va="center", fontsize=10, color=GREY, rotation=90)
    handles = [Rectangle((0, 0), 1, 1, facecolor=c, edgecolor=GREY) for c in (SPATIAL, TEMPORAL, FULL)]
    axes.legend(handles, ["over space", "over time", "over both"], ncols=3, loc="lower center",
                bbox_to_anchor=(0.5, -0.07), fontsize=11)  # fmt: skip
    return figure


def _network(axes: Axes, x: int, name: str) -> None:
    sizes = _sizes(name)
    _box(axes, x, 0.12, 0.4, "8 frames", "white")
    for row, (group, kind) in enumerate(zip(GROUPS, NETS[name], strict=False)):
        side, y = 7 if row == 0 else 3, row + 1.0
        frames = sizes[group][1]
        _arrow(axes, (x, y - 0.66 if row else 0.32), (x, y - 0.38))
        if kind == "2+1d":
            _box(axes, x, y - 0.19, 0.36, f"1×{side}×{side}", SPATIAL)
            _box(axes, x, y + 0.19, 0.36, f"3×1×1 T={frames}", TEMPORAL)
            continue
        time = {"3d": 3, "folded": 8}.get(kind, 1)
        _box(axes, x, y, 0.74, f"{time}×{side}×{side}\nT={frames}", SPATIAL if kind == "2d" else FULL)
    _arrow(axes, (x, 5.38), (x, 5.66))
    _box(axes, x, 5.86, 0.4, "pool", PLAIN)
    _arrow(axes, (x, 6.06), (x, 6.34))
    _box(axes, x, 6.54, 0.4, "fc", PLAIN)
    axes.text(x, 7.05, PAPER_NAMES[name], ha="center", va="center", fontsize=12, fontweight="bold")


def _box(axes: Axes, x: float, y: float, height: float, text: str, colour: str, width: float = 0.86) -> None:
    style = "round,pad=0,rounding_size=0.05"
    axes.add_patch(
        FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle=style, facecolor=colour, edgecolor=GREY)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=10, linespacing=1.15)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=GREY, linewidth=0.9, shrinkA=1, shrinkB=1)
    )


@drawn
def factorised_block(n_in: int = 64, n_out: int = 64, t: int = 3, d: int = 3) -> Figure:
    """Figure 2 with numbers: a t x d x d filter, and the (2+1)D block of as many weights that takes its place."""
    middle = middle_channels(n_in, n_out, t, d)
    full, spatial, temporal = t * d * d * n_in * n_out, d * d * n_in * middle, t * middle * n_out
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 5.2))
    for axes, title in ((left, "3D convolution"), (right, "(2+1)D convolution")):
        axes.set(xlim=(0, 8), ylim=(0, 12.6), title=title)
        axes.set_aspect("equal")
        axes.axis("off")
    _label(left, 0.2, f"{n_in} channels in")
    _arrow(left, (4, 0.6), (4, 3.1))
    _label(left, 3.6, f"{n_out} filters {t}×{d}×{d}")
    _cuboid(left, 2.6, 4.4, t, d, FULL)
    _arrow(left, (4, 7.5), (4, 10.0))
    _label(left, 10.4, f"{n_out} channels out")
    _label(left, 11.6, f"{full:,} weights", bold=True)
    _label(right, 0.2, f"{n_in} channels in")
    _arrow(right, (4, 0.6), (4, 1.3))
    _label(right, 1.8, f"M = {middle} filters 1×{d}×{d}")
    _cuboid(right, 3.0, 2.6, 1, d, SPATIAL)
    _arrow(right, (4, 5.0), (4, 5.6))
    _box(right, 4, 6.0, 0.8, "BN, ReLU", PLAIN, width=3.0)
    _arrow(right, (4, 6.4), (4, 7.0))
    _label(right, 7.5, f"{n_out} filters {t}×1×1")
    _cuboid(right, 3.3, 8.1, t, 1, TEMPORAL)
    _arrow(right, (4, 9.5), (4, 10.0))
    _label(right, 10.4, f"{n_out} channels out")
    _label(right, 11.6, f"{spatial:,} + {temporal:,}\n= {spatial + temporal:,} weights", bold=True)
    left.set_ylim(right.get_ylim())
    return figure


def _label(axes: Axes, y: float, text: str, bold: bool = False) -> None:
    weight = "bold" if bold else "normal"
    axes.text(4, y, text, ha="center", va="center", fontsize=11, fontweight=weight, linespacing=1.2)


def _cuboid(axes: Axes, x: float, y: float, t: int, d: int, colour: str) -> None:
    """A filter of t x d x d cells in oblique view, time going to the upper right, its front's lower left at (x, y)."""
    cell, dx, dy = 0.62, 0.42, 0.26

    def face(corners: list[tuple[float, float]]) -> None:
        axes.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor="black", linewidth=0.8))

    for i in range(d):
        for j in range(d):  # front
            a, b = x + i * cell, y + j * cell
            face([(a, b), (a + cell, b), (a + cell, b + cell), (a, b + cell)])
        for k in range(t):
            u, v = k * dx, k * dy
            a, b = x + i * cell + u, y + d * cell + v  # top
            face([(a, b), (a + cell, b), (a + cell + dx, b + dy), (a + dx, b + dy)])
            a, b = x + d * cell + u, y + i * cell + v  # right
            face([(a, b), (a + dx, b + dy), (a + dx, b + cell + dy), (a, b + cell)])


@drawn
def flops_by_group(table: pd.DataFrame) -> Figure:
    """Where each net spends its multiply-adds: a bar a net, a segment a group.

    Args:
        table: index the nets' names, a column a group, GFLOPs.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.34 * len(table) + 1.4))
    left = np.zeros(len(table))
    for colour, group in zip(COLOURS, table.columns, strict=False):
        axes.barh(table.index, table[group], left=left, color=colour, edgecolor="white", linewidth=0.8, label=group)
        left += table[group].to_numpy()
    for y, total in enumerate(left):
        axes.text(total + 0.01 * left.max(), y, f"{total:.1f}", va="center", fontsize=11)
    axes.invert_yaxis()
    axes.set(xlabel="GFLOPs of a clip (multiply-adds of convolutions and FC)", xlim=(0, 1.1 * left.max()))
    axes.grid(axis="y", visible=False)
    axes.legend(ncols=table.shape[1], loc="lower center", bbox_to_anchor=(0.45, 1.0), columnspacing=1.2)
    return figure


@drawn
def cost_growth(table: pd.DataFrame) -> Figure:
    """GFLOPs against one size at a time, a panel a size, a line a network, both axes logarithmic.

    Args:
        table: of `growth`.
    """
    labels = {"clip_length": "frames", "resolution": "pixels", "width": "filters of conv1"}
    look = looks(list(table["net"].unique()))
    figure, grid = plt.subplots(1, len(labels), figsize=(WIDTH, 3.4), sharey=True)
    for axes, (size, label) in zip(grid, labels.items(), strict=True):
        rows = table[table["size"] == size]
        for net, line in rows.groupby("net", sort=False):
            axes.plot(line["value"], line["gflops"], markersize=5, **look[net])
        ticks = rows["value"].unique()
        axes.set(xscale="log", yscale="log", xlabel=label, xticks=ticks, xticklabels=ticks)
        axes.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
    ends = table[table["size"] == size].groupby("net").last()
    for net, value, gflops in ends[["value", "gflops"]].itertuples():
        axes.annotate(net, (value, gflops), (7, 0), textcoords="offset points", va="center", color=look[net]["color"])
    grid[0].set_ylabel("GFLOPs of a clip")
    return figure


def frames_seen_video(step: int = 2) -> HTML:
    """A looping video of `frames_seen`: what conv1 to conv5 of five networks see at a place that moves along a clip."""
    seen = {PAPER_NAMES[name]: frames_seen(name) for name in KINDS_DRAWN[1:]}
    clip_length = seen["R3D"]["conv1"].shape[1]
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(WIDTH, 7.6), dpi=130)
        canvas, grid = FigureCanvasAgg(figure), figure.subplots(len(seen), 1, sharex=True)
        for axes, name in zip(grid, seen, strict=True):
            axes.imshow(np.zeros((5, clip_length)), vmin=0, vmax=2, cmap="Blues", aspect="auto", origin="lower")
            axes.set_title(name, loc="left")
            axes.set(yticks=range(5), yticklabels=list(GROUPS.values())[:5], xticks=range(0, clip_length, 4))
            axes.tick_params(length=0, labelsize=9)
            axes.hlines(np.arange(4) + 0.5, -0.5, clip_length - 0.5, color="white")
            axes.vlines(np.arange(clip_length) - 0.5, -0.5, 4.5, color="white")
        grid[-1].set_xlabel("frame of the clip")
        pictures = []
        for place in range(0, clip_length, step):
            for axes, groups in zip(grid, seen.values(), strict=True):
                rows = np.array([outputs[place * len(outputs) // clip_length] for outputs in groups.values()])
                axes.images[0].set_data(0.2 + 1.1 * rows + 0.6 * (np.arange(clip_length) == place))
            canvas.draw()
            figure.set_layout_engine("none")  # it would be found again at each draw
            pictures.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    label = f"Frames of a clip of {clip_length} that conv1 to conv5 of {', '.join(seen)} see, at a moving place"
    return HTML(f'<div class="gallery motion flow">{looping(np.stack(pictures), label, fps=4)}</div>')
