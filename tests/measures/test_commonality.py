"""Commonality: against one regression at a time, against another program, on panels with and without it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.causal import assert_causal
from drainstats.errors import DataError, OptionError
from drainstats.measures.comovement import inference, marketmodel, monthly

M = ds.measures


def panel(rng, rows=300, assets=6, loading=0.7, persistence=0.0):
    shocks = loading * rng.normal(size=(rows, 1)) + rng.normal(size=(rows, assets))
    out = np.empty_like(shocks)
    out[0] = shocks[0]
    for t in range(1, rows):
        out[t] = persistence * out[t - 1] + shocks[t]
    return out


def ragged(rng, rows=120, assets=5):
    y = panel(rng, rows, assets)
    y[:20, 0] = np.nan
    y[90:, 1] = np.nan
    y[rng.random(y.shape) < 0.05] = np.nan
    return y


def one_by_one(y, asset, around, controls=()):
    """The market model of one asset, with statsmodels."""
    import statsmodels.api as sm

    others = pd.DataFrame(np.delete(y, asset, axis=1)).mean(axis=1)
    columns = {"m": others}
    columns |= {f"lag{k}": others.shift(k) for k in range(1, around + 1)}
    columns |= {f"lead{k}": others.shift(-k) for k in range(1, around + 1)}
    columns |= {f"c{i}": pd.Series(c) for i, c in enumerate(controls)}
    data = pd.DataFrame({"y": y[:, asset]} | columns).dropna()
    x = sm.add_constant(data.drop(columns="y"))
    fit = sm.OLS(data["y"], x).fit(cov_type="HAC", cov_kwds={"maxlags": 5, "use_correction": True})
    base = sm.OLS(data["y"], x[["const", *(f"c{i}" for i in range(len(controls)))]]).fit()
    return fit, base


@pytest.mark.parametrize("around", [0, 1, 2])
@pytest.mark.parametrize("complete", [True, False])
def test_every_asset_equals_its_own_regression(around, complete):
    rng = np.random.default_rng(0)
    y = panel(rng, 120, 5) if complete else ragged(rng)
    control = rng.normal(size=len(y))
    found = M.commonality(y, changes="none", leads_and_lags=around, controls={"market return": control}, replications=0)
    for asset in range(y.shape[1]):
        fit, base = one_by_one(y, asset, around, [control])
        row = found.table.iloc[asset]
        names = ["constant", "beta", *(f"beta_lag{k}" for k in range(1, around + 1))]
        names += [*(f"beta_lead{k}" for k in range(1, around + 1)), "market return"]
        np.testing.assert_allclose(row[names].astype(float), fit.params, rtol=1e-9)
        if complete:
            # Over holes we keep the distance in rows; statsmodels takes the rows left for neighbours.
            np.testing.assert_allclose(row[[f"{n}_se" for n in names]].astype(float), fit.bse, rtol=1e-9)
        assert row["n"] == fit.nobs
        assert row["r2"] == pytest.approx(fit.rsquared_adj, rel=1e-9)
        assert row["r2_market"] == pytest.approx(fit.rsquared_adj - base.rsquared_adj, rel=1e-8)


def test_the_market_leaves_the_asset_out():
    y = ragged(np.random.default_rng(1))
    mean = marketmodel.others_mean(y)
    for asset in range(y.shape[1]):
        expected = pd.DataFrame(np.delete(y, asset, axis=1)).mean(axis=1)
        np.testing.assert_allclose(mean[:, asset], expected, rtol=1e-12)
    assert np.isnan(marketmodel.others_mean(np.array([[1.0, np.nan]]))[0, 0])


def test_bootstrap_weights_are_repeated_rows():
    rng = np.random.default_rng(2)
    d = marketmodel.design(panel(rng, 80, 4), 1)
    rows = inference.stationary_rows(80, 5.0, rng)
    weights = np.bincount(rows, minlength=80).astype(float)
    repeated = marketmodel.Design(d.y[:, rows], d.x[:, rows], d.used[:, rows], d.market)
    a, b = marketmodel.fit(d, 10, weights), marketmodel.fit(repeated, 10)
    np.testing.assert_allclose(a.coefficients, b.coefficients, rtol=1e-9)
    np.testing.assert_allclose(a.r2_market, b.r2_market, rtol=1e-9)


def month_by_hand(y, dates, asset, min_rows):
    """Filter and regression of one asset in one month by least squares with dummies."""
    days = pd.get_dummies(pd.Series(dates.day_of_week)).to_numpy(dtype=float)

    def residual(column):
        z = y[:, column]
        before = np.r_[np.nan, z[:-1]]
        x = np.column_stack([before, days])
        there = np.isfinite(z) & np.isfinite(before)
        out = np.full(len(z), np.nan)
        if there.sum() >= min_rows:
            out[there] = z[there] - x[there] @ np.linalg.lstsq(x[there], z[there], rcond=None)[0]
        return out

    left = np.column_stack([residual(c) for c in range(y.shape[1])])
    others = pd.DataFrame(np.delete(left, asset, axis=1)).mean(axis=1).to_numpy()
    x = np.column_stack([np.ones(len(y)), others, np.r_[np.nan, others[:-1]], np.r_[others[1:], np.nan]])
    there = np.isfinite(left[:, asset]) & np.isfinite(x).all(axis=1)
    if there.sum() < min_rows:
        return np.nan
    e = left[there, asset] - x[there] @ np.linalg.lstsq(x[there], left[there, asset], rcond=None)[0]
    return 1 - (e**2).sum() / ((left[there, asset] - left[there, asset].mean()) ** 2).sum()


def test_monthly_r2_equals_least_squares_with_dummies():
    rng = np.random.default_rng(3)
    dates = pd.bdate_range("2020-03-02", "2020-03-31")
    y = panel(rng, len(dates), 4)
    y[3, 2] = np.nan
    months, r2 = monthly.month_r2(y, dates, 12)
    assert len(months) == 1
    for asset in range(4):
        assert r2[0, asset] == pytest.approx(month_by_hand(y, dates, asset, 12), rel=1e-9)


def test_months_without_enough_rows_are_missing():
    dates = pd.bdate_range("2020-01-01", "2020-03-06")
    y = pd.DataFrame(np.exp(panel(np.random.default_rng(4), len(dates), 4)), index=dates)
    found = M.commonality(y, "r2", replications=0)
    assert found.table.loc["2020-03"].isna().all()
    assert found.table.loc["2020-02"].notna().all()
    assert ((found.table > 0) & (found.table < 1)).loc["2020-02"].all()
    expected = np.log(found.table / (1 - found.table))
    pd.testing.assert_frame_equal(found.logit, expected)


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


def test_components_of_complete_data_are_the_correlation_s():
    x = panel(np.random.default_rng(6), 200, 5)
    roots = np.linalg.eigvalsh(np.corrcoef(x.T))[::-1]
    found = M.commonality(x, "pca", changes="none", replications=0)
    np.testing.assert_allclose(found.table["share"], roots / 5, rtol=1e-10)
    assert found.table["cumulative"].iloc[-1] == pytest.approx(1.0)


def test_pairwise_correlations_with_holes():
    y = ragged(np.random.default_rng(7))
    from drainstats.measures.comovement.components import pairwise_correlation

    np.testing.assert_allclose(pairwise_correlation(y), pd.DataFrame(y).corr(), rtol=1e-9)


@pytest.mark.parametrize("method", ["market_model", "pca"])
def test_units_and_order_do_not_matter(method):
    rng = np.random.default_rng(8)
    levels = np.exp(0.2 * panel(rng, 150, 5))
    one = M.commonality(levels, method, replications=0)
    other = M.commonality(levels[:, ::-1] * [1e-6, 1, 100, 1e6, 3], method, replications=0)
    assert other.statistic == pytest.approx(one.statistic, rel=1e-9)


def test_a_known_beta_is_recovered_and_covered():
    rng = np.random.default_rng(9)
    hits = []
    for _ in range(200):
        market = rng.normal(size=(250, 1))
        # Forty assets that are the market itself but for noise; the last one has a beta of 0.8 to it.
        y = market + 0.3 * rng.normal(size=(250, 40))
        y[:, -1] = 0.8 * y[:, :-1].mean(axis=1) + rng.normal(size=250) * (1 + np.abs(market[:, 0]))
        row = M.commonality(y, changes="none", leads_and_lags=0, replications=0).table.iloc[-1]
        hits.append((row["beta"], abs(row["beta"] - 0.8) < 1.96 * row["beta_se"]))
    beta, covered = np.array(hits).T
    # 200 draws: the mean's own error is about 0.01; coverage within three binomial errors of 0.95, less HAC's bias.
    assert beta.mean() == pytest.approx(0.8, abs=0.04)
    assert 0.87 <= covered.mean() <= 0.995


def test_a_planted_factor_is_found_and_nothing_is_not():
    rng = np.random.default_rng(10)
    for method in ("market_model", "pca"):
        there = M.commonality(panel(rng, 250, 6, loading=0.5), method, changes="none", replications=99)
        assert there.p_value == 0.01
        assert there.statistic > there.null_mean + 3 * there.std_error
    assert "p 0.010" in repr(there)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["market_model", "pca", "r2"])
@pytest.mark.parametrize("persistence", [0.0, 0.8])
def test_panels_without_commonality_are_rejected_as_often_as_promised(method, persistence):
    rng = np.random.default_rng(11)
    dates = pd.bdate_range("2020-01-01", periods=130)
    replications, rejected = (49, 0)
    draws = 600 if method != "r2" else 300
    for draw in range(draws):
        y = panel(rng, 130, 5, loading=0.0, persistence=persistence)
        table = pd.DataFrame(y, index=dates)
        rejected += M.commonality(table, method, changes="none", replications=replications, seed=draw).p_value <= 0.0401
    # p takes multiples of 1/50: 2/50 or less is a true level of 4 %. Three binomial errors at 600 draws are 2.4 points.
    assert 0.015 <= rejected / draws <= 0.07


@pytest.mark.slow
def test_the_bootstrap_error_is_the_spread_of_the_statistic():
    rng = np.random.default_rng(12)
    found = [M.commonality(panel(rng, 300, 6, loading=0.7), changes="none", replications=60, seed=s) for s in range(60)]
    spread = np.std([f.statistic for f in found], ddof=1)
    assert np.mean([f.std_error for f in found]) == pytest.approx(spread, rel=0.3)


def test_rolling_equals_one_window_and_does_not_look_ahead():
    rng = np.random.default_rng(13)
    index = pd.date_range("2020-01-01", periods=120, tz="UTC")
    levels = pd.DataFrame(np.exp(0.3 * panel(rng, 120, 4)), index=index)
    for method in ("market_model", "pca"):
        rolled = M.rolling_commonality(levels, 40, method)
        assert rolled.first_valid_index() == index[40]
        one = M.commonality(levels.iloc[30:71], method, leads_and_lags=0, replications=0)
        assert rolled.iloc[70] == pytest.approx(one.statistic, rel=1e-9)
        assert_causal(lambda x, m=method: M.rolling_commonality(x, 40, m), levels, cuts=20, min_rows=45)
    thin = M.rolling_commonality(levels, 40, step=7)
    assert thin.dropna().index.equals(index[40::7])


def test_answers_do_not_depend_on_workers():
    levels = np.exp(panel(np.random.default_rng(14), 100, 4))
    one = M.commonality(levels, replications=20, n_jobs=1)
    two = M.commonality(levels, replications=20, n_jobs=2)
    assert (one.p_value, one.std_error) == (two.p_value, two.std_error)


def test_ugly_panels():
    rng = np.random.default_rng(15)
    y = panel(rng, 100, 5)
    y[:, 1] = 3.0
    y[:, 2] = np.nan
    y[10:, 3] = np.nan
    for method in ("market_model", "pca"):
        found = M.commonality(y, method, changes="none", replications=5)
        assert np.isfinite(found.statistic)
    table = M.commonality(y, changes="none", replications=0).table
    assert table["r2_market"].isna().tolist() == [False, True, True, True, False]
    zeros = np.exp(y)
    zeros[5, 0] = 0.0
    assert np.isfinite(M.commonality(zeros, replications=0).statistic)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (np.ones((50, 2)), {}, "3 or more"),
        (np.full((50, 3), np.inf), {}, "infinite"),
        (np.ones((50, 3)), {}, "rows that vary"),
        (np.ones((50, 3)), {"method": "pca"}, "move together"),
        (np.ones((50, 3)), {"method": "r2"}, "index is dates"),
        (np.ones((50, 3)), {"controls": {"c": np.ones(3)}}, "other rows"),
        (np.ones((50, 3)), {"controls": {"c": np.ones((50, 2))}}, "one an asset"),
    ],
)
def test_refusals(table, options, message):
    with pytest.raises(DataError, match=message):
        M.commonality(table, **options)


def test_options_are_checked():
    x = np.exp(panel(np.random.default_rng(16), 60, 3))
    for options in (
        {"method": "ols"},
        {"changes": "diff"},
        {"replications": -1},
        {"method": "pca", "controls": {"a": x}},
    ):
        with pytest.raises(OptionError):
            M.commonality(x, **options)
    with pytest.raises(OptionError, match="belongs to"):
        _ = M.commonality(x, "pca", replications=0).logit
    with pytest.raises(OptionError, match="step"):
        M.rolling_commonality(x, 20, step=0)
    for options in ({"fraction": 2}, {"half_life": 0.0}):
        with pytest.raises(OptionError):
            M.absorption_ratio(x, window=20, **options)
