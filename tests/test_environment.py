"""The two lists of dependencies say the same."""

import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
# conda's names for the same packages
CONDA_NAMES = {"pytorch": "torch", "opencv": "opencv-python-headless", "matplotlib-base": "matplotlib"}


def test_environment_yml_lists_the_packages_of_pyproject():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["test"]}
    wanted.add(f"python{project['requires-python']}")
    conda = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    listed = {entry for entry in conda if isinstance(entry, str) and entry != "pip"}
    listed |= {entry for entry in pip if not entry.startswith("-e ")}
    renamed = {next((e.replace(c, p, 1) for c, p in CONDA_NAMES.items() if e.startswith(c)), e) for e in listed}
    assert renamed == wanted
    assert "-e ." in pip
