"""The difference of the two networks: whether settings move it."""

import json
import re

import pytest

from studylib.book import calibration, calibration_gaps
from tests.made_calibration import BASE, GOOD, MadeCalibration


@pytest.fixture
def study(tmp_path):
    return MadeCalibration(tmp_path)


def order(study, name="lr"):
    return calibration_gaps.order_note(calibration.comparison(study.load(), name)).data


def test_the_sentence_on_the_order_follows_the_data(study):
    study.run(GOOD, **BASE).run(GOOD, lr=0.0035).run(GOOD, lr=0.028)
    better = GOOD | {"direction": 0.9}
    for rate in (0.0035, 0.01, 0.028):
        study.run(better, **(BASE | {"lr": rate}), net="r2plus1d")
    assert "In all three the order of the two is the same: R(2+1)D is ahead." in order(study)
    assert "Nowhere does the difference change" in order(study)
    study.run(better | {"tempo": 0.95}, lr=0.028, net="r3d")
    assert "The order of the two changes: R(2+1)D is ahead at 0.0035 and 0.01, R3D is ahead at 0.028." in order(study)
    assert "the difference changes by more than its interval at 0.028." in order(study)


def test_a_setting_that_is_not_run_is_left_out_of_the_order_and_named(study):
    study.run(GOOD | {"pose": 1.0}, **BASE).run(lr=0.028)
    study.run(GOOD, **BASE, net="r3d")
    told = order(study)
    assert "In both the order of the two is the same" in told or "The order of the two changes" in told
    assert told.endswith("*Not run:* 0.0035.")
    assert (
        "not run"
        in calibration_gaps.comparison_table(calibration.comparison(study.load(), "lr"), "rate").frame.iloc[0, 1]
    )


def test_one_value_alone_has_no_order(study):
    assert "Of three values only 0.01 has been run: no order to compare." in order(study.run(**BASE))


def test_the_table_of_a_setting_has_both_nets_their_difference_and_how_it_moves(study):
    study.run(GOOD, **BASE).run(GOOD, lr=0.028).run(GOOD | {"tempo": 0.95}, lr=0.028, net="r2plus1d")
    table = calibration_gaps.comparison_table(calibration.comparison(study.load(), "lr"), "rate", training=True)
    rows = table.frame.set_index("rate")
    assert list(rows.index) == ["0.0035", "0.01 (as in the base)", "0.028"]
    assert rows.loc["0.028", "R(2+1)D, video@1"].startswith("<a href")
    assert rows.loc["0.028", "difference, points"].startswith("+5.0")
    assert "videos only" in rows.loc["0.028", "difference, points"]
    assert "videos only" not in rows.loc["0.01 (as in the base)", "difference, points"]  # three seeds of each
    assert rows.loc["0.028", "change of the difference"].startswith("+5.0")
    assert "seeds in part" in rows.loc["0.028", "change of the difference"]
    assert "Epochs: 4." in table.caption
    assert "which covers the draw of the test videos only" in table.caption
    assert re.fullmatch(r"\d\d\.\d", rows.loc["0.028", "R3D, training clips"])


def test_texts_come_with_the_bases_value_first():
    assert calibration._in_order(["a", "b", "c"], "b") == ["b", "a", "c"]
    assert calibration._in_order([24, 6, 12], 12) == [6, 12, 24]


def test_a_comparison_tells_the_hardware_of_its_runs(study):
    study.run(**BASE).run(lr=0.028)
    moved = next(study.root.glob("runs/calibration/conv_types/*lr0.028*/provenance.json"))
    moved.write_text(json.dumps(json.loads(moved.read_text()) | {"device": "NVIDIA <X>"}))
    table = calibration_gaps.comparison_table(calibration.comparison(study.load(), "lr"), "rate").frame
    assert dict(zip(table["rate"], table["hardware"], strict=True)) == {
        "0.0035": "",
        "0.01 (as in the base)": "CPU",
        "0.028": "CPU, NVIDIA &lt;X&gt;",
    }
