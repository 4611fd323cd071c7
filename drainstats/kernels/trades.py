"""Trades beside quotes: the quote before each trade, the quote after a horizon, what each trade cost, and averages."""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.kernels.ticks import DAY, log_return
from drainstats.typing import FloatArray, IntArray

# No time at all; and before and after every stamp (the years 1700 to 2200).
NEVER = np.iinfo(np.int64).min
_NEVER, _EVER = -9 * 10**18, 9 * 10**18
(
    MID, LATER_MID, QUOTED, EFFECTIVE, REALISED, IMPACT, VALUE, SIGNED_VALUE, IMBALANCE, DEPTH_RATIO, LOG_SIZE, SLOPE,
    TRADE_RETURN, MID_RETURN, COLUMNS,
) = range(15)  # fmt: skip


@kernel
def quote_before(time: IntArray, stamps: IntArray, lag: int, at_stamp: bool, by_day: bool, out: IntArray) -> None:
    """Write the place of the last quote stamped before (or, with ``at_stamp``, at) each time less the lag; -1 for none.

    time, stamps : (n,), (m,) nanoseconds in order; by_day : quotes of another UTC day than the trade's are none.
    """
    j = 0
    start = midnight = _NEVER
    for e in range(len(time)):
        if by_day and time[e] >= midnight:
            start = time[e] - time[e] % DAY
            midnight = start + DAY
        limit = time[e] - lag + at_stamp
        while j < len(stamps) and stamps[j] < limit:
            j += 1
        out[e] = j - 1 if j > 0 and stamps[j - 1] >= start else -1


@kernel
def quote_after(
    time: IntArray, stamps: IntArray, horizon: int, by_day: bool, out: IntArray, known: IntArray
) -> None:  # fmt: skip
    """Write the place of the last quote stamped by each time plus the horizon; -1 unless the quotes reach that far.

    known : (n,) when that is known, `NEVER` where there is none.
    """
    j = 0
    start, midnight = _NEVER, _NEVER if by_day else _EVER
    for e in range(len(time)):
        if by_day and time[e] >= midnight:
            start = time[e] - time[e] % DAY
            midnight = start + DAY
        until = time[e] + horizon
        while j < len(stamps) and stamps[j] <= until:
            j += 1
        there = j > 0 and start <= stamps[j - 1] < midnight
        reached = there and (stamps[j - 1] == until or (j < len(stamps) and stamps[j] < midnight))
        out[e], known[e] = (j - 1, until) if reached else (-1, NEVER)


@kernel
def rows_after(
    time: IntArray, before: IntArray, rows: int, by_day: bool, out: IntArray, known: IntArray
) -> None:  # fmt: skip
    """Write the quote before the trade that comes ``rows`` trades later, and its stamp; -1 and `NEVER` for none."""
    for e in range(len(time)):
        there = e + rows < len(time) and not (by_day and time[e + rows] // DAY != time[e] // DAY)
        out[e] = before[e + rows] if there else -1
        known[e] = time[e + rows] if out[e] >= 0 else NEVER


@kernel
def mid_of(bids: FloatArray, asks: FloatArray, k: int) -> float:
    """Middle of quote ``k``; NaN for no quote and for one that is crossed or one-sided."""
    if k < 0:
        return np.nan
    bid, ask = bids[k], asks[k]
    return 0.5 * (bid + ask) if bid > 0.0 and bid <= ask < np.inf else np.nan


@kernel
def costs(
    time: IntArray, price: FloatArray, amount: FloatArray, side: IntArray, bids: FloatArray, bid_sizes: FloatArray,
    asks: FloatArray, ask_sizes: FloatArray, before: IntArray, later: IntArray, by_day: bool, out: FloatArray,
) -> None:  # fmt: skip
    """Write what each trade says of liquidity; NaN where there is no answer.

    time, price, amount, side, before, later : (n,); bids, bid_sizes, asks, ask_sizes : (m,); out : (COLUMNS, n).
    """
    last_mid = np.nan
    start = midnight = _NEVER
    for e in range(len(time)):
        if by_day and time[e] >= midnight:
            start = time[e] - time[e] % DAY
            midnight = start + DAY
        k, p, d = before[e], price[e], float(side[e]) if side[e] != 0 else np.nan
        mid, after = mid_of(bids, asks, k), mid_of(bids, asks, later[e])
        value = p * amount[e]
        out[MID, e], out[LATER_MID, e] = mid, after
        scale = 2.0 * d / mid
        out[EFFECTIVE, e], out[REALISED, e] = scale * (p - mid), scale * (p - after)
        out[IMPACT, e] = scale * (after - mid)
        out[VALUE, e], out[SIGNED_VALUE, e] = value, d * value
        for c in range(IMBALANCE, SLOPE + 1):
            out[c, e] = np.nan
        out[QUOTED, e] = np.nan
        if mid == mid:
            bid, bid_size, ask, ask_size = bids[k], bid_sizes[k], asks[k], ask_sizes[k]
            out[QUOTED, e] = (ask - bid) / mid
            if bid_size >= 0.0 and ask_size >= 0.0 and 0.0 < bid_size + ask_size < np.inf:
                out[IMBALANCE, e] = (bid_size - ask_size) / (bid_size + ask_size)
            if 0.0 < bid_size < np.inf and 0.0 < ask_size < np.inf:
                out[DEPTH_RATIO, e] = ask_size / bid_size if d > 0.0 else bid_size / ask_size if d < 0.0 else np.nan
                size = np.log(bid_size * ask_size)
                out[LOG_SIZE, e] = size
                out[SLOPE, e] = log_return(ask, bid) / size if size > 0.0 else np.nan
        goes_on = e > 0 and time[e - 1] >= start
        out[TRADE_RETURN, e] = log_return(p, price[e - 1]) if goes_on else np.nan
        out[MID_RETURN, e] = log_return(mid, last_mid) if goes_on else np.nan
        last_mid = mid


@kernel
def interval_means(
    values: FloatArray, weight: FloatArray, first: IntArray, lags: IntArray, automatic: bool, mean: FloatArray,
    error: FloatArray,
) -> None:  # fmt: skip
    """Weighted means of the rows of each interval and their standard errors; NaN for no answer.

    values : (K, n); weight : (n,); first : (G + 1,) where the intervals begin, and the end; lags : (G, K) of the
    Bartlett weights, or with ``automatic`` the least of them, below zero for no errors; mean, error : (G, K). A missing
    row does not count and its neighbours keep their distance.
    """
    room = 0
    for g in range(len(first) - 1):
        room = max(room, first[g + 1] - first[g])
    part = np.empty(room)
    for g in range(len(first) - 1):
        start, rows = first[g], first[g + 1] - first[g]
        for k in range(len(values)):
            total, weights, count = 0.0, 0.0, 0
            for e in range(start, start + rows):
                x = values[k, e]
                if x == x and weight[e] == weight[e]:
                    total += weight[e] * x
                    weights += weight[e]
                    count += 1
            mean[g, k] = total / weights if weights > 0.0 else np.nan
            error[g, k] = np.nan
            if lags[g, k] >= 0 and weights > 0.0 and count > 1:
                for i in range(rows):
                    away = weight[start + i] * (values[k, start + i] - mean[g, k])
                    part[i] = away if away == away else 0.0
                reach = lags[g, k]
                if automatic:
                    reach = max(reach, _bandwidth(part[:rows], count))
                square = _moving_square(part[:rows], min(reach, rows - 1) + 1)
                error[g, k] = np.sqrt(square * count / (count - 1.0)) / weights


@inlined
def _bandwidth(part: FloatArray, count: int) -> int:
    # Andrews (1991), Bartlett weights, a first-order autoregression; its root is bounded as in Andrews and Monahan.
    square, product = 0.0, 0.0
    for i in range(len(part)):
        square += part[i] * part[i]
        if i > 0:
            product += part[i] * part[i - 1]
    if not square > 0.0:
        return 0
    root = min(max(product / square, -0.97), 0.97)
    return int(np.ceil(1.1447 * (4.0 * root * root / (1.0 - root * root) ** 2 * count) ** (1.0 / 3.0)))


@inlined
def _moving_square(part: FloatArray, width: int) -> float:
    # The Bartlett sum is the mean square of the moving sums of ``width`` rows, zeros around them: each pair of rows
    # lies in as many of them as its weight says.
    moving, square = 0.0, 0.0
    for e in range(len(part) + width - 1):
        if e < len(part):
            moving += part[e]
        if e >= width:
            moving -= part[e - width]
        square += moving * moving
    return square / width
