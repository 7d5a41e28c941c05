"""What the paper finds, in short, each finding with the numbers of the paper's own tables."""

from html import escape

import pandas as pd

from studylib.book.scoreboard import chapter_link
from studylib.book.tables import Table
from studylib.book.verdict_cells import prose
from studylib.claims import published
from studylib.claims.published import EMPIRICAL, read_claims

FLAT = ("R2D", "f-R2D")
NUMBERLESS = "no number, a figure or a remark"


def findings_table() -> Table:
    """A row a finding: in our words, with the paper's numbers, and the chapter that holds ours beside them."""
    rows = [
        {"finding": prose(escape(text)), "the paper's numbers": prose(escape(numbers)), "ours": chapter_link(page)}
        for text, numbers, page in findings()
    ]
    return Table(pd.DataFrame(rows), f"Findings of the paper; its numbers are percentages, from {published.PAPER}.")


def findings() -> list[tuple[str, str, str]]:
    """(finding, the paper's numbers, page), in the order of the paper."""
    printed = {id: claim.printed for id, claim in read_claims(EMPIRICAL).items()}
    return [
        (
            "Networks that convolve over time, everywhere or in some groups, beat those that do not",
            over_time(),
            "conv_types",
        ),
        ("R(2+1)D is the best of the twelve, with R3D's size and cost", best(), "conv_types"),
        ("Convolving over time early (MCx) is slightly better than late (rMCx)", mixed(), "conv_types"),
        (
            "Factorised networks train more easily: their training error is lower too, more so with 34 layers",
            NUMBERLESS,
            "why_factorise",
        ),
        (
            "Longer clips raise clip accuracy up to 48 frames, video accuracy up to 24 only",
            f"video accuracy peaks at {printed['run-video-peak']}",
            "clip_length",
        ),
        (
            "Filters learnt on longer clips are better: more input alone does not help, fine-tuning does",
            f"8-frame network tested on 32: {printed['run-8-at-32']} lost; fine-tuned, from scratch, gain over 8 "
            f"frames: {printed['run-finetune']}",
            "clip_length",
        ),
        ("Twice the resolution makes little difference", NUMBERLESS, "clip_length"),
        ("With 34 layers it is the best on Sports-1M", sports(), "still_open"),
        ("On Kinetics it beats I3D on RGB and on flow, and not with both streams", kinetics(), "still_open"),
        ("Fine-tuned on UCF101 and HMDB51 it is close to I3D", transfer(), "transfer"),
    ]


def over_time() -> str:
    """Clip accuracies of the networks with and without convolution over time, R(2+1)D aside."""
    clip = published.table("table2_conv_types").set_index("net")["clip_top1"]
    mixed = clip.drop([*FLAT, "R(2+1)D"])
    flat = ", ".join(f"{net} {clip[net]:.1f}" for net in FLAT)
    return f"clip@1: {flat}; R3D and mixed {mixed.min():.1f} to {mixed.max():.1f}"


def best() -> str:
    """R(2+1)D beside R3D."""
    rows = published.table("table2_conv_types").set_index("net")
    ours, full = rows.loc["R(2+1)D"], rows.loc["R3D"]
    return (
        f"clip@1 {ours['clip_top1']:.1f} against {full['clip_top1']:.1f}, video@1 {ours['video_top1']:.1f} against "
        f"{full['video_top1']:.1f}; {ours['params_millions']:.1f} and {full['params_millions']:.1f} M parameters"
    )


def mixed() -> str:
    """Means over x."""
    clip = published.table("table2_conv_types").set_index("net")["clip_top1"]
    early, late = (clip[clip.index.str.match(prefix)].mean() for prefix in ("MC", "rMC"))
    return f"clip@1, mean over x: {early:.2f} and {late:.2f}"


def sports() -> str:
    """R(2+1)D on RGB and with both streams, and the best other."""
    video = published.table("table3_sports1m").set_index("method")["video_top1"].dropna()
    others = video[~video.index.str.startswith("R(2+1)D")]
    rgb, both = (video[f"R(2+1)D-{stream}-32frame"] for stream in ("RGB", "Two-Stream"))
    return f"video@1 {rgb:.1f} on RGB, {both:.1f} with both streams; best other {others.max():.1f} ({others.idxmax()})"


def kinetics() -> str:
    """Pretrained R(2+1)D beside pretrained I3D."""
    top1 = published.table("table4_kinetics").set_index(["method", "pretraining"])["top1"]
    streams = {"RGB": "RGB", "Flow": "flow", "Two-Stream": "both"}
    texts = [
        f"{name} {top1[f'R(2+1)D-{stream}', 'Sports-1M']:.1f} against {top1[f'I3D-{stream}', 'ImageNet']:.1f}"
        for stream, name in streams.items()
    ]
    return f"top-1, both pretrained: {', '.join(texts)}"


def transfer() -> str:
    """Two streams pretrained on Kinetics beside I3D's."""
    rows = published.table("table5_transfer").set_index(["method", "pretraining"])
    ours, other = (
        rows.loc[("R(2+1)D-Two-Stream", "Kinetics-400")],
        rows.loc[("I3D-Two-Stream", "ImageNet+Kinetics-400")],
    )
    texts = [
        f"{name} {ours[key]:.1f} against {other[key]:.1f}" for key, name in (("ucf101", "UCF101"), ("hmdb51", "HMDB51"))
    ]
    return f"both streams: {', '.join(texts)}"
