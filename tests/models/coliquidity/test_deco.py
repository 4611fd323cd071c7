"""DECO: dense likelihood, exact derivatives, stacked moments, invariance, accessors, recovery, size, bad input."""

from __future__ import annotations

import dataclasses
import pickle
import time

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError, SizeError
from drainstats.models.coliquidity import correlation
from drainstats.models.coliquidity.large.equicorrelation_search import (
    GroupSums,
    correlation_moments,
    in_residuals,
    likelihood,
)
from tests.models.coliquidity import twins

ORDERS = [((0.04,), (0.9,)), ((0.03, 0.05), (0.5, 0.3)), ((0.2,), ()), ((0.02, 0.0, 0.03), (0.8,))]
CODES = [np.zeros(6, dtype=np.int64), np.array([0, 1, 0, 2, 1, 1])]
BLOCKS = {"A": "majors", "B": "majors", "C": "others", "D": "others", "E": "others", "F": "stable"}


def dense(z, target, codes, a, b):
    """(R, log-likelihood) by the formula: all of Q, averaged block by block, then N x N determinants and solves."""
    Q = twins.dcc_paths(z, target, target, a, b)[0]
    R, value = np.empty_like(Q), np.empty(len(z))
    for t in range(len(z)):
        for g in np.unique(codes):
            for h in np.unique(codes):
                block = np.ix_(codes == g, codes == h)
                size = np.mean(np.diag(Q[t])[codes == g]) * np.mean(np.diag(Q[t])[codes == h])
                cells = Q[t][block]
                off = cells.sum() - (np.trace(cells) if g == h else 0.0)
                count = cells.size - (len(cells) if g == h else 0)
                R[t][block] = off / max(count, 1) / np.sqrt(size)
        np.fill_diagonal(R[t], 1.0)
        value[t] = -0.5 * (np.linalg.slogdet(R[t])[1] + z[t] @ np.linalg.solve(R[t], z[t]) - z[t] @ z[t])
    return R, value


def unit_moment(z):
    scale = np.sqrt((z**2).mean(axis=0))
    return (z / scale).T @ (z / scale) / len(z)


def simulate(T, N, seed, a=0.05, b=0.90, rho=0.4, burn=300):
    """Margins as in `twins.simulate_dcc`; the correlation is the scaled average of Q."""
    rng = np.random.default_rng(seed)
    q, d, h, y = rho, 1.0, np.ones(N), np.empty((T + burn, N))
    for t in range(T + burn):
        r = q / d
        e = rng.standard_normal(N)
        z = np.sqrt(1 - r) * (e - e.mean()) + np.sqrt(1 + (N - 1) * r) * e.mean()
        y[t] = np.sqrt(h) * z
        h = 0.05 + 0.08 * y[t] ** 2 + 0.87 * h
        off = (z.sum() ** 2 - z @ z) / (N * (N - 1))
        q = (1 - a - b) * rho + a * off + b * q
        d = (1 - a - b) + a * np.mean(z**2) + b * d
    return y[burn:]


@pytest.fixture(scope="module")
def panel():
    return pd.DataFrame(
        simulate(900, 6, seed=2), columns=list("ABCDEF"), index=pd.date_range("2020-01-01", periods=900)
    )


@pytest.fixture(scope="module")
def res(panel):
    return ds.DECO().fit(panel)


@pytest.fixture(scope="module")
def blocks(panel):
    return ds.DECO(blocks=BLOCKS).fit(panel)


@pytest.mark.parametrize("codes", CODES, ids=["one group", "three groups"])
@pytest.mark.parametrize(("a", "b"), ORDERS)
def test_likelihood_equals_the_dense_one(a, b, codes):
    z = np.random.default_rng(3).standard_normal((80, 6)) @ np.linalg.cholesky(0.6 * np.eye(6) + 0.4).T
    sums = GroupSums.of(z, codes)
    psi = np.array([*a, *b])
    value, scores, *_ = likelihood(len(a), sums, sums.news, sums.level(), psi)
    np.testing.assert_allclose(value, dense(z, unit_moment(z), codes, a, b)[1], atol=1e-10)
    for k in range(len(psi)):
        step = np.eye(len(psi))[k] * 1e-6
        up, down = (likelihood(len(a), sums, sums.news, sums.level(), psi + s)[0] for s in (step, -step))
        np.testing.assert_allclose(scores[:, k], (up - down) / 2e-6, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("codes", CODES, ids=["one group", "three groups"])
@pytest.mark.parametrize(("a", "b"), ORDERS[:3])
def test_derivatives_in_the_residuals_equal_differences(a, b, codes):
    """Through the recursion and through the target."""
    z = np.random.default_rng(4).standard_normal((60, 6)) + 0.5
    psi = np.array([*a, *b])

    def value(z):
        sums = GroupSums.of(z, codes)
        return likelihood(len(a), sums, sums.news, sums.level(), psi)[0].sum()

    exact = in_residuals(len(a), GroupSums.of(z, codes), psi)[1]
    for t, i in ((0, 0), (5, 3), (30, 1), (58, 5), (59, 2)):
        step = np.zeros_like(z)
        step[t, i] = 1e-5
        assert exact[t, i] == pytest.approx((value(z + step) - value(z - step)) / 2e-5, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("spec", [ds.DECO(), ds.DECO(order=(1, 2), blocks=BLOCKS)], ids=["one", "blocks"])
def test_cross_derivatives_equal_differences_of_the_whole_pipeline(panel, spec):
    """Perturb a margin parameter, remake residuals and target, difference the exact scores."""
    margins = spec.margins.fit(panel)
    codes = spec.groups(panel.columns)[0]
    psi = np.array([0.05, *[0.9 / spec.order[1]] * spec.order[1]])
    _, cross, inner, _ = correlation_moments(1, margins, GroupSums.of(margins.std_resid_values, codes), psi)

    def mean_score(moved, at):
        sums = GroupSums.of(moved.std_resid_values, codes)
        return likelihood(1, sums, sums.news, sums.level(), at)[1].mean(axis=0)

    K = len(margins.params) // 6
    for series, k in ((0, 0), (0, 2), (3, 1), (5, 3)):
        ends = []
        for sign in (1.0, -1.0):
            fit = margins.fits[series]
            theta = fit.theta + sign * 1e-5 * np.eye(K)[k]
            params = margins.params.copy()
            params.iloc[series * K : series * K + K] = theta * fit.units + fit.offset
            fits = tuple(dataclasses.replace(f, theta=theta) if i == series else f for i, f in enumerate(margins.fits))
            ends.append(mean_score(dataclasses.replace(margins, fits=fits, params=params), psi))
        np.testing.assert_allclose(cross[:, series * K + k], (ends[0] - ends[1]) / 2e-5, rtol=2e-4, atol=2e-5)
    for k in range(len(psi)):
        step = np.eye(len(psi))[k] * 1e-5
        slope = (mean_score(margins, psi + step) - mean_score(margins, psi - step)) / 2e-5
        np.testing.assert_allclose(inner[k], slope, rtol=1e-3, atol=1e-3 * np.abs(inner).max())


def test_two_assets_are_a_dcc_scaled_by_the_mean_diagonal():
    """With N = 2 and equal Q_11 and Q_22 DECO is DCC; on data it stays close."""
    y = twins.simulate_dcc(1500, 2, seed=8)
    deco, dcc = ds.DECO().fit(y), ds.DCC().fit(y)
    np.testing.assert_allclose(deco.params[["a1", "b1"]], dcc.params[["a1", "b1"]], atol=0.02)
    assert np.corrcoef(deco.rho, dcc.pair(0, 1))[0, 1] > 0.99
    mirrored = np.random.default_rng(0).standard_normal((200, 1))
    z = np.hstack([mirrored, np.sign(np.random.default_rng(1).random((200, 1)) - 0.3) * mirrored])
    sums = GroupSums.of(z, np.zeros(2, dtype=np.int64))
    value = likelihood(1, sums, sums.news, sums.level(), np.array([0.05, 0.9]))[0]
    expected = twins.dcc_paths(z, unit_moment(z), unit_moment(z), (0.05,), (0.9,))[2]
    np.testing.assert_allclose(value, expected, atol=1e-9)


def test_averaging_first_is_close_to_engle_and_kelly(res):
    """They average the scaled Q. On six assets the paths differ by hundredths, where rho moves by tenths."""
    z, psi = res.std_resid.to_numpy(), res.params.to_numpy()[-2:]
    R = twins.dcc_paths(z, unit_moment(z), unit_moment(z), psi[:1], psi[1:])[1]
    theirs = (R.sum(axis=(1, 2)) - 6) / 30
    assert np.abs(theirs - res.rho).max() < 0.05
    assert np.abs(theirs - res.rho).mean() < 0.01 < res.rho.std()


def test_contract(res, panel):
    assert list(res.params.index[-2:]) == ["a1", "b1"]
    assert res.converged
    assert (res.std_errors > 0).all()
    whole = np.sqrt(np.diag(res.param_covariance))
    np.testing.assert_allclose(res.std_errors, whole, rtol=1e-8)
    assert res.rho.index.equals(panel.index)
    assert res.rho.between(-0.2, 1.0).all()
    pd.testing.assert_series_equal(res.average_correlation, res.rho, check_names=False)
    path = res.correlation
    psi = res.params.to_numpy()[-2:]
    z = res.std_resid.to_numpy()
    R, value = dense(z, unit_moment(z), np.zeros(6, dtype=np.int64), psi[:1], psi[1:])
    np.testing.assert_allclose(path, R, atol=1e-11)
    assert res.loglikelihood == pytest.approx(res.margins.loglikelihood + value.sum(), rel=1e-12)
    np.testing.assert_allclose(res.pair("B", "E"), res.rho, atol=1e-14)
    np.testing.assert_array_equal(res.last, path[-1])
    assert "DECO(1, 1)" in repr(res)
    assert "a1" in str(res.summary())
    assert pickle.loads(pickle.dumps(res)).params.equals(res.params)
    assert hash(ds.DECO(blocks=BLOCKS)) == hash(ds.DECO(blocks=dict(BLOCKS)))


def test_blocks(blocks):
    assert list(blocks.rho.columns) == ["majors", "others", "majors, others", "majors, stable", "others, stable"]
    psi, z = blocks.params.to_numpy()[-2:], blocks.std_resid.to_numpy()
    codes = np.array([0, 0, 1, 1, 1, 2])
    R = dense(z, unit_moment(z), codes, psi[:1], psi[1:])[0]
    np.testing.assert_allclose(blocks.correlation, R, atol=1e-11)
    np.testing.assert_allclose(blocks.rho["majors, others"], R[:, 0, 3])
    np.testing.assert_allclose(blocks.average_correlation, (R.sum(axis=(1, 2)) - 6) / 30)
    np.testing.assert_array_equal(blocks.pair("C", "E"), blocks.rho["others"])
    assert np.linalg.eigvalsh(blocks.correlation).min() > 0.0
    assert "3 groups" in repr(blocks)


def test_every_asset_its_own_group_is_dcc(panel):
    """Then the diagonal of Q is scaled one by one and nothing is averaged."""
    three = panel[["A", "B", "C"]]
    deco, dcc = ds.DECO(blocks={n: n for n in "ABC"}).fit(three), ds.DCC().fit(three)
    assert deco.loglikelihood == pytest.approx(dcc.loglikelihood, abs=1e-6)
    np.testing.assert_allclose(deco.params, dcc.params, atol=1e-6)
    np.testing.assert_allclose(deco.std_errors, dcc.std_errors, rtol=1e-4)


def test_unit_location_and_column_order_do_not_matter(panel, res, blocks):
    for spec, base in ((ds.DECO(), res), (ds.DECO(blocks=BLOCKS), blocks)):
        for other in (spec.fit(panel / 100.0 + 1.0), spec.fit(panel[["C", "A", "F", "D", "B", "E"]])):
            np.testing.assert_allclose(other.params[["a1", "b1"]], base.params[["a1", "b1"]], rtol=1e-7, atol=1e-8)
            np.testing.assert_allclose(other.std_errors[["a1", "b1"]], base.std_errors[["a1", "b1"]], rtol=1e-5)
            np.testing.assert_allclose(other.average_correlation, base.average_correlation, atol=1e-7)


def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel, res, blocks):
    for fit in (res, blocks):
        again = fit.filter(panel)
        np.testing.assert_allclose(again.correlation, fit.correlation, atol=1e-12)
        assert again.loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-8)
        pd.testing.assert_series_equal(again.std_errors, fit.std_errors)
        disturbed = panel.copy()
        disturbed.iloc[601:] *= 7.0
        for new in (panel.iloc[:601], disturbed):
            np.testing.assert_allclose(
                fit.filter(new).correlation[:602], again.correlation[: min(602, len(new))], atol=1e-13
            )
    assert res.filter(panel.iloc[:1]).forecast(2).correlation.shape == (2, 6, 6)


@pytest.mark.parametrize("spec", [ds.DECO(), ds.DECO(order=(2, 1)), ds.DECO(order=(1, 2), blocks=BLOCKS)], ids=str)
def test_forecast_starts_with_the_next_filtered_matrix(panel, spec):
    fit = spec.fit(panel)
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    ahead = fit.forecast(4000)
    np.testing.assert_allclose(ahead.covariance[0], fit.filter(longer).covariance[-1], rtol=1e-9)
    end = fit.filter(panel.iloc[:1]).correlation[0]
    # Before the sample stands the target, which is also where the forecast ends.
    np.testing.assert_allclose(ahead.correlation[-1], end, atol=1e-6)


def test_simulation_is_seeded_and_has_the_estimated_moments(blocks):
    y = blocks.simulate(1000, seed=0)
    pd.testing.assert_frame_equal(y, blocks.simulate(1000, seed=0))
    assert list(y.columns) == list(blocks.columns)
    long = blocks.filter(blocks.simulate(8000, seed=2))
    # Sampling error of 8000 rows: 0.011; five of them.
    np.testing.assert_allclose(long.std_resid.corr(), blocks.filter(y.iloc[:1]).correlation[0], atol=0.055)
    np.testing.assert_allclose(long.std_resid.std(), 1.0, atol=0.055)


def test_two_thousand_assets_more_than_rows():
    """The correlation costs nothing beside the margins: 2000 assets, 400 rows, residuals of a zero-mean panel."""
    rng = np.random.default_rng(1)
    level = np.repeat([0.1, 0.5], 200)[:, None]
    z = np.sqrt(level) * rng.standard_normal((400, 1)) + np.sqrt(1 - level) * rng.standard_normal((400, 2000))
    from drainstats.models.coliquidity.large.equicorrelation_search import fit_correlation

    start = time.process_time()
    sums = GroupSums.of(z, np.zeros(2000, dtype=np.int64))
    found = fit_correlation((1, 1), ["a1", "b1"], sums, sums.level())
    in_residuals(1, sums, found.psi)
    # About 0.2 s, and once the import of scipy.signal.
    assert time.process_time() - start < 5.0
    assert found.converged
    assert found.psi[0] > 0.05


def test_constant_correlation_is_said_not_to_identify_b():
    sign = np.where(np.arange(600) % 2 == 0, 1.0, -1.0)
    y = np.random.default_rng(1).standard_normal((600, 2))
    second = sign * y[:, 0] + 0.3 * y[:, 1]
    fit = ds.DECO(order=(1, 0), margins=ds.GARCH(mean="zero")).fit(np.column_stack([y[:, 0], second]))
    assert fit.params["a1"] == 0.0
    assert np.isnan(fit.std_errors["a1"])
    assert any("a = 0" in note for note in fit.notes)
    assert fit.converged


@pytest.mark.parametrize("kind", ["fat", "outlier", "zeros", "copies"])
def test_hostile_data_converge_or_say_what_is_on_a_bound(kind):
    rng = np.random.default_rng(7)
    z = rng.standard_normal((400, 4)) + 0.5 * rng.standard_normal((400, 1))
    if kind == "fat":
        z = rng.standard_t(3, (400, 4)) + rng.standard_t(3, (400, 1))
    elif kind == "outlier":
        z[200] = 50.0
    elif kind == "zeros":
        z = np.where(rng.random((400, 4)) < 0.5, 0.0, z)
    elif kind == "copies":
        z[:, 1] = z[:, 0]
    fit = ds.DECO().fit(z)
    assert fit.converged, fit.notes
    assert np.isfinite(fit.rho).all()
    if fit.std_errors.isna().any():
        assert fit.notes


def test_bad_input_is_a_sentence(panel, res, monkeypatch):
    with pytest.raises(DataError, match="one asset"):
        ds.DECO().fit(panel[["A"]])
    with pytest.raises(DataError, match="missing"):
        ds.DECO().fit(panel.mask(panel > 3.0))
    with pytest.raises(DataError, match="copies"):
        ds.DECO().fit(pd.DataFrame({"A": panel["A"], "B": panel["A"]}))
    with pytest.raises(OptionError, match="no group for the asset 'F'"):
        ds.DECO(blocks=dict.fromkeys("ABCDE", 0)).fit(panel)
    with pytest.raises(DataError, match="columns"):
        res.filter(panel[["A", "B"]])
    for bad in ({"order": (0, 1)}, {"order": 1}, {"blocks": ["A"]}):
        with pytest.raises(OptionError):
            ds.DECO(**bad)
    with pytest.raises(OptionError):
        res.forecast(0)
    monkeypatch.setattr(correlation, "PATH_BYTES", 1000)
    with pytest.raises(SizeError, match="shorter horizon"):
        res.forecast(10)
    with pytest.raises(SizeError, match="pair"):
        _ = res.correlation


@pytest.mark.slow
@pytest.mark.parametrize(("N", "T"), [(3, 1000), (10, 1000)])
def test_estimates_are_nearly_unbiased_and_intervals_cover(N, T):
    """A hundred samples: the standard error of a coverage of 0.9, as Wald intervals have at T = 1000, is 0.03."""
    truth = pd.Series({"a1": 0.05, "b1": 0.90})
    hits, estimates = [], []
    for seed in range(100):
        fit = ds.DECO(margins=ds.GARCH(mean="zero")).fit(simulate(T, N, seed=2000 + seed))
        bounds = fit.conf_int().loc[truth.index]
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params[truth.index])
    coverage, bias = pd.DataFrame(hits).mean(), pd.DataFrame(estimates).mean() - truth
    assert (coverage >= 0.84).all(), coverage.to_dict()
    assert abs(bias["a1"]) < 0.005
    assert -0.04 < bias["b1"] < 0.005
