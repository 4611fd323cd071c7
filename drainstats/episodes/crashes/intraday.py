"""The shape of volatility over the day: how much larger returns are at this time of day than on the whole.

Returns are divided by their day's scale, the root of the mean bipower product, so that quiet and wild days count alike.
The factor of a time of day is a scale of those standardised returns over earlier days, divided by the root of the mean
of its square over all times of day. "wsd" cuts at the shorth of the time of day as it is; the authors divide the
shorths by the root of their mean square first, which cuts elsewhere where standardised returns are not of variance one.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.blocks import Days, Overnight, blocks_of, day_of, kept_returns
from drainstats.episodes.crashes.paths import Paths, price_paths
from drainstats.episodes.crashes.realised import multipower
from drainstats.errors import OptionError, check_option
from drainstats.typing import FloatArray, IntArray

Scale = Literal["wsd", "sd", "shorth"]
# 0.99 quantile of chi-squared with one degree of freedom, and what makes the truncated variance consistent.
_CUT, _CONSISTENT = 6.6349, 1.081
_CELLS = 2**22


def intraday_seasonality(
    log_price: Any,
    days: int = 60,
    method: Scale = "wsd",
    *,
    min_days: int = 10,
    slot: float | None = None,
    overnight: Overnight = "drop",
    times: Any = None,
) -> Any:
    """Volatility factor of each row's time of day, from the days before (Boudt, Croux and Laurent, 2011).

    Parameters
    ----------
    log_price : (T, N) table, Series or array
        Log prices at the same times every day. Labels are stamps or seconds. Missing prices are left out.
    days : int, default 60
        Calendar days back, the row's own left out: the factor is known before the day begins.
    method : {"wsd", "sd", "shorth"}, default "wsd"
        "wsd": standard deviation of the standardised returns whose square is below 6.635 times that of the shorth,
        robust to jumps. "sd": of all of them (Taylor and Xu, 1997). "shorth": half-sample scale.
    min_days : int, default 10
        Fewest returns of a time of day.
    slot : float, optional
        Seconds of a time of day, for prices at irregular times; by default each time of day is its own.
    overnight : {"drop", "keep"}, default "drop"
        As in `jump_test`.
    times : (T,) stamps or seconds, optional
        Of the rows of an array.

    Returns
    -------
    Series, or DataFrame for a table
        A row a row of the prices; NaN on rows that end no return and before ``min_days``.

    Raises
    ------
    OptionError
        ``min_days`` below two or above ``days``.

    References
    ----------
    Boudt, Croux and Laurent (2011), Journal of Empirical Finance 18(2), 353-367. Taylor and Xu (1997), Journal of
    Empirical Finance 4(4), 317-340.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> stamps = pd.date_range("2024-01-01", periods=40 * 24, freq="1h", tz="UTC")
    >>> r = np.random.default_rng(0).normal(0, 0.01, len(stamps)) * np.where(stamps.hour < 12, 1.0, 3.0)
    >>> factor = ds.intraday_seasonality(pd.Series(r.cumsum(), stamps), days=30, overnight="keep").iloc[-24:]
    >>> bool(1.5 < factor.iloc[12:].mean() / factor.iloc[:12].mean() < 4.5)
    True
    """
    check_option("method", method, ["wsd", "sd", "shorth"])
    check_option("overnight", overnight, ["drop", "keep"])
    if not 2 <= min_days <= days:
        raise OptionError(f"min_days={min_days!r} must lie between 2 and days={days!r}.")
    if slot is not None and not (np.isfinite(slot) and slot > 0):
        raise OptionError(f"slot={slot!r} must be a number of seconds above zero.")
    paths = price_paths(log_price, times)
    out = np.full(paths.values.shape, np.nan)
    for column in range(len(paths.columns)):
        ends, returns = kept_returns(paths, column, overnight)
        out[ends, column] = _factors(paths, ends, returns, days, method, min_days, slot)
    if paths.single:
        return pd.Series(out[:, 0], paths.index, name="factor")
    return pd.DataFrame(out, paths.index, paths.columns)


def _factors(
    paths: Paths, ends: IntArray, r: FloatArray, days: int, method: str, min_days: int, slot: float | None
) -> FloatArray:
    """Factors (n,) of the returns that end in rows ``ends``."""
    if not len(r):
        return r
    blocks = blocks_of(paths, ends, "day")
    assert isinstance(blocks, Days)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(multipower(np.abs(r), blocks, 2.0, 2) / blocks.size)
        standard = r / scale[blocks.group]
    start = 0.0 if paths.origin is None else paths.origin.as_unit("ns").value / 1e9
    clock = (paths.seconds[ends] + start) % 86400.0
    _, place = np.unique(np.floor(clock / slot) if slot else np.round(clock, 6), return_inverse=True)
    day = day_of(paths)[ends] - day_of(paths)[0]
    shape = int(day[-1]) + 1, int(place.max()) + 1
    cell = day * shape[1] + place
    good = np.isfinite(standard)
    count = np.bincount(cell[good], minlength=shape[0] * shape[1])
    square = np.bincount(cell[good], standard[good] ** 2, shape[0] * shape[1])
    sign = np.sign(np.bincount(cell[good], standard[good], shape[0] * shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        table = np.where(count > 0, sign * np.sqrt(square / count), np.nan).reshape(shape)
    return _trailing(table, days, method, min_days)[day, place]


def _trailing(table: FloatArray, days: int, method: str, min_days: int) -> FloatArray:
    """Factors (D, S) from the ``days`` rows before each row of standardised returns (D, S)."""
    padded = np.concatenate([np.full((days, table.shape[1]), np.nan), table[:-1]])
    windows = np.lib.stride_tricks.sliding_window_view(padded, days, axis=0)
    step = max(1, _CELLS // max(table.shape[1] * days, 1))
    parts = [_scales(windows[k : k + step], method, min_days) for k in range(0, len(table), step)]
    scale = np.concatenate(parts)
    known = np.isfinite(scale)
    mean = np.where(known, scale**2, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return scale / np.sqrt(mean)[:, None]


def _scales(x: FloatArray, method: str, min_days: int) -> FloatArray:
    """Scale over the last axis of (d, S, days), missing values left out."""
    count = np.isfinite(x).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "sd":
            found = np.sqrt(np.nansum(x**2, axis=-1) / count)
        else:
            found = _shorth(np.sort(x, axis=-1), count)
            if method == "wsd":
                kept = x**2 <= _CUT * found[..., None] ** 2
                found = np.sqrt(_CONSISTENT * np.where(kept, x**2, 0.0).sum(axis=-1) / kept.sum(axis=-1))
    return np.where(count >= min_days, found, np.nan)


def _shorth(ordered: FloatArray, count: IntArray) -> FloatArray:
    """0.741 times the shortest stretch that holds half of the numbers, which stand before the missing ones."""
    half = count // 2
    last = ordered.shape[-1] - 1
    start = np.arange(ordered.shape[-1])
    stop = start + half[..., None]
    width = np.take_along_axis(ordered, np.minimum(stop, last), axis=-1) - ordered
    width = np.where(stop < count[..., None], width, np.inf)
    return 0.741 * width.min(axis=-1)
