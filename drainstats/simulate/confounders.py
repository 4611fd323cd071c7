"""What a detector must not call: scenarios that share the draws of a planted drain and are none.

===================  =============================================================================================
scenario             what happens from the onset on
===================  =============================================================================================
calm                 nothing
single_asset         the source alone, whose makers are its own: depth, forced sales, price as in the drain
two_shocks           that, and a few bars later the same in another asset, for its own reasons
common_volatility    all volatilities jump and decay; makers answer, which thins every book to about 40 %; nobody is
                     forced to sell
slow_bear            prices fall for 20 half-lives while volatility rises to 2½ times and books thin with it
repricing            the members' prices jump as far as in the drain, at full depth: information
announcement         the members' makers pull their depth in the bars before a scheduled time, prices are calm, and
                     the depth is back at once
clock                weekends (bars of a day) or nights and weekends are thin throughout, and a holiday begins
venue_outage         the source's venue is gone for a half-life: first no bars, then bars filled in later from trades,
                     while depth reads zero
feed_loss            the depth feed is lost for a half-life and reads zero; the markets are as they were
depeg                the stablecoin loses its peg on one venue's own book; nobody redeems it
fee_change           makers quote three fifths of their depth from now on, everywhere; prices and flows stay
wash_stop            seven tenths of the volume of the source's venue end, which nobody had really traded
delisting            the source dies out: its depth and volume fade over ten half-lives, then it is gone
===================  =============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from drainstats.simulate.families import BETA, Ordinary, answer, seasonal_pattern
from drainstats.simulate.planted import PEGS, Disturbance, Plan, loss_shape, reach, volatility_path
from drainstats.typing import FloatArray

VENUES = ("V1", "V2")
FEE, WASH, FADED = np.log(0.6), np.log(0.3), np.log(0.05)
THIN_CLOCK, HOLIDAY = 0.5, (-0.6, -0.3, -0.8)
BEAR = 2.5
NOTICE = 3


def venue_of(column: int) -> int:
    """Assets lie on the two venues in turn."""
    return column % len(VENUES)


def calm(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """Nothing happens."""
    return Disturbance.none(*market.shocks.shape)


def single_asset(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """The source drains alone: its makers make no other market."""
    out = calm(plan, market, index)
    reach(out, plan, 0)
    return out


def two_shocks(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """Two assets drain, each on its own, one after the other."""
    out = single_asset(plan, market, index)
    reach(out, plan, 0, plan.second, plan.second_onset)
    return out


def common_volatility(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """All volatilities jump as in the drain; makers answer, nobody has to sell."""
    out = calm(plan, market, index)
    after = np.arange(len(index) - plan.onset, dtype=np.float64)
    out.log_volatility[plan.onset :] += volatility_path(plan, after)[:, None]
    return _thinned(out)


def slow_bear(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """Prices fall and volatility rises over many bars."""
    out = calm(plan, market, index)
    length = 20 * plan.common_half_life
    after = np.arange(len(index) - plan.onset) + 1.0
    rising = np.minimum(after / length, 1.0) * np.exp2(-np.maximum(after - length, 0.0) / length)
    out.log_volatility[plan.onset :] += (np.log(BEAR) * rising)[:, None]
    out.jump[plan.onset :] += (np.log1p(-plan.fall[0]) * (after <= length) / length)[:, None]
    return _thinned(out)


def repricing(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """The fall of the drain in one bar, at full depth: news."""
    out = calm(plan, market, index)
    out.jump[plan.onset, plan.members] = np.log1p(-plan.fall)
    after = np.arange(len(index) - plan.onset, dtype=np.float64)
    out.log_volume[plan.onset :, plan.members] += np.exp2(-after)[:, None]
    return out


def announcement(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """Members' depth is pulled before a scheduled time and is back at once; prices stay calm."""
    out = calm(plan, market, index)
    rows = slice(plan.onset, plan.onset + NOTICE)
    before = (np.arange(len(index))[rows] - plan.onset + 1.0) / NOTICE
    out.log_depth[rows, plan.members] -= before[:, None] * plan.loss
    out.log_volatility[rows] -= 0.3
    out.log_volume[rows] -= 0.3
    return out


def clock(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """Weekends, nights and a holiday thin the books."""
    out = calm(plan, market, index)
    thin = THIN_CLOCK * np.minimum(seasonal_pattern(index), 0.0)[:, None]
    out.log_depth += thin
    out.log_volume += thin
    out.log_volatility += 0.5 * thin
    day = pd.Timedelta(days=1)
    last = int(index.searchsorted(index[plan.onset] + day))
    for table, size in zip((out.log_depth, out.log_volatility, out.log_volume), HOLIDAY, strict=True):
        table[plan.onset : last] += size
    return out


def venue_outage(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """The source's venue has no bars; then they are filled in later, while its depth reads zero."""
    out = calm(plan, market, index)
    here, length = _beside(plan, market), _span(plan)
    back = plan.onset + (length + 1) // 2
    out.missing[plan.onset : back, here] = True
    out.blind[back : plan.onset + length, here] = True
    out.zero[back : plan.onset + length, here] = True
    return out


def feed_loss(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """The depth feed reads zero."""
    out = calm(plan, market, index)
    out.zero[plan.onset : plan.onset + _span(plan)] = True
    return out


def depeg(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """The coin falls on the book of the second venue alone."""
    out = calm(plan, market, index)
    after = np.arange(len(index) - plan.onset, dtype=np.float64)
    out.peg[plan.onset :, 1] += PEGS["suspect"][1] * loss_shape(after, plan.rise, plan.common_half_life)
    return out


def fee_change(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """Depth is lower for good, everywhere."""
    out = calm(plan, market, index)
    out.log_depth[plan.onset :] += FEE
    return out


def wash_stop(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """The wash trades of the source's venue end: volume falls, depth does not."""
    out = calm(plan, market, index)
    out.log_volume[plan.onset :, _beside(plan, market)] += WASH
    return out


def delisting(plan: Plan, market: Ordinary, index: pd.DatetimeIndex) -> Disturbance:
    """The source fades, then trades no more."""
    out = calm(plan, market, index)
    length = 10 * plan.common_half_life
    faded = FADED * np.minimum((np.arange(len(index) - plan.onset) + 1.0) / length, 1.0)
    out.log_depth[plan.onset :, plan.source] += faded
    out.log_volume[plan.onset :, plan.source] += faded
    out.missing[plan.onset + int(length) :, plan.source] = True
    return out


def _beside(plan: Plan, market: Ordinary) -> list[int]:
    """Columns of the source's venue."""
    return [k for k in range(market.shocks.shape[1]) if venue_of(k) == venue_of(plan.source)]


def _span(plan: Plan) -> int:
    """A half-life in whole bars, at least two."""
    return max(2, round(plan.common_half_life))


def _thinned(out: Disturbance) -> Disturbance:
    """Makers answer what was added to volatility."""
    thinner: FloatArray = -BETA * answer(out.log_volatility)
    out.log_depth += thinner
    return out


CONFOUNDERS: dict[str, Callable[[Plan, Ordinary, pd.DatetimeIndex], Disturbance]] = {
    "calm": calm,
    "single_asset": single_asset,
    "two_shocks": two_shocks,
    "common_volatility": common_volatility,
    "slow_bear": slow_bear,
    "repricing": repricing,
    "announcement": announcement,
    "clock": clock,
    "venue_outage": venue_outage,
    "feed_loss": feed_loss,
    "depeg": depeg,
    "fee_change": fee_change,
    "wash_stop": wash_stop,
    "delisting": delisting,
}
