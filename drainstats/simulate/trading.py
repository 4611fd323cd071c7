"""Bars from trades that bounce between bid and ask, with the spread, the impact and the volume known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_number, check_whole
from drainstats.simulate.ranges import check_between
from drainstats.typing import FloatArray

_CELLS = 4_000_000
# Beyond it prices and volumes leave the range of floating-point numbers.
_LARGEST_LOG = 300.0


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedBars:
    """Bars and the truth behind them; every table is (T, N), days × assets.

    Parameters
    ----------
    open, high, low, close : DataFrame
        Prices of the trades that were seen; missing in a bar in which none was.
    volume, dollar_volume, signed_dollar_volume : DataFrame
        Base units; quote currency; quote currency that takers bought less what they sold.
    spread : DataFrame
        The true proportional spread.
    impact : float
        The true log price change for one unit of quote currency that takers buy.
    """

    open: pd.DataFrame
    high: pd.DataFrame
    low: pd.DataFrame
    close: pd.DataFrame
    volume: pd.DataFrame
    dollar_volume: pd.DataFrame
    signed_dollar_volume: pd.DataFrame
    spread: pd.DataFrame
    impact: float

    def __repr__(self) -> str:
        rows, assets = self.close.shape
        return f"SimulatedBars: {rows} rows × {assets} assets, mean spread {np.nanmean(self.spread.to_numpy()):.4%}"


def bars(
    rows: int = 500,
    assets: int = 1,
    *,
    spread: Any = 0.01,
    volatility: Any = 0.03,
    trades: int = 390,
    seen: float = 1.0,
    overnight: float = 0.0,
    drift: float = 0.0,
    impact: float = 0.0,
    size: float = 10_000.0,
    seed: int = 0,
) -> SimulatedBars:
    """Simulate bars: a random walk of the mid, and trades at the bid or the ask with equal chance.

    A bar has ``trades`` moments; at each the log mid moves by a normal step and by ``impact`` times the money of the
    trade, and the trade takes place at mid × (1 ± spread / 2). Of them the share ``seen`` is observed.

    Parameters
    ----------
    rows, assets : int
    spread : float, (T,) or (T, N) array, default 0.01
        Proportional.
    volatility : float, (T,) or (T, N) array, default 0.03
        Standard deviation of the log mid over a bar, without impact and night.
    trades : int, default 390
        Moments of a bar.
    seen : float, default 1.0
        Chance that a moment's trade is observed: small for thin trading.
    overnight : float, default 0.0
        Standard deviation of the log mid's jump between bars.
    drift : float, default 0.0
        Of the log mid, per bar.
    impact : float, default 0.0
        Log price change for one unit of quote currency bought, permanent.
    size : float, default 10000.0
        Mean trade in quote currency; sizes are log-normal, with a standard deviation of one in logs.
    seed : int, default 0

    Returns
    -------
    SimulatedBars

    Raises
    ------
    OptionError
        Numbers outside their range, arrays of another shape.

    References
    ----------
    The design of Corwin and Schultz (2012), Journal of Finance 67(2), 719-760, with overnight jumps, impact and
    volume added.

    Examples
    --------
    >>> import drainstats as ds
    >>> market = ds.simulate.bars(rows=1000, spread=0.02, seed=1)
    >>> found = ds.measures.edge(market.open, market.high, market.low, market.close, window=1000)
    >>> round(float(found.iloc[-1, 0]), 3)
    0.02
    """
    for name, whole, least in (("rows", rows, 1), ("assets", assets, 1), ("trades", trades, 1), ("seed", seed, 0)):
        check_whole(name, whole, least)
    check_number("seen", seen, 0.0, 1.0 + 1e-12)
    check_number("size", size, 0.0)
    check_between("overnight", overnight, 0.0, np.finfo(float).max)
    for name, number in (("drift", drift), ("impact", impact)):
        check_number(name, number, -np.inf)
    wide_spread = _spread_out("spread", spread, rows, assets)
    scale = _spread_out("volatility", volatility, rows, assets) / np.sqrt(trades)
    if (wide_spread >= 2).any():
        raise OptionError("A proportional spread of 2 or more puts the bid at zero; pass a fraction, 0.01 for 1 %.")
    rng = np.random.default_rng(seed)
    out = {name: np.full((rows, assets), np.nan) for name in ("open", "high", "low", "close")}
    volume, value, signed = (np.zeros((rows, assets)) for _ in range(3))
    step = max(1, _CELLS // trades // assets)
    level = np.log(100.0) + np.zeros(assets)
    for first in range(0, rows, step):
        part = slice(first, min(first + step, rows))
        shape = (part.stop - first, assets, trades)
        side = rng.choice(np.array([-1.0, 1.0]), shape)
        money = size * np.exp(rng.normal(-0.5, 1.0, shape)) * (rng.random(shape) < seen)
        moves = scale[part, :, None] * rng.normal(size=shape) + drift / trades + impact * side * money
        moves[:, :, 0] += overnight * rng.normal(size=shape[:2])
        path = moves.transpose(0, 2, 1).reshape(-1, assets).cumsum(axis=0) + level
        level = path[-1]
        if not (np.abs(path) < _LARGEST_LOG).all():
            raise OptionError(
                "The log price leaves ±300: pass a smaller volatility, overnight, drift or impact (per unit of money)."
            )
        mid = np.exp(path).reshape(shape[0], trades, assets).transpose(0, 2, 1)
        price = mid * (1 + side * wide_spread[part, :, None] / 2)
        _add_bars(out, part, price, money > 0)
        volume[part] = (money / price).sum(axis=2)
        value[part] = money.sum(axis=2)
        signed[part] = (side * money).sum(axis=2)
    index = pd.date_range("2020-01-01", periods=rows, tz="UTC", name="time")
    columns = pd.Index([f"A{i}" for i in range(assets)])
    tables = {**out, "volume": volume, "dollar_volume": value, "signed_dollar_volume": signed, "spread": wide_spread}
    frames = {name: pd.DataFrame(table, index=index, columns=columns) for name, table in tables.items()}
    return SimulatedBars(**frames, impact=float(impact))


def _add_bars(out: dict[str, FloatArray], rows: slice, price: FloatArray, seen: Any) -> None:
    """Open, high, low and close of the (rows, assets, trades) prices that were seen."""
    any_seen = seen.any(axis=2)
    first = seen.argmax(axis=2)[:, :, None]
    last = (seen.shape[2] - 1 - seen[:, :, ::-1].argmax(axis=2))[:, :, None]
    parts = {
        "open": np.take_along_axis(price, first, axis=2)[:, :, 0],
        "high": np.where(seen, price, -np.inf).max(axis=2),
        "low": np.where(seen, price, np.inf).min(axis=2),
        "close": np.take_along_axis(price, last, axis=2)[:, :, 0],
    }
    for name, values in parts.items():
        out[name][rows] = np.where(any_seen, values, np.nan)


def _spread_out(name: str, values: Any, rows: int, assets: int) -> FloatArray:
    """A number, a (T,) or a (T, N) array as (T, N)."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name} must hold numbers; {values!r} came.") from error
    if array.ndim == 1:
        array = array[:, None]
    if array.shape not in ((), (rows, 1), (rows, assets)):
        raise OptionError(f"{name} has the shape {array.shape}; a number, ({rows},) or ({rows}, {assets}) is expected.")
    if not np.isfinite(array).all() or (array < 0).any():
        raise OptionError(f"{name} must hold finite numbers, at least zero.")
    return np.array(np.broadcast_to(array, (rows, assets)))
