"""The tables of the chapters "Twelve networks" and "What they cost": everything counted when it is asked for."""

from functools import cache

import pandas as pd
import torch

from studylib.book.tables import Table
from studylib.claims import published
from studylib.nets.build import build_net
from studylib.nets.complexity import count, count_by_name, count_relus, output_sizes
from studylib.nets.table import BLOCKS, NETS, PAPER_NAMES, PRINTED_NAMES, VARIANTS
from studylib.runs.magnitudes import signed

GROUPS = {"stem": "conv1", "layer1": "conv2", "layer2": "conv3", "layer3": "conv4", "layer4": "conv5", "fc": "fc"}
KIND_WORDS = {"folded": "L×7×7", "2d": "2D", "3d": "3D", "2+1d": "(2+1)D"}
GROWTH_NETS = ("r2d", "f_r2d", "r3d", "r2plus1d")
CONVENTION = "One multiply-add counts 1; convolutions and FC layers only."


def meta_net(name: str, clip_length: int = 8, **sizes: int) -> torch.nn.Module:
    """A net of `build_net` without memory, to count and to look at."""
    with torch.device("meta"):
        return build_net(name, clip_length=clip_length, **sizes)


def twelve_table() -> Table:
    """Which convolution each group of each net has, and what leaves the last one for a clip of 8 x 112 x 112."""
    rows = []
    for name, kinds in NETS.items():
        t, h, w = output_sizes(meta_net(name), (3, 8, 112, 112))["layer4"][1:]
        words = dict(zip(list(GROUPS.values())[:5], (KIND_WORDS[kind] for kind in kinds), strict=True))
        rows.append({"net": PAPER_NAMES[name], **words, "last output": f"{t} × {h} × {w}"})
    return Table(pd.DataFrame(rows), "The convolutions of each group, and the last output (time × height × width).")


def table1() -> Table:
    """Table 1 from the nets as built: R3D with 18 and 34 layers, output sizes for clips of 8 x 112 x 112."""
    nets = {depth: meta_net("r3d", depth=depth) for depth in BLOCKS}
    sizes = {depth: output_sizes(net, (3, 8, 112, 112)) for depth, net in nets.items()}
    rows = []
    for group, printed in GROUPS.items():
        if group == "fc":
            rows.append(
                {"layer": "fc", "output size": "1 × 1 × 1", **{f"R3D-{d}": "pooling, 400 scores" for d in BLOCKS}}
            )
            continue
        outputs = {" × ".join(map(str, sizes[depth][group][1:])) for depth in BLOCKS}
        row = {"layer": printed if group == "stem" else f"{printed}_x", "output size": " / ".join(sorted(outputs))}
        for depth, net in nets.items():
            if group == "stem":
                row[f"R3D-{depth}"] = f"{_filters(net.stem[0])}, stride {_times(net.stem[0].stride)}"
            else:
                blocks = getattr(net, group)
                last = blocks[-1]
                row[f"R3D-{depth}"] = f"[{_filters(last.conv1[0])}; {_filters(last.conv2[0])}] × {len(blocks)}"
        rows.append(row)
    return Table(
        pd.DataFrame(rows), "Table 1: R3D as built here, and the sizes (time × height × width) that leave a group."
    )


def _times(numbers: tuple[int, ...]) -> str:
    return " × ".join(map(str, numbers))


def _filters(conv: torch.nn.Conv3d) -> str:
    return f"{_times(conv.kernel_size)}, {conv.out_channels}"


def layers_table(name: str, depth: int = 18, clip_length: int = 8, resolution: int = 112) -> Table:
    """Every convolution and FC layer of a net in the order of computing, with its output, weights and multiply-adds."""
    net, clip_shape = (
        meta_net(name, clip_length, depth=depth, resolution=resolution),
        (3, clip_length, *2 * [resolution]),
    )
    flops, modules = count(net, clip_shape).by_layer, dict(net.named_modules())
    rows = []
    for layer, size in output_sizes(net, clip_shape).items():
        if layer not in flops:  # a group, listed by its layers
            continue
        module = modules[layer]
        convolves = isinstance(module, torch.nn.Conv3d)
        rows.append(
            {
                "layer": f"<code>{layer}</code>",
                "kernel": _times(module.kernel_size) if convolves else "",
                "stride": _times(module.stride) if convolves else "",
                "channels": f"{module.in_channels} → {module.out_channels}" if convolves else f"→ {size[0]}",
                "output": _times(size[1:]),
                "weights": f"{module.weight.numel():,}",
                "GFLOPs": f"{flops[layer] / 1e9:.3f}",
            }
        )
    clip = f"{clip_length} × {resolution} × {resolution}"
    return Table(pd.DataFrame(rows), f"{PRINTED_NAMES[name]}-{depth}, one clip of {clip}. {CONVENTION}")


def variants() -> pd.DataFrame:
    """Each variant after the network it changes (18 layers, 400 classes, 8 x 112 x 112).

    Columns: name, net, base, weights, params, flops, relus, out (size of the last convolution's output).
    """
    rows = []
    for base in dict.fromkeys(variant.base for variant in VARIANTS.values()):
        for name in (base, *(name for name, variant in VARIANTS.items() if variant.base == base)):
            net, clip_shape = meta_net(name), (3, 8, 112, 112)
            counted = count(net, clip_shape)
            rows.append(
                {
                    "name": name,
                    "net": PRINTED_NAMES[name],
                    "base": base,
                    "weights": counted.weights,
                    "params": counted.params,
                    "flops": counted.flops,
                    "relus": count_relus(net, clip_shape),
                    "out": output_sizes(net, clip_shape)["layer4"],
                }
            )
    return pd.DataFrame(rows)


def variants_table() -> Table:
    """`variants` in millions and GFLOPs, with the difference from the network that is changed."""
    table = variants()
    base = table.set_index("name").loc[table["base"]]
    frame = pd.DataFrame(
        {
            "net": table["net"],
            "name": table["name"].map("<code>{}</code>".format),
            "weights (M)": (table["weights"] / 1e6).map("{:.3f}".format),
            "all parameters (M)": (table["params"] / 1e6).map("{:.3f}".format),
            "against the original": _change(table["params"].to_numpy() / base["params"].to_numpy()),
            "GFLOPs": (table["flops"] / 1e9).map("{:.3f}".format),
            "against the original ": _change(table["flops"].to_numpy() / base["flops"].to_numpy()),
            "ReLUs": table["relus"].astype(str),
        }
    )
    return Table(
        frame, f"18 layers, 400 classes, a clip of 8 × 112 × 112. Weights: without BN and biases. {CONVENTION}"
    )


def _change(ratios: pd.Series) -> list[str]:
    return ["equal" if ratio == 1 else f"{signed(100 * (ratio - 1), 2)}%" for ratio in ratios]


def against_vmz() -> pd.DataFrame:
    """The paper's and VMZ's printed counts beside ours, a row a row of VMZ's table (12 nets x 2 clip lengths, C3D).

    Columns: net, frames, paper_params, vmz_params, vmz_gflops (as printed; millions, and G), and counted: weights
    (without any bias), conv_fc_params (with biases), params (with BN as well), flops.
    """
    keys = {printed: name for name, printed in PRINTED_NAMES.items()}
    paper = published.table("table2_conv_types").set_index("net")["params_millions"]
    rows = []
    for row in published.table("vmz_released_models").itertuples():
        net = meta_net(keys[row.net], row.clip_frames)
        counted = count(net, (3, row.clip_frames, row.crop, row.crop))
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


def against_vmz_table() -> Table:
    """`against_vmz` as a table; a printed number that no rounding of its count gives is set in bold."""
    table = against_vmz()
    paper = [
        "" if pd.isna(p) else f"{p:.1f}" if f"{p:.1f}" == f"{w / 1e6:.1f}" else f"<strong>{p:.1f}</strong>"
        for p, w in zip(table["paper_params"], table["weights"], strict=True)
    ]
    columns = {
        ("", "net"): table["net"],
        ("", "frames"): table["frames"].astype(str),
        ("parameters (M)", "paper"): paper,
        ("parameters (M)", "VMZ"): table["vmz_params"].map("{:.1f}".format),
        ("parameters (M)", "weights"): (table["weights"] / 1e6).map("{:.3f}".format),
        ("parameters (M)", "with biases and BN"): (table["params"] / 1e6).map("{:.3f}".format),
        ("GFLOPs", "VMZ"): table["vmz_gflops"].map("{:.1f}".format),
        ("GFLOPs", "counted"): (table["flops"] / 1e9).map("{:.3f}".format),
    }
    caption = f"400 classes, crops of 112 × 112. Paper: {published.PAPER}, Table 2. VMZ: {published.VMZ}."
    return Table(pd.DataFrame(columns), f"{caption} Bold: not the rounded count of weights.")


def by_group(depth: int = 18, clip_length: int = 8) -> pd.DataFrame:
    """GFLOPs of each group of each of the twelve nets; the index holds the paper's names."""
    rows = {}
    for name in NETS:
        groups = count(meta_net(name, clip_length, depth=depth), (3, clip_length, 112, 112)).by_group()
        rows[PAPER_NAMES[name]] = {printed: groups[group] / 1e9 for group, printed in GROUPS.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


SIZES: dict[str, tuple[int, ...]] = {
    "clip_length": (8, 16, 32, 48), "resolution": (56, 112, 224), "depth": (18, 34), "width": (16, 32, 64, 128),
}  # fmt: skip
SIZE_LABELS = {"clip_length": "frames", "resolution": "pixels", "depth": "layers", "width": "filters of conv1"}


@cache  # the four panels share a point
def _flops(name: str, clip_length: int = 8, resolution: int = 112, depth: int = 18, width: int = 64) -> int:
    return count_by_name(name, depth, clip_length=clip_length, width=width, resolution=resolution).flops


def growth() -> dict[str, pd.DataFrame]:
    """GFLOPs of four nets when one size grows and the others stay at 8 frames, 112 pixels, 18 layers and 64 filters."""
    panels = {}
    for size, values in SIZES.items():
        rows = []
        for name in GROWTH_NETS:
            for value in values:
                rows.append({"net": PAPER_NAMES[name], "size": value, "gflops": _flops(name, **{size: value}) / 1e9})
        panels[SIZE_LABELS[size]] = pd.DataFrame(rows)
    return panels


def growth_table(panels: dict[str, pd.DataFrame]) -> Table:
    """`growth` in numbers, a row a net."""
    nets = next(iter(panels.values()))["net"].unique()
    columns: dict[tuple[str, str], list[str]] = {("", "net"): list(nets)}
    for label, table in panels.items():
        for value, own in table.groupby("size"):
            columns[label, str(value)] = [f"{g:.1f}" for g in own.set_index("net").loc[nets, "gflops"]]
    caption = "GFLOPs of a clip when one size changes; the others are 8 frames, 112 pixels, 18 layers, 64 filters."
    return Table(pd.DataFrame(columns), f"{caption} {CONVENTION}")
