"""The files of a run's folder, each read and held against what it has to be; a broken one is refused with its name."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studylib import REPOSITORY
from studylib.runs.plan import PlannedRun
from studylib.training.run_files import DATASET, HISTORY, PROVENANCE, SINCE_THEN
from studylib.training.spec import RunSpec

LAST_BITS = 1e-9  # percent: the same number is written in two files, and a table's reader may miss its last bits


class BrokenRun(ValueError):
    """A recorded run that is not what it claims to be; the message names its folder and says what to do."""


def name_of(folder: Path) -> str:
    """The folder as the reader knows it: from the repository on, where it lies in one."""
    folder = folder.resolve()
    return folder.relative_to(REPOSITORY).as_posix() if folder.is_relative_to(REPOSITORY) else str(folder)


def read_history(folder: Path, spec: RunSpec, metrics: Mapping[str, Any], advice: str) -> pd.DataFrame:
    """history.csv: a row an epoch of the spec, finite numbers, in the end the errors of metrics.json; BrokenRun with
    `advice` otherwise."""
    try:
        history = pd.read_csv(folder / "history.csv")
    except (ValueError, OSError) as error:
        raise BrokenRun(f"{name_of(folder)}: history.csv cannot be read ({error}); {advice}") from None
    if missing := [column for column in HISTORY if column not in history and column not in SINCE_THEN]:
        raise BrokenRun(f"{name_of(folder)}: history.csv has no column {', '.join(missing)}; {advice}")
    if list(history["epoch"]) != list(range(1, spec.epochs + 1)):
        raise BrokenRun(f"{name_of(folder)}: history.csv is not the {spec.epochs} epochs of spec.json; {advice}")
    for column in HISTORY:
        if column not in history:
            continue
        finite = np.isfinite(pd.to_numeric(history[column], errors="coerce").to_numpy(float))
        if not finite.all():
            first = int(finite.argmin())
            raise BrokenRun(
                f"{name_of(folder)}: history.csv has {column} {history[column].iloc[first]} in epoch {first + 1}, "
                f"not a finite number; {advice}"
            )
    for column in ("train_error", "test_error") if spec.epochs else ():
        if abs((last := float(history[column].iloc[-1])) - metrics[column]) > LAST_BITS:
            raise BrokenRun(
                f"{name_of(folder)}: metrics.json has {column} {metrics[column]}, "
                f"history.csv {last} in the last epoch; {advice}"
            )
    return history


def _json(path: Path, advice: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise BrokenRun(f"{name_of(path.parent)}: {path.name} is not JSON ({error}); {advice}") from None
    if not isinstance(content, dict):
        raise BrokenRun(f"{name_of(path.parent)}: {path.name} holds no names and values; {advice}")
    return content


def read_provenance(folder: Path, spec: RunSpec, advice: str) -> dict[str, Any]:
    """provenance.json, which says on which videos of the spec's dataset it ran; BrokenRun with `advice` otherwise."""
    provenance = _json(folder / "provenance.json", advice)
    if missing := [key for key in PROVENANCE if key not in provenance]:
        raise BrokenRun(f"{name_of(folder)}: provenance.json has no {', '.join(missing)}; {advice}")
    dataset = provenance["dataset"] if isinstance(provenance["dataset"], dict) else {}
    if missing := [key for key in DATASET if not isinstance(dataset.get(key), str)]:
        raise BrokenRun(f"{name_of(folder)}: provenance.json has no {', '.join(missing)} in dataset; {advice}")
    if dataset["name"] != spec.dataset:
        raise BrokenRun(f"{name_of(folder)}: provenance.json names another dataset than spec.json; {advice}")
    return provenance


def read_notebook(folder: Path) -> dict[str, Any] | None:
    """The executed notebook, None where there is none; a failed one is refused with its error."""
    path = folder / "notebook.ipynb"
    if not path.exists():
        return None
    again = "run the experiment again"
    notebook = _json(path, again)
    try:
        failed = papermill_of(notebook).get("exception")
        outputs = [output for cell in notebook.get("cells", []) for output in cell.get("outputs", [])]
        errors = [f"{output['ename']}: {output['evalue']}" for output in outputs if output["output_type"] == "error"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BrokenRun(f"{name_of(folder)}: notebook.ipynb is no notebook ({reason}); {again}") from None
    if failed or errors:
        what = errors[-1] if errors else "stopped before its end"
        raise BrokenRun(f"{name_of(folder)}: its notebook failed ({what}); mend that and run it again")
    return notebook


def papermill_of(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """What papermill noted in a notebook of `read_notebook`: parameters, start and end, whether it failed."""
    return dict(notebook.get("metadata", {}).get("papermill", {}))


def require_notebook_of(planned: PlannedRun, notebook: Mapping[str, Any]) -> None:
    """The notebook was executed with the run's settings into a folder of its name, wherever that lay.

    A field that papermill did not set has its default, or what the notebook's own cell says where it has none.

    Raises:
        BrokenRun: names the first parameter that is another.
    """
    given = papermill_of(notebook).get("parameters")
    given = given if isinstance(given, dict) else {}
    set_to = {field.name: given.get(field.name, field.default) for field in fields(RunSpec)}
    pairs = {name: (value, getattr(planned.spec, name)) for name, value in set_to.items() if value is not MISSING}
    wrong = [(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]]
    if Path(str(given.get("run_folder"))).parts[-3:] != planned.folder.parts[-3:]:
        wrong.append(("run_folder", given.get("run_folder"), planned.folder.as_posix()))
    if wrong:
        name, found, wanted = wrong[0]
        raise BrokenRun(
            f"{planned.folder}: notebook.ipynb was executed with {name} {found!r}, not {wanted!r}: it is that of "
            "another run; restore the file, or remove the folder and run it again"
        )
