"""`sign_trades` and `bulk_volume`: which side took, when the data do not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from drainstats.errors import DataError, OptionError, check_option
from drainstats.frames import to_pandas
from drainstats.sources.ticks.files import Batch, Reading
from drainstats.sources.ticks.order import check_order, concat, nonnegative
from drainstats.sources.ticks.quotes import ASK, BID, prevailing
from drainstats.typing import FloatArray

Method = Literal["given", "tick", "lee_ready", "emo", "clnv"]
METHODS = ("given", "tick", "lee_ready", "emo", "clnv")
QUOTE_METHODS = ("lee_ready", "emo", "clnv")


@dataclass(slots=True)
class Signer:
    """Signs batches of trades, whose symbols' days may go on from one to the next."""

    method: str
    names: dict[str, int] = field(default_factory=dict)
    _last: FloatArray = field(default_factory=lambda: np.empty(0))
    _direction: Any = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _midnight: Any = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def sign(self, batch: Batch, bid: Any = None, ask: Any = None) -> np.ndarray:
        """(n,) int8; ``bid`` and ``ask`` are the quotes before the trades, NaN for none."""
        if self.method == "bvc":
            # Whole bars are signed, once they are there.
            return np.zeros(len(batch.time), dtype=np.int8)
        if self.method == "given":
            if batch.side is None:
                raise DataError(
                    'The trades have no side: take sign="tick", or one of "lee_ready", "emo" and "clnv" with quotes.',
                    file=batch.file,
                )
            return batch.side
        from drainstats.kernels import signing as kernels

        for name in batch.names:
            self.names.setdefault(name, len(self.names))
        new = len(self.names) - len(self._last)
        self._last = np.concatenate([self._last, np.full(new, np.nan)])
        self._direction = np.concatenate([self._direction, np.zeros(new, dtype=np.int64)])
        self._midnight = np.concatenate([self._midnight, np.full(new, np.iinfo(np.int64).min)])
        symbol = np.array([self.names[name] for name in batch.names], dtype=np.int64)[batch.symbol]
        none = np.full(len(batch.time) if self.method != "tick" else 0, np.nan)
        out = np.empty(len(batch.time), dtype=np.int8)
        kernels.sign(
            METHODS.index(self.method) - 1, symbol, np.array(batch.time), np.array(batch.price),
            none if bid is None else bid, none if ask is None else ask,
            self._last, self._direction, self._midnight, out,
        )  # fmt: skip
        return out


def sign_trades(trades: Any, quotes: Any = None, method: Method = "lee_ready", lag: Any = "0s") -> pd.Series:
    """Which side took in each trade, from prices and quotes.

    The tick rule gives a trade the direction of the last change of price. Lee and Ready (1991): above the middle of the
    quote the buyer took, below it the seller; at the middle the tick rule decides. Ellis, Michaely and O'Hara (2000):
    only a trade at the ask or at the bid is decided by the quote. Chakrabarty, Li, Nguyen and Van Ness (2007): only one
    in the 30 % of the spread next to the ask, or to the bid, is. All else is left to the tick rule.

    Parameters
    ----------
    trades : table
        As `drainstats.read_trades` returns it, in time order for each asset: index of time stamps, ``price``, and
        ``asset`` when there are several.
    quotes : table, optional
        As `drainstats.read_quotes` returns it, in time order for each asset; ``asset`` as in ``trades``.
    method : {"given", "tick", "lee_ready", "emo", "clnv"}, default "lee_ready"
        "given" takes the column ``side``.
    lag : length of time, default "0s"
        The quote of a trade at t is the last one stamped before t − lag, of the same UTC day; one stamped as the trade
        itself may be its consequence and is not taken. Lee and Ready took 5 s for the tape of their time.

    Returns
    -------
    Series of int8
        1 the buyer took, -1 the seller, 0 unknown: before a day's first change of price where no quote decides. A
        missing or crossed quote decides nothing. All starts afresh at midnight UTC.

    Raises
    ------
    DataError
        Trades or quotes out of order, a price that is not finite, no side for "given".
    OptionError
        An unknown method; a method that needs quotes without them; a negative lag.

    References
    ----------
    Lee and Ready (1991), Journal of Finance 46(2), 733-746. Ellis, Michaely and O'Hara (2000), Journal of Financial and
    Quantitative Analysis 35(4), 529-551. Chakrabarty, Li, Nguyen and Van Ness (2007), Journal of Banking and Finance
    31(12), 3806-3821.

    Examples
    --------
    >>> import pandas as pd, drainstats as ds
    >>> clock = pd.date_range("2024-01-02 10:00", periods=3, freq="s", tz="UTC")
    >>> trades = pd.DataFrame({"price": [100.2, 100.0, 100.0], "amount": 1.0}, clock)
    >>> quotes = pd.DataFrame({"bid": [100.0], "ask": [100.2]}, clock[:1] - pd.Timedelta("1s"))
    >>> ds.sign_trades(trades, quotes).tolist(), ds.sign_trades(trades, method="tick").tolist()
    ([1, -1, -1], [0, -1, -1])
    """
    check_option("method", method, METHODS)
    if method in QUOTE_METHODS and quotes is None:
        raise OptionError(f'method="{method}" needs quotes; method="tick" does without.')
    behind = nonnegative("lag", lag)
    batch = _whole(trades, "trades")
    signer = Signer(method)
    if method not in QUOTE_METHODS:
        side = signer.sign(batch)
    else:
        found = prevailing(batch, _whole(quotes, "quotes"), behind)
        side = signer.sign(batch, found[:, BID], found[:, ASK])
    return pd.Series(side, index=to_pandas(trades).index, name="side")


def _whole(table: Any, kind: str) -> Batch:
    frame = to_pandas(table)
    if kind == "trades" and isinstance(frame, pd.DataFrame) and "amount" not in frame:
        frame = frame.assign(amount=0.0)
    batch = concat(list(Reading(kind).batches(frame)))
    check_order(batch)
    bad = np.flatnonzero(~np.isfinite(batch.price)) if kind == "trades" else np.empty(0, dtype=np.int64)
    if len(bad):
        row = int(bad[0])
        raise DataError(f"{float(batch.price[row])!r} is no finite number.", row=batch.row(row), column="price")
    return batch
