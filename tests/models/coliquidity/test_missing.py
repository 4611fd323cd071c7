"""Targets from pairs, who is alive, and CCC on panels with holes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import drainstats as ds
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.missing import SILENT, alive, pairwise_target
from tests.models.coliquidity import twins
from tests.models.coliquidity.test_ragged import punch


def residuals(N=4, T=400, seed=0, kind="random"):
    root = np.linalg.cholesky(np.full((N, N), 0.5) + 0.5 * np.eye(N))
    return punch(np.random.default_rng(seed).standard_normal((T, N)) @ root.T, kind, seed)


def staggered(seed=3):
    """A and B are never seen together; C and D are seen with both."""
    z = residuals(seed=seed)
    z[:180, 0] = z[180:, 1] = np.nan
    return z


def test_without_holes_the_target_is_the_scaled_second_moment():
    z = residuals(kind="none")
    found = pairwise_target(z, range(4))
    np.testing.assert_allclose(found.matrix, to_correlation(z.T @ z / len(z)), atol=1e-14)
    assert found.notes == ()


def test_a_pair_stands_on_its_common_rows():
    z = residuals()
    found = pairwise_target(z, range(4))
    both = z[np.isfinite(z[:, [0, 2]]).all(axis=1)][:, [0, 2]]
    np.testing.assert_allclose(found.matrix[0, 2], to_correlation(both.T @ both)[0, 1], atol=1e-14)


def test_a_pair_never_seen_together_gets_what_the_others_imply():
    z = staggered()
    found = pairwise_target(z, list("ABCD"))
    S = found.matrix
    expected = S[0, 2:] @ np.linalg.solve(S[2:, 2:], S[2:, 1])
    assert S[0, 1] == pytest.approx(expected, abs=1e-14)
    # A and B are uncorrelated given C and D.
    assert np.linalg.inv(S)[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert any("first A and B, 0 rows" in note and "the 2 assets" in note for note in found.notes)
    z[:, 2:] = np.nan
    alone = pairwise_target(z, list("ABCD"))
    np.testing.assert_array_equal(alone.matrix, np.eye(4))
    assert len(alone.notes) == 4


def test_pairs_that_contradict_each_other_are_shrunk():
    """Three blocks of time in which another pair is seen: correlations 0.9, 0.9 and -0.9 fit no three series."""
    rng = np.random.default_rng(0)
    z = np.full((900, 3), np.nan)
    for block, (i, j, sign) in enumerate([(0, 1, 1.0), (1, 2, 1.0), (0, 2, -1.0)]):
        x = rng.standard_normal(300)
        rows = slice(300 * block, 300 * block + 300)
        z[rows, i], z[rows, j] = x, sign * 0.9 * x + np.sqrt(0.19) * rng.standard_normal(300)
    found = pairwise_target(z, range(3))
    assert np.linalg.eigvalsh(found.raw)[0] < -0.5
    assert np.linalg.eigvalsh(found.matrix)[0] == pytest.approx(0.01, abs=1e-12)
    np.testing.assert_array_equal(np.diag(found.matrix), 1.0)
    assert any("shrunk" in note for note in found.notes)
    fit = ds.DCC(margins=None).fit(z)
    assert fit.converged
    assert any("shrunk" in note for note in fit.notes)


@pytest.mark.parametrize("case", ["complete", "random", "staggered"])
def test_derivative_of_the_target_equals_differences(case):
    z = staggered() if case == "staggered" else residuals(kind=case)
    found, slope = pairwise_target(z, range(4)), np.random.default_rng(1).standard_normal((4, 4))
    slope = slope + slope.T
    pulled = found.pull(z, slope)
    assert (pulled[np.isnan(z)] == 0.0).all()
    for t in range(0, 400, 41):
        for i in np.flatnonzero(np.isfinite(z[t])):
            ends = []
            for step in (1e-5, -1e-5):
                moved = z.copy()
                moved[t, i] += step
                ends.append((pairwise_target(moved, range(4)).matrix * slope).sum())
            np.testing.assert_allclose(pulled[t, i], (ends[0] - ends[1]) / 2e-5, atol=1e-8)


def test_alive_needs_a_recent_observation():
    seen = np.zeros((100, 3), dtype=bool)
    seen[10, 0] = seen[[0, 99], 1] = True
    there = alive(seen)
    assert list(np.flatnonzero(there[:, 0])) == list(range(10, 10 + SILENT))
    assert list(np.flatnonzero(there[:, 1])) == [*range(SILENT), 99]
    assert not there[:, 2].any()


def test_ccc_pairs_are_those_of_their_common_rows():
    """Estimate and standard error of a pair do not need the other assets."""
    z = pd.DataFrame(residuals(), columns=list("ABCD"))
    fit = ds.CCC(margins=None).fit(z)
    alone = ds.CCC(margins=None).fit(z[["A", "C"]].dropna())
    assert fit.params["corr(A, C)"] == pytest.approx(alone.params.iloc[0], abs=1e-12)
    assert fit.std_errors["corr(A, C)"] == pytest.approx(alone.std_errors.iloc[0], rel=1e-10)
    expected = sum(
        stats.multivariate_normal.logpdf(row[s], cov=fit.constant[np.ix_(s, s)])
        for row in z.to_numpy()
        if (s := np.isfinite(row)).any()
    )
    assert fit.loglikelihood == pytest.approx(expected, abs=1e-8)
    assert fit.filter(z).loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-10)
    assert fit.correlation.shape == (400, 4, 4)


def test_ccc_on_margins_with_gaps():
    y = pd.DataFrame(punch(twins.simulate_dcc(800, 3, seed=4), "blocks"), columns=list("ABC"))
    y["D"] = np.nan
    y.loc[:4, "D"] = [1.0, -1.0, 2.0, 0.0, 1.0]
    fit = ds.CCC().fit(y)
    named = [f"corr({i}, {j})" for i, j in ("AB", "AC", "BC")]
    assert (fit.std_errors[named] > 0.0).all()
    assert fit.std_errors[named].max() < 0.1
    assert fit.std_errors[["corr(A, D)", "D.omega"]].isna().all()
    assert fit.last["D"].isna().all()
    assert fit.average_correlation.iloc[0] == pytest.approx(fit.params[named].mean())
    assert fit.converged
    assert fit.simulate(10)[["A", "B", "C"]].notna().all(axis=None)
    scaled = ds.CCC().fit(y / 100.0 + 1.0)
    np.testing.assert_allclose(scaled.params[named], fit.params[named], atol=1e-8)
    np.testing.assert_allclose(scaled.std_errors[named], fit.std_errors[named], rtol=1e-5)


def test_ccc_pairs_not_seen_together_have_no_error():
    fit = ds.CCC(margins=None).fit(pd.DataFrame(staggered(), columns=list("ABCD")))
    assert np.isnan(fit.std_errors["corr(A, B)"])
    assert fit.std_errors.drop("corr(A, B)").notna().all()
    assert any("A and B" in note for note in fit.notes)


def test_bootstrap_samples_have_the_holes_of_the_data(monkeypatch):
    """A bias that the holes make is then part of the sampling law, and the basic interval takes it out."""
    z = pd.DataFrame(residuals(N=2), columns=["A", "B"])
    fit, seen, original = ds.DCC(margins=None).fit(z), [], ds.DCC.fit
    monkeypatch.setattr(ds.DCC, "fit", lambda spec, y: (seen.append(y.isna()), original(spec, y))[1])
    found = ds.bootstrap(fit, draws=2)
    assert found.params.notna().all(axis=None)
    for holes in seen:
        np.testing.assert_array_equal(holes, z.isna())
