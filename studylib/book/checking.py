"""The paper against itself: what arithmetic says of its claims, and numbers in which code and paper differ."""

from html import escape

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torchvision
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, ORANGE, VERMILION, WIDTH, drawn
from studylib.book.tables import Table, prose
from studylib.claims import audit
from studylib.claims.audit import FAILS, HOLDS, ROUNDING
from studylib.claims.published import ARITHMETIC, read_claims
from studylib.nets.build import BN_EPS, middle_channels, stem_middle_channels
from studylib.nets.complexity import count, count_by_name

COLOURS = {HOLDS: BLUE, ROUNDING: ORANGE, FAILS: VERMILION}


def decided() -> pd.DataFrame:
    """`published.read_claims(ARITHMETIC)` with its id as a column, recomputed and outcome, computed now."""
    claims = read_claims(ARITHMETIC)
    decisions = pd.DataFrame([audit.DECISIONS[id]() for id in claims.index], claims.index)
    return claims.join(decisions).reset_index()


@drawn
def outcomes_figure(counts: pd.DataFrame) -> Figure:
    """Bars of how many claims of each topic hold; `counts` has a row a topic, a column an outcome."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(counts) + 1.3))
    left = pd.Series(0, counts.index)
    for outcome, colour in COLOURS.items():
        bars = axes.barh(counts.index, counts[outcome], left=left, color=colour, label=outcome)
        labels = [str(number) if number else "" for number in counts[outcome]]
        axes.bar_label(bars, labels, label_type="center", color="white")
        left = left + counts[outcome]
    axes.invert_yaxis()
    axes.set(xlabel="claims")
    figure.legend(ncols=len(COLOURS), loc="outside lower center")
    return figure


def claims_table(rows: pd.DataFrame, caption: str, *columns: str, audit: bool = False) -> Table:
    """Rows of `decided`: the claim with its outcome, and these columns; with `audit` as the others' link targets."""
    place = 'id="{}"' if audit else 'href="audit.html#{}"'
    first = [
        f'<span class="prose"><a {place.format(r.id)}>{escape(r.claim)}</a></span>'
        f'<strong class="verdict">{r.outcome}</strong> '
        f'<span class="where">{"section " * r.section[0].isdigit()}{escape(r.section)}</span>'
        for r in rows.itertuples()
    ]
    others = rows[[*columns]].map(prose)
    return Table(others.assign(claim=first)[["claim", *columns]], caption)


def differing_numbers() -> pd.DataFrame:
    """Numbers of the networks here beside those of another's code or of the paper's formula."""
    with torch.device("meta"):
        theirs = torchvision.models.video.r2plus1d_18(num_classes=400)
    theirs.to_empty(device="cpu")
    their_count, ours = count(theirs, (3, 16, 112, 112)), count_by_name("r2plus1d", clip_length=16)
    their_eps = next(m.eps for m in theirs.modules() if isinstance(m, torch.nn.BatchNorm3d))
    of_8_frames = [f"{count_by_name(net).flops / 1e9:.3f}" for net in ("r2plus1d", "r2plus1d_stem83")]
    filters = [str(stem_middle_channels(64)), str(middle_channels(3, 64, d=7))]
    formula, torchvision_net = "formula of section 3.5", "torchvision's r2plus1d_18"
    rows = [
        ("parameters of R(2+1)D-18", f"{ours.params:,}", f"{their_count.params:,}", torchvision_net),
        ("its GFLOPs, 16 frames", f"{ours.flops / 1e9:.3f}", f"{their_count.flops / 1e9:.3f}", torchvision_net),
        ("batch normalisation's epsilon", f"{BN_EPS:g}", f"{their_eps:g}", torchvision_net),
        ("spatial filters of conv1", *filters, formula),
        ("GFLOPs with them, 8 frames", *of_8_frames, formula),
    ]
    return pd.DataFrame(rows, columns=["number", "here", "elsewhere", "whose"])
