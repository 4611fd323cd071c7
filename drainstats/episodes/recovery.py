"""How fast the stress of one episode decays: an exponential fitted to the path after the trough.

The model is y_j = y_0 · exp(−λ j), with y_0 the stress at the trough, fitted by least squares in λ; the half-life is
ln 2 / λ. One episode does not identify a share that never recovers, so none is given: the flag says instead whether
half of the stress was seen to go.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
