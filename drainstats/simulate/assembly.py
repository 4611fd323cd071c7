"""From an ordinary market and what a scenario adds to it: noise-free states, the stablecoin and the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.simulate.families import Ordinary, autoregression
from drainstats.simulate.observation import LARGEST_SPREAD, States
from drainstats.simulate.planted import PERMANENT, Disturbance, Plan
from drainstats.simulate.truth import Truth
from drainstats.typing import FloatArray

BACK = 0.9
PEG_NOISE, SUPPLY_NOISE = 3e-4, 5e-4


def states_of(market: Ordinary, out: Disturbance, plan: Plan, forced: FloatArray, seed: int) -> States:
    """The states of the market with the scenario in it (the equations: `families` and `planted`)."""
    rng = np.random.default_rng([seed, 11])
    usual = market.volatility * market.shocks * np.exp(market.log_volatility + out.log_volatility)
    lasting = np.cumsum(usual + out.jump + PERMANENT * out.impact, axis=0)
    passing = autoregression((1 - PERMANENT) * out.impact, 2 ** (-2 / plan.common_half_life))
    log_depth = market.log_depth + out.log_depth
    log_volatility = market.log_volatility + out.log_volatility
    noise = rng.normal(size=usual.shape)
    spread = market.spread * np.exp(-0.5 * log_depth + 0.3 * log_volatility + 0.15 * noise)
    volume = market.volume * np.exp(market.log_volume + 0.7 * out.log_volatility + out.log_volume)
    return States(
        mid=100.0 * np.exp(lasting + passing),
        start=np.full(usual.shape[1], 100.0),
        volatility=market.volatility * np.exp(log_volatility),
        spread=np.minimum(spread, LARGEST_SPREAD),
        depth=market.depth * np.exp(log_depth),
        volume=volume,
        pressure=0.25 * market.shocks + 0.15 * rng.normal(size=usual.shape),
        forced=forced,
    )


def stablecoin_of(out: Disturbance, market: Ordinary, index: pd.DatetimeIndex, seed: int) -> pd.DataFrame:
    """Supply in coins and the price on both venues; the supply is five days' volume of the market."""
    rng = np.random.default_rng([seed, 12])
    per_day = pd.Timedelta(days=1) / (index[1] - index[0])
    growth = SUPPLY_NOISE / np.sqrt(per_day) * rng.normal(size=len(index)) + np.log1p(out.supply)
    peg = autoregression(PEG_NOISE * rng.normal(size=(len(index), 2)), 0.5)
    price = 1.0 + peg + out.peg
    supply = 5 * per_day * market.volume.sum() * np.exp(np.cumsum(growth))
    return pd.DataFrame({"supply": supply, "price": price[:, 0], "price_V2": price[:, 1]}, index=index)


def truth_of(
    plan: Plan,
    out: Disturbance,
    states: States,
    index: pd.DatetimeIndex,
    assets: list[str],
    settings: dict[str, Any],
) -> Truth:
    """The truth: exact for the drain; for the others the onset, the assets reached and the noise-free states."""
    scenario = settings["scenario"]
    drained = scenario == "drain"
    columns = [k for k, _, _ in out.reached]
    names = pd.Index([assets[k] for k in columns])
    liquidity = np.exp(out.log_depth)
    trough, end = _turning_points(liquidity[:, columns], index) if drained else (pd.NaT, pd.NaT)
    return Truth(
        scenario=scenario,
        drained=drained,
        onset=pd.NaT if scenario == "calm" else index[plan.onset],
        trough=trough,
        end=end,
        source=names[0] if drained or scenario == "single_asset" else "",
        arrivals=pd.Series(index[[row for _, row, _ in out.reached]], index=names, name="arrival"),
        depth=pd.Series(liquidity[:, columns].min(axis=0), index=names, name="depth"),
        half_life=pd.Series([life for _, _, life in out.reached], index=names, name="half_life", dtype=float),
        liquidity=pd.DataFrame(liquidity, index=index, columns=assets),
        forced=pd.DataFrame(states.forced, index=index, columns=assets),
        mid=pd.DataFrame(states.mid, index=index, columns=assets),
        settings=settings,
    )


def _turning_points(left: FloatArray, index: pd.DatetimeIndex) -> tuple[Any, Any]:
    """The bar in which the median member has least, and the last one in which it has less than nine tenths."""
    median = np.median(left, axis=1)
    trough, short = int(np.argmin(median)), np.flatnonzero(median < BACK)
    last = int(short[-1]) if len(short) else trough
    return index[trough], pd.NaT if last == len(index) - 1 else index[last]
