"""What the runs of section 4.4 are: the data in the place of the paper's, their settings, and how they trained."""

from collections.abc import Sequence

import pandas as pd
from IPython.display import Markdown

from studylib.book.benchmark_runs import targets
from studylib.book.figures import histories
from studylib.book.tables import plans_with
from studylib.claims.recorded import seeds_text
from studylib.claims.verdicts_evidence import Evidence
from studylib.nets.table import PRINTED_NAMES
from studylib.runs.results import complete_runs

INPUTS = {"rgb": "RGB", "flow": "flow"}


def data_note(runs: pd.DataFrame, experiment: str, names: Sequence[str]) -> Markdown:
    """Which data the plans with such runs have in the place of the paper's, and with which seeds they are trained.

    Args:
        names: the paper's datasets, of Table 5 in the order of `targets`.
    """
    lines = []
    for plan in plans_with(runs, experiment):
        evidence = Evidence(runs, plan)
        specs = [p.spec for p in evidence.planned if p.spec.experiment == experiment]
        own, seeds = list(dict.fromkeys(s.dataset for s in specs)), {s.seed for s in specs}
        own = list(targets(evidence).values()) if experiment == "transfer" else own
        texts = [f"{name} is `{dataset}`" for name, dataset in zip(names, own, strict=False)]
        lines.append(f"* Plan *{plan}*: {'; '.join([*texts, seeds_text(seeds)])}.")
    return Markdown("\n".join(lines))


def histories_by_input(runs: pd.DataFrame) -> pd.DataFrame:
    """The histories of the complete ones of these runs, for `figures.training_curves`, with a column `name`: network,
    frames of a clip, input and whether it was fine-tuned; empty where there are none."""
    tables = []
    for run in complete_runs(runs):
        s = run.spec
        name = f"{PRINTED_NAMES[s.net]} {s.clip_length}f {INPUTS[s.modality]}{', fine-tuned' if s.init_from else ''}"
        tables.append(histories([run]).assign(name=name))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
