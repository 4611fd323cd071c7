"""Pastor and Stambaugh's gamma against statsmodels, hand-worked and simulated truth; the market's innovations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.measures.truth import covered

M = ds.measures
GAMMA = -1e-9


def market(rng, rows, columns, gamma=GAMMA, phi=-0.05):
    """Prices (rows, columns) that revert after volume, traded values, and the market's prices (rows,)."""
    m = rng.normal(0, 0.01, rows)
    value = np.exp(rng.normal(15, 0.6, (rows, columns)))
    excess, r = np.zeros((rows, columns)), np.zeros((rows, columns))
    for t in range(rows):
        excess[t] = rng.normal(0, 0.02, columns)
        if t:
            excess[t] += phi * r[t - 1] + gamma * np.sign(excess[t - 1]) * value[t - 1]
        r[t] = excess[t] + m[t]
    return 100 * np.exp(r.cumsum(axis=0)), value, 50 * np.exp(m.cumsum())


def twin(close, value, market, simple=False):
    """Equation (1) in one window of one asset, row by row."""
    p, m = np.asarray(close), np.asarray(market)
    r = p[1:] / p[:-1] - 1 if simple else np.log(p[1:] / p[:-1])
    e = r - (m[1:] / m[:-1] - 1 if simple else np.log(m[1:] / m[:-1]))
    v = np.asarray(value)[1:]
    y, x = e[1:], np.column_stack([r[:-1], np.sign(e[:-1]) * v[:-1]])
    used = np.isfinite(y) & np.isfinite(x).all(axis=1)
    return sm.OLS(y[used], sm.add_constant(x[used] / [1, 1e6])).fit(cov_type="HC3")


@pytest.mark.parametrize("returns", ["log", "simple"])
def test_each_window_is_equation_1(returns):
    close, value, index = market(np.random.default_rng(0), 60, 3)
    found = M.pastor_stambaugh(close, value, index, returns=returns, with_se=True)
    assert np.isnan(found.estimate[:20]).all()
    for t, j in [(20, 0), (43, 1), (59, 2)]:
        cut = slice(t - 20, t + 1)
        theirs = twin(close[cut, j], value[cut, j], index[cut], returns == "simple")
        assert 1e6 * found.estimate[t, j] == pytest.approx(theirs.params[2], rel=1e-9)
        assert 1e6 * found.std_error[t, j] == pytest.approx(theirs.bse[2], rel=1e-9)


def test_missing_days_drop_out_with_their_neighbours():
    close, value, index = market(np.random.default_rng(1), 40, 1)
    close[10], value[15] = np.nan, np.nan
    found = M.pastor_stambaugh(close, value, index, window=40)
    assert found[-1, 0] * 1e6 == pytest.approx(twin(close[:, 0], value[:, 0], index).params[2], rel=1e-9)
    # A missing price takes out three pairs, a missing volume one: 38 pairs less 4.
    assert np.isnan(M.pastor_stambaugh(close, value, index, window=40, min_rows=35)[-1, 0])
    assert np.isfinite(M.pastor_stambaugh(close, value, index, window=40, min_rows=34)[-1, 0])


def test_the_ways_to_give_a_market_agree():
    close, value, index = market(np.random.default_rng(2), 50, 2)
    whole = M.pastor_stambaugh(close, value, index)
    change = np.log(index[1:] / index[:-1])
    np.testing.assert_array_equal(M.pastor_stambaugh(close, value, np.column_stack([index, index])), whole)
    given = M.pastor_stambaugh(close, value, np.r_[np.nan, change], market_is="return")
    np.testing.assert_allclose(given, whole, rtol=1e-9)
    alone = M.pastor_stambaugh(close, value)
    np.testing.assert_allclose(M.pastor_stambaugh(close, value, np.full(50, 7.0)), alone, rtol=1e-9)
    assert not np.allclose(alone[20:], whole[20:], rtol=1e-3, atol=0)


def test_units_columns_and_prefixes():
    close, value, index = market(np.random.default_rng(3), 60, 5)
    whole = M.pastor_stambaugh(close, value, index)
    # Powers of two scale exactly.
    np.testing.assert_array_equal(M.pastor_stambaugh(close, 2.0**20 * value, index) * 2.0**20, whole)
    np.testing.assert_array_equal(M.pastor_stambaugh(4 * close, value, 8 * index), whole)
    np.testing.assert_array_equal(M.pastor_stambaugh(close[:, ::-1], value[:, ::-1], index), whole[:, ::-1])
    np.testing.assert_array_equal(M.pastor_stambaugh(close[-21:], value[-21:], index[-21:])[-1], whole[-1])
    ds.causal.assert_causal(M.pastor_stambaugh, (close, value, index), min_rows=21)


def test_no_volume_and_no_moves_have_no_gamma():
    close, value, _ = market(np.random.default_rng(4), 30, 2)
    value[:, 0] = 0.0
    close[:, 1] = 10.0
    found = M.pastor_stambaugh(close, value)
    assert np.isnan(found).all()
    value[5, 0] = 1e6
    found = M.pastor_stambaugh(close, value, window=30, with_se=True)
    assert np.isfinite(found.estimate[-1, 0])
    # One day alone decides gamma: nothing says how far it is off.
    assert np.isnan(found.std_error[-1, 0])


def test_a_frame_comes_back_a_frame():
    close, value, index = market(np.random.default_rng(5), 30, 2)
    days = pd.date_range("2024-01-01", periods=30)
    frame = pd.DataFrame(close, index=days, columns=["A", "B"])
    found = M.pastor_stambaugh(frame, pd.DataFrame(value, index=days, columns=["A", "B"]), pd.Series(index, days))
    assert found.columns.tolist() == ["A", "B"]
    assert found.index.equals(days)


def test_bad_use_is_a_sentence():
    close, value, index = market(np.random.default_rng(6), 30, 2)
    with pytest.raises(DataError, match="one column for all"):
        M.pastor_stambaugh(close, value, np.column_stack([index] * 3))
    with pytest.raises(DataError, match="same rows"):
        M.pastor_stambaugh(close, value, index[:-1])
    with pytest.raises(DataError, match="market"):
        M.pastor_stambaugh(close, value, -index)
    with pytest.raises(DataError, match="negative"):
        M.pastor_stambaugh(close, -value)
    with pytest.raises(OptionError, match="smaller min_rows"):
        M.pastor_stambaugh(close, value, window=15)
    with pytest.raises(OptionError, match="market_is"):
        M.pastor_stambaugh(close, value, index, market_is="level")
    days = pd.date_range("2024-01-01", periods=30)
    with pytest.raises(DataError, match="time labels"):
        M.pastor_stambaugh(pd.Series(close[:, 0], days), pd.Series(value[:, 0], days), pd.Series(index))


@pytest.mark.parametrize(("window", "miss"), [(21, 0.15e-9), (250, 0.03e-9)])
def test_intervals_cover_the_planted_gamma(window, miss):
    """2000 assets: Monte Carlo error of the coverage 0.5 points, of the mean 0.03e-9 and 0.008e-9.

    Least squares with lagged own returns is biased by about −1/n (0.11e-9 in 21 rows).
    """
    close, value, index = market(np.random.default_rng(7), window, 2000)
    found = M.pastor_stambaugh(close, value, index, window=window, with_se=True)
    assert 0.88 < covered(found, GAMMA) < 0.98
    assert found.estimate[-1].mean() == pytest.approx(GAMMA, abs=miss)


def innovations_twin(gamma, size, scale=100.0):
    """Equations (5) to (8), period by period."""
    frame = pd.DataFrame(gamma)
    relative = size / size[0]
    level = relative * frame.mean(axis=1).to_numpy()
    change = relative * frame.diff().mean(axis=1).to_numpy()
    past = sm.add_constant(np.column_stack([change[1:-1], level[1:-1]]))
    used = np.isfinite(past).all(axis=1) & np.isfinite(change[2:])
    residual = np.full(len(gamma), np.nan)
    residual[2:][used] = sm.OLS(change[2:][used], past[used]).fit().resid / scale
    return level, change, residual


def test_innovations_follow_equations_5_to_8():
    rng = np.random.default_rng(8)
    gamma = rng.normal(-0.03, 0.1, (80, 30)) + 0.05 * rng.normal(size=(80, 1))
    gamma[rng.random(gamma.shape) < 0.2] = np.nan
    size = 1e12 * np.exp(np.cumsum(rng.normal(0.01, 0.05, 80)))
    found = M.liquidity_innovations(gamma, size)
    level, change, innovation = innovations_twin(gamma, size)
    np.testing.assert_allclose(found["level"], level, rtol=1e-12)
    np.testing.assert_allclose(found["change"], change, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["innovation"], innovation, rtol=1e-8, atol=1e-14)
    assert found["innovation"].mean() == pytest.approx(0, abs=1e-12)
    ds.causal.assert_causal(
        lambda g, m: M.liquidity_innovations(g, m)[["level", "change"]], (gamma, size), min_rows=10, cuts=20
    )


def test_innovations_need_one_market_and_some_periods():
    gamma = np.random.default_rng(9).normal(size=(20, 3))
    with pytest.raises(DataError, match="whole market"):
        M.liquidity_innovations(gamma, np.ones((20, 3)))
    with pytest.raises(DataError, match="same rows"):
        M.liquidity_innovations(gamma, np.ones(19))
    with pytest.raises(DataError, match="not above zero"):
        M.liquidity_innovations(gamma, np.zeros(20))
    with pytest.raises(DataError, match="at least 5"):
        M.liquidity_innovations(gamma[:6], np.ones(6))


def test_nothing_at_all():
    empty = np.full((30, 2), np.nan)
    found = M.pastor_stambaugh(empty, empty, empty, with_se=True)
    assert np.isnan(found.estimate).all()
    assert np.isnan(found.std_error).all()
    with pytest.raises(DataError, match="at least 5"):
        M.liquidity_innovations(empty, empty[:, 0])
