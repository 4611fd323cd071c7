"""Trailing windows: commonality, absorption ratio and its shift, their errors, and that they do not look ahead."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError
from tests.measures.test_commonality import panel

M = ds.measures
INDEX = pd.date_range("2020-01-01", periods=120, tz="UTC")


@pytest.mark.parametrize("around", [0, 1])
@pytest.mark.parametrize("method", ["market_model", "pca"])
def test_rolling_equals_one_window_and_does_not_look_ahead(method, around):
    rng = np.random.default_rng(13)
    levels = pd.DataFrame(np.exp(0.3 * panel(rng, 120, 4)), index=INDEX)
    levels.iloc[50:54, 1] = np.nan
    levels.iloc[60, 2] = -1.0

    def rolled(x):
        return M.rolling_commonality(x, 40, method, leads_and_lags=around)

    found = rolled(levels)
    assert found.first_valid_index() == INDEX[40]
    for t in (40, 70, 119):
        one = M.commonality(levels.iloc[t - 40 : t + 1], method, leads_and_lags=around, min_rows=20, replications=0)
        assert found.iloc[t] == pytest.approx(one.statistic, rel=1e-9)
    assert_causal(rolled, levels, cuts=20, min_rows=45)
    thin = M.rolling_commonality(levels, 40, method, leads_and_lags=around, step=7)
    assert thin.dropna().index.equals(INDEX[40::7])
    pd.testing.assert_series_equal(thin.dropna(), found[thin.notna()])


def test_more_assets_than_rows():
    """Complete windows take the products of rows; a hole takes the products of assets; both are one number."""
    x = panel(np.random.default_rng(14), 60, 50)
    found = M.rolling_commonality(x, 20, "pca", changes="none")
    for t in (20, 59):
        rows = x[t - 19 : t + 1]
        assert found[t] == pytest.approx(np.linalg.eigvalsh(np.corrcoef(rows.T))[-1] / 50, rel=1e-9)
    x[:, 3] = 1.0
    assert np.isfinite(M.rolling_commonality(x, 20, "pca", changes="none")[20:]).all()


@pytest.mark.parametrize(
    "statistic",
    [
        lambda x: M.rolling_commonality(x, len(x) - 1, changes="none", with_se=True),
        lambda x: M.rolling_commonality(x, len(x) - 1, "pca", changes="none", with_se=True),
        lambda x: M.absorption_ratio(x, len(x), with_se=True),
        lambda x: M.absorption_ratio(x, len(x), standardise=True, with_se=True),
        lambda x: M.absorption_ratio(x, len(x), half_life=len(x) / 2, with_se=True),
    ],
    ids=["market", "share", "covariances", "correlations", "weights"],
)
@pytest.mark.parametrize("persistence", [0.0, 0.3])
def test_errors_are_the_spread_of_the_estimates(statistic, persistence):
    rng = np.random.default_rng(15)
    found = [statistic(panel(rng, 301, 8, 1.0, persistence)) for _ in range(150)]
    estimates, errors = (np.array([getattr(f, name)[-1] for f in found]) for name in ("estimate", "std_error"))
    # The spread of 150 draws is known to 6 %; first-order errors and Bartlett weights cost as much again.
    assert errors.mean() == pytest.approx(estimates.std(ddof=1), rel=0.2)
    assert 0.85 <= (np.abs(estimates - estimates.mean()) < 1.96 * errors).mean() <= 0.99


def test_errors_with_holes_and_windows_wider_than_long():
    rng = np.random.default_rng(16)
    x = pd.DataFrame(panel(rng, 100, 6), pd.date_range("2020-01-01", periods=100))
    whole = M.rolling_commonality(x, 60, "pca", changes="none", with_se=True).std_error
    x.iloc[70, 2] = np.nan
    holed = M.rolling_commonality(x, 60, "pca", changes="none", with_se=True)
    assert holed.std_error.iloc[-1] == pytest.approx(whole.iloc[-1], rel=0.1)
    assert holed.interval().lower.iloc[-1] < holed.estimate.iloc[-1]
    a = panel(rng, 20, 30)
    for standardise in (False, True):
        wide = M.absorption_ratio(a, 20, standardise=standardise, with_se=True)
        assert wide.estimate[-1] == pytest.approx(M.absorption_ratio(a, 20, standardise=standardise)[-1], rel=1e-9)
        assert 0 < wide.std_error[-1] < 0.2


@pytest.mark.reference
def test_absorption_ratio_of_another_program(data_root):
    path = data_root / "reference/liquidity/expected/frds/expected.json"
    case = json.loads(path.read_text())["absorption_ratio"]
    returns = np.array(case["returns_assets_by_days"]).T
    for fraction, expected in case["computed_frds_2.4.1"].items():
        got = M.absorption_ratio(returns, window=6, fraction=float(fraction))[-1]
        assert got == pytest.approx(expected, abs=1e-12)
        assert got == pytest.approx(case["expected_test"][fraction], abs=6e-5)


def test_absorption_ratio_weights_and_tall_and_wide_windows():
    rng = np.random.default_rng(5)
    x = panel(rng, 60, 8)
    got = M.absorption_ratio(x, window=50, half_life=25, fraction=0.25)[-1]
    w = 0.5 ** (np.arange(50)[::-1] / 25)
    roots = np.linalg.eigvalsh(np.cov(x[-50:].T, aweights=w, ddof=0))[::-1]
    assert got == pytest.approx(roots[:2].sum() / roots.sum())
    wide = M.absorption_ratio(panel(rng, 30, 80), window=20, fraction=0.05)
    assert np.isfinite(wide[19:]).all()
    standard = M.absorption_ratio(x * np.arange(1, 9), window=50, standardise=True)
    np.testing.assert_allclose(standard, M.absorption_ratio(x, window=50, standardise=True), rtol=1e-9)


def test_the_shift_is_that_of_pandas():
    x = pd.Series(np.random.default_rng(17).normal(0.7, 0.05, 200))
    long = x.rolling(60)
    pd.testing.assert_series_equal(M.absorption_shift(x, 10, 60), (x.rolling(10).mean() - long.mean()) / long.std())
    x[100] = np.nan
    assert M.absorption_shift(x, 10, 60)[100:160].isna().all()
    assert np.isnan(M.absorption_shift(np.full(80, 0.3), 10, 60)).all()


def test_options_are_checked():
    x = np.exp(panel(np.random.default_rng(16), 60, 3))
    with pytest.raises(OptionError, match="step"):
        M.rolling_commonality(x, 20, step=0)
    for options in ({"fraction": 2}, {"half_life": 0.0}):
        with pytest.raises(OptionError):
            M.absorption_ratio(x, window=20, **options)
    with pytest.raises(OptionError, match="exceed"):
        M.absorption_shift(x[:, 0], 30, 20)
    with pytest.raises(DataError, match="fewer than the window"):
        M.rolling_commonality(x, 80)
