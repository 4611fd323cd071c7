"""Portmanteau tests and the table of margins: brute force, statsmodels, invariance, size, bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtrc, ndtr

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.models.coliquidity import twins

METHODS = ("hosking", "li_mcleod", "ling_li")


@pytest.fixture(scope="module")
def residuals():
    return np.random.default_rng(4).standard_normal((300, 3)) @ np.array(
        [[1.0, 0.5, 0.1], [0.0, 1.0, 0.3], [0, 0, 2.0]]
    )


def _traces(u, lags):
    """tau_k by loops over rows."""
    e, T = u - u.mean(axis=0), len(u)
    C = [sum(np.outer(e[t], e[t - k]) for t in range(k, T)) / T for k in range(lags + 1)]
    inverse = np.linalg.inv(C[0])
    return [np.trace(C[k].T @ inverse @ C[k] @ inverse) for k in range(1, lags + 1)]


def test_statistics_equal_brute_force(residuals):
    T, N, lags = *residuals.shape, 6
    tau = _traces(residuals, lags)
    hosking = T**2 * sum(tau[k - 1] / (T - k) for k in range(1, lags + 1))
    li_mcleod = T * sum(tau) + N**2 * lags * (lags + 1) / (2 * T)
    V = np.linalg.inv(residuals.T @ residuals / T)
    size = np.array([row @ V @ row for row in residuals]) - N
    ling_li = T * sum((sum(size[t] * size[t - k] for t in range(k, T)) / sum(size**2)) ** 2 for k in range(1, lags + 1))
    for method, expected, df in zip(METHODS, (hosking, li_mcleod, ling_li), (54, 54, 6), strict=True):
        found = ds.portmanteau(residuals, method, lags)
        assert found.statistic == pytest.approx(expected, rel=1e-10)
        assert found.df == df
        assert found.p_value == pytest.approx(chdtrc(df, expected))
        fewer = ds.portmanteau(residuals, method, lags, fitted=2)
        assert (fewer.statistic, fewer.df) == (found.statistic, df - 2)


def test_one_series_gives_the_univariate_tests(residuals):
    """Hosking is then Ljung-Box with T^2 for T (T + 2), Ling-Li is Box-Pierce on squares."""
    from statsmodels.stats.diagnostic import acorr_ljungbox

    x = residuals[:, 0]
    theirs = acorr_ljungbox(x, lags=[7], boxpierce=True)
    factor = len(x) / (len(x) + 2)
    assert ds.portmanteau(x, lags=7).statistic == pytest.approx(theirs["lb_stat"].iloc[0] * factor, rel=1e-10)
    shift = 7 * 8 / (2 * len(x))
    assert ds.portmanteau(x, "li_mcleod", 7).statistic == pytest.approx(theirs["bp_stat"].iloc[0] + shift, rel=1e-10)
    squared = acorr_ljungbox(x**2, lags=[7], boxpierce=True)["bp_stat"].iloc[0]
    assert ds.portmanteau(x, "ling_li", 7).statistic == pytest.approx(squared, rel=1e-10)


def test_linear_transforms_do_not_matter(residuals):
    mixed = residuals @ np.array([[2.0, -1.0, 0.3], [0.0, 0.01, 5.0], [1.0, 1.0, 1.0]])
    for method in METHODS:
        base = ds.portmanteau(residuals, method).statistic
        assert ds.portmanteau(mixed, method).statistic == pytest.approx(base, rel=1e-9)
    assert ds.portmanteau(mixed + 7.0).statistic == pytest.approx(ds.portmanteau(residuals).statistic, rel=1e-9)


def test_of_a_result_the_whitened_residuals_are_taken():
    fit = ds.DCC().fit(pd.DataFrame(twins.simulate_dcc(600, 3, seed=9), columns=list("ABC")))
    white = np.array(
        [
            np.linalg.solve(np.linalg.cholesky(R), z)
            for R, z in zip(fit.correlation, fit.std_resid.to_numpy(), strict=True)
        ]
    )
    for method in METHODS:
        assert ds.portmanteau(fit, method) == ds.portmanteau(white, method)
    # The fitted model leaves nothing; the data themselves have spells of variance.
    assert ds.portmanteau(fit, "ling_li", 5).p_value > 0.01


def test_each_finds_what_it_looks_for():
    rng = np.random.default_rng(1)
    e = rng.standard_normal((600, 3))
    moving = e.copy()
    moving[1:, 0] += 0.4 * e[:-1, 2]
    assert ds.portmanteau(moving).p_value < 1e-6
    assert ds.portmanteau(moving, "li_mcleod").p_value < 1e-6
    spells = e * np.exp(np.cumsum(0.1 * rng.standard_normal((600, 1)), axis=0))
    assert ds.portmanteau(spells, "ling_li").p_value < 1e-6


def test_sizes_at_five_percent():
    rng = np.random.default_rng(12)
    draws = [rng.standard_normal((400, 3)) for _ in range(400)]
    for method in METHODS:
        rate = np.mean([ds.portmanteau(u, method, 5).p_value < 0.05 for u in draws])
        # Three binomial standard errors.
        assert abs(rate - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400), (method, rate)


def test_margins_equal_statsmodels(residuals):
    from statsmodels.stats.diagnostic import acorr_ljungbox, het_arch
    from statsmodels.stats.stattools import jarque_bera

    def arch(z):
        with warnings.catch_warnings():
            # Newer versions announce another type of answer.
            warnings.simplefilter("ignore", FutureWarning)
            return het_arch(z, nlags=4)[:2]

    table = ds.margin_diagnostics(pd.DataFrame(residuals, columns=list("ABC")), lags=4, tail=1.5)
    for name, z in zip("ABC", residuals.T, strict=True):
        row = table.loc[name]
        for column, x in (("ljung_box", z), ("ljung_box_squared", z**2)):
            theirs = acorr_ljungbox(x, lags=[4]).iloc[0]
            np.testing.assert_allclose(row[[column, f"{column}_p"]].astype(float), theirs, rtol=1e-9)
        np.testing.assert_allclose(row[["arch_lm", "arch_lm_p"]].astype(float), arch(z), rtol=1e-8)
        statistic, p, skewness, kurtosis = jarque_bera(z)
        expected = [statistic, p, skewness, kurtosis]
        np.testing.assert_allclose(
            row[["jarque_bera", "jarque_bera_p", "skewness", "kurtosis"]].astype(float), expected, rtol=1e-9
        )
        assert (row["below"], row["above"]) == ((z < -1.5).sum(), (z > 1.5).sum())
    assert table["expected"].iloc[0] == pytest.approx(300 * ndtr(-1.5))
    assert table["std"].to_numpy() == pytest.approx(residuals.std(axis=0))


def test_margins_of_a_result_and_of_a_series(residuals):
    fit = ds.GARCH().fit(pd.DataFrame(residuals, columns=list("ABC")))
    pd.testing.assert_frame_equal(ds.margin_diagnostics(fit), ds.margin_diagnostics(fit.std_resid))
    assert len(ds.margin_diagnostics(pd.Series(residuals[:, 0], name="A"))) == 1


def test_the_card_says_what_is_tested(residuals):
    text = repr(ds.portmanteau(residuals))
    for part in ("null", "alternative", "chi2(90)", "p ="):
        assert part in text


def test_bad_input_is_a_sentence(residuals):
    with pytest.raises(OptionError, match="li_mcleod"):
        ds.portmanteau(residuals, "box")
    with pytest.raises(OptionError, match="degrees of freedom"):
        ds.portmanteau(residuals, "ling_li", 3, fitted=3)
    with pytest.raises(DataError, match="fewer lags"):
        ds.portmanteau(residuals[:10], lags=8)
    with pytest.raises(DataError, match="same series"):
        ds.portmanteau(np.column_stack([residuals, residuals[:, 0]]))
    with pytest.raises(DataError, match="missing"):
        ds.portmanteau(np.where(residuals > 2, np.nan, residuals))
    with pytest.raises(DataError, match="does not vary"):
        ds.margin_diagnostics(np.column_stack([residuals, np.ones(300)]))
    with pytest.raises(OptionError, match="tail"):
        ds.margin_diagnostics(residuals, tail=0.0)
    with pytest.raises(DataError, match="rows"):
        ds.margin_diagnostics(residuals[:20])
