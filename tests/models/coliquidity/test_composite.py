"""Composite likelihood: twins, exact slopes, one pair is DCC, stacked errors, invariance, recovery, size, bad input."""

from __future__ import annotations

import dataclasses
import pickle
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError, SizeError
from drainstats.models.base import long_run
from drainstats.models.coliquidity import correlation
from drainstats.models.coliquidity.correlation import CorrelationResult
from drainstats.models.coliquidity.large.composite_search import Pairs, moments
from tests.models.coliquidity import twins

ORDERS = [((0.04,), (0.9,)), ((0.03, 0.05), (0.5, 0.3)), ((0.2,), ()), ((0.02, 0.0, 0.03), (0.8,))]
SPEC = ds.CompositeDCC(pairs="all")


def unit_moment(z):
    scale = np.sqrt((z**2).mean(axis=0))
    return (z / scale).T @ (z / scale) / len(z)


def pairs_of(z, spec=SPEC):
    first, second = spec.places(range(z.shape[1]))
    return Pairs(z, first, second, unit_moment(z)[first, second])


def weights(a, b):
    return ds.CompositeDCC(order=(len(a), len(b))).weights(np.array([*a, *b]))


@pytest.fixture(scope="module")
def panel():
    index = pd.date_range("2020-01-01", periods=900, tz="UTC")
    return pd.DataFrame(twins.simulate_dcc(900, 6, seed=5), index=index, columns=list("ABCDEF"))


@pytest.fixture(scope="module")
def res(panel):
    return SPEC.fit(panel)


@pytest.mark.parametrize(("a", "b"), ORDERS)
def test_likelihood_is_the_sum_over_pairs_of_two_asset_models(a, b):
    """Fifteen pairs fill one block of eight and not the second; more rows than the window over the recursion."""
    z = twins.simulate_dcc(120, 6, seed=2)
    value, scores = pairs_of(z).likelihood(weights(a, b))
    expected = np.zeros(len(z))
    for i in range(6):
        for j in range(i + 1, 6):
            S = unit_moment(z[:, [i, j]])
            expected += twins.dcc_paths(z[:, [i, j]], S, S, a, b)[2]
    np.testing.assert_allclose(value, expected, atol=1e-11)
    psi = np.array([*a, *b])
    for k in range(len(psi)):
        ends = []
        for sign in (1e-6, -1e-6):
            moved = psi + sign * np.eye(len(psi))[k]
            ends.append(pairs_of(z).likelihood(weights(moved[: len(a)], moved[len(a) :]), derive=False)[0])
        np.testing.assert_allclose(scores[:, k], (ends[0] - ends[1]) / 2e-6, atol=2e-6)


@pytest.mark.parametrize(("a", "b"), ORDERS)
def test_slopes_in_residuals_run_through_the_targets_too(a, b):
    z, w = twins.simulate_dcc(90, 5, seed=3), weights(a, b)
    pairs = pairs_of(z)
    in_psi, in_z, in_target = pairs.slopes(w)
    by_target, influence = pairs.through_targets(in_target)
    np.testing.assert_allclose(in_psi, pairs.likelihood(w)[1].sum(axis=0), atol=1e-10)
    assert abs(influence.mean()) < 1e-12
    for row, column in ((0, 0), (3, 2), (89, 4), (88, 3), (50, 1)):
        step = np.zeros_like(z)
        step[row, column] = 1e-5
        ahead, behind = (pairs_of(z + s).likelihood(w)[0].sum() for s in (step, -step))
        assert (in_z + by_target)[row, column] == pytest.approx((ahead - behind) / 2e-5, abs=1e-7)


def test_one_pair_is_dcc():
    """Estimates, likelihood and errors: those of the full likelihood."""
    y = twins.simulate_dcc(1000, 2, seed=8)
    composite, full = ds.CompositeDCC().fit(y), ds.DCC().fit(y)
    np.testing.assert_allclose(composite.params, full.params, atol=1e-8)
    assert composite.loglikelihood == pytest.approx(full.loglikelihood, abs=1e-8)
    # Differences of exact gradients on either side: DCC's are good to six digits.
    for errors in ("two_step", "three_step"):
        ours, theirs = (fit.covariance_of(errors).to_numpy() for fit in (composite, full))
        np.testing.assert_allclose(np.sqrt(np.diag(ours)), np.sqrt(np.diag(theirs)), rtol=5e-6)
        scale = np.sqrt(np.outer(np.diag(theirs), np.diag(theirs)))
        np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-5)
    joint = composite._moments().influences("three_step")
    np.testing.assert_allclose(long_run(joint, 0), composite.param_covariance, rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(composite.correlation, full.correlation, atol=1e-10)


def test_derivatives_in_the_margins_are_those_of_the_mean_score(res):
    """Against differences of the whole chain: parameter, variances, residuals, targets, scores."""
    margins, psi, K = res.margins, res.params.to_numpy()[-2:], 4
    found = moments(pairs_of(margins.std_resid_values), margins, SPEC.weights, psi)
    for series, k in ((0, 0), (0, 2), (3, 1), (5, 3)):
        ends = []
        for sign in (1e-5, -1e-5):
            fit = margins.fits[series]
            theta = fit.theta + sign * np.eye(K)[k]
            params = margins.params.copy()
            params.iloc[series * K : series * K + K] = theta * fit.units + fit.offset
            fits = tuple(dataclasses.replace(f, theta=theta) if i == series else f for i, f in enumerate(margins.fits))
            z = dataclasses.replace(margins, fits=fits, params=params).std_resid_values
            ends.append(pairs_of(z).likelihood(SPEC.weights(psi))[1].mean(axis=0))
        slope = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(found.cross[:, series * K + k], slope, rtol=2e-4, atol=2e-4)


def test_targets_are_stacked(res):
    """Leaving each row out of the targets alone moves a and b as the influences through them say."""
    z, psi = res.margins.std_resid_values, res.params.to_numpy()[-2:]
    pairs = pairs_of(z)
    found = moments(pairs, res.margins, SPEC.weights, psi)
    for row in (10, 400, 850):
        S = unit_moment(np.delete(z, row, axis=0))[pairs.first, pairs.second]
        without = dataclasses.replace(pairs, level=S).likelihood(SPEC.weights(psi))[1].mean(axis=0)
        moved = (found.scores.mean(axis=0) - without) * len(z)
        # The influence is the derivative; one row of 900 leaves a curvature of about a per cent.
        np.testing.assert_allclose(moved, found.through[row], rtol=0.05, atol=0.02 * np.abs(found.through).max())
    blocks = res.covariance_of()
    np.testing.assert_allclose(blocks.iloc[-2:, -2:], res.correlation_covariance(), rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(blocks)), res.std_errors, rtol=1e-8)
    np.testing.assert_allclose(blocks.iloc[:-2, :-2], res.margins.param_covariance, rtol=1e-7, atol=1e-14)
    two = res.correlation_covariance("two_step")
    assert 0.9 < np.sqrt(two.loc["a1", "a1"]) / res.std_errors["a1"] < 1.1


def test_unit_location_and_column_order_do_not_matter(panel, res):
    shuffled = panel[list("CAFDBE")]
    drawn = ds.CompositeDCC(pairs="random", count=9, seed=4)
    base = drawn.fit(panel)
    for spec, one, others in (
        (SPEC, res, (panel / 100.0 + 1.0, shuffled)),
        (drawn, base, (panel / 100.0 + 1.0, shuffled)),
        (ds.CompositeDCC(), ds.CompositeDCC().fit(panel), (panel / 100.0 + 1.0,)),
    ):
        for other in (spec.fit(y) for y in others):
            np.testing.assert_allclose(other.params[["a1", "b1"]], one.params[["a1", "b1"]], rtol=1e-7, atol=1e-8)
            np.testing.assert_allclose(other.std_errors[["a1", "b1"]], one.std_errors[["a1", "b1"]], rtol=1e-5)
            np.testing.assert_allclose(other.average_correlation, one.average_correlation, atol=1e-7)
    assert {frozenset(panel.columns[[i, j]]) for i, j in zip(base.first, base.second, strict=True)} == {
        frozenset(shuffled.columns[[i, j]]) for i, j in zip(*drawn.places(shuffled.columns), strict=True)
    }


def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel, res):
    again = res.filter(panel)
    np.testing.assert_allclose(again.correlation, res.correlation, atol=1e-12)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    pd.testing.assert_series_equal(again.std_errors, res.std_errors)
    disturbed = panel.copy()
    disturbed.iloc[601:] *= 7.0
    for new in (panel.iloc[:601], disturbed):
        other, rows = res.filter(new), min(602, len(new))
        for name in ("correlation", "average_correlation"):
            np.testing.assert_allclose(getattr(other, name)[:rows], getattr(again, name)[:rows], atol=1e-12)
        risks = [x.portfolio_volatility(np.ones(6)).to_numpy()[:rows] for x in (other, again)]
        np.testing.assert_allclose(*risks, rtol=1e-12)
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    np.testing.assert_allclose(res.forecast(2).covariance[0], res.filter(longer).covariance[-1], rtol=1e-9)
    assert res.filter(panel.iloc[:1]).average_correlation.shape == (1,)


@pytest.mark.parametrize("order", [(1, 1), (2, 1), (1, 0)])
def test_products_of_matrices_are_the_walk(panel, order):
    """Last, averages, portfolios and picked matrices in closed form against the recursion step by step."""
    fit = ds.CompositeDCC(order=order, margins=None, target="nonlinear").fit(panel.iloc[:300])
    path = fit.correlation
    loadings, size = np.random.default_rng(0).normal(size=(6, 3)), np.random.default_rng(1).uniform(0.5, 2, (300, 6))
    for s in (None, size):
        walked = CorrelationResult._forms(fit, loadings, s)
        np.testing.assert_allclose(fit._forms(loadings, s), walked, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fit.last, path[-1], atol=1e-12)
    places = np.array([0, 1, 150, 299])
    np.testing.assert_allclose(list(fit._picked(places)), path[places], atol=1e-12)


def test_contract(res, panel):
    assert res.converged
    assert list(res.params.index[-2:]) == ["a1", "b1"]
    assert "15 pairs, target sample" in repr(res)
    assert "a1" in str(res.summary())
    assert pickle.loads(pickle.dumps(res)).params.equals(res.params)
    assert list(res.simulate(30, seed=1).columns) == list(panel.columns)
    given = ds.CompositeDCC(margins=None, pairs="all").fit(res.std_resid)
    np.testing.assert_allclose(given.params, res.params[["a1", "b1"]], atol=1e-7)


def test_more_assets_than_rows_take_a_shrunk_target():
    rng = np.random.default_rng(0)
    z = 0.6 * rng.standard_normal((200, 1)) + 0.8 * rng.standard_normal((200, 300))
    fit = ds.CompositeDCC(margins=None).fit(z)
    assert "target nonlinear" in fit.title
    assert np.linalg.eigvalsh(fit.last)[0] > 0.05
    assert 0.2 < fit.average_correlation.mean() < 0.5
    with pytest.raises(DataError, match="target='nonlinear'"):
        ds.CompositeDCC(margins=None, target="sample").fit(z)


def test_two_thousand_assets_cost_little_and_no_big_matrix():
    """2000 assets, 150 rows: estimates, errors, last, average, portfolio; nothing of T x N x N (4.8 GB) is held."""
    rng = np.random.default_rng(1)
    z = 0.5 * rng.standard_normal((150, 1)) + 0.9 * rng.standard_normal((150, 2000))
    ds.CompositeDCC(margins=None).fit(z[:, :5])
    start = time.process_time()
    tracemalloc.start()
    fit = ds.CompositeDCC(margins=None, target="identity").fit(z)
    assert np.isfinite(fit.std_errors).all() or fit.notes
    assert fit.average_correlation.between(-0.1, 0.6).all()
    assert (fit.portfolio_volatility(np.full(2000, 1 / 2000)) > 0).all()
    assert fit.last.shape == (2000, 2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A matrix of 2000 x 2000 is 32 MB; a dozen are alive at the worst moment. About 2 s.
    assert peak < 400e6
    assert time.process_time() - start < 40.0


def test_constant_correlation_is_said_not_to_identify_b():
    sign = np.where(np.arange(600) % 2 == 0, 1.0, -1.0)[:, None]
    base = np.random.default_rng(1).standard_normal((600, 4))
    y = np.column_stack([base[:, 0], sign[:, 0] * base[:, 0] + 0.3 * base[:, 1]])
    fit = ds.CompositeDCC(order=(1, 0), margins=ds.GARCH(mean="zero")).fit(y)
    assert fit.params["a1"] == 0.0
    assert np.isnan(fit.std_errors["a1"])
    assert any("a = 0" in note for note in fit.notes)


@pytest.mark.parametrize("kind", ["fat", "outlier", "zeros"])
def test_hostile_data_converge_or_say_what_is_on_a_bound(kind):
    rng = np.random.default_rng(7)
    z = rng.standard_normal((400, 4)) + 0.5 * rng.standard_normal((400, 1))
    if kind == "fat":
        z = rng.standard_t(3, (400, 4)) + rng.standard_t(3, (400, 1))
    elif kind == "outlier":
        z[200] = 50.0
    else:
        z = np.where(rng.random((400, 4)) < 0.5, 0.0, z)
    fit = ds.CompositeDCC(pairs="all").fit(z)
    assert fit.converged, fit.notes
    assert np.isfinite(fit.average_correlation).all()
    if fit.std_errors.isna().any():
        assert fit.notes


def test_bad_input_is_a_sentence(panel, res, monkeypatch):
    for y, message in (
        (panel[["A"]], "one asset"),
        (panel.mask(panel > 3.0), "missing"),
        (panel.assign(B=panel["A"]), "'A' and 'B' carry the same series"),
        (panel.iloc[:8], "rows"),
    ):
        with pytest.raises(DataError, match=message):
            ds.CompositeDCC().fit(y)
    for bad in ({"pairs": "some"}, {"target": "pca"}, {"count": 3}, {"pairs": "random", "count": 0}, {"dist": "t"}):
        with pytest.raises(OptionError):
            ds.CompositeDCC(**bad)
    with pytest.raises(OptionError, match="only 15 pairs"):
        ds.CompositeDCC(pairs="random", count=16).fit(panel)
    with pytest.raises(DataError, match="columns"):
        res.filter(panel[["A", "B"]])
    with pytest.raises(OptionError, match="three_step"):
        res.correlation_covariance("four_step")
    monkeypatch.setattr(correlation, "PATH_BYTES", 1000)
    with pytest.raises(SizeError, match="correlation_covariance"):
        res.covariance_of()


@pytest.mark.slow
def test_estimates_are_nearly_unbiased_and_intervals_cover():
    """Forty samples of 20 assets, known margins: the standard error of a coverage of 0.92 is 0.04.

    A target that is estimated biases b downwards in any DCC, so that Wald intervals fall short of 0.95
    (0.87 at T = 1000).
    """
    truth, hits, estimates, errors = pd.Series({"a1": 0.05, "b1": 0.90}), [], [], []
    for seed in range(40):
        z = twins.simulate_dcc(2000, 20, seed=3000 + seed, omega=1.0, alpha=0.0, beta=0.0)
        fit = ds.CompositeDCC(margins=None, pairs="all").fit(z)
        bounds = fit.conf_int().loc[truth.index]
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params[truth.index])
        errors.append(fit.std_errors[truth.index])
    coverage, found = pd.DataFrame(hits).mean(), pd.DataFrame(estimates)
    assert (coverage >= 0.80).all(), coverage.to_dict()
    bias = found.mean() - truth
    assert abs(bias["a1"]) < 0.003
    assert -0.008 < bias["b1"] < 0.003
    # The scatter of forty estimates has a standard error of 11 %.
    ratio = pd.DataFrame(errors).mean() / found.std()
    assert ratio.between(0.7, 1.35).all(), ratio.to_dict()
