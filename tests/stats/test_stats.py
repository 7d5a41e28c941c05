"""Quantiles against scipy.stats, and resampling in its two ways."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats

from studylib.stats.intervals import DRAWS_A_COUNT, FEW, Z95, resampled_means, student_quantile


@pytest.mark.parametrize("degrees", [1, 2.3, 30, 1600, inf])
@pytest.mark.parametrize("probability", [0.975, 1 - 0.025 / 18])
def test_quantiles_of_student_are_scipys(probability, degrees):
    assert student_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-12)


def test_the_normal_quantile_is_scipys():
    assert stats.norm.ppf(0.975) == Z95


@pytest.mark.parametrize("distinct", [3, 400], ids=["counted", "drawn"])
def test_resampled_means_have_the_mean_and_the_spread_of_means_of_values_drawn_with_replacement(distinct):
    values = np.random.default_rng(1).integers(distinct, size=1600).astype(float)
    assert (len(set(values)) > max(FEW, len(values) / DRAWS_A_COUNT)) == (distinct == 400)  # both ways are tested
    means = resampled_means(values, 10_000, np.random.default_rng(2))
    assert means.shape == (10_000,)
    assert means.mean() == pytest.approx(values.mean(), abs=5 * values.std() / sqrt(1600 * 10_000))
    assert means.std() == pytest.approx(values.std() / sqrt(1600), rel=0.04)
    again = resampled_means(values, 10_000, np.random.default_rng(2))
    assert (means == again).all()
