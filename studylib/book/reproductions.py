"""Other people's numbers for the paper's networks beside the paper's: tables, rank agreement, and what moves them."""

from html import escape

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from studylib.book.figures import GREY, KINDS, STYLE, WIDTH, kind_of
from studylib.book.tables import Table
from studylib.claims import published
from studylib.runs.magnitudes import signed, with_interval
from studylib.stats.intervals import rank_agreement

MEASURES = {"clip_top1": "clip@1", "video_top1": "video@1"}
# How the numbers of Table 2 and of VMZ's table were made.
PAPER_PROTOCOL = "8 x 112 x 112; centre crops of 10 random clips a video, scores averaged (section 4.1)"
VMZ_PROTOCOL = (
    "8 or 16 x 112 x 112; centre crops of 10 evenly spaced clips a video, scores averaged (the same page, and "
    "c2/tutorials/test.md, Small Models)"
)


def beside_vmz() -> pd.DataFrame:
    """Table 2 and VMZ's re-trainings, a row a net in the paper's order.

    Columns: net, then clip_top1 and video_top1 (percent) with the suffixes _paper, _vmz8 and _vmz16.
    """
    columns = ["net", *MEASURES]
    rows = published.table("table2_conv_types")[columns]
    vmz = published.table("vmz_released_models").query("depth == 18")
    merged = rows.rename(columns={m: f"{m}_paper" for m in MEASURES})
    for frames in (8, 16):
        own = vmz[vmz["clip_frames"] == frames][columns].rename(columns={m: f"{m}_vmz{frames}" for m in MEASURES})
        merged = merged.merge(own, on="net", validate="one_to_one")
    return merged


def beside_vmz_table() -> Table:
    """`beside_vmz` with the protocols in its caption."""
    rows = beside_vmz()
    groups = {"paper": "paper, 8 frames", "vmz8": "VMZ, 8 frames", "vmz16": "VMZ, 16 frames"}
    columns = {("", "net"): rows["net"]}
    for suffix, group in groups.items():
        for measure, name in MEASURES.items():
            columns[(group, name)] = rows[f"{measure}_{suffix}"].map("{:.1f}".format)
    caption = (
        f"Kinetics-400 validation, 18 layers, percent. Paper: {published.PAPER}, Table 2; {PAPER_PROTOCOL}. "
        f"VMZ: {published.VMZ}; {VMZ_PROTOCOL}."
    )
    return Table(pd.DataFrame(columns), caption)


def agreements() -> pd.DataFrame:
    """Kendall's tau over the twelve nets: columns pair, measure, tau, low, high (95%, resampled nets)."""
    rows = beside_vmz()
    pairs = {
        "paper and VMZ, both 8 frames": ("paper", "vmz8"),
        "paper (8 frames) and VMZ (16 frames)": ("paper", "vmz16"),
        "VMZ, 8 and 16 frames": ("vmz8", "vmz16"),
    }
    found = []
    for pair, (a, b) in pairs.items():
        for measure, name in MEASURES.items():
            agreement = rank_agreement(rows[f"{measure}_{a}"], rows[f"{measure}_{b}"])
            found.append(
                {"pair": pair, "measure": name, "tau": agreement.tau, "low": agreement.low, "high": agreement.high}
            )
    return pd.DataFrame(found)


def agreements_table() -> Table:
    """`agreements`, a row a pair."""
    rows = []
    for pair, own in agreements().groupby("pair", sort=False):
        cells = {
            r["measure"]: f'{r["tau"]:.2f} <span class="interval">({r["low"]:.2f}–{r["high"]:.2f})</span>'
            for _, r in own.iterrows()
        }
        rows.append({"rankings compared": pair} | cells)
    return Table(pd.DataFrame(rows), "Kendall's tau-b over the twelve nets, with 95% percentile intervals.")


def protocols_table() -> Table:
    """Every other published number of a network of the paper or a relative, none without its protocol."""
    rows = published.table("other_reproductions")

    def shown(value: object, form: str = "{}") -> str:
        return "not stated" if pd.isna(value) else escape(form.format(value))

    return Table(
        pd.DataFrame(
            {
                "net": [escape(net) for net in rows["net"]],
                "by": [escape(source.split(":")[0]) for source in rows["source"]],
                "frames": rows["clip_frames"],
                "sampling": [shown(v) for v in rows["frame_sampling"]],
                "crop": [shown(v) for v in rows["crop"]],
                "evaluation": [shown(v) for v in rows["evaluation"]],
                "clip@1": [shown(v, "{:.1f}") for v in rows["clip_top1"]],
                "video@1": [shown(v, "{:.1f}") for v in rows["video_top1"]],
                "video@5": [shown(v, "{:.1f}") for v in rows["video_top5"]],
                "source": [f'<span class="prose">{escape(s.split(": ", 1)[1])}</span>' for s in rows["source"]],
            }
        ),
        "Kinetics-400 validation, percent. Numbers may be compared only where every other column is the same.",
    )


def changes() -> pd.DataFrame:
    """What one change of recipe moves: columns change, compared, measure, points (mean), low, high (range), nets."""
    rows, other = beside_vmz(), published.table("other_reproductions")
    found = []

    def add(change: str, compared: str, measure: str, differences: list[float]) -> None:
        found.append(
            {
                "change": change,
                "compared": compared,
                "measure": MEASURES[measure],
                "points": sum(differences) / len(differences),
                "low": min(differences),
                "high": max(differences),
                "nets": len(differences),
            }
        )

    for measure in MEASURES:
        add(
            "another training and test by the same group",
            "VMZ minus paper, 8 frames",
            measure,
            list(rows[f"{measure}_vmz8"] - rows[f"{measure}_paper"]),
        )
    for measure in MEASURES:
        add(
            "16 frames for 8",
            "VMZ, 16 minus 8 frames",
            measure,
            list(rows[f"{measure}_vmz16"] - rows[f"{measure}_vmz8"]),
        )
    dense = other[(other["net"] == "R(2+1)D-34") & (other["clip_frames"] == 32) & other["source"].str.startswith("VMZ")]
    scratch, pretrained = (
        dense[dense["source"].str.contains(p, regex=False)] for p in ("Kinetics only", "Sports-1M then")
    )
    paper = published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"]
    for measure in MEASURES:
        add(
            "Sports-1M before Kinetics",
            "VMZ, R(2+1)D-34, 32 frames",
            measure,
            [float(pretrained[measure].iloc[0] - scratch[measure].iloc[0])],
        )
    add(
        "Sports-1M before Kinetics",
        "paper, R(2+1)D-34 (Table 4; clip length not printed)",
        "video_top1",
        [float(paper["R(2+1)D-RGB", "Sports-1M"] - paper["R(2+1)D-RGB", "none"])],
    )
    tv = other[other["source"].str.startswith("torchvision")].set_index("net")
    vmz = rows.set_index("net")
    for measure in MEASURES:
        add(
            "torchvision's training and test: 15 fps, 5 clips",
            "torchvision minus VMZ, 16 frames; R3D and MC3",
            measure,
            [
                float(tv.loc[theirs, measure] - vmz.loc[ours, f"{measure}_vmz16"])
                for theirs, ours in (("r3d_18", "R3D"), ("mc3_18", "MC3"))
            ],
        )
    add(
        "score of a clip, or the mean of 5, same weights",
        "torchvision, 16 frames, video@1 minus clip@1",
        "video_top1",
        list(tv["video_top1"] - tv["clip_top1"]),
    )
    mm = other[other["source"].str.startswith("mmaction2")].set_index("clip_frames")["video_top1"]
    add("32 frames at stride 2 for 8 at stride 8", "mmaction2, R(2+1)D-34", "video_top1", [float(mm[32] - mm[8])])
    return pd.DataFrame(found)


def changes_table() -> Table:
    """`changes` with ranges over nets."""
    rows = changes()
    spread = [
        with_interval(r["points"], r["low"], r["high"], sign=True) if r["nets"] > 1 else signed(r["points"])
        for _, r in rows.iterrows()
    ]
    return Table(
        pd.DataFrame(
            {
                "what changes": rows["change"],
                "compared": rows["compared"],
                "measure": rows["measure"],
                "points, mean (range over nets)": spread,
                "nets": rows["nets"],
            }
        ),
        "Differences in percentage points on Kinetics-400 validation.",
    )


def scatter(frames: int = 8) -> Figure:
    """The paper's accuracies against VMZ's, clip and video, a point a net; on the line both are equal."""
    rows = beside_vmz()
    with matplotlib.rc_context(STYLE):
        figure, both = plt.subplots(1, 2, figsize=(WIDTH, 4.2))
        for axes, (measure, name) in zip(both, MEASURES.items(), strict=True):
            x, y = rows[f"{measure}_paper"], rows[f"{measure}_vmz{frames}"]
            for kind, (colour, marker) in KINDS.items():
                own = rows["net"].map(kind_of) == kind
                axes.plot(x[own], y[own], marker, color=colour, label=kind, markersize=7)
            ends = [min(x.min(), y.min()) - 0.5, max(x.max(), y.max()) + 0.5]
            axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=(0, (4, 2)))
            axes.set(title=name, xlabel="paper, 8 frames (%)", ylabel=f"VMZ, {frames} frames (%)", aspect="equal")
        handles, labels = both[0].get_legend_handles_labels()
        figure.legend(handles, labels, ncols=len(labels), loc="outside lower center", handletextpad=0.2)
        plt.close(figure)
        return figure


def order_sentence() -> str:
    """Which parts of Table 2's order VMZ's re-trainings keep, in words made from the numbers."""
    rows = beside_vmz().set_index("net")
    flat = rows.index.isin(["R2D", "f-R2D"])
    lines = []
    for suffix, name in (("paper", "the paper"), ("vmz8", "VMZ at 8 frames"), ("vmz16", "VMZ at 16 frames")):
        for measure, label in MEASURES.items():
            column = rows[f"{measure}_{suffix}"]
            best = column.drop("R(2+1)D")
            early, late = (column[column.index.str.match(prefix)].mean() for prefix in ("MC", "rMC"))
            lines.append(
                f"* {name}, {label}: R(2+1)D minus the next best "
                f"{column['R(2+1)D'] - best.max():+.1f} ({best.idxmax()}); "
                f"lowest net over time minus the better 2D net {column[~flat].min() - column[flat].max():+.1f}; "
                f"mean MCx minus mean rMCx {early - late:+.2f}"
            )
    return "\n".join(lines)
