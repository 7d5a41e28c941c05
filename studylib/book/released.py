"""The released weights: which there are, what was published about them, and what our test of them gave."""

import pandas as pd

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


def comparison(runs: pd.DataFrame) -> pd.DataFrame:
    """`models` with the accuracies measured here in columns (here, clip@1) and so on, where a file has been tested.

    Args:
        runs: `results.table()`, for the runs of the plan `released`.
    """
    columns = {name: name.replace("_top", "@") for name in ACCURACIES}
    table = models()
    nets = table["net"].map(PRINTED_NAMES) + table["depth"].map(", {} layers".format)
    rows = {("", "net"): nets, ("", "frames"): table["clip_length"], ("", "released by"): table["released"]}
    rows |= {("published", column): table[name] for name, column in columns.items()}
    rows |= {("published", "evaluation"): table["evaluation"]}
    done = runs[(runs["plan"] == "released") & (runs["state"] == "complete")].set_index("init_from")
    if len(done):
        measured = done.reindex(index=table["init_from"], columns=[*ACCURACIES]).reset_index()
        rows |= {("here", column): measured[name] for name, column in columns.items()}
    return pd.DataFrame(rows | {("", "file"): table["init_from"].str.partition(":")[2]})


def fused(runs: pd.DataFrame) -> pd.DataFrame:
    """Video@1 of VMZ's two networks of 34 layers from Sports-1M as one, by the paper's mean and by VMZ's weight.

    Columns: weight of RGB, video@1; no rows until both are tested.
    """
    done = runs[(runs["plan"] == "released") & (runs["state"] == "complete")].set_index("init_from")["result"]
    streams = [done[name].predictions for name in TWO_STREAMS if name in done.index]
    weights = (PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT) if len(streams) == 2 else ()
    rows = [(weight, video_top_k(fuse(*streams, weight), 1)) for weight in weights]
    return pd.DataFrame(rows, columns=["weight of RGB", "video@1"])


def multiply_adds(videos: int, clips: int = 10) -> float:
    """Multiply-adds of testing every released file on that many videos and clips a video."""
    from studylib.nets.complexity import count_by_name  # torch, which the tables do without

    return sum(
        videos * clips * count_by_name(m["net"], m["depth"], clip_length=m["clip_length"]).flops
        for _, m in models().iterrows()
    )
