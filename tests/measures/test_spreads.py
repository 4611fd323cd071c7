"""Rolling spreads against the one-window formulas, for many windows, signs and patterns of missing cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from bidask import edge as bidask_edge
from hypothesis import given, settings
from hypothesis import strategies as st

import drainstats as ds
from drainstats.errors import DataError, OptionError

M = ds.measures


def bars(rng, rows, assets, *, missing=0.0, decimals=None, spread=0.01):
    """OHLC arrays of a random walk seen through a bid-ask bounce; rounding makes ties, ``missing`` makes holes."""
    steps = rng.normal(0, 0.004, (rows, assets, 15))
    path = np.cumsum(steps.transpose(0, 2, 1).reshape(-1, assets), axis=0)
    path = 50 * np.exp(path + spread / 2 * rng.choice([-1, 1], path.shape)).reshape(rows, 15, assets)
    out = [path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]]
    out = [np.round(a, decimals) if decimals is not None else a.copy() for a in out]
    for a in out:
        a[rng.random(a.shape) < missing] = np.nan
    return out


def edge_twin(o, h, l, c):
    with np.errstate(all="ignore"):
        return bidask_edge(o, h, l, c, sign=True)


def cs_twin(h, l, c, overnight=True):
    h, l, c = np.log(h), np.log(l), np.log(c)
    pairs = []
    for t in range(1, len(c)):
        gap = 0.0
        if overnight:
            gap = max(0.0, c[t - 1] - h[t]) + min(0.0, c[t - 1] - l[t])
        beta = (h[t] - l[t]) ** 2 + (h[t - 1] - l[t - 1]) ** 2
        gamma = (max(h[t] + gap, h[t - 1]) - min(l[t] + gap, l[t - 1])) ** 2
        alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / (3 - 2 * np.sqrt(2)) - np.sqrt(gamma / (3 - 2 * np.sqrt(2)))
        pairs.append(2 * (np.exp(alpha) - 1) / (1 + np.exp(alpha)))
    used = [h[1:], h[:-1], l[1:], l[:-1]] + ([c[:-1]] if overnight else [])
    pairs = np.where(np.isnan(np.sum(used, axis=0)), np.nan, pairs)
    return np.nan if np.isnan(pairs).all() else np.nanmean(pairs)


def ar_twin(h, l, c):
    h, l, c = np.log(h), np.log(l), np.log(c)
    eta = (h + l) / 2
    products = 4 * (c[:-1] - eta[:-1]) * (c[:-1] - eta[1:])
    if np.isnan(products).all():
        return np.nan
    square = np.nanmean(products)
    return np.sign(square) * np.sqrt(abs(square))


def roll_twin(c):
    r = np.diff(np.log(c))
    x, y = r[1:], r[:-1]
    both = ~np.isnan(x + y)
    if both.sum() < 2:
        return np.nan
    square = -4 * np.cov(x[both], y[both])[0, 1]
    return np.sign(square) * np.sqrt(abs(square))


TWINS = {
    "edge": (M.edge, edge_twin, "ohlc", 3),
    "corwin_schultz": (M.corwin_schultz, cs_twin, "hlc", 2),
    "abdi_ranaldo": (M.abdi_ranaldo, ar_twin, "hlc", 2),
    "roll": (M.roll, roll_twin, "c", 4),
}


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize(
    ("missing", "decimals", "window"),
    [
        (0, None, 21),
        (0, 0, 21),
        (0.1, None, 21),
        (0.05, 0, 5),
        (0.3, 0, 6),
        (0.02, 1, 4),
        (0.1, None, 40),
        (0, None, 140),
    ],
)
def test_every_window_equals_the_one_window_formula(name, missing, decimals, window):
    function, twin, fields, least = TWINS[name]
    data = dict(
        zip("ohlc", bars(np.random.default_rng(window), 220, 3, missing=missing, decimals=decimals), strict=True)
    )
    tables = [data[f] for f in fields]
    window = max(window, least)
    ours = function(*tables, window=window)
    theirs = np.full_like(ours, np.nan)
    for t in range(window - 1, len(ours)):
        for j in range(3):
            theirs[t, j] = twin(*(a[t - window + 1 : t + 1, j] for a in tables))
    # Roll's covariance of ties is zero up to rounding; its root is zero up to the root of that.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 if name == "roll" and decimals == 0 else 1e-12)


@given(st.integers(0, 10_000), st.integers(3, 30), st.sampled_from([0.0, 0.2, 0.6]), st.sampled_from([None, 0, 1]))
@settings(max_examples=60, deadline=None)
def test_edge_equals_bidask_on_ugly_windows(seed, window, missing, decimals):
    tables = bars(np.random.default_rng(seed), window + 3, 1, missing=missing, decimals=decimals)
    ours = M.edge(*(a[:, 0] for a in tables), window=window)
    for t in range(window - 1, window + 3):
        theirs = edge_twin(*(a[t - window + 1 : t + 1, 0] for a in tables))
        np.testing.assert_allclose(ours[t], theirs, rtol=0, atol=1e-12)


def test_degenerate_windows_are_missing():
    flat = np.full(30, 17.61)
    for name, (function, _, fields, _) in TWINS.items():
        values = function(*([flat] * len(fields)), window=10)
        assert np.isnan(values).all() if name == "edge" else (values[9:] == 0).all(), name
    o = np.array([18.21, 17.61, 17.61])
    l = np.full(3, 17.61)
    assert np.isnan(M.edge(o, o, l, l, window=3)[-1])


@pytest.mark.parametrize("name", TWINS)
def test_invariants(name):
    function, _, fields, _ = TWINS[name]
    data = dict(zip("ohlc", bars(np.random.default_rng(5), 120, 4, missing=0.03), strict=True))
    tables = [data[f] for f in fields]
    base = function(*tables, window=15)
    for scale in (1e-8, 1e5):
        np.testing.assert_allclose(function(*(scale * a for a in tables), window=15), base, rtol=1e-6, atol=1e-9)
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(function(*(a[:, order] for a in tables), window=15), base[:, order])
    np.testing.assert_array_equal(function(*(a[:70] for a in tables), window=15), base[:70])
    np.testing.assert_array_equal(function(*(a[:, 1] for a in tables), window=15), base[:, 1])


@pytest.mark.parametrize("name", TWINS)
def test_negative_policies(name):
    function, _, fields, _ = TWINS[name]
    data = dict(zip("ohlc", bars(np.random.default_rng(8), 200, 2, spread=0.0005), strict=True))
    tables = [data[f] for f in fields]
    keep = function(*tables, window=10)
    assert (keep < 0).any()
    np.testing.assert_array_equal(function(*tables, window=10, negative="abs"), np.abs(keep))
    np.testing.assert_array_equal(function(*tables, window=10, negative="zero"), np.where(keep < 0, 0.0, keep))
    np.testing.assert_array_equal(function(*tables, window=10, negative="nan"), np.where(keep < 0, np.nan, keep))
    with pytest.raises(OptionError, match="'keep', 'nan', 'zero', 'abs'"):
        function(*tables, window=10, negative="drop")


def test_same_kind_comes_out():
    o, h, l, c = bars(np.random.default_rng(1), 40, 2)
    index = pd.date_range("2024-01-01", periods=40, tz="UTC", name="time")
    frames = [pd.DataFrame(a, index=index, columns=["A", "B"]) for a in (o, h, l, c)]
    wide = M.edge(*frames, window=10)
    assert wide.columns.tolist() == ["A", "B"]
    series = M.edge(*(f["A"] for f in frames), window=10)
    pd.testing.assert_series_equal(series, wide["A"])
    assert M.edge(o, h, l, c, window=10).shape == (40, 2)
    assert M.edge(*(a[:, 0] for a in (o, h, l, c)), window=10).shape == (40,)
    arrow = M.edge(*(pl.from_pandas(f.reset_index()) for f in frames), window=10)
    np.testing.assert_array_equal(arrow.to_numpy(), wide.to_numpy())


def test_the_spread_is_recovered():
    o, h, l, c = bars(np.random.default_rng(2), 4000, 4, spread=0.02)
    for function, fields in ((M.edge, (o, h, l, c)), (M.abdi_ranaldo, (h, l, c)), (M.roll, (c,))):
        estimate = function(*fields, window=4000)[-1]
        assert estimate == pytest.approx(0.02, abs=0.003), function.__name__


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a * np.where(np.arange(40) == 7, -1, 1), r"is not above zero.*row 7"),
        (lambda a: np.where(np.arange(40) == 7, np.inf, a), r"is infinite.*row 7"),
        (lambda a: a[:10], "shapes must agree"),
        (lambda a: a.astype(object).astype(str), None),
    ],
)
def test_bad_prices_are_sentences(spoil, message):
    o, h, l, c = (a[:, 0] for a in bars(np.random.default_rng(1), 40, 1))
    if message is None:
        message = "not a number"
        c = np.array(["x", *c[1:]], dtype=object)
        spoil = lambda a: a  # noqa: E731
    with pytest.raises(DataError, match=message):
        M.edge(o, h, l, spoil(c), window=10)


def test_short_data_and_bad_windows():
    o, h, l, c = bars(np.random.default_rng(1), 5, 1)
    with pytest.raises(DataError, match="5 rows came, fewer than the window of 21"):
        M.edge(o, h, l, c)
    for window in (2, 2.5, True, 0):
        with pytest.raises(OptionError, match="whole number of rows, at least 3"):
            M.edge(o, h, l, c, window=window)


def test_a_bar_with_high_below_low_counts_as_missing():
    o, h, l, c = (a[:, 0] for a in bars(np.random.default_rng(1), 60, 1))
    h[20], l[20] = l[20], h[20]
    without = h.copy(), l.copy()
    without[0][20] = without[1][20] = np.nan
    for function, front in ((M.edge, (o,)), (M.corwin_schultz, ()), (M.abdi_ranaldo, ())):
        crossed, holed = function(*front, h, l, c, window=10), function(*front, *without, c, window=10)
        np.testing.assert_array_equal(crossed, holed)
        assert np.isfinite(crossed[9:]).all()
    assert h[20] < l[20]  # the input stays as it was


@pytest.mark.parametrize("name", TWINS)
def test_tables_without_rows_or_columns(name):
    function, _, fields, _ = TWINS[name]
    with pytest.raises(DataError, match="0 rows came"):
        function(*([np.empty((0, 2))] * len(fields)), window=5)
    assert function(*([np.empty((30, 0))] * len(fields)), window=5).shape == (30, 0)


def test_labels_must_agree():
    a = pd.DataFrame({"A": [1.0, 2, 3], "B": [1.0, 2, 3]}, index=pd.date_range("2024-01-01", periods=3))
    with pytest.raises(DataError, match="different time labels"):
        M.parkinson(a, a.shift(freq="D"))
    with pytest.raises(DataError, match="'A' stands twice"):
        M.parkinson(a.set_axis(["A", "A"], axis=1), a)
    with pytest.raises(DataError, match="different columns"):
        M.parkinson(a, a[["B", "A"]])
