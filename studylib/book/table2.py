"""Table 2 and Figure 3: types of convolution, published, counted and measured."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from IPython.display import Markdown

from studylib.book.cells import INTERVALS, accuracy, cell, missing
from studylib.book.figures import histories
from studylib.book.tables import Table
from studylib.claims import published
from studylib.claims.recorded import Recorded, network
from studylib.claims.verdicts_evidence import Evidence, printed
from studylib.claims.verdicts_intervals import CLIP, VIDEO, Outcomes, contrast, outcomes
from studylib.claims.verdicts_parts import Part
from studylib.nets.table import NETS, PAPER_NAMES
from studylib.runs.results import title_of
from studylib.stats.intervals import student_quantile

PLANS = ("paper", "mini", "quick")  # the paper's own settings first
# The networks whose error curves are drawn into one figure, since twelve at once cannot be told apart; R(2+1)D in each.
CURVES = (
    ("R2D", "f-R2D", "R3D", "R(2+1)D"),
    ("MC2", "MC3", "MC4", "MC5", "R(2+1)D"),
    ("rMC2", "rMC3", "rMC4", "rMC5", "R(2+1)D"),
)
FAILED = 5  # points between seeds of one network, beyond what seeds that find the same cues differ by
FAILURE, SPREAD = 8.0, 1.5  # points: how far a failed seed lies below, and the deviation of the others, as R(2+1)D's do


def counted() -> pd.DataFrame:
    """The twelve nets counted now, 18 layers and clips of 8 x 112 x 112 for 400 classes, in the paper's order.

    Columns: net (the paper's name), params (millions of weights, without BN and biases, as in the paper) and gflops.
    """
    from studylib.nets.complexity import count_by_name  # torch, which the other tables do without

    rows = []
    for key in NETS:
        complexity = count_by_name(key)
        rows.append({"net": PAPER_NAMES[key], "params": complexity.weights / 1e6, "gflops": complexity.flops / 1e9})
    return pd.DataFrame(rows)


def networks(runs: pd.DataFrame, plan: str) -> dict[str, Recorded]:
    """By the paper's name the twelve nets as a plan's runs of this table have them, complete or not.

    Args:
        runs: `results.load_all_runs()`.
        plan: one of which `runs` has rows.
    """
    evidence = Evidence(runs, plan)
    return {name: network(evidence, printed(key), ("conv_types",), net=key) for key, name in PAPER_NAMES.items()}


def table2(runs: pd.DataFrame, counts: pd.DataFrame) -> Table:
    """Table 2: a row a net; published, counted and measured columns.

    Args:
        runs: `results.load_all_runs()`.
        counts: `counted()`.
    """
    rows = published.table2().merge(counts, on="net", validate="one_to_one")
    columns = {
        ("", "net"): rows["net"],
        ("parameters (M)", "paper"): rows["paper_params"].map("{:.1f}".format),
        ("parameters (M)", "counted"): rows["params"].map("{:.3f}".format),
        ("GFLOPs", "VMZ"): rows["vmz_gflops"].map("{:.1f}".format),
        ("GFLOPs", "counted"): rows["gflops"].map("{:.3f}".format),
        ("paper, Kinetics-400", "clip@1"): rows["paper_clip_top1"].map("{:.1f}".format),
        ("paper, Kinetics-400", "video@1"): rows["paper_video_top1"].map("{:.1f}".format),
        ("VMZ, Kinetics-400", "clip@1"): rows["vmz_clip_top1"].map("{:.1f}".format),
        ("VMZ, Kinetics-400", "video@1"): rows["vmz_video_top1"].map("{:.1f}".format),
    }
    for plan in _plans(runs):
        own = networks(runs, plan)
        heading = f"ours, {'quick (smoke check)' if plan == 'quick' else plan}"
        if not any(net.done for net in own.values()):  # one column of nothing is enough
            columns[heading, "clip@1, video@1"] = [missing(own[net]) for net in rows["net"]]
            continue
        columns[heading, "clip@1"] = [cell(own[net].measured(CLIP), own[net]) for net in rows["net"]]
        columns[heading, "video@1"] = [accuracy(own[net], VIDEO) for net in rows["net"]]
    caption = (
        f"Types of convolution, 18 layers, clips of 8 frames. Paper: {published.PAPER}, Table 2. VMZ: {published.VMZ}. "
        "Accuracies in percent, to be compared within a column: data or training differ from column to column. "
        f"{INTERVALS}"
    )
    return Table(pd.DataFrame(columns), caption)


def equal_seeds(runs: pd.DataFrame, plan: str) -> Table:
    """R(2+1)D minus each other net in clip accuracy, by all seeds of both and by as many of each, the first ones."""
    rows, nets = [], networks(runs, plan)
    ours = nets.pop("R(2+1)D")
    for name, other in nets.items():
        fewest = sorted(set(ours.tests) & set(other.tests))
        pairs = [[own.tests, {seed: own.tests[seed] for seed in fewest}] for own in (ours, other)]
        shown = [
            _difference(outcomes(a, CLIP), outcomes(b, CLIP)) if a and b else None for a, b in zip(*pairs, strict=True)
        ]
        seeds = f"{len(ours.tests)} and {len(other.tests)}"
        cells = [cell(part, ours, other, sign=True) for part in shown]
        rows.append({"R(2+1)D minus": name, "seeds": seeds, "by all": cells[0], "by the first of both": cells[1]})
    return Table(pd.DataFrame(rows), f"Plan {plan}, {CLIP}, points, with 95% intervals over test videos and seeds.")


def coverage_note(runs: pd.DataFrame, plan: str) -> Markdown:
    """Which networks have seeds far apart, and how often an interval from few such seeds covers the truth."""
    apart = []
    for name, own in networks(runs, plan).items():
        means = [outcomes({0: tests}, CLIP).values.mean() for tests in own.tests.values()]
        if len(means) > 1 and np.ptp(means) > FAILED:
            apart.append(f"{name} ({min(means):.1f} to {max(means):.1f})")
    if not apart:
        return Markdown("")
    told = ", ".join(f"{covered(n):.0%} from {n}" for n in (3, 5, 10))
    return Markdown(
        f"**Seeds that fail.** In plan *{plan}* seeds of {', '.join(apart)} are more than {FAILED} points of {CLIP} "
        f"apart. Where one seed of ten fails, {FAILURE:g} points below the others, a 95% interval over seeds covers "
        f"the mean in {told} seeds (simulated): read the intervals of these networks so."
    )


def covered(seeds: int, studies: int = 20_000) -> float:
    """The share of simulated studies whose Student interval over seeds covers the mean; a tenth of the seeds fail."""
    rng = np.random.default_rng(0)
    drawn = SPREAD * rng.normal(size=(studies, seeds)) - FAILURE * (rng.random((studies, seeds)) < 0.1)
    half = student_quantile(0.975, seeds - 1) * drawn.std(1, ddof=1) / seeds**0.5
    return float((abs(drawn.mean(1) + FAILURE / 10) <= half).mean())


def machines_table(runs: pd.DataFrame, plan: str) -> Table | Markdown:
    """Whether it matters on what device the runs of a plan were made: R(2+1)D minus R3D on each, and the nets on each.

    A sentence where not every net of Table 2 has complete runs on a processor and on a GPU.
    """
    tests: dict[tuple[str, bool], dict] = {}
    for name, own in networks(runs, plan).items():
        for planned in own.done:
            on_cpu = planned.run.provenance.get("device") == "cpu"
            tests.setdefault((name, on_cpu), {})[planned.spec.seed] = {planned.spec.split: planned.run.predictions}
    if len(tests) < 2 * len(PAPER_NAMES):
        return Markdown(f"*Plan {plan}: not every network has runs on a processor and on a GPU.*")
    own = {key: outcomes(each, CLIP) for key, each in tests.items()}
    pair = {device: [own[name, device] for name in ("R(2+1)D", "R3D")] for device in (True, False)}
    crossed = contrast("", [pair[True][0], pair[False][1]], [pair[True][1], pair[False][0]])
    parts = {
        "R(2+1)D minus R3D, runs on a processor": _difference(*pair[True]),
        "R(2+1)D minus R3D, runs on a GPU": _difference(*pair[False]),
        "the first minus the second": Part("", *(2 * v for v in (crossed.points, crossed.low, crossed.high))),
        "R(2+1)D, processor minus GPU": _difference(own["R(2+1)D", True], own["R(2+1)D", False]),
        "R3D, processor minus GPU": _difference(own["R3D", True], own["R3D", False]),
        "mean of the twelve nets, processor minus GPU": contrast(
            "", *([own[name, device] for name in PAPER_NAMES.values()] for device in (True, False))
        ),
    }
    seeds = " and ".join(
        f"{len(tests[name, True])} on a processor and {len(tests[name, False])} on a GPU of {name}"
        for name in ("R(2+1)D", "R3D")
    )
    return Table(
        pd.DataFrame([{"difference": what, f"{CLIP}, points": cell(part, sign=True)} for what, part in parts.items()]),
        f"Plan {plan}, 95% intervals over test videos and seeds. Runs: {seeds}. Versions of torch go with the device.",
    )


def _difference(first: Outcomes, second: Outcomes) -> Part:
    return contrast("", [first], [second])


def figure3_panels(counts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Published accuracies against counted FLOPs, a panel a source, for `figures.accuracy_against_flops`."""
    rows = published.table2().merge(counts, on="net")
    return {
        "Paper (Table 2), Kinetics-400 validation": rows.rename(columns={"paper_video_top1": "accuracy"}),
        "VMZ's released models, 8 frames, Kinetics-400 validation": rows.rename(columns={"vmz_video_top1": "accuracy"}),
    }


def our_panels(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Measured accuracies of each plan with complete runs against FLOPs counted at that plan's sizes; {} for none."""
    panels = {}
    for plan in _plans(runs):
        rows = []
        for name, own in networks(runs, plan).items():
            if part := own.measured(VIDEO):
                run = own.done[0].run
                rows.append(
                    {"net": name, "gflops": run.metrics["flops"] / 1e9, "accuracy": part.points}
                    | {"low": part.low, "high": part.high, "dataset": run.spec.dataset}
                )
        if rows:
            panels[f"{title_of(runs, plan)}\n({rows[0]['dataset']})"] = pd.DataFrame(rows)
    return panels


def curves(own: Mapping[str, Recorded]) -> list[pd.DataFrame]:
    """For each of `CURVES` a history of each network, for `figures.training_curves`: the mean of the seeds that are
    complete, since lines of all seeds bury each other. A figure of which no network but R(2+1)D has any is left out.

    Args:
        own: `networks`.
    """
    wanted = [nets for nets in CURVES if any(own[net].done for net in nets[:-1])]
    tables = [histories([planned.run for net in nets for planned in own[net].done]) for nets in wanted]
    columns = ["train_error", "test_error"]
    means = [table.groupby(["net", "epoch"], sort=False, as_index=False)[columns].mean() for table in tables]
    return [mean.assign(run=mean["net"]) for mean in means]


def _plans(runs: pd.DataFrame) -> list[str]:
    return [plan for plan in PLANS if (runs["plan"] == plan).any()]
