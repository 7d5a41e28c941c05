"""Recorded benchmarks, `runs/benchmarks/<name>.json`, as tables that say where, when and on which commit they are from.

`python -m tests.bench NAME --record` writes such a file. It is read here and never measured again by the book's build.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import AfterValidator, Field, ValidationError
from pydantic.dataclasses import dataclass

from studylib import REPOSITORY
from studylib.training.spec import explained

FOLDER = REPOSITORY / "runs" / "benchmarks"
Rows = Annotated[list[dict[str, Any]], Field(min_length=1), AfterValidator(pd.DataFrame)]


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A benchmark that was recorded: what was run, on what, and its tables by name."""

    name: str
    command: str
    measured: str  # ISO time, UTC
    commit: str
    source_clean: bool  # whether the sources were the commit's
    cpu: str
    threads: int
    versions: dict[str, str]  # package -> version
    tables: dict[str, Rows]  # name -> a DataFrame


def device_name(device: str, cpu: str, threads: int) -> str:
    """ "Xeon ... (x86_64), 1 thread" for the device "cpu", else the name of the GPU."""
    return f"{cpu}, {threads} thread{'s' if threads != 1 else ''}" if device == "cpu" else device


def load(name: str, folder: Path = FOLDER) -> Benchmark | None:
    """The benchmark `name` as it was recorded, None where it was not; ValueError names a file that is no record."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    again = f"record it again: python -m tests.bench {name} --record"
    try:
        record = Benchmark(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, OSError) as error:
        told = explained(error, Benchmark) if isinstance(error, ValidationError) else error
        raise ValueError(f"{path}: no record of a benchmark: {told}; {again}") from None
    if record.name != name:
        raise ValueError(f"{path}: records the benchmark {record.name}; {again}")
    return record
