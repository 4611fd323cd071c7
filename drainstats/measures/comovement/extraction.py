"""Asymptotic principal components of panels with holes (Connor and Korajczyk, 1987; Stock and Watson, 2002)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from drainstats.errors import ConvergenceWarning, DataError, SizeError
from drainstats.measures.comovement.components import first_components
from drainstats.typing import FloatArray

Missing = Literal["omega", "em"]
Count = Literal["eigenvalue_ratio", "growth_ratio", "bai_ng"]
COUNTS = ("eigenvalue_ratio", "growth_ratio", "bai_ng")
_ROWS = 10_000
_MOST = 10


@dataclass(frozen=True, slots=True)
class Components:
    """Factors (T, k) of unit variance, NaN in rows without a number; shares of variance, largest first, ten or more."""

    factors: FloatArray
    shares: FloatArray


def components(z: FloatArray, factors: int | Count, missing: Missing, index: pd.Index) -> Components:
    """The first components of (T, N) centred series, as histories.

    Complete: eigenvectors of Z Z′ / N. With holes, "omega" averages each product of two rows over the series that both
    have; "em" fills the holes with what the components say, until that stands still.
    """
    there = np.isfinite(z)
    rows = there.any(axis=1)
    x = z[rows][:, there.any(axis=0)]
    most = min(x.shape) - 1
    if most < 1 or (not isinstance(factors, str) and factors > most):
        raise DataError(
            f"{x.shape[1]} series in {x.shape[0]} rows have {max(most, 0)} components to tell apart; "
            f"n_factors={factors!r} needs more."
        )
    if np.isfinite(x).all():
        found, roots = _complete(x)
        total = roots.sum()
    elif missing == "omega":
        found, roots, total = _omega(x, index[rows], _MOST if isinstance(factors, str) else factors)
    else:
        found, roots = _filled(x, 1 if isinstance(factors, str) else factors)
        total = roots.sum()
    k = number_of_factors(roots, total, x.shape, factors) if isinstance(factors, str) else factors
    out = np.full((len(z), k), np.nan)
    out[rows] = found[:, :k] / found[:, :k].std(axis=0)
    return Components(out, roots / total)


def _complete(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    if x.shape[0] <= x.shape[1]:
        roots, vectors = np.linalg.eigh(x @ x.T / x.shape[1])
        return vectors[:, ::-1], np.maximum(roots[::-1], 0.0)
    roots, vectors = np.linalg.eigh(x.T @ x)
    return x @ vectors[:, ::-1], np.maximum(roots[::-1], 0.0) / x.shape[1]


def _omega(x: FloatArray, index: pd.Index, factors: int) -> tuple[FloatArray, FloatArray, float]:
    if len(x) > _ROWS:
        raise SizeError(f'missing="omega" needs {len(x)} × {len(x)} numbers; take missing="em", or fewer rows.')
    there = np.isfinite(x).astype(np.float64)
    filled = np.where(there > 0, x, 0.0)
    count = there @ there.T
    if not count.all():
        a, b = np.argwhere(count == 0)[0]
        raise DataError(
            f'The rows {index[a]!s} and {index[b]!s} share no series, so missing="omega" knows no product of them; '
            'take missing="em" or a shorter span.'
        )
    omega = filled @ filled.T / count
    # Beyond the number of series, roots are noise that an iteration does not tell apart.
    some = max(min(_MOST + 2, min(x.shape) - 1), factors)
    roots, vectors = _first(omega, some)
    return vectors, np.maximum(roots, 0.0), float(np.trace(omega))


def _first(matrix: FloatArray, some: int) -> tuple[FloatArray, FloatArray]:
    """The largest eigenvalues, largest first, and vectors: by iteration when the matrix is large and it settles."""
    if len(matrix) > 500:
        from scipy.sparse.linalg import ArpackNoConvergence, eigsh

        try:
            roots, vectors = eigsh(matrix, k=some, which="LA", v0=np.ones(len(matrix)), maxiter=1000, tol=1e-12)
            order = np.argsort(roots)[::-1]
            return roots[order], vectors[:, order]
        except ArpackNoConvergence:
            pass
    return first_components(matrix, some)


def _filled(x: FloatArray, factors: int) -> tuple[FloatArray, FloatArray]:
    there = np.isfinite(x)
    y = np.where(there, x, 0.0)
    for _ in range(1000):
        found, _ = _complete(y)
        f = found[:, :factors]
        common = f @ np.linalg.lstsq(f, y, rcond=None)[0]
        step = np.abs(np.where(there, 0.0, common - y)).max()
        y = np.where(there, x, common)
        if step < 1e-7 * y.std():
            break
    else:
        warnings.warn(
            'missing="em" had not settled after 1000 rounds; take missing="omega", fewer factors or fewer holes.',
            ConvergenceWarning,
            stacklevel=4,
        )
    return _complete(y)


def number_of_factors(roots: FloatArray, total: float, shape: tuple[int, ...], how: Count) -> int:
    """How many components stand out, from 1 to 10: eigenvalue and growth ratio (Ahn and Horenstein, 2013), IC_p2.

    roots : the first eigenvalues of Z Z′ / N, largest first; total : of all; shape : of Z. "bai_ng" is the criterion
    IC_p2 of Bai and Ng (2002).
    """
    most = min(_MOST, len(roots) - 2)
    if most < 1:
        return 1
    # What the first k leave; rounding must not make it negative.
    left = np.maximum(total - np.concatenate([[0.0], np.cumsum(roots)]), 1e-300)
    if how == "bai_ng":
        k = np.arange(1, most + 1)
        penalty = sum(shape) / (shape[0] * shape[1]) * np.log(min(shape))
        return int(k[np.argmin(np.log(left[1 : most + 1]) + k * penalty)])
    if how == "growth_ratio":
        growth = np.log1p(roots[: most + 1] / left[1 : most + 2])
        return 1 + int(np.argmax(growth[:-1] / np.maximum(growth[1:], 1e-300)))
    return 1 + int(np.argmax(roots[:most] / np.maximum(roots[1 : most + 1], 1e-300)))


def signed(factors: FloatArray, z: FloatArray) -> FloatArray:
    """Each factor turned so that the series load on it with a positive sum: it rises when most of them do."""
    there = np.isfinite(z)
    f = np.nan_to_num(factors)
    loadings = f.T @ np.where(there, z, 0.0)
    return np.asarray(factors * np.where(loadings.sum(axis=1) < 0, -1.0, 1.0))


def regressed(z: FloatArray, factors: FloatArray, min_rows: int) -> tuple[FloatArray, FloatArray]:
    """Loadings (N, k) and R² (N,) of each series on the factors, with a constant; NaN with fewer than ``min_rows``."""
    k = factors.shape[1]
    loadings, r2 = np.full((z.shape[1], k), np.nan), np.full(z.shape[1], np.nan)
    x = np.column_stack([np.ones(len(z)), factors])
    for i, y in enumerate(z.T):
        used = np.isfinite(y) & np.isfinite(factors[:, 0])
        if used.sum() >= max(min_rows, k + 2):
            beta = np.linalg.lstsq(x[used], y[used], rcond=None)[0]
            loadings[i] = beta[1:]
            about = ((y[used] - y[used].mean()) ** 2).sum()
            r2[i] = 1 - ((y[used] - x[used] @ beta) ** 2).sum() / about if about > 0 else np.nan
    return loadings, r2


def canonical_correlations(a: FloatArray, b: FloatArray) -> FloatArray:
    """Canonical correlations (min k,) of two sets of histories over the rows that both have; NaN without enough."""
    rows = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    k = min(a.shape[1], b.shape[1])
    if rows.sum() <= a.shape[1] + b.shape[1]:
        return np.full(k, np.nan)
    bases = [np.linalg.qr(x[rows] - x[rows].mean(axis=0))[0] for x in (a, b)]
    return np.clip(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)[:k], 0.0, 1.0)
