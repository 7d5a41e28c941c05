"""Labels that are no class are found before anything is trained on them."""

from pathlib import Path

import pyarrow as pa
import pytest

from studylib.datasets.index import DatasetError
from studylib.runs.results import load_run
from studylib.training import run as training
from studylib.training.spec import RunSpec
from tests.training.test_loading import VIDEOS, make_index
from tests.training.test_protocol_of_training import FIELDS, SMALL, run


@pytest.fixture
def written_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes are written as they come, as some other program might."""
    monkeypatch.setattr("studylib.datasets.index.checked", lambda table, classes, name: table)


@pytest.mark.usefixtures("written_unchecked")
@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": [0, 1, 2, 4] * 20}, "train/3.mp4 has label 4, but there are 4 classes, 0 to 3"),
        ({"label": [0] * 79 + [-1]}, "test/39.mp4 has label -1, but there are 4 classes, 0 to 3"),
        ({"labels": pa.array([[0], [1, 2], [0, 7, 9], [3]] * 20)}, "train/2.mp4 has label 7, but there are 4 classes"),
    ],
)  # fmt: skip
def test_a_label_that_is_no_class_is_found_before_training_starts(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture, changes: dict[str, list], complaint: str
) -> None:
    with pytest.raises(DatasetError, match=complaint):  # it reads what it wrote
        make_index(data_root, **changes)
    RunSpec(**FIELDS | SMALL).save(tmp_path / "run")
    assert training.main([str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: dataset folder-small: {complaint}")
    assert error.endswith("correct the labels or the classes and make the index again\n")
    assert error.count("\n") == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["spec.json"]


def test_a_class_that_is_only_tested_or_only_trained_is_no_error(data_root: Path, tmp_path: Path) -> None:
    make_index(data_root, label=[0, 1] * (VIDEOS // 2) + [1, 2] * (VIDEOS // 2))
    predictions = load_run(run(tmp_path / "run", **SMALL)).predictions
    assert set(predictions.labels.tolist()) == {1, 2}
    assert all(scores.shape == (2, 4) for scores in predictions.clip_scores)
