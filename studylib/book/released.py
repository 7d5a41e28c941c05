"""The released weights: which there are, what was published about them, and what our test of them gave."""

import pandas as pd

from studylib.claims import published
from studylib.nets.table import PAPER_NAMES, PRINTED_NAMES
from studylib.runs.results import Run

ACCURACIES = ("clip_top1", "video_top1", "video_top5")
KEYS = {printed: key for key, printed in PAPER_NAMES.items()}
VMZ_18 = "10 evenly spaced clips"  # c2/tutorials/models.md below its table, and test.md, Small Models


def models() -> pd.DataFrame:
    """A row for each released file that the plan `released` tests.

    Columns: init_from, net (key of PRINTED_NAMES), depth, clip_length, released (by whom, and trained on what),
    evaluation (as published), clip_top1, video_top1, video_top5 (percent, published).
    """
    vmz = published.table("vmz_released_models").query("net in @KEYS")
    vmz = vmz.assign(net=vmz["net"].map(KEYS), released="VMZ", evaluation=VMZ_18)
    sizes = vmz["depth"].astype(str) + "_" + vmz["clip_frames"].astype(str)
    vmz["init_from"] = "file:vmz_" + vmz["net"] + "-" + sizes + "f.pkl"
    others = published.table("other_reproductions").dropna(subset="init_from").drop(columns="net")
    others["evaluation"] = others["frame_sampling"] + ", " + others["evaluation"]
    both = pd.concat([vmz, others.rename(columns={"key": "net"})], ignore_index=True).astype({"depth": int})
    columns = ["init_from", "net", "depth", "clip_frames", "released", "evaluation", *ACCURACIES]
    return both[columns].rename(columns={"clip_frames": "clip_length"})


def beside_published(run: Run) -> pd.DataFrame:
    """Accuracies of a run beside what was published for the weights it starts from, a row each."""
    rows = {"this run": {name: run.metrics[name] for name in ACCURACIES}}
    known = models().set_index("init_from")
    if run.spec.init_from in known.index:
        rows = {"published": dict(known.loc[run.spec.init_from, list(ACCURACIES)])} | rows
    return pd.DataFrame(rows).T.rename_axis(run.spec.init_from)


def comparison(runs: pd.DataFrame) -> pd.DataFrame:
    """`models` with the accuracies of the plan `released` in `results.table()`, (here, clip@1) and so on."""
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
