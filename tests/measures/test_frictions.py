"""Zeros, FHT and LOT: by hand, against brute force, on simulated truth with coverage, on ugly prices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.kernels import friction
from tests.measures.truth import covered, friction_market, prices

M = ds.measures
SPREAD = 0.025  # of `friction_market`, its high less its low


def test_zeros_by_hand():
    close = np.array([10.0, 10.0, 10.1, np.nan, 10.1, 10.1])
    found = M.zero_returns(close, window=3)
    # Rows 1 and 2; row 2 alone; none; none; row 5 alone.
    np.testing.assert_array_equal(found, [np.nan, np.nan, 0.5, 0.0, np.nan, 1.0])
    assert M.zero_returns(close, window=6)[-1] == pytest.approx(2 / 3)


def test_zeros_with_volume_by_hand():
    close = np.array([10.0, 10.0, 10.0, 10.1, 10.1])
    volume = np.array([1.0, 0.0, 3.0, 0.0, np.nan])
    # Zero returns in rows 1, 2 and 4; row 1 had no volume, row 4 says nothing.
    assert M.zero_returns(close, volume, window=5)[-1] == pytest.approx(1 / 3)
    assert M.zero_returns(close, window=5)[-1] == 0.75


def test_fht_is_its_formula():
    close = prices(friction_market(np.random.default_rng(0), 60, 4)[0])
    found = M.fht(close, window=21)
    assert np.isnan(found[:20]).all()
    for t in (20, 41, 60):
        r = np.diff(np.log(close[t - 20 : t + 1]), axis=0)
        z = np.mean(r == 0, axis=0)
        np.testing.assert_allclose(found[t], 2 * r.std(axis=0, ddof=1) * norm.ppf((1 + z) / 2), rtol=1e-10)


def test_fht_delta_method_is_that_of_numerical_derivatives():
    """Without lags: the variance of the mean of the linearised rows, divisor n (n − 1)."""
    close = prices(friction_market(np.random.default_rng(1), 200, 1)[0])[:, 0]
    r = np.diff(np.log(close))
    moments = np.column_stack([r == 0, r, r**2])

    def spread(m):
        return 2 * np.sqrt(m[2] - m[1] ** 2) * norm.ppf((1 + m[0]) / 2)

    centre = moments.mean(axis=0)
    steps = np.diag(1e-5 * np.abs(centre))
    slope = [(spread(centre + h) - spread(centre - h)) / (2 * h.sum()) for h in steps]
    line = (moments - centre) @ slope
    found = M.fht(close, window=201, hac_lags=0, with_se=True)
    # A log-scale interval: its ratio of ends gives back the first-order error.
    ends = found.interval(0.95)
    first_order = np.log(ends.upper[-1] / ends.lower[-1]) / (2 * norm.ppf(0.975)) * found.estimate[-1]
    assert first_order == pytest.approx(np.sqrt(line @ line / (200 * 199)), rel=0.01)


def negative_likelihood(q, r, m, mixed):
    """The published likelihood in its own coordinates, written row by row in SciPy."""
    low, high, beta, log_sigma = q
    if low > 0 or high < 0:
        return np.inf
    sigma = np.exp(log_sigma)
    zero, by = r == 0, m if mixed else r
    up, down = ~zero & (by > 0), ~zero & (by < 0)
    inside = norm.cdf((high - beta * m[zero]) / sigma) - norm.cdf((low - beta * m[zero]) / sigma)
    moved = norm.logpdf((r[up] + high - beta * m[up]) / sigma).sum()
    moved += norm.logpdf((r[down] + low - beta * m[down]) / sigma).sum()
    return -(moved - log_sigma * (up.sum() + down.sum()) + np.log(np.maximum(inside, 1e-300)).sum())


@pytest.mark.parametrize("regions", ["y_split", "mixed"])
def test_lot_is_the_maximum(regions):
    rng = np.random.default_rng(2)
    for spread in (0.005, 0.025, 0.08):
        r, m = (v[:, 0] for v in friction_market(rng, 250, 1, low=-0.4 * spread, high=0.6 * spread))
        close, market = prices(r), prices(m)
        r, m = np.diff(np.log(close)), np.diff(np.log(market))
        brute = minimize(
            negative_likelihood, [-spread / 2, spread / 2, 0.5, np.log(0.02)], args=(r, m, regions == "mixed"),
            method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000},
        )  # fmt: skip
        found = M.lot(close, market, window=251, regions=regions)[-1]
        # At a bound the simplex stops short of the maximum by some 1e-7.
        assert found == pytest.approx(brute.x[1] - brute.x[0], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("mixed", [False, True])
def test_lot_errors_are_those_of_numerical_derivatives(mixed):
    """Information, or the sandwich with the rows' scores, in the published coordinates."""
    r, m = (v[:, 0] for v in friction_market(np.random.default_rng(3), 400, 1))
    spread, error = np.full((400, 1), np.nan), np.full((400, 1), np.nan)
    status = np.zeros((400, 1), dtype=np.int64)
    friction.friction(r[:, None], m[:, None], 400, 5, 1, mixed, spread, error, status)
    assert status[-1, 0] == friction.FOUND
    start = [-0.01, 0.015, 0.8, np.log(0.02)]
    top = minimize(
        negative_likelihood, start, args=(r, m, mixed), method="Nelder-Mead",
        options={"xatol": 1e-11, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000},
    ).x  # fmt: skip
    steps = np.diag([1e-5, 1e-5, 1e-3, 1e-3])

    def value(q, rows=slice(None)):
        return negative_likelihood(q, r[rows], m[rows], mixed)

    hessian = [
        [(value(top + a + b) - value(top + a - b) - value(top - a + b) + value(top - a - b)) / (4 * a.sum() * b.sum())
         for b in steps] for a in steps
    ]  # fmt: skip
    covariance = np.linalg.inv(hessian)
    if mixed:
        rows = [slice(i, i + 1) for i in range(400)]
        scores = np.array([[(value(top + a, k) - value(top - a, k)) / (2 * a.sum()) for a in steps] for k in rows])
        covariance = covariance @ scores.T @ scores @ covariance
    slope = np.array([-1.0, 1.0, 0.0, 0.0])
    assert error[-1, 0] == pytest.approx(np.sqrt(slope @ covariance @ slope), rel=2e-3)


def test_lot_windows_bounds_and_reasons():
    rng = np.random.default_rng(4)
    r, m = friction_market(rng, 130, 6)
    close = prices(r)
    close[:, 1] = 100 * np.exp(np.cumsum(np.r_[np.zeros((1, 1)), rng.normal(0, 0.02, (130, 1))], axis=0))[:, 0]
    close[:, 2] = 5.0
    close[:, 3] = np.arange(131) + 1.0
    close[20:, 4] = np.nan
    found = M.lot(close, prices(m), window=101, with_se=True)
    estimate, error = found.estimate, found.std_error
    assert np.isnan(estimate[:100]).all()
    assert (estimate[100:, 0] > 0).all()
    assert (error[100:, 0] > 0).all()
    # No zero return: nothing is lost, and nothing says how sure that is.
    assert (estimate[100:, 1] == 0).all()
    assert np.isnan(error[:, 1]).all()
    assert np.isnan(estimate[:, 2:5]).all()
    assert "62 windows with no return on one side" in found.method
    assert "31 windows with too few rows" in found.method
    constant = M.lot(close[:, :1], np.ones(131), window=101, with_se=True)
    assert "31 windows with returns or market that do not vary" in constant.method


def test_lot_steps_prefixes_columns_and_units():
    close, market = (prices(v) for v in friction_market(np.random.default_rng(5), 160, 4))
    whole = M.lot(close, market, window=101)
    stepped = M.lot(close, market, window=101, step=21)
    rows = np.arange(100, 161, 21)
    np.testing.assert_array_equal(stepped[rows], whole[rows])
    assert np.isnan(np.delete(stepped, rows, axis=0)).all()
    np.testing.assert_array_equal(M.lot(close[:, ::-1], market[:, ::-1], window=101), whole[:, ::-1])
    np.testing.assert_array_equal(M.lot(close[-101:], market[-101:], window=101)[-1], whole[-1])
    # Returns a thousand times smaller have a spread a thousand times smaller.
    r, m = np.diff(np.log(close), axis=0), np.diff(np.log(market), axis=0)
    outs = []
    for unit in (1.0, 1e-3):
        out = [np.full_like(r, np.nan), np.full_like(r, np.nan), np.zeros(r.shape, dtype=np.int64)]
        friction.friction(unit * r, unit * m, 100, 50, 1, False, *out)
        outs.append(out)
    np.testing.assert_allclose(outs[1][0], 1e-3 * outs[0][0], rtol=1e-9)
    np.testing.assert_allclose(outs[1][1], 1e-3 * outs[0][1], rtol=1e-6)


@pytest.mark.parametrize("name", ["zero_returns", "fht"])
def test_units_and_prefixes(name):
    measure = getattr(M, name)
    close = prices(friction_market(np.random.default_rng(6), 90, 3)[0])
    whole = measure(close, window=21)
    np.testing.assert_array_equal(measure(8 * close, window=21), whole)
    np.testing.assert_allclose(measure(close[-21:], window=21)[-1], whole[-1], rtol=1e-12)
    ds.causal.assert_causal(lambda c: measure(c, window=21), close, min_rows=21)


def test_lot_is_causal():
    close, market = (prices(v) for v in friction_market(np.random.default_rng(7), 120, 2))
    ds.causal.assert_causal(lambda c, m: M.lot(c, m, window=61), (close, market), min_rows=61, cuts=20)


def test_constant_prices_have_no_spread_estimate():
    flat = np.full(30, 3.0)
    assert (M.zero_returns(flat)[20:] == 1).all()
    assert np.isnan(M.fht(flat)).all()
    found = M.zero_returns(flat, with_se=True)
    assert np.isnan(found.std_error).all()
    moving = np.exp(np.random.default_rng(8).normal(0, 0.01, 30).cumsum())
    found = M.fht(moving, with_se=True)
    assert (found.estimate[20:] == 0).all()
    assert np.isnan(found.std_error).all()


def test_bad_use_is_a_sentence():
    close, market = (prices(v) for v in friction_market(np.random.default_rng(9), 60, 2))
    with pytest.raises(DataError, match="not above zero"):
        M.zero_returns(0 * close)
    with pytest.raises(DataError, match="negative"):
        M.zero_returns(close, -close)
    with pytest.raises(OptionError, match="at least 3"):
        M.fht(close, window=2)
    with pytest.raises(OptionError, match="'y_split'"):
        M.lot(close, market, window=50, regions="x_split")
    with pytest.raises(OptionError, match="more than the 49 returns"):
        M.lot(close, market, window=50, min_rows=50)
    with pytest.raises(OptionError, match="step"):
        M.lot(close, market, window=50, step=0)
    with pytest.raises(DataError, match="fewer than the window"):
        M.lot(close, market)


def test_a_frame_comes_back_a_frame():
    close, market = (prices(v) for v in friction_market(np.random.default_rng(10), 60, 2))
    days = pd.date_range("2024-01-01", periods=61)
    frame = pd.DataFrame(close, index=days, columns=["A", "B"])
    found = M.lot(frame, pd.Series(market[:, 0], index=days), window=40, with_se=True)
    assert found.estimate.columns.tolist() == ["A", "B"]
    assert found.std_error.index.equals(days)


def truth(columns, rows, seed):
    rng = np.random.default_rng(seed)
    r, m = friction_market(rng, rows, columns)
    many = friction_market(rng, 20000, 100)[0]
    return prices(r), prices(m), np.mean(many == 0), many.std()


@pytest.mark.parametrize("rows", [20, 63, 250])
def test_intervals_of_zeros_and_fht_cover(rows):
    """2000 assets, Monte Carlo error 0.5 points. FHT covers what it estimates, 2 sigma N⁻¹((1 + z) / 2) of the seen."""
    close, _, zeros, sigma = truth(2000, rows, 11)
    found = M.zero_returns(close, window=rows + 1, with_se=True)
    assert 0.88 < covered(found, zeros) < 0.98
    assert found.estimate[-1].mean() == pytest.approx(zeros, abs=4 * 0.5 / np.sqrt(2000 * rows))
    limit = 2 * sigma * norm.ppf((1 + zeros) / 2)
    found = M.fht(close, window=rows + 1, with_se=True)
    assert 0.88 < covered(found, limit) < 0.98
    # The bias of second order falls with the rows.
    assert found.estimate[-1].mean() == pytest.approx(limit, rel=1.2 / rows + 0.01)


def test_fht_is_below_the_spread_of_its_own_model():
    """A fifth of zeros: a spread of 0.5067 sigma, of which 81 % is found."""
    rng = np.random.default_rng(12)
    half = 0.02 * norm.ppf(0.6)
    r, _ = friction_market(rng, 2000, 40, low=-half, high=half, beta=0.0)
    found = M.fht(prices(r), window=2001)[-1].mean()
    seen = np.sqrt(2 * ((1 + norm.ppf(0.6) ** 2) * 0.4 - norm.ppf(0.6) * norm.pdf(norm.ppf(0.6))))
    assert seen == pytest.approx(0.81, abs=0.005)
    assert found / (2 * half) == pytest.approx(seen, rel=0.01)


@pytest.mark.parametrize("rows", [63, 250])
def test_lot_of_a_small_spread(rows):
    """A spread of 0.5 % under noise of 2 %: some windows have a threshold at 0, where the estimates pile up."""
    rng = np.random.default_rng(14)
    r, m = friction_market(rng, rows, 2000, low=-0.002, high=0.003)
    found = M.lot(prices(r), prices(m), window=rows + 1, with_se=True)
    assert 0.88 < covered(found, 0.005) < 0.98
    assert found.estimate[-1].mean() == pytest.approx(0.005, rel=0.05)


@pytest.mark.parametrize("rows", [63, 250])
def test_lot_recovers_the_spread_and_covers_it(rows):
    """2000 assets, Monte Carlo error 0.5 points; the mixed regions overstate a spread of 2.5 % by a third."""
    close, market, _, _ = truth(2000, rows, 13)
    found = M.lot(close, market, window=rows + 1, with_se=True)
    assert found.method == "maximum likelihood, information"
    assert 0.88 < covered(found, SPREAD) < 0.98
    assert found.estimate[-1].mean() == pytest.approx(SPREAD, rel=0.012)
    # The standard error is the longer arm of the interval over 1.96, so it exceeds the spread of the estimates.
    assert 1 < np.median(found.std_error[-1]) / found.estimate[-1].std() < 1.3
    mixed = M.lot(close, market, window=rows + 1, regions="mixed", with_se=True)
    assert mixed.estimate[-1].mean() == pytest.approx(1.34 * SPREAD, rel=0.02)
    assert covered(mixed, SPREAD) < 0.7


def test_nothing_at_all():
    empty = np.full((30, 2), np.nan)
    for found in (
        M.zero_returns(empty, with_se=True), M.zero_returns(empty, empty, with_se=True), M.fht(empty, with_se=True),
        M.lot(empty, empty[:, 0], window=25, with_se=True),
    ):  # fmt: skip
        assert np.isnan(found.estimate).all()
        assert np.isnan(found.std_error).all()
