"""Shrinkage: scikit-learn, slow twins, risk on known spectra, rotation, more assets than rows, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import drainstats as ds
from drainstats.errors import DataError, OptionError
from drainstats.models.coliquidity import shrinkage
from drainstats.models.coliquidity.correlation import to_correlation

METHODS = shrinkage.METHODS


def _draw(T, values, seed):
    """Residuals with these eigenvalues of the covariance, in random directions."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
    return rng.standard_normal((T, len(values))) * np.sqrt(values) @ axes.T, axes


def _scaled(z):
    return z / np.sqrt((z**2).mean(axis=0))


@pytest.mark.parametrize(("T", "N"), [(300, 20), (60, 40), (30, 80)])
def test_identity_equals_scikit_learn(T, N):
    from sklearn.covariance import ledoit_wolf

    z = _draw(T, np.linspace(0.3, 3.0, N), seed=T)[0]
    theirs, weight = ledoit_wolf(_scaled(z), assume_centered=True)
    found = ds.shrink_correlation(z, "identity")
    assert found.intensity == pytest.approx(weight, rel=1e-10)
    np.testing.assert_allclose(found.correlation, to_correlation(theirs), atol=1e-12)


def test_constant_correlation_equals_loops():
    z = _scaled(_draw(60, np.linspace(0.2, 4.0, 7), seed=3)[0])
    T, N = z.shape
    S = z.T @ z / T
    r = np.mean([S[i, j] / np.sqrt(S[i, i] * S[j, j]) for i in range(N) for j in range(N) if i != j])
    F = np.array([[S[i, i] if i == j else r * np.sqrt(S[i, i] * S[j, j]) for j in range(N)] for i in range(N)])
    pi = rho = 0.0
    for i in range(N):
        for j in range(N):
            own = np.mean((z[:, i] * z[:, j] - S[i, j]) ** 2)
            pi += own
            if i == j:
                rho += own
                continue
            first = np.mean((z[:, i] ** 2 - S[i, i]) * (z[:, i] * z[:, j] - S[i, j]))
            second = np.mean((z[:, j] ** 2 - S[j, j]) * (z[:, i] * z[:, j] - S[i, j]))
            rho += r / 2 * (np.sqrt(S[j, j] / S[i, i]) * first + np.sqrt(S[i, i] / S[j, j]) * second)
    weight = min(max((pi - rho) / ((F - S) ** 2).sum() / T, 0.0), 1.0)
    assert 0.0 < weight < 1.0
    found = ds.shrink_correlation(z, "constant_correlation")
    assert found.intensity == pytest.approx(weight, rel=1e-9)
    np.testing.assert_allclose(found.correlation, to_correlation((1 - weight) * S + weight * F), atol=1e-12)


def _principal_value(x, centre, width):
    """Hilbert transform at x of the Epanechnikov kernel on [-sqrt 5, sqrt 5], by quadrature about the pole."""

    def kernel(v):
        return 0.75 / np.sqrt(5.0) * max(1.0 - v**2 / 5.0, 0.0)

    at, far = (x - centre) / width, np.sqrt(5.0)
    # The odd part about the pole leaves a bounded integrand.
    edges = sorted({0.0, abs(at - far), abs(at + far)})
    total = sum(
        quad(lambda h: (kernel(at + h) - kernel(at - h)) / h, low, high, limit=200)[0]
        for low, high in itertools.pairwise(edges)
    )
    return total / (np.pi * width)


@pytest.mark.parametrize(("T", "N"), [(120, 15), (20, 35)])
def test_nonlinear_equals_the_integrals(T, N):
    """Kernel density and Hilbert transform by quadrature, one eigenvalue at a time (Ledoit and Wolf, 2020)."""
    values = np.linalg.eigvalsh(np.cov(_draw(T, np.linspace(0.2, 5.0, N), seed=N)[0].T, bias=True) + 0.0)
    values = np.sort(np.concatenate([np.zeros(max(0, N - T)), values[max(0, N - T) :]]))
    seen, c, h = values[max(0, N - T) :], N / T, T ** (-1 / 3)
    if N > T:
        seen = seen.copy()
        seen[0] = values[N - T] = max(seen[0], 0.05)  # the matrix above was centred, which costs one rank

    def density(x):
        return np.mean([0.75 / np.sqrt(5) * max(1 - ((x - l) / (h * l)) ** 2 / 5, 0) / (h * l) for l in seen])

    def hilbert(x):
        return np.mean([_principal_value(x, l, h * l) for l in seen])

    if N <= T:
        expected = [l / ((np.pi * c * l * density(l)) ** 2 + (1 - c - np.pi * c * l * hilbert(l)) ** 2) for l in seen]
    else:
        expected = [1 / (np.pi * (c - 1) * hilbert(0.0))] * (N - T)
        expected += [l / (np.pi**2 * l**2 * (density(l) ** 2 + hilbert(l) ** 2)) for l in seen]
    np.testing.assert_allclose(shrinkage.nonlinear_eigenvalues(values, T), expected, rtol=1e-6)


@pytest.mark.parametrize(("T", "N"), [(400, 100), (100, 200)])
def test_nonlinear_comes_near_the_oracle_and_beats_the_others(T, N):
    """Spectrum of a fifth 1, two fifths 3 and two fifths 10, as in Ledoit and Wolf (2020): squared error per asset."""
    truth = np.repeat([1.0, 3.0, 3.0, 10.0, 10.0], N // 5)
    losses = np.zeros(4)
    for seed in range(6):
        z, axes = _draw(T, truth, seed)
        sigma = axes * truth @ axes.T
        S = z.T @ z / T
        vectors = np.linalg.eigh(S)[1]
        oracle = np.einsum("ij,ik,kj->j", vectors, sigma, vectors)
        best = vectors * oracle @ vectors.T
        tried = S, shrinkage._to_identity(z)[0], shrinkage._nonlinear(z)[0], best
        losses += [((m - sigma) ** 2).sum() / N for m in tried]
    sample, linear, nonlinear, oracle = losses
    assert nonlinear < linear < sample
    # No estimator with these eigenvectors does better than the oracle; the gain over the sample is nearly all there.
    assert 1.0 <= nonlinear / oracle < 1.08
    assert (sample - nonlinear) / (sample - oracle) > 0.95


def test_rotation_goes_through():
    """Nonlinear and identity shrinkage know no directions."""
    z, axes = _draw(90, np.linspace(0.5, 4.0, 30), seed=1)
    for method in (shrinkage._nonlinear, shrinkage._to_identity):
        base, first = method(z)
        turned, second = method(z @ axes)
        np.testing.assert_allclose(turned, axes.T @ base @ axes, atol=1e-10)
        assert first == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_correlation_comes_out_at_every_shape(method):
    rng = np.random.default_rng(5)
    for T, N in ((500, 3), (60, 60), (40, 150), (12, 30)):
        z = pd.DataFrame(rng.standard_t(4, (T, N)) + rng.standard_normal((T, 1)), columns=[f"a{i}" for i in range(N)])
        found = ds.shrink_correlation(z, method)
        R = found.correlation
        assert list(R.index) == list(R.columns) == list(z.columns)
        np.testing.assert_allclose(np.diag(R), 1.0)
        np.testing.assert_allclose(R, R.T, atol=1e-14)
        assert 0.0 <= found.intensity <= 1.0
        assert np.linalg.eigvalsh(R)[0] > 0.0
        assert method in repr(found)
        np.testing.assert_allclose(ds.shrink_correlation(z * 100.0, method).correlation, R, atol=1e-12)
        swapped = ds.shrink_correlation(z[z.columns[::-1]], method).correlation.loc[R.index, R.index]
        np.testing.assert_allclose(swapped, R, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_many_rows_leave_the_sample(method):
    z = _draw(20_000, np.linspace(0.5, 3.0, 4), seed=2)[0]
    sample = to_correlation(z.T @ z / len(z))
    # The error of a correlation from 20 000 rows is 0.007.
    np.testing.assert_allclose(ds.shrink_correlation(z, method).correlation, sample, atol=0.01)


def test_duplicates_become_positive_definite():
    z = np.random.default_rng(0).standard_normal((200, 4))
    doubled = np.column_stack([z, z[:, 0]])
    for method in ("identity", "nonlinear"):
        assert np.linalg.eigvalsh(ds.shrink_correlation(doubled, method).correlation)[0] > 0.0


def test_bad_input_is_a_sentence():
    z = np.random.default_rng(0).standard_normal((50, 3))
    with pytest.raises(OptionError, match="nonlinear"):
        ds.shrink_correlation(z, "oas")
    with pytest.raises(DataError, match="one asset"):
        ds.shrink_correlation(z[:, :1])
    with pytest.raises(DataError, match="missing"):
        ds.shrink_correlation(np.where(z > 2, np.nan, z))
    with pytest.raises(DataError, match="does not vary"):
        ds.shrink_correlation(np.column_stack([z, np.ones(50)]))
    with pytest.raises(DataError, match="12"):
        ds.shrink_correlation(z[:8])
