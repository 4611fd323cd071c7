"""Bars from their definitions: plain NumPy, a bar at a time, in two passes, with exact sums."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd

DAY = 86_400_000_000_000
NAN = float("nan")


def bar_numbers(time, price, amount, side, by, size):
    """The number of each trade's bar within its day, and the set of bars that their rule closed."""
    if by == "time":
        return [(t % DAY) // size for t in time], None
    numbers, closed, k, seen = [], set(), 0, []
    for p, a, s in zip(price, amount, side, strict=True):
        numbers.append(k)
        seen.append({"tick": 1, "volume": a, "dollar": p * a, "imbalance": s * a}[by])
        if abs(math.fsum(seen)) >= size:
            closed.add(k)
            k, seen = k + 1, []
    return numbers, closed


def buckets(amount, side, size):
    """Imbalances of a day's full volume buckets, and how many were full after each trade."""
    done, count, room, signed = [], [], size, 0.0
    for a, s in zip(amount, side, strict=True):
        while a >= room:
            done.append(abs(signed + s * room) / size)
            a, room, signed = a - room, size, 0.0
        room, signed = room - a, signed + s * a
        count.append(len(done))
    return done, count


def usable(q):
    return q is not None and q[3] >= q[1] > 0


def spreads(rows, time, price, amount, side, quotes, lag, horizon):
    """Effective and realised spread and impact of a bar, weighted by money."""
    effective, realised, impact, weight, later_weight = [], [], [], [], []
    for j in rows:
        quote = last([q for q in quotes if q[0] < time[j] - lag])
        if side[j] == 0 or not usable(quote):
            continue
        mid, w = (quote[1] + quote[3]) / 2, price[j] * amount[j]
        effective.append(w * 2 * side[j] * (price[j] - mid) / mid)
        weight.append(w)
        then = last([q for q in quotes if q[0] <= time[j] + horizon])
        reached = any(q[0] >= time[j] + horizon for q in quotes)
        if reached and usable(then):
            after = (then[1] + then[3]) / 2
            realised.append(w * 2 * side[j] * (price[j] - after) / mid)
            impact.append(w * 2 * side[j] * (after - mid) / mid)
            later_weight.append(w)
    return {
        "effective_spread": ratio(math.fsum(effective), math.fsum(weight)),
        "realised_spread": ratio(math.fsum(realised), math.fsum(later_weight)),
        "price_impact": ratio(math.fsum(impact), math.fsum(later_weight)),
    }


def quoted_and_flow(low, high, quotes, closed_right):
    """Time-weighted quoted spread of [low, high], and order flow imbalance of the quotes stamped in it."""
    total = span = 0.0
    for q, after in zip(quotes, [*quotes[1:], None], strict=True):
        a, b = max(q[0], low), min(after[0] if after else high, high)
        if usable(q) and b > a:
            total += (b - a) * (q[3] - q[1]) / ((q[3] + q[1]) / 2)
            span += b - a
    flow = []
    for old, new in pairwise(quotes):
        inside = low <= new[0] < high if not closed_right else low <= new[0] <= high
        if inside and not np.isnan([old[1], old[3], new[1], new[3]]).any():
            e = (new[2] if new[1] >= old[1] else 0.0) - (old[2] if new[1] <= old[1] else 0.0)
            e += (old[4] if new[3] >= old[3] else 0.0) - (new[4] if new[3] <= old[3] else 0.0)
            flow.append(e)
    return {"quoted_spread": ratio(total, span), "ofi": math.fsum(flow) if flow else NAN}


def last(quotes):
    return quotes[-1] if quotes else None


def ratio(a, b):
    return a / b if b != 0 else NAN


def day_bars(day, by, size, bucket):
    """Bars of one symbol's day: time, price, amount and side as lists of equal length."""
    time, price, amount, side = (list(day[c]) for c in ("time", "price", "amount", "side"))
    numbers, closed = bar_numbers(time, price, amount, side, by, size)
    done, full = buckets(amount, side, bucket) if bucket else ([], [0] * len(time))
    moves = [NAN] + [math.log(p / q) if min(p, q) > 0 else NAN for p, q in zip(price[1:], price[:-1], strict=True)]
    out, before = [], None
    for k in dict.fromkeys(numbers):
        rows = [j for j, n in enumerate(numbers) if n == k]
        p, a, s = (np.array([x[j] for j in rows], dtype=float) for x in (price, amount, side))
        money, volume = math.fsum(p * a), math.fsum(a)
        later = [j for j in rows if j > 0]
        r = np.array([moves[j] for j in later])
        x = np.array([side[j] * amount[j] for j in later], dtype=float)
        y = np.array([price[j] - price[j - 1] for j in later])
        pairs = [j for j in rows if j > 1]
        row = {
            "open": p[0], "high": p.max(), "low": p.min(), "close": p[-1], "volume": volume, "dollar_volume": money,
            "trades": len(rows), "vwap": ratio(money, volume), "buy_volume": math.fsum(a[s > 0]),
            "signed_volume": math.fsum(s * a), "imbalance": ratio(math.fsum(s * a), volume),
            "amihud": NAN, "kyle_lambda": NAN, "roll": NAN,
            "realised_variance": math.fsum(r**2) if len(r) else NAN,
            "buckets": full[rows[-1]], "rows": rows,
        }  # fmt: skip
        if len(r) and money > 0:
            row["amihud"] = abs(math.log(p[-1] / (before if before is not None else p[0]))) / money
        if len(x) > 2 and len(set(x)) > 1:
            row["kyle_lambda"] = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
        if len(pairs) > 1:
            cov = np.cov([moves[j] for j in pairs], [moves[j - 1] for j in pairs])[0, 1]
            row["roll"] = math.copysign(math.sqrt(abs(4 * cov)), -cov)
        before = p[-1]
        start = time[rows[0]] if by != "time" else time[0] - time[0] % DAY + k * size
        midnight = time[0] - time[0] % DAY + DAY
        row["start"] = start
        row["end"] = min(start + size, midnight) if by == "time" else time[rows[-1]]
        if by != "time":
            row["complete"] = k in closed
        out.append(row)
    return out, done


def twin(trades, by="time", size=60 * 10**9, bucket=None, window=50, quotes=None, lag=0, horizon=300 * 10**9):
    """The table of `drainstats.tick_bars` from a frame with time (ns), asset, price, amount, side."""
    table = []
    for asset, own in trades.groupby("asset", sort=True):
        known = []
        for number, day in own.groupby(own["time"] // DAY, sort=True):
            bars, done = day_bars(day, by, size, bucket)
            mine = None
            if quotes is not None:
                theirs = quotes[(quotes["asset"] == asset) & (quotes["time"] // DAY == number)]
                mine = list(theirs[["time", "bid", "bid_size", "ask", "ask_size"]].itertuples(index=False, name=None))
            for bar in bars:
                full = known + done[: bar["buckets"]]
                bar["vpin"] = float(np.mean(full[-window:])) if bucket and len(full) >= window else NAN
                bar["asset"] = asset
                if mine is not None:
                    columns = [list(day[c]) for c in ("time", "price", "amount", "side")]
                    bar |= spreads(bar["rows"], *columns, mine, lag, horizon)
                    if by == "time":
                        bar |= quoted_and_flow(bar["start"], bar["end"], mine, False)
                table.append(bar)
            known += done
    frame = pd.DataFrame(table).drop(columns=["buckets", "rows"])
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("ns")
    return frame.set_index("start").rename_axis("time")


def market(seed, n=400, assets=2, days=2, tick=0.01, gap=0, sizes="plain"):
    """Random trades: stamps that repeat, prices on a grid, amounts of several magnitudes, sides with unknowns."""
    rng = np.random.default_rng(seed)
    start = 1_704_067_200_000_000_000
    time = start + np.sort(rng.integers(0, days * DAY // 10**9, n)) * 10**9
    price = np.round(100 + tick * np.cumsum(rng.integers(-2, 3, n)), 4)
    amount = np.round(rng.exponential(1.0, n), 3)
    if sizes == "wild":
        amount = amount * 10.0 ** rng.integers(-8, 9, n)
        amount[rng.random(n) < 0.05] = 0.0
    return pd.DataFrame(
        {
            "time": time,
            "asset": np.array([f"A{k}" for k in range(assets)])[rng.integers(0, assets, n)],
            "price": price,
            "amount": amount,
            "side": rng.choice(np.array([-1, 1, 1, 0], dtype=np.int8), n),
        }
    )


def tidy(trades):
    """As `drainstats.read_trades` returns it."""
    stamps = pd.DatetimeIndex(pd.to_datetime(trades["time"], utc=True)).as_unit("ns")
    return trades.drop(columns="time").set_index(stamps.rename("time"))
