"""`bulk_volume`: how much of a bar's volume was bought, from how far its price went."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option, check_whole
from drainstats.frames import to_pandas
from drainstats.sources.ticks.rule import BarRule
from drainstats.typing import FloatArray


def bulk_volume(bars: Any, window: int = 50, dist: Literal["normal", "t"] = "normal") -> pd.Series:
    """Bulk volume classification of Easley, López de Prado and O'Hara: the part of each bar's volume that was bought.

    Of the volume V of a bar whose close is ΔP above that of the bar before, V · F(ΔP / σ) was bought, with σ the
    standard deviation of such changes over the last ``window`` bars, this one included, and F a distribution function.

    Parameters
    ----------
    bars : table
        ``close`` and ``volume`` in time order for each asset, and ``asset`` when there are several, as
        `drainstats.tick_bars` and `drainstats.read_bars` return them.
    window : int, default 50
        Changes that give σ, at least 2. The authors take the whole sample, which is not known in time.
    dist : {"normal", "t"}, default "normal"
        The normal distribution (2012), or Student's t with 0.25 degrees of freedom (2016).

    Returns
    -------
    Series
        Bought volume in the unit of ``volume``; NaN before the first full window, and where no price changed in it.

    Raises
    ------
    DataError
        A missing column.
    OptionError
        An unknown distribution, a window below 2.

    References
    ----------
    Easley, López de Prado and O'Hara (2012), Review of Financial Studies 25(5), 1457-1493; (2016), Journal of Financial
    Economics 120(2), 269-285.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> bars = pd.DataFrame({"close": [10.0, 10.1, 10.0, 10.2], "volume": 100.0})
    >>> ds.bulk_volume(bars, window=2).round(1).tolist()
    [nan, nan, 24.0, 82.7]
    """
    check_whole("window", window, 2)
    check_option("dist", dist, ["normal", "t"])
    frame = to_pandas(bars)
    for name in ("close", "volume"):
        if name not in frame:
            raise DataError(f"No column {name!r}; the bars have {', '.join(map(str, frame.columns))}.")
    owner = np.asarray(frame["asset"]) if "asset" in frame else np.zeros(len(frame))
    close = np.asarray(frame["close"], dtype=np.float64)
    share = np.full(len(frame), np.nan)
    for name in pd.unique(owner):
        rows = np.flatnonzero(owner == name)
        share[rows] = _share(close[rows], window, dist)
    return pd.Series(share * np.asarray(frame["volume"], dtype=np.float64), index=frame.index, name="buy_volume")


def _share(close: FloatArray, window: int, dist: str) -> FloatArray:
    from scipy.special import ndtr, stdtr

    from drainstats.kernels.windows import window_covariance

    change = np.concatenate([[np.nan], np.diff(close)])
    variance = np.full((len(close), 1), np.nan)
    if len(close) > window:
        window_covariance(change[:, None], change[:, None], window, window, variance)
    deviation = np.sqrt(variance[:, 0])
    z = np.divide(change, deviation, out=np.full(len(close), np.nan), where=deviation > 0)
    return ndtr(z) if dist == "normal" else stdtr(0.25, z)


def with_bulk_volume(table: pd.DataFrame, window: int, rule: BarRule) -> pd.DataFrame:
    """Bars whose sides come from `bulk_volume`; VPIN from volume buckets filled with bars in their bought share."""
    bought = np.asarray(bulk_volume(table, window))
    volume = np.asarray(table["volume"])
    signed = 2.0 * bought - volume
    vpin = np.full(len(table), np.nan)
    for name, rows in table.reset_index(drop=True).groupby("asset").groups.items():
        bucket = rule.bucket_of(str(name))
        if bucket > 0:
            at = np.asarray(rows)
            vpin[at] = _vpin(volume[at], bought[at], table.index.as_unit("ns").asi8[at], bucket, rule.window)
    return table.assign(
        buy_volume=bought, signed_volume=signed, kyle_lambda=np.nan, vpin=vpin,
        imbalance=np.divide(signed, volume, out=np.full(len(volume), np.nan), where=volume > 0),
    )  # fmt: skip


def _vpin(volume: FloatArray, bought: FloatArray, start: Any, bucket: float, window: int) -> FloatArray:
    from drainstats.kernels import ticks as kernels
    from drainstats.kernels.windows import window_mean

    values, count = np.empty(2 * len(volume)), np.empty(len(volume), dtype=np.int64)
    repeat = np.empty((2 * len(volume), kernels.NK), dtype=np.int64)
    tilt = np.divide(2.0 * bought - volume, volume, out=np.zeros(len(volume)), where=volume > 0)
    runs = kernels.fill_buckets(volume, tilt, start // kernels.DAY, bucket, window, count, values, repeat)
    full = np.repeat(values[:runs], repeat[:runs, kernels.K_REPEAT])
    out = np.full(len(volume), np.nan)
    if len(full) >= window:
        mean = np.empty((len(full), 1))
        window_mean(full[:, None], window, window, mean)
        out[count >= window] = mean[count[count >= window] - 1, 0]
    return out
