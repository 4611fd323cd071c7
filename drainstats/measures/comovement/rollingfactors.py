"""Common factors of liquidity as they were known: loadings from the rows up to then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_whole
from drainstats.frames import Wide
from drainstats.measures.comovement.changes import Changes
from drainstats.measures.comovement.components import complete_block, first_components, pairwise_correlation
from drainstats.measures.comovement.factors import as_measures
from drainstats.measures.estimates import estimated
from drainstats.measures.inputs import check_window
from drainstats.typing import FloatArray, IntArray


def rolling_factors(
    measures: Any,
    n_factors: int = 1,
    window: int = 250,
    *,
    expanding: bool = False,
    changes: Changes = "none",
    refit: int = 1,
    with_se: bool = False,
) -> Any:
    """Common factors of liquidity, each row with means, deviations and loadings of the rows up to it.

    Parameters
    ----------
    measures : (T, N) table, or mapping of str to such tables
        Several measures are taken as one panel: the factors are those across measures.
    n_factors : int, default 1
    window : int, default 250
        Rows of a trailing window, at least 10; with ``expanding`` the fewest. A series needs half of them.
    expanding : bool, default False
        All rows so far instead of the last ``window``.
    changes : {"log", "percent", "difference", "none"}, default "none"
    refit : int, default 1
        Rows between two estimates of means, deviations and loadings; the last ones hold in between.
    with_se : bool, default False
        Return an `Estimate`: of a row's regression on the loadings, which are taken as known (Bai, 2003), whatever
        variances the series' own parts have, as long as these do not move together.

    Returns
    -------
    (T, n_factors) DataFrame or array, or an `Estimate` of it
        In deviations over the rows of its window. A factor rises when most series do; where loadings are of both signs
        (their sum less than half that of their sizes) its sign is that of the estimate before. NaN before the first
        full window and where fewer than half of the series are there. Factors of nearly one size may change places.

    Raises
    ------
    DataError, OptionError

    References
    ----------
    Korajczyk and Sadka (2008), Journal of Financial Economics 87(1), 45-72; Bai (2003), Econometrica 71(1), 135-171.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(size=(300, 1))
    >>> factor = ds.measures.rolling_factors(market + rng.normal(size=(300, 20)), window=100)
    >>> bool(np.corrcoef(factor[99:, 0], market[99:, 0])[0, 1] > 0.9)
    True
    """
    wides = as_measures(measures, changes)
    wide = next(iter(wides.values()))
    x = np.concatenate([w.values for w in wides.values()], axis=1)
    check_whole("n_factors", n_factors, 1)
    check_whole("refit", refit, 1)
    check_window(window, len(x), 10)
    if x.shape[1] <= n_factors + 1:
        raise DataError(f"{x.shape[1]} series have no {n_factors} common factors to tell apart; lower n_factors.")
    out, errors = np.full((2, len(x), n_factors), np.nan)
    scale = None
    for t in range(window - 1, len(x)):
        if (t - window + 1) % refit == 0:
            found = _fit(x[: t + 1] if expanding else x[t - window + 1 : t + 1], n_factors, window // 2, scale)
            scale = found if found is not None else scale
        if scale is not None:
            out[t], errors[t] = scale.score(x[t])
    names = pd.Index([f"factor_{k}" for k in range(1, n_factors + 1)])
    table = Wide(out, wide.index, names, "frame" if wide.kind in ("frame", "series") else "matrix")
    return estimated(table, out, errors, "a row's regression on loadings") if with_se else table.like(out)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Which series (n,) enter, their means and deviations, and what they load (n, k) on factors of unit variance."""

    series: IntArray
    mean: FloatArray
    deviation: FloatArray
    loadings: FloatArray

    def score(self, row: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The row's factors (k,) by least squares over the series that are there, and their standard errors."""
        z = (row[self.series] - self.mean) / self.deviation
        there = np.isfinite(z)
        n, k = int(there.sum()), self.loadings.shape[1]
        if 2 * n < len(z) or n <= k:
            return np.full(k, np.nan), np.full(k, np.nan)
        b = self.loadings[there]
        inverse = np.linalg.pinv(b)
        factors = inverse @ z[there]
        left = z[there] - b @ factors
        return factors, np.sqrt((inverse**2 @ left**2) * n / (n - k))


def _fit(rows: FloatArray, factors: int, least: int, before: _Scale | None) -> _Scale | None:
    """Means, deviations and loadings of these rows; None when too few series move together in them."""
    enough = np.flatnonzero(np.isfinite(rows).sum(axis=0) >= max(least, 3))
    correlation = pairwise_correlation(rows[:, enough])
    block = complete_block(correlation)
    series = enough[block]
    if len(series) <= factors + 1:
        return None
    roots, vectors = first_components(correlation[np.ix_(block, block)], factors)
    loadings = vectors * np.sqrt(np.maximum(roots, 1e-300))
    sign = loadings.sum(axis=0)
    if before is not None:
        _, ours, theirs = np.intersect1d(series, before.series, return_indices=True)
        alike = (loadings[ours] * before.loadings[theirs]).sum(axis=0)
        sign = np.where(2 * np.abs(sign) < np.abs(loadings).sum(axis=0), alike, sign)
    loadings = loadings * np.where(sign < 0, -1.0, 1.0)
    x = rows[:, series]
    return _Scale(series, np.nanmean(x, axis=0), np.nanstd(x, axis=0), loadings)
