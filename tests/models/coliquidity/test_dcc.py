"""DCC: kernel against its twin, exact derivatives, recovery, invariance, accessors, bad input."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError, SizeError
from drainstats.models.coliquidity import correlation
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.search import correlation_moments, likelihood
from tests.models.coliquidity import twins

ORDERS = [
    ((0.04,), (0.9,)),
    ((0.03, 0.05), (0.8,)),
    ((0.05,), (0.5, 0.3)),
    ((0.2,), ()),
    ((0.02, 0.0, 0.03), (0.4, 0.4)),
]


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(1203, 4, seed=11)
    return pd.DataFrame(y, columns=list("ABCD"), index=pd.date_range("2015-01-01", periods=len(y)))


@pytest.fixture(scope="module")
def res(panel):
    return ds.DCC().fit(panel)


@pytest.mark.parametrize("convention", ["engle", "rmgarch"])
@pytest.mark.parametrize(("a", "b"), ORDERS)
def test_kernel_equals_its_twin(a, b, convention):
    spec = ds.DCC(order=(len(a), len(b)), convention=convention)
    for T, N in ((41, 2), (42, 3), (44, 7), (130, 33)):
        z = np.random.default_rng(T).standard_normal((T, N))
        psi = np.array([*a, *b])
        target = spec.target_at(z, psi)
        before = spec.before(z, target, True)
        value, scores, in_q, in_z = likelihood(spec, z, target, before, psi, slopes=True)
        expected = twins.dcc_paths(z, target, before, a, b)[2]
        # The same sums in another order.
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-11)
        for k in range(len(psi)):
            step = np.eye(len(psi))[k] * 1e-6
            up, down = (likelihood(spec, z, target, before, psi + s)[0] for s in (step, -step))
            np.testing.assert_allclose(scores[:, k], (up - down) / 2e-6, rtol=1e-6, atol=1e-6)
        assert in_q.shape == (T, N, N)
        np.testing.assert_array_equal(in_q, in_q.transpose(0, 2, 1))
        assert in_z.shape == (T, N)


@pytest.mark.parametrize("convention", ["engle", "rmgarch"])
@pytest.mark.parametrize("order", [(1, 1), (2, 1), (1, 2)])
def test_cross_derivatives_equal_differences_of_the_whole_pipeline(panel, convention, order):
    """Perturb a margin parameter, remake residuals and target, difference the exact scores."""
    spec = ds.DCC(order=order, convention=convention)
    short = panel.iloc[:400, :3]
    margins = spec.margins.fit(short)
    psi = np.array([0.05, *[0.02] * (order[0] - 1), *[0.9 / order[1]] * order[1]])
    _, cross, inner, _ = correlation_moments(spec, margins, spec.target_at(margins.std_resid_values, psi), psi)

    def mean_score(moved, at):
        z = moved.std_resid_values
        target = spec.target_at(z, at)
        return likelihood(spec, z, target, spec.before(z, target, True), at)[1].mean(axis=0)

    for series in range(3):
        for k in range(4):
            ends = []
            for sign in (1.0, -1.0):
                fit = margins.fits[series]
                theta = fit.theta + sign * 1e-5 * np.eye(4)[k]
                params = margins.params.copy()
                params.iloc[series * 4 : series * 4 + 4] = theta * fit.units + fit.offset
                fits = tuple(
                    dataclasses.replace(f, theta=theta) if i == series else f for i, f in enumerate(margins.fits)
                )
                ends.append(mean_score(dataclasses.replace(margins, fits=fits, params=params), psi))
            # Differences of exact scores over 2e-5 carry an error of about 1e-6 of their size.
            np.testing.assert_allclose(cross[:, series * 4 + k], (ends[0] - ends[1]) / 2e-5, rtol=2e-4, atol=2e-5)
    for k in range(len(psi)):
        step = np.eye(len(psi))[k] * 1e-5
        slope = (mean_score(margins, psi + step) - mean_score(margins, psi - step)) / 2e-5
        np.testing.assert_allclose(inner[k], slope, rtol=1e-3, atol=1e-3 * np.abs(inner).max())


def _score(function, point, step):
    """Rows of d function / d point by central differences; ``function`` gives one number a time step."""
    moves = [np.eye(len(point))[k] * step * max(abs(point[k]), 0.01) for k in range(len(point))]
    return np.column_stack([(function(point + m) - function(point - m)) / (2.0 * m.sum()) for m in moves])


def _stacked_errors(y, res, stack_target):
    """Newey and McFadden (1994, section 6): the sandwich of all moments at once, every derivative by differences.

    Moments: scores of each margin, the second moments of z when ``stack_target``, scores of (a, b). Without it the
    target is a function of the margins, as in Engle and Sheppard (2001). The noise of the second moments is what the
    recursion did not foresee, times their long-run response to it. Plain NumPy, nothing of the package.
    """
    T, N = y.shape
    K, lower = 4 * N, np.tril_indices(N)
    params = res.params.to_numpy()

    def residual(i, theta):
        e = y[:, i] - theta[0]
        h = twins.garch_variance(e, theta[1], theta[2:3], [], theta[3:4], np.mean(e**2), True)
        return e / np.sqrt(h), -0.5 * (np.log(2.0 * np.pi * h) + e**2 / h)

    def residuals(theta):
        return np.column_stack([residual(i, theta[4 * i : 4 * i + 4])[0] for i in range(N)])

    def target(second):
        full = np.zeros((N, N))
        full[lower] = full.T[lower] = second
        return full / np.sqrt(np.outer(np.diag(full), np.diag(full)))

    def second_moments(z):
        return (z[:, lower[0]] * z[:, lower[1]]).mean(axis=0)

    def moments(point):
        theta, psi = point[:K], point[-2:]
        parts = [_score(lambda p, i=i: residual(i, p)[1], theta[4 * i : 4 * i + 4], 1e-4) for i in range(N)]
        z = residuals(theta)
        second = point[K:-2] if stack_target else second_moments(z)
        if stack_target:
            parts.append(z[:, lower[0]] * z[:, lower[1]] - second)
        S = target(second)
        parts.append(_score(lambda p: twins.dcc_paths(z, S, S, p[:1], p[1:])[2], psi, 1e-4))
        return np.hstack(parts)

    point = params
    if stack_target:
        point = np.concatenate([params[:K], second_moments(residuals(params[:K])), params[K:]])
    slopes = _score(lambda p: moments(p).mean(axis=0), point, 1e-4)
    scores = moments(point)
    if stack_target:
        z, (a, b) = residuals(point[:K]), point[-2:]
        second = z.T @ z / T
        news = np.einsum("ti,tj->tij", z, z) - twins.dcc_paths(z, second, second, [a], [b])[0]
        scores[:, K:-2] = news[:, *lower] * (1.0 - b) / (1.0 - a - b)
    half = np.linalg.solve(slopes, (scores - scores.mean(axis=0)).T)
    errors = np.sqrt(np.diag(half @ half.T)) / T
    return np.concatenate([errors[:K], errors[-2:]])


@pytest.mark.parametrize(("N", "seed"), [(2, 4), pytest.param(3, 6, marks=pytest.mark.slow)])
def test_standard_errors_equal_the_stacked_moments_by_brute_force(N, seed):
    y = twins.simulate_dcc(300, N, seed=seed)
    res = ds.DCC().fit(y)
    assert not res.notes
    # Differences of differences, in steps of 1e-4.
    np.testing.assert_allclose(res.std_errors, _stacked_errors(y, res, stack_target=True), rtol=2e-3)
    two_step = np.sqrt(np.diag(res.covariance_of("two_step")))
    np.testing.assert_allclose(two_step, _stacked_errors(y, res, stack_target=False), rtol=2e-3)


def test_contract(res, panel):
    assert list(res.params.index[:4]) == ["A.mu", "A.omega", "A.alpha1", "A.beta1"]
    assert list(res.params.index[-2:]) == ["a1", "b1"]
    assert res.converged
    assert res.params["a1"] > 0.0
    assert (res.std_errors > 0).all()
    assert np.linalg.eigvalsh(res.param_covariance)[0] > -1e-12
    assert res.conditional_volatility.shape == res.std_resid.shape == panel.shape
    assert res.correlation.shape == res.covariance.shape == (len(panel), 4, 4)
    vol = res.conditional_volatility.to_numpy()
    np.testing.assert_allclose(res.covariance[:, 1, 3], res.correlation[:, 1, 3] * vol[:, 1] * vol[:, 3])
    assert "a1" in str(res.summary())
    assert "converged" in repr(res)
    assert (res.conf_int().loc["a1", "lower"] < res.params["a1"] < res.conf_int().loc["a1", "upper"]).all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        res.nobs = 3
    assert pickle.loads(pickle.dumps(res)).params.equals(res.params)
    assert hash(ds.DCC()) == hash(ds.DCC())


def test_accessors_agree_with_the_path_and_the_twin(res, panel, monkeypatch):
    path = res.correlation
    psi = res.params.to_numpy()[-2:]
    twin = twins.dcc_paths(res.std_resid.to_numpy(), res.target, res.target, psi[:1], psi[1:])[1]
    np.testing.assert_allclose(path, twin, atol=1e-11)
    monkeypatch.setattr(correlation, "CHUNK_BYTES", 8 * 16 * 100)  # several blocks, the last one short
    np.testing.assert_array_equal(res.correlation, path)
    np.testing.assert_allclose(res.pair("A", "C"), path[:, 0, 2], atol=1e-14)
    np.testing.assert_array_equal(res.last, path[-1])
    np.testing.assert_allclose(res.average_correlation, (path.sum((1, 2)) - 4) / 12, atol=1e-14)
    walked = list(res.iter())
    assert walked[5][0] == panel.index[5]
    np.testing.assert_array_equal(np.array([m for _, m in walked]), path)


def test_paths_above_the_limit_name_the_accessors(res, monkeypatch):
    monkeypatch.setattr(correlation, "PATH_BYTES", 1000)
    with pytest.raises(SizeError, match=r"pair.*last.*iter"):
        _ = res.correlation
    with pytest.raises(SizeError):
        _ = res.covariance
    assert res.last.shape == (4, 4)


@pytest.mark.parametrize("convention", ["engle", "rmgarch"])
def test_unit_location_and_column_order_do_not_matter(panel, convention):
    spec = ds.DCC(convention=convention)
    base = spec.fit(panel)
    fraction = spec.fit(panel / 100.0 + 1.0)
    order = ["C", "A", "D", "B"]
    permuted = spec.fit(panel[order])
    for other in (fraction, permuted):
        # Rounding of the shifted data, about 1e-14 relative, and of sums in another order, through two searches.
        np.testing.assert_allclose(other.params[["a1", "b1"]], base.params[["a1", "b1"]], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(other.std_errors[["a1", "b1"]], base.std_errors[["a1", "b1"]], rtol=1e-5)
        np.testing.assert_allclose(other.last.loc[order, order], base.last.loc[order, order], atol=1e-8)
    assert permuted.loglikelihood == pytest.approx(base.loglikelihood, abs=1e-7)
    shift = panel.size * np.log(100.0)
    assert fraction.loglikelihood == pytest.approx(base.loglikelihood + shift, abs=1e-6)


@pytest.mark.parametrize("spec", [ds.DCC(), ds.DCC(order=(2, 2), convention="rmgarch"), ds.CCC()], ids=str)
def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel, spec):
    fit = spec.fit(panel)
    again = fit.filter(panel)
    np.testing.assert_allclose(again.correlation, fit.correlation, atol=1e-13)
    assert again.loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-8)
    pd.testing.assert_series_equal(again.std_errors, fit.std_errors)
    disturbed = panel.copy()
    disturbed.iloc[801:] = disturbed.iloc[801:].sample(frac=1.0, random_state=0).to_numpy() * 5.0
    for new in (panel.iloc[:801], disturbed):
        np.testing.assert_array_equal(fit.filter(new).covariance[:801], again.covariance[:801])
    # The matrix of a row is known before the row itself.
    jolted = panel.copy()
    jolted.iloc[800] *= 10.0
    np.testing.assert_array_equal(fit.filter(jolted).covariance[:801], again.covariance[:801])


def test_a_short_or_flat_stretch_can_be_filtered(res, panel):
    one = res.filter(panel.iloc[:1])
    np.testing.assert_array_equal(one.correlation[0], res.correlation[0])
    assert one.forecast(2).correlation.shape == (2, 4, 4)
    assert np.isfinite(res.filter(panel.iloc[:30] * 0.0).covariance).all()
    two = ds.DCC(order=(2, 1)).fit(panel)
    with pytest.raises(DataError, match="last 2 rows"):
        two.filter(panel.iloc[:1]).forecast(1)


@pytest.mark.parametrize("order", [(1, 1), (2, 1), (1, 3)])
def test_forecast_starts_with_the_next_filtered_matrix(panel, order):
    fit = ds.DCC(order=order).fit(panel)
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    ahead = fit.forecast(500)
    np.testing.assert_allclose(ahead.covariance[0], fit.filter(longer).covariance[-1], rtol=1e-10)
    assert ahead.variance.shape == (500, 4)
    # Both approximations end at the target.
    for method in ("q", "r"):
        end = fit.forecast(5000, method=method).correlation[-1]
        np.testing.assert_allclose(end, to_correlation(fit.target), atol=1e-6)
    np.testing.assert_array_equal(fit.forecast(1, method="r").correlation, fit.forecast(1).correlation)
    np.testing.assert_array_equal(ahead.pair("A", "B"), ahead.correlation[:, 0, 1])


def test_likelihood_beats_every_start_and_neighbour(res):
    z, target, psi = res.std_resid.to_numpy(), res.target, res.params.to_numpy()[-2:]
    best = likelihood(res.spec, z, target, target, psi)[0].sum()
    for a, b in ((0.02, 0.95), (0.06, 0.88), (0.01, 0.985), (psi[0] * 1.02, psi[1]), (psi[0], psi[1] * 0.995)):
        assert likelihood(res.spec, z, target, target, np.array([a, b]))[0].sum() < best


def test_constant_correlation_is_said_not_to_identify_b():
    """Residuals whose products alternate around their mean give a a negative score everywhere."""
    y = np.random.default_rng(1).standard_normal((600, 2))
    second = np.where(np.arange(600) % 2 == 0, y[:, 0], -y[:, 0]) + 0.3 * y[:, 1]
    res = ds.DCC(order=(1, 0), margins=ds.GARCH(mean="zero")).fit(np.column_stack([y[:, 0], second]))
    assert res.params["a1"] == 0.0
    assert np.isnan(res.std_errors["a1"])
    assert any("a = 0" in note for note in res.notes)
    assert res.converged


def test_simulation_is_seeded_and_has_the_estimated_moments(res):
    y = res.simulate(1000, seed=0)
    pd.testing.assert_frame_equal(y, res.simulate(1000, seed=0))
    assert not y.equals(res.simulate(1000, seed=1))
    assert list(y.columns) == list(res.columns)
    long = res.filter(res.simulate(8000, seed=2)).std_resid
    # Sampling error of 8000 rows: 1 / sqrt(8000) = 0.011; four of them.
    np.testing.assert_allclose(long.corr(), to_correlation(res.target), atol=0.05)
    np.testing.assert_allclose(long.std(), 1.0, atol=0.05)


def test_plot_returns_axes(res):
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    ax = res.plot()
    assert ax.get_ylabel() == "conditional correlation"
    assert len(ax.lines) == 7
    plt.close("all")


def test_bad_input_is_a_sentence(panel, res):
    with pytest.raises(DataError, match="one asset"):
        ds.DCC().fit(panel[["A"]])
    with pytest.raises(DataError, match=r"missing.*dropna"):
        ds.DCC(convention="rmgarch").fit(panel.mask(np.arange(len(panel))[:, None] * np.ones(4) == 7))
    with pytest.raises(DataError, match="'A' and 'E' carry the same series"):
        ds.DCC().fit(panel.assign(E=2.0 * panel["A"] + 1.0))
    with pytest.raises(DataError, match="singular"):
        ds.DCC(target="sample").fit(np.random.default_rng(0).standard_normal((30, 40)))
    with pytest.raises(DataError, match="rows"):
        ds.DCC().fit(panel.iloc[:5])
    with pytest.raises(DataError, match="columns"):
        res.filter(panel[["A", "B", "C"]])
    with pytest.raises(DataError, match="twice"):
        ds.DCC().fit(pd.concat([panel[["A"]], panel[["A"]]], axis=1))
    with pytest.raises(OptionError, match="not an asset"):
        res.pair("A", "Z")
    for bad in ({"order": (0, 1)}, {"order": 1}, {"dist": "cauchy"}, {"convention": "matlab"}):
        with pytest.raises(OptionError):
            ds.DCC(**bad)
    with pytest.raises(OptionError):
        res.forecast(0)
    with pytest.raises(OptionError, match="'q', 'r'"):
        res.forecast(2, method="mean")


def _hostile(kind, rng, T):
    z = rng.standard_normal((T, 2))
    if kind == "fat":
        z = rng.standard_t(3, (T, 2))
    elif kind == "outlier":
        z[T // 2] = 50.0
    elif kind == "zeros":
        z = np.where(rng.random((T, 2)) < 0.6, 0.0, z)
    elif kind == "unit root":
        z = np.cumsum(z, axis=0)
    elif kind == "drifting scale":
        z *= np.exp(np.cumsum(0.1 * rng.standard_normal((T, 1)), axis=0))
    return z @ np.array([[1.0, 0.3], [0.0, 1.0]])


@pytest.mark.parametrize("kind", ["calm", "fat", "outlier", "zeros", "unit root", "drifting scale"])
def test_hostile_data_converge_or_say_what_is_on_a_bound(kind):
    """No failure, no warning, no start value returned: optima on edges are reached and named."""
    rng = np.random.default_rng(7)
    for T in (60, 250, 1000):
        for margins in (ds.GARCH(), ds.GARCH(o=1, start="arch")):
            fit = ds.DCC(margins=margins).fit(_hostile(kind, rng, T))
            assert fit.converged, fit.notes
            assert np.isfinite(fit.last.to_numpy()).all()
            if fit.std_errors.isna().any():
                assert fit.notes


@pytest.mark.slow
@pytest.mark.parametrize(("N", "T", "low"), [(3, 1000, 0.89), (3, 2500, 0.90)])
def test_estimates_are_nearly_unbiased_and_intervals_cover(N, T, low):
    """Two hundred samples: the standard error of a coverage of 0.95 is 0.015."""
    truth = pd.Series({"a1": 0.05, "b1": 0.90, "0.alpha1": 0.08})
    hits, estimates = [], []
    for seed in range(200):
        fit = ds.DCC(margins=ds.GARCH(mean="zero")).fit(twins.simulate_dcc(T, N, seed=1000 + seed))
        bounds = fit.conf_int().loc[truth.index]
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params[truth.index])
    coverage, bias = pd.DataFrame(hits).mean(), pd.DataFrame(estimates).mean() - truth
    assert (coverage >= low).all(), coverage.to_dict()
    assert (coverage <= 0.99).all(), coverage.to_dict()
    assert abs(bias["a1"]) < 0.004
    assert -0.03 < bias["b1"] < 0.005


@pytest.mark.parametrize(
    "spec", [ds.DCC(), ds.CDCC(), ds.ADCC(dist="t"), ds.CompositeDCC()], ids=lambda s: type(s).__name__
)
def test_a_start_saves_evaluations_and_changes_nothing(panel, spec):
    cold, near = spec.fit(panel.iloc[30:]), spec.fit(panel.iloc[:-30])
    warm = spec.fit(panel.iloc[30:], start=near.params)
    # Both searches end within 1e-7 of log-likelihood of the optimum.
    np.testing.assert_allclose(warm.params, cold.params, atol=1e-6)
    assert warm.loglikelihood == pytest.approx(cold.loglikelihood, abs=1e-6)
    lost = spec.fit(panel.iloc[30:], start=near.params * np.nan)
    np.testing.assert_array_equal(lost.params, cold.params)
    holes = panel.copy()
    holes.iloc[5:40, 1] = np.nan
    if type(spec) is ds.DCC:
        np.testing.assert_allclose(spec.fit(holes, start=near.params).params, spec.fit(holes).params, atol=1e-6)
