"""Linear expected-value models: `EventSample` against textbook regressions and the fast scan of dates."""

from __future__ import annotations

import numpy as np
import pytest

from drainstats.episodes.study.expected.abnormal import Offsets, abnormal_values
from drainstats.episodes.study.expected.linear import event_sample

OFFSETS = Offsets((-100, -6), (-1, 2))


def outcomes(shape=(150, 6), seed=0, holes=0.1):
    rng = np.random.default_rng(seed)
    y = 5.0 + rng.standard_normal(shape) + rng.standard_normal((*shape[:-1], 1))
    y[..., :110, :] = np.where(rng.random((*shape[:-2], 110, shape[-1])) < holes, np.nan, y[..., :110, :])
    return y, rng.standard_normal((shape[-2], 3))


@pytest.mark.parametrize("k", [0, 1, 3])
def test_every_asset_is_a_textbook_regression(k):
    y, x = outcomes()
    sample = event_sample(y, OFFSETS, 120, market=x[:, :k] if k else None)
    for i in range(6):
        rows = np.arange(20, 115)
        rows = rows[np.isfinite(y[rows, i])]
        design = np.column_stack([np.ones(150), x[:, :k]])
        inside, ahead = design[rows], design[119:123]
        coefficients = np.linalg.lstsq(inside, y[rows, i], rcond=None)[0]
        e = y[rows, i] - inside @ coefficients
        sigma = np.sqrt(e @ e / (len(rows) - k - 1))
        spread = np.linalg.inv(inside.T @ inside)
        # Rounding of two solvers of one least-squares problem.
        np.testing.assert_allclose(sample.event[:, i], y[119:123, i] - ahead @ coefficients, atol=1e-12)
        np.testing.assert_allclose(sample.estimation[rows - 20, i], e, atol=1e-12)
        assert sample.sigma[i] == pytest.approx(sigma, rel=1e-12)
        error = sigma * np.sqrt(1 + np.einsum("sa,ab,sb->s", ahead, spread, ahead))
        np.testing.assert_allclose(sample.error[:, i], error, rtol=1e-12)
        total = ahead.sum(axis=0)
        assert sample.total_error[i] == pytest.approx(sigma * np.sqrt(4 + total @ spread @ total), rel=1e-12)
        assert sample.freedom[i] == len(rows) - k - 1


@pytest.mark.parametrize("k", [0, 1])
def test_the_sample_agrees_with_the_scan_of_dates_and_carries_leading_axes(k):
    y, x = outcomes((2, 150, 6))
    market = x[:, 0] if k else None
    sample = event_sample(y, OFFSETS, 120, market=market)
    fits = abnormal_values(y, OFFSETS, 120, 1, market=market)
    np.testing.assert_allclose(sample.event.sum(axis=-2) / sample.total_error, fits.standardized[:, 0], rtol=1e-11)
    np.testing.assert_allclose(sample.correlation, fits.correlation[:, 0], rtol=1e-11)
    np.testing.assert_array_equal(sample.usable, fits.usable[:, 0])


def test_flat_late_and_perfectly_explained_assets_are_not_usable():
    y, x = outcomes(holes=0.0)
    y[:, 0], y[:, 1] = 1e7, 2.0 + 3.0 * x[:, 0]
    y[:105, 2], y[121, 3] = np.nan, np.nan
    np.testing.assert_array_equal(
        event_sample(y, OFFSETS, 120, market=x[:, 0], min_rows=20).usable, [False, False, False, False, True, True]
    )


def test_collinear_regressors_change_nothing():
    y, x = outcomes()
    once, twice = (event_sample(y, OFFSETS, 120, market=m) for m in (x[:, :1], np.repeat(x[:, :1], 2, axis=1)))
    np.testing.assert_allclose(twice.event, once.event, atol=1e-10)
