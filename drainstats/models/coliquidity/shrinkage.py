"""Shrinkage: what correlation matrix do few rows and many assets support?

    linear:     (1 - w) S + w F, F = identity or constant correlation, w that minimises the expected squared error
    nonlinear:  every eigenvalue of S moves by itself, the eigenvectors stay

Ledoit and Wolf (2004), Journal of Multivariate Analysis 88, 365-411 (identity); Ledoit and Wolf (2003), "Honey, I
shrunk the sample covariance matrix" (constant correlation); Ledoit and Wolf (2020), Annals of Statistics 48, 3043-3065
(nonlinear, with a kernel estimate of the spectral density and of its Hilbert transform).

The residuals are first scaled to unit second moments, S = z'z / T is not centred, and the answer is scaled to a unit
diagonal: the target of a model of correlations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option
from drainstats.models.coliquidity.correlation import to_correlation
from drainstats.models.coliquidity.inputs import complete_rows
from drainstats.typing import FloatArray

METHODS = ("identity", "constant_correlation", "nonlinear")


@dataclass(frozen=True, eq=False)
class ShrunkCorrelation:
    """A shrunk correlation matrix.

    Attributes
    ----------
    correlation : N × N frame with a unit diagonal.
    intensity : float between 0 (sample) and 1. Linear: the weight of F. Nonlinear: the share of the dispersion of the
        sample eigenvalues about their mean that is taken away.
    method : its name.
    nobs : rows used.
    """

    correlation: pd.DataFrame
    intensity: float
    method: str
    nobs: int

    def __repr__(self) -> str:
        lowest = float(np.linalg.eigvalsh(self.correlation.to_numpy())[0])
        return (
            f"<Shrunk correlation, {self.method}: {len(self.correlation)} assets, {self.nobs} rows, "
            f"intensity {self.intensity:.4f}, lowest eigenvalue {lowest:.4g}>"
        )


def shrink_correlation(
    z: Any, method: Literal["identity", "constant_correlation", "nonlinear"] = "nonlinear"
) -> ShrunkCorrelation:
    """Shrink the correlation of standardised residuals; it is positive definite for N > T too.

    Parameters
    ----------
    z : (T, N) table or array
        Standardised residuals, complete rows.
    method : {"identity", "constant_correlation", "nonlinear"}, default "nonlinear"
        "constant_correlation" is only sure to be positive definite when its intensity is not 0.

    Returns
    -------
    ShrunkCorrelation

    Raises
    ------
    DataError
        Missing or infinite values, fewer than 12 rows, one asset, a series that does not vary.

    References
    ----------
    Ledoit and Wolf (2003, 2004, 2020).

    Examples
    --------
    >>> import numpy as np
    >>> z = np.random.default_rng(0).standard_normal((100, 150))
    >>> found = shrink_correlation(z)
    >>> found.correlation.shape, bool(np.linalg.eigvalsh(found.correlation)[0] > 0.5)
    ((150, 150), True)
    """
    check_option("method", method, METHODS)
    wide = complete_rows(z, 12)
    if wide.values.shape[1] < 2:
        raise DataError("z has one asset and a correlation needs two.")
    scaled = wide.values / np.sqrt((wide.values**2).mean(axis=0))
    shrink = {"identity": _to_identity, "constant_correlation": _to_constant_correlation, "nonlinear": _nonlinear}
    matrix, intensity = shrink[method](scaled)
    frame = pd.DataFrame(to_correlation(matrix), index=wide.columns, columns=wide.columns)
    return ShrunkCorrelation(frame, intensity, method, len(scaled))


def _to_identity(z: FloatArray) -> tuple[FloatArray, float]:
    """Shrink second moments (N, N) towards a multiple of the identity."""
    T, N = z.shape
    S = z.T @ z / T
    mean = float(np.trace(S)) / N
    distance = float((S**2).sum()) / N - mean**2
    # Sum over t of ||z z' - S||^2 without the T matrices.
    noise = (float(((z**2).sum(axis=1) ** 2).mean()) - float((S**2).sum())) / (N * T)
    weight = min(noise / distance, 1.0) if distance > 0.0 else 1.0
    return (1.0 - weight) * S + weight * mean * np.eye(N), weight


def _to_constant_correlation(z: FloatArray) -> tuple[FloatArray, float]:
    """Shrink second moments (N, N) towards those with the mean correlation in every pair."""
    T, N = z.shape
    S = z.T @ z / T
    size = np.sqrt(np.diag(S))
    level = (float(to_correlation(S).sum()) - N) / (N * (N - 1))
    F = level * np.outer(size, size)
    np.fill_diagonal(F, np.diag(S))
    square = z**2
    pi = square.T @ square / T - S**2
    # theta_ij: covariance of z_i^2 with z_i z_j.
    theta = (z**3).T @ z / T - np.diag(S)[:, None] * S
    np.fill_diagonal(theta, 0.0)
    rho = float(np.trace(pi)) + level * float((theta * size[None, :] / size[:, None]).sum())
    gamma = float(((F - S) ** 2).sum())
    weight = min(max((float(pi.sum()) - rho) / gamma / T, 0.0), 1.0) if gamma > 1e-14 * N else 1.0
    return (1.0 - weight) * S + weight * F, weight


def _nonlinear(z: FloatArray) -> tuple[FloatArray, float]:
    """Second moments (N, N) with shrunk eigenvalues."""
    T = len(z)
    values, vectors = np.linalg.eigh(z.T @ z / T)
    shrunk = nonlinear_eigenvalues(values, T)
    before, after = values - values.mean(), shrunk - shrunk.mean()
    spread = float(before @ before)
    taken = 1.0 - float(after @ after) / spread if spread > 0.0 else 1.0
    return (vectors * shrunk) @ vectors.T, min(max(taken, 0.0), 1.0)


def nonlinear_eigenvalues(values: FloatArray, rows: int) -> FloatArray:
    """Shrink ascending eigenvalues (N,) of a second moment matrix of ``rows`` rows; returns (N,).

    Ledoit and Wolf (2020), with the Epanechnikov kernel and the bandwidth rows^(-1/3) times the eigenvalue.
    """
    N = len(values)
    c, h = N / rows, rows ** (-1.0 / 3.0)
    lam = values[max(0, N - rows) :]
    lam = np.maximum(lam, 1e-12 * lam[-1])
    root5 = np.sqrt(5.0)
    # Column j is the kernel about eigenvalue j, whose bandwidth is h times that eigenvalue.
    x = (lam[:, None] - lam[None, :]) / (h * lam[None, :])
    density = (0.75 / root5 * np.maximum(1.0 - x**2 / 5.0, 0.0) / (h * lam)).mean(axis=1)
    hilbert = (kernel_hilbert(x) / (np.pi * h * lam)).mean(axis=1)
    if rows >= N:
        return np.asarray(lam / ((np.pi * c * lam * density) ** 2 + (1.0 - c - np.pi * c * lam * hilbert) ** 2))
    at_zero = float(kernel_hilbert(np.array(-1.0 / h))) / h * (1.0 / lam).mean()
    shrunk = 1.0 / (np.pi**2 * lam * (density**2 + hilbert**2))
    return np.concatenate([np.full(N - rows, 1.0 / ((c - 1.0) * at_zero)), shrunk])


def kernel_hilbert(x: FloatArray) -> FloatArray:
    """Principal value of the integral of k(v) / (v - x) for the Epanechnikov kernel k on [-sqrt 5, sqrt 5]."""
    root5 = np.sqrt(5.0)
    gap = np.abs((root5 - x) / (root5 + np.where(x == -root5, 0.0, x)))
    log = np.log(np.where((gap > 0.0) & (x != -root5), gap, 1.0))
    near = -0.3 * x + 0.75 / root5 * (1.0 - x**2 / 5.0) * log
    # Far away the two terms cancel; there the moments of the kernel give the sum.
    far = np.abs(x) > 50.0
    inverse = 1.0 / np.where(far, x, 1.0) ** 2
    series = 1.0 + inverse * (1.0 + inverse * (15.0 / 7.0 + inverse * (125.0 / 21.0)))
    return np.asarray(np.where(far, -series / np.where(far, x, 1.0), near))
