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


def crossing(path: FloatArray, level: float) -> float:
    """Bars until a path first stands at or below a level, interpolated; NaN when it never does.

    Examples
    --------
    >>> import numpy as np
    >>> crossing(np.array([4.0, 3.0, np.nan, 1.0]), 2.0)
    2.0
    """
    bars = np.flatnonzero(~np.isnan(path))
    y = path[bars]
    below = np.flatnonzero(y <= level)
    if not len(below):
        return float("nan")
    k = int(below[0])
    if k == 0:
        return float(bars[0])
    return float(bars[k - 1] + (bars[k] - bars[k - 1]) * (y[k - 1] - level) / (y[k - 1] - y[k]))


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


def member_table(
    index: pd.DatetimeIndex,
    excess: FloatArray,
    z: FloatArray,
    arrivals: dict[str, tuple[int, int]],
    last: int,
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
    last : int
        Last row in which a trough is looked for.
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
        own = excess[arrival : max(last, arrival) + 1, column]
        trough = arrival + int(np.nanargmax(own))
        path = excess[trough:stop, column]
        half = crossing(path, path[0] / 2)
        quiet = np.flatnonzero(z[trough:stop, column] < calm)
        back = float(quiet[0]) if len(quiet) else float("nan")
        seen = int(np.flatnonzero(~np.isnan(path))[-1])
        rows[name] = (
            index[arrival],
            index[trough],
            _label(index, trough, half),
            _label(index, trough, back),
            index[trough + seen],
            float(np.exp(-path[0])),
            half,
            back,
            float(seen),
        )
    columns = zip((*MEMBER_STAMPS, *MEMBER_NUMBERS), zip(*rows.values(), strict=True), strict=True)
    kinds = dict.fromkeys(MEMBER_STAMPS, STAMPS) | dict.fromkeys(MEMBER_NUMBERS, "float64")
    return pd.DataFrame({c: pd.Series(cells, index=list(rows), dtype=kinds[c]) for c, cells in columns})


def _label(index: pd.DatetimeIndex, trough: int, bars: float) -> pd.Timestamp:
    return pd.NaT if bars != bars else index[trough + int(np.ceil(bars))]
