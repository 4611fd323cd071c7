"""How rare a breadth is in its own past, for one bar and for a stretch of bars.

The null keeps ordinary commonality: whole cross-sections of the past are drawn again, in blocks, so that assets move
together as they did before and calm and restless times last as long (Politis and Romano 1994, Journal of the American
Statistical Association 89, 1303-1313: from each drawn row the next one follows with chance 1 - 1 / L, else a row is
drawn anew). Breadth is a function of its cross-section, so drawing cross-sections is drawing rows of breadth.

For one bar the bootstrap says nothing new: a drawn row is any row, and the p-value is the rank of the observed breadth
among n past rows and itself. For a stretch of ``horizon`` bars it does: the chance that the widest of them is as wide
is that of a chain of rows to meet one of the rows that are as wide, which is exact by a recursion over rows

    v_1(i) = 1 / n,    v_h+1(i) = (1 - 1/L) v_h(i - 1) + (1/L) sum(v_h) / n,    v(i) = 0 where row i is as wide,

chance = 1 - sum(v_horizon): no random numbers and no simulation error. Rows that are as wide and lie side by side are
met together, so that a clustered past gives a smaller chance than 1 - (1 - p)^horizon.

What no rank can do: n past rows bound the chance from below, p >= 1 / (n + 1) a bar and about horizon / n a stretch.
One year of bars cannot show that a breadth comes once in four years; the false-alarm rate of the detector therefore
rests on its lines, which are calibrated on simulated markets (docs/detection_tables.md).

The block length L is that of Politis and White (2004), Econometric Reviews 23, 53-70, with the correction of Patton,
Politis and White (2009), Econometric Reviews 28, 372-375, from the same past rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_number, check_whole
from drainstats.frames import as_wide
from drainstats.typing import BoolArray, FloatArray


def block_length(x: FloatArray) -> float:
    """Mean block length of the stationary bootstrap for rows (n,) without gaps; 1 for white noise and constants."""
    n = len(x)
    centred = x - x.mean()
    variance = float(centred @ centred) / n
    if n < 8 or not variance > 1e-12 * float(np.max(np.abs(x))) ** 2:
        return 1.0
    run = max(5, int(np.sqrt(np.log10(n))))
    longest = min(int(np.ceil(np.sqrt(n))) + run, n - 1)
    covariance = np.array([centred[: n - k] @ centred[k:] for k in range(longest + 1)]) / n
    small = np.abs(covariance[1:] / variance) < 2.0 * np.sqrt(np.log10(n) / n)
    quiet = np.convolve(small, np.ones(run), "valid") == run
    last = int(np.argmax(quiet)) if quiet.any() else int(np.flatnonzero(~small)[-1]) + 1
    cut = min(2 * max(last, 1), longest)
    k = np.arange(-cut, cut + 1)
    weight = np.minimum(1.0, 2.0 * (1.0 - np.abs(k) / cut))
    weighted = weight * covariance[np.abs(k)]
    spread = 2.0 * weighted.sum() ** 2
    best = (2.0 * (np.abs(k) @ weighted) ** 2 / spread * n) ** (1 / 3) if spread > 0 else np.inf
    return float(np.clip(best, 1.0, np.ceil(min(3.0 * np.sqrt(n), n / 3))))


def chance_within(hits: BoolArray, block: float, horizon: int) -> float:
    """Chance that ``horizon`` rows of the stationary bootstrap of (n,) rows meet one of ``hits``."""
    n = len(hits)
    free = ~hits / 1.0
    v = free / n
    for _ in range(horizon - 1):
        v = free * ((1.0 - 1.0 / block) * np.concatenate([v[-1:], v[:-1]]) + v.sum() / (block * n))
    return float(1.0 - v.sum())


def share_error(hits: BoolArray, block: float) -> float:
    """Standard error of the share of ``hits`` under the stationary bootstrap (Politis and Romano 1994, lemma 1)."""
    n = len(hits)
    x = hits - hits.mean()
    spectrum = np.abs(np.fft.rfft(x, n)) ** 2
    circular = np.fft.irfft(spectrum, n) / n
    i, stay = np.arange(1, n), 1.0 - 1.0 / block
    weight = (1.0 - i / n) * stay**i
    return float(np.sqrt(max(circular[0] + 2.0 * weight @ circular[1:], 0.0) / n))


def breadth_null(
    breadth: Any, *, window: int = 365, min_rows: int = 60, horizon: int = 20, block: float | None = None
) -> pd.DataFrame:
    """How rare each row's breadth is among the rows before it.

    The null is a market that moves together as it did in the trailing window: whole cross-sections of it are drawn
    again in blocks (see the module's text).

    Parameters
    ----------
    breadth : (T,) Series or array
        Share of assets that are drained, or any number that rises with it, such as its mean over the last m rows
        (``breadth.rolling(m).mean()``). Rows without one (NaN) are neither judged nor drawn.
    window : int, default 365
        Rows before each row that make its past.
    min_rows : int, default 60
        Rows with a number that the past needs.
    horizon : int, default 20
        Rows of the stretch.
    block : float, optional
        Mean length of blocks, in rows, at least 1. By default it is chosen from the past of each row.

    Returns
    -------
    DataFrame
        A row a row of ``breadth``: ``p_value`` (chance of one row to be as wide, the row itself counted among n + 1),
        ``p_error`` (its standard error, given that rows depend on each other), ``p_horizon`` (chance that the widest
        row of a calm stretch of that length is as wide: the rate of false alarms a stretch when every such row is
        called), ``block``.

    Raises
    ------
    DataError
        Several columns, labels that repeat or run backwards, infinite values.
    OptionError
        A length that makes no sense.

    References
    ----------
    Politis and Romano (1994), JASA 89, 1303-1313; Patton, Politis and White (2009), Econometric Reviews 28, 372-375.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> breadth = np.tile([0.0, 0.1, 0.2, 0.1], 30); breadth[100] = 0.9
    >>> null = ds.breadth_null(breadth)
    >>> null.loc[100, ["p_value", "p_horizon"]].round(3).tolist()
    [0.01, 0.192]
    """
    for name, value, least in (("window", window, 1), ("min_rows", min_rows, 1), ("horizon", horizon, 1)):
        check_whole(name, value, least)
    if block is not None and (isinstance(block, bool) or block != 1):
        check_number("block", block, 1.0)
    wide = as_wide(breadth, "breadth")
    if wide.values.shape[1] != 1:
        raise DataError(f"breadth has {wide.values.shape[1]} columns; it is one number a row.")
    x = wide.values[:, 0]
    if np.isinf(x).any():
        raise DataError("breadth is infinite; set it to missing.", row=wide.index[int(np.argmax(np.isinf(x)))])
    out = np.full((len(x), 4), np.nan)
    for t in np.flatnonzero(~np.isnan(x)):
        past = x[max(t - window, 0) : t]
        past = past[~np.isnan(past)]
        if len(past) >= min_rows:
            hits = np.r_[past >= x[t], True]
            length = block_length(past) if block is None else float(block)
            out[t] = hits.mean(), share_error(hits, length), chance_within(hits, length, horizon), length
    return pd.DataFrame(out, index=wide.index, columns=["p_value", "p_error", "p_horizon", "block"])
