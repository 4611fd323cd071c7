"""How much of the total variance few components absorb, over trailing windows (Kritzman and others, 2011)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_whole
from drainstats.frames import Wide, as_wide
from drainstats.measures.comovement.inference import long_run_sum
from drainstats.measures.estimates import estimated
from drainstats.measures.inference import default_lags
from drainstats.measures.inputs import check_window
from drainstats.typing import FloatArray


def absorption_ratio(
    returns: Any,
    window: int = 500,
    fraction: float = 0.2,
    half_life: float | None = None,
    standardise: bool = False,
    with_se: bool = False,
) -> Any:
    """Share of total variance that the first components absorb (Kritzman, Li, Page and Rigobon, 2011).

    When it is high, markets are tightly coupled and a shock spreads; a jump of it (`absorption_shift`) has come before
    falls. The paper takes windows of 500 days and weights that halve in 250.

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
    with_se : bool, default False
        Return an `Estimate`: delta method on the eigenvalues, Newey-West over 4 (n / 100)^(2/9) rows, n rows' worth of
        weights. First-order: it misses that sample eigenvalues spread (the ratio of independent series is above the
        fraction), and says nothing where components to either side of the cut have one variance.

    Returns
    -------
    Series or array of T fractions, or an `Estimate` of them
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
    out = np.full((len(values), 1), np.nan)
    errors = np.full((len(values), 1), np.nan)
    for t in range(window - 1, len(values)):
        rows = values[t - window + 1 : t + 1]
        complete = np.isfinite(rows).all(axis=1)
        if complete.sum() >= 2:
            x, share = _weighted(rows[complete], weights[complete], standardise)
            out[t], parts = _absorbed(x, count, standardise, with_se)
            errors[t] = _error(parts, complete, share) if with_se else np.nan
    line = Wide(out, wide.index, pd.Index(["absorption_ratio"]), _line(wide))
    return estimated(line, out, errors, "delta method, Newey-West") if with_se else line.like(out)


def absorption_shift(ratio: Any, short: int = 15, long: int = 252) -> Any:
    """Standardised shift of the absorption ratio: its mean over few rows, less that over many, in its deviations.

    A ratio of ratios in its own standard deviations; it has no further error.

    Parameters
    ----------
    ratio : (T,) Series or array, or (T, N) table
        What `absorption_ratio` gave.
    short, long : int, default 15 and 252
        Rows of the two trailing means; the standard deviation (divisor n − 1) is that of the long window.

    Returns
    -------
    Same kind and shape as ``ratio``
        Missing before the first full long window, where one of its rows is missing, and where nothing varies.

    Raises
    ------
    OptionError, DataError

    References
    ----------
    Kritzman, Li, Page and Rigobon (2011), Journal of Portfolio Management 37(4), 112-126.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> ds.measures.absorption_shift([0.5, 0.7, 0.6, 0.8], short=2, long=4).round(4)
    array([   nan,    nan,    nan, 0.3873])
    """
    from drainstats.kernels import windows

    wide = as_wide(ratio, "ratio")
    check_window(long, len(wide.values), 3)
    check_whole("short", short, 1)
    if short > long:
        raise OptionError(f"short={short} must not exceed long={long}.")
    means = [np.empty_like(wide.values) for _ in range(2)]
    for width, mean in zip((short, long), means, strict=True):
        windows.window_mean(wide.values, width, width, mean)
    variance = np.empty_like(wide.values)
    windows.window_covariance(wide.values, wide.values, long, long, variance)
    flat = ~(variance > 1e-24 * np.maximum(means[1] ** 2, 1e-300))
    deviation = np.sqrt(np.where(flat, np.nan, variance))
    return wide.like((means[0] - means[1]) / deviation)


def _line(wide: Wide) -> Any:
    return "series" if wide.kind in ("frame", "series") else "vector"


def _weighted(rows: FloatArray, weights: FloatArray, standardise: bool) -> tuple[FloatArray, FloatArray]:
    share = weights / weights.sum()
    centred = (rows - share @ rows) * np.sqrt(share)[:, None]
    if standardise:
        scale = np.sqrt((centred**2).sum(axis=0))
        centred = centred[:, scale > 0] / scale[scale > 0]
    return centred, share


def _absorbed(x: FloatArray, count: int, standardise: bool, parts: bool) -> tuple[float, FloatArray]:
    """The ratio, and each row's first-order part in it (asked for, else empty)."""
    # The eigenvalues of the smaller of X′X and XX′.
    wide = x.shape[1] > x.shape[0]
    small = x @ x.T if wide else x.T @ x
    empty = np.empty(0)
    if not parts:
        roots = np.maximum(np.linalg.eigvalsh(small)[::-1], 0.0)
        return (float(roots[:count].sum() / roots.sum()) if roots.sum() > 0 else float("nan")), empty
    roots, vectors = np.linalg.eigh(small)
    roots, vectors = np.maximum(roots[::-1], 0.0), vectors[:, ::-1][:, :count]
    if not roots.sum() > 0:
        return float("nan"), np.full(len(x), np.nan)
    first, ratio = roots[:count], float(roots[:count].sum() / roots.sum())
    scores = vectors**2 * first if wide else (x @ vectors) ** 2
    if not standardise:
        return ratio, (scores.sum(axis=1) - ratio * (x**2).sum(axis=1)) / roots.sum()
    onto = (x.T @ vectors) ** 2 if wide else vectors**2 * first
    return ratio, (scores.sum(axis=1) - x**2 @ onto.sum(axis=1)) / roots.sum()


def _error(parts: FloatArray, complete: Any, share: FloatArray) -> float:
    # Rows that are left out keep their place: neighbours are neighbours in time.
    placed = np.zeros(len(complete))
    placed[complete] = parts
    return float(np.sqrt(max(long_run_sum(placed, default_lags(int(1 / (share**2).sum()))), 0.0)))
