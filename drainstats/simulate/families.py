"""What a simulated market does on ordinary days: depth, volatility, returns and volume of several kinds of markets.

With F_t and e_kt of unit variance, c the common share and λ_k loadings of mean square one,

    log depth    x_kt = s_k (√c λ_k F_t + √(1−c) e_kt) − β v_kt + season
    volatility   ln(σ_kt / σ_k) = s_σ (√.6 G_t + √.4 g_kt) + season
    answer       v_kt = ½ v_k,t−1 + ½ ln(σ_kt / σ_k)
    returns      r_kt = σ_kt (√.4 λ_k u_t + √.6 u_kt)

F, e are sums of first-order autoregressions, one for each of the family's coefficients, in equal parts; G, g are
autoregressions. Makers answer volatility with β = .87 and half of the way in each bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from drainstats.typing import FloatArray

BETA = 0.87
ANSWER = 0.5
COMMON_VOLATILITY, COMMON_RETURN = 0.6, 0.4
DAY = pd.Timedelta(days=1)
# Sleeping hours and weekends, as a share of the seasonal amplitude.
NIGHT_UTC, WEEKEND = 4.0, 5


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of market; see the module's text.

    depth_ar : coefficients of the autoregressions in log depth; depth_sd : its standard deviation; volatility_ar,
    volatility_sd : of log volatility; tail : degrees of freedom of the shocks; loadings : range of λ before scaling;
    sectors : number of groups that share half of the own part of depth, 0 for none; size_sd : standard deviation of log
    size; season : amplitude in logs.
    """

    depth_ar: tuple[float, ...] = (0.7,)
    depth_sd: float = 0.3
    volatility_ar: float = 0.9
    volatility_sd: float = 0.15
    tail: float = np.inf
    loadings: tuple[float, float] = (1.0, 1.0)
    sectors: int = 0
    size_sd: float = 1.0
    season: float = 0.0


FAMILIES: dict[str, Family] = {
    "gaussian": Family(),
    "heavy": Family(depth_ar=(0.5,), volatility_ar=0.95, volatility_sd=0.35, tail=4.0),
    "persistent": Family(depth_ar=(0.3, 0.9, 0.99), volatility_ar=0.98, volatility_sd=0.25),
    "seasonal": Family(season=0.35, volatility_sd=0.2),
    "heterogeneous": Family(loadings=(0.3, 1.7), sectors=3, size_sd=1.5, tail=8.0, volatility_sd=0.25),
}


@dataclass(frozen=True, slots=True)
class Ordinary:
    """A market without any disturbance.

    depth, volume, volatility, spread (N,) : usual depth within 1 % of the mid, quote currency a bar, standard deviation
    of a bar's log return, proportional spread; log_depth, log_volatility, log_volume (T, N) : deviations from them;
    shocks (T, N) : returns in units of their standard deviation; commonality : the common share c of log depth.
    """

    depth: FloatArray
    volume: FloatArray
    volatility: FloatArray
    spread: FloatArray
    log_depth: FloatArray
    log_volatility: FloatArray
    log_volume: FloatArray
    shocks: FloatArray
    commonality: float


def ordinary(family: str, index: pd.DatetimeIndex, assets: int, commonality: float | None, seed: int) -> Ordinary:
    """Draw an ordinary market of that family; depth, volatility, returns and volume have streams of their own."""
    kind, rows = FAMILIES[family], len(index)
    market, depth, scale, price, volume = (np.random.default_rng([seed, stream]) for stream in range(5))
    bar = (index[1] - index[0]) / DAY
    size = np.exp(kind.size_sd * market.normal(size=assets))
    risk = 0.03 * np.exp(0.3 * market.normal(size=assets))
    loads = market.uniform(*kind.loadings, assets)
    loads /= np.sqrt(np.mean(loads**2))
    drawn = float(market.uniform(0.15, 0.6))
    share = drawn if commonality is None else float(commonality)
    season = kind.season * seasonal_pattern(index)[:, None]
    paths = _paths(kind, scale, rows, assets, (kind.volatility_ar,))
    log_volatility = kind.volatility_sd * _mixed(paths, COMMON_VOLATILITY) + 0.5 * season
    own = _paths(kind, depth, rows, assets, kind.depth_ar)
    if kind.sectors:
        groups = _paths(kind, depth, rows, kind.sectors, kind.depth_ar)[:, 1:]
        own[:, 1:] = np.sqrt(0.5) * (own[:, 1:] + groups[:, np.arange(assets) % kind.sectors])
    log_depth = kind.depth_sd * _mixed(own, share, loads) - BETA * answer(log_volatility - 0.5 * season) + season
    shocks = _mixed(_shocks(kind, price, (rows, assets + 1)), COMMON_RETURN, loads)
    log_volume = 0.7 * log_volatility + 0.25 * _mixed(_paths(kind, volume, rows, assets, (0.5,)), 0.4) + 0.7 * season
    return Ordinary(
        depth=1.5e6 * size,
        volume=1e8 * size * bar,
        volatility=risk * np.sqrt(bar),
        spread=5e-4 * size**-0.25,
        log_depth=log_depth,
        log_volatility=log_volatility,
        log_volume=log_volume,
        shocks=shocks,
        commonality=share,
    )


def seasonal_pattern(index: pd.DatetimeIndex) -> FloatArray:
    """A (T,) clock between −1 and 1: low at night (bars shorter than a day) and on weekends."""
    hours = np.asarray((index - index.normalize()) / pd.Timedelta(hours=1))
    weekend = np.where(np.asarray(index.day_of_week) >= WEEKEND, -0.6, 0.24)
    if index[1] - index[0] >= DAY:
        return weekend / 0.6
    daily: FloatArray = -0.5 * np.cos(2 * np.pi * (hours - NIGHT_UTC) / 24) + 0.5 * weekend / 0.6
    return daily


def answer(log_volatility: FloatArray) -> FloatArray:
    """What makers have answered of (T, N) log volatility: half of the way in each bar."""
    return autoregression(ANSWER * log_volatility, 1 - ANSWER)


def autoregression(news: FloatArray, coefficient: float) -> FloatArray:
    """y_t = coefficient · y_{t−1} + news_t along the rows, from zero."""
    from scipy.signal import lfilter

    out: FloatArray = lfilter([1.0], [1.0, -coefficient], news, axis=0)
    return out


def _mixed(paths: FloatArray, share: float, loads: FloatArray | float = 1.0) -> FloatArray:
    """The common path (first column) and the own ones, in these shares of variance."""
    return np.sqrt(share) * loads * paths[:, :1] + np.sqrt(1 - share) * paths[:, 1:]


def _shocks(kind: Family, rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Shocks of unit variance with the family's tails."""
    if np.isinf(kind.tail):
        return rng.normal(size=shape)
    return rng.standard_t(kind.tail, shape) * np.sqrt((kind.tail - 2) / kind.tail)


def _paths(
    kind: Family, rng: np.random.Generator, rows: int, assets: int, coefficients: tuple[float, ...]
) -> FloatArray:
    """(T, 1 + N) stationary paths of unit variance: a common one and one an asset."""
    out = np.zeros((rows, assets + 1))
    for coefficient in coefficients:
        news = _shocks(kind, rng, out.shape)
        news[1:] *= np.sqrt(1 - coefficient**2)
        out += autoregression(news, coefficient)
    return out / np.sqrt(len(coefficients))
