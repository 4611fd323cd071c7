"""Targets and conventions: first matrices by hand, exact derivatives, shrinkage, a matrix of one's own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.dcc.search import correlation_moments, likelihood
from drainstats.models.coliquidity.dcc.targets import CONVENTIONS
from tests.models.coliquidity import twins

A, B, G = 0.06, 0.9, 0.05


def by_hand(convention, z, g):
    """(S, N), the first two Q as they are reported, Q[1] as the search takes it, written down case by case."""
    T = len(z)
    n = np.minimum(z, 0.0)
    product, falls = z.T @ z / T, n.T @ n / T
    if convention in ("engle", "mfe"):
        S, N = product / np.sqrt(np.outer(np.diag(product), np.diag(product))), falls
    elif convention == "multiarch":
        S, N = product, falls
    else:
        S, N = np.cov(z.T), np.cov(n.T)
    weights = 0.06 * 0.94 ** np.arange(int(np.sqrt(T)) + 1)
    weights /= weights.sum()
    cast = sum(w * np.outer(row, row) for w, row in zip(weights, z, strict=False))
    cast_falls = sum(w * np.outer(row, row) for w, row in zip(weights, n, strict=False))
    ones, zeros = np.ones_like(S), np.zeros_like(S)
    early = {
        "engle": (S, N, S),
        "multiarch": (S, N, S),
        "multiarch_tsmarch": (S, N, S),
        "mfe": (cast, cast_falls, cast),
        "tsmarch": (zeros, zeros, S),
        "multiarch_rmgarch": (ones, ones, S),
        "rmgarch": (ones, ones, S),
    }[convention]
    rest = (1.0 - A - B) * S - g * N
    first = rest + A * early[0] + B * early[2] + g * early[1]
    searched = rest + B * S if convention == "rmgarch" else first
    second = rest + A * np.outer(z[0], z[0]) + B * first + g * np.outer(n[0], n[0])
    return (S, N), (first, second), searched


@pytest.fixture(scope="module")
def z():
    rng = np.random.default_rng(3)
    return rng.standard_normal((150, 3)) @ np.linalg.cholesky(0.6 * np.eye(3) + 0.4).T + 0.05


@pytest.fixture(scope="module")
def panel():
    return pd.DataFrame(twins.simulate_dcc(500, 3, seed=5), columns=list("ABC"))


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("model", [ds.DCC, ds.ADCC])
def test_conventions_by_hand(z, convention, model):
    """Target, R[1] and R[2] as reported, and the first term of the likelihood that is maximised."""
    g = G if model is ds.ADCC else 0.0
    (S, N), Q, searched = by_hand(convention, z, g)
    spec = model(margins=None, convention=convention)
    psi = np.array([A, B, G] if g else [A, B])
    target = spec.target_at(z, psi)
    np.testing.assert_allclose(target, np.array([S, N]) if g else S, atol=1e-14)
    fit = spec.fit(z)
    held = dataclasses.replace(fit, params=pd.Series(psi, index=fit.params.index))
    np.testing.assert_allclose(held.correlation[:2], to_correlation(np.array(Q)), atol=1e-13)
    np.testing.assert_allclose(held.filter(z[:40]).correlation, held.correlation[:40], atol=1e-13)
    R = to_correlation(searched)
    expected = -0.5 * (np.linalg.slogdet(R)[1] + z[0] @ np.linalg.solve(R, z[0]) - z[0] @ z[0])
    first = likelihood(spec, z, target, spec.before(z, target, False), psi)[0][0]
    assert first == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("convention", [c for c in CONVENTIONS if c not in ("engle", "rmgarch")])
def test_derivatives_run_through_target_and_pre_sample(panel, convention):
    """Perturb a margin parameter, remake residuals, target and pre-sample, difference the exact scores."""
    spec = ds.DCC(convention=convention)
    margins = spec.margins.fit(panel)
    psi = np.array([0.05, 0.9])
    cross = correlation_moments(spec, margins, spec.target_at(margins.std_resid_values, psi), psi)[1]
    ends = []
    for sign in (1.0, -1.0):
        fit = margins.fits[1]
        theta = fit.theta + sign * 1e-5 * np.eye(4)[1]
        params = margins.params.copy()
        params.iloc[4:8] = theta * fit.units + fit.offset
        fits = (margins.fits[0], dataclasses.replace(fit, theta=theta), margins.fits[2])
        x = dataclasses.replace(margins, fits=fits, params=params).std_resid_values
        target = spec.target_at(x, psi)
        ends.append(likelihood(spec, x, target, spec.before(x, target, True), psi)[1].mean(axis=0))
    np.testing.assert_allclose(cross[:, 5], (ends[0] - ends[1]) / 2e-5, rtol=2e-4, atol=2e-5)


def test_auto_is_the_sample_until_assets_crowd_the_rows(panel):
    sample = ds.DCC(target="sample").fit(panel)
    auto = ds.DCC().fit(panel)
    np.testing.assert_array_equal(auto.target, sample.target)
    assert auto.notes == sample.notes
    y = np.random.default_rng(0).standard_normal((100, 12))
    crowded = ds.DCC(margins=None).fit(y)
    assert any(note.startswith("target shrunk, nonlinear (N/T = 0.12)") for note in crowded.notes)
    expected = ds.shrink_correlation(crowded.std_resid.to_numpy()).correlation
    np.testing.assert_allclose(crowded.target, expected, atol=1e-14)


@pytest.mark.parametrize(("model", "target"), [(ds.DCC, "linear"), (ds.ADCC, "nonlinear"), (ds.CDCC, "nonlinear")])
def test_more_assets_than_rows(model, target):
    """Shrunk targets fit, give errors and forecasts; S stays positive definite and its diagonal that of the sample."""
    y = np.random.default_rng(1).standard_normal((24, 30))
    fit = model(margins=None, target=target).fit(y)
    S = fit.target.reshape(-1, 30, 30)[0]
    assert np.linalg.eigvalsh(S)[0] > 0.05
    np.testing.assert_allclose(np.diag(S), 1.0, atol=1e-12)
    assert fit.converged, fit.notes
    assert "hold it fixed" in " ".join(fit.notes)
    assert np.isfinite(fit.last.to_numpy()).all()
    assert len(fit.std_errors) == len(fit.params)
    assert fit.forecast(2).correlation.shape == (2, 30, 30)


def test_rmgarch_keeps_its_scale_under_shrinkage(panel):
    fit = ds.DCC(convention="rmgarch", target="linear").fit(panel)
    np.testing.assert_allclose(np.diag(fit.target), fit.std_resid.var(ddof=1), rtol=1e-12)


@pytest.mark.parametrize("model", [ds.DCC, ds.ADCC, ds.CDCC])
def test_a_given_target_is_used_and_held(panel, model):
    S = np.array([[1.0, 0.3, 0.2], [0.3, 1.0, 0.1], [0.2, 0.1, 1.0]])
    spec = model(target=S)
    fit = spec.fit(panel)
    np.testing.assert_array_equal(fit.target.reshape(-1, 3, 3)[0], S)
    assert any("caller's" in note for note in fit.notes)
    assert fit.std_errors[["a1", "b1"]].gt(0.0).all()
    assert spec == model(target=S.copy())
    assert hash(spec) == hash(model(target=S.copy()))
    assert spec != model(target=S + 0.1 * np.eye(3))
    assert "<3 x 3 matrix>" in repr(spec)
    with pytest.raises(DataError, match="3 x 3 and y has 2 assets"):
        spec.fit(panel[["A", "B"]])


def test_bad_targets_are_a_sentence(panel):
    indefinite = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    with pytest.raises(OptionError, match=r"not positive definite.*shrink"):
        ds.DCC(target=indefinite)
    with pytest.raises(OptionError, match="not symmetric"):
        ds.DCC(target=np.array([[1.0, 0.2], [0.3, 1.0]]))
    for bad in (np.ones(3), [[1.0, np.nan], [np.nan, 1.0]], np.ones((2, 3))):
        with pytest.raises(OptionError, match="square matrix"):
            ds.DCC(target=bad)
    with pytest.raises(OptionError, match="table of numbers"):
        ds.DCC(target=[["a"]])
    with pytest.raises(OptionError, match="'auto', 'sample', 'linear', 'nonlinear'"):
        ds.DCC(target="shrunk")
    with pytest.raises(DataError, match="30 rows for 40 assets"):
        ds.DCC(target="sample", margins=None).fit(np.random.default_rng(0).standard_normal((30, 40)))
    doubled = np.random.default_rng(0).standard_normal((60, 39))
    with pytest.raises(DataError, match="carry the same series"):
        ds.DCC(margins=None).fit(np.column_stack([doubled, doubled[:, 0]]))
