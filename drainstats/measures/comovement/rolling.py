"""Commonality over trailing windows."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import check_option, check_whole
from drainstats.frames import Wide
from drainstats.measures.comovement import marketmodel
from drainstats.measures.comovement.changes import Changes, changes_of
from drainstats.measures.comovement.components import complete_block, pairwise_correlation
from drainstats.measures.comovement.inference import long_run_sum
from drainstats.measures.estimates import estimated
from drainstats.measures.inference import default_lags
from drainstats.measures.inputs import check_window
from drainstats.typing import FloatArray


def rolling_commonality(
    liquidity: Any,
    window: int = 63,
    method: Literal["market_model", "pca"] = "market_model",
    *,
    changes: Changes = "log",
    leads_and_lags: int = 0,
    step: int = 1,
    with_se: bool = False,
) -> Any:
    """The statistic of `commonality` over trailing windows: how tightly liquidities move together now.

    For a p-value at a date give its window to `commonality`: ``commonality(liquidity.loc[:date].tail(window + 1))``.

    Parameters
    ----------
    liquidity : (T, N) table
    window : int, default 63
        Rows of changes in a window, at least 10. An asset needs half of them.
    method : {"market_model", "pca"}, default "market_model"
    changes : {"log", "percent", "difference", "none"}, default "log"
    leads_and_lags : int, default 0
        Market terms on either side, within the window.
    step : int, default 1
        Rows between windows; the rows between are missing. Neighbouring windows overlap and so move together by
        construction: correlate only windows that do not.
    with_se : bool, default False
        Return an `Estimate`: delta method, Newey-West over 4 (window / 100)^(2/9) rows. First-order: without
        commonality R² and the first share are not smooth in the moments, and the error is too small; ask the p-value.

    Returns
    -------
    Series or array of T, or an `Estimate` of them
        Row t uses rows up to t only. NaN before the first full window.

    Raises
    ------
    DataError, OptionError

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> x = np.exp(np.random.default_rng(0).normal(size=(120, 5)))
    >>> ds.measures.rolling_commonality(x, window=100, step=10).shape
    (120,)
    """
    check_option("method", method, ["market_model", "pca"])
    check_whole("step", step, 1)
    check_whole("leads_and_lags", leads_and_lags, 0)
    wide = changes_of(liquidity, changes, assets=3)
    check_window(window, len(wide.values), 10)
    out, errors = np.full((2, len(wide.values)), np.nan)
    lags = default_lags(window)
    if method == "pca":
        _first_shares(wide.values, window, step, lags, out, errors if with_se else None)
    else:
        _mean_gains(wide.values, leads_and_lags, window, step, lags, out, errors if with_se else None)
    line = Wide(
        out[:, None],
        wide.index,
        pd.Index(["commonality"]),
        "series" if wide.kind in ("frame", "series") else "vector",
    )
    if with_se:
        return estimated(line, out[:, None], errors[:, None], f"delta method, Newey-West over {lags} rows")
    return line.like(out[:, None])


def _mean_gains(
    values: FloatArray, around: int, window: int, step: int, lags: int, out: FloatArray, errors: FloatArray | None
) -> None:
    """The mean adjusted R² on the others' mean in windows; errors, when asked for, of the same."""
    ends = np.arange(window, len(values), step)
    windows = np.column_stack([ends - window + 1, ends + 1])
    if not len(ends):
        return
    ones, none = np.ones(values.shape), np.empty((0, *values.shape))
    parts = None if errors is None else np.zeros((len(ends), window))
    market = marketmodel.others_mean(values, ones)
    least = max(10, window // 2)
    left = marketmodel.sums_of_squares(values, market, none, around, ones[:, 0].copy(), windows, least, parts)
    out[ends], count = marketmodel.mean_gains(left, 0, around)
    if errors is not None and parts is not None:
        sums = np.array([long_run_sum(p, lags) for p in parts])
        errors[ends] = np.where(count > 0, np.sqrt(np.maximum(sums, 0.0)) / np.maximum(count, 1), np.nan)


def _first_shares(
    values: FloatArray, window: int, step: int, lags: int, out: FloatArray, errors: FloatArray | None
) -> None:
    """The share of the first component of standardised changes in windows; errors, when asked for, of the same."""
    for t in range(window, len(values), step):
        rows = values[t - window + 1 : t + 1]
        if errors is None and window < rows.shape[1] and np.isfinite(rows).all():
            out[t] = _dual_share(rows)
        if np.isnan(out[t]):
            out[t], parts = _share(rows, errors is not None)
            if errors is not None:
                errors[t] = np.sqrt(max(long_run_sum(parts, lags), 0.0))


def _dual_share(rows: FloatArray) -> float:
    """From the (window, window) products of complete rows; NaN with a constant series."""
    centred = rows - rows.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    if (scale**2 <= 1e-14 * (rows**2).sum(axis=0)).any():
        return float("nan")
    z = centred / scale
    return float(np.linalg.eigvalsh(z @ z.T)[-1] / rows.shape[1])


def _share(rows: FloatArray, parts: bool) -> tuple[float, FloatArray]:
    """The share, and each row's first-order part in it (asked for, else empty)."""
    there = np.isfinite(rows)
    least = max(3, len(rows) // 2)
    rows = rows[:, there.sum(axis=0) >= least]
    correlation = pairwise_correlation(rows)
    kept = complete_block(correlation)
    if kept.sum() < 2:
        return float("nan"), np.full(len(rows), np.nan)
    correlation, rows = correlation[np.ix_(kept, kept)], rows[:, kept]
    if not parts:
        roots = np.maximum(np.linalg.eigvalsh(correlation), 0.0)
        return float(roots[-1] / roots.sum()), np.empty(0)
    roots, vectors = np.linalg.eigh(correlation)
    total, first = np.maximum(roots, 0.0).sum(), vectors[:, -1]
    there = np.isfinite(rows)
    z = np.where(there, (rows - np.nanmean(rows, axis=0)) / np.nanstd(rows, axis=0), 0.0)
    count = there.T.astype(np.float64) @ there
    # d λ = v′ dR v, where dR_ij is the mean of z_i z_j − R_ij (z_i² + z_j²) / 2 over the rows of the pair.
    cross = np.outer(first, first) / count
    own = cross * correlation
    moved = np.einsum("ti,ij,tj->t", z, cross, z, optimize=True) - (z**2 * (there @ own)).sum(axis=1)
    return float(roots[-1] / total), moved / total
