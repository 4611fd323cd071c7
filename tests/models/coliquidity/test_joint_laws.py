"""Joint laws: densities against scipy, exact scores, recovery, moments of simulated shocks, limits, ugly input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import kv

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.joint_laws import JOINT_LAWS
from drainstats.models.coliquidity.dcc.search import likelihood
from tests.models.coliquidity import twins

SHAPES = {"normal": np.empty(0), "t": np.array([5.5]), "laplace": np.empty(0)}


def log_density(dist, z, R, shape):
    """Log densities of rows of z, covariance R: scipy's t, and the Laplace by its formula."""
    if dist == "normal":
        return np.array([stats.multivariate_normal(cov=R).logpdf(z)])
    if dist == "t":
        nu = float(shape[0])
        return np.array([stats.multivariate_t(shape=R * (nu - 2.0) / nu, df=nu).logpdf(z)])
    N, q = len(R), z @ np.linalg.solve(R, z)
    v = 1.0 - 0.5 * N
    bessel = 0.5 * v * np.log(0.5 * q) + np.log(kv(v, np.sqrt(2.0 * q)))
    return np.log(2.0) - 0.5 * N * np.log(2.0 * np.pi) - 0.5 * np.linalg.slogdet(R)[1] + bessel


def draws(dist, T, seed, N=3, a=0.05, b=0.9, nu=6.0):
    """Residuals of a DCC with a joint law made from its definition: a normal vector times a random scale."""
    rng = np.random.default_rng(seed)
    S = np.full((N, N), 0.4) + 0.6 * np.eye(N)
    Q, z = S.copy(), np.empty((T + 200, N))
    for t in range(T + 200):
        mix = {"normal": 1.0, "t": (nu - 2.0) / rng.chisquare(nu), "laplace": rng.exponential()}[dist]
        z[t] = np.sqrt(mix) * np.linalg.cholesky(to_correlation(Q)) @ rng.standard_normal(N)
        Q = (1.0 - a - b) * S + a * np.outer(z[t], z[t]) + b * Q
    return z[200:]


@pytest.mark.parametrize("dist", SHAPES)
@pytest.mark.parametrize("N", [2, 3, 4, 9])
def test_likelihood_equals_the_density(dist, N):
    rng, shape = np.random.default_rng(N), SHAPES[dist]
    z = rng.standard_normal((57, N)) @ np.linalg.cholesky(0.7 * np.eye(N) + 0.3).T
    psi = np.array([0.05, 0.9, *shape])
    spec = ds.DCC(dist=dist)
    target = spec.target_at(z, psi)
    R = twins.dcc_paths(z, target, target, [0.05], [0.9])[1]
    base = -0.5 * (N * np.log(2.0 * np.pi) + (z**2).sum(axis=1))
    expected = np.concatenate([np.atleast_1d(log_density(dist, z[t], R[t], shape)) for t in range(len(z))])
    value, scores, _, direct = likelihood(spec, z, target, target, psi, slopes=True)
    np.testing.assert_allclose(value + base, expected, rtol=1e-10, atol=1e-10)
    for k in range(len(psi)):
        step = np.eye(len(psi))[k] * 1e-6
        up, down = (likelihood(spec, z, target, target, psi + s, scores=False)[0] for s in (step, -step))
        np.testing.assert_allclose(scores[:, k], (up - down) / 2e-6, rtol=1e-6, atol=1e-6)
    # At fixed R: the direct slope in z of one step.
    t = 30
    for i in range(N):
        ends = [np.atleast_1d(log_density(dist, z[t] + s * 1e-6 * np.eye(N)[i], R[t], shape))[0] for s in (1.0, -1.0)]
        assert direct[t, i] - z[t, i] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-6)


def test_far_from_zero_and_wide_panels_stay_finite():
    """Hundreds of assets and squared distances of thousands: log densities and weights do not overflow."""
    q = np.array([1e-6, 1.0, 300.0, 5000.0])
    for N in (2, 151, 500):
        for dist, law in JOINT_LAWS.items():
            assert np.isfinite(law.radial(q, N, SHAPES[dist])).all()
            weight = law.weight(q, N, SHAPES[dist])
            slope = (law.radial(q * 1.0001, N, SHAPES[dist]) - law.radial(q * 0.9999, N, SHAPES[dist])) / (2e-4 * q)
            np.testing.assert_allclose(weight[1:], -2.0 * slope[1:], rtol=1e-5)


def test_many_degrees_of_freedom_are_the_normal():
    q = np.linspace(0.0, 30.0, 7)
    np.testing.assert_allclose(JOINT_LAWS["t"].radial(q, 4, np.array([1e8])), -0.5 * q, atol=1e-5)


@pytest.mark.parametrize("model", [ds.DCC, ds.ADCC, ds.CDCC])
@pytest.mark.parametrize("dist", ["t", "laplace"])
def test_cross_derivatives_equal_differences_of_the_whole_pipeline(model, dist):
    """Perturb a margin parameter, remake residuals and target, difference the exact scores of weights and shape."""
    spec = model(dist=dist, margins=ds.GARCH())
    y = draws(dist, 400, seed=3)
    margins = spec.margins.fit(y)
    psi = np.array([0.05, 0.88, *([0.03] if model is ds.ADCC else []), *SHAPES[dist]])
    cross, inner = spec.moments(margins, spec.target_at(margins.std_resid_values, psi), psi)[1:3]

    def mean_score(moved, at):
        z = moved.std_resid_values
        return spec.moments(moved, spec.target_at(z, at), at)[0].mean(axis=0)

    ends = []
    for sign in (1.0, -1.0):
        fit = margins.fits[1]
        theta = fit.theta + sign * 1e-5 * np.eye(4)[2]
        params = margins.params.copy()
        params.iloc[4:8] = theta * fit.units + fit.offset
        fits = (margins.fits[0], dataclasses.replace(fit, theta=theta), margins.fits[2])
        ends.append(mean_score(dataclasses.replace(margins, fits=fits, params=params), psi))
    # Differences of exact scores over 2e-5 carry an error of about 1e-6 of their size.
    np.testing.assert_allclose(cross[:, 6], (ends[0] - ends[1]) / 2e-5, rtol=5e-4, atol=2e-5)
    for k in range(len(psi)):
        step = np.eye(len(psi))[k] * 1e-5
        slope = (mean_score(margins, psi + step) - mean_score(margins, psi - step)) / 2e-5
        np.testing.assert_allclose(inner[k], slope, rtol=1e-3, atol=1e-3 * np.abs(inner).max())


@pytest.mark.parametrize(("model", "dist"), [(ds.DCC, "laplace"), (ds.ADCC, "t"), (ds.CDCC, "t")])
def test_contract(model, dist):
    z = pd.DataFrame(draws(dist, 900, seed=8), columns=list("ABC"))
    fit = model(dist=dist).fit(z)
    assert fit.converged, fit.notes
    assert list(fit.params.index[-1:]) == (["nu"] if dist == "t" else ["g1" if model is ds.ADCC else "b1"])
    assert dist in repr(fit)
    assert fit.loglikelihood > model().fit(z).loglikelihood
    again = fit.filter(z)
    assert again.loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-8)
    np.testing.assert_allclose(again.correlation, fit.correlation, atol=1e-13)
    order = ["C", "A", "B"]
    other = model(dist=dist).fit(z[order] / 100.0 + 1.0)
    names = fit.spec.parameter_names
    np.testing.assert_allclose(other.params[names], fit.params[names], rtol=2e-8, atol=1e-8)
    assert "a1" in str(fit.summary())
    assert fit.forecast(3).correlation.shape == (3, 3, 3)


@pytest.mark.parametrize("dist", ["t", "laplace"])
def test_simulated_shocks_have_the_law(dist):
    """Unit variances, the target's correlation, and the kurtosis of q: N (N + 2) times E[scale^4]."""
    z = draws("t", 800, seed=1)
    fit = ds.DCC(dist=dist, margins=None).fit(z)
    nu = 12.0
    params = fit.params.where(fit.params.index != "nu", nu)
    fit = dataclasses.replace(fit, params=params)
    pd.testing.assert_frame_equal(fit.simulate(50, seed=4), fit.simulate(50, seed=4))
    y = fit.simulate(8000, seed=5)
    R = fit.filter(y).correlation
    q = np.einsum("ti,ti->t", y.to_numpy(), np.linalg.solve(R, y.to_numpy()[:, :, None])[:, :, 0])
    fourth = {"t": (nu - 2.0) / (nu - 4.0), "laplace": 2.0}[dist]
    # Four standard errors of the means: sd(q) is 3.0 and 4.9, sd(q^2) 42 and 146.
    assert q.mean() == pytest.approx(3.0, abs=0.22)
    assert (q**2).mean() == pytest.approx(15.0 * fourth, abs=6.5)


def test_the_right_law_wins():
    """Each law on its own data: the highest likelihood, nu near its truth, or at its limit for the normal."""
    found = {}
    for truth in SHAPES:
        z = draws(truth, 2500, seed=11)
        fits = {dist: ds.DCC(dist=dist, margins=None).fit(z) for dist in SHAPES}
        values = pd.Series({dist: fit.loglikelihood for dist, fit in fits.items()})
        if truth == "normal":
            # nu stops at 500, which costs a fraction of a unit.
            assert values["laplace"] < values["normal"] - 3.0
            assert values["t"] == pytest.approx(values["normal"], abs=1.0)
        else:
            assert values.idxmax() == truth
        found[truth] = fits["t"]
    assert found["t"].params["nu"] == pytest.approx(6.0, abs=4.0 * found["t"].std_errors["nu"])
    assert found["normal"].params["nu"] > 40.0


def test_a_limit_of_the_shape_is_said():
    """Lighter tails than the normal's push nu to its limit."""
    z = np.random.default_rng(0).uniform(-np.sqrt(3.0), np.sqrt(3.0), (600, 3))
    fit = ds.DCC(dist="t", margins=None).fit(z)
    assert fit.params["nu"] == 500.0
    assert np.isnan(fit.std_errors["nu"])
    assert any("nu at its limit 500" in note for note in fit.notes)
    assert fit.converged


def test_ugly_input_is_a_sentence():
    z = draws("laplace", 200, seed=2)
    z[7] = 0.0
    with pytest.raises(DataError, match=r"row 7 .*infinite.*dist='t'"):
        ds.DCC(dist="laplace", margins=None).fit(z)
    assert ds.DCC(dist="t", margins=None).fit(z).converged
    with pytest.raises(OptionError, match="'normal', 't', 'laplace'"):
        ds.DCC(dist="mvt")


@pytest.mark.parametrize("kind", ["outlier", "unit root"])
def test_hostile_data_converge_or_say_what_is_on_a_bound(kind):
    """No failure, no warning, no start value returned, whatever model and law meet them."""
    rng = np.random.default_rng(7)
    y = rng.standard_normal((250, 2))
    y[125] = 50.0 if kind == "outlier" else y[125]
    y = np.cumsum(y, axis=0) if kind == "unit root" else y
    margins = ds.GARCH().fit(y @ np.array([[1.0, 0.3], [0.0, 1.0]]))
    for model in (ds.DCC, ds.ADCC, ds.CDCC):
        for dist in SHAPES:
            fit = model(dist=dist).fit(margins)
            assert fit.converged, fit.notes
            assert np.isfinite(fit.last.to_numpy()).all()
            assert fit.notes or not fit.std_errors.isna().any()


@pytest.mark.slow
@pytest.mark.parametrize("dist", ["t", "laplace"])
def test_estimates_are_nearly_unbiased_and_intervals_cover(dist):
    """Eighty samples of residuals: the standard error of a coverage of 0.95 is 0.024."""
    truth = pd.Series({"a1": 0.05, "b1": 0.90, "nu": 6.0})
    truth = truth if dist == "t" else truth.drop("nu")
    hits, estimates = [], []
    for seed in range(80):
        fit = ds.DCC(dist=dist, margins=None).fit(draws(dist, 1500, seed=100 + seed))
        bounds = fit.conf_int().loc[truth.index]
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params[truth.index])
    assert (pd.DataFrame(hits).mean() >= 0.87).all()
    bias = pd.DataFrame(estimates).mean() - truth
    assert abs(bias["a1"]) < 0.004
    assert -0.02 < bias["b1"] < 0.005
    if dist == "t":
        assert abs(bias["nu"]) < 0.3
