"""ADCC: likelihood and scores against a brute-force twin, exact derivatives, bounds, recovery, contract."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import OptionError
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.search import correlation_moments, likelihood

ORDERS = [((0.04,), (0.9,), (0.03,)), ((0.03, 0.02), (0.8,), (0.02, 0.04)), ((0.05,), (0.5, 0.3), (0.0,))]


def paths(z, S, N, early, a, b, g):
    """(R, log-likelihood by step) by the formula; ``early`` = zz', nn' before the sample, Q being S."""
    T, n = len(z), np.minimum(z, 0.0)
    Q, R, value = np.empty((T, *S.shape)), np.empty((T, *S.shape)), np.empty(T)
    for t in range(T):
        Q[t] = (1.0 - sum(a) - sum(b)) * S - sum(g) * N
        for i, weight in enumerate(a):
            Q[t] += weight * (np.outer(z[t - 1 - i], z[t - 1 - i]) if t > i else early[0])
        for i, weight in enumerate(g):
            Q[t] += weight * (np.outer(n[t - 1 - i], n[t - 1 - i]) if t > i else early[1])
        for j, weight in enumerate(b):
            Q[t] += weight * (Q[t - 1 - j] if t > j else S)
        R[t] = to_correlation(Q[t])
        value[t] = -0.5 * (np.linalg.slogdet(R[t])[1] + z[t] @ np.linalg.solve(R[t], z[t]) - z[t] @ z[t])
    return R, value


def simulate(T, N, seed, a=0.04, b=0.88, g=0.06, rho=0.4, burn=300):
    """Residuals with known ADCC correlations, N being that of the normal with correlation S, found by simulation."""
    rng = np.random.default_rng(seed)
    S = np.full((N, N), rho) + (1.0 - rho) * np.eye(N)
    falls = np.minimum(np.random.default_rng(0).standard_normal((100_000, N)) @ np.linalg.cholesky(S).T, 0.0)
    intercept = (1.0 - a - b) * S - g * falls.T @ falls / len(falls)
    Q, z = S.copy(), np.empty((T + burn, N))
    for t in range(T + burn):
        z[t] = np.linalg.cholesky(to_correlation(Q)) @ rng.standard_normal(N)
        n = np.minimum(z[t], 0.0)
        Q = intercept + a * np.outer(z[t], z[t]) + g * np.outer(n, n) + b * Q
    return z[burn:]


@pytest.fixture(scope="module")
def panel():
    z = simulate(1003, 3, seed=2)
    return pd.DataFrame(z, columns=list("ABC"), index=pd.date_range("2015-01-01", periods=len(z)))


@pytest.fixture(scope="module")
def res(panel):
    return ds.ADCC().fit(panel)


@pytest.mark.parametrize("convention", ["engle", "rmgarch"])
@pytest.mark.parametrize(("a", "b", "g"), ORDERS)
def test_likelihood_and_scores_equal_their_twin(a, b, g, convention):
    spec = ds.ADCC(order=(len(a), len(b)), convention=convention)
    psi = np.array([*a, *b, *g])
    for T, N in ((41, 2), (44, 5), (130, 12)):
        z = np.random.default_rng(T).standard_normal((T, N))
        target = spec.target_at(z, psi)
        before = spec.before(z, target, True)
        value, scores, _, _ = likelihood(spec, z, target, before, psi, slopes=True)
        np.testing.assert_allclose(value, paths(z, *target, before, a, b, g)[1], rtol=1e-9, atol=1e-11)
        for k in range(len(psi)):
            step = np.eye(len(psi))[k] * 1e-6
            up, down = (likelihood(spec, z, target, before, psi + s)[0] for s in (step, -step))
            np.testing.assert_allclose(scores[:, k], (up - down) / 2e-6, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("convention", "order"), [("engle", (2, 1)), ("rmgarch", (1, 1)), ("mfe", (1, 1)), ("multiarch", (1, 1))]
)
def test_cross_derivatives_equal_differences_of_the_whole_pipeline(panel, convention, order):
    """Perturb a margin parameter, remake residuals, S, N and pre-sample, difference the exact scores."""
    spec = ds.ADCC(order=order, convention=convention)
    margins = spec.margins.fit(panel.iloc[:400])
    psi = np.array([0.05, *[0.02] * (order[0] - 1), 0.85, 0.04, *[0.01] * (order[0] - 1)])
    cross, inner = correlation_moments(spec, margins, spec.target_at(margins.std_resid_values, psi), psi)[1:3]

    def mean_score(moved, at):
        z = moved.std_resid_values
        target = spec.target_at(z, at)
        return likelihood(spec, z, target, spec.before(z, target, True), at)[1].mean(axis=0)

    for k in range(4):
        ends = []
        for sign in (1.0, -1.0):
            fit = margins.fits[1]
            theta = fit.theta + sign * 1e-6 * np.eye(4)[k]
            params = margins.params.copy()
            params.iloc[4:8] = theta * fit.units + fit.offset
            fits = (margins.fits[0], dataclasses.replace(fit, theta=theta), margins.fits[2])
            ends.append(mean_score(dataclasses.replace(margins, fits=fits, params=params), psi))
        # A mean moves residuals across zero, where min(z, 0) has a kink: the step is short and the digits fewer.
        np.testing.assert_allclose(cross[:, 4 + k], (ends[0] - ends[1]) / 2e-6, rtol=1e-3, atol=2e-4)
    for k in range(len(psi)):
        step = np.eye(len(psi))[k] * 1e-5
        slope = (mean_score(margins, psi + step) - mean_score(margins, psi - step)) / 2e-5
        np.testing.assert_allclose(inner[k], slope, rtol=1e-3, atol=1e-3 * np.abs(inner).max())


def test_without_falls_it_is_dcc(panel):
    """g = 0: the likelihood of DCC to the last digit."""
    z = panel.to_numpy()
    for convention in ("engle", "rmgarch"):
        both = []
        for spec, psi in (
            (ds.DCC(convention=convention), [0.05, 0.9]),
            (ds.ADCC(convention=convention), [0.05, 0.9, 0]),
        ):
            target = spec.target_at(z, np.array(psi))
            both.append(likelihood(spec, z, target, spec.before(z, target, True), np.array(psi))[0])
        np.testing.assert_allclose(both[0], both[1], atol=1e-14)


def test_the_bound_is_the_largest_eigenvalue_and_keeps_the_intercept_definite(panel):
    spec, z = ds.ADCC(), panel.to_numpy()
    S, N = target = spec.target_at(z, np.empty(0))
    values, vectors = np.linalg.eigh(S)
    root = vectors / np.sqrt(values) @ vectors.T
    delta = np.linalg.eigvalsh(root @ N @ root)[-1]
    np.testing.assert_allclose(spec.costs(target), [1.0, 1.0, delta], rtol=1e-12)
    for g, definite in ((0.0999 / delta, True), (0.1001 / delta, False)):
        assert (np.linalg.eigvalsh(0.1 * S - g * N)[0] > 0.0) == definite


def test_contract(res, panel):
    assert list(res.params.index[-3:]) == ["a1", "b1", "g1"]
    assert res.converged
    assert res.params["g1"] > 0.0
    assert (res.std_errors[["A.beta1", "a1", "b1", "g1"]] > 0).all()
    assert "ADCC(1, 1) on GARCH(1, 1) margins" in repr(res)
    psi = res.params.to_numpy()[-3:]
    twin = paths(res.std_resid.to_numpy(), *res.target, res.target, psi[:1], psi[1:2], psi[2:])
    np.testing.assert_allclose(res.correlation, twin[0], atol=1e-11)
    assert res.loglikelihood == pytest.approx(res.margins.loglikelihood + twin[1].sum(), abs=1e-7)
    np.testing.assert_allclose(res.pair("A", "C"), twin[0][:, 0, 2], atol=1e-12)
    assert pickle.loads(pickle.dumps(res)).params.equals(res.params)
    assert res.loglikelihood >= ds.DCC().fit(panel).loglikelihood - 1e-6
    with pytest.raises(OptionError):
        ds.ADCC(order=(0, 1))


def test_filter_forecast_and_simulation(res, panel):
    again = res.filter(panel)
    np.testing.assert_allclose(again.correlation, res.correlation, atol=1e-13)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    jolted = panel.copy()
    jolted.iloc[800:] *= 10.0
    np.testing.assert_array_equal(res.filter(jolted).covariance[:801], again.covariance[:801])
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    np.testing.assert_allclose(res.forecast(1).covariance[0], res.filter(longer).covariance[-1], rtol=1e-10)
    np.testing.assert_allclose(res.forecast(4000).correlation[-1], to_correlation(res.target[0]), atol=1e-6)
    y = res.simulate(6000, seed=3)
    pd.testing.assert_frame_equal(res.simulate(50, seed=3), res.simulate(50, seed=3))
    np.testing.assert_allclose(res.filter(y).std_resid.corr(), to_correlation(res.target[0]), atol=0.06)


def test_unit_location_and_column_order_do_not_matter(panel, res):
    order, names = ["C", "A", "B"], ["a1", "b1", "g1"]
    for other in (ds.ADCC().fit(panel / 100.0 + 1.0), ds.ADCC().fit(panel[order])):
        np.testing.assert_allclose(other.params[names], res.params[names], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(other.std_errors[names], res.std_errors[names], rtol=1e-4)
        np.testing.assert_allclose(other.last.loc[order, order], res.last.loc[order, order], atol=1e-8)


@pytest.mark.slow
def test_estimates_are_nearly_unbiased_and_intervals_cover():
    """Eighty samples of residuals: the standard error of a coverage of 0.95 is 0.024."""
    truth = pd.Series({"a1": 0.04, "b1": 0.88, "g1": 0.06})
    hits, estimates = [], []
    for seed in range(80):
        fit = ds.ADCC(margins=None).fit(simulate(2000, 3, seed=100 + seed))
        bounds = fit.conf_int().loc[truth.index]
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params[truth.index])
    assert (pd.DataFrame(hits).mean() >= 0.87).all()
    bias = pd.DataFrame(estimates).mean() - truth
    assert abs(bias["a1"]) < 0.004
    assert abs(bias["g1"]) < 0.006
    assert -0.02 < bias["b1"] < 0.005
