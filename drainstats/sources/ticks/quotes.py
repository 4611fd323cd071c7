"""Trades beside quotes: the quote before each trade, the mid after a horizon, and both streams as one.

Quotes of another UTC day than the trade's are none. Memory holds a batch of each stream and what lies within the lag
and the horizon of the trades that wait; an asset whose quotes pause makes its trades wait until they go on or the day
ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from drainstats.sources.ticks.files import FIELDS, Batch
from drainstats.sources.ticks.order import concat, refuse_backwards
from drainstats.typing import BoolArray, FloatArray, IntArray

DAY = 86_400_000_000_000
# Before and after every stamp that is read (the years 1700 to 2200).
_NEVER, _EVER = -9 * 10**18, 9 * 10**18
BID, BID_SIZE, ASK, ASK_SIZE = range(4)
_ADVICE = (
    "with quotes, rows are in time order over all assets; pass {asset: files} for files that hold one asset after the "
    "other."
)


def before(time: IntArray, stamps: IntArray, quotes: FloatArray, lag: int) -> FloatArray:
    """(n, 4) the last quote stamped before each time less the lag, of the same day; NaN for none."""
    at = np.searchsorted(stamps, time - lag, side="left") - 1
    return _of_day(at, time, stamps, quotes)


def mid_after(time: IntArray, stamps: IntArray, quotes: FloatArray, horizon: int) -> FloatArray:
    """(n,) mid of the last quote stamped by each time plus the horizon; NaN unless the day's quotes reach it."""
    until = time + horizon
    at = np.searchsorted(stamps, until, side="right") - 1
    found = _of_day(at, time, stamps, quotes)
    reached = (at >= 0) & ((stamps[np.maximum(at, 0)] == until) if len(stamps) else False)
    following = np.minimum(at + 1, len(stamps) - 1)
    reached |= (at + 1 < len(stamps)) & (stamps[following] // DAY == time // DAY) if len(stamps) else False
    bid, ask = found[:, BID], found[:, ASK]
    return np.where(reached & (ask >= bid) & (bid > 0), 0.5 * (bid + ask), np.nan)


def _of_day(at: IntArray, time: IntArray, stamps: IntArray, quotes: FloatArray) -> FloatArray:
    found = np.full((len(time), 4), np.nan)
    there = at >= 0
    there[there] = stamps[at[there]] // DAY == time[there] // DAY
    found[there] = quotes[at[there]]
    return found


def stacked(batch: Batch) -> FloatArray:
    """(n, 4) bid, bid size, ask, ask size."""
    return np.column_stack([batch.numbers[name] for name in FIELDS["quotes"]])


def prevailing(trades: Batch, quotes: Batch, lag: int) -> FloatArray:
    """(n, 4) the quote before each trade, asset by asset; both are in order for each asset."""
    found = np.full((len(trades.time), 4), np.nan)
    table = stacked(quotes)
    for s, name in enumerate(trades.names):
        rows = np.flatnonzero(trades.symbol == s)
        if name in quotes.names and len(rows):
            own = quotes.symbol == quotes.names.index(name)
            found[rows] = before(trades.time[rows], quotes.time[own], table[own], lag)
    return found


@dataclass(slots=True)
class _Lane:
    """What waits of one asset: trades, and quotes of which the first ``sent`` were handed on."""

    trades: Batch | None = None
    stamps: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    quotes: FloatArray = field(default_factory=lambda: np.empty((0, 4)))
    sent: int = 0

    def ready(self, mark: int, horizon: int) -> int:
        """How many of the waiting trades have all that they need, when quotes were read up to ``mark``."""
        if self.trades is None:
            return 0
        time = self.trades.time
        until = time + horizon
        latest = self.stamps[-1] if len(self.stamps) else _NEVER
        earlier = np.searchsorted(self.stamps, until, side="right") - 1
        silent = earlier < 0
        silent[~silent] = self.stamps[earlier[~silent]] // DAY < time[~silent] // DAY
        midnight = time - time % DAY + DAY
        fine: BoolArray = (until < mark) & (silent | (latest >= until)) | (mark >= midnight)
        return len(time) if fine.all() else int(np.argmin(fine))


@dataclass(frozen=True, slots=True)
class Events:
    """Trades and quotes of an asset in order, trades before quotes of the same stamp.

    batch : price and amount NaN for quotes; quote : (n,) int8; found : (n, 4) of trades the quote before and of quotes
    the quote itself; later : (n,) mid after the horizon.
    """

    batch: Batch
    quote: np.ndarray
    found: FloatArray
    later: FloatArray


def paired(trades: Iterable[Batch], quotes: Iterable[Batch], lag: int, horizon: int) -> Iterator[Events]:
    """Both streams, each in time order over all assets, as events asset by asset."""
    lanes: dict[str, _Lane] = {}
    stream = _checked(quotes)
    mark = trades_mark = _NEVER
    more = True
    for batch in _checked(trades):
        for name, part in _parts(batch):
            lane = lanes.setdefault(name, _Lane())
            lane.trades = part if lane.trades is None else concat([lane.trades, part])
        trades_mark = int(batch.time[-1])
        while True:
            yield from _flush(lanes, mark if more else _EVER, trades_mark, lag, horizon)
            if not more or mark > trades_mark + horizon:
                break
            mark, more = _read(lanes, stream, mark)
    while more:
        mark, more = _read(lanes, stream, mark)
        yield from _flush(lanes, mark if more else _EVER, _EVER, lag, horizon)
    yield from _flush(lanes, _EVER, _EVER, lag, horizon)


def _read(lanes: dict[str, _Lane], stream: Iterator[Batch], mark: int) -> tuple[int, bool]:
    batch = next(stream, None)
    if batch is None:
        return mark, False
    for name, part in _parts(batch):
        lane = lanes.setdefault(name, _Lane())
        lane.stamps = np.concatenate([lane.stamps, part.time])
        lane.quotes = np.concatenate([lane.quotes, stacked(part)])
    return int(batch.time[-1]), True


def _checked(batches: Iterable[Batch]) -> Iterator[Batch]:
    latest = _NEVER
    for batch in batches:
        back = np.flatnonzero(batch.time < np.concatenate([[latest], batch.time[:-1]]))
        if len(back):
            refuse_backwards(batch, int(back[0]), _ADVICE)
        latest = int(batch.time[-1])
        yield batch


def _parts(batch: Batch) -> Iterator[tuple[str, Batch]]:
    if len(batch.names) == 1:
        yield batch.names[0], batch
        return
    for s, name in enumerate(batch.names):
        rows = np.flatnonzero(batch.symbol == s)
        if len(rows):
            part = batch.take(rows)
            yield name, replace(part, symbol=np.zeros(len(rows), dtype=np.int32), names=(name,))


def _flush(lanes: dict[str, _Lane], mark: int, trades_mark: int, lag: int, horizon: int) -> Iterator[Events]:
    for name, lane in lanes.items():
        count = lane.ready(mark, horizon)
        done = lane.trades.take(slice(0, count)) if lane.trades is not None and count else None
        if lane.trades is not None and count:
            lane.trades = lane.trades.take(slice(count, None)) if count < len(lane.trades.time) else None
        waiting = int(lane.trades.time[0]) if lane.trades is not None else trades_mark
        stop = int(np.searchsorted(lane.stamps, waiting, side="left"))
        if done is not None or stop > lane.sent:
            yield _events(name, lane, done, stop, lag, horizon)
        lane.sent = stop
        drop = min(stop, max(int(np.searchsorted(lane.stamps, waiting - lag, side="left")) - 1, 0))
        lane.stamps, lane.quotes, lane.sent = lane.stamps[drop:], lane.quotes[drop:], stop - drop


def _events(name: str, lane: _Lane, done: Batch | None, stop: int, lag: int, horizon: int) -> Events:
    stamps, quotes = lane.stamps[lane.sent : stop], lane.quotes[lane.sent : stop]
    nothing = np.full(len(stamps), np.nan)
    mine = Batch(
        stamps, np.zeros(len(stamps), dtype=np.int32), (name,), {"price": nothing, "amount": nothing},
        np.zeros(len(stamps), dtype=np.int8), None, str, {},
    )  # fmt: skip
    if done is None:
        return Events(mine, np.ones(len(stamps), dtype=np.int8), quotes, nothing)
    found = before(done.time, lane.stamps, lane.quotes, lag)
    later = mid_after(done.time, lane.stamps, lane.quotes, horizon)
    side = np.zeros(len(done.time), dtype=np.int8) if done.side is None else done.side
    both = concat([replace(done, side=side), mine])
    order = np.argsort(both.time, kind="stable")
    quote = np.repeat(np.array([0, 1], dtype=np.int8), [len(done.time), len(stamps)])
    batch = replace(both.take(order), file=done.file, columns=done.columns)
    return Events(batch, quote[order], np.concatenate([found, quotes])[order], np.concatenate([later, nothing])[order])
