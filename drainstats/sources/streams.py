"""Order books and trades as lines of JSON: recorded Binance streams and Bybit's archive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError
from drainstats.sources.layout import Format, Source
from drainstats.sources.stamps import StampColumn

_FAULTS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
# What a table of a stream holds besides its stamps, in the order in which a message gives it.
_TRADE = ("price", "amount", "side")
_QUOTE = ("bid", "bid_size", "ask", "ask_size")
_LEVEL = ("side", "price", "amount", "snapshot")
_Row = tuple[Any, ...]


class _Chain:
    """Whether each update follows the one before, by asset."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self.broken = False

    def add(self, asset: str, before: int | None, first: int, last: int) -> None:
        """``before``: the number of the update that this one says it follows, where the exchange gives it."""
        known = self.last.get(asset)
        if known is not None:
            self.broken |= first > known + 1 if before is None else before != known
        self.last[asset] = last


def _is_binance(source: Source) -> bool:
    if not source.lines:
        return False
    stamp, _, text = source.lines[0].partition(" ")
    return stamp.isdigit() and len(stamp) == 19 and text.startswith("{")


def _binance(kind: str, take: Callable[[dict[str, Any], _Chain], Iterator[_Row]], names: tuple[str, ...]) -> Any:
    """A reader of the messages of one kind. ``take`` gives, a row each, stamp (None: none), asset, and the values."""

    def read(source: Source) -> pd.DataFrame:
        table = _Table(source, names)
        chain = _Chain()
        for number, line in enumerate(source.text.splitlines(), 1):
            stamp, _, text = line.partition(b" ")
            try:
                message = json.loads(text)
                message = message.get("data", message)
                if kind in (message.get("e"), _unnamed(message)):
                    received = int(stamp)
                    for row in take(message, chain):
                        table.add(number, row, received)
            except _FAULTS as error:
                raise _no_message(source, number, "a stamp followed by a message of Binance", error) from error
        return table.done(["book-gap"] if chain.broken else [])

    return read


def _unnamed(message: dict[str, Any]) -> str | None:
    """What a message is that does not say: spot quotes and full books carry no "e"."""
    if "e" in message:
        return None
    return "depthUpdate" if "lastUpdateId" in message else "bookTicker" if "a" in message and "b" in message else None


def _trade(message: dict[str, Any], _: _Chain) -> Iterator[_Row]:
    # m: the buyer is the maker, so the seller took.
    side = -1 if _flag(message["m"]) else 1
    yield int(message["T"]), str(message["s"]), float(message["p"]), float(message["q"]), side


def _quote(message: dict[str, Any], _: _Chain) -> Iterator[_Row]:
    stamp = int(message["T"]) if "T" in message else None
    yield stamp, str(message["s"]), *(float(message[name]) for name in "bBaA")


def _depth(message: dict[str, Any], chain: _Chain) -> Iterator[_Row]:
    full = "lastUpdateId" in message
    asset = "" if full else str(message["s"])
    stamp = int(message["E"]) if "E" in message else None
    if not full:
        chain.add(asset, int(message["pu"]) if "pu" in message else None, int(message["U"]), int(message["u"]))
    for side, name in ((1, "bids" if full else "b"), (-1, "asks" if full else "a")):
        for price, amount in message[name]:
            yield stamp, asset, side, float(price), float(amount), full


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


class _Table:
    """Rows of a recording as they come."""

    def __init__(self, source: Source, names: tuple[str, ...]) -> None:
        self.source, self.names = source, names
        self.rows: list[_Row] = []
        self.lines: list[int] = []
        self.stamps: list[int] = []
        self.received: list[int] = []
        self.assets: list[str] = []
        self.unstamped = False

    def add(self, line: int, row: _Row, received: int | None = None) -> None:
        """A row of a message: its stamp, its asset, then values in the order of the columns."""
        stamp, asset, *values = row
        if stamp is None:
            # The spot stream gives no time of its own: that of receipt stands in.
            stamp, self.unstamped = received, True
        self.stamps.append(stamp)
        self.assets.append(asset)
        self.rows.append(tuple(values))
        self.lines.append(line)
        if received is not None:
            self.received.append(received)

    def done(self, rules: list[str]) -> pd.DataFrame:
        """The table of all rows; ``rules`` are those that reading has followed so far."""
        if not self.rows:
            raise DataError("The recording holds no message of this kind.", file=self.source.path)
        place = (self.source.path, self.lines.__getitem__)
        read: list[str] = []
        index = StampColumn(_whole(self.stamps), "time", *place).to_utc(read, mixed=True)
        values = np.array(self.rows, dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise DataError("A price or amount is no finite number.", file=self.source.path, row=self.lines[bad[0]])
        table = pd.DataFrame(dict(zip(self.names, values.T, strict=True)), index=index.rename("time"))
        if "side" in table:
            table["side"] = table["side"].astype(np.int8)
        if "snapshot" in table:
            table["snapshot"] = table["snapshot"] == 1
        if self.received:
            table["received"] = StampColumn(_whole(self.received), "received", *place).to_utc([])
        table.attrs = {"rules": read + ["received-as-time"] * self.unstamped + rules, "ignored": []}
        return self._named(table)

    def _named(self, table: pd.DataFrame) -> pd.DataFrame:
        present = dict.fromkeys(self.assets)
        known = [asset for asset in present if asset]
        if len(known) > 1 and "" in present:
            line = self.lines[self.assets.index("")]
            raise DataError(
                f"A full book names no asset, and the recording has {', '.join(known[:5])}: keep one a file.",
                file=self.source.path,
                row=line,
            )
        if len(known) > 1:
            table.insert(0, "asset", self.assets)
        elif known:
            table.attrs["symbol"] = known[0]
        return table


def _whole(stamps: list[int]) -> np.ndarray:
    """Whole numbers as 64 bits; larger ones, which are no times, as the largest."""
    top = np.iinfo(np.int64).max
    return np.array([min(max(stamp, -top), top) for stamp in stamps], dtype=np.int64)


def _no_message(source: Source, line: int, expected: str, error: Exception) -> DataError:
    why = f"{type(error).__name__}: {error}"[:200]
    return DataError(f"The line is not {expected} ({why}).", file=source.path, row=line)


def _is_bybit(source: Source) -> bool:
    return bool(source.lines) and source.lines[0].startswith('{"topic":"orderbook.')


def _bybit(source: Source) -> pd.DataFrame:
    table, chain = _Table(source, _LEVEL), _Chain()
    for number, line in enumerate(source.text.splitlines(), 1):
        try:
            message = json.loads(line)
            data, full = message["data"], message["type"] == "snapshot"
            asset, stamp = str(data["s"]), int(message["ts"])
            chain.add(asset, None if not full else chain.last.get(asset), int(data["u"]), int(data["u"]))
            for side, levels in ((1, data["b"]), (-1, data["a"])):
                for price, amount in levels:
                    table.add(number, (stamp, asset, side, float(price), float(amount), full))
        except _FAULTS as error:
            raise _no_message(source, number, "an order book message of Bybit", error) from error
    return table.done(["book-gap"] if chain.broken else [])


_TRAPS = "a line is the nanosecond of receipt and a message; the exchange's clock may run ahead of the recorder's"
FORMATS = (
    Format(
        "binance-stream", "book", "recorded Binance streams: order book", _is_binance,
        _binance("depthUpdate", _depth, _LEVEL), f"{_TRAPS}; gaps in the chain of updates are recorded: book-gap",
    ),
    Format(
        "binance-stream", "trades", "recorded Binance streams: trades", _is_binance,
        _binance("trade", _trade, _TRADE), _TRAPS,
    ),
    Format(
        "binance-stream", "quotes", "recorded Binance streams: best quotes", _is_binance,
        _binance("bookTicker", _quote, _QUOTE), f"{_TRAPS}; spot messages carry no time of their own",
    ),
    Format(
        "bybit-ob", "book", "Bybit ob500 (JSON lines in a zip)", _is_bybit, _bybit,
        "a full book first, then changes; gaps in the chain of updates are recorded: book-gap",
    ),
)  # fmt: skip
