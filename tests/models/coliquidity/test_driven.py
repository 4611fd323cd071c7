"""DCC with drivers: twin, exact derivatives, nesting, what is known when, invariance, recovery, size, bad input."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.loadings.driven_search import Driven, driven_moments
from drainstats.models.coliquidity.loadings.hadamard_passes import walk
from tests.models.coliquidity import twins


def paths(z, S, x, a, b, delta, eta):
    """(S[t], Q, log-likelihood by step), the docstring's formulas one row at a time."""
    T, N = z.shape
    k = 1.0 / (np.ones(N) @ np.linalg.inv(S) @ np.ones(N))
    targets, Q, value = np.empty((T, N, N)), np.empty((T, N, N)), np.empty(T)
    for t in range(T):
        share = 1.0 / (1.0 + np.exp(-eta - delta @ x[t]))
        targets[t] = 1.0 - (1.0 - share) / (1.0 - k) * (1.0 - S)
        news = np.outer(z[t - 1], z[t - 1]) if t else targets[0]
        Q[t] = (1.0 - a - b) * targets[t] + a * news + b * (Q[t - 1] if t else targets[0])
        R = to_correlation(Q[t])
        value[t] = -0.5 * (np.linalg.slogdet(R)[1] + z[t] @ np.linalg.solve(R, z[t]) - z[t] @ z[t])
    return targets, Q, value


def stress(T, seed):
    """A slow autoregression."""
    rng = np.random.default_rng(seed)
    x = np.zeros(T)
    for t in range(1, T):
        x[t] = 0.95 * x[t - 1] + rng.standard_normal()
    return 5.0 + 2.0 * x


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(1203, 4, seed=11)
    return pd.DataFrame(y, columns=list("ABCD"), index=pd.date_range("2015-01-01", periods=len(y)))


@pytest.fixture(scope="module")
def x(panel):
    return pd.Series(stress(len(panel), 1), index=panel.index, name="funding")


SPEC = ds.DrivenDCC(breaks=("2016-06-01",))


@pytest.fixture(scope="module")
def res(panel, x):
    return SPEC.fit(panel, x=x)


def test_likelihood_and_derivatives_equal_their_twin():
    rng = np.random.default_rng(0)
    for T, N, J in ((41, 2, 1), (530, 4, 2)):
        z = rng.standard_normal((T, N)) @ np.linalg.cholesky(0.5 * np.eye(N) + 0.5).T
        S, x = to_correlation(z.T @ z / T), rng.standard_normal((T, J))
        psi = np.array([0.04, 0.9, *np.linspace(-0.4, 0.7, J)])
        problem = Driven(z, S, x)
        value, scores = problem.evaluate(psi)
        targets, _, expected = paths(z, S, x, *psi[:2], psi[2:], problem.level(psi[2:]))
        # The same sums in another order.
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(problem.targets(psi[2:], x), targets, atol=1e-13)
        # eta makes the mean of the moving target the target of DCC.
        np.testing.assert_allclose(targets.mean(axis=0), S, atol=1e-13)
        total, in_z, in_target = problem.gradient(psi)
        np.testing.assert_allclose(total, scores.sum(axis=0), rtol=1e-10)
        for k in range(2 + J):
            step = np.eye(2 + J)[k] * 1e-6
            up, down = problem.value(psi + step), problem.value(psi - step)
            np.testing.assert_allclose(scores[:, k], (up - down) / 2e-6, rtol=1e-6, atol=1e-6)
        for t, i in ((3, 0), (20, 1), (T - 1, 1)):
            step = np.zeros((T, N))
            step[t, i] = 1e-6
            up, down = (Driven(z + s, S, x).value(psi).sum() for s in (step, -step))
            assert in_z[t, i] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-5)
        step = np.zeros((N, N))
        step[0, 1] = step[1, 0] = 1e-6
        up, down = (Driven(z, S + s, x).value(psi).sum() for s in (step, -step))
        assert 2.0 * in_target[0, 1] == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_cross_derivatives_equal_differences_of_the_whole_pipeline(panel, x):
    """Perturb a margin parameter, remake residuals, target and its share, difference the exact scores."""
    margins = ds.GARCH().fit(panel.iloc[:400, :3])
    drivers = np.column_stack([x.iloc[:400] - 5.0, np.arange(400) > 250])
    psi = np.array([0.05, 0.9, 0.1, -0.3])

    def mean_score(moved, at):
        z = moved.std_resid_values
        return Driven(z, to_correlation(z.T @ z / len(z)), drivers).evaluate(at)[1].mean(axis=0)

    _, cross, inner, in_moment = driven_moments(margins.std_resid_values, drivers, margins.pull_back, psi)
    for k in range(4):
        ends = []
        for sign in (1.0, -1.0):
            fit = margins.fits[1]
            theta = fit.theta + sign * 1e-5 * np.eye(4)[k]
            params = margins.params.copy()
            params.iloc[4:8] = theta * fit.units + fit.offset
            fits = (margins.fits[0], dataclasses.replace(fit, theta=theta), margins.fits[2])
            ends.append(mean_score(dataclasses.replace(margins, fits=fits, params=params), psi))
        # Differences of exact scores over 2e-5 carry an error of about 1e-6 of their size.
        np.testing.assert_allclose(cross[:, 4 + k], (ends[0] - ends[1]) / 2e-5, rtol=2e-4, atol=2e-5)
    for k in range(4):
        step = np.eye(4)[k] * 1e-5
        slope = (mean_score(margins, psi + step) - mean_score(margins, psi - step)) / 2e-5
        np.testing.assert_allclose(inner[k], slope, rtol=1e-3, atol=1e-3 * np.abs(inner).max())
    z = margins.std_resid_values
    for t in (7, 350):
        ends = []
        for sign in (1.0, -1.0):
            weights = 1.0 + sign * 1e-3 * np.eye(400)[t]
            target = to_correlation((weights[:, None] * z).T @ z)
            ends.append(Driven(z, target, drivers).evaluate(psi)[1].mean(axis=0))
        added = np.einsum("i,kij,j->k", z[t], in_moment, z[t])
        np.testing.assert_allclose(added, (ends[0] - ends[1]) / 2e-3 * 400, rtol=1e-3, atol=1e-4)


def test_without_effect_it_is_dcc(panel, x, res):
    dcc = ds.DCC().fit(panel)
    assert res.null_loglikelihood == pytest.approx(dcc.loglikelihood, abs=1e-8)
    assert res.loglikelihood >= dcc.loglikelihood
    problem = Driven(dcc.std_resid.to_numpy(), dcc.target, res.drivers.scaled)
    psi = np.array([*dcc.params.iloc[-2:], 0.0, 0.0])
    assert dcc.margins.loglikelihood + problem.value(psi).sum() == pytest.approx(dcc.loglikelihood, abs=1e-8)
    path = np.concatenate(list(walk(problem.recipe(psi), 100)))
    np.testing.assert_allclose(to_correlation(path), dcc.correlation, atol=1e-12)


def test_two_assets_move_in_fishers_z():
    z = np.random.default_rng(1).standard_normal((50, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    S, x = to_correlation(z.T @ z / 50), np.arange(50.0)[:, None] / 10.0 - 2.0
    problem = Driven(z, S, x)
    r = problem.targets(np.array([0.7]), x)[:, 0, 1]
    np.testing.assert_allclose(np.diff(np.arctanh(r)), 0.7 / 2.0 * 0.1, rtol=1e-10)


@pytest.mark.parametrize("delta", [-1e3, -20.0, 0.0, 20.0, 1e3])
def test_every_driver_leaves_a_correlation_matrix(delta):
    z = np.random.default_rng(1).standard_normal((60, 4)) @ np.linalg.cholesky(0.7 * np.eye(4) + 0.3).T
    problem = Driven(z, to_correlation(z.T @ z / 60), np.random.default_rng(2).standard_normal((60, 1)))
    targets = problem.targets(np.array([delta]), problem.x)
    np.testing.assert_allclose(np.diagonal(targets, axis1=1, axis2=2), 1.0)
    assert np.linalg.eigvalsh(targets).min() > -1e-12
    np.testing.assert_allclose(targets.mean(axis=0), problem.target, atol=1e-9)


def test_contract(res, panel, x):
    assert list(res.params.index[-4:]) == ["a1", "b1", "delta.funding", "delta.break 2016-06-01"]
    assert res.converged
    assert (res.std_errors > 0).all()
    assert np.linalg.eigvalsh(res.param_covariance)[0] > -1e-10
    psi = res.params.to_numpy()[16:]
    used = np.column_stack([np.concatenate([[x.mean()], x[:-1]]), panel.index >= "2016-06-01"])
    centred = used - res.drivers.mean
    targets, Q, value = paths(res.std_resid.to_numpy(), res.target, centred, *psi[:2], psi[2:], res.level)
    np.testing.assert_allclose(res.correlation, to_correlation(Q), atol=1e-11)
    assert res.loglikelihood == pytest.approx(res.margins.loglikelihood + value.sum(), abs=1e-7)
    shares = 1.0 / np.linalg.inv(targets).sum(axis=(1, 2))
    np.testing.assert_allclose(res.undiversifiable, shares, rtol=1e-9)
    np.testing.assert_allclose(res.pair("A", "C"), res.correlation[:, 0, 2], atol=1e-14)
    np.testing.assert_array_equal(res.last, res.correlation[-1])
    test = res.driver_test()
    assert test.loc["lr", "statistic"] == pytest.approx(2.0 * (res.loglikelihood - res.null_loglikelihood))
    assert ((test["p_value"] >= 0.0) & (test["p_value"] <= 1.0)).all()
    assert "delta.funding" in str(res.summary())
    assert pickle.loads(pickle.dumps(res)).params.equals(res.params)
    assert hash(SPEC) == hash(ds.DrivenDCC(breaks=("2016-06-01",)))


def test_unit_location_and_column_order_do_not_matter(panel, x, res):
    order, names = ["C", "A", "D", "B"], ["a1", "b1", "delta.break 2016-06-01"]
    for y, drivers, unit in ((panel / 100.0 + 1.0, 1e4 * x - 7.0, 1e4), (panel[order], x, 1.0)):
        other = SPEC.fit(y, x=drivers)
        gaps = (other.params[names] - res.params[names]) / res.std_errors[names]
        np.testing.assert_allclose(gaps, 0.0, atol=1e-6)
        assert other.params["delta.funding"] * unit == pytest.approx(res.params["delta.funding"], rel=1e-6)
        assert other.std_errors["delta.funding"] * unit == pytest.approx(res.std_errors["delta.funding"], rel=1e-4)
        np.testing.assert_allclose(other.last.loc[order, order], res.last.loc[order, order], atol=1e-8)


def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel, x, res):
    again = res.filter(panel, x=x)
    np.testing.assert_allclose(again.correlation, res.correlation, atol=1e-13)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    pd.testing.assert_series_equal(again.std_errors, res.std_errors)
    pd.testing.assert_frame_equal(again.driver_test(), res.driver_test())
    y, late = panel.copy(), x.copy()
    y.iloc[800:] *= 10.0
    late.iloc[800:] += 50.0
    moved = res.filter(y, x=late).covariance
    np.testing.assert_array_equal(moved[:801], again.covariance[:801])
    assert np.abs(moved[801] - again.covariance[801]).max() > 1e-3
    np.testing.assert_array_equal(res.filter(panel.iloc[:801], x=x.iloc[:801]).covariance, again.covariance[:801])


def test_known_drivers_act_on_their_own_row(panel, x):
    dummy = pd.Series(np.arange(len(panel)) % 7 < 2, index=panel.index, name="weekend").astype(float)
    res = ds.DrivenDCC().fit(panel, x=x, known=dummy)
    assert list(res.params.index[-2:]) == ["delta.funding", "delta.weekend"]
    base = res.filter(panel, x=x, known=dummy).correlation
    dummy.iloc[800:] = 1.0 - dummy.iloc[800:]
    moved = res.filter(panel, x=x, known=dummy).correlation
    np.testing.assert_array_equal(moved[:800], base[:800])
    assert np.abs(moved[800] - base[800]).max() > 0.0


def test_forecast_starts_with_the_next_filtered_matrix(panel, x, res):
    after = panel.index[-1] + pd.Timedelta(days=1)
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([after])])
    late = pd.concat([x, pd.Series([99.0], index=[after], name="funding")])
    np.testing.assert_allclose(res.forecast(1).covariance[0], res.filter(longer, x=late).covariance[-1], rtol=1e-10)
    end = res.forecast(5000).correlation[-1]
    acting = (np.array([[x.iloc[-1], 1.0]]) - res.drivers.mean) / res.drivers.scale
    np.testing.assert_allclose(end, res._driven.targets(res._psi[2:], acting)[0], atol=1e-6)
    given = res.forecast(5000, drivers=np.tile(res.drivers.mean, (5000, 1))).correlation[-1]
    assert np.abs(given - end).max() > 1e-6
    with pytest.raises(DataError, match="3 rows of finite values"):
        res.forecast(3, drivers=np.zeros((2, 2)))


def test_simulation_is_seeded_and_follows_its_drivers(res):
    pd.testing.assert_frame_equal(res.simulate(200, seed=0), res.simulate(200, seed=0))
    strong = dataclasses.replace(res, params=res.params.copy())
    strong.params[["delta.funding", "delta.break 2016-06-01"]] = [0.0, 2.0]
    steps = np.tile(res.drivers.mean, (2000, 1))
    steps[:, 1] = np.arange(2000) >= 1000
    z = strong.margins.filter(strong.simulate(2000, seed=1, drivers=steps)).std_resid
    rise = z.iloc[1050:].corr() - z.iloc[:1000].corr()
    assert rise.to_numpy()[np.tril_indices(4, -1)].min() > 0.15


def test_bad_input_is_a_sentence(panel, x, res):
    with pytest.raises(OptionError, match="No driver"):
        ds.DrivenDCC().fit(panel)
    with pytest.raises(OptionError, match="must be a tuple"):
        ds.DrivenDCC(breaks="2020-03-12")
    with pytest.raises(DataError, match="does not vary"):
        ds.DrivenDCC().fit(panel, x=x * 0.0)
    with pytest.raises(DataError, match="combination"):
        ds.DrivenDCC().fit(panel, known=pd.DataFrame({"u": x, "v": 1.0 - 2.0 * x}))
    with pytest.raises(DataError, match="another index"):
        ds.DrivenDCC().fit(panel, x=x.shift(1, freq="D"))
    with pytest.raises(DataError, match="must be the same rows"):
        ds.DrivenDCC().fit(panel, x=x.iloc[1:])
    with pytest.raises(DataError, match="missing or infinite"):
        ds.DrivenDCC().fit(panel, x=x.where(np.arange(len(x)) != 5))
    with pytest.raises(DataError, match="no row on one of its sides"):
        ds.DrivenDCC(breaks=("2030-01-01",)).fit(panel)
    with pytest.raises(DataError, match="cannot be compared"):
        ds.DrivenDCC(breaks=("soon",)).fit(panel)
    with pytest.raises(DataError, match="same name"):
        ds.DrivenDCC().fit(panel, x=x, known=x)
    with pytest.raises(DataError, match="came"):
        res.filter(panel)
    with pytest.raises(DataError, match="same series"):
        SPEC.fit(panel.assign(E=panel["A"]), x=x)


@pytest.mark.slow
def test_a_planted_effect_is_found_and_intervals_cover_it(panel, x):
    """Fifty samples from the model itself: the standard error of a coverage of 0.95 is 0.031."""
    spec = ds.DrivenDCC(margins=None)
    z = pd.DataFrame(twins.simulate_dcc(2500, 3, seed=1, alpha=0.0, beta=0.0, omega=1.0))
    plain = spec.fit(z, x=pd.Series(stress(2500, 2), name="x"))
    truth = pd.Series({"a1": 0.05, "b1": 0.85, "delta.x": 0.08})
    model = dataclasses.replace(plain, params=truth.rename("estimate"))
    hits, estimates, powers = [], [], []
    for seed in range(50):
        fit = spec.fit(model.simulate(2500, seed=seed, burn=100), x=pd.Series(stress(2500, 2), name="x"))
        bounds = fit.conf_int()
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params)
        powers.append(fit.driver_test()["p_value"] < 0.05)
    assert (pd.DataFrame(hits).mean() >= 0.85).all()
    assert abs(pd.DataFrame(estimates).mean()["delta.x"] - 0.08) < 0.01
    assert (pd.DataFrame(powers).mean() > 0.95).all()
