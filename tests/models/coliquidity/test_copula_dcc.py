"""Copula-DCC: densities and derivatives by slow twins, invariances, tails, recovery."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from arch import arch_model
from scipy import stats

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity.copulas.pit import Areas, areas, by_ranks, in_shape, log_density, quantiles
from drainstats.models.coliquidity.copulas.search import likelihood, moments, noise_of_ranks, rows, state_at
from tests.models.coliquidity import twins

SHAPES = [("normal", []), ("t", [2.3]), ("t", [7.0]), ("skewt", [5.0, -0.4]), ("skewt", [9.0, 0.6]), ("ged", [1.3])]
SKEWED = ds.GARCH(dist="skewt")


def simulate(T, N, seed, a=0.04, b=0.93, nu=6.0, shape=(7.0, -0.2), rho=0.5, burn=300):
    """t copula with DCC correlations on GARCH(1, 1) with skewed t shocks; quantiles are scipy's and the twins'."""
    rng = np.random.default_rng(seed)
    S = np.full((N, N), rho) + (1.0 - rho) * np.eye(N)
    Q, x = S.copy(), np.empty((T + burn, N))
    scale = np.sqrt((nu - 2.0) / rng.chisquare(nu, T + burn))
    shocks = rng.standard_normal((T + burn, N))
    for t in range(T + burn):
        size = np.sqrt(np.diag(Q))
        x[t] = scale[t] * (np.linalg.cholesky(Q / np.outer(size, size)) @ shocks[t])
        Q = (1.0 - a - b) * S + a * np.outer(x[t], x[t]) + b * Q
    z = twins.skewed_t_quantile(stats.t.cdf(x * np.sqrt(nu / (nu - 2.0)), nu), *shape)
    y, h = np.empty_like(z), np.ones(N)
    for t in range(T + burn):
        y[t] = np.sqrt(h) * z[t]
        h = 0.05 + 0.08 * y[t] ** 2 + 0.87 * h
    return y[burn:]


@pytest.fixture(scope="module")
def panel():
    days = pd.date_range("2020-01-01", periods=1200, tz="UTC")
    return pd.DataFrame(simulate(1200, 3, seed=1), columns=list("ABC"), index=days)


@pytest.fixture(scope="module")
def fitted(panel):
    return ds.CopulaDCC(margins=SKEWED).fit(panel)


@pytest.fixture(scope="module")
def ranked(panel):
    return ds.CopulaDCC(margins=SKEWED, transform="empirical").fit(panel)


@pytest.mark.parametrize(("dist", "shape"), SHAPES, ids=str)
def test_areas_are_those_of_scipy_and_quantiles_go_back(dist, shape):
    shape = np.array(shape)
    u = np.linspace(0.001, 0.999, 501)
    if dist == "skewt":
        z = twins.skewed_t_quantile(u, *shape)
    elif dist == "ged":
        z = stats.gennorm.ppf(u, shape[0]) / stats.gennorm.std(shape[0])
    elif dist == "t":
        z = stats.t.ppf(u, shape[0]) * np.sqrt((shape[0] - 2.0) / shape[0])
    else:
        z = stats.norm.ppf(u)
    at = areas(dist, z, shape)
    np.testing.assert_allclose(at.u, u, atol=1e-12)
    np.testing.assert_allclose(quantiles(dist, at, shape), z, atol=1e-9)
    np.testing.assert_allclose(log_density(dist, z, shape), twins.log_density(dist, z, shape), atol=1e-10)
    far = np.array([-30.0, -8.0, 8.0, 30.0])
    np.testing.assert_allclose(quantiles(dist, areas(dist, far, shape), shape), far, rtol=1e-8)
    other = Areas(1.0 - at.area, ~at.upper)
    np.testing.assert_allclose(quantiles(dist, other, shape), z, atol=1e-8)
    for k in range(len(shape)):
        move = np.eye(len(shape))[k] * 1e-5
        slope = (areas(dist, z, shape + move).u - areas(dist, z, shape - move).u) / 2e-5
        np.testing.assert_allclose(in_shape(dist, z, shape)[k], slope, atol=1e-8)


@pytest.mark.parametrize("transform", ["parametric", "empirical"])
def test_likelihood_equals_that_of_scipy(fitted, ranked, transform):
    """Joint densities by scipy along a path by the formula, less those of its margins."""
    res = fitted if transform == "parametric" else ranked
    a, b, nu = res.params[-3:]
    if transform == "parametric":
        z, u = res.std_resid.to_numpy(), np.empty((1200, 3))
        for i, name in enumerate("ABC"):
            eta, skew = res.params[f"{name}.eta"], res.params[f"{name}.lambda"]
            grid = np.linspace(1e-6, 1.0 - 1e-6, 200_001)
            u[:, i] = np.interp(z[:, i], twins.skewed_t_quantile(grid, eta, skew), grid)
    else:
        u = stats.rankdata(res.std_resid, axis=0) / 1201.0
    # The grid inverts the quantile function to six digits.
    np.testing.assert_allclose(res.pit, u, atol=1e-5)
    x = stats.t.ppf(res.pit, nu)
    standard = x * np.sqrt((nu - 2.0) / nu)
    np.testing.assert_allclose(res.scores, standard, atol=1e-7)
    target = standard.T @ standard
    size = np.sqrt(np.diag(target))
    target = target / np.outer(size, size)
    R = twins.dcc_paths(standard, target, target, [a], [b])[1]
    value = sum(stats.multivariate_t.logpdf(row, shape=r, df=nu) for row, r in zip(x, R, strict=True))
    value -= stats.t.logpdf(x, nu).sum()
    assert res.copula_loglikelihood == pytest.approx(value, abs=1e-5)
    assert res.loglikelihood == pytest.approx(res.margins.loglikelihood + value, abs=1e-5)
    np.testing.assert_allclose(res.correlation, R, atol=1e-8)
    assert res.converged


def test_normal_margins_and_a_normal_copula_are_dcc(panel):
    """Estimates, likelihood and standard errors."""
    res, dcc = ds.CopulaDCC(dist="normal", margins=ds.GARCH()).fit(panel), ds.DCC().fit(panel)
    np.testing.assert_allclose(res.params, dcc.params, atol=1e-10)
    assert res.loglikelihood == pytest.approx(dcc.loglikelihood, abs=1e-8)
    found = res._moments()
    scores, cross, inner = dcc.spec.moments(dcc.margins, dcc.target, dcc.params.to_numpy()[-2:])[:3]
    np.testing.assert_allclose(found.scores[:, -2:], scores, atol=1e-9)
    # Second derivatives are differences of exact ones, one-sided in one and central in the other.
    np.testing.assert_allclose(found.bread[-2:, :-2], cross, atol=1e-3 * np.abs(cross).max())
    np.testing.assert_allclose(found.bread[-2:, -2:], inner, rtol=1e-3)
    np.testing.assert_allclose(res.covariance, dcc.covariance, atol=1e-9)


def test_scores_are_derivatives_of_the_likelihood(fitted):
    spec, at = fitted.spec.recursion, fitted.at
    psi = np.array([0.05, 0.85, 5.0])
    value, scores = rows(spec, at, psi)
    for k, width in enumerate([1e-6, 1e-6, 1e-3]):
        step = width * np.eye(3)[k]
        high, low = (likelihood(spec, state_at(spec, at, p), p)[0] for p in (psi + step, psi - step))
        np.testing.assert_allclose(scores[:, k], (high - low) / (2.0 * width), atol=1e-5)
    assert value.sum() < fitted.copula_loglikelihood
    # At the optimum the sums vanish: what is left is less than a thousandth of the log-likelihood's unit a step.
    assert np.abs(rows(spec, at, fitted.params.to_numpy()[-3:])[1].sum(axis=0) * [0.01, 0.01, 1.0]).max() < 1e-2


def test_derivatives_through_margins_and_shapes_equal_differences(fitted):
    """Perturb a margin parameter, remake residuals, probabilities, scores and target, and see the psi scores move."""
    margins, spec = fitted.margins, fitted.spec
    psi = fitted.params.to_numpy()[-3:]
    bread = fitted._moments().bread
    K = len(margins.params) // 3

    def mean_scores(k, width):
        fit = margins.fits[1]
        theta = fit.theta + width * np.eye(K)[k]
        fits = (margins.fits[0], dataclasses.replace(fit, theta=theta), margins.fits[2])
        params = margins.params.copy()
        params.iloc[K : 2 * K] = theta * fit.units + fit.offset
        moved = dataclasses.replace(margins, fits=fits, params=params)
        return rows(spec.recursion, spec.probabilities(moved, moved.std_resid_values), psi)[1].mean(axis=0)

    for k in range(K):
        slope = (mean_scores(k, 1e-5) - mean_scores(k, -1e-5)) / 2e-5
        # Relative to the largest: differences of differences keep four digits.
        np.testing.assert_allclose(bread[3 * K :, K + k], slope, rtol=2e-3, atol=2e-4 * np.abs(slope).max())


def test_the_hessian_equals_differences_of_scores(fitted):
    spec, at, psi = fitted.spec.recursion, fitted.at, fitted.params.to_numpy()[-3:]
    inner = moments(spec, at, psi)[2]
    for k, width in enumerate([1e-5, 1e-5, 1e-2]):
        step = width * np.eye(3)[k]
        slope = (rows(spec, at, psi + step)[1].mean(axis=0) - rows(spec, at, psi - step)[1].mean(axis=0)) / (2 * width)
        np.testing.assert_allclose(inner[:, k], slope, rtol=2e-3, atol=1e-5 * np.abs(inner[:, k]).max())


@pytest.mark.parametrize("convention", ["engle", "rmgarch"])
def test_noise_of_the_target_equals_differences(panel, convention):
    """Rows that count a little more in the target, and nowhere else, move the mean score by their noise."""
    res = ds.CopulaDCC(margins=SKEWED, convention=convention).fit(panel)
    spec, at, psi = res.spec.recursion, res.at, res.params.to_numpy()[-3:]
    noise = moments(spec, at, psi)[3]
    some = np.random.default_rng(1).integers(0, 1200, 300)

    def mean_scores(width):
        weight = np.ones(1200)
        np.add.at(weight, some, width)
        weight /= weight.sum()

        def total(p):
            state = state_at(spec, at, p)
            far = state.x - (weight @ state.x if convention == "rmgarch" else 0.0)
            target = (far * weight[:, None]).T @ far * (1200 / 1199 if convention == "rmgarch" else 1.0)
            size = np.sqrt(np.diag(target)) if convention == "engle" else np.ones(3)
            target = target / np.outer(size, size)
            before = target if convention == "engle" else np.zeros((3, 3))
            return likelihood(spec, dataclasses.replace(state, target=target, before=before), p)[0].mean()

        steps = np.diag([1e-4, 1e-4, 1e-2])
        return np.array([(total(psi + s) - total(psi - s)) / (2.0 * s.max()) for s in steps])

    slope = (mean_scores(0.05) - mean_scores(-0.05)) / 0.1
    # Weights sum to one: what rows add is their distance from the mean row.
    expected = (noise[some] - noise.mean(axis=0)).sum(axis=0) / 1200
    np.testing.assert_allclose(expected, slope, rtol=5e-3, atol=5e-3 * np.abs(noise).mean() / 1200 * 300)


def test_noise_of_ranks_equals_its_double_sum():
    rng = np.random.default_rng(0)
    z = np.round(rng.standard_normal((60, 2)), 1)
    at, cross = by_ranks(z, z), rng.standard_normal((3, 60, 2))
    u, out = at.u, np.zeros((60, 3))
    for t in range(60):
        for k in range(3):
            out[t, k] = np.mean((cross[k] * ((u[t] <= u) - u)).sum(axis=1))
    np.testing.assert_allclose(noise_of_ranks(at, cross), out, atol=1e-12)


def test_ranks_do_not_see_monotone_changes(panel):
    """Exactly: estimates, errors, likelihood of the copula, correlations."""
    z = SKEWED.fit(panel).std_resid
    spec = ds.CopulaDCC(margins=None, transform="empirical")
    base = spec.fit(z)
    moved = pd.DataFrame({"A": np.exp(z["A"]), "B": z["B"] ** 3 - 5.0, "C": 1e4 * np.arctan(z["C"])})
    other = spec.fit(moved)
    pd.testing.assert_series_equal(base.params, other.params)
    pd.testing.assert_series_equal(base.std_errors, other.std_errors)
    assert base.copula_loglikelihood == other.copula_loglikelihood
    np.testing.assert_array_equal(base.correlation, other.correlation)
    # Falls for rises change the sign of every pair of scores twice.
    np.testing.assert_allclose(spec.fit(-z).params, base.params, atol=1e-8)


@pytest.mark.parametrize("transform", ["parametric", "empirical"])
def test_units_location_and_order_of_columns_do_not_matter(panel, fitted, ranked, transform):
    base = fitted if transform == "parametric" else ranked
    for other in (panel / 100.0 + 2.0, panel[["C", "A", "B"]]):
        again = ds.CopulaDCC(margins=SKEWED, transform=transform).fit(other)
        # nu is known to eight digits when the gradient per row is 1e-10.
        np.testing.assert_allclose(again.params[-3:], base.params[-3:], rtol=1e-6)
        np.testing.assert_allclose(again.pair("A", "C"), base.pair("A", "C"), atol=1e-8)
        assert again.copula_loglikelihood == pytest.approx(base.copula_loglikelihood, abs=1e-6)


@pytest.mark.parametrize("transform", ["parametric", "empirical"])
def test_filter_is_the_fit_and_does_not_look_ahead(panel, fitted, ranked, transform):
    res = fitted if transform == "parametric" else ranked
    again, part = res.filter(panel), res.filter(panel.iloc[:100])
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-7)
    np.testing.assert_allclose(again.correlation, res.correlation, atol=1e-10)
    np.testing.assert_allclose(part.pair("A", "B"), res.pair("A", "B")[:100], atol=1e-10)
    np.testing.assert_allclose(part.pit, res.pit[:100], atol=1e-10)
    pd.testing.assert_series_equal(part.std_errors, res.std_errors)
    inside = res.conf_int(method="transformed").iloc[-3:]
    assert ((inside["lower"] > [0.0, 0.0, 2.0]) & (inside["upper"] > inside["lower"])).all()
    assert (inside["upper"].iloc[:2] < 1.0).all()
    assert np.isfinite(res.covariance_of("two_step", hac=3)).all(axis=None)
    far = res.filter(panel.iloc[:50] * 3.0)
    assert ((far.pit > 0.0) & (far.pit < 1.0)).all(axis=None)


def test_probabilities_are_uniform_when_the_law_is_right(panel, fitted):
    for name in panel:
        assert stats.kstest(fitted.pit[name], "uniform").pvalue > 0.05
        # The empirical variance of a uniform, within four of its standard errors.
        assert fitted.pit[name].var() == pytest.approx(1 / 12, abs=4 * np.sqrt(1 / 180 / 1200))
    wrong = ds.CopulaDCC(margins=ds.GARCH(), dist="normal").fit(panel)
    assert min(stats.kstest(wrong.pit[name], "uniform").pvalue for name in panel) < 0.05
    assert wrong.loglikelihood < fitted.loglikelihood - 50.0


def test_tail_dependence_along_time(fitted, panel):
    """The printed values for four degrees of freedom (McNeil, Frey and Embrechts, 2015, table 7.1)."""
    path = fitted.tail_dependence("A", "B")
    assert path.index.equals(panel.index)
    assert path.between(0.0, 1.0).all()
    assert path.corr(fitted.pair("A", "B"), method="spearman") > 1.0 - 1e-9
    known = dataclasses.replace(fitted, params=fitted.params.mask(fitted.params.index == "nu", 4.0))
    for rho, printed in ((-0.5, 0.01), (0.0, 0.08), (0.5, 0.25), (0.9, 0.63)):
        object.__setattr__(known, "pair", lambda a, b, rho=rho: pd.Series([rho]))
        assert known.tail_dependence("A", "B")[0] == pytest.approx(printed, abs=5e-3)
    normal = ds.CopulaDCC(margins=SKEWED, dist="normal").fit(panel)
    assert (normal.tail_dependence("A", "B") == 0.0).all()
    assert fitted.loglikelihood > normal.loglikelihood + 10.0


def test_forecasts(panel, fitted):
    """One step is the next row of the path; simulated ones go to the target and stay near the usual approximation."""
    short = fitted.filter(panel.iloc[:-1])
    np.testing.assert_allclose(short.forecast(1).correlation[0], fitted.last, atol=1e-10)
    ahead = fitted.forecast(400, draws=400)
    np.testing.assert_array_equal(fitted.forecast(3, draws=400).correlation, ahead.correlation[:3])
    # R is no linear function of Q: its mean is a little nearer to zero than the target.
    np.testing.assert_allclose(ahead.correlation[-1], fitted.state.target, atol=0.05)
    np.testing.assert_allclose(np.diagonal(ahead.correlation, axis1=1, axis2=2), 1.0)
    pd.testing.assert_frame_equal(ahead.variance, fitted.margins.forecast(400))


@pytest.mark.parametrize("transform", ["parametric", "empirical"])
def test_simulation_has_the_dependence_and_the_margins(fitted, ranked, transform):
    res = fitted if transform == "parametric" else ranked
    made = res.simulate(4000, seed=2)
    pd.testing.assert_frame_equal(made.iloc[:50], res.simulate(4000, seed=2).iloc[:50])
    again = ds.CopulaDCC(margins=SKEWED, transform=transform).fit(made)
    # Four standard errors of 4000 rows, from those of 1200.
    gap = np.abs(again.params[-3:] - res.params[-3:]) / (res.std_errors[-3:] * np.sqrt(1200 / 4000))
    assert (gap < 4.0).all(), gap
    np.testing.assert_allclose(again.state.target, res.state.target, atol=0.1)


def test_results_of_arch_bring_their_laws(panel):
    theirs = {n: arch_model(panel[n], dist="skewt", rescale=False).fit(disp="off", tol=1e-12) for n in panel}
    given = ds.CopulaDCC().fit(theirs)
    ours = ds.CopulaDCC(margins=ds.GARCH(dist="skewt", start="arch")).fit(panel)
    np.testing.assert_allclose(given.params[:2], ours.params[-3:-1], atol=1e-4)
    assert given.params["nu"] == pytest.approx(ours.params["nu"], rel=1e-3)
    assert given.loglikelihood == pytest.approx(ours.loglikelihood, abs=1e-3)
    assert np.isfinite(given.std_errors).all()
    assert any("taken as known" in n for n in given.notes)


def test_thin_tails_put_nu_on_its_limit():
    y = twins.simulate_dcc(800, 3, seed=4)
    res = ds.CopulaDCC(margins=ds.GARCH()).fit(y)
    assert res.converged
    if res.params["nu"] == 500.0:
        assert np.isnan(res.std_errors["nu"])
    assert res.loglikelihood > ds.CopulaDCC(margins=ds.GARCH(), dist="normal").fit(y).loglikelihood - 0.5


def test_bad_input_is_a_sentence(panel):
    with pytest.raises(OptionError, match="'t', 'normal'"):
        ds.CopulaDCC(dist="clayton")
    with pytest.raises(OptionError, match="parametric"):
        ds.CopulaDCC(transform="kernel")
    with pytest.raises(OptionError, match="order"):
        ds.CopulaDCC(order=(0, 0))
    with pytest.raises(DataError, match="transform='empirical'"):
        ds.CopulaDCC(margins=None).fit(panel)
    with pytest.raises(DataError, match="same series"):
        ds.CopulaDCC().fit(panel.assign(D=panel["A"]))
    with pytest.raises(DataError, match="missing"):
        ds.CopulaDCC().fit(panel.mask(panel > 2.0))
    broken = panel.copy()
    broken.iloc[700, 1] = 200.0
    with pytest.raises(DataError, match=r"chance 0.*column B"):
        ds.CopulaDCC(margins=ds.GARCH()).fit(broken)
    assert ds.CopulaDCC(margins=ds.GARCH(), transform="empirical").fit(broken).converged
    with pytest.raises(OptionError, match="draws"):
        ds.CopulaDCC(margins=SKEWED).fit(panel.iloc[:300]).forecast(2, draws=0)


@pytest.mark.slow
@pytest.mark.parametrize("transform", ["parametric", "empirical"])
def test_recovery_and_coverage(transform):
    """a, b, nu: bias below half a standard deviation, 95 % intervals that hold in 60 samples of 1500.

    A targeted b lies low by four tenths of its standard deviation at this size, in DCC as here.
    """
    spec, estimate, error = ds.CopulaDCC(margins=SKEWED, transform=transform), [], []
    for seed in range(60):
        res = spec.fit(simulate(1500, 3, seed=1000 + seed))
        assert res.converged
        estimate.append(res.params[-3:])
        error.append(res.std_errors[-3:])
    gap = np.array(estimate) - [0.04, 0.93, 6.0]
    assert (np.abs(np.median(gap, axis=0)) < np.std(estimate, axis=0) / 2.0).all(), np.median(gap, axis=0)
    covered = (np.abs(gap) < 1.96 * np.array(error)).mean(axis=0)
    # 60 samples: 0.95 less three of its standard errors (0.028) is 0.87.
    assert (covered > 0.86).all(), covered
