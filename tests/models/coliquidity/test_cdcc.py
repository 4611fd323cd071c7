"""cDCC: likelihood and scores against a brute-force twin, exact derivatives, limits, recovery, forecasts."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.cdcc import CDCC, _concentrated
from tests.models.coliquidity import twins

ORDERS = [((0.04,), (0.9,)), ((0.03, 0.05), (0.8,)), ((0.05,), (0.5, 0.3)), ((0.2,), ())]


def paths(z, a, b, target=None):
    """(S, R, log-likelihood by step), Aielli's formulas one at a time; S from the data unless it is given."""
    T, N = z.shape
    rest = 1.0 - sum(a) - sum(b)
    scale = np.empty((T, N))
    for t in range(T):
        scale[t] = rest
        scale[t] += sum(w * (scale[t - 1 - i] * z[t - 1 - i] ** 2 if t > i else 1.0) for i, w in enumerate(a))
        scale[t] += sum(w * (scale[t - 1 - j] if t > j else 1.0) for j, w in enumerate(b))
    stars = np.sqrt(scale) * z
    S = to_correlation(sum(np.outer(s, s) for s in stars)) if target is None else target
    Q, R, _ = twins.dcc_paths(stars, S, S, a, b)
    np.testing.assert_allclose(np.diagonal(Q, axis1=1, axis2=2), scale, rtol=1e-12)
    whitened = np.array([z[t] @ np.linalg.solve(R[t], z[t]) for t in range(T)])
    return S, R, -0.5 * (np.linalg.slogdet(R)[1] + whitened - (z**2).sum(axis=1))


@pytest.fixture(scope="module")
def panel():
    y = twins.simulate_dcc(1203, 4, seed=11)
    return pd.DataFrame(y, columns=list("ABCD"), index=pd.date_range("2015-01-01", periods=len(y)))


@pytest.fixture(scope="module")
def res(panel):
    return CDCC().fit(panel)


@pytest.mark.parametrize(("a", "b"), ORDERS)
def test_likelihood_and_scores_equal_their_twin(a, b):
    """The score of a step counts that the target itself moves with (a, b)."""
    spec = CDCC(order=(len(a), len(b)))
    psi = np.array([*a, *b])
    for T, N in ((41, 2), (60, 5)):
        z = np.random.default_rng(T).standard_normal((T, N))
        value, one = _concentrated(spec, z, psi)
        S, _, expected = paths(z, a, b)
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(spec.target_at(z, psi), S, atol=1e-13)
        for k in range(len(psi)):
            step = np.eye(len(psi))[k] * 1e-6
            up, down = (_concentrated(spec, z, psi + s, scores=False)[0] for s in (step, -step))
            np.testing.assert_allclose(one.scores[:, k], (up - down) / 2e-6, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("order", [(1, 1), (2, 1), (1, 2)])
def test_cross_derivatives_equal_differences_of_the_whole_pipeline(panel, order):
    """Perturb a margin parameter, remake residuals, scales and target, difference the exact scores."""
    spec = CDCC(order=order)
    margins = spec.margins.fit(panel.iloc[:400, :3])
    psi = np.array([0.05, *[0.02] * (order[0] - 1), *[0.9 / order[1]] * order[1]])
    _, cross, inner, _ = spec.moments(margins, spec.target_at(margins.std_resid_values, psi), psi)

    def mean_score(moved, at):
        return _concentrated(spec, moved.std_resid_values, at)[1].scores.mean(axis=0)

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
    for k in range(len(psi)):
        step = np.eye(len(psi))[k] * 1e-5
        slope = (mean_score(margins, psi + step) - mean_score(margins, psi - step)) / 2e-5
        np.testing.assert_allclose(inner[k], slope, rtol=1e-3, atol=1e-3 * np.abs(inner).max())


def test_optimum_beats_its_neighbours_and_a_grid(res):
    z, psi = res.std_resid.to_numpy(), res.params.to_numpy()[-2:]
    best = paths(z, psi[:1], psi[1:])[2].sum()
    assert res.loglikelihood == pytest.approx(res.margins.loglikelihood + best, abs=1e-7)
    for a, b in ((0.02, 0.95), (0.06, 0.88), (0.10, 0.80), (psi[0] * 1.02, psi[1]), (psi[0], psi[1] * 0.995)):
        assert _concentrated(res.spec, z, np.array([a, b]), scores=False)[0].sum() < best


def test_small_reactions_make_it_dcc():
    """As a falls, so does the gap to DCC, and in proportion: the scales differ from one by a times noise."""
    z = np.random.default_rng(0).standard_normal((300, 3)) @ np.linalg.cholesky(0.6 * np.eye(3) + 0.4).T
    gaps = []
    for a in (1e-2, 1e-3, 1e-4):
        S, R, _ = paths(z, (a,), (0.5,))
        plain = to_correlation(z.T @ z / len(z))
        gaps.append(max(np.abs(S - plain).max(), np.abs(R - twins.dcc_paths(z, plain, plain, (a,), (0.5,))[1]).max()))
    assert gaps[2] < 1e-4
    assert gaps[0] > 7.0 * gaps[1] > 49.0 * gaps[2]


def test_contract(res, panel):
    assert list(res.params.index[-2:]) == ["a1", "b1"]
    assert res.converged
    assert (res.std_errors > 0).all()
    assert "CDCC(1, 1) on GARCH(1, 1) margins" in repr(res)
    path = res.correlation
    twin = paths(res.std_resid.to_numpy(), res.params.to_numpy()[-2:-1], res.params.to_numpy()[-1:])
    np.testing.assert_allclose(path, twin[1], atol=1e-11)
    np.testing.assert_allclose(res.target, twin[0], atol=1e-12)
    np.testing.assert_allclose(res.pair("A", "C"), path[:, 0, 2], atol=1e-13)
    np.testing.assert_array_equal(res.last, path[-1])
    assert pickle.loads(pickle.dumps(res)).params.equals(res.params)
    assert hash(CDCC()) == hash(CDCC())
    with pytest.raises(OptionError):
        CDCC(dist="cauchy")
    with pytest.raises(OptionError):
        CDCC(order=(0, 1))
    with pytest.raises(DataError, match="same series"):
        CDCC().fit(panel.assign(E=panel["A"]))


def test_unit_location_and_column_order_do_not_matter(panel, res):
    order = ["C", "A", "D", "B"]
    for other in (CDCC().fit(panel / 100.0 + 1.0), CDCC().fit(panel[order])):
        np.testing.assert_allclose(other.params[["a1", "b1"]], res.params[["a1", "b1"]], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(other.std_errors[["a1", "b1"]], res.std_errors[["a1", "b1"]], rtol=1e-5)
        np.testing.assert_allclose(other.last.loc[order, order], res.last.loc[order, order], atol=1e-8)


def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel, res):
    again = res.filter(panel)
    np.testing.assert_allclose(again.correlation, res.correlation, atol=1e-13)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    jolted = panel.copy()
    jolted.iloc[800:] *= 10.0
    np.testing.assert_array_equal(res.filter(jolted).covariance[:801], again.covariance[:801])
    np.testing.assert_array_equal(res.filter(panel.iloc[:801]).covariance, again.covariance[:801])


def test_forecast_is_the_mean_of_simulated_q(panel, res):
    """Given the past, z* has the covariance Q: the recursion with news replaced by Q is exact, unlike that of DCC."""
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    np.testing.assert_allclose(res.forecast(1).covariance[0], res.filter(longer).covariance[-1], rtol=1e-10)
    end = res.forecast(5000).correlation[-1]
    np.testing.assert_allclose(end, res.target, atol=1e-6)
    rng = np.random.default_rng(0)
    a, b, S = 0.15, 0.75, np.array([[1.0, 0.5], [0.5, 1.0]])
    start = np.array([[2.0, -0.3], [-0.3, 1.0]])
    total = np.zeros((2, 2))
    for _ in range(20000):
        Q = start
        for _ in range(3):
            z = np.linalg.cholesky(to_correlation(Q)) @ rng.standard_normal(2)
            star = np.sqrt(np.diag(Q)) * z
            Q = (1.0 - a - b) * S + a * np.outer(star, star) + b * Q
        total += Q
    exact = S + (a + b) ** 3 * (start - S)
    # Four standard errors of the mean of 20000 draws whose spread is about 0.6.
    np.testing.assert_allclose(total / 20000, exact, atol=0.018)


def test_simulation_is_seeded_and_has_the_target_as_its_moment(res):
    y = res.simulate(1000, seed=0)
    pd.testing.assert_frame_equal(y, res.simulate(1000, seed=0))
    long = res.filter(res.simulate(8000, seed=2)).std_resid
    np.testing.assert_allclose(long.corr(), res.target, atol=0.05)


@pytest.mark.slow
def test_estimates_are_nearly_unbiased_and_intervals_cover():
    """Eighty samples from the model itself: the standard error of a coverage of 0.95 is 0.024."""
    truth = pd.Series({"a1": 0.05, "b1": 0.90})
    plain = CDCC(margins=ds.GARCH(mean="zero")).fit(twins.simulate_dcc(2000, 3, seed=1))
    model = dataclasses.replace(plain, params=plain.params.where(~plain.params.index.isin(truth.index), 0.0))
    model.params.update(truth)
    hits, estimates = [], []
    for seed in range(80):
        fit = CDCC(margins=ds.GARCH(mean="zero")).fit(model.simulate(2000, seed=seed))
        bounds = fit.conf_int().loc[truth.index]
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params[truth.index])
    assert (pd.DataFrame(hits).mean() >= 0.87).all()
    bias = pd.DataFrame(estimates).mean() - truth
    assert abs(bias["a1"]) < 0.004
    assert -0.02 < bias["b1"] < 0.005
