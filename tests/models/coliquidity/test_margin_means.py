"""Means with lags, regressors in mean and variance, calendars: formulas, invariants, recovery, sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from tests.models.coliquidity import twins


@pytest.fixture(scope="module")
def panel():
    """Two autoregressions of order 2 with GARCH shocks."""
    e, y = twins.simulate_dcc(1200, 2, seed=11), np.zeros((1202, 2))
    for t in range(2, 1202):
        y[t] = 0.2 + 0.4 * y[t - 1] - 0.2 * y[t - 2] + e[t - 2]
    return pd.DataFrame(y[2:], columns=["A", "B"], index=pd.date_range("2018-01-01", periods=1200))


@pytest.fixture(scope="module")
def x(panel):
    rng = np.random.default_rng(0)
    crash = (np.arange(1200) // 100 == 7).astype(float)
    return pd.DataFrame({"stress": rng.standard_normal(1200), "crash": crash}, index=panel.index)


def averages(y, t, lags=(1, 5, 22)):
    return np.array([y[t - lag : t].mean() for lag in lags])


def test_means_are_their_formula(panel):
    y = panel["A"].to_numpy()
    ar, har = ds.GARCH(mean="ar", lags=2).fit(panel["A"]), ds.GARCH(mean="har", dist="t").fit(panel["A"])
    assert list(har.params.index[:4]) == ["mu", "har1", "har5", "har22"]
    assert ar.index[0] == panel.index[2]
    assert har.index[0] == panel.index[22]
    mu, one, two = ar.params.iloc[:3]
    np.testing.assert_allclose(ar.conditional_mean, mu + one * y[1:-1] + two * y[:-2], atol=1e-12)
    expected = [har.params["mu"] + averages(y, t) @ har.params.iloc[1:4] for t in range(22, len(y))]
    np.testing.assert_allclose(har.conditional_mean, expected, atol=1e-12)
    picked = ds.GARCH(mean="ar", lags=(1, 5)).fit(panel["A"])
    assert list(picked.params.index[:3]) == ["mu", "phi1", "phi5"]
    # A normal likelihood with a constant variance is least squares.
    flat = ds.GARCH(p=1, q=0, mean="ar", lags=2, max_persistence=1e-7).fit(panel["A"])
    X = np.column_stack([np.ones(1198), y[1:-1], y[:-2]])
    np.testing.assert_allclose(flat.params.iloc[:3], np.linalg.lstsq(X, y[2:], rcond=None)[0], atol=1e-5)


def test_mean_forecast_goes_on_with_its_own_values(panel, x):
    y = panel["A"].to_numpy()
    ar = ds.GARCH(mean="ar", lags=2).fit(panel["A"], mean_x=x)
    future = pd.DataFrame({"stress": [1.0, -1.0, 0.5], "crash": [0.0, 1.0, 1.0]})
    values = list(y[-2:])
    for row in future.to_numpy():
        values.append(ar.params["mu"] + ar.params.iloc[1:3] @ values[:-3:-1] + row @ ar.params.iloc[3:5])
    np.testing.assert_allclose(ar.forecast_mean(3, mean_x=future).iloc[:, 0], values[2:], rtol=1e-12)
    har, values = ds.GARCH(mean="har").fit(panel["A"]), list(y)
    for _ in range(30):
        values.append(har.params["mu"] + averages(np.array(values), len(values)) @ har.params.iloc[1:4])
    np.testing.assert_allclose(har.forecast_mean(30).iloc[:, 0], values[1200:], rtol=1e-10)
    many = ds.GARCH(mean="ar", lags=2).fit(panel)
    assert many.forecast_mean(500).iloc[-1].to_numpy() == pytest.approx(
        [many.params[f"{c}.mu"] / (1.0 - many.params[[f"{c}.phi1", f"{c}.phi2"]].sum()) for c in "AB"]
    )
    assert (ds.GARCH(mean="zero").fit(panel).forecast_mean(2) == 0.0).all(axis=None)


@pytest.mark.parametrize("spec", [ds.GARCH(mean="ar", lags=2), ds.GARCH(mean="har", dist="t"), ds.EGARCH()], ids=str)
def test_unit_location_and_units_of_regressors_do_not_matter(panel, x, spec):
    base = spec.fit(panel["A"], mean_x=x, variance_x=x.abs())
    scaled = x * [1000.0, 1e-3]
    other = spec.fit(panel["A"] / 100.0 + 3.0, mean_x=scaled[["crash", "stress"]], variance_x=scaled.abs())
    # Adding 3 to numbers near 0.01 costs two digits of every observation: about 1e-13, amplified by the search.
    np.testing.assert_allclose(other.std_resid, base.std_resid, atol=1e-7)
    assert other.loglikelihood == pytest.approx(base.loglikelihood + base.nobs * np.log(100.0), abs=1e-6)
    names = ["mean.stress", "mean.crash"]
    np.testing.assert_allclose(other.params[names], base.params[names] * [1e-5, 10.0], rtol=1e-6)
    np.testing.assert_allclose(other.std_errors[names], base.std_errors[names] * [1e-5, 10.0], rtol=1e-4)
    lag = [n for n in base.params.index if n.startswith(("phi", "har", "alpha", "beta"))]
    np.testing.assert_allclose(other.params[lag], base.params[lag], atol=1e-7)


@pytest.mark.parametrize("model", [ds.GARCH, ds.EGARCH])
def test_regressors_of_the_variance_are_found(model):
    """A crisis that multiplies the variance by about four, in 6000 rows."""
    crisis = (np.arange(6000) // 500 % 4 == 3).astype(float)
    z, beta = np.random.default_rng(3).standard_normal(6000), 0.8
    load, h, e = (0.6 if model is ds.GARCH else 0.28), np.ones(6001), np.zeros(6000)
    for t in range(6000):
        e[t] = np.sqrt(h[t]) * z[t]
        if model is ds.GARCH:
            h[t + 1] = 0.1 + 0.1 * e[t] ** 2 + beta * h[t] + load * (crisis[t + 1] if t < 5999 else 0.0)
        else:
            x = crisis[t + 1] if t < 5999 else 0.0
            h[t + 1] = np.exp(0.1 * (abs(z[t]) - np.sqrt(2.0 / np.pi)) + beta * np.log(h[t]) + load * x)
    spec = model(o=0, mean="zero")
    res = spec.fit(e, variance_x=pd.DataFrame({"crisis": crisis}))
    assert res.converged
    assert abs(res.params["variance.crisis"] - load) < 3.0 * res.std_errors["variance.crisis"]
    assert res.params["variance.crisis"] > 3.0 * res.std_errors["variance.crisis"]
    assert res.loglikelihood > spec.fit(e).loglikelihood + 10.0
    ahead = res.forecast(2, variance_x=np.array([[0.0], [1.0]])).iloc[:, 0]
    calm = res.forecast(2, variance_x=np.zeros((2, 1))).iloc[:, 0]
    assert ahead[1] == calm[1]
    gain = ahead[2] - calm[2] if model is ds.GARCH else np.log(ahead[2] / calm[2])
    assert gain == pytest.approx(res.params["variance.crisis"], rel=1e-9)
    assert (res.conf_int(method="transformed")["lower"]["variance.crisis"] > 0.0) or model is ds.EGARCH


def test_a_regressor_without_effect_stands_on_its_bound():
    y = twins.simulate_dcc(1000, 1, seed=21)[:, 0]
    # Rows with small shocks: a load could only harm.
    calm = (np.abs(y) < 0.3).astype(float)
    res = ds.GARCH(mean="zero").fit(y, variance_x=calm[:, None])
    assert res.converged
    assert res.params["variance.0"] == 0.0
    assert np.isnan(res.std_errors["variance.0"])
    assert any("variance.0 on the bound 0" in n for n in res.notes)
    assert np.isfinite(res.std_errors.drop("variance.0")).all()


def test_filter_sees_no_future_and_correlations_stand_on_such_margins(panel, x):
    res = ds.GARCH(mean="ar", lags=2, o=1).fit(panel, mean_x=x, variance_x=x[["crash"]])
    again = res.filter(panel, mean_x=x, variance_x=x[["crash"]])
    np.testing.assert_allclose(again.std_resid, res.std_resid, rtol=1e-12)
    cut = res.filter(panel.iloc[:700], mean_x=x.iloc[:700], variance_x=x[["crash"]].iloc[:700])
    np.testing.assert_array_equal(cut.std_resid, again.std_resid.iloc[:698])
    joint = ds.DCC(margins=ds.GARCH(mean="ar", lags=2)).fit(panel)
    assert joint.nobs == 1198
    np.testing.assert_allclose(joint.filter(panel).loglikelihood, joint.loglikelihood, atol=1e-7)
    assert np.isfinite(joint.std_errors).all()
    assert np.isfinite(joint.forecast(3).covariance).all()
    assert np.isfinite(joint.simulate(50)).all(axis=None)
    given = ds.DCC().fit(res)
    assert given.converged
    with pytest.raises(DataError, match=r"has the regressors.*mean_x"):
        given.filter(panel)


@pytest.mark.slow
def test_simulation_recovers_its_own_mean(panel, x):
    res = ds.GARCH(mean="ar", lags=2).fit(panel)
    again = ds.GARCH(mean="ar", lags=2).fit(res.simulate(20000, seed=1))
    names = ["A.mu", "A.phi1", "A.phi2"]
    assert (np.abs(again.params[names] - res.params[names]) < 4.0 * again.std_errors[names]).all()
    har = ds.GARCH(mean="har").fit(panel)
    again = ds.GARCH(mean="har").fit(har.simulate(20000, seed=2))
    names = ["B.har1", "B.har5", "B.har22"]
    assert (np.abs(again.params[names] - har.params[names]) < 4.0 * again.std_errors[names]).all()
    driven = ds.GARCH(mean="zero").fit(panel, mean_x=x)
    long = np.random.default_rng(0).standard_normal((20500, 2))
    again = ds.GARCH(mean="zero").fit(driven.simulate(20000, seed=3, mean_x=long), mean_x=long[500:])
    assert (np.abs(again.params.to_numpy() - driven.params.to_numpy()) < 4.0 * again.std_errors.to_numpy()).all()


def test_calendars():
    index = pd.date_range("2024-01-01", periods=800, freq="D")
    dummies = ds.seasonal_dummies(index)
    assert dummies.shape == (800, 6)
    assert (dummies.sum(axis=1) == (index.day_of_week > 0)).all()
    assert ds.seasonal_dummies(index, "month").shape == (800, 11)
    y = pd.Series(np.random.default_rng(1).standard_normal(800) + 2.0 * (index.day_of_week == 5), index=index)
    res = ds.GARCH().fit(y, mean_x=dummies)
    assert res.params["mean.weekday5"] == pytest.approx(2.0, abs=0.4)
    with pytest.raises(OptionError, match="weekday, hour, month"):
        ds.seasonal_dummies(index, "year")
    with pytest.raises(OptionError, match="index of dates"):
        ds.seasonal_dummies(pd.RangeIndex(4))


def test_bad_regressors_are_a_sentence(panel, x):
    spec = ds.GARCH()
    for bad, message in (
        (x.iloc[5:], "1195 rows"),
        (x.set_axis(panel.index + pd.Timedelta(days=1)), "different time labels"),
        (x.mask(x > 2.0), "missing or infinite.*stress"),
    ):
        with pytest.raises(DataError, match=message):
            spec.fit(panel, mean_x=bad)
    with pytest.raises(DataError, match=r"0 or more.*EGARCH.*stress"):
        spec.fit(panel, variance_x=x)
    with pytest.raises(DataError, match=r"combinations of each other"):
        spec.fit(panel, mean_x=x.assign(twice=2.0 * x["crash"] + 1.0))
    late = panel.assign(B=panel["B"].where(np.arange(1200) >= 900))
    res = spec.fit(late, mean_x=x, variance_x=x[["crash"]])
    assert "regressor of the mean is zero" in res.status.loc["B", "reason"]
    assert res.status.loc["A", "reason"] == ""
    res = spec.fit(panel, variance_x=x[["crash"]])
    with pytest.raises(DataError, match=r"has the regressors.*variance_x"):
        res.forecast(2)
    with pytest.raises(DataError, match=r"has the regressors.*variance_x"):
        res.simulate(20)
    with pytest.raises(DataError, match=r"columns.*the fit"):
        res.filter(panel, variance_x=x[["crash"]].rename(columns={"crash": "other"}))
    with pytest.raises(DataError, match=r"columns.*the fit"):
        spec.fit(panel).filter(panel, mean_x=x)
    with pytest.raises(DataError, match="looks back 23"):
        ds.GARCH(mean="har").fit(panel).filter(panel.iloc[:22])
    with pytest.raises(OptionError, match="horizon"):
        res.forecast(0)
