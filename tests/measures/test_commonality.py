"""Commonality: against one regression at a time, against another program, on panels with and without it."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.measures.comovement import inference, marketmodel
from drainstats.measures.comovement.components import component_shares, left_out_r2, pairwise_correlation

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


@pytest.mark.parametrize("weighted", [False, True])
def test_the_market_leaves_the_asset_out(weighted):
    rng = np.random.default_rng(1)
    y = ragged(rng)
    w = rng.uniform(0, 2, y.shape) * (rng.random(y.shape) > 0.1) if weighted else np.ones_like(y)
    mean = marketmodel.others_mean(y, w)
    for asset in range(y.shape[1]):
        others, mass = np.delete(y, asset, axis=1), np.delete(w, asset, axis=1)
        mass = np.where(np.isfinite(others), mass, 0.0)
        total = mass.sum(axis=1)
        expected = np.nansum(mass * others, axis=1) / np.where(total > 0, total, np.nan)
        np.testing.assert_allclose(mean[:, asset], expected, rtol=1e-10, atol=1e-14)
    assert np.isnan(marketmodel.others_mean(np.array([[1.0, np.nan]]), np.ones((1, 2)))[0, 0])


def gains_of(y, around=1, controls=(), min_rows=10, weights=None):
    stacked = np.stack([np.broadcast_to(c, y.shape) for c in controls]) if controls else np.empty((0, *y.shape))
    return marketmodel.Gains(y, np.ones_like(y) if weights is None else weights, stacked, around, min_rows)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("with_control", [True, False])
def test_the_kernel_gives_the_mean_of_the_table(complete, with_control):
    """No turn at all, and every row once: the statistic itself, which statsmodels has checked above."""
    rng = np.random.default_rng(2)
    y = panel(rng, 120, 19) if complete else ragged(rng, assets=19)
    controls = [rng.normal(size=(len(y), 1)), rng.normal(size=y.shape)] if with_control else []
    gains = gains_of(y, controls=controls)
    named = {str(k): c if c.shape[1] > 1 else c[:, 0] for k, c in enumerate(controls)}
    expected = M.commonality(y, changes="none", controls=named, min_rows=10, replications=0).statistic
    rest = marketmodel.without_controls(y, gains.controls)
    none = np.zeros((1, y.shape[1]), dtype=np.int64)
    assert gains.turned(rest, inference.spans(np.isfinite(rest)), none)[0] == pytest.approx(expected, rel=1e-9)
    assert gains.resampled(np.arange(len(y))[None])[0] == pytest.approx(expected, rel=1e-9)


def test_a_turned_panel_is_the_null_s_panel():
    """With controls, what they leave is turned and put back on what they explain."""
    rng = np.random.default_rng(3)
    control = rng.normal(size=(90, 1))
    y = control + panel(rng, 90, 4)
    gains = gains_of(y, controls=[control])
    by = np.array([3, 50, 0, 89])
    x = np.column_stack([np.ones(90), control])
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    turned = fitted + np.column_stack([np.roll(y[:, i] - fitted[:, i], by[i]) for i in range(4)])
    expected = M.commonality(turned, changes="none", controls={"c": control[:, 0]}, replications=0).statistic
    rest = marketmodel.without_controls(y, gains.controls)
    got = gains.turned(rest, inference.spans(np.isfinite(rest)), by[None])[0]
    assert got == pytest.approx(expected, rel=1e-9)


def test_turns_stay_in_the_span_and_none_is_as_likely_as_any():
    y = ragged(np.random.default_rng(4), rows=60)
    span = inference.spans(np.isfinite(y))
    shifts = inference.draw_shifts(span, 4000, 0)
    moved = inference.turned(y, span, shifts[:3])
    for b in range(3):
        for i in range(y.shape[1]):
            inside = slice(span.starts[i], span.starts[i] + span.lengths[i])
            np.testing.assert_array_equal(moved[b, inside, i], np.roll(y[inside, i], shifts[b, i]))
            np.testing.assert_array_equal(np.isnan(moved[b, :, i]).sum(), np.isnan(y[:, i]).sum())
    assert (shifts.min(axis=0) == 0).all()
    assert (shifts.max(axis=0) == span.lengths - 1).all()


def test_bootstrap_weights_are_repeated_rows():
    rng = np.random.default_rng(5)
    y = panel(rng, 80, 4)
    d = marketmodel.design(y, marketmodel.others_mean(y, np.ones_like(y)), 1, np.empty((0, 80, 4)))
    rows = inference.stationary_rows(80, 5.0, rng)
    repeated = marketmodel.Design(d.y[:, rows], d.x[:, rows], d.used[:, rows], d.market)
    expected = marketmodel.fit(repeated, 10, 0).r2_market.mean()
    assert gains_of(y).resampled(rows[None])[0] == pytest.approx(expected, rel=1e-9)


def test_the_summary_is_the_table_s():
    found = M.commonality(panel(np.random.default_rng(6), 150, 8), changes="none", replications=0)
    table, summary = found.table, found.summary()
    sums = table[["beta", "beta_lag1", "beta_lead1"]].sum(axis=1)
    assert summary["mean_sum"] == pytest.approx(sums.mean())
    assert summary["median_sum"] == pytest.approx(sums.median())
    assert summary["share_significant"] == ((table["beta"] / table["beta_se"]) > 1.645).mean()
    assert summary["share_positive"] == 1.0


def test_lagged_levels_as_weights_make_the_change_of_the_average():
    rng = np.random.default_rng(7)
    levels = pd.DataFrame(np.exp(0.2 * panel(rng, 100, 4)))
    found = M.commonality(
        levels, changes="percent", weights=levels.shift(), leads_and_lags=0, replications=0
    ).table.iloc[0]
    others = levels[[1, 2, 3]].mean(axis=1).pct_change()
    slope = np.polyfit(others[1:], levels[0].pct_change()[1:], 1)[0]
    assert found["beta"] == pytest.approx(slope, rel=1e-9)


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
    table = M.commonality(pd.DataFrame(y, dates), "r2", changes="none", min_rows=12, replications=0).table
    assert len(table) == 1
    for asset in range(4):
        assert table.iloc[0, asset] == pytest.approx(month_by_hand(y, dates, asset, 12), rel=1e-9)


def test_months_without_enough_rows_are_missing():
    dates = pd.bdate_range("2020-01-01", "2020-03-06")
    y = pd.DataFrame(np.exp(panel(np.random.default_rng(4), len(dates), 4)), index=dates)
    found = M.commonality(y, "r2", replications=0)
    assert found.table.loc["2020-03"].isna().all()
    assert found.table.loc["2020-02"].notna().all()
    assert ((found.table > 0) & (found.table < 1)).loc["2020-02"].all()
    expected = np.log(found.table / (1 - found.table))
    pd.testing.assert_frame_equal(found.logit, expected)


def test_components_of_complete_data_are_the_correlation_s():
    x = panel(np.random.default_rng(6), 200, 5)
    roots = np.linalg.eigvalsh(np.corrcoef(x.T))[::-1]
    found = M.commonality(x, "pca", changes="none", replications=0)
    np.testing.assert_allclose(found.table["share"], roots / 5, rtol=1e-10)
    assert found.table["cumulative"].iloc[-1] == pytest.approx(1.0)


def test_pairwise_correlations_with_holes():
    y = ragged(np.random.default_rng(7)) + 1e4
    np.testing.assert_allclose(pairwise_correlation(y), pd.DataFrame(y).corr(), rtol=1e-8)
    many = np.stack([y, y[::-1]])
    np.testing.assert_allclose(pairwise_correlation(many)[1], pairwise_correlation(y[::-1]), rtol=1e-12)
    np.testing.assert_allclose(component_shares(many)[0], component_shares(y), rtol=1e-12)


def left_out_by_hand(matrix, factors):
    """An eigendecomposition an asset."""
    out = []
    for i in range(len(matrix)):
        others = np.delete(np.arange(len(matrix)), i)
        roots, vectors = np.linalg.eigh(matrix[np.ix_(others, others)])
        cross = vectors[:, ::-1][:, :factors].T @ matrix[others, i]
        out.append((cross**2 / roots[::-1][:factors]).sum() / matrix[i, i])
    return np.array(out)


@pytest.mark.parametrize(("assets", "factors"), [(3, 1), (5, 2), (30, 1), (30, 4)])
@pytest.mark.parametrize("loading", [0.0, 0.8])
def test_r2_on_the_others_components_by_one_eigendecomposition(assets, factors, loading):
    x = panel(np.random.default_rng(8), 80, assets, loading) * np.arange(1, assets + 1)
    for matrix in (np.cov(x.T), np.corrcoef(x.T)):
        np.testing.assert_allclose(left_out_r2(matrix, factors), left_out_by_hand(matrix, factors), rtol=1e-9)
    blocks = np.eye(6)
    blocks[:3, :3] = blocks[3:, 3:] = 0.9
    np.fill_diagonal(blocks, 1.0)
    np.testing.assert_allclose(left_out_r2(blocks, 2), left_out_by_hand(blocks, 2), rtol=1e-9)


def test_factors_are_regressions_on_components_of_the_others():
    y = panel(np.random.default_rng(9), 120, 6)
    found = M.commonality(y, "factors", changes="none", n_factors=2, replications=0)
    for asset in range(6):
        others = np.delete(y, asset, axis=1)
        z = (others - others.mean(axis=0)) / others.std(axis=0)
        factors = np.linalg.svd(z, full_matrices=False)[0][:, :2]
        x = np.column_stack([np.ones(120), factors])
        left = y[:, asset] - x @ np.linalg.lstsq(x, y[:, asset], rcond=None)[0]
        expected = 1 - left.var() / y[:, asset].var()
        assert found.table.loc[asset, "r2"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("method", ["market_model", "pca", "factors"])
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
    for method in ("market_model", "pca", "factors"):
        there = M.commonality(panel(rng, 250, 6, loading=0.5), method, changes="none", replications=99)
        assert there.p_value == 0.01
        assert there.statistic > there.null_mean + 3 * there.std_error
    assert "p 0.010" in repr(there)


@pytest.mark.parametrize("method", ["market_model", "pca", "factors"])
def test_the_bootstrap_error_is_the_spread_of_the_statistic(method):
    rng = np.random.default_rng(12)
    panels = [panel(rng, 300, 6, loading=0.7) for _ in range(80)]
    found = [M.commonality(y, method, changes="none", replications=60, seed=s) for s, y in enumerate(panels)]
    spread = np.std([f.statistic for f in found], ddof=1)
    # The spread of 80 draws is known to 8 %; three times that, and what the block length costs.
    assert np.mean([f.std_error for f in found]) == pytest.approx(spread, rel=0.3)


def test_answers_do_not_depend_on_workers():
    levels = np.exp(panel(np.random.default_rng(14), 100, 4))
    for method in ("market_model", "factors"):
        one = M.commonality(levels, method, replications=20, n_jobs=1)
        with joblib.parallel_config(backend="threading"):
            two = M.commonality(levels, method, replications=20, n_jobs=2)
        assert (one.p_value, one.std_error) == (two.p_value, two.std_error)


def test_the_error_may_be_left_out():
    x = panel(np.random.default_rng(15), 60, 4)
    both, one = (M.commonality(x, changes="none", replications=9, bootstrap=b) for b in (None, 0))
    assert one.p_value == both.p_value
    assert np.isnan(one.std_error)
    assert "p 0." in repr(one)


def test_ugly_panels():
    rng = np.random.default_rng(15)
    y = panel(rng, 100, 5)
    y[:, 1] = 3.0
    y[:, 2] = np.nan
    y[10:, 3] = np.nan
    for method in ("market_model", "pca", "factors"):
        found = M.commonality(y, method, changes="none", replications=5)
        assert np.isfinite([found.statistic, found.std_error, found.p_value]).all()
    table = M.commonality(y, changes="none", replications=0).table
    assert table["r2_market"].isna().tolist() == [False, True, True, True, False]
    zeros = np.exp(y)
    zeros[5, 0] = 0.0
    assert np.isfinite(M.commonality(zeros, replications=0).statistic)
    three = M.commonality(panel(rng, 60, 3), "factors", changes="difference", replications=9)
    assert 0 < three.statistic < 1


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (np.ones((50, 2)), {}, "3 or more"),
        (np.full((50, 3), np.inf), {}, "infinite"),
        (np.ones((50, 3)), {}, "rows that vary"),
        (np.ones((50, 3)), {"method": "pca"}, "move together"),
        (np.ones((50, 3)), {"method": "r2"}, "index is dates"),
        (-np.ones((50, 3)), {}, "difference"),
        (np.ones((50, 3)), {"method": "factors", "n_factors": 3}, "Fewer than 4"),
        (np.ones((50, 3)), {"weights": [1.0, -1.0, 1.0]}, "at least zero"),
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
        {"method": "factors", "weights": np.ones(3)},
        {"method": "factors", "n_factors": 0},
    ):
        with pytest.raises(OptionError):
            M.commonality(x, **options)
    with pytest.raises(OptionError, match="belongs to"):
        _ = M.commonality(x, "pca", replications=0).logit
    with pytest.raises(OptionError, match="belongs to"):
        M.commonality(x, "pca", replications=0).summary()
