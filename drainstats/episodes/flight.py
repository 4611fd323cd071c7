"""Where the money went: stable coins around an episode, against placebo windows of their own history.

Per coin, with supply Q in coins (free of prices) and deviation d from the peg on the main venue, over the window from
the onset to the trough:

    flow    = Q at its end over Q before it, less one,
    premium = mean of d,

each studentised by the rows before the window (mean per row less their median, over their standard deviation) and
ranked among the same statistic of every earlier window of that length. Signs tell flight from doubt (Lyons and
Viswanath-Natraj, 2023): a haven gains coins and does not fall below its peg; a discount is doubt about the haven.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from drainstats.episodes.detection.stress import duration
from drainstats.episodes.serial import frame, number, plain
from drainstats.errors import DataError, check_number
from drainstats.frames import in_utc
from drainstats.typing import FloatArray

if TYPE_CHECKING:
    from drainstats.episodes.episode import Episode

PATTERNS = ("flight", "run on the haven", "none", "not measured")
COLUMNS = ("flow", "inflow_p_value", "premium", "discount_p_value", "placebos")
BEFORE = 60
LEAST_BEFORE = 20
MOST_PLACEBOS = 1000
LEVEL = 0.05
TOLERANCE = 0.001


def _no_coins() -> pd.DataFrame:
    return frame({c: [] for c in COLUMNS})


@dataclass(frozen=True, eq=False)
class Flight:
    """Flight into stable coins, or out of them.

    Parameters
    ----------
    pattern : {"flight", "run on the haven", "none", "not measured"}
        A rare inflow without a discount; a rare discount of ten basis points or more; neither; no data. With several
        coins p-values are multiplied by their number, and where one gains and another is run on, the sign of the net
        flow decides.
    coins : DataFrame
        Coin × (``flow``, change of supply from before the onset to the trough, fraction; ``inflow_p_value``, rank among
        placebo windows, small when much came in; ``premium``, mean deviation from the peg, fraction;
        ``discount_p_value``, small when the discount is rare; ``placebos``, their number).
    pegs : Series
        "coin, venue" → deviation from the peg at the trough, fraction; the main venue is called "main".
    net_flow : float
        Change of the supply of all coins together, fraction.
    """

    pattern: str = "not measured"
    coins: pd.DataFrame = field(default_factory=_no_coins)
    pegs: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    net_flow: float = float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "pattern": self.pattern,
            "coins": plain(self.coins),
            "pegs": plain(self.pegs),
            "net_flow": plain(self.net_flow),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Flight:
        """The record that `to_dict` wrote."""
        pegs = {k: number(v) for k, v in values["pegs"].items()}
        return cls(values["pattern"], frame(values["coins"]), pd.Series(pegs, dtype=float), number(values["net_flow"]))

    def describe(self) -> str:
        """One line."""
        if self.pattern == "not measured" and not len(self.coins):
            return "not measured (needs stable coins)"
        premium = self.coins["premium"]
        worst = premium.loc[premium.abs().idxmax()] if premium.notna().any() else float("nan")
        gap = self.pegs.max() - self.pegs.min() if len(self.pegs) > 1 else float("nan")
        parts = [f"supply {self.net_flow:+.2%}" if self.net_flow == self.net_flow else ""]
        parts += [f"peg {1e4 * worst:+.0f} bp" if worst == worst else ""]
        parts += [f"venues {1e4 * gap:.0f} bp apart at the trough" if gap == gap else ""]
        return f"{self.pattern}: {', '.join(p for p in parts if p)}"


class _Coin(NamedTuple):
    """Over the rows known in time: labels, supply, deviation from the peg, deviations by venue (rows, venues)."""

    index: pd.DatetimeIndex
    supply: FloatArray
    deviation: FloatArray
    venues: pd.DataFrame


def episode_flight(
    episode: Episode, stablecoin: Any, *, baseline: str | pd.Timedelta = "365D", tolerance: float = TOLERANCE
) -> Flight:
    """Flows and pegs of stable coins from the onset of an episode to its trough.

    Parameters
    ----------
    episode : Episode
        With a trough; your own or a documented one without it is looked at to its end, or in the onset's bar only.
    stablecoin : DataFrame, mapping coin → DataFrame
        Time × (``supply`` in coins, ``price`` on the main venue, ``price_<venue>`` on others, all at least zero; and
        optionally ``available_at``, when the row was known: by default when the next one starts). Rows that were not
        known when the record was final do not enter.
    baseline : Timedelta, default 365 days
        How far back placebo windows go, at most 1000 of them.
    tolerance : float, default 0.001
        Smallest discount that is called one, fraction of the peg.

    Returns
    -------
    Flight

    Raises
    ------
    DataError
        A table without ``supply``, rows that are no times, negative or infinite numbers, no episode.
    OptionError
        A baseline that is no length of time, a tolerance below zero.

    References
    ----------
    Lyons and Viswanath-Natraj (2023), Journal of International Money and Finance 131, 102777.

    Examples
    --------
    >>> import numpy as np, pandas as pd, drainstats as ds
    >>> rng, days = np.random.default_rng(0), pd.date_range("2020-01-01", periods=200, tz="UTC")
    >>> flow, price = rng.normal(0, 1e-3, 200), 1 + rng.normal(0, 2e-4, 200)
    >>> flow[150:153], price[150:153] = 0.02, 1.004
    >>> coin = pd.DataFrame({"supply": 1e9 * np.exp(np.cumsum(flow)), "price": price}, days)
    >>> ds.episode_flight(ds.Episode.from_dates(days[150], days[152]), coin).pattern
    'flight'
    """
    if not hasattr(episode, "trough"):
        raise DataError(f"An episode is needed, a {type(episode).__name__} came; make one with Episode.from_dates.")
    last = episode.trough if not pd.isna(episode.trough) else episode.onset if episode.is_open else episode.end
    return measure_flight(stablecoin, episode.onset, last, episode.known_at, duration("baseline", baseline), tolerance)


def measure_flight(
    stablecoin: Any, onset: Any, last: Any, known_by: Any, baseline: pd.Timedelta, tolerance: float = TOLERANCE
) -> Flight:
    """`episode_flight` between two labels, from rows known by ``known_by`` (all when it is NaT)."""
    if stablecoin is None:
        return Flight()
    if tolerance != 0 or isinstance(tolerance, bool):
        check_number("tolerance", tolerance, 0.0)
    given = {str(k): v for k, v in stablecoin.items()} if isinstance(stablecoin, dict) else {"stablecoin": stablecoin}
    coins = {name: _read(name, table, known_by) for name, table in given.items()}
    rows = {name: _row(coin, onset, last, baseline) for name, coin in coins.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS), dtype=float)
    pegs = {f"{name}, {venue}": d for name, coin in coins.items() for venue, d in _at(coin, last).items()}
    moved = [s for s in (_supply(c, onset, last) for c in coins.values()) if s is not None]
    before = sum(b for b, _ in moved)
    net = (sum(a for _, a in moved) - before) / before if before > 0 else float("nan")
    return Flight(_pattern(table, net, tolerance), table, pd.Series(pegs, dtype=float), net)


def _read(name: str, table: Any, known_by: Any) -> _Coin:
    if not isinstance(table, pd.DataFrame) or not isinstance(table.index, pd.DatetimeIndex):
        raise DataError(f"{name}: a table with a DatetimeIndex and the column supply was expected.")
    if "supply" not in table:
        raise DataError(f"{name}: no column supply; the columns are {', '.join(map(str, table.columns))}.")
    table = table.set_axis(in_utc(table.index)).sort_index()
    prices = [c for c in table if str(c) == "price" or str(c).startswith("price_")]
    values = table[["supply", *prices]].astype(float)
    if np.isinf(values.to_numpy()).any() or (values.to_numpy() < 0).any():
        raise DataError(f"{name}: supply and prices are finite numbers of zero or more; set what is wrong to missing.")
    if not pd.isna(known_by):
        values = values[_known(table) <= known_by]
    venues = values[prices].rename(columns=lambda c: "main" if c == "price" else str(c).removeprefix("price_")) - 1.0
    main = venues["main"] if "main" in venues else pd.Series(np.nan, values.index)
    return _Coin(values.index, values["supply"].to_numpy(), main.to_numpy(), venues)


def _known(table: pd.DataFrame) -> pd.DatetimeIndex:
    if "available_at" in table:
        return pd.DatetimeIndex(in_utc(pd.DatetimeIndex(table["available_at"])))
    return table.index + _step(table.index)


def _step(index: pd.DatetimeIndex) -> pd.Timedelta:
    """The length of a row, from the first ones, so that later rows do not move it."""
    steps = np.diff(index[:10])
    return pd.Timedelta(np.median(steps)) if len(steps) else pd.Timedelta(0)


def _window(coin: _Coin, onset: Any, last: Any) -> tuple[int, int]:
    """First and last row whose time overlaps the window; the coin's rows may be longer than the panel's bars."""
    first = int(coin.index.searchsorted(onset - _step(coin.index), side="right"))
    return first, int(coin.index.searchsorted(last, side="right")) - 1


def _supply(coin: _Coin, onset: Any, last: Any) -> tuple[float, float] | None:
    """Supply before the window and at its end, when both are there."""
    first, end = _window(coin, onset, last)
    if first < 1 or end < first or np.isnan(coin.supply[[first - 1, end]]).any():
        return None
    return float(coin.supply[first - 1]), float(coin.supply[end])


def _at(coin: _Coin, last: Any) -> dict[str, float]:
    first, row = _window(coin, last, last)
    return {} if row < first else {str(v): float(d) for v, d in coin.venues.iloc[row].items()}


def _row(coin: _Coin, onset: Any, last: Any, baseline: pd.Timedelta) -> tuple[float, ...]:
    first, end = _window(coin, onset, last)
    moved = _supply(coin, onset, last)
    flow = moved[1] / moved[0] - 1.0 if moved is not None and moved[0] > 0 else float("nan")
    start = int(coin.index.searchsorted(onset - baseline, side="left"))
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.r_[np.nan, np.diff(coin.supply) / coin.supply[:-1]]
    inflow = _placebo(steps, start, first, end)
    discount = _placebo(-coin.deviation, start, first, end)
    seen = coin.deviation[first : end + 1]
    premium = float(np.nanmean(seen)) if np.isfinite(seen).any() else float("nan")
    return flow, inflow[0], premium, discount[0], float(min(inflow[1], discount[1]))


def _placebo(x: FloatArray, start: int, first: int, end: int) -> tuple[float, int]:
    """Rank of the window's studentised mean among earlier windows of its length, and their number."""
    length = end - first + 1
    start = max(start, first - length + 1 - MOST_PLACEBOS - BEFORE, 0)
    if length < 1 or first - start < BEFORE + length:
        return float("nan"), 0
    # The last window is the one looked at; those that overlap it are no placebos.
    statistics = _studentised(x[start : end + 1], length)
    placebos = statistics[: len(statistics) - length]
    placebos = placebos[np.isfinite(placebos)]
    if not np.isfinite(statistics[-1]) or len(placebos) < 1 / LEVEL - 1:
        return float("nan"), len(placebos)
    return float((1 + np.count_nonzero(placebos >= statistics[-1])) / (1 + len(placebos))), len(placebos)


def _studentised(x: FloatArray, length: int) -> FloatArray:
    """For every window that has `BEFORE` rows before it: its mean, less their median, over their standard deviation."""
    before = np.lib.stride_tricks.sliding_window_view(x[: len(x) - length], BEFORE)
    inside = np.lib.stride_tricks.sliding_window_view(x[BEFORE:], length)
    out = np.full(len(inside), np.nan)
    use = (np.isfinite(before).sum(axis=1) >= LEAST_BEFORE) & np.isfinite(inside).any(axis=1)
    if not use.any():
        return out
    middle, spread = np.nanmedian(before[use], axis=1), np.nanstd(before[use], axis=1)
    moves = spread > 1e-12 * np.maximum(np.abs(middle), 1e-300)
    out[use] = np.divide(
        np.nanmean(inside[use], axis=1) - middle, spread, out=np.full(len(middle), np.nan), where=moves
    )
    return out


def _pattern(coins: pd.DataFrame, net: float, tolerance: float) -> str:
    measured = coins[["inflow_p_value", "discount_p_value"]].notna().all(axis=1)
    if not measured.any():
        return "not measured"
    level = LEVEL / len(coins)
    run = (coins["discount_p_value"] <= level) & (coins["premium"] <= -tolerance)
    fled = measured & (coins["inflow_p_value"] <= level) & ~run
    if run.any() and fled.any():
        return "flight" if net > 0 else "run on the haven"
    return "run on the haven" if run.any() else "flight" if fled.any() else "none"
