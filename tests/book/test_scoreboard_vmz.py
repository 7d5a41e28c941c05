"""The claims' contrasts on VMZ's published accuracies, against differences taken by hand from its table."""

import pytest

from studylib.book import scoreboard_vmz
from studylib.book.scoreboard_vmz import differences, longer, mean_difference, minus_table4, vmz
from studylib.claims.published import EMPIRICAL, read_claims
from studylib.claims.verdicts import BEST, EARLY_OVER_LATE, MC, MIXED_AS_3D, OVER_FLAT, RMC


def test_every_net_over_time_is_above_both_flat_ones_at_both_lengths():
    found = differences(OVER_FLAT, 8)
    assert len(found) == 18
    assert found["rmc5", "f_r2d"] == min(found.values()) == 1.2  # 49.7 - 48.5
    assert found["mc3", "r2d"] == max(found.values()) == 4.1  # 51.1 - 47
    assert vmz("run-3d-over-2d") == [
        "8 frames: 18 of 18 above 0; weakest rMC5 minus f-R2D +1.2",
        "16 frames: 18 of 18 above 0; weakest rMC5 minus f-R2D +1.8",  # 52.5 - 50.7
    ]


def test_r2plus1d_is_ahead_of_all_eleven():
    found = differences(BEST, 8)
    assert len(found) == 11
    assert found["r2plus1d", "mc3"] == min(found.values()) == 2.1  # 53.2 - 51.1
    assert differences(BEST, 16)["r2plus1d", "mc4"] == 3.0  # 57.3 - 54.3


def test_mixed_nets_are_within_two_points_of_r3d():
    assert differences(MIXED_AS_3D, 8) == {
        ("mc2", "r3d"): 0.8, ("mc3", "r3d"): 1.3, ("mc4", "r3d"): 1.1, ("mc5", "r3d"): 0.9,
    }  # fmt: skip
    assert vmz("run-mc-r3d")[0] == "8 frames: 4 of 4 within 2 points; weakest MC3 minus R3D +1.3"


def test_early_is_compared_with_late_by_means_and_pair_by_pair():
    assert mean_difference(MC, RMC, 8) == pytest.approx((50.6 + 51.1 + 50.9 + 50.7 - 50.2 - 50.2 - 50.3 - 49.7) / 4)
    assert vmz("run-mc-rmc") == ["8 frames: +0.73 points", "16 frames: +0.65 points"]
    # 50.6 - 49.7, 51.1 - 50.3, 50.9 - 50.2, 50.7 - 50.2
    assert list(differences(EARLY_OVER_LATE, 8).values()) == [0.9, 0.8, 0.7, 0.5]


def test_what_vmz_has_of_clip_length_depth_and_table_4():
    assert longer() == 4.1  # 57.3 - 53.2
    assert vmz("run-test-error") == ["18 layers only, R(2+1)D minus R3D: 8 frames +3.4, 16 frames +4.4 points"]
    # 72.4 - 72.0, 74.2 - 74.3, 68.2 - 68.5
    assert minus_table4() == {("RGB", "none"): 0.4, ("RGB", "Sports-1M"): -0.1, ("Flow", "Sports-1M"): -0.3}
    assert vmz("run-kinetics")[0] == "3 of 3 within 2 points, dense test clips"


def test_what_vmz_has_not_published_is_left_empty():
    empirical = set(read_claims(EMPIRICAL))
    assert set(scoreboard_vmz.CONTRASTS) < empirical
    for id in ("run-motion", "run-nonlinearity", "run-video-peak", "run-transfer", "run-sports", "run-fusion"):
        assert vmz(id) == []
