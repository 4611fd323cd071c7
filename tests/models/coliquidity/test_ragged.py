"""DCC with missing residuals: kernel against its twin, exact derivatives, invariance, what a hole may not change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError
from drainstats.models.coliquidity.dcc import ragged
from drainstats.models.coliquidity.dcc.missing import pairwise_target
from drainstats.models.coliquidity.dcc.passes import Weights
from drainstats.models.coliquidity.dcc.ragged import (
    ragged_moments,
    ragged_pass,
    ragged_slopes,
    ragged_walk,
    unpack,
)
from drainstats.models.coliquidity.dcc.ragged_result import fit_ragged
from drainstats.models.coliquidity.dcc.search import likelihood
from tests.models.coliquidity import twins

ORDERS = [((0.05,), (0.9,)), ((0.04, 0.03), (0.5, 0.3)), ((0.1,), ()), ((0.02, 0.0, 0.04), (0.85,))]


def punch(z, kind, seed=0):
    """Copies of (T, N) data with about 30 % missing."""
    y, (T, N), rng = np.array(z, dtype=np.float64), z.shape, np.random.default_rng(seed)
    if kind == "random":
        y[rng.random(y.shape) < 0.3] = np.nan
    for i in range(N):
        if kind == "listings":
            y[: int(0.6 * T * i / (N - 1)), i] = np.nan
        while kind == "blocks" and np.isnan(y[:, i]).mean() < 0.3:
            start = rng.integers(0, T)
            y[start : start + T // 40, i] = np.nan
    return y


def ragged_twin(z, S, a, b):
    """(R, log-likelihood by step) by the formula, with solves on the seen assets."""
    Q, X, R, value, p, gain = [S] * 5, [S] * 5, [], [], np.zeros_like(S), 0.0
    for row in z:
        q = gain * (X[-1] - Q[-1]) + (1.0 - sum(a) - sum(b)) * S
        q = q + sum(w * X[-1 - i] for i, w in enumerate(a)) + sum(w * Q[-1 - j] for j, w in enumerate(b))
        r = q / np.sqrt(np.outer(np.diag(q), np.diag(q)))
        seen = np.isfinite(row)
        x, v = r, 0.0
        if seen.any():
            inner = r[np.ix_(seen, seen)]
            mean = r[:, seen] @ np.linalg.solve(inner, row[seen])
            x = r - r[:, seen] @ np.linalg.solve(inner, r[seen]) + np.outer(mean, mean)
            v = -0.5 * (np.linalg.slogdet(inner)[1] + row[seen] @ np.linalg.solve(inner, row[seen]))
        Q.append(q), X.append(x), R.append(r), value.append(v)
        both = np.outer(seen, seen)
        pairs = both & ~np.eye(len(S), dtype=bool)
        if len(b):
            k = p / (1.0 + p)
            gain = b[0] * k[pairs].mean() if pairs.any() else 0.0
            known = np.where(seen, 1.0, (1.0 - 1.0 / np.diag(np.linalg.inv(S))) * seen.sum() / (len(S) - 1.0))
            lost = 1.0 - np.outer(known, known)
            p = lost * ((a[0] + b[0]) ** 2 * p + a[0] ** 2) + (1.0 - lost) * b[0] ** 2 * k
    return np.array(R), np.array(value)


def weights(a, b):
    return Weights(np.array(a), np.array(b), np.empty(0))


def example(N, T=90, seed=0):
    z = punch(np.random.default_rng(seed).standard_normal((T, N)), "random", seed)
    z[10], z[30] = np.nan, 1.0
    return z, np.full((N, N), 0.4) + 0.6 * np.eye(N)


@pytest.fixture(scope="module")
def panel():
    y = punch(twins.simulate_dcc(900, 4, seed=5), "random")
    y[:250, 0] = y[600:, 3] = np.nan
    return pd.DataFrame(y, columns=list("ABCD"), index=pd.date_range("2015-01-01", periods=len(y)))


@pytest.fixture(scope="module")
def res(panel):
    return ds.DCC().fit(panel)


@pytest.mark.parametrize(("a", "b"), ORDERS)
def test_path_and_likelihood_equal_the_twin(a, b):
    for N in (2, 3, 7):
        z, S = example(N)
        R, value = ragged_twin(z, S, a, b)
        found = ragged_pass(z, S, weights(a, b))
        # The same sums in another order.
        np.testing.assert_allclose(found.value, value, rtol=1e-11, atol=1e-12)
        m = max(len(a), len(b))
        q = np.concatenate([unpack(p[0, m:], N) for p in ragged_walk(z, S, weights(a, b), 16)])[: len(z)]
        scale = np.sqrt(np.diagonal(q, axis1=1, axis2=2))
        np.testing.assert_allclose(q / (scale[:, :, None] * scale[:, None, :]), R, atol=1e-12)


@pytest.mark.parametrize(("a", "b"), ORDERS)
def test_derivatives_equal_differences(a, b, monkeypatch):
    for N in (2, 5):
        z, S = example(N, T=40, seed=1)
        # Derivatives hold what the others explain of an asset.
        monkeypatch.setattr(ragged, "explained", lambda target, N=N: np.full(N, 0.1))
        scores, in_z, in_target = ragged_slopes(z, S, weights(a, b))

        def value(z, S, a, b):
            return ragged_pass(z, S, weights(a, b), scores=False).value

        psi = np.array([*a, *b])
        for k in range(len(psi)):
            up, down = (np.split(psi + s * np.eye(len(psi))[k], [len(a)]) for s in (1e-6, -1e-6))
            np.testing.assert_allclose(scores[:, k], (value(z, S, *up) - value(z, S, *down)) / 2e-6, atol=1e-7)
        for t in range(0, 40, 7):
            for i in np.flatnonzero(np.isfinite(z[t])):
                up, down = z.copy(), z.copy()
                up[t, i], down[t, i] = z[t, i] + 1e-6, z[t, i] - 1e-6
                slope = (value(up, S, a, b) - value(down, S, a, b)).sum() / 2e-6 + z[t, i]
                np.testing.assert_allclose(in_z[t, i], slope, atol=1e-6)
        assert (in_z[np.isnan(z)] == 0.0).all()
        move = np.tril(np.random.default_rng(2).standard_normal((N, N)), -1)
        move = 1e-6 * (move + move.T)
        slope = (value(z, S + move, a, b) - value(z, S - move, a, b)).sum() / 2.0
        np.testing.assert_allclose((in_target * move).sum(), slope, atol=1e-10)


@pytest.mark.parametrize("order", [(1, 1), (2, 1)])
def test_without_holes_it_is_dcc(order):
    y = twins.simulate_dcc(400, 5, seed=3)
    spec = ds.DCC(order=order)
    fit = spec.fit(y)
    z, psi = fit.std_resid.to_numpy(), fit.params.to_numpy()[-sum(order) :]
    value, scores = likelihood(spec, z, fit.target, fit.target, psi)[:2]
    found = ragged_pass(z, fit.target, spec.weights(psi))
    np.testing.assert_allclose(found.value + 0.5 * (z**2).sum(axis=1), value, atol=1e-10)
    np.testing.assert_allclose(found.one.scores, scores, atol=1e-10)
    again = fit_ragged(spec, fit.margins)
    np.testing.assert_allclose(again.params, fit.params, atol=1e-10)
    assert again.loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-8)
    np.testing.assert_allclose(again.correlation, fit.correlation, atol=1e-10)
    # Both differentiate exact gradients in steps of about 1e-7.
    np.testing.assert_allclose(again.std_errors, fit.std_errors, rtol=1e-5)
    np.testing.assert_allclose(again.forecast(5).covariance, fit.forecast(5).covariance, rtol=1e-9)


def test_rows_and_assets_without_a_value_change_nothing():
    y = twins.simulate_dcc(500, 3, seed=8)
    fit = ds.DCC().fit(y)
    table = pd.DataFrame(y, columns=list("ABC"))
    table["new"] = np.nan
    table.loc[100:104, "new"] = [1.0, 2.0, -1.0, 0.5, 0.3]
    more = ds.DCC().fit(table)
    # The search is the same; sums run over one more asset.
    np.testing.assert_allclose(more.params[["a1", "b1"]], fit.params[["a1", "b1"]], rtol=1e-7)
    np.testing.assert_allclose(more.std_errors[["a1", "b1"]], fit.std_errors[["a1", "b1"]], rtol=1e-5)
    assert more.loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-6)
    assert more.converged
    assert more.margins.status.loc["new", "reason"] != ""
    assert any("new" in note for note in more.notes)
    assert more.params.filter(like="new.").isna().all()
    np.testing.assert_allclose(more.last.iloc[:3, :3], fit.last, atol=1e-9)
    assert more.last["new"].isna().all()
    np.testing.assert_allclose(more.average_correlation, fit.average_correlation, atol=1e-9)
    holed = punch(y, "random")
    few = ds.DCC(margins=None).fit(holed)
    more = ds.DCC(margins=None).fit(np.column_stack([holed, np.full(500, np.nan)]))
    np.testing.assert_allclose(more.params, few.params, rtol=1e-6)
    longer = fit.filter(np.vstack([y, np.full((40, 3), np.nan)]))
    assert longer.loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-8)
    np.testing.assert_allclose(longer.correlation[:500], fit.correlation, atol=1e-12)
    assert fit.filter(np.full((1, 3), np.nan)).loglikelihood == 0.0


def test_unit_location_and_column_order_do_not_matter(panel, res):
    order = ["C", "A", "D", "B"]
    for other in (ds.DCC().fit(panel / 100.0 + 1.0), ds.DCC().fit(panel[order])):
        # Rounding of the shifted data, about 1e-14 relative, and of sums in another order, through two searches.
        np.testing.assert_allclose(other.params[["a1", "b1"]], res.params[["a1", "b1"]], atol=1e-8)
        np.testing.assert_allclose(other.std_errors[["a1", "b1"]], res.std_errors[["a1", "b1"]], rtol=1e-5)
        np.testing.assert_allclose(other.last.loc[order, order], res.last.loc[order, order], atol=1e-8)


def test_filter_is_the_fit_on_its_data_and_sees_no_future(panel, res):
    again = res.filter(panel)
    np.testing.assert_allclose(again.correlation, res.correlation, atol=1e-13)
    assert again.loglikelihood == pytest.approx(res.loglikelihood, abs=1e-8)
    pd.testing.assert_series_equal(again.std_errors, res.std_errors)
    disturbed, jolted, emptied = panel.copy(), panel.copy(), panel.copy()
    disturbed.iloc[501:] = disturbed.iloc[501:].sample(frac=1.0, random_state=0).to_numpy() * 5.0
    jolted.iloc[500] *= 10.0
    emptied.iloc[501:] = np.nan
    for new in (panel.iloc[:501], disturbed, jolted, emptied):
        np.testing.assert_array_equal(res.filter(new).correlation[:501], again.correlation[:501])
    np.testing.assert_array_equal(res.filter(jolted).correlation[500], again.correlation[500])


def test_assets_are_alive_from_their_listing_until_they_are_long_silent(panel, res):
    path = res.correlation
    listed = panel["A"].first_valid_index()
    gone = panel.index.get_loc(panel["D"].last_valid_index()) + 30
    there = res.pair("A", "B").notna()
    assert there[listed:].all()
    assert not there[:listed].iloc[:-1].any()
    assert np.isfinite(path[gone - 1, 3]).any()
    assert np.isnan(path[gone:, 3]).all()
    np.testing.assert_array_equal(res.pair("B", "D"), path[:, 1, 3])
    np.testing.assert_array_equal(np.array([m for _, m in res.iter()]), path)
    np.testing.assert_array_equal(res.last, path[-1])
    off = path[:, *np.tril_indices(4, -1)]
    pair = np.isfinite(off).any(axis=1)
    np.testing.assert_allclose(res.average_correlation[pair], np.nanmean(off[pair], axis=1), atol=1e-12)
    assert res.average_correlation[~pair].isna().all()
    groups = res.average({"A": "x", "B": "x", "C": "y", "D": "y"})
    np.testing.assert_allclose(groups["x"], path[:, 0, 1], atol=1e-14)
    between = path[:, :2, 2:].reshape(len(path), 4)
    some = np.isfinite(between).any(axis=1)
    np.testing.assert_allclose(groups["x, y"][some], np.nanmean(between[some], axis=1), atol=1e-12)
    share = res.eigenvalue_share(every=10)
    assert share.iloc[-1] == pytest.approx(np.linalg.eigvalsh(path[890, :3, :3])[-1] / 3.0)
    risk, both = res.portfolio_volatility({"B": 0.5, "C": 0.5}), res.covariance[:, 1:3, 1:3].sum(axis=(1, 2))
    np.testing.assert_allclose(risk, 0.5 * np.sqrt(both), rtol=1e-12)
    assert res.portfolio_volatility({"D": 1.0})[gone:].isna().all()
    ahead = res.forecast(4, method="r").correlation
    assert np.isnan(ahead[:, 3]).all()
    assert np.isfinite(ahead[:, :3, :3]).all()
    assert np.isfinite(res.simulate(20).to_numpy()).all()


def test_forecast_starts_with_the_next_filtered_matrix(panel, res):
    longer = pd.concat([panel, panel.iloc[-1:].set_axis([panel.index[-1] + pd.Timedelta(days=1)])])
    ahead, new = res.forecast(3), res.filter(longer)
    np.testing.assert_allclose(ahead.correlation[0, :3, :3], new.correlation[-1, :3, :3], rtol=1e-10)


def test_cross_derivatives_equal_differences_of_the_whole_pipeline(panel, monkeypatch):
    """Perturb a margin parameter, remake residuals and target, difference the exact scores."""
    spec = ds.DCC()
    margins = spec.margins.fit(panel.iloc[200:600, :3])
    psi = np.array([0.05, 0.9])
    S = pairwise_target(margins.std_resid_values, margins.columns)
    monkeypatch.setattr(ragged, "explained", lambda target: np.array([0.1, 0.2, 0.3]))
    _, cross, inner, _ = ragged_moments(spec, margins, S.matrix, psi)

    def mean_score(moved, at):
        z = moved.std_resid_values
        return ragged_pass(z, pairwise_target(z, "ABC").matrix, spec.weights(at)).one.scores.mean(axis=0)

    for series in range(3):
        for k in range(4):
            ends = []
            for sign in (1.0, -1.0):
                fit = margins.fits[series]
                theta = fit.theta + sign * 1e-5 * np.eye(4)[k]
                fits = tuple(dataclasses.replace(f, theta=theta) if f is fit else f for f in margins.fits)
                ends.append(mean_score(dataclasses.replace(margins, fits=fits), psi))
            # Differences of exact scores over 2e-5 carry an error of about 1e-6 of their size.
            np.testing.assert_allclose(cross[:, series * 4 + k], (ends[0] - ends[1]) / 2e-5, rtol=2e-4, atol=2e-5)
    for k in range(2):
        step = np.eye(2)[k] * 1e-5
        slope = (mean_score(margins, psi + step) - mean_score(margins, psi - step)) / 2e-5
        np.testing.assert_allclose(inner[k], slope, rtol=1e-3, atol=1e-3 * np.abs(inner).max())


@pytest.mark.parametrize("kind", ["random", "listings", "blocks"])
def test_hostile_holes_converge(kind):
    rng = np.random.default_rng(7)
    for T in (80, 400):
        z = np.where(rng.random((T, 3)) < 0.4, 0.0, rng.standard_t(3, (T, 3)))
        z[T // 2] = 50.0
        fit = ds.DCC(margins=None).fit(punch(z, kind))
        assert fit.converged, fit.notes
        assert np.linalg.eigvalsh(fit.target)[0] > 0.0
        if fit.std_errors.isna().any():
            assert len(fit.notes) > 1


def test_bad_input_is_a_sentence(panel, res):
    spoiled = panel.copy()
    spoiled.iloc[7, 1] = np.inf
    with pytest.raises(DataError, match=r"infinite.*column B"):
        ds.DCC().fit(spoiled)
    with pytest.raises(DataError, match="infinite"):
        res.filter(spoiled)
    with pytest.raises(DataError, match="one asset"):
        ds.DCC().fit(panel[["B"]].dropna())
    with pytest.raises(DataError, match="two assets or more are seen"):
        ds.DCC().fit(panel[["B", "C"]].assign(C=panel["C"].where(panel["B"].isna())))
    with pytest.raises(DataError, match="'B' and 'E' carry the same series"):
        ds.DCC().fit(panel.assign(E=2.0 * panel["B"]))
    with pytest.raises(DataError, match="columns"):
        res.filter(panel[["A", "B", "C"]])
    for spec in (ds.CDCC(margins=None), ds.DCC(convention="rmgarch", margins=None), ds.DECO(margins=None)):
        with pytest.raises(DataError, match="missing"):
            spec.fit(panel)
    filled = panel.fillna(0.1)
    for spec in (ds.CDCC(margins=None), ds.DCC(convention="rmgarch", margins=None), ds.DECO(margins=None)):
        with pytest.raises(DataError, match=r"missing values and \w+ needs complete rows; .* use DCC"):
            spec.fit(filled).filter(panel)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "listings", "blocks"])
def test_estimates_and_intervals_with_30_percent_missing(kind):
    """Thirty samples: the standard error of a coverage of 0.95 is 0.04, that of a mean of a about 0.003."""
    truth = pd.Series({"a1": 0.05, "b1": 0.90, "0.alpha1": 0.08})
    hits, estimates = [], []
    for seed in range(30):
        y = punch(twins.simulate_dcc(1500, 3, seed=2000 + seed), kind, seed)
        fit = ds.DCC(margins=ds.GARCH(mean="zero")).fit(y)
        bounds = fit.conf_int().loc[truth.index]
        hits.append((bounds["lower"] <= truth) & (truth <= bounds["upper"]))
        estimates.append(fit.params[truth.index])
    coverage, off = pd.DataFrame(hits).mean(), pd.DataFrame(estimates).mean() - truth
    assert (coverage >= 0.8).all(), coverage.to_dict()
    assert abs(off["a1"]) < 0.008, off.to_dict()
    assert -0.04 < off["b1"] < 0.005, off.to_dict()
