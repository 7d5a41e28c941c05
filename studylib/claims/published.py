"""What the paper and others published, and what the paper claims, each row with its source; tolerances of the rules."""

from importlib.resources import files

import pandas as pd

PAPER = "Tran et al., CVPR 2018"
VMZ = "facebookresearch/VMZ, c2/tutorials/models.md"
ARITHMETIC, EMPIRICAL = "arithmetic", "empirical"  # claims decided by code now, or by recorded runs

# Points: the most that "as accurate as", "on par", "comparable", "slightly", "almost" and "close" may mean, itself
# included, of the paper's numbers and of recorded runs.
CLOSE = 2.0
SAME = 0.05  # relative: the most by which two costs or sizes that are "roughly the same" may differ
# Rows of the official validation list of Kinetics-400: the videos behind each accuracy of Table 2, at most.
KINETICS_VALIDATION = 19_906
MOST = 0.5  # of a gap: "comes from" means that more than this share of it goes
FEWEST_SEEDS = 2  # that a training error needs, to have an interval
FEWEST_LENGTHS = 3  # of clips, to rise along, or to peak in between
LARGEST_WEIGHT = 0.3  # the ends of Figure 6's scale
WITHIN = 0.99  # share of the weights that are on that scale
TOLERANCES = {  # as the rules in words name them
    "close": CLOSE, "same": SAME, "videos": KINETICS_VALIDATION, "most": MOST, "seeds": FEWEST_SEEDS,
    "lengths": FEWEST_LENGTHS, "within": WITHIN, "weight": LARGEST_WEIGHT,
}  # fmt: skip

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


def read_claims(kind: str) -> pd.DataFrame:
    """The paper's claims of one kind in our own words, in the order of the paper; the index is their id.

    Columns, texts: section, claim, printed (the paper's numbers; "no number" for an order or a property), rule (what
    decides it), experiment (whose runs decide it; "" for arithmetic claims), reading (of these, what was compared).
    """
    rows = pd.read_csv(files("studylib.claims") / "evidence" / "claims.csv", dtype=str, keep_default_na=False)
    rows["rule"] = [rule.format(**TOLERANCES) for rule in rows["rule"]]
    return rows[rows["kind"] == kind].set_index("id").drop(columns="kind")


def table(name: str) -> pd.DataFrame:
    """A published table, a key of `SOURCES` (else ValueError), with a column `source`; accuracies are percentages."""
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
    paper, vmz = (
        rows.rename(columns={column: f"{source}_{column}" for column in ("clip_top1", "video_top1")})
        .rename(columns={"params_millions": f"{source}_params", "gflops": f"{source}_gflops"})
        .filter(regex=f"^net$|^{source}_")
        for source, rows in (
            ("paper", table("table2_conv_types")),
            ("vmz", table("vmz_released_models").query("depth == 18 and clip_frames == 8")),
        )
    )
    return paper.merge(vmz, on="net", how="left", validate="one_to_one")
