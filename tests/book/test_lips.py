"""The page on real video."""

import numpy as np
import pytest

from studylib.book.tables import Table
from studylib.datasets.miracl import PUBLISHED_TEST


@pytest.fixture
def tables(shown):
    return [value for value in shown("lips") if isinstance(value, Table)]


def test_accuracies_are_shown_with_and_without_the_people_of_the_pilot(study, tables):
    (table,) = (t.frame for t in tables if ("all speakers", "clip@1") in t.frame)
    row = table.set_index(("", "net")).loc["R3D"]
    own = study[(study["plan"] == "lips") & (study["experiment"] == "conv_types") & (study["net"] == "R3D")]
    right = {True: [], False: []}
    for run in own["result"]:
        p = run.predictions
        for speaker, scores, label in zip(p.speakers, p.clip_scores, p.labels, strict=True):
            right[speaker in PUBLISHED_TEST] += list(scores.argmax(1) == label)
    assert row["without F10, F11, M08", "clip@1"].points == pytest.approx(100 * np.mean(right[False]))
    assert row["all speakers", "clip@1"].points == pytest.approx(100 * np.mean(right[True] + right[False]))
    assert row["all speakers", "clip@1"].unit == "speakers"


def test_the_calibration_has_a_row_for_each_setting_that_was_tried(study, tables):
    (table,) = (t.frame.set_index("setting") for t in tables if "setting" in t.frame)
    tried = study[(study["plan"] == "lips_calibration") & (study["lr"] == 0.056) & (study["epochs"] == 24)]
    own = tried[(tried["split"] == 1) & (tried["net"] == "R3D")]["video_top1"].item()
    assert table.loc["lr 0.056, epochs 24", "split 1, R3D"] == f"{own:.1f}"
    assert f"{tried['video_top1'].mean():.1f}" == table.loc["lr 0.056, epochs 24", "mean"]


def test_our_networks_stand_beside_published_ones_on_the_same_people(study, tables):
    (table,) = (t.frame for t in tables if "tested on" in t.frame and "network" in t.frame)
    own = study[(study["plan"] == "lips") & (study["split"] == 6) & (study["net"] == "R3D")]["video_top1"].item()
    assert table.set_index("network").loc["R3D", "correct (%)"].startswith(f"{own:.1f} (")
    assert list(table["correct (%)"][:3]) == ["60.3", "59", "65"]
