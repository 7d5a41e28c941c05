"""The page of what is still open: what the paper prints of its networks, and the runs that would give it."""

import pandas as pd

from studylib.book.tables import NOT_RUN, accuracy, text
from studylib.claims import published
from studylib.runs.cost import costs_of, seconds
from studylib.runs.plan import Plan


def numbers() -> pd.DataFrame:
    """A row a network of a table or figure: where, what, what is printed of it (percent), and `runs`, which picks its
    runs in a table of the plan's (`DataFrame.query`). A row of two streams needs those of both."""
    rows = []
    for row in published.table("table2_conv_types").itertuples():
        printed = f"{row.clip_top1:.1f} clip@1, {row.video_top1:.1f} video@1"
        rows.append(("Table 2", row.net, printed, f"experiment == 'conv_types' and net == '{row.net}'"))
    for net in ("R3D", "R(2+1)D"):
        rows.append(("Figure 4", f"{net}, 34 layers", "curve", f"experiment == 'depth' and net == '{net}'"))
    for frames in (8, 16, 24, 32, 40, 48):
        runs = f"experiment == 'clip_length' and clip_length == {frames} and not run.str.startswith('finetuned')"
        if frames == 32:
            runs += " and not run.str.startswith('trained_at_8f')"
        rows.append(("Figure 5", f"R(2+1)D, {frames} frames", "curve", runs))
    tested, tuned = (
        f"experiment == 'clip_length' and run.str.startswith('{s}')" for s in ("trained_at_8f", "finetuned")
    )
    rows.append(("section 4.3", "8-frame network on 32 frames", "−2.6 clip@1", f"{tested} and clip_length == 32"))
    rows.append(("section 4.3", "fine-tuned to 32 frames", "56.8 clip@1", tuned))
    rows.append(("section 4.3", "224 x 224 pixels", "no number", "experiment == 'resolution'"))
    for row in published.table("table3_sports1m").query("trained_by_the_paper == 'yes'").itertuples():
        net, stream, length = _method(row.method)
        both = {"clip@1": row.clip_top1, "video@1": row.video_top1}
        printed = ", ".join(f"{value:.1f} {measure}" for measure, value in both.items() if value == value)
        runs = f"experiment == 'sports1m' and net == '{net}' and clip_length == {length or 32}{stream}"
        rows.append(("Table 3", row.method, printed, runs))
    for row in published.table("table4_kinetics").query("trained_by_the_paper == 'yes'").itertuples():
        net, stream, _ = _method(row.method)
        start, weights = _start(row.pretraining)
        runs = f"experiment == 'kinetics' and net == '{net}' and {weights}{stream}"
        rows.append(("Table 4", f"{row.method}, {start}", f"{row.top1:.1f} video@1", runs))
    for row in published.table("table5_transfer").query("trained_by_the_paper == 'yes'").itertuples():
        _, stream, _ = _method(row.method)
        for dataset, name in {"ucf101": "UCF101", "hmdb51": "HMDB51"}.items():
            start, weights = _start(row.pretraining)
            runs = f"experiment == 'transfer' and dataset == '{dataset}' and {weights}{stream}"
            rows.append(("Table 5", f"{name}: {row.method}, {start}", f"{getattr(row, dataset):.1f} video@1", runs))
    return pd.DataFrame(rows, columns=["where", "what", "printed", "runs"])


def a100_hours(runs: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """`least` and `most` hours of each of a plan's `runs`, its rows in its order, on an A100."""
    return seconds(costs_of(plan), "A100")[["least", "most"]].set_index(runs.index) / 3600


def status(runs: pd.DataFrame, hours: pd.DataFrame) -> pd.DataFrame:
    """`numbers` with status, runs needed, hours (least and most, of all of them on an A100), first run (that has to be
    made) and, where seeds are complete and of one stream, ours.

    Args:
        runs: rows of the plan `paper`.
        hours: `a100_hours` of them.
    """
    rows = []
    for query in numbers()["runs"]:
        own = runs.query(query, engine="python")
        done, found = own[own["state"] == "complete"], None
        if len(done) and own["modality"].nunique() == 1:
            found = accuracy(own, "clip_top1" if own["experiment"].iloc[0] == "conv_types" else "video_top1")
        first = own[own["state"] != "complete"].head(1)
        state = NOT_RUN if done.empty else f"{len(done)} of {len(own)} runs"
        missing = "/".join(first[["experiment", "run"]].iloc[0]) if len(first) else ""
        ours = "" if found is None else text(found)
        rows.append((state, len(own), tuple(hours.loc[own.index].sum()), missing, ours))
    columns = ["status", "runs needed", "hours", "first run", "ours"]
    return pd.concat([numbers(), pd.DataFrame(rows, columns=columns)], axis=1)


def _method(method: str) -> tuple[str, str, str]:
    """ "R(2+1)D-RGB-8frame" -> network, condition on the stream, frames or ""."""
    net, _, rest = method.partition("-")
    stream, _, frames = rest.rpartition("-") if rest.endswith("frame") else (rest, "", "")
    one = {"RGB": " and modality == 'rgb'", "Flow": " and modality == 'flow'"}
    return net, one.get(stream, "" if rest else one["RGB"]), frames.removesuffix("frame")


def _start(pretraining: str) -> tuple[str, str]:
    """The first weights of a network in words, and the condition on them."""
    if pretraining == "none":
        return "from scratch", "init_from == ''"
    return f"from {pretraining}", f"init_from.str.contains('{pretraining.split('-')[0].lower()}')"
