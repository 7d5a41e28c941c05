"""What the notebooks of the experiments open with: claim, paper's numbers, cost, command."""

import re
from pathlib import Path

import nbformat
import yaml

from studylib import REPOSITORY
from studylib.training.spec import RunSpec

FOLDER = REPOSITORY / "book" / "experiments"
# not `conv_types copy`, nor `conv_types-Copy1`
ALL = tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb") if path.stem.isidentifier()))
BEYOND = ("cues", "mechanism", "regime")  # the paper: no number to compare with
DOWNLOADED = ("released",)  # the weights, and the videos that they are tested on


def cells(experiment: str) -> list[nbformat.NotebookNode]:
    """The cells of an experiment's notebook."""
    return nbformat.read(FOLDER / f"{experiment}.ipynb", as_version=4).cells


def opening_lines(experiment: str) -> str:
    """The text that the notebook of an experiment opens with, as it is written."""
    return cells(experiment)[0].source


def opening(experiment: str) -> str:
    """That text as one line."""
    return " ".join(opening_lines(experiment).split())


def part(experiment: str, name: str) -> str:
    """The part of that line that begins with this name in bold, up to the next: `Claim`, `Cost`, `Command`."""
    return re.search(rf"\*\*{name}\.?\*\* ?(.*?)(?=\*\*[A-Z]|$)", opening(experiment))[1]


def shell(experiment: str) -> list[list[str]]:
    """The commands of the block of shell code, as words."""
    [block] = re.findall(r"```bash\n(.*?)```", opening_lines(experiment), re.DOTALL)
    return [line.split() for line in block.replace("\\\n", " ").splitlines()]


def commanded(experiment: str) -> list[RunSpec]:
    """The runs of the papermill commands: the notebook's parameters, and in their place what the command gives."""
    specs = []
    for words in shell(experiment):
        if words[0] == "papermill":
            assert Path(words[1]) == (FOLDER / f"{experiment}.ipynb").relative_to(REPOSITORY)
            assert words[3:5] == ["--cwd", "."]
            assert words[5::3] == ["-p"] * len(words[5::3])
            given = {name: yaml.safe_load(value) for name, value in zip(words[6::3], words[7::3], strict=True)}
            assert given.pop("run_folder").startswith("my_")
            specs.append(RunSpec.from_parameters(parameters(experiment) | given))
    return specs


def parameters(experiment: str) -> dict:
    """What the cell of parameters sets of a run."""
    found: dict = {}
    exec(cells(experiment)[1].source, found)
    return {name: value for name, value in found.items() if name in RunSpec.__dataclass_fields__}
