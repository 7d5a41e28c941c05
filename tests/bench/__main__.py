"""`make bench`, or `python -m tests.bench NAME [OPTIONS]` for one of them. Benchmarks print; they never fail a test.

`--record` also writes the tables that a benchmark returns to runs/benchmarks/NAME.json, where the book reads them.
"""

import importlib
import json
import sys
from typing import Any

import torch

from studylib import REPOSITORY
from studylib.training.run_files import now, of_code
from studylib.video.files import write_text

NAMES = (
    "latency", "training_step", "profile", "options", "processes", "stall", "memory",
    "gpu", "rendering", "flow", "reading", "preparing", "index_scale",
)  # fmt: skip


def record(name: str, options: list[str], tables: dict[str, list[dict[str, Any]]]) -> None:
    """Write what a benchmark measured with what it was measured on."""
    told = {"name": name, "command": " ".join(["python -m tests.bench", name, *options]), "measured": now()}
    told |= of_code() | {"threads": torch.get_num_threads(), "tables": tables}
    write_text(REPOSITORY / "runs" / "benchmarks" / f"{name}.json", json.dumps(told, indent=1) + "\n")


def main(arguments: list[str]) -> None:
    """Run the named benchmark with its options, or all of them."""
    recording = "--record" in arguments
    given = [argument for argument in arguments if argument != "--record"]
    for name in given[:1] or NAMES:
        print(f"== {name}")
        module = importlib.import_module(f"tests.bench.{name}")
        tables = module.main(given[1:])
        if recording and tables:
            record(name, given[1:], tables)


if __name__ == "__main__":
    main(sys.argv[1:])
