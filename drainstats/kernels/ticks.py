"""Bars from trades and quotes, one event at a time, in the order of their stamps.

A row of ``f`` and ``i`` is the state of one symbol's day. All of it restarts at midnight UTC, so that a day of a symbol
is a unit of work of its own; fed in any number of pieces it gives the same bits. Sums that are subtracted from one
another (bought and sold amounts) carry their rounding error along (Knuth's two-sum); moments are taken from the bar's
first value on, so that a constant column has a variance of exactly zero and a large level costs no digits (Chan, Golub
and LeVeque 1983). What happens at every trade is inlined: a call costs more than what is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import FloatArray, IntArray

DAY = 86_400_000_000_000
TIME, TICK, VOLUME, DOLLAR, IMBALANCE = range(5)
FINE, BACKWARDS, NO_PRICE, NO_AMOUNT, FULL = range(5)
# State, floats. P and MOVE are the last price and log return of the day, BEFORE the close of the bar before. Q, V:
# moments of signed amount and price change; X, Y: of return and the return before. B: the open bucket. W: weights. The
# first NO are what a bar's row holds.
(
    OPEN, HIGH, LOW, P, BEFORE, BOUGHT, BOUGHT_E, SOLD, SOLD_E, OTHER, OTHER_E, MONEY, RV, SUM_Q, SUM_V, QQ, QV, SUM_X,
    SUM_Y, XY, OFI, QUOTED, QUOTED_W, EFFECTIVE, EFFECTIVE_W, REALISED, IMPACT, REALISED_W, NO,
) = range(29)  # fmt: skip
FIRST_Q, FIRST_V, FIRST_X, FIRST_Y, MOVE, B_SIGNED, B_FILL, BID, BID_SIZE, ASK, ASK_SIZE, NF = range(NO, NO + 12)
# State, whole numbers. N trades of the bar, NQ and NX pairs of its moments; SINCE: up to when quotes are counted.
N, NQ, NX, N_OFI, BUCKETS, DAY_END, BAR_END, BAR_START, LAST, MOVES, PRICED, SINCE, NI = range(13)
# A bar's whole numbers: N … BUCKETS, and these.
O_SYMBOL, O_START, O_END, O_COMPLETE, NOI = range(BUCKETS + 1, BUCKETS + 6)
# Rows out of volume buckets.
K_SYMBOL, K_DAY, K_REPEAT, NK = range(4)


def fresh(symbols: int) -> tuple[FloatArray, IntArray]:
    """States that have seen nothing: ``f`` (symbols, NF) and ``i`` (symbols, NI)."""
    f, i = np.zeros((symbols, NF)), np.zeros((symbols, NI), dtype=np.int64)
    i[:, LAST] = i[:, DAY_END] = np.iinfo(np.int64).min
    return f, i


@kernel(inline="always")
def log_return(p: float, q: float) -> float:
    """log(p / q), to the last digits also where the prices nearly agree; NaN unless both are above zero."""
    if not (p > 0.0 and q > 0.0):
        return np.nan
    z = (p - q) / (p + q)
    if abs(z) > 0.0078125:
        return np.log(p / q)
    # The series of 2 artanh z: its next term is below 2^-58.
    s = z * z
    return 2.0 * z * (1.0 + s * (1.0 / 3.0 + s * (0.2 + s * (1.0 / 7.0))))


@kernel(inline="always")
def _add(F: FloatArray, s: int, k: int, x: float) -> None:
    total = F[s, k] + x
    part = total - F[s, k]
    F[s, k + 1] += (F[s, k] - (total - part)) + (x - part)
    F[s, k] = total


@inlined
def _open_day(F: FloatArray, I: IntArray, s: int, time: int) -> None:
    F[s, :] = 0.0
    I[s, :] = 0
    F[s, BEFORE] = F[s, BID] = F[s, ASK] = np.nan
    I[s, DAY_END] = time - time % DAY + DAY
    I[s, SINCE] = I[s, LAST] = time
    _open_bar(F, I, s)


@inlined
def _open_bar(F: FloatArray, I: IntArray, s: int) -> None:
    for k in range(BOUGHT, NO):
        F[s, k] = 0.0
    I[s, N] = I[s, NQ] = I[s, NX] = I[s, N_OFI] = 0


@kernel(inline="always")
def _trade(F: FloatArray, I: IntArray, s: int, price: float, amount: float, side: int) -> None:
    if I[s, N] == 0:
        F[s, OPEN] = F[s, HIGH] = F[s, LOW] = price
    F[s, HIGH] = max(F[s, HIGH], price)
    F[s, LOW] = min(F[s, LOW], price)
    I[s, N] += 1
    # Both sums move, one by zero: an address that depends on the side would cost more.
    _add(F, s, BOUGHT, amount if side > 0 else 0.0)
    _add(F, s, SOLD, amount if side < 0 else 0.0)
    if side == 0:
        _add(F, s, OTHER, amount)
    F[s, MONEY] += price * amount
    if I[s, PRICED]:
        _change(F, I, s, log_return(price, F[s, P]), price - F[s, P], side * amount)
    F[s, P] = price
    I[s, PRICED] = 1


@kernel(inline="always")
def _change(F: FloatArray, I: IntArray, s: int, move: float, v: float, q: float) -> None:
    F[s, RV] += move * move
    if I[s, NQ] == 0:
        F[s, FIRST_Q], F[s, FIRST_V] = q, v
    I[s, NQ] += 1
    dq = q - F[s, FIRST_Q]
    dv = v - F[s, FIRST_V]
    F[s, SUM_Q] += dq
    F[s, SUM_V] += dv
    F[s, QQ] += dq * dq
    F[s, QV] += dq * dv
    if I[s, MOVES]:
        if I[s, NX] == 0:
            F[s, FIRST_X], F[s, FIRST_Y] = move, F[s, MOVE]
        I[s, NX] += 1
        dx = move - F[s, FIRST_X]
        dy = F[s, MOVE] - F[s, FIRST_Y]
        F[s, SUM_X] += dx
        F[s, SUM_Y] += dy
        F[s, XY] += dx * dy
    F[s, MOVE] = move
    I[s, MOVES] = 1


@kernel(inline="always")
def _put(F: FloatArray, s: int, amount: float, tilt: float) -> None:
    # An amount into the open volume bucket; tilt is what was bought less what was sold, as a share of it.
    F[s, B_FILL] += amount
    F[s, B_SIGNED] += amount * tilt


@inlined
def _fill(
    F: FloatArray, I: IntArray, s: int, amount: float, tilt: float, bucket: float, most: int,
    values: FloatArray, places: IntArray, row: int,
) -> int:  # fmt: skip
    # An amount that fills its bucket; what is over goes into the next one. A run of buckets that one trade fills is one
    # row; more than ``most`` of them need not be told.
    room = bucket - F[s, B_FILL]
    values[row] = abs(F[s, B_SIGNED] + room * tilt) / bucket
    places[row, K_SYMBOL], places[row, K_DAY], places[row, K_REPEAT] = s, I[s, DAY_END] - DAY, 1
    I[s, BUCKETS] += 1
    row += 1
    left = amount - room
    full = np.floor(left / bucket)
    if full > 0.0:
        run = int(min(full, float(most)))
        values[row] = abs(tilt)
        places[row, K_SYMBOL], places[row, K_DAY], places[row, K_REPEAT] = s, I[s, DAY_END] - DAY, run
        I[s, BUCKETS] += run
        row += 1
    left = max(left - full * bucket, 0.0)
    F[s, B_FILL], F[s, B_SIGNED] = left, left * tilt
    return row


@inlined
def _quote_clock(F: FloatArray, I: IntArray, s: int, time: int) -> None:
    # Count the quote in force up to a time; a crossed or one-sided quote is in force and counts for nothing.
    if F[s, ASK] >= F[s, BID] and F[s, BID] > 0.0:
        span = float(time - I[s, SINCE])
        F[s, QUOTED] += span * (F[s, ASK] - F[s, BID]) / (0.5 * (F[s, ASK] + F[s, BID]))
        F[s, QUOTED_W] += span
    I[s, SINCE] = time


@inlined
def _quote(
    F: FloatArray, I: IntArray, s: int, time: int, bid: float, bid_size: float, ask: float, ask_size: float
) -> None:
    _quote_clock(F, I, s, time)
    e = 0.0
    if bid >= F[s, BID]:
        e += bid_size
    if bid <= F[s, BID]:
        e -= F[s, BID_SIZE]
    if ask <= F[s, ASK]:
        e -= ask_size
    if ask >= F[s, ASK]:
        e += F[s, ASK_SIZE]
    # A missing side breaks the chain: no comparison with NaN is true, and the term is left out.
    if bid == bid and ask == ask and F[s, BID] == F[s, BID] and F[s, ASK] == F[s, ASK]:
        F[s, OFI] += e
        I[s, N_OFI] += 1
    F[s, BID], F[s, BID_SIZE], F[s, ASK], F[s, ASK_SIZE] = bid, bid_size, ask, ask_size


@inlined
def _cost(F: FloatArray, s: int, price: float, amount: float, side: int, bid: float, ask: float, later: float) -> None:
    # Spreads of a signed trade against the mid before it and the mid after the horizon, weighted by its money.
    if side == 0 or not (ask >= bid and bid > 0.0):
        return
    mid = 0.5 * (bid + ask)
    weight = price * amount
    effective = 2.0 * side * (price - mid) / mid
    F[s, EFFECTIVE] += weight * effective
    F[s, EFFECTIVE_W] += weight
    if later == later:
        F[s, REALISED] += weight * 2.0 * side * (price - later) / mid
        F[s, IMPACT] += weight * 2.0 * side * (later - mid) / mid
        F[s, REALISED_W] += weight


@inlined
def _close(
    F: FloatArray, I: IntArray, s: int, end: int, complete: int, out: FloatArray, places: IntArray, row: int
) -> int:
    for k in range(NO):
        out[row, k] = F[s, k]
    for k in range(BUCKETS + 1):
        places[row, k] = I[s, k]
    places[row, O_SYMBOL], places[row, O_START] = s, I[s, BAR_START]
    places[row, O_END], places[row, O_COMPLETE] = end, complete
    F[s, BEFORE] = F[s, P]
    return row + 1


@inlined
def _finish(F: FloatArray, I: IntArray, s: int, by: int, out: FloatArray, places: IntArray, row: int) -> int:
    # The end of the bar that is open, by the clock or because the day or the data end; a bar without trades is none.
    end = I[s, BAR_END] if by == TIME else I[s, LAST]
    _quote_clock(F, I, s, end)
    if I[s, N]:
        row = _close(F, I, s, end, np.int64(by == TIME), out, places, row)
    _open_bar(F, I, s)
    return row


@inlined
def _reached(F: FloatArray, I: IntArray, s: int, by: int, size: float) -> bool:
    if by == TICK:
        return I[s, N] >= size
    if by == DOLLAR:
        return F[s, MONEY] >= size
    if by == VOLUME:
        return (F[s, BOUGHT] + F[s, BOUGHT_E]) + (F[s, SOLD] + F[s, SOLD_E]) + (F[s, OTHER] + F[s, OTHER_E]) >= size
    return by == IMBALANCE and abs((F[s, BOUGHT] - F[s, SOLD]) + (F[s, BOUGHT_E] - F[s, SOLD_E])) >= size


@kernel
def advance(
    first: int, symbol: IntArray, time: IntArray, price: FloatArray, amount: FloatArray, side: IntArray,
    quote: IntArray, extra: FloatArray, last: bool, by: int, size: float, bucket: FloatArray, most: int, F: FloatArray,
    I: IntArray, out: FloatArray, places: IntArray, values: FloatArray, runs: IntArray,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Feed events ``first`` on to the states; returns where it stopped, the rows of bars and of buckets, and why.

    symbol, time, price, amount, side : (E,) the events; quote : (E,) 1 for a quote, or empty when there are none;
    extra : (E, 4) of a trade bid, ask and later mid, of a quote bid, its size, ask and its size, or empty; last : close
    what is open after them, at most a bar a symbol; bucket : (symbols,) size of a volume bucket or 0; F, I : states;
    out (·, NO), places (·, NOI), values (·,), runs (·, NK) : room for bars and buckets. It stops before the event that
    finds no room (FULL) or is refused.
    """
    # Whole numbers of one kind: a helper is compiled once for each kind that it is called with.
    row: Any = np.int64(0)
    run: Any = np.int64(0)
    closed: Any = np.int64(1)
    step = int(size) if by == TIME else DAY
    for e in range(first, len(symbol)):
        if row + 2 > len(out) or run + 2 > len(values):
            return e, row, run, FULL
        s: Any = np.int64(symbol[e])
        t = time[e]
        if t < I[s, LAST]:
            return e, row, run, BACKWARDS
        is_quote = len(quote) > 0 and quote[e] == 1
        if not is_quote:
            if not abs(price[e]) < np.inf:
                return e, row, run, NO_PRICE
            if not (amount[e] >= 0.0 and amount[e] < np.inf):
                return e, row, run, NO_AMOUNT
        if t >= I[s, DAY_END]:
            row = _finish(F, I, s, by, out, places, row)
            _open_day(F, I, s, t)
        if by == TIME and t >= I[s, BAR_END]:
            row = _finish(F, I, s, by, out, places, row)
            I[s, BAR_START] = t - (t % DAY) % step
            I[s, BAR_END] = min(I[s, BAR_START] + step, I[s, DAY_END])
            I[s, SINCE] = max(I[s, SINCE], I[s, BAR_START])
        I[s, LAST] = t
        if is_quote:
            _quote(F, I, s, t, extra[e, 0], extra[e, 1], extra[e, 2], extra[e, 3])
            continue
        if by != TIME and I[s, N] == 0:
            I[s, BAR_START] = t
        _trade(F, I, s, price[e], amount[e], side[e])
        if len(extra):
            _cost(F, s, price[e], amount[e], side[e], extra[e, 0], extra[e, 1], extra[e, 2])
        if bucket[s] > 0.0:
            if amount[e] < bucket[s] - F[s, B_FILL]:
                _put(F, s, amount[e], float(side[e]))
            else:
                run = _fill(F, I, s, amount[e], float(side[e]), bucket[s], most, values, runs, run)
        if by != TIME and _reached(F, I, s, by, size):
            _quote_clock(F, I, s, t)
            row = _close(F, I, s, t, closed, out, places, row)
            _open_bar(F, I, s)
    for k in range(len(F) if last else 0):
        if row == len(out):
            return len(symbol), row, run, FULL
        row = _finish(F, I, np.int64(k), by, out, places, row)
    return len(symbol), row, run, FINE


@kernel
def fill_buckets(
    volume: FloatArray, tilt: FloatArray, day: IntArray, bucket: float, most: int, count: IntArray, values: FloatArray,
    runs: IntArray,
) -> int:  # fmt: skip
    """Volume buckets from bars: ``count`` of full ones after each bar; returns the runs.

    tilt : (n,) what was bought less what was sold, as a share of the volume.

    A bucket that is not full at midnight is dropped, as with trades.
    """
    F, I = np.zeros((1, NF)), np.zeros((1, NI), dtype=np.int64)
    run = 0
    for j in range(len(volume)):
        if j == 0 or day[j] != day[j - 1]:
            F[0, B_FILL] = F[0, B_SIGNED] = 0.0
        if volume[j] < bucket - F[0, B_FILL]:
            _put(F, 0, volume[j], tilt[j])
        else:
            run = _fill(F, I, 0, volume[j], tilt[j], bucket, most, values, runs, run)
        count[j] = I[0, BUCKETS]
    return run
