"""From the parameters papermill sets in a notebook to the run they describe."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studylib.plan import REPOSITORY
from studylib.spec import RunSpec, SpecError

PLAIN = (str, int, float, bool, list, dict, type(None))  # what papermill can set
NOT_PARAMETERS = ("run_folder", "In", "Out")  # the last two are IPython's own


def spec_of_parameters(names: Mapping[str, Any]) -> tuple[RunSpec, Path]:
    """The spec and the run folder of a notebook whose only names so far are its parameters; saves `spec.json`.

    papermill defines any name it is given, so a misspelt one would leave the right one at its default without a word:
    every name is taken for a parameter here, and an unknown one is refused.

    Paths are from the repository's root, where papermill is called: an editor that opens the notebook starts it in its
    own folder instead, so the kernel goes to the root first.

    Args:
        names: the notebook's `globals()`, in its first cell after the parameters.

    Raises:
        SpecError: names the parameter and what it takes, or the run folder that holds another run.
    """
    if Path.cwd().is_relative_to(REPOSITORY / "book"):
        os.chdir(REPOSITORY)
    parameters = {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and name not in NOT_PARAMETERS and isinstance(value, PLAIN)
    }
    run_folder = names.get("run_folder")
    if not isinstance(run_folder, str | Path) or not str(run_folder):
        raise SpecError(f"run_folder: {run_folder!r} is not the path of a folder for the results")
    spec = RunSpec.from_parameters(parameters)
    spec.save(Path(run_folder))
    return spec, Path(run_folder)
