"""Memory of a training step of R(2+1)D-34 at 32x112x112, the paper's largest, with blocks kept and computed again.

    python -m tests.bench memory [--clip-length 32] [--depth 34]

Each in a process of its own on a CPU: the peak of its resident size after two steps, less what it had before the net
was made. The second clip of a batch gives what a clip takes, the rest is fixed: weights, their gradients and momentum,
and workspaces. Freed memory is kept for the next step, as in the trainer, or given back.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any

from tests.bench.child import Job, run
from tests.bench.steps import PAPER

GB = 1e9


def main(arguments: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Print the table and return it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clip-length", type=int, default=32)
    parser.add_argument("--depth", type=int, default=34)
    options = parser.parse_args(arguments)
    rows = []
    for recompute, keep in product((False, True), (True, False)):
        geometry = replace(PAPER, clip_length=options.clip_length)
        told = [
            run(Job("r2plus1d", replace(geometry, batch_size=batch), options.depth, 1, 1, keep, recompute))[0]
            for batch in (1, 2)
        ]
        one, two = (t.memory / GB for t in told)
        row = {"blocks": "computed again" if recompute else "kept", "freed_memory": "kept" if keep else "given back"}
        row |= {"one_clip_gb": one, "two_clips_gb": two}
        row |= {"clip_gb": two - one, "fixed_gb": 2 * one - two}
        row |= {"step_of_one_s": median(told[0].seconds), "step_of_two_s": median(told[1].seconds)}
        print(
            f"R(2+1)D-{options.depth} at {geometry}, blocks {row['blocks']}, freed memory {row['freed_memory']}: "
            f"{row['clip_gb']:.2f} GB a clip, {row['fixed_gb']:.2f} GB fixed",
            flush=True,
        )
        rows.append(row)
    return {"memory": rows}
