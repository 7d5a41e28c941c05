"""The README's example of an analysis gives what the recorded runs say."""

import re

import pytest

from studylib import REPOSITORY


def test_the_example_of_the_readme_runs_and_gives_the_accuracies_of_the_runs():
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    (example,) = (block for block in blocks if "studylib import stats" in block)
    names = {}
    exec(example, names)
    clip = names["done"].groupby("net")["clip_top1"].mean()
    gap = names["gap"]
    assert gap.points == pytest.approx(clip["R(2+1)D"] - clip["R3D"])
    assert gap.low < gap.points < gap.high
    assert gap.unit == "videos and seeds"
