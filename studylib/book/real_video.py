"""Tables of the chapter on real video: two streams, their fusion, and transfer, from the runs of `ucf101_subset`.

Every cell is from a complete run or says that there is none. Nothing here is a verdict: the videos are too few.
"""

from collections.abc import Sequence
from dataclasses import asdict
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.figures import histories
from studylib.book.tables import Table, lacking, run_link
from studylib.claims import published
from studylib.claims.recorded import STATES, Recorded, of_rows
from studylib.datasets.official import published_counts
from studylib.runs.results import Run
from studylib.stats.estimates import OFFICIAL_SPLITS, accuracy, difference
from studylib.stats.fusion import PAPER_RGB_WEIGHT, VMZ_RGB_WEIGHT, fuse, fusion_accuracy
from studylib.training.evaluation import Predictions, named_right, video_top_k, wilson
from studylib.training.magnitudes import interval, signed, with_interval
from studylib.training.run_files import CLOCKS, HISTORY

PLAN = "ucf101_subset"
RGB, FLOW, PRETRAINED = "RGB", "flow", "RGB, pretrained"
STREAMS, FUSED = (RGB, FLOW, PRETRAINED), (RGB, FLOW)


def stream(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """The planned runs of a stream, a row a split."""
    own = runs[runs["plan"] == PLAN]
    if name == PRETRAINED:
        return own[(own["experiment"] == "transfer") & (own["init_from"] != "")].sort_values("split")
    modality = {RGB: "rgb", FLOW: "flow"}[name]
    return own[(own["experiment"] == "two_stream") & (own["modality"] == modality)].sort_values("split")


def networks(runs: pd.DataFrame, names: Sequence[str] = STREAMS) -> list[Recorded]:
    """Streams as networks of three splits."""
    return [of_rows(name, stream(runs, name)) for name in names]


def results(runs: pd.DataFrame, name: str) -> dict[int, Run]:
    """Split -> the complete run of a stream."""
    own = stream(runs, name)
    own = own[own["state"] == "complete"]
    return dict(zip(own["split"], own["result"], strict=True))


def predictions(runs: pd.DataFrame, name: str) -> dict[int, Predictions]:
    """Split -> what a stream's complete run scored."""
    return {split: run.predictions for split, run in results(runs, name).items()}


def fused(runs: pd.DataFrame, rgb_weight: float) -> dict[int, Predictions]:
    """Split -> both streams as one, where both are complete."""
    rgb, flow = predictions(runs, RGB), predictions(runs, FLOW)
    return {split: fuse(rgb[split], flow[split], rgb_weight) for split in rgb if split in flow}


def streams_table(runs: pd.DataFrame) -> Table:
    """Each stream alone and both fused: video@1 of each split and the mean of the three."""
    rows = [_row(RGB, runs, predictions(runs, RGB)), _row(FLOW, runs, predictions(runs, FLOW))]
    for text, weight in (("the paper's mean", PAPER_RGB_WEIGHT), ("VMZ's weight", VMZ_RGB_WEIGHT)):
        rows.append(_row(f"both, {weight:g} RGB ({text})", runs, fused(runs, weight), FUSED))
    return Table(
        pd.DataFrame(rows),
        "Video@1 in percent on the test part of each official split of the subset, with 95% intervals over its videos "
        "(Wilson's, and for the mean their root of squares). One seed each, from scratch.",
    )


def _row(name: str, runs: pd.DataFrame, done: dict[int, Predictions], of: Sequence[str] = ()) -> dict[str, str]:
    """A row of accuracies; `of` are the streams whose states tell why one is missing (default: `name`)."""
    cells = {"stream": escape(name)}
    for split in OFFICIAL_SPLITS:
        if split not in done:
            cells[f"split {split}"] = _missing([_state(runs, s, split) for s in of or (name,)])
            continue
        percent, videos = video_top_k(done[split], 1), len(done[split].labels)
        text = f"{percent:.1f}"
        if not of:
            run = results(runs, name)[split]
            text = run_link(*run.folder.parts[-3:], text)
        cells[f"split {split}"] = f"{text} {interval(*wilson(round(percent * videos / 100), videos))}"
    if set(done) == set(OFFICIAL_SPLITS):
        mean = accuracy({0: done})
        cells["mean of the three"] = with_interval(mean.points, mean.low, mean.high)
    else:
        cells["mean of the three"] = _missing([_state(runs, s, n) for s in of or (name,) for n in OFFICIAL_SPLITS])
    return cells


def _state(runs: pd.DataFrame, name: str, split: int) -> str:
    own = stream(runs, name)
    states = own.loc[own["split"] == split, "state"]
    return "not planned" if states.empty else states.iloc[0]


def _missing(states: list[str]) -> str:
    """The least that is so of what a cell needs."""
    return lacking(min(states, key=STATES.index))


def transfer_table(runs: pd.DataFrame) -> Table:
    """Fine-tuned from Pantomime beside from scratch, and their paired difference."""
    scratch, pretrained = predictions(runs, RGB), predictions(runs, PRETRAINED)
    rows = [_row(RGB, runs, scratch), _row(PRETRAINED, runs, pretrained)]
    rows[0]["stream"] = "RGB, from scratch"
    rows[1]["stream"] = "RGB, pretrained on Pantomime"
    both = sorted(scratch.keys() & pretrained.keys())
    alone, other = {"stream": "right when pretrained only"}, {"stream": "right from scratch only"}
    points = {"stream": "difference, points"}
    right = {s: (named_right(pretrained[s]), named_right(scratch[s])) for s in both}
    only = {s: (int((a & ~b).sum()), int((b & ~a).sum()), len(a)) for s, (a, b) in right.items()}
    for split in OFFICIAL_SPLITS:
        column = f"split {split}"
        if split in both:
            first, second, videos = only[split]
            alone[column], other[column] = f"{first} of {videos}", f"{second} of {videos}"
            points[column] = signed(100 * (first - second) / videos)
        else:
            points[column] = _missing([_state(runs, s, split) for s in (RGB, PRETRAINED)])
    if len(both) == len(OFFICIAL_SPLITS):
        first, second, videos = map(sum, zip(*only.values(), strict=True))
        alone["mean of the three"], other["mean of the three"] = (f"{n} of {videos} in all" for n in (first, second))
        gap = difference({0: pretrained}, {0: scratch})
        points["mean of the three"] = with_interval(gap.points, gap.low, gap.high, sign=True)
    else:
        states = [_state(runs, s, n) for s in (RGB, PRETRAINED) for n in OFFICIAL_SPLITS]
        points["mean of the three"] = _missing(states)
    return Table(
        pd.DataFrame([*rows, *([alone, other] if both else []), points]).rename(columns={"stream": "start"}),
        "Video@1 in percent, as above. The difference is paired: both networks are tested on the same videos; its 95% "
        "interval is a bootstrap over the test videos. None of the intervals covers the seed.",
    )


def source_note(runs: pd.DataFrame) -> Markdown:
    """What the pretrained network knows before it is fine-tuned."""
    own = runs[(runs["plan"] == PLAN) & (runs["experiment"] == "transfer") & (runs["init_from"] == "")]
    lines = []
    for _, row in own.iterrows():
        link = run_link(row["plan"], row["experiment"], row["run"], row["run"])
        if row["state"] != "complete":
            lines.append(f"The network to start from ({row['run']}, on {row['dataset']}): *{row['state']}*.")
            continue
        lines.append(
            f"The network to start from, {link}, was trained on the {row['dataset']} videos and names "
            f"{row['video_top1']:.1f}% of their {row['videos']:.0f} test videos right "
            f"({row['low']:.0f}–{row['high']:.0f}, 95%)."
        )
    return Markdown(" ".join(lines))


def size_note(runs: pd.DataFrame) -> Markdown:
    """How small the subset is, beside the whole dataset."""
    done = runs[(runs["plan"] == PLAN) & (runs["state"] == "complete") & runs["dataset"].str.startswith("ucf101")]
    if done.empty:
        return Markdown("How many videos the subset has is shown as soon as one of its runs is complete.")
    run: Run = done["result"].iloc[0]
    videos, classes = run.provenance["dataset"]["videos"], len(run.predictions.classes)
    tested = len(run.predictions.labels)
    return Markdown(
        f"The subset has **{videos} videos of {classes} classes** ({tested} of them are tested on in split "
        f"{run.spec.split}); UCF101 has {published_counts('UCF101')['all'][0]:,} of 101. "
        f"Guessing is right in {100 / classes:.0f}%. One video more or less is {100 / tested:.1f} points of a split."
    )


def fusion_curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Video@1 against the weight of RGB: columns split ("1", ..., and "mean" where all splits are there), rgb_weight,
    video_top1; empty where no split has both streams."""
    rgb, flow = (predictions(runs, name) for name in FUSED)
    curves = {str(split): fusion_accuracy(rgb[split], flow[split]) for split in sorted(rgb.keys() & flow.keys())}
    if len(curves) == len(OFFICIAL_SPLITS):
        curves["mean"] = pd.concat(list(curves.values())).groupby("rgb_weight", as_index=False).mean()
    tables = [curve.assign(split=split) for split, curve in curves.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def stream_histories(runs: pd.DataFrame) -> pd.DataFrame:
    """The histories of all complete runs with a column `stream`, for `figures.training_curves`."""
    tables = [histories(list(done.values())).assign(stream=name) for name in STREAMS if (done := results(runs, name))]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def table5() -> Table:
    """The paper's own rows of its Table 5, quoted."""
    rows = published.table("table5_transfer").query("trained_by_the_paper == 'yes'")
    columns = {
        "method": rows["method"].map(escape),
        "pretrained on": rows["pretraining"].map(escape),
        "UCF101": rows["ucf101"].map("{:.1f}".format),
        "HMDB51": rows["hmdb51"].map("{:.1f}".format),
    }
    return Table(
        pd.DataFrame(columns),
        f"Quoted from {rows['source'].iloc[0]}: the whole datasets, 34 layers, the paper's frame size, pretrained on "
        "real video. Mean accuracy of the three splits, percent. No number here may be held beside one of ours.",
    )


def repeat_note(runs: pd.DataFrame) -> Markdown:
    """Whether the RGB run of split 1 is, digit for digit, the earlier recorded run of the same settings."""
    own = runs[(runs["plan"] == PLAN) & (runs["state"] == "complete")]
    later = results(runs, RGB).get(1)
    earlier = own[(own["experiment"] == "conv_types") & (own["resolution"] == 56)]
    if later is None or earlier.empty:
        return Markdown("*Not both runs are complete, so there is nothing to compare yet.*")
    return Markdown(agreement(earlier["result"].iloc[0], later))


def agreement(earlier: Run, later: Run) -> str:
    """What two runs have in common, in sentences: settings, history, scores."""
    links = [run_link(*run.folder.parts[-3:], run.folder.name) for run in (earlier, later)]
    commits = [run.provenance["commit"][:10] for run in (earlier, later)]
    told = f"{links[0]} (commit `{commits[0]}`) and {links[1]} (commit `{commits[1]}`)"
    a, b = asdict(earlier.spec), asdict(later.spec)
    if other := [key for key in a if a[key] != b[key] and key != "experiment"]:
        return f"{told} differ in their settings ({', '.join(other)}): they are no repetition."
    columns = [column for column in HISTORY if column not in CLOCKS]
    # as text: numbers that differ in the last digit may be read as the same
    texts = [
        pd.read_csv(run.folder / "history.csv", dtype=str, keep_default_na=False)[columns] for run in (earlier, later)
    ]
    same = texts[0] == texts[1]
    if not same.to_numpy().all():
        wrong = same.all(axis=1)
        epoch = int(earlier.history.loc[wrong.idxmin(), "epoch"])
        where = ", ".join(column for column in columns if not same[column].all())
        history = f"Their histories are **not the same**: they part in epoch {epoch} ({where})."
    else:
        history = f"Their {len(same)} epochs **agree to every digit** in {', '.join(columns[1:])}."
    p, q = earlier.predictions, later.predictions
    equal = p.videos == q.videos and len(p.clip_scores) == len(q.clip_scores)
    equal = equal and all((x == y).all() for x, y in zip(p.clip_scores, q.clip_scores, strict=True))
    scores = f"The scores of all {sum(map(len, q.clip_scores))} test clips are {'equal too' if equal else 'not equal'}."
    return f"{told} have the same settings. {history} {scores}"
