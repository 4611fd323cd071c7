"""How one episode came back: an exponential fitted to the path after the trough, and each member's own return.

The model is y_j = y_0 · exp(−λ j), with y_0 the stress at the trough, fitted by least squares in λ; the half-life is
ln 2 / λ. One episode does not identify a share that never recovers, so none is given: the flag says instead whether
half of the stress was seen to go. `drainstats.recovery_curves` pools members over episodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from drainstats.episodes.serial import MEMBER_NUMBERS, MEMBER_STAMPS, STAMPS
from drainstats.typing import FloatArray

MIN_POINTS = 3
REACH = 4


class Decay(NamedTuple):
    """half_life : bars, NaN when it cannot be fitted; censored : half of the stress was not seen to go."""

    half_life: float
    censored: bool


def fit_decay(path: FloatArray) -> Decay:
    """Fit the decay of a path (one number a bar) that starts at the trough.

    Examples
    --------
    >>> import numpy as np
    >>> round(fit_decay(8 * 0.5 ** (np.arange(10) / 3.0)).half_life, 6)
    3.0
    """
    from scipy.optimize import minimize_scalar

    bars = np.arange(len(path))
    seen = ~np.isnan(path)
    y, j = path[seen], bars[seen]
    if len(y) < MIN_POINTS or not y[0] > 0:
        return Decay(float("nan"), True)
    censored = bool(y.min() > y[0] / 2)

    def squares(log_rate: float) -> float:
        return float(np.sum((y - y[0] * np.exp(-np.exp(log_rate) * j)) ** 2))

    grid = np.log(np.geomspace(1e-4, 5.0, 60))
    start = int(np.argmin([squares(g) for g in grid]))
    bounds = (grid[max(start - 1, 0)], grid[min(start + 1, len(grid) - 1)])
    best = minimize_scalar(squares, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return Decay(float(np.log(2) / np.exp(best.x)), censored)


def bars_missing(path: FloatArray, share: float = 0.5) -> float:
    """Bars in which more than a share of a loss was missing, from its trough on; NaN when it was never regained.

    Counted over the whole path, in which a missing value repeats the one before. The first crossing would come too
    early, because noise crosses before the path does; a bar that noise puts below the line too early and one that it
    puts above too late offset each other. Regained means that the median of the last three bars is.

    Examples
    --------
    >>> import numpy as np
    >>> bars_missing(np.array([4.0, 3.0, 1.9, 2.1, 1.0, 0.5]))
    3.0
    """
    seen = ~np.isnan(path)
    y = path[np.maximum.accumulate(np.where(seen, np.arange(len(path)), 0))]
    if len(y) < 2 or not np.median(y[1:][-3:]) <= share * y[0]:
        return float("nan")
    return float(np.count_nonzero(y > share * y[0]))


def loss_speed(left: FloatArray, trough: int) -> tuple[float, float]:
    """Positions at which a path of the share of liquidity left had lost a tenth and nine tenths of what it lost at its
    trough: the last and the first such crossing before it, interpolated; NaN where the path does not show it.

    Examples
    --------
    >>> import numpy as np
    >>> [round(x, 6) for x in loss_speed(np.array([1.0, 1.0, 0.5, 0.0, 0.2]), 3)]
    [1.2, 2.8]
    """
    loss = 1.0 - left[: trough + 1]
    rows = np.flatnonzero(~np.isnan(loss))
    y = loss[rows]
    if not len(y) or not y[-1] > 0:
        return float("nan"), float("nan")
    low = np.flatnonzero(y < 0.1 * y[-1])
    if not len(low):
        return float("nan"), float("nan")
    start = int(low[-1])
    high = start + int(np.argmax(y[start:] >= 0.9 * y[-1]))
    return _between(rows, y, start, 0.1 * y[-1]), _between(rows, y, high - 1, 0.9 * y[-1])


def _between(rows: np.ndarray, y: FloatArray, k: int, level: float) -> float:
    return float(rows[k] + (rows[k + 1] - rows[k]) * (level - y[k]) / (y[k + 1] - y[k]))


def own_trough(path: FloatArray, arrival: int) -> int:
    """The first row from the arrival on that no value of the next `REACH` rows exceeds.

    The largest value of a whole episode would often be its largest noise.

    Examples
    --------
    >>> import numpy as np
    >>> own_trough(np.array([0.0, 3.0, 4.0, 2.0, 1.0, 1.0, 1.0, 5.0]), 1)
    2
    """
    row = arrival
    while True:
        highest = row + int(np.nanargmax(path[row : row + REACH + 1]))
        if highest == row:
            return row
        row = highest


def member_table(
    index: pd.DatetimeIndex,
    excess: FloatArray,
    z: FloatArray,
    arrivals: dict[str, tuple[int, int]],
    stop: int,
    calm: float,
) -> pd.DataFrame:
    """How deep each member fell and when it came back.

    Parameters
    ----------
    index : (T,) labels
    excess, z : (T, N)
        Log illiquidity above the baseline; the same in robust standard deviations.
    arrivals : name → (column, row of arrival)
    stop : int
        Row after the last one that is followed.
    calm : float
        A member is calm when its z is below this.

    Returns
    -------
    DataFrame
        See `Episode.member_table`.
    """
    rows = {}
    for name, (column, arrival) in arrivals.items():
        end = max(stop, arrival + 1)
        lowest = own_trough(excess[:end, column], arrival)
        path = excess[lowest:end, column]
        half = bars_missing(path)
        quiet = np.flatnonzero(z[lowest:end, column] < calm)
        back = float(quiet[0]) if len(quiet) else float("nan")
        seen = int(np.flatnonzero(~np.isnan(path))[-1])
        rows[name] = (
            index[arrival],
            index[lowest],
            _label(index, lowest, half),
            _label(index, lowest, back),
            index[lowest + seen],
            float(np.exp(-path[0])),
            half,
            back,
            float(seen),
        )
    columns = zip((*MEMBER_STAMPS, *MEMBER_NUMBERS), zip(*rows.values(), strict=True), strict=True)
    kinds = dict.fromkeys(MEMBER_STAMPS, STAMPS) | dict.fromkeys(MEMBER_NUMBERS, "float64")
    return pd.DataFrame({c: pd.Series(cells, index=list(rows), dtype=kinds[c]) for c, cells in columns})


def _label(index: pd.DatetimeIndex, row: int, bars: float) -> pd.Timestamp:
    return pd.NaT if bars != bars else index[row + int(bars)]
