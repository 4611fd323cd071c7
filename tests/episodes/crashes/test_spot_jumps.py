"""Jumps at single returns, and the shape of volatility over the day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.episodes.crashes.test_jump_tests import days

R = np.random.default_rng(2).normal(0, 1e-3, 400)
R[300] += 0.012


def test_statistic_by_hand():
    found = ds.lee_mykland(R.cumsum(), window=50, family=78)
    r = np.diff(R.cumsum())
    for row in (50, 120, 399):
        i = row - 1
        variance = np.pi / 2 * np.mean([abs(r[j] * r[j - 1]) for j in range(i - 48, i)])
        assert found["statistic"].iloc[row] == pytest.approx(r[i] / np.sqrt(variance), rel=1e-12)
    assert found["statistic"].iloc[:50].isna().all()
    assert found["statistic"].iloc[50:].notna().all()
    z = found["statistic"].iloc[120]
    root = np.sqrt(2 * np.log(78))
    centre = root - (np.log(np.pi) + np.log(np.log(78))) / (2 * root)
    assert found["p_value"].iloc[120] == pytest.approx(1 - np.exp(-np.exp(-(abs(z) - centre) * root)), rel=1e-12)


def test_time_sign_and_size_of_the_jump():
    found = ds.lee_mykland(pd.DataFrame({"up": R.cumsum(), "down": -R.cumsum()}), window=50)
    assert found["jump"].sum().to_dict() == {"up": 1, "down": 1}
    assert found["jump"]["up"].idxmax() == 300
    assert found["size"]["down"].iloc[300] == pytest.approx(-R[300])
    scaled = ds.lee_mykland(100 * R.cumsum() + 7, window=50)
    np.testing.assert_allclose(scaled["statistic"], found["statistic"]["up"], rtol=1e-8)


def test_the_last_window_of_prices_says_the_same_of_the_last_row():
    # So that a feed needs to keep only those.
    path = R.cumsum()
    whole, last = ds.lee_mykland(path, window=50), ds.lee_mykland(path[-52:], window=50)
    np.testing.assert_allclose(last.iloc[-1].astype(float), whole.iloc[-1].astype(float), rtol=1e-12)


def test_share_of_days_with_a_false_call():
    """1000 blocks of 78 normal returns: nominal 5 %, the local volatility from 270 noisy products."""
    jump = ds.lee_mykland(np.random.default_rng(4).normal(0, 1e-3, 78 * 1004).cumsum(), 270, 0.05, family=78)["jump"]
    called = jump.to_numpy()[78 * 4 :].reshape(-1, 78).any(axis=1)
    # Three binomial standard errors are 2.1 points; the noise of the volatility makes tails heavier.
    assert 0.03 < called.mean() < 0.09


def test_correcting_for_the_time_of_day_halves_false_calls():
    path = days(250, 78, 5, shape=2.0)
    factor = ds.intraday_seasonality(path, 100, slot=1800)
    wave = 1.0 + 2.0 * np.linspace(-1, 1, 78) ** 2
    last = factor.iloc[-78:].to_numpy()
    assert np.corrcoef(last, wave)[0, 1] > 0.95
    known = factor.notna().groupby(factor.index.floor("D")).any()
    assert known.sum() == 240
    shares = []
    for f in (None, factor):
        found = ds.lee_mykland(path, 270, 0.05, family=78, seasonality=f)
        shares.append(found["jump"].groupby(found.index.floor("D")).any().iloc[20:].mean())
    assert shares[1] < 0.5 * shares[0]


def slow_factor(path, method):
    """Factors of the last day by loops over days."""
    by_day = [g.diff().dropna() for _, g in path.groupby(path.index.floor("D"))]
    rows = []
    for r in by_day[:-1]:
        s = r.abs().to_numpy()
        n = len(s)
        rows.append(r.to_numpy() / np.sqrt(np.pi / 2 * n / (n - 1) * (s[1:] * s[:-1]).sum() / n))
    out = []
    for x in np.array(rows).T:
        x = np.sort(x)
        half = len(x) // 2 + 1
        scale = 0.741 * min(x[i + half - 1] - x[i] for i in range(len(x) - half + 1))
        kept = x[x**2 <= 6.6349 * scale**2]
        out.append({"shorth": scale, "sd": np.sqrt((x**2).mean()), "wsd": np.sqrt(1.081 * (kept**2).mean())}[method])
    return np.array(out) / np.sqrt(np.mean(np.square(out)))


@pytest.mark.parametrize("method", ["wsd", "sd", "shorth"])
def test_factors_by_loops(method):
    path = days(25, 20, 6)
    factor = ds.intraday_seasonality(path, days=40, method=method)
    np.testing.assert_allclose(factor.iloc[-20:], slow_factor(path, method), rtol=1e-10)


def test_holes_and_bad_options():
    path = days(30, 20, 7)
    path.iloc[::7] = np.nan
    factor = ds.intraday_seasonality(path, 20)
    assert factor[path.isna()].isna().all()
    assert factor.iloc[-15:].notna().any()
    assert ds.lee_mykland(path, 50)["statistic"].notna().any()
    flat = ds.lee_mykland(np.ones(400), 50)
    assert flat["statistic"].isna().all()
    assert not flat["jump"].any()
    assert ds.intraday_seasonality(pd.Series([1.0], [0.0])).isna().all()
    with pytest.raises(OptionError, match="at least 10"):
        ds.lee_mykland(path, 3)
    with pytest.raises(OptionError, match="between 0 and 1"):
        ds.lee_mykland(path, 50, level=0)
    with pytest.raises(DataError, match="one factor a price"):
        ds.lee_mykland(path, 50, seasonality=[1.0])
    with pytest.raises(OptionError, match="min_days"):
        ds.intraday_seasonality(path, 5)
