"""What a cell of Tables 3 to 5 says of the runs behind it: accuracy, interval, links, or what is missing."""

from studylib.benchmark_runs import Accuracy, Found, accuracy
from studylib.fusion import PAPER_RGB_WEIGHT
from studylib.magnitudes import signed
from studylib.tables import run_link
from studylib.verdicts_evidence import printed
from studylib.verdicts_intervals import VIDEO


def cell(found: Found, measure: str = VIDEO, rgb_weight: float = PAPER_RGB_WEIGHT) -> str:
    """An accuracy with its interval and links to its runs, or what is missing of it; of two streams without links,
    which are those of each."""
    scores = found.scores(rgb_weight)
    state = missing(found)
    links = "" if found.fused else _links(found)
    if not scores:
        return state + (f"<br>{links}" if links else "")
    text = with_interval(accuracy(scores, measure))
    if found.state == "complete" and len(found.runs) == 1 and links:
        value, _, interval = text.partition(" ")
        ((planned,),) = found.runs.values()
        return f"{_link(planned.folder, value)} {interval}"
    notes = [links] if links else []
    notes += [] if found.state == "complete" else [state]
    return "<br>".join([text, *notes])


def missing(*found: Found) -> str:
    """The first state that is not complete, of what a cell takes."""
    state = next((own.state for own in found if own.state != "complete"), "complete")
    return f'<span class="not-run">{state}</span>'


def with_interval(own: Accuracy, sign: bool = False) -> str:
    """ "72.0 (70–74)"; with `sign` a difference: "+1.2 (−0.3 to +2.7)"."""
    if sign:
        return f'{signed(own.value)} <span class="interval">({signed(own.low)} to {signed(own.high)})</span>'
    return f'{own.value:.1f} <span class="interval">({own.low:.0f}–{own.high:.0f})</span>'


def as_played(dataset: str, name: str) -> str:
    """ "pantomime-mini as UCF101", or the dataset alone where it is that."""
    return f"{dataset} as {name}" if dataset.startswith("pantomime") else dataset


def net_and_clip(found: Found) -> str:
    """ "R(2+1)D-18, 16 frames" """
    if not found.runs:
        return ""
    spec = next(iter(found.runs.values()))[0].spec
    return f"{printed(spec.net, spec.depth)}, {spec.clip_length} frames"


def _links(found: Found) -> str:
    """Links to the complete runs, "splits 1 2 3", each seed a line where there are several."""
    seeds = sorted({seed for seed, _ in found.runs})
    several = len({split for _, split in found.runs}) > 1
    lines = []
    for seed in seeds:
        own = {split: planned.folder for (s, split), (planned,) in sorted(found.done.items()) if s == seed}
        if own and several:
            name = f"seed {seed}, " if len(seeds) > 1 else ""
            lines.append(f"{name}splits " + " ".join(_link(folder, str(split)) for split, folder in own.items()))
        elif own:
            lines.append(_link(next(iter(own.values())), str(seed)))
    text = "<br>".join(lines) if several else "seeds " + " ".join(lines)
    return f'<span class="interval">{text}</span>' if lines else ""


def _link(folder: str, text: str) -> str:
    return run_link(*folder.split("/")[1:], text)
