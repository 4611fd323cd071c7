"""Resiliency: exact decays, statsmodels, planted persistence with bias and coverage, what never comes back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.measures.truth import covered

M = ds.measures


def reverting(rng, rows, columns, stay, burn=100):
    """AR(1) of persistence ``stay`` about 50, (rows, columns)."""
    x = np.zeros((rows + burn, columns))
    for t in range(1, rows + burn):
        x[t] = stay * x[t - 1] + rng.normal(size=columns)
    return 50 + x[burn:]


def test_an_exact_decay_is_found_exactly():
    for stay in (0.1, 0.5, 0.9, 0.99):
        depth = 100 - 40 * stay ** np.arange(12.0)
        speed = M.resilience(depth, window=12, bias="keep")[-1]
        life = M.resilience(depth, window=12, output="half_life", bias="keep")[-1]
        assert speed == pytest.approx(1 - stay, rel=1e-9)
        assert life == pytest.approx(np.log(2) / -np.log(stay), rel=1e-7)
        # After a half-life half of the gap is left.
        assert stay**life == pytest.approx(0.5)


@pytest.mark.parametrize("lags", [0, 2])
def test_each_window_is_a_regression(lags):
    x = reverting(np.random.default_rng(0), 120, 2, 0.7)
    found = M.resilience(x, window=60, lags=lags, bias="keep", errors="newey_west", with_se=True)
    assert np.isnan(found.estimate[:59]).all()
    for t in (59, 90, 119):
        cut = pd.Series(x[t - 59 : t + 1, 1])
        columns = [cut.shift(), *(cut.diff().shift(k) for k in range(1, lags + 1))]
        design = sm.add_constant(pd.concat(columns, axis=1, ignore_index=True).iloc[1 + lags :].to_numpy())
        theirs = sm.OLS(cut.diff().iloc[1 + lags :].to_numpy(), design).fit(
            cov_type="HAC", cov_kwds={"maxlags": int(4 * ((59 - lags) / 100) ** (2 / 9)), "use_correction": True}
        )
        assert found.estimate[t, 1] == pytest.approx(-theirs.params[1], rel=1e-9)
        assert found.std_error[t, 1] == pytest.approx(theirs.bse[1], rel=1e-9)


def test_kendall_adds_back_the_bias():
    x = reverting(np.random.default_rng(1), 101, 1, 0.8)
    keep = 1 - M.resilience(x, window=101, bias="keep")[-1, 0]
    assert 1 - M.resilience(x, window=101)[-1, 0] == pytest.approx(keep + (1 + 3 * keep) / 100, rel=1e-12)


def test_what_never_comes_back_has_an_infinite_half_life():
    growing = 1.1 ** np.arange(40.0)
    found = M.resilience(growing, window=30, output="half_life", bias="keep", with_se=True)
    assert np.isposinf(found.estimate[29:]).all()
    assert np.isnan(found.std_error).all()
    assert (M.resilience(growing, window=30, bias="keep")[29:] < 0).all()
    trend = np.arange(40.0)
    assert np.isposinf(M.resilience(trend, window=30, output="half_life", bias="keep")[29:]).all()


def test_what_turns_over_within_a_row_has_none():
    swing = 5 + (-0.6) ** np.arange(20.0)
    assert M.resilience(swing, window=20, bias="keep")[-1] == pytest.approx(1.6)
    assert M.resilience(swing, window=20, output="half_life", bias="keep")[-1] == 0


def test_constants_gaps_and_short_series():
    for nothing in (np.full(30, 7.0), np.full(30, np.nan)):
        for output in ("speed", "half_life"):
            found = M.resilience(nothing, window=20, output=output, with_se=True)
            assert np.isnan(found.estimate).all()
            assert np.isnan(found.std_error).all()
    x = reverting(np.random.default_rng(2), 80, 1, 0.5)
    x[30:33] = np.nan
    used = pd.DataFrame({"now": x[:, 0], "past": np.r_[np.nan, x[:-1, 0]]}).dropna()
    slope = np.polyfit(used["past"], used["now"], 1)[0]
    assert M.resilience(x, window=80, bias="keep")[-1, 0] == pytest.approx(1 - slope, rel=1e-9)
    assert np.isnan(M.resilience(x, window=80, min_rows=76)[-1, 0])
    with pytest.raises(DataError, match="fewer than the window"):
        M.resilience(x)


def test_units_columns_and_prefixes():
    x = reverting(np.random.default_rng(3), 90, 3, 0.6)
    whole = M.resilience(x, window=60)
    np.testing.assert_array_equal(M.resilience(2.0**30 * x, window=60), whole)
    np.testing.assert_allclose(M.resilience(1e6 - 1e3 * x, window=60), whole, rtol=1e-8)
    np.testing.assert_array_equal(M.resilience(x[:, ::-1], window=60), whole[:, ::-1])
    np.testing.assert_array_equal(M.resilience(x[-60:], window=60)[-1], whole[-1])
    ds.causal.assert_causal(lambda x: M.resilience(x, window=60, lags=1), x, min_rows=60)
    ds.causal.assert_causal(lambda x: M.resilience(x, window=60, output="half_life"), x, min_rows=60)


def test_bad_use_is_a_sentence():
    x = reverting(np.random.default_rng(4), 60, 1, 0.6)
    with pytest.raises(OptionError, match="at most 4"):
        M.resilience(x, window=50, lags=5)
    with pytest.raises(OptionError, match="kendall"):
        M.resilience(x, window=50, lags=1, bias="kendall")
    with pytest.raises(OptionError, match="'half_life'"):
        M.resilience(x, window=50, output="days")
    with pytest.raises(DataError, match="infinite"):
        M.resilience(np.full(60, np.inf), window=50)


@pytest.mark.parametrize("stay", [0.5, 0.9])
@pytest.mark.parametrize("rows", [100, 250])
def test_intervals_cover_the_planted_persistence(stay, rows):
    """2000 series, Monte Carlo error 0.6 points. Least squares without the correction misses the half-life."""
    x = reverting(np.random.default_rng(5), rows, 2000, stay)
    speed = M.resilience(x, window=rows, with_se=True)
    assert 0.88 < covered(speed, 1 - stay) < 0.98
    assert speed.estimate[-1].mean() == pytest.approx(1 - stay, abs=0.008)
    truth = np.log(2) / -np.log(stay)
    life = M.resilience(x, window=rows, output="half_life", with_se=True)
    assert 0.88 < covered(life, truth) < 0.98
    plain = M.resilience(x, window=rows, output="half_life", bias="keep", with_se=True)
    assert np.median(plain.estimate[-1]) < np.median(life.estimate[-1])
    assert abs(np.median(life.estimate[-1]) - truth) < abs(np.median(plain.estimate[-1]) - truth)
