"""The videos that a plan fixes: a dataset's manifest hash, written down in the plan before anything is recorded on it.

A study compares runs on one set of videos. Of a generated dataset the hash covers what the videos are made from, not
the files: another kind of processor rounds single pixels otherwise, another encoder writes other bytes.
"""

from studylib.datasets.index import DatasetError, load_index
from studylib.plan import Plan, PlanError

SHOWN = 10  # digits of a hash that a message shows


def difference(name: str, found: str | None, fixed: str) -> str:
    """What is wrong with a dataset whose manifest is not the fixed one, and what to do; "" where it is that or none is
    fixed."""
    if not fixed or found == fixed:
        return ""
    return (
        f"dataset {name}: its manifest is {str(found)[:SHOWN]}, the plan fixes {fixed[:SHOWN]}: these are other videos "
        "(other settings, or another version of what makes them); for a study of your own on them copy the plan and "
        "leave `manifest` out"
    )


def check_datasets(plan: Plan) -> None:
    """Refuse to go on where a dataset that the plan fixes is here with other videos; nothing is touched.

    Raises:
        PlanError: names the plan, the dataset, both manifests and what to do.
    """
    for name, fixed in plan.manifests.items():
        try:
            found = load_index(name).manifest_hash
        except DatasetError:  # it is not here yet, or broken, which a run on it will say
            continue
        if wrong := difference(name, found, fixed):
            raise PlanError(f"runs/{plan.name}.yaml: {wrong}")
