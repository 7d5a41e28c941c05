"""Recorded benchmarks, `runs/benchmarks/<name>.json`, as tables that say where, when and on which commit they are from.

`python -m tests.bench NAME --record` writes such a file. It is read here and never measured again by the book's build.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from studylib import REPOSITORY

FOLDER = REPOSITORY / "runs" / "benchmarks"


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
    tables: dict[str, pd.DataFrame]

    @property
    def origin(self) -> str:
        """Machine, day and commit in a sentence."""
        threads = f"{self.threads} thread{'s' if self.threads != 1 else ''}"
        modified = "" if self.source_clean else " (modified)"
        return f"Measured on {self.cpu}, {threads}, on {self.measured[:10]} at commit {self.commit[:10]}{modified}"


_FIELDS = {
    "name": str,
    "command": str,
    "measured": str,
    "commit": str,
    "source_clean": bool,
    "cpu": str,
    "threads": int,
    "versions": dict,
    "tables": dict,
}


def load(name: str, folder: Path = FOLDER) -> Benchmark | None:
    """The benchmark `name` as it was recorded, None where it was not.

    Raises:
        ValueError: names the file and what is wrong, where it is no record of this benchmark.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    again = f"record it again: python -m tests.bench {name} --record"
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not JSON ({error}); {again}") from None
    wrong = [key for key, kind in _FIELDS.items() if not (isinstance(told, dict) and isinstance(told.get(key), kind))]
    if wrong:
        raise ValueError(f"{path}: no record of a benchmark, {', '.join(wrong)} missing or of another type; {again}")
    if told["name"] != name:
        raise ValueError(f"{path}: records the benchmark {told['name']}; {again}")
    for key, rows in told["tables"].items():
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{path}: table {key} is no list of rows; {again}")
    tables = {key: pd.DataFrame(rows) for key, rows in told["tables"].items()}
    return Benchmark(**{key: told[key] for key in _FIELDS} | {"tables": tables})


def rows_of(name: str, key: str, folder: Path = FOLDER) -> pd.DataFrame:
    """A recorded table with its numbers as they were measured; empty where it is not recorded."""
    benchmark = load(name, folder)
    return pd.DataFrame() if benchmark is None else benchmark.tables.get(key, pd.DataFrame())
