"""The chapter on clip length: its numbers are those of the runs; made up, never trained."""

import pytest

from studylib.book import clip_length
from studylib.book.clip_length import MOVED, SCRATCH, TUNED
from studylib.training.evaluation import clip_top1, video_top_k
from tests import verdict_runs
from tests.verdict_runs import PLAN


def networks(without=(), **accuracies):
    """R(2+1)D at 8, 16 and 32 frames, moved and fine-tuned; runs whose names begin with `without` are planned only."""
    made = verdict_runs.lengths(whole=(0.1, 0.4, 0.8), **accuracies)
    rows = [(name, run.spec if name.startswith(tuple(without)) else run) for name, run in made]
    table = verdict_runs.table(rows)
    flops = [run.metrics["flops"] if run is not None else None for run in table["result"]]
    return clip_length.networks(table.assign(flops=flops), PLAN)


def scratch(rows):
    return rows[rows["how"] == SCRATCH]


def test_what_a_run_tests_is_told_by_where_its_weights_come_from():
    rows = networks().drop_duplicates(["how", "clip_length"])
    found = set(rows[["how", "trained_at", "clip_length"]].itertuples(index=False, name=None))
    own = {(SCRATCH, frames, frames) for frames in (8, 16, 32)}
    assert found == own | {(MOVED, 8, 32), (TUNED, 8, 32)}


def test_accuracies_and_gain_of_a_length_are_those_of_its_runs():
    rows = scratch(networks())
    table = clip_length.by_length(rows).set_index("frames")
    assert list(table.index) == [8, 16, 32]
    predictions = [run.predictions for run in rows.loc[rows["clip_length"] == 16, "result"]]
    clip, video = (sum(map(of_run, predictions)) / 3 for of_run in (clip_top1, lambda p: video_top_k(p, 1)))
    assert table.loc[16, "clip"].points == pytest.approx(clip)
    assert table.loc[16, "video"].points == pytest.approx(video)
    assert table.loc[16, "gain"].points == pytest.approx(video - clip)
    assert table["correlation"].map(lambda found: found.points).is_monotonic_increasing


def test_lengths_without_a_complete_seed_are_left_out():
    rows = scratch(networks(without=["l16"]))
    assert clip_length.by_length(rows)["frames"].tolist() == [8, 32]
    assert clip_length.by_length(scratch(networks(without=["l", "at", "base", "tuned"]))).empty


def test_the_two_experiments_compare_the_short_network_with_the_long_one():
    rows = networks(l8=60, l32=70, moved=50, tuned=69)
    found = clip_length.experiments(rows)
    loss = found["the short network on short clips"].points - found["the short network on long clips"].points
    assert found["the short network on long clips: loss"].points == pytest.approx(loss)
    close = found["fine-tuned to long clips"].points - found["trained on long clips from scratch"].points
    assert found["fine-tuned minus from scratch"].points == pytest.approx(close)
    # 45 epochs of 8 frames and 15 of 32, instead of 45 of 32
    assert found["share of multiply-adds saved"] == pytest.approx(1 - (45 * 8 + 15 * 32) / (45 * 32))


def test_experiments_without_runs_have_no_numbers():
    found = clip_length.experiments(networks(without=["at32", "tuned"]))
    assert found["the short network on long clips: loss"] is None
    assert found["share of multiply-adds saved"] is None
    assert found["trained on long clips from scratch"] is not None


def test_the_figure_draws_the_accuracies():
    table = clip_length.by_length(scratch(networks()))
    (axes,) = clip_length.figure5({"study": table}).axes
    for bars, column in zip(axes.containers, ("clip", "video"), strict=True):
        assert list(bars.lines[0].get_ydata()) == [found.points for found in table[column]]
