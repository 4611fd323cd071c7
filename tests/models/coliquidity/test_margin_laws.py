"""Laws of the shocks of a margin: densities, draws, exact scores, limits, recovery."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

import drainstats as ds
from drainstats.kernels.densities import log_density
from drainstats.models.coliquidity.margins.laws import LAWS
from drainstats.models.coliquidity.margins.paths import evaluate, scores
from tests.models.coliquidity import twins

SHAPES = [
    ("normal", []), ("t", [2.3]), ("t", [5.0]), ("t", [400.0]), ("skewt", [5.0, -0.3]), ("skewt", [2.5, 0.9]),
    ("skewt", [60.0, 0.0]), ("ged", [1.05]), ("ged", [1.4]), ("ged", [2.0]), ("ged", [6.0]),
]  # fmt: skip
INSIDE = [("t", [5.0]), ("skewt", [5.0, -0.3]), ("ged", [1.4])]
Z = np.array([-30.0, -4.0, -1.3, -0.2, 0.0, 0.05, 0.9, 2.5, 8.0])


def garch_with(dist, shape, T, N, seed, omega=0.05, alpha=0.08, beta=0.87):
    """GARCH(1, 1) whose shocks are drawn by scipy, not by us."""
    rng = np.random.default_rng(seed)
    if dist == "t":
        z = stats.t.rvs(shape[0], size=(T + 300, N), random_state=rng) * np.sqrt((shape[0] - 2.0) / shape[0])
    elif dist == "ged":
        z = stats.gennorm.rvs(shape[0], size=(T + 300, N), random_state=rng) / stats.gennorm.std(shape[0])
    else:
        z = twins.skewed_t_quantile(rng.random((T + 300, N)), *shape)
    h, y = np.full(N, omega / (1.0 - alpha - beta)), np.empty_like(z)
    for t in range(len(z)):
        y[t] = np.sqrt(h) * z[t]
        h = omega + alpha * y[t] ** 2 + beta * h
    return y[300:]


@pytest.mark.parametrize(("dist", "shape"), SHAPES, ids=str)
def test_density_equals_its_twin_and_has_mean_0_and_variance_1(dist, shape):
    law, shape = LAWS[dist], np.array(shape)
    constants = law.constants(shape)
    ours = np.array([log_density(law.code, z, constants)[0] for z in Z])
    np.testing.assert_allclose(ours, twins.log_density(dist, Z, shape), rtol=1e-10, atol=1e-11)

    def moment(power):
        def integrand(z):
            return z**power * np.exp(log_density(law.code, z, constants)[0])

        return sum(quad(integrand, *ends, limit=400)[0] for ends in [(-np.inf, -1), (-1, 0), (0, 1), (1, np.inf)])

    # The variance of a t with 2.3 degrees of freedom comes from far out: quadrature leaves about 1e-4 of it.
    heavy = dist in ("t", "skewt") and shape[0] < 3.0
    assert moment(0) == pytest.approx(1.0, abs=1e-7)
    assert moment(1) == pytest.approx(0.0, abs=1e-3 if heavy else 1e-7)
    assert moment(2) == pytest.approx(1.0, abs=2e-2 if heavy else 1e-5)


@pytest.mark.parametrize(("dist", "shape"), SHAPES, ids=str)
def test_slopes_equal_differences(dist, shape):
    law, shape = LAWS[dist], np.array(shape)

    def value(z, s):
        return log_density(law.code, z, law.constants(s))[0]

    for z in Z[Z != 0.0]:
        slopes = log_density(law.code, z, law.constants(shape))[1:]
        step = 1e-6
        assert slopes[0] == pytest.approx(
            (value(z + step, shape) - value(z - step, shape)) / (2 * step), rel=1e-5, abs=1e-7
        )
        for k in range(len(shape)):
            move = np.eye(len(shape))[k] * 1e-6 * max(abs(shape[k]), 1.0)
            slope = (value(z, shape + move) - value(z, shape - move)) / (2 * move[k])
            # Differences of a value near 10 over 1e-6 keep nine digits of it.
            assert slopes[1 + k] == pytest.approx(slope, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("dist", "shape"), INSIDE, ids=str)
def test_draws_follow_their_law(dist, shape):
    law, shape = LAWS[dist], np.array(shape)
    z = law.draw(shape, np.random.default_rng(0), 20000)

    def cdf(x):
        grid = np.linspace(-60.0, 60.0, 200_001)
        density = np.exp(twins.log_density(dist, grid, shape))
        return np.interp(x, grid, np.cumsum(density) * (grid[1] - grid[0]))

    assert stats.kstest(z, cdf).pvalue > 0.01
    # The share has the sampling error of a mean of squares with heavy tails: about 0.02.
    assert law.falling(shape) == pytest.approx(np.mean(z**2 * (z < 0.0)), abs=0.06)
    assert law.falling(shape) == pytest.approx(0.5, abs=1e-12) or dist == "skewt"


def test_share_of_falls_follows_the_skew():
    falling = LAWS["skewt"].falling
    assert falling(np.array([6.0, 0.0])) == pytest.approx(0.5, abs=1e-8)
    assert falling(np.array([6.0, -0.4])) > 0.6
    assert falling(np.array([6.0, -0.4])) + falling(np.array([6.0, 0.4])) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize(("dist", "shape"), INSIDE, ids=str)
@pytest.mark.parametrize("orders", [(1, 0, 1), (2, 1, 1)], ids=str)
def test_likelihood_equals_its_twin_and_scores_sum_to_the_gradient(dist, shape, orders):
    p, o, q = orders
    spec = ds.GARCH(p=p, o=o, q=q, dist=dist, start="fcp")
    y = np.random.default_rng(2).standard_normal(300)
    theta = np.concatenate([[0.02, 0.05], np.full(p, 0.05), np.full(o, 0.06), np.full(q, 0.8), shape])
    path = evaluate(spec, y, theta, np.nan)
    e = y - 0.02
    h = twins.garch_variance(e, 0.05, np.full(p, 0.05), np.full(o, 0.06), np.full(q, 0.8), np.mean(e**2), False)
    value = np.sum(twins.log_density(dist, e / np.sqrt(h), np.array(shape)) - 0.5 * np.log(h))
    assert path.loglikelihood == pytest.approx(value, rel=1e-11)
    np.testing.assert_allclose(scores(spec, y, theta, path).sum(axis=0), path.gradient, rtol=1e-9, atol=1e-9)
    for k in range(len(theta)):
        step = np.eye(len(theta))[k] * 1e-6
        ahead, behind = evaluate(spec, y, theta + step, np.nan), evaluate(spec, y, theta - step, np.nan)
        slope = (ahead.loglikelihood - behind.loglikelihood) / 2e-6
        # The slope of a GED in mu jumps in its derivative at every observation: one of them within the step costs 1e-4.
        assert path.gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-3 if dist == "ged" and k == 0 else 1e-5)


@pytest.mark.parametrize(("dist", "shape"), INSIDE, ids=str)
def test_unit_and_location_do_not_matter(dist, shape):
    y = garch_with(dist, shape, 1500, 1, seed=3)[:, 0]
    base, other = ds.GARCH(dist=dist).fit(y), ds.GARCH(dist=dist).fit(y / 100.0 + 3.0)
    units = np.ones(len(base.params))
    units[:2] = 1e-2, 1e-4
    moved = other.params.to_numpy() - np.eye(len(units))[0] * 3.0
    assert base.converged
    # Adding 3 to numbers near 0.01 costs two digits of every observation: about 1e-13, amplified by the search.
    np.testing.assert_allclose(moved / units, base.params, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(other.std_errors / units, base.std_errors, rtol=1e-5)
    assert other.loglikelihood == pytest.approx(base.loglikelihood + len(y) * np.log(100.0), abs=1e-6)


def test_thin_tails_put_nu_on_its_limit_and_it_is_said():
    """Uniform shocks have thinner tails than any t: the likelihood rises up to the limit of nu."""
    y = np.random.default_rng(1).uniform(-1.0, 1.0, 1500)
    res = ds.GARCH(dist="t", mean="zero").fit(y)
    assert res.converged
    assert res.params["nu"] == 500.0
    assert np.isnan(res.std_errors["nu"])
    assert any("nu at its limit 500" in n for n in res.notes)
    assert ds.GARCH(dist="ged", mean="zero").fit(y).params["nu"] > 4.0


def test_t_is_never_worse_than_the_normal_it_contains():
    y = twins.simulate_dcc(1000, 3, seed=5)
    normal, t = ds.GARCH().fit(y), ds.GARCH(dist="t").fit(y)
    # nu stops at 500; against the normal that costs sum(z^4 - 6 z^2 + 3) / 2000, of standard deviation 0.08 here.
    assert (t.status["loglikelihood"] > normal.status["loglikelihood"] - 0.25).all()
    skewed = ds.GARCH(dist="skewt").fit(y)
    assert (skewed.status["loglikelihood"] > t.status["loglikelihood"] - 1e-6).all()


def test_gaussian_likelihood_of_any_margins():
    y = garch_with("t", [5.0], 800, 2, seed=6)
    normal, t = ds.GARCH().fit(y), ds.GARCH(dist="t").fit(y)
    assert normal.gaussian_loglikelihood == pytest.approx(normal.loglikelihood, abs=1e-8)
    assert t.gaussian_loglikelihood < normal.loglikelihood < t.loglikelihood


def test_forecast_under_skewed_shocks_is_the_mean_of_simulated_variances():
    """Falls make more than half of the variance, so gamma counts for more than half."""
    spec = ds.GARCH(o=1, dist="skewt", mean="zero")
    res = spec.fit(garch_with("skewt", [8.0, -0.5], 1500, 1, seed=7)[:, 0])
    omega, alpha, gamma, beta, eta, skew = res.params
    z = LAWS["skewt"].draw(np.array([eta, skew]), np.random.default_rng(0), 400_000)
    first, second = res.forecast(2).to_numpy()[:, 0]
    e = np.sqrt(first) * z
    # The mean of 400,000 squares with these tails is known to about one percent of alpha + gamma.
    expected = np.mean(omega + alpha * e**2 + gamma * np.minimum(e, 0.0) ** 2 + beta * first)
    assert second == pytest.approx(expected, rel=2e-3)


def test_simulation_and_filter(panel_of_laws):
    for res in panel_of_laws:
        z = res.simulate(300, seed=4)
        pd.testing.assert_frame_equal(z, res.simulate(300, seed=4))
        again = res.filter(res.y)
        assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-7)
        assert "nu" in str(res.summary()) or "lambda" in str(res.summary())


@pytest.fixture(scope="module")
def panel_of_laws():
    return [ds.GARCH(dist=dist).fit(garch_with(dist, shape, 600, 2, seed=8)) for dist, shape in INSIDE]


@pytest.mark.slow
@pytest.mark.parametrize(("dist", "shape"), INSIDE, ids=str)
def test_recovery_and_coverage(dist, shape):
    """Bias below a third of a standard deviation, 95 % intervals that hold in 150 samples of 2500."""
    y = garch_with(dist, shape, 2500, 150, seed=11)
    res = ds.GARCH(dist=dist).fit(y)
    truth = np.array([0.0, 0.05, 0.08, 0.87, *shape])
    estimate, error = res.params.to_numpy().reshape(150, -1), res.std_errors.to_numpy().reshape(150, -1)
    assert res.status["converged"].all()
    assert (np.abs(np.median(estimate, axis=0) - truth) < estimate.std(axis=0) / 3.0).all()
    covered = (np.abs(estimate - truth) < 1.96 * error).mean(axis=0)
    # 150 samples: 0.95 less three of its standard errors (0.018) is 0.90; omega's Wald interval runs a little short.
    assert (covered > 0.89).all(), covered


@pytest.mark.parametrize("model", [ds.CCC, ds.DCC])
def test_correlations_stand_on_margins_of_any_law(model):
    """The joint likelihood is Gaussian in the residuals whatever law the margins were fitted with."""
    y = garch_with("t", [5.0], 700, 2, seed=9)
    y[:, 1] += 0.6 * y[:, 0]
    res = model(margins=ds.GARCH(dist="t")).fit(y)
    z, vol = res.std_resid.to_numpy(), res.conditional_volatility.to_numpy()
    value = -np.log(vol).sum()
    for row, R in zip(z, res.correlation, strict=True):
        value += stats.multivariate_normal.logpdf(row, cov=R)
    assert res.loglikelihood == pytest.approx(value, abs=1e-8)
    assert res.filter(y).loglikelihood == pytest.approx(value, abs=1e-7)
    assert np.isfinite(res.margins.std_errors).all()
    np.testing.assert_allclose(res.std_errors[res.margins.params.index], res.margins.std_errors, rtol=1e-8)
