"""Books and trades behind the bars of a simulated market, as tidy tables (`drainstats.sources.schema`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import OptionError, check_number, check_option, check_whole
from drainstats.simulate.truth import SimulatedMarket
from drainstats.typing import FloatArray

WITHIN = 0.01
# The best price stands at least this far inside the one per cent, so that depth within it can be shown at all.
INSIDE = 0.9 * WITHIN
DIGITS = 4
SIZE_NOISE, ORDER_NOISE, PATH_NOISE = 0.3, 1.0, 0.15


def book(
    market: SimulatedMarket,
    asset: str,
    *,
    start: Any = None,
    end: Any = None,
    levels: int = 50,
    reach: float = 0.02,
) -> pd.DataFrame:
    """Snapshots of one asset's order book at the ends of bars, whose depth is that of the panel.

    The money between the mid and the distance d grows with d² (a density that is linear in the distance), times
    log-normal noise of each level, from half the spread on; each side is scaled so that one half of the panel's depth
    stands within one per cent of the mid. Prices lie on ticks of the fifth significant digit.

    Parameters
    ----------
    market : SimulatedMarket
    asset : str
    start, end : time stamps, optional
        First and last bar, both included; by default all.
    levels : int, default 50
        Levels of a side, 10 at least.
    reach : float, default 0.02
        Distance of the last level from the mid, as a fraction; more than 0.01.

    Returns
    -------
    DataFrame
        A row a bar, indexed by its end: bid_0, bid_size_0, ask_0, ask_size_0, bid_1 …; sizes in base units. Missing
        where the panel has no depth, or reads zero.

    Raises
    ------
    OptionError
        An asset that is not there; fewer than ten levels; a reach of one per cent or less.

    Notes
    -----
    `drainstats.measures.depth_within` at 100 basis points gives the panel's depth back to rounding. Where half the
    spread exceeds 0.9 %, the best prices stand at 0.9 % from the mid.

    Examples
    --------
    >>> import drainstats as ds
    >>> market = ds.simulate.drain(seed=1, onset=700)
    >>> book = ds.simulate.book(market, "A3", start=market.truth.onset)
    >>> depth = ds.measures.depth_within(book, bp=100, unit="quote")
    >>> float((depth / market.panel["depth"]["A3"][700:].to_numpy() - 1).abs().max()) < 1e-9
    True
    """
    check_whole("levels", levels, 10)
    check_number("reach", reach, WITHIN, 1.0)
    panel, column = _window(market, asset, start, end)
    depth, spread = panel["depth"][asset].to_numpy(), panel["spread"][asset].to_numpy()
    mid = market.truth.mid[asset].reindex(panel.index).to_numpy()
    rng = np.random.default_rng([market.truth.settings["seed"], 30, column])
    tick = 10.0 ** (np.floor(np.log10(mid)) - DIGITS)
    first = np.minimum(0.5 * np.where(np.isnan(spread), 0.0, spread), INSIDE)
    steps = np.linspace(0.0, 1.0, levels)
    distance = first[:, None] + (reach - first[:, None]) * steps
    bids = np.floor(mid[:, None] * (1 - distance) / tick[:, None]) * tick[:, None]
    asks = np.ceil(mid[:, None] * (1 + distance) / tick[:, None]) * tick[:, None]
    middle = 0.5 * (bids[:, :1] + asks[:, :1])
    edges = np.diff(distance, axis=1, prepend=0.0) * distance
    there = depth > 0
    out = np.full((len(mid), levels, 4), np.nan)
    for side, price in enumerate((bids, asks)):
        money = edges * np.exp(SIZE_NOISE * rng.normal(size=price.shape))
        inside = np.abs(price / middle - 1) <= WITHIN * (1 + 1e-9)
        money *= (0.5 * depth / (money * inside).sum(axis=1))[:, None]
        out[there, :, 2 * side] = price[there]
        out[there, :, 2 * side + 1] = (money / price)[there]
    names = [f"{name}_{level}" for level in range(levels) for name in ("bid", "bid_size", "ask", "ask_size")]
    ends = pd.DatetimeIndex(panel.clock.end(panel.index), name="time")
    return pd.DataFrame(out.reshape(len(mid), -1), index=ends, columns=names)


def trades(
    market: SimulatedMarket, asset: str, *, start: Any = None, end: Any = None, per_bar: int = 20
) -> pd.DataFrame:
    """Trades of one asset that make its bars: their first, highest, lowest and last price, and their money by side.

    A bar's first trade is its open, its last the close; a buy at the high and a sell at the low stand between them in
    random order, and the other mids on the way. Buyers pay mid × (1 + spread / 2), sellers get mid × (1 − spread / 2).

    Parameters
    ----------
    market : SimulatedMarket
    asset : str
    start, end : time stamps, optional
        First and last bar, both included; by default all.
    per_bar : int, default 20
        Trades of a bar, four at least.

    Returns
    -------
    DataFrame
        Indexed by time: price (quote currency), amount (base units), side (1 the buyer took, −1 the seller). Bars that
        are missing have no trades.

    Raises
    ------
    OptionError
        An asset that is not there, fewer than four trades.

    Notes
    -----
    Aggregated to the panel's clock they give its open, high, low, close, dollar_volume and signed_dollar_volume back to
    rounding, and its volume to within the bar's range of prices.

    Examples
    --------
    >>> import drainstats as ds
    >>> market = ds.simulate.drain(seed=1, freq="min", onset=700)
    >>> trades = ds.simulate.trades(market, "A3", start=market.truth.onset, per_bar=8)
    >>> first = trades[: trades.index[7]]
    >>> bool(first["price"].max() == market.panel["high"]["A3"].iloc[700]), len(trades)
    (True, 2400)
    """
    check_whole("per_bar", per_bar, 4)
    panel, column = _window(market, asset, start, end)
    seen = panel["close"][asset].notna().to_numpy()
    field = {name: panel[name][asset].to_numpy()[seen] for name in panel.field_names}
    rng = np.random.default_rng([market.truth.settings["seed"], 31, column])
    half = 0.5 * _filled(field["spread"])
    shape = (int(seen.sum()), per_bar)
    opened, closed = _mids(market, asset, panel.index[seen])
    side = rng.choice(np.array([-1, 1], dtype=np.int8), shape)
    side[:, 0] = np.where(field["open"] >= opened, 1, -1)
    side[:, -1] = np.where(field["close"] >= closed, 1, -1)
    mid, at_high, at_low = _path(field, half, per_bar, rng)
    rows = np.arange(shape[0])
    side[rows, at_high], side[rows, at_low] = 1, -1
    price = mid * (1 + side * half[:, None])
    # Rounding aside these are the prices already; the bars are to come back to the last digit.
    price[:, 0], price[:, -1] = field["open"], field["close"]
    price[rows, at_high], price[rows, at_low] = field["high"], field["low"]
    price = np.clip(price, field["low"][:, None], field["high"][:, None])
    money = np.exp(ORDER_NOISE * rng.normal(size=shape))
    for sign in (1, -1):
        mine = side == sign
        wanted = 0.5 * (field["dollar_volume"] + sign * field["signed_dollar_volume"])
        money = np.where(mine, money * (wanted / np.where(mine, money, 0.0).sum(axis=1))[:, None], money)
    step = panel.clock.step.as_unit("ns").value
    offsets = np.sort(rng.integers(0, step, shape), axis=1)
    stamps = panel.index[seen].as_unit("ns").asi8[:, None] + offsets
    index = pd.DatetimeIndex(stamps.ravel(), tz="UTC", name="time")
    table = {"price": price.ravel(), "amount": (money / price).ravel(), "side": side.ravel()}
    return pd.DataFrame(table, index=index)


def _path(
    field: dict[str, FloatArray], half: FloatArray, per_bar: int, rng: np.random.Generator
) -> tuple[FloatArray, Any, Any]:
    """(T, n) mids through the open, the high and the low in random order, and the close; where those two stand."""
    top, bottom = field["high"] / (1 + half), field["low"] / (1 - half)
    rows = np.arange(len(half))
    places = np.sort(rng.permuted(np.tile(np.arange(1, per_bar - 1), (len(half), 1)), axis=1)[:, :2], axis=1)
    high_first = rng.random(len(half)) < 0.5
    at_high = np.where(high_first, places[:, 0], places[:, 1])
    at_low = np.where(high_first, places[:, 1], places[:, 0])
    knots = np.full((len(half), per_bar), np.nan)
    knots[:, 0], knots[:, -1] = field["open"], field["close"]
    knots[rows, at_high], knots[rows, at_low] = top, bottom
    noise = PATH_NOISE * (top - bottom)[:, None] * rng.normal(size=knots.shape) * np.isnan(knots)
    mid = pd.DataFrame(knots).interpolate(axis=1).to_numpy() + noise
    return np.clip(mid, bottom[:, None], top[:, None]), at_high, at_low


def _mids(market: SimulatedMarket, asset: str, index: pd.DatetimeIndex) -> tuple[FloatArray, FloatArray]:
    """The mids at the start and at the end of these bars."""
    mid = market.truth.mid[asset]
    opened = mid.shift().fillna(market.panel["open"][asset].iloc[0])
    return opened.reindex(index).to_numpy(), mid.reindex(index).to_numpy()


def _filled(spread: FloatArray) -> FloatArray:
    """Spreads, zero where nobody looked at the book."""
    return np.where(np.isnan(spread), 0.0, spread)


def _window(market: SimulatedMarket, asset: str, start: Any, end: Any) -> tuple[Any, int]:
    """The asset's part of the panel, and its column."""
    if not isinstance(market, SimulatedMarket):
        raise OptionError(f"A simulated market is needed, a {type(market).__name__} came; make one with drain.")
    check_option("asset", asset, market.panel.assets)
    try:
        panel = market.panel.select(asset).window(start, end)
    except (TypeError, ValueError) as error:
        raise OptionError(f"start={start!r} or end={end!r} is no time stamp; write it as '2018-01-01'.") from error
    if not len(panel.index):
        raise OptionError(f"No bar lies between start={start!r} and end={end!r}.")
    return panel, market.panel.assets.index(asset)
