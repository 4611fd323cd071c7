"""Least squares in trailing windows: against statsmodels and a plain twin, and what must hold whatever the units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.measures.truth import covered

M = ds.measures
KINDS = {
    "classical": {},
    "hc1": {"cov_type": "HC1"},
    "hc3": {"cov_type": "HC3"},
    "newey_west": {"cov_type": "HAC", "cov_kwds": {"maxlags": 3, "use_correction": True}},
}


def made(rows=80, columns=3, seed=0):
    rng = np.random.default_rng(seed)
    x = {"a": rng.normal(size=(rows, columns)), "b": 0.5 * rng.normal(size=(rows, columns))}
    x["b"] += 0.8 * x["a"]
    noise = rng.normal(size=(rows, columns)) * (1 + np.abs(x["a"]))
    return 1 + 2 * x["a"] - x["b"] + noise, x


def twin(y, x, intercept, kind, lags):
    """One window in plain NumPy; missing rows keep their place in the lags."""
    used = np.isfinite(y) & np.isfinite(x).all(axis=1)
    design = np.column_stack([np.ones(len(y)), x]) if intercept else x
    design, y = np.where(used[:, None], design, 0.0), np.where(used, y, 0.0)
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    residual = y - design @ beta
    n, free = used.sum(), used.sum() - design.shape[1]
    if kind == "classical":
        return beta, np.sqrt(np.diag(inverse) * (residual @ residual) / free)
    if kind == "hc3":
        residual = residual / (1 - np.einsum("ij,jk,ik->i", design, inverse, design))
    move = (design * residual[:, None]) @ inverse
    long_run = move.T @ move
    for lag in range(1, lags + 1 if kind == "newey_west" else 1):
        part = move[lag:].T @ move[:-lag]
        long_run += (1 - lag / (lags + 1)) * (part + part.T)
    return beta, np.sqrt(np.diag(long_run) * (1 if kind == "hc3" else n / free))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("intercept", [True, False])
def test_statsmodels_agrees(kind, intercept):
    y, x = made()
    fit = M.rolling_regression(y, x, window=30, intercept=intercept, errors=kind, lags=3)
    for t, j in [(29, 0), (50, 1), (79, 2)]:
        design = np.column_stack([v[t - 29 : t + 1, j] for v in x.values()])
        design = sm.add_constant(design) if intercept else design
        theirs = sm.OLS(y[t - 29 : t + 1, j], design).fit(**KINDS[kind])
        ours = [(e.estimate[t, j], e.std_error[t, j]) for e in fit.coefficients.values()]
        np.testing.assert_allclose(ours, np.column_stack([theirs.params, theirs.bse]), rtol=1e-10)
    assert list(fit.coefficients) == (["intercept", "a", "b"] if intercept else ["a", "b"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("intercept", [True, False])
def test_missing_rows_drop_out_whole(kind, intercept):
    y, x = made(seed=1)
    rng = np.random.default_rng(2)
    for table in (y, *x.values()):
        table[rng.random(table.shape) < 0.1] = np.nan
    fit = M.rolling_regression(y, x, window=25, intercept=intercept, errors=kind, lags=2)
    for t in range(24, 80, 7):
        for j in range(3):
            design = np.column_stack([v[t - 24 : t + 1, j] for v in x.values()])
            beta, error = twin(y[t - 24 : t + 1, j], design, intercept, kind, 2)
            np.testing.assert_allclose([e.estimate[t, j] for e in fit.coefficients.values()], beta, rtol=1e-10)
            np.testing.assert_allclose([e.std_error[t, j] for e in fit.coefficients.values()], error, rtol=1e-10)
            used = np.isfinite(design).all(axis=1) & np.isfinite(y[t - 24 : t + 1, j])
            assert fit.rows[t, j] == used.sum()


def test_units_do_not_matter():
    """A regressor of 1e12 with a mean five spreads away, beside one of 1e-6."""
    y, x = made(seed=3)
    plain = M.rolling_regression(y, x, window=21)
    scaled = M.rolling_regression(1e-9 * y, {"a": 1e12 * (x["a"] + 5), "b": 1e-6 * x["b"]}, window=21)
    for name, unit in (("a", 1e-21), ("b", 1e-3)):
        ours, theirs = scaled.coefficients[name], plain.coefficients[name]
        np.testing.assert_allclose(ours.estimate, unit * theirs.estimate, rtol=1e-9)
        np.testing.assert_allclose(ours.std_error, unit * theirs.std_error, rtol=1e-9)


def test_powers_of_two_scale_bit_by_bit():
    y, x = made(seed=4)
    plain = M.rolling_regression(y, x, window=21).coefficients["a"]
    scaled = M.rolling_regression(4 * y, {"a": 2.0**40 * x["a"], "b": x["b"]}, window=21).coefficients["a"]
    np.testing.assert_array_equal(scaled.estimate * 2.0**38, plain.estimate)
    np.testing.assert_array_equal(scaled.std_error * 2.0**38, plain.std_error)


def test_close_regressors_keep_their_digits():
    """Two regressors that differ by 1e-6 of themselves: normal equations would lose twelve digits, these lose six."""
    rng = np.random.default_rng(5)
    a = rng.normal(size=40)
    b = a + 1e-6 * rng.normal(size=40)
    y = 3 * a - 2 * b
    fit = M.rolling_regression(y, {"a": a, "b": b}, window=40)
    assert fit.coefficients["a"].estimate[-1] == pytest.approx(3, abs=1e-8)
    assert fit.coefficients["b"].estimate[-1] == pytest.approx(-2, abs=1e-8)


@pytest.mark.parametrize(
    "b",
    [lambda a: 3 * a + 1, lambda a: np.full_like(a, 1e6 / 3), np.zeros_like, lambda a: np.full_like(a, np.nan)],
    ids=["collinear", "constant", "zero", "missing"],
)
def test_what_is_not_identified_is_missing(b):
    a = np.random.default_rng(6).normal(size=30)
    fit = M.rolling_regression(a**2, {"a": a, "b": b(a)}, window=20)
    for found in fit.coefficients.values():
        assert np.isnan(found.estimate).all()
        assert np.isnan(found.std_error).all()


def test_too_few_rows_are_missing():
    y, x = made(rows=40, seed=7)
    y[5:20] = np.nan
    fit = M.rolling_regression(y, x, window=20, min_rows=10)
    assert np.isnan(fit.coefficients["a"].estimate[19:29]).sum() == np.sum(fit.rows[19:29] < 10)
    assert np.isfinite(fit.coefficients["a"].estimate[fit.rows >= 10]).all()


def test_a_perfect_fit_has_no_error():
    x = np.arange(10.0)
    found = M.rolling_regression(5 + 2 * x, {"x": x}, window=6).coefficients["x"]
    np.testing.assert_allclose(found.estimate[5:], 2, rtol=1e-14)
    np.testing.assert_allclose(found.std_error[5:], 0, atol=1e-14)


def test_prefixes_and_columns_bit_by_bit():
    """70 columns fill two blocks and a part of a third; every window and column is on its own."""
    y, x = made(rows=60, columns=70, seed=8)
    whole = M.rolling_regression(y, x, window=21).coefficients["b"]
    prefix = M.rolling_regression(y[:40], {k: v[:40] for k, v in x.items()}, window=21).coefficients["b"]
    order = np.random.default_rng(9).permutation(70)
    mixed = M.rolling_regression(y[:, order], {k: v[:, order] for k, v in x.items()}, window=21).coefficients["b"]
    last = M.rolling_regression(y[-21:], {k: v[-21:] for k, v in x.items()}, window=21).coefficients["b"]
    for name in ("estimate", "std_error"):
        np.testing.assert_array_equal(getattr(whole, name)[:40], getattr(prefix, name))
        np.testing.assert_array_equal(getattr(whole, name)[:, order], getattr(mixed, name))
        np.testing.assert_array_equal(getattr(whole, name)[-1], getattr(last, name)[-1])


def test_it_is_causal_and_keeps_labels():
    y, x = made(seed=10)
    days = pd.date_range("2024-01-01", periods=80, tz="UTC")
    frames = [pd.DataFrame(v, index=days, columns=list("pqr")) for v in (y, *x.values())]

    def slope(y, a, b):
        return M.rolling_regression(y, {"a": a, "b": b}, window=15).coefficients["a"].estimate

    ds.causal.assert_causal(slope, tuple(frames), min_rows=15)
    fit = M.rolling_regression(frames[0], {"a": frames[1]}, window=15)
    assert fit.rows.columns.tolist() == list("pqr")
    assert "WindowRegression on intercept, a" in repr(fit)


def test_bad_use_is_a_sentence():
    y, x = made()
    with pytest.raises(OptionError, match="one to 5"):
        M.rolling_regression(y, {})
    with pytest.raises(OptionError, match="intercept"):
        M.rolling_regression(y, {"intercept": x["a"]}, window=20)
    with pytest.raises(OptionError, match="longer window"):
        M.rolling_regression(y, x, window=20, min_rows=21)
    with pytest.raises(OptionError, match="'classical'"):
        M.rolling_regression(y, x, window=20, errors="hc7")
    with pytest.raises(DataError, match="infinite"):
        M.rolling_regression(np.where(y > 2, np.inf, y), x, window=20)
    with pytest.raises(DataError, match="shapes"):
        M.rolling_regression(y, {"a": x["a"][:, :2]}, window=20)
    with pytest.raises(DataError, match="fewer than the window"):
        M.rolling_regression(y, x, window=81)


def test_a_row_that_decides_alone_has_no_error():
    flow = np.zeros(20)
    flow[7] = 3.0
    y = np.random.default_rng(12).normal(size=20)
    found = M.rolling_regression(y, {"flow": flow}, window=20).coefficients["flow"]
    assert np.isfinite(found.estimate[-1])
    assert np.isnan(found.std_error[-1])


@pytest.mark.parametrize(
    ("kind", "rows", "share"),
    [
        ("classical", 20, 0.934),
        ("hc1", 100, 0.922),
        ("hc3", 20, 0.918),
        ("hc3", 100, 0.931),
        ("newey_west", 100, 0.897),
    ],
)
def test_intervals_cover(kind, rows, share):
    """2000 windows (Monte Carlo error 0.6 points); equal variances for classical errors, else they grow with x².

    For Newey-West regressor and noise are AR(1) with 0.5, whose dependence the few lags cut short.
    """
    rng = np.random.default_rng(11)
    keep = 0.5 if kind == "newey_west" else 0.0
    x, noise = np.zeros((150, 2000)), np.zeros((150, 2000))
    for t in range(1, 150):
        x[t], noise[t] = keep * x[t - 1] + rng.normal(size=2000), keep * noise[t - 1] + rng.normal(size=2000)
    if kind != "classical":
        noise *= np.sqrt(0.5 + x**2)
    found = M.rolling_regression((1 + 2 * x + noise)[50:], {"x": x[50:]}, window=rows, errors=kind).coefficients["x"]
    assert 0.88 < covered(found, 2.0) < 0.98
    assert covered(found, 2.0) == pytest.approx(share, abs=0.018)  # three Monte Carlo errors
    assert found.estimate[-1].mean() == pytest.approx(2, abs=0.02)
