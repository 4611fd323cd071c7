"""Drawdowns that forgive small rebounds: falls from a peak that end once more than epsilon has come back.

With epsilon zero a drawdown is a run of falls. Johansen and Sornette (2001) let a fixed epsilon pass; Filimonov and
Sornette (2015) take epsilon times the volatility before the move, so that calm and wild times are cut alike.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.episodes.crashes.events import WAYS, Move, check_number, table_of
from drainstats.episodes.crashes.paths import price_paths
from drainstats.errors import OptionError, check_option
from drainstats.measures.inputs import window_mean
from drainstats.typing import FloatArray


def drawdowns(
    price: Any,
    epsilon: float = 0.0,
    window: int | None = None,
    direction: Literal["down", "up", "both"] = "down",
    min_size: float = 0.0,
    recovery_within: float | None = None,
    retrace: float = 0.5,
    *,
    times: Any = None,
) -> pd.DataFrame:
    """Drawdowns and drawups of a price, pure or with a tolerance for rebounds.

    Parameters
    ----------
    price : (T, N) table, Series or array
        Prices above zero. Labels are stamps or seconds; equal stamps are allowed. Missing prices are left out.
    epsilon : float, default 0
        How much may come back before a move is over: a log return, or with ``window`` a number of standard deviations.
    window : int, optional
        Returns, up to the row where the move starts, whose root mean square scales epsilon (Filimonov and Sornette).
        Moves that start earlier are taken with epsilon zero.
    direction : {"down", "up", "both"}, default "down"
        Which moves are listed; both kinds alternate along the path.
    min_size : float, default 0
        Smallest size, in log returns, of a move that is listed.
    recovery_within : float, optional
        Seconds after the extremum in which the recovery is looked for; by default as long as the move took.
    retrace : float, default 0.5
        Share of the size that has to come back for a recovery.
    times : (T,) stamps or seconds, optional
        Of the rows of an array.

    Returns
    -------
    DataFrame
        A row a move, by onset: onset, detected_at (when the rebound ended it; the last row for one that goes on),
        extremum, recovery (NaT without one), known_at (when the whole row was final; NaT for one that goes on),
        direction, size (log return), seconds, speed (size a second), moves (rows from onset to extremum), retraced
        (share, as of the recovery or the largest until the time was over). For a table also asset.

    Raises
    ------
    DataError
        Prices not above zero, bad stamps.
    OptionError
        A negative epsilon or size, a window below two.

    References
    ----------
    Johansen and Sornette (2001), Journal of Risk 4(2), 69-110. Filimonov and Sornette (2015), Chaos, Solitons &
    Fractals 74, 27-45.

    Examples
    --------
    >>> import drainstats as ds
    >>> found = ds.drawdowns([100.0, 98.0, 98.5, 95.0, 97.0, 99.0], epsilon=0.01)
    >>> found[["onset", "extremum", "detected_at", "moves"]].iloc[0].tolist()
    [0.0, 3.0, 4.0, 3.0]
    """
    check_option("direction", direction, WAYS)
    if isinstance(epsilon, bool) or not (np.isfinite(epsilon) and epsilon >= 0):
        raise OptionError(f"epsilon={epsilon!r} must be a number, at least zero.")
    if window is not None and (isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 2):
        raise OptionError(f"window={window!r} must be a whole number of returns, at least 2.")
    if isinstance(min_size, bool) or not (np.isfinite(min_size) and min_size >= 0):
        raise OptionError(f"min_size={min_size!r} must be a number, at least zero.")
    check_number("retrace", retrace)
    horizon = None if recovery_within is None else check_number("recovery_within", recovery_within)
    paths = price_paths(price, times, "price", positive=True)
    found = []
    for number, column in enumerate(paths.columns):
        _, seconds, values = paths.one(number)
        path = np.log(values)
        moves = _moves(path, seconds, _bars(path, epsilon, window), WAYS[direction], min_size)
        found.append((column, seconds, path, moves, horizon))
    return table_of(found, paths, retrace)


def _bars(path: FloatArray, epsilon: float, window: int | None) -> FloatArray:
    """What may come back (n,), by the row where a move starts."""
    if window is None:
        return np.full(len(path), epsilon)
    out = np.full(len(path), np.nan)
    if len(path) > window:
        out[1:] = epsilon * np.sqrt(window_mean(np.diff(path)[:, None] ** 2, window)[:, 0])
    return out


def _moves(
    path: FloatArray, seconds: FloatArray, bars: FloatArray, ways: tuple[int, ...], min_size: float
) -> list[Move]:
    from drainstats.kernels.zigzag import zigzag

    turns = np.empty((len(path) + 1, 4), dtype=np.int64)
    turns = turns[: zigzag(path, bars, turns)]
    size = np.abs(path[turns[:, 1]] - path[turns[:, 0]])
    turns = turns[np.isin(turns[:, 3], ways) & (size >= min_size)]
    last = len(path) - 1
    return [
        Move(int(a), int(t) if t >= 0 else last, int(b), int(w), float(seconds[t]) if t >= 0 else np.nan, int(b - a))
        for a, b, t, w in turns
    ]
