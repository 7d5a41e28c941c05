"""The released weights: which there are, what was published about them, and what our test of them gave."""

from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.tables import NOT_RUN, Table, run_link
from studylib.claims import published
from studylib.nets.table import PAPER_NAMES, PRINTED_NAMES
from studylib.runs.results import Run
from studylib.stats.fusion import PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT, fuse
from studylib.training.evaluation import video_top_k

ACCURACIES = ("clip_top1", "video_top1", "video_top5")
KEYS = {printed: key for key, printed in PAPER_NAMES.items()}
VMZ_18 = "10 evenly spaced clips"  # c2/tutorials/models.md below its table, and test.md, Small Models
TORCHVISION = {"r3d_18": "r3d", "mc3_18": "mc3", "r2plus1d_18": "r2plus1d_per_block"}
# VMZ's 34-layer nets, by how the published row calls their input and training.
VMZ_34 = {
    "RGB; Kinetics only": "",
    "RGB; Sports-1M then Kinetics": "_sports1m",
    "flow; Sports-1M then Kinetics": "_sports1m_flow",
}
TWO_STREAMS = [f"file:vmz_r2plus1d-34_32f{suffix}.pkl" for suffix in ("_sports1m", "_sports1m_flow")]  # RGB, flow


def models() -> pd.DataFrame:
    """A row for each released file that the plan `released` tests.

    Columns: init_from, net (key of PRINTED_NAMES), depth, clip_length, released (by whom, and trained on what),
    evaluation (as published), clip_top1, video_top1, video_top5 (percent, published).
    """
    rows = []
    for _, r in published.table("vmz_released_models").query("net in @KEYS").iterrows():
        key = KEYS[r["net"]]
        rows.append(_row(r, f"file:vmz_{key}-{r['depth']}_{r['clip_frames']}f.pkl", key, r["depth"], "VMZ", VMZ_18))
    for _, r in published.table("other_reproductions").iterrows():
        if r["net"] in TORCHVISION:
            key = TORCHVISION[r["net"]]
            rows.append(_row(r, f"torchvision:{r['net']}", key, 18, "torchvision", _protocol(r)))
        if r["source"].startswith("VMZ"):
            ((training, suffix),) = [(t, s) for t, s in VMZ_34.items() if t in r["source"]]
            file = f"file:vmz_r2plus1d-34_{r['clip_frames']}f{suffix}.pkl"
            rows.append(_row(r, file, "r2plus1d", 34, f"VMZ, {training}", _protocol(r)))
    return pd.DataFrame(rows)


def _row(r: pd.Series, init_from: str, net: str, depth: int, released: str, evaluation: str) -> dict:
    row = {"init_from": init_from, "net": net, "depth": depth, "clip_length": r["clip_frames"]}
    return row | {"released": released, "evaluation": evaluation, **{name: r[name] for name in ACCURACIES}}


def _protocol(r: pd.Series) -> str:
    return f"{r['frame_sampling']}, {r['evaluation']}"


def beside_published(run: Run) -> pd.DataFrame:
    """Accuracies of a run beside what was published for the weights it starts from, a row each."""
    rows = {"this run": {name: run.metrics[name] for name in ACCURACIES}}
    known = models().set_index("init_from")
    if run.spec.init_from in known.index:
        rows = {"published": dict(known.loc[run.spec.init_from, list(ACCURACIES)])} | rows
    return pd.DataFrame(rows).T.rename_axis(run.spec.init_from)


def comparison(runs: pd.DataFrame) -> Table:
    """Published and measured accuracies of every released file, a row a file.

    Args:
        runs: `results.load_all_runs()`, for the runs of the plan `released`.
    """
    ours = runs[runs["plan"] == "released"].set_index("init_from")
    rows = []
    for _, m in models().iterrows():
        r = ours.loc[m["init_from"]]
        measured = {("here", name.replace("_top", "@")): NOT_RUN for name in ACCURACIES}
        if r["state"] == "complete":
            links = [run_link("released", r["experiment"], r["run"], f"{r[name]:.1f}") for name in ACCURACIES]
            measured = dict(zip(measured, links, strict=True))
        rows.append(
            {
                ("", "net"): f"{escape(PRINTED_NAMES[m['net']])}, {m['depth']} layers",
                ("", "frames"): m["clip_length"],
                ("", "released by"): m["released"],
                ("", "weights"): f"<code>{m['init_from'].partition(':')[2]}</code>",
                **{("published", name.replace("_top", "@")): f"{m[name]:.1f}" for name in ACCURACIES},
                ("published", "evaluation"): m["evaluation"],
                **measured,
            }
        )
    sources = f"{published.VMZ}; torchvision/models/video/resnet.py"
    caption = f"Released weights on Kinetics-400 validation, percent. Published: {sources}. Here: the plan released."
    frame = pd.DataFrame(rows)
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return Table(frame, caption)


def fused_note(runs: pd.DataFrame) -> Markdown:
    """Video@1 of VMZ's two networks of 34 layers from Sports-1M as one, by the paper's mean and by VMZ's weight."""
    own = runs[(runs["plan"] == "released") & (runs["state"] == "complete")].set_index("init_from")["result"]
    if not set(TWO_STREAMS) <= set(own.index):
        return Markdown("Two streams of 34 layers, from Sports-1M: *not run*.")
    streams = [own[name].predictions for name in TWO_STREAMS]
    told = [f"{video_top_k(fuse(*streams, w), 1):.1f} with {w:g} of RGB" for w in (PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT)]
    return Markdown(f"Two streams of 34 layers, from Sports-1M, video@1: {', '.join(told)}.")


def multiply_adds(videos: int, clips: int = 10) -> float:
    """Multiply-adds of testing every released file on that many videos and clips a video."""
    from studylib.nets.complexity import count_by_name  # torch, which the tables do without

    return sum(
        videos * clips * count_by_name(m["net"], m["depth"], clip_length=m["clip_length"]).flops
        for _, m in models().iterrows()
    )
