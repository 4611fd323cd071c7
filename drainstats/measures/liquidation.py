"""Liquidations of perpetual futures.

A feed of liquidations is a census, or a sample. Binance pushes the latest order of a symbol and second and no other,
so that its sums are lower bounds, the more so the worse the hour: every total here says which it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import in_utc
from drainstats.measures.derivatives import window_total
from drainstats.measures.inputs import LARGEST, SMALLEST, check_window, not_negative
from drainstats.typing import FloatArray, IntArray

FEEDS = ("census", "latest_per_second")
_SIDES = {"buy": 1, "sell": -1, "1": 1, "-1": -1, "1.0": 1, "-1.0": -1}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Liquidations:
    """What was liquidated in each bar, as far as the feed shows it.

    Parameters
    ----------
    long, short : (T, N) DataFrames
        Notional of long positions closed (by orders to sell) and of short ones (by orders to buy), quote currency.
    orders : (T, N) DataFrame
        Orders seen.
    feed : {"census", "latest_per_second"}
    seconds : float
        Length of a bar.
    assumption : str
        What a correction assumed; empty without one.
    """

    long: pd.DataFrame
    short: pd.DataFrame
    orders: pd.DataFrame
    feed: str
    seconds: float
    assumption: str = ""

    @property
    def total(self) -> pd.DataFrame:
        """Long and short together."""
        return self.long + self.short

    @property
    def imbalance(self) -> pd.DataFrame:
        """(long − short) / (long + short): 1 when only longs were closed; missing where nothing was."""
        return ((self.long - self.short) / self.total).where(self.total > 0)

    @property
    def statement(self) -> str:
        """What the sums are, to be printed beside them."""
        if self.feed == "census":
            return "Census: every order of the feed."
        if self.assumption:
            return f"Sample, corrected: {self.assumption}"
        return "Sample: at most one order per symbol and second; sums are lower bounds."

    def corrected(self, assumption: Literal["poisson"]) -> Liquidations:
        """Sums of a sampled feed scaled up, under an assumption that has to be named.

        Parameters
        ----------
        assumption : {"poisson"}
            Within a bar, orders of a symbol come as a Poisson process, and the size of the one shown does not depend
            on how many came in its second. With n orders shown in S seconds the rate is λ = −ln(1 − n / S) per second,
            and n is scaled to λ S. Orders that cluster within the bar make the answer too low still. It is missing
            where every second shows one: such a bar may hold any number.

        Returns
        -------
        Liquidations
            ``orders`` are then expected numbers.
        """
        check_option("assumption", assumption, ["poisson"])
        if self.feed == "census" or self.assumption:
            raise OptionError("There is nothing to correct: " + self.statement)
        share = self.orders / self.seconds
        rate = -np.log1p(-share.where(share < 1))
        factor = (rate / share).where(share > 0, 1.0).where(share < 1)
        text = "Poisson orders within a bar, of a size that does not depend on their number; still too low in bursts."
        parts = {name: getattr(self, name) * factor for name in ("long", "short", "orders")}
        return replace(self, **parts, assumption=text)

    def __repr__(self) -> str:
        rows, assets = self.long.shape
        return (
            f"Liquidations of {assets} assets × {rows} bars of {self.seconds:g} s: "
            f"long {self.long.sum().sum():.6g}, short {self.short.sum().sum():.6g}\n{self.statement}"
        )


def liquidations(
    events: pd.DataFrame, every: str = "1h", *, feed: Literal["census", "latest_per_second"]
) -> Liquidations:
    """Liquidation orders, bar by bar, by the side of the position that they closed.

    Parameters
    ----------
    events : DataFrame
        As `drainstats.read_flows` gives them: indexed by time, columns ``asset``, ``price``, ``amount`` (coins) and
        ``side`` of the order, −1 or "sell", 1 or "buy". An order to SELL closes a long position.
    every : str, default "1h"
        Length of a bar; bars are labelled by their start and begin at multiples of it.
    feed : {"census", "latest_per_second"}
        What the feed shows: every order (Bybit's allLiquidation, fills on Hyperliquid), or the latest of a symbol and
        second (Binance's forceOrder and its archive). There is no default: a sum without it means nothing.

    Returns
    -------
    Liquidations
        ``long``, ``short``, ``orders``, ``total``, ``imbalance``, ``statement``; all bars from the first order to the
        last, zero where there was none. Observed, so without an error.

    Raises
    ------
    DataError
        Columns that are missing, sides that are none, prices or amounts at or below zero.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> stamps = pd.to_datetime(["2025-10-10 21:15:01", "2025-10-10 21:15:09", "2025-10-10 21:16:30"], utc=True)
    >>> events = pd.DataFrame({"asset": "BTC", "price": 1e5, "amount": [1.0, 2.0, 1.0], "side": [-1, -1, 1]}, stamps)
    >>> found = ds.measures.liquidations(events, "1min", feed="latest_per_second")
    >>> found.long["BTC"].tolist(), found.short["BTC"].tolist()
    ([300000.0, 0.0], [0.0, 100000.0])
    >>> found.statement
    'Sample: at most one order per symbol and second; sums are lower bounds.'
    """
    check_option("feed", feed, FEEDS)
    missing = {"asset", "price", "amount", "side"} - set(getattr(events, "columns", ()))
    if missing or not isinstance(events.index, pd.DatetimeIndex):
        lack = f"lack the columns {', '.join(sorted(missing))}" if missing else "are not indexed by time"
        raise DataError(f"The liquidations {lack}; read them with read_flows.")
    if not len(events):
        raise DataError("There is no liquidation in the table.")
    try:
        step = pd.Timedelta(every)
    except ValueError as error:
        raise OptionError(f"every={every!r} is no length of time such as '1min' or '1h'.") from error
    if not step > pd.Timedelta(0):
        raise OptionError(f"every={every!r} must be longer than nothing.")
    price, amount = (np.asarray(events[c], dtype=np.float64) for c in ("price", "amount"))
    inside = [(v >= SMALLEST) & (v <= LARGEST) for v in (price, amount)]
    bad = np.flatnonzero(~(inside[0] & inside[1]))
    if len(bad):
        raise DataError(
            f"A price or an amount is not above zero, or outside {SMALLEST:g} to {LARGEST:g}.", row=events.index[bad[0]]
        )
    if events["asset"].isna().any():
        raise DataError("An asset is missing.", row=events.index[int(np.argmax(events["asset"].isna()))])
    side = _sides(events)
    bars = in_utc(events.index).floor(step)
    index = pd.date_range(bars.min(), bars.max(), freq=step, name="time")
    code, names = pd.factorize(events["asset"], sort=True)
    cell = np.asarray((bars - index[0]) // step, dtype=np.int64) * len(names) + code
    shape = (len(index), len(names))

    def table(values: FloatArray) -> pd.DataFrame:
        summed = np.bincount(cell, values, minlength=shape[0] * shape[1])
        return pd.DataFrame(summed.reshape(shape), index, pd.Index(names))

    long, short = table(price * amount * (side < 0)), table(price * amount * (side > 0))
    return Liquidations(long, short, table(np.ones(len(side))), feed, step.total_seconds())


def _sides(events: pd.DataFrame) -> IntArray:
    words = [_SIDES.get(str(s).strip().lower()) for s in events["side"]]
    for row, side in enumerate(words):
        if side is None:
            raise DataError(
                f"side={events['side'].iloc[row]!r} is none of −1, 1, 'sell' and 'buy'.", row=events.index[row]
            )
    return np.array(words, dtype=np.int64)


def liquidation_intensity(
    liquidated: Any, against: Any, window: int = 1, scale: Literal["open_interest", "volume"] = "open_interest"
) -> Any:
    """What share of open interest, or of trading, was forced.

    Parameters
    ----------
    liquidated : (T, N) table, Series or array
        Notional liquidated in each bar, quote currency: ``long``, ``short`` or ``total`` of `liquidations`. Of a
        sampled feed it is a lower bound, and so is the answer.
    against : like ``liquidated``
        Value of open interest at the end of each bar, or traded value of each bar; same currency.
    window : int, default 1
        Bars that are summed.
    scale : {"open_interest", "volume"}, default "open_interest"
        Sum over the open interest before the window began, which may exceed one when positions are opened meanwhile;
        or sum over the sum of volume.

    Returns
    -------
    Same kind and shape as ``liquidated``
        Fraction; observed, so without an error. Missing where a bar of the window is, or where there is nothing to be
        liquidated.

    Raises
    ------
    DataError
        Negative or infinite numbers, tables that do not match, fewer rows than the window.

    Examples
    --------
    >>> import drainstats as ds
    >>> ds.measures.liquidation_intensity([0.0, 30.0, 10.0], [200.0, 160.0, 150.0])
    array([   nan, 0.15  , 0.0625])
    """
    check_option("scale", scale, ["open_interest", "volume"])
    wide, other = not_negative(liquidated=liquidated, against=against)
    window = check_window(window, len(wide.values), 1)
    base = np.full_like(other.values, np.nan)
    if scale == "open_interest":
        base[window:] = other.values[:-window]
    else:
        base = window_total(other.values, window)
    forced = window_total(wide.values, window)
    return wide.like(np.divide(forced, base, out=np.full_like(forced, np.nan), where=base > 0))
