"""Components that assets share: correlations over holes, shares of variance, and R² on the components of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh

from drainstats.typing import BoolArray, FloatArray, IntArray


def pairwise_covariance(values: FloatArray, min_rows: int = 3) -> FloatArray:
    """Covariances (…, N, N) of the complete pairs of rows of (…, T, N); NaN with fewer than ``min_rows``."""
    covariance, _, _, count = _pairwise(values)
    return np.where(count < min_rows, np.nan, covariance)


def pairwise_correlation(values: FloatArray, min_rows: int = 3) -> FloatArray:
    """Correlations (…, N, N) of complete pairs of rows; NaN with fewer than ``min_rows`` or a constant series."""
    covariance, square, raw, count = _pairwise(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / np.sqrt(square * _swap(square))
    flat = (square <= 1e-14 * raw) | (count < min_rows)
    return np.where(flat | _swap(flat), np.nan, correlation)


def _pairwise(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    # Covariance, variance of i over the rows of (i, j), mean square of i, and the number of rows.
    there = np.isfinite(values)
    whole = np.maximum(there.sum(axis=-2, keepdims=True), 1)
    centre = np.where(there, values, 0.0).sum(axis=-2, keepdims=True) / whole
    filled = np.where(there, values - centre, 0.0)
    raw = _swap((filled**2).sum(axis=-2, keepdims=True) / whole + centre**2)
    if there.all():
        covariance = _swap(filled) @ filled / values.shape[-2]
        square = np.diagonal(covariance, axis1=-2, axis2=-1)[..., None]
        return covariance, np.broadcast_to(square, covariance.shape), raw, np.full_like(covariance, values.shape[-2])
    mask = there.astype(np.float64)
    count = _swap(mask) @ mask
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _swap(filled) @ mask / count
        covariance = _swap(filled) @ filled / count - mean * _swap(mean)
        return covariance, _swap(filled**2) @ mask / count - mean**2, raw, count


def _swap(values: Any) -> Any:
    return np.swapaxes(values, -1, -2)


def complete_block(matrix: FloatArray) -> BoolArray:
    """Series (N,) of a symmetric (N, N) matrix that are left when those with the most holes go, one by one."""
    kept = np.ones(len(matrix), dtype=bool)
    while kept.any() and np.isnan(matrix[np.ix_(kept, kept)]).any():
        lacking = np.isnan(matrix[:, kept]).sum(axis=1) * kept
        kept[int(np.argmax(lacking))] = False
    return kept


def component_shares(values: FloatArray) -> FloatArray:
    """Shares of variance (…, N), largest first, of the components of standardised (…, T, N) changes.

    Series that never move with enough others are left out. With missing rows each pair has its own, so that an
    eigenvalue may fall below zero: it counts as zero.
    """
    correlation = pairwise_correlation(values)
    if np.isnan(correlation).any():
        if correlation.ndim > 2:
            return np.stack([component_shares(v) for v in values])
        kept = complete_block(correlation)
        out = np.full(len(correlation), np.nan)
        if kept.sum() >= 2:
            out[: kept.sum()] = _shares(correlation[np.ix_(kept, kept)])
        return out
    return _shares(correlation)


def _shares(matrix: FloatArray) -> FloatArray:
    roots = np.maximum(np.linalg.eigvalsh(matrix)[..., ::-1], 0.0)
    return np.asarray(roots / roots.sum(axis=-1, keepdims=True))


def left_out_r2(matrix: FloatArray, factors: int) -> FloatArray:
    """R² (…, N) of each series on the first components of all *others*, from covariances (…, N, N); NaN where they are.

    Let C = V Λ V′ and w = (C − m)⁻¹ e_i. Without row and column i the eigenvalues of C are the roots m of
    w_i = Σ_j V_ij² / (λ_j − m) = 0, one between neighbours λ, the eigenvectors are what is left of w, and c_i′w = 1:
    component and series have the covariance 1 / |w|, and the component explains 1 / (m |w|² C_ii) of the series.
    """
    if np.isnan(matrix).any():
        if matrix.ndim > 2:
            return np.stack([left_out_r2(m, factors) for m in matrix])
        kept = complete_block(matrix)
        out = np.full(len(matrix), np.nan)
        if kept.sum() > factors:
            out[kept] = left_out_r2(matrix[np.ix_(kept, kept)], factors)
        return out
    roots, vectors = np.linalg.eigh(matrix)
    roots, own = roots[..., ::-1], np.maximum(vectors[..., ::-1] ** 2, 1e-20)
    total = np.zeros(matrix.shape[:-1])
    for k in range(factors):
        total += _explained_by(roots, own, k)
    return np.clip(total / np.diagonal(matrix, axis1=-2, axis2=-1), 0.0, 1.0)


def _explained_by(roots: FloatArray, own: FloatArray, k: int) -> FloatArray:
    # Bisection for the root between λ_k+1 and λ_k, measured from the nearer end, where differences are exact.
    gap = (roots[..., k] - roots[..., k + 1])[..., None]
    upper = _secular(roots, own, k, -gap / 2) < 0
    pole = np.where(upper, roots[..., k, None], roots[..., k + 1, None])
    low, high = np.where(upper, -gap / 2, 0.0), np.where(upper, 0.0, gap / 2)
    away = roots[..., None, :] - pole[..., None]
    for _ in range(60):
        middle = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            above = (own / (away - middle[..., None])).sum(axis=-1) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    middle = (low + high) / 2
    root = pole + middle
    with np.errstate(divide="ignore", invalid="ignore"):
        length = (own / (away - middle[..., None]) ** 2).sum(axis=-1)
        explained = 1 / (root * length)
    return np.where(np.isfinite(explained) & (root > 0), explained, 0.0)


def _secular(roots: FloatArray, own: FloatArray, k: int, shift: FloatArray) -> FloatArray:
    away = (roots - roots[..., k, None])[..., None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((own / (away - shift[..., None])).sum(axis=-1))


def left_out_groups(matrix: FloatArray, groups: IntArray, factors: int) -> FloatArray:
    """As `left_out_r2`, but the components that explain a series leave out all series of its group (N,)."""
    kept = complete_block(matrix)
    out = np.full(len(matrix), np.nan)
    for group in np.unique(groups[kept]):
        own, others = np.flatnonzero(kept & (groups == group)), np.flatnonzero(kept & (groups != group))
        if len(others) > factors:
            roots, vectors = first_components(matrix[np.ix_(others, others)], factors)
            explained = ((matrix[np.ix_(own, others)] @ vectors) ** 2 / np.maximum(roots, 1e-300)).sum(axis=1)
            out[own] = np.clip(explained / matrix[own, own], 0.0, 1.0)
    return out


def first_components(matrix: FloatArray, factors: int) -> tuple[FloatArray, FloatArray]:
    """The largest eigenvalues (k,) of a symmetric (N, N) matrix, largest first, and their vectors (N, k)."""
    if len(matrix) <= 64:
        # Asking for some only costs more than it saves.
        roots, vectors = np.linalg.eigh(matrix)
        return roots[::-1][:factors], vectors[:, ::-1][:, :factors]
    ends = (len(matrix) - factors, len(matrix) - 1)
    roots, vectors = eigh(matrix, subset_by_index=ends, check_finite=False)
    return roots[::-1], vectors[:, ::-1]
