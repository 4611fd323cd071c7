"""What a bar says, from the sums that `drainstats.kernels.ticks` keeps; NaN where there is no answer."""

from __future__ import annotations

import numpy as np

from drainstats.kernels import ticks as k
from drainstats.typing import BoolArray, FloatArray, IntArray

COLUMNS = (
    "open", "high", "low", "close", "volume", "dollar_volume", "vwap", "buy_volume", "signed_volume", "imbalance",
    "amihud", "kyle_lambda", "roll", "realised_variance", "ofi", "quoted_spread", "effective_spread", "realised_spread",
    "price_impact",
)  # fmt: skip


def columns(sums: FloatArray, counts: IntArray) -> FloatArray:
    """(R, len(COLUMNS)) of R bars, from the kernel's rows ``out`` and ``places``."""
    at = sums.T
    n, m = counts[:, k.NQ].astype(np.float64), counts[:, k.NX].astype(np.float64)
    bought, sold = at[k.BOUGHT] + at[k.BOUGHT_E], at[k.SOLD] + at[k.SOLD_E]
    signed = (at[k.BOUGHT] - at[k.SOLD]) + (at[k.BOUGHT_E] - at[k.SOLD_E])
    volume, money, close = bought + sold + (at[k.OTHER] + at[k.OTHER_E]), at[k.MONEY], at[k.P]
    # The first bar of a day has no close before it: its return starts at its open.
    start = np.where(np.isnan(at[k.BEFORE]), at[k.OPEN], at[k.BEFORE])
    both = (close > 0) & (start > 0)
    move = 2.0 * np.arctanh(_ratio(close - start, close + start, both))
    qq = at[k.QQ] - _ratio(at[k.SUM_Q] ** 2, n, n > 0)
    qv = at[k.QV] - _ratio(at[k.SUM_Q] * at[k.SUM_V], n, n > 0)
    cov = _ratio(at[k.XY] - _ratio(at[k.SUM_X] * at[k.SUM_Y], m, m > 0), m - 1.0, m > 1)
    return np.column_stack(
        [
            at[k.OPEN], at[k.HIGH], at[k.LOW], close, volume, money, _ratio(money, volume, volume > 0), bought, signed,
            _ratio(signed, volume, volume > 0),
            _ratio(np.abs(move), money, (n > 0) & (money > 0)),
            _ratio(qv, qq, (n > 2) & (qq > 0)),
            -np.sign(cov) * 2.0 * np.sqrt(np.abs(cov)),
            np.where(n > 0, at[k.RV], np.nan),
            np.where(counts[:, k.N_OFI] > 0, at[k.OFI], np.nan),
            _mean(at[k.QUOTED], at[k.QUOTED_W]),
            _mean(at[k.EFFECTIVE], at[k.EFFECTIVE_W]),
            _mean(at[k.REALISED], at[k.REALISED_W]),
            _mean(at[k.IMPACT], at[k.REALISED_W]),
        ]
    )  # fmt: skip


def _ratio(a: FloatArray, b: FloatArray, where: BoolArray) -> FloatArray:
    return np.divide(a, b, out=np.full(len(a), np.nan), where=where)


def _mean(total: FloatArray, weight: FloatArray) -> FloatArray:
    return _ratio(total, weight, weight != 0)
