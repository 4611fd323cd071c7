"""Kyle's and Hasbrouck's lambda: statsmodels, the peers' conventions, planted truth, ugly flows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.measures.truth import covered

M = ds.measures
LAMBDA = 2e-3


def flows(rng, rows, columns):
    """Prices (rows, columns) moved by heavy-tailed signed volume, and that volume."""
    flow = 1000 * rng.standard_t(4, (rows, columns))
    return 1000 + np.cumsum(LAMBDA * flow + rng.normal(0, 2, (rows, columns)), axis=0), flow


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("returns", ["difference", "log", "simple"])
def test_each_window_is_a_regression(intercept, returns):
    price, flow = flows(np.random.default_rng(0), 50, 2)
    found = M.kyle_lambda(price, flow, returns=returns, intercept=intercept, with_se=True)
    change = {
        "difference": np.diff(price, axis=0),
        "log": np.diff(np.log(price), axis=0),
        "simple": price[1:] / price[:-1] - 1,
    }
    assert np.isnan(found.estimate[:20]).all()
    for t in (20, 37, 49):
        x = flow[t - 19 : t + 1, 1]
        theirs = sm.OLS(change[returns][t - 20 : t, 1], sm.add_constant(x) if intercept else x).fit(cov_type="HC3")
        assert found.estimate[t, 1] == pytest.approx(theirs.params[-1], rel=1e-9)
        assert found.std_error[t, 1] == pytest.approx(theirs.bse[-1], rel=1e-9)


def test_without_an_intercept_it_is_a_ratio_of_sums():
    """frds: x'y / x'x."""
    price, flow = flows(np.random.default_rng(1), 21, 1)
    x, y = flow[1:, 0], np.diff(price[:, 0])
    assert M.kyle_lambda(price, flow, intercept=False)[-1, 0] == pytest.approx(x @ y / (x @ x), rel=1e-12)


def test_mean_ratio_by_hand():
    price, flow = np.array([10.0, 10.2, 10.1, 10.1, 10.4]), np.array([7.0, 100.0, -25.0, 0.0, 50.0])
    found = M.kyle_lambda(price, flow, window=5, method="mean_ratio", with_se=True)
    ratios = np.array([0.2 / 100, 0.1 / 25, 0.3 / 50])  # the row without flow has none
    assert found.estimate[-1] == pytest.approx(ratios.mean())
    assert found.std_error[-1] > 0 or np.isnan(found.std_error[-1])


def test_hasbrouck_takes_signed_roots():
    rng = np.random.default_rng(2)
    value = rng.normal(0, 1e6, (40, 2))
    price = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (40, 2)), axis=0))
    root = np.sign(value) * np.sqrt(np.abs(value))
    plain = M.hasbrouck_lambda(price, value)
    np.testing.assert_array_equal(M.hasbrouck_lambda(price, root, flow="root"), plain)
    np.testing.assert_array_equal(M.kyle_lambda(price, root, returns="log", intercept=False), plain)
    assert plain[-1, 0] == pytest.approx(
        sm.OLS(np.diff(np.log(price[-21:, 0])), root[-20:, 0]).fit().params[0], rel=1e-9
    )


@pytest.mark.parametrize("method", ["ols", "mean_ratio"])
def test_units_columns_and_prefixes(method):
    price, flow = flows(np.random.default_rng(3), 60, 5)

    def measure(price, flow):
        return M.kyle_lambda(price, flow, method=method)

    whole = measure(price, flow)
    np.testing.assert_array_equal(measure(price, 2.0**20 * flow) * 2.0**20, whole)
    np.testing.assert_array_equal(measure(2 * price, flow), 2 * whole)
    np.testing.assert_array_equal(measure(price[:, ::-1], flow[:, ::-1]), whole[:, ::-1])
    np.testing.assert_allclose(measure(price[-21:], flow[-21:])[-1], whole[-1], rtol=1e-12)
    np.testing.assert_array_equal(measure(price, -flow), -whole)
    ds.causal.assert_causal(measure, (price, flow), min_rows=21)
    ds.causal.assert_causal(M.hasbrouck_lambda, (price, flow), min_rows=21)


def test_no_flow_has_no_lambda_and_constant_prices_have_none_of_it():
    price, flow = flows(np.random.default_rng(4), 30, 2)
    for method in ("ols", "mean_ratio"):
        assert np.isnan(M.kyle_lambda(price, 0 * flow, method=method)).all()
        assert (M.kyle_lambda(np.full_like(price, 5.0), flow, method=method)[20:] == 0).all()
    assert np.isnan(M.kyle_lambda(price, np.full_like(flow, 3.0))).all()
    assert np.isfinite(M.kyle_lambda(price, np.full_like(flow, 3.0), intercept=False)[20:]).all()


def test_gaps_drop_out():
    price, flow = flows(np.random.default_rng(5), 40, 1)
    price[20], flow[30] = np.nan, np.nan
    x, y = flow[1:, 0], np.diff(price[:, 0])
    used = np.isfinite(x) & np.isfinite(y)
    slope = np.polyfit(x[used], y[used], 1)[0]
    assert M.kyle_lambda(price, flow, window=40)[-1, 0] == pytest.approx(slope, rel=1e-9)
    assert np.isnan(M.kyle_lambda(price, flow, window=40, min_rows=37)[-1, 0])


def test_bad_use_is_a_sentence():
    price, flow = flows(np.random.default_rng(6), 30, 1)
    with pytest.raises(OptionError, match="'mean_ratio'"):
        M.kyle_lambda(price, flow, method="median")
    with pytest.raises(OptionError, match="'root'"):
        M.hasbrouck_lambda(price, flow, flow="sqrt")
    with pytest.raises(OptionError, match="'difference'"):
        M.kyle_lambda(price, flow, returns="points")
    with pytest.raises(OptionError, match="at least 4"):
        M.kyle_lambda(price, flow, window=3)
    with pytest.raises(DataError, match="not above zero"):
        M.kyle_lambda(0 * price, flow)
    with pytest.raises(DataError, match="infinite"):
        M.kyle_lambda(price, np.full_like(flow, np.inf))


@pytest.mark.parametrize("window", [21, 100])
def test_intervals_cover_the_planted_slope(window):
    """2000 assets: Monte Carlo error of the coverage 0.5 points, of the mean 0.01e-3."""
    price, flow = flows(np.random.default_rng(7), window, 2000)
    found = M.kyle_lambda(price, flow, window=window, with_se=True)
    assert 0.88 < covered(found, LAMBDA) < 0.98
    assert found.estimate[-1].mean() == pytest.approx(LAMBDA, abs=0.03e-3)
    value = 1e3 * flow
    moved = 1e-6 * np.sign(value) * np.sqrt(np.abs(value))
    price = 100 * np.exp(np.cumsum(moved + np.random.default_rng(8).normal(0, 1e-3, value.shape), axis=0))
    found = M.hasbrouck_lambda(price, value, window=window, with_se=True)
    assert 0.88 < covered(found, 1e-6) < 0.98
    assert found.estimate[-1].mean() == pytest.approx(1e-6, rel=0.01)


def test_the_mean_of_ratios_is_ruled_by_rows_with_little_flow():
    """Its average over 2000 assets misses by far more than the slope's, its median does not."""
    price, flow = flows(np.random.default_rng(9), 21, 2000)
    slope = M.kyle_lambda(price, flow)[-1]
    ratio = M.kyle_lambda(price, flow, method="mean_ratio")[-1]
    assert ratio.std() > 20 * slope.std()
    assert np.median(ratio) == pytest.approx(LAMBDA, rel=0.1)


def test_a_series_keeps_its_name():
    price, flow = flows(np.random.default_rng(10), 30, 1)
    found = M.kyle_lambda(pd.Series(price[:, 0], name="BTC"), pd.Series(flow[:, 0]))
    assert found.name == "BTC"


def test_nothing_at_all():
    empty = np.full((30, 2), np.nan)
    for method in ("ols", "mean_ratio"):
        found = M.kyle_lambda(empty, empty, method=method, with_se=True)
        assert np.isnan(found.estimate).all()
        assert np.isnan(found.std_error).all()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("level", [0.0, 1e4])
def test_slopes_without_errors_are_those_with_errors(intercept, level):
    """Two kernels, one answer: with holes, few rows, constant flow, and a flow far from zero."""
    rng = np.random.default_rng(3)
    price, flow = flows(rng, 400, 7)
    flow += level
    flow[rng.random(flow.shape) < 0.2] = np.nan
    price[rng.random(price.shape) < 0.1] = np.nan
    flow[100:160, 0], flow[200:260, 1], flow[:, 2] = 0.1, np.nan, 0.0
    flow[100:150, 3] = np.where(rng.random(50) < 0.9, np.nan, flow[100:150, 3])
    for window in (4, 21, 150):
        options = {"window": window, "intercept": intercept, "min_rows": 3 if window > 4 else None}
        bare, fitted = (M.kyle_lambda(price, flow, with_se=se, **options) for se in (False, True))
        np.testing.assert_allclose(bare, fitted.estimate, rtol=1e-9, atol=1e-9 * LAMBDA)
        assert np.isfinite(bare).any()
