"""The chapter on networks and their cost: counts, drawings and fields of view, all read off the networks as built."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle

from studylib.book.figures import GREY, KINDS, STYLE, WIDTH, drawn
from studylib.book.gallery import looping
from studylib.claims import published
from studylib.nets.build import build_net, middle_channels
from studylib.nets.complexity import built, count, count_by_name, count_relus, output_sizes
from studylib.nets.table import BLOCKS, NETS, PAPER_NAMES, PRINTED_NAMES, VARIANTS

GROUPS = {"stem": "conv1", "layer1": "conv2", "layer2": "conv3", "layer3": "conv4", "layer4": "conv5", "fc": "fc"}
KIND_WORDS = {"folded": "L×7×7", "2d": "2D", "3d": "3D", "2+1d": "(2+1)D"}
CLIP = (3, 8, 112, 112)
# One network of each kind of Figure 1.
KINDS_DRAWN = ("r2d", "f_r2d", "mc3", "rmc3", "r3d", "r2plus1d")
# Light tints, dark text on them: what a convolution covers.
SPATIAL, TEMPORAL, FULL, PLAIN = "#CFE8F7", "#FBE3B5", "#F3C9B0", "#EEEEEE"


def twelve() -> pd.DataFrame:
    """Which convolution each group of each network has, and the last output (time × height × width) of 8 frames."""
    rows = []
    for name, kinds in NETS.items():
        words = dict(zip(GROUPS.values(), (KIND_WORDS[kind] for kind in kinds), strict=False))
        size = output_sizes(built(name), CLIP)["layer4"]
        rows.append({"network": PAPER_NAMES[name], **words, "last output": _times(size[1:])})
    return pd.DataFrame(rows)


def table1() -> pd.DataFrame:
    """Table 1 from R3D as built, with 18 and 34 layers, a row a group."""
    nets = {depth: built("r3d", depth=depth) for depth in BLOCKS}
    sizes = {depth: output_sizes(net, CLIP) for depth, net in nets.items()}
    rows = []
    for group, printed in list(GROUPS.items())[:-1]:
        row = {"layer": printed, "output size": " / ".join({_times(sizes[depth][group][1:]) for depth in BLOCKS})}
        for depth, net in nets.items():
            layer = getattr(net, group)
            convs = [layer[0]] if group == "stem" else [layer[-1].conv1[0], layer[-1].conv2[0]]
            filters = "; ".join(f"{_times(conv.kernel_size)}, {conv.out_channels}" for conv in convs)
            stem = f"{filters}, stride {_times(layer[0].stride)}" if group == "stem" else ""
            row[f"R3D-{depth}"] = stem or f"[{filters}] × {len(layer)}"
        rows.append(row)
    pooled = {f"R3D-{depth}": "average pooling, 400 scores" for depth in BLOCKS}
    return pd.DataFrame([*rows, {"layer": "fc", "output size": "1 × 1 × 1", **pooled}])


def layers(name: str, depth: int = 18, clip_length: int = 8, resolution: int = 112) -> pd.DataFrame:
    """Each convolution and FC layer of a network in the order of computing: kernel, stride, channels, size of its
    output, weights, multiply-adds."""
    net = built(name, depth, clip_length=clip_length, resolution=resolution)
    clip = (3, clip_length, resolution, resolution)
    flops, modules, rows = count(net, clip).by_layer, dict(net.named_modules()), []
    for layer, size in output_sizes(net, clip).items():
        if layer in flops:  # not a group
            module = modules[layer]
            conv = isinstance(module, torch.nn.Conv3d)
            sizes = (module.kernel_size, module.stride, size[1:]) if conv else ((), (), ())
            kernel, stride, output = map(_times, sizes)
            channels = f"{module.weight.shape[1]} → {size[0]}"
            rows.append((layer, kernel, stride, channels, output, module.weight.numel(), flops[layer]))
    return pd.DataFrame(rows, columns=["layer", "kernel", "stride", "channels", "output", "weights", "flops"])


def variants() -> pd.DataFrame:
    """Each variant after the network that it changes, 18 layers, 8 x 112 x 112: columns name, net, base, weights,
    params, flops, relus, out (size of the last convolution's output)."""
    rows = []
    for base in dict.fromkeys(variant.base for variant in VARIANTS.values()):
        for name in (base, *(name for name, variant in VARIANTS.items() if variant.base == base)):
            net = built(name)
            counted, out = count_by_name(name), output_sizes(net, CLIP)["layer4"]
            numbers = counted.weights, counted.params, counted.flops, count_relus(net, CLIP)
            rows.append((name, PRINTED_NAMES[name], base, *numbers, out))
    return pd.DataFrame(rows, columns=["name", "net", "base", "weights", "params", "flops", "relus", "out"])


def printed_and_counted() -> pd.DataFrame:
    """The paper's and VMZ's printed counts beside ours, a row a row of VMZ's table (12 nets x 2 clip lengths, C3D).

    Columns: net, frames, paper_params, vmz_params, vmz_gflops (as printed; millions, and G), and counted: weights
    (without any bias), conv_fc_params (with biases), params (with BN as well), flops.
    """
    keys = {printed: name for name, printed in PRINTED_NAMES.items()}
    paper = published.table("table2_conv_types").set_index("net")["params_millions"]
    rows = []
    for row in published.table("vmz_released_models").itertuples():
        counted = count_by_name(keys[row.net], clip_length=row.clip_frames, resolution=row.crop)
        of_paper = paper.get(row.net) if row.clip_frames == 8 else None
        ours = counted.weights, counted.conv_fc_params, counted.params, counted.flops
        rows.append((row.net, row.clip_frames, of_paper, row.params_millions, row.gflops, *ours))
    printed = ["net", "frames", "paper_params", "vmz_params", "vmz_gflops"]
    return pd.DataFrame(rows, columns=[*printed, "weights", "conv_fc_params", "params", "flops"])


def by_group() -> pd.DataFrame:
    """GFLOPs of each group of each of the twelve networks; the index holds the paper's names."""
    layers = pd.DataFrame({PAPER_NAMES[name]: count_by_name(name).by_layer for name in NETS})
    return layers.groupby(lambda layer: layer.split(".")[0]).sum().T[list(GROUPS)].rename(columns=GROUPS) / 1e9


def frames_seen(name: str, clip_length: int = 32) -> dict[str, np.ndarray]:
    """Which frames of a clip each output frame of each group depends on: conv1 to conv5 -> (outputs, frames) of bool.
    With positive weights, what a single bright frame reaches is positive."""
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


def _times(numbers: tuple[int, ...]) -> str:
    return " × ".join(map(str, numbers))


@drawn
def kinds() -> Figure:
    """One network of each kind of Figure 1, input below, scores above; the frames that leave each group in its box."""
    figure, axes = plt.subplots(figsize=(WIDTH, 6.2))
    axes.set(xlim=(-0.62, len(KINDS_DRAWN) - 0.4), ylim=(-0.45, 7.3))
    axes.axis("off")
    for x, name in enumerate(KINDS_DRAWN):
        sizes = output_sizes(built(name), CLIP)
        _box(axes, x, 0.12, 0.4, "8 frames", "white")
        for row, (group, kind) in enumerate(zip(GROUPS, NETS[name], strict=False)):
            side, y, frames = 7 if row == 0 else 3, row + 1.0, sizes[group][1]
            _arrow(axes, x, y - 0.66 if row else 0.32, y - 0.38)
            if kind == "2+1d":
                _box(axes, x, y - 0.19, 0.36, f"1×{side}×{side}", SPATIAL)
                _box(axes, x, y + 0.19, 0.36, f"3×1×1 T={frames}", TEMPORAL)
            else:
                time = {"3d": 3, "folded": 8}.get(kind, 1)
                _box(axes, x, y, 0.74, f"{time}×{side}×{side}\nT={frames}", SPATIAL if kind == "2d" else FULL)
        _arrow(axes, x, 5.38, 5.66)
        _box(axes, x, 5.86, 0.4, "pool", PLAIN)
        _arrow(axes, x, 6.06, 6.34)
        _box(axes, x, 6.54, 0.4, "fc", PLAIN)
        axes.text(x, 7.05, PAPER_NAMES[name], ha="center", va="center", fontsize=12, fontweight="bold")
    for row in range(5):
        axes.text(-0.52, row + 1.0, f"conv{row + 1}", ha="center", va="center", fontsize=10, color=GREY, rotation=90)
    handles = [Rectangle((0, 0), 1, 1, facecolor=c, edgecolor=GREY) for c in (SPATIAL, TEMPORAL, FULL)]
    axes.legend(handles, ["over space", "over time", "over both"], ncols=3, loc="lower center",
                bbox_to_anchor=(0.5, -0.07), fontsize=11)  # fmt: skip
    return figure


def _box(axes: Axes, x: float, y: float, height: float, text: str, colour: str, width: float = 0.86) -> None:
    corner, style = (x - width / 2, y - height / 2), "round,pad=0,rounding_size=0.05"
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=colour, edgecolor=GREY))
    axes.text(x, y, text, ha="center", va="center", fontsize=10, linespacing=1.15)


def _arrow(axes: Axes, x: float, start: float, end: float) -> None:
    look = {"arrowstyle": "-|>", "mutation_scale": 9, "color": GREY, "linewidth": 0.9, "shrinkA": 1, "shrinkB": 1}
    axes.annotate("", (x, end), (x, start), arrowprops=look)


@drawn
def factorised_block() -> Figure:
    """Figure 2 with numbers: a 3 x 3 x 3 filter of 64 channels in and out, and the (2+1)D block of as many weights."""
    n, middle = 64, middle_channels(64, 64, 3, 3)
    spatial, temporal = 9 * n * middle, 3 * middle * n
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 5.2))
    ends = {0.2: f"{n} channels in", 10.4: f"{n} channels out"}
    sides = (
        (left, "3D convolution", {3.6: f"{n} filters 3×3×3"}, [(0.6, 3.1), (7.5, 10.0)]),
        (right, "(2+1)D convolution", {1.8: f"M = {middle} filters 1×3×3", 7.5: f"{n} filters 3×1×1"},
         [(0.6, 1.3), (5.0, 5.6), (6.4, 7.0), (9.5, 10.0)]),
    )  # fmt: skip
    for axes, title, labels, arrows in sides:
        axes.set(xlim=(0, 8), ylim=(0, 12.6), title=title)
        axes.set_aspect("equal")
        axes.axis("off")
        for y, label in (ends | labels).items():
            axes.text(4, y, label, ha="center", va="center", fontsize=11)
        for start, end in arrows:
            _arrow(axes, 4, start, end)
    _cuboid(left, 2.6, 4.4, 3, 3, FULL)
    _cuboid(right, 3.0, 2.6, 1, 3, SPATIAL)
    _box(right, 4, 6.0, 0.8, "BN, ReLU", PLAIN, width=3.0)
    _cuboid(right, 3.3, 8.1, 3, 1, TEMPORAL)
    both = f"{spatial:,} + {temporal:,}\n= {spatial + temporal:,} weights"
    for axes, weights in ((left, f"{27 * n * n:,} weights"), (right, both)):
        axes.text(4, 11.6, weights, ha="center", va="center", fontsize=11, fontweight="bold", linespacing=1.2)
    return figure


def _cuboid(axes: Axes, x: float, y: float, t: int, d: int, colour: str) -> None:
    """A filter of t x d x d cells in oblique view, time going to the upper right, its front's lower left at (x, y)."""
    cell, dx, dy = 0.62, 0.42, 0.26
    side, top, back = (0, cell), (cell, 0), (dx, dy)  # edges of a cell: upwards, to the right, in time
    faces = [((x + i * cell, y + j * cell), top, side) for i in range(d) for j in range(d)]
    for k in range(t):
        u, v = x + k * dx, y + k * dy
        for i in range(d):
            faces += [((u + i * cell, v + d * cell), top, back), ((u + d * cell, v + i * cell), back, side)]
    for (a, b), (right, up), (across, over) in faces:
        corners = [(a, b), (a + right, b + up), (a + right + across, b + up + over), (a + across, b + over)]
        axes.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor="black", linewidth=0.8))


@drawn
def cost_growth() -> Figure:
    """GFLOPs of three networks when one size grows and the others stay as in Table 2. R3D costs what R(2+1)D does."""
    sizes = {"clip_length": ("frames", (8, 16, 32, 48)), "resolution": ("side of the crop (pixels)", (56, 112, 224))}
    sizes["width"] = ("filters of conv1", (16, 32, 64, 128))
    figure, grid = plt.subplots(1, len(sizes), figsize=(WIDTH, 3.4), sharey=True)
    for axes, (size, (label, values)) in zip(grid, sizes.items(), strict=True):
        for net in ("r2d", "f_r2d", "r2plus1d"):
            colour, marker = KINDS[PAPER_NAMES[net]]
            gflops = [count_by_name(net, **{size: value}).flops / 1e9 for value in values]
            axes.plot(values, gflops, color=colour, marker=marker, markersize=5)
            if size == "width":
                axes.annotate(PAPER_NAMES[net], (values[-1], gflops[-1]), (7, 0), textcoords="offset points",
                              va="center", color=colour)  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel=label, xticks=values, xticklabels=values)
        axes.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
    grid[0].set_ylabel("GFLOPs of a clip")
    return figure


def frames_seen_video() -> HTML:
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
        for place in range(0, clip_length, 2):
            for axes, groups in zip(grid, seen.values(), strict=True):
                rows = np.array([outputs[place * len(outputs) // clip_length] for outputs in groups.values()])
                axes.images[0].set_data(0.2 + 1.1 * rows + 0.6 * (np.arange(clip_length) == place))
            canvas.draw()
            figure.set_layout_engine("none")  # it would be found again at each draw
            pictures.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    label = f"Frames of a clip of {clip_length} that conv1 to conv5 of {', '.join(seen)} see, at a moving place"
    return HTML(f'<div class="gallery motion flow">{looping(np.stack(pictures), label, fps=4)}</div>')
