"""What tests need of the machine and pip does not bring: Slurm, a browser, git.

Where it is missing, what needs it is left out with one line that says so. STUDY_REQUIRED names what must not be left
out, as in `STUDY_REQUIRED="slurm browser"`: `.ci/run` installs it and sets that.
"""

import os


def required(name: str) -> bool:
    """Whether it is a fault that this is missing."""
    return name in os.environ.get("STUDY_REQUIRED", "").split()


def need(name: str, missing: str) -> None:
    """Leave the test out, or fail it where this is required, if `missing` says that something is."""
    import pytest  # here, because the check of a built book does without

    if missing:
        (pytest.fail if required(name) else pytest.skip)(missing)
