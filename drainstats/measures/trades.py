"""What trades cost beside quotes: spreads, price impact and depth, a row a trade, and their averages.

Definitions and the choice of quotes are those of `drainstats.tick_bars`, whose bars are averages of these rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, check_option, check_whole
from drainstats.frames import Wide
from drainstats.measures.estimates import Estimate, estimated
from drainstats.measures.inference import default_lags
from drainstats.measures.tidy import Events, events, interval_of, span, stamps, still, stretches
from drainstats.typing import FloatArray, IntArray

Sign = Literal["known", "given", "tick", "lee_ready", "emo", "clnv"]
SIGNS = ("known", "given", "tick", "lee_ready", "emo", "clnv")
QUOTED = ("bid", "ask")
SIZES = ("bid_size", "ask_size")
COSTS = ("quoted_spread", "effective_spread", "realised_spread", "price_impact")
_AFTER_HORIZON = ("later_mid", "realised_spread", "price_impact")
_NAMES = (
    "mid", "later_mid", "quoted_spread", "effective_spread", "realised_spread", "price_impact", "value", "signed_value",
    "depth_imbalance", "depth_ratio", "log_quoted_size", "quoted_slope", "trade_return", "mid_return",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rule:
    """How trades meet quotes: lengths in nanoseconds, ``horizon`` in rows when ``rows``."""

    horizon: int
    rows: bool
    lag: int
    at_stamp: bool
    sign: str
    by_day: bool


def trade_measures(
    trades: Any,
    quotes: Any,
    horizon: Any = "5min",
    *,
    horizon_unit: Literal["time", "rows"] = "time",
    quote_lag: Any = "0s",
    match: Literal["before", "at"] = "before",
    sign: Sign = "known",
    by_day: bool = True,
) -> pd.DataFrame:
    """What each trade cost against the quote before it, and how much of that the price took back later.

    With p the price, d its direction, m the mid before it and m' the mid after the horizon, the effective spread
    2 d (p − m) / m is the realised spread 2 d (p − m') / m plus the price impact 2 d (m' − m) / m.

    Parameters
    ----------
    trades : table of n trades
        As `drainstats.read_trades` returns it: index of stamps, in time order for each asset (several trades may share
        a stamp), ``price``, ``amount``, and ``side`` and ``asset`` where known.
    quotes : table
        As `drainstats.read_quotes` returns it: ``bid`` and ``ask``, ``bid_size`` and ``ask_size`` where known, and
        ``asset`` when the trades have it.
    horizon : length of time or int, default "5min"
        After how long a spread counts as realised; with ``horizon_unit="rows"`` a number of trades.
    horizon_unit : {"time", "rows"}, default "time"
        "time": m' is the mid of the last quote stamped by t + horizon, and missing unless the quotes reach that far.
        "rows": the mid before the trade that comes ``horizon`` rows later, as in R highfrequency 1.0.1, whose 300 s are
        300 rows.
    quote_lag : length of time, default "0s"
        The quote of a trade at t is the last one before t − quote_lag.
    match : {"before", "at"}, default "before"
        Whether a quote stamped t − quote_lag itself counts. It may be the trade's consequence; R highfrequency
        takes it.
    sign : {"known", "given", "tick", "lee_ready", "emo", "clnv"}, default "known"
        Who took: the column ``side``, and Lee-Ready where it is 0 or not there ("known"); the column alone ("given");
        or one of the rules of `drainstats.sign_trades`.
    by_day : bool, default True
        At midnight UTC quotes, horizons, returns and the tick rule start afresh, as in `tick_bars`. False: the table is
        one stretch, for markets that do not close and for rows that count over the night.

    Returns
    -------
    DataFrame
        A row a trade, in the order given; NaN where there is no answer. Index ``time``. Columns:

        - ``asset`` where the trades have it, ``price``, ``amount``;
        - ``direction``: 1 the buyer took, -1 the seller, 0 unknown, which leaves all that needs it missing;
        - ``mid``, ``later_mid``: m and m', in quote currency. A crossed or one-sided quote has none;
        - ``quoted_spread``: (ask − bid) / m; ``effective_spread``, ``realised_spread``, ``price_impact``: as above.
          All are full spreads, fractions of the mid before the trade;
        - ``value`` and ``signed_value``: p × amount and d × p × amount, in quote currency;
        - ``depth_imbalance``: (bid size − ask size) / (bid size + ask size), -1 to 1; ``depth_ratio``: what stood where
          the trade took over what stood on the other side, (ask size / bid size)^d;
        - ``log_quoted_size``: log(bid size × ask size); ``quoted_slope``: log(ask / bid) over it, the log quote slope
          of Hasbrouck and Seppi (2001), missing unless the product of the sizes is above one;
        - ``trade_return``, ``mid_return``: log changes from the trade before;
        - ``known_at``: when ``later_mid`` and what is made from it are known (NaT where they never are); all else is
          known at the row's stamp.

        They are observed, not estimated, and have no standard error; `average_costs` gives averages with theirs.

    Raises
    ------
    DataError
        Stamps that are missing or run backwards, a missing column, a price or amount that is not finite, negative
        amounts, no ``side`` for "given", assets named in one table only.
    OptionError
        An unknown option, a negative horizon or lag.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41(3), 313-357. Lee and Ready (1991), Journal of Finance
    46(2), 733-746. Hasbrouck and Seppi (2001), Journal of Financial Economics 59(3), 383-411.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> clock = pd.date_range("2024-01-02 10:00", periods=3, freq="1min", tz="UTC")
    >>> quotes = pd.DataFrame({"bid": [99.0, 100.0, 101.0], "ask": [101.0, 102.0, 103.0]}, clock)
    >>> trades = pd.DataFrame({"price": [101.5], "amount": [2.0]}, clock[:1] + pd.Timedelta("30s"))
    >>> table = ds.measures.trade_measures(trades, quotes, horizon="1min")
    >>> table[["direction", "effective_spread", "realised_spread", "price_impact"]].round(6).to_numpy().tolist()
    [[1.0, 0.03, 0.01, 0.02]]
    """
    check_option("horizon_unit", horizon_unit, ["time", "rows"])
    check_option("match", match, ["before", "at"])
    check_option("sign", sign, SIGNS)
    rows = horizon_unit == "rows"
    if rows:
        check_whole("horizon", horizon, 0)
    rule = _Rule(
        int(horizon) if rows else span("horizon", horizon), rows, span("quote_lag", quote_lag), match == "at", sign,
        bool(by_day),
    )  # fmt: skip
    told, shown = _checked(trades), events(quotes, "quotes", QUOTED, SIZES)
    if (told.asset is None) != (shown.asset is None):
        raise DataError("One table names its assets, the other does not: give both a column 'asset', or neither.")
    if sign == "given" and told.side is None:
        raise DataError('The trades have no side: take sign="known" or one of "tick", "lee_ready", "emo", "clnv".')
    out = np.empty((len(_NAMES), len(told.time)))
    side = np.empty(len(told.time), dtype=np.int8)
    known = np.empty(len(told.time), dtype=np.int64)
    theirs = dict(shown.parts())
    for name, own in told.parts():
        _measure(told, own, shown, theirs.get(name, np.empty(0, dtype=np.int64)), rule, (out, side, known))
    return _dressed(told, side, out, known)


def _checked(trades: Any) -> Events:
    told = events(trades, "trades", ("price", "amount"))
    price, amount = told.numbers["price"], told.numbers["amount"]
    for name, value, bad in (
        ("price", price, ~np.isfinite(price)),
        ("amount", amount, ~(np.isfinite(amount) & (amount >= 0))),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            what = "is negative" if value[row] < 0 and np.isfinite(value[row]) else "is no finite number"
            raise DataError(f"{name}={float(value[row])!r} {what}.", row=told.index[row], column=name)
    return told


def _measure(told: Events, own: Any, shown: Events, theirs: Any, rule: _Rule, into: tuple[Any, Any, Any]) -> None:
    """One asset's trades beside its quotes."""
    from drainstats.kernels import trades as kernels

    out, side, known = into
    time, price, amount = (still(x[own]) for x in (told.time, told.numbers["price"], told.numbers["amount"]))
    clock, bid, bid_size, ask, ask_size = (
        still(x[theirs]) for x in (shown.time, *(shown.numbers[n] for n in ("bid", "bid_size", "ask", "ask_size")))
    )
    before, later, ready = (np.empty(len(time), dtype=np.int64) for _ in range(3))
    kernels.quote_before(time, clock, rule.lag, rule.at_stamp, rule.by_day, before)
    if rule.rows:
        kernels.rows_after(time, before, rule.horizon, rule.by_day, later, ready)
    else:
        kernels.quote_after(time, clock, rule.horizon, rule.by_day, later, ready)
    direction = _direction(None if told.side is None else told.side[own], time, price, bid, ask, before, rule)
    part = out if isinstance(own, slice) else np.empty((len(out), len(time)))
    kernels.costs(time, price, amount, still(direction), bid, bid_size, ask, ask_size, before, later, rule.by_day, part)
    if part is not out:
        out[:, own] = part
    side[own] = direction
    known[own] = ready


def _direction(
    given: Any, time: IntArray, price: FloatArray, bid: FloatArray, ask: FloatArray, before: IntArray, rule: _Rule
) -> Any:
    from drainstats.kernels import signing as kernels

    if rule.sign == "given" or (rule.sign == "known" and given is not None and given.all()):
        return given
    method = "lee_ready" if rule.sign == "known" else rule.sign
    there = before >= 0
    found = (np.where(there, q[before], np.nan) if len(q) else np.full(len(time), np.nan) for q in (bid, ask))
    out = np.empty(len(time), dtype=np.int8)
    # The rule starts afresh with each day of its clock; one that stands still has a single day.
    kernels.sign(
        SIGNS.index(method) - 2, np.zeros(len(time), dtype=np.int64),
        np.array(time) if rule.by_day else np.zeros_like(time), np.array(price), *found,
        np.array([np.nan]), np.zeros(1, dtype=np.int64), np.full(1, np.iinfo(np.int64).min), out,
    )  # fmt: skip
    return out if rule.sign != "known" or given is None else np.where(given != 0, given, out)


def _dressed(told: Events, side: Any, out: FloatArray, known: IntArray) -> pd.DataFrame:
    table = pd.DataFrame(out.T, index=told.index.rename("time"), columns=list(_NAMES), copy=False)
    table.insert(0, "price", told.numbers["price"])
    table.insert(1, "amount", told.numbers["amount"])
    table.insert(2, "direction", side)
    if told.asset is not None:
        table.insert(0, "asset", told.asset)
    table["known_at"] = stamps(known)
    return table


def average_costs(
    table: pd.DataFrame,
    every: Any = "1D",
    weight: Literal["value", "size", "equal"] = "value",
    measures: Sequence[str] = COSTS,
    with_se: bool = False,
    lags: int | None = None,
) -> pd.DataFrame | Estimate:
    """Averages of what trades cost over intervals [t, t + every), from midnight UTC on.

    Parameters
    ----------
    table : DataFrame
        As `trade_measures` returns it.
    every : length of time, default "1D"
        Up to a day.
    weight : {"value", "size", "equal"}, default "value"
        Of a trade: price × amount, amount, or one. With "value" the spreads are those of `drainstats.tick_bars`.
    measures : names of columns, default quoted, effective and realised spread and price impact
        Each is averaged over the trades that have it. Quoted spreads count once a trade, not by the time they stood.
    with_se : bool, default False
    lags : int, optional
        Trades over which dependence reaches, for all measures. By default the choice of Andrews (1991) for an
        autoregression of order one, made for each interval and measure; at least floor(4 (n / 100)^(2/9)) for n
        trades, and for what is known only after a horizon at least twice the mean number of trades in one, since such
        trades share their later mid.

    Returns
    -------
    DataFrame or Estimate
        A row an interval that holds a trade, indexed by its start, or by asset and start where the table has assets; a
        column a measure, in its unit. With ``with_se=True`` an `Estimate`, whose errors are those of a weighted mean
        with Bartlett weights. An interval is known at its end, what needs a horizon at its last ``known_at``.

    Raises
    ------
    DataError
        A column that is not there.
    OptionError

    References
    ----------
    Newey and West (1987), Econometrica 55(3), 703-708. Andrews (1991), Econometrica 59(3), 817-858.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> clock = pd.date_range("2024-01-02 10:00", periods=100, freq="30s", tz="UTC")
    >>> quotes = pd.DataFrame({"bid": 99.9, "ask": 100.1}, clock)
    >>> rng = np.random.default_rng(0)
    >>> side, price = rng.choice([-1, 1], 99), 100 + rng.normal(0, 0.01, 99)
    >>> trades = pd.DataFrame({"price": price + 0.1 * side, "amount": 1.0, "side": side}, clock[1:])
    >>> found = ds.measures.average_costs(ds.measures.trade_measures(trades, quotes), with_se=True)
    >>> ends = found.interval(0.95)
    >>> bool((ends.lower < 0.002).loc["2024-01-02", "effective_spread"])
    True
    """
    check_option("weight", weight, ["value", "size", "equal"])
    if lags is not None:
        check_whole("lags", lags, 0)
    names = list(measures)
    for name in (*names, "amount", "value", "known_at"):
        if name not in table:
            raise DataError(f"No column {name!r}; pass a table as trade_measures returns it.", column=name)
    found = events(table, "trades", ("amount", "value", *names))
    known = pd.DatetimeIndex(table["known_at"]).as_unit("ns").asi8
    start = interval_of(found.time, every)
    parts = [_averages(found, rows, start, known, names, weight, with_se, lags) for _, rows in found.parts()]
    times = [stamps(part[0]) for part in parts]
    index: pd.Index = times[0]
    if found.asset is not None:
        index = pd.MultiIndex.from_arrays(
            [np.repeat([name for name, _ in found.parts()], [len(t) for t in times]), times[0].append(times[1:])],
            names=["asset", "time"],
        )
    mean, error = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    wide = Wide(mean, index, pd.Index(names), "frame")
    return estimated(wide, mean, error, "weighted mean, Newey-West over trades") if with_se else wide.like(mean)


def _averages(
    found: Events, rows: Any, start: IntArray, known: IntArray, names: list[str], weight: str, with_se: bool,
    lags: int | None,
) -> tuple[IntArray, FloatArray, FloatArray]:  # fmt: skip
    """Starts (G,), means and errors (G, K) of one asset's intervals."""
    from drainstats.kernels import trades as kernels

    values = np.stack([found.numbers[name][rows] for name in names])
    time, known = found.time[rows], known[rows]
    first = stretches(start[rows])
    groups = len(first) - 1
    weights = (
        np.ones(len(time)) if weight == "equal" else found.numbers["amount" if weight == "size" else "value"][rows]
    )
    reach = np.full((groups, len(names)), -1, dtype=np.int64)
    if with_se:
        reach[:] = _lags(time, known, first, names) if lags is None else lags
    mean, error = np.empty((groups, len(names))), np.empty((groups, len(names)))
    kernels.interval_means(values, still(weights), first, reach, lags is None, mean, error)
    return start[rows][first[:-1]], mean, error


def _lags(time: IntArray, known: IntArray, first: IntArray, names: list[str]) -> IntArray:
    """(G, K) trades over which dependence reaches at least, in each interval."""
    count = np.diff(first)
    rule = np.array([default_lags(int(n)) for n in count])
    there = known > np.iinfo(np.int64).min
    shared = np.searchsorted(time, known, side="right") - np.arange(len(time)) - 1
    total = np.add.reduceat(np.where(there, shared, 0), first[:-1])
    horizon = 2 * np.ceil(total / np.maximum(np.add.reduceat(there.astype(np.int64), first[:-1]), 1)).astype(np.int64)
    after = np.array([name in _AFTER_HORIZON for name in names])
    return np.asarray(np.maximum(rule[:, None], np.where(after, horizon[:, None], 0)))
