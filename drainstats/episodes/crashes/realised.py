"""Realised variation with and without its jumps: sums of products of neighbouring returns of a day.

With n returns r of a day and m(p) = E|Z|^p for a standard normal Z,

    variance            Σ r²                                    bipower     m(1)^-2 n/(n−1) Σ |r_i| |r_{i−1}|
    tripower quarticity n m(4/3)^-3 n/(n−2) Σ |r_i r_{i−1} r_{i−2}|^(4/3)
    quadpower quarticity n m(1)^-4 n/(n−3) Σ |r_i r_{i−1} r_{i−2} r_{i−3}|
    min variance        π/(π−2) n/(n−1) Σ min(|r_i|, |r_{i−1}|)²
    median variance     π/(6−4√3+π) n/(n−2) Σ med(|r_i|, |r_{i−1}|, |r_{i−2}|)²

and their fourth powers for the quarticity. All but the first estimate the variance without jumps.
"""

from __future__ import annotations

from math import gamma, pi, sqrt
from typing import Any

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.blocks import (
    Blocks,
    Overnight,
    Windows,
    blocks_of,
    factors_of,
    kept_returns,
    with_factors,
)
from drainstats.episodes.crashes.paths import Paths, price_paths, stacked
from drainstats.errors import check_option
from drainstats.typing import FloatArray


def absolute_moment(p: float) -> float:
    """E|Z|^p of a standard normal Z."""
    return 2.0 ** (p / 2.0) * gamma((p + 1.0) / 2.0) / sqrt(pi)


def shifted(values: FloatArray, rows: int) -> FloatArray:
    """Values (n,) of ``rows`` rows earlier; zero before the first."""
    if rows == 0:
        return values
    return np.concatenate([np.zeros(min(rows, len(values))), values[: max(len(values) - rows, 0)]])


def power_product(size: FloatArray, blocks: Blocks, power: float, terms: int, gap: int = 1) -> FloatArray:
    """Σ of products of ``terms`` sizes (n,), ``gap`` rows apart, each to ``power``, per block; NaN if too short."""
    raised = size**power
    product = raised.copy()
    for k in range(1, terms):
        product = product * shifted(raised, k * gap)
    reach = (terms - 1) * gap
    return np.where(blocks.size > reach, blocks.total(product, reach), np.nan)


def multipower(size: FloatArray, blocks: Blocks, total_power: float, terms: int, gap: int = 1) -> FloatArray:
    """Multipower variation (G,) of sizes (n,): scaled so that it estimates n^(p/2−1) times the integral of sigma^p."""
    power, n = total_power / terms, blocks.size
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = n ** (total_power / 2.0 - 1.0) * n / (n - (terms - 1) * gap)
    return scale * power_product(size, blocks, power, terms, gap) / absolute_moment(power) ** terms


def smallest(size: FloatArray, blocks: Blocks, power: int) -> FloatArray:
    """MinRV (power 2) or MinRQ (power 4) of Andersen, Dobrev and Schaumburg (2012)."""
    n = blocks.size
    low = np.minimum(size, shifted(size, 1)) ** power
    scale = pi / (pi - 2.0) if power == 2 else pi * n / (3.0 * pi - 8.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 1, scale * n / (n - 1.0) * blocks.total(low, 1), np.nan)


def middle(size: FloatArray, blocks: Blocks, power: int) -> FloatArray:
    """MedRV (power 2) or MedRQ (power 4) of Andersen, Dobrev and Schaumburg (2012)."""
    n, a, b = blocks.size, shifted(size, 1), shifted(size, 2)
    median = np.maximum(np.minimum(size, a), np.minimum(np.maximum(size, a), b)) ** power
    root = sqrt(3.0)
    scale = pi / (6.0 - 4.0 * root + pi) if power == 2 else 3.0 * pi * n / (9.0 * pi + 72.0 - 52.0 * root)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 2, scale * n / (n - 2.0) * blocks.total(median, 2), np.nan)


def realised_measures(
    log_price: Any, by: str | int = "day", overnight: Overnight = "drop", *, times: Any = None
) -> pd.DataFrame:
    """Realised variance, its jump-robust cousins and quarticities, by day or in trailing windows.

    Parameters
    ----------
    log_price : (T, N) table, Series or array
        Log prices within the day. Labels are stamps or seconds. Missing prices are left out.
    by : "day" or int, default "day"
        UTC days, or that many returns up to each row.
    overnight : {"drop", "keep"}, default "drop"
        The return from one day's last price to the next day's first; keep it where trading never stops.
    times : (T,) stamps or seconds, optional
        Of the rows of an array.

    Returns
    -------
    DataFrame
        A row a day or return; columns returns, variance, bipower, min_variance, median_variance (squares of the log
        price), tripower_quarticity, quadpower_quarticity, min_quarticity, median_quarticity (fourth powers). For a
        table the columns are pairs (quantity, asset).

    Raises
    ------
    DataError, OptionError
        Bad stamps or prices; a window below five returns or longer than the history.

    References
    ----------
    Barndorff-Nielsen and Shephard (2004), Journal of Financial Econometrics 2(1), 1-37. Andersen, Dobrev and Schaumburg
    (2012), Journal of Econometrics 169(1), 75-93.

    Examples
    --------
    >>> import numpy as np, drainstats as ds
    >>> path = np.random.default_rng(0).normal(0, 0.001, 390).cumsum()
    >>> path[200:] += 0.02
    >>> found = ds.realised_measures(path).iloc[0]
    >>> bool(found["variance"] > found["bipower"] > 390e-6 / 2)
    True
    """
    check_option("overnight", overnight, ["drop", "keep"])
    return by_blocks(price_paths(log_price, times), by, overnight, _measures)


def by_blocks(paths: Paths, by: str | int, overnight: str, make: Any, seasonality: Any = None) -> pd.DataFrame:
    """What ``make(returns, blocks)`` says of each asset, a row a block."""
    found, factors = {}, factors_of(seasonality, paths)
    for number, column in enumerate(paths.columns):
        ends, returns = kept_returns(paths, number, overnight)
        ends, returns, factor = with_factors(ends, returns, factors[:, number])
        blocks = blocks_of(paths, ends, by)
        # Windows end in rows of which assets lack some and whose stamps may repeat: rows line them up.
        labels = pd.Index(ends) if isinstance(blocks, Windows) else blocks.labels
        found[column] = pd.DataFrame({"returns": blocks.size} | make(returns / factor, blocks), index=labels)
    out = stacked(found, paths)
    return out if by == "day" else out.set_axis(paths.index[out.index])


def _measures(r: FloatArray, blocks: Blocks) -> dict[str, FloatArray]:
    size = np.abs(r)
    return {
        "variance": blocks.total(r * r), "bipower": multipower(size, blocks, 2.0, 2),
        "min_variance": smallest(size, blocks, 2), "median_variance": middle(size, blocks, 2),
        "tripower_quarticity": multipower(size, blocks, 4.0, 3),
        "quadpower_quarticity": multipower(size, blocks, 4.0, 4),
        "min_quarticity": smallest(size, blocks, 4), "median_quarticity": middle(size, blocks, 4),
    }  # fmt: skip
