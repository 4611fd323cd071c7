"""Bars from trades and quotes, one event at a time, in the order of their stamps.

A row of ``f`` and ``i`` is the state of one symbol's day. All of it restarts at midnight UTC, so that a day of a symbol
is a unit of work of its own; fed in any number of pieces it gives the same bits. Sums that are subtracted from one
another (bought and sold amounts) carry their rounding error along (Knuth's two-sum); moments are Welford's, so that
constant columns have a variance of exactly zero.
"""

from __future__ import annotations

import numpy as np

from drainstats.kernels.jit import kernel
from drainstats.typing import FloatArray, IntArray

DAY = 86_400_000_000_000
TIME, TICK, VOLUME, DOLLAR, IMBALANCE = range(5)
FINE, BACKWARDS, NO_PRICE, NO_AMOUNT, FULL = range(5)
# State, floats. P and MOVE are the last price and log return of the day, BEFORE the close of the bar before. Q, V:
# moments of signed amount and price change; X, Y: of return and the return before. B: the open bucket. W: weights.
(
    OPEN, HIGH, LOW, P, MOVE, BEFORE, BOUGHT, BOUGHT_E, SOLD, SOLD_E, OTHER, OTHER_E, MONEY, MONEY_E, RV,
    MEAN_Q, MEAN_V, QQ, QV, MEAN_X, MEAN_Y, XY, B_BOUGHT, B_SOLD, B_FILL,
    BID, BID_SIZE, ASK, ASK_SIZE, OFI, QUOTED, QUOTED_W, EFFECTIVE, EFFECTIVE_W, REALISED, IMPACT, REALISED_W, NF,
) = range(38)  # fmt: skip
# State, whole numbers. N trades of the bar, NQ and NX pairs of its moments; SINCE: up to when quotes are counted.
DAY_END, BAR_END, BAR_START, LAST, N, NQ, NX, MOVES, PRICED, BUCKETS, SINCE, N_OFI, NI = range(13)
# Rows out.
(
    O_OPEN, O_HIGH, O_LOW, O_CLOSE, O_VOLUME, O_MONEY, O_VWAP, O_BOUGHT, O_SIGNED, O_AMIHUD, O_LAMBDA, O_ROLL, O_RV,
    O_OFI, O_QUOTED, O_EFFECTIVE, O_REALISED, O_IMPACT, NO,
) = range(19)  # fmt: skip
O_SYMBOL, O_START, O_END, O_N, O_COMPLETE, O_BUCKETS, NOI = range(7)
# Rows out of volume buckets.
K_SYMBOL, K_DAY, K_REPEAT, NK = range(4)


def fresh(symbols: int) -> tuple[FloatArray, IntArray]:
    """States that have seen nothing: ``f`` (symbols, NF) and ``i`` (symbols, NI)."""
    f, i = np.zeros((symbols, NF)), np.zeros((symbols, NI), dtype=np.int64)
    i[:, LAST] = i[:, DAY_END] = np.iinfo(np.int64).min
    return f, i


@kernel
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


@kernel
def _add(F: FloatArray, s: int, k: int, x: float) -> None:
    total = F[s, k] + x
    part = total - F[s, k]
    F[s, k + 1] += (F[s, k] - (total - part)) + (x - part)
    F[s, k] = total


@kernel
def _open_day(F: FloatArray, I: IntArray, s: int, time: int) -> None:
    F[s, :] = 0.0
    I[s, :] = 0
    F[s, BEFORE] = F[s, BID] = F[s, ASK] = np.nan
    I[s, DAY_END] = time - time % DAY + DAY
    I[s, SINCE] = I[s, LAST] = time
    _open_bar(F, I, s)


@kernel
def _open_bar(F: FloatArray, I: IntArray, s: int) -> None:
    for k in range(BOUGHT, B_BOUGHT):
        F[s, k] = 0.0
    for k in range(OFI, NF):
        F[s, k] = 0.0
    I[s, N] = I[s, NQ] = I[s, NX] = I[s, N_OFI] = 0


@kernel
def _trade(F: FloatArray, I: IntArray, s: int, price: float, amount: float, side: int) -> None:
    if I[s, N] == 0:
        F[s, OPEN] = F[s, HIGH] = F[s, LOW] = price
    F[s, HIGH] = max(F[s, HIGH], price)
    F[s, LOW] = min(F[s, LOW], price)
    I[s, N] += 1
    _add(F, s, BOUGHT if side > 0 else SOLD if side < 0 else OTHER, amount)
    _add(F, s, MONEY, price * amount)
    if I[s, PRICED]:
        _change(F, I, s, log_return(price, F[s, P]), price - F[s, P], side * amount)
    F[s, P] = price
    I[s, PRICED] = 1


@kernel
def _change(F: FloatArray, I: IntArray, s: int, move: float, v: float, q: float) -> None:
    F[s, RV] += move * move
    I[s, NQ] += 1
    n = 1.0 / I[s, NQ]
    dq = q - F[s, MEAN_Q]
    dv = v - F[s, MEAN_V]
    F[s, MEAN_Q] += dq * n
    F[s, MEAN_V] += dv * n
    dq_after = q - F[s, MEAN_Q]
    F[s, QQ] += dq * dq_after
    F[s, QV] += dv * dq_after
    if I[s, MOVES]:
        I[s, NX] += 1
        if I[s, NX] != I[s, NQ]:
            n = 1.0 / I[s, NX]
        dx = move - F[s, MEAN_X]
        F[s, MEAN_X] += dx * n
        F[s, MEAN_Y] += (F[s, MOVE] - F[s, MEAN_Y]) * n
        F[s, XY] += dx * (F[s, MOVE] - F[s, MEAN_Y])
    F[s, MOVE] = move
    I[s, MOVES] = 1


@kernel
def _put(F: FloatArray, s: int, amount: float, bought: float, sold: float) -> None:
    # An amount, of which the shares bought and sold are signed, into the open volume bucket.
    F[s, B_FILL] += amount
    F[s, B_BOUGHT] += amount * bought
    F[s, B_SOLD] += amount * sold


@kernel
def _fill(
    F: FloatArray, I: IntArray, s: int, amount: float, bought: float, sold: float, bucket: float, most: int,
    values: FloatArray, places: IntArray, row: int,
) -> int:  # fmt: skip
    # An amount that fills its bucket; what is over goes into the next one. A run of buckets that one trade fills is one
    # row; more than ``most`` of them need not be told.
    room = bucket - F[s, B_FILL]
    values[row] = abs((F[s, B_BOUGHT] + room * bought) - (F[s, B_SOLD] + room * sold)) / bucket
    places[row, K_SYMBOL], places[row, K_DAY], places[row, K_REPEAT] = s, I[s, DAY_END] - DAY, 1
    I[s, BUCKETS] += 1
    row += 1
    left = amount - room
    full = np.floor(left / bucket)
    if full > 0.0:
        run = int(min(full, float(most)))
        values[row] = abs(bought - sold)
        places[row, K_SYMBOL], places[row, K_DAY], places[row, K_REPEAT] = s, I[s, DAY_END] - DAY, run
        I[s, BUCKETS] += run
        row += 1
    left = max(left - full * bucket, 0.0)
    F[s, B_FILL], F[s, B_BOUGHT], F[s, B_SOLD] = left, left * bought, left * sold
    return row


@kernel
def _quote_clock(F: FloatArray, I: IntArray, s: int, time: int) -> None:
    # Count the quote in force up to a time; a crossed or one-sided quote is in force and counts for nothing.
    if F[s, ASK] >= F[s, BID] and F[s, BID] > 0.0:
        span = float(time - I[s, SINCE])
        F[s, QUOTED] += span * (F[s, ASK] - F[s, BID]) / (0.5 * (F[s, ASK] + F[s, BID]))
        F[s, QUOTED_W] += span
    I[s, SINCE] = time


@kernel
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


@kernel
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


@kernel
def _close(F: FloatArray, I: IntArray, s: int, end: int, complete: int, out: FloatArray, place: IntArray) -> None:
    bought, sold = F[s, BOUGHT] + F[s, BOUGHT_E], F[s, SOLD] + F[s, SOLD_E]
    money, close = F[s, MONEY] + F[s, MONEY_E], F[s, P]
    volume = bought + sold + (F[s, OTHER] + F[s, OTHER_E])
    out[O_OPEN], out[O_HIGH], out[O_LOW], out[O_CLOSE] = F[s, OPEN], F[s, HIGH], F[s, LOW], close
    out[O_VOLUME], out[O_MONEY], out[O_BOUGHT] = volume, money, bought
    out[O_SIGNED] = (F[s, BOUGHT] - F[s, SOLD]) + (F[s, BOUGHT_E] - F[s, SOLD_E])
    out[O_VWAP] = money / volume if volume > 0.0 else np.nan
    # The first bar of a day has no close before it: its return starts at its open.
    moved = I[s, NQ] > 0
    move = log_return(close, F[s, BEFORE] if F[s, BEFORE] == F[s, BEFORE] else F[s, OPEN])
    out[O_AMIHUD] = abs(move) / money if moved and money > 0.0 else np.nan
    out[O_LAMBDA] = F[s, QV] / F[s, QQ] if I[s, NQ] > 2 and F[s, QQ] > 0.0 else np.nan
    squared = -4.0 * F[s, XY] / (I[s, NX] - 1) if I[s, NX] > 1 else np.nan
    out[O_ROLL] = np.copysign(np.sqrt(abs(squared)), squared) if squared != 0.0 else 0.0
    out[O_RV] = F[s, RV] if moved else np.nan
    out[O_OFI] = F[s, OFI] if I[s, N_OFI] > 0 else np.nan
    out[O_QUOTED] = F[s, QUOTED] / F[s, QUOTED_W]
    out[O_EFFECTIVE] = F[s, EFFECTIVE] / F[s, EFFECTIVE_W]
    out[O_REALISED] = F[s, REALISED] / F[s, REALISED_W]
    out[O_IMPACT] = F[s, IMPACT] / F[s, REALISED_W]
    place[O_SYMBOL], place[O_START], place[O_END] = s, I[s, BAR_START], end
    place[O_N], place[O_COMPLETE], place[O_BUCKETS] = I[s, N], complete, I[s, BUCKETS]
    F[s, BEFORE] = close


@kernel
def _finish(F: FloatArray, I: IntArray, s: int, by: int, out: FloatArray, places: IntArray, row: int) -> int:
    # The end of the bar that is open, by the clock or because the day or the data end; a bar without trades is none.
    end = I[s, BAR_END] if by == TIME else I[s, LAST]
    _quote_clock(F, I, s, end)
    if I[s, N]:
        _close(F, I, s, end, int(by == TIME), out[row], places[row])
        row += 1
    _open_bar(F, I, s)
    return row


@kernel
def _reached(F: FloatArray, I: IntArray, s: int, by: int, size: float) -> bool:
    if by == TICK:
        return I[s, N] >= size
    if by == DOLLAR:
        return F[s, MONEY] + F[s, MONEY_E] >= size
    if by == VOLUME:
        return (F[s, BOUGHT] + F[s, BOUGHT_E]) + (F[s, SOLD] + F[s, SOLD_E]) + (F[s, OTHER] + F[s, OTHER_E]) >= size
    return by == IMBALANCE and abs((F[s, BOUGHT] - F[s, SOLD]) + (F[s, BOUGHT_E] - F[s, SOLD_E])) >= size


@kernel
def finish(F: FloatArray, I: IntArray, by: int, out: FloatArray, places: IntArray) -> int:
    """Close what is open at the end of the data; returns the rows of bars, at most one a symbol."""
    row = 0
    for s in range(len(F)):
        row = _finish(F, I, s, by, out, places, row)
    return row


@kernel
def advance(
    first: int, symbol: IntArray, time: IntArray, price: FloatArray, amount: FloatArray, side: IntArray,
    quote: IntArray, extra: FloatArray, by: int, size: float, bucket: FloatArray, most: int, F: FloatArray, I: IntArray,
    out: FloatArray, places: IntArray, values: FloatArray, runs: IntArray,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Feed events ``first`` on to the states; returns where it stopped, the rows of bars and of buckets, and why.

    symbol, time, price, amount, side : (E,) the events; quote : (E,) 1 for a quote, or empty when there are none;
    extra : (E, 4) of a trade bid, ask and later mid, of a quote bid, its size, ask and its size, or empty; bucket :
    (symbols,) size of a volume bucket or 0; F, I : the states; out (·, NO), places (·, NOI), values (·,), runs (·, NK)
    : room for bars and buckets. It stops before the event that finds no room (FULL) or is refused.
    """
    row = run = 0
    step = int(size) if by == TIME else DAY
    for e in range(first, len(symbol)):
        if row + 2 > len(out) or run + 2 > len(values):
            return e, row, run, FULL
        s, t = symbol[e], time[e]
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
            bought, sold = 1.0 if side[e] > 0 else 0.0, 1.0 if side[e] < 0 else 0.0
            if amount[e] < bucket[s] - F[s, B_FILL]:
                _put(F, s, amount[e], bought, sold)
            else:
                run = _fill(F, I, s, amount[e], bought, sold, bucket[s], most, values, runs, run)
        if by != TIME and _reached(F, I, s, by, size):
            _quote_clock(F, I, s, t)
            _close(F, I, s, t, 1, out[row], places[row])
            row += 1
            _open_bar(F, I, s)
    return len(symbol), row, run, FINE


@kernel
def fill_buckets(
    volume: FloatArray, share: FloatArray, day: IntArray, bucket: float, most: int, count: IntArray, values: FloatArray,
    runs: IntArray,
) -> int:  # fmt: skip
    """Volume buckets from bars whose bought share is known: ``count`` of full ones after each bar; returns the runs.

    A bucket that is not full at midnight is dropped, as with trades.
    """
    F, I = np.zeros((1, NF)), np.zeros((1, NI), dtype=np.int64)
    run = 0
    for j in range(len(volume)):
        if j == 0 or day[j] != day[j - 1]:
            F[0, B_FILL] = F[0, B_BOUGHT] = F[0, B_SOLD] = 0.0
        if volume[j] < bucket - F[0, B_FILL]:
            _put(F, 0, volume[j], share[j], 1.0 - share[j])
        else:
            run = _fill(F, I, 0, volume[j], share[j], 1.0 - share[j], bucket, most, values, runs, run)
        count[j] = I[0, BUCKETS]
    return run
