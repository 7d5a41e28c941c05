"""A class may have videos in one part only."""

from pathlib import Path

from studylib.runs.results import load_run
from tests.training.test_loading import VIDEOS, make_index
from tests.training.test_protocol_of_training import SMALL, run


def test_a_class_that_is_only_tested_or_only_trained_is_no_error(data_root: Path, tmp_path: Path) -> None:
    make_index(data_root, label=[0, 1] * (VIDEOS // 2) + [1, 2] * (VIDEOS // 2))
    predictions = load_run(run(tmp_path / "run", **SMALL)).predictions
    assert set(predictions.labels.tolist()) == {1, 2}
    assert all(scores.shape == (2, 4) for scores in predictions.clip_scores)
