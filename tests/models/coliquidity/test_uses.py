"""Impulses, surfaces, risk and the index with its band: arithmetic by hand, known truth, ugly input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.models.coliquidity import twins


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(1200, 3, seed=5)
    return pd.DataFrame(y, columns=list("ABC"), index=pd.date_range("2019-01-01", periods=1200, tz="UTC"))


@pytest.fixture(scope="module")
def res(panel):
    return ds.DCC(margins=ds.GARCH(mean="zero")).fit(panel)


# Impulses ------------------------------------------------------------------------------------------------------------


def test_impulse_response_by_hand(res):
    """One step on, the variance moves by alpha h (z^2 - 1) and Q by a (z z' - R): the recursions themselves."""
    z = np.array([-3.0, -2.0, 0.5])
    hit = ds.impulse_response(res, shock=z, horizon=8)
    ahead = res.forecast(9)
    for i, name in enumerate(res.columns):
        alpha, beta = res.params[[f"{name}.alpha1", f"{name}.beta1"]]
        first = alpha * ahead.variance[name].iloc[0] * (z[i] ** 2 - 1.0)
        expected = first * (alpha + beta) ** np.arange(8)
        np.testing.assert_allclose(hit.variance[name], expected, rtol=1e-9)
    assert hit.pair("A", "B").iloc[0] > 0.0
    assert hit.correlation.shape == (8, 3, 3)
    np.testing.assert_allclose(hit.covariance[:, 0, 0], hit.variance["A"], rtol=1e-9)
    assert "one step on" in repr(hit)


def test_what_happened_is_the_default_shock(res, panel):
    day = panel.index[700]
    hit = ds.impulse_response(res, at=day, horizon=3)
    np.testing.assert_allclose(hit.shock, res.std_resid.loc[day], atol=1e-12)
    with_day, before = res.filter(panel.iloc[:701]), res.filter(panel.iloc[:700])
    np.testing.assert_allclose(
        hit.correlation, with_day.forecast(3).correlation - before.forecast(4).correlation[1:], atol=1e-10
    )


def test_impulses_of_other_models(panel):
    for spec in (ds.CCC(), ds.DECO(), ds.CDCC(), ds.ADCC()):
        hit = ds.impulse_response(spec.fit(panel.iloc[:600]), shock=[2.0, 2.0, 2.0], horizon=3)
        assert (hit.variance.iloc[0] > 0).all()
        assert np.abs(np.diagonal(hit.correlation, axis1=1, axis2=2)).max() < 1e-12


def test_impulse_bad_input(res):
    with pytest.raises(OptionError, match="Give a shock"):
        ds.impulse_response(res)
    with pytest.raises(DataError, match="3 finite numbers"):
        ds.impulse_response(res, shock=[1.0, np.nan, 0.0])
    with pytest.raises(OptionError, match="no row"):
        ds.impulse_response(res, at="1999-01-01")
    with pytest.raises(DataError, match="rows stand before"):
        ds.impulse_response(res, at=res.index[3])
    with pytest.raises(OptionError, match="not an asset"):
        ds.impulse_response(res, shock=[1.0, 1.0, 1.0]).pair("A", "Z")


def test_surface_by_hand(res):
    a, b = res.params[["a1", "b1"]]
    found = ds.news_impact(res, "A", "C", widest=4.0, points=9)
    S = res.target
    for z1 in (-4.0, 0.0, 3.0):
        for z2 in (-2.0, 4.0):
            Q = (1.0 - a) * S[np.ix_([0, 2], [0, 2])] + a * np.outer([z1, z2], [z1, z2])
            assert found.surface.loc[z1, z2] == pytest.approx(Q[0, 1] / np.sqrt(Q[0, 0] * Q[1, 1]), abs=1e-12)
    assert b > 0.5
    assert found.level == pytest.approx(S[0, 2])
    np.testing.assert_allclose(found.surface, found.surface.to_numpy()[::-1, ::-1], atol=1e-12)


def test_falls_weigh_more_in_an_asymmetric_model(panel):
    res = ds.ADCC(margins=ds.GARCH(mean="zero")).fit(panel)
    a, g = res.params[["a1", "g1"]]
    grid = ds.news_impact(res, "A", "B", widest=3.0, points=3).surface
    S, N = res.target
    Q = S * (1.0 - a) - g * N + a * 9.0 + g * 9.0 * np.ones((3, 3))
    assert grid.loc[-3.0, -3.0] == pytest.approx(Q[0, 1] / np.sqrt(Q[0, 0] * Q[1, 1]), abs=1e-12)
    with pytest.raises(OptionError, match="no recursion"):
        ds.news_impact(ds.CCC().fit(panel.iloc[:300]), "A", "B")
    with pytest.raises(OptionError, match="not an asset"):
        ds.news_impact(res, "A", "Z")


# Risk ----------------------------------------------------------------------------------------------------------------


def test_risk_by_hand(res, panel):
    w = pd.Series({"A": 2.0, "C": -1.0})
    held = np.array([2.0, 0.0, -1.0])
    sigma = np.sqrt(np.einsum("i,tij,j->t", held, res.covariance, held))
    for method, (q, m) in {
        "normal": (2.3263479, 2.6652142),
        "t": (stats.t.ppf(0.99, 5.0) * np.sqrt(0.6), 4.4524 * np.sqrt(0.6)),
    }.items():
        risk = ds.portfolio_risk(res, w, level=0.99, method=method, nu=5.0 if method == "t" else None)
        np.testing.assert_allclose(risk.table["volatility"], sigma, rtol=1e-10)
        np.testing.assert_allclose(risk.table["var"], q * sigma, rtol=1e-6)
        np.testing.assert_allclose(risk.table["es"], m * sigma, rtol=1e-4)
        np.testing.assert_allclose(risk.table["loss"], -(panel.to_numpy() @ held), atol=1e-14)
    own = ds.portfolio_risk(res, held, level=0.95)
    standardised = -(panel.to_numpy() @ held) / sigma
    np.testing.assert_allclose(own.table["var"], np.quantile(standardised, 0.95) * sigma, rtol=1e-9)
    assert own.hits.sum() == 60
    assert "60.0 expected" in repr(own)


def test_risk_of_filtered_rows_looks_at_the_fit_alone(res, panel):
    fit = ds.DCC(margins=ds.GARCH(mean="zero")).fit(panel.iloc[:900])

    def risk(frame):
        return ds.portfolio_risk(fit.filter(frame), [1.0, 1.0, 1.0], level=0.95).table[["volatility", "var", "es"]]

    ds.causal.assert_causal(risk, panel, cuts=5, min_rows=100)


def test_backtest_by_hand(res):
    risk = ds.portfolio_risk(res, [1.0, 1.0, 1.0], level=0.95, method="normal")
    table = risk.backtest()
    hits = risk.hits.to_numpy()
    n, k = len(hits), int(hits.sum())
    ratio = 2.0 * (stats.binom.logpmf(k, n, k / n) - stats.binom.logpmf(k, n, 0.05))
    assert table.loc["kupiec", "statistic"] == pytest.approx(ratio, rel=1e-9)
    assert table.loc["kupiec", "p_value"] == pytest.approx(stats.chi2.sf(ratio, 1))
    pairs = pd.crosstab(hits[:-1], hits[1:]).to_numpy()
    share, p = pairs[:, 1] / pairs.sum(axis=1), hits[1:].mean()
    logs = sum(pairs[i, 1] * np.log(share[i] / p) + pairs[i, 0] * np.log((1 - share[i]) / (1 - p)) for i in (0, 1))
    assert table.loc["christoffersen", "statistic"] == pytest.approx(2.0 * logs, rel=1e-9)
    assert (table["p_value"] > 0.001).all()


def test_a_var_that_is_too_low_is_found():
    """A model that saw no reaction to news, on rows whose volatility triples now and then."""
    y = np.random.default_rng(8).standard_normal((1000, 3))
    calm = ds.CCC(margins=ds.GARCH(mean="zero")).fit(y)
    assert calm.params.filter(like="alpha").max() < 0.08
    wild = np.where(np.random.default_rng(9).random((1000, 1)) < 0.1, 3.0, 1.0) * y
    table = ds.portfolio_risk(calm.filter(wild), [1.0, 1.0, 1.0], level=0.99, method="normal").backtest()
    assert table.loc["kupiec", "p_value"] < 0.01
    assert table.loc["mcneil_frey", "p_value"] < 0.05


def test_exit_risk_counts_that_costs_rise_with_losses():
    """Log-normal costs: the mean is known; with correlation -1 the two worst cases coincide, apart they do not."""
    x = np.random.default_rng(0).standard_normal((800, 2))
    y = pd.DataFrame({"A": 0.01 * x[:, 0], "spread": -0.3 * x[:, 0] + 0.05 * x[:, 1]})
    res = ds.CCC(margins=ds.GARCH(mean="zero")).fit(y)
    risk = ds.exit_risk(res, {"A": -1e6}, {"A": ("spread", 0.002)}, draws=200_000, seed=1)
    var = res.forecast(1).variance.iloc[0]
    assert risk.table.loc["exit", "mean"] == pytest.approx(2000.0 * np.exp(0.5 * var["spread"]), rel=5e-3)
    assert risk.table.loc["price", "var"] == pytest.approx(1e6 * 2.3263 * np.sqrt(var["A"]), rel=0.02)
    # A short loses when the price rises, and then spreads are narrow: leaving together is cheaper than apart.
    assert risk.table.loc["together", "var"] < risk.together_if_independent["var"]
    long = ds.exit_risk(res, {"A": 1e6}, {"A": ("spread", 0.002)}, draws=200_000, seed=1)
    assert long.table.loc["together", "var"] > long.together_if_independent["var"] + 500.0
    assert "with the exit" in repr(long)


def test_risk_bad_input(res):
    with pytest.raises(OptionError, match=r"between 0\.5 and 1"):
        ds.portfolio_risk(res, [1.0, 1.0, 1.0], level=99)
    with pytest.raises(OptionError, match="degrees of freedom"):
        ds.portfolio_risk(res, [1.0, 1.0, 1.0], method="t")
    with pytest.raises(OptionError, match="'Z'"):
        ds.portfolio_risk(res, {"Z": 1.0})
    with pytest.raises(OptionError, match="finite"):
        ds.portfolio_risk(res, [1.0, 1.0])
    with pytest.raises(DataError, match="fewer than two losses"):
        ds.portfolio_risk(res, [1.0, 1.0, 1.0], level=0.9999)
    with pytest.raises(DataError, match="no column"):
        ds.exit_risk(res, {"A": 1.0}, {"A": ("spread", 0.01)})
    with pytest.raises(DataError, match="cannot be held"):
        ds.exit_risk(res, {"A": 1.0, "B": 1.0}, {"A": ("B", 0.01)})
    with pytest.raises(DataError, match="0 or more"):
        ds.exit_risk(res, {"A": 1.0}, {"A": ("B", -0.01)})
    with pytest.raises(OptionError, match="must map"):
        ds.exit_risk(res, {"A": 1.0}, {})


# The index -----------------------------------------------------------------------------------------------------------


def test_index_is_the_path_and_its_band_contains_it(res):
    for kind, path in (("average", res.average_correlation), ("eigenvalue", res.eigenvalue_share())):
        index = ds.co_liquidity_index(res, kind, draws=40)
        np.testing.assert_array_equal(index.table["index"], path)
        inside = (index.table["lower"] <= path) & (path <= index.table["upper"])
        assert inside.mean() > 0.95
        pd.testing.assert_frame_equal(ds.co_liquidity_index(res, kind, draws=40).table, index.table)
    assert "CoLiquidityIndex" in repr(index)
    narrow = ds.co_liquidity_index(res, draws=40, level=0.5).table
    wide = ds.co_liquidity_index(res, draws=40, level=0.9).table
    assert ((wide["upper"] - wide["lower"]) > (narrow["upper"] - narrow["lower"])).all()


def test_index_on_new_rows_keeps_the_band_of_the_fit(panel):
    fit = ds.DCC(margins=ds.GARCH(mean="zero")).fit(panel.iloc[:900])

    def band(frame):
        return ds.co_liquidity_index(fit.filter(frame), draws=20).table

    ds.causal.assert_causal(band, panel, cuts=3, min_rows=100)


def test_index_bad_input(panel, res):
    with pytest.raises(OptionError, match="no such band"):
        ds.co_liquidity_index(ds.CCC().fit(panel.iloc[:300]))
    with pytest.raises(OptionError, match="between 0 and 1"):
        ds.co_liquidity_index(res, level=95)


@pytest.mark.slow
def test_band_covers_the_true_path():
    """Pointwise coverage of the true average correlation over 60 samples: 0.95, less what 60 samples leave open."""
    held = []
    for seed in range(60):
        y, truth = true_path(seed)
        index = ds.co_liquidity_index(ds.DCC(margins=ds.GARCH(mean="zero")).fit(y), draws=60, seed=seed).table
        held.append(((index["lower"] <= truth) & (truth <= index["upper"])).to_numpy()[100:].mean())
    assert 0.88 < np.mean(held) < 0.99, np.mean(held)


def true_path(seed, rows=1000, assets=4):
    """DCC(1, 1) data and the average correlation that made them."""
    rng = np.random.default_rng(seed)
    S = 0.6 * np.eye(assets) + 0.4
    Q, y, truth = S.copy(), np.empty((rows, assets)), np.empty(rows)
    h = np.ones(assets)
    for t in range(rows):
        d = np.sqrt(np.diag(Q))
        R = Q / np.outer(d, d)
        truth[t] = R[np.tril_indices(assets, -1)].mean()
        z = np.linalg.cholesky(R) @ rng.standard_normal(assets)
        y[t] = np.sqrt(h) * z
        h = 0.05 + 0.08 * y[t] ** 2 + 0.87 * h
        Q = 0.05 * S + 0.05 * np.outer(z, z) + 0.90 * Q
    return y, truth


def test_plots(res):
    pytest.importorskip("matplotlib")
    assert len(ds.impulse_response(res, shock=[1.0, 1.0, 1.0]).plot().lines) == 4
    assert ds.news_impact(res, "A", "B").plot().get_xlabel().startswith("shock of B")
    assert len(ds.portfolio_risk(res, [1.0, 1.0, 1.0], level=0.95).plot().lines) == 4
    assert ds.co_liquidity_index(res, draws=20).plot().get_ylabel() == "average correlation"
