"""The chapter on transfer and two streams (section 4.4): what pretraining, and a stream of optical flow, add."""

import pandas as pd

from studylib import stats
from studylib.book.tables import accuracy, difference, links, runs_of
from studylib.claims import published
from studylib.stats.estimates import Scores, change, outcomes, scores_of
from studylib.stats.fusion import PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT, fuse

# Experiments whose networks are the paper's; others change a setting.
EXPERIMENTS = ("conv_types", "two_stream", "sports1m", "kinetics", "transfer")
ALIKE = ["dataset", "net", "depth", "clip_length", "resolution", "width"]  # in networks that are compared
SCRATCH = "none"


def networks(runs: pd.DataFrame, plan: str) -> pd.DataFrame:
    """The planned trainings of a plan in `results.table()`, with a column `pretrained`: the dataset of the run that
    gave the first weights, or `SCRATCH`."""
    own = runs[(runs["plan"] == plan) & runs["experiment"].isin(EXPERIMENTS) & (runs["epochs"] > 0)]
    datasets = runs.set_index("run:" + runs["plan"] + "/" + runs["experiment"] + "/" + runs["run"])["dataset"]
    own = own.assign(pretrained=own["init_from"].map(datasets).fillna(SCRATCH))
    return own.drop_duplicates([*ALIKE, "modality", "pretrained", "seed", "split"], keep="last")  # a repeated run


def transferred(networks: pd.DataFrame) -> pd.DataFrame:
    """Fine-tuned networks beside the same network from scratch, those with complete runs.

    Columns: network, dataset, input, pretrained, video and clip (accuracies, percent), scratch (video@1 from scratch),
    gain (video@1, pretrained minus from scratch, points): estimates, None where nothing was trained from scratch.
    """
    rows = []
    tuned = networks[networks["pretrained"] != SCRATCH]
    for key, own in tuned.groupby([*ALIKE, "modality", "pretrained"], sort=False):
        if not runs_of(own):
            continue
        known = dict(zip([*ALIKE, "modality", "pretrained"], key, strict=True)) | {"pretrained": SCRATCH}
        scratch = networks[(networks[list(known)] == pd.Series(known)).all(axis=1)]
        scratch = scratch[scratch["seed"].isin(own["seed"]) & scratch["split"].isin(own["split"])]
        numbers = accuracy(own, "video_top1"), accuracy(own), accuracy(scratch, "video_top1")
        told = own.iloc[0][["net", "dataset", "modality", "pretrained"]]
        rows.append((*told, *numbers, difference(own, scratch, "video_top1"), links(pd.concat([own, scratch]))))
    columns = ["network", "dataset", "input", "pretrained", "video", "clip", "scratch", "gain", "runs"]
    return pd.DataFrame(rows, columns=columns)


def two_streams(networks: pd.DataFrame) -> pd.DataFrame:
    """Video@1 of RGB, of optical flow and of both by the mean of their scores, where all runs of a seed are there.

    Columns: network, dataset, frames, pretrained; rgb, flow, both and by VMZ's weight (accuracies, percent), minus rgb
    and minus flow (what the mean gains over each alone, points): estimates.
    """
    rows = []
    for _, own in networks.groupby([*ALIKE, "pretrained"], sort=False):
        streams = [runs_of(own[own["modality"] == modality]) for modality in ("rgb", "flow")]
        if not all(streams):
            continue
        rgb, flow = map(scores_of, streams)
        both, by_vmz = (_fused(rgb, flow, weight) for weight in (PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT))
        if both:
            alone = [{seed: stream[seed] for seed in both} for stream in (rgb, flow)]
            # the same weights, seed by seed
            gains = [change(outcomes(both), outcomes(stream)) for stream in alone]
            accuracies = [stats.accuracy(stream) for stream in (*alone, both, by_vmz)]
            told = own.iloc[0][["net", "dataset", "clip_length", "pretrained"]]
            rows.append((*told, *accuracies, *gains, links(own[own["seed"].isin(both)])))
    names = ["network", "dataset", "frames", "pretrained", "rgb", "flow", "both", "by VMZ's weight"]
    return pd.DataFrame(rows, columns=[*names, "minus rgb", "minus flow", "runs"])


def of_two_seeds(networks: pd.DataFrame, net: str) -> tuple[stats.Estimate, stats.Estimate] | None:
    """Whether flow adds more than another network on RGB would, in points of video@1: two RGB networks of other seeds,
    averaged, minus one of them; and RGB and flow minus those two. None without two seeds, or without flow. `networks`:
    of one plan."""
    own = networks[(networks["net"] == net) & (networks["pretrained"] == SCRATCH)]
    rgb, flow = (runs_of(own[own["modality"] == modality]) for modality in ("rgb", "flow"))
    if not flow or len(one := scores_of(rgb) if rgb else {}) < 2:
        return None
    following = dict(zip(one, [*list(one)[1:], *list(one)[:1]], strict=True))  # seed -> another
    two = outcomes(_fused(one, {seed: one[other] for seed, other in following.items()}, PAPER_RGB_WEIGHT))
    first_of_flow = next(iter(scores_of(flow).values()))
    with_flow = outcomes(_fused(one, dict.fromkeys(one, first_of_flow), PAPER_RGB_WEIGHT))
    return change(two, outcomes(one)), change(with_flow, two)


def _fused(rgb: Scores, flow: Scores, rgb_weight: float) -> Scores:
    """Both streams as one, of the seeds and splits that both have."""
    found = {
        seed: {split: fuse(own[split], flow[seed][split], rgb_weight) for split in own if split in flow[seed]}
        for seed, own in rgb.items()
        if seed in flow
    }
    return {seed: splits for seed, splits in found.items() if splits}


def published_streams() -> pd.DataFrame:
    """R(2+1)D of the paper's Tables 3 to 5: columns dataset, pretrained, RGB, Flow, Two-Stream (video@1, percent)."""
    tables = {"table3_sports1m": "video_top1", "table4_kinetics": "top1", "table5_transfer": ["ucf101", "hmdb51"]}
    names = {"video_top1": "Sports-1M", "top1": "Kinetics-400", "ucf101": "UCF101", "hmdb51": "HMDB51"}
    rows = []
    for name, columns in tables.items():
        own = published.table(name).query("method.str.startswith('R(2+1)D-')", engine="python")
        part = own["method"].str.extract(r"R\(2\+1\)D-(?P<stream>RGB|Flow|Two-Stream)-?(?P<frames>\d*)")
        own = own.assign(**part, pretrained=own.get("pretraining", SCRATCH))
        rows.append(own.melt(["stream", "frames", "pretrained"], columns, "dataset", "accuracy"))
    table = pd.concat(rows)
    frames = table["frames"].map(lambda n: f", {n} frames" if n else "")
    table["dataset"] = table["dataset"].map(names) + frames
    wide = table.pivot_table("accuracy", ["dataset", "pretrained"], "stream", sort=False)
    return wide.reset_index().rename_axis(columns=None)
