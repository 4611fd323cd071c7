"""The truth of an endogenous market, measured on its noise-free states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.kernels.cascade import (
    CLOSED,
    COIN,
    FLOW_LOSS,
    FUND,
    HAIRCUT,
    LOAD,
    MARKET,
    MONEY,
    TRIGGERED,
    VOLATILITY_LOSS,
)
from drainstats.simulate.endogenous.accounts import Accounts
from drainstats.simulate.endogenous.path import News, States
from drainstats.simulate.endogenous.settings import Settings
from drainstats.simulate.truth import Truth
from drainstats.typing import BoolArray, FloatArray, IntArray

# A member: forced flow alone left no more than this of its depth, and volatility and flow no more than that.
FLOW_LEFT, LEFT = 0.75, 0.5
REACHED, BACK = 0.8, 0.9
SOLD, LEAST_MINUTES = 0.9, 10
WINDOW = 40


def measured(settings: Settings, accounts: Accounts, news: News, states: States, source: int) -> Truth:
    """Onset, arrivals, members, depth, half-lives and what came out, at the end of the run."""
    share, index, names, bar = states.share, settings.index, pd.Index(settings.names), settings.per_bar
    first, members = arrivals(settings, states)
    drained = 2 * len(members) >= settings.assets
    trough, end = _turning_points(share[:, members], bar, index) if drained else (pd.NaT, pd.NaT)
    begin = first[members[0]] if drained else settings.begin
    table = {"index": index, "columns": names}
    return Truth(
        scenario=settings.scenario,
        drained=drained,
        onset=pd.NaT if settings.scenario == "calm" else index[begin // bar],
        trough=trough,
        end=end,
        source=str(names[source]) if settings.shock < 0 else str(names[members[0]]) if drained else "",
        arrivals=pd.Series(index[first[members] // bar], index=names[members], name="arrival"),
        depth=pd.Series(share[settings.begin :, members].min(axis=0), index=names[members], name="depth"),
        half_life=pd.Series(half_lives(settings, news, states)[members] / bar, index=names[members], name="half_life"),
        liquidity=pd.DataFrame(share[bar - 1 :: bar], **table),
        forced=pd.DataFrame(in_bars(states.book[..., MONEY].sum(axis=2), bar).sum(axis=1), **table),
        mid=pd.DataFrame(np.exp(states.asset[bar - 1 :: bar, :, MARKET]), **table),
        settings=settings.as_dict(),
        outcomes=outcomes(settings, accounts, states, source),
    )


def in_bars(minutes: Any, bar: int) -> Any:
    """(T, K) minutes as (bars, minutes of a bar, K)."""
    return minutes.reshape(-1, bar, *minutes.shape[1:])


def arrivals(settings: Settings, states: States) -> tuple[IntArray, IntArray]:
    """(K,) minute in which depth first fell below four fifths, and the members in order of it."""
    share = states.share[settings.begin :]
    flow = np.exp(-states.asset[settings.begin :, :, FLOW_LOSS].max(axis=0))
    member: BoolArray = (flow <= FLOW_LEFT) & (share.min(axis=0) <= LEFT)
    first = settings.begin + (share < REACHED).argmax(axis=0)
    return first, np.flatnonzero(member)[np.argsort(first[member], kind="stable")]


def half_lives(settings: Settings, news: News, states: States) -> FloatArray:
    """(K,) minutes in which the loss of log depth halves once forced sales have stopped.

    The slope of the logarithm of the loss, by least squares, from the asset's trough or the minute by which nine tenths
    of all forced sales are made, whichever is later, until the asset is back; from the trough when that leaves less
    than ten minutes. Infinite for an asset whose loss never comes back (`never_back`) or does not shrink.
    """
    loss = np.maximum(-np.log(states.share[settings.begin :]), 1e-12)
    sales = np.cumsum(states.book[settings.begin :, ..., MONEY].sum(axis=(1, 2)))
    stop = int((sales >= SOLD * sales[-1]).argmax())
    out = np.full(settings.assets, np.inf)
    for k in np.flatnonzero(news.scar == 0):
        # The last minute at the trough: at the floor depth stays for a while.
        trough = int(np.flatnonzero(loss[:, k] >= loss[:, k].max() - 1e-9)[-1])
        back = trough + int(np.append(loss[trough:, k] < -np.log(BACK), True).argmax())
        start = stop if trough < stop <= back - LEAST_MINUTES else trough
        path = np.log(loss[start : max(back, start + 2), k])
        time = np.arange(len(path)) - (len(path) - 1) / 2
        shrinks = -float(time @ path)
        out[k] = np.log(2) * float(time @ time) / shrinks if shrinks > 0 else np.inf
    return out


def outcomes(settings: Settings, accounts: Accounts, states: States, source: int) -> dict[str, Any]:
    """What the run led to, in plain numbers."""
    share = states.share[settings.begin :].min(axis=0)
    market = states.asset[:, :, MARKET]
    fall = np.expm1(market[settings.begin :].min(axis=0) - market[settings.begin - 1])
    sold, closed = states.book[..., MONEY].sum(axis=2), states.asset[..., CLOSED]
    total = (sold + closed).sum(axis=1)
    gone = float(total.sum())
    others = np.arange(settings.assets) != source
    return {
        "liquidated": gone / float((accounts.position * accounts.entry).sum()),
        "best_40_minutes": float(_windows(total).max()) / gone if gone > 0 else np.nan,
        "off_book": float(closed.sum()) / gone if gone > 0 else np.nan,
        "forced_sales": sold.sum(axis=0).tolist(),
        "closed_off_book": closed.sum(axis=0).tolist(),
        "source_left": float(share[source]),
        "others_left": float(np.median(share[others])),
        "source_fall": float(fall[source]),
        "others_fall": float(np.median(fall[others])),
        "others_loss": causes(settings, states, others),
        "branching": branching(states),
        "coin_low": states.coin[..., COIN].min(axis=0).tolist(),
        "coin_high": states.coin[..., COIN].max(axis=0).tolist(),
        "fund": float(states.line[-1, FUND]),
        "haircut": float(states.line[-1, HAIRCUT]),
    }


def causes(settings: Settings, states: States, others: BoolArray) -> dict[str, float]:
    """Parts of the log depth these assets lose at their troughs: volatility, makers' load, sales of their own."""
    loss = states.asset[settings.begin :, :, [VOLATILITY_LOSS, FLOW_LOSS]]
    load = settings.tilt * states.line[settings.begin :, LOAD]
    trough = loss.sum(axis=2).argmax(axis=0)
    volatility, flow = loss[trough, np.arange(settings.assets)][others].T
    makers = np.minimum(load[trough][others], flow)
    parts = np.array([volatility.clip(0).sum(), makers.sum(), (flow - makers).sum()])
    parts /= max(parts.sum(), 1e-12)
    return dict(zip(("volatility", "makers", "own_sales"), parts.tolist(), strict=True))


def branching(states: States) -> float:
    """The largest branching ratio along the path: what one unit sold adds to what will be sold.

    Positions called because of forced sales, times the share of all called positions that is sold and not closed off
    the book, over those sales, in windows of forty minutes with at least a tenth of all sales. Not a number without
    sales.
    """
    money = states.book[..., MONEY].sum(axis=(1, 2))
    all_sold = money.sum()
    sold, called = _windows(money), _windows(np.append(states.line[1:, TRIGGERED], 0.0))
    enough = (sold > 0) & (sold >= 0.1 * all_sold)
    if not enough.any():
        return np.nan
    market = all_sold / (all_sold + states.asset[..., CLOSED].sum())
    return float(market * (called[enough] / sold[enough]).max())


def _windows(minutes: FloatArray) -> FloatArray:
    """Sums over forty minutes."""
    total = np.concatenate([[0.0], np.cumsum(minutes)])
    width = min(WINDOW, len(minutes))
    out: FloatArray = total[width:] - total[:-width]
    return out


def _turning_points(share: FloatArray, bar: int, index: pd.DatetimeIndex) -> tuple[Any, Any]:
    """The bar in which the median member has least, and the last one in which it has less than nine tenths."""
    median = np.median(share, axis=1)
    last = int(np.flatnonzero(median < BACK)[-1]) // bar
    return index[int(median.argmin()) // bar], pd.NaT if last == len(index) - 1 else index[last]
