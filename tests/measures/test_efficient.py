"""The generalized estimators and both rules for missing cells, against one-window computations."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError
from drainstats.measures.efficient import PAIRS
from tests.measures.test_spreads import bars

M = ds.measures


def one_window(o, h, l, c, method):
    """The joint rule, row by row, from the definition in the paper: a row without a part of the product is left out."""
    o, h, l, c = (np.log(x) for x in (o, h, l, c))
    rows = range(1, len(o))
    tau, low_high = [], {"O": [], "C": []}
    for t in rows:
        known = not np.isnan(h[t] + l[t] + c[t - 1])
        tau.append(float(h[t] != l[t] or l[t] != c[t - 1]) if known else np.nan)
        for name, price, at in (("O", o[t], t), ("C", c[t - 1], t - 1)):
            ends = [tau[-1] * (price != e) if not np.isnan(price + e) else np.nan for e in (h[at], l[at])]
            low_high[name].append(ends)
    m = (h + l) / 2
    r = {
        "r1": m[1:] - o[1:], "r2": o[1:] - m[:-1], "r3": m[1:] - c[:-1], "r4": c[:-1] - m[:-1], "r5": o[1:] - c[:-1]
    }  # fmt: skip
    tau = np.array(tau)
    squares = []
    for name in method.split("."):
        a, b = (r[x] for x in PAIRS[name])
        ends = np.array(low_high[name[0]])
        if np.nansum(tau) < 2 or np.isnan(ends).all(axis=0).any() or np.isnan(a).all():
            return np.nan
        p = np.nanmean(ends[:, 0]) + np.nanmean(ends[:, 1])
        terms = (a - np.nanmean(a) / np.nanmean(tau) * tau) * b
        if p == 0 or np.isnan(terms).all():
            return np.nan
        squares.append(-8 / p * np.nanmean(terms))
    square = np.mean(squares)
    return np.sign(square) * np.sqrt(abs(square))


@pytest.mark.parametrize("method", ["OHL", "OHLC", "CHL", "CHLO", "OHL.CHL", "OHLC.CHLO"])
@pytest.mark.parametrize(("missing", "decimals", "window"), [(0, None, 21), (0.1, None, 21), (0.2, 0, 7), (0.05, 1, 3)])
def test_every_window_equals_the_definition(method, missing, decimals, window):
    tables = bars(np.random.default_rng(window), 120, 2, missing=missing, decimals=decimals)
    ours = M.ohlc_spread(*tables, window=window, method=method)
    assert ours.shape == (120, 2)
    for t in range(window - 1, 120):
        for j in range(2):
            theirs = one_window(*(a[t - window + 1 : t + 1, j] for a in tables), method)
            # In squares, which cancel to zero up to rounding on bars full of ties.
            np.testing.assert_allclose(ours[t, j] * abs(ours[t, j]), theirs * abs(theirs), rtol=0, atol=1e-15)


def test_edge_combines_the_four():
    """Between the mean of OHL and CHL and that of OHLC and CHLO, in squares."""
    tables = bars(np.random.default_rng(3), 400, 3)
    square = {name: np.copysign(x**2, x) for name, x in (
        (name, M.ohlc_spread(*tables, window=60, method=name)[59:]) for name in ("OHL.CHL", "OHLC.CHLO")
    )}  # fmt: skip
    found = M.edge(*tables, window=60)[59:]
    found = np.copysign(found**2, found)
    low, high = (f(square["OHL.CHL"], square["OHLC.CHLO"]) for f in (np.minimum, np.maximum))
    assert ((found >= low - 1e-15) & (found <= high + 1e-15)).all()


@pytest.mark.parametrize("function", [M.edge, *(partial(M.ohlc_spread, method=m) for m in PAIRS)])
def test_invariants_of_both_rules(function):
    tables = bars(np.random.default_rng(5), 120, 4, missing=0.05)
    for rule in ("joint", "separate"):
        for with_se in (False, True):

            def run(*t, rule=rule, with_se=with_se):
                found = function(*t, window=15, missing=rule, with_se=with_se)
                return found.std_error if with_se else found

            base = run(*tables)
            np.testing.assert_allclose(run(*(1e4 * a for a in tables)), base, rtol=1e-6, atol=1e-9)
            order = [2, 0, 3, 1]
            np.testing.assert_array_equal(run(*(a[:, order] for a in tables)), base[:, order])
            np.testing.assert_array_equal(run(*(a[:70] for a in tables)), base[:70])
            assert_causal(run, tuple(tables), cuts=8, min_rows=20)


def test_the_estimate_is_the_same_with_and_without_its_error():
    tables = bars(np.random.default_rng(6), 150, 3, missing=0.1)
    np.testing.assert_allclose(M.edge(*tables, with_se=True).estimate, M.edge(*tables), rtol=0, atol=1e-14)
    for method in PAIRS:
        found = M.ohlc_spread(*tables, method=method, with_se=True, negative="zero")
        np.testing.assert_array_equal(found.estimate, M.ohlc_spread(*tables, method=method, negative="zero"))
        ends = found.interval(0.9)
        signed = M.ohlc_spread(*tables, method=method)
        there = ~np.isnan(signed)
        assert ((ends.lower <= signed) & (signed <= ends.upper))[there].all()


def test_close_high_low_needs_no_open():
    o, h, l, c = bars(np.random.default_rng(7), 60, 2)
    np.testing.assert_array_equal(M.ohlc_spread(None, h, l, c, method="CHL"), M.ohlc_spread(o, h, l, c, method="CHL"))
    with pytest.raises(DataError, match='use method="CHL"'):
        M.ohlc_spread(None, h, l, c, method="OHLC")


def test_bad_options_are_sentences():
    tables = bars(np.random.default_rng(8), 60, 1)
    for bad in ("OCHL", "", 3, "OHL,CHL"):
        with pytest.raises(OptionError, match="joined by a dot"):
            M.ohlc_spread(*tables, method=bad)
    with pytest.raises(OptionError, match="'joint', 'separate'"):
        M.edge(*tables, missing="drop")
    with pytest.raises(OptionError, match="hac_lags=-1"):
        M.edge(*tables, with_se=True, hac_lags=-1)


def test_windows_without_price_changes_are_missing():
    flat = np.full(30, 17.61)
    for method in PAIRS:
        found = M.ohlc_spread(flat, flat, flat, flat, window=10, method=method, with_se=True)
        assert np.isnan(found.estimate).all()
        assert np.isnan(found.std_error).all()
