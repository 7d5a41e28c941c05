"""The chapter on transfer and two streams: its numbers are those of the runs; made up, never trained."""

from functools import cache

import pytest

from studylib.book import transfer
from studylib.stats import accuracy, difference
from studylib.stats.fusion import fuse
from studylib.training.evaluation import video_top_k
from tests.made_study import made_study, random_run


@cache
def lips():
    return transfer.networks(made_study(random_run, ("lips",)), "lips")


def runs_of(net, experiment, seed=0):
    rows = lips()
    return rows[(rows["net_key"] == net) & (rows["experiment"] == experiment) & (rows["seed"] == seed)]["result"]


def test_pretrained_networks_are_compared_with_the_same_ones_from_scratch():
    table = transfer.transferred(lips()).set_index("network")
    assert set(table["pretrained"]) == {"miracl-phrases"}
    assert set(table.index) == {"R(2+1)D", "R3D"}
    tuned, scratch = runs_of("r3d", "transfer"), runs_of("r3d", "conv_types")
    assert table.loc["R3D", "video"] == accuracy(tuned)
    assert table.loc["R3D", "gain"] == difference(tuned, scratch)


def test_two_streams_are_the_mean_of_the_scores_of_both():
    row = transfer.two_streams(lips()).loc[0]
    rgb, flow = runs_of("r2plus1d", "conv_types"), runs_of("r2plus1d", "two_stream")
    both = [video_top_k(fuse(a.predictions, b.predictions), 1) for a, b in zip(rgb, flow, strict=True)]
    assert row.both.points == pytest.approx(sum(both) / 5)
    assert row.flow == accuracy(flow)
    assert row["minus rgb"].points == pytest.approx(row.both.points - accuracy(rgb).points)


def test_without_runs_there_are_no_rows():
    planned = transfer.networks(made_study(plans=("lips",)), "lips")
    assert transfer.transferred(planned).empty
    assert transfer.two_streams(planned).empty


def test_a_seed_with_a_missing_split_has_no_streams():
    def make(planned):
        return None if planned.spec.experiment == "two_stream" and planned.spec.split == 3 else random_run(planned)

    assert transfer.two_streams(transfer.networks(made_study(make, ("lips",)), "lips")).empty


def test_the_papers_streams_are_those_of_its_tables():
    table = transfer.published_streams().set_index(["dataset", "pretrained"])
    assert table.loc[("HMDB51", "Sports-1M"), ["RGB", "Flow", "Two-Stream"]].tolist() == [66.6, 70.1, 72.7]
    assert table.loc[("Sports-1M, 32 frames", "none"), "Two-Stream"] == 73.3
    assert len(table) == 8
