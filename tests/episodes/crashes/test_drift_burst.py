"""Drift bursts: the slow twin, invariants, gaps and ties, one price at a time, the cost of a test."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError

RNG = np.random.default_rng(5)
N = 1500
SECONDS = np.sort(RNG.uniform(0, 3600, N)).round(2)
SECONDS[100:103] = SECONDS[100]
PATH = 4.0 + np.cumsum(RNG.normal(0, 2e-4, N)) + RNG.choice([-1e-4, 1e-4], N)
SERIES = pd.Series(PATH, SECONDS)
TESTS = np.array([30.0, 200.0, 601.5, 1800.0, 3600.0])


def parzen(x):
    return np.where(x <= 0.5, 1 - 6 * x**2 + 6 * x**3, 2 * np.clip(1 - x, 0, None) ** 3)


def lag_of(r, weights, rule):
    """Newey and West's lag for Parzen weights, written out."""
    n = weights.sum()
    width = int(np.rint(4 * (n / 100) ** (4 / 25)))
    products = np.array([r[j:] @ r[: len(r) - j] if j < len(r) else 0.0 for j in range(width + 2)])
    if rule == "automatic":
        products = np.array([sum((j - i) * products[j] for j in range(i + 1, width + 2)) for i in range(width + 1)])
    i = np.arange(1, width + 1)
    level, bend = products[0] + 2 * products[1 : width + 1].sum(), 2 * (i**2 * products[1 : width + 1]).sum()
    return int(min(np.rint(2.6614 * ((bend / level) ** 2 * n) ** 0.2), 20))


def twin(seconds, path, tests, h, narrow, k, lags):
    """The definition by sums over all of the past."""
    r, dated, weights = np.diff(path), seconds[:-1], np.minimum(np.arange(1, 2 * k), np.arange(2 * k - 1, 0, -1)) / k**2
    averaged = np.array([weights @ r[i - 2 * k + 2 : i + 1] if i >= 2 * k - 2 else 0.0 for i in range(len(r))])
    rows = []
    for t in tests:
        seen = int((seconds <= t).sum()) - 1
        a, b = np.exp((dated[:seen] - t) / h), np.exp((dated[:seen] - t) / narrow)
        lag = (lags if isinstance(lags, int) else lag_of(r[:seen], a, lags)) + 2 * (k - 1)
        z = b * averaged[:seen]
        total = z @ z + 2 * sum(parzen(j / lag) * (z[j:] @ z[:-j]) for j in range(1, min(lag, seen)))
        mean, sigma = a @ averaged[:seen] / h, np.sqrt(2 * total / narrow)
        rows.append([np.sqrt(2 * h) * mean / sigma, mean, sigma, lag])
    return np.array(rows)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("lags", ["automatic", "newey_west", 0, 7])
def test_equals_the_slow_twin(k, lags):
    ours = ds.drift_burst(SERIES, TESTS, 120, 400, k, lags=lags)
    slow = twin(SECONDS, PATH, TESTS, 120, 400, k, lags)
    np.testing.assert_allclose(ours[["statistic", "mean", "sigma", "lags"]], slow, rtol=1e-9, atol=1e-15)


def test_one_price_at_a_time_equals_the_batch():
    stamps = pd.Timestamp("2024-03-01", tz="UTC") + pd.to_timedelta(SECONDS, unit="s")
    batch = ds.drift_burst(pd.Series(PATH, stamps), stamps, start="scaled", longest_gap=9.0)
    state = ds.DriftBurst(start="scaled", longest_gap=9.0)
    kept = state
    for row in range(N):
        state = state.update(stamps[row], PATH[row])
        if row == 99:
            kept = state
        ties = row + 1 < N and SECONDS[row + 1] == SECONDS[row]
        if row % 7 == 0 and not ties:
            want = batch.iloc[row]
            np.testing.assert_allclose([state.statistic, state.mean, state.sigma], want[:3], rtol=1e-10, atol=1e-16)
    assert kept.prices <= 100
    assert state.prices == batch["prices"].iloc[-1]
    assert "statistic" in repr(state)
    assert sum(a.nbytes for a in (state._head, state._rings)) < 3000
    gone = state.update(stamps[-1] + pd.Timedelta("5s"), np.nan)
    assert gone.prices == state.prices
    assert abs(gone.statistic) < abs(state.statistic)


def test_invariants():
    base = ds.drift_burst(SERIES, TESTS)
    moved = ds.drift_burst(SERIES + 1000.0, TESTS)
    np.testing.assert_allclose(moved["statistic"], base["statistic"], rtol=1e-8)
    flipped = ds.drift_burst(-3.0 * SERIES, TESTS)
    np.testing.assert_allclose(flipped["statistic"], -base["statistic"], rtol=1e-12)
    np.testing.assert_allclose(flipped["sigma"], 3 * base["sigma"], rtol=1e-12)
    # Seconds in another unit: the statistic stays, mean and sigma change theirs.
    minutes = ds.drift_burst(pd.Series(PATH, SECONDS / 60), TESTS / 60, 5, 15)
    np.testing.assert_allclose(minutes["statistic"], base["statistic"], rtol=1e-9)
    np.testing.assert_allclose(minutes["mean"], 60 * base["mean"], rtol=1e-9)


def test_frames_and_missing_prices():
    holes = PATH.copy()
    holes[::3] = np.nan
    frame = pd.DataFrame({"B": PATH, "A": holes}, SECONDS)
    both = ds.drift_burst(frame, TESTS)
    assert both["statistic"].columns.tolist() == ["B", "A"]
    alone = ds.drift_burst(frame["A"].dropna(), TESTS)
    pd.testing.assert_series_equal(both["statistic"]["A"], alone["statistic"], check_names=False)
    pd.testing.assert_series_equal(both["sigma"]["B"], ds.drift_burst(SERIES, TESTS)["sigma"], check_names=False)


def test_a_long_gap_starts_anew():
    late = np.r_[SECONDS, SECONDS + 50000.0]
    twice = pd.Series(np.r_[PATH, PATH + 3.0], late)
    fresh = ds.drift_burst(twice, TESTS + 50000.0, longest_gap=3600.0)
    np.testing.assert_allclose(fresh.to_numpy(), ds.drift_burst(SERIES, TESTS).to_numpy(), rtol=1e-8)


def test_microseconds_and_time_zones():
    stamps = pd.date_range("2024-01-02 09:30", periods=3000, freq="1001us")
    path = np.cumsum(RNG.normal(0, 1e-5, 3000))
    naive = ds.drift_burst(pd.Series(path, stamps), [stamps[-1]], 0.3, 0.9)
    there = ds.drift_burst(pd.Series(path, stamps.tz_localize("America/New_York")), mean_bandwidth=0.3)
    plain = ds.drift_burst(path, [2999 * 0.001001], 0.3, 0.9, times=np.arange(3000) * 0.001001)
    assert naive["statistic"].iloc[0] == pytest.approx(plain["statistic"].iloc[0], rel=1e-9)
    assert str(there.index.tz) == "America/New_York"
    assert there.index[0] == stamps.tz_localize("America/New_York")[0]


@pytest.mark.parametrize("path", [np.zeros(50), np.full(50, 1e6), np.r_[0.0], np.full(30, np.nan), np.arange(3.0)])
def test_ugly_paths_have_no_statistic(path):
    out = ds.drift_burst(path, [0.0, 60.0])
    assert out["statistic"].isna().all()


def test_scaled_start_has_the_right_deviation_from_the_first_minutes():
    # 400 random walks: at 60 seconds the raw statistic's deviation is sqrt((1 - e^-0.4) / (1 - e^-0.08)) = 2.07.
    walks = np.cumsum(np.random.default_rng(1).normal(0, 1e-4, (61, 400)), axis=0)
    raw = ds.drift_burst(walks, [60.0], 300, 1500, 1, lags=0)["statistic"]
    scaled = ds.drift_burst(walks, [60.0], 300, 1500, 1, lags=0, start="scaled")["statistic"]
    # Five standard errors of a deviation from 400 draws are 0.18; the variance of 60 returns adds its noise.
    assert raw.to_numpy().std() == pytest.approx(2.07, abs=0.35)
    assert scaled.to_numpy().std() == pytest.approx(1.0, abs=0.18)


def test_the_cost_of_a_test_does_not_depend_on_the_history():
    def seconds_for(history, tests):
        path = pd.Series(np.cumsum(np.random.default_rng(0).normal(0, 1e-4, history)), np.arange(history) * 1.0)
        times = np.linspace(history - 1.0, history - 0.5, tests)
        best = np.inf
        for _ in range(3):
            began = time.process_time()
            ds.drift_burst(path, times)
            best = min(best, time.process_time() - began)
        return best

    short, long = (seconds_for(n, 40000) - seconds_for(n, 1) for n in (2000, 100000))
    # Fifty times the history; a sum over it would cost fifty times as much.
    assert long < 5 * short


def test_bad_input_is_a_sentence():
    with pytest.raises(DataError, match="run backwards"):
        ds.drift_burst(pd.Series([1.0, 2.0], [5.0, 1.0]), [5.0])
    with pytest.raises(DataError, match="infinite"):
        ds.drift_burst([1.0, np.inf], [5.0])
    with pytest.raises(DataError, match="in time order"):
        ds.drift_burst(SERIES, [5.0, 1.0])
    with pytest.raises(DataError, match="holds stamps"):
        ds.drift_burst(SERIES, pd.date_range("2024", periods=2))
    with pytest.raises(DataError, match="neither stamps nor seconds"):
        ds.drift_burst(pd.Series([1.0, 2.0], ["a", "b"]), [1.0])
    with pytest.raises(OptionError, match="mean_bandwidth=0 must be a finite number above 0"):
        ds.drift_burst(SERIES, TESTS, mean_bandwidth=0)
    with pytest.raises(OptionError, match="1 to 500"):
        ds.drift_burst(SERIES, TESTS, pre_average=0)
    with pytest.raises(OptionError, match="newey_west"):
        ds.drift_burst(SERIES, TESTS, lags="best")
    with pytest.raises(DataError, match="before the last"):
        ds.DriftBurst().update(5.0, 1.0).update(4.0, 1.0)
    with pytest.raises(DataError, match="another kind"):
        ds.DriftBurst().update(5.0, 1.0).update(pd.Timestamp("2024"), 1.0)
