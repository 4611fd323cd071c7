"""Components that assets share: their share of variance, and the absorption ratio over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from drainstats.errors import DataError, OptionError
from drainstats.frames import as_wide
from drainstats.measures.inputs import check_window
from drainstats.typing import FloatArray


def pairwise_correlation(values: FloatArray, min_rows: int = 3) -> FloatArray:
    """Correlations (N, N) of complete pairs of rows; NaN with fewer than ``min_rows`` or a constant series."""
    there = np.isfinite(values)
    filled, mask = np.where(there, values, 0.0), there.astype(np.float64)
    count = mask.T @ mask
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.T @ mask / count  # of i over the rows of (i, j)
        square = (filled**2).T @ mask / count - mean**2
        covariance = filled.T @ filled / count - mean * mean.T
        correlation = covariance / np.sqrt(square * square.T)
    flat = (square <= 1e-14 * ((filled**2).T @ mask / np.maximum(count, 1))) | (count < min_rows)
    return np.where(flat | flat.T, np.nan, correlation)


def component_shares(values: FloatArray) -> FloatArray:
    """Shares of variance (N,), largest first, of the components of standardised (T, N) changes.

    Series that never move with enough others are left out. With missing rows each pair has its own, so that an
    eigenvalue may fall below zero: it counts as zero.
    """
    correlation = pairwise_correlation(values)
    kept = np.ones(len(correlation), dtype=bool)
    while kept.any() and np.isnan(correlation[np.ix_(kept, kept)]).any():
        lacking = np.isnan(correlation[:, kept]).sum(axis=1) * kept
        kept[int(np.argmax(lacking))] = False
    if kept.sum() < 2:
        return np.full(len(correlation), np.nan)
    roots = np.maximum(np.linalg.eigvalsh(correlation[np.ix_(kept, kept)])[::-1], 0.0)
    return np.concatenate([roots / roots.sum(), np.full(len(kept) - len(roots), np.nan)])


def absorption_ratio(
    returns: Any,
    window: int = 500,
    fraction: float = 0.2,
    half_life: float | None = None,
    standardise: bool = False,
) -> Any:
    """Share of total variance that the first components absorb (Kritzman, Li, Page and Rigobon, 2011).

    When it is high, markets are tightly coupled and a shock spreads; a jump of it has come before falls.

    Parameters
    ----------
    returns : (T, N) table or array
        Returns, or changes of liquidity; a row with a missing value is left out of its windows.
    window : int, default 500
        Rows of a trailing window.
    fraction : float, default 0.2
        Number of components as a fraction of N, rounded (halves to even).
    half_life : float, optional
        Rows after which a row's weight has halved; equal weights by default.
    standardise : bool, default False
        Correlations instead of covariances.

    Returns
    -------
    Series or array of T fractions
        Missing before the first full window and where fewer than two complete rows are left.

    Raises
    ------
    OptionError, DataError

    References
    ----------
    Kritzman, Li, Page and Rigobon (2011), Journal of Portfolio Management 37(4), 112-126.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> x = np.random.default_rng(0).normal(size=(300, 1)) + 0.1 * np.random.default_rng(1).normal(size=(300, 10))
    >>> bool(ds.measures.absorption_ratio(x, window=250)[-1] > 0.98)
    True
    """
    wide = as_wide(returns, "returns")
    values = wide.values
    check_window(window, len(values), 2)
    if not 0 <= fraction <= 1:
        raise OptionError(f"fraction={fraction!r} lies between 0 and 1.")
    if half_life is not None and not half_life > 0:
        raise OptionError(f"half_life={half_life!r} must be above zero.")
    if np.isinf(values).any():
        raise DataError("returns hold an infinite number; set it to missing.")
    count = round(fraction * values.shape[1])
    weights = np.ones(window) if half_life is None else 0.5 ** (np.arange(window)[::-1] / half_life)
    out = np.full(len(values), np.nan)
    for t in range(window - 1, len(values)):
        out[t] = _absorbed(values[t - window + 1 : t + 1], weights, count, standardise)
    if wide.kind in ("frame", "series"):
        import pandas as pd

        return pd.Series(out, index=wide.index, name="absorption_ratio")
    return out


def _absorbed(rows: FloatArray, weights: FloatArray, count: int, standardise: bool) -> float:
    complete = np.isfinite(rows).all(axis=1)
    if complete.sum() < 2:
        return float("nan")
    x, w = rows[complete], weights[complete] / weights[complete].sum()
    centred = (x - w @ x) * np.sqrt(w)[:, None]
    if standardise:
        scale = np.sqrt((centred**2).sum(axis=0))
        centred = centred[:, scale > 0] / scale[scale > 0]
    # The eigenvalues of the smaller of X′X and XX′.
    small = centred.T @ centred if centred.shape[1] <= centred.shape[0] else centred @ centred.T
    roots = np.maximum(np.linalg.eigvalsh(small)[::-1], 0.0)
    return float(roots[:count].sum() / roots.sum()) if roots.sum() > 0 else float("nan")
