"""Did the price jump today? Six tests of a day's (or a window's) returns, none of which says where the jump was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi, sqrt
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.blocks import Blocks, Days, Overnight
from drainstats.episodes.crashes.paths import price_paths
from drainstats.episodes.crashes.realised import (
    absolute_moment,
    by_blocks,
    middle,
    multipower,
    power_product,
    shifted,
    smallest,
)
from drainstats.errors import OptionError, check_option
from drainstats.typing import FloatArray

Method = Literal["bns", "min", "median", "threshold", "swap", "power"]
_SPREAD = (pi / 2.0) ** 2 + pi - 5.0


def jump_test(
    log_price: Any,
    method: Method = "bns",
    by: str | int = "day",
    overnight: Overnight = "drop",
    *,
    quarticity: Literal["tripower", "quadpower"] = "tripower",
    gap: int = 1,
    seasonality: Any = None,
    times: Any = None,
) -> pd.DataFrame:
    """Test of "no jump in the block" against jumps.

    Parameters
    ----------
    log_price : (T, N) table, Series or array
        Log prices within the day. Labels are stamps or seconds. Missing prices are left out.
    method : {"bns", "min", "median", "threshold", "swap", "power"}, default "bns"
        "bns": ratio of bipower to realised variance (Barndorff-Nielsen and Shephard, 2006, with the maximum of Huang
        and Tauchen, 2005). "min", "median": the same with the nearest-neighbour measures of Andersen, Dobrev and
        Schaumburg (2012), which zero returns hurt less than they hurt bipower, "min" excepted. "threshold": the
        corrected threshold bipower of Corsi, Pirino and Renò (2010), three local deviations; it sees two jumps in a
        row. "swap": swap variance of Jiang and Oomen (2008), which knows the sign of the jump. "power": fourth powers
        at two scales of Aït-Sahalia and Jacod (2009), returns truncated at four deviations in its standard error.
    by : "day" or int, default "day"
        UTC days, or that many returns up to each row; "threshold" and "power" know days only.
    overnight : {"drop", "keep"}, default "drop"
        The return from one day's last price to the next day's first; keep it where trading never stops.
    quarticity : {"tripower", "quadpower"}, default "tripower"
        For "bns".
    gap : int, default 1
        Rows between the returns that are multiplied in "bns"; 2 leaves one out, against noise (Huang and Tauchen).
    seasonality : Series, frame or array like ``log_price``, optional
        Factors of `intraday_seasonality`; returns are divided by them, and those without a factor are left out.
    times : (T,) stamps or seconds, optional
        Of the rows of an array.

    Returns
    -------
    DataFrame
        A row a block; columns returns, statistic (standard normal without jumps), p_value and jump_share (of the
        variance, not below zero; NaN for "swap" and "power"). One-sided, large values reject; "power" rejects for small
        values, "swap" on both sides. For a table the columns are pairs (quantity, asset). NaN where there are too few
        returns or the price does not move.

    Raises
    ------
    DataError, OptionError
        Bad stamps or prices; windows where only days will do.

    References
    ----------
    Barndorff-Nielsen and Shephard (2006), Journal of Financial Econometrics 4(1), 1-30. Huang and Tauchen (2005), same
    journal 3(4), 456-499. Andersen, Dobrev and Schaumburg (2012), Journal of Econometrics 169(1), 75-93. Corsi, Pirino
    and Renò (2010), Journal of Econometrics 159(2), 276-288. Jiang and Oomen (2008), Journal of Econometrics 144(2),
    352-370. Aït-Sahalia and Jacod (2009), Annals of Statistics 37(1), 184-222.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> path = np.random.default_rng(0).normal(0, 0.001, 390).cumsum()
    >>> path[200:] += 0.02
    >>> bool(ds.jump_test(path)["p_value"].iloc[0] < 1e-6)
    True
    """
    tests: dict[str, Callable[[FloatArray, Any], dict[str, FloatArray]]] = {
        "bns": partial(_bns, quarticity=quarticity, gap=gap),
        "min": partial(_neighbours, measure=smallest, spread=1.81),
        "median": partial(_neighbours, measure=middle, spread=0.96),
        "threshold": _threshold,
        "swap": _swap,
        "power": _power,
    }
    check_option("method", method, tests)
    check_option("quarticity", quarticity, ["tripower", "quadpower"])
    check_option("overnight", overnight, ["drop", "keep"])
    if isinstance(gap, bool) or not isinstance(gap, (int, np.integer)) or not 1 <= gap <= 10:
        raise OptionError(f"gap={gap!r} must be a whole number of rows from 1 to 10.")
    if method in ("threshold", "power") and by != "day":
        raise OptionError(f"method={method!r} works on whole days; use by='day', or another method for windows.")
    with np.errstate(divide="ignore", invalid="ignore"):
        return by_blocks(price_paths(log_price, times), by, overnight, tests[method], seasonality)


def _upper(z: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    return np.asarray(ndtr(-z))


def _ratio(
    variance: FloatArray, calm: FloatArray, quarticity: FloatArray, n: FloatArray, spread: float
) -> dict[str, FloatArray]:
    """The ratio statistic with the maximum of Huang and Tauchen, its one-sided p-value and the share of jumps."""
    moved = (calm > 0) & (variance > 0)
    size = np.sqrt(spread / n * np.maximum(1.0, quarticity / calm**2))
    z = np.where(moved, (1.0 - calm / variance) / size, np.nan)
    share = np.where(moved, np.maximum(1.0 - calm / variance, 0.0), np.nan)
    return {"statistic": z, "p_value": _upper(z), "jump_share": share}


def _bns(r: FloatArray, blocks: Blocks, quarticity: str, gap: int) -> dict[str, FloatArray]:
    size, terms = np.abs(r), 3 if quarticity == "tripower" else 4
    fourth = multipower(size, blocks, 4.0, terms, gap)
    return _ratio(blocks.total(r * r), multipower(size, blocks, 2.0, 2, gap), fourth, blocks.size, _SPREAD)


def _neighbours(r: FloatArray, blocks: Blocks, measure: Any, spread: float) -> dict[str, FloatArray]:
    size = np.abs(r)
    return _ratio(blocks.total(r * r), measure(size, blocks, 2), measure(size, blocks, 4), blocks.size, spread)


def _threshold(r: FloatArray, blocks: Days, times: float = 3.0) -> dict[str, FloatArray]:
    """Returns beyond ``times`` local deviations enter with what a return beyond them is expected to be."""
    from scipy.special import gamma as gamma_function
    from scipy.special import gammaincc, ndtr

    bar = times**2 * _local_variance(r, blocks, times)
    large = (r * r > bar) & (bar > 0)

    def corrected(power: float) -> FloatArray:
        half = (power + 1.0) / 2.0
        tail = gamma_function(half) * gammaincc(half, times**2 / 2.0) / (2.0 * ndtr(-times) * sqrt(pi))
        return np.where(large, tail * (2.0 / times**2 * bar) ** (power / 2.0), np.abs(r) ** power)

    n, first, four = blocks.size, corrected(1.0), corrected(4.0 / 3.0)
    calm = (pi / 2.0) * n / (n - 1.0) * blocks.total(first * shifted(first, 1), 1)
    triple = blocks.total(four * shifted(four, 1) * shifted(four, 2), 2)
    fourth = n * n / (n - 2.0) * triple / absolute_moment(4.0 / 3.0) ** 3
    out = _ratio(blocks.total(r * r), calm, fourth, n, _SPREAD)
    return {k: np.where(n > 2, v, np.nan) for k, v in out.items()}


def _local_variance(r: FloatArray, blocks: Days, times: float, reach: int = 25, rounds: int = 20) -> FloatArray:
    """Gaussian-weighted mean (n,) of squares around each return of a day, without its neighbours and large ones.

    The window is one deviation of the kernel to each side; large returns leave until no more do.
    """
    square, variance = r * r, np.full(len(r), np.inf)
    kept = np.zeros(len(r))
    for _ in range(rounds):
        before, kept = kept, (square <= times**2 * variance).astype(np.float64)
        if np.array_equal(kept, before):
            break
        above, below = np.zeros(len(r)), np.zeros(len(r))
        for lag in range(2, reach + 1):
            weight = np.exp(-0.5 * (lag / reach) ** 2)
            inside = blocks.inside(lag)[lag:]
            for here, there in ((slice(lag, None), slice(None, -lag)), (slice(None, -lag), slice(lag, None))):
                above[here] += weight * inside * (kept * square)[there]
                below[here] += weight * inside * kept[there]
        variance = np.divide(above, below, out=np.full(len(r), np.inf), where=below > 0)
    return variance


def _swap(r: FloatArray, blocks: Blocks) -> dict[str, FloatArray]:
    """Twice the gap of simple and log returns hedges the variance of a path without jumps."""
    from scipy.special import ndtr

    n, size = blocks.size, np.abs(r)
    variance, swap = blocks.total(r * r), 2.0 * blocks.total(np.expm1(r) - r)
    calm = multipower(size, blocks, 2.0, 2)
    # Fifteen is E Z^6; the sixth power variation comes from four neighbours.
    sixth = n**3 / (n - 3.0) * power_product(size, blocks, 1.5, 4) / absolute_moment(1.5) ** 4
    z = np.where((calm > 0) & (sixth > 0), n * calm / np.sqrt(15.0 / 9.0 * sixth) * (1.0 - variance / swap), np.nan)
    return {"statistic": z, "p_value": 2.0 * np.asarray(ndtr(-np.abs(z))), "jump_share": np.full(len(z), np.nan)}


def _power(r: FloatArray, blocks: Days, cut: float = 4.0, rate: float = 0.48) -> dict[str, FloatArray]:
    """Fourth powers of returns over two rows against those over one: two without jumps, one with them."""
    from scipy.special import ndtr

    n, size = blocks.size, np.abs(r)
    starts = np.r_[0, np.cumsum(n)[:-1]].astype(np.int64)
    odd = (np.arange(len(r)) - starts[blocks.group]) % 2 == 1
    ratio = blocks.total(np.where(odd, (r + shifted(r, 1)) ** 4, 0.0), 1) / blocks.total(size**4)
    deviation = np.sqrt(multipower(size, blocks, 2.0, 2) / n)
    small = np.where(size <= (cut * deviation * n ** (0.5 - rate))[blocks.group], size, 0.0)
    # M(4, 2) = 160/3 of the paper, with the moments 3 and 105 of the truncated powers.
    variance = 160.0 / 3.0 * 9.0 / 105.0 * blocks.total(small**8) / blocks.total(small**4) ** 2
    z = np.where((n > 3) & (deviation > 0), (ratio - 2.0) / np.sqrt(variance), np.nan)
    return {"statistic": z, "p_value": np.asarray(ndtr(z)), "jump_share": np.full(len(z), np.nan)}
