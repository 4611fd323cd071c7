"""BEKK: path, likelihood and slopes against a brute-force twin, other optimisers, recovery, invariants, ugly input."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import drainstats as ds
from drainstats.errors import DataError, OptionError, SizeError
from drainstats.models.coliquidity.covariances.bekk import BEKK
from drainstats.models.coliquidity.covariances.bekk_paths import expected_falls
from drainstats.models.coliquidity.covariances.bekk_problem import Problem, totals

SPECS = [
    BEKK(),
    BEKK(kind="diagonal", start="backcast"),
    BEKK(kind="diagonal", asymmetric=True),
    BEKK(asymmetric=True, dist="t"),
    BEKK(kind="diagonal", asymmetric=True, targeting=False, dist="t"),
    BEKK(targeting=False, start="backcast"),
]


def covariances(e, C, a, b, g, news, falls):
    """H[t] by the formula, with whole matrices."""
    A, B, G = np.diag(a), np.diag(b), np.diag(g)
    H, before = np.empty((len(e), *C.shape)), news
    for t in range(len(e)):
        if t:
            n = np.minimum(e[t - 1], 0.0)
            before, news, falls = H[t - 1], np.outer(e[t - 1], e[t - 1]), np.outer(n, n)
        H[t] = C + A @ news @ A + G @ falls @ G + B @ before @ B
    return H


def simulate(T, N, seed, a=0.25, b=0.94, g=0.0, nu=None, burn=300):
    """Normal or t shocks, intercept 0.05 times an equicorrelation."""
    rng = np.random.default_rng(seed)
    a, b, g = (np.broadcast_to(np.asarray(w, dtype=float), (N,)) for w in (a, b, g))
    C = 0.05 * (np.full((N, N), 0.4) + 0.6 * np.eye(N))
    H, y = 2.0 * C, np.empty((T + burn, N))
    for t in range(T + burn):
        y[t] = np.linalg.cholesky(H) @ rng.standard_normal(N)
        y[t] *= 1.0 if nu is None else np.sqrt((nu - 2.0) / rng.chisquare(nu))
        n = np.minimum(y[t], 0.0)
        H = C + np.outer(a * y[t], a * y[t]) + np.outer(g * n, g * n) + np.outer(b, b) * H
    return y[burn:]


def standardised(T, N, seed):
    e = simulate(T, N, seed)
    e = e - e.mean(axis=0)
    return np.ascontiguousarray(e / np.sqrt((e**2).mean(axis=0)))


def some_psi(problem):
    k, spec = problem.width, problem.spec
    parts = [0.22 + 0.02 * np.arange(k), 0.92 - 0.01 * np.arange(k)]
    parts += [0.15 + 0.05 * np.arange(k)] * spec.asymmetric
    parts += [np.linalg.cholesky(0.1 * np.cov(problem.e.T))[problem.lower]] * (not spec.targeting)
    return np.concatenate([*parts, [7.0] * (spec.dist == "t")])


@pytest.fixture(scope="module")
def panel():
    y = simulate(1203, 3, seed=11, a=[0.2, 0.25, 0.3], b=[0.96, 0.94, 0.92])
    return pd.DataFrame(y, columns=list("ABC"), index=pd.date_range("2015-01-01", periods=len(y)))


@pytest.fixture(scope="module")
def res(panel):
    return BEKK(kind="diagonal").fit(panel)


@pytest.fixture(scope="module")
def lopsided(panel):
    y = simulate(len(panel), 3, seed=4, a=0.15, b=0.92, g=0.4, nu=7.0)
    return BEKK(asymmetric=True, dist="t").fit(pd.DataFrame(y, columns=panel.columns, index=panel.index))


@pytest.mark.parametrize("spec", SPECS)
def test_likelihood_and_slopes_equal_their_twin(spec):
    for T, N in ((61, 2), (90, 3)):
        e = standardised(T, N, seed=T)
        problem = Problem(spec, e)
        psi = some_psi(problem)
        one, c = problem.evaluate(psi), problem.coefficients(psi, np.ones(N))
        n = np.minimum(e, 0.0)
        weights = 0.94 ** np.arange(min(75, T))
        weights = weights / weights.sum() if spec.start == "backcast" else np.full(T, 1.0 / T)
        early = [(x[: len(weights)].T * weights) @ x[: len(weights)] for x in (e, n)]
        if spec.targeting:
            S, falls = e.T @ e / T, n.T @ n / T
            parts = [np.diag(w) @ x @ np.diag(w) for w, x in ((c.a, S), (c.b, S), (c.g, falls))]
            np.testing.assert_allclose(c.C, S - sum(parts), atol=1e-14)
        H = covariances(e, c.C, c.a, c.b, c.g, *early)
        law = stats.multivariate_normal.logpdf
        if spec.dist == "t":
            value = [stats.multivariate_t.logpdf(x, shape=h * 5.0 / 7.0, df=7.0) for x, h in zip(e, H, strict=True)]
        else:
            value = [law(x, cov=h) for x, h in zip(e, H, strict=True)]
        np.testing.assert_allclose(one.value, value, rtol=1e-11, atol=1e-11)
        for k in range(len(psi)):
            step = np.eye(len(psi))[k] * 1e-6
            up, down = (problem.evaluate(psi + s, scores=False).value for s in (step, -step))
            np.testing.assert_allclose(one.scores[:, k], (up - down) / 2e-6, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("spec", [s for s in SPECS if s.start == "sample"])
def test_slopes_in_intercept_and_mean_equal_differences(spec):
    """The mean moves residuals, their products and, to first order, the mean of falls; not that of ee'."""
    e = standardised(200, 3, seed=5)
    problem = Problem(spec, e)
    psi = some_psi(problem)
    gradient, in_C, in_mean = totals(problem, psi)
    np.testing.assert_allclose(gradient, problem.evaluate(psi).scores.mean(axis=0), atol=1e-14)
    for k in range(3):
        step = 1e-5 * np.eye(3)[k]
        up, down = (Problem(spec, e - s).evaluate(psi, scores=False).value.mean() for s in (step, -step))
        assert in_mean[k] == pytest.approx((up - down) / 2e-5, abs=1e-8)
    if not spec.targeting:
        # The derivative in L follows from that in C: 2 (dC) L, off-diagonal entries of C counted twice.
        root, full = problem.pieces(psi).root, problem.square(in_C / problem.twice)
        start = problem.parts[2]
        np.testing.assert_allclose(gradient[start : start + 6], (2.0 * full @ root)[problem.lower], atol=1e-12)


@pytest.mark.parametrize("spec", [BEKK(mean="zero"), BEKK(kind="diagonal", asymmetric=True, mean="zero")])
def test_optimum_is_that_of_a_derivative_free_search(spec):
    y = simulate(300, 2, seed=3, a=0.2, b=0.93, g=0.3)
    fit = spec.fit(y)
    assert fit.converged
    S, n = y.T @ y / len(y), np.minimum(y, 0.0)
    falls = n.T @ n / len(y)

    width = 1 if spec.kind == "scalar" else 2

    def loss(x):
        a, b, *rest = (np.broadcast_to(w, 2) for w in x.reshape(-1, width))
        g = rest[0] if rest else np.zeros(2)
        C = S - np.outer(a, a) * S - np.outer(b, b) * S - np.outer(g, g) * falls
        if np.linalg.eigvalsh(C)[0] <= 0.0:
            return np.inf
        H = covariances(y, C, a, b, g, S, falls)
        return 0.5 * (np.linalg.slogdet(H)[1].sum() + np.einsum("ti,tij,tj", y, np.linalg.inv(H), y))

    x = fit.params.to_numpy()
    best = loss(x)
    assert fit.loglikelihood == pytest.approx(-best - len(y) * np.log(2.0 * np.pi), abs=1e-8)
    found = optimize.minimize(loss, 0.97 * x, method="Nelder-Mead", options={"maxfev": 60})
    assert found.fun >= best - 1e-9
    for k in range(len(x)):
        for step in (1e-3, -1e-3):
            assert loss(x + step * np.eye(len(x))[k]) > best


def test_contract(res, panel):
    assert list(res.params.index[:6]) == ["A.mu", "B.mu", "C.mu", "A.a", "B.a", "C.a"]
    assert res.converged
    assert res.found.gap < 1e-8
    assert (res.std_errors > 0).all()
    np.testing.assert_allclose(res.params[:3], panel.mean(), rtol=1e-12)
    assert "BEKK, diagonal, with targeting" in repr(res)
    assert "A.b" in str(res.summary())
    c, e = res.coefficients, panel.to_numpy() - panel.to_numpy().mean(axis=0)
    H = covariances(e, c.C, c.a, c.b, c.g, c.news, c.falls)
    np.testing.assert_allclose(res.covariance, H, rtol=1e-10)
    np.testing.assert_allclose(res.conditional_volatility**2, np.diagonal(H, axis1=1, axis2=2), rtol=1e-10)
    np.testing.assert_allclose(res.pair("A", "C"), res.correlation[:, 0, 2], atol=1e-13)
    np.testing.assert_array_equal(res.last, res.correlation[-1])
    white = res.whitened()
    np.testing.assert_allclose(white.to_numpy()[7], np.linalg.solve(_root(H[7]), e[7]), rtol=1e-9)
    lower = res.whitened(root="cholesky").to_numpy()
    np.testing.assert_allclose(lower[7], np.linalg.solve(np.linalg.cholesky(H[7]), e[7]), rtol=1e-9)
    np.testing.assert_allclose((lower**2).sum(axis=1), (white**2).sum(axis=1), rtol=1e-9)
    assert (res.covariance_of("two_step").to_numpy() != res.param_covariance.to_numpy()).any()
    assert (res.conf_int(errors="two_step", hac="auto")["upper"] > res.params).all()
    assert pickle.loads(pickle.dumps(res)).params.equals(res.params)
    assert hash(BEKK()) == hash(BEKK())
    pytest.importorskip("matplotlib").use("Agg")
    assert res.plot() is not None


def _root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values)) @ vectors.T


@pytest.mark.parametrize("spec", [BEKK(), BEKK(kind="diagonal", asymmetric=True), BEKK(targeting=False, dist="t")])
def test_unit_location_and_column_order_do_not_matter(panel, spec):
    plain = spec.fit(panel)
    size, order = np.array([0.01, 1.0, 30.0]), ["C", "A", "B"]
    other = spec.fit(panel * size + 1.0)
    free = [n for n in plain.params.index if not n.startswith("root") and not n.endswith("mu")]
    np.testing.assert_allclose(other.params[free], plain.params[free], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(other.std_errors[free], plain.std_errors[free], rtol=1e-5)
    np.testing.assert_allclose(other.covariance[-1], plain.covariance[-1] * np.outer(size, size), rtol=1e-7)
    assert other.loglikelihood == pytest.approx(plain.loglikelihood - len(panel) * np.log(size).sum(), abs=1e-6)
    np.testing.assert_allclose(spec.fit(panel / 100.0).params[free], plain.params[free], rtol=1e-8, atol=1e-8)
    turned = spec.fit(panel[order])
    np.testing.assert_allclose(turned.params[free], plain.params[free], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(turned.last.loc[panel.columns, panel.columns], plain.last, atol=1e-8)


def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel, res):
    again = res.filter(panel)
    np.testing.assert_allclose(again.covariance, res.covariance, rtol=1e-12)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    assert again.std_errors.equals(res.std_errors)
    assert "filtered" in repr(again)
    jolted = panel.copy()
    jolted.iloc[800:] *= 10.0
    np.testing.assert_array_equal(res.filter(jolted).covariance[:801], again.covariance[:801])
    np.testing.assert_array_equal(res.filter(panel.iloc[:801]).covariance, again.covariance[:801])
    ds.causal.assert_causal(lambda y: res.filter(y).pair("A", "B"), panel, cuts=4)


def test_forecast_goes_on_from_the_sample_to_the_target(panel, res, lopsided):
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    np.testing.assert_allclose(res.forecast(1).covariance[0], res.filter(longer).covariance[-1], rtol=1e-10)
    e = panel.to_numpy() - panel.to_numpy().mean(axis=0)
    far = res.forecast(3000)
    np.testing.assert_allclose(far.covariance[-1], e.T @ e / len(e), rtol=1e-6)
    assert far.variance.index[0] == 1
    # With asymmetry variances follow h + (a^2 + b^2 + g^2 / 2) exactly.
    p, path = lopsided.params, lopsided.forecast(3).variance["A"].to_numpy()
    weight = p["a"] ** 2 + p["b"] ** 2 + 0.5 * p["g"] ** 2
    assert path[2] == pytest.approx(lopsided.intercept.loc["A", "A"] + weight * path[1], rel=1e-10)


def test_moments_of_falls_are_those_of_simulated_pairs():
    H = np.array([[2.0, -0.7], [-0.7, 0.5]])
    for nu in (5.0, np.inf):
        rng = np.random.default_rng(0)
        e = rng.standard_normal((400000, 2)) @ np.linalg.cholesky(H).T
        if np.isfinite(nu):
            e *= np.sqrt((nu - 2.0) / rng.chisquare(nu, (len(e), 1)))
        n = np.minimum(e, 0.0)
        # Products have spreads of up to 2.5 and heavy tails under t: four standard errors are 0.02.
        np.testing.assert_allclose(n.T @ n / len(e), expected_falls(H), atol=0.03)


def test_impulse_response_is_the_difference_of_two_futures(panel, res, lopsided):
    shock = np.array([-1.0, 0.5, 2.0])
    out = res.virf(shock, horizon=4, at=panel.index[500])
    c, H = res.coefficients, res.covariance[500]
    news, keep = np.outer(c.a, c.a), np.outer(c.a, c.a) + np.outer(c.b, c.b)
    for h in range(4):
        expected = keep**h * (news * (np.outer(shock, shock) - H))
        assert out.loc[h + 1, ("A", "C")] == pytest.approx(expected[0, 2], rel=1e-9)
        assert out.loc[h + 1, ("B", "B")] == pytest.approx(expected[1, 1], rel=1e-9)
    whole = res.virf([1.0, 0.0, 0.0], horizon=1, standardised=True)
    e = _root(res.covariance[-1])[:, 0]
    assert whole.loc[1, ("A", "B")] == pytest.approx(news[0, 1] * (e[0] * e[1] - res.covariance[-1][0, 1]), rel=1e-9)
    down, up = (lopsided.virf(s * np.ones(3), horizon=2).loc[1, ("A", "B")] for s in (-1.0, 1.0))
    assert down > up


def test_news_impact_is_one_step_of_the_recursion(res, lopsided):
    surface = res.news_impact("A", "B", grid=[-2.0, 0.0, 1.0], of="covariance")
    c = res.coefficients
    size = np.sqrt(np.diag(c.before))
    expected = c.C[0, 1] + c.a[0] * c.a[1] * size[0] * size[1] * -2.0 + c.b[0] * c.b[1] * c.before[0, 1]
    assert surface.loc[-2.0, 1.0] == pytest.approx(expected, rel=1e-12)
    tilted = lopsided.news_impact("A", "B")
    assert tilted.shape == (25, 25)
    assert tilted.loc[-3.0, -3.0] > tilted.loc[3.0, 3.0]
    assert (tilted.abs() < 1.0).all().all()


def test_simulation_is_seeded_and_comes_back_to_the_model(lopsided):
    y = lopsided.simulate(3000, seed=2)
    pd.testing.assert_frame_equal(y, lopsided.simulate(3000, seed=2))
    np.testing.assert_allclose(y.cov(), np.cov((lopsided.mean + lopsided.margins.residuals).T), rtol=0.35)
    again = lopsided.spec.fit(y)
    names = ["a", "b", "nu"]
    assert ((again.params - lopsided.params)[names].abs() < 4.0 * again.std_errors[names]).all()


def test_bounds_are_said():
    z = np.random.default_rng(0).standard_normal((2000, 3))
    flat = BEKK(asymmetric=True).fit(z)
    assert flat.params["a"] == 0.0
    assert flat.std_errors[["a", "b", "g"]].isna().all()
    assert any("not identified" in note for note in flat.notes)
    # Nearly the same shocks but unequal reactions: the targeted intercept cannot follow and stops on its bound.
    z = z[:1000]
    common = z @ np.linalg.cholesky(np.full((3, 3), 0.97) + 0.03 * np.eye(3)).T
    lively, h = np.empty_like(common), np.ones(3)
    alpha, beta = np.array([0.3, 0.05, 0.15]), np.array([0.5, 0.94, 0.3])
    for t in range(len(z)):
        lively[t] = np.sqrt(h) * common[t]
        h = 1.0 - alpha - beta + alpha * lively[t] ** 2 + beta * h
    bound = BEKK(kind="diagonal").fit(lively)
    assert any("positive definiteness" in note for note in bound.notes)
    assert np.linalg.eigvalsh(bound.intercept)[0] > 0.0
    free = BEKK(kind="diagonal", targeting=False).fit(lively)
    assert free.loglikelihood > bound.loglikelihood
    # A random walk in log variance pushes persistence to one and no further.
    walk = np.exp(np.cumsum(0.05 * np.random.default_rng(1).standard_normal(1000)))[:, None] * z
    near = BEKK().fit(walk)
    assert near.converged
    assert (near.persistence < 1.0).all()


def test_an_outlier_neither_stops_the_fit_nor_hides():
    y = simulate(800, 3, seed=1)
    y[400, 1] = 50.0 * y[:, 1].std()
    for spec in (BEKK(), BEKK(kind="diagonal"), BEKK(dist="t")):
        fit = spec.fit(y)
        assert fit.converged
        assert np.isfinite(fit.covariance).all()
    assert fit.params["nu"] < 30.0


def test_bad_input_is_a_sentence(panel, res):
    hole = panel.copy()
    hole.iloc[5, 1] = np.nan
    for bad, words in (
        (hole, "missing values"),
        (panel.assign(D=1.0), "does not vary"),
        (panel.assign(D=2.0 * panel["A"] + 1.0), "same series"),
        (panel.assign(D=panel["A"] + panel["B"]), "combination"),
        (panel[["A"]], "one asset"),
        (panel.iloc[:10], "at least"),
        (np.random.default_rng(0).standard_normal((30, 40)), "rows for"),
    ):
        with pytest.raises(DataError, match=words):
            BEKK().fit(bad)
    with pytest.raises(DataError, match="set targeting=True"):
        BEKK(targeting=False).fit(np.random.default_rng(0).standard_normal((100, 10)))
    with pytest.raises(SizeError, match="CCC or DCC"):
        BEKK().fit(np.random.default_rng(0).standard_normal((3000, 200)))
    with pytest.raises(DataError, match="pass the same"):
        res.filter(panel[["A", "B"]])
    for call in (
        lambda: BEKK(kind="full"),
        lambda: BEKK(dist="skewt"),
        lambda: res.virf([1.0, 2.0]),
        lambda: res.virf([1.0, 2.0, 3.0], at="never"),
        lambda: res.news_impact("A", "Z"),
        lambda: res.whitened(root="lu"),
        lambda: res.forecast(0),
    ):
        with pytest.raises(OptionError):
            call()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "a", "b", "g"),
    [
        (BEKK(), 0.25, 0.94, 0.0),
        (BEKK(kind="diagonal"), [0.2, 0.25, 0.3], [0.96, 0.94, 0.92], 0.0),
        (BEKK(asymmetric=True), 0.2, 0.94, 0.25),
    ],
)
def test_estimates_are_nearly_unbiased_and_intervals_cover(spec, a, b, g):
    """Fifty samples; the standard error of a coverage of 0.95 is 0.031."""
    k = 1 if spec.kind == "scalar" else 3
    truth = np.concatenate([np.broadcast_to(w, k) for w in (a, b, g)[: 3 if spec.asymmetric else 2]])
    z = []
    for seed in range(50):
        fit = spec.fit(simulate(1500, 3, seed, a, b, g))
        z.append((fit.params.to_numpy()[3:] - truth) / fit.std_errors.to_numpy()[3:])
    assert (np.mean(np.abs(z) < 1.96, axis=0) >= 0.86).all()
    assert (np.abs(np.mean(z, axis=0)) < 0.45).all()
