"""Which asset drained first: shares over those that had arrived by the alarm, calibrated on simulated markets.

With l_i the bars from the first arrival to that of asset i and g_i = ln(1 + c_i), c_i the rise of its stress in the bar
of its arrival (robust standard deviations, at least zero), its share is

    s_i = exp(−LAG · l_i + SIZE · g_i) / Σ_j exp(−LAG · l_j + SIZE · g_j).

Only rows up to the alarm enter. The two coefficients are maximum-likelihood estimates of a conditional logit on one
family of simulated markets (``docs/make_source_table.py``, which also scores the shares on the other families);
measures of transmission and of triggering would join as further terms of the same sum.
"""

from __future__ import annotations

import numpy as np

from drainstats.typing import FloatArray

BASIS = "simulator-calibrated"
LAG = 1.0
SIZE = 1.0
# The smallest share at which a first asset that came alone is named.
NAMED = 0.6


def first_increments(z: FloatArray, arrivals: dict[int, int]) -> tuple[FloatArray, FloatArray]:
    """Lags in bars and log increments of the assets of ``arrivals`` (asset → row), in its order."""
    columns, rows = np.array(list(arrivals)), np.array(list(arrivals.values()))
    lag = (rows - rows.min()).astype(np.float64)
    before = np.where(rows > 0, z[np.maximum(rows - 1, 0), columns], 0.0)
    rise = z[rows, columns] - np.nan_to_num(before)
    return lag, np.log1p(np.maximum(rise, 0.0))


def softmax(lag: FloatArray, size: FloatArray, coefficients: tuple[float, float] = (LAG, SIZE)) -> FloatArray:
    """Shares that sum to one."""
    score = -coefficients[0] * lag + coefficients[1] * size
    weight = np.exp(score - score.max())
    shares: FloatArray = weight / weight.sum()
    return shares


def source_shares(z: FloatArray, arrivals: dict[int, int]) -> tuple[dict[int, float], bool]:
    """Asset → share, and whether the data name one.

    Parameters
    ----------
    z : (T, N)
        Stress; rows after the last arrival do not enter.
    arrivals : asset → row
        Arrivals up to the alarm.

    Returns
    -------
    shares, identified
        One is named when it came alone in the first bar and its share is ``NAMED`` or more.
    """
    lag, size = first_increments(z, arrivals)
    shares = softmax(lag, size)
    top = int(np.argmax(shares))
    alone = np.count_nonzero(lag == 0) == 1 and lag[top] == 0
    return dict(zip(arrivals, map(float, shares), strict=True)), bool(alone and shares[top] >= NAMED)
