"""The numbers behind the chapter on discrepancies, as far as code has them."""

import pandas as pd
import torch
import torchvision

from studylib.book.tables import Table
from studylib.claims import published
from studylib.nets.build import BN_EPS, BN_MOMENTUM, middle_channels, stem_middle_channels
from studylib.nets.complexity import count, count_by_name
from studylib.training.session import MOMENTUM
from studylib.training.spec import RunSpec


def torchvision_net(name: str) -> torch.nn.Module:
    """A video network of torchvision without memory, 400 classes."""
    with torch.device("meta"):
        return getattr(torchvision.models.video, name)(num_classes=400)


def equal_rows() -> list[str]:
    """Rows of the paper's Table 4 with the same two accuracies, as "method (pretraining)" joined by " = "."""
    rows = published.table("table4_kinetics")
    groups = rows.groupby(["top1", "top5"])
    return [
        " = ".join(f"{m} ({p})" for m, p in zip(own["method"], own["pretraining"], strict=True)) + f": {top1}, {top5}"
        for (top1, top5), own in groups
        if len(own) > 1
    ]


def computed() -> pd.DataFrame:
    """Columns: what, here, elsewhere, where (texts)."""
    ours, theirs = count_by_name("r2plus1d", clip_length=16), torchvision_net("r2plus1d_18")
    their_count = count(theirs, (3, 16, 112, 112))
    stem83 = count_by_name("r2plus1d_stem83")
    norm = next(m for m in theirs.modules() if isinstance(m, torch.nn.BatchNorm3d))
    settings = {name: field.default for name, field in RunSpec.__dataclass_fields__.items()}
    eight = count_by_name("r2plus1d")
    rows = [
        (
            "parameters of R(2+1)D-18, M once a block",
            f"{ours.params:,}",
            f"{their_count.params:,}",
            "torchvision, counted",
        ),
        (
            "GFLOPs of it, 16 frames",
            f"{ours.flops / 1e9:.3f}",
            f"{their_count.flops / 1e9:.3f}",
            "torchvision, counted",
        ),
        (
            "spatial filters of conv1",
            f"{stem_middle_channels(64)}",
            f"{middle_channels(3, 64, d=7)}",
            "formula of section 3.5",
        ),
        ("GFLOPs with each, 8 frames", f"{eight.flops / 1e9:.3f}", f"{stem83.flops / 1e9:.3f}", "variant, counted"),
        ("BN epsilon", f"{BN_EPS:g}", f"{norm.eps:g}", "torchvision"),
        (
            "BN momentum, PyTorch's meaning",
            f"{BN_MOMENTUM:g}",
            f"{norm.momentum:g}",
            f"torchvision; Caffe2 writes {1 - BN_MOMENTUM:g}",
        ),
        ("SGD momentum", f"{MOMENTUM:g}, Nesterov", f"{MOMENTUM:g}, plain", "torchvision's reference script"),
        (
            "learning rate, batch",
            f"{settings['lr']:g}, {settings['batch_size']} a GPU",
            "0.01, 24 a GPU",
            "torchvision's reference script",
        ),
        ("clips an epoch", f"{settings['clips_per_epoch']:,}", "246,535", "one a video, Kinetics' first release"),
        ("equal rows in Table 4", "", "; ".join(equal_rows()), "paper"),
    ]
    return pd.DataFrame(rows, columns=["what", "here", "elsewhere", "where"])


def computed_table() -> Table:
    """`computed` for the book."""
    return Table(computed(), "Counted or read from the code while this page is built; torchvision's script is quoted.")
