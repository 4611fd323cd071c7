"""Margin calls, forced sales, makers and arbitrage in one-minute steps; the question: `simulate.endogenous.run`.

T minutes, K assets, V venues, N accounts. A minute: news moves the price; accounts below maintenance sell the share
theta of all they have, those without equity are closed off the book; the sales move the price by 0.01 × money / depth;
makers carry the load, which thins all books, and widen with the variance they measure; holders of the coin flow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from drainstats.kernels.jit import inlined, kernel
from drainstats.typing import BoolArray, FloatArray, IntArray

CASH, COINS = range(2)
# States of an asset, of an asset on a venue, of the coin on a venue, of the market.
MARKET, FLOW_LOSS, VOLATILITY_LOSS, CLOSED = range(4)
PRICE, UNITS, MONEY = range(3)
COIN, COINS_SOLD = range(2)
LOAD, TRIGGERED, FLOW, FUND, HAIRCUT = range(5)


class Rules(NamedTuple):
    """Constants of a market; rates are per minute."""

    theta: float  # share of a called account sold
    maintenance: float  # equity below this share of the positions is a margin call
    haircut: float  # share of collateral that counts
    off_book: float  # 1: accounts without equity are closed without a sale
    sigma: float  # usual log volatility
    permanent: float  # share of impact that stays
    value_decay: float  # ln 2 / half-life of the other share
    discount: float  # discount at which value buyers are twice as fast
    cap: float  # largest impact
    arbitrage: float  # share of a gap between venues closed
    keep: float  # share of a book's loss that is still there after a minute
    pull: float  # what makers take away for the logarithm of measured over usual volatility
    load: float  # risk limit used up by one unit of sales over all depth
    tilt: float  # log depth lost for one unit of load, in every asset
    inventory: float  # log depth lost for one unit of sales over the asset's own depth
    floor: float  # least share of depth
    memory: float  # share of the measured variance kept
    fund: float  # insurance, quote currency
    coin_keep: float  # share of the coin's premium or discount kept
    coin_depth: float  # money that moves the coin by one per cent on all venues
    flight: float  # flow into the coin (negative: out of it) for one unit of forced sales
    fear: float  # the same for one unit of depth and a fall of 100 %; a rise brings it back


@inlined
def _news(
    p: Rules, t: int, move: FloatArray, gap: FloatArray, down: BoolArray, f: FloatArray, m: FloatArray, u: FloatArray,
    hit: FloatArray, mark: FloatArray, before: FloatArray, asset: FloatArray,
) -> float:  # fmt: skip
    """News, value buyers and arbitrage move prices; the mean move of the assets."""
    assets, venues = u.shape
    market_move = 0.0
    for k in range(assets):
        last = f[k] + m[k]
        asset[t, k, MARKET] = last
        f[k] += move[t, k]
        m[k] *= math.exp(-p.value_decay * (1.0 + abs(m[k]) / p.discount))
        step = f[k] + m[k] - last
        market_move += step / assets
        for v in range(venues):
            # A venue that is down shows its last price.
            u[k, v] += -step if down[t, v] else gap[t, k, v] - p.arbitrage * u[k, v]
            mark[k, v] = math.exp(f[k] + m[k] + u[k, v])
            before[k, v] = mark[k, v] * math.exp(-hit[k, v])
    return market_move


@inlined
def _margin_calls(
    p: Rules, t: int, down: BoolArray, venue: IntArray, purse: FloatArray, position: FloatArray, entry: FloatArray,
    pledged: FloatArray, mark: FloatArray, before: FloatArray, peg: FloatArray, called: BoolArray, selling: BoolArray,
    asset: FloatArray, book: FloatArray, coin: FloatArray, line: FloatArray, fund: float, haircut: float,
) -> tuple[float, float]:  # fmt: skip
    """Accounts below maintenance put up what they will sell, those without equity are closed; fund and haircut."""
    assets = position.shape[1]
    for j in range(len(venue)):
        v, selling[j] = venue[j], False
        if down[t, v]:
            continue
        size, size_before, idle = 0.0, 0.0, 0.0
        equity = purse[j, CASH] + purse[j, COINS] * (1.0 + peg[v])
        equity_before = equity
        for k in range(assets):
            q, c = position[j, k], pledged[j, k]
            size += q * mark[k, v]
            size_before += q * before[k, v]
            idle += (1.0 - p.haircut) * c * mark[k, v]
            equity += (q + p.haircut * c) * mark[k, v] - q * entry[j, k]
            equity_before += (q + p.haircut * c) * before[k, v] - q * entry[j, k]
        if size <= 0.0 or equity >= p.maintenance * size:
            called[j] = False
            continue
        # Would this account have been called without the sales of the minute before?
        if not called[j] and equity_before >= p.maintenance * size_before:
            line[t, TRIGGERED] += size
        called[j] = True
        closes = equity <= 0.0 and p.off_book > 0.0
        selling[j] = not closes
        if closes:
            # The fund takes all there is, collateral at its full price, and pays a deficit while it lasts.
            paid = min(-equity - idle, fund)
            fund -= paid
            haircut -= equity + idle + paid
            purse[j, CASH], purse[j, COINS] = 0.0, 0.0
        else:
            coin[t, v, COINS_SOLD] += p.theta * purse[j, COINS]
        for k in range(assets):
            if closes:
                asset[t, k, CLOSED] += position[j, k] * mark[k, v]
                position[j, k], pledged[j, k] = 0.0, 0.0
            else:
                book[t, k, v, UNITS] += p.theta * (position[j, k] + pledged[j, k])
    return fund, haircut


@inlined
def _sales(
    p: Rules, t: int, w: float, depth: FloatArray, part: FloatArray, f: FloatArray, m: FloatArray, ratio: FloatArray,
    volatile: FloatArray, lost: FloatArray, stayed: FloatArray, u: FloatArray, hit: FloatArray, mark: FloatArray,
    asset: FloatArray, book: FloatArray,
) -> float:  # fmt: skip
    """Sales meet the books that are left, move prices, and makers step back; the money sold."""
    assets, venues = u.shape
    all_sold = 0.0
    for k in range(assets):
        left = depth[k] * max(p.floor, math.exp(-volatile[k] - max(lost[k] + p.tilt * w, stayed[k])))
        total, moved = 0.0, 0.0
        for v in range(venues):
            sale = book[t, k, v, UNITS] * mark[k, v]
            hit[k, v] = -min(0.01 * sale / (part[v] * left), p.cap)
            mark[k, v] *= math.exp(0.5 * hit[k, v])
            book[t, k, v, MONEY] = book[t, k, v, UNITS] * mark[k, v]
            moved += part[v] * hit[k, v]
            total += sale
        all_sold += total
        f[k] += p.permanent * moved
        m[k] += (1.0 - p.permanent) * moved
        for v in range(venues):
            u[k, v] += hit[k, v] - moved
            book[t, k, v, PRICE] = f[k] + m[k] + u[k, v]
        step = (f[k] + m[k] - asset[t, k, MARKET]) / p.sigma
        asset[t, k, MARKET] = f[k] + m[k]
        ratio[k] = p.memory * ratio[k] + (1.0 - p.memory) * step * step
        volatile[k] = p.keep * volatile[k] + p.pull * 0.5 * math.log(ratio[k])
        lost[k] = p.keep * lost[k] + p.inventory * total / depth[k]
    return all_sold


@inlined
def _settle(
    p: Rules, t: int, part: FloatArray, venue: IntArray, purse: FloatArray, position: FloatArray, entry: FloatArray,
    pledged: FloatArray, mark: FloatArray, peg: FloatArray, selling: BoolArray, coin: FloatArray,
) -> None:  # fmt: skip
    """Sellers are paid at the fill and own less."""
    for j in range(len(venue)):
        if selling[j]:
            v = venue[j]
            fall = 0.5 * 0.01 * coin[t, v, COINS_SOLD] / (part[v] * p.coin_depth)
            got = purse[j, COINS] * max(1.0 + peg[v] - fall, 0.0)
            for k in range(position.shape[1]):
                got += (position[j, k] + pledged[j, k]) * mark[k, v] - position[j, k] * entry[j, k]
                position[j, k] *= 1.0 - p.theta
                pledged[j, k] *= 1.0 - p.theta
            purse[j, COINS] *= 1.0 - p.theta
            purse[j, CASH] += p.theta * got


@kernel
def cascade(
    p: Rules, move: FloatArray, gap: FloatArray, down: BoolArray, run: FloatArray,
    depth: FloatArray, part: FloatArray, scar: FloatArray,
    venue: IntArray, purse: FloatArray, position: FloatArray, entry: FloatArray, pledged: FloatArray,
    f: FloatArray, m: FloatArray, ratio: FloatArray, volatile: FloatArray, lost: FloatArray, stayed: FloatArray,
    u: FloatArray, hit: FloatArray, mark: FloatArray, before: FloatArray, peg: FloatArray,
    called: BoolArray, selling: BoolArray,
    asset: FloatArray, book: FloatArray, coin: FloatArray, line: FloatArray,
) -> None:  # fmt: skip
    """Run the market and write its states.

    In: what news does to log prices (T, K) and to the venues' gaps (T, K, V), outages (T, V), jumps of the coin (T, V);
    depth, share of a loss that never comes back (K,), venues' parts of depth (V,); accounts' venue (N,), cash and coins
    (N, 2), units, prices paid, units of collateral (N, K). Memory, changed in place like the accounts: lasting and
    passing part of log prices, measured over usual variance, log depth lost to volatility, to sales, for good (K,); the
    venues' gaps, the last impacts, prices now (of fills, after the sales) and without those impacts (K, V); the coin's
    premium (V,); accounts called, and selling (N,). Out, with the states named above: asset (T, K, 4),
    book (T, K, V, 3), coin (T, V, 2), line (T, 5).
    """
    minutes, assets, venues = gap.shape
    w, fund, haircut, all_depth = 0.0, p.fund, 0.0, 0.0
    for k in range(assets):
        all_depth += depth[k]
    for t in range(minutes):
        market_move = _news(p, t, move, gap, down, f, m, u, hit, mark, before, asset)
        fund, haircut = _margin_calls(
            p, t, down, venue, purse, position, entry, pledged, mark, before, peg, called, selling,
            asset, book, coin, line, fund, haircut,
        )  # fmt: skip
        all_sold = _sales(p, t, w, depth, part, f, m, ratio, volatile, lost, stayed, u, hit, mark, asset, book)
        w = p.keep * w + p.load * all_sold / all_depth
        for k in range(assets):
            asset[t, k, FLOW_LOSS] = max(lost[k] + p.tilt * w, stayed[k])
            asset[t, k, VOLATILITY_LOSS] = volatile[k]
            stayed[k] = max(stayed[k], scar[k] * asset[t, k, FLOW_LOSS])
        flow = p.flight * all_sold - p.fear * all_depth * market_move
        line[t, LOAD], line[t, FLOW], line[t, FUND], line[t, HAIRCUT] = w, flow, fund, haircut
        _settle(p, t, part, venue, purse, position, entry, pledged, mark, peg, selling, coin)
        for v in range(venues):
            push = run[t, v] + 0.01 * (flow - coin[t, v, COINS_SOLD] / part[v]) / p.coin_depth
            peg[v] = max(p.coin_keep * peg[v] + push, -0.95)
            coin[t, v, COIN] = 1.0 + peg[v]
