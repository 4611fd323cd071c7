"""From batches of trades to bars: the states, what they give, and what is computed from it once all days are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_number, check_option, check_whole
from drainstats.sources.ticks.files import Batch
from drainstats.sources.ticks.order import refuse_backwards
from drainstats.typing import FloatArray, IntArray

By = Literal["time", "tick", "volume", "dollar", "imbalance"]
BYS = ("time", "tick", "volume", "dollar", "imbalance")
_ROOM = 2**14


@dataclass(frozen=True, slots=True)
class BarRule:
    """When a bar ends.

    size : nanoseconds, trades, base units or quote currency; bucket, window : of VPIN, a volume for all or by asset,
    and how many.
    """

    by: By
    size: float
    bucket: float | Mapping[str, float] | None = None
    window: int = 50

    @classmethod
    def of(cls, size: Any, by: str, bucket: Any, window: int) -> BarRule:
        """Checked: what the caller wrote as a rule."""
        check_option("by", by, BYS)
        sizes = bucket.values() if isinstance(bucket, Mapping) else [] if bucket is None else [bucket]
        for value in sizes:
            check_number("vpin_bucket", value, 0.0)
        check_whole("vpin_window", window, 1)
        return cls(by, _duration(size) if by == "time" else _threshold(size, by), bucket, int(window))  # type: ignore[arg-type]

    def bucket_of(self, name: str) -> float:
        """The bucket of an asset, 0 when it has none."""
        found = self.bucket.get(name) if isinstance(self.bucket, Mapping) else self.bucket
        return float(found or 0.0)


def _duration(size: Any) -> float:
    try:
        span = pd.Timedelta(size).as_unit("ns").value
    except (ValueError, TypeError) as error:
        raise OptionError(f"size={size!r} is no length of time such as '1min' or '30s'.") from error
    if not 0 < span <= 86_400_000_000_000:
        raise OptionError(f"size={size!r} must be above zero and at most one day: bars restart at midnight UTC.")
    return float(span)


def _threshold(size: Any, by: str) -> float:
    if by == "tick":
        check_whole("size", size, 1)
    else:
        check_number("size", size, 0.0)
    return float(size)


@dataclass(frozen=True, slots=True)
class Harvest:
    """Bars as arrays.

    names : of the symbols; bars (R, columns); places (R, NOI), values (B,) and runs (B, NK) as the kernel writes them;
    rules : what was assumed of the stamps.
    """

    names: tuple[str, ...]
    bars: FloatArray
    places: IntArray
    values: FloatArray
    runs: IntArray
    rules: tuple[str, ...] = ()

    def days(self) -> set[tuple[str, int]]:
        """Every symbol and day that has a bar."""
        from drainstats.kernels.ticks import DAY, O_START, O_SYMBOL

        # Days since 1970 fit into 32 bits.
        pairs = np.unique((self.places[:, O_SYMBOL] << 32) + self.places[:, O_START] // DAY + 2**31)
        return {(self.names[pair >> 32], int(pair & (2**32 - 1)) - 2**31) for pair in pairs}


@dataclass(slots=True)
class BarBuilder:
    """The states of all symbols met so far; takes events in the order of each symbol's stamps."""

    rule: BarRule
    names: dict[str, int] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)
    _bucket: FloatArray = field(default_factory=lambda: np.empty(0))
    _states: Any = None
    _room: Any = None
    _done: list[Any] = field(default_factory=list)

    def feed(self, batch: Batch, side: np.ndarray, quote: Any = None, extra: Any = None) -> None:
        """Trades, or with ``quote`` and ``extra`` (see the kernel) trades and quotes."""
        self.rules |= dict.fromkeys(batch.rules)
        quote = np.empty(0, dtype=np.int8) if quote is None else quote
        extra = np.empty((0, 4)) if extra is None else extra
        stopped = self._push((self._codes(batch), batch.time, batch.price, batch.amount, side, quote, extra), False)
        if stopped is not None:
            _refuse(batch, *stopped)

    def finish(self) -> Harvest:
        """Close what is open and hand everything over."""
        if self._states is not None:
            none = np.empty(0)
            symbol, time, side = (np.empty(0, dtype=kind) for kind in (np.int32, np.int64, np.int8))
            self._push((symbol, time, none, none, side, side, np.empty((0, 4))), True)
        self._states = None
        return join([Harvest(tuple(self.names), *parts) for parts in self._done], tuple(self.rules))

    def _push(self, events: tuple[np.ndarray, ...], last: bool) -> tuple[int, int] | None:
        """Feed events; where and why the kernel refused one."""
        from drainstats.kernels import ticks as kernels

        # Arrow's arrays cannot be written to; the kernel is compiled for such arrays only.
        still = tuple(_still(array) for array in events)
        at = 0
        while True:
            at, bars, runs, why = kernels.advance(
                at, *still, last, BYS.index(self.rule.by), self.rule.size, self._bucket, self.rule.window,
                *self._states, *self._room,
            )  # fmt: skip
            self._take(bars, runs)
            if why != kernels.FULL:
                return None if why == kernels.FINE else (at, why)

    def _take(self, bars: int, runs: int) -> None:
        if bars or runs:
            from drainstats.kernels.tickcolumns import columns

            out, places, values, run = self._room
            found = columns(out[:bars], places[:bars])
            self._done.append((found, places[:bars].copy(), values[:runs].copy(), run[:runs].copy()))

    def _codes(self, batch: Batch) -> np.ndarray:
        from drainstats.kernels import ticks as kernels

        new = [name for name in batch.names if name not in self.names]
        if self._states is None:
            self._states = kernels.fresh(0)
            self._room = (
                np.empty((_ROOM, kernels.NO)), np.empty((_ROOM, kernels.NOI), dtype=np.int64),
                np.empty(_ROOM), np.empty((_ROOM, kernels.NK), dtype=np.int64),
            )  # fmt: skip
        if new:
            for name in new:
                self.names[name] = len(self.names)
            more = kernels.fresh(len(new))
            self._states = tuple(np.concatenate(pair) for pair in zip(self._states, more, strict=True))
            self._bucket = np.array([self.rule.bucket_of(name) for name in self.names])
        table = np.array([self.names[name] for name in batch.names], dtype=np.int32)
        if np.array_equal(table, np.arange(len(table))):
            return batch.symbol
        return table[batch.symbol]


def _still(array: np.ndarray) -> np.ndarray:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _refuse(batch: Batch, at: int, why: int) -> None:
    from drainstats.kernels import ticks as kernels

    if why == kernels.BACKWARDS:
        refuse_backwards(batch, at)
    name = "price" if why == kernels.NO_PRICE else "amount"
    value = float(getattr(batch, name)[at])
    negative = name == "amount" and value < 0 and np.isfinite(value)
    raise DataError(
        f"{value!r} is {'a negative amount' if negative else 'no finite number'}.",
        file=batch.file, row=batch.row(at), column=batch.column(name),
    )  # fmt: skip


def join(parts: Iterable[Harvest], rules: tuple[str, ...]) -> Harvest:
    """Several harvests as one, in their order."""
    from drainstats.kernels import ticks as kernels
    from drainstats.kernels.tickcolumns import COLUMNS

    parts = list(parts)
    if len(parts) == 1:
        return replace(parts[0], rules=rules)
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    code = {name: k for k, name in enumerate(names)}
    bars: list[Any] = [np.empty((0, len(COLUMNS)))]
    places: list[Any] = [np.empty((0, kernels.NOI), dtype=np.int64)]
    values: list[Any] = [np.empty(0)]
    runs: list[Any] = [np.empty((0, kernels.NK), dtype=np.int64)]
    for part in parts:
        table = np.array([code[name] for name in part.names], dtype=np.int64)
        bars.append(part.bars)
        values.append(part.values)
        for rows, column, into in ((part.places, kernels.O_SYMBOL, places), (part.runs, kernels.K_SYMBOL, runs)):
            coded = rows.copy()
            coded[:, column] = table[rows[:, column]]
            into.append(coded)
    return Harvest(
        names, np.concatenate(bars), np.concatenate(places), np.concatenate(values), np.concatenate(runs), rules
    )
