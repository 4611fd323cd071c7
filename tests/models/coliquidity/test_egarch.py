"""EGARCH margins: twin, invariants, exact forecasts, recovery, under a model of correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.models.coliquidity.margins.laws import LAWS
from tests.models.coliquidity import twins

CENTRE = np.sqrt(2.0 / np.pi)


def simulated(T, N, seed, omega=-0.02, alpha=0.15, gamma=-0.08, beta=0.95, draw=None, burn=300):
    """EGARCH(1, 1, 1) by the formula, unit by unit of time."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((T + burn, N)) if draw is None else draw(rng, (T + burn, N))
    log, e = np.full(N, omega / (1.0 - beta)), np.empty_like(z)
    for t in range(T + burn):
        e[t] = np.exp(0.5 * log) * z[t]
        log = omega + alpha * (np.abs(z[t]) - CENTRE) + gamma * z[t] + beta * log
    return e[burn:]


@pytest.fixture(scope="module")
def panel():
    y = simulated(1500, 2, seed=1) + [0.1, -0.3]
    return pd.DataFrame(y, columns=["A", "B"], index=pd.date_range("2016-01-01", periods=1500))


@pytest.fixture(scope="module")
def res(panel):
    return ds.EGARCH().fit(panel)


def test_variance_is_its_twin(panel):
    res = ds.EGARCH(p=2, o=1, q=2, dist="t", start="arch").fit(panel["A"])
    mu, omega, a1, a2, gamma, b1, b2, nu = res.params
    e = panel["A"].to_numpy() - mu
    x = panel["A"].to_numpy() - panel["A"].mean()
    level = np.log(np.average(x[:75] ** 2, weights=0.94 ** np.arange(75)))
    log, z = np.full(1502, level), np.zeros(1502)
    size = np.full(1502, CENTRE)
    for t in range(2, 1502):
        log[t] = omega + a1 * (size[t - 1] - CENTRE) + a2 * (size[t - 2] - CENTRE) + gamma * z[t - 1]
        log[t] += b1 * log[t - 1] + b2 * log[t - 2]
        z[t] = e[t - 2] / np.exp(0.5 * log[t])
        size[t] = abs(z[t])
    # |z| is rounded within 1e-5 of zero, which no row of ten thousand notices beyond 1e-5.
    np.testing.assert_allclose(res.conditional_volatility, np.exp(0.5 * log[2:]), rtol=1e-6)
    value = twins.log_density("t", z[2:], [nu]) - 0.5 * log[2:]
    assert res.loglikelihood == pytest.approx(value.sum(), abs=1e-5)


@pytest.mark.parametrize("spec", [ds.EGARCH(), ds.EGARCH(p=0, dist="ged"), ds.EGARCH(o=0, q=0, start="fcp")], ids=str)
def test_unit_and_location_do_not_matter(panel, spec):
    base, other = spec.fit(panel["A"]), spec.fit(panel["A"] / 100.0 + 3.0)
    assert base.converged
    assert other.converged
    # Adding 3 to numbers near 0.01 costs two digits of every observation: about 1e-13, amplified by the search and by
    # the corner of |z|, near which the slope changes over 1e-5 of a standard deviation.
    news = base.params.index[2:]
    np.testing.assert_allclose(other.params[news], base.params[news], atol=1e-6)
    assert other.params["mu"] == pytest.approx(base.params["mu"] / 100.0 + 3.0, abs=1e-8)
    shift = 2.0 * np.log(0.01) * (1.0 - base.status["persistence"].iloc[0])
    assert other.params["omega"] == pytest.approx(base.params["omega"] + shift, abs=1e-6)
    assert other.loglikelihood == pytest.approx(base.loglikelihood + len(panel) * np.log(100.0), abs=1e-6)
    np.testing.assert_allclose(other.std_errors[news], base.std_errors[news], rtol=1e-4)


def test_falls_raise_the_variance_more(res):
    gamma = res.params[["A.gamma1", "B.gamma1"]]
    assert (gamma < -3.0 * res.std_errors[gamma.index]).all()
    assert res.status["persistence"].between(0.9, 0.99).all()
    assert "EGARCH(1, 1, 1)" in repr(res)


def test_filter_and_columns(panel, res):
    again = res.filter(panel)
    np.testing.assert_allclose(again.conditional_volatility, res.conditional_volatility, rtol=1e-12)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    cut = res.filter(panel.iloc[:700])
    np.testing.assert_array_equal(cut.conditional_volatility, again.conditional_volatility.iloc[:700])
    swapped = ds.EGARCH().fit(panel[["B", "A"]])
    np.testing.assert_array_equal(swapped.params[res.params.index], res.params)


@pytest.mark.parametrize("dist", ["normal", "ged"])
def test_forecast_is_the_mean_of_simulated_variances(panel, dist):
    res = ds.EGARCH(p=2, o=1, q=1, dist=dist).fit(panel["A"])
    mu, omega, a1, a2, gamma, beta = res.params.iloc[:6]
    last = res.conditional_volatility.iloc[-2:].to_numpy()
    z = (panel["A"].iloc[-2:].to_numpy() - mu) / last
    law = LAWS[dist]
    shocks = law.draw(res.params.iloc[6:].to_numpy(), np.random.default_rng(0), 4 * 400_000).reshape(4, -1)
    paths = [np.full(400_000, v) for v in 2.0 * np.log(last)]
    past = [np.full(400_000, v) for v in z]
    for k in range(4):
        news = a1 * (np.abs(past[-1]) - CENTRE) + a2 * (np.abs(past[-2]) - CENTRE) + gamma * past[-1]
        paths.append(omega + news + beta * paths[-1])
        past.append(shocks[k])
    expected = [np.exp(p).mean() for p in paths[2:]]
    # 400,000 variances with a spread of about a third of their mean: known to 0.0005.
    np.testing.assert_allclose(res.forecast(4).iloc[:, 0], expected, rtol=2e-3)
    far = res.forecast(600).iloc[:, 0]
    assert far.iloc[-1] == pytest.approx(far.iloc[-2], rel=1e-9)


def test_forecast_under_heavy_tails_is_that_of_the_logs(panel):
    """E exp(a |z|) is infinite under a t: what is given is exp of the expected log, and one step is exact."""
    res = ds.EGARCH(dist="t").fit(panel["A"])
    omega, alpha, gamma, beta, nu = res.params.iloc[1:]
    z = res.std_resid.iloc[-1]
    one = omega + alpha * (abs(z) - CENTRE) + gamma * z + beta * 2.0 * np.log(res.conditional_volatility.iloc[-1])
    two = omega + alpha * (LAWS["t"].size(np.array([nu])) - CENTRE) + beta * one
    np.testing.assert_allclose(np.log(res.forecast(2).iloc[:, 0]), [one, two], rtol=1e-10)


def test_simulation_is_the_model(res):
    table = res.simulate(300, seed=3)
    pd.testing.assert_frame_equal(table, res.simulate(300, seed=3))
    again = ds.EGARCH().fit(res.simulate(8000, seed=4))
    # Eight thousand rows: standard errors of about 0.015 (alpha), 0.01 (gamma), 0.008 (beta); four of them.
    for name in ("alpha1", "gamma1", "beta1"):
        error = again.std_errors[f"A.{name}"]
        assert abs(again.params[f"A.{name}"] - res.params[f"A.{name}"]) < 4.0 * error


@pytest.mark.parametrize("model", [ds.CCC, ds.DCC])
def test_correlations_stand_on_them(model):
    rng = np.random.default_rng(5)
    z = rng.standard_normal((1100, 2)) @ np.linalg.cholesky([[1.0, 0.6], [0.6, 1.0]]).T
    y = simulated(800, 2, seed=0, draw=lambda r, size: z)
    res = model(margins=ds.EGARCH()).fit(y)
    assert res.converged
    assert res.margins.params.index[3] == "0.gamma1"
    assert np.isfinite(res.margins.std_errors).all()
    np.testing.assert_allclose(res.std_errors[res.margins.params.index], res.margins.std_errors, rtol=1e-8)
    assert res.filter(y).loglikelihood == pytest.approx(res.loglikelihood, abs=1e-7)
    assert res.average_correlation.mean() == pytest.approx(0.6, abs=0.08)
    assert np.isfinite(res.forecast(5).covariance).all()
    assert np.isfinite(res.simulate(50)).all(axis=None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["egarch", "ar-garch-t"])
def test_recovery_and_coverage(kind):
    """Bias below a third of a standard deviation, 95 % intervals that hold in 150 samples of 2500."""
    if kind == "egarch":
        y, spec = simulated(2500, 150, seed=6), ds.EGARCH()
        truth = np.array([0.0, -0.02, 0.15, -0.08, 0.95])
    else:
        rng = np.random.default_rng(7)
        z = rng.standard_t(6.0, (2800, 150)) * np.sqrt(4.0 / 6.0)
        h, e, y = np.ones(150), np.zeros(150), np.zeros((2800, 150))
        for t in range(2, 2800):
            h = 0.05 + 0.08 * e**2 + 0.87 * h
            e = np.sqrt(h) * z[t]
            y[t] = 0.1 + 0.3 * y[t - 1] - 0.1 * y[t - 2] + e
        y, spec = y[300:], ds.GARCH(mean="ar", lags=2, dist="t")
        truth = np.array([0.1, 0.3, -0.1, 0.05, 0.08, 0.87, 6.0])
    res = spec.fit(y)
    estimate, error = res.params.to_numpy().reshape(150, -1), res.std_errors.to_numpy().reshape(150, -1)
    assert res.status["converged"].all()
    assert (np.abs(np.median(estimate, axis=0) - truth) < estimate.std(axis=0) / 3.0).all()
    covered = (np.abs(estimate - truth) < 1.96 * error).mean(axis=0)
    # 150 samples: 0.95 less three of its standard errors (0.018) is 0.90; omega's Wald interval runs a little short.
    assert (covered > 0.89).all(), covered
