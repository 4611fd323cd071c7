"""Logarithms of illiquidity that has zeros and ties.

Illiquidity is zero when the price did not move (Amihud) or the estimate was cut off (spreads), and tied where it lives
on a grid of ticks. With a positive constant c an asset:

    missing   log x,                       nothing where x <= 0
    offset    log(x + c),                  nothing where x + c <= 0
    asinh     log c + asinh(x / (2 c)),    any x; within (c / x)^2 of log x where x is large

All three keep the order and rise by log k when the unit makes x k times larger, provided that c goes with the unit, as
half the smallest positive value does. What happens near zero is the choice of c, not the data: coefficients on such
logarithms depend on it (Chen and Roth, 2024, Quarterly Journal of Economics 139, 891-936). The inverse hyperbolic sine
is that of Burbidge, Magee and Robb (1988), Journal of the American Statistical Association 83, 123-127.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_number, check_option, check_whole
from drainstats.frames import Wide, as_wide
from drainstats.models.coliquidity.margins.innovations import refuse_infinite
from drainstats.typing import FloatArray


def log_illiquidity(
    illiquidity: Any,
    zeros: Literal["missing", "offset", "asinh"] = "missing",
    ties: Literal["keep", "jitter", "scores"] = "keep",
    offset: float | Mapping[Any, float] | None = None,
    tick: float | Mapping[Any, float] | None = None,
    history: int | None = 60,
    seed: int = 0,
) -> Any:
    """Turn illiquidity with zeros and ties into logarithms, by rules that are stated.

    Parameters
    ----------
    illiquidity : (T, N) table, Series or array
        Any unit; NaN is allowed and stays.
    zeros : {"missing", "offset", "asinh"}, default "missing"
        "missing": zeros and negative values become NaN. "offset": log(x + c). "asinh": log c + asinh(x / (2 c)), for
        spreads whose negative estimates were kept.
    ties : {"keep", "jitter", "scores"}, default "keep"
        "jitter": before the logarithm every value moves evenly within its tick, so that x in {0, tick, 2 tick, ...}
        becomes a number in the half-tick about it, a zero one between 0 and tick / 2 (Machado and Santos Silva, 2005,
        Journal of the American Statistical Association 100, 1226-1237). Deterministic by ``seed`` and the asset's
        name; the first rows do not depend on later ones. "scores": the normal scores Phi^-1((r - 1/2) / n) of the
        mid-ranks r among the n rows up to then, whatever the unit (van der Waerden, 1952): ties share a score.
    offset : float or mapping of asset to float, optional
        c in the units of ``illiquidity``. Default: half the smallest positive value of the first ``history`` rows.
    tick : float or mapping of asset to float, optional
        For "jitter"; nothing estimates it.
    history : int or None, default 60
        First rows that c, or the ranks, need: they are NaN themselves, so that nothing looks ahead. None takes the
        whole sample, which is *not* causal. Without effect where neither c nor ranks are taken from the data.
    seed : int, default 0

    Returns
    -------
    The kind of table that came in, same shape. A DataFrame or Series carries in ``attrs``, by column: ``zero_share``
    and ``negative_share`` (of the values that are there), ``tied_share`` (values that occur more than once), ``offset``
    (c, NaN where none), and ``unusable`` (assets without a positive value in the history, all NaN); and ``causal``.

    Raises
    ------
    DataError
        Infinite values; no asset with a positive value to take c from.
    OptionError
        Jitter without a tick, an asset without its tick or offset.

    Examples
    --------
    >>> import pandas as pd
    >>> x = pd.DataFrame({"A": [0.0, 1.0, 100.0]})
    >>> log_illiquidity(x, zeros="offset", offset=0.5)["A"].round(3).tolist()
    [-0.693, 0.405, 4.61]
    >>> moves = log_illiquidity(x, zeros="asinh", offset=0.5).diff()
    """
    check_option("zeros", zeros, ["missing", "offset", "asinh"])
    check_option("ties", ties, ["keep", "jitter", "scores"])
    if history is not None:
        check_whole("history", history, 1)
    wide = as_wide(illiquidity, "illiquidity")
    refuse_infinite(wide)
    x = wide.values
    if ties == "jitter":
        x = _jittered(x, _by_asset("tick", tick, wide), wide.columns, seed)
    c, wait = np.full(x.shape[1], np.nan), 0
    if zeros != "missing":
        c, wait = _constants(x, wide, offset, history)
    with np.errstate(invalid="ignore", divide="ignore"):
        if zeros == "asinh":
            out = np.log(c) + np.arcsinh(x / (2.0 * c))
        else:
            moved = x + c if zeros == "offset" else x
            out = np.log(np.where(moved > 0.0, moved, np.nan))
    if ties == "scores":
        out = np.column_stack([_scores(out[:, i], history) for i in range(out.shape[1])]) if out.shape[1] else out
        wait = 0 if history is None else max(wait, history)
    out[:wait] = np.nan
    table = wide.like(out)
    if isinstance(table, (pd.DataFrame, pd.Series)):
        taken = ties == "scores" or (zeros != "missing" and offset is None)
        table.attrs.update(_account(wide, c, zeros), causal=not (taken and history is None))
    return table


def _account(wide: Wide, c: FloatArray, zeros: str) -> dict[str, Any]:
    """Shares of zeros, negative and tied values, c, and assets that could not be used."""
    names, x = list(wide.columns), wide.values
    there = np.maximum(np.isfinite(x).sum(axis=0), 1)
    tied = [int(pd.Series(x[:, i]).dropna().duplicated(keep=False).sum()) for i in range(len(names))]
    shares = {"zero_share": (x == 0.0).sum(axis=0), "negative_share": (x < 0.0).sum(axis=0), "tied_share": tied}
    out: dict[str, Any] = {k: dict(zip(names, (np.array(v) / there).tolist(), strict=True)) for k, v in shares.items()}
    out["offset"] = dict(zip(names, c.tolist(), strict=True))
    out["unusable"] = [n for n, lost in zip(names, np.isnan(c), strict=True) if lost and zeros != "missing"]
    return out


def _by_asset(name: str, value: Any, wide: Wide) -> FloatArray:
    """A positive number an asset (N,)."""
    if value is None:
        raise OptionError(f'ties="jitter" needs the {name} of the data; pass {name}=, one number or one an asset.')
    if not isinstance(value, (Mapping, pd.Series)):
        check_number(name, value, 0.0)
        return np.full(len(wide.columns), float(value))
    for asset in wide.columns:
        if asset not in value:
            raise OptionError(f"{name} has no number for the asset {asset!r}; give every asset one.")
        check_number(f"{name} of {asset}", value[asset], 0.0)
    return np.array([float(value[asset]) for asset in wide.columns])


def _constants(x: FloatArray, wide: Wide, offset: Any, history: int | None) -> tuple[FloatArray, int]:
    """c (N,) and the number of rows that had to be seen for it."""
    if offset is not None:
        return _by_asset("offset", offset, wide), 0
    rows = len(x) if history is None else history
    if rows > len(x):
        return np.full(x.shape[1], np.nan), rows
    smallest = np.where(x[:rows] > 0.0, x[:rows], np.inf).min(axis=0, initial=np.inf)
    if np.isinf(smallest).all() and len(smallest):
        raise DataError(
            f"No asset has a positive value in the first {rows} rows, so that c cannot be taken; pass offset=, or "
            "leave out what never trades.",
            column=wide.columns[0],
        )
    return np.where(np.isinf(smallest), np.nan, 0.5 * smallest), 0 if history is None else rows


def _jittered(x: FloatArray, tick: FloatArray, columns: Any, seed: int) -> FloatArray:
    """Values moved evenly within their tick; a zero moves upwards only."""
    out = np.empty_like(x)
    for i, name in enumerate(columns):
        place = np.random.default_rng([seed, zlib.crc32(str(name).encode())]).random(len(x))
        move = np.where(x[:, i] == 0.0, 0.5 * place, place - 0.5)
        # The open interval: a zero stays positive, neighbours do not meet.
        out[:, i] = x[:, i] + tick[i] * np.clip(move, 1e-9 - 0.5 * (x[:, i] != 0.0), 0.5 - 1e-9)
    return out


def _scores(values: FloatArray, history: int | None) -> FloatArray:
    """Normal scores of the mid-ranks of (T,), among the rows up to each row, or among all."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    out = np.full(len(values), np.nan)
    there = np.flatnonzero(np.isfinite(values))
    if history is None:
        out[there] = ndtri((rankdata(values[there]) - 0.5) / max(len(there), 1))
        return out
    seen: list[float] = []
    share = np.empty(len(there))
    for k, value in enumerate(values[there]):
        insort(seen, value)
        share[k] = 0.5 * (bisect_left(seen, value) + bisect_right(seen, value)) / (k + 1)
    out[there] = ndtri(share)
    return out
