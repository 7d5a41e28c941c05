"""The tables and sentences of the chapter on clip length: section 4.3's numbers beside ours."""

from collections.abc import Sequence
from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.cells import INTERVALS, cell, links, missing
from studylib.book.lengths import Lengths, averaging_gain, shared_frames, steps_between
from studylib.book.tables import NOT_RUN, Table, lacking
from studylib.claims import published
from studylib.claims.recorded import change, difference
from studylib.claims.verdicts_intervals import CLIP, VIDEO
from studylib.datasets.pantomime.knobs import KNOBS
from studylib.training.magnitudes import power, signed
from studylib.training.spec import RunSpec

TABLE = "section43_clip_length"
NOT_PLANNED = lacking("not planned")


def printed(row: str) -> str:
    """A number of section 4.3 as it is printed there.

    Args:
        row: its `id` in evidence/section43_clip_length.csv.
    """
    return published.table(TABLE).set_index("id")["printed"][row]


def figure5_note() -> Markdown:
    """The points of Figure 5 that the text gives."""
    return Markdown(
        f"Its text tells where video@1 is highest, at **{printed('peak')}**, and clip@1 at 32 frames, "
        f"**{printed('scratch')}** ({published.SOURCES[TABLE]}, Kinetics-400). That at 8 frames follows from the two "
        "experiments below."
    )


def by_length(lengths: Lengths) -> Table:
    """A row a clip length: cost, clip@1, video@1 and what averaging gains."""
    rows = []
    for n, own in lengths.trained.items():
        cost = lengths.costs[n]
        rows.append(
            {
                "frames": str(n),
                "GFLOPs a clip": f"{cost.counts.flops / 1e9:.3f}",
                "multiply-adds of training": power(cost.training_multiply_adds),
                "clip@1 (%)": cell(own.measured(CLIP), own),
                "video@1 (%)": cell(own.measured(VIDEO), own),
                "gain of averaging (points)": cell(averaging_gain(own), own, sign=True),
                "runs": links(own) or missing(own),
            }
        )
    caption = (
        f"Plan {lengths.plan}: R(2+1)D-18 on {lengths.dataset}, a network for each length, tested on it. Costs are "
        "counted: one multiply-add is 1, three passes a clip in training, all epochs. The gain is video@1 minus clip@1 "
        f"of the same networks. {INTERVALS}"
    )
    return Table(pd.DataFrame(rows), caption)


def experiments(plans: Sequence[Lengths]) -> Table:
    """Section 4.3's two experiments and its peak: the paper's numbers, and a column a plan."""
    names = {
        "peak": "length of the highest video@1",
        "moved": "clip@1 that the short network loses when it is tested on long clips",
        "scratch": "clip@1 on long clips, trained on them from scratch",
        "tuned": "clip@1 on long clips, fine-tuned from the short network",
        "close": "fine-tuned minus from scratch, clip@1",
        "gain": "fine-tuned minus the short network on short clips, clip@1",
        "saved": "multiply-adds of training saved by short clips and fine-tuning, of those from scratch",
        "tuning": "the fine-tuning",
        "runs": "runs that test it as it is",
        "tuned_runs": "runs that fine-tune it",
    }
    close = published.table(TABLE).set_index("id")["value"]
    paper = {
        "peak": printed("peak"),
        "moved": printed("loss"),
        "scratch": printed("scratch"),
        "tuned": printed("finetuned"),
        "close": f"{signed(close['finetuned'] - close['scratch'])}, of the two above",
        "gain": printed("gain"),
        "saved": "no number",
        "tuning": "not told",
    }
    columns = {("", "quantity"): [f'<span class="prose">{escape(name)}</span>' for name in names.values()]}
    columns["the paper", "8 to 32 frames, Kinetics-400"] = [escape(paper.get(row, "")) for row in names]
    for lengths in plans:
        own = _experiments_of(lengths)
        span = "" if lengths.short is None else f"{lengths.short} to {lengths.long} frames, "
        columns["our runs", f"plan {lengths.plan}: {span}{lengths.dataset}"] = [own.get(r, NOT_PLANNED) for r in names]
    return Table(
        pd.DataFrame(columns),
        "Differences in points on the same test videos; the loss of the short network is that of the same weights, "
        f"seed by seed. Multiply-adds are counted, with each plan's epochs. {INTERVALS}",
    )


def _experiments_of(lengths: Lengths) -> dict[str, str]:
    moved, tuned = lengths.moved, lengths.tuned
    if lengths.short is None:
        return {"peak": peak(lengths)}
    short, long = lengths.trained[lengths.short], lengths.trained[lengths.long]
    return {
        "peak": peak(lengths),
        "moved": cell(change(short, moved, CLIP), short, moved, sign=True),
        "scratch": cell(long.measured(CLIP), long),
        "tuned": cell(tuned.measured(CLIP), tuned),
        "close": cell(difference(tuned, long, CLIP), tuned, long, sign=True),
        "gain": cell(difference(tuned, short, CLIP), tuned, short, sign=True),
        "saved": f"{saved(lengths):.0%}, counted" if lengths.tuned_cost else NOT_PLANNED,
        "tuning": NOT_PLANNED if lengths.tuned_cost is None else _schedule(lengths.tuned_cost.spec),
        "runs": links(moved) or missing(moved),
        "tuned_runs": links(tuned) or missing(tuned),
    }


def _schedule(spec: RunSpec) -> str:
    return f"{spec.epochs} epochs of {spec.clips_per_epoch:,} clips, learning rate {spec.lr:g}"


def saved(lengths: Lengths) -> float:
    """Share of the multiply-adds of training on long clips that training on short ones and fine-tuning saves."""
    short, long = (lengths.costs[n].training_multiply_adds for n in (lengths.short, lengths.long))
    return 1 - (short + lengths.tuned_cost.training_multiply_adds) / long


def peak(lengths: Lengths) -> str:
    """The length with the highest measured video@1, of those that are recorded; whether it is above others is a matter
    of the verdict."""
    video = {n: part.points for n, own in lengths.trained.items() if (part := own.measured(VIDEO)) is not None}
    if not video:
        return NOT_RUN
    best = max(video, key=video.get)
    some = "" if len(video) == len(lengths.trained) else f", of {len(video)} of {len(lengths.trained)} lengths"
    return f'{best} frames <span class="interval">({video[best]:.1f}%{some})</span>'


def overlap_note(lengths: Lengths) -> Markdown:
    """How much of a clip the next one shows too, at each length: known where the plan makes its videos."""
    if not lengths.generated:
        return Markdown(f"*{lengths.plan}*: not known here, the videos of {lengths.dataset} differ in length.")
    frames, told = KNOBS.num_frames, []
    for n, own in lengths.trained.items():
        clips = own.planned[0].spec.test_clips
        step, share = steps_between(n, frames, clips), shared_frames(n, frames, clips)
        told.append(f"of {n} frames start {step:.1f} frames apart and share {share:.0%} of their frames")
    return Markdown(
        f"*{lengths.plan}*: a video of {lengths.dataset} has {frames} frames. Two neighbours of its "
        f"{clips} test clips {'; '.join(told)}."
    )
