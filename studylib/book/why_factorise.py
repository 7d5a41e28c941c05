"""The chapter on why (2+1)D: R(2+1)D minus R3D in every setting, their errors, and R(2+1)D with one thing changed."""

from dataclasses import fields
from math import inf, isnan, nan

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, GREY, VERMILION, WIDTH, drawn, intervals
from studylib.book.tables import PLANS, difference, links, runs_of
from studylib.claims import published
from studylib.claims.parts import Part, over_seeds
from studylib.nets.table import PRINTED_NAMES
from studylib.stats import Estimate
from studylib.training.spec import RunSpec

FIRST, SECOND = "R(2+1)D", "R3D"
GROUPS = PLANS | {"calibration": "synthetic, trial runs"}
PUBLISHED = "Kinetics-400, published"
COLOURS = {GROUPS["lips"]: VERMILION, GROUPS["mini"]: BLUE, GROUPS["calibration"]: BLUE}  # others are grey
# In these, runs of one network in one setting differ, or they change no result.
FREE = ("experiment", "net", "seed", "split", "init_from", "new_head", "recompute")
SETTING = [field.name for field in fields(RunSpec) if field.name not in FREE]
# How pages name what a setting changes; any other change is named by its field.
CHANGES = {
    ("dataset", "miracl-phrases"): "phrases, not words",
    ("dataset", "miracl-words-close"): "closer view",
    ("dataset", "sports1m"): "Sports-1M",
    ("dataset", "pantomime-validation-d75"): "easier videos",
    ("dataset", "pantomime-validation-d50"): "easiest videos",
    ("standardise", "dataset"): "fixed mean",
    ("initialisation", "fan_in"): "weights by fan-in",
    ("amp", "fp32"): "float32",
}
UNNAMED = ("test_sampling", "test_clips", "batch_size")  # which go with a dataset
FIELDS = {
    "depth": "{} layers",
    "width": "width {}",
    "epochs": "{} epochs",
    "lr": "learning rate {}",
    "clip_length": "{} frames",
}
# Variant -> what is changed, in the order of the table; `nets.table.VARIANTS` has what they are.
VARIANTS = {
    "r3d": "3D convolutions, not factorised",
    "r2plus1d_no_inner_relu": "no ReLU between the spatial and the temporal convolution",
    "r2plus1d_no_inner_bn_relu": "neither BN nor ReLU there: a 3D convolution of limited rank",
    "r3d_added_relu": "R3D with as many ReLUs as R(2+1)D, each after a BN of its own",
    "r2plus1d_temporal_first": "temporal convolution first, then the spatial one",
    "r2plus1d_half_m": "half the middle channels M",
    "r2plus1d_double_m": "twice the middle channels M",
    "r2plus1d_m_is_n_out": "M is the number of output channels (P3D-A)",
    "r2plus1d_parallel": "both convolutions read the input and are summed; M as in P3D-A (P3D-B)",
    "r2plus1d_skip": "the spatial output is added to the temporal one; M as in P3D-A (P3D-C)",
}


def comparisons(runs: pd.DataFrame) -> pd.DataFrame:
    """R(2+1)D beside R3D in every setting in which both were trained on RGB from scratch, and as published.

    Columns: group (the data), setting (what it changes of its plan's first), clip and video (clip@1 and video@1,
    R(2+1)D minus R3D), train (training error, R3D minus R(2+1)D): estimates in points, without an interval where there
    is none; train is None for published networks; machine (CPU or GPU, of each network where they differ); and runs
    (links to them). `runs`: `results.table()`.
    """
    trained = runs[(runs["epochs"] > 0) & (runs["init_from"] == "") & (runs["modality"] == "rgb")]
    trained = trained[trained["net"].isin([FIRST, SECOND])]
    rows = []
    for plan, group in GROUPS.items():
        of_plan = trained[trained["plan"] == plan]
        for _, own in of_plan.groupby(["experiment", *SETTING], sort=False):
            first, second = (own[own["net"] == net] for net in (FIRST, SECOND))
            if (clip := difference(first, second)) is not None:
                gaps = difference(first, second, "video_top1"), training_gap(first, second)
                rows.append(
                    (group, _name(own.iloc[0], of_plan.iloc[0]), clip, *gaps, _machine(first, second), links(own))
                )
    return pd.DataFrame(rows + _published(), columns=["group", "setting", "clip", "video", "train", "machine", "runs"])


def _machine(first: pd.DataFrame, second: pd.DataFrame) -> str:
    kinds = [{"CPU" if run.provenance["device"] == "cpu" else "GPU" for run in runs_of(net)} for net in (first, second)]
    ours, theirs = (" and ".join(sorted(kind)) for kind in kinds)
    return ours if ours == theirs else f"{FIRST} {ours}, {SECOND} {theirs}"


def _name(changed: pd.Series, base: pd.Series) -> str:
    fields_changed = [name for name in SETTING if changed[name] != base[name] and name not in UNNAMED]
    fields_changed.sort(key="epochs".__eq__)
    known = {field: FIELDS.get(field, f"{field} {{}}").format(changed[field]) for field in fields_changed}
    told = [CHANGES.get((field, changed[field]), name) for field, name in known.items()]
    if not told and changed["split"] != base["split"]:
        told = ["published test speakers"]
    return ", ".join(told) or "the study's settings"


def _published() -> list[tuple]:
    """The paper's Table 2, and VMZ's trainings of the same networks: one of each, without an interval."""
    tables = {"the paper, 8 frames": published.table("table2_conv_types")}
    vmz = published.table("vmz_released_models")
    tables |= {f"the authors again, {frames} frames": vmz[vmz["clip_frames"] == frames] for frames in (8, 16)}
    rows = []
    for name, table in tables.items():
        pair = table.set_index("net").loc[[FIRST, SECOND], ["clip_top1", "video_top1"]]
        points = pair.loc[FIRST] - pair.loc[SECOND]
        gaps = [Estimate(float(gap), nan, nan, "videos", inf, ((0,), (0,)), 0) for gap in points]
        rows.append((PUBLISHED, name, *gaps, None, "", ""))
    return rows


def last_errors(rows: pd.DataFrame) -> list[float]:
    """Training error of the last epoch, percent, a number a run: a seed, on lips of a split."""
    return [float(run.history["train_error"].iloc[-1]) for run in runs_of(rows)]


def training_gap(first: pd.DataFrame, second: pd.DataFrame) -> Part | None:
    """Training error of the second minus that of the first, points, with Welch's interval over runs, as the rule on it
    has (nan where one has a single run); on lips, where both train on the same people, rather too wide."""
    errors = [last_errors(rows) for rows in (second, first)]
    return over_seeds("", errors[:1], errors[1:]) if all(errors) else None


@drawn
def forest(table: pd.DataFrame) -> Figure:
    """Each of the `comparisons` as a point with its interval, hollow where a network has one seed: clip@1 on the left,
    training error on the right, both with R(2+1)D ahead to the right of the line."""
    labels, places = [], []
    for group, own in table.groupby("group", sort=False):
        labels.append(group)
        places += [len(labels) + i for i in range(len(own))]
        labels += own["setting"].tolist()
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 0.28 * len(labels) + 1.2), sharey=True, width_ratios=(1.5, 1))
    for axes, column, title in zip(panels, ("clip", "train"), ("clip@1", "training error"), strict=True):
        axes.axvline(0, color="black", linewidth=1)
        for name, side in (("◂ R3D  ", "right"), ("  R(2+1)D ▸", "left")):
            axes.annotate(name, (0, 1.01), xycoords=("data", "axes fraction"), ha=side, fontsize=10.5)
        for place, group, found in zip(places, table["group"], table[column], strict=True):
            if found is not None:
                _gap(axes, found, place, COLOURS.get(group, GREY))
        axes.set(xlabel=title, ylim=(len(labels) - 0.4, -0.6))
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(labels)), labels)
    for place, label in enumerate(panels[0].get_yticklabels()):
        label.set_fontweight("normal" if place in places else "bold")
    return figure


def variants(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """Each variant of the factorisation minus R(2+1)D, those with runs in a plan; empty where only R3D has.

    Columns: network, what is changed, parameters (of R(2+1)D's), clip and video (estimates of the differences), train
    (training error, the variant's minus R(2+1)D's), runs.
    """
    own = runs[(runs["plan"] == plan) & runs["experiment"].isin(["conv_types", "mechanism"])]
    base, rows = own[own["net_key"] == "r2plus1d"], []
    for net, changed in VARIANTS.items():
        variant = own[own["net_key"] == net]
        if (clip := difference(variant, base)) is not None:
            size = variant["params"].max() / base["params"].max()
            gaps = difference(variant, base, "video_top1"), training_gap(base, variant)
            rows.append((PRINTED_NAMES[net], changed, size, clip, *gaps, links(variant)))
    columns = ["network", "what is changed", "parameters", "clip", "video", "train", "runs"]
    return pd.DataFrame(rows if len(rows) > 1 else [], columns=columns)


@drawn
def variants_figure(table: pd.DataFrame) -> Figure:
    """Clip@1 of each variant minus R(2+1)D's with its interval; grey where it has another size."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.36 * len(table) + 1.1))
    axes.axvline(0, color="black", linewidth=1)
    for place, (size, found) in enumerate(zip(table["parameters"], table["clip"], strict=True)):
        _gap(axes, found, place, BLUE if abs(size - 1) <= 0.05 else GREY)
    axes.set(xlabel="clip@1, variant minus R(2+1)D (points)", ylim=(len(table) - 0.5, -0.5))
    axes.set_yticks(range(len(table)), table["network"].str.removeprefix("R(2+1)D, "))
    axes.grid(axis="y", visible=False)
    return figure


def _gap(axes: Axes, found: Estimate | Part, place: float, colour: str) -> None:
    face = colour if found.covers_seeds and not isnan(found.low) else "white"
    intervals(axes, [found], [place], across=True, fmt="o", color=colour, markerfacecolor=face, capsize=2)
