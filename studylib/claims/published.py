"""Published numbers the study is compared with, each row with its source. Nothing here was measured by us."""

from importlib.resources import files

import pandas as pd

PAPER = "Tran et al., CVPR 2018"
VMZ = "facebookresearch/VMZ, c2/tutorials/models.md"

# Table -> where its rows are from; None where the file names a source for each row.
SOURCES: dict[str, str | None] = {
    "table2_conv_types": f"{PAPER}, Table 2",
    "table3_sports1m": f"{PAPER}, Table 3",
    "table4_kinetics": f"{PAPER}, Table 4",
    "table5_transfer": f"{PAPER}, Table 5",
    "section43_clip_length": f"{PAPER}, section 4.3",
    "vmz_released_models": VMZ,
    "other_reproductions": None,
}


def table(name: str) -> pd.DataFrame:
    """A published table, with a column `source`; accuracies are percentages.

    Args:
        name: a key of `SOURCES`.

    Raises:
        ValueError: names the tables there are.
    """
    if name not in SOURCES:
        raise ValueError(f"published table {name!r}: there is none; there are {', '.join(SOURCES)}")
    rows = pd.read_csv(files("studylib.claims") / "evidence" / f"{name}.csv")
    if (source := SOURCES[name]) is not None:
        return rows.assign(source=source)
    return rows.assign(source=rows["source"] + ": " + rows["where"]).drop(columns="where")


def table2() -> pd.DataFrame:
    """The paper's Table 2 beside VMZ's table at 8 frames, a row a net in the paper's order.

    Columns: net (the paper's name), paper_params and vmz_params (millions), vmz_gflops, paper_clip_top1,
    paper_video_top1, vmz_clip_top1, vmz_video_top1 (percent, Kinetics-400 validation).
    """
    paper = table("table2_conv_types")
    vmz = table("vmz_released_models").query("depth == 18 and clip_frames == 8")
    both = paper.merge(vmz, on="net", how="left", suffixes=("_paper", "_vmz"), validate="one_to_one")
    return pd.DataFrame(
        {
            "net": both["net"],
            "paper_params": both["params_millions_paper"],
            "vmz_params": both["params_millions_vmz"],
            "vmz_gflops": both["gflops"],
            "paper_clip_top1": both["clip_top1_paper"],
            "paper_video_top1": both["video_top1_paper"],
            "vmz_clip_top1": both["clip_top1_vmz"],
            "vmz_video_top1": both["video_top1_vmz"],
        }
    )
