"""The planted drain: who is reached when, how deep it goes, and what prices and flows then do.

Member k is reached in bar τ_k. Its depth, forced sales and price follow, with u = t − τ_k ≥ 0:

    depth        D_kt = D_k exp(x_kt − a_k φ_k(u)),  a_k = −ln(share left)
                 φ_k(u) = (u + 1) / rise before the trough at u = rise − 1, then 2^(−(u − rise + 1) / h_k);
                 it stays 1 for a member that never comes back
    impact       i_kt = ln(1 − fall_k) w(u), Σ_u w(u) = 1, w halving every h / 4 bars; .37 of it stays, the rest is a
                 discount that halves every h / 2 bars
    forced       F_kt = −i_kt · 100 · ½ D_k exp(−a_k φ_k) · max(1, bar / 10 min): a sale of the bid side's depth within
                 1 % moves the price by 1 %, and the book refills every ten minutes
    volatility   ln(σ_kt / σ_k) + ln(volatility) · 2^(−u / h)

with x_kt, σ_k those of ordinary days (`drainstats.simulate.families`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.simulate.families import Ordinary
from drainstats.typing import BoolArray, FloatArray, IntArray

PERMANENT = 0.37
REFILL = pd.Timedelta(minutes=10)
# The peg: a premium for the haven on both venues, a discount of the suspect on the main venue and on the other.
PEGS = {"haven": (0.004, 0.006), "suspect": (-0.03, -0.2), "none": (0.0, 0.0)}
SUPPLY = {"haven": 0.02, "suspect": -0.06, "none": 0.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """What was drawn for one seed; scenarios of that seed share it.

    members (M,) : columns in order of arrival, the source first; arrival (M,) : rows; loss (M,) : a_k; half_life (M,) :
    bars, infinite for no recovery; fall (M,) : share of the price; onset : row; rise : bars to the trough;
    common_half_life : bars; volatility : factor; second : a column that is not the source, second_onset : its row.
    """

    members: IntArray
    arrival: IntArray
    loss: FloatArray
    half_life: FloatArray
    fall: FloatArray
    onset: int
    rise: int
    common_half_life: float
    volatility: float
    second: int
    second_onset: int

    @property
    def source(self) -> int:
        """Column of the first member."""
        return int(self.members[0])


@dataclass(slots=True)
class Disturbance:
    """What a scenario adds to an ordinary market; (T, N) unless said otherwise.

    log_depth, log_volatility, log_volume : added to those of ordinary days; impact : log price change by forced sales;
    jump : permanent log price change without sales; supply (T,), peg (T, 2) : relative change of the stablecoin's
    supply in each bar, deviation of its two prices; missing : bars nobody saw; blind : bars without a spread; zero :
    depth that reads as zero; reached : column, row of arrival and half-life of each asset that was reached.
    """

    log_depth: FloatArray
    log_volatility: FloatArray
    log_volume: FloatArray
    impact: FloatArray
    jump: FloatArray
    supply: FloatArray
    peg: FloatArray
    missing: BoolArray
    blind: BoolArray
    zero: BoolArray
    reached: tuple[tuple[int, int, float], ...] = ()

    @classmethod
    def none(cls, rows: int, assets: int) -> Disturbance:
        """Nothing at all."""
        a, b, c, d, e = np.zeros((5, rows, assets))
        missing, blind, zero = np.zeros((3, rows, assets), dtype=bool)
        return cls(a, b, c, d, e, np.zeros(rows), np.zeros((rows, 2)), missing, blind, zero)


def draw_plan(
    seed: int,
    rows: int,
    assets: int,
    *,
    onset: int | None,
    source: int | None,
    members: int,
    lag: int,
    rise: int,
    depth: tuple[float, float],
    half_life: tuple[float, float],
    recovers: float,
    fall: tuple[float, float],
    volatility: float,
) -> Plan:
    """Draw members, arrivals, depths and half-lives; all is drawn whatever the options, so that seeds pair."""
    rng = np.random.default_rng([seed, 10])
    drawn = int(rng.integers(int(0.6 * rows), int(0.8 * rows) + 1))
    order = rng.permutation(assets)
    later = rng.random(assets)
    scatter, speed, back = rng.normal(size=assets), rng.random(assets), rng.random(assets)
    falls, wait = rng.uniform(0.5, 1.5, assets), int(rng.integers(2, 6))
    start = drawn if onset is None else onset
    first = int(order[0]) if source is None else source
    order = np.concatenate([[first], order[order != first]])
    arrival = start + np.concatenate([[0], lag + np.floor(np.sort(later[1:members]) * (lag + 1))]).astype(np.int64)
    left = np.concatenate([[depth[0]], np.full(assets - 1, depth[1])])
    loss = -np.log(left) * np.exp(np.concatenate([[0.0], 0.15 * scatter[1:]]))
    low, high = half_life
    lives = low * (high / low) ** speed
    lives[back >= recovers] = np.inf
    drop = np.concatenate([[fall[0]], np.minimum(fall[1] * falls[1:], 0.8 * fall[0])])
    return Plan(
        members=order[:members],
        arrival=arrival,
        loss=loss[:members],
        half_life=lives[:members],
        fall=drop[:members],
        onset=start,
        rise=rise,
        common_half_life=float(np.sqrt(low * high)),
        volatility=volatility,
        second=int(order[1]),
        second_onset=min(start + wait, rows - 1),
    )


def drain(plan: Plan, market: Ordinary, flight: str) -> Disturbance:
    """The drain of the plan: every member, the source first, and the flight."""
    out = Disturbance.none(*market.shocks.shape)
    for member in range(len(plan.members)):
        reach(out, plan, member)
    take_flight(out, plan, flight)
    return out


def reach(out: Disturbance, plan: Plan, member: int, column: int | None = None, arrival: int | None = None) -> None:
    """Add what happens to one member; to another asset, at another time, when these are given."""
    k = int(plan.members[member]) if column is None else column
    start = int(plan.arrival[member]) if arrival is None else arrival
    after = np.arange(len(out.log_depth) - start, dtype=np.float64)
    out.log_depth[start:, k] -= plan.loss[member] * loss_shape(after, plan.rise, plan.half_life[member])
    out.log_volatility[start:, k] += volatility_path(plan, after)
    weights = sale_weights(plan, after)
    out.impact[start:, k] += np.log1p(-plan.fall[member]) * weights
    out.reached = (*out.reached, (k, start, float(plan.half_life[member])))


def loss_shape(after: FloatArray, rise: int, half_life: float) -> FloatArray:
    """φ: share of the largest loss of log depth, ``after`` bars from the arrival on (at least zero)."""
    decay = np.exp2(-np.maximum(after - rise + 1, 0.0) / half_life)
    return np.where(after < rise - 1, (after + 1) / rise, decay)


def volatility_path(plan: Plan, after: FloatArray) -> FloatArray:
    """What is added to log volatility, ``after`` bars from the arrival on."""
    path: FloatArray = np.log(plan.volatility) * np.exp2(-after / plan.common_half_life)
    return path


def sale_weights(plan: Plan, after: FloatArray) -> FloatArray:
    """How the impact of forced sales is spread over the bars from the arrival on; sums to one."""
    weights = np.exp2(-4 * after / plan.common_half_life)
    return weights / weights.sum()


def take_flight(out: Disturbance, plan: Plan, flight: str) -> None:
    """Money flees to the stablecoin, or from it."""
    after = np.arange(len(out.supply) - plan.onset, dtype=np.float64)
    shape = loss_shape(after, plan.rise, plan.common_half_life)
    out.supply[plan.onset :] += SUPPLY[flight] * sale_weights(plan, after)
    out.peg[plan.onset :] += shape[:, None] * np.array(PEGS[flight])


def forced_sales(impact: FloatArray, log_depth: FloatArray, market: Ordinary, bar: pd.Timedelta) -> FloatArray:
    """Quote currency that had to be sold for that impact, into the depth that was left."""
    books = max(1.0, bar / REFILL)
    return -impact * 100 * 0.5 * market.depth * np.exp(log_depth) * books + 0.0
