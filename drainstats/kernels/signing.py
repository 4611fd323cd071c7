"""Who took: the tick rule, Lee-Ready, Ellis-Michaely-O'Hara and Chakrabarty-Li-Nguyen-Van Ness, trade by trade."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray, IntArray

TICK, LEE_READY, EMO, CLNV = range(4)
_DAY = 86_400_000_000_000


@inlined
def _quote_rule(method: int, price: float, bid: float, ask: float) -> int:
    # 0 where the quote does not decide, as a missing or a crossed one never does; a locked one decides off its price.
    if not (ask >= bid and bid > 0.0):
        return 0
    if method == LEE_READY:
        mid = 0.5 * (bid + ask)
        return 1 if price > mid else -1 if price < mid else 0
    if ask == bid:
        return 0
    reach = 0.3 * (ask - bid) if method == CLNV else 0.0
    if ask - reach <= price <= ask:
        return 1
    return -1 if bid <= price <= bid + reach else 0


@kernel
def sign(
    method: int, symbol: IntArray, time: IntArray, price: FloatArray, bid: FloatArray, ask: FloatArray,
    last: FloatArray, direction: IntArray, midnight: IntArray, out: IntArray,
) -> None:  # fmt: skip
    """Write 1 (the buyer took), -1 (the seller) or 0 (unknown) for each trade.

    symbol, time, price : (n,) trades in order; bid, ask : (n,) the quote before each, NaN for none; last, direction,
    midnight : (symbols,) price and direction of the last change, and the end of the day that they belong to.
    """
    for e in range(len(symbol)):
        s, p = symbol[e], price[e]
        if time[e] >= midnight[s]:
            midnight[s] = time[e] - time[e] % _DAY + _DAY
            last[s], direction[s] = np.nan, 0
        if p > last[s]:
            direction[s] = 1
        elif p < last[s]:
            direction[s] = -1
        last[s] = p
        decided = 0
        if method != TICK:
            decided = _quote_rule(method, p, bid[e], ask[e])
        out[e] = decided if decided != 0 else direction[s]
