"""Rows in the order of their stamps: what comes late by no more than a tolerance is put in place, all else refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError
from drainstats.sources.ticks.files import Batch
from drainstats.typing import IntArray


def nonnegative(name: str, span: Any) -> int:
    """A length of time in nanoseconds; `OptionError` unless it is one and at least zero."""
    try:
        value = pd.Timedelta(span).as_unit("ns").value
    except (ValueError, TypeError) as error:
        raise OptionError(f"{name}={span!r} is no length of time such as '5s'.") from error
    if pd.isna(pd.Timedelta(span)) or value < 0:
        raise OptionError(f"{name}={span!r} must be at least zero.")
    return int(value)


def concat(batches: Sequence[Batch]) -> Batch:
    """Several batches as one."""
    if len(batches) == 1:
        return batches[0]
    names = tuple(dict.fromkeys(name for b in batches for name in b.names))
    code = {name: k for k, name in enumerate(names)}
    ends = np.cumsum([len(b.time) for b in batches])

    def row(k: int) -> Any:
        part = int(np.searchsorted(ends, k, side="right"))
        return batches[part].row(k - int(ends[part - 1] if part else 0))

    symbols = [np.array([code[n] for n in b.names], dtype=np.int32)[b.symbol] for b in batches]
    sides = [b.side for b in batches]
    return replace(
        batches[-1],
        time=np.concatenate([b.time for b in batches]),
        symbol=np.concatenate(symbols),
        names=names,
        numbers={k: np.concatenate([b.numbers[k] for b in batches]) for k in batches[0].numbers},
        side=None if any(s is None for s in sides) else np.concatenate([s for s in sides if s is not None]),
        row=row,
        rules=tuple(dict.fromkeys(rule for b in batches for rule in b.rules)),
    )


def refuse_backwards(batch: Batch, at: int, advice: str = "") -> None:
    """The `DataError` of a stamp that lies before an earlier row's."""
    stamp = pd.Timestamp(int(batch.time[at]), tz="UTC")
    whose = f" of {batch.names[batch.symbol[at]]!r}" if batch.names[batch.symbol[at]] else ""
    raise DataError(
        f"The stamp {stamp} lies before that of an earlier row{whose}; "
        + (advice or "sort the rows, or allow for late ones with tolerance=."),
        file=batch.file, row=batch.row(at), column=batch.column("time"),
    )  # fmt: skip


def check_order(batch: Batch, by_symbol: bool = True) -> None:
    """Refuse a batch whose stamps run backwards, for a symbol or at all."""
    order = np.argsort(batch.symbol, kind="stable") if by_symbol else slice(None)
    time, symbol = batch.time[order], batch.symbol[order]
    back = np.diff(time) < 0
    if by_symbol:
        back &= np.diff(symbol) == 0
    if back.any():
        rows = np.arange(len(batch.time))[order][1:][back]
        refuse_backwards(batch, int(rows.min()))


def in_order(batches: Iterable[Batch], tolerance: int, by_symbol: bool) -> Iterator[Batch]:
    """Batches whose stamps do not run backwards, for each symbol or, without ``by_symbol``, over all of them.

    A row may come up to ``tolerance`` nanoseconds after a later one. It is sorted in, behind earlier rows of its stamp;
    the order that comes out does not depend on how the rows were cut into batches. With a tolerance of zero the batches
    pass as they are: whoever takes them checks.
    """
    if tolerance == 0:
        yield from batches
        return
    late = _Latest()
    kept: Batch | None = None
    for batch in batches:
        limit = late.check(batch, tolerance, by_symbol)
        joined = concat([kept, batch]) if kept is not None else batch
        joined = joined.take(np.argsort(joined.time, kind="stable"))
        table = np.array([limit[name if by_symbol else ""] for name in joined.names])
        ready = joined.time <= table[joined.symbol] - tolerance
        if ready.any():
            yield joined.take(ready)
        kept = joined.take(~ready)
    if kept is not None and len(kept.time):
        yield kept


class _Latest:
    """The latest stamp so far, of each symbol or of all."""

    def __init__(self) -> None:
        self.stamps: dict[str, int] = {}

    def check(self, batch: Batch, tolerance: int, by_symbol: bool) -> dict[str, int]:
        """Refuse a row that is too late; returns the latest stamps."""
        groups: list[tuple[str, IntArray]] = [("", np.arange(len(batch.time)))]
        if by_symbol:
            groups = [(name, np.flatnonzero(batch.symbol == k)) for k, name in enumerate(batch.names)]
        for name, rows in groups:
            if not len(rows):
                continue
            low = self.stamps.get(name, np.iinfo(np.int64).min + tolerance)
            latest = np.maximum(np.maximum.accumulate(batch.time[rows]), low)
            late = np.flatnonzero(batch.time[rows] < np.concatenate([[low], latest[:-1]]) - tolerance)
            if len(late):
                refuse_backwards(
                    batch, int(rows[late[0]]), f"it is late by more than the tolerance of {pd.Timedelta(tolerance)}."
                )
            self.stamps[name] = int(latest[-1])
        # Names that stand in a batch's table without a row have no latest stamp yet.
        return {**{name: np.iinfo(np.int64).max for name in ("", *batch.names)}, **self.stamps}
