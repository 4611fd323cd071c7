"""The null of breadth: the exact stationary bootstrap against brute force, its meaning in calm, and ugly input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import optimal_block_length

import drainstats as ds
from drainstats.episodes.detection.null import block_length, chance_within, share_error
from drainstats.errors import DataError, OptionError


def autoregression(rng, rows, phi):
    x = rng.normal(size=rows + 100)
    for t in range(1, len(x)):
        x[t] += phi * x[t - 1]
    return x[100:]


def drawn(hits, block, horizon, draws, rng):
    """The stationary bootstrap as one would write it: (draws, horizon) of hits."""
    n = len(hits)
    row = rng.integers(n, size=draws)
    out = [hits[row]]
    for _ in range(horizon - 1):
        anew = rng.random(draws) < 1 / block
        row = np.where(anew, rng.integers(n, size=draws), (row + 1) % n)
        out.append(hits[row])
    return np.array(out).T


@pytest.mark.parametrize(("phi", "rows"), [(0.0, 60), (0.0, 2000), (0.9, 365), (0.97, 365), (0.97, 2000)])
def test_block_length_is_that_of_arch(phi, rows):
    # Other cases differ: arch divides each autocovariance by the variances of its two ends when it picks the last lag.
    x = autoregression(np.random.default_rng(3), rows, phi)
    assert block_length(x) == pytest.approx(block_by_arch(x), rel=1e-9)


def block_by_arch(x):
    return max(1.0, float(optimal_block_length(x)["stationary"].iloc[0]))


def test_blocks_grow_with_persistence():
    lengths = [
        np.median([block_length(autoregression(np.random.default_rng(s), 365, phi)) for s in range(20)])
        for phi in (0.0, 0.5, 0.8, 0.95)
    ]
    assert lengths == sorted(lengths)
    assert block_length(np.full(100, 0.3)) == 1.0
    assert block_length(np.array([0.0, 1.0, 0.0])) == 1.0


@pytest.mark.parametrize("block", [1.0, 4.0, 25.0])
@pytest.mark.parametrize("horizon", [1, 7, 40])
def test_the_chance_of_a_stretch_is_that_of_drawn_stretches(block, horizon):
    hits = np.zeros(90, dtype=bool)
    hits[[3, 4, 5, 6, 60, 89]] = True
    drawn_hits = drawn(hits, block, horizon, 20_000, np.random.default_rng(1))
    expected = drawn_hits.any(axis=1).mean()
    # Three binomial standard errors of 20 000 draws.
    assert chance_within(hits, block, horizon) == pytest.approx(expected, abs=3 * 0.5 / np.sqrt(20_000))
    if block == 1.0:
        assert chance_within(hits, 1.0, horizon) == pytest.approx(1 - (1 - 6 / 90) ** horizon)
    assert chance_within(hits, block, 1) == pytest.approx(6 / 90)


@pytest.mark.parametrize("block", [1.0, 6.0])
def test_the_standard_error_is_that_of_drawn_shares(block):
    hits = np.zeros(80, dtype=bool)
    hits[[10, 11, 12, 13, 50]] = True
    shares = drawn(hits, block, 80, 20_000, np.random.default_rng(2)).mean(axis=1)
    assert share_error(hits, block) == pytest.approx(shares.std(), rel=0.03)  # a standard deviation of 20 000 draws
    if block == 1.0:
        assert share_error(hits, 1.0) == pytest.approx(np.sqrt(5 / 80 * 75 / 80 / 80))


def test_one_bar_is_the_rank_among_its_past():
    x = np.random.default_rng(0).random(200)
    null = ds.breadth_null(x, window=100, min_rows=50)
    for t in (60, 130, 199):
        past = x[max(t - 100, 0) : t]
        assert null["p_value"][t] == pytest.approx((1 + (past >= x[t]).sum()) / (1 + len(past)))
    assert null.iloc[:50].isna().all().all()


@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_the_chance_of_a_stretch_is_its_rate_of_false_alarms(phi):
    """Calling every row with p_horizon <= .25 calls something in at most a quarter of calm stretches of 20 rows."""
    called = []
    for seed in range(20):
        x = autoregression(np.random.default_rng(seed), 465, phi)
        null = ds.breadth_null(x, window=365, min_rows=365, horizon=20)
        called += list((null["p_horizon"].to_numpy()[365:].reshape(5, 20) <= 0.25).any(axis=1))
    # 100 stretches, dependent through their shared past: twice the binomial standard error of .043.
    assert 0.08 < np.mean(called) < 0.25 + 0.09


def test_clustered_rows_are_met_together():
    together, apart = np.zeros(200, dtype=bool), np.zeros(200, dtype=bool)
    together[100:110], apart[::20] = True, True
    assert chance_within(together, 20.0, 20) < 0.6 * chance_within(apart, 20.0, 20)


def test_gaps_are_neither_judged_nor_drawn():
    x = pd.Series(np.random.default_rng(1).random(150), pd.date_range("2024-01-01", periods=150, tz="UTC"))
    holes = x.copy()
    holes.iloc[[20, 90, 120]] = np.nan
    null = ds.breadth_null(holes, min_rows=40)
    assert null.index.equals(x.index)
    assert null.iloc[[20, 90, 120]].isna().all().all()
    kept = ds.breadth_null(holes.dropna(), min_rows=40)
    # Within a window that covers everything, a gap is a row that is not there.
    pd.testing.assert_frame_equal(null.dropna(), kept.dropna())


def test_order_is_all_that_counts_for_the_share():
    x = np.random.default_rng(5).random(150)
    a, b = ds.breadth_null(x, block=4), ds.breadth_null(np.exp(3 * x), block=4)
    pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (np.zeros((50, 2)), {}, DataError, "2 columns"),
        (np.r_[np.zeros(70), np.inf], {}, DataError, "infinite"),
        (np.zeros(80), {"horizon": 0}, OptionError, "horizon"),
        (np.zeros(80), {"window": 1.5}, OptionError, "window"),
        (np.zeros(80), {"block": 0.5}, OptionError, "block"),
        (np.zeros(80), {"block": True}, OptionError, "block"),
        (np.zeros(80), {"block": np.nan}, OptionError, "block"),
    ],
)
def test_bad_input_is_a_sentence(data, options, error, message):
    with pytest.raises(error, match=message):
        ds.breadth_null(data, **options)


def test_a_short_history_has_no_p_value():
    assert ds.breadth_null(np.arange(10.0)).isna().all().all()
    assert ds.breadth_null(np.full(80, np.nan)).isna().all().all()
    assert len(ds.breadth_null(np.empty(0))) == 0
