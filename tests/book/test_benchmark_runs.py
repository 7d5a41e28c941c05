"""Which runs stand for which row of Tables 3 to 5, and what a cell says of them: numbers, and what is missing."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from studylib.book import benchmark_data, benchmark_tables, two_streams
from studylib.book import transfer_tables as transfers
from studylib.book.benchmark_runs import TABLE3, TABLE4, TABLE5, Row, find, targets
from studylib.book.tables import PLANS
from studylib.claims import published
from studylib.claims.verdicts_benchmarks import FLOW, FUSED, RGB
from studylib.claims.verdicts_evidence import Evidence, Undecidable
from studylib.claims.verdicts_intervals import CLIP, VIDEO
from tests.recorded_benchmarks import PLANNED, ours, predictions_of, recorded, right, rows_of, text
from tests.verdict_runs import run_of, scored, table


@pytest.fixture(scope="module")
def whole() -> pd.DataFrame:
    return recorded(".")


# --- which runs


@pytest.mark.parametrize("plan", PLANS)
def test_every_row_of_the_papers_own_has_its_runs_in_the_plan_and_no_run_stands_for_two(plan):
    evidence, used = Evidence(recorded(), plan), []
    for rows, splits in ((TABLE3, {1}), (TABLE4, {1}), (TABLE5, {1, 2, 3})):
        for row in rows.values():
            runs = find(evidence, row).runs
            assert {split for _, split in runs} == splits, row
            assert all(len(own) == (2 if row.stream == FUSED else 1) for own in runs.values())
            used += [p.folder for own in runs.values() for p in own if row.stream != FUSED]
    assert len(used) == len(set(used))


def test_the_keys_of_the_rows_are_those_of_the_printed_tables():
    for name, rows in (("table3_sports1m", TABLE3), ("table4_kinetics", TABLE4), ("table5_transfer", TABLE5)):
        printed = published.table(name).query("trained_by_the_paper == 'yes'")
        keys = [printed["method"], *([printed["pretraining"]] if "pretraining" in printed else [])]
        assert {key if isinstance(key, tuple) else (key,) for key in zip(*keys, strict=True)} == {
            (key,) if isinstance(key, str) else key[:2] for key in rows
        }


def test_eight_and_32_frames_are_the_shortest_and_the_longest_clips_of_a_plan():
    evidence = Evidence(recorded(), "mini")
    lengths = [find(evidence, TABLE3[f"R(2+1)D-RGB-{n}frame"]).planned[0].spec.clip_length for n in (8, 32)]
    own = [p.spec.clip_length for p in PLANNED["mini"].runs if p.spec.experiment == "sports1m"]
    assert lengths == [min(own), max(own)]


def test_the_larger_of_two_embedded_targets_plays_ucf101_and_a_real_one_plays_itself():
    assert targets(Evidence(recorded(), "paper")) == {"ucf101": "ucf101", "hmdb51": "hmdb51"}
    played = targets(Evidence(recorded(), "mini"))
    sizes = PLANNED["mini"].datasets
    assert sizes[played["ucf101"]]["train_videos"] > sizes[played["hmdb51"]]["train_videos"]


def test_two_runs_that_both_stand_for_a_row_are_refused():
    runs = recorded()
    double = runs[runs["run"] == "r2plus1d-18_16f_modalityrgb_seed0"].assign(run="another")
    with pytest.raises(Undecidable, match="have the same seed and split"):
        find(Evidence(pd.concat([runs, double]), "mini"), TABLE4["R(2+1)D-RGB", "none"])


# --- numbers


def test_a_cell_is_the_accuracy_of_the_run_with_wilsons_interval_and_a_link(whole):
    cell = rows_of(benchmark_tables.table3(whole), "method").filter(like="plan mini").filter(like=VIDEO)
    shown = cell.loc["R(2+1)D-RGB-8frame"].iloc[0]
    p, n, z = right(predictions_of(whole, "r2plus1d-18_8f_modalityrgb_seed0")) / 100, 60, 1.959964
    centre, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (100 * (centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    assert text(shown).split() == [f"{100 * p:.1f}", f"({low:.0f}–{high:.0f})"]
    assert 'href="run_pages/mini_sports1m_r2plus1d-18_8f_modalityrgb_seed0.html"' in shown


def test_clip_accuracy_is_that_of_the_clips_with_an_interval_over_videos(whole):
    own = predictions_of(whole, "r3d-18_16f_seed0")
    clips = [(s.argmax(1) == label).mean() for s, label in zip(own.clip_scores, own.labels, strict=True)]
    found = find(Evidence(whole, "mini"), TABLE3["R3D"]).measured(CLIP)
    assert found.points == pytest.approx(100 * np.mean(clips))
    assert found.high - found.low == pytest.approx(2 * 196 * np.std(clips, ddof=1) / np.sqrt(60), rel=0.1)
    shown = rows_of(benchmark_tables.table3(whole), "method").filter(like="plan mini").filter(like=CLIP).iloc[:, 0]
    assert text(shown["R3D"]).strip().startswith(f"{found.points:.1f}")
    assert "r3d-18_16f" in shown["R3D"]
    assert "r3d-18_8f" in shown["R3D, shorter clips"]


def test_two_streams_are_the_mean_of_the_scores_of_both(whole):
    streams = [predictions_of(whole, f"from_sports1m_modality{m}_seed0") for m in ("rgb", "flow")]
    found = find(Evidence(whole, "mini"), TABLE4["R(2+1)D-Two-Stream", "Sports-1M"])
    mean = right(*streams, weights=(0.5, 0.5))
    assert found.measured(VIDEO).points == pytest.approx(mean)
    weighted = replace(found, rgb_weight=0.6).measured(VIDEO)
    assert weighted.points == pytest.approx(right(*streams, weights=(0.6, 0.4)))
    assert mean != pytest.approx(right(streams[0]))
    row = rows_of(benchmark_tables.table4(whole), "method", "pretraining").loc[("R(2+1)D-Two-Stream", "Sports-1M")]
    assert f"{mean:.1f}" in row.filter(like="plan mini").filter(like=VIDEO).iloc[0]


def test_a_transfer_is_the_mean_of_three_splits_each_with_its_link(whole):
    names = [f"small_from_kinetics_modalityflow_split{n}_seed0" for n in (1, 2, 3)]
    mean = np.mean([right(predictions_of(whole, name)) for name in names])
    row = rows_of(benchmark_tables.table5(whole), "method", "pretraining").loc[("R(2+1)D-Flow", "Kinetics-400")]
    shown = row.filter(like="as HMDB51").iloc[0]
    assert shown.startswith(f"{mean:.1f} ")
    assert [name for name in names if f"mini_transfer_{name}.html" in shown] == names


def test_several_seeds_are_averaged_and_their_interval_covers_the_seeds():
    spec = PLANNED["mini"].run("kinetics", "r2plus1d-18_16f_modalityrgb_seed0").spec
    values = {0: 50, 1: 60, 2: 70}
    rows = [
        (f"seed{seed}", run_of(type(spec)(**vars(spec) | {"seed": seed}), scored(value, seed)))
        for seed, value in values.items()
    ]
    found = find(Evidence(table(rows, "mini"), "mini"), TABLE4["R(2+1)D-RGB", "none"])
    own = found.measured(VIDEO)
    each = [right(run.predictions) for _, run in rows]
    assert own.points == pytest.approx(np.mean(each))
    alone = find(Evidence(table(rows[:1], "mini"), "mini"), TABLE4["R(2+1)D-RGB", "none"]).measured(VIDEO)
    assert own.high - own.low > 2 * (alone.high - alone.low)
    assert own.high <= 100


# --- what is missing


def test_nothing_recorded_is_not_run_and_no_number_is_ours():
    runs = recorded()
    for shown in (benchmark_tables.table3(runs), benchmark_tables.table4(runs), benchmark_tables.table5(runs)):
        frame = rows_of(shown, "method")
        for plan in PLANS:
            cells = ours(frame, plan)
            cells = cells[[column for column in cells if not column.endswith("net, clip")]]
            own = cells[[name.startswith(("R(2+1)D", "R3D")) for name in frame.index]].to_numpy().ravel()
            assert {text(cell).strip() for cell in own} <= {"not run", ""}
            assert "not run" in text("".join(own))
    assert "not run" in transfers.pretraining_table(runs)._repr_html_()
    for plan in PLANS:
        assert "not run" in two_streams.our_pairs(runs, plan).data
        assert two_streams.curves(runs, plan).empty
        assert transfers.transfer_points(runs, plan).empty
    assert benchmark_data.histories_by_input(runs).empty


def test_others_rows_have_nothing_of_ours(whole):
    shown = rows_of(benchmark_tables.table5(whole), "method")
    assert set(ours(shown, "mini").loc["I3D-RGB"]) == {""}


def test_a_split_that_is_missing_is_said_and_no_mean_is_made_of_the_others():
    runs = recorded(".", but="target_from_kinetics_modalityflow_split2")
    rows = rows_of(benchmark_tables.table5(runs), "method", "pretraining")
    shown = {
        method: rows.loc[(method, "Kinetics-400")].filter(like="as UCF101").iloc[0]
        for method in ("R(2+1)D-RGB", "R(2+1)D-Flow", "R(2+1)D-Two-Stream")
    }
    assert text(shown["R(2+1)D-Flow"]).split() == ["2", "of", "3", "runs", "splits", "1", "3"]
    assert text(shown["R(2+1)D-Two-Stream"]).split() == ["2", "of", "3", "pairs"]
    assert re.match(r"\d+\.\d ", shown["R(2+1)D-RGB"])
    assert "UCF101, from Kinetics" not in set(two_streams.curves(runs, "mini")["pair"])
    pairs = rows_of(two_streams.our_pairs(runs, "mini"), "in the place of").loc["UCF101, from Kinetics"]
    assert "2 of 3 pairs" in pairs.filter(like="mean − RGB").iloc[0]
    points = transfers.transfer_points(runs, "mini")
    assert len(points) == 12 - 2


def test_seeds_that_are_missing_are_said_beside_the_mean_of_the_others():
    spec = PLANNED["mini"].run("kinetics", "r2plus1d-18_16f_modalityrgb_seed0").spec
    other = type(spec)(**vars(spec) | {"seed": 1})
    runs = pd.concat([table([("seed0", run_of(spec, scored(60))), ("seed1", other)], "mini"), recorded(plan="none")])
    runs = runs[(runs["plan"] == "paper") | runs["run"].isin(["seed0", "seed1"])]
    shown = rows_of(benchmark_tables.table4(runs), "method", "pretraining").loc[("R(2+1)D-RGB", "none")]
    cell = text(shown.filter(like="plan mini").filter(like=VIDEO).iloc[0])
    assert "1 of 2 runs" in cell
    assert re.search(r"seed +0 ", cell)


def test_an_unfinished_run_is_told_apart_from_one_that_is_not_run():
    runs = recorded()
    runs.loc[runs["run"] == "r3d-18_16f_seed0", "state"] = "unfinished"
    assert find(Evidence(runs, "mini"), TABLE3["R3D"]).lack == "unfinished"
    assert find(Evidence(runs, "mini"), Row("sports1m", RGB, net="r3d", length="shortest")).lack == "not run"
    assert find(Evidence(runs, "mini"), Row("sports1m", FLOW, net="r3d")).lack == "not planned"
